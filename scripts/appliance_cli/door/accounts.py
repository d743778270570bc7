"""What keys and users have in common: names, limits, expiry, and the JSON tables that hold them.

A table is ``{"schema": 1, "<kind>": [entry, …]}``. Fields that somebody added by hand are kept; a table that
cannot be understood is never overwritten.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from appliance_cli.base.errors import BadSetting
from appliance_cli.door.access import AccessDir, damaged

SCHEMA = 1
MOST = 10**12
LONGEST_DAYS = 36_500
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")

Entry = dict[str, Any]


def _limit(title: str, says: str) -> Any:
    """A limit's field: the head of its column, and what its option says."""
    return field(default=None, metadata={"title": title, "says": says})


@dataclass(frozen=True)
class Limits:
    """What an account may use; None is without limit. nginx/gate/limits.js holds accounts to them.

    Everything about a limit that a person sees follows from its line here: the option, its help, the column.
    """

    rpm: int | None = _limit("REQUESTS/MIN", "Requests a minute at most.")
    concurrent: int | None = _limit("AT A TIME", "Answers at a time at most.")
    daily_tokens: int | None = _limit(
        "TOKENS/DAY", "Tokens a day (UTC) at most, prompts and answers together."
    )


LIMITS = {each.name: each for each in fields(Limits)}


def new_entry(name: str, limits: Limits, now: datetime, **fields: object) -> Entry:
    """An account's entry in its table."""
    return {"name": name, **fields, "created": timestamp(now), **asdict(limits)}


def limit(option: str, text: str | None) -> int | None:
    """The value of ``--rpm`` and its like. Raises BadSetting."""
    if text is None or (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST):
        return None if text is None else int(text)
    raise BadSetting(
        f"{option} cannot be used",
        expected="a whole number, 1 or more",
        found=repr(text),
        remedy=f"give {option} such a number, or leave it out for no limit",
    )


def require_name(name: str) -> None:
    """Raise BadSetting for a name that logs, metrics and password files could not carry."""
    if not _NAME.fullmatch(name):
        raise BadSetting(
            "The name cannot be used",
            expected="letters, digits and . _ @ -, beginning with a letter or digit, 64 characters at most",
            found=repr(name),
            remedy="choose such a name, for example ci or alice@example.org",
        )


def expiry(text: str, now: datetime) -> datetime:
    """The moment that ``--expires`` means: 00:00 UTC of a date, an exact time, or a span from now.

    Raises BadSetting for what is neither, or is past.
    """
    span = re.fullmatch(r"(\d{1,6})([dh])", text, re.ASCII)
    try:
        if span:
            ends = now + timedelta(**{{"d": "days", "h": "hours"}[span[2]]: int(span[1])})
        else:
            ends = datetime.fromisoformat(text)
            ends = ends if ends.tzinfo else ends.replace(tzinfo=UTC)
        if now < ends <= now + timedelta(days=LONGEST_DAYS):
            return ends
    except (ValueError, OverflowError):
        pass
    raise BadSetting(
        "--expires cannot be used",
        expected="a date (2027-01-31: 00:00 UTC) or time (2027-01-31T18:00:00Z) to come, or a span (30d)",
        found=repr(text),
        remedy="give --expires such a value, or leave it out for a key that does not expire",
    )


def timestamp(moment: datetime) -> str:
    """A moment as the tables hold it: UTC, whole seconds, ``2026-11-22T19:00:00Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """A table's moment. Raises ValueError when it is none, or names no time zone."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"no time zone in {text!r}")
    return parsed


def read_table(access: AccessDir, file: str, kind: str, secret: re.Pattern[str]) -> list[Entry]:
    """Every entry of a table; none when there is no file yet.

    ``secret`` is the pattern of the field that proves an account (its name is the pattern's only group).
    Raises BadSetting when the file cannot be understood.
    """
    text = access.read(file)
    if text is None:
        return []
    expected = f'{{"schema": {SCHEMA}, "{kind}": […]}}'
    try:
        table = json.loads(text)
    except ValueError as error:
        raise damaged(access.path / file, expected, str(error)) from error
    fault = _table_fault(table, kind, secret)
    if fault:
        raise damaged(access.path / file, expected, fault)
    return [{**entry, **{name: entry.get(name) for name in (*LIMITS, "created")}} for entry in table[kind]]


def write_table(access: AccessDir, file: str, kind: str, entries: Sequence[Entry]) -> None:
    """Replace a table. Only inside ``access.changing``."""
    access.write(file, json.dumps({"schema": SCHEMA, kind: entries}, indent=2) + "\n")


def find(entries: Iterable[Entry], name: str) -> Entry | None:
    """The entry of that name."""
    return next((entry for entry in entries if entry["name"] == name), None)


def require_entry(entries: Sequence[Entry], name: str, kind: str) -> Entry:
    """The entry of that name. Raises BadSetting, with the names there are. ``kind``: key or user."""
    entry = find(entries, name)
    if entry is not None:
        return entry
    names = ", ".join(known["name"] for known in entries)
    raise BadSetting(
        f"There is no such {kind}",
        expected=f"one of {names}" if names else f"a {kind} that was added before",
        found=repr(name),
        remedy=f"see them: ./scripts/appliance {kind}s list",
    )


def _table_fault(table: Any, kind: str, secret: re.Pattern[str]) -> str | None:
    if not isinstance(table, dict) or not isinstance(table.get(kind), list):
        return f"no list {kind!r}"
    if table.get("schema") != SCHEMA:
        return f"schema {table.get('schema')!r}"
    for number, entry in enumerate(table[kind], 1):
        fault = _entry_fault(entry, secret)
        if fault:
            return f"entry {number}: {fault}"
    names = [entry["name"] for entry in table[kind]]
    twice = next((name for name in names if names.count(name) > 1), None)
    return f"two entries named {twice!r}" if twice else None


def _entry_fault(entry: Any, secret: re.Pattern[str]) -> str | None:
    if not isinstance(entry, Mapping) or not _NAME.fullmatch(str(entry.get("name", ""))):
        return "no usable name"
    (field,) = secret.groupindex
    if not secret.fullmatch(str(entry.get(field, ""))):
        return f"no usable {field}"
    for name in LIMITS:
        value = entry.get(name)
        if value is not None and (type(value) is not int or not 1 <= value <= MOST):
            return f"{name} is {value!r}"
    if entry.get("expires") is not None:
        try:
            moment(str(entry["expires"]))
        except ValueError as error:
            return f"expires: {error}"
    return None
