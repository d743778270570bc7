"""The .env file: read like Compose does, written once, and never over a person's value."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from appliance_cli.base.errors import BadSetting
from appliance_cli.base.output import Output
from appliance_cli.config import dotenv_file, first_env
from appliance_cli.config.appliance import Appliance, engine_of, load

BASES = {"PYTHON_BASE": "made/python:1"}


@pytest.fixture(autouse=True)
def plain_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_env, "ca_bundle", lambda: None)
    monkeypatch.setattr(first_env, "pip_index", lambda output: None)


def save(
    appliance: Appliance, bases: dict[str, str] | None = None, chosen: dict[str, str] | None = None
) -> str:
    first_env.save(appliance, "cpu", bases or {}, chosen or {}, Output())
    return appliance.env_file.read_text()


def test_the_first_writing_is_complete_and_private(appliance: Appliance) -> None:
    values = dotenv_file.parse(save(appliance, BASES))
    assert values["COMPOSE_FILE"] == "docker-compose.yml:compose.cpu.yml"
    assert values["COMPOSE_PROJECT_NAME"] == "qwen-appliance"
    assert (values["BIND_ADDRESS"], values["HTTP_PORT"], values["UI_REPLICAS"]) == ("127.0.0.1", "8080", "3")
    assert values["PYTHON_BASE"] == "made/python:1"
    assert len(values["UI_SECRET"]) >= 32
    assert stat.S_IMODE(appliance.env_file.stat().st_mode) == 0o600


def test_a_second_run_changes_nothing(appliance: Appliance) -> None:
    first = save(appliance, BASES)
    assert save(load(appliance.root, appliance.env_file), BASES) == first


def test_choosing_writes_what_was_chosen_and_nothing_else(appliance: Appliance) -> None:
    appliance.env_file.write_text("UI_REPLICAS=3 # three\nMODEL_ID=a/b\n")
    dotenv_file.choose(appliance.env_file, {"UI_REPLICAS": "5"}, "heading")
    assert appliance.env_file.read_text() == "UI_REPLICAS=5\nMODEL_ID=a/b\n"
    dotenv_file.choose(appliance.root / "new.env", {"UI_REPLICAS": "5"}, "heading")
    assert (appliance.root / "new.env").read_text() == "# heading\nUI_REPLICAS=5\n"


@pytest.mark.parametrize(("user", "written"), [(0, None), (1000, "1000:1001")])
def test_nginx_runs_as_the_operator_unless_that_is_root(
    user: int, written: str | None, appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr("os.getegid", lambda: 1001)
    assert first_env.values(appliance, "cpu", {}, None, None).get("APPLIANCE_USER") == written


def test_two_appliances_get_two_secrets(appliance: Appliance, tmp_path: Path) -> None:
    other = load(tmp_path, tmp_path / "other.env")
    assert dotenv_file.parse(save(appliance))["UI_SECRET"] != dotenv_file.parse(save(other))["UI_SECRET"]


def test_a_persons_lines_stay_and_what_is_missing_comes_at_the_end(appliance: Appliance) -> None:
    mine = (
        "# my notes\nHTTP_PORT=9000   # 8080 is taken\nMODEL_ID='Qwen/Qwen2.5-7B-Instruct'\nUI_SECRET=mine\n"
    )
    appliance.env_file.write_text(mine)
    text = save(load(appliance.root, appliance.env_file))
    assert text.startswith(mine)
    assert dotenv_file.parse(text)["HTTP_PORT"] == "9000"
    assert dotenv_file.parse(text)["UI_SECRET"] == "mine"
    assert text.count("HTTP_PORT=") == text.count("UI_SECRET=") == 1
    assert "COMPOSE_FILE=docker-compose.yml:compose.cpu.yml" in text.removeprefix(mine)


def test_commented_defaults_do_not_count_as_set(appliance: Appliance) -> None:
    appliance.env_file.write_text("#HTTP_PORT=8080\n")
    assert dotenv_file.parse(save(appliance))["HTTP_PORT"] == "8080"


def test_an_option_by_name_changes_its_line_in_place(appliance: Appliance) -> None:
    appliance.env_file.write_text("HTTP_PORT=9000\n# after\n")
    text = save(load(appliance.root, appliance.env_file), chosen={"HTTP_PORT": "9100"})
    assert text.splitlines()[:2] == ["HTTP_PORT=9100", "# after"]


def test_the_mode_that_a_person_gave_the_file_is_kept(appliance: Appliance) -> None:
    appliance.env_file.write_text("A=1\n")
    appliance.env_file.chmod(0o640)
    save(appliance)
    assert stat.S_IMODE(appliance.env_file.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("K=plain", "plain"),
        ("export K = spaced ", "spaced"),
        ("K='it # stays'", "it # stays"),
        ('K="quoted" # comment', "quoted"),
        ("K=value # comment", "value"),
        ("K=a#b", "a#b"),
        ("K=", ""),
        ("K=one\nK=two", "two"),
    ],
)
def test_lines_are_read_as_compose_reads_them(line: str, value: str) -> None:
    assert dotenv_file.parse(line) == {"K": value}


def test_values_with_special_characters_survive() -> None:
    tricky = "a b#c$d"
    assert dotenv_file.parse(dotenv_file.merged("", {"K": tricky}, {}, "heading")) == {"K": tricky}


@pytest.mark.parametrize(
    ("compose_file", "engine"),
    [
        ("", None),
        ("docker-compose.yml", "gpu"),
        ("docker-compose.yml:compose.cpu.yml", "cpu"),
        ("/srv/docker-compose.yml:/srv/compose.cpu.yml:mine.yml", "cpu"),
    ],
)
def test_the_engine_is_read_from_compose_file(compose_file: str, engine: str | None) -> None:
    assert engine_of(compose_file) == engine


def test_the_shell_wins_over_the_file_and_an_option_over_both(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    appliance.env_file.write_text("HTTP_PORT=9000\nUI_REPLICAS=2\n")
    monkeypatch.setenv("HTTP_PORT", "9001")
    assert load(appliance.root, appliance.env_file).port == 9001
    assert load(appliance.root, appliance.env_file).replicas == 2
    assert load(appliance.root, appliance.env_file, {"HTTP_PORT": "9002"}).port == 9002


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("HTTP_PORT", "http", "a whole number from 1 to 65535"),
        ("HTTP_PORT", "70000", "a whole number from 1 to 65535"),
        ("UI_REPLICAS", "0", "a whole number from 1 to 100"),
        ("TGI_REPLICAS", "two", "a whole number from 1 to 16"),
        ("COMPOSE_PROJECT_NAME", "My Project", "lower-case letters"),
        ("BIND_ADDRESS", "localhost", "an IP address"),
    ],
)
def test_a_bad_value_names_itself_and_what_is_accepted(
    key: str, value: str, expected: str, appliance: Appliance
) -> None:
    appliance.env_file.write_text(f"{key}={value}\n")
    with pytest.raises(BadSetting) as failure:
        load(appliance.root, appliance.env_file)
    assert key in failure.value.title
    assert expected in failure.value.expected
    assert failure.value.found == f"{value!r}, from .env line 1"
    assert failure.value.remedy
    assert failure.value.exit_code == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_leaves_the_file_to_its_owner(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    os.chown(tmp_path, 1234, 1235)
    path = tmp_path / ".env"
    for text in ("A=1\n", "A=2\n"):
        assert dotenv_file.write(path, text)
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)
