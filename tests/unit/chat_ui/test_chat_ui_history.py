"""The last hour in figures, and the page at /status that draws it."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import aiohttp
import pytest
from aiohttp import web

from chat_ui import figures, history, status_page
from chat_ui.engine import EngineClient
from chat_ui.history import History, Look, Point, point
from chat_ui.messages import TEXTS

DOOR = """
appliance_first_byte_seconds_bucket{route="chat",le="0.5"} %d
appliance_first_byte_seconds_bucket{route="chat",le="1"} %d
appliance_first_byte_seconds_bucket{route="chat",le="+Inf"} %d
appliance_first_byte_seconds_bucket{route="tokenize",le="0.5"} 9000
appliance_first_byte_seconds_bucket{route="tokenize",le="+Inf"} 9000
"""
DOCUMENT: dict[str, Any] = {
    "version": "1.2.3",
    "state": "ready",
    "message": "Ready",
    "model": {"model_id": "a/b"},
    "engine": {"model_id": "<a>/b", "max_input_tokens": 7168, "max_total_tokens": 8192},
    "ui": {"replicas": 3, "healthy": 3},
}


def engine(tokens: float, requests: float = 0) -> figures.Series:
    text = f"tgi_batch_current_size 3\ntgi_queue_size 1\ntgi_request_generated_tokens_sum {tokens}\n"
    return figures.parse(f"{text}tgi_request_count {requests}\n")


def look(at: float, tokens: float, door: tuple[int, int, int], requests: float = 0) -> Look:
    return Look(at, {"10.0.0.1": engine(tokens, requests)}, figures.parse(DOOR % door))


def test_two_looks_make_a_point() -> None:
    made = point(look(100, 1000, (10, 10, 10)), look(110, 1500, (20, 30, 30), 5), 7.0)
    assert made == Point(7.0, 3, 1, 50, 0.5, 0.5, made.first_token_p95)
    assert made.first_token_p95 == pytest.approx(0.95)


def test_an_engine_that_began_anew_has_no_rate_yet() -> None:
    assert point(look(100, 1000, (0, 0, 0)), look(110, 5, (0, 0, 0)), 7.0).tokens_per_second is None


def test_an_engine_whose_figures_were_missed_once_makes_no_spike() -> None:
    both = {"10.0.0.1": engine(1000, 10), "10.0.0.2": engine(50_000, 500)}
    missed: dict[str, figures.Series] = {"10.0.0.1": engine(900, 9), "10.0.0.2": []}
    for before in (missed, {"10.0.0.1": missed["10.0.0.1"]}):
        made = point(Look(100, before, []), Look(110, both, []), 7.0)
        assert (made.tokens_per_second, made.requests_per_second) == (10, 0.1)
    assert point(Look(100, both, []), Look(110, missed, []), 7.0).tokens_per_second is None


def test_a_door_that_was_missed_once_has_no_times_of_everything_before() -> None:
    now = look(110, 1000, (10, 20, 30))
    made = point(Look(100, now.engines, []), now, 7.0)
    assert (made.first_token_p50, made.first_token_p95) == (None, None)


def test_where_nobody_says_anything_there_is_nothing() -> None:
    empty = point(Look(0, {}, []), Look(10, {}, []), 7.0)
    assert empty == Point(7.0, None, None, None, None, None, None)


@pytest.fixture
async def parts() -> AsyncIterator[str]:
    """An engine and a door that count on with each look."""
    asked = {"n": 0}

    async def metrics(_: web.Request) -> web.Response:
        asked["n"] += 1
        return web.Response(text=f"tgi_batch_current_size 2\ntgi_request_count {asked['n']}\n")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_it_looks_on_by_itself_and_forgets_what_is_too_old(
    parts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "ENGINE_PORT", int(parts.rpartition(":")[2]))
    async with EngineClient(parts) as engine:
        watched = History(engine, "localhost", interval=0.01)
        watched.points = deque(maxlen=3)
        watched.start()
        async with asyncio.timeout(30):
            while len(watched.points) < 3 or watched.points[0].requests_per_second is None:
                await asyncio.sleep(0.01)
        await watched.close()
    assert len(watched.points) == 3
    assert {each.batch for each in watched.points} == {2.0}


def drawing(language: str, points: tuple[Point, ...]) -> str:
    return status_page.page(DOCUMENT, points, 10_000.0, language)


@pytest.mark.parametrize("language", sorted(TEXTS))
def test_the_page_is_one_document_without_scripts_in_each_language(language: str) -> None:
    points = (Point(9_000.0, 3, 0, 120, 1.5, 0.4, 0.9), Point(9_990.0, 4, 1, None, None, None, None))
    text = drawing(language, points)
    assert TEXTS[language]["status_title"] in text
    assert "&lt;a&gt;/b" in text, "what others named is not HTML"
    assert not re.search(r"<script|\bon\w+=|https?://|src=", text)
    svgs = re.findall(r"<svg.*?</svg>", text)
    assert len(svgs) == len(status_page.PLOTS)
    for svg in svgs:
        ElementTree.fromstring(svg)


def test_a_gap_is_a_gap() -> None:
    line = [(9_000.0, 1.0), (9_010.0, None), (9_020.0, 2.0), (9_030.0, 2.0)]
    drawn = status_page._path(line, 2.0, 10_000.0)
    assert re.findall("[ML]", drawn) == ["M", "M", "L"]


def test_without_any_history_there_is_a_page() -> None:
    assert "NaN" not in drawing("en", ())


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("text/html,application/xhtml+xml", "text/html"), ("*/*", "application/json"), ("", "application/json")],
)
async def test_a_browser_gets_the_page_and_a_program_the_document(
    http: aiohttp.ClientSession, url: str, tmp_path: Path, accept: str, kind: str
) -> None:
    headers = {"Accept": accept, "Accept-Language": "zh-CN,zh;q=0.9"}
    async with http.get(f"{url}/status", headers=headers) as response:
        assert response.content_type == kind
        assert response.headers["Cache-Control"] == "no-store"
        text = await response.text()
    assert ("服务状态" in text) == (kind == "text/html")
