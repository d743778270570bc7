"""Another release takes over while people are answered; the former one comes back, asked to or by itself."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest
import requests
from docker.errors import APIError

from appliance_cli.config import version
from harness.crowd import Crowd, broken, finish, grow
from harness.stack import REPO, Stack, said_inside
from harness.waiting import wait_until

FIRST = "84a870f8219546fdc58bb5dc849dd0b2bd2bae3b"  # 1.0.0, the first that has a number
NEXT, BROKEN = "99.0.0", "99.0.1"
LONG = 400  # tokens: begun while the replicas are replaced, it is being written when the door's turn comes
LEFT_OUT = (
    ".git",
    ".venv",
    ".env",
    ".appliance",
    ".*_cache",
    "__pycache__",
    "node_modules",
    "tests",
    "bench",
    "access",
)
WORDS = {"model": "tgi", "messages": [{"role": "user", "content": "Count."}], "stream": True}


@pytest.fixture(autouse=True)
def named_as_before() -> Iterator[None]:
    """Afterwards every name of an image that is built here stands for what it did, or is gone; not the last
    name of what a container runs, whose other one may be a newer image's by now.
    """
    client = docker.from_env()
    before = _images(client)
    yield
    for name, image in before.items():
        client.images.get(image).tag(name)
    for name in _images(client).keys() - before.keys():
        with contextlib.suppress(APIError):
            client.images.remove(name)
    client.close()


def test_a_release_takes_over_and_goes_back_and_no_answer_is_cut(
    stack: Stack, crowd: Crowd, tmp_path: Path
) -> None:
    folder = _release(tmp_path / "appliance", NEXT)
    own, settings, former = version.of(REPO), stack.env_file.read_bytes(), _running(stack)
    checked = _run(folder, stack, "upgrade", "--check")
    assert checked.returncode == 0, checked.stderr
    assert "## [99.0.0]" in checked.stdout
    assert _running(stack) == former
    readers = crowd.arrive(1)

    done = _while_answering(folder, stack, crowd, "upgrade")
    assert "The capital of France" in done.stderr
    assert {label for _, label, _ in _running(stack)} == {NEXT}
    (kept,) = (folder / ".appliance").glob(f"before-upgrade-{NEXT}/backup.tar.gz")
    proven = _run(folder, stack, "restore", str(kept), "--check")
    assert proven.returncode == 0, proven.stderr
    for replica in stack.containers("ui"):
        assert "made by a test" in said_inside(replica, "cat", "/app/chat_ui/__init__.py")
    crowd.ask(readers, 4)  # the page was opened before
    finish(readers)
    assert broken(readers) == []

    _while_answering(folder, stack, crowd, "rollback")
    assert {label for _, label, _ in _running(stack)} == {own}
    assert {image for _, _, image in _running(stack)} == {image for _, _, image in former}
    assert stack.env_file.read_bytes() == settings
    crowd.ask(readers, 4)
    finish(readers)
    assert broken(readers) == []
    again = _run(folder, stack, "rollback")
    assert again.returncode == 3
    assert "There is no release to go back to" in again.stderr


def test_a_release_that_does_not_come_up_gives_the_appliance_back(
    stack: Stack, crowd: Crowd, tmp_path: Path
) -> None:
    folder = _release(tmp_path / "appliance", BROKEN)
    (folder / "ui/chat_ui/__main__.py").write_text("raise SystemExit('broken by a test')\n")
    settings, former = stack.env_file.read_bytes(), _running(stack)
    with crowd.visiting() as visits:
        done = _run(folder, stack, "upgrade")
    assert done.returncode == 5, done.stderr
    assert "broken by a test" in done.stderr
    assert _running(stack) == former, "not even restarted"
    assert set(visits) == {200}
    assert stack.env_file.read_bytes() == settings


@pytest.mark.long
def test_the_first_numbered_release_is_upgraded_with_its_keys_and_goes_back(tmp_path: Path) -> None:
    former, folder = tmp_path / "appliance-1.0.0", _release(tmp_path / "appliance", NEXT)
    former.mkdir()
    archive = subprocess.run(["git", "archive", FIRST], cwd=REPO, capture_output=True)
    if archive.returncode != 0:
        pytest.skip("this checkout does not have the history")
    subprocess.run(["tar", "-x", "-C", str(former)], input=archive.stdout, check=True)
    first = Stack(tmp_path, {"UI_REPLICAS": "1"})
    mine = {"COMPOSE_FILE": None, "ACCESS_DIR": None}
    lines = [line for line in first.env_file.read_text().splitlines() if line.split("=")[0] not in mine]
    (former / ".env").write_text("\n".join([*lines, ""]))
    named = {**os.environ, "COMPOSE_PROJECT_NAME": first.project}

    def run(root: Path, *arguments: str) -> str:
        command = [str(root / "scripts/appliance"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=named)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{first.diagnostics()}"
        return done.stdout.strip()

    def answers(key: str) -> int:
        body = {**WORDS, "stream": False, "max_tokens": 4}
        headers = {"Authorization": f"Bearer {key}"}
        answer = requests.post(f"{first.url}/v1/chat/completions", json=body, headers=headers, timeout=60)
        return int(answer.status_code)

    with first:
        key = run(former, "keys", "add", "standing")
        run(former, "up", "--yes", "--engine", "cpu")
        assert (answers(key), answers("sk-other")) == (200, 401)
        assert "OpenAI's clients work as they are" in run(folder, "upgrade", "--yes")
        assert {label for _, label, _ in _running(first)} == {NEXT}
        assert (folder / ".env").stat().st_mode & 0o777 == 0o600
        newer = run(folder, "keys", "add", "newer")
        wait_until(lambda: answers(newer) == 200, "the new key is known")
        assert (answers(key), answers("sk-other")) == (200, 401)
        run(folder, "rollback", "--yes")
        assert {label for _, label, _ in _running(first)} == {"1.0.0"}
        assert (answers(key), answers(newer), answers("sk-other")) == (200, 200, 401)


def _while_answering(
    folder: Path, stack: Stack, crowd: Crowd, command: str
) -> subprocess.CompletedProcess[str]:
    """A page's answer and a program's stream are begun in the midst of it, and must be whole."""
    replicas = {container.id for container in stack.containers("ui")}
    with ThreadPoolExecutor() as pool:
        running = pool.submit(_run, folder, stack, command)
        wait_until(
            lambda: running.done() or {c.id for c in stack.containers("ui")} - replicas,
            "new replicas come up",
            deadline_s=300,
            poll_s=0.5,
        )
        people = crowd.arrive(2)
        crowd.ask(people, LONG)
        (stream,) = crowd.call(1, "/v1/chat/completions", {**WORDS, "max_tokens": LONG})
        grow(people)
        assert not running.done(), "all this comes in the midst of it"
        done = running.result()
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{stack.diagnostics()}"
    finish(people)
    assert broken(people) == []
    assert (stream.status, stream.lost) == (200, "")
    assert stream.received.rstrip().endswith(b"data: [DONE]")
    return done


def _release(folder: Path, number: str) -> Path:
    """A copy of this tree that says it is another release, and differs a little."""
    shutil.copytree(REPO, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    (folder / ".venv").symlink_to(REPO / ".venv")
    compose = folder / version.FILE
    compose.write_text(re.sub(r'(?m)^(x-version: &version ").*"$', rf'\g<1>{number}"', compose.read_text()))
    changes = folder / "CHANGELOG.md"
    heading = f"## [{number}] - 2099-01-01\n\n### Changed\n- What a test changes.\n\n## ["
    changes.write_text(changes.read_text().replace("## [", heading, 1))
    for file in ("ui/chat_ui/__init__.py", "services/openai-api/openai_api/__init__.py"):
        (folder / file).write_text(f"{(folder / file).read_text()}# made by a test\n")
    page = folder / "nginx/pages/login.html"
    page.write_text(f"{page.read_text()}<!-- made by a test -->\n")
    return folder


def _run(folder: Path, stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(folder / "scripts/appliance"), "--env-file", str(stack.env_file), *arguments, "--yes"]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def _running(stack: Stack) -> set[tuple[str, str, str]]:
    """The containers of the services that are built here: id, version and image of each."""
    services = ("tgi", "ui", "openai-api", "nginx")
    found = [container for service in services for container in stack.containers(service)]
    return {(str(c.id), c.labels["org.opencontainers.image.version"], str(c.attrs["Image"])) for c in found}


def _images(client: docker.DockerClient) -> dict[str, str]:
    """What each of the appliance's images' names stands for; not those that the tests and the host make."""
    found = client.images.list(filters={"reference": "qwen-appliance/*"})
    names = {str(name): str(image.id) for image in found for name in image.tags}
    return {name: image for name, image in names.items() if re.search(r":(local|\d+\.\d+\.\d+)$", name)}
