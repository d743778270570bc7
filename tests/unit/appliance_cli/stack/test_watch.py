"""Following a start: a loopback server plays /status, real processes play docker compose."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from appliance_cli.base.errors import ApplianceFailed, StepFailed
from appliance_cli.compose.containers import Container
from appliance_cli.stack import watch

UPDATED = 2_000_000_000.0


def model(stage: str, **more: Any) -> dict[str, Any]:
    return {"stage": stage, "model_id": "a/b", "bytes_done": 0, "bytes_total": None, "error": None, **more}


DOWNLOADING = {
    "state": "downloading",
    "message": "Downloading",
    "model": model(
        "downloading", bytes_done=4_000_000, bytes_total=94_000_000, rate_bytes_per_s=2_000_000.0, eta_s=45
    ),
}
LOADING = {"state": "loading", "message": "The engine loads the model", "model": model("ready")}
READY = {"state": "ready", "message": "Ready", "model": model("ready"), "engine": {"model_id": "a/b"}}


def failed(code: str, updated_at: float = UPDATED) -> dict[str, Any]:
    error = {"code": code, "message": f"{code}: expected this, found that"}
    return {"state": "failed", "message": "x", "model": model("failed", error=error, updated_at=updated_at)}


def container(service: str, **changes: Any) -> Container:
    fine = Container(
        f"id-{service}",
        f"p-{service}-1",
        service,
        "image",
        "running",
        "healthy",
        0,
        0,
        "2026-11-22T10:00:00Z",
    )
    return replace(fine, **changes)


INIT_DONE = container("model-init", state="exited", health="")
ALL = (INIT_DONE, container("tgi"), container("ui"), container("nginx"))


class StatusServer:
    """Answers GET /status with one page after the other; the last one stays."""

    def __init__(self, pages: list[dict[str, Any] | None]) -> None:
        remaining = list(pages)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = remaining.pop(0) if len(remaining) > 1 else remaining[0]
                self.send_response(502 if page is None else 200)
                self.end_headers()
                self.wfile.write(b"<html>not yet</html>" if page is None else json.dumps(page).encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def serve() -> Iterator[Callable[[list[dict[str, Any] | None]], str]]:
    servers: list[StatusServer] = []

    def start(pages: list[dict[str, Any] | None]) -> str:
        servers.append(StatusServer(pages))
        return servers[-1].url

    yield start
    for running in servers:
        running.server.shutdown()
        running.server.server_close()


@pytest.fixture
def judge(tmp_path: Path) -> watch.Judge:
    log = tmp_path / "up.log"
    log.write_text("Container p-nginx-1  Starting\nError response from daemon: port is already allocated\n")
    return watch.Judge(
        began=UPDATED - 100, log_tail=lambda c: (f"last words of {c.service}",), compose_log=log
    )


def follow(
    judge: watch.Judge, url: str, containers: tuple[Container, ...] = ALL, compose_exit: int | None = 0
) -> tuple[dict[str, Any], list[watch.Progress]]:
    shown: list[watch.Progress] = []

    def look() -> watch.Snapshot:
        return watch.Snapshot(watch.fetch_status(url), containers, compose_exit)

    return watch.until_ready(look, judge, shown.append, pause_s=0), shown


def test_a_start_is_followed_from_nothing_to_ready(
    judge: watch.Judge, serve: Callable[[list[dict[str, Any] | None]], str]
) -> None:
    status, shown = follow(judge, serve([None, DOWNLOADING, LOADING, READY]))
    assert status["engine"]["model_id"] == "a/b"
    assert [progress.title for progress in shown] == [
        "Starting the containers",
        "Downloading the model",
        "Loading the model into the engine",
    ]
    assert shown[1].detail == "4.0 MB of 94.0 MB, 2.0 MB/s, about 45 s left"
    assert (shown[1].done, shown[1].total) == (4_000_000, 94_000_000)


@pytest.mark.parametrize("state", ["starting", "downloading"])
def test_a_line_that_is_waited_for_is_said(state: str) -> None:
    waiting = model(
        state, bytes_done=4_000_000, bytes_total=94_000_000, waiting="nothing has come for 3 min; the hub: …"
    )
    shown = watch.progress(watch.Snapshot({"state": state, "model": waiting}, ALL, None))
    assert shown.detail == waiting["waiting"]
    assert (shown.done, shown.total) == (4_000_000, 94_000_000)


def test_nothing_listening_yet_is_a_start_in_progress(unused_url: str) -> None:
    assert watch.fetch_status(unused_url) is None
    waiting = (container("model-init", health=""), container("ui", health="starting"), container("ui"))
    shown = watch.progress(watch.Snapshot(None, waiting, None))
    assert shown == watch.Progress("Starting the containers", "model-init running, ui 1/2")


@pytest.fixture
def unused_url() -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.server_close()
    return f"http://127.0.0.1:{server.server_port}"


@pytest.mark.parametrize(
    "seen",
    [
        watch.Snapshot(READY, ALL, None),
        watch.Snapshot(LOADING, ALL, 0),
        watch.Snapshot(READY, (), 0),
        watch.Snapshot(READY, (*ALL[:3], container("nginx", health="starting")), 0),
        watch.Snapshot(READY, (container("model-init", health=""), *ALL[1:]), 0),
    ],
)
def test_ready_means_everything(judge: watch.Judge, seen: watch.Snapshot) -> None:
    assert not judge.ready(seen)
    judge.require_hope(seen)
    assert judge.ready(watch.Snapshot(READY, ALL, 0))


@pytest.mark.parametrize("code", sorted(watch.HARD_ERRORS))
def test_a_model_that_another_try_cannot_help_ends_the_wait_with_its_reason(
    code: str, judge: watch.Judge, serve: Callable[[list[dict[str, Any] | None]], str]
) -> None:
    with pytest.raises(ApplianceFailed, match="The model cannot be served") as failure:
        follow(
            judge, serve([DOWNLOADING, failed(code)]), (container("model-init", state="restarting"),), None
        )
    assert failure.value.found == f"{code}: expected this, found that"
    assert "logs model-init" in failure.value.remedy
    assert failure.value.exit_code == 5


def test_the_news_of_an_earlier_start_does_not_count(
    judge: watch.Judge, serve: Callable[[list[dict[str, Any] | None]], str]
) -> None:
    old = failed("gated", updated_at=judge.began - 1)
    _, shown = follow(judge, serve([old, READY]))
    assert [progress.title for progress in shown] == ["Getting the model failed; trying again"]


def test_a_passing_failure_is_waited_out_while_model_init_tries_again(
    judge: watch.Judge, serve: Callable[[list[dict[str, Any] | None]], str]
) -> None:
    status, _ = follow(judge, serve([failed("no_network"), DOWNLOADING, READY]))
    assert status["state"] == "ready"


@pytest.mark.parametrize("compose_exit", [0, 1])
def test_when_model_init_gave_up_its_reason_is_told(judge: watch.Judge, compose_exit: int) -> None:
    gone = container("model-init", state="exited", health="", exit_code=13)
    with pytest.raises(ApplianceFailed) as failure:
        judge.require_hope(watch.Snapshot(failed("no_network"), (gone,), compose_exit))
    assert failure.value.found == "no_network: expected this, found that"


def test_a_model_init_that_gave_up_before_is_about_to_be_started_again(judge: watch.Judge) -> None:
    gone = container("model-init", state="exited", health="", exit_code=13)
    judge.require_hope(watch.Snapshot(failed("no_network"), (gone,), None))


def test_when_model_init_said_nothing_its_exit_code_and_last_words_are_told(judge: watch.Judge) -> None:
    gone = container("model-init", state="exited", health="", exit_code=1)
    with pytest.raises(ApplianceFailed) as failure:
        judge.require_hope(watch.Snapshot(None, (gone,), 1))
    assert failure.value.found == "model-init ended with exit code 1"
    assert failure.value.details == ("last words of model-init",)


def test_when_compose_fails_its_own_words_are_told(judge: watch.Judge) -> None:
    with pytest.raises(StepFailed, match="Starting the containers failed") as failure:
        judge.require_hope(watch.Snapshot(None, (INIT_DONE,), 1))
    assert failure.value.details[-1].endswith("port is already allocated")
    assert str(judge.compose_log) in failure.value.found


def test_a_service_that_stays_unhealthy_ends_the_wait_with_its_checks_last_words(judge: watch.Judge) -> None:
    sick = container("ui", health="unhealthy", failed_checks=9, check_words=("the proxy refused",))
    seen = [
        watch.Snapshot(LOADING, (INIT_DONE, each), 0) for each in (container("ui", health="starting"), sick)
    ]
    with pytest.raises(ApplianceFailed, match="The service ui stays unhealthy") as failure:
        watch.until_ready(lambda: seen.pop(0), judge, lambda _: None, pause_s=0)
    assert failure.value.details == ("the proxy refused",)


def test_a_page_that_is_not_a_status_is_none(serve: Callable[[list[dict[str, Any] | None]], str]) -> None:
    assert watch.fetch_status(serve([{"hello": 1}])) is None
