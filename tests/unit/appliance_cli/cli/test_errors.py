"""What a person reads when something fails, through the real command line."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance_cli.base.errors import ApplianceError, StepFailed, render
from appliance_cli.base.output import Output, duration, size
from appliance_cli.compose import containers
from appliance_cli.stack import status
from harness.cli_path import PYTHONPATH


def run(
    *arguments: str, env_file: Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": PYTHONPATH,
        "HOME": "/nonexistent",
        **environment,
    }
    command = [sys.executable, "-P", "-m", "appliance_cli", "--env-file", str(env_file), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, check=False, cwd=cwd
    )


def test_an_error_shows_evidence_expected_found_and_what_to_do() -> None:
    error = StepFailed(
        "It failed", expected="this", found="that", remedy="do one\ndo two", details=("log line",)
    )
    assert render(error) == [
        "✗ It failed",
        "    log line",
        "  expected  this",
        "  found     that",
        "  do        do one",
        "            do two",
    ]


def test_parts_that_are_not_known_are_left_out() -> None:
    assert render(ApplianceError("Just this", expected="", found="", remedy="")) == ["✗ Just this"]


def test_a_failure_cannot_be_told_without_what_was_expected_what_was_found_and_what_to_do() -> None:
    for missing in ("expected", "found", "remedy"):
        told = {"expected": "this", "found": "that", "remedy": "do one"}
        del told[missing]
        with pytest.raises(TypeError, match=missing):
            StepFailed("It failed", **told)  # type: ignore[arg-type]


def test_every_kind_of_failure_has_its_own_exit_code() -> None:
    kinds: list[type[ApplianceError]] = [ApplianceError, *ApplianceError.__subclasses__()]
    codes = [kind.exit_code for kind in kinds]
    assert codes == [1, 2, 3, 4, 5]


@pytest.fixture
def bad_env(tmp_path: Path) -> Path:
    path = tmp_path / "bad.env"
    path.write_text("HTTP_PORT=http\n")
    return path


@pytest.mark.parametrize(
    "command",
    ["up", "status", "down", "logs", "prepare", "usage", "reload", "tls", "keys list", "users list"],
)
def test_a_bad_setting_is_one_clear_message_without_traceback(command: str, bad_env: Path) -> None:
    done = run(*command.split(), env_file=bad_env)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.strip().splitlines()[0] == "✗ HTTP_PORT cannot be used"
    assert "found     'http'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_traceback_comes_with_verbose(bad_env: Path) -> None:
    assert "Traceback" in run("status", "--verbose", env_file=bad_env).stderr


def test_the_settings_file_may_be_named_after_the_command_too(bad_env: Path, tmp_path: Path) -> None:
    assert run("status", "--env-file", str(bad_env), env_file=tmp_path / "none.env").returncode == 2


def test_the_settings_file_may_come_from_the_environment(bad_env: Path) -> None:
    env = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": PYTHONPATH,
        "APPLIANCE_ENV_FILE": str(bad_env),
    }
    command = [sys.executable, "-m", "appliance_cli", "status"]
    assert subprocess.run(command, capture_output=True, env=env, check=False).returncode == 2


def test_an_engine_that_does_not_answer_is_a_message(tmp_path: Path) -> None:
    done = run("status", env_file=tmp_path / "none.env", DOCKER_HOST=f"unix://{tmp_path}/docker.sock")
    assert done.returncode == 4
    assert "✗ The Docker engine does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_misspelled_service_is_named_from_any_folder(tmp_path: Path) -> None:
    env_file = tmp_path / "appliance.env"
    env_file.write_text("COMPOSE_FILE=docker-compose.yml:compose.cpu.yml\n")
    done = run("logs", "ngins", env_file=env_file, cwd=tmp_path)
    assert "✗ No such service" in done.stderr
    assert "expected  one of model-init, nginx, openai-api, tgi, ui" in done.stderr
    assert "do        name one of them" in done.stderr
    assert done.returncode == 4


def test_deleting_the_model_needs_consent(tmp_path: Path) -> None:
    done = run(
        "down", "--volumes", env_file=tmp_path / "none.env", DOCKER_HOST=f"unix://{tmp_path}/docker.sock"
    )
    assert done.returncode == 3
    assert "run it again with --yes" in done.stderr


@pytest.mark.parametrize(
    "command", ["up", "down", "status", "logs", "prepare", "scale", "keys", "users", "tls"]
)
def test_every_command_explains_itself(command: str, tmp_path: Path) -> None:
    done = run(command, "--help", env_file=tmp_path / "none.env")
    assert done.returncode == 0
    assert f"Usage: appliance {command}" in done.stdout


def test_an_unknown_option_is_a_usage_error(tmp_path: Path) -> None:
    done = run("up", "--nonsense", env_file=tmp_path / "none.env")
    assert done.returncode == 2
    assert "--nonsense" in done.stderr


def test_without_a_terminal_installing_goes_on_and_deleting_does_not() -> None:
    assert Output().allow("Install it?")
    with pytest.raises(ApplianceError, match="consent"):
        Output().confirm_loss("Delete it?")
    assert Output(assume_yes=True).confirm_loss("Delete it?")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (3780, "1 h 03 min")],
)
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (94_100_000, "94.1 MB"), (2e12, "2.0 TB")]
)
def test_sizes_are_said_in_the_units_of_disks(count: float, text: str) -> None:
    assert size(count) == text


def container(service: str, state: str, health: str = "", exit_code: int = 0) -> containers.Container:
    return containers.Container(
        service,
        f"p-{service}-1",
        service,
        f"{service}:local",
        state,
        health,
        exit_code,
        0,
        "2026-11-22T10:00:00.5Z",
    )


INIT = container("model-init", "exited")
UI = container("ui", "running", "healthy")


@pytest.mark.parametrize(
    ("found", "answer", "state"),
    [
        ((), None, "stopped"),
        ((container("ui", "exited"), INIT), None, "stopped"),
        ((INIT, UI), None, "starting"),
        ((INIT, UI), {"state": "loading"}, "loading"),
        ((INIT, UI), {"state": "ready"}, "ready"),
        ((INIT, UI, container("nginx", "running", "unhealthy")), {"state": "ready"}, "degraded"),
        ((container("model-init", "exited", exit_code=10), UI), {"state": "failed"}, "failed"),
    ],
)
def test_the_overall_state(
    found: tuple[containers.Container, ...], answer: dict[str, str] | None, state: str
) -> None:
    assert status.overall(found, answer) == state


def test_the_report_for_people_names_state_model_engine_and_address() -> None:
    now = datetime(2026, 11, 22, 10, 2, 5, tzinfo=UTC)
    rows = [status._row(each, now) for each in (INIT, UI)]
    content = {
        "state": "ready",
        "message": None,
        "url": "http://127.0.0.1:8080",
        "engine": "cpu",
        "containers": rows,
        "way_out": None,
    }
    text = status.table({**content, "model": {"model_id": "a/b"}})
    assert json.loads(json.dumps(rows))[1]["uptime_s"] == 125
    lines = [line.split() for line in text.splitlines()]
    assert ["model-init", "p-model-init-1", "finished", "model-init:local"] in lines
    assert ["ui", "p-ui-1", "healthy", "ui:local", "2", "min", "05", "s"] in lines
    assert text.splitlines()[-4:] == [
        "State   ready",
        "Model   a/b",
        "Engine  llama.cpp on the CPU",
        "URL     http://127.0.0.1:8080/",
    ]


def test_a_settings_file_that_cannot_be_read_is_a_message(tmp_path: Path) -> None:
    done = run("status", env_file=tmp_path)
    assert done.returncode == 4
    assert f"found     {tmp_path}: Is a directory" in done.stderr
    assert "Traceback" not in done.stderr
