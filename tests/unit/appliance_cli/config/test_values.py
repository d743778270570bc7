"""Every value is judged for every command, and a refusal says where the value comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance_cli.base.errors import BadSetting
from appliance_cli.base.output import Output
from appliance_cli.config.appliance import Appliance, load
from appliance_cli.config.values import Values, read
from appliance_cli.gpu import settings as gpu_settings
from appliance_cli.host import facts
from appliance_cli.stack import prepare


def refusal(appliance: Appliance, text: str, chosen: dict[str, str] | None = None) -> BadSetting:
    appliance.env_file.write_text(text)
    with pytest.raises(BadSetting) as caught:
        load(appliance.root, appliance.env_file, chosen)
    return caught.value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TGI_IMAGE", "Foo/Bar"),
        ("DCGM_IMAGE", "Foo/Bar"),
        ("PROMETHEUS_IMAGE", "prometheus:"),
        ("GRAFANA_IMAGE", "http://x/y"),
        ("PYTHON_BASE", "Python:3.13"),
        ("NGINX_BASE", "nginx 1.30"),
        ("SESSION_DAYS", "week"),
        ("PARALLEL_FILES", "0"),
        ("BANDWIDTH_LIMIT", "fast"),
        ("STALL_SECONDS", "soon"),
        ("VERIFY", "fulll"),
        ("OFFLINE", "yes"),
        ("MODEL_SOURCE", "modelscope"),
        ("MODEL_SOURCES", "hub;modelscope"),
        ("MODEL_ID", "qwen"),
        ("MODEL_FOLDER", "models"),
        ("ACCESS_DIR", "access"),
        ("ENGINE_MEMORY", "much"),
        ("GRAFANA_PORT", "0"),
        ("COMPOSE_PROFILES", "my profile"),
        ("QUANTIZE", "int4"),
        ("MODE", "int4"),
        ("TLS", "on"),
        ("TLS", "' off'"),
    ],
)
def test_what_only_containers_read_is_judged_before_they_start(
    name: str, value: str, appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OFFLINE")
    told = refusal(appliance, f"# mine\nHTTP_PORT=9000\n{name}={value}\n")
    assert told.title == f"{name} cannot be used"
    assert told.found == f"{value if value.startswith(chr(39)) else repr(value)}, from .env line 3"
    assert told.expected
    assert name in told.remedy


def test_an_empty_value_counts_as_not_set(appliance: Appliance) -> None:
    appliance.env_file.write_text("HTTP_PORT=\nTGI_IMAGE=''\nVERIFY=\nBIND_ADDRESS=${NOBODY}\n")
    found = load(appliance.root, appliance.env_file)
    assert (found.port, found.bind_address) == (8080, "127.0.0.1")


def test_the_line_is_that_of_the_assignment_that_holds(appliance: Appliance) -> None:
    told = refusal(appliance, "HTTP_PORT=1\nNOTE='two\nlines'\nWORD=x\nHTTP_PORT=${WORD}y\n")
    assert told.found == "'xy', from .env line 5"


def test_a_value_of_the_shell_is_said_to_be_the_shells(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PORT", "http")
    told = refusal(appliance, "HTTP_PORT=9000\n")
    assert told.found == "'http', from the shell's environment"
    assert "unset HTTP_PORT in the shell" in told.remedy


def test_an_options_value_is_said_to_be_the_command_lines(appliance: Appliance) -> None:
    assert refusal(appliance, "HTTP_PORT=1\n", {"HTTP_PORT": "x"}).found == "'x', from the command line"


def test_values_that_exclude_each_other_name_their_line_too(tmp_path: Path) -> None:
    path = tmp_path / "gpu.env"
    path.write_text("MAX_TOTAL_TOKENS=100\nMAX_INPUT_TOKENS=100\n")
    with pytest.raises(BadSetting) as caught:
        gpu_settings.parse(read(path))
    assert caught.value.found == "'100', from gpu.env line 2"


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "HF_ENDPOINT", "SSO_URL"])
def test_an_address_that_may_hold_a_password_is_not_shown(name: str, appliance: Appliance) -> None:
    told = refusal(appliance, f"{name}=user:secret@mirror.example\n")
    assert "secret" not in f"{told} {told.expected} {told.found} {told.remedy}"
    assert told.found.endswith(".env line 1")


def test_the_whole_card_is_a_word_of_its_own() -> None:
    assert gpu_settings.parse({"TARGET_VRAM": "all"}) == gpu_settings.parse({})
    assert gpu_settings.parse({"TARGET_VRAM": "16"}).target_vram == 16 << 30


def test_a_misspelled_name_in_the_code_is_no_setting() -> None:
    with pytest.raises(KeyError):
        Values({}).given("HTTP_PROT")


def test_names_that_nobody_reads_are_said_before_anything_changes(
    appliance: Appliance, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class LookedEnoughError(Exception):
        pass

    def stop(_appliance: Appliance) -> None:
        raise LookedEnoughError

    appliance.env_file.write_text("HTTP_PORT=9000\nREPLICAS=5\n")
    monkeypatch.setattr(facts, "look", stop)
    monkeypatch.setenv("HTTP_PROT", "9001")
    with pytest.raises(LookedEnoughError):
        prepare.prepare(prepare.Request(appliance), Output())
    told = capsys.readouterr().err
    assert ".env line 2: nothing reads REPLICAS: did you mean UI_REPLICAS?" in told
    assert "HTTP_PROT" not in told
