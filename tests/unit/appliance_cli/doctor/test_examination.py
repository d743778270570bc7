"""What doctor says of .env, that it goes on after it, and what its exit code counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance_cli.base.errors import BadSetting, StatusExit
from appliance_cli.config import values
from appliance_cli.config.appliance import Appliance, load
from appliance_cli.doctor import examination, report, settings
from appliance_cli.doctor.troubles import TROUBLES
from appliance_cli.gpu.served import NotServed
from appliance_cli.host.finding import Finding, Level

NOT_SERVED = NotServed(
    "TGI does not serve a/b", expected="another", found="model_type x", remedy="MODEL_ID=c/d"
)
TWO_THAT_FIGHT = BadSetting(
    "MAX_INPUT_TOKENS cannot be used", expected="less", found="9000", remedy="lower it"
)


@pytest.fixture(autouse=True)
def no_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")


def told(appliance: Appliance) -> list[Finding]:
    found = examination.examine(appliance, lambda _: None)
    assert {each.check for each in found} <= set(TROUBLES)
    return found


@pytest.mark.parametrize("error", [NOT_SERVED, TWO_THAT_FIGHT])
def test_a_setting_that_is_refused_is_one_finding_among_others(
    error: BadSetting, appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(examination, "judge_host", refuse)
    found = told(appliance)
    (refused,) = [each for each in found if each.check == "settings"]
    assert (refused.level, refused.found, refused.remedy) == ("fail", f"{error}: {error.found}", error.remedy)
    assert {"docker", "disk", "memory"} <= {each.check for each in found}


def test_names_that_nothing_reads_are_told(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("HTTP_PROT=9000\nMY_OWN_NOTE=x\n")
    found = [each for each in told(load(tmp_path, env_file)) if each.check == "settings"]
    assert [(each.level, "line 1" in each.found) for each in found] == [("fail", True), ("warn", False)]
    assert "did you mean HTTP_PORT?" in found[0].found


# read from its beginning, the kernel refuses it to everybody
@pytest.mark.parametrize(("name", "wrong"), [("/proc/self/mem", True), ("none", True), ("token", False)])
def test_a_token_that_cannot_be_read_is_told(name: str, wrong: bool, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hf_x")
    env_file = tmp_path / ".env"
    env_file.write_text(f"HF_TOKEN_FILE={name}\n")
    found = settings.examine(load(tmp_path, env_file), values.read(env_file))
    assert [(each.level, each.found.startswith("HF_TOKEN_FILE: ")) for each in found] == [
        ("fail", True)
    ] * wrong


@pytest.mark.parametrize(
    ("level", "quick", "code"),
    [
        ("ok", False, StatusExit.ready),
        ("warn", False, StatusExit.ready),
        ("todo", False, StatusExit.failed),
        ("todo", True, StatusExit.ready),
        ("fail", True, StatusExit.failed),
    ],
)
def test_what_up_will_supply_is_wrong_but_to_whoever_asks_what_up_looks_at(
    level: Level, quick: bool, code: int
) -> None:
    assert report.exit_code([Finding("ok", "fine"), Finding(level, "x")], quick=quick) == code
