"""``appliance bench``: options in, tables, JSON and plots out."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from appliance_cli.base.errors import BadSetting
from appliance_cli.cli.run import ROOT, Json, Run
from appliance_cli.config import version
from appliance_cli.measure import bench as benching
from appliance_cli.measure import bench_report, expected
from appliance_cli.measure.figures import Way

Tokens = Annotated[int, typer.Option(min=8, help="Tokens of each answer, at most.")]
Prompt = Annotated[int, typer.Option(min=8, help="Tokens of each prompt, template included: exactly.")]
People = Annotated[
    str | None,
    typer.Option(
        metavar="N,…", help="So many at a time, each asking again.", show_default="1,4; a sweep: none"
    ),
]
Rates = Annotated[
    str | None, typer.Option(metavar="R,…", help="Requests a second that come by chance (Poisson).")
]
Sweep = Annotated[
    bool,
    typer.Option("--sweep", help="More and more people until first tokens come too late, then arrivals."),
]
Seconds = Annotated[float, typer.Option(min=1, help="How long each load asks; what runs then, ends.")]
WayOption = Annotated[
    Literal["both", "door", "engine"], typer.Option(help="Through nginx, straight to the engine, or both.")
]
Limit = Annotated[
    float, typer.Option("--ttft", min=0.01, help="Seconds within which a first token is in time.")
]
Key = Annotated[
    str | None,
    typer.Option(envvar="API_KEY", help="An API key.", show_default="one of its own, if any is needed"),
]
Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the JSON to this file.")]
Against = Annotated[Path | None, typer.Option(metavar="FILE", help="Compare with an earlier run's JSON.")]
Plots = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write plots (PNG) into this folder.")]


def bench(
    run: Run,
    prompt: Prompt = expected.ARTICLE_PROMPT,
    answer: Tokens = expected.ARTICLE_ANSWER,
    people: People = None,
    rates: Rates = None,
    sweep: Sweep = False,
    seconds: Seconds = 20,
    way: WayOption = "both",
    ttft: Limit = 1.0,
    key: Key = None,
    out: Out = None,
    against: Against = None,
    plots: Plots = None,
    as_json: Json = False,
) -> None:
    """Measure the running appliance: first token, tokens a second, how many people it serves in time.

    512 tokens in and 256 out, as in the article that this project is compared with, unless told otherwise.
    Others may go on using it: it says how much they did, and leaves them room.
    """
    earlier = None if against is None else bench_report.read(against)
    ways: tuple[Way, ...] = ("door", "engine") if way == "both" else (way,)
    default = () if sweep or rates else benching.ARTICLE_PEOPLE
    case = benching.Case(
        prompt=prompt,
        answer=answer,
        people=default
        if people is None
        else tuple(int(each) for each in _numbers("--people", people, whole=True)),
        rates=_numbers("--rates", rates) if rates else (),
        sweep=sweep,
        seconds=seconds,
        ways=ways,
        limit_s=ttft,
    )
    appliance, output = run.appliance, run.output
    measured = benching.run(appliance, case, key, output)
    crowds = tuple(dict.fromkeys(level.people for level in measured.levels if level.people))
    beside = expected.of(appliance, prompt, answer, crowds)
    content = bench_report.content(measured, beside, version.of(ROOT), datetime.now(UTC))
    told = json.dumps(content, indent=2)
    output.data(told if as_json else bench_report.text(measured, beside))
    if earlier is not None and against is not None:
        compared = bench_report.against(content, earlier, against.name)
        output.say(f"\n{compared}") if as_json else output.data(f"\n{compared}")
    for file in [bench_report.path_of(appliance), *([out] if out else [])]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(told + "\n", encoding="utf-8")
        output.item("ok", f"written to {_short(file)}")
    if plots is not None:
        # why: drawing takes a library that no other command needs to load
        from appliance_cli.measure import drawing

        for file in drawing.save(bench_report.plots(measured, beside), plots):
            output.item("ok", f"written to {_short(file)}")


def _numbers(option: str, text: str, *, whole: bool = False) -> tuple[float, ...]:
    """Numbers above 0 with commas between them. Raises BadSetting."""
    parts = [part.strip() for part in text.split(",")]
    try:
        found = tuple(float(int(part)) if whole else float(part) for part in parts)
        if all(0 < number < 1e6 for number in found):
            return found
    except ValueError:
        pass
    raise BadSetting(
        f"{option} cannot be used",
        expected=f"{'whole ' if whole else ''}numbers above 0 with commas, for example 1,4,16",
        found=repr(text),
        remedy=f"give {option} such numbers",
    )


def _short(file: Path) -> str:
    return os.path.relpath(file) if file.is_absolute() else str(file)
