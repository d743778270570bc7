"""Does `appliance bench` measure right? Its generator and guidellm ask the same engine the same, in turns.

    python3 -m venv /tmp/guidellm && /tmp/guidellm/bin/pip install guidellm==0.8.1
    PYTHONPATH=.:tests:scripts:services/model-init python bench/bench_clients.py \
        --guidellm /tmp/guidellm/bin/guidellm --url http://127.0.0.1:8080

Wants an appliance that runs and asks for no key. Prompts are the generator's own, so equally long, and none
is asked twice. Rounds alternate; what counts is the median of the rounds' ratios, since a machine that others
use, too, changes from round to round.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from appliance_cli.measure import figures, generators, prompts
from appliance_cli.measure.generator.load import Load
from appliance_cli.measure.generators import Generator

MEASURES = ("first token", "per token", "whole answer", "tokens a second")


@contextmanager
def generator(url: str) -> Iterator[Generator]:
    """The appliance's own, as `appliance bench` starts it."""
    argv = [sys.executable, "-P", "-m", generators.MODULE]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        own = Generator(child, Path("/dev/null"))
        own.start({"url": url, "hosts": [], "key": None})
        yield own
        child.stdin.close()


def ours(own: Generator, load: Load) -> dict[str, float]:
    """Medians of one round; seconds."""
    result = own.run(load, lambda _: None)
    level = figures.level("door", vars(load), result, 1.0)
    assert not level.errors and level.ttft and level.per_token and level.whole
    tokens = sum(each["answer_tokens"] for each in result["outcomes"])
    speed = tokens / result["seconds"]
    return dict(zip(MEASURES, (level.ttft.p50, level.per_token.p50, level.whole.p50, speed), strict=True))


def theirs(program: Path, url: str, load: Load, count: int, folder: Path) -> dict[str, float]:
    """The same round by guidellm."""
    data, report = folder / "prompts.jsonl", folder / "report.json"
    contents = [json.loads(load.body(number))["messages"][0]["content"] for number in range(count)]
    lines = [json.dumps({"prompt": each, "output_tokens_count": load.answer_tokens}) for each in contents]
    data.write_text("\n".join(lines) + "\n")
    backend = f"kind=openai_http,target={url},model={load.model},request_format=/v1/chat/completions"
    command = [
        *(str(program), "run", "--disable-console", "--backend", backend),
        *("--profile", f"kind=concurrent,streams={load.people}"),
        *("--constraint", f"kind=max_requests,count={count}"),
        *("--data", f"kind=json_file,path={data}", "--output", f"kind=json,path={report}"),
    ]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (found,) = json.loads(report.read_text())["benchmarks"]
    requests: list[dict[str, Any]] = found["requests"]["successful"]
    assert len(requests) == count, f"{len(requests)} of {count} answered"
    first = min(each["request_start_time"] for each in requests)
    last = max(each["request_end_time"] for each in requests)
    values = (
        statistics.median(each["time_to_first_token_ms"] for each in requests) / 1000,
        statistics.median(each["inter_token_latency_ms"] for each in requests) / 1000,
        statistics.median(each["request_latency"] for each in requests),
        sum(each["output_tokens"] for each in requests) / (last - first),
    )
    return dict(zip(MEASURES, values, strict=True))


def compare(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Each number of people, round by round."""
    with generator(options.url) as own, tempfile.TemporaryDirectory() as scratch:
        _, text = own.ask("GET", "/info")
        load = Load(
            model=json.loads(text)["model_id"],
            words=prompts.single_tokens(own),
            fill=0,
            before=prompts.BEFORE,
            question=prompts.QUESTION,
            answer_tokens=options.answer,
            seconds=0,
            seed=0,
        )
        load = replace(load, fill=prompts.fill_for(own, load, options.prompt))
        for people in options.people:
            rounds = []
            for number in range(options.rounds):
                mine = replace(load, people=people, least=options.each, seed=secrets.randbits(32))
                other = replace(mine, seed=secrets.randbits(32))
                found: dict[str, dict[str, float]] = {}
                # why: whoever comes second finds a machine that the first has warmed
                for who in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
                    found[who] = (
                        ours(own, mine)
                        if who == "ours"
                        else theirs(
                            options.guidellm, options.url, other, people * options.each, Path(scratch)
                        )
                    )
                rounds.append(found)
                print(
                    f"{people} people, round {number + 1}: {found} load {os.getloadavg()[0]}", file=sys.stderr
                )
            yield {
                "people": people,
                "rounds": options.rounds,
                "ours": {name: statistics.median(each["ours"][name] for each in rounds) for name in MEASURES},
                "guidellm": {
                    name: statistics.median(each["theirs"][name] for each in rounds) for name in MEASURES
                },
                "ratio": {
                    name: round(
                        statistics.median(each["ours"][name] / each["theirs"][name] for each in rounds), 3
                    )
                    for name in MEASURES
                },
            }


def main() -> None:
    """Prints a JSON object for each number of people."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--guidellm", type=Path, required=True)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--each", type=int, default=3, help="answers that each person asks for in a round")
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--answer", type=int, default=64)
    for row in compare(parser.parse_args()):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
