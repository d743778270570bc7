"""The page at /status for people: where the appliance stands, and the last hour in plots. Pure.

Plain HTML with drawings in it: nothing is fetched, no script runs, and the browser asks anew by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from chat_ui.history import INTERVAL_SECONDS, POINTS, Point
from chat_ui.messages import Language, text

WIDTH, HEIGHT, MARGIN, HEADROOM = 560, 140, 4, 20
SPAN_SECONDS = POINTS * INTERVAL_SECONDS
COLOURS = ("#4f46e5", "#d97706")
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", sans-serif; }
body { max-width: 75rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1rem; margin: 0 0 .25rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; }
dd { margin: 0; }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 1rem; }
section { border: 1px solid #8884; border-radius: .5rem; padding: .75rem; }
svg { width: 100%; height: auto; display: block; } .axis { stroke: #8886; }
small { color: #777; } .key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; }
"""

Value = Callable[[Point], float | None]
# A plot: its title, its lines with their names, and the unit.
PLOTS: tuple[tuple[str, tuple[tuple[str, Value], ...], str], ...] = (
    (
        "status_plot_answers",
        (("status_running", lambda p: p.batch), ("status_waiting", lambda p: p.queue)),
        "",
    ),
    ("status_plot_tokens", (("status_tokens", lambda p: p.tokens_per_second),), "status_per_second"),
    ("status_plot_requests", (("status_requests", lambda p: p.requests_per_second),), "status_per_second"),
    (
        "status_plot_first_token",
        (("status_half", lambda p: p.first_token_p50), ("status_most", lambda p: p.first_token_p95)),
        "status_seconds",
    ),
)


def page(document: dict[str, Any], points: Sequence[Point], now: float, language: Language) -> str:
    """The whole document."""

    def say(key: str) -> str:
        return escape(text(language, key))

    plots = "".join(_section(plot, points, now, language) for plot in PLOTS)
    # why: an hour of one browser is 360 small answers
    refresh = f'<meta http-equiv="refresh" content="{INTERVAL_SECONDS:.0f}">'
    return (
        f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8">{refresh}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{say('status_title')}</title><style>{STYLE}</style></head><body>"
        f"<h1>{say('status_title')}</h1>{_facts(document, language)}<main>{plots}</main>"
        f"<p><small>{say('status_note')}</small></p></body></html>"
    )


def _facts(document: dict[str, Any], language: Language) -> str:
    model, engine, ui = document.get("model") or {}, document["engine"], document["ui"]
    state = document["state"]
    message = "" if state == "ready" else str(document.get("message") or "")
    rows = (
        ("status_state", f"{text(language, f'status_is_{state}')} {message}"),
        ("status_model", engine.get("model_id") or model.get("model_id") or "–"),
        (
            "status_limits",
            f"{engine.get('max_input_tokens') or '–'} / {engine.get('max_total_tokens') or '–'}",
        ),
        ("status_replicas", f"{ui['healthy']} / {ui['replicas']}"),
        ("status_version", document["version"]),
    )
    terms = (f"<dt>{escape(text(language, key))}</dt><dd>{escape(str(value))}</dd>" for key, value in rows)
    return f"<dl>{''.join(terms)}</dl>"


def _section(
    plot: tuple[str, tuple[tuple[str, Value], ...], str],
    points: Sequence[Point],
    now: float,
    language: Language,
) -> str:
    title, lines, unit = plot
    heading = escape(text(language, title))
    drawn = [(name, [(p.at, value(p)) for p in points]) for name, value in lines]
    most = max((v for _, line in drawn for _, v in line if v is not None), default=0.0)
    words = f" {text(language, unit)}" if unit else ""
    keys = " ".join(
        f'<span class="key" style="background:{COLOURS[index]}"></span> {escape(text(language, name))}: '
        f"{_number(_last(line))}{escape(words)}"
        for index, (name, line) in enumerate(drawn)
    )
    paths = "".join(
        f'<path d="{_path(line, most, now)}" fill="none" stroke="{COLOURS[index]}" stroke-width="1.5"/>'
        for index, (_, line) in enumerate(drawn)
    )
    axis = f'<path class="axis" d="M0 {HEIGHT - MARGIN}H{WIDTH}"/>'
    label = f'<text x="0" y="14" font-size="15" fill="#888">{_number(most)}</text>'
    return (
        f'<section><h2>{heading}</h2><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{heading}">'
        f"{axis}{label}{paths}</svg><small>{keys}</small></section>"
    )


def _path(line: Sequence[tuple[float, float | None]], most: float, now: float) -> str:
    """Moves to the first point after a gap, and draws on from there."""
    commands, drawing = [], False
    for at, value in line:
        if value is None:
            drawing = False
            continue
        x = WIDTH * (1 - (now - at) / SPAN_SECONDS)
        y = HEIGHT - MARGIN - (HEIGHT - MARGIN - HEADROOM) * (value / most if most else 0.0)
        commands.append(f"{'L' if drawing else 'M'}{x:.1f} {y:.1f}")
        drawing = True
    return "".join(commands)


def _last(line: Sequence[tuple[float, float | None]]) -> float | None:
    return line[-1][1] if line else None


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2g}"
