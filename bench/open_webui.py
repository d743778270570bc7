"""Open WebUI as bench_page's peer: brought here once, told to do nothing but chat.

Owns its packages, its container, its accounts, its chats and its people, who talk to it as its own page does:
a POST asks, and a socket.io connection brings the answer. Titles, tags, suggestions, search, embeddings and
what it would fetch are off, and it has no way out.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp
import requests
from playwright.sync_api import Browser, BrowserContext

from bench import fetched_packages
from bench.door_rig import python_image
from bench.page_rig import BETWEEN_S, Page, PageRig
from bench.tgi_shapes import ANSWER, MODEL
from harness.waiting import wait_until

PORT = 8080
HANG_SECONDS = 300
_LOCK = Path(__file__).with_name("open_webui.lock")
_OFF = (
    *("ENABLE_OLLAMA_API", "ENABLE_TITLE_GENERATION", "ENABLE_TAGS_GENERATION"),
    *("ENABLE_FOLLOW_UP_GENERATION", "ENABLE_AUTOCOMPLETE_GENERATION", "ENABLE_SEARCH_QUERY_GENERATION"),
    *("ENABLE_RETRIEVAL_QUERY_GENERATION", "ENABLE_VERSION_UPDATE_CHECK", "ENABLE_EVALUATION_ARENA_MODELS"),
    *("ENABLE_COMMUNITY_SHARING", "ANONYMIZED_TELEMETRY"),
)
_ENVIRONMENT = {
    **dict.fromkeys(_OFF, "False"),
    "PYTHONPATH": "/packages",
    "PYTHONPYCACHEPREFIX": "/tmp/pycache",
    "HOME": "/tmp",
    "DATA_DIR": "/data",
    "STATIC_DIR": "/data/static",
    "WEBUI_SECRET_KEY": "bench",
    "OPENAI_API_BASE_URL": "http://tgi:3000/v1",
    "OPENAI_API_KEY": "none",
    "DEFAULT_MODELS": MODEL,
    "BYPASS_MODEL_ACCESS_CONTROL": "True",
    "OFFLINE_MODE": "True",
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "true",
    # else it loads torch and a model
    "RAG_EMBEDDING_ENGINE": "openai",
    "GLOBAL_LOG_LEVEL": "ERROR",
}
T = TypeVar("T")


def page(rig: PageRig) -> Page:
    """Its page, started; its first account is made."""
    folder = fetched_packages.folder("open-webui", _LOCK)
    server = rig.start(
        python_image(),
        ["python3", "-c", "from open_webui import app; app()", "serve", "--port", str(PORT)],
        core="proxy",
        environment=_ENVIRONMENT,
        working_dir="/tmp",
        volumes={str(folder): {"bind": "/packages", "mode": "ro"}},
        tmpfs={"/tmp": "size=1g,mode=1777", "/data": "size=1g,mode=1777"},
    )
    url = "http://{}:{}".format(*rig.address(server, PORT))
    wait_until(
        lambda: _is_well(url), "Open WebUI answers", deadline_s=300, detail=server.logs(tail=20).decode
    )
    admin = _made_account(url, None)

    def enter(browser: Browser, turns: int) -> tuple[BrowserContext, str]:
        token = _made_account(url, admin)
        local = [{"name": "token", "value": token}]
        state: Any = {"cookies": [], "origins": [{"origin": url, "localStorage": local}]}
        path = f"/c/{_made_chat(url, token, turns)}" if turns else "/"
        return browser.new_context(locale="en-US", storage_state=state), path

    return Page(
        name="Open WebUI",
        url=url,
        server=server,
        composer="#chat-input",
        answers=".chat-assistant",
        enter=enter,
        people=lambda count: _People(url, admin, count),
    )


@dataclass
class _Answer:
    message: str
    text: str = ""
    grown: list[tuple[int, int]] = field(default_factory=list)
    lost: str = ""
    over: asyncio.Event = field(default_factory=asyncio.Event)


class _Person:
    """Somebody who has signed in, with the page's connection open."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._answer: _Answer | None = None

    async def arrive(self) -> None:
        """Opens the connection and says who it is."""
        headers = {"Authorization": f"Bearer {self._token}"}
        self._http = aiohttp.ClientSession(headers=headers)
        at = f"{self._url}/ws/socket.io/?EIO=4&transport=websocket"
        self._socket = await self._http.ws_connect(at, max_msg_size=2**26)
        await self._socket.receive_str()
        auth = {"token": self._token}
        await self._socket.send_str("40" + json.dumps(auth))
        self._session = json.loads((await self._socket.receive_str())[2:])["sid"]
        await self._socket.send_str("42" + json.dumps(["user-join", {"auth": auth}]))
        self._reading = asyncio.create_task(self._read())

    async def ask(self, question: str, tokens: int) -> _Answer:
        """A question of a new conversation; returns when its answer is over."""
        self._answer = answer = _Answer(secrets.token_hex(16))
        asked = {"id": secrets.token_hex(16), "role": "user", "content": question, "models": [MODEL]}
        body = {
            "stream": True,
            "model": MODEL,
            "messages": [{"role": "user", "content": question}],
            "params": {"max_tokens": tokens},
            "session_id": self._session,
            "parent_id": None,
            "message_ids": [{"model_id": MODEL, "message_id": answer.message}],
            "user_message": {**asked, "parentId": None, "timestamp": int(time.time())},
        }
        async with self._http.post(f"{self._url}/api/chat/completions", json=body) as response:
            if response.status != 200:
                answer.lost = (await response.text())[:200]
                return answer
        try:
            await asyncio.wait_for(answer.over.wait(), HANG_SECONDS)
        except TimeoutError:
            answer.lost = "not ended in time"
        return answer

    async def leave(self) -> None:
        """Closes all connections."""
        self._reading.cancel()
        await self._http.close()

    async def _read(self) -> None:
        async for message in self._socket:
            if message.data == "2":
                await self._socket.send_str("3")
            elif message.data.startswith('42["events"'):
                self._hear(json.loads(message.data[2:])[1])

    def _hear(self, event: dict[str, Any]) -> None:
        answer = self._answer
        if answer is None or event.get("message_id") != answer.message or event.get("shared"):
            return
        data = event["data"].get("data") or {}
        if data.get("type") == "response.output_text.delta":
            answer.text += data["delta"]
            answer.grown.append((time.monotonic_ns(), len(answer.text)))
        elif data.get("error"):
            answer.lost = json.dumps(data["error"])
        if data.get("done"):
            answer.over.set()


