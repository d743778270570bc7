"""Starts the Docker engine where it is installed but not running, by systemd or by hand.

Restarts it, by systemd alone, where it has to learn of the container toolkit. Never stops it.
"""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from appliance_cli.base.errors import StepFailed
from appliance_cli.base.output import Output
from appliance_cli.base.process import ask
from appliance_cli.compose.client import connect
from appliance_cli.host import facts
from appliance_cli.host.checks import DOCKER_GUIDE

SYSTEMD = Path("/run/systemd/system")
LOG = Path("/var/log/dockerd.log")
PID_FILES = {
    Path("/var/run/docker.pid"): "dockerd",
    Path("/var/run/docker/containerd/containerd.pid"): "containerd",
}
START_LIMIT_S = 90


def ensure_running(output: Output) -> None:
    """Return once Docker answers, starting it when it does not.

    Raises StepFailed with the end of its log.
    """
    if connect()[0] is not None:
        return
    with output.step("Starting the Docker engine"):
        if SYSTEMD.is_dir():
            _start_by_systemd()
        else:
            _start_by_hand(output)


def restart_if_running(output: Output) -> None:
    """Have Docker read its settings anew. Raises StepFailed where it runs without systemd, and goes on."""
    if connect()[0] is None:
        return
    if not SYSTEMD.is_dir():
        raise StepFailed(
            "Docker has to be restarted, and nothing here does that but you",
            expected="systemd, which restarts it",
            found="Docker runs without it",
            remedy="restart it (sudo service docker restart), then run this again",
        )
    with output.step("Restarting the Docker engine"):
        _start_by_systemd("restart")


def clear_stale(pid_files: dict[Path, str]) -> list[Path]:
    """Remove pid files whose process is gone, or is another program by now. Returns what it removed.

    A machine that was cut off, or copied with its disk, leaves such a file behind; dockerd then refuses to
    start ("process with PID 573 is still running"), whatever process 573 is by now.
    """
    removed = []
    for path, program in pid_files.items():
        if path.exists() and not _is_running(path.read_text().strip(), program):
            path.unlink()
            removed.append(path)
    return removed


def _is_running(pid: str, program: str) -> bool:
    name = Path("/proc") / pid / "comm"
    return pid.isdigit() and name.exists() and name.read_text().strip() == program


def _start_by_systemd(verb: str = "start") -> None:
    started = ask(["systemctl", verb, "docker"], timeout=START_LIMIT_S)
    if started.code != 0 or not _answers(alive=lambda: True):
        journal = ask(["journalctl", "--unit", "docker", "--lines", "15", "--no-pager", "--output", "cat"])
        raise _did_not_start(f"systemctl {verb} docker", journal.out or started.err, "journalctl -u docker")


def _start_by_hand(output: Output) -> None:
    for path in clear_stale(PID_FILES):
        output.item("ok", f"removed the stale {path}")
    daemon = facts.find_daemon()
    if daemon is None:
        raise StepFailed(
            "The Docker engine cannot be started",
            expected="dockerd",
            found="it is not installed",
            remedy=f"install it: {DOCKER_GUIDE}",
        )
    with LOG.open("ab") as log:
        begins = log.tell()
        # why: it must outlive this command and its terminal, so it gets a session of its own
        child = subprocess.Popen(
            [daemon], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    if not _answers(alive=lambda: child.poll() is None):
        with LOG.open("rb") as log:
            log.seek(begins)
            raise _did_not_start(daemon, log.read().decode(errors="replace"), str(LOG))


def _answers(alive: Callable[[], bool]) -> bool:
    """Whether Docker answers before the limit, and before it dies."""
    ends = time.monotonic() + START_LIMIT_S
    while time.monotonic() < ends:
        if connect(timeout=5)[0] is not None:
            return True
        if not alive():
            return False
        time.sleep(0.5)
    return False


def _did_not_start(command: str, log: str, where: str) -> StepFailed:
    return StepFailed(
        "The Docker engine did not start",
        expected=f"an answer within {START_LIMIT_S} s of {command}",
        found=f"none; the end of its log is above, the whole of it: {where}",
        remedy="put right what the log says, then run this again",
        details=tuple(log.strip().splitlines()[-15:]),
    )
