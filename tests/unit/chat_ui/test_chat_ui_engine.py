"""The engine's client against TGI's contract: what it sends, what it reads, and each way to fail."""

from __future__ import annotations

import socket

import pytest
from unit.chat_ui.fake_engine import FakeEngine, Json

from chat_ui.caller import Caller
from chat_ui.chat_settings import ChatSettings
from chat_ui.engine import Ending, EngineClient, EngineInfo
from chat_ui.errors import (
    BudgetSpent,
    EngineBusy,
    EngineError,
    EngineUnavailable,
    GenerationFailed,
    RateLimited,
    RequestRejected,
    StreamCut,
    TooManyRunning,
)
from harness.moving_host import is_found_where_it_is_now

PARAMETERS = ChatSettings().parameters(10)


async def collect(client: EngineClient, ending: Ending | None = None) -> str:
    return "".join([text async for text in client.generate("prompt", PARAMETERS, ending or Ending())])


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_nginx_is_found_at_its_new_address_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clients: list[EngineClient] = []

    async def ask(url: str) -> None:
        if not clients:
            clients.append(await EngineClient(url).__aenter__())
        await clients[0].check_health(5)

    await is_found_where_it_is_now(monkeypatch, ask)
    await clients[0].__aexit__()


async def test_it_streams_the_text_without_special_tokens(engine: FakeEngine, client: EngineClient) -> None:
    ending = Ending()
    assert await collect(client, ending) == "The capital is Paris."
    assert ending == Ending("eos_token", 4)
    assert engine.generations == [{"inputs": "prompt", "parameters": PARAMETERS}]


async def test_it_tells_an_answer_that_was_cut_at_the_limit(engine: FakeEngine, client: EngineClient) -> None:
    engine.finish_reason = "length"
    ending = Ending()
    await collect(client, ending)
    assert ending.finish_reason == "length"


async def test_a_very_long_answer_fits_into_its_final_event(engine: FakeEngine, client: EngineClient) -> None:
    engine.answer = ["word " * 20_000] * 10
    assert len(await collect(client)) == 1_000_000


async def test_it_reads_the_limits(client: EngineClient) -> None:
    assert await client.info() == EngineInfo("test/words", 100, 140)


async def test_it_counts_with_the_engines_own_tokenizer(engine: FakeEngine, client: EngineClient) -> None:
    messages = [{"role": "user", "content": "two words"}]
    prompt = await client.chat_prompt(messages)
    assert (prompt.text, prompt.tokens) == ("user: two words", 2)
    assert engine.tokenized == [messages]


REFUSALS: list[tuple[int, Json | str, type[EngineError]]] = [
    (429, {"error": "Model is overloaded", "error_type": "overloaded"}, EngineBusy),
    (429, {"error": "More requests than", "code": "rate_limited"}, RateLimited),
    (429, {"error": "As many requests as", "code": "too_many_running"}, TooManyRunning),
    (429, {"error": "The daily budget", "code": "budget_spent"}, BudgetSpent),
    (503, {"error": "The engine is gone", "code": "unavailable"}, EngineUnavailable),
    (424, {"error": "Request failed", "error_type": "generation"}, GenerationFailed),
    (422, {"error": "Input validation error: x", "error_type": "validation"}, RequestRejected),
    (422, {"error": "Template error: x", "error_type": "template_error"}, RequestRejected),
    (422, "Failed to deserialize", RequestRejected),
    (413, "length limit exceeded", RequestRejected),
    (500, {"error": "Incomplete generation", "error_type": "incomplete_generation"}, StreamCut),
    (503, {"error": "unhealthy", "error_type": "healthcheck"}, EngineUnavailable),
    (503, "<html>bad gateway</html>", EngineUnavailable),
    (500, "", GenerationFailed),
]


