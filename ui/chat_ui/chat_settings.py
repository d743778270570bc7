"""How the engine may choose its words: the five settings of the panel, with ranges that TGI accepts.

TGI 3.3.7 rejects temperature <= 0, top_p <= 0 or >= 1, repetition_penalty <= 0 and max_new_tokens < 1. The
sliders can't reach those values, and `Sampling.from_browser` holds for clients that send something else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """A slider: bounds included, default and step."""

    low: float
    high: float
    default: float
    step: float

    def clamp(self, value: Any) -> float:
        """The nearest allowed number; the default for what is not a finite number."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return self.default
        return min(max(value, self.low), self.high)


TEMPERATURE = Range(0.05, 2.0, 0.7, 0.05)
TOP_P = Range(0.05, 0.99, 0.9, 0.01)
MAX_NEW_TOKENS = Range(1, 4096, 512, 1)
REPETITION_PENALTY = Range(1.0, 2.0, 1.15, 0.05)
# why: without one, a chat template puts in the model maker's own, under which small models answer oddly
SYSTEM_PROMPT = "You are a helpful assistant."
# why: a system prompt of a book's length would only ever give "too long"; this bounds what a request can
# carry
SYSTEM_PROMPT_MAX_CHARS = 20_000


@dataclass(frozen=True)
class Sampling:
    """One request's settings, valid by construction when made by `from_browser`."""

    system_prompt: str = SYSTEM_PROMPT
    temperature: float = TEMPERATURE.default
    top_p: float = TOP_P.default
    max_new_tokens: int = int(MAX_NEW_TOKENS.default)
    repetition_penalty: float = REPETITION_PENALTY.default

    @classmethod
    def from_browser(
        cls, system_prompt: Any, temperature: Any, top_p: Any, max_new_tokens: Any, repetition_penalty: Any
    ) -> Sampling:
        """Whatever a client sent, brought into the allowed ranges."""
        return cls(
            system_prompt=system_prompt.strip()[:SYSTEM_PROMPT_MAX_CHARS]
            if isinstance(system_prompt, str)
            else SYSTEM_PROMPT,
            temperature=TEMPERATURE.clamp(temperature),
            top_p=TOP_P.clamp(top_p),
            max_new_tokens=int(MAX_NEW_TOKENS.clamp(max_new_tokens)),
            repetition_penalty=REPETITION_PENALTY.clamp(repetition_penalty),
        )

    def parameters(self, max_new_tokens: int) -> dict[str, Any]:
        """TGI's `parameters` object for this request.

        `do_sample` has to be said: TGI takes it as false when `parameters` is present without it.
        """
        return {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "repetition_penalty": self.repetition_penalty,
            "max_new_tokens": max_new_tokens,
            "do_sample": True,
            "details": True,
            "return_full_text": False,
        }
