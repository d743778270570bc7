"""What Docker and the driver say when a container is given a card, as recorded, and its trouble."""

from __future__ import annotations

import pytest

from appliance_cli.base.process import Answer
from appliance_cli.doctor.troubles import TROUBLES
from appliance_cli.host.card_in_container import SYMPTOMS, judge

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
