"""What Docker refuses reaches the operator in Docker's words, whichever command asked for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from threading import Thread

import pytest
import requests
from docker.errors import APIError
from urllib3.exceptions import ProtocolError

from appliance_cli.compose import client
from harness.cli_path import PYTHONPATH

Refusing = Callable[[str, int, str], str]


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[Refusing]:
    """Docker engines that answer, but refuse what is asked below a path; each gives its DOCKER_HOST."""
    servers: list[ThreadingUnixStreamServer] = []

    def start(path: str, code: int, message: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                refuse = path in self.path
                content = {"message": message} if refuse else {"ApiVersion": "1.47", "Containers": 0}
                self.send_response(code if refuse else 200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(content).encode())

            def address_string(self) -> str:
                return "client"

            def log_message(self, *_: object) -> None:
                pass

        socket = tmp_path / f"{len(servers)}.sock"
        servers.append(ThreadingUnixStreamServer(str(socket), Handler))
        Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"unix://{socket}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("command", "path", "message"),
    [
        ("status", "/containers/json", "the daemon is out of sorts"),
        ("scale ui=2", "/containers/json", "the daemon is out of sorts"),
        ("prepare --engine cpu", "/info", "the daemon is out of sorts"),
        ("prepare --engine cpu", "/volumes", "this volume driver is gone"),
        ("prepare --engine cpu", "/images/", "invalid reference format"),
    ],
)
def test_a_refusal_is_a_message_with_dockers_words(
    command: str, path: str, message: str, refusing: Refusing, tmp_path: Path
) -> None:
    env_file = tmp_path / "appliance.env"
    env_file.write_text(f"ACCESS_DIR={tmp_path / 'access'}\nHTTP_PORT=18080\n")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": PYTHONPATH, "HOME": "/nonexistent"}
    env["DOCKER_HOST"] = refusing(path, 500 if path != "/images/" else 400, message)
    argv = [sys.executable, "-P", "-m", "appliance_cli", "--env-file", str(env_file), *command.split()]
    done = subprocess.run(
        argv, capture_output=True, text=True, env=env, check=False, stdin=subprocess.DEVNULL
    )
    assert "✗ Docker did not do what it was asked" in done.stderr
    assert f"found     {message}" in done.stderr
    assert "unforeseen" not in done.stderr
    assert done.returncode == 4


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            APIError("400 Client Error for http+docker://…", explanation="invalid reference format"),
            "invalid reference format",
        ),
        (requests.ConnectionError("it hung up\nand more"), "it hung up"),
        (requests.ReadTimeout(), "ReadTimeout"),
        (ProtocolError("cut off"), "cut off"),
    ],
)
def test_the_words_are_dockers_own_else_the_connections(error: Exception, said: str) -> None:
    assert isinstance(error, client.FAILURES)
    assert client.words(error) == said
