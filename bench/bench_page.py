"""What does the chat page cost: to load, to read, to serve? Beside Open WebUI, in front of the same engine.

    PYTHONPATH=.:tests python bench/bench_page.py               # the appliance's page alone
    PYTHONPATH=.:tests python bench/bench_page.py --open-webui  # and Open WebUI's (1.7 GB on first use)

Starts everything itself (Docker; the images that `docker compose build` made) on an internal network and
removes it by id. The emitter and the many people are on one core, the servers on another; Chromium has what
both leave. A table on stdout, each figure as it is found on stderr; --json FILE has all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from bench import open_webui, page_browser, page_load, page_rig, page_table
from bench.page_rig import Page, PageRig

ENGINE_PORT = 3000
Figures = dict[str, Any]


def browse(pages: list[Page], options: argparse.Namespace) -> Figures:
    """What a browser has to do."""
    found: Figures = {page.name: {"loads": [], "turns": []} for page in pages}
    with page_browser.chromium() as browser:
        for phone in (False, True):
            for page in pages:
                loads = page_browser.first_load(browser, page, options.repeat, phone)
                found[page.name]["loads"].append(loads)
                said(page, loads)
        for turns in options.turns:
            for page in pages:
                cost = page_browser.token_cost(browser, page, turns, options.rate, options.tokens)
                found[page.name]["turns"].append(cost)
                said(page, cost)
    return found


def serve(rig: PageRig, emitter: Container, pages: list[Page], options: argparse.Namespace) -> Figures:
    """What the servers have to do."""
    found: Figures = {page.name: [] for page in pages}
    found["straight"] = []
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {options.load_core})
    for people in options.people:
        asked = (people, options.rate, options.seconds * options.rate)
        found["straight"].append(page_load.straight(rig.address(emitter, ENGINE_PORT), *asked))
        for page in pages:
            load = page_load.measure(rig, page, *asked)
            found[page.name].append(load)
            said(page, load)
    os.sched_setaffinity(0, allowed)
    return found


def said(page: Page, figures: Figures) -> None:
    """So that whoever waits sees that it goes on."""
    print(f"{page.name}: {json.dumps(figures)}", file=sys.stderr, flush=True)


def measure(options: argparse.Namespace) -> Figures:
    """Starts what is needed, measures what was asked for."""
    with PageRig(options.load_core, options.proxy_core) as rig:
        emitter = rig.emitter()
        rig.wait_answers(emitter, ENGINE_PORT)
        pages = [page_rig.appliance(rig)]
        if options.open_webui:
            pages.append(open_webui.page(rig))
        found: Figures = {"browser": {}, "server": {}}
        if options.only != "server":
            found["browser"] = browse(pages, options)
        if options.only != "browser":
            found["server"] = serve(rig, emitter, pages, options)
        return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--open-webui", action="store_true", help="beside Open WebUI, pinned in its lock")
    parser.add_argument("--only", choices=("browser", "server"), help="only a half of it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every figure into a file, too")
    parser.add_argument("--repeat", type=int, default=5, help="loads of the page")
    parser.add_argument("--turns", type=int, nargs="+", default=[1, 20, 100])
    parser.add_argument("--tokens", type=int, default=500, help="of an answer in the browser")
    parser.add_argument("--people", type=int, nargs="+", default=[1, 50, 100])
    parser.add_argument("--rate", type=int, default=50, help="tokens a second of each answer")
    parser.add_argument("--seconds", type=int, default=20, help="of each answer that many read")
    parser.add_argument("--load-core", type=int, default=0)
    parser.add_argument("--proxy-core", type=int, default=1)
    options = parser.parse_args()
    # So that an ended benchmark removes its containers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    found = measure(options)
    print(page_table.table(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
