"""The engines' entry point, as the shell of this host runs it: nothing starts before the model is proven."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.stack import REPO

SCRIPT = REPO / "services/tgi/start-when-ready"
MODEL = "org/name"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / MODEL).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def engine(models: Path) -> Iterator[subprocess.Popen[str]]:
    """The script with an engine that says how it was called, and ends."""
    command = ["sh", str(SCRIPT), "echo", "engine", f"--model-id={MODEL}", "--port=3000"]
    with subprocess.Popen(command, cwd=models, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def publish(models: Path) -> None:
    (models / MODEL / "manifest.json").write_text("{}")


def first_line(engine: subprocess.Popen[str]) -> str:
    assert engine.stdout is not None
    return engine.stdout.readline()


def test_with_a_published_model_the_engine_gets_its_arguments_at_once(
    models: Path, engine: subprocess.Popen[str]
) -> None:
    publish(models)
    assert first_line(engine) == f"engine --model-id={MODEL} --port=3000\n"


def test_it_waits_for_the_manifest_and_says_so(models: Path, engine: subprocess.Popen[str]) -> None:
    assert "Waiting until model-init has fetched and verified org/name" in first_line(engine)
    publish(models)
    assert "org/name is verified" in first_line(engine)
    assert first_line(engine).startswith("engine ")


def test_it_waits_for_a_model_init_that_looks_through_what_is_published(
    models: Path, engine: subprocess.Popen[str]
) -> None:
    mark = models / ".model-init.running"
    mark.touch()
    publish(models)
    assert "Waiting" in first_line(engine)
    mark.unlink()
    assert "is verified" in first_line(engine)
    assert first_line(engine).startswith("engine ")


def test_a_stop_ends_the_wait_at_once(engine: subprocess.Popen[str]) -> None:
    assert "Waiting" in first_line(engine)
    engine.send_signal(signal.SIGTERM)
    assert engine.wait(timeout=1.5) == 0
