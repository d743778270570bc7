"""What a chat page costs a browser: how much comes before one can type, and how long the main thread works on
a token.

Owns Chromium (Playwright, its DevTools protocol). Main-thread time is the thread's processor time, so that
what else the machine does is not in it.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, CDPSession, sync_playwright
from playwright.sync_api import Page as Tab

from bench.page_rig import Page
from bench.tgi_shapes import words

TTFT_MS = 40
# Chromium's own "fast 4G", with a processor of a quarter of the speed
PHONE = {"offline": False, "latency": 165, "downloadThroughput": 1_012_500, "uploadThroughput": 168_750}
PHONE_SLOWER = 4
_QUIET_S = 1.0
_PATIENCE_MS = 120_000
_ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
Figures = dict[str, Any]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's, headless."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_ARGUMENTS)
        yield running
        running.close()


def first_load(browser: Browser, page: Page, repeat: int, phone: bool) -> Figures:
    """Each time with nothing in the cache; medians."""
    loads = [_load(browser, page, phone) for _ in range(repeat)]
    median = {name: statistics.median(load[name] for load in loads) for name in loads[0]}
    return {"phone": phone, **{name: round(value, 3) for name, value in median.items()}}


def token_cost(browser: Browser, page: Page, turns: int, rate: int, tokens: int) -> Figures:
    """The main thread's milliseconds for each token of the answer of a conversation's turn of this number."""
    context, path = page.enter(browser, turns - 1)
    tab = context.new_page()
    tab.set_default_timeout(_PATIENCE_MS)
    devtools = context.new_cdp_session(tab)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    tab.goto(page.url + path)
    tab.locator(page.composer).wait_for()
    shown = tab.locator(page.answers)
    if turns > 1:
        # not all of them: Open WebUI puts the latest ones into its page
        shown.last.wait_for(state="attached")
    _rests(tab, devtools)
    tab.locator(page.composer).fill(f"rate={rate} ttft_ms={TTFT_MS} tokens={tokens} text=words")
    _rests(tab, devtools)
    before = _spent(devtools)
    tab.locator(page.composer).press("Enter")
    tab.wait_for_timeout(1000 * tokens / rate)
    _rests(tab, devtools)
    after = _spent(devtools)
    said = " ".join((shown.last.text_content() or "").split())
    context.close()
    wanted = len("".join((words("words") * (1 + tokens // len(words("words"))))[:tokens]).split())
    return {
        "turns": turns,
        "ms_per_token": round((after - before) * 1000 / tokens, 3),
        "words_shown": len(said.split()),
        "words_sent": wanted,
    }


def _load(browser: Browser, page: Page, phone: bool) -> dict[str, float]:
    context, path = page.enter(browser, 0)
    tab = context.new_page()
    tab.set_default_timeout(_PATIENCE_MS)
    devtools = context.new_cdp_session(tab)
    sizes: list[float] = []
    last = [time.monotonic()]

    def came(event: dict[str, Any]) -> None:
        sizes.append(event["encodedDataLength"])
        last[0] = time.monotonic()

    devtools.on("Network.loadingFinished", came)
    devtools.send("Network.enable")
    if phone:
        devtools.send("Network.emulateNetworkConditions", PHONE)
        devtools.send("Emulation.setCPUThrottlingRate", {"rate": PHONE_SLOWER})
    began = time.monotonic()
    tab.goto(page.url + path, wait_until="commit")
    tab.locator(page.composer).wait_for()
    seconds = time.monotonic() - began
    while time.monotonic() - last[0] < _QUIET_S:
        tab.wait_for_timeout(100)
    context.close()
    return {"seconds_to_composer": seconds, "kilobytes": sum(sizes) / 1000, "requests": len(sizes)}


def _spent(devtools: CDPSession) -> float:
    """The main thread's seconds so far."""
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


def _rests(tab: Tab, devtools: CDPSession) -> None:
    """Waits until the main thread has little to do for a second."""
    before = _spent(devtools)
    while True:
        tab.wait_for_timeout(1000)
        now = _spent(devtools)
        if now - before < 0.05:
            return
        before = now
