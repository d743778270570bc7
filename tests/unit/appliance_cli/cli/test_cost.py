"""`appliance cost` as an operator calls it, without a card and without Docker."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from appliance_cli.cli import cost
from appliance_cli.config.appliance import Appliance, load
from appliance_cli.door import usage
from appliance_cli.door.usage import Counts, Row
from appliance_cli.measure import bench_report
from appliance_cli.measure.cost import Tokens
from appliance_cli.measure.power import Meter

Cli = Callable[..., CompletedProcess[str]]
TODAY = date(2026, 11, 27)


def test_the_article(cli: Cli) -> None:
    done = cli("cost", "--article")
    assert done.returncode == 0 and "13,090" in done.stdout and "14,080" in done.stdout
    assert json.loads(cli("cost", "--article", "--json").stdout)["break_even_months"] == pytest.approx(
        7.34, abs=0.01
    )


def test_with_the_article_s_prices_and_draw_its_sum_comes_out(cli: Cli) -> None:
    done = cli("cost", "--watts", "68.4932", "--json")
    found = json.loads(done.stdout)
    assert found["total"] == pytest.approx(14_080, abs=0.1)
    (cloud,) = found["against"]
    assert (cloud["total"], cloud["break_even_month"]) == (64_800, 8)
    assert found["sources"]["purchase"] == "the article's"


def test_tokens_and_an_api(cli: Cli, tmp_path: Path) -> None:
    prices = ("--api-in", "2", "--api-out", "6", "--tokens-day", "2000000,1000000")
    done = cli("cost", "--watts", "100", *prices, "--plots", str(tmp_path / "p"))
    assert done.returncode == 0, done.stderr
    assert "CNY for a million tokens" in done.stdout and "an API, 2 in, 6 out" in done.stdout
    assert "cloud" not in done.stdout
    assert (tmp_path / "p" / "cost.png").read_bytes().startswith(b"\x89PNG")


def test_without_docker_the_tokens_are_not_known_and_the_rest_is(cli: Cli) -> None:
    done = cli("cost", "--watts", "100")
    assert done.returncode == 0 and "Tokens a day: not known" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "What this machine draws is not known"),
        (("--watts", "100", "--currency", "USD"), "A price in USD is missing"),
        (("--watts", "100", "--api-in", "2"), "An API cannot be compared with"),
        (("--watts", "100", "--tokens-day", "many"), "--tokens-day cannot be used"),
    ],
)
def test_what_is_missing_is_named(cli: Cli, options: tuple[str, ...], said: str) -> None:
    done = cli("cost", *options)
    assert done.returncode == 2 and said in done.stderr and not done.stdout


def row(day: date, account: str, prompt: int, generated: int) -> Row:
    return Row(day, account, Counts(1, prompt, generated), day.isoformat())


def test_the_average_day_begins_with_the_first_that_was_counted_and_leaves_benchmarks_out() -> None:
    rows = [
        row(TODAY, "key:alice", 300, 100),
        row(date(2026, 11, 18), "-", 700, 400),
        row(TODAY, "key:appliance-bench", 10_000, 10_000),
        row(date(2026, 1, 1), "key:alice", 9, 9),
    ]
    assert cost.average(rows, TODAY, 30) == (Tokens(100, 50), 10)
    assert cost.average(rows[2:], TODAY, 30) is None


def test_the_card_s_draw_is_weighed_by_how_long_it_works(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Meter, "now", lambda self, seconds: 20.0)
    sources: dict[str, str] = {}
    day = Tokens(0, 432_000)
    assert cost._watts(appliance, None, 60, day, sources) == 80
    appliance.logs.mkdir()
    levels = [
        {"people": 0, "rate": 0.1, "tokens_per_second": 20.0, "watts": 90.0},
        {"people": 16, "rate": 0.0, "tokens_per_second": 1000.0, "watts": 320.0},
        {"people": 1, "rate": 0.0, "tokens_per_second": 50.0, "watts": 120.0},
    ]
    bench_report.path_of(appliance).write_text(json.dumps({"levels": levels}))
    assert cost._watts(appliance, None, 60, day, sources) == pytest.approx(90)
    assert "120 for 10.0% of the day, as benchmarked with 1 at a time" in sources["watts"]


@pytest.mark.parametrize(
    ("settings", "cards"),
    [
        ("", ("0",)),
        ("GPU_DEVICE=GPU-4a", ("GPU-4a",)),
        ("GPU_DEVICES=GPU-4a,GPU-4b", ("GPU-4a", "GPU-4b")),
        ("COMPOSE_FILE=docker-compose.yml:compose.cpu.yml", ()),
    ],
)
def test_without_docker_the_cards_are_those_that_env_names(
    settings: str, cards: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    (tmp_path / ".env").write_text(settings)
    assert cost._cards(load(tmp_path, tmp_path / ".env")) == cards


@pytest.mark.parametrize(("account", "said"), [("-", True), ("key:alice", False)])
def test_what_benchmarks_asked_without_a_key_is_said_to_be_counted(
    account: str, said: bool, appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = {f"{datetime.now(UTC).date()}|{account}|generated_tokens": {"value": 5}}
    monkeypatch.setattr(usage, "fetch", lambda _: json.dumps(counted))
    sources: dict[str, str] = {}
    assert cost._tokens(appliance, None, 30, sources) == Tokens(0, 5)
    assert ("benchmarks" in sources["tokens"]) == said
