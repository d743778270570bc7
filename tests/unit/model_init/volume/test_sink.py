"""The unfinished file: going on, starting over, refusing what can not belong to it, hashing meanwhile."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from pathlib import Path

import pytest

from model_init.errors import NoDiskSpace
from model_init.file_list import Digest, ListedFile
from model_init.volume.sink import Sink, SourceSentTooMuch, held_bytes

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


def test_parts_with_gaps_are_known_to_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "x.partial"
    with Sink(path, LISTED) as sink:
        sink.write(DATA[:700], giver="hub")
        sink.write(DATA[5000:6000], 5000, "mirror")
    assert held_bytes(path, LISTED) == 1700
    with Sink(path, LISTED) as sink:
        assert sink.size == 1700
        assert sink.gaps() == [(700, 5000), (6000, len(DATA))]
        assert sink.givers() == {"hub": 700, "mirror": 1000}
        sink.write(DATA[6000:], 6000, "hub")
        sink.write(DATA[700:5000], 700, "hub")
        assert sink.found().sha256 == SHA256
    assert path.read_bytes() == DATA


def test_a_gap_is_never_on_disk_without_its_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kill would leave is looked at after every write: it never claims bytes that are not there."""
    path = tmp_path / "x.partial"
    real = os.pwrite
    states = []

    def look(handle: int, data: bytes, at: int) -> int:
        count = real(handle, data, at)
        copy = tmp_path / "copy"
        copy.write_bytes(path.read_bytes())
        with Sink(copy, LISTED) as left:
            for start, stop in _held(left):
                assert copy.read_bytes()[start:stop] == DATA[start:stop]
            states.append(left.size)
        return count

    monkeypatch.setattr("model_init.volume.sink.os.pwrite", look)
    with Sink(path, LISTED) as sink:
        for at in (0, 4000, 8000, 2000, 6000, 10_000, 1000):
            sink.write(DATA[at : at + 1000], at, f"from {at}")
    assert max(states) == 7000


def _held(sink: Sink) -> list[tuple[int, int]]:
    """The opposite of the gaps."""
    edges = [0, *(edge for gap in sink.gaps() for edge in gap), len(DATA)]
    return list(zip(edges[::2], edges[1::2], strict=True))


@pytest.mark.parametrize(
    "note", [b"", b"7", b'[[5, 3, "hub"]]', b'[[0, 99999999, "hub"]]', b"\0" * 40, b"[[0, 1]]"]
)
def test_a_note_that_is_none_starts_the_file_over(tmp_path: Path, note: bytes) -> None:
    path = tmp_path / "x.partial"
    path.write_bytes(DATA + note + b"\n")
    assert held_bytes(path, LISTED) == 0
    with Sink(path, LISTED) as sink:
        assert sink.size == 0
    assert path.stat().st_size == 0


def test_of_two_writers_each_one_s_bytes_go_to_disk_in_large_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    monkeypatch.setattr("model_init.volume.sink._WRITE_OUT_BYTES", 2000)
    monkeypatch.setattr(
        "model_init.volume.sink.os.posix_fadvise",
        lambda handle, start, count, advice: told.append((start, count)),
    )
    with Sink(tmp_path / "x.partial", LISTED) as sink:
        for at in range(0, 5000, 500):
            sink.write(DATA[at : at + 500], at, "hub")
            sink.write(DATA[at + 6000 : at + 6500], at + 6000, "mirror")

    assert told == [(0, 2000), (6000, 2000), (2000, 2000), (8000, 2000)]


def test_whose_bytes_were_others_is_known_after_they_came_again(tmp_path: Path) -> None:
    path = tmp_path / "x.partial"
    wrong = bytes([*DATA[:2500], DATA[2500] ^ 1, *DATA[2501:]])
    with Sink(path, LISTED) as sink:
        sink.write(wrong[:1000], giver="hub")
        sink.write(wrong[1000:4000], giver="liar")
        sink.write(wrong[4000:], giver="mirror")
        assert sink.found().sha256 != SHA256
        sink.doubt("hub")
        assert sink.gaps() == [(1000, len(DATA))]
        sink.write(DATA[1000:2000], giver="hub")
        sink.write(DATA[2000:], giver="hub")
        assert sink.found().sha256 == SHA256
        assert sink.differences == {"liar": 2000}
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("taken", [False, True], ids=["its own room", "room that another file takes"])
def test_a_full_disk_leaves_parts_that_can_be_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    path = tmp_path / "x.partial"
    real = os.pwrite
    full_now: list[bool] = []

    def full(handle: int, data: bytes, at: int) -> int:
        if at == 9000 or full_now:
            full_now.extend([True] * taken)
            raise OSError(errno.ENOSPC, "full")
        return real(handle, data, at)

    monkeypatch.setattr("model_init.volume.sink.os.pwrite", full)
    monkeypatch.setattr("model_init.volume.sink._GIVE_BACK_BYTES", 100)
    with pytest.raises(NoDiskSpace), Sink(path, LISTED) as sink:
        sink.write(DATA[:1000], giver="hub")
        sink.write(DATA[8000:9000], 8000, "hub")
        sink.write(DATA[9000:], 9000, "hub")
    with Sink(path, LISTED) as sink:
        assert sink.gaps() == ([(1000, len(DATA))] if taken else [(1000, 8000), (8900, len(DATA))])
