"""Reads and grows a .env file. Knows the format, not what the settings mean.

Read as Compose reads it. What people wrote stays as it is, to the byte: a key that is there keeps its value
unless the operator names a new one, and missing keys are added at the end. The file holds a secret, so it is
created readable by its owner only.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance_cli.base import atomic_file
from appliance_cli.base.errors import BadSetting
from appliance_cli.config.dotenv_syntax import DotenvError, Statement, statements
from appliance_cli.config.interpolation import InterpolationError, Lookup, interpolate, unset

_PLAIN = re.compile(r"[A-Za-z0-9_./:@,%+=~-]*")
_LITERAL = re.compile(r"[^'\\\r\n]*")
_IN_DOUBLE_QUOTES = {"\\": "\\\\", '"': '\\"', "$": "$$", "\n": "\\n", "\r": "\\r"}


@dataclass(frozen=True)
class Entry:
    """What a file says about one key: the value that holds, and the line that gives it.

    ``lacks``: a variable in it is not set, and Compose put nothing in its place.
    """

    value: str
    line: int
    lacks: bool = False


def entries(text: str, environ: Mapping[str, str] | None = None) -> dict[str, Entry]:
    """Every key that the text sets; the last one wins.

    Variables come from ``environ`` (the shell's), then from the text above them.

    Raises DotenvError for what Compose refuses.
    """
    shell = os.environ if environ is None else environ
    found: dict[str, Entry] = {}

    def lookup(name: str) -> str | None:
        return shell[name] if name in shell else found[name].value if name in found else None

    for statement in statements(text):
        value = _value(statement, lookup)
        if value is not None and statement.key:
            lacks = statement.quote != "'" and unset(statement.value or "", lookup)
            found[statement.key] = Entry(value, statement.line, lacks)
    return found


def _value(statement: Statement, lookup: Lookup) -> str | None:
    if statement.value is None:
        return lookup(statement.key)
    if statement.quote == "'":
        return statement.value
    try:
        return interpolate(statement.value, lookup)
    except InterpolationError as error:
        raise DotenvError(statement.line, str(error)) from None


def parse(text: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The values of `entries`."""
    return {key: entry.value for key, entry in entries(text, environ).items()}


def content(path: Path) -> str:
    """The file's text, line ends and all; "" when it does not exist. Bytes that are no UTF-8 are kept."""
    return path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""


def read_entries(path: Path) -> dict[str, Entry]:
    """What a file sets; nothing when it does not exist. Raises BadSetting where Compose cannot read it."""
    if "\0" in content(path):
        raise BadSetting(
            f"{path.name} cannot be read",
            expected="text in UTF-8",
            found=f"{path.name} line 1: bytes of 0, as in UTF-16 (Notepad's “Unicode”, PowerShell's >)",
            remedy=f"save it as UTF-8, for example: iconv -f UTF-16 -t UTF-8 {path.name} > new",
        )
    try:
        return entries(content(path))
    except DotenvError as error:
        raise BadSetting(
            f"{path.name} cannot be read",
            expected="lines of NAME=value, as Compose reads them",
            found=f"{path.name} {error}",
            remedy="correct that line; a value in single quotes is taken as it is",
        ) from None


def read(path: Path) -> dict[str, str]:
    """The values of `read_entries`."""
    return {key: entry.value for key, entry in read_entries(path).items()}


def merged(text: str, missing: Mapping[str, str], chosen: Mapping[str, str], heading: str) -> str:
    """The text with ``chosen`` values put in place and ``missing`` keys added under ``heading`` at the end.

    ``missing`` never changes a key that is there; ``chosen`` (what the operator asked for by name) does.
    """
    present = parse(text)
    line_end = "\r\n" if "\r\n" in text else "\n"
    for statement in reversed(list(statements(text))):
        key = statement.key
        if key in chosen and key in present and present[key] != chosen[key]:
            behind = text[statement.end :]
            # why: a value without quotes ends with its line
            apart = "" if re.match(r"\r?(?:\n|$)", behind) else line_end
            text = f"{text[: statement.start]}{_assignment(key, chosen[key])}{apart}{behind}"
    added = {key: value for key, value in {**missing, **chosen}.items() if key not in present}
    if not added:
        return text
    if text and not text.endswith("\n"):
        text += line_end
    apart = line_end if text and text.splitlines()[-1].strip() else ""
    lines = [f"# {heading}", *(_assignment(key, value) for key, value in added.items())]
    return text + apart + "".join(f"{line}{line_end}" for line in lines)


def write(path: Path, text: str) -> bool:
    """Replace the file in one step, keeping its mode (0600 when new) and, as root, its owner.

    False when there was nothing to change.
    """
    if path.exists() and content(path) == text:
        return False
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    atomic_file.replace(path, text.encode("utf-8", "surrogateescape"), mode, atomic_file.owner_for(path))
    return True


def choose(path: Path, chosen: Mapping[str, str], heading: str) -> bool:
    """Put what the operator asked for by name into the file; ``heading`` goes above keys that are new.

    False when there was nothing to change.
    """
    return write(path, merged(content(path), {}, chosen, heading))


def _assignment(key: str, value: str) -> str:
    if _PLAIN.fullmatch(value):
        return f"{key}={value}"
    # why: in single quotes Compose neither expands $ nor ends the value at a #, only \ is not taken as it is
    if _LITERAL.fullmatch(value):
        return f"{key}='{value}'"
    escaped = "".join(_IN_DOUBLE_QUOTES.get(char, char) for char in value)
    return f'{key}="{escaped}"'
