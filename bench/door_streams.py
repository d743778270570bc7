"""What the door adds to a stream: the same load straight to the engine and through the door, in turns, as
ratios.

Owns the matrix and its arithmetic; starts nothing.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.quiet import Quiet
from bench.stream_load import Demand, run

Figures = dict[str, Any]
RATIOS = (("ttft_ms", "p50"), ("ttft_ms", "p99"), ("gap_ms", "p50"), ("gap_ms", "p99"))


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of the matrix."""

    streams: int
    rate: int
    ttft_ms: int

    def demand(self, address: tuple[str, int], key: str, route: str) -> Demand:
        """At least 20 streams, so that percentiles of first tokens mean something; a lone one is shorter.

        Five seconds each: of 500, whose starts are spread over two, all run together for three.
        """
        short = self.streams == 1
        return Demand(
            address=address,
            key=key,
            streams=self.streams,
            total=max(self.streams, 20),
            tokens=25 if short else 5 * self.rate,
            rate=self.rate,
            ttft_ms=self.ttft_ms,
            route=route,
        )


def matrix(quick: bool) -> list[Cell]:
    """Streams × rate × the engine's own time to a first token."""
    if quick:
        return [Cell(1, 50, 40), Cell(50, 50, 40)]
    loads = [(1, 50), (50, 50), (200, 50), (500, 20), (500, 50)]
    return [Cell(streams, rate, ttft) for ttft in (40, 0) for streams, rate in loads]


def compare(
    cell: Cell,
    route: str,
    ways: dict[str, tuple[str, int]],
    key: str,
    repeat: int,
    cpu_seconds: Callable[[], float],
    quiet: Quiet,
) -> Figures:
    """Both ways in turns, who begins alternating, until `repeat` rounds were quiet or four times as many were
    taken; the least disturbed ones count. One round before is thrown away.

    Args:
        cell: the load.
        route: what is asked.
        ways: the addresses of `direct` (the engine) and `door`.
        key: bearer key.
        repeat: rounds.
        cpu_seconds: what the door has used so far.
        quiet: tells what others did meanwhile.

    Returns:
        Medians of each way's figures, the ratios' medians with least and greatest, the door's processor time.
    """
    demands = {name: cell.demand(address, key, route) for name, address in ways.items()}
    for demand in demands.values():
        run(replace(demand, total=demand.streams, tokens=10))
    rounds: list[Figures] = []
    while not quiet.enough([each["others"] for each in rounds], repeat):
        quiet.wait()
        rounds.append(_round(demands, len(rounds) % 2 == 1, cpu_seconds))
        rounds[-1]["others"] = quiet.share()
        print(f"{cell}: round {len(rounds)}, others {rounds[-1]['others']}", file=sys.stderr)
    kept = sorted(rounds, key=lambda each: each["others"])[:repeat]
    direct, door = ([each[name] for each in kept] for name in ("direct", "door"))
    return {
        "streams": cell.streams,
        "tokens_per_s": cell.rate,
        "engine_ttft_ms": cell.ttft_ms,
        "direct": middle(direct),
        "door": middle(door),
        "ratios": ratios(direct, door),
        "added_latency_ms": added(direct, door),
        "door_cpu_us_per_token": spread([each["cpu_us_per_token"] for each in kept]),
        "others_share_of_all_cores": spread([each["others"] for each in kept]),
        "rounds_taken": len(rounds),
    }


def _round(demands: dict[str, Demand], door_first: bool, cpu_seconds: Callable[[], float]) -> Figures:
    figures: Figures = {}
    for name in sorted(demands, reverse=door_first):
        before = cpu_seconds()
        report = figures[name] = run(demands[name]).report()
        if name == "door":
            figures["cpu_us_per_token"] = (cpu_seconds() - before) / max(report["tokens"], 1) * 1e6
    return figures


def middle(rounds: Sequence[Figures]) -> Figures:
    """Medians over the rounds."""
    return {
        **{
            f"{group}_{name}": round(statistics.median(each[group][name] for each in rounds), 4)
            for group in ("ttft_ms", "latency_ms", "gap_ms")
            for name in ("p50", "p99", "max")
        },
        "errors": sum(each["errors"] for each in rounds),
        "first_errors": [reason for each in rounds for reason in each["first_errors"]][:3],
    }


def ratios(direct: Sequence[Figures], door: Sequence[Figures]) -> Figures:
    """Door over direct, round by round."""
    pairs = list(zip(direct, door, strict=True))
    return {
        f"{group.removesuffix('_ms')}_{name}": spread([b[group][name] / a[group][name] for a, b in pairs])
        for group, name in RATIOS
    }


def added(direct: Sequence[Figures], door: Sequence[Figures]) -> Figures:
    """A token's latency through the door less that of the direct way, in milliseconds."""
    pairs = list(zip(direct, door, strict=True))
    return {
        name: spread([b["latency_ms"][name] - a["latency_ms"][name] for a, b in pairs])
        for name in ("p50", "p99")
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest."""
    figures = {"median": statistics.median(values), "least": min(values), "greatest": max(values)}
    return {name: round(value, 4) for name, value in figures.items()}


def print_table(cells: Sequence[Figures]) -> None:
    """The ratios on stderr, median and least–greatest."""
    head = f"{'streams':>7} {'tok/s':>5} {'engine':>6}  "
    head += " ".join(
        f"{name:>19}" for name in ("ttft p50", "ttft p99", "gap p50", "gap p99", "added p50 ms", "p99 ms")
    )
    print(f"\n{head} {'µs/token':>8} errors", file=sys.stderr)
    for cell in cells:
        groups = [*cell["ratios"].values(), *cell["added_latency_ms"].values()]
        line = f"{cell['streams']:7} {cell['tokens_per_s']:5} {cell['engine_ttft_ms']:4}ms  "
        line += " ".join(
            f"{g['median']:7.3f} ({g['least']:.2f}–{g['greatest']:.2f})".rjust(19) for g in groups
        )
        errors = cell["direct"]["errors"] + cell["door"]["errors"]
        print(f"{line} {cell['door_cpu_us_per_token']['median']:8.1f} {errors:6}", file=sys.stderr)
