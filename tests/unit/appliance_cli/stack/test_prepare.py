"""What the disk check is told of the model that .env chooses, and that a hub is asked about it once."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from appliance_cli.base.errors import BadSetting, HostNotReady
from appliance_cli.base.output import Output
from appliance_cli.config.appliance import Appliance
from appliance_cli.config.table import SETTINGS
from appliance_cli.gpu import cards_here, hub_config
from appliance_cli.gpu.cards_here import Gpus
from appliance_cli.host import dockerd, facts, toolkit
from appliance_cli.host.facts import Host
from appliance_cli.stack import prepare

REPO = Path(__file__).resolve().parents[4]


def stopped(
    appliance: Appliance, host: Host, free: int, settings: str, monkeypatch: pytest.MonkeyPatch
) -> HostNotReady:
    """The refusal of a host with so little room, before anything was changed."""
    appliance.env_file.write_text(settings)
    narrow = replace(host, docker=replace(host.docker, free_bytes=free))
    monkeypatch.setattr(facts, "look", lambda _: narrow)
    with pytest.raises(HostNotReady, match="nothing was changed") as failure:
        prepare.prepare(prepare.Request(appliance), Output())
    return failure.value


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("", "29.9 GB for the images and Qwen/Qwen2.5-7B-Instruct"),
        ("MODE=awq\n", "20.3 GB for the images and Qwen/Qwen2.5-7B-Instruct-AWQ"),
        ("MODEL_ID=Qwen/Qwen2.5-72B-Instruct\n", "160.1 GB for the images and Qwen/Qwen2.5-72B-Instruct"),
        ("MODEL_ID=someone/else\nOFFLINE=1\n", "30.0 GB for the images and someone/else"),
    ],
)
def test_mode_and_model_decide_how_much_disk_is_needed(
    settings: str, expected: str, appliance: Appliance, gpu_host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stopped(appliance, gpu_host, 19_000_000_000, settings, monkeypatch).expected == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("", "3.0 GB for the images and HuggingFaceTB/SmolLM2-135M-Instruct"),
        ("MODEL_ID=someone/else\n", "3.0 GB for the images and someone/else"),
    ],
)
def test_the_cpu_engines_default_model_is_known(
    settings: str, expected: str, appliance: Appliance, cpu_host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stopped(appliance, cpu_host, 2_900_000_000, settings, monkeypatch).expected == expected


@pytest.mark.parametrize("more", ["", "OFFLINE=0\n", "OFFLINE=1\n", "MODEL_SOURCE=folder\n", "NO_PROXY=*\n"])
def test_a_proxy_that_model_init_refuses_is_refused_before_anything_is_built(
    more: str, appliance: Appliance, cpu_host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OFFLINE")
    settings = f"HTTPS_PROXY=http://me:secret@127.0.0.1:7890\n{more}"
    if more in ("", "OFFLINE=0\n"):
        with pytest.raises(BadSetting) as failure:
            stopped(appliance, cpu_host, 1, settings, monkeypatch)
        assert failure.value.found == "127.0.0.1, which is the container itself, from .env line 1"
        assert failure.value.remedy == (
            "write http://host.docker.internal:7890 and let the proxy listen for it (“allow LAN” in many of "
            "them); the shell's HTTPS_PROXY goes before the one of .env"
        )
    else:
        assert stopped(appliance, cpu_host, 1, settings, monkeypatch).expected.startswith("3.0 GB")


def test_a_hub_is_asked_once(appliance: Appliance, gpu_host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch(model_id: str, _: object) -> dict[str, object]:
        asked.append(model_id)
        raise hub_config._unknown(model_id, "nobody has it")

    monkeypatch.setattr(hub_config, "fetch", fetch)
    appliance.env_file.write_text("MODEL_ID=someone/else\n")
    monkeypatch.setattr(facts, "look", lambda _: gpu_host)
    monkeypatch.setattr(cards_here, "look", lambda: Gpus("580", ()))
    with pytest.raises(HostNotReady, match="card"):
        prepare.prepare(prepare.Request(appliance), Output())
    assert asked == ["someone/else"]


def test_the_cpu_engines_default_is_compose_cpu_ymls() -> None:
    clean = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    command = ["docker", "compose", "--env-file", os.devnull, "config", "--format", "json"]
    files = {"COMPOSE_FILE": "docker-compose.yml:compose.cpu.yml"}
    text = subprocess.check_output(command, cwd=REPO, env={**clean, **files}, text=True)
    assert (
        json.loads(text)["services"]["model-init"]["environment"]["MODEL_ID"] == SETTINGS["MODEL_ID"].on_cpu
    )


def test_an_appliance_that_runs_from_another_folder_is_not_taken_over_unasked(
    appliance: Appliance, cpu_host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = replace(cpu_host, project=replace(cpu_host.project, elsewhere="/srv/first-clone"))
    monkeypatch.setattr(facts, "look", lambda _: elsewhere)
    with pytest.raises(HostNotReady, match="runs from another folder") as refusal:
        prepare.prepare(prepare.Request(appliance), Output())
    told = refusal.value.remedy
    assert "cd /srv/first-clone" in told and "COMPOSE_PROJECT_NAME" in told and "--yes" in told
    assert not appliance.env_file.exists()
    prepare._require_own_folder(elsewhere, appliance, Output(assume_yes=True))
    prepare._require_own_folder(cpu_host, appliance, Output())


def test_the_folder_is_known_by_the_containers_labels(appliance: Appliance) -> None:
    label = "com.docker.compose.project.working_dir"

    def client(*folders: str) -> Any:
        found = [SimpleNamespace(labels={label: folder} if folder else {}) for folder in folders]
        return SimpleNamespace(containers=SimpleNamespace(list=lambda **_: found))

    assert facts.elsewhere(None, appliance) == ""
    assert facts.elsewhere(client(str(appliance.root), ""), appliance) == ""
    assert facts.elsewhere(client(str(appliance.root), "/srv/other"), appliance) == "/srv/other"


def test_the_toolkit_is_installed_once_that_was_allowed_and_docker_restarted_after(
    appliance: Appliance, gpu_host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(toolkit, "install", lambda source, *_: done.append(f"from {source}"))
    monkeypatch.setattr(dockerd, "restart_if_running", lambda _: done.append("restarted"))
    docker = replace(gpu_host.docker, nvidia=False)
    nvidia = replace(gpu_host.nvidia, toolkit=False, toolkit_source="somewhere")
    judged = prepare.Judged(replace(gpu_host, docker=docker, nvidia=nvidia), "gpu", None, [])
    with pytest.raises(HostNotReady, match="Nothing was changed") as refusal:
        prepare._supply(judged, appliance, Output())
    assert "container toolkit and restart Docker" in refusal.value.expected
    assert (refusal.value.found, done) == ("nobody to ask", [])
    prepare._supply(judged, appliance, Output(assume_yes=True))
    assert done == ["from somewhere", "restarted"]
