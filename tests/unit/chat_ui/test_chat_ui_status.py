"""The status document: its states, its one probe a second, and what API clients are told from it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from unit.chat_ui.fake_engine import FakeEngine

from chat_ui import status, unavailable
from chat_ui.engine import EngineClient, EngineInfo
from chat_ui.status import EngineHealth, StatusService, overall_state, summary

UP = EngineHealth("ready", EngineInfo("m", 1, 2))
DOWN = EngineHealth("loading", detail="refused")
NO_NAME = "no-such-name.invalid"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def replica() -> AsyncIterator[int]:
    """A replica's health route on 127.0.0.1; gives its port."""
    app = web.Application()

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app.router.add_get("/healthz", healthz)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.fixture
async def service(
    engine: FakeEngine, client: EngineClient, tmp_path: Path, replica: int
) -> AsyncIterator[StatusService]:
    made = StatusService(client, tmp_path, "localhost", replica, "localhost", "1.2.3", Clock())
    yield made
    await made.close()


def publish(service: StatusService, **model: Any) -> None:
    (service.models_dir / "status.json").write_text(json.dumps(model))


def later(service: StatusService, seconds: float) -> None:
    assert isinstance(service.clock, Clock)
    service.clock.now += seconds


@pytest.mark.parametrize(
    ("stage", "engine_health", "state"),
    [
        (None, DOWN, "starting"),
        (None, UP, "ready"),
        ("starting", DOWN, "starting"),
        ("downloading", DOWN, "downloading"),
        ("verifying", UP, "verifying"),
        ("ready", DOWN, "loading"),
        ("ready", UP, "ready"),
        ("failed", DOWN, "failed"),
        ("failed", UP, "failed"),
        ("of the future", DOWN, "starting"),
    ],
)
def test_the_models_stage_counts_until_it_is_ready(
    stage: str | None, engine_health: EngineHealth, state: str
) -> None:
    assert overall_state({"stage": stage} if stage else None, engine_health) == state


def test_the_message_is_model_inits_own_where_it_has_one() -> None:
    model = {"message": "shard 2 of 4", "error": {"code": "no_disk_space", "message": "15 GB needed"}}
    assert summary("downloading", model, DOWN) == "shard 2 of 4"
    assert summary("downloading", {**model, "waiting": "nothing has come for 3 min"}, DOWN) == (
        "nothing has come for 3 min"
    )
    assert summary("failed", model, DOWN) == "15 GB needed"
    assert summary("loading", model, DOWN) == "The engine is loading the model"
    assert summary("loading", model, EngineHealth("gone")) == "The engine is not running"
    assert summary("failed", {"error": None}, DOWN) == "The model could not be prepared"


async def test_the_document_has_the_contracts_shape(service: StatusService) -> None:
    publish(service, stage="ready", message="ok")
    assert await service.current() == {
        "version": "1.2.3",
        "state": "ready",
        "message": "Ready",
        "model": {"stage": "ready", "message": "ok"},
        "engine": {
            "healthy": True,
            "phase": "ready",
            "model_id": "test/words",
            "max_input_tokens": 100,
            "max_total_tokens": 140,
            "detail": None,
        },
        "ui": {"replicas": 1, "healthy": 1},
    }


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00"])
async def test_a_broken_status_file_counts_as_none(service: StatusService, content: str) -> None:
    (service.models_dir / "status.json").write_text(content)
    assert (await service.current())["model"] is None


async def test_a_hundred_pages_cost_one_probe(service: StatusService, engine: FakeEngine) -> None:
    await asyncio.gather(*(service.current() for _ in range(100)))
    assert engine.health_calls == 1
    later(service, 0.9)
    await service.current()
    assert engine.health_calls == 1
    later(service, 0.2)
    await asyncio.gather(*(service.current() for _ in range(100)))
    assert engine.health_calls == 2


async def test_an_engine_that_goes_away_is_noticed(service: StatusService, engine: FakeEngine) -> None:
    publish(service, stage="ready")
    assert (await service.current())["state"] == "ready"
    engine.refuse["/health"] = (503, {"error": "unhealthy", "error_type": "healthcheck"})
    later(service, 1.1)
    document = await service.current()
    assert document["state"] == "loading"
    assert document["engine"]["phase"] == "restarting"
    assert document["engine"]["detail"] == "unhealthy"
    assert document["message"] == "The engine stopped answering and is restarting"


async def test_what_nginx_says_for_a_missing_engine_is_not_healthy(
    service: StatusService, engine: FakeEngine
) -> None:
    engine.refuse["/health"] = (503, {"error": "The engine is away", "error_type": "unavailable"})
    publish(service, stage="ready")
    document = await service.current()
    assert (document["state"], document["engine"]["phase"]) == ("loading", "loading")
    assert document["engine"]["detail"] == "The engine is away"


async def test_an_engine_without_a_container_is_gone_until_there_is_one(
    service: StatusService, engine: FakeEngine
) -> None:
    publish(service, stage="ready")
    await service.current()
    engine.refuse["/health"] = (503, {"error": "The engine is away", "error_type": "unavailable"})
    phases = []
    for name in (NO_NAME, "localhost"):
        service.engine_host_name = name
        later(service, 1.1)
        phases.append((await service.current())["engine"]["phase"])
    del engine.refuse["/health"]
    later(service, 1.1)
    assert [*phases, (await service.current())["engine"]["phase"]] == ["gone", "restarting", "ready"]


