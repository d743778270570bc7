"""Tricky .env files, read by Compose itself and by us: the same values, or both refuse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance_cli.base.errors import BadSetting
from appliance_cli.config import dotenv_file
from appliance_cli.config.dotenv_syntax import DotenvError

NAMES = ("A", "B", "C", "D")
SHELL = {"FROM_SHELL": "the shell's", "C": "the shell's C"}

pytestmark = pytest.mark.skipif(shutil.which("docker") is None, reason="needs Docker's Compose plugin")


def by_compose(folder: Path, text: bytes, names: tuple[str, ...] = NAMES) -> dict[str, str | None] | None:
    """What Compose hands to a container; None when it refuses the file."""
    (folder / "tricky.env").write_bytes(text)
    service = {"image": "x", "environment": dict.fromkeys(names)}
    (folder / "compose.json").write_text(json.dumps({"services": {"s": service}}))
    environment = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    files = ["--env-file", str(folder / "tricky.env"), "-f", str(folder / "compose.json")]
    done = subprocess.run(
        ["docker", "compose", *files, "-p", "x", "config", "--format", "json"],
        capture_output=True,
        env={**environment, **SHELL},
        check=False,
    )
    if done.returncode != 0:
        assert b"failed to read" in done.stderr, done.stderr
        return None
    given = json.loads(done.stdout)["services"]["s"]["environment"]
    return {name: None if given[name] is None else given[name].replace("$$", "$") for name in names}


def by_us(text: bytes) -> dict[str, str | None] | None:
    try:
        found = dotenv_file.parse(text.decode("utf-8"), SHELL)
    except DotenvError:
        return None
    return {name: {**found, **SHELL}.get(name) for name in NAMES}


@pytest.mark.parametrize(
    "text",
    [
        # variables
        "A=1\nB=$A\nD=${A}x${NOBODY}y${NOBODY:-d$A}z${A:+alt}${NOBODY:+alt}",
        "A=$FROM_SHELL\nC=mine\nB=$C",
        "B=1\nA=$B\nB=2",
        "A=${NOBODY:-${B:-z}}q\nB=${A:-{x}}",
        "A=${B-}${B+x}${FROM_SHELL?}",
        "A=${B:-a:-b}\nB=${B-a?b}",
        "A=${NOBODY:?is needed}",
        "A=${NOBODY?}",
        "A=$\nB=a$ b\nD=$1",
        "A=$$x\nB=$$$$B\nD=$$${B:-x}",
        "A=${1}",
        "A=${A",
        "A=${B!x}",
        'A="${B:-x\ny}"',
        # quotes
        "A='$B $$ \\n \\' x'\nB='a\\\\'",
        'A="$$ \\$A \\n \\t \\0101 \\\\ \\q \\07 \\0777"\nB="\\x41\\a"',
        'A="a\\"b"\nB=a"b"\nD=""',
        "A='one\r\ntwo'\r\nB=\"one\ntwo\" # why\nD=x",
        'A="one\nB: \'two\n"',
        "A=\"x\" B=y\nD='x'y",
        "A='x\n",
        'A="a\\',
        # comments and blanks
        "A=a#b\nB=a #b\nD=a\t#b",
        "A=#x\nB= #x\nD='a'#y",
        "  A=1\n\tB = 2 \n # D=3\n#D=4",
        "A=\n B=1",
        "A=\u2003x\u2003\n\u00a0B=a\u00a0",
        # names
        "export A=1\nexport\tB=2\nexportD=3",
        "export\nA=1",
        "export ",
        "A=1\nC\nB\n",
        "A",
        "A: yaml\nB:1",
        "A==1\nB=1;D=2",
        "A=1\nFOO BAR=3",
        "=1\nA=2\n${=x",
        "é=1\nA.B=1\nA-B=1\nA[0]=2\n1A=3\nA=1",
        "A;=1",
        # files from other systems
        "A=1\r\nB='x'\r\nD=\"y\"\r\n",
        "A=1\r",
        "\ufeffA=1\nB=2",
        "\ufeff# A\r\nA=1",
    ],
)
def test_a_tricky_file_is_read_as_compose_reads_it(text: str, tmp_path: Path) -> None:
    assert by_us(text.encode()) == by_compose(tmp_path, text.encode())


def test_what_compose_refuses_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "other.env"
    path.write_text("A=1\n\n# a note\nB='never closed\nD=2\n")
    assert by_compose(tmp_path, path.read_bytes()) is None
    with pytest.raises(BadSetting) as refusal:
        dotenv_file.read(path)
    assert refusal.value.found == "other.env line 4: a quote ' that does not end"


TRICKY = [
    "a b#c$d",
    "it's",
    'say "hi"',
    "back\\slash\\",
    "'\\",
    "two\nlines\r\n",
    "$$ ${X:?}",
    " x ",
    "ü # é",
    "",
]


def test_values_that_we_write_mean_the_same_to_compose(tmp_path: Path) -> None:
    names = tuple(f"K{number}" for number in range(len(TRICKY)))
    text = dotenv_file.merged("", dict(zip(names, TRICKY, strict=True)), {}, "heading")
    assert by_compose(tmp_path, text.encode(), names) == dict(zip(names, TRICKY, strict=True))


# Any text that a file can hold: Compose reads bytes, so lone surrogates cannot be written.
values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.text(
    "'\"\\$ {}#\r\nAn"
)
lines = st.sampled_from(
    ["# a note", "", "OTHER=1 # one", "OTHER='a\nb'", "export K=old # was", 'K="a" OTHER=2', "K", "K=$OTHER"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(lines), st.sampled_from(["\n", "\r\n"]), st.booleans(), values)
def test_what_is_chosen_is_read_back_and_all_else_stays(
    written: list[str], line_end: str, ended: bool, value: str
) -> None:
    text = line_end.join(written) + (line_end if ended else "")
    before = dotenv_file.parse(text, {})
    after = dotenv_file.parse(dotenv_file.merged(text, {}, {"K": value}, "heading"), {})
    assert after == {**before, "K": value}
    comments = [line for line in written if line.startswith("#")]
    assert all(comment in dotenv_file.merged(text, {}, {"K": value}, "heading") for comment in comments)
