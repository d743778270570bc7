"""The commands that have another release run: ``upgrade`` and ``rollback``."""

import os
from typing import Annotated

import typer

from appliance_cli.cli.run import ROOT, Run
from appliance_cli.release import fetch, preview
from appliance_cli.release import rollback as going_back
from appliance_cli.release import upgrade as taking_over


def upgrade(
    run: Run,
    check: Annotated[bool, typer.Option("--check", help="Only say what would change.")] = False,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION", help="A version, a tarball or a folder.", show_default="this folder's release"
        ),
    ] = None,
) -> None:
    """Have this folder's release, or another, take over from the one that runs; it goes back if that fails.

    No answer is cut, and keys, users, usage and models stay. See docs/upgrade.md.
    """
    output = run.output
    if to is not None:
        program = str(fetch.get(ROOT, to, output) / "scripts/appliance")
        flags = [*(["--check"] if check else []), *(["--yes"] if output.assume_yes else [])]
        # why: the newer release knows what it needs; it finds the appliance by its name
        os.environ["COMPOSE_PROJECT_NAME"] = run.appliance.project
        os.execv(program, [program, "upgrade", *flags, *(["--verbose"] if output.verbose else [])])
    former = preview.present(ROOT, run.appliance.project)
    preview.tell(former, ROOT, output)
    if check:
        output.say("\nNothing was changed. To do it: the same without --check")
    elif output.allow(f"Upgrade {former.project} from {former.version}?"):
        taking_over.upgrade(former, ROOT, output)
    else:
        output.say("Nothing was changed.")


def rollback(run: Run) -> None:
    """Have the release run again that this folder's took over from; builds and fetches nothing."""
    known = going_back.noted(ROOT, run.appliance.project)
    former, own = known[-2:]
    if run.output.allow(f"Go back from {own.version} to {former.version} in {former.root}?"):
        going_back.rollback(known, run.output)
    else:
        run.output.say("Nothing was changed.")
