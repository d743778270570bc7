"""A card that is on no PCI bus is seen all the same: its host is never given the CPU engine unasked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from appliance_cli.config.appliance import Appliance
from appliance_cli.host import checks, facts
from appliance_cli.host.checks import Model
from appliance_cli.host.facts import Host, Nvidia

SMI = "#!/bin/sh\necho '0, GPU-4a, NVIDIA GeForce RTX 4090, 24564, 575.64'\n"


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host without any trace of NVIDIA."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(facts, "WSL_NVIDIA_SMI", tmp_path / "nvidia-smi")
    monkeypatch.setattr(facts, "DRIVER_LIST", tmp_path / "gpus")
    monkeypatch.setattr(facts, "_pci_cards", lambda: 0)
    return tmp_path


def chosen(host: Host, nvidia: Nvidia) -> str:
    return checks.choose_engine(replace(host, nvidia=nvidia), "auto", None)


def refusal(host: Host, nvidia: Nvidia, appliance: Appliance) -> str:
    findings = checks.examine(replace(host, nvidia=nvidia), "gpu", appliance, Model("m", 1), starting=False)
    return " ".join(f"{each.found} {each.remedy}" for each in findings if each.level == "fail")


def test_nothing_is_nothing(bare: Path, cpu_host: Host) -> None:
    found = facts._nvidia()
    assert (found.cards, found.gpus) == (0, ())
    assert chosen(cpu_host, found) == "cpu"


def test_wsl_has_a_card_without_a_bus_and_without_a_path(bare: Path, cpu_host: Host) -> None:
    (bare / "nvidia-smi").write_text(SMI)
    (bare / "nvidia-smi").chmod(0o755)
    found = facts._nvidia()
    assert found.driver == "575.64" and found.gpus[0].name == "NVIDIA GeForce RTX 4090"
    assert chosen(cpu_host, found) == "gpu"


def test_wsl_whose_driver_does_not_answer_stops(bare: Path, cpu_host: Host, appliance: Appliance) -> None:
    (bare / "nvidia-smi").write_text("#!/bin/sh\necho 'GPU access blocked by the operating system'; exit 9\n")
    (bare / "nvidia-smi").chmod(0o755)
    found = facts._nvidia()
    assert chosen(cpu_host, found) == "gpu"
    said = refusal(cpu_host, found, appliance)
    assert "GPU access blocked" in said and "--engine cpu" in said


def test_a_container_without_the_device_stops(bare: Path, cpu_host: Host, appliance: Appliance) -> None:
    (bare / "gpus" / "0000:01:00.0").mkdir(parents=True)
    found = facts._nvidia()
    assert chosen(cpu_host, found) == "gpu"
    said = refusal(cpu_host, found, appliance)
    assert "nvidia-smi: not installed" in said and "--engine cpu" in said
