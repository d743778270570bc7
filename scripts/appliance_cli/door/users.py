"""People who may open the web page: ``users.json``, and what is made from it for nginx.

``users.htpasswd`` is what nginx checks a password with, ``session.secret`` the key of the sessions' cookies.
"""

import re
import secrets
from collections.abc import Sequence
from datetime import datetime

import bcrypt

from appliance_cli.base.errors import BadSetting
from appliance_cli.door import accounts
from appliance_cli.door.access import AccessDir
from appliance_cli.door.accounts import Entry, Limits

FILE, KIND = "users.json", "users"
HTPASSWD, SESSION_SECRET = "users.htpasswd", "session.secret"
COST = 10  # about 50 ms a sign-in on one core
MIN_CHARACTERS, MAX_BYTES = 8, 72  # bcrypt reads no more than 72 bytes
_SECRET = re.compile(r"(?P<bcrypt>\$2[aby]\$\d\d\$[./A-Za-z0-9]{53})")


def load(access: AccessDir) -> list[Entry]:
    """Every user. Raises BadSetting when the table is damaged."""
    return accounts.read_table(access, FILE, KIND, _SECRET)


def require_new(access: AccessDir, name: str) -> None:
    """Raise BadSetting for a name that cannot be used or is taken."""
    accounts.require_name(name)
    if accounts.find(load(access), name):
        raise BadSetting(
            f"There is a user {name} already",
            expected="a new name",
            found=repr(name),
            remedy=f"to change the password: ./scripts/appliance users passwd {name}",
        )


def require_known(access: AccessDir, name: str) -> None:
    """Raise BadSetting when there is no user of that name."""
    accounts.require_entry(load(access), name, "user")


def hashed(password: str) -> str:
    """A password's bcrypt hash. Raises BadSetting for one that is too short, too long, or has a NUL."""
    if len(password) < MIN_CHARACTERS:
        found = f"{len(password)} characters"
    elif len(password.encode()) > MAX_BYTES:
        found = f"{len(password.encode())} bytes"
    elif "\0" in password:
        found = "a NUL byte"
    else:
        return bcrypt.hashpw(password.encode(), bcrypt.gensalt(COST)).decode()
    raise BadSetting(
        "The password cannot be used; nothing was changed",
        expected=f"{MIN_CHARACTERS} characters or more, {MAX_BYTES} bytes at most",
        found=found,
        remedy="choose another one",
    )


def add(access: AccessDir, name: str, password_hash: str, limits: Limits, now: datetime) -> Entry:
    """Let a person in. Raises BadSetting for a name that is taken."""
    with access.changing():
        require_new(access, name)
        entry = accounts.new_entry(name, limits, now, bcrypt=password_hash)
        _save(access, [*load(access), entry])
    return entry


def remove(access: AccessDir, name: str) -> list[Entry]:
    """Take a person's access away; returns who is left. Raises BadSetting when there is none of that name."""
    with access.changing():
        entries = load(access)
        gone = accounts.require_entry(entries, name, "user")
        left = [entry for entry in entries if entry is not gone]
        _save(access, left)
    return left


def change_password(access: AccessDir, name: str, password_hash: str) -> None:
    """Replace a person's password. Raises BadSetting when there is none of that name."""
    with access.changing():
        entries = load(access)
        old = accounts.require_entry(entries, name, "user")
        _save(access, [{**entry, "bcrypt": password_hash} if entry is old else entry for entry in entries])


def complete(access: AccessDir) -> None:
    """Make again what is made from the table, should a crash or a hand have left it behind."""
    with access.changing():
        entries = load(access)
        if entries:
            _save(access, entries)


def _save(access: AccessDir, entries: Sequence[Entry]) -> None:
    # why: nginx asks for a sign-in as soon as the table names somebody, so what it needs for that comes first
    if not access.read(SESSION_SECRET):
        access.write(SESSION_SECRET, secrets.token_hex(32))
    access.write(HTPASSWD, "".join(f"{entry['name']}:{entry['bcrypt']}\n" for entry in entries))
    accounts.write_table(access, FILE, KIND, entries)
