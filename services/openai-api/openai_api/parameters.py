"""The table of parameters: what becomes of every field that a client may send. Nothing else is taken, nothing
is dropped that is not said here. docs/api.md shows this table; `chat` and `completions` do what it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from openai_api.checks import Json, unsupported
from openai_api.errors import BadRequest


class Fate(Enum):
    """What becomes of a parameter."""

    OBEYED = "obeyed"
    CHANGED = "changed"
    IGNORED = "ignored"
    REFUSED = "refused"

    @property
    def chinese(self) -> str:
        """Its word in Chinese."""
        return _CHINESE[self]


_CHINESE = {Fate.OBEYED: "遵循", Fate.CHANGED: "有所调整", Fate.IGNORED: "忽略", Fate.REFUSED: "拒绝"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A row of the table.

    Attributes:
        fate: what becomes of it.
        note: a sentence for people: how it is changed, why it is ignored, what to do when it is refused.
        chinese: the same in Chinese.
        neutral: values of a refused one that ask for nothing, and are dropped.
    """

    fate: Fate
    note: str = ""
    chinese: str = ""
    neutral: tuple[Any, ...] = ()


_OBEYED = Parameter(Fate.OBEYED)


def _changed(note: str, chinese: str) -> Parameter:
    return Parameter(Fate.CHANGED, note, chinese)


def _ignored(note: str, chinese: str) -> Parameter:
    return Parameter(Fate.IGNORED, note, chinese)


def _refused(note: str, chinese: str, *neutral: Any) -> Parameter:
    return Parameter(Fate.REFUSED, note, chinese, neutral)


_LABEL = _ignored("A label for OpenAI's own records.", "只供 OpenAI 自己记录使用的标签。")
_HINT = _ignored("A hint for OpenAI's own service.", "只对 OpenAI 自己的服务有意义的提示。")
_TGI_ONLY = "TGI's own /generate takes it."
_TGI_ONLY_CHINESE = "TGI 自己的 /generate 支持该参数。"

_COMMON = {
    "model": _changed(
        "Any name is answered, by the one model that is here.", "任何名称都会得到回答，由这里唯一的模型作答。"
    ),
    "max_tokens": _OBEYED,
    "temperature": _changed("From 0 to 2; below 0.0001 it is 0.", "0 到 2；低于 0.0001 按 0 处理。"),
    "top_p": _changed(
        "1 is as if absent; 0 is temperature 0, beside which top_p has no meaning.",
        "1 等同于未设置；0 等同于 temperature 0，此时 top_p 不起作用。",
    ),
    "frequency_penalty": _OBEYED,
    "presence_penalty": _refused(
        "The engine has no presence penalty. Leave it out, or use frequency_penalty.",
        "引擎没有 presence penalty。请去掉它，或改用 frequency_penalty。",
        0,
    ),
    "seed": _OBEYED,
    "stop": _changed(
        "A string or up to four. An empty one is as if absent. The answer ends before it.",
        "一个字符串，或最多四个。空字符串等同于未设置。回答在停止词之前结束。",
    ),
    "stream": _OBEYED,
    "stream_options": _changed(
        "include_usage is obeyed, include_obfuscation ignored.",
        "遵循 include_usage，忽略 include_obfuscation。",
    ),
    "n": _refused("One answer a request: send several requests.", "每个请求一个回答：请发送多个请求。", 1),
    "logit_bias": _refused(
        "The engine cannot bias tokens. Leave it out.", "引擎不能调整单个 token 的概率。请去掉它。", {}
    ),
    "user": _LABEL,
    "metadata": _LABEL,
    "top_k": _refused(_TGI_ONLY, _TGI_ONLY_CHINESE, 0, -1),
    "min_p": _refused("The engine has none. Leave it out.", "引擎没有该参数。请去掉它。", 0),
    "typical_p": _refused(_TGI_ONLY, _TGI_ONLY_CHINESE, 1),
}

CHAT: Mapping[str, Parameter] = {
    "messages": _changed(
        "Text only. developer is system; an assistant's message at the end is continued.",
        "仅限文本。developer 视为 system；若最后一条消息来自 assistant，则续写该消息。",
    ),
    **_COMMON,
    "max_completion_tokens": _changed("Counts before max_tokens.", "优先于 max_tokens。"),
    "repetition_penalty": _OBEYED,
    "logprobs": _OBEYED,
    "top_logprobs": _changed("Up to 5.", "最多 5。"),
    "response_format": _changed(
        "text, json_object and json_schema, by a grammar; not together with tools.",
        "text、json_object 与 json_schema，以语法约束实现；不能与 tools 同时使用。",
    ),
    "tools": _changed(
        "Functions, of which an answer calls one at most; [] is as if absent, $ref is written out.",
        "仅限函数，每个回答至多调用一次；[] 等同于未设置，$ref 会被展开。",
    ),
    "tool_choice": _changed(
        "auto, none, required or a function; not allowed_tools: send only those tools.",
        "auto、none、required 或指定函数；不支持 allowed_tools：请只发送允许的 tools。",
    ),
    "parallel_tool_calls": _ignored("An answer has one call at most.", "每个回答至多一次调用。"),
    "modalities": _refused("This model writes text only.", "该模型只输出文本。", ["text"], []),
    "functions": _refused("The old form of tools: send tools.", "tools 的旧形式：请发送 tools。", []),
    "function_call": _refused(
        "The old form of tool_choice: send tool_choice.",
        "tool_choice 的旧形式：请发送 tool_choice。",
        "none",
        "auto",
    ),
    "audio": _refused("This model writes text only.", "该模型只输出文本。"),
    "web_search_options": _refused("This model has no web search.", "该模型没有网络搜索。"),
    "reasoning_effort": _ignored("The model does not reason in secret.", "该模型没有隐藏的推理过程。"),
    "verbosity": _HINT,
    "prediction": _HINT,
    "store": _ignored("Nothing is stored.", "不存储任何内容。"),
    "service_tier": _HINT,
    "moderation": _refused("There is no moderation here. Leave it out.", "这里没有内容审核。请去掉它。"),
    "safety_identifier": _LABEL,
    "prompt_cache_key": _HINT,
    "prompt_cache_options": _HINT,
    "prompt_cache_retention": _HINT,
}

COMPLETIONS: Mapping[str, Parameter] = {
    "prompt": _changed(
        "A text, or up to four in a list; no token numbers.",
        "一段文本，或最多四段的列表；不接受 token 编号。",
    ),
    **_COMMON,
    "echo": _OBEYED,
    "logprobs": _refused(
        "Not on this route: /v1/chat/completions has logprobs, and so has TGI's own /generate.",
        "该路由不支持：/v1/chat/completions 与 TGI 自己的 /generate 有 logprobs。",
        False,
    ),
    "best_of": _refused(_TGI_ONLY, _TGI_ONLY_CHINESE, 1),
    "suffix": _refused("The model cannot fill in. Leave it out.", "该模型不能做中间填充。请去掉它。", ""),
}


def screen(fields: Json, table: Mapping[str, Parameter]) -> None:
    """Refuse what is refused, by name, and what nobody knows.

    Raises:
        BadRequest: the first such field.
    """
    for name, value in fields.items():
        if value is None:
            continue
        parameter = table.get(name)
        if parameter is None:
            shown = name if len(name) <= 64 else name[:64] + "…"
            raise BadRequest(
                f"Unknown parameter: '{shown}'. It would have no effect here: leave it out.",
                shown,
                "unknown_parameter",
            )
        if parameter.fate is Fate.REFUSED and value not in parameter.neutral:
            raise unsupported(name, parameter.note)
