"""A benchmark as tables, as JSON, beside another one, and as plots. Measures nothing."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from appliance_cli.base.errors import BadSetting
from appliance_cli.base.tables import table
from appliance_cli.config.appliance import Appliance
from appliance_cli.measure import figures
from appliance_cli.measure.bench import Measured
from appliance_cli.measure.chart import Chart, Line
from appliance_cli.measure.expected import ARTICLE, Beside
from appliance_cli.measure.figures import WAYS, Level, Spread, Way

SCHEMA = 1
_MEASURES = ("FIRST TOKEN s", "GAP ms", "WHOLE ANSWER s")
_COMPARED: tuple[tuple[str, Callable[[Mapping[str, Any]], float | None], bool], ...] = (
    ("FIRST TOKEN p50", lambda level: _of(level, "ttft", "p50"), False),
    ("FIRST TOKEN p95", lambda level: _of(level, "ttft", "p95"), False),
    ("PER TOKEN p50", lambda level: _of(level, "per_token", "p50"), False),
    ("WHOLE p95", lambda level: _of(level, "whole", "p95"), False),
    ("TOKENS/S", lambda level: level["tokens_per_second"], True),
)


_AXES: tuple[tuple[str, str, Callable[[Level], float]], ...] = (
    ("people", "people at a time", lambda level: level.people),
    ("arrivals", "requests a second", lambda level: level.rate),
)


def path_of(appliance: Appliance) -> Path:
    """Where the last one lies, whatever else it was written to; one for each appliance of this folder."""
    return appliance.logs / f"{appliance.project}.bench.json"


def content(measured: Measured, beside: Sequence[Beside], version: str, when: datetime) -> dict[str, Any]:
    """Everything; times in seconds."""
    return {
        "schema": SCHEMA,
        "when": when.isoformat(timespec="seconds"),
        "appliance": version,
        "model": measured.engine.get("model_id"),
        "engine_version": measured.engine.get("version"),
        "case": asdict(measured.case),
        "seconds": round(measured.seconds, 1),
        "levels": [{**asdict(level), "held": level.held, "doubt": level.doubt} for level in measured.levels],
        "serves": {way: _served(measured, way) for way in measured.case.ways},
        "beside": [asdict(each) for each in (*beside, *ARTICLE)],
        "requests_of_others": measured.others,
        "notes": list(measured.notes),
    }


def text(measured: Measured, beside: Sequence[Beside]) -> str:
    """The tables and the verdict."""
    parts = [_beside(measured, beside), _all(measured), "\n".join(_verdicts(measured))]
    return "\n\n".join(part for part in parts if part)


def against(now: Mapping[str, Any], earlier: Mapping[str, Any], name: str) -> str:
    """Ratios of two runs, level by level; above 1 the present one is better."""
    known = {_key(level): level for level in earlier["levels"]}
    rows = []
    for level in now["levels"]:
        old = known.get(_key(level))
        if old is not None:
            ratios = [_ratio(read(level), read(old), more) for _, read, more in _COMPARED]
            rows.append([*_load(level), *ratios, f"{old['answered']} → {level['answered']}"])
    if not rows:
        return f"{name} has no load of this run."
    titles = [title for title, _, _ in _COMPARED]
    lines = [f"Against {name} ({earlier['when']}, {earlier['model']}): above 1 this run is better"]
    if (
        now["case"]["prompt"] != earlier["case"]["prompt"]
        or now["case"]["answer"] != earlier["case"]["answer"]
    ):
        case = earlier["case"]
        lines.append(f"  Another case there: {case['prompt']} tokens in, {case['answer']} out")
    return "\n".join([*lines, table(("WAY", "LOAD", *titles, "ANSWERS"), rows, numbers=titles)])


def read(path: Path) -> dict[str, Any]:
    """An earlier run's JSON. Raises BadSetting."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and found.get("schema") == SCHEMA:
            return found
        said = "another file"
    except (OSError, ValueError) as error:
        said = str(error)
    raise BadSetting(
        "--against cannot be used",
        expected="what `bench --json` printed, or a file that --out wrote",
        found=f"{path}: {said}",
        remedy="name such a file",
    )


def plots(measured: Measured, beside: Sequence[Beside]) -> dict[str, Chart]:
    """Charts by file name: of people at a time, and of arrivals, where there were any."""
    limit = Line(f"{measured.case.limit_s:g} s", (), level=measured.case.limit_s)
    found = {}
    for name, x_title, where in _AXES:
        levels = [level for level in measured.levels if where(level)]
        if not levels:
            continue
        found[f"first-token-by-{name}.png"] = Chart(
            "Time to first token", x_title, "seconds", (*_lines(levels, where, _first_tokens), limit)
        )
        speeds = _lines(levels, where, _speeds)
        if name == "people":
            speeds += tuple(Line(each.who, (), level=each.each) for each in ARTICLE if each.each)
            speeds += tuple(
                Line(each.who, (), level=each.together) for each in beside if each.bounds and each.together
            )
        found[f"speed-by-{name}.png"] = Chart("Speed", x_title, "tokens a second", speeds)
    return found


def _lines(
    levels: Sequence[Level],
    where: Callable[[Level], float],
    measures: Callable[[Level], Mapping[str, float | None]],
) -> tuple[Line, ...]:
    points: dict[str, list[tuple[float, float]]] = {}
    for level in sorted(levels, key=where):
        for name, value in measures(level).items():
            if value is not None:
                points.setdefault(f"{name}, {WAYS[level.way]}", []).append((where(level), value))
    return tuple(Line(name, tuple(found)) for name, found in points.items())


