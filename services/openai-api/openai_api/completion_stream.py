"""A streamed answer of /v1/completions, from TGI's frames to OpenAI's; several prompts' frames come mixed."""

from __future__ import annotations

from dataclasses import dataclass

from openai_api.answers import finish_reason, new_id, summed, usage_of
from openai_api.checks import Json
from openai_api.completions import CompletionRequest
from openai_api.frames import DONE, Frames, event, tokenless
from openai_api.stops import StopFilter

_BEGIN = b'data: {"object":"text_completion","id":"",'
_NO_REASON, _NULL = b'"logprobs":null,"finish_reason":""}', b'"logprobs":null,"finish_reason":null}'


@dataclass
class _Answer:
    """One prompt's.

    Attributes:
        echo: what stands before its first token.
        withheld: why it ended, which is told together with its usage.
    """

    filter: StopFilter
    echo: str = ""
    withheld: str | None = None
    tokens: int = 0
    is_finished: bool = False
    usage: Json | None = None


class CompletionStream(Frames):
    """One request's answers."""

    def __init__(self, asked: CompletionRequest) -> None:
        super().__init__(asked.body)
        self._id = new_id("cmpl-")
        self._begin = b'data: {"object":"text_completion","id":"%s",' % self._id.encode()
        self._answers = [
            _Answer(StopFilter(asked.stops), prompt if asked.echo else "") for prompt in asked.prompts
        ]
        self._is_plain = not asked.stops and not asked.echo
        # TGI's own place for each usage, where nobody asked for OpenAI's one for all
        self._tells_each = not asked.include_usage
        self._envelope: Json | None = None

    def usual(self, frame: bytes) -> bytes | None:
        """A token of a plain answer that is neither its first nor its last."""
        if not (self._is_plain and self._envelope and frame.startswith(_BEGIN)):
            return None
        made = frame.replace(_NO_REASON, _NULL, 1)
        if len(made) == len(frame):
            return None
        return self._begin + made[len(_BEGIN) :] + b"\n\n"

    def translate(self, document: Json) -> bytes:
        """Any other frame."""
        choice = document["choices"][0]
        index = choice["index"]
        answer = self._answers[index]
        usage = document.pop("usage", None)
        if self._envelope is None:
            self._envelope = {**document, "id": self._id, "choices": []}
        reason = choice["finish_reason"] or None
        answer.tokens += 1
        answer.usage = usage or answer.usage
        if answer.is_finished:
            return self._withheld(index) if usage else b""
        # the token that ends an answer is told here with its own name
        text = "" if reason == "eos_token" else choice["text"]
        shown = answer.echo + answer.filter.push(text, is_last=reason is not None)
        answer.echo = ""
        if answer.filter.hit:
            reason = "stop"
        answer.is_finished = reason is not None
        # whose usage has not come yet was ended here: nothing that is wanted comes any more
        self.over = all(one.is_finished for one in self._answers) and bool(self.uncounted())
        reason = finish_reason(reason) if reason else None
        if self.counts_all and reason and not usage:
            answer.withheld, reason = reason, None
        more = {"usage": usage} if usage and self._tells_each else {}
        return self._chunk({"index": index, "text": shown, "logprobs": None, "finish_reason": reason}, more)

    @property
    def counts_all(self) -> bool:
        """Of several prompts each usage has to be told, or the others' would pass for that of all."""
        return self._tells_each and len(self._answers) > 1

    def uncounted(self) -> list[int]:
        """The prompts whose usage the engine did not tell: their answers were ended here."""
        return [index for index, answer in enumerate(self._answers) if answer.usage is None]

    def count(self, index: int, prompt_tokens: int) -> None:
        """Complete the usage of one of those."""
        self._answers[index].usage = usage_of(prompt_tokens, self._answers[index].tokens)

    def end(self) -> bytes:
        """The last frames: the usage if it is wanted and known, [DONE]."""
        withheld = b"".join([self._withheld(index) for index in range(len(self._answers))])
        usages = [answer.usage for answer in self._answers if answer.usage]
        if self._tells_each or not self._envelope or len(usages) < len(self._answers):
            return withheld + DONE
        return event({**self._envelope, "usage": summed(usages)}) + DONE

    def _withheld(self, index: int) -> bytes:
        answer = self._answers[index]
        reason, answer.withheld = answer.withheld, None
        if reason is None:
            return b""
        more = {"usage": answer.usage} if answer.usage else {}
        return self._chunk(tokenless(index, reason, {"text": ""}), more)

    def _chunk(self, choice: Json, more: Json) -> bytes:
        return event({**(self._envelope or {}), "choices": [choice], **more})
