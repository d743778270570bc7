"""A small hub that speaks the Hugging Face Hub's HTTP API as huggingface_hub uses it, and fails on demand.

Owns: model info with file metadata, `resolve` (HEAD and GET, redirect of LFS files to a "CDN" path, ETag,
X-Repo-Commit, X-Linked-Size/-Etag, ranges), the real one's error headers, injected faults, and a record of
requests. It knows nothing of model-init. Used in a thread by tests, or alone:

    python -m harness.hub --folder ./model --id org/name --port 8000 [--bind 0.0.0.0]
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from harness.hub_faults import Fault
from harness.hub_repo import LFS_SUFFIXES, Repo, Request, git_blob_id, sha256

BLOCK_BYTES = 64 * 1024
STEP_S = 0.05


class Hub:
    """The server's state: repositories, requests seen, bytes sent per file, a hook before each block sent."""

    def __init__(self, bind: str = "127.0.0.1", port: int = 0) -> None:
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self.deliveries: list[Request] = []
        self.sent: dict[str, int] = defaultdict(int)
        self.released = threading.Event()
        self.log: Callable[[str], None] = lambda line: None
        self.before_block: Callable[[str, int], None] = lambda name, position: None
        self._server = ThreadingHTTPServer((bind, port), type("Handler", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self.endpoint = f"http://{bind}:{self._server.server_address[1]}"

    def add(self, model_id: str, files: dict[str, bytes]) -> Repo:
        """Serve a model; faults are set on what this returns."""
        commit = hashlib.sha1(b"".join(files.values())).hexdigest()
        self.repos[model_id] = Repo(dict(files), commit)
        return self.repos[model_id]

    def names(self) -> list[str]:
        """The files that were asked for with GET, in order."""
        return [request.file for request in self.deliveries]

    def deliveries_of(self, name: str) -> list[Request]:
        """The requests to be answered with bytes of this file, in order, without redirects and HEADs."""
        return [request for request in self.deliveries if request.file == name]

    def serve(self) -> None:
        """Serve until closed."""
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """Stop serving and free the port; what stalls is let go."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def running_hub(
    bind: str = "127.0.0.1", port: int = 0, models: Mapping[str, dict[str, bytes]] | None = None
) -> Iterator[Hub]:
    """A hub in a thread, on a free port unless one is given, that has these models from the first request."""
    hub = Hub(bind, port)
    for model_id, files in (models or {}).items():
        hub.add(model_id, files)
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
        self.hub.log(format % args)

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.request_seen = Request(
            self.command,
            path,
            self.headers["Range"],
            self.headers["Authorization"],
            user_agent=self.headers["User-Agent"] or "",
        )
        self.hub.requests.append(self.request_seen)
        if scope := re.fullmatch(r"/api/v1/models/(.+?)/repo(/files)?", path):
            self._modelscope(scope[1], parse_qs(urlsplit(self.path).query), listing=bool(scope[2]))
        elif tree := re.fullmatch(r"/api/models/(.+?)/tree/([^/]+)/?", path):
            self._tree(tree[1], tree[2])
        elif info := re.fullmatch(r"/api/models/(.+?)(?:/revision/(.+))?", path):
            self._info(info[1], info[2] or "main")
        elif file := re.fullmatch(r"/(cdn/)?(.+?)/resolve/([^/]+)/(.+)", path):
            self._file(file[2], file[3], file[4], from_cdn=bool(file[1]))
        else:
            self._error(404, "", "Not found")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """What mirrors ask before they fetch: size and digest of some paths."""
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        asked = re.fullmatch(r"/api/models/(.+?)/paths-info/([^/]+)", unquote(urlsplit(self.path).path))
        repo = self._repo(asked[1], asked[2]) if asked else None
        if repo is not None:
            names = json.loads(body)["paths"] if body.startswith("{") else parse_qs(body)["paths"]
            self._json([repo.branch(name) for name in names if name in repo.files])

    def _modelscope(self, model_id: str, query: dict[str, list[str]], *, listing: bool) -> None:
        """ModelScope's API: a list of files with SHA-256, and each file directly."""
        repo, names = self.hub.repos.get(model_id), query.get("FilePath", [""])
        if repo is None or query.get("Revision") != ["master"] or not (listing or names[0] in repo.files):
            return self._error(404, "", "record not found")
        if not listing:
            return self._deliver(repo, names[0])
        if repo.info_fault:
            return self._fail(repo.info_fault)
        files = [
            {"Path": name, "Type": "blob", "Size": len(data), "Sha256": sha256(data)}
            for name, data in repo.files.items()
        ]
        self._json({"Code": 200, "Data": {"Files": files}, "Success": True})

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
        self._json({"id": model_id, "sha": repo.commit, "siblings": siblings})

    def _tree(self, model_id: str, revision: str) -> None:
        """The repository's files in pages of seven, each with the next one's address in its Link."""
        repo = self._repo(model_id, revision)
        if repo is None:
            return
        if not repo.tree:
            return self._error(404, "", "Not found")
        start = int(parse_qs(urlsplit(self.path).query).get("cursor", ["0"])[0])
        following = f'<{self.hub.endpoint}{urlsplit(self.path).path}?cursor={start + 7}>; rel="next"'
        page = [repo.branch(name) for name in list(repo.files)[start : start + 7]]
        self._json(page, {"Link": following} if start + 7 < len(repo.files) else {})

    def _json(self, record: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(record).encode()
        kind = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        self._start(200, kind | (headers or {}))
        if self.command != "HEAD":
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
                "Location": f"{repo.cdn}/cdn{urlsplit(self.path).path}",
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
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        tag = fault.etag or (sha256(data) if name.endswith(LFS_SUFFIXES) else git_blob_id(data))
        if fault.ignore_range or self.headers["If-Range"] not in (None, f'"{tag}"'):
            wanted = None
        start = int(wanted[1]) if wanted else 0
        stop = min(int(wanted[2]) + 1, len(data)) if wanted and wanted[2] else len(data)
        if start and start >= len(data):
            return self._start(416, {"Content-Range": f"bytes */{len(data)}", "Content-Length": "0"})
        headers = {
            "Content-Length": str(stop - start),
            "ETag": f'"{tag}"',
            "X-Repo-Commit": repo.commit,
            "Accept-Ranges": "bytes",
        }
        if wanted:
            self._start(206, headers | {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"})
        else:
            self._start(200, headers)
        if self.command == "GET":
            self._send(name, data, start, stop, fault)

    def _send(self, name: str, data: bytes, start: int, end: int, fault: Fault) -> None:
        stop = end if fault.cut_at is None else min(fault.cut_at, end)
        step = int(fault.rate * STEP_S) if fault.rate else BLOCK_BYTES
        for position in range(start, stop, step):
            block = bytearray(data[position : min(position + step, stop)])
            if fault.wrong_byte is not None and 0 <= fault.wrong_byte - position < len(block):
                block[fault.wrong_byte - position] ^= 1
            self.hub.before_block(name, position)
            self.hub.released.wait(STEP_S if fault.rate else fault.pause_s)
            held = fault.stall_at if fault.stall_at is not None else fault.trickle_at
            if held is not None and position + len(block) > held:
                return self._hold(
                    bytes(block[max(0, held - position) :]) if fault.trickle_at is not None else b"",
                    bytes(block[: max(0, held - position)]),
                )
            try:
                self.wfile.write(block)
            except OSError:
                return
            self.hub.sent[name] += len(block)
        self.close_connection = self.close_connection or stop < end

    def _hold(self, trickle: bytes | bytearray, first: bytes | bytearray) -> None:
        """Send the first part, then nothing, or a byte now and then, until the hub closes or the client
        leaves."""
        self.close_connection = True
        with suppress(OSError):
            self.wfile.write(first)
            for byte in trickle:
                if self.hub.released.wait(0.1):
                    return
                self.wfile.write(bytes([byte]))
            self.hub.released.wait()

    def _next_fault(self, repo: Repo, name: str) -> Fault:
        """The next one set for this file, used up unless it is there to stay; HEADs meet none."""
        faults = repo.faults[name]
        if self.command != "GET":
            return Fault()
        self.hub.deliveries.append(replace(self.request_seen, file=name))
        if not faults:
            return Fault()
        return faults[0] if faults[0].always else faults.pop(0)

    def _fail(self, fault: Fault) -> None:
        if fault.page:
            page = b"<!doctype html><title>Sign in</title>"
            size = {"Connection": "close"} if fault.unsized else {"Content-Length": str(len(page))}
            self._start(fault.status or 200, {"Content-Type": "text/html; charset=utf-8", **size})
            self.wfile.write(page)
            return
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
    hub.log = functools.partial(print, flush=True)
    hub.log(hub.endpoint)
    hub.serve()


if __name__ == "__main__":
    main()
