"""What TGI was recorded to answer, and what this engine answers to the same requests."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from unit.cpu_engine.real_engine import RunningEngine, endless, running_engine
from unit.cpu_engine.recorded.exchange import FLAGS, Recorded, difference, form, recorded

from harness.raw_http import Answer, answers_in, exchange

EXCEPTIONS = {
    "GET /metrics": "every series is there from the start, at zero: alerts must tell zero from unknown",
    "chat messages developer": "llama.cpp's template engine takes OpenAI's `developer` for `system`",
    "raw length and chunked": "a length beside chunks is refused: so requests are smuggled past proxies",
}
"""Why an exchange differs, by its name. Nothing that agrees may stand here."""

EXCHANGES = recorded()
PLAIN = [one for one in EXCHANGES if not one.flags]
KEYED = [one for one in EXCHANGES if one.flags and not one.name.startswith("full ")]
FULL = [one for one in EXCHANGES if one.name.startswith("full ")]
OCCUPYING = {"inputs": "1 2 3 4 5 6", "parameters": {"max_new_tokens": 1000}}


@pytest.fixture(scope="module")
def differences(models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where the answers differ, by the name of the exchange."""
    log = tmp_path_factory.mktemp("recorded")
    found: dict[str, str] = {}
    with running_engine(models, log / "plain", "--parallel=4", *FLAGS) as engine:
        found |= _differences(engine, PLAIN, at_once=4)
    with running_engine(models, log / "keyed", "--parallel=1", *FLAGS, *KEYED[0].flags.split()) as engine:
        found |= _differences(engine, KEYED)
        with endless(engine, body=OCCUPYING, key="sk-Test"):
            found |= _differences(engine, FULL)
    return found


def test_every_exchange_is_as_recorded(differences: dict[str, str]) -> None:
    agreeing = len(EXCHANGES) - len(differences)
    print(f"{agreeing} of {len(EXCHANGES)} recorded exchanges agree")
    unexpected = [f"{name}: {text}" for name, text in differences.items() if name not in EXCEPTIONS]
    assert not unexpected, "\n".join([f"{agreeing} of {len(EXCHANGES)} agree", *unexpected])


def test_every_exception_is_needed(differences: dict[str, str]) -> None:
    assert not EXCEPTIONS.keys() - differences.keys()
    assert len(EXCEPTIONS) <= 12


def _differences(engine: RunningEngine, exchanges: Sequence[Recorded], at_once: int = 1) -> dict[str, str]:
    with ThreadPoolExecutor(at_once) as pool:
        texts = pool.map(lambda one: _difference(engine, one), exchanges)
        return {one.name: text for one, text in zip(exchanges, texts, strict=True) if text}


def _difference(engine: RunningEngine, one: Recorded) -> str:
    try:
        return _raw(engine, one.raw, str(one.answer)) if one.raw else _asked(engine, one)
    except (OSError, http.client.HTTPException, UnicodeDecodeError) as error:
        return f"no answer: {error!r}"


def _asked(engine: RunningEngine, one: Recorded) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=120)
    try:
        connection.request(one.method, one.path, one.body, dict(one.headers))
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return difference(one.form, form(one.path, answer.status, headers, answer.read()))
    finally:
        connection.close()


def _raw(engine: RunningEngine, sent: str, recorded_bytes: str) -> str:
    """The answers to what was sent byte by byte, each compared like another."""
    found, expected = (
        _forms(exchange(engine.port, sent.encode()).answers),
        _forms(answers_in(recorded_bytes.encode())),
    )
    return difference(expected, found)


def _forms(answers: Sequence[Answer]) -> list[object]:
    return [form("", one.status, one.headers, one.body) for one in answers]
