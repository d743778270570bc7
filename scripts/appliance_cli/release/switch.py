"""Has another release run in place of the present one, forward or back, and cuts no answer doing so.

In this order: replicas of the chat and of openai-api come up beside the present ones, which then finish their
answers and leave; the door and the engine, of which there is one, are replaced in a moment in which nobody is
being answered. What is already as the release wants it is left alone: so going back from a release whose chat
never came up touches neither door nor engine. Where Docker's networks change, all is started anew in such a
moment, since Compose stops whatever is in a network that it makes anew.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from docker import DockerClient

from appliance_cli.base.output import Output, Ticker
from appliance_cli.base.process import ask
from appliance_cli.compose import containers, runner
from appliance_cli.compose.client import FAILURES, docker_client
from appliance_cli.compose.containers import Container
from appliance_cli.config.appliance import Appliance
from appliance_cli.release import composed, images
from appliance_cli.release.images import IN_USE
from appliance_cli.stack import figures, lifecycle, scale

REPLICATED = ("openai-api", "ui")
DOOR = "nginx"
DRAIN_S = 610  # docker-compose.yml's stop_grace_period of what answers: the longest answer, and its end
FOUND_S = 3.0  # nginx asks Docker every 2 s who there is (nginx/conf.d/upstreams.conf)
QUIET_S = 600.0


def to(appliance: Appliance, built: Mapping[str, str], output: Output) -> None:
    """Have the release of this folder run, with these images.

    Raises what `lifecycle.start` and `scale.have` do. What runs then is whatever was reached.
    """
    client = docker_client(timeout=60)
    images.name(client, built, IN_USE)
    if _has_other_networks(client, appliance):
        output.item("warn", "Docker's networks change: all is started anew, when nobody is being answered")
        _close_door(client, appliance, output)
        lifecycle.stop(appliance, output, volumes=False)
        lifecycle.start(appliance, output)
        return
    _renew(client, appliance, output)
    if any(c.service == DOOR or containers.is_engine(c.service) for c in _outdated(client, appliance)):
        _close_door(client, appliance, output)
    lifecycle.start(appliance, output)


def _has_other_networks(client: DockerClient, appliance: Appliance) -> bool:
    """Whether Compose would make one anew, for which it stops whatever is in it."""
    wanted = composed.networks(appliance)
    label = "com.docker.compose"
    found = client.networks.list(filters={"label": f"{label}.project={appliance.project}"})
    known = [(each.attrs, wanted.get(each.attrs["Labels"].get(f"{label}.network"))) for each in found]
    return any(spec is not None and not composed.same_network(attrs, spec) for attrs, spec in known)


def _outdated(client: DockerClient, appliance: Appliance) -> list[Container]:
    """The running containers that a start would replace."""
    wanted = composed.hashes(appliance)

    def differs(container: Container) -> bool:
        attrs = client.containers.get(container.id).attrs
        return outdated(attrs, wanted.get(container.service), _image(client, container))

    return [container for container in _running(client, appliance) if differs(container)]


def outdated(attrs: Mapping[str, Any], wanted: str | None, image: str) -> bool:
    """Whether Compose would make this container anew: another definition, or its image's name on another."""
    definition = attrs["Config"]["Labels"].get("com.docker.compose.config-hash")
    return bool(definition != wanted or attrs["Image"] != image)


def _image(client: DockerClient, container: Container) -> str:
    """What the name of its image stands for by now."""
    try:
        return str(client.images.get(container.image).id)
    except FAILURES:
        return ""


def _renew(client: DockerClient, appliance: Appliance, output: Output) -> None:
    """New replicas beside the old, then without them."""
    services = composed.services(appliance)
    old = [c for c in _outdated(client, appliance) if c.service in REPLICATED and c.service in services]
    if not old:
        return
    output.phase("Replicas (those that are replaced finish their answers first)")
    wanted = {name: composed.replicas(service) for name, service in services.items()}
    numbers = to_have(_running(client, appliance), old, wanted)
    scale.have(client, appliance, numbers, output)
    time.sleep(FOUND_S)
    output.item("ok", ", ".join(f"{count} {service}" for service, count in numbers.items()), "old and new")
    _drain(client, appliance, old, output)


def to_have(
    present: Sequence[Container], old: Sequence[Container], wanted: Mapping[str, int]
) -> dict[str, int]:
    """How many of each service there must be for a while: the old, and as many new ones as are wanted."""
    leaving = {container.id for container in old}
    numbers = {}
    for service in dict.fromkeys(container.service for container in old):
        staying = sum(c.service == service and c.id not in leaving for c in present)
        numbers[service] = sum(c.service == service for c in old) + max(staying, wanted[service])
    return numbers


def _running(client: DockerClient, appliance: Appliance) -> list[Container]:
    return [c for c in containers.of_project(client, appliance.project) if c.state == "running"]


def _drain(client: DockerClient, appliance: Appliance, old: Sequence[Container], output: Output) -> None:
    """Let them end their answers, and remove them."""
    names = [container.id for container in old]
    log = appliance.logs / f"{appliance.project}.drain.log"
    child = runner.launch(appliance, ["docker", "stop", "--time", str(DRAIN_S), *names], log=log)
    with Ticker(output) as ticker:
        while child.poll() is None:
            left = sum(c.id in names for c in _running(client, appliance))
            ticker.show("The old replicas finish their answers", f"{left} still to leave")
            time.sleep(0.5)
    remove(client, old)
    output.item("ok", f"{len(old)} old replicas have left")


def remove(client: DockerClient, gone: Sequence[Container]) -> None:
    """Remove containers, whatever they do."""
    for container in gone:
        ask(["docker", "rm", "--force", container.id], timeout=60)


def _close_door(client: DockerClient, appliance: Appliance, output: Output) -> None:
    """Wait until nobody is answered, ten minutes at most; then nginx ends, after what it still carries."""
    output.phase("Door and engine (in a moment in which nobody is being answered)")
    end = time.monotonic() + QUIET_S
    with Ticker(output) as ticker:
        while (answers := in_flight(client, appliance)) and time.monotonic() < end:
            ticker.show("Waiting for a quiet moment", f"{answers} being answered")
            time.sleep(0.5)
    with output.step("Closing the door") as step:
        doors = [c.id for c in _running(client, appliance) if c.service == DOOR]
        if answers:
            step.update(f"nobody new comes in until the {answers} being answered are done")
        if doors:
            ask(["docker", "stop", "--time", str(DRAIN_S), *doors], timeout=DRAIN_S + 30)


def in_flight(client: DockerClient, appliance: Appliance) -> int:
    """How many requests nginx carries right now; 0 where it cannot be asked."""
    seen = figures.read(_running(client, appliance))
    return 0 if seen is None else round(sum(figures.values(seen.door, "appliance_running")))