def _first_tokens(level: Level) -> Mapping[str, float | None]:
    spread = level.ttft
    return {} if spread is None else {"p50": spread.p50, "p95": spread.p95}


def _speeds(level: Level) -> Mapping[str, float | None]:
    return {"all together": level.tokens_per_second, "each": level.each}


def _beside(measured: Measured, beside: Sequence[Beside]) -> str:
    rows = [
        (
            f"measured, {level.name}, {WAYS[level.way]}",
            _first(level.ttft.p50 if level.ttft else None),
            _speed(level.each),
            _speed(level.tokens_per_second),
        )
        for level in measured.levels
        if level.people and level.people in measured.case.people
    ]
    for each in (*beside, *ARTICLE):
        first, speed = _first(each.first_token), _speed(each.each)
        rows.append(
            (
                each.who,
                f"under {first}" if each.bounds and each.first_token else first,
                f"{speed}+" if each.bounds and each.each else speed,
                _speed(each.together),
            )
        )
    case = measured.case
    title = f"{case.prompt} tokens in, {case.answer} out; {measured.engine.get('model_id')}"
    titles = ("", "FIRST TOKEN", "TOKENS/S EACH", "TOGETHER")
    return f"{title}\n{table(titles, rows, numbers=titles[1:])}"


def _all(measured: Measured) -> str:
    titles = ["WAY", "LOAD", "ANSWERS", *_MEASURES, "TOKENS/S", "ANSWERS/S", "IN TIME", "TOKENS IN", "OUT"]
    watts = any(level.watts for level in measured.levels)
    rows = []
    for level in measured.levels:
        row = [
            "nginx" if level.way == "door" else "engine",
            level.name,
            f"{level.answered}" + (f" of {level.requests}" if level.answered < level.requests else ""),
            _spread(level.ttft, 1),
            _spread(level.gap, 1000),
            _spread(level.whole, 1),
            f"{level.tokens_per_second:.1f}",
            f"{level.answers_per_second:.2f}",
            f"{level.in_time:.0%}",
            _range(level.prompt_tokens),
            _range(level.answer_tokens),
        ]
        rows.append([*row, *([f"{level.watts or 0:.0f}"] if watts else [])])
    titles += ["W"] if watts else []
    return f"p50/p95/p99 of all\n{table(titles, rows, numbers=titles[2:])}"


def _verdicts(measured: Measured) -> list[str]:
    limit = f"{measured.case.limit_s:g} s"
    lines = []
    for way in measured.case.ways:
        served = _served(measured, way)
        if (people := served["people"]) is not None:
            least = "" if served["people_tried_in_vain"] else " or more"
            who = f"{people}{least} {'person' if people == 1 and not least else 'people'} at a time"
            lines.append(f"This box serves {who} with a first token under {limit}, {WAYS[way]}")
        if (rate := served["rate"]) is not None:
            least = "" if served["rate_tried_in_vain"] else " or more"
            lines.append(f"… and {rate:.3g}{least} requests a second that come by chance, {WAYS[way]}")
    for level in measured.levels:
        lines += [
            f"{count} × {what} ({level.name}, {WAYS[level.way]})" for what, count in level.errors.items()
        ]
        if not level.requests:
            lines.append(f"Nobody came in that time ({level.name}, {WAYS[level.way]}): --seconds")
        if level.held_back:
            lines.append(
                f"{level.held_back} not asked, the engine was full ({level.name}, {WAYS[level.way]})"
            )
        if level.doubt:
            lines.append(f"Not to be relied on: {level.doubt} ({level.name}, {WAYS[level.way]})")
    return [*lines, *measured.notes]


def _served(measured: Measured, way: Way) -> dict[str, Any]:
    """None where no such load was measured."""
    people, in_vain = figures.served(measured.levels, way)
    rate, rate_in_vain = figures.served_rate(measured.levels, way)
    own = [level for level in measured.levels if level.way == way]
    return {
        "people": people if any(level.people for level in own) else None,
        "people_tried_in_vain": in_vain,
        "rate": rate if any(level.rate and level.requests for level in own) else None,
        "rate_tried_in_vain": rate_in_vain,
    }


def _key(level: Mapping[str, Any]) -> tuple[Any, ...]:
    return level["way"], level["people"], level["rate"]


def _load(level: Mapping[str, Any]) -> list[str]:
    load = f"{level['people']} at a time" if level["people"] else f"{level['rate']:.3g} a second"
    return ["nginx" if level["way"] == "door" else "engine", load]


def _of(level: Mapping[str, Any], measure: str, share: str) -> float | None:
    return level[measure][share] if level[measure] else None


def _ratio(now: float | None, earlier: float | None, more_is_better: bool) -> str:
    if not now or not earlier:
        return "-"
    return f"{now / earlier if more_is_better else earlier / now:.2f}"


def _first(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:,.0f} ms"


def _speed(tokens: float | None) -> str:
    return (
        "-" if tokens is None else f"{tokens:,.0f}" if tokens >= 100 else f"{tokens:.1f}".removesuffix(".0")
    )


def _spread(found: Spread | None, factor: float) -> str:
    if found is None:
        return "-"
    return "/".join(f"{value * factor:.3g}" for value in (found.p50, found.p95, found.p99))


def _range(found: figures.Range | None) -> str:
    if found is None:
        return "-"
    return f"{found.least}" if found.least == found.most else f"{found.least} to {found.most}"
