"""``appliance cost``: finds the numbers (given, measured, counted), has them reckoned with, and tells."""

import json
import math
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from appliance_cli.base.errors import ApplianceError, BadSetting
from appliance_cli.cli.run import Json, Run
from appliance_cli.compose import containers
from appliance_cli.compose.client import connect
from appliance_cli.config import values as given_values
from appliance_cli.config.appliance import Appliance
from appliance_cli.door import usage
from appliance_cli.door.usage import Counts, Row
from appliance_cli.measure import article, bench_report, cost, cost_report, visitor
from appliance_cli.measure.cost import Draw, Elsewhere, Own, Tokens
from appliance_cli.measure.cost_report import Calculation
from appliance_cli.measure.power import Meter, cards_of

KWH_PRICE, HOST_WATTS = 0.6, 60.0
METER_S = 5.0

Money = Annotated[float | None, typer.Option(min=0, help="What the machine cost.", show_default="13,000 CNY")]
Watts = Annotated[
    float | None,
    typer.Option(min=0, help="Average draw at the wall.", show_default="the card's meter and --host-watts"),
]
HostWatts = Annotated[
    float, typer.Option(min=0, help="What the machine draws without its card, where the card is measured.")
]
KwhPrice = Annotated[
    float | None, typer.Option(min=0, help="Price of a kWh.", show_default=f"{KWH_PRICE} CNY")
]
Years = Annotated[float, typer.Option(min=0.1, max=20, help="How long it will serve.")]
Cloud = Annotated[
    float | None,
    typer.Option(min=0, help="A month of a cloud instance.", show_default="1,800 CNY, if there is no API"),
]
ApiPrice = Annotated[
    float | None, typer.Option(min=0, help="An API's price of a million tokens of prompts, or of answers.")
]
TokensADay = Annotated[
    str | None,
    typer.Option(metavar="IN,OUT", help="Tokens of an average day.", show_default="what nginx counted"),
]
Days = Annotated[int, typer.Option(min=1, max=400, help="How many days of the usage counted.")]
Other = Annotated[float, typer.Option(min=0, help="Whatever else a month costs: room, care, insurance.")]


def cost_command(
    run: Run,
    purchase: Money = None,
    watts: Watts = None,
    host_watts: HostWatts = HOST_WATTS,
    kwh_price: KwhPrice = None,
    years: Years = 3,
    cloud_month: Cloud = None,
    api_in: ApiPrice = None,
    api_out: ApiPrice = None,
    tokens_day: TokensADay = None,
    days: Days = 30,
    other_month: Other = 0,
    currency: Annotated[Literal["CNY", "USD"], typer.Option(help="Of all prices.")] = "CNY",
    the_article: Annotated[
        bool, typer.Option("--article", help="The article's own sums, done again.")
    ] = False,
    plots: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write a plot (PNG) into it.")] = None,
    as_json: Json = False,
) -> None:
    """Work out what this box costs, a million tokens of it, and from when on it is cheaper than others.

    Tokens come from the usage that nginx counts, the draw from the card's own meter and the last benchmark.
    In CNY, a price that is not given is the article's.
    """
    output = run.output
    if the_article:
        output.data(
            json.dumps(cost_report.article_content(), indent=2) if as_json else cost_report.article_text()
        )
        return
    sources: dict[str, str] = {}
    tokens = _tokens(run.appliance, tokens_day, days, sources)
    bought = _price("--purchase", purchase, article.OWN.purchase, currency, sources, "purchase")
    kwh = _price("--kwh-price", kwh_price, KWH_PRICE, currency, sources, "kwh_price")
    drawn = _watts(run.appliance, watts, host_watts, tokens, sources)
    own = Own(bought, cost.power_month(drawn, kwh), years, other_month)
    api = _api(tokens, api_in, api_out)
    cloud = _cloud(cloud_month, api, currency, sources)
    elsewhere = tuple(each for each in (cloud, api) if each is not None)
    calculation = Calculation(currency, own, drawn, kwh, tokens, elsewhere, api, sources)
    told = (
        json.dumps(cost_report.content(calculation), indent=2) if as_json else cost_report.text(calculation)
    )
    output.data(told)
    if plots is not None:
        # why: drawing takes a library that no other command needs to load
        from appliance_cli.measure import drawing

        for file in drawing.save({"cost.png": cost_report.plot(calculation)}, plots):
            output.item("ok", f"written to {file}")


def _price(
    option: str, given: float | None, articles: float, currency: str, sources: dict[str, str], name: str
) -> float:
    """What was given; in CNY else the article's."""
    if given is not None:
        sources[name] = "given"
        return given
    if currency != "CNY":
        raise BadSetting(
            f"A price in {currency} is missing",
            expected=f"{option} (what is known without it is in CNY)",
            found="none",
            remedy=f"give {option}, or leave out --currency",
        )
    sources[name] = "the article's" if name != "kwh_price" else "assumed"
    return articles