class _People:
    def __init__(self, url: str, admin: str, count: int) -> None:
        self._people = [_Person(url, _made_account(url, admin)) for _ in range(count)]
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._together([person.arrive() for person in self._people])
        return self

    def __exit__(self, *_: object) -> None:
        self._together([person.leave() for person in self._people])
        self._runner.close()

    def ask(self, question: str, tokens: int) -> Sequence[_Answer]:
        async def in_turn(number: int, person: _Person) -> _Answer:
            await asyncio.sleep(number * BETWEEN_S)
            return await person.ask(question, tokens)

        return self._together([in_turn(*each) for each in enumerate(self._people)])

    def _together(self, work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        async def all_of_it() -> list[T]:
            return await asyncio.gather(*work)

        return self._runner.run(all_of_it())


def _is_well(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=5).ok
    except requests.RequestException:
        return False


def _made_account(url: str, admin: str | None) -> str:
    """A new account's token: the first one, of whoever keeps it, or one that he makes."""
    person = {"name": "Somebody", "email": f"{secrets.token_hex(6)}@example.org", "password": "a password"}
    if admin is None:
        return str(_post(url, "/api/v1/auths/signup", person, None)["token"])
    return str(_post(url, "/api/v1/auths/add", {**person, "role": "user"}, admin)["token"])


def _made_chat(url: str, token: str, turns: int) -> str:
    """A conversation of so many turns; its id."""
    messages: dict[str, dict[str, Any]] = {}
    parent: str | None = None
    for number in range(2 * turns):
        role, text = (("user", "Go on."), ("assistant", ANSWER))[number % 2]
        message: dict[str, Any] = {
            "id": secrets.token_hex(16),
            "parentId": parent,
            "childrenIds": [],
            "role": role,
        }
        if parent:
            messages[parent]["childrenIds"] = [message["id"]]
        parent = message["id"]
        said = {"content": text, "timestamp": int(time.time()), "done": True}
        of_role = {"model": MODEL, "modelName": MODEL, "modelIdx": 0} if role == "assistant" else {}
        messages[message["id"]] = {**message, **said, **of_role, "models": [MODEL]}
    chat = {
        "title": "A long one",
        "models": [MODEL],
        "history": {"messages": messages, "currentId": parent},
        "messages": list(messages.values()),
    }
    return str(_post(url, "/api/v1/chats/new", {"chat": chat}, token)["id"])


def _post(url: str, path: str, body: dict[str, Any], token: str | None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    reply = requests.post(url + path, json=body, headers=headers, timeout=60)
    assert reply.ok, f"{path}: {reply.status_code} {reply.text[:300]}"
    found: dict[str, Any] = reply.json()
    return found
