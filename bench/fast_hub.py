"""A hub for measuring: model info and files by sendfile, fast enough not to be what is measured. No faults,
no redirects.

Speaks as much of the Hub's API, and of ModelScope's, as huggingface_hub and model-init ask for. Harness tests
use harness.hub instead.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from model_init.sources.throttle import Throttle

CHUNK_BYTES = 4 * 1024 * 1024
COMMIT = "c0ffee" * 6 + "c0ff"


class _Handler(BaseHTTPRequestHandler):
    """Routes: model info, and resolve for HEAD and GET with ranges."""

    folder: Path
    listing: dict[str, dict[str, object]]
    links: tuple[Throttle, ...]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        file = re.fullmatch(r"/[^/]+/[^/]+/resolve/[^/]+/(.+)", path)
        if path.startswith("/api/v1/models/"):
            self._modelscope(parse_qs(urlsplit(self.path).query).get("FilePath", [""])[0])
        elif path.startswith("/api/models/"):
            self._info()
        elif file and file[1] in self.listing:
            self._file(file[1])
        else:
            self._start(404, {"Content-Length": "0", "X-Error-Code": "EntryNotFound"})

    do_HEAD = do_GET

    def _info(self) -> None:
        entries = list(self.listing.values())
        tree = [
            {"type": "file", "path": e["rfilename"], "size": e["size"], "oid": "0" * 40, "lfs": e["tree_lfs"]}
            for e in entries
        ]
        info = {"id": "bench/model", "sha": COMMIT, "siblings": entries}
        self._json(tree if "/tree/" in self.path else info)

    def _modelscope(self, name: str) -> None:
        if name:
            return self._file(name)
        files = [
            {"Path": e["rfilename"], "Type": "blob", "Size": e["size"], "Sha256": e["etag"]}
            for e in self.listing.values()
        ]
        self._json({"Code": 200, "Data": {"Files": files}, "Success": True})

    def _json(self, record: object) -> None:
        body = json.dumps(record).encode()
        self._start(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        if self.command == "GET":
            self.wfile.write(body)

    def _file(self, name: str) -> None:
        entry = self.listing[name]
        size = int(str(entry["size"]))
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        start = int(wanted[1]) if wanted else 0
        stop = int(wanted[2]) + 1 if wanted and wanted[2] else size
        headers = {
            "Content-Length": str(stop - start),
            "Accept-Ranges": "bytes",
            "ETag": f'"{entry["etag"]}"',
            "X-Repo-Commit": COMMIT,
        }
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        self._start(206 if wanted else 200, headers)
        if self.command == "GET":
            self._send(self.folder / name, start, stop)

    def _send(self, path: Path, position: int, stop: int) -> None:
        self.wfile.flush()
        with path.open("rb") as stream, suppress(ConnectionError):
            while position < stop:
                count = min(link.chunk(CHUNK_BYTES) for link in self.links)
                sent = self.connection.sendfile(stream, position, min(count, stop - position))
                position += sent
                for link in self.links:
                    link.took(sent)

    def _start(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _listing(folder: Path) -> dict[str, dict[str, object]]:
    entries: dict[str, dict[str, object]] = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        size = path.stat().st_size
        lfs = {"sha256": sha256, "size": size, "pointerSize": 134}
        tree_lfs = {"oid": sha256, "size": size, "pointerSize": 134}
        entries[path.name] = {
            "tree_lfs": tree_lfs,
            "rfilename": path.name,
            "size": size,
            "blobId": "0" * 40,
            "lfs": lfs,
            "etag": sha256,
        }
    return entries


@contextmanager
def fast_hub(folder: Path, *links: Throttle) -> Iterator[str]:
    """Serve a folder as bench/model; gives the endpoint. All connections share each of the links, which other
    hubs may share, too."""
    values = {"folder": folder, "listing": _listing(folder), "links": links or (Throttle(None),)}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), values))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
