"""Follows a start until the appliance is ready, or tells why it never will be.

Looks at three things: the ``docker compose up`` that runs beside it (which ends when every container was
started), the containers, and the appliance's own /status. Changes nothing.
"""

import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from urllib3.exceptions import InsecureRequestWarning

from appliance_cli.base.errors import ApplianceFailed, StepFailed
from appliance_cli.base.output import duration, size
from appliance_cli.compose.containers import ONE_SHOT, Container
from appliance_cli.stack.failing import Failing

# model-init's failures that another try cannot mend; the rest it repeats by itself a few times.
HARD_ERRORS = frozenset(
    {"bad_settings", "model_not_found", "gated", "invalid_model", "no_disk_space", "disk_failure"}
)
STATES = {
    "starting": "Starting",
    "downloading": "Downloading the model",
    "verifying": "Checking the model's files",
    "loading": "Loading the model into the engine",
    "ready": "Ready",
    "failed": "Getting the model failed; trying again",
}


@dataclass(frozen=True)
class Progress:
    """Where the start is: a title, what can be said about it, and a bar's two numbers when there are any."""

    title: str
    detail: str = ""
    done: int | None = None
    total: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """One look.

    ``status`` is /status's answer, None while nothing answers; ``compose_exit`` None while it runs.
    """

    status: dict[str, Any] | None
    containers: tuple[Container, ...]
    compose_exit: int | None


@dataclass
class Judge:
    """Turns snapshots into progress.

    ``began`` (epoch seconds) tells this start's news from an earlier one's.
    """

    began: float
    log_tail: Callable[[Container], tuple[str, ...]]
    compose_log: Path

    def __post_init__(self) -> None:
        self._failing = Failing(self.log_tail)

    def ready(self, seen: Snapshot) -> bool:
        """Everything started, every container fine, and the engine answers."""
        return (
            seen.compose_exit == 0
            and (seen.status or {}).get("state") == "ready"
            and bool(seen.containers)
            and all(container.fine for container in seen.containers)
        )

    def require_hope(self, seen: Snapshot) -> None:
        """Raise ApplianceFailed or StepFailed when waiting longer cannot help."""
        model = (seen.status or {}).get("model") or {}
        error = model.get("error")
        if error and model.get("updated_at", 0) >= self.began and error.get("code") in HARD_ERRORS:
            raise _model_failed(error["message"])
        self._failing.require_none(seen.containers)
        if seen.compose_exit is None:
            return  # what ended before may be what this start is about to start again
        init = next((c for c in seen.containers if c.service == ONE_SHOT), None)
        if init is not None and init.state == "exited" and init.exit_code != 0:
            if error:
                raise _model_failed(error["message"])
            raise _model_failed(f"model-init ended with exit code {init.exit_code}", self.log_tail(init))
        if seen.compose_exit != 0:
            raise self._compose_failed(seen)

    def _compose_failed(self, seen: Snapshot) -> Exception:
        tail = self.compose_log.read_text(errors="replace").strip().splitlines()[-15:]
        return StepFailed(
            "Starting the containers failed",
            expected="docker compose up to succeed",
            found=f"exit code {seen.compose_exit}; the whole output is in {self.compose_log}",
            remedy="put right what it says, then run this again",
            details=tuple(tail),
        )


def _model_failed(message: str, details: tuple[str, ...] = ()) -> ApplianceFailed:
    return ApplianceFailed(
        "The model cannot be served",
        expected="model-init to publish a verified model",
        found=message,
        remedy="put that right (see .env.example) and run this again\n"
        "what model-init wrote: ./scripts/appliance logs model-init",
        details=details,
    )


def progress(seen: Snapshot) -> Progress:
    """What a snapshot means to the person who waits."""
    if seen.status is None:
        return Progress("Starting the containers", _containers_line(seen.containers))
    state = seen.status.get("state", "")
    model = seen.status.get("model") or {}
    title = STATES.get(state, "Starting")
    if model.get("waiting") and state != "failed":
        return Progress(title, str(model["waiting"]), model.get("bytes_done"), model.get("bytes_total"))
    if state in ("downloading", "verifying"):
        return Progress(title, _model_line(model), model.get("bytes_done"), model.get("bytes_total"))
    if state == "ready":
        return Progress("Waiting for every container to be healthy", _containers_line(seen.containers))
    if state == "failed":
        return Progress(title, (model.get("error") or {}).get("message", ""))
    return Progress(title, seen.status.get("message") or "")


def _model_line(model: dict[str, Any]) -> str:
    done, total = model.get("bytes_done") or 0, model.get("bytes_total")
    parts = [f"{size(done)} of {size(total)}" if total else size(done)]
    if model.get("rate_bytes_per_s"):
        parts.append(f"{size(model['rate_bytes_per_s'])}/s")
    if model.get("eta_s") is not None:
        parts.append(f"about {duration(model['eta_s'])} left")
    if model.get("file"):
        parts.append(str(model["file"]))
    return ", ".join(parts)


def _containers_line(containers: tuple[Container, ...]) -> str:
    services: dict[str, list[Container]] = {}
    for container in containers:
        services.setdefault(container.service, []).append(container)
    words = []
    for service, members in services.items():
        fine = sum(member.fine for member in members)
        state = "finished" if service == ONE_SHOT and fine else members[0].health or members[0].state
        words.append(f"{service} {fine}/{len(members)}" if len(members) > 1 else f"{service} {state}")
    return ", ".join(words)


def fetch_status(url: str, timeout: float = 5) -> dict[str, Any] | None:
    """The appliance's /status, or None while it does not answer with one. ``url``: Appliance.url."""
    session = requests.Session()
    session.trust_env = False  # why: a proxy for the internet does not lead to this host's loopback
    # why: the certificate may be self-signed and need not name this host's own address; no secret is sent
    session.verify = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InsecureRequestWarning)
            with session.get(f"{url}/status", timeout=timeout) as answer:
                content = answer.json()
    except (requests.RequestException, json.JSONDecodeError):
        return None
    return content if isinstance(content, dict) and "state" in content else None


def until_ready(
    look: Callable[[], Snapshot], judge: Judge, show: Callable[[Progress], None], *, pause_s: float = 1.0
) -> dict[str, Any]:
    """Look again and again until ready; return the last /status. No deadline: a first download takes hours.

    Raises ApplianceFailed or StepFailed as soon as it cannot come up any more.
    """
    while True:
        seen = look()
        judge.require_hope(seen)
        if judge.ready(seen):
            return seen.status or {}
        show(progress(seen))
        time.sleep(pause_s)
