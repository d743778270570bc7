"""Reads and grows a .env file. Knows the format, not what the settings mean.

Lines that people wrote stay as they are: a key that is there keeps its value unless the operator names a new
one, and missing keys are added at the end. The file holds a secret, so it is created readable by its owner
only.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from appliance_cli.base import atomic_file

_LINE = re.compile(r"^\s*(?:export\s+)?(?P<key>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*?)\s*$")
_PLAIN = re.compile(r"^[A-Za-z0-9_./:@,%+=~-]*$")


def parse(text: str) -> dict[str, str]:
    """Every key that the text sets, read as Compose does: quotes, ``export``, ``# comments``, last wins."""
    values = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match:
            values[match["key"]] = _unquote(match["value"])
    return values


def read(path: Path) -> dict[str, str]:
    """The settings in a file; none when it does not exist."""
    return parse(path.read_text(encoding="utf-8")) if path.exists() else {}


def effective(path: Path) -> dict[str, str]:
    """The settings in a file with the shell's over them, as Compose reads them."""
    return {**read(path), **os.environ}


def merged(text: str, missing: Mapping[str, str], chosen: Mapping[str, str], heading: str) -> str:
    """The text with ``chosen`` values put in place and ``missing`` keys added under ``heading`` at the end.

    ``missing`` never changes a key that is there; ``chosen`` (what the operator asked for by name) does.
    """
    present = parse(text)
    lines = text.splitlines()
    for key, value in chosen.items():
        if key in present and present[key] != value:
            lines = [_assignment(key, value) if _key_of(line) == key else line for line in lines]
    added = {key: value for key, value in {**missing, **chosen}.items() if key not in present}
    if added:
        lines += ([""] if lines and lines[-1].strip() else []) + [f"# {heading}"]
        lines += [_assignment(key, value) for key, value in added.items()]
    return "".join(f"{line}\n" for line in lines)


def write(path: Path, text: str) -> bool:
    """Replace the file in one step, keeping its mode (0600 when new).

    False when there was nothing to change.
    """
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    atomic_file.replace(path, text.encode(), mode)
    return True


def choose(path: Path, chosen: Mapping[str, str], heading: str) -> None:
    """Put what the operator asked for by name into the file; ``heading`` goes above keys that are new."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    write(path, merged(old, {}, chosen, heading))


def _key_of(line: str) -> str | None:
    match = _LINE.match(line)
    return match["key"] if match else None


def _assignment(key: str, value: str) -> str:
    # why: in single quotes Compose neither expands $ nor ends the value at a #
    return f"{key}={value}" if _PLAIN.match(value) else f"{key}='{value}'"


def _unquote(value: str) -> str:
    if value[:1] in ("'", '"'):
        end = value.find(value[0], 1)
        return value[1:end] if end > 0 else value
    return re.split(r"(?:^|\s+)#", value, maxsplit=1)[0].rstrip()
