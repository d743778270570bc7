"""The load generator as a program, against a server that answers as engines and doors do, well or badly."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from appliance_cli.measure import generators
from appliance_cli.measure.generator.load import Load
from appliance_cli.measure.generators import Generator
from harness.cli_path import PYTHONPATH

TOKENS = 4
LOAD = Load(
    model="m",
    words=["red", "green", "blue"],
    fill=5,
    before="Words:",
    question="And?",
    answer_tokens=TOKENS,
    seconds=0,
    seed=1,
    people=1,
)


class Engine(BaseHTTPRequestHandler):
    """Streams TOKENS pieces and the usage; `how` is what goes wrong."""

    protocol_version = "HTTP/1.1"
    how = ""
    seen: list[dict[str, Any]]
    released: threading.Event

    def do_GET(self) -> None:
        self._answer(200, b'{"model_id":"m"}')

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).seen.append({"body": body, "authorization": self.headers.get("Authorization")})
        if self.how == "refuses":
            self._answer(429, b'{"error":"full"}')
            return
        self.released.wait(20)
        events: list[dict[str, Any]] = [{"choices": [{"delta": {"role": "assistant", "content": ""}}]}]
        events += [{"choices": [{"delta": {"content": "x"}}]} for _ in range(TOKENS)]
        if self.how == "fails":
            events.append({"error": "CUDA error"})
        elif self.how != "is cut off":
            events.append({"choices": [{"delta": {}, "finish_reason": "length"}]})
            events.append({"choices": [], "usage": {"prompt_tokens": 512, "completion_tokens": TOKENS}})
        frames = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
        frames += b"" if self.how == "is cut off" else b"data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        # in chunks that end anywhere, as a proxy hands them on
        for start in range(0, len(frames), 7):
            piece = frames[start : start + 7]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def engine() -> Iterator[type[Engine]]:
    class Own(Engine):
        seen: list[dict[str, Any]] = []  # noqa: RUF012
        released = threading.Event()
        url = ""

    Own.released.set()
    with ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        Own.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Own
        server.shutdown()
        thread.join()


@contextmanager
def started(url: str, *, key: str | None = None, packed: bool = False) -> Iterator[tuple[Generator, Any]]:
    argv = [sys.executable, "-P", "-m", generators.MODULE]
    env = {"PYTHONPATH": PYTHONPATH}
    if packed:
        argv, env = [sys.executable, "-I", "-c", generators._UNPACK], {}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as child:
        assert child.stdin is not None
        if packed:
            code = generators._packed()
            child.stdin.write(b"%d\n%b" % (len(code), code))
        generator = Generator(child, Path("/dev/null"))
        generator.start({"url": url, "hosts": [], "key": key})
        yield generator, child
        child.stdin.close()
        assert child.wait(20) == 0


def run(engine: type[Engine], load: Load = LOAD, **options: Any) -> dict[str, Any]:
    with started(engine.url, **options) as (generator, _):  # type: ignore[attr-defined]
        return generator.run(load, lambda _: None)


def test_an_answer_s_pieces_and_counts(engine: type[Engine]) -> None:
    (found,) = run(engine, key="sk-1")["outcomes"]
    assert len(found["pieces"]) == TOKENS
    assert (found["prompt_tokens"], found["answer_tokens"], found["finish"]) == (512, TOKENS, "length")
    assert 0 <= found["asked"] <= found["pieces"][0] <= found["ended"] and not found["error"]
    (asked,) = engine.seen
    assert asked["authorization"] == "Bearer sk-1"
    assert asked["body"]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("how", "said"),
    [("refuses", "HTTP 429"), ("fails", "CUDA error"), ("is cut off", "the answer was cut off")],
)
def test_what_went_wrong_is_told(engine: type[Engine], how: str, said: str) -> None:
    engine.how = how
    (found,) = run(engine)["outcomes"]
    assert said in found["error"]


def test_nobody_there() -> None:
    with started("http://127.0.0.1:9") as (generator, _):
        (found,) = generator.run(LOAD, lambda _: None)["outcomes"]
    assert "ConnectionRefusedError" in found["error"]


def test_no_two_prompts_begin_alike_and_all_are_equally_long(engine: type[Engine]) -> None:
    run(engine, replace(LOAD, people=3, least=4, fill=40))
    prompts = [asked["body"]["messages"][0]["content"] for asked in engine.seen]
    assert len(prompts) == 12
    assert len({prompt[:80] for prompt in prompts}) == 12
    assert {len(prompt.split()) for prompt in prompts} == {40 + 2}


def test_arrivals_by_chance_come_at_the_rate_and_stop_at_the_limit(engine: type[Engine]) -> None:
    engine.released.clear()
    load = replace(LOAD, people=0, rate=200, seconds=0.5, most=5)

    def release(progress: dict[str, Any]) -> None:
        assert progress["running"] == 5
        engine.released.set()

    with started(engine.url) as (generator, _):  # type: ignore[attr-defined]
        result = generator.run(load, release)
    assert len(result["outcomes"]) == 5
    assert 50 < result["held_back"] + 5 < 150
    dues = [outcome["due"] for outcome in result["outcomes"]]
    assert dues == sorted(dues) and dues[-1] < 0.5


def test_it_ends_with_whoever_started_it(engine: type[Engine]) -> None:
    engine.released.clear()
    with started(engine.url) as (_, child):  # type: ignore[attr-defined]
        child.stdin.write(json.dumps({"load": vars(LOAD)}).encode() + b"\n")
        child.stdin.flush()
    engine.released.set()


def test_it_runs_in_a_container_that_has_nothing_but_python(engine: type[Engine]) -> None:
    (found,) = run(engine, packed=True)["outcomes"]
    assert len(found["pieces"]) == TOKENS
