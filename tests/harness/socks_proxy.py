"""A SOCKS 5 proxy: takes names and addresses, with or without a password, and remembers where it was sent."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# why: 127.0.0.1 as a proxy is refused, because it is the container's own
BIND = "127.0.0.2"
IPV4, NAME = 1, 3


class _Handler(socketserver.StreamRequestHandler):
    """One connection: greeting, password if one is asked for, CONNECT, bytes both ways."""

    seen: list[tuple[int, str, int]]
    password: tuple[str, str] | None

    def handle(self) -> None:
        _, count = self.rfile.read(2)
        self.rfile.read(count)
        self.wfile.write(bytes([5, 2 if self.password else 0]))
        if self.password and not self._knows_password():
            return
        _, _, _, kind = self.rfile.read(4)
        if kind == NAME:
            host = self.rfile.read(self.rfile.read(1)[0]).decode()
        else:
            host = socket.inet_ntoa(self.rfile.read(4))
        port = int.from_bytes(self.rfile.read(2), "big")
        self.seen.append((kind, host, port))
        try:
            there = socket.create_connection((host, port))
        except OSError:
            self.wfile.write(b"\5\4\0\1" + bytes(6))
            return
        self.wfile.write(b"\5\0\0\1" + bytes(6))
        with there:
            back = threading.Thread(target=_pump, args=(there, self.connection), daemon=True)
            back.start()
            _pump(self.connection, there)
            back.join()

    def _knows_password(self) -> bool:
        self.rfile.read(1)
        user = self.rfile.read(self.rfile.read(1)[0]).decode()
        password = self.rfile.read(self.rfile.read(1)[0]).decode()
        good = (user, password) == self.password
        self.wfile.write(bytes([1, 0 if good else 1]))
        return good


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def socks_proxy(password: tuple[str, str] | None = None) -> Iterator[tuple[str, list[tuple[int, str, int]]]]:
    """Gives its `host:port` and what it was asked for: kind of address, address, port."""
    seen: list[tuple[int, str, int]] = []
    handler = type("Handler", (_Handler,), {"seen": seen, "password": password})
    with socketserver.ThreadingTCPServer((BIND, 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"{BIND}:{server.server_address[1]}", seen
        server.shutdown()
        thread.join()
