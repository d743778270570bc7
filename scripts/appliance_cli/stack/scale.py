"""Changes the number of chat replicas while people chat: starts more, or drains those that are too many."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from docker import DockerClient

from appliance_cli.base.errors import BadSetting, StepFailed
from appliance_cli.base.output import Output, Ticker
from appliance_cli.compose import commands as compose
from appliance_cli.compose import containers, runner
from appliance_cli.compose.client import FAILURES, docker_client
from appliance_cli.compose.containers import Container
from appliance_cli.config import dotenv_file
from appliance_cli.config.appliance import Appliance
from appliance_cli.config.table import MOST_REPLICAS
from appliance_cli.stack.failing import Failing

KEYS = {"ui": "UI_REPLICAS"}
HEADING = "Chosen with ./scripts/appliance scale."


def parse(arguments: Sequence[str]) -> dict[str, int]:
    """Services and how many of each: ``["ui=5"]`` is ``{"ui": 5}``. Raises BadSetting."""
    wanted: dict[str, int] = {}
    for argument in arguments:
        service, _, count = argument.partition("=")
        number = int(count) if count.isascii() and count.isdigit() else 0
        if service not in KEYS or service in wanted or not 1 <= number <= MOST_REPLICAS:
            raise BadSetting(
                "The number of replicas cannot be used",
                expected=f"each of {', '.join(KEYS)} once, with a number from 1 to {MOST_REPLICAS}",
                found=" ".join(map(repr, arguments)),
                remedy="for example: ./scripts/appliance scale ui=5",
            )
        wanted[service] = number
    return wanted


def scale(appliance: Appliance, wanted: Mapping[str, int], output: Output) -> None:
    """Remember the numbers in .env and have so many replicas healthy; only remember when nothing runs.

    Raises:
        StepFailed: Compose or the Docker engine did not do it.
        ApplianceFailed: a replica does not come up.
    """
    client = docker_client()
    running = [c for c in containers.of_project(client, appliance.project) if c.state == "running"]
    dotenv_file.choose(appliance.env_file, {KEYS[name]: str(n) for name, n in wanted.items()}, HEADING)
    output.item("ok", f"{appliance.env_file.name}: {', '.join(f'{KEYS[s]}={n}' for s, n in wanted.items())}")
    if not any(container.service in wanted for container in running):
        output.say(f"The appliance is not running. Start it: {appliance.command('up')}")
        return
    fewer = [s for s, n in wanted.items() if sum(c.service == s for c in running) > n]
    output.phase("Scaling " + ", ".join(f"{service} to {count}" for service, count in wanted.items()))
    if fewer:
        output.say("  Running answers finish first, up to 10 minutes. Ctrl-C leaves it to go on by itself.")
    have(client, appliance, wanted, output)
    output.item("ok", ", ".join(f"{count} healthy {service}" for service, count in wanted.items()))


def have(client: DockerClient, appliance: Appliance, wanted: Mapping[str, int], output: Output) -> None:
    """Have so many replicas healthy, and leave those that there are as they are. Raises as `scale` does."""
    log = appliance.logs / f"{appliance.project}.scale.log"
    child = runner.launch(appliance, compose.scale(appliance, wanted), log=log)
    failing = Failing(lambda container: containers.log_tail(client, container.id))
    with Ticker(output) as ticker:

        def done() -> bool:
            code = child.poll()
            if code:
                raise _compose_failed(code, log.read_text(errors="replace"), str(log))
            try:
                found = containers.of_project(client, appliance.project)
            except FAILURES:
                return False  # why: one call that fails must not end a drain of minutes
            title, detail = progress(found, wanted, finished=code == 0)
            ticker.show(title, detail)
            failing.require_none(staying(found, wanted))
            return code == 0 and settled(found, wanted)

        _wait(done)


def settled(found: Sequence[Container], wanted: Mapping[str, int]) -> bool:
    """Whether exactly so many run, all healthy."""
    replicas = {service: [c for c in found if c.service == service] for service in wanted}
    return all(
        len(replicas[service]) == count and all(container.fine for container in replicas[service])
        for service, count in wanted.items()
    )


def staying(found: Sequence[Container], wanted: Mapping[str, int]) -> list[Container]:
    """The replicas that have to come up: of a service with too many, nobody knows yet which will leave."""
    counts = Counter(container.service for container in found)
    return [c for c in found if c.service in wanted and counts[c.service] <= wanted[c.service]]


def progress(found: Sequence[Container], wanted: Mapping[str, int], *, finished: bool) -> tuple[str, str]:
    """What happens and how far it is. ``finished``: Compose has no more to do."""
    parts = []
    for service, count in wanted.items():
        replicas = [container for container in found if container.service == service]
        left = len(replicas) - count
        fine = sum(container.fine for container in replicas)
        parts.append(
            f"{service}: {left} still to leave" if left > 0 else f"{service}: {fine} of {count} healthy"
        )
    return ("Waiting for the replicas" if finished else "Starting and draining replicas"), ", ".join(parts)


def _wait(done: Callable[[], bool], pause_s: float = 0.5) -> None:
    while not done():
        time.sleep(pause_s)


def _compose_failed(code: int, log: str, where: str) -> StepFailed:
    return StepFailed(
        "Scaling failed",
        expected="docker compose up to succeed",
        found=f"exit code {code}; the whole output is in {where}",
        remedy="put right what it says, then run this again",
        details=tuple(log.strip().splitlines()[-15:]),
    )
