"""What bench_page found, as the tables of docs/performance.md."""

from __future__ import annotations

from typing import Any

Figures = dict[str, Any]
# a measure's name, and its value by the page's name
Row = tuple[str, dict[str, float]]


def table(found: Figures) -> str:
    """Markdown: a row for each measure, a column for each page, how many times more the second one takes."""
    rows = [*_browser_rows(found["browser"]), *_server_rows(found["server"])]
    names = list(rows[0][1])
    head = ["", *names, *(["ratio"] if len(names) == 2 else [])]
    lines = [_line(head), _line(["---", *["---:"] * (len(head) - 1)])]
    for title, values in rows:
        cells = [f"{values[name]:,.{_digits(values[name])}f}" for name in names]
        if len(names) == 2:
            ours, theirs = (values[name] for name in names)
            cells.append(f"**{theirs / ours:.1f}**" if min(ours, theirs) > 0 else "")
        lines.append(_line([title, *cells]))
    return "\n".join([*lines, *_remarks(found["server"])])


def _browser_rows(found: Figures) -> list[Row]:
    if not found:
        return []
    loads, phones = ({name: page["loads"][at] for name, page in found.items()} for at in (0, 1))
    rows: list[Row] = [
        ("first load, kB", _each(loads, "kilobytes")),
        ("first load, requests", _each(loads, "requests")),
        ("time to the message box, s", _each(loads, "seconds_to_composer")),
        ("… on 4G with a quarter of the processor, s", _each(phones, "seconds_to_composer")),
    ]
    for at, turn in enumerate(next(iter(found.values()))["turns"]):
        costs = {name: page["turns"][at] for name, page in found.items()}
        rows.append((f"main thread, ms a token, in turn {turn['turns']}", _each(costs, "ms_per_token")))
    return rows


def _server_rows(found: Figures) -> list[Row]:
    rows: list[Row] = []
    for at, straight in enumerate(found.get("straight", [])):
        loads = {name: each[at] for name, each in found.items() if name != "straight"}
        people = f"{straight['people']} × {straight['rate']}/s"
        rows.append((f"{people}: CPU seconds, 1,000 tokens", _each(loads, "cpu_seconds_per_1000_tokens")))
        rows.append((f"{people}: memory, MB", _each(loads, "memory_mb")))
        for share in ("p50", "p99"):
            bare = straight["latency_ms"][share]
            added = {name: load["latency_ms"][share] - bare for name, load in loads.items()}
            rows.append((f"{people}: added to a token, {share}, ms", added))
    return rows


def _remarks(found: Figures) -> list[str]:
    remarks = []
    for name, loads in found.items():
        if name == "straight":
            continue
        most = max(load["others_share_of_all_cores"] for load in loads)
        lost = sum(load["lost"] for load in loads)
        remarks.append(f"{name}: others used up to {most:.0%} of all cores; {lost} answers were lost.")
    return ["", *remarks] if remarks else []


def _each(figures: dict[str, Figures], measure: str) -> dict[str, float]:
    return {name: one[measure] for name, one in figures.items()}


def _digits(value: float) -> int:
    if value == round(value) or abs(value) >= 100:
        return 0
    return 1 if abs(value) >= 10 else 2


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
