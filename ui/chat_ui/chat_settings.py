"""The chat's settings, in one table: what the panel shows, the browser keeps and a request brings.

A setting is a field of `ChatSettings`; the page's texts for it are `page_NAME` and `page_NAME_info` in each
file of `languages/`. The panel shows the fields in their order. Each but the system prompt goes to the engine
under its own name, as TGI calls it.

TGI 3.3.7 rejects temperature <= 0, top_p <= 0 or >= 1, repetition_penalty <= 0 and max_new_tokens < 1. The
sliders can't reach those values, and `ChatSettings.from_browser` holds for clients that send something else.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Text:
    """A box to write in, and how much it takes."""

    default: str
    max_chars: int

    def checked(self, value: Any) -> str:
        """What fits of a text; the default for anything else."""
        return value.strip()[: self.max_chars] if isinstance(value, str) else self.default


@dataclass(frozen=True)
class Number:
    """A slider: bounds included, default and step."""

    low: float
    high: float
    default: float
    step: float

    def checked(self, value: Any) -> float:
        """The nearest allowed number, whole where the default is; the default for what is none."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return self.default
        return type(self.default)(min(max(value, self.low), self.high))


def _setting(control: Text | Number) -> Any:
    return field(default=control.default, metadata={"control": control})


@dataclass(frozen=True)
class ChatSettings:
    """One request's settings, valid by construction when made by `from_browser`."""

    # why: without one, a chat template puts in the model maker's own, under which small models answer oddly.
    # A book would only ever give "too long"; the limit bounds what a request can carry.
    system_prompt: str = _setting(Text("You are a helpful assistant.", max_chars=20_000))
    temperature: float = _setting(Number(0.05, 2.0, default=0.7, step=0.05))
    top_p: float = _setting(Number(0.05, 0.99, default=0.9, step=0.01))
    # 0 is as long as there is room in the model's context
    max_new_tokens: int = _setting(Number(0, 4096, default=0, step=1))
    repetition_penalty: float = _setting(Number(1.0, 2.0, default=1.15, step=0.05))

    @classmethod
    def from_browser(cls, *values: Any) -> ChatSettings:
        """Whatever a client sent, in the order of the fields, brought into what is allowed."""
        sent = zip(CONTROLS.items(), values, strict=False)
        checked: dict[str, Any] = {name: control.checked(value) for (name, control), value in sent}
        return cls(**checked)

    @classmethod
    def from_named(cls, values: Any) -> ChatSettings:
        """The same, by the fields' names; what is not there is as by default."""
        named = values if isinstance(values, dict) else {}
        return cls.from_browser(*(named.get(name) for name in CONTROLS))

    def parameters(self, max_new_tokens: int) -> dict[str, Any]:
        """TGI's `parameters` object for this request.

        Without `max_new_tokens` TGI fills what is left, and takes room for it a slice at a time.
        `do_sample` has to be said: TGI takes it as false when `parameters` is present without it.
        """
        own = ("system_prompt", "max_new_tokens")
        chosen = {name: value for name, value in asdict(self).items() if name not in own}
        if max_new_tokens:
            chosen["max_new_tokens"] = max_new_tokens
        return {
            **chosen,
            "do_sample": True,
            "details": True,
            "return_full_text": False,
        }


CONTROLS: dict[str, Text | Number] = {
    setting.name: setting.metadata["control"] for setting in fields(ChatSettings)
}
DEFAULTS: dict[str, str | float] = {name: control.default for name, control in CONTROLS.items()}
