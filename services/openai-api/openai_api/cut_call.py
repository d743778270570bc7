"""A call that did not end within the tokens that the answer may have. TGI makes an error of it, which quotes
what the model wrote; OpenAI's API shows the call as far as it goes, with the reason `length`.
"""

from __future__ import annotations

import json
import re

from openai_api.answers import envelope, new_id
from openai_api.chat import ChatRequest
from openai_api.checks import Json
from openai_api.errors import CallCut

_NAME = re.compile(r'"_name"\s*:\s*"((?:[^"\\]|\\.)*)"')
_CONTENT = re.compile(r'"content"\s*:\s*("(?:[^"\\]|\\u[0-9a-fA-F]{4}|\\["\\/bfnrt])*)')
NO_TOOL = "no_tool"
"""TGI's own function, by which a model says that it calls none."""


def cut_answer(cut: CallCut, asked: ChatRequest, usage: Json | None) -> Json:
    """The chat.completion that the error should have been; without a usage where it could not be counted."""
    found = _NAME.search(cut.written)
    message: Json = {"role": "assistant", "content": None, "refusal": None}
    if not found or found[1] == NO_TOOL:
        message["content"] = _text(cut.written)
    else:
        arguments = "{" + cut.written[found.end() :].lstrip(" ,")
        function = {"name": found[1], "arguments": arguments}
        message["tool_calls"] = [{"id": new_id("call_"), "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "length"}
    return {**envelope("chat.completion", asked), "choices": [choice], **({"usage": usage} if usage else {})}


def _text(written: str) -> str:
    """What the model says where it calls none, as far as it goes; half a character is left out."""
    found = _CONTENT.search(written)
    said: str = json.loads(found[1] + '"', strict=False) if found else ""
    return said.encode(errors="ignore").decode()
