"""What the containers may do: who can reach out, what is published, what they run as."""

from __future__ import annotations

import ctypes
import socket
import struct
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from harness.stack import Stack, run_inside, said_inside

CONNECT = (
    "import socket, sys; "
    "socket.create_connection((sys.argv[1], int(sys.argv[2])), 4).close(); print('reached')"
)


@pytest.fixture(scope="module")
def outside() -> tuple[str, int]:
    """An address outside this machine that answers: the package index that pip is set up with."""
    script = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    url = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.strip()
    host, port = urlsplit(url).hostname, 443
    address = str(socket.getaddrinfo(host, port, socket.AF_INET)[0][4][0])
    socket.create_connection((address, port), 10).close()
    return address, port


def test_model_init_reaches_out(stack: Stack, outside: tuple[str, int]) -> None:
    """The control: without it, the next test would also pass on a machine without a network."""
    address, port = outside
    command = [
        "run",
        "--rm",
        "--no-deps",
        "--entrypoint",
        "python3",
        "model-init",
        "-c",
        CONNECT,
        address,
        str(port),
    ]
    assert stack.compose(*command).stdout.strip() == "reached"


def test_nobody_else_reaches_out(stack: Stack, outside: tuple[str, int]) -> None:
    address, port = outside
    for service in ("tgi", "ui", "openai-api"):
        for container in stack.containers(service):
            code, said = run_inside(container, "python3", "-c", CONNECT, address, str(port))
            assert code != 0, f"{container.name} reached {address}: {said}"
    connect = f"exec 3<>/dev/tcp/{address}/{port} && echo reached"
    code, said = run_inside(stack.container("nginx"), "timeout", "4", "bash", "-c", connect)
    assert code != 0, f"nginx reached the outside: {said}"


def test_only_nginx_is_published_and_only_on_loopback(stack: Stack) -> None:
    published = {
        service: [binding for bindings in container.ports.values() for binding in bindings or []]
        for service in ("tgi", "ui", "openai-api", "nginx")
        for container in stack.containers(service)
    }
    only = {"HostIp": "127.0.0.1", "HostPort": str(stack.port)}
    assert published == {"tgi": [], "ui": [], "openai-api": [], "nginx": [only]}


@pytest.mark.parametrize("service", ["model-init", "tgi", "ui", "openai-api", "nginx"])
def test_own_containers_are_unprivileged(stack: Stack, service: str) -> None:
    for container in stack.containers(service, stopped=True):
        config, host = container.attrs["Config"], container.attrs["HostConfig"]
        assert config["User"] == "10001:10001"
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert host["CapAdd"] is None
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert host["Init"] is True
        assert host["Memory"] > 0
        assert host["PidsLimit"] > 0
        assert host["LogConfig"]["Config"] == {"max-size": "20m", "max-file": "5"}


@pytest.mark.parametrize("service", ["tgi", "ui", "openai-api", "nginx"])
def test_no_question_of_dns_leaves(stack: Stack, service: str) -> None:
    """Docker's own answers names of containers; it hands other questions to the container itself."""
    for container in stack.containers(service):
        assert container.attrs["HostConfig"]["Dns"] == ["127.0.0.1"]


# Of TEST-NET-2, which no network has.
NOWHERE, END = "198.51.100.77", "198.51.100.78"
SEND = "import socket, sys; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', (sys.argv[1], 53))"
SO_ATTACH_FILTER = 26
TO_TEST_NET_2 = [  # struct sock_filter: of Ethernet's IP packets those whose destination is there
    (0x28, 0, 0, 12),
    (0x15, 0, 4, 0x0800),
    (0x20, 0, 0, 30),
    (0x54, 0, 0, 0xFFFFFF00),
    (0x15, 0, 1, 0xC6336400),
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
]


@pytest.mark.parametrize("service", ["tgi", "ui", "openai-api"])
def test_no_datagram_leaves(stack: Stack, service: str) -> None:
    """Past the host's every interface but those of the containers."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(0x0003)) as wire:
        _hear_only(wire, TO_TEST_NET_2)
        for container in stack.containers(service):
            container.exec_run(["python3", "-c", SEND, NOWHERE])
        stack.docker.containers.run(
            "qwen-appliance/ui:local", ["-c", SEND, END], entrypoint="python3", network="bridge", remove=True
        )
        assert NOWHERE not in _left_until(wire, END)


def _hear_only(wire: socket.socket, instructions: list[tuple[int, int, int, int]]) -> None:
    """What else passes on a busy host would fill the socket's buffer, and the packets looked for be lost."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in instructions))
    program = struct.pack("HL", len(instructions), ctypes.addressof(code))
    wire.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def _left_until(wire: socket.socket, last: str) -> set[str]:
    """Where IP packets were sent from this host's own interfaces, until one goes to `last`: the control."""
    left: set[str] = set()
    wire.settimeout(30)
    while last not in left:
        packet, (interface, *_) = wire.recvfrom(2048)
        if not interface.startswith(("veth", "br-", "docker")):
            left.add(socket.inet_ntoa(packet[30:34]))
    return left


@pytest.mark.parametrize("service", ["tgi", "ui"])
def test_the_model_cannot_be_written_where_it_is_only_read(stack: Stack, service: str) -> None:
    code, said = run_inside(stack.containers(service)[0], "python3", "-c", "open('/models/x', 'w')")
    assert code != 0
    assert "Read-only file system" in said


def test_nginx_accepts_its_configuration(stack: Stack) -> None:
    assert "warn" not in said_inside(stack.container("nginx"), "nginx", "-t")
