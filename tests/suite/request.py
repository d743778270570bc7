"""What ./scripts/test is asked for, in its own words. Runs nothing, prepares nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from suite.host import ROOT

# In the order in which they are listed: what it is called, what is in it.
GROUPS = {
    "unit": "parts alone: no appliance is started",
    "stack": "the running appliance, from outside: its API, limits, failures",
    "browser": "the chat page in a real browser",
}
USAGE = """\
Usage: ./scripts/test [WHAT …] [pytest arguments]

  (nothing)            everything: the checks, and when they pass, all tests
  checks [-k NAME]     the checks alone, or those with NAME in their name
  unit, stack, browser one group of tests
  tests/…              a folder, a file, or a test (file::name)

Then whatever pytest takes, such as -k NAME, -x, --pdb; and --long: also the tests that are marked `long`.
--list shows the checks, and the groups with their files. What is missing on this host is installed first.
"""


class BadRequest(Exception):
    """Words that mean nothing here. Its arguments: what was expected, what was found, what to do."""


@dataclass(frozen=True)
class Request:
    """What to run. ``checks``: the part of a name, "" for all of them, None for none.

    ``paths``: of tests, from the repository's root; ``options``: for pytest, as they came.
    ``everything``: nothing was named, so the unit tests run beside the others.
    """

    checks: str | None
    paths: tuple[str, ...]
    options: tuple[str, ...]
    everything: bool = False


def understand(arguments: Sequence[str]) -> Request:
    """Words up to the first option say what; the rest is pytest's.

    Raises:
        BadRequest: for a word that is neither a group nor a path of tests.
    """
    count = next((i for i, word in enumerate(arguments) if word.startswith("-")), len(arguments))
    words, options = arguments[:count], tuple(arguments[count:])
    late = next((word for word in options if word.startswith("tests/")), None)
    if late:
        raise BadRequest(
            "what to run before pytest's options", late, "put it first, or write --option=tests/…"
        )
    if not words:
        return Request("", tuple(f"tests/{group}" for group in GROUPS), options, everything=True)
    paths = tuple(_path(word) for word in words if word != "checks")
    if "checks" not in words:
        return Request(None, paths, options)
    if not paths:
        return Request(_name(options), (), ())
    return Request("", paths, options)


def _path(word: str) -> str:
    if word in GROUPS:
        return f"tests/{word}"
    if word.startswith("tests/") and (ROOT / word.split("::")[0]).exists():
        return word.rstrip("/")
    raise BadRequest(
        f"checks, {', '.join(GROUPS)}, or a path of tests such as tests/unit/nginx",
        word,
        "see ./scripts/test --list",
    )


def _name(options: tuple[str, ...]) -> str:
    match options:
        case ():
            return ""
        case ("-k", name):
            return name
    raise BadRequest("checks, or checks -k NAME", " ".join(("checks", *options)), "see ./scripts/test --help")
