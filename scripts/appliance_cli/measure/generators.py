"""Starts load generators and talks with them: one on this host, one in a container beside the engine.

A generator ends when its input does, so nothing of it outlives this command, whatever ends that.
"""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from appliance_cli.base.errors import StepFailed
from appliance_cli.base.process import Child
from appliance_cli.compose import commands as compose
from appliance_cli.compose import runner
from appliance_cli.config.appliance import Appliance
from appliance_cli.measure.generator.load import Load

MODULE = "appliance_cli.measure.generator"
PACKAGE = Path(__file__).parents[1]
END_WITHIN_S = 30
# Reads this package's generator as a ZIP file from its input, since the container has nothing of it.
_UNPACK = (
    "import runpy, sys; take = sys.stdin.buffer; size = int(take.readline()); "
    "open('/tmp/load.zip', 'wb').write(take.read(size)); sys.path.insert(0, '/tmp/load.zip'); "
    f"runpy.run_module('{MODULE}', run_name='__main__')"
)

Progress = Callable[[dict[str, Any]], None]


class Generator:
    """A generator that runs."""

    def __init__(self, child: Child, log: Path) -> None:
        self._child, self._log = child, log

    def ask(self, method: str, path: str, body: Any = None, address: str | None = None) -> tuple[int, str]:
        """A plain question: the status and the text of its answer."""
        command = {"method": method, "path": path, "body": body, "address": address}
        answer = self._exchange({"ask": command}, "answer")
        return int(answer["status"]), str(answer["text"])

    def run(self, load: Load, progress: Progress) -> dict[str, Any]:
        """Have a load run; returns its result."""
        found: dict[str, Any] = self._exchange({"load": asdict(load)}, "result", progress)
        return found

    def start(self, settings: dict[str, Any]) -> tuple[str, ...]:
        """Tell it whom to ask; returns the addresses behind that."""
        return tuple(self._exchange(settings, "ready")["addresses"])

    def _exchange(self, command: dict[str, Any], wanted: str, progress: Progress | None = None) -> Any:
        stdin, stdout = self._child.stdin, self._child.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(json.dumps(command).encode() + b"\n")
            stdin.flush()
            for line in stdout:
                message = json.loads(line)
                if wanted in message:
                    return message[wanted]
                if "failed" in message:
                    raise self._failed(str(message["failed"]))
                if progress and "progress" in message:
                    progress(message["progress"])
        except (BrokenPipeError, ValueError) as error:
            raise self._failed(str(error)) from error
        raise self._failed("it ended")

    def _failed(self, found: str) -> StepFailed:
        return StepFailed(
            "The load generator failed",
            expected="it to run on this host and, from the chat's image, in a container beside the engine",
            found=found,
            remedy=f"see ./scripts/appliance status; its words are in {self._log}",
            details=tuple(self._log.read_text(errors="replace").strip().splitlines()[-5:]),
        )


@contextmanager
def on_the_host(appliance: Appliance, key: str | None) -> Iterator[Generator]:
    """One that asks the published port."""
    argv = [sys.executable, "-P", "-m", MODULE]
    with _running(appliance, argv, b"", "door") as generator:
        generator.start({"url": appliance.url, "hosts": [], "key": key})
        yield generator


@contextmanager
def beside_the_engine(
    appliance: Appliance, engines: Sequence[str]
) -> Iterator[tuple[Generator, tuple[str, ...]]]:
    """One that asks the engines themselves, and their addresses."""
    argv = compose.beside_the_engine(appliance, "python3", "-c", _UNPACK)
    code = _packed()
    with _running(appliance, argv, b"%d\n%b" % (len(code), code), "engine") as generator:
        yield generator, generator.start({"url": "http://tgi:3000", "hosts": list(engines), "key": None})


@contextmanager
def _running(appliance: Appliance, argv: Sequence[str], first: bytes, way: str) -> Iterator[Generator]:
    log = appliance.logs / f"{appliance.project}.bench-{way}.log"
    child = runner.converse(appliance, argv, log=log)
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write(first)
        yield Generator(child, log)
    finally:
        with suppress(BrokenPipeError):  # it is gone already
            child.stdin.close()
        try:
            child.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()


def _packed() -> bytes:
    """The generator's modules in a ZIP file, in the folders that Python looks for."""
    buffer = io.BytesIO()
    folder = PACKAGE / "measure" / "generator"
    files = [PACKAGE / "__init__.py", folder.parent / "__init__.py", *sorted(folder.glob("*.py"))]
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in files:
            archive.write(file, file.relative_to(PACKAGE.parent))
    return buffer.getvalue()
