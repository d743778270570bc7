"""The appliance's page in the rig: one replica in front of the emitter, and nginx before it.

Owns how it is started, entered by a browser and asked by many; `Page` is what bench_page's measurements know
of any page. A browser comes through nginx, as in the product; many people ask the replica itself, since what
nginx costs is bench_door's business.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, Self

import requests
from docker.models.containers import Container
from playwright.sync_api import Browser, BrowserContext

from bench.door_rig import Rig
from bench.tgi_shapes import ANSWER
from harness.chats import Answer, Chatter
from harness.crowd import Crowd, finish
from harness.waiting import wait_until

UI_PORT, DOOR_PORT = 7860, 8080
# between two people's questions
BETWEEN_S = 0.04
_KEPT = "qwen-appliance.chat.1"


class Heard(Protocol):
    """What one person got: an answer's text; for each update, when it came (nanoseconds of the monotonic
    clock) and how many characters there then were; what broke it, empty when nothing did.
    """

    @property
    def text(self) -> str: ...

    @property
    def grown(self) -> Sequence[tuple[int, int]]: ...

    @property
    def lost(self) -> str: ...


class People(Protocol):
    """Many people with the page open."""

    def ask(self, question: str, tokens: int) -> Sequence[Heard]:
        """All ask the same, one after the other; returns when every answer is over."""


@dataclass(frozen=True)
class Page:
    """One chat page.

    Attributes:
        url: where a browser opens it.
        server: what is measured of it.
        composer: the selector of its message box.
        answers: the selector of what it shows of answers.
        enter: a new browser for a person who has had a conversation of so many turns; and the path at which
            the page opens with it.
        people: so many, who have just arrived.
    """

    name: str
    url: str
    server: Container
    composer: str
    answers: str
    enter: Callable[[Browser, int], tuple[BrowserContext, str]]
    people: Callable[[int], AbstractContextManager[People]]


class PageRig(Rig):
    """The rig, with a network besides by which nginx takes this machine's own callers."""

    def __enter__(self) -> Self:
        super().__enter__()
        # as the product's: who calls by a loopback address comes from the gateway of a network with a way out
        self._edge = self._docker.networks.create(
            f"{self._network.name}-edge",
            driver="bridge",
            options={"com.docker.network.bridge.enable_ip_masquerade": "false"},
        )
        self._networks.append(self._edge)
        return self

    def replica(self) -> Container:
        """One replica of the page, which asks the emitter itself."""
        return self.start(
            "qwen-appliance/ui:local",
            None,
            core="proxy",
            alias="ui",
            environment={"ENGINE_URL": "http://tgi:3000", "UI_SECRET": "bench"},
            mem_limit="1g",
        )

    def front(self) -> tuple[str, int]:
        """nginx before the replica, open to this machine; where it listens."""
        access = self._scratch / "access"
        access.mkdir()
        access.chmod(0o755)
        self._scratch.chmod(0o755)
        door = self.start(
            "qwen-appliance/nginx:local",
            None,
            core="proxy",
            networks=[self._edge],
            environment={"BIND_ADDRESS": "127.0.0.1", "TLS": "off"},
            volumes={str(access): {"bind": "/access", "mode": "ro"}},
            tmpfs={name: "size=64m,mode=1777" for name in ("/tmp", "/state", "/inside")},
            mem_limit="512m",
        )
        return door.attrs["NetworkSettings"]["Networks"][self._edge.name]["IPAddress"], DOOR_PORT


def appliance(rig: PageRig) -> Page:
    """The appliance's page, started."""
    replica = rig.replica()
    bare, front = ("http://{}:{}".format(*at) for at in (rig.address(replica, UI_PORT), rig.front()))
    for url in (bare, front):
        wait_until(partial(_comes, url), f"{url} has the page", detail=replica.logs(tail=20).decode)

    def enter(browser: Browser, turns: int) -> tuple[BrowserContext, str]:
        said = [part for _ in range(turns) for part in (("user", "Go on."), ("assistant", ANSWER))]
        messages = [{"id": f"{at:016x}", "role": role, "text": text} for at, (role, text) in enumerate(said)]
        kept = json.dumps({"user": None, "messages": messages, "draft": "", "settings": {}})
        stored: Any = [{"origin": front, "localStorage": [{"name": _KEPT, "value": kept}]}] if turns else []
        return browser.new_context(locale="en-US", storage_state={"cookies": [], "origins": stored}), "/"

    return Page(
        name="appliance",
        url=front,
        server=replica,
        composer="#ask textarea",
        answers="#conversation .answer-text",
        enter=enter,
        people=lambda count: _People(bare, count),
    )


class _People:
    def __init__(self, url: str, count: int) -> None:
        self._crowd, self._count = Crowd(url), count

    def __enter__(self) -> Self:
        self._crowd.__enter__()
        self._people: list[Chatter] = self._crowd.arrive(self._count)
        return self

    def __exit__(self, *error: object) -> None:
        self._crowd.__exit__(*error)

    def ask(self, question: str, tokens: int) -> Sequence[Answer]:
        for person in self._people:
            self._crowd.ask([person], tokens, question)
            time.sleep(BETWEEN_S)
        finish(self._people)
        return [person.answer for person in self._people]


def _comes(url: str) -> bool:
    try:
        return requests.get(url, headers={"Accept": "text/html"}, timeout=5).ok
    except requests.RequestException:
        return False
