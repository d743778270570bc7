"""People who chat without a browser: each talks to Gradio's queue as the page's own script does.

Owns one person's HTTP: the page, the cookies, the question's POST, the stream with its differences. How many
there are and when they ask is `crowd.py`'s business. How an answer ended is for the test to judge.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from docker.models.containers import Container

# why: no answer of a test takes as long; a hang becomes a failure that says so
HANG_SECONDS = 300
# settings at which a small model counts on and on
_COUNTING = {"temperature": 0.05, "top_p": 0.05, "repetition_penalty": 1.0}
# what the page says of itself: Gradio's events, and the chat's settings by name
_CONFIG, _CHAT = "window.gradio_config = ", "window.CHAT = "


def seat_of(replica: Container) -> str:
    """The affinity cookie's value of a chat replica: nginx's sticky cookie holds the MD5 of its address."""
    replica.reload()
    (network,) = replica.attrs["NetworkSettings"]["Networks"].values()
    return hashlib.md5(f"{network['IPAddress']}:7860".encode()).hexdigest()


@dataclass
class Answer:
    """One answer as a page shows it, from the question's POST on.

    Attributes:
        turn: what the page knows it by.
        shown: all that there is of it, as the page is told; empty before the first word of it.
        grown: for each update, when it came (nanoseconds of the monotonic clock) and how many characters
            there then were.
        over: nothing more will come.
        lost: why the page got no proper end of it: a status other than 200, a broken connection, pieces that
            do not make up what the server says is the whole. Empty while there is no reason.
    """

    turn: str
    question: str
    shown: dict[str, Any] = field(default_factory=dict)
    grown: list[tuple[int, int]] = field(default_factory=list)
    over: bool = False
    lost: str = ""

    @property
    def text(self) -> str:
        """What the model has said."""
        return str(self.shown.get("text", ""))

    @property
    def note(self) -> str:
        """What the page says about the answer: why it ended, or why there is none."""
        return str(self.shown.get("note", ""))

    @property
    def whole(self) -> bool:
        """Whether the person got every word, up to the asked length."""
        return self.over and not self.lost and self.text != "" and (not self.note or "Cut at" in self.note)

    def __str__(self) -> str:
        """What a failed test shows of it."""
        return f"{'over' if self.over else 'under way'}, {self.lost or self.note or 'no note'}: {self.text!r}"


@dataclass
class Chatter:
    """One person with the page open, and cookies of his own. Its coroutines belong to one event loop.

    Attributes:
        answers: one for each message sent, oldest first.
    """

    url: str
    http: aiohttp.ClientSession
    answers: list[Answer] = field(default_factory=list)
    _conversation: str = field(default_factory=lambda: secrets.token_hex(8))
    _page: str = ""
    _event: tuple[int, int] = (0, 0)
    _settings: dict[str, Any] = field(default_factory=dict)
    _reading: asyncio.Task[None] | None = None

    @property
    def seat(self) -> str:
        """The replica that nginx gave this person: the affinity cookie's value."""
        return next(cookie.value for cookie in self.http.cookie_jar if cookie.key.endswith("_ui_route"))

    @property
    def answer(self) -> Answer:
        """The newest one."""
        return self.answers[-1]

    async def open_page(self) -> None:
        """Arrives, or reloads the page: an answer that is being written is no longer read.

        Raises:
            aiohttp.ClientError: the page does not come, or not with status 200.
        """
        await self._stop_reading()
        async with self.http.get(self.url, headers={"Accept": "text/html"}) as response:
            response.raise_for_status()
            html = await response.text()
        config = _object_after(_CONFIG, html)
        self._settings = _object_after(_CHAT, config["head"])["settings"]
        (chat,) = (d for d in config["dependencies"] if d["queue"] and d["types"]["generator"])
        self._event = chat["id"], next(target for target, kind in chat["targets"] if kind == "submit")
        self._page = secrets.token_hex(6)

    async def ask(self, question: str, tokens: int) -> None:
        """Sends the next message of the conversation; its answer of at most `tokens` grows by itself."""
        self.answers.append(Answer(secrets.token_hex(8), question))
        self._reading = asyncio.create_task(self._follow(self.answer, tokens))

    async def leave(self) -> None:
        """Presses Stop, if there is something to stop, and closes the page and all its connections."""
        if self.answers and not self.answer.over:
            ids = {"conversation": self._conversation, "turn": self.answer.turn}
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):  # the replica may be gone
                await self.http.post(f"{self.url}/stop", json=ids)
        await self._stop_reading()
        await self.http.close()

    async def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def _asked(self) -> dict[str, Any]:
        """What the page sends of its conversation, see ui/web/src/conversation.js."""
        said = [message for answer in self.answers for message in _said(answer)][:-1]
        return {
            "conversation": self._conversation,
            "turn": self.answer.turn,
            "kind": "typed",
            "messages": said,
        }

    async def _follow(self, answer: Answer, tokens: int) -> None:
        settings = {**self._settings, **_COUNTING, "max_new_tokens": tokens}
        inputs = [self._asked(), *settings.values()]
        function, trigger = self._event
        body = {"data": inputs, "fn_index": function, "trigger_id": trigger, "session_hash": self._page}
        join, data = (f"{self.url}/gradio_api/queue/{name}" for name in ("join", "data"))
        try:
            async with self.http.post(join, json=body) as response:
                response.raise_for_status()
                await response.read()
            async with self.http.get(data, params={"session_hash": self._page}) as response:
                response.raise_for_status()
                answer.lost = await _read(response, answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            answer.lost = str(error) or repr(error)
        finally:
            answer.over = True


def _object_after(mark: str, text: str) -> dict[str, Any]:
    value, _ = json.JSONDecoder().raw_decode(text, text.index(mark) + len(mark))
    return dict(value)


async def _read(response: aiohttp.ClientResponse, answer: Answer) -> str:
    """Lets the answer grow to its end; returns what is wrong with that end, or nothing."""
    shown: dict[str, Any] | None = None
    async for event in _events(response):
        if event["msg"] == "process_generating":
            update = event["output"]["data"][0]
            # the first update is all that there is of the answer, the others are differences
            shown = update if shown is None else _changed(shown, update)
            answer.shown = shown
            answer.grown.append((time.monotonic_ns(), len(answer.text)))
        elif event["msg"] == "process_completed":
            if not event["success"]:
                return json.dumps(event)
            return "" if event["output"]["data"][0] == shown else "the pieces shown are not the whole"
        elif event["msg"] == "unexpected_error":
            return json.dumps(event)
    return "the stream ended before the answer"


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    async for line in response.content:
        if line.startswith(b"data:"):
            yield json.loads(line[5:])


def _changed(value: dict[str, Any], differences: list[tuple[str, list[Any], Any]]) -> dict[str, Any]:
    """What is shown after Gradio's differences: operation, path, operand."""
    box = [copy.deepcopy(value)]
    for operation, path, operand in differences:
        place: Any = box
        *way, last = [0, *path]
        for step in way:
            place = place[step]
        if operation == "append":
            place[last] += operand
        elif operation == "add" and isinstance(place, list):
            place.insert(last, operand)
        elif operation in ("add", "replace"):
            place[last] = operand
        elif operation == "delete":
            del place[last]
        else:
            raise ValueError(f"not one of Gradio's differences: {operation!r}")
    return box[0]


def _said(answer: Answer) -> list[dict[str, str]]:
    return [{"role": "user", "text": answer.question}, {"role": "assistant", "text": answer.text}]
