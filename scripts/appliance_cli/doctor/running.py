"""Judges what runs: containers, the model's stage, the card inside the engine. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from appliance_cli.base.output import duration
from appliance_cli.base.process import Answer
from appliance_cli.compose.containers import Container, is_engine
from appliance_cli.gpu.cards_here import Gpu
from appliance_cli.gpu.planning import MIB
from appliance_cli.host.finding import Finding, Level
from appliance_cli.stack.stranded import KILLED, stopped, stranded

MAX_RESTARTS = 3
LONG_LOAD_S = 1800


def containers(found: Sequence[Container], now: datetime) -> list[Finding]:
    """What is wrong with the containers; one line when nothing is."""
    if not found:
        return [Finding("ok", "no containers: the appliance is down", check="containers")]
    wrong = [
        *(_stranded(container) for container in stranded(found, now)),
        *(_stopped(container) for container in stopped(found)),
        *(_restarting(c) for c in found if c.restarts >= MAX_RESTARTS and not c.fine),
        *(_unhealthy(c) for c in found if c.state == "running" and c.health == "unhealthy"),
        *(_short(c) for c in found if c.short_of_memory),
    ]
    return wrong or [Finding("ok", f"{len(found)} containers, as they should be", check="containers")]


def _stranded(container: Container) -> Finding:
    killed = container.exit_code == KILLED
    by_force = " by force (docker kill, or a stop that ran out of time)" if killed else ""
    stay = (
        f"\nto have it stay stopped, give it time to end: docker stop -t 60 {container.name}"
        if killed
        else ""
    )
    return Finding(
        "fail",
        f"{container.name} is {container.state}{by_force}, and nothing will start it again",
        "running",
        f"./scripts/appliance heal, or ./scripts/appliance up{stay}",
        "containers",
    )


def _stopped(container: Container) -> Finding:
    return Finding(
        "warn",
        f"{container.name} was stopped by hand; nothing will start it again before Docker's next start",
        "running, unless that is wanted",
        "./scripts/appliance up",
        "containers",
    )


def _restarting(container: Container) -> Finding:
    return Finding(
        "fail",
        f"{container.name} was restarted {container.restarts} times",
        "a service that stays up",
        f"./scripts/appliance logs {container.service}",
        "restarting",
    )


def _unhealthy(container: Container) -> Finding:
    said = f": {container.check_words[-1]}" if container.check_words else ""
    return Finding(
        "fail",
        f"{container.name} is unhealthy{said}",
        "a service that passes its check",
        f"./scripts/appliance logs {container.service}; docker compose restart {container.service}",
        "unhealthy",
    )


def _short(container: Container) -> Finding:
    setting = "raise ENGINE_MEMORY in .env" if is_engine(container.service) else "report it"
    return Finding(
        "fail",
        f"{container.name} was ended because memory was short",
        "less than its bound (mem_limit)",
        setting,
        "killed-for-memory",
    )


def model(status: Mapping[str, Any] | None, found: Sequence[Container], now: datetime) -> list[Finding]:
    """Whether the model is there, and how long the engine has been loading it."""
    if status is None:
        return []
    said = status.get("model") or {}
    stage, name = said.get("stage"), said.get("model_id") or "the model"
    at_work = any(c.service == "model-init" and c.state in ("running", "restarting") for c in found)
    if stage not in ("ready", None):
        why = (said.get("error") or {}).get("message") or said.get("waiting") or said.get("message") or stage
        level: Level = "warn" if at_work else "fail"
        remedy = "wait" if at_work else "./scripts/appliance up"
        return [
            Finding(
                level, f"the model is not complete: {why}", f"{name}, verified", remedy, "model-incomplete"
            )
        ]
    complete = Finding("ok", f"{name} is complete and verified", check="model-incomplete")
    return [complete, *_loading(status, found, now)]


def _loading(status: Mapping[str, Any], found: Sequence[Container], now: datetime) -> list[Finding]:
    if status.get("state") != "loading":
        return []
    ages = [age for c in found if is_engine(c.service) and (age := c.age_s(now)) is not None]
    written = (status.get("model") or {}).get("updated_at") or 0
    # why: an engine that waited for its model has run for longer than it loads
    since = max(0.0, now.timestamp() - written)
    age = min([*ages, since]) if ages else 0.0
    if age < LONG_LOAD_S:
        return [Finding("warn", f"loading for {duration(age)}", "minutes", "wait", "loading-long")]
    return [
        Finding(
            "fail",
            f"loading for {duration(age)}",
            f"less than {duration(LONG_LOAD_S)}, also from a slow disk",
            "./scripts/appliance logs tgi; docker compose restart tgi",
            "loading-long",
        )
    ]


def cards_inside(answers: Mapping[str, Answer], host_sees: bool) -> list[Finding]:
    """Whether each engine still has its card. ``answers``: nvidia-smi in each container, by its name."""
    found = []
    for name, answer in answers.items():
        said = (answer.err + answer.out).strip()
        if lost_card(answer) and host_sees:
            found.append(
                Finding(
                    "fail",
                    f"{name} has lost its card: {said.splitlines()[-1]}",
                    "the card, which this host still sees",
                    "./scripts/appliance heal recreates it; so that it does not happen again: "
                    "./scripts/appliance service install",
                    "gpu-lost",
                )
            )
        elif answer.code == 0:
            found.append(Finding("ok", f"{name}: {said.splitlines()[0]}", check="gpu-lost"))
    return found


def lost_card(answer: Answer) -> bool:
    """Whether nvidia-smi in a container says that its card was taken away under it."""
    return "Failed to initialize NVML" in answer.out + answer.err


def cards(
    found: Sequence[Container], here: Sequence[Gpu], wanted: str, own_pids: frozenset[int]
) -> list[Finding]:
    """Which card the engine has, and who else holds memory of it. ``own_pids``: the engines' processes."""
    findings = []
    for container in found:
        if not is_engine(container.service) or container.state != "running":
            continue
        for name in container.cards:
            card = next((gpu for gpu in here if name in (str(gpu.index), gpu.uuid)), None)
            if card is None:
                continue
            if container.service == "tgi" and len(container.cards) == 1:
                findings += _other_card(container, card, here, wanted)
            findings += _shared(card, own_pids)
    return findings


def _other_card(container: Container, card: Gpu, here: Sequence[Gpu], wanted: str) -> list[Finding]:
    named = next((gpu for gpu in here if wanted in (str(gpu.index), gpu.uuid)), None)
    if named is None or named.uuid == card.uuid:
        return []
    return [
        Finding(
            "fail",
            f"{container.name} runs on card {card.index} ({card.name}), .env names {named.index} "
            f"({named.name})",
            f"card {named.index}",
            "./scripts/appliance up",
            "gpu-other-card",
        )
    ]


def _shared(card: Gpu, own_pids: frozenset[int]) -> list[Finding]:
    others = [process for process in card.processes if process.pid not in own_pids]
    held = sum(process.used or 0 for process in others)
    if held < 256 * MIB:
        return []
    left = max(1, (card.total - held) // MIB // 1024)
    names = ", ".join(f"{process.name} (pid {process.pid})" for process in others)
    return [
        Finding(
            "warn",
            f"{held // MIB} MiB of card {card.index} are held by {names}",
            "a card that the engine has for itself, or TARGET_VRAM in .env",
            f"end it, or TARGET_VRAM={left} in .env and ./scripts/appliance up",
            "gpu-shared",
        )
    ]


def now() -> datetime:
    """The time, as Docker writes it."""
    return datetime.now(UTC)
