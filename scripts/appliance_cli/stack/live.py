"""What the appliance does at this moment, of two looks a few seconds apart: for `watch`.

`look` asks; `content` and `view` are pure.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from docker import DockerClient
from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from appliance_cli.compose import containers
from appliance_cli.compose.containers import Container
from appliance_cli.config.appliance import ENGINES, Appliance
from appliance_cli.gpu import card_figures
from appliance_cli.gpu.card_figures import CardNow
from appliance_cli.stack import figures, watch
from appliance_cli.stack.figures import Figures
from appliance_cli.stack.status import overall

FIRST_BYTE = "appliance_first_byte_seconds"
ROUTES = ("chat", "completions", "generate", "generate_stream")


@dataclass(frozen=True)
class Look:
    """All that was read at once. ``figures`` is None while no chat replica answers."""

    at: float
    status: dict[str, Any] | None
    containers: tuple[Container, ...]
    figures: Figures | None
    cards: tuple[CardNow, ...]


def look(appliance: Appliance, client: DockerClient, clock: Callable[[], float] = time.monotonic) -> Look:
    """One look."""
    found = containers.of_project(client, appliance.project)
    status = watch.fetch_status(appliance.url) if found else None
    return Look(clock(), status, found, figures.read(found), card_figures.look())


def content(before: Look, now: Look) -> dict[str, Any]:
    """What ``--json`` prints. None for what nobody says; rates and times are those between the looks."""
    seen = now.figures or Figures()
    status = now.status or {}
    return {
        "state": overall(now.containers, now.status),
        "message": status.get("message"),
        "model": (status.get("engine") or {}).get("model_id") or (status.get("model") or {}).get("model_id"),
        "cards": [asdict(card) for card in now.cards],
        "engine": {
            "engines": len(seen.engines),
            "batch": seen.engine("tgi_batch_current_size"),
            "queue": seen.engine("tgi_queue_size"),
            "requests": seen.engine("tgi_request_count"),
            "requests_per_s": _rate(before, now, "tgi_request_count"),
            "tokens_per_s": _rate(before, now, "tgi_request_generated_tokens_sum"),
        },
        "first_token_s": {"p50": _first_token(0.5, before, now), "p95": _first_token(0.95, before, now)},
        "replicas": status.get("ui"),
        "running_by_account": {
            labels["account"]: value
            for name, labels, value in seen.door
            if name == "appliance_running" and value > 0
        },
    }


def _rate(before: Look, now: Look, name: str) -> float | None:
    """How much a counter of the engines grew a second."""
    if before.figures is None or now.figures is None:
        return None
    grown = figures.gained(before.figures, now.figures, name)
    return None if grown is None else grown / max(now.at - before.at, 0.001)


def _first_token(share: float, before: Look, now: Look) -> float | None:
    if before.figures is None or now.figures is None:
        return None

    def answers(seen: Figures) -> figures.Series:
        return [each for each in seen.door if dict(each[1]).get("route") in ROUTES]

    return figures.quantile(share, answers(before.figures), answers(now.figures), FIRST_BYTE)


def view(content: dict[str, Any], engine: str | None) -> Group:
    """The same for a terminal."""
    ui = content["replicas"] or {}
    replicas = f"{ui.get('healthy', 0)} of {ui.get('replicas', 0)} chat replicas"
    message = f": {content['message']}" if content["message"] and content["state"] != "ready" else ""
    # ENGINES' keys are the two engines; None is none yet
    name = next((words for kind, words in ENGINES.items() if kind == engine), "no engine chosen")
    head = Text(
        f"{content['state']}{message}", style="bold green" if content["state"] == "ready" else "bold yellow"
    )
    line = Text(f"{content['model'] or 'no model yet'}, {name}, {replicas}")
    accounts = content["running_by_account"]
    running = ", ".join(f"{account} {count:.0f}" for account, count in accounts.items()) or "nobody"
    return Group(head, line, Text(), _cards(content["cards"]), _engine(content), Text(f"Running: {running}"))


def _cards(cards: list[dict[str, Any]]) -> Table | Text:
    if not cards:
        return Text("No NVIDIA card here, or no driver: nothing to show of one\n", style="dim")
    table = Table(
        "CARD", "MEMORY", "", "GPU", "POWER", "°C", box=None, header_style="bold", padding=(0, 2, 1, 0)
    )
    for card in cards:
        used, total = card["memory_used_mib"], card["memory_mib"]
        power = f"{_number(card['power_w'])} of {_number(card['power_limit_w'])} W"
        table.add_row(
            f"{card['index']} {card['name']}",
            f"{used} of {total} MiB",
            ProgressBar(total=total, completed=used, width=20),
            f"{_number(card['utilisation_percent'])}%",
            power,
            _number(card["temperature_c"]),
        )
    return table


def _engine(content: dict[str, Any]) -> Table:
    engine, first = content["engine"], content["first_token_s"]
    titles = ("ANSWERING", "QUEUE", "REQUESTS", "REQUESTS/S", "TOKENS/S", "FIRST TOKEN P50", "P95")
    table = Table(*titles, box=None, header_style="bold", padding=(0, 2, 1, 0))
    numbers = ("batch", "queue", "requests", "requests_per_s", "tokens_per_s")
    times = (f"{_number(first[name])} s" for name in ("p50", "p95"))
    table.add_row(*(_number(engine[name]) for name in numbers), *times)
    return table


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2g}"
