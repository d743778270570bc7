"""The unfinished file: going on, starting over, refusing what can not belong to it, hashing meanwhile."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from model_init.file_list import Digest, ListedFile
from model_init.volume.sink import Sink, SourceSentTooMuch

DATA = b"some bytes\n" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()
LISTED = ListedFile("x.bin", len(DATA), Digest("sha256", SHA256))


def test_a_sink_goes_on_from_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "x.partial"
    path.write_bytes(DATA[:700])
    with Sink(path, LISTED) as sink:
        assert sink.size == 700
        sink.write(DATA[700:])
        assert sink.found().sha256 == SHA256
    assert path.read_bytes() == DATA


def test_a_sink_starts_over(tmp_path: Path) -> None:
    path = tmp_path / "x.partial"
    path.write_bytes(b"wrong")
    with Sink(path, LISTED) as sink:
        sink.restart()
        sink.write(DATA)
        assert sink.found().sha256 == SHA256
    assert path.read_bytes() == DATA


@pytest.mark.parametrize(
    "file", [ListedFile("x", len(DATA), None), ListedFile("x", 3, Digest("sha256", SHA256))]
)
def test_a_sink_drops_what_can_not_belong_to_the_file(tmp_path: Path, file: ListedFile) -> None:
    path = tmp_path / "x.partial"
    path.write_bytes(DATA[:700])
    with Sink(path, file) as sink:
        assert sink.size == 0


def test_a_sink_takes_no_more_than_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "x.partial"
    with Sink(path, LISTED) as sink:
        sink.write(DATA)
        with pytest.raises(SourceSentTooMuch):
            sink.write(b"!")
    assert path.read_bytes() == DATA


def test_a_sink_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "x.partial").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic links"):
        Sink(tmp_path / "x.partial", LISTED)
    assert not (tmp_path / "elsewhere").exists()


def test_what_was_there_is_hashed_while_new_bytes_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer never waits for the reader: all new bytes are written before the old ones may be read."""
    written = threading.Event()
    real = os.pread

    def late(handle: int, count: int, offset: int) -> bytes:
        assert written.wait(60)
        return real(handle, count, offset)

    monkeypatch.setattr("model_init.volume.sink.os.pread", late)
    (tmp_path / "x.partial").write_bytes(DATA[:5000])
    with Sink(tmp_path / "x.partial", LISTED) as sink:
        assert sink.size == 5000
        sink.write(DATA[5000:7000])
        sink.write(DATA[7000:])
        written.set()
        assert sink.found().sha256 == SHA256


def test_a_restart_while_old_bytes_are_hashed_forgets_them(tmp_path: Path) -> None:
    (tmp_path / "x.partial").write_bytes(b"?" * len(DATA))
    with Sink(tmp_path / "x.partial", LISTED) as sink:
        sink.restart()
        sink.write(DATA)
        assert sink.found().sha256 == SHA256
