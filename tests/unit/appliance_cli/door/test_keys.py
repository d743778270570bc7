"""API keys: made, listed, revoked and rotated, as modules and through the real command line."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from appliance_cli.base.errors import BadSetting
from appliance_cli.door import accounts, keys
from appliance_cli.door.access import AccessDir
from appliance_cli.door.accounts import Limits

Cli = Callable[..., CompletedProcess[str]]
KEY = re.compile(r"sk-[A-Za-z0-9_-]{43}")


def stored(folder: AccessDir) -> str:
    return (folder.path / "keys.json").read_text()


def test_only_the_hash_of_a_key_is_kept(folder: AccessDir, now: datetime) -> None:
    key, _ = keys.add(folder, "ci", Limits(60, 4, 100_000), now + timedelta(days=40), now)
    assert KEY.fullmatch(key)
    assert key not in stored(folder)
    assert json.loads(stored(folder)) == {
        "schema": 1,
        "keys": [
            {
                "name": "ci",
                "sha256": hashlib.sha256(key.encode()).hexdigest(),
                "hint": f"…{key[-4:]}",
                "created": "2026-11-22T19:00:00Z",
                "rpm": 60,
                "concurrent": 4,
                "daily_tokens": 100_000,
                "expires": "2027-01-01T19:00:00Z",
            }
        ],
    }


def test_a_name_that_is_taken_names_rotate_and_changes_nothing(folder: AccessDir, now: datetime) -> None:
    keys.add(folder, "ci", Limits(), None, now)
    before = stored(folder)
    with pytest.raises(BadSetting, match="There is a key ci already") as failure:
        keys.add(folder, "ci", Limits(), None, now)
    assert failure.value.remedy.endswith("./scripts/appliance keys rotate ci")
    assert stored(folder) == before


def test_a_rotated_key_keeps_its_place_name_limits_and_expiry(folder: AccessDir, now: datetime) -> None:
    old, before = keys.add(folder, "a", Limits(rpm=5), now + timedelta(days=2), now)
    keys.add(folder, "b", Limits(), None, now)
    new, entry = keys.rotate(folder, "a", None, now + timedelta(days=1))
    assert new != old
    assert [known["name"] for known in keys.load(folder)] == ["a", "b"]
    assert (entry["rpm"], entry["expires"]) == (5, before["expires"])
    assert entry["created"] == "2026-11-23T19:00:00Z"
    assert entry["sha256"] == hashlib.sha256(new.encode()).hexdigest()
    assert before["sha256"] not in stored(folder)


def test_an_expired_key_is_rotated_only_with_a_new_expiry(folder: AccessDir, now: datetime) -> None:
    _, entry = keys.add(folder, "a", Limits(), now + timedelta(hours=1), now)
    later = now + timedelta(hours=1)
    assert not keys.expired(entry, later - timedelta(seconds=1))
    assert keys.expired(entry, later)
    with pytest.raises(BadSetting) as failure:
        keys.rotate(folder, "a", None, later)
    assert "--expires 30d" in failure.value.remedy
    _, entry = keys.rotate(folder, "a", later + timedelta(days=1), later)
    assert keys.valid(keys.load(folder), later) == [entry]


def test_revoking_returns_what_is_left(folder: AccessDir, now: datetime) -> None:
    for name in ("a", "b"):
        keys.add(folder, name, Limits(), None, now)
    assert [entry["name"] for entry in keys.revoke(folder, "a")] == ["b"]
    with pytest.raises(BadSetting, match="no such key") as failure:
        keys.revoke(folder, "a")
    assert failure.value.expected == "one of b"


def test_fields_that_somebody_added_by_hand_are_kept(folder: AccessDir, now: datetime) -> None:
    keys.add(folder, "a", Limits(), None, now)
    table = json.loads(stored(folder))
    table["keys"][0]["note"] = "team X"
    del table["keys"][0]["rpm"]
    (folder.path / "keys.json").write_text(json.dumps(table))
    keys.rotate(folder, "a", None, now)
    (entry,) = keys.load(folder)
    assert (entry["note"], entry["rpm"]) == ("team X", None)


GOOD = {"name": "a", "sha256": "0" * 64}
DAMAGED = [
    ('{"schema": 1, "keys": [', "Expecting value"),
    ("[]", "no list 'keys'"),
    (json.dumps({"schema": 2, "keys": []}), "schema 2"),
    (json.dumps({"schema": 1, "keys": ["a"]}), "entry 1: no usable name"),
    (json.dumps({"schema": 1, "keys": [GOOD, {**GOOD, "name": "a b"}]}), "entry 2: no usable name"),
    (json.dumps({"schema": 1, "keys": [{**GOOD, "sha256": "0"}]}), "entry 1: no usable sha256"),
    (json.dumps({"schema": 1, "keys": [{**GOOD, "rpm": "60"}]}), "entry 1: rpm is '60'"),
    (json.dumps({"schema": 1, "keys": [{**GOOD, "rpm": True}]}), "entry 1: rpm is True"),
    (
        json.dumps({"schema": 1, "keys": [{**GOOD, "expires": "2027-01-01"}]}),
        "entry 1: expires: no time zone",
    ),
    (json.dumps({"schema": 1, "keys": [{**GOOD, "expires": "soon"}]}), "entry 1: expires"),
    (json.dumps({"schema": 1, "keys": [GOOD, GOOD]}), "two entries named 'a'"),
]


@pytest.mark.parametrize(("text", "found"), DAMAGED)
def test_a_table_that_cannot_be_understood_is_never_overwritten(
    text: str, found: str, folder: AccessDir, now: datetime
) -> None:
    with folder.changing():
        folder.write("keys.json", text)
    for change in (
        lambda: keys.add(folder, "new", Limits(), None, now),
        lambda: keys.revoke(folder, "a"),
        lambda: keys.rotate(folder, "a", None, now),
    ):
        with pytest.raises(BadSetting, match=r"keys\.json is damaged; it was left as it is") as failure:
            change()
        assert found in failure.value.found
    assert stored(folder) == text


@pytest.mark.parametrize("name", ["ci", "a", "alice@example.org", "0._@-", "a" * 64])
def test_good_names(name: str) -> None:
    accounts.require_name(name)


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a:b", "a|b", "ä", "a\n", "a" * 65])
def test_bad_names(name: str) -> None:
    with pytest.raises(BadSetting) as failure:
        accounts.require_name(name)
    assert failure.value.found == repr(name)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-01-31", "2027-01-31T00:00:00Z"),
        ("2027-01-31T18:30:00Z", "2027-01-31T18:30:00Z"),
        ("2027-01-31T18:30:00+02:00", "2027-01-31T16:30:00Z"),
        ("30d", "2026-12-22T19:00:00Z"),
        ("12h", "2026-11-23T07:00:00Z"),
    ],
)
def test_expiry_may_be_a_date_a_time_or_a_span(text: str, moment: str, now: datetime) -> None:
    assert accounts.timestamp(accounts.expiry(text, now)) == moment


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2026-11-22", "2026-11-22T19:00:00Z", "0d", "-1d", "30", "30m", "999999d", "2027-02-30"],
)
def test_an_expiry_that_is_none_or_past_is_refused(text: str, now: datetime) -> None:
    with pytest.raises(BadSetting) as failure:
        accounts.expiry(text, now)
    assert failure.value.found == repr(text)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "", "٣", str(10**12 + 1)])
def test_a_limit_that_is_no_whole_number_above_zero_is_refused(text: str) -> None:
    with pytest.raises(BadSetting) as failure:
        accounts.limit("--rpm", text)
    assert failure.value.title == "--rpm cannot be used"


def test_the_key_stands_alone_on_stdout_and_the_words_on_stderr(cli: Cli) -> None:
    done = cli("keys", "add", "ci", "--rpm", "60")
    assert done.returncode == 0, done.stderr
    assert KEY.fullmatch(done.stdout.removesuffix("\n"))
    assert done.stdout.strip() not in done.stderr
    for words in (
        "the only time", "Authorization: Bearer", "base_url=http://127.0.0.1:18080/v1", "It is the first one",
    ):  # fmt: skip
        assert words in done.stderr


def test_the_key_as_json(cli: Cli) -> None:
    shown = json.loads(cli("keys", "add", "ci", "--daily-tokens", "5", "--expires", "30d", "--json").stdout)
    assert KEY.fullmatch(shown["key"])
    assert (shown["name"], shown["daily_tokens"], shown["rpm"]) == ("ci", 5, None)
    assert "sha256" not in shown
    assert "the first one" not in cli("keys", "add", "other").stderr


def test_the_life_of_a_key_on_the_command_line(cli: Cli) -> None:
    assert "There is no key yet" in cli("keys", "list").stderr
    first = cli("keys", "add", "ci", "--concurrent", "4").stdout
    second = cli("keys", "rotate", "ci").stdout
    assert KEY.fullmatch(second.strip())
    assert first != second
    assert cli("keys", "list").stdout.splitlines()[1].split()[:2] == ["ci", f"…{second.strip()[-4:]}"]
    (listed,) = json.loads(cli("keys", "list", "--json").stdout)["keys"]
    assert (listed["concurrent"], listed["expired"]) == (4, False)
    assert "sha256" not in listed
    unasked = cli("keys", "revoke", "ci")
    assert (unasked.returncode, unasked.stdout) == (3, "")
    revoked = cli("keys", "revoke", "ci", "--yes")
    assert revoked.returncode == 0
    assert "No key is left: the API is open again to everybody on this machine" in revoked.stderr
    assert json.loads(cli("keys", "list", "--json").stdout) == {"keys": []}


def test_an_expired_key_is_shown_as_such(cli: Cli, tmp_path: Path) -> None:
    cli("keys", "add", "old", "--expires", "1d")
    path = tmp_path / "access" / "keys.json"
    table = json.loads(path.read_text())
    table["keys"][0]["expires"] = accounts.timestamp(datetime.now(UTC) - timedelta(days=1))
    path.write_text(json.dumps(table))
    assert f"expired {table['keys'][0]['expires']}" in cli("keys", "list").stdout
    assert json.loads(cli("keys", "list", "--json").stdout)["keys"][0]["expired"] is True


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        (["add", "a b"], "The name cannot be used"),
        (["add", "a", "--rpm", "none"], "--rpm cannot be used"),
        (["add", "a", "--concurrent", "0"], "--concurrent cannot be used"),
        (["add", "a", "--expires", "yesterday"], "--expires cannot be used"),
        (["revoke", "nobody"], "There is no such key"),
        (["rotate", "nobody"], "There is no such key"),
    ],
)
def test_wrong_input_is_one_clear_error(arguments: list[str], title: str, cli: Cli) -> None:
    done = cli("keys", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.strip().splitlines()
    assert lines[0] == f"✗ {title}"
    assert [line.split()[0] for line in lines[1:]] == ["expected", "found", "do"]
