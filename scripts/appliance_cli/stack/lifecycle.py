"""Builds, starts, watches and stops the appliance on a prepared host."""

import json
import re
import time
from typing import Any

from docker import DockerClient

from appliance_cli.base.errors import StepFailed
from appliance_cli.base.output import Output, Ticker, duration
from appliance_cli.compose import commands as compose
from appliance_cli.compose import containers, runner
from appliance_cli.compose.client import FAILURES, docker_client
from appliance_cli.compose.volumes import everything
from appliance_cli.config.appliance import Appliance
from appliance_cli.door import guard
from appliance_cli.host import addresses, way_out
from appliance_cli.host.way_out import Edge, WayOut
from appliance_cli.stack import carry, watch

_BUILD_STEP = re.compile(r"^#\d+ \[(?P<service>[\w-]+)(?: [\w-]+)? (?P<step>\d+/\d+)] (?P<what>.+)")


def build(appliance: Appliance, output: Output, command: list[str] | None = None) -> None:
    """Fetch and build every image, by Compose's plain command or ``command``; quick when nothing changed.

    Raises StepFailed with the end of the build's output.
    """
    output.phase("Images")
    if command is None and carry.in_place(appliance, docker_client()):
        output.item("ok", "as they were carried here; nothing is fetched or built")
        return
    if appliance.engine == "gpu":
        _compose(
            appliance,
            output,
            "Fetching the engine's image (about 12 GB the first time)",
            compose.pull_engine(appliance),
        )
    _compose(appliance, output, "Building the appliance's images", command or compose.build(appliance))


def _compose(appliance: Appliance, output: Output, title: str, argv: list[str]) -> None:
    log = appliance.logs / "build.log"
    with output.step(title) as step:
        runner.act(
            appliance,
            argv,
            title,
            log=log,
            on_line=lambda line: step.update(line if output.verbose else build_step(line)),
            remedy="see that containers reach the package index (PIP_INDEX_URL and CA_BUNDLE in .env)",
        )


def build_step(line: str) -> str:
    """A build's output line in short (``ui 4/6 pip install …``: a RUN's last command); "" without news."""
    match = _BUILD_STEP.match(line)
    if not match:
        return ""
    command = match["what"].removeprefix("RUN ").rpartition("; ")[2].strip()
    return f"{match['service']} {match['step']} {command}"


def start(appliance: Appliance, output: Output) -> dict[str, Any]:
    """Start the containers and follow them until ready; returns /status.

    Ctrl-C leaves them to come up by themselves.
    """
    output.phase("Starting")
    client = docker_client()
    _drop_twin_networks(client, appliance.project, output)
    log = appliance.logs / f"{appliance.project}.up.log"
    judge = watch.Judge(time.time(), lambda container: containers.log_tail(client, container.id), log)
    child = runner.launch(appliance, compose.up(appliance), log=log)
    closed: Edge | None = None

    def look() -> watch.Snapshot:
        # why: first, so that the containers are seen as they were at its end or later
        nonlocal closed
        compose_exit = child.poll()
        try:
            found = containers.of_project(client, appliance.project)
            edge = way_out.find(client, appliance.project)
            if edge is not None and edge != closed:
                _tell(way_out.close(client, edge), output)
                closed = edge
        except FAILURES:
            found = ()  # why: one call that fails in a download of hours must not end the watch
        return watch.Snapshot(watch.fetch_status(appliance.url), found, compose_exit)

    with Ticker(output) as ticker:
        return watch.until_ready(look, judge, lambda p: ticker.show(p.title, p.detail, p.done, p.total))


def _tell(found: WayOut, output: Output) -> None:
    if found.closed:
        output.item("ok", "nginx cannot call out of this machine")
    else:
        output.item("warn", f"nginx could send packets out of this machine: {found.why}", found.command)


