"""What Docker and the driver say when a container is given a card, as recorded, and its trouble."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance_cli.base.errors import StepFailed
from appliance_cli.base.output import Output
from appliance_cli.base.process import Answer
from appliance_cli.config.appliance import load
from appliance_cli.doctor.troubles import TROUBLES
from appliance_cli.host import card_in_container
from appliance_cli.host.card_in_container import SYMPTOMS, judge
from appliance_cli.stack import prepare

DAEMON = "docker: Error response from daemon: "
RUNC = "failed to create task for container: failed to create shim task: OCI runtime create failed: "
SAID = {
    "toolkit-unaware": f'{DAEMON}could not select device driver "" with capabilities: [[gpu]].',
    "cdi": f"{DAEMON}{RUNC}could not apply required modification to OCI specification: error "
    "modifying OCI spec: "
    "failed to inject CDI devices: unresolvable CDI devices nvidia.com/gpu=0",
    "driver-mismatch": "Failed to initialize NVML: Driver/library version mismatch\nNVML library "
    "version: 570.133",
    "gpu-lost": "Failed to initialize NVML: Unknown Error",
    "gpu-pinned": f"{DAEMON}{RUNC}nvidia-container-cli: device error: 7: unknown device: unknown.",
    "driver-none": f"{DAEMON}{RUNC}nvidia-container-cli: initialization error: nvml error: driver not loaded",
}


@pytest.mark.parametrize("check", SAID)
def test_recorded_words_name_their_trouble(check: str) -> None:
    finding = judge(Answer(125, "", SAID[check]))
    assert (finding.level, finding.check) == ("fail", check)
    assert finding.remedy


def test_each_symptom_has_a_row_and_a_record() -> None:
    assert {symptom.check for symptom in SYMPTOMS} == set(SAID) <= set(TROUBLES)


def test_a_card_that_answers_is_fine() -> None:
    finding = judge(Answer(0, "GPU 0: NVIDIA GeForce RTX 4090 (UUID: GPU-4a)\n", ""))
    assert (finding.level, finding.check) == ("ok", "gpu-trial")


def test_what_nobody_knows_is_told_in_its_own_words() -> None:
    finding = judge(Answer(125, "", "docker: something new."))
    assert (finding.level, finding.check) == ("fail", "gpu-trial")
    assert "something new." in finding.found


def test_a_trial_that_hangs_leaves_no_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "docker"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ "$1" = rm ] || exec sleep 20\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(card_in_container, "PATIENCE_S", 1.0)
    assert judge(card_in_container.try_it("small:1", "0")).level == "fail"
    started, removed = (tmp_path / "asked").read_text().splitlines()
    name = started.partition("--name ")[2].split()[0]
    assert removed == f"rm --force {name}"


def test_up_tries_the_card_and_stops_before_it_fetches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "docker"
    program.write_text(
        f"#!/bin/sh\necho \"$@\" > {tmp_path}/asked\necho '{SAID['toolkit-unaware']}' >&2\nexit 125\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    appliance = load(tmp_path, tmp_path / ".env", {"GPU_DEVICE": "GPU-4a", "PYTHON_BASE": "small:1"})
    with pytest.raises(StepFailed, match="cannot give the card") as failure:
        prepare._require_card(appliance, Output())
    assert "nvidia-ctk runtime configure" in failure.value.remedy
    asked = (tmp_path / "asked").read_text()
    assert "--gpus device=GPU-4a" in asked
    assert "--pull never" in asked
    assert "small:1" in asked
