"""The three forms in which model-init says what it does."""

from __future__ import annotations

import io
import json

import pytest

from model_init.report import console
from model_init.report.console import Console, human_bytes, human_part, human_seconds


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def every_progress_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "PLAIN_INTERVAL_S", 0)


def speak(form: Console) -> None:
    form.event("Downloading", {"stage": "downloading"})
    form.progress("1.20/3.95 GB 85 MB/s ETA 0:32", {"bytes_done": 1_200_000_000, "eta_s": 32})


def test_for_programs_each_event_is_a_json_line_on_stdout() -> None:
    out, err = io.StringIO(), io.StringIO()
    speak(Console(as_json=True, out=out, err=err))
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {"event": "message", "message": "Downloading", "stage": "downloading"},
        {
            "event": "progress",
            "message": "1.20/3.95 GB 85 MB/s ETA 0:32",
            "bytes_done": 1_200_000_000,
            "eta_s": 32,
        },
    ]
    assert err.getvalue() == ""


def test_elsewhere_each_event_is_a_plain_line_on_stderr() -> None:
    out, err = io.StringIO(), io.StringIO()
    speak(Console(out=out, err=err))
    assert err.getvalue() == "Downloading\n1.20/3.95 GB 85 MB/s ETA 0:32\n"
    assert out.getvalue() == ""


def test_on_a_terminal_the_progress_is_one_line_that_is_rewritten() -> None:
    err = Terminal()
    form = Console(out=io.StringIO(), err=err)
    speak(form)
    form.progress("2.40/3.95 GB", {})
    form.event("fetched", {})
    assert err.getvalue() == (
        "Downloading\n\r\x1b[2K1.20/3.95 GB 85 MB/s ETA 0:32\r\x1b[2K2.40/3.95 GB\nfetched\n"
    )


def test_numbers_as_people_read_them() -> None:
    assert [human_bytes(n) for n in (0, 999, 1000, 1_234_567, 15_231_233_024)] == [
        "0 B",
        "999 B",
        "1.00 kB",
        "1.23 MB",
        "15.2 GB",
    ]
    assert human_part(1_200_000_000, 3_945_000_000) == "1.20/3.94 GB"
    assert [human_seconds(s) for s in (0.4, 32, 600, 3725)] == ["0:00", "0:32", "10:00", "1:02:05"]