def _drop_twin_networks(client: DockerClient, project: str, output: Output) -> None:
    """Leave one network of each name: Docker lets two commands make the same one, and then knows neither."""
    found = client.networks.list(filters={"label": f"com.docker.compose.project={project}"})
    for name in sorted({str(network.name) for network in found}):
        *twins, _ = sorted((network for network in found if network.name == name), key=_members)
        for twin in twins:
            if _members(twin) == 0:
                twin.remove()
                output.item("ok", f"a second network {name} removed, which two commands at once had made")


def _members(network: Any) -> int:
    network.reload()
    return len(network.containers)


def announce(appliance: Appliance, status: dict[str, Any], output: Output) -> None:
    """Say where it is and how to use it. The address and the example go to stdout."""
    model = (status.get("engine") or {}).get("model_id") or "tgi"
    by = f" from {appliance.engines} engines" if appliance.engines > 1 else ""
    output.item("ok", f"{model} answers{by}", f"after {duration(output.elapsed)}")
    kernels = (status.get("model") or {}).get("fast_kernels") or {}
    if kernels.get("state") == "missing":
        output.item("warn", f"no fast 4-bit kernels ({kernels['package']})", kernels["detail"])
    output.say("")
    output.data(f"Chat:  {appliance.public_url}/")
    needs_key = not guard.is_open_to_programs(appliance)
    self_signed = appliance.tls.mode == "self-signed"
    for url in addresses.urls(appliance):
        output.data(f"       {url}/")
    if way := addresses.tunnel(appliance):
        output.say(f"From your own computer: {way}   then open {appliance.public_url}/ there")
    output.data(f"API:   {curl_line(appliance.public_url, model, key=needs_key, insecure=self_signed)}")
    missing = [] if needs_key else [(appliance.command("keys add NAME"), "have programs show a key")]
    if guard.is_open_to_people(appliance):
        missing.append((appliance.command("users add NAME"), "have people sign in"))
    if missing:
        output.say("\nOpen to everybody on this machine. To close it:")
        for command, purpose in missing:
            output.say(f"  {command}   {purpose}")


def curl_line(url: str, model: str, *, key: bool = False, insecure: bool = False) -> str:
    """A command that asks the model something and can be pasted into a shell as it is.

    With ``key`` it shows the one in $API_KEY; with ``insecure`` it takes a self-signed certificate.
    """
    # why: the small model of the CPU engine answers in odd French to its own default system message
    messages = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "What is the capital of France?"},
    ]
    body = json.dumps({"model": model, "messages": messages, "max_tokens": 64, "temperature": 0})
    options = (" --insecure" if insecure else "") + (' -H "Authorization: Bearer $API_KEY"' if key else "")
    return f"curl{options} {url}/v1/chat/completions -H 'Content-Type: application/json' -d '{body}'"


def stop(appliance: Appliance, output: Output, *, volumes: bool) -> None:
    """Stop and remove the containers, and the volumes with what they hold only when asked to."""
    take_down(appliance, output, volumes=volumes)
    if not volumes:
        output.say(f"  Kept: {everything()}. Delete them too: {appliance.command('down --volumes')}")


def take_down(appliance: Appliance, output: Output, *, volumes: bool) -> None:
    """The same without a word about what is kept."""
    output.phase("Stopping")
    also = f", {everything()}" if volumes else ""
    with output.step(f"Removing containers and networks{also}") as step:
        runner.act(
            appliance,
            compose.down(appliance, volumes=volumes),
            "Stopping",
            log=appliance.logs / "down.log",
            on_line=step.update,
            remedy="run it again; docker ps shows what is left",
        )
    way_out.open_again(appliance.project)


def follow_logs(appliance: Appliance, *, service: str | None, follow: bool, tail: str) -> int:
    """Show logs on this terminal; returns Compose's exit code.

    Raises StepFailed for a service that does not exist.
    """
    answer = runner.ask(appliance, compose.services(appliance), timeout=30)
    known = sorted(answer.out.split())
    if answer.code == 0 and service and service not in known:
        raise StepFailed(
            "No such service",
            expected=f"one of {', '.join(known)}",
            found=service,
            remedy="name one of them, or none to see the logs of all",
        )
    argv = compose.logs(appliance, service=service, follow=follow, tail=tail)
    return runner.hand_over(appliance, argv)
