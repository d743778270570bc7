"""Who gets in past the published port: a neighbour, the host's users, other containers, other pages."""

from __future__ import annotations

import ipaddress
import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest
import requests
from docker.models.containers import Container

from appliance_cli.host import way_out
from harness import raw_http
from harness.lone_door import LoneDoor, headers_of
from harness.neighbour import THERE, Neighbour, get
from harness.stack import Stack, run_inside
from harness.waiting import wait_until

pytest_plugins = ["harness.door_fixtures"]

PYTHON = "qwen-appliance/ui:local"
GENERATE = json.dumps({"inputs": "x", "parameters": {"max_new_tokens": 1}})
AS_JSON = ("-H", "Content-Type: application/json", "-d", GENERATE)
AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
ASK = """
import sys, urllib.error, urllib.request
headers = dict(field.split(": ", 1) for field in sys.argv[3:])
request = urllib.request.Request(sys.argv[1], sys.argv[2].encode() or None, headers)
try:
    print(urllib.request.urlopen(request, timeout=3).status)
except urllib.error.HTTPError as error:
    print(error.code)
except OSError:
    print(0)
"""


@pytest.fixture(scope="module")
def neighbour() -> Iterator[Neighbour]:
    with Neighbour() as made:
        yield made


def address(container: Container, network: str) -> str:
    """A container's address in one of its project's networks."""
    project = container.labels["com.docker.compose.project"]
    return str(container.attrs["NetworkSettings"]["Networks"][f"{project}_{network}"]["IPAddress"])


def ask_from(container: Container, url: str, *fields: str, body: str = "") -> int:
    """The status that a container with Python gets; 0 when nothing answers."""
    return int(said(container, "python3", "-c", ASK, url, body, *fields))


def proof_of(replica: Container) -> str:
    """What a chat replica proves itself with."""
    return said(replica, "cat", "/inside/proof")


def said(container: Container, *command: str) -> str:
    """What a command says in a container."""
    return run_inside(container, *command)[1]


def behind(stack: Stack) -> list[str]:
    """What answers 200 behind the door, by the containers' own addresses."""
    answering = (("tgi", 3000, "health"), ("ui", 7860, "healthz"), ("nginx", 8088, "metrics"))
    return [
        f"http://{address(stack.containers(service)[0], 'backend')}:{port}/{path}"
        for service, port, path in answering
    ]


@contextmanager
def container_on(network: str) -> Iterator[Container]:
    """Somebody else's container on a network."""
    client = docker.from_env()
    made = client.containers.run(
        PYTHON, ["-c", "import signal; signal.pause()"], entrypoint="python3", network=network, detach=True
    )
    try:
        yield made
    finally:
        made.remove(force=True)
        client.close()


def test_a_neighbour_gets_nothing_from_the_door_on_loopback(stack: Stack, neighbour: Neighbour) -> None:
    door = f"http://{address(stack.container('nginx'), 'edge')}:8080"
    for path in ("/", "/status", "/health", "/info", "/v1/models", "/login", "/nothing"):
        assert neighbour.get(door + path) in (0, 403), path
    assert neighbour.get(f"{door}/generate", *AS_JSON) in (0, 403)
    forged = ("-H", "X-Forwarded-For: 127.0.0.1", "-H", "X-Real-IP: 127.0.0.1", "-H", "Host: 127.0.0.1")
    assert neighbour.get(f"{door}/status", *forged) in (0, 403)


def test_a_neighbour_reaches_nothing_else(stack: Stack, neighbour: Neighbour) -> None:
    assert [url for url in behind(stack) if neighbour.get(url) == 200] == []
    edge = address(stack.container("nginx"), "edge")
    assert neighbour.get(f"http://{edge}:8088/health") == 0


def test_the_host_reaches_the_published_port(stack: Stack) -> None:
    assert get(f"{stack.url}/status", before=AS_NOBODY) == 200
    assert get(f"{stack.url}/generate", *AS_JSON, before=AS_NOBODY) == 200


def own_rules(project: str) -> list[str]:
    """Those of the firewall that name this project's network."""
    listed = subprocess.run(way_out.listing("iptables"), capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if f"--comment {project}_edge " in line]


def said_of_the_way_out(stack: Stack) -> object:
    return json.loads(stack.appliance("status", "--json").stdout)["way_out"]["closed"]


def calls_out(container: Container) -> None:
    """One datagram and the beginning of a connection, to the neighbour."""
    run_inside(container, "bash", "-c", f"echo x >/dev/udp/{THERE}/5353")
    run_inside(container, "timeout", "1", "bash", "-c", f"echo x >/dev/tcp/{THERE}/5354")


