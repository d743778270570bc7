"""Gives the card to a small container and asks it there, seconds before gigabytes are fetched for it."""

import os
import re
from dataclasses import dataclass

from appliance_cli.base.process import TIMED_OUT, Answer, ask
from appliance_cli.host.drivers import CONFIGURE, GENERATE
from appliance_cli.host.finding import Finding

PROGRAM = "nvidia-smi -L"
PATIENCE_S = 60.0
EXPECTED = "a container that sees the card, as nvidia-smi does outside"


@dataclass(frozen=True)
class Symptom:
    """Words of Docker, of the toolkit or of the driver, the trouble that they mean, and what to do."""

    words: str
    check: str
    remedy: str


SYMPTOMS = (
    Symptom(r"could not select device driver", "toolkit-unaware", CONFIGURE),
    Symptom(r"unknown or invalid runtime name: nvidia", "toolkit-unaware", CONFIGURE),
    Symptom(r"unresolvable CDI devices|CDI device injection failed", "cdi", GENERATE),
    Symptom(r"Driver/library version mismatch", "driver-mismatch", "sudo reboot"),
    Symptom(r"Failed to initialize NVML: Unknown Error", "gpu-lost", "./scripts/appliance heal"),
    Symptom(
        r"unknown device|device not found|No devices were found", "gpu-pinned", "./scripts/appliance gpu"
    ),
    Symptom(r"driver not loaded|libnvidia-ml\.so\.1|nvidia-smi.*not found", "driver-none", CONFIGURE),
)


def try_it(image: str, device: str) -> Answer:
    """Run nvidia-smi in a container of an image that is here. Nothing of it is left."""
    name = f"appliance-card-{os.getpid()}"
    sandbox = ["docker", "run", "--rm", "--name", name, "--pull", "never", "--network", "none", "--read-only"]
    answer = ask(
        [*sandbox, "--gpus", f"device={device}", "--entrypoint", "sh", image, "-c", PROGRAM],
        timeout=PATIENCE_S,
    )
    if answer.code == TIMED_OUT:
        # why: the docker command was ended, and not what it had Docker start
        ask(["docker", "rm", "--force", name])
    return answer


def judge(answer: Answer) -> Finding:
    """What the trial says. A trouble that nobody knows is told in its own words."""
    if answer.code == 0 and "GPU" in answer.out:
        return Finding("ok", f"in a container: {answer.out.strip().splitlines()[0]}", check="gpu-trial")
    said = (answer.err + answer.out).strip()
    known = next((each for each in SYMPTOMS if re.search(each.words, said, re.IGNORECASE)), None)
    last = said.splitlines()[-1] if said else f"exit code {answer.code}"
    return Finding(
        "fail",
        f"a container does not get the card: {last}",
        EXPECTED,
        known.remedy if known else f"try it by hand: docker run --rm --gpus all IMAGE {PROGRAM}",
        known.check if known else "gpu-trial",
    )
