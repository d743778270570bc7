"""Only what TGI 3.3.7 serves is planned as fitting, and the rest is refused before a byte is fetched."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from appliance_cli.base.errors import BadSetting, StepFailed
from appliance_cli.base.output import Output
from appliance_cli.config import dotenv_file
from appliance_cli.config.appliance import Appliance, load
from appliance_cli.gpu import cards_here, served
from appliance_cli.gpu import setup as gpu_setup
from appliance_cli.gpu.cards_here import Gpu, Gpus
from appliance_cli.gpu.modes import MODES
from appliance_cli.gpu.planning import MIB
from appliance_cli.gpu.served import MODEL_TYPES, REFUSED_MODES, NotServed
from appliance_cli.stack import models
from harness.hub import Hub, running_hub
from harness.planned_models import TINY_CONFIG
from model_files.config_json import FAMILIES

Cli = Callable[..., CompletedProcess[str]]
QWEN3 = "Qwen/Qwen3-8B"
RTX_4090 = Gpu(0, "GPU-0", "NVIDIA GeForce RTX 4090", 24564 * MIB, 0, 400 * MIB, (8, 9), ())


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as running:
        running.add(QWEN3, {"config.json": json.dumps({**TINY_CONFIG, "model_type": "qwen3"}).encode()})
        yield running


def settings(hub: Hub, **more: str) -> dict[str, str]:
    return {"HF_ENDPOINT": hub.endpoint, "MODEL_SOURCES": "hub", "MODEL_ID": QWEN3, **more}


def test_every_other_family_that_can_be_planned_is_served() -> None:
    assert set(FAMILIES) - MODEL_TYPES == {"qwen3"}


@pytest.mark.parametrize("mode", MODES)
def test_qwen3_is_refused_in_every_mode(mode: str) -> None:
    with pytest.raises(BadSetting) as refusal:
        served.require(QWEN3, "qwen3", MODES[mode])
    assert isinstance(refusal.value, NotServed) == (mode in REFUSED_MODES)
    assert "qwen3" in refusal.value.found and MODES[mode].model_id in refusal.value.remedy


def test_up_refuses_what_tgi_would_and_goes_on_with_what_nobody_knows(hub: Hub) -> None:
    with pytest.raises(NotServed, match="does not serve"):
        gpu_setup.read(settings(hub))
    assert gpu_setup.read(settings(hub, MODE="bf16")).model is None
    assert [request.path.rpartition("/")[2] for request in hub.requests] == ["config.json"] * 2


def test_plan_says_so(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**TINY_CONFIG, "model_type": "qwen3"}))
    done = cli("plan", "--model", str(tmp_path), "--gpu", "RTX 4090")
    assert done.returncode == 2 and not done.stdout
    assert "TGI 3.3.7 does not serve" in done.stderr


@pytest.fixture
def gpu_appliance(tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Appliance:
    """An appliance on a GPU host that serves Qwen2.5-7B; model-init must not be asked for anything."""
    lines = {**settings(hub), "MODEL_ID": "Qwen/Qwen2.5-7B-Instruct", "COMPOSE_FILE": "docker-compose.yml"}
    env_file = tmp_path / ".env"
    env_file.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
    monkeypatch.setenv("OFFLINE", "0")
    monkeypatch.setattr(cards_here, "look", lambda: Gpus("575", (RTX_4090,)))
    monkeypatch.setattr(gpu_setup, "connect", lambda: (None, "no Docker here"))
    return load(tmp_path, env_file)


@pytest.mark.parametrize("model_id", [QWEN3, "Qwen/Qwen2.5-72B-Instruct"])
def test_another_model_is_refused_before_a_byte_of_it_and_env_stays(
    gpu_appliance: Appliance, monkeypatch: pytest.MonkeyPatch, model_id: str
) -> None:
    monkeypatch.setattr(models, "run", lambda *_, **__: pytest.fail("model-init was started"))
    before = gpu_appliance.env_file.read_text()
    with pytest.raises(Exception, match=r"does not serve|does not fit"):
        models.use(gpu_appliance, model_id, "", Output())
    assert gpu_appliance.env_file.read_text() == before


def test_a_model_that_is_served_is_fetched(gpu_appliance: Appliance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "run", lambda *_, **__: 0)
    models.use(gpu_appliance, "Qwen/Qwen2.5-3B-Instruct", "", Output())
    assert dotenv_file.read(gpu_appliance.env_file)["MODEL_ID"] == "Qwen/Qwen2.5-3B-Instruct"


@pytest.mark.parametrize("there", [True, False])
def test_env_is_as_it_was_when_the_switch_fails_later(tmp_path: Path, there: bool) -> None:
    env_file = tmp_path / ".env"
    if there:
        env_file.write_bytes("MODEL_ID=a/b\r\n# Größe".encode("latin-1"))
    before = env_file.read_bytes() if there else None
    appliance = load(tmp_path, tmp_path / "none")
    with pytest.raises(StepFailed), models.kept_env(replaced(appliance, env_file)):
        dotenv_file.choose(env_file, {"MODEL_ID": "c/d"}, "why")
        raise StepFailed("t", expected="e", found="f", remedy="r")
    assert (env_file.read_bytes() if env_file.exists() else None) == before


def replaced(appliance: Appliance, env_file: Path) -> Appliance:

    return replace(appliance, env_file=env_file)