def test_up_closes_nginxs_way_out(stack: Stack, neighbour: Neighbour) -> None:
    """Without its rule both packets leave, which shows that the first half can fail; `up` renews it."""
    nginx = stack.container("nginx")
    assert len(own_rules(stack.project)) == 1
    with neighbour.listening() as arrived:
        calls_out(nginx)
        assert not arrived("udp", 5353)
        assert not arrived("tcp", 5354)
    assert get(f"{stack.url}/status", before=AS_NOBODY) == 200
    assert get(f"{stack.url}/", before=AS_NOBODY) == 200
    assert get(f"{stack.url}/generate", *AS_JSON, before=AS_NOBODY) == 200
    assert said_of_the_way_out(stack) is True
    way_out.open_again(stack.project)
    assert said_of_the_way_out(stack) is False
    with neighbour.listening() as arrived:
        calls_out(nginx)
        assert arrived("udp", 5353)
        assert arrived("tcp", 5354)
    for _ in range(2):
        stack.up()
        assert len(own_rules(stack.project)) == 1
    assert said_of_the_way_out(stack) is True


def test_down_takes_the_rule_away(tmp_path: Path) -> None:
    """Of an appliance that was made and never started: it has its networks."""
    with Stack(tmp_path) as other:
        other.compose("create", "--no-build", "nginx")
        edge = way_out.find(other.docker, other.project)
        assert edge is not None
        assert way_out.close(other.docker, edge).closed
        assert len(own_rules(other.project)) == 1
        done = other.appliance("down", "--volumes", "--yes")
        assert done.returncode == 0, done.stderr
        assert own_rules(other.project) == []
        assert way_out.find(other.docker, other.project) is None


def test_a_neighbour_reaches_a_door_that_is_published(
    guarded: Stack, neighbour: Neighbour, api_key: str
) -> None:
    """The control: by the same way, and its own address is what is logged and counted by."""
    with LoneDoor.beside(guarded, {"BIND_ADDRESS": "0.0.0.0"}) as door:
        networks = door.nginx.attrs["NetworkSettings"]["Networks"]
        (network,) = networks.values()
        bearer = f"Authorization: Bearer {api_key}"
        assert neighbour.get(f"http://{network['IPAddress']}:8080/v1/models", "-H", bearer) == 200
        assert f'"client":"{THERE}"' in door.log()


def test_the_hosts_users_do_not_pass_the_door_by(stack: Stack) -> None:
    """As nobody, by the containers' own addresses. A machine of the network may answer in their place."""
    assert [url for url in behind(stack) if ask_from(stack.containers("ui")[0], url) != 200] == []
    assert [url for url in behind(stack) if get(url, before=AS_NOBODY) == 200] == []
    # The edge network has an address of the host's, which the published port needs.
    inside = f"http://{address(stack.container('nginx'), 'edge')}:8088"
    as_bob = ("-H", "X-User: bob", *AS_JSON)
    assert get(f"{inside}/generate_stream", *as_bob, before=AS_NOBODY) in (0, 403)
    assert get(f"{inside}/metrics", before=AS_NOBODY) in (0, 403)


def test_the_internal_listener_believes_the_page_alone(stack: Stack) -> None:
    replica, engine = stack.containers("ui")[0], stack.container("tgi")
    proof = proof_of(replica)
    assert len(proof) == 32
    url, fields = "http://nginx:8088/generate_stream", ("X-User: bob", "Content-Type: application/json")
    assert ask_from(engine, url, *fields, body=GENERATE) == 403
    assert ask_from(engine, url, *fields, "X-Appliance-Proof: ", body=GENERATE) == 403
    assert ask_from(engine, url, *fields, f"X-Appliance-Proof: {proof[:-1]}", body=GENERATE) == 403
    for path in ("/info", "/tokenize", "/chat_tokenize", "/health"):
        assert ask_from(engine, f"http://nginx:8088{path}") == 403, path
    assert ask_from(replica, url, *fields, f"X-Appliance-Proof: {proof}", body=GENERATE) == 200
    assert run_inside(engine, "cat", "/inside/proof")[0] != 0


def test_the_proof_is_nowhere_else(stack: Stack) -> None:
    proof = proof_of(stack.containers("ui")[0])
    for service in ("model-init", "tgi", "ui", "openai-api", "nginx"):
        for container in stack.containers(service, stopped=True):
            assert proof not in json.dumps(container.attrs)
            assert proof not in container.logs().decode()


def test_a_proof_from_outside_is_worth_nothing_and_goes_nowhere(
    echoing: LoneDoor, bearer: str, cookie: str
) -> None:
    _, proof = echoing.run("cat", "/inside/proof")
    forged = (f"X-Appliance-Proof: {proof}", "X-User: bob")
    assert raw_http.ask(echoing.port, "POST", "/generate", *forged, body=b"{}").status == 401
    assert raw_http.ask(echoing.port, "POST", "/generate", *forged, bearer, body=b"{}").status == 200
    assert raw_http.ask(echoing.port, "GET", "/config", *forged, cookie).status == 200
    assert [headers_of(request).get("x-appliance-proof") for request in echoing.seen()] == [None, None]
    assert [headers_of(request).get("x-user") for request in echoing.seen()] == [None, "dora"]


