"""The whole examination: gathers what is to be judged and has it judged. Starts a small container at most."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from docker import DockerClient

from appliance_cli.base.errors import BadSetting, HostNotReady
from appliance_cli.base.process import Answer, ask
from appliance_cli.compose import containers
from appliance_cli.compose.client import connect, has_image
from appliance_cli.compose.containers import Container, is_engine
from appliance_cli.config import values as given_values
from appliance_cli.config.appliance import Appliance, Engine
from appliance_cli.doctor import engine_traps, heal_log, log_lines, network, running, settings
from appliance_cli.gpu import cards_here
from appliance_cli.gpu.cards_here import Gpu
from appliance_cli.gpu.setup import engine_pids
from appliance_cli.host import card_in_container, checks, facts
from appliance_cli.host.facts import Host
from appliance_cli.host.finding import Finding
from appliance_cli.stack import figures, watch
from appliance_cli.stack.prepare import judge_host

LOG_LINES = 400
READ_SERVICES = ("model-init", "nginx")
# Which file of bitsandbytes the engine's processes have mapped, by the kernel: not what a setting says.
MAPPED = "cat /proc/[0-9]*/maps 2>/dev/null | grep -o '/[^ ]*libbitsandbytes[^ ]*' | sort -u"

Tell = Callable[[str], None]


def examine(appliance: Appliance, tell: Tell, *, quick: bool = False) -> list[Finding]:
    """Every finding, in the order in which a person would look. ``quick``: what `up` looks at, no more."""
    tell("Looking at this host")
    values = given_values.read(appliance.env_file)
    host, engine, found = _host(appliance)
    found += settings.examine(appliance, values)
    client, _ = connect()
    if client is None or quick:
        return found
    with closing(client):
        tell("Asking where files come from")
        places = network.places(replace(appliance, engine=engine), values)
        found += network.examine(network.ask_all(places, _environment(appliance)))
        if engine == "gpu":
            found += _trial(appliance, host, client, tell)
        tell("Looking at what runs")
        return found + of_what_runs(appliance, engine, client)


def _host(appliance: Appliance) -> tuple[Host, Engine, list[Finding]]:
    """The host, the engine for it, and what `up` would say of them; also where a setting is refused."""
    try:
        judged = judge_host(appliance)
        return judged.host, judged.engine, list(judged.findings)
    except BadSetting as error:
        host = facts.look(appliance)
        engine = checks.choose_engine(host, "auto", appliance.engine)
        model = checks.Model("the model", None)
        judgements = checks.examine(host, engine, appliance, model, starting=True)
        return host, engine, [settings.refused(error), *judgements]


def of_what_runs(appliance: Appliance, engine: Engine, client: DockerClient) -> list[Finding]:
    """The containers, the model, the card inside, the engine's traps and the logs."""
    seen = containers.of_project(client, appliance.project)
    now = running.now()
    found = running.containers(seen, now)
    if not seen:
        return found
    found += running.model(watch.fetch_status(appliance.url), seen, now)
    if engine == "gpu":
        cards = cards_of_host()
        found += running.cards_inside(nvidia_smi_inside(seen), host_sees=bool(cards))
        found += running.cards(seen, cards, appliance.gpu_device, engine_pids(client, appliance.project))
    found += engine_traps.examine(seen, _mapped_libraries(seen), figures.read(seen))
    found += log_lines.examine(_logs(client, seen))
    return found + heal_log.lately(appliance, now)


def cards_of_host() -> tuple[Gpu, ...]:
    """The cards that the driver lists; none without a driver."""
    try:
        return cards_here.look().cards
    except HostNotReady:
        return ()


def nvidia_smi_inside(found: Sequence[Container]) -> dict[str, Answer]:
    """What nvidia-smi says in each engine that runs on a card."""
    return {
        container.name: ask(["docker", "exec", container.id, "nvidia-smi", "-L"], timeout=30)
        for container in found
        if is_engine(container.service) and container.state == "running" and container.cards
    }


def _trial(appliance: Appliance, host: Host, client: DockerClient, tell: Tell) -> list[Finding]:
    image = next((name for name in _small_images(appliance) if has_image(client, name)), None)
    if image is None or not host.nvidia.gpus:
        return []
    tell("Giving the card to a small container")
    return [card_in_container.judge(card_in_container.try_it(image, appliance.gpu_device))]


def _small_images(appliance: Appliance) -> tuple[str, ...]:
    return (appliance.python_base, "qwen-appliance/model-init:local")


def _mapped_libraries(found: Sequence[Container]) -> dict[str, str]:
    return {
        container.name: ask(["docker", "exec", container.id, "sh", "-c", MAPPED], timeout=30).out.strip()
        for container in found
        if is_engine(container.service)
        and container.state == "running"
        and container.argument("quantize") == "bitsandbytes-nf4"
    }


def _logs(client: DockerClient, found: Sequence[Container]) -> dict[str, list[str]]:
    """The last lines of each service that is read, of all its containers."""
    logs: dict[str, list[str]] = {}
    for container in found:
        if is_engine(container.service) or container.service in READ_SERVICES:
            lines = containers.log_tail(client, container.id, LOG_LINES)
            logs.setdefault(container.service, []).extend(lines)
    return logs


def _environment(appliance: Appliance) -> Mapping[str, str]:
    return {**os.environ, **given_values.read(appliance.env_file)}