async def test_the_service_asks_in_nobodys_name(service: StatusService, engine: FakeEngine) -> None:
    await service.current()
    assert engine.asked == [("/health", None, None), ("/info", None, None)]


async def test_a_busy_engine_stays_ready_for_a_while(
    service: StatusService, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(service, stage="ready")
    await service.current()
    monkeypatch.setattr(status, "WAIT_FOR_PROBE_SECONDS", 0.01)
    engine.health_gate = asyncio.Event()
    later(service, 5)
    assert (await service.current())["state"] == "ready"
    later(service, status.RECENT_SECONDS)
    document = await service.current()
    assert (document["state"], document["engine"]["phase"]) == ("loading", "restarting")
    assert document["engine"]["detail"] == "the engine does not answer in time"
    assert engine.health_calls == 2
    engine.health_gate.set()
    monkeypatch.setattr(status, "WAIT_FOR_PROBE_SECONDS", 10)
    later(service, 5)
    assert (await service.current())["state"] == "ready"


async def test_an_engine_that_was_never_there(tmp_path: Path, replica: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with EngineClient(f"http://127.0.0.1:{port}") as client:
        service = StatusService(client, tmp_path, "localhost", replica, "localhost", "1.2.3")
        publish(service, stage="ready")
        document = await service.current()
    assert (document["state"], document["engine"]["healthy"]) == ("loading", False)


async def test_replicas_that_do_not_answer_are_counted_apart(
    service: StatusService, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def three(_: str) -> list[str]:
        # only the first one has a listener on the port
        return ["127.0.0.1", "127.0.0.2", "127.0.0.3"]

    monkeypatch.setattr(status, "addresses", three)
    assert (await service.current())["ui"] == {"replicas": 3, "healthy": 1}


async def test_without_a_known_name_there_is_this_replica(service: StatusService) -> None:
    service.host_name = NO_NAME
    assert (await service.current())["ui"] == {"replicas": 1, "healthy": 1}


async def surprise(*_: object) -> None:
    raise RuntimeError("nobody foresaw this")


@pytest.mark.parametrize("asked", ["check_health", "info"])
async def test_a_probe_that_fails_unforeseen_is_told_and_made_again(
    service: StatusService, client: EngineClient, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    publish(service, stage="ready")
    with monkeypatch.context() as broken:
        broken.setattr(client, asked, surprise)
        document = await service.current()
        assert document["state"] == "loading"
        assert document["engine"]["detail"] == "RuntimeError: nobody foresaw this"
    later(service, 1.1)
    assert (await service.current())["state"] == "ready"


async def test_replicas_that_can_not_be_asked_do_not_count_as_healthy(
    service: StatusService, client: EngineClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def surprise_at_once(*_: object, **__: object) -> None:
        raise RuntimeError("nobody foresaw this")

    await service.current()
    later(service, 1.1)
    with monkeypatch.context() as broken:
        broken.setattr(client.session, "get", surprise_at_once)
        assert (await service.current())["ui"] == {"replicas": 1, "healthy": 0}
    later(service, 1.1)
    assert (await service.current())["ui"] == {"replicas": 1, "healthy": 1}


def document(state: str, phase: str = "loading", **model: Any) -> dict[str, Any]:
    return {"state": state, "message": "so it is", "model": model or None, "engine": {"phase": phase}}


def test_openai_clients_get_openais_error_shape() -> None:
    made = unavailable.body("openai", document("downloading", bytes_done=30, bytes_total=120))
    assert made == {
        "error": {
            "message": "The engine is not available (stage: downloading): so it is (25%)",
            "type": "service_unavailable",
            "param": None,
            "code": "model_not_ready",
        }
    }


def test_tgi_clients_get_tgis_error_shape() -> None:
    assert unavailable.body("tgi", document("loading")) == {
        "error": "The engine is not available (stage: loading): so it is",
        "code": "model_not_ready",
    }


@pytest.mark.parametrize(
    ("made", "stage", "code"),
    [
        (document("starting", "gone"), "starting", "model_not_ready"),
        (document("loading", "loading"), "loading", "model_not_ready"),
        (document("loading", "restarting"), "restarting", "engine_restarting"),
        (document("loading", "gone"), "gone", "engine_gone"),
        (document("failed", "gone"), "failed", "model_failed"),
        (document("ready", "ready"), "ready", "engine_unavailable"),
    ],
)
def test_each_way_to_be_away_has_its_stage_and_code(made: dict[str, Any], stage: str, code: str) -> None:
    error = unavailable.body("openai", made)["error"]
    assert error["code"] == code
    assert f"(stage: {stage})" in error["message"]
    assert ("could not be reached" in error["message"]) is (stage == "ready")


@pytest.mark.parametrize(
    ("made", "seconds"),
    [
        (document("loading", eta_s=40), 5),
        (document("downloading"), 5),
        (document("downloading", eta_s=None), 5),
        (document("downloading", eta_s=0.4), 5),
        (document("downloading", eta_s=33.3), 33),
        (document("downloading", eta_s=4000), 60),
    ],
)
def test_clients_are_told_when_to_come_back(made: dict[str, Any], seconds: int) -> None:
    assert unavailable.retry_after(made) == seconds
