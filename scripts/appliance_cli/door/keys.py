"""API keys in the access directory: ``keys.json``, which nginx re-reads within a second.

A key itself is never kept: the table holds its SHA-256, which is enough for a secret of 256 random bits.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime

from appliance_cli.base.errors import BadSetting
from appliance_cli.door import accounts
from appliance_cli.door.access import AccessDir
from appliance_cli.door.accounts import Entry, Limits

FILE, KIND = "keys.json", "keys"
PREFIX = "sk-"
HINT_LENGTH = 4
_SECRET = re.compile(r"(?P<sha256>[0-9a-f]{64})")


def load(access: AccessDir) -> list[Entry]:
    """Every key, expired ones included. Raises BadSetting when the table is damaged."""
    return accounts.read_table(access, FILE, KIND, _SECRET)


def expired(entry: Entry, now: datetime) -> bool:
    """Whether nginx refuses this key by now."""
    return entry.get("expires") is not None and accounts.moment(entry["expires"]) <= now


def valid(entries: Sequence[Entry], now: datetime) -> list[Entry]:
    """The keys that open the door."""
    return [entry for entry in entries if not expired(entry, now)]


def add(
    access: AccessDir, name: str, limits: Limits, expires: datetime | None, now: datetime
) -> tuple[str, Entry]:
    """Make a key; returns it, for the only time, and its entry. Raises BadSetting for a name in use."""
    accounts.require_name(name)
    with access.changing():
        entries = load(access)
        if accounts.find(entries, name):
            raise BadSetting(
                f"There is a key {name} already",
                expected="a new name",
                found=repr(name),
                remedy=f"to replace it by a new key: ./scripts/appliance keys rotate {name}",
            )
        key, proof = _new_key()
        until = None if expires is None else accounts.timestamp(expires)
        entry = accounts.new_entry(name, limits, now, **proof) | {"expires": until}
        accounts.write_table(access, FILE, KIND, [*entries, entry])
    return key, entry


def revoke(access: AccessDir, name: str) -> list[Entry]:
    """Take a key away; returns those that are left. Raises BadSetting when there is none of that name."""
    with access.changing():
        entries = load(access)
        gone = accounts.require_entry(entries, name, "key")
        left = [entry for entry in entries if entry is not gone]
        accounts.write_table(access, FILE, KIND, left)
    return left


def rotate(access: AccessDir, name: str, expires: datetime | None, now: datetime) -> tuple[str, Entry]:
    """Replace a key: same name and limits, same expiry unless ``expires`` is given, and a new key.

    Raises BadSetting when there is none of that name, or when it has expired and would stay so.
    """
    with access.changing():
        entries = load(access)
        old = accounts.require_entry(entries, name, "key")
        if expires is None and expired(old, now):
            raise BadSetting(
                f"The key {name} has expired, and a new one would be expired too",
                expected="--expires with a date to come",
                found=f"expired {old['expires']}",
                remedy=f"./scripts/appliance keys rotate {name} --expires 30d",
            )
        key, proof = _new_key()
        until = old.get("expires") if expires is None else accounts.timestamp(expires)
        entry = {**old, **proof, "created": accounts.timestamp(now), "expires": until}
        kept = [entry if known is old else known for known in entries]
        accounts.write_table(access, FILE, KIND, kept)
    return key, entry


def _new_key() -> tuple[str, dict[str, str]]:
    key = PREFIX + secrets.token_urlsafe(32)
    return key, {"sha256": hashlib.sha256(key.encode()).hexdigest(), "hint": f"…{key[-HINT_LENGTH:]}"}
