"""Digests, GGUF headers, the unfinished file, the manifest's form, and numbers as people read them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from model_init import gguf_check
from model_init.console import human_bytes, human_part, human_seconds
from model_init.manifest import read
from model_init.plan import Digest, PlannedFile
from model_init.sink import Sink, SourceSentTooMuch
from model_init.status import RateMeter
from model_init.verify import difference, hash_file, stat_mark

DATA = b"some bytes\n" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


def planned(digest: Digest | None = None) -> PlannedFile:
    """The plan for DATA."""
    return PlannedFile("x.bin", len(DATA), digest or Digest("sha256", SHA256))


def test_gits_blob_id_is_what_git_says(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(DATA)
    git = subprocess.run(["git", "hash-object", str(path)], capture_output=True, text=True, check=True)
    file = planned(Digest("git-sha1", git.stdout.strip()))

    found = hash_file(path, file, lambda done: None)
    assert found.sha256 == SHA256
    assert difference(file, found) is None


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (PlannedFile("x", len(DATA) + 1, None), f"expected {len(DATA) + 1} bytes, found {len(DATA)}"),
        (planned(Digest("sha256", "0" * 64)), f"expected sha256 {'0' * 64}, found {SHA256}"),
        (planned(Digest("git-sha1", "0" * 40)), f"expected git-sha1 {'0' * 40}, found "),
        (PlannedFile("x", len(DATA), None), None),
    ],
)
def test_differences_are_named(tmp_path: Path, file: PlannedFile, reason: str | None) -> None:
    path = tmp_path / "x"
    path.write_bytes(DATA)
    found = difference(file, hash_file(path, file, lambda done: None))

    assert (found is None) if reason is None else (found or "").startswith(reason)


def test_a_rewrite_with_its_time_put_back_changes_the_mark(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(DATA)
    before = stat_mark(path)
    assert before is not None
    path.write_bytes(DATA[::-1])
    os.utime(path, ns=(before[1].mtime_ns, before[1].mtime_ns))
    after = stat_mark(path)

    assert after is not None
    assert after[1].mtime_ns == before[1].mtime_ns
    assert after != before


def test_a_link_has_no_mark(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(DATA)
    (tmp_path / "link").symlink_to("x")

    assert stat_mark(tmp_path / "link") is None
    assert stat_mark(tmp_path / "none") is None


def test_a_sink_goes_on_from_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "x.partial"
    path.write_bytes(DATA[:700])
    with Sink(path, planned()) as sink:
        assert sink.size == 700
        sink.write(DATA[700:])
        assert sink.found().sha256 == SHA256
    assert path.read_bytes() == DATA


def test_a_sink_starts_over(tmp_path: Path) -> None:
    path = tmp_path / "x.partial"
    path.write_bytes(b"wrong")
    with Sink(path, planned()) as sink:
        sink.restart()
        sink.write(DATA)
        assert sink.found().sha256 == SHA256
    assert path.read_bytes() == DATA


@pytest.mark.parametrize(
    "file", [PlannedFile("x", len(DATA), None), PlannedFile("x", 3, Digest("sha256", SHA256))]
)
def test_a_sink_drops_what_can_not_belong_to_the_file(tmp_path: Path, file: PlannedFile) -> None:
    path = tmp_path / "x.partial"
    path.write_bytes(DATA[:700])
    with Sink(path, file) as sink:
        assert sink.size == 0


def test_a_sink_takes_no_more_than_planned(tmp_path: Path) -> None:
    path = tmp_path / "x.partial"
    with Sink(path, planned()) as sink:
        sink.write(DATA)
        with pytest.raises(SourceSentTooMuch):
            sink.write(b"!")
    assert path.read_bytes() == DATA


def test_a_sink_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "x.partial").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic links"):
        Sink(tmp_path / "x.partial", planned())
    assert not (tmp_path / "elsewhere").exists()


def gguf(
    magic: bytes = b"GGUF", version: int = 3, tensors: int = 2, entries: int = 3, size: int = 1000
) -> bytes:
    """A file that begins like a GGUF."""
    head = (
        magic + version.to_bytes(4, "little") + tensors.to_bytes(8, "little") + entries.to_bytes(8, "little")
    )
    return head.ljust(size, b"\0")[:size]


def test_what_was_there_is_hashed_while_new_bytes_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer never waits for the reader: all new bytes are written before the old ones may be read."""
    written = threading.Event()
    real = os.pread

    def late(handle: int, count: int, offset: int) -> bytes:
        assert written.wait(60)
        return real(handle, count, offset)

    monkeypatch.setattr("model_init.sink.os.pread", late)
    (tmp_path / "x.partial").write_bytes(DATA[:5000])
    with Sink(tmp_path / "x.partial", planned()) as sink:
        assert sink.size == 5000
        sink.write(DATA[5000:7000])
        sink.write(DATA[7000:])
        written.set()
        assert sink.found().sha256 == SHA256


def test_a_restart_while_old_bytes_are_hashed_forgets_them(tmp_path: Path) -> None:
    (tmp_path / "x.partial").write_bytes(b"?" * len(DATA))
    with Sink(tmp_path / "x.partial", planned()) as sink:
        sink.restart()
        sink.write(DATA)
        assert sink.found().sha256 == SHA256


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "found a file of 0 bytes"),
        (gguf(size=23), "found a file of 23 bytes"),
        (gguf(magic=b"GGML"), "expected the magic 'GGUF', found b'GGML'"),
        (gguf(version=1), "expected version 2 or 3 .* found 1"),
        (gguf(version=3 << 24), "expected version 2 or 3"),
        (gguf(tensors=0), "found 0 tensors"),
        (gguf(tensors=10**6), "found 1000000 tensors"),
        (gguf(entries=2**63), "expected counts that fit"),
    ],
)
def test_a_damaged_gguf_header_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    with pytest.raises(gguf_check.GgufError, match=reason):
        gguf_check.check_file(path)


@pytest.mark.parametrize("path", ["../x.json", "/etc/passwd", "a/b", ""])
def test_a_manifest_that_names_files_elsewhere_is_none(tmp_path: Path, path: str) -> None:
    file = {"path": path, "size": 1, "sha256": "0", "stat": {"mtime_ns": 1, "ctime_ns": 1, "inode": 1}}
    record = {"schema": 1, "model_id": "a/b", "revision": None, "source": "hub", "format": "gguf"}
    target = tmp_path / "manifest.json"
    target.write_text(json.dumps(record | {"created_at": "2026-01-01", "files": [file]}))

    assert read(target) is None


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


def test_bytes_that_were_there_are_no_part_of_the_rate() -> None:
    now = [0.0]
    meter = RateMeter(clock=lambda: now[0])
    meter.skip(10**9)
    now[0] = 2

    assert meter.update(10**9 + 100) == pytest.approx(50)


def test_the_rate_follows_the_last_seconds() -> None:
    now = [0.0]
    meter = RateMeter(clock=lambda: now[0])
    meter.restart(5000)
    done = 5000
    rates = []
    for speed in [100] * 20 + [1000] * 20:
        now[0] += 1
        done += speed
        rates.append(meter.update(done) or 0)

    assert rates[:20] == pytest.approx([100] * 20)
    assert 100 < rates[21] < 1000
    assert rates[39] == pytest.approx(1000, rel=0.05)
