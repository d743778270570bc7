"""The one object that every route is given, and the names under which this engine presents itself."""

from dataclasses import dataclass

from cpu_engine.settings import Settings
from cpu_engine.tgi.inference import End, Inference

VERSION = "3.3.6-dev0"
"""What TGI 3.3.7 reports as its version; clients that look at it get what they know."""
DOCKER_LABEL = "cpu-engine"
"""Tells this engine from the real one, in /info and in every system_fingerprint."""
FINGERPRINT = f"{VERSION}-{DOCKER_LABEL}"
COMPUTE_TYPE = "cpu"


@dataclass(frozen=True, slots=True)
class Service:
    """The model as the routes see it, and how it was set up."""

    inference: Inference
    settings: Settings


def timing_headers(end: End, characters: int) -> dict[str, str]:
    """TGI's headers on a whole answer; `x-*-time` in milliseconds, x-compute-time in seconds."""
    times = end.timings
    inference = times.ended - times.started
    milliseconds = {
        "x-total-time": times.ended - times.received,
        "x-validation-time": times.queued - times.received,
        "x-queue-time": times.started - times.queued,
        "x-inference-time": inference,
        "x-time-per-token": inference / end.generated_tokens,
    }
    return {
        "x-compute-type": COMPUTE_TYPE,
        "x-compute-time": str(times.ended - times.received),
        "x-compute-characters": str(characters),
        **{name: str(int(seconds * 1000)) for name, seconds in milliseconds.items()},
        "x-prompt-tokens": str(end.input_length),
        "x-generated-tokens": str(end.generated_tokens),
    }
