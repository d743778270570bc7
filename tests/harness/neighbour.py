"""Another machine of the local network: a network namespace with a cable to this host and routes through it.

Owns the namespace and the cable; needs root. Lets a test send from there; asserts nothing.
"""

from __future__ import annotations

import os
import secrets
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import IO, Self

# Of TEST-NET-3, which nobody's network has.
HERE, THERE = "203.0.113.1", "203.0.113.2"
# Every packet of IPv4 that comes to the machine, before its own network stack judges it.
_LISTEN = """
import socket, struct
IPV4 = 0x0800
names = {1: "icmp", 6: "tcp", 17: "udp"}
listener = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(IPV4))
print("listening", flush=True)
while True:
    packet, address = listener.recvfrom(2000)
    kind, header = names.get(packet[9]), (packet[0] & 15) * 4
    if address[2] != socket.PACKET_OUTGOING and kind in ("tcp", "udp"):
        print(kind, struct.unpack("!H", packet[header + 2 : header + 4])[0], flush=True)
"""


class Neighbour:
    """A machine that knows the way to every container of this host; gone at the end of the `with` block."""

    def __init__(self) -> None:
        self._name = f"neighbour-{secrets.token_hex(3)}"
        self._cable = f"nb{secrets.token_hex(3)}"

    def __enter__(self) -> Self:
        _run("ip", "netns", "add", self._name)
        try:
            peer = f"{self._cable}p"
            _run("ip", "link", "add", self._cable, "type", "veth", "peer", "name", peer, "netns", self._name)
            _run("ip", "address", "add", f"{HERE}/30", "dev", self._cable)
            _run("ip", "link", "set", self._cable, "up")
            self._inside("ip", "address", "add", f"{THERE}/30", "dev", peer)
            self._inside("ip", "link", "set", peer, "up")
            self._inside("ip", "route", "add", "default", "via", HERE)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def get(self, url: str, *options: str) -> int:
        """The status that comes back; 0 when nothing does."""
        return get(url, *options, before=("ip", "netns", "exec", self._name))

    @contextmanager
    def listening(self) -> Iterator[Callable[[str, int], bool]]:
        """While it waits for packets; what is yielded says whether one to that port comes within 2 s."""
        command = ["ip", "netns", "exec", self._name, sys.executable, "-u", "-c", _LISTEN]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as listener:
            assert listener.stdout is not None
            said: IO[bytes] = listener.stdout
            assert said.readline() == b"listening\n"
            seen = b""

            def arrived(protocol: str, port: int) -> bool:
                nonlocal seen
                line = f"{protocol} {port}\n".encode()
                while line not in seen and select.select([said], [], [], 2)[0]:
                    seen += os.read(said.fileno(), 4096)
                return line in seen

            try:
                yield arrived
            finally:
                listener.kill()

    def _inside(self, *command: str) -> None:
        _run("ip", "netns", "exec", self._name, *command)

    def _remove(self) -> None:
        # The cable has two ends: with the namespace the other goes, too.
        _run("ip", "netns", "delete", self._name)


def get(url: str, *options: str, before: tuple[str, ...] = ()) -> int:
    """What curl gets: the status, 0 when nothing answers. `before` is the command that runs it."""
    command = [*before, "curl", "-s", "-m", "3", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}"]
    done = subprocess.run([*command, *options, url], capture_output=True, text=True, check=False)
    return int(done.stdout)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
