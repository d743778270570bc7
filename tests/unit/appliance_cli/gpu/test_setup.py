"""What `up` is to start, from .env and the cards of a host."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from docker.errors import DockerException

from appliance_cli.base.errors import BadSetting, HostNotReady
from appliance_cli.base.output import Output
from appliance_cli.config import values as given_values
from appliance_cli.config.appliance import Appliance
from appliance_cli.gpu import cards_here
from appliance_cli.gpu import setup as gpu_setup
from appliance_cli.gpu.cards_here import Gpu, Gpus, Process
from appliance_cli.gpu.planning import GIB, MIB


def card(index: int = 0, used: int = 0, processes: tuple[Process, ...] = (), mib: int = 24564) -> Gpu:
    name = "NVIDIA GeForce RTX 4090"
    return Gpu(index, f"GPU-{index}", name, mib * MIB, used * MIB, 400 * MIB, (8, 9), processes)


def decide(
    values: dict[str, str], found: tuple[Gpu, ...], own_pids: frozenset[int] = frozenset()
) -> gpu_setup.Setup:
    return gpu_setup.decide(gpu_setup.read(values), found, own_pids)


def test_one_card_is_pinned_and_its_numbers_become_defaults() -> None:
    setup = decide({}, (card(),))
    assert setup.plan is not None
    assert setup.env == {"GPU_DEVICE": "GPU-0"}
    assert f"${{CUDA_MEMORY_FRACTION:-{setup.plan.fraction:.2f}}}" in setup.text
    assert '"GPU-0"' in setup.text


def test_the_operators_numbers_are_planned_with_and_stay() -> None:
    setup = decide({"CUDA_MEMORY_FRACTION": "0.72", "MAX_TOTAL_TOKENS": "4096"}, (card(),))
    assert setup.plan is not None
    assert (setup.plan.fraction, setup.plan.max_total_tokens) == (0.72, 4096)


def test_the_older_kernels_are_planned_with_where_they_were_chosen() -> None:
    fast, older = (decide({"TARGET_VRAM": "16", "FAST_NF4": switch}, (card(),)).plan for switch in "10")
    assert fast is not None and older is not None
    assert older.fraction < fast.fraction
    assert max(older.used, fast.used) <= 16 * GIB


def test_nginx_knows_how_many_the_engine_takes() -> None:
    text = decide({}, (card(mib=12282),)).text
    assert yaml.safe_load(text.replace("!override", ""))["services"]["nginx"]["environment"] == {
        "MAX_CONCURRENT_REQUESTS": "${MAX_CONCURRENT_REQUESTS:-64}"
    }


def test_a_12_gb_card_gets_graphs_and_a_budget_of_its_size() -> None:
    text = decide({}, (card(mib=12282),)).text
    assert '--cuda-graphs=1,2,4,8,16,32,48,64"' in text
    assert "${MAX_CONCURRENT_REQUESTS:-64}" in text
    assert "${MAX_BATCH_PREFILL_TOKENS:-2048}" in text


def test_more_requests_than_the_largest_graph_are_told_of() -> None:
    warnings = decide({"MAX_CONCURRENT_REQUESTS": "240"}, (card(),)).warnings
    assert any("MAX_CONCURRENT_REQUESTS=240: above 128 answers" in warning for warning in warnings)
    assert not decide({"MAX_CONCURRENT_REQUESTS": "128"}, (card(),)).warnings


def test_what_does_not_fit_stops_it() -> None:
    with pytest.raises(HostNotReady, match="does not fit"):
        decide({"MODEL_ID": "Qwen/Qwen2.5-72B-Instruct"}, (card(),))
    with pytest.raises(HostNotReady, match="does not fit"):
        decide({"MODE": "bf16"}, (card(used=12_000),))
    with pytest.raises(BadSetting, match="too few cards"):
        decide({"TGI_REPLICAS": "2"}, (card(),))


def test_an_engine_that_already_runs_does_not_stand_in_its_own_way() -> None:
    running = card(used=20_500, processes=(Process(7, "python", 20_000 * MIB), Process(8, "Xorg", 500 * MIB)))
    with pytest.raises(HostNotReady):
        decide({}, (running,))
    again = decide({}, (running,), frozenset({7}))
    assert again.plan is not None
    assert again.plan.request.card.used == 500 * MIB


def test_several_engines_take_the_tightest_cards_numbers() -> None:
    setup = decide({"TGI_REPLICAS": "2"}, (card(0), card(1, used=4000)))
    assert setup.devices == ("GPU-0", "GPU-1")
    assert setup.env == {}
    assert setup.plan is not None
    assert setup.plan.request.card.used == 4000 * MIB


def test_an_unknown_model_is_started_unplanned_and_that_is_said() -> None:
    setup = decide({"MODEL_ID": "someone/else", "OFFLINE": "1"}, (card(),))
    assert setup.plan is None
    assert "Whether it fits is not checked" in setup.warnings[0]
    assert "${CUDA_MEMORY_FRACTION:-0.70}" in setup.text


def test_writing_keeps_the_operators_own_compose_files(tmp_path: Path) -> None:
    setup = decide({}, (card(),))
    first = gpu_setup.write(setup, tmp_path, "p", "docker-compose.yml:mine.yml")
    assert first == "docker-compose.yml:mine.yml:compose.engine.p.yml"
    assert gpu_setup.write(setup, tmp_path, "p", first) == first
    assert gpu_setup.write(setup, tmp_path, "p", "") == "docker-compose.yml:compose.engine.p.yml"
    assert (tmp_path / "compose.engine.p.yml").read_text() == setup.text


def prepare(appliance: Appliance) -> dict[str, str]:
    wanted = gpu_setup.read(given_values.read(appliance.env_file))
    setup = gpu_setup.judge(wanted, appliance.project, Output())
    assert not list(appliance.root.glob("compose.engine.*"))
    return gpu_setup.settle(setup, appliance, None)


def test_the_whole_of_it(
    appliance: Appliance,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    appliance.env_file.write_text("MODE=awq\nSPECULATE=3\n")
    for name in ("MODE", "GPU_DEVICE", "COMPOSE_FILE", "MODEL_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(gpu_setup, "connect", lambda: (None, "no engine yet"))
    monkeypatch.setattr(cards_here, "look", lambda: Gpus("580", (card(),)))
    keys = prepare(appliance)
    assert keys == {
        "COMPOSE_FILE": "docker-compose.yml:compose.engine.qwen-appliance.yml",
        "GPU_DEVICE": "GPU-0",
    }
    assert "--quantize=awq" in (tmp_path / "compose.engine.qwen-appliance.yml").read_text()
    told = " ".join(capsys.readouterr().err.split())
    assert "Qwen/Qwen2.5-7B-Instruct-AWQ (7.62 B parameters) in awq" in told
    assert "SPECULATE" in told
    (tmp_path / "compose.engine.qwen-appliance.yml").unlink()
    appliance.env_file.write_text("GPU_DEVICE=0\n")
    assert "GPU_DEVICE" not in prepare(appliance)


def test_the_engines_own_processes() -> None:
    def container(service: str, *pids: str) -> SimpleNamespace:
        labels = {"com.docker.compose.service": service}
        top = {"Titles": ["UID", "PID"], "Processes": [["root", pid] for pid in pids]}
        return SimpleNamespace(labels=labels, top=lambda: top)

    listed = [container("tgi", "7"), container("tgi-2", "8", "9"), container("ui", "10")]
    client = SimpleNamespace(containers=SimpleNamespace(list=lambda filters: listed))
    assert gpu_setup.engine_pids(client, "p") == {7, 8, 9}

    def broken(filters: object) -> None:
        raise DockerException("gone")

    client = SimpleNamespace(containers=SimpleNamespace(list=broken))
    assert gpu_setup.engine_pids(client, "p") == frozenset()
