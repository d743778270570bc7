"""The commands about the door: ``usage``, ``scale``, ``reload`` and ``tls``."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from appliance_cli.base.errors import StepFailed
from appliance_cli.cli.run import Json, Run
from appliance_cli.compose import commands as compose
from appliance_cli.compose import runner
from appliance_cli.door import access
from appliance_cli.door import tls as tls_module
from appliance_cli.door import usage as usage_module
from appliance_cli.stack import scale as scaling


def usage(
    run: Run,
    days: Annotated[int, typer.Option(min=1, max=400, help="How many days back, today (UTC) included.")] = 30,
    as_json: Json = False,
) -> None:
    """Show who used what: requests and tokens of each key and user, day by day, newest first."""
    appliance = run.appliance
    first = usage_module.first_day(datetime.now(UTC).date(), days)
    rows = usage_module.since(usage_module.parse(usage_module.fetch(appliance)), first)
    output = run.output
    if as_json:
        output.data(json.dumps({"since": first.isoformat(), **usage_module.report(rows)}, indent=2))
    elif rows:
        output.data(usage_module.text(rows))
    else:
        output.say(f"Nothing was used since {first}.")


def scale(
    run: Run,
    replicas: Annotated[
        list[str], typer.Argument(metavar="ui=N", help="How many chat replicas there shall be.")
    ],
) -> None:
    """Run more or fewer chat replicas; nobody is moved, and those that leave finish their answers first."""
    wanted = scaling.parse(replicas)
    output = run.output
    try:
        scaling.scale(run.appliance, wanted, output)
    except KeyboardInterrupt:
        output.say("\nIt goes on without this command. Where it stands: ./scripts/appliance status")
        raise typer.Exit(130) from None


def reload(run: Run) -> None:
    """Have nginx test and take over ACCESS_DIR/custom/*.conf. A refusal changes nothing (exit code 4)."""
    appliance = run.appliance
    answer = runner.ask(appliance, compose.in_nginx(appliance, "/etc/nginx/apply"), timeout=60)
    words = (answer.out + answer.err).strip().splitlines()
    if answer.code != 0:
        raise StepFailed(
            "nginx did not take over the new configuration; what ran goes on",
            expected="a running nginx, and a configuration that passes its test",
            found=f"exit code {answer.code}; its words are above",
            remedy="put right what it says, then run this again (not running: ./scripts/appliance up)",
            details=tuple(words[-15:]),
        )
    output = run.output
    for line in words:
        output.say(f"    {line}")
    output.item("ok", "nginx tested the configuration and took it over; no connection was cut")


def tls(run: Run, as_json: Json = False) -> None:
    """Make, renew or take over the certificate, and show it. Needs no reload (certbot: --deploy-hook)."""
    appliance = run.appliance
    now = datetime.now(UTC)
    pair, changed = tls_module.install(appliance, access.of(appliance), now)
    output = run.output
    tls_module.tell(pair, changed=changed, now=now, output=output)
    if as_json:
        output.data(json.dumps(tls_module.facts(pair, changed=changed), indent=2))
    else:
        output.data(tls_module.text(pair))
