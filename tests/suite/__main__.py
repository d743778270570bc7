"""./scripts/test: what is asked for, in order. Messages go to stderr, what was found to stdout."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from suite import checks, runs
from suite.host import ROOT
from suite.request import GROUPS, USAGE, BadRequest, Request, understand


def main(arguments: list[str]) -> int:
    if arguments[:1] in (["--help"], ["-h"]):
        print(USAGE, end="")
        return 0
    if arguments == ["--list"]:
        print(listing(), end="")
        return 0
    try:
        request = understand(arguments)
        wanted = [] if request.checks is None else checks.named(request.checks)
    except BadRequest as error:
        print("✗ ./scripts/test does not know what to run", file=sys.stderr)
        for label, text in zip(("expected", "found", "do"), error.args, strict=True):
            print(f"  {label:<9} {text}", file=sys.stderr)
        return 2
    prepared = subprocess.run([ROOT / "scripts/lib/prepare_tests"], check=False)
    if prepared.returncode:
        return prepared.returncode
    return pass_checks(wanted) or pass_tests(request)


def pass_checks(wanted: list[checks.Check]) -> int:
    if not wanted:
        return 0
    began = time.monotonic()
    failed = checks.run(wanted)
    said("checks", began)
    for name in failed:
        print(f"✗ the check {name} failed; again: ./scripts/test checks -k {name}", file=sys.stderr)
    return 1 if failed else 0


def pass_tests(request: Request) -> int:
    if not request.paths:
        return 0
    began = time.monotonic()
    runs.wait_for_children_on_interrupt()
    if request.everything:
        codes = beside_each_other(request.options)
    else:
        codes = runs.run(runs.needed(request.paths, request.options))
    said("tests", began)
    return runs.verdict(codes, request.options)


def beside_each_other(options: tuple[str, ...]) -> list[int]:
    """What needs an appliance waits most of the time; the unit tests use that. They are shown at the end."""
    units = runs.needed(["tests/unit"], (f"--ignore={checks.NGINX_TESTS}", *options))
    others = runs.needed(["tests/stack", "tests/browser"], options)
    with tempfile.TemporaryFile() as output, ThreadPoolExecutor(1) as pool:
        unit_codes = pool.submit(runs.run, units, output)
        codes = runs.run(others) + unit_codes.result()
        output.seek(0)
        shutil.copyfileobj(output, sys.stdout.buffer)
        sys.stdout.flush()
    return codes


def listing() -> str:
    """The checks, and the groups with their files, each with what it says of itself."""
    lines = ["checks"]
    lines += [f"  {check.name:<54} {check.finds}" for check in checks.CHECKS]
    for group, what in GROUPS.items():
        lines.append(f"{group}: {what}")
        for path in sorted((ROOT / "tests" / group).rglob("test_*.py")):
            summary = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
            lines.append(f"  {path.relative_to(ROOT)!s:<54} {summary}")
    return "\n".join(lines) + "\n"


def said(phase: str, began: float) -> None:
    print(f"── {phase}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
