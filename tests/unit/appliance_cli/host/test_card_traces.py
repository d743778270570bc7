"""A card that is on no PCI bus is seen all the same: its host is never given the CPU engine unasked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from appliance_cli.base.errors import HostNotReady
from appliance_cli.base.output import Output
from appliance_cli.cli.app import app
from appliance_cli.config.appliance import Appliance
from appliance_cli.host import checks, facts, toolkit
from appliance_cli.host.checks import Model
from appliance_cli.host.facts import Host, Nvidia
from appliance_cli.stack import prepare

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
    found = facts._nvidia(None)
    assert (found.cards, found.gpus) == (0, ())
    assert chosen(cpu_host, found) == "cpu"


def test_wsl_has_a_card_without_a_bus_and_without_a_path(bare: Path, cpu_host: Host) -> None:
    (bare / "nvidia-smi").write_text(SMI)
    (bare / "nvidia-smi").chmod(0o755)
    found = facts._nvidia(None)
    assert found.driver == "575.64" and found.gpus[0].name == "NVIDIA GeForce RTX 4090"
    assert chosen(cpu_host, found) == "gpu"


def test_where_the_toolkit_comes_from_is_asked_only_where_a_card_lacks_it(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolkit, "source", lambda repository: f"asked {repository}")
    assert facts._nvidia("there").toolkit_source == ""
    (bare / "bin").mkdir()
    (bare / "nvidia-smi").write_text(SMI)
    (bare / "nvidia-smi").chmod(0o755)
    assert facts._nvidia(None).toolkit_source == ""
    assert facts._nvidia("there").toolkit_source == "asked there"
    (bare / "bin/nvidia-ctk").touch(0o755)
    assert facts._nvidia("there").toolkit_source == ""


def test_wsl_whose_driver_does_not_answer_stops(bare: Path, cpu_host: Host, appliance: Appliance) -> None:
    (bare / "nvidia-smi").write_text("#!/bin/sh\necho 'GPU access blocked by the operating system'; exit 9\n")
    (bare / "nvidia-smi").chmod(0o755)
    found = facts._nvidia(None)
    assert chosen(cpu_host, found) == "gpu"
    said = refusal(cpu_host, found, appliance)
    assert "GPU access blocked" in said and "--cpu" in said


def test_a_container_without_the_device_stops(bare: Path, cpu_host: Host, appliance: Appliance) -> None:
    (bare / "gpus" / "0000:01:00.0").mkdir(parents=True)
    found = facts._nvidia(None)
    assert chosen(cpu_host, found) == "gpu"
    said = refusal(cpu_host, found, appliance)
    assert "nvidia-smi: not installed" in said and "--cpu" in said


@pytest.mark.parametrize("command", ["up", "prepare"])
def test_who_wants_the_cpu_all_the_same_says_so_in_one_word(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []

    def stop(request: prepare.Request, output: Output) -> Appliance:
        asked.append(request.engine)
        raise HostNotReady("enough", expected="e", found="f", remedy="r")

    monkeypatch.setattr(prepare, "prepare", stop)
    options = ["--env-file", str(tmp_path / ".env")]
    for given in ([], ["--cpu"], ["--engine", "gpu"]):
        assert CliRunner().invoke(app, [command, *options, *given]).exit_code == 3
    assert asked == ["auto", "cpu", "gpu"]
