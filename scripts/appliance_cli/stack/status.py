"""``appliance status``: what runs, how far the model is, and where to reach it. Changes nothing."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from appliance_cli.base import tables
from appliance_cli.base.errors import STATUS_EXIT
from appliance_cli.base.output import duration
from appliance_cli.compose import containers
from appliance_cli.compose.client import docker_client
from appliance_cli.compose.containers import Container
from appliance_cli.config.appliance import ENGINES, Appliance
from appliance_cli.host import way_out
from appliance_cli.stack import watch

TITLES = ("SERVICE", "CONTAINER", "STATE", "IMAGE", "UP")


def report(appliance: Appliance) -> tuple[dict[str, Any], int]:
    """Everything that ``--json`` prints, and the exit code. Raises StepFailed when Docker does not answer."""
    client = docker_client()
    found = containers.of_project(client, appliance.project)
    edge = way_out.find(client, appliance.project) if found else None
    status = watch.fetch_status(appliance.url) if found else None
    state = overall(found, status)
    now = datetime.now(UTC)
    content = {
        "state": state,
        "message": (status or {}).get("message"),
        "url": appliance.public_url,
        "engine": appliance.engine,
        "project": appliance.project,
        "model": (status or {}).get("model"),
        "way_out": None if edge is None else asdict(way_out.look(client, edge)),
        "containers": [_row(container, now) for container in found],
    }
    codes = {"ready": STATUS_EXIT.ready, "failed": STATUS_EXIT.failed, "stopped": STATUS_EXIT.stopped}
    return content, codes.get(state, STATUS_EXIT.starting)


def overall(found: tuple[Container, ...], status: dict[str, Any] | None) -> str:
    """One word: stopped, failed, degraded, ready, or the stage that /status names."""
    if not any(container.state in ("running", "restarting", "created") for container in found):
        return "stopped"
    if any(c.service == containers.ONE_SHOT and c.state == "exited" and c.exit_code for c in found):
        return "failed"
    state = (status or {}).get("state", "starting")
    if state == "ready" and not all(container.fine for container in found):
        return "degraded"
    return str(state)


def _row(container: Container, now: datetime) -> dict[str, Any]:
    age = container.age_s(now)
    return {
        "name": container.name,
        "service": container.service,
        "state": container.state,
        "health": container.health or None,
        "exit_code": container.exit_code if container.state == "exited" else None,
        "image": container.image,
        "uptime_s": None if age is None else round(age),
    }


def table(content: dict[str, Any]) -> str:
    """The report for people."""
    rows = [_cells(row) for row in content["containers"]]
    lines = [*tables.table(TITLES, rows).splitlines(), ""] if rows else []
    kernels = (content["model"] or {}).get("fast_kernels")
    engine = ENGINES.get(content["engine"], "not chosen yet")
    model = (content["model"] or {}).get("model_id") or "not known yet"
    message = f": {content['message']}" if content["message"] else ""
    facts = [f"State   {content['state']}{message}", f"Model   {model}", f"Engine  {engine}"]
    if kernels:
        facts.append(f"Kernels {kernels['package']}: {kernels['detail'] or kernels['state']}")
    if content["way_out"]:
        facts.append(f"Way out {_way_out(content['way_out'])}")
    return "\n".join([*lines, *facts, f"URL     {content['url']}/"])


def _way_out(found: dict[str, Any]) -> str:
    if found["closed"]:
        return "closed: nginx cannot call out of this machine"
    state = "not known" if found["closed"] is None else "open"
    return f"{state}: {found['why']}; to close it: {found['command']}"


def _cells(row: dict[str, Any]) -> list[str]:
    state = row["health"] or row["state"]
    if row["exit_code"] is not None:
        state = "finished" if row["exit_code"] == 0 else f"failed ({row['exit_code']})"
    uptime = "" if row["uptime_s"] is None else duration(row["uptime_s"])
    return [row["service"], row["name"], state, row["image"], uptime]
