"""A small hub that speaks the Hugging Face Hub's HTTP API as huggingface_hub uses it, and fails on demand.

Owns: model info with file metadata, `resolve` (HEAD and GET, redirect of LFS files to a "CDN" path, ETag,
X-Repo-Commit, X-Linked-Size/-Etag, ranges), the real one's error headers, injected faults, and a record of
requests. It knows nothing of model-init. Used in a thread by tests, or alone:

    python -m harness.hub --folder ./model --id org/name --port 8000 [--bind 0.0.0.0]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

BLOCK_BYTES = 64 * 1024
LFS_SUFFIXES = (".safetensors", ".gguf", ".bin", ".model")


@dataclass(frozen=True)
class Fault:
    """What goes wrong when a file is asked for. Byte numbers count in the whole file.

    Args:
        cut_at: close the connection before this byte.
        wrong_byte: flip this byte on the way.
        truncate_to: pretend, consistently, that the file has only so many bytes.
        extra: pretend, consistently, that these bytes follow the file's own.
        status: answer with this status instead, with `error_code` as X-Error-Code and `headers` besides.
        ignore_range: answer 200 with the whole file to a request for a part.
        always: it stays; otherwise it is used up by one delivery of the file.
    """

    cut_at: int | None = None
    wrong_byte: int | None = None
    truncate_to: int | None = None
    extra: bytes = b""
    status: int | None = None
    error_code: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    ignore_range: bool = False
    always: bool = False


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    range: str | None
    authorization: str | None


@dataclass
class Repo:
    """One model with one revision: `main` and its commit. `gated` asks for this token on every file."""

    files: dict[str, bytes]
    commit: str
    gated: str | None = None
    faults: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    info_fault: Fault | None = None
    info_extra: list[dict[str, object]] = field(default_factory=list)

    def sibling(self, name: str) -> dict[str, object]:
        """One file as the API lists it with `blobs=true`."""
        data = self.files[name]
        entry: dict[str, object] = {"rfilename": name, "size": len(data), "blobId": git_blob_id(data)}
        if name.endswith(LFS_SUFFIXES):
            pointer = f"version 1\noid sha256:{sha256(data)}\nsize {len(data)}\n".encode()
            lfs = {"sha256": sha256(data), "size": len(data), "pointerSize": len(pointer)}
            entry |= {"blobId": git_blob_id(pointer), "lfs": lfs}
        return entry


def sha256(data: bytes) -> str:
    """Hex digest of the bytes."""
    return hashlib.sha256(data).hexdigest()


def git_blob_id(data: bytes) -> str:
    """git's name for the bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Hub:
    """The server's state: repositories, requests seen, bytes sent per file, a hook before each block sent."""

    def __init__(self, bind: str = "127.0.0.1", port: int = 0) -> None:
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self.deliveries: list[Request] = []
        self.sent: dict[str, int] = defaultdict(int)
        self.before_block: Callable[[str, int], None] = lambda name, position: None
        self._server = ThreadingHTTPServer((bind, port), type("Handler", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self.endpoint = f"http://{bind}:{self._server.server_address[1]}"

    def add(self, model_id: str, files: dict[str, bytes]) -> Repo:
        """Serve a model; faults are set on what this returns."""
        commit = hashlib.sha1(b"".join(files.values())).hexdigest()
        self.repos[model_id] = Repo(dict(files), commit)
        return self.repos[model_id]

    def deliveries_of(self, name: str) -> list[Request]:
        """The requests to be answered with bytes of this file, in order, without redirects and HEADs."""
        return [request for request in self.deliveries if request.path.endswith(f"/{name}")]

    def serve(self) -> None:
        """Serve until closed."""
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def running_hub(bind: str = "127.0.0.1", port: int = 0) -> Iterator[Hub]:
    """A hub in a thread, on a free port unless one is given."""
    hub = Hub(bind, port)
    thread = threading.Thread(target=hub.serve, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Routes: model info, resolve (which redirects), and the CDN path that delivers the bytes."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Silent: `Hub.requests` is the log."""

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.request_seen = Request(self.command, path, self.headers["Range"], self.headers["Authorization"])
        self.hub.requests.append(self.request_seen)
        if info := re.fullmatch(r"/api/models/(.+?)(?:/revision/(.+))?", path):
            self._info(info[1], info[2] or "main")
        elif file := re.fullmatch(r"/(cdn/)?(.+?)/resolve/([^/]+)/(.+)", path):
            self._file(file[2], file[3], file[4], from_cdn=bool(file[1]))
        else:
            self._error(404, "", "Not found")

    do_HEAD = do_GET

    def _repo(self, model_id: str, revision: str) -> Repo | None:
        repo = self.hub.repos.get(model_id)
        if repo is None:
            self._error(401, "RepoNotFound", "Invalid username or password.")
        elif revision not in ("main", repo.commit):
            self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return None
        return repo

    def _info(self, model_id: str, revision: str) -> None:
        repo = self._repo(model_id, revision)
        if repo is None:
            return
        if repo.info_fault:
            return self._fail(repo.info_fault)
        siblings = [repo.sibling(name) for name in repo.files] + repo.info_extra
        body = json.dumps({"id": model_id, "sha": repo.commit, "siblings": siblings}).encode()
        self._start(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        if self.command == "GET":
            self.wfile.write(body)

    def _file(self, model_id: str, revision: str, name: str, *, from_cdn: bool) -> None:
        repo = self._repo(model_id, revision)
        if repo is None:
            return
        if repo.gated and not from_cdn and self.headers["Authorization"] != f"Bearer {repo.gated}":
            status = 403 if self.headers["Authorization"] else 401
            self._error(status, "GatedRepo", f"Access to model {model_id} is restricted.")
        elif name not in repo.files:
            self._error(404, "EntryNotFound", "Entry not found")
        elif name.endswith(LFS_SUFFIXES) and not from_cdn:
            self._redirect(repo, name)
        else:
            self._deliver(repo, name)

    def _redirect(self, repo: Repo, name: str) -> None:
        """LFS files come from the "CDN"; small ones the Hub delivers itself."""
        data = repo.files[name]
        self._start(
            302,
            {
                "Location": f"/cdn{urlsplit(self.path).path}",
                "X-Repo-Commit": repo.commit,
                "X-Linked-Size": str(len(data)),
                "X-Linked-Etag": f'"{sha256(data)}"',
                "Content-Length": "0",
            },
        )

    def _deliver(self, repo: Repo, name: str) -> None:
        fault = self._next_fault(repo, name)
        if fault.status is not None:
            return self._fail(fault)
        data = repo.files[name][: fault.truncate_to] + fault.extra
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        start = int(wanted[1]) if wanted and not fault.ignore_range else 0
        if start and start >= len(data):
            return self._start(416, {"Content-Range": f"bytes */{len(data)}", "Content-Length": "0"})
        digest = sha256(data) if name.endswith(LFS_SUFFIXES) else git_blob_id(data)
        headers = {
            "Content-Length": str(len(data) - start),
            "ETag": f'"{digest}"',
            "X-Repo-Commit": repo.commit,
            "Accept-Ranges": "bytes",
        }
        if wanted and not fault.ignore_range:
            self._start(206, headers | {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})
        else:
            self._start(200, headers)
        if self.command == "GET":
            self._send(name, data, start, fault)

    def _send(self, name: str, data: bytes, start: int, fault: Fault) -> None:
        stop = len(data) if fault.cut_at is None else fault.cut_at
        for position in range(start, stop, BLOCK_BYTES):
            block = bytearray(data[position : min(position + BLOCK_BYTES, stop)])
            if fault.wrong_byte is not None and 0 <= fault.wrong_byte - position < len(block):
                block[fault.wrong_byte - position] ^= 1
            self.hub.before_block(name, position)
            try:
                self.wfile.write(block)
            except OSError:
                return
            self.hub.sent[name] += len(block)
        self.close_connection = self.close_connection or stop < len(data)

    def _next_fault(self, repo: Repo, name: str) -> Fault:
        """The next one set for this file, used up unless it is there to stay; HEADs meet none."""
        faults = repo.faults[name]
        if self.command != "GET":
            return Fault()
        self.hub.deliveries.append(self.request_seen)
        if not faults:
            return Fault()
        return faults[0] if faults[0].always else faults.pop(0)

    def _fail(self, fault: Fault) -> None:
        self._error(fault.status or 500, fault.error_code or "", "Injected fault", dict(fault.headers))

    def _error(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        body = json.dumps({"error": message}).encode()
        named = {"X-Error-Code": code, "X-Error-Message": message} if code else {}
        self._start(status, {"Content-Length": str(len(body)), **named, **(headers or {})})
        if self.command == "GET":
            self.wfile.write(body)

    def _start(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def main() -> None:
    """Serve one folder as one model until stopped."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--id", required=True)
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    hub = Hub(options.bind, options.port)
    hub.add(options.id, {path.name: path.read_bytes() for path in options.folder.iterdir() if path.is_file()})
    print(hub.endpoint, flush=True)
    hub.serve()


if __name__ == "__main__":
    main()
