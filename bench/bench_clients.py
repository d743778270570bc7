"""Does `appliance bench` measure right? Its generator and guidellm ask the same engine at the same time.

    python3 -m venv /tmp/guidellm && /tmp/guidellm/bin/pip install guidellm==0.8.1
    PYTHONPATH=.:tests:scripts:services/model-init python bench/bench_clients.py \\
        --guidellm /tmp/guidellm/bin/guidellm --url http://127.0.0.1:8080

Wants an engine that runs and asks for no key: an appliance, or bench.token_emitter, whose times are known.
Half of the people are each client's. Both take prompts of the same words, none of them twice, and only
answers asked while both asked are compared: so both saw the same engine, however busy the machine was.
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
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from appliance_cli.measure import generators, prompts
from appliance_cli.measure.generator.load import Load
from appliance_cli.measure.generators import Generator

STARTS_WITHIN_S = 15  # guidellm imports PyTorch before it asks anything
MEASURES = ("first token", "per token", "whole answer")
Answer = tuple[float, tuple[float, float, float]]
"""When it was asked, by the wall clock, and the measures in seconds."""


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


def ours(own: Generator, load: Load) -> list[Answer]:
    """The generator's answers."""
    began = time.time()
    found = []
    for each in own.run(load, lambda _: None)["outcomes"]:
        assert not each["error"], each["error"]
        pieces, due = each["pieces"], each["due"]
        pace = (pieces[-1] - pieces[0]) / (each["answer_tokens"] - 1)
        found.append((began + due, (pieces[0] - due, pace, each["ended"] - due)))
    return found


def theirs(program: Path, url: str, load: Load, folder: Path) -> list[Answer]:
    """The same by guidellm."""
    data, report = folder / "prompts.jsonl", folder / "report.json"
    contents = [json.loads(load.body(number))["messages"][0]["content"] for number in range(2000)]
    lines = [json.dumps({"prompt": each, "output_tokens_count": load.answer_tokens}) for each in contents]
    data.write_text("\n".join(lines) + "\n")
    backend = f"kind=openai_http,target={url},model={load.model},request_format=/v1/chat/completions"
    command = [
        *(str(program), "run", "--disable-console", "--backend", backend),
        *("--profile", f"kind=concurrent,streams={load.people}"),
        *("--constraint", f"kind=max_duration,seconds={load.seconds}"),
        *("--data", f"kind=json_file,path={data}", "--output", f"kind=json,path={report}"),
    ]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (found,) = json.loads(report.read_text())["benchmarks"]
    assert not found["requests"]["errored"]
    return [
        (
            each["request_start_time"],
            (
                each["time_to_first_token_ms"] / 1000,
                each["inter_token_latency_ms"] / 1000,
                each["request_latency"],
            ),
        )
        for each in found["requests"]["successful"]
    ]


def compare(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Each number of people."""
    with generator(options.url) as own, tempfile.TemporaryDirectory() as scratch:
        load = _load(own, options)
        for people in options.people:
            mine = replace(load, people=people, seed=secrets.randbits(32))
            other = replace(mine, seed=secrets.randbits(32), seconds=load.seconds - STARTS_WITHIN_S)
            with ThreadPoolExecutor() as at_once:
                asked = at_once.submit(theirs, options.guidellm, options.url, other, Path(scratch))
                found = {"ours": ours(own, mine), "guidellm": asked.result()}
            first = max(min(each[0] for each in answers) for answers in found.values())
            last = min(max(each[0] for each in answers) for answers in found.values())
            shared = {
                who: [measures for asked_at, measures in answers if first <= asked_at <= last]
                for who, answers in found.items()
            }
            columns = {who: list(zip(*answers, strict=True)) for who, answers in shared.items()}
            yield {
                "people": f"{people} of each",
                "answers": {who: len(answers) for who, answers in shared.items()},
                **{who: _medians(values) for who, values in columns.items()},
                "ratio": {
                    name: round(statistics.median(mine) / statistics.median(other), 3)
                    for name, mine, other in zip(MEASURES, columns["ours"], columns["guidellm"], strict=True)
                },
            }


def _medians(values: list[tuple[float, ...]]) -> dict[str, float]:
    return {name: round(statistics.median(column), 4) for name, column in zip(MEASURES, values, strict=True)}


def _load(own: Generator, options: argparse.Namespace) -> Load:
    """What each asks: of an engine with a tokenizer as `appliance bench` does, of an emitter anything."""
    _, text = own.ask("GET", "/info")
    load = Load(
        model=json.loads(text)["model_id"],
        words=["red", "green", "blue"],
        fill=options.prompt,
        before=prompts.BEFORE,
        question=options.question,
        answer_tokens=options.answer,
        seconds=options.seconds,
        seed=0,
    )
    if own.ask("POST", "/tokenize", {"inputs": "red"})[0] != 200:
        return load
    load = replace(load, words=prompts.single_tokens(own))
    return replace(load, fill=prompts.fill_for(own, load, options.prompt))


def main() -> None:
    """Prints a JSON object for each number of people."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--guidellm", type=Path, required=True)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--question", default=prompts.QUESTION)
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--answer", type=int, default=64)
    for row in compare(parser.parse_args()):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
