"""A package index of one package (PEP 503) in a thread, with ranges and the hub's faults on its wheels."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness.hub_faults import Fault


class PackageIndex:
    """Its state. `password`: NAME:PASSWORD that is asked for; `files_at`: another index that has the wheels.

    `ranges` and `passwords` are what each request for a wheel had in Range and Authorization.
    """

    def __init__(self, package: str, wheels: Mapping[str, bytes]) -> None:
        self.package, self.wheels = package, wheels
        self.faults: list[Fault] = []
        self.ranges: list[str | None] = []
        self.passwords: list[str | None] = []
        self.password = ""
        self.files_at = ""
        self.released = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"index": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/simple"


@contextmanager
def running_index(package: str, wheels: Mapping[str, bytes]) -> Iterator[PackageIndex]:
    """Serve until the end of the block."""
    index = PackageIndex(package, wheels)
    thread = threading.Thread(target=index.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield index
    finally:
        index.released.set()
        index.server.shutdown()
        index.server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """The package's page, and its wheels below it."""

    index: PackageIndex

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        index = self.index
        wanted = "Basic " + base64.b64encode(index.password.encode()).decode()
        name = self.path.rpartition("/")[2]
        if index.password and self.headers["Authorization"] != wanted:
            self._answer(401, b"")
        elif self.path == f"/simple/{index.package}/":
            links = (
                f'<a href="{index.files_at or ".."}/files/{name}#sha256=0">{name}</a>'
                for name in index.wheels
            )
            self._answer(200, "<br>".join(links).encode())
        elif name in index.wheels:
            index.ranges.append(self.headers["Range"])
            index.passwords.append(self.headers["Authorization"])
            self._wheel(index.wheels[name], index.faults.pop(0) if index.faults else Fault())
        else:
            self._answer(404, b"")

    def _wheel(self, data: bytes, fault: Fault) -> None:
        if fault.status is not None:
            return self._answer(fault.status, b"")
        data = data[: fault.truncate_to] + fault.extra
        part = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        start = int(part[1]) if part else 0
        if start >= len(data):
            return self._answer(416, b"")
        body = bytearray(data)
        if fault.wrong_byte is not None:
            body[fault.wrong_byte] ^= 1
        self.send_response(206 if part else 200)
        if part:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        ends = [at for at in (fault.cut_at, fault.stall_at) if at is not None]
        with suppress(OSError):
            self.wfile.write(body[start : min(ends, default=len(body))])
            if fault.stall_at is not None:
                self.wfile.flush()
                self.index.released.wait()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
