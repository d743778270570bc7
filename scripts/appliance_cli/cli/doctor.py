"""The commands that say what is wrong and mend it: ``doctor`` and ``heal``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from appliance_cli.base.errors import STATUS_EXIT
from appliance_cli.cli.run import Json, Run
from appliance_cli.doctor import bundle as support
from appliance_cli.doctor import examination, healing, report


def doctor(
    run: Run,
    quick: Annotated[bool, typer.Option("--quick", help="Only what `up` looks at, too.")] = False,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also pack a .tar.gz for whoever helps, without secrets and prompts."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for every known way in which this fails: what was expected, found, and what to do."""
    output = run.output
    with output.step("Examining") as step:
        findings = examination.examine(run.appliance, step.update, quick=quick)
        step.title = f"Examined: {len(findings)} findings"
    output.data(json.dumps(report.content(findings), indent=2) if as_json else report.table(findings))
    if bundle is not None:
        names = support.write(bundle, run.appliance, findings)
        output.item("ok", f"{bundle}: {len(names)} files, for you to look through before you send it")
    raise typer.Exit(report.exit_code(findings, quick=quick))


def heal(run: Run) -> None:
    """Recreate an engine that lost its card, start what nothing else will start."""
    well = healing.heal(run.appliance, run.output.say)
    raise typer.Exit(STATUS_EXIT.ready if well else STATUS_EXIT.failed)
