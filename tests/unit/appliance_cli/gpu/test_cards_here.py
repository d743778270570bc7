"""Choosing and pinning a card: a stand-in for NVML plays the hosts that are not at hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from appliance_cli.base.errors import BadSetting, HostNotReady
from appliance_cli.cli.app import app
from appliance_cli.config import dotenv_file
from appliance_cli.gpu import cards_here
from appliance_cli.gpu.cards_here import Gpu, choose, look, pick_several
from appliance_cli.gpu.planning import MIB


class FakeNvml:
    """NVML as pynvml 13 exposes it. A card is (name, MiB, capability); ``users`` hold memory of the first."""

    class NVMLError(Exception):
        """The library's one exception."""

    nvmlMemory_v2 = 2

    def __init__(
        self,
        *cards: tuple[str, int, tuple[int, int]],
        users: Sequence[tuple[int, int | None]] = (),
        driver: bool = True,
        old: bool = False,
    ) -> None:
        self.cards, self.users, self.driver, self.old = cards, users, driver, old
        self.open = 0

    def nvmlInit(self) -> None:
        if not self.driver:
            raise self.NVMLError("NVML Shared Library Not Found")
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlSystemGetDriverVersion(self) -> str | bytes:
        return b"470.1" if self.old else "580.126"

    def nvmlDeviceGetCount(self) -> int:
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{handle:04x}"

    def nvmlDeviceGetName(self, handle: int) -> str:
        return self.cards[handle][0]

    def nvmlDeviceGetCudaComputeCapability(self, handle: int) -> list[int]:
        return list(self.cards[handle][2])

    def nvmlDeviceGetMemoryInfo(self, handle: int, version: int | None = None) -> Any:
        total, kept = self.cards[handle][1] * MIB, 400 * MIB
        used = sum(count or 0 for _, count in self.users) if handle == 0 else 0
        if version is None:
            return SimpleNamespace(total=total, used=used + total // 50)
        if self.old:
            raise self.NVMLError("Function Not Found")
        return SimpleNamespace(total=total, used=used, reserved=kept)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in self.users if handle == 0]

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle: int) -> list[Any]:
        raise self.NVMLError("Not Supported")


R4090 = ("NVIDIA GeForce RTX 4090", 24564, (8, 9))
R3060 = ("NVIDIA GeForce RTX 3060", 12288, (8, 6))
A100 = ("NVIDIA A100-SXM4-80GB", 81920, (8, 0))
SMALL = ("NVIDIA GeForce RTX 4060 Laptop GPU", 8188, (8, 9))
T4 = ("Tesla T4", 15360, (7, 5))


def cards(*found: tuple[str, int, tuple[int, int]]) -> tuple[Gpu, ...]:
    return look(FakeNvml(*found)).cards


def test_a_card_as_nvml_tells_it() -> None:
    nvml = FakeNvml(R4090, users=[(1, 700 * MIB), (999_999_999, None)])
    found = look(nvml)
    (card,) = found.cards
    assert found.driver == "580.126"
    assert (card.index, card.uuid, card.total, card.reserved) == (0, "GPU-0000", 24564 * MIB, 400 * MIB)
    assert (card.used, card.capability) == (700 * MIB, (8, 9))
    assert card.card.usable == (24564 - 400) * MIB
    first, gone = card.processes
    assert first.name not in ("", "?") and first.used == 700 * MIB
    assert (gone.name, gone.used) == ("?", None)
    assert nvml.open == 0


def test_an_older_driver_tells_no_reserve() -> None:
    nvml = FakeNvml(R4090, users=[(1, 100 * MIB)], old=True)
    (card,) = look(nvml).cards
    assert look(nvml).driver == "470.1"
    assert card.used == 100 * MIB
    assert card.reserved == 24564 * MIB // 50


def test_without_a_driver_the_remedy_is_said() -> None:
    with pytest.raises(HostNotReady, match="driver does not answer") as refusal:
        look(FakeNvml(driver=False))
    assert refusal.value.found == "NVML Shared Library Not Found"
    assert "--engine cpu" in refusal.value.remedy


@pytest.mark.parametrize(
    ("found", "index", "reason"),
    [
        ((R4090,), 0, "the only card, an RTX 4090"),
        ((A100, R4090), 1, "the RTX 4090"),
        ((R4090, R4090), 0, "the RTX 4090 with the least memory in use, of 2"),
        (
            (R3060, A100),
            1,
            "the one with the most memory; there is no RTX 4090. Others: 0: NVIDIA GeForce RTX 3060",
        ),
        ((R3060,), 0, "the only card; the appliance is made for the RTX 4090"),
    ],
)
def test_the_card_that_serves_and_why(
    found: tuple[tuple[str, int, tuple[int, int]], ...], index: int, reason: str
) -> None:
    choice = choose(cards(*found))
    assert choice.gpu.index == index
    assert choice.reason.startswith(reason)
    assert choice.doubt == ""


def test_of_two_4090s_the_idle_one_serves() -> None:
    found = look(FakeNvml(R4090, R4090, users=[(1, 5000 * MIB)])).cards
    assert choose(found).gpu.index == 1


@pytest.mark.parametrize(
    ("card", "doubt"),
    [
        (SMALL, "8188 MiB: see what fits"),
        (T4, "compute capability 7.5: TGI needs 8.0"),
        (("NVIDIA Something 9000", 48000, (9, 0)), "not in the planner's table"),
    ],
)
def test_what_speaks_against_a_card_is_said(card: tuple[str, int, tuple[int, int]], doubt: str) -> None:
    assert choose(cards(card)).doubt.startswith(doubt)