def test_another_container_gets_nothing(stack: Stack) -> None:
    nginx = stack.container("nginx")
    with container_on(f"{stack.project}_edge") as beside:
        assert ask_from(beside, f"http://{address(nginx, 'edge')}:8080/status") == 403
        assert ask_from(beside, f"http://{address(nginx, 'edge')}:8088/info") == 403
        assert ask_from(beside, f"http://{address(nginx, 'edge')}:8088/metrics") == 403
    with container_on("bridge") as elsewhere:
        assert ask_from(elsewhere, f"http://{address(nginx, 'edge')}:8080/status") in (0, 403)
        assert [url for url in behind(stack) if ask_from(elsewhere, url) == 200] == []


def test_engine_and_page_reach_nothing_on_the_host(stack: Stack) -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        port = listener.getsockname()[1]
        names = (f"{stack.project}_backend", f"{stack.project}_edge", "bridge")
        subnets = [stack.docker.networks.get(name).attrs["IPAM"]["Config"][0]["Subnet"] for name in names]
        hosts = [str(ipaddress.ip_network(subnet)[1]) for subnet in subnets]
        connect = (
            "import socket,sys\n"
            "for host in sys.argv[2:]:\n"
            "    try: socket.create_connection((host, int(sys.argv[1])), 2); print(host)\n"
            "    except OSError: pass"
        )
        for service in ("tgi", "ui", "openai-api"):
            container = stack.containers(service)[0]
            assert said(container, "python3", "-c", connect, str(port), *hosts) == "", service
        with container_on("bridge") as control:
            assert said(control, "python3", "-c", connect, str(port), hosts[-1]) != ""


ORIGINS = ("https://example.org", "null", "http://127.0.0.1:1", "http://localhost")


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_foreign_page_can_do_nothing_in_open_mode(stack: Stack, origin: str) -> None:
    """Not even blindly: a POST as a form could send it, which a browser asks no leave for."""
    as_form = {"Origin": origin, "Content-Type": "text/plain"}
    for path in ("/generate", "/", "/v1/chat/completions", "/gradio_api/queue/join", "/tokenize"):
        answer = requests.post(stack.url + path, data=GENERATE, headers=as_form, timeout=10)
        assert answer.status_code == 403, path
        assert "no web page" in answer.text, path
    for path in ("/config", "/info", "/v1/models", "/status", "/health"):
        answer = requests.get(stack.url + path, headers={"Origin": origin}, timeout=10)
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")], path
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for path in ("/generate", "/gradio_api/queue/join"):
        answer = requests.options(stack.url + path, headers=preflight, timeout=10)
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")], path


def test_the_page_itself_goes_on(stack: Stack) -> None:
    mapped = f"[::ffff:127.0.0.1]:{stack.port}"
    for host in (f"127.0.0.1:{stack.port}", f"localhost:{stack.port}", mapped):
        headers = {"Origin": f"http://{host}", "Host": host}
        assert requests.get(f"{stack.url}/config", headers=headers, timeout=10).status_code == 200, host


def test_grafanas_port_hands_on_what_comes_from_this_machine_alone(
    stack: Stack, neighbour: Neighbour
) -> None:
    """A stand-in for Grafana: what answers there is no concern of its door."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    backend = stack.docker.networks.get(f"{stack.project}_backend")
    serve = ["-m", "http.server", "3000", "--directory", "/app"]
    stand_in = stack.docker.containers.create(PYTHON, serve, entrypoint="python3")
    try:
        backend.connect(stand_in, aliases=["grafana"])
        stand_in.start()
        up = ["--profile", "monitoring", "up", "-d", "--no-deps", "--build", "--wait", "grafana-door"]
        stack.compose(*up, env={"GRAFANA_PORT": str(port)})
        door = stack.container("grafana-door")
        url = f"http://127.0.0.1:{port}/"
        wait_until(lambda: get(url, before=AS_NOBODY) == 200, "what stands for Grafana answers")
        assert get(url, "-H", "Host: example.org") == 403
        edge = f"http://{address(door, 'edge')}:3000/"
        assert neighbour.get(edge) in (0, 403)
        with container_on(f"{stack.project}_edge") as beside:
            assert ask_from(beside, edge) == 403
    finally:
        stack.compose("--profile", "monitoring", "rm", "-sf", "grafana-door", check=False)
        stand_in.remove(force=True)
