"""The door beside another proxy that does the same job with keys, on the same core: processor time,
latency, most streams.

Owns the measures and their arithmetic; starts nothing. Each proxy is measured by the same calls, one after
the other and in turns.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.door_streams import spread
from bench.quiet import Quiet
from bench.request_load import run_requests
from bench.stream_load import Demand, run

Figures = dict[str, Any]
LEVELS = (5, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 320, 400, 500)
ALLOWED_MS = 50.0


@dataclass(frozen=True, slots=True)
class Proxy:
    """One of the proxies: where it listens and what it has spent so far (processor seconds)."""

    name: str
    address: tuple[str, int]
    cpu_seconds: Callable[[], float]


def versus(
    proxies: Sequence[Proxy], direct: tuple[str, int], key: str, repeat: int, quick: bool, quiet: Quiet
) -> Figures:
    """All measures of all proxies, in turns, and the last one's figures over the first's.

    Of up to four times `repeat` rounds the least disturbed ones count.
    """
    count = 200 if quick else 1000
    rounds: list[Figures] = []
    for proxy in proxies:
        run_requests(proxy.address, key, 4, 100)
    while not quiet.enough([each["others"] for each in rounds], repeat):
        quiet.wait()
        rounds.append({proxy.name: _round(proxy, key, count) for proxy in proxies})
        rounds[-1]["others"] = quiet.share()
        print(f"round {len(rounds)}, others {rounds[-1]['others']}", file=sys.stderr)
    kept = sorted(rounds, key=lambda each: each["others"])[:repeat]
    found: Figures = {proxy.name: _summary([each[proxy.name] for each in kept]) for proxy in proxies}
    found["others_share_of_all_cores"] = spread([each["others"] for each in kept])
    levels = LEVELS[:4] if quick else LEVELS
    for proxy in proxies:
        found[proxy.name]["most_streams"] = {
            f"at_{rate}_tokens_per_s": most_streams(proxy, direct, key, rate, levels, quiet)
            for rate in (50, 20)
        }
    first, last = proxies[0].name, proxies[-1].name
    found[f"{last}_over_{first}"] = _ratios(found[first], found[last])
    return found


def _round(proxy: Proxy, key: str, count: int) -> Figures:
    """Short requests one at a time and eight at a time; 100 streams of 50 tokens at 50 tokens/s, five at a
    time."""
    figures: Figures = {}
    for connections in (1, 8):
        before = proxy.cpu_seconds()
        report = run_requests(proxy.address, key, connections, count)
        report["cpu_seconds_per_1000"] = (proxy.cpu_seconds() - before) / count * 1000
        figures[f"short_{connections}_at_a_time"] = report
    before = proxy.cpu_seconds()
    demand = Demand(proxy.address, key, streams=5, total=100, tokens=50, rate=50, ttft_ms=40)
    report = run(demand).report()
    report["cpu_seconds_per_1000"] = (proxy.cpu_seconds() - before) / demand.total * 1000
    figures["streams_5_at_a_time"] = report
    return figures


def _summary(rounds: Sequence[Figures]) -> Figures:
    """Medians over the rounds."""
    summary: Figures = {}
    for measure, report in rounds[0].items():
        each = [turn[measure] for turn in rounds]
        summary[measure] = {
            "cpu_seconds_per_1000": spread([one["cpu_seconds_per_1000"] for one in each]),
            "errors": sum(one["errors"] for one in each),
        }
        for group in ("ttft_ms", "gap_ms", "latency_ms"):
            if group in report:
                summary[measure][group] = {
                    name: round(statistics.median(one[group][name] for one in each), 3)
                    for name in ("p50", "p99")
                }
    return summary


def most_streams(
    proxy: Proxy, direct: tuple[str, int], key: str, rate: int, levels: Sequence[int], quiet: Quiet
) -> Figures:
    """The most streams at a time whose p99 of a token's latency stays within 50 ms of the direct way's.

    Goes up level by level; one that fails, or has an error, is tried four times: a moment does not decide.
    """
    passed, tried = 0, []
    for level in levels:
        for _ in range(4):
            quiet.wait()
            result = _level(proxy, direct, key, rate, level)
            tried.append({**result, "others_share_of_all_cores": quiet.share()})
            print(f"{proxy.name} {tried[-1]}", file=sys.stderr)
            if result["passed"]:
                break
        if not result["passed"]:
            return {"streams": passed, "bounded_by": proxy.name, "tried": tried}
        passed = level
    return {"streams": passed, "bounded_by": "the highest level tried", "tried": tried}


def _level(proxy: Proxy, direct: tuple[str, int], key: str, rate: int, level: int) -> Figures:
    """Three seconds, in which all streams run together, each way."""
    seconds = 3 + level / 250
    reports = {}
    before = cpu = 0.0
    for name, address in (("direct", direct), (proxy.name, proxy.address)):
        before = proxy.cpu_seconds()
        demand = Demand(
            address, key, level, total=level, tokens=int(seconds * rate), rate=rate, ttft_ms=40, patience_s=30
        )
        reports[name] = run(demand).report()
        cpu = proxy.cpu_seconds() - before
    through = reports[proxy.name]
    added = through["latency_ms"].get("p99", 1e9) - reports["direct"]["latency_ms"]["p99"]
    return {
        "streams": level,
        "added_p99_ms": round(added, 3),
        "direct_p99_ms": reports["direct"]["latency_ms"]["p99"],
        "ttft_p99_ms": through["ttft_ms"].get("p99"),
        "errors": through["errors"],
        "cpu_us_per_token": round(cpu / max(through["tokens"], 1) * 1e6, 1),
        "passed": added <= ALLOWED_MS and through["errors"] == 0,
    }


def _ratios(first: Figures, last: Figures) -> Figures:
    """How many times more processor time and latency the last one takes, how many times more streams the
    first carries."""
    ratios: Figures = {}
    for measure in ("short_1_at_a_time", "short_8_at_a_time", "streams_5_at_a_time"):
        a, b = first[measure], last[measure]
        ratios[measure] = {
            "cpu": round(b["cpu_seconds_per_1000"]["median"] / a["cpu_seconds_per_1000"]["median"], 1),
            **{
                f"{group}_{name}": round(b[group][name] / a[group][name], 2)
                for group in ("ttft_ms", "gap_ms", "latency_ms")
                if group in a
                for name in ("p50", "p99")
            },
        }
    for rate, found in first["most_streams"].items():
        ratios[f"most_streams_{rate}"] = round(
            found["streams"] / max(last["most_streams"][rate]["streams"], 1), 1
        )
    return ratios


def print_table(found: Figures) -> None:
    """One line a measure on stderr."""
    print(file=sys.stderr)
    for name, figures in found.items():
        for measure, values in figures.items():
            if measure == "most_streams":
                values = {rate: each["streams"] for rate, each in values.items()}
            print(f"{name:22} {measure:34} {values}", file=sys.stderr)
