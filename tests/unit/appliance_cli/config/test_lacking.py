"""A value of .env with a $ that Compose would drop, and a file in another encoding, are refused by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance_cli.base.errors import BadSetting
from appliance_cli.config import values
from appliance_cli.config.interpolation import unset


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("UI_SECRET=ab$cd", True),
        ('UI_SECRET="ab${cd}"', True),
        ("UI_SECRET='ab$cd'", False),
        ("UI_SECRET=ab$$cd", False),
        ("UI_SECRET=ab${cd:-}", False),
        ("UI_SECRET=ab$HOME", False),
        ("UI_SECRET=$cd", False),  # nothing is left: not set, as in Compose
        ("SOMETHING_ELSE=ab$cd", False),
        ("cd=1\nUI_SECRET=ab$cd", False),
    ],
)
def test_a_dollar_that_would_be_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, refused: bool
) -> None:
    monkeypatch.setenv("HOME", "/root")
    monkeypatch.delenv("cd", raising=False)
    (tmp_path / ".env").write_text(f"# one\n{line}\n")
    if not refused:
        values.read(tmp_path / ".env")
        return
    with pytest.raises(BadSetting, match="UI_SECRET cannot be used") as refusal:
        values.read(tmp_path / ".env")
    told = f"{refusal.value} {refusal.value.found} {refusal.value.remedy} {refusal.value.expected}"
    assert ".env line 2" in told and "single quotes" in told
    assert "cd" not in told  # it may be half of a password


def test_what_the_shell_gives_stands_for_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UI_SECRET", "whole")
    (tmp_path / ".env").write_text("UI_SECRET=ab$cd_ef\n")
    assert values.read(tmp_path / ".env").text("UI_SECRET") == "whole"


def test_a_nested_default_is_no_variable_that_is_missing() -> None:
    assert not unset("${A:-$B}", {"A": "1", "B": "2"}.get)
    assert unset("$A and ${B}", {"A": "1"}.get)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_named_as_such(tmp_path: Path, encoding: str) -> None:
    (tmp_path / ".env").write_bytes("HTTP_PORT=9000\r\n".encode(encoding))
    with pytest.raises(BadSetting) as refusal:
        values.read(tmp_path / ".env")
    assert "UTF-16" in refusal.value.found and "iconv" in refusal.value.remedy
