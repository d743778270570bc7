"""A hub of another make: olah, as a mirror of the tests' hub and with a repository of its own.

With a git repository it leaves sizes and digests out of model info, as other servers do.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from harness.hub import Hub
from harness.hub_repo import sha256
from harness.model_init_run import MODEL_ID, WANTED, ModelInit, tiny_model
from harness.waiting import wait_until


@contextmanager
def olah(folder: Path, port: int, upstream: str, *settings: str) -> Iterator[str]:
    """The server, in a folder of its own, until the `with` ends; its address."""
    folder.mkdir()
    here = f"127.0.0.1:{port}"
    lines = [
        f'host = "127.0.0.1"\nport = {port}',
        f'hf-scheme = "http"\nhf-netloc = "{upstream}"\nhf-lfs-netloc = "{upstream}"',
        f'mirror-scheme = "http"\nmirror-netloc = "{here}"\nmirror-lfs-netloc = "{here}"',
        f'repos-path = "{folder}/repos"',
        *settings,
    ]
    (folder / "olah.toml").write_text("[basic]\n" + "\n".join(lines) + "\n")
    command = [sys.executable, "-c", "from olah.server import cli; cli()", "-c", str(folder / "olah.toml")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_until(lambda: _answers(here, server), "olah", detail=(folder / "log").read_text)
        yield f"http://{here}"
    finally:
        server.terminate()
        server.wait()


def _answers(here: str, server: subprocess.Popen[bytes]) -> bool:
    assert server.poll() is None, "olah ended"
    try:
        requests.get(f"http://{here}/", timeout=10)
    except requests.ConnectionError:
        return False
    return True


def arrived(model_init: ModelInit, endpoint: str) -> dict[str, str]:
    """The digests of what model-init published from there."""
    result = model_init.run(HF_ENDPOINT=endpoint)
    assert result.code == 0, result.log
    assert result.manifest is not None
    return {file["path"]: file["sha256"] for file in result.manifest["files"]}


def test_a_mirror_of_another_make(hub: Hub, model_init: ModelInit, tmp_path: Path, free_port: int) -> None:
    with olah(tmp_path / "olah", free_port, hub.endpoint.removeprefix("http://")) as endpoint:
        assert arrived(model_init, endpoint) == {name: sha256(tiny_model()[name]) for name in WANTED}
        missing = model_init.run(HF_ENDPOINT=endpoint, MODEL_ID="acme/none")
    assert missing.code == 11
    assert f"no such model: expected acme/none on {endpoint}, found none (or a private one)" in missing.log


def test_a_server_with_a_git_repository_of_its_own(
    offline_init: Callable[..., ModelInit], tmp_path: Path, free_port: int
) -> None:
    repository = tmp_path / "mirrors" / "models" / MODEL_ID
    repository.mkdir(parents=True)
    for name, data in tiny_model().items():
        (repository / name).write_bytes(data)
    person = ["-c", "user.name=tests", "-c", "user.email=tests@example.invalid"]
    for step in (["init", "-q", "-b", "main"], ["add", "-A"], [*person, "commit", "-q", "-m", "a model"]):
        subprocess.run(["git", *step], cwd=repository, check=True)

    local = (f'mirrors-path = ["{tmp_path}/mirrors"]', "[accessibility]\noffline = true")
    with olah(tmp_path / "olah", free_port, "127.0.0.1:9", *local) as endpoint:
        digests = arrived(offline_init(), endpoint)
    assert digests == {name: sha256(tiny_model()[name]) for name in WANTED}