@pytest.mark.parametrize(("status", "body", "kind"), REFUSALS)
async def test_each_refusal_has_its_kind(
    engine: FakeEngine, client: EngineClient, status: int, body: Json | str, kind: type[EngineError]
) -> None:
    for path in ("/info", "/chat_tokenize", "/generate_stream"):
        engine.refuse[path] = (status, body)
    for call in (client.info(), client.chat_prompt([]), collect(client)):
        with pytest.raises(EngineError) as caught:
            await call
        assert type(caught.value) is kind
        assert str(caught.value)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("17", 17),
        ("0", 0),
        ("-1", None),
        ("soon", None),
        ("Sun, 22 Nov 2026 19:00 GMT", None),
    ],
)
async def test_a_refusal_tells_when_to_come_back(
    engine: FakeEngine, client: EngineClient, header: str | None, seconds: int | None
) -> None:
    engine.refuse["/generate_stream"] = (429, {"error": "too often", "code": "rate_limited"})
    engine.retry_after = header
    with pytest.raises(RateLimited) as caught:
        await collect(client)
    assert caught.value.retry_after == seconds


async def test_every_call_for_a_person_names_him_and_his_request(
    engine: FakeEngine, client: EngineClient
) -> None:
    caller = Caller("alice", "4fd1")
    await client.info(caller)
    await client.chat_prompt([], caller)
    async for _ in client.generate("prompt", PARAMETERS, Ending(), caller):
        pass
    assert engine.asked == [
        (path, "alice", "4fd1") for path in ("/info", "/chat_tokenize", "/generate_stream")
    ]


async def test_the_services_own_calls_name_nobody(engine: FakeEngine, client: EngineClient) -> None:
    await client.check_health(1.0)
    await client.info()
    assert engine.asked == [("/health", None, None), ("/info", None, None)]


@pytest.mark.parametrize(
    "refusal",
    [
        (503, {"error": "unhealthy", "error_type": "healthcheck"}),
        (503, {"error": "The engine is gone", "code": "unavailable"}),
        (502, "<html>Bad Gateway</html>"),
        (404, ""),
    ],
)
async def test_only_200_is_healthy(
    engine: FakeEngine, client: EngineClient, refusal: tuple[int, Json | str]
) -> None:
    engine.refuse["/health"] = refusal
    with pytest.raises(EngineError) as caught:
        await client.check_health(1.0)
    assert str(caught.value)


@pytest.mark.parametrize(
    ("error_type", "kind"),
    [
        ("overloaded", EngineBusy),
        ("generation", GenerationFailed),
        ("validation", RequestRejected),
        ("incomplete_generation_stream", StreamCut),
        ("something new", GenerationFailed),
    ],
)
async def test_an_error_inside_a_stream_has_its_kind(
    engine: FakeEngine, client: EngineClient, error_type: str, kind: type[EngineError]
) -> None:
    engine.error_after = (2, {"error": "said the engine", "error_type": error_type})
    got = []
    with pytest.raises(EngineError, match="said the engine") as caught:
        async for text in client.generate("prompt", PARAMETERS, Ending()):
            got.append(text)
    assert type(caught.value) is kind
    assert got == ["The ", "capital "]


@pytest.mark.parametrize("after", [0, 3])
async def test_a_connection_lost_in_the_middle_is_told(
    engine: FakeEngine, client: EngineClient, after: int
) -> None:
    engine.cut_after = after
    with pytest.raises(StreamCut):
        await collect(client)


async def test_nothing_there_is_unavailable(closed_port: int) -> None:
    async with EngineClient(f"http://127.0.0.1:{closed_port}") as client:
        for call in (client.info(), client.chat_prompt([]), collect(client), client.check_health(1.0)):
            with pytest.raises(EngineUnavailable) as caught:
                await call
            assert str(caught.value)


@pytest.mark.parametrize("body", ["not json", {"model_id": "x"}, {"max_input_tokens": "many"}])
async def test_an_engine_of_another_kind_is_noticed(
    engine: FakeEngine, client: EngineClient, body: Json | str
) -> None:
    engine.refuse = {"/info": (200, body), "/chat_tokenize": (200, body)}
    with pytest.raises(GenerationFailed, match="/info"):
        await client.info()
    with pytest.raises(GenerationFailed, match="/chat_tokenize"):
        await client.chat_prompt([])
