"""The real process: it serves, it drains on SIGTERM, it says no clearly."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import aiohttp
import pytest
from unit.chat_ui.fake_engine import FakeEngine
from unit.chat_ui.service import (
    Service,
    answered,
    ask,
    environment,
    free_port,
    listens,
    service,
)

ANSWERED = "The capital is Paris."

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


async def test_sigterm_lets_a_running_answer_end(engine: FakeEngine, tmp_path: Path) -> None:
    engine.hold = asyncio.Semaphore(1)
    async with service(engine.url, tmp_path) as replica, aiohttp.ClientSession() as session:
        messages = ask(session, replica.url, "What is the capital?")
        async for message in messages:
            if message["msg"] == "process_generating" and engine.open_streams:
                break
        replica.process.send_signal(signal.SIGTERM)
        await refuses(replica)
        let_go_on(engine)
        assert answered([message async for message in messages][-1]) == ANSWERED
        assert await asyncio.wait_for(replica.process.wait(), 30) == 0


async def test_an_idle_replica_stops_with_exit_code_0(engine: FakeEngine, tmp_path: Path) -> None:
    async with service(engine.url, tmp_path) as replica:
        replica.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(replica.process.wait(), 30) == 0


async def test_idle_pages_do_not_hold_a_replica_that_may_drain_for_long(
    engine: FakeEngine, tmp_path: Path
) -> None:
    async with service(engine.url, tmp_path) as replica, aiohttp.ClientSession() as session:
        async for _ in ask(session, replica.url, "What is the capital?"):
            pass
        # its pool keeps the connection open, as a browser and nginx do
        async with session.get(f"{replica.url}/healthz") as response:
            await response.read()
        assert session.connector is not None
        assert any(session.connector._conns.values())
        replica.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(replica.process.wait(), 30) == 0


async def refuses(replica: Service) -> None:
    """Waits until the replica takes no new connection."""
    async with asyncio.timeout(30):
        while await listens(replica.port):
            await asyncio.sleep(0.05)


def let_go_on(engine: FakeEngine) -> None:
    assert engine.hold is not None
    for _ in range(10):
        engine.hold.release()


async def test_a_client_that_goes_away_ends_the_generation(engine: FakeEngine, tmp_path: Path) -> None:
    engine.answer = None
    async with service(engine.url, tmp_path) as replica, aiohttp.ClientSession() as session:
        async for _ in ask(session, replica.url, "Count without end"):
            if engine.open_streams:
                break
        await session.close()
        await asyncio.wait_for(engine.closed_early.wait(), 30)


async def test_a_bad_setting_ends_it_with_one_line_and_code_2() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "chat_ui",
        env=environment(UI_PORT="http"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 2
    assert said.decode().splitlines() == [
        "UI_PORT: expected a whole number from 1 to 65535, found 'http', correct it or unset it for 7860"
    ]


async def check_health(port: int, **more: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "chat_ui.health",
        env=environment(UI_PORT=str(port), **more),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_the_health_check_says_ok_or_why_not(engine: FakeEngine, tmp_path: Path) -> None:
    async with service(engine.url, tmp_path) as replica:
        assert await check_health(replica.port) == (0, "ok\n")
    code, said = await check_health(free_port())
    assert code == 1
    assert len(said.splitlines()) == 1
    assert "does not answer" in said


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_in_the_environment_is_never_used(
    engine: FakeEngine, tmp_path: Path, scheme: str
) -> None:
    """Docker puts its client's proxies into every container."""
    asked: list[str] = []

    def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append("the proxy")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as proxy:
        address = f"{scheme}://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        names = [f"{kind}_proxy" for kind in ("http", "https", "ftp", "all")]
        proxies = {case(name): address for name in names for case in (str.lower, str.upper)}
        async with service(engine.url, tmp_path, **proxies) as replica, aiohttp.ClientSession() as session:
            assert await check_health(replica.port, **proxies) == (0, "ok\n")
            messages = [message async for message in ask(session, replica.url, "What is the capital?")]
            assert answered(messages[-1]) == ANSWERED
            async with session.get(f"{replica.url}/status") as response:
                status = await response.json()
    assert (status["state"], status["ui"]) == ("ready", {"replicas": 1, "healthy": 1})
    assert asked == []