def _cloud(
    given: float | None, api: Elsewhere | None, currency: str, sources: dict[str, str]
) -> Elsewhere | None:
    if given is None and (api is not None or currency != "CNY"):
        return None
    price = _price("--cloud-month", given, article.CLOUD.month, currency, sources, "cloud_month")
    return Elsewhere(f"{article.CLOUD.name} ({sources['cloud_month']})", price)


def _api(tokens: Tokens | None, prompt: float | None, generated: float | None) -> Elsewhere | None:
    if prompt is None and generated is None:
        return None
    if tokens is None or prompt is None or generated is None:
        raise BadSetting(
            "An API cannot be compared with",
            expected="--api-in and --api-out, and tokens: counted ones, or --tokens-day",
            found="no tokens were counted" if tokens is None else "one price of the two",
            remedy="give what is missing, for example --api-in 2 --api-out 6 --tokens-day 200000,100000",
        )
    return Elsewhere(f"an API, {prompt:g} in, {generated:g} out", cost.api_month(tokens, prompt, generated))


def _tokens(appliance: Appliance, given: str | None, days: int, sources: dict[str, str]) -> Tokens | None:
    if given is not None:
        sources["tokens"] = "given"
        return _given_tokens(given)
    try:
        rows = usage.parse(usage.fetch(appliance))
    except ApplianceError as error:
        sources["tokens"] = f"not known: {error.title.lower()}"
        return None
    today = datetime.now(UTC).date()
    found = average(rows, today, days)
    if found is None:
        sources["tokens"] = "nothing was counted yet; give --tokens-day IN,OUT"
        return None
    tokens, counted = found
    unnamed = any(row.account == usage.NOBODY for row in usage.since(rows, usage.first_day(today, days)))
    also = "; benchmarks that needed no key are among them" if unnamed else ""
    sources["tokens"] = f"counted by nginx, {counted} {'day' if counted == 1 else 'days'}{also}"
    return tokens


def average(rows: list[Row], today: date, days: int) -> tuple[Tokens, int] | None:
    """The average day since the first that was counted, at most ``days`` back, and how many days that is.

    Without what benchmarks asked with a key of their own; None where nothing was used.
    """
    own = f"key:{visitor.NAME}"
    recent = [row for row in usage.since(rows, usage.first_day(today, days)) if row.account != own]
    total = sum((row.counts for row in recent), Counts())
    if not total.prompt_tokens + total.generated_tokens:
        return None
    counted = (today - min(row.day for row in recent)).days + 1
    return Tokens(total.prompt_tokens / counted, total.generated_tokens / counted), counted


def _given_tokens(text: str) -> Tokens:
    parts = text.split(",")
    if len(parts) == 2 and all(part.strip().isascii() and part.strip().isdigit() for part in parts):
        return Tokens(*(float(part) for part in parts))
    raise BadSetting(
        "--tokens-day cannot be used",
        expected="two whole numbers, prompts' and answers' tokens of a day",
        found=repr(text),
        remedy="for example --tokens-day 200000,100000",
    )


def _watts(
    appliance: Appliance, given: float | None, host: float, tokens: Tokens | None, sources: dict[str, str]
) -> float:
    if given is not None:
        sources["watts"] = "given"
        return given
    idle = Meter(_cards(appliance)).now(METER_S)
    if idle is None:
        raise BadSetting(
            "What this machine draws is not known",
            expected="--watts, its average draw at the wall, or a card that measures itself",
            found="no NVIDIA card with a meter",
            remedy="read a socket's meter over a usual day and give --watts",
        )
    busy = _busy(bench_report.path_of(appliance))
    if busy is None or tokens is None:
        sources["watts"] = f"{idle:.0f} the card now, {host:.0f} the rest as given or assumed"
        return idle + host
    watts, speed, load = busy
    draw = Draw(idle, watts, cost.busy_share(tokens.generated, speed), host)
    card = f"the card {idle:.0f} now and {watts:.0f} for {draw.busy_share:.1%} of the day"
    sources["watts"] = f"{card}, as benchmarked with {load}; {host:.0f} the rest as given or assumed"
    return draw.average


def _cards(appliance: Appliance) -> tuple[str, ...]:
    """The cards of the engines that are there, else those that .env names for them."""
    client, _ = connect()
    if client is not None:
        with closing(client):
            if found := cards_of(containers.of_project(client, appliance.project)):
                return found
    if appliance.engine == "cpu":
        return ()
    values = given_values.read(appliance.env_file)
    return values.words("GPU_DEVICES") or values.words("GPU_DEVICE") or (appliance.gpu_device,)


def _busy(file: Path) -> tuple[float, float, str] | None:
    """What the card drew in the last benchmark's lightest load, its tokens a second, and its name.

    The lightest, since a box of one's own mostly answers few at a time: the fastest would have it done sooner
    than it is.
    """
    try:
        levels: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["levels"]
        lightest = min(levels, key=lambda level: (level["people"] or math.inf, level["rate"]))
        load = f"{lightest['people']} at a time" if lightest["people"] else f"{lightest['rate']:.3g} a second"
        return float(lightest["watts"]), float(lightest["tokens_per_second"]), load
    except (OSError, ValueError, KeyError, TypeError):
        return None
