"""Uploads over HTTP: bounded in size, number, time and memory, and a reason for each refusal."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from fastapi import FastAPI

from chat_ui import files
from harness.documents import docx, paragraph, pdf

BINARY = {"Content-Type": "application/octet-stream"}


async def upload(
    http: aiohttp.ClientSession, url: str, name: str, content: bytes, headers: dict[str, str] = BINARY
) -> tuple[int, Any]:
    named = {**headers, files.NAME_HEADER: quote(name)}
    async with http.post(f"{url}/files", data=io.BytesIO(content), headers=named) as response:
        assert response.headers["Cache-Control"] == "no-store"
        return response.status, await response.json()


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("报告.txt", b"hello", "hello"),
        ("paper.pdf", pdf("From a page"), "From a page"),
        ("letter.docx", docx(paragraph("From Word")), "From Word"),
        ("large.txt", b"a" * (2**20 + 1), "a" * 2**19),
    ],
)
async def test_a_file_goes_up_and_its_text_comes_back(
    http: aiohttp.ClientSession, url: str, name: str, content: bytes, text: str
) -> None:
    cut = name == "large.txt"
    assert await upload(http, url, name, content) == (
        200,
        {"text": text, "cut": cut, "tokens": len(text.split()) + 3},
    )


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("huge.txt", b"a" * (files.FILE_BYTES + 1), "too_large"),
        ("lying.pdf", b"hello", "lying"),
        ("broken.pdf", b"%PDF-1.7\n%%EOF", "damaged"),
        ("broken.docx", docx(paragraph("x"))[:-40], "damaged"),
        # a megabyte of nothing but beginnings
        ("deep.html", b"<div>" * 200_000, "damaged"),
        ("deep.docx", docx("<w:p>" * 50_000 + "</w:p>" * 50_000), "damaged"),
    ],
)
async def test_why_there_is_no_text(
    http: aiohttp.ClientSession, url: str, name: str, content: bytes, reason: str
) -> None:
    assert await upload(http, url, name, content) == (422, {"error": reason})


async def test_a_form_of_another_page_sends_no_file(http: aiohttp.ClientSession, url: str) -> None:
    assert (await upload(http, url, "a.txt", b"hello", {"Content-Type": "text/plain"}))[0] == 415


@pytest.mark.parametrize(
    "work",
    [
        pytest.param("while True: pass", id="without end"),
        pytest.param("x = []\nwhile True: x.append(bytes(2**24))", id="without bound"),
        pytest.param("import os; os.abort()", id="to its own death"),
    ],
)
async def test_a_reader_that_goes_astray_is_ended(
    http: aiohttp.ClientSession,
    app: FastAPI,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
    work: str,
) -> None:
    package = tmp_path / "chat_ui"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "extraction.py").write_text(
        f"import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))\n{work}\n"
    )
    monkeypatch.setattr(files, "PACKAGES", tmp_path)
    monkeypatch.setattr(files, "WAIT_SECONDS", 1.0)
    assert await upload(http, url, "a.txt", b"hello") == (422, {"error": "too_much"})


async def test_only_so_many_come_at_a_time(
    http: aiohttp.ClientSession, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "WAITING", -1)  # of the two places one is left
    async with coming_slowly(http, url):
        async with asyncio.timeout(30):
            while (await upload(http, url, "b.txt", b"hello"))[0] != 503:
                await asyncio.sleep(0.01)
    assert (await upload(http, url, "b.txt", b"hello"))[0] == 200


async def test_who_waits_too_long_for_a_place_comes_again(
    http: aiohttp.ClientSession, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PLACE_SECONDS", 0.1)
    async with coming_slowly(http, url), coming_slowly(http, url), asyncio.timeout(30):
        while (await upload(http, url, "b.txt", b"hello"))[0] != 503:
            await asyncio.sleep(0.01)
    assert (await upload(http, url, "b.txt", b"hello"))[0] == 200


@asynccontextmanager
async def coming_slowly(http: aiohttp.ClientSession, url: str) -> AsyncIterator[None]:
    """A file of which the rest comes at the end of the block, and whose text then comes back."""
    began, goes_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"hel"
        began.set()
        await goes_on.wait()
        yield b"lo"

    headers = {**BINARY, files.NAME_HEADER: "a.txt"}
    sending = asyncio.ensure_future(http.post(f"{url}/files", data=slow(), headers=headers))
    await began.wait()
    yield
    goes_on.set()
    async with await sending as response:
        assert await response.json() == {"text": "hello", "cut": False, "tokens": 4}
