"""A streamed chat answer, from TGI's frames to OpenAI's.

Most frames need another id and no role, which are replaced as bytes: quotes inside a JSON text are escaped,
so the needles are found only where they are keys. The first frame, calls, probabilities, stops and the end
are read as JSON.
"""

from __future__ import annotations

from typing import Any

import orjson

from openai_api.answers import envelope, finish_reason, logprobs, new_id
from openai_api.chat import ChatRequest
from openai_api.checks import Json
from openai_api.frames import DONE, Frames, event, tokenless
from openai_api.stops import StopFilter

_BEGIN = b'data: {"object":"chat.completion.chunk","id":"",'
_END = b'"logprobs":null,"finish_reason":null}],"usage":null}'
_ROLE, _NO_ROLE = b'"delta":{"role":"assistant","content":', b'"delta":{"content":'


class ChatStream(Frames):
    """One answer.

    Attributes:
        usage: the engine's count, once it was told.
        tokens: how many frames with a token have come.
        call: the call that the answer is: its name and, so far, its arguments.
    """

    def __init__(self, asked: ChatRequest) -> None:
        super().__init__(asked.body)
        self.usage: Json | None = None
        self.tokens = 0
        self.call: tuple[str, str] | None = None
        self._asked = asked
        self._id = new_id("chatcmpl-")
        self._begin = b'data: {"object":"chat.completion.chunk","id":"%s",' % self._id.encode()
        self._is_plain = not asked.stops and asked.top_logprobs is None
        self._filter = StopFilter(asked.stops) if asked.stops else None
        self._envelope: Json | None = None
        self._is_finished = False

    def usual(self, frame: bytes) -> bytes | None:
        """A token of a plain answer that is neither its first nor its last."""
        if not (self._is_plain and self._envelope and frame.startswith(_BEGIN) and frame.endswith(_END)):
            return None
        made = frame.replace(_ROLE, _NO_ROLE, 1)
        if len(made) == len(frame):
            return None
        self.tokens += 1
        return self._begin + made[len(_BEGIN) :] + b"\n\n"

    def translate(self, document: Json) -> bytes:
        """Any other frame."""
        if document.get("usage"):
            self.usage = document["usage"]
        if not document["choices"]:
            return b""
        is_first = self._envelope is None
        self._envelope = {**document, "id": self._id, "choices": [], "usage": None}
        choice = document["choices"][0]
        told = choice["delta"]
        self.tokens += 1
        calls = told.get("tool_calls")
        delta = self._call(calls[0]["function"]) if calls else {"content": told.get("content") or ""}
        if is_first:
            delta = {"role": "assistant", "content": None, **delta}
        reason = choice.get("finish_reason")
        if self._filter and not calls:
            delta["content"] = self._filter.push(delta["content"], is_last=reason is not None)
            if self._filter.hit:
                self.over = reason is None  # the engine's own end is followed by the usage
                reason = "stop"
        if reason is None:
            return self._chunk(delta, logprobs(choice.get("logprobs"), self._asked), None)
        self._is_finished = True
        reason = finish_reason(reason)
        if self.call and reason == "stop":
            reason = "tool_calls"
        return self._chunk(delta, logprobs(choice.get("logprobs"), self._asked), reason)

    def end(self) -> bytes:
        """The last frames: why it ended where TGI did not say, the usage if wanted and known, [DONE]."""
        made = b"" if self._is_finished else self._finish()
        if self._asked.include_usage and self.usage and self._envelope:
            made += event({**self._envelope, "usage": self.usage})
        return made + DONE

    @property
    def untold(self) -> str | None:
        """The function that is called, where TGI has left out arguments that it must have: TGI tells the name
        when what the model has written would be a call by two more braces, and nothing of what came with it.
        In a vocabulary with the token `","` that may be after all of the arguments.
        """
        if self._is_finished or self.call is None or self.call[1].strip() != "{":
            return None
        return self.call[0] if self._needs_arguments(self.call[0]) else None

    def _needs_arguments(self, name: str) -> bool:
        functions = [tool["function"] for tool in self._asked.body["tools"]]
        return any(each["name"] == name and each["parameters"].get("required") for each in functions)

    def tell(self, arguments: str) -> bytes:
        """The frame of the arguments, a JSON object, that TGI left out."""
        name, begun = self.call or ("", "")
        rest = arguments.lstrip().removeprefix("{")
        self.call = name, begun + rest
        return self._chunk(_fragment(rest), None, None)

    def _finish(self) -> bytes:
        """TGI ends a call without a word, and one without arguments without its last brace."""
        if self._envelope is None:  # not even the name of what is called fitted the answer's tokens
            self._envelope = {**envelope("chat.completion.chunk", self._asked), "id": self._id}
            return self._last({"role": "assistant", "content": None}, "length")
        if self.call is None:
            return self._last({}, "stop")
        name, arguments = self.call
        if _is_json(arguments) or not _is_json(arguments + "}"):
            return self._last({}, "tool_calls")
        self.call = name, arguments + "}"
        return self._last(_fragment("}"), "tool_calls")

    def _call(self, function: Json) -> Json:
        arguments = function.get("arguments") or ""
        if self.call is not None:
            name, before = self.call
            # TGI leaves out the name that it has the model write first, and not always the comma behind it
            if before.strip() == "{" and arguments.lstrip().startswith(","):
                arguments = arguments.replace(",", "", 1)
            # what was left out may still come: `untold`
            if before.strip() == "{" and arguments.strip() == "}" and self._needs_arguments(name):
                arguments = ""
            self.call = name, before + arguments
            return _fragment(arguments)
        self.call = function["name"], arguments
        first = {"name": function["name"], "arguments": arguments}
        return {"tool_calls": [{"index": 0, "id": new_id("call_"), "type": "function", "function": first}]}

    def _chunk(self, delta: Json, probabilities: Json | None, reason: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": probabilities, "finish_reason": reason}
        return event({**(self._envelope or {}), "choices": [choice]})

    def _last(self, delta: Json, reason: str) -> bytes:
        return event({**(self._envelope or {}), "choices": [tokenless(0, reason, {"delta": delta})]})


def _fragment(arguments: str) -> Json:
    return {"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]}


def _is_json(text: str) -> bool:
    try:
        found: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict)
