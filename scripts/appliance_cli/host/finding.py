"""One fact judged: what was found, what was expected, what to do. Used by `up` and by `doctor`."""

import re
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "todo", "fail"]


@dataclass(frozen=True)
class Finding:
    """``todo`` can be supplied by `up`, ``fail`` stops it, ``warn`` does neither.

    ``check`` is the name of the trouble in docs/troubleshooting.md that this was looked for.
    """

    level: Level
    found: str
    expected: str = ""
    remedy: str = ""
    check: str = ""


def version_tuple(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: ``20.10.24+dfsg1`` is (20, 10, 24); () when there is none."""
    match = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()