def test_a_card_is_named_by_index_or_uuid() -> None:
    found = cards(R4090, A100)
    assert choose(found, "1").gpu is found[1]
    assert choose(found, "GPU-0001").gpu is found[1]
    with pytest.raises(HostNotReady, match="no such card") as refusal:
        choose(found, "GPU-9")
    assert "GPU-0001" in refusal.value.expected
    with pytest.raises(HostNotReady, match="no NVIDIA card"):
        choose(())


def test_several_cards_named_first_then_the_best() -> None:
    found = cards(R3060, R4090, A100, R4090)
    assert [gpu.index for gpu in pick_several(found, ["2"], 3)] == [2, 1, 3]
    assert [gpu.index for gpu in pick_several(found, [], 2)] == [1, 3]
    assert len(pick_several(found, [], 9)) == 4
    with pytest.raises(BadSetting, match="GPU_DEVICES") as refused:
        pick_several(found, ["2", found[2].uuid], 2)
    assert refused.value.found == f"2, {found[2].uuid}"


# --- the commands


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.write_text("HTTP_PORT=9\n")
    return path


def run(monkeypatch: pytest.MonkeyPatch, nvml: FakeNvml, *arguments: str) -> Any:
    monkeypatch.setattr(cards_here, "look", lambda: look(nvml))
    return CliRunner().invoke(app, [*arguments])


def test_picking_pins_the_uuid_and_leaves_the_rest(monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
    done = run(monkeypatch, FakeNvml(A100, R4090), "gpu", "--pick", "0", "--env-file", str(env_file))
    assert done.exit_code == 0, done.output
    assert dotenv_file.read(env_file) == {"HTTP_PORT": "9", "GPU_DEVICE": "GPU-0000"}
    again = run(monkeypatch, FakeNvml(A100, R4090), "gpu", "--json", "--write", "--env-file", str(env_file))
    assert json.loads(again.stdout)["chosen"] == "GPU-0000"  # what .env names stays


def test_listing_changes_nothing(monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
    done = run(monkeypatch, FakeNvml(A100, R4090), "gpu", "--env-file", str(env_file))
    assert "GPU-0001" in done.stdout and "Driver  580.126" in done.stdout
    assert "--pick GPU-0001" in done.stderr
    assert env_file.read_text() == "HTTP_PORT=9\n"


def test_every_card_that_will_serve_is_marked(monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
    nvml = FakeNvml(A100, R4090, R4090)
    env_file.write_text("TGI_REPLICAS=2\n")
    done = run(monkeypatch, nvml, "gpu", "--env-file", str(env_file))
    assert [line[:5].split() for line in done.stdout.splitlines()[1:4]] == [["0"], ["→", "1"], ["→", "2"]]
    assert "Cards 1, 2: 2 engines" in done.stderr
    listed = run(monkeypatch, nvml, "gpu", "--json", "--env-file", str(env_file))
    assert json.loads(listed.stdout)["serving"] == ["GPU-0001", "GPU-0002"]
    env_file.write_text("TGI_REPLICAS=2\nTENSOR_PARALLEL=2\n")
    done = run(monkeypatch, nvml, "gpu", "--env-file", str(env_file))
    assert "Cards 1, 2, 0: 2 engines, 2 cards each" in done.stderr
    assert "1 missing" in done.stderr


def test_the_plan_is_for_this_hosts_card(monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
    nvml = FakeNvml(R4090, users=[(1, 1000 * MIB)])
    done = run(monkeypatch, nvml, "plan", "--json", "--env-file", str(env_file))
    plan = json.loads(done.stdout)
    assert plan["card"]["used_by_others"] == 1000 * MIB
    assert plan["card"]["usable"] == (24564 - 400) * MIB
    assert [crowd["people"] for crowd in plan["people"]["crowds"]] == [1, 4, 16, 64, 128]
    done = run(
        monkeypatch,
        nvml,
        *("plan", "--json", "--prompt", "6000", "--answer", "1000"),
        "--env-file",
        str(env_file),
    )
    assert json.loads(done.stdout)["people"]["crowds"][-1]["people"] < 40


def test_the_target_may_be_the_whole_card(monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
    env_file.write_text("TARGET_VRAM=16\n")
    arguments = ("plan", "--gpu", "RTX 4090", "--target-vram", "all", "--env-file", str(env_file))
    done = run(monkeypatch, FakeNvml(driver=False), *arguments)
    assert "CUDA_MEMORY_FRACTION=0.97" in done.stdout


def test_without_a_card_the_plan_is_for_the_4090(monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
    nvml = FakeNvml(driver=False)
    done = run(monkeypatch, nvml, "plan", "--target-vram", "16", "--env-file", str(env_file))
    assert done.exit_code == 0
    assert "planning for an RTX 4090" in done.stderr
    assert "CUDA_MEMORY_FRACTION=0.6" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--model", "nobody/nothing"), 2, "cannot be planned before its download"),
        (("--gpu", "RTX 4090", "--vram", "24"), 2, "Two cards were named"),
        (("--mode", "int3"), 2, "MODE cannot be used"),
        (("--model", "Qwen/Qwen2.5-72B-Instruct", "--gpu", "4090"), 3, "MODEL_ID=Qwen/Qwen2.5-14B-Instruct"),
        (("--users", "900", "--vram", "24"), 3, "serve 3"),
    ],
)
def test_a_plan_that_cannot_be_ends_with_one_error(
    arguments: tuple[str, ...], code: int, told: str, monkeypatch: pytest.MonkeyPatch, env_file: Path
) -> None:
    done = run(monkeypatch, FakeNvml(driver=False), "plan", *arguments, "--env-file", str(env_file))
    assert done.exit_code == code
    assert told in done.stderr
    assert done.stdout == ""
