"""The backup's file: what was written is read, and nothing else is."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance_cli.backup import archive
from appliance_cli.backup.archive import Content, File, Manifest
from appliance_cli.base.errors import BadSetting

FILES = {"settings.env": b"A=1\n", "access/keys.json": b'{"keys": []}', "models/0.tar": b"weights" * 99}


def manifest_of(contents: dict[str, Content]) -> Manifest:
    files = tuple(content.described(name) for name, content in contents.items())
    return Manifest("1.1.0", "mine", "/opt/mine", "here", "2026-11-27T16:00:00Z", files)


def written(files: dict[str, bytes] = FILES) -> bytes:
    contents = {name: Content(data, 0o640) for name, data in files.items()}
    out = io.BytesIO()
    archive.write(out, manifest_of(contents), contents, 6)
    return out.getvalue()


WHOLE = written()


Member = tuple[tarfile.TarInfo, bytes]


def crafted(entries: list[dict[str, Any]], members: list[Member], **head: Any) -> bytes:
    """A file by hand, with a manifest as it should be but for ``head``."""
    content = asdict(manifest_of({})) | {"format": archive.FORMAT, "schema": archive.SCHEMA, "files": entries}
    first = tarfile.TarInfo(archive.MANIFEST)
    data = json.dumps(content | head).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for info, body in [(first, data), *members]:
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return out.getvalue()


def entry(name: str, data: bytes = b"x") -> dict[str, Any]:
    return asdict(File(name, len(data), hashlib.sha256(data).hexdigest()))


def refusal(data: bytes) -> str:
    for reading in (archive.check, archive.read, lambda stream: list(archive.models(stream))):
        with pytest.raises(BadSetting) as failure:
            reading(io.BytesIO(data))
    assert "nothing was changed" in failure.value.title
    return failure.value.found


def test_what_was_written_is_read(tmp_path: Path) -> None:
    on_disk = tmp_path / "model"
    on_disk.write_bytes(FILES["models/0.tar"])
    contents = {name: Content(data) for name, data in FILES.items()} | {"models/0.tar": Content(on_disk)}
    out = io.BytesIO()
    archive.write(out, manifest_of(contents), contents, 1)
    manifest, found = archive.read(io.BytesIO(out.getvalue()))
    assert (manifest.version, manifest.project, manifest.root) == ("1.1.0", "mine", "/opt/mine")
    assert found == {name: FILES[name] for name in ("settings.env", "access/keys.json")}
    (model,) = [b"".join(pieces) for _, pieces in archive.models(io.BytesIO(out.getvalue()))]
    assert model == FILES["models/0.tar"]
    assert archive.check(io.BytesIO(out.getvalue())) == manifest


def test_the_file_that_is_damaged_below_is_whole() -> None:
    archive.check(io.BytesIO(WHOLE))
    archive.check(io.BytesIO(crafted([entry("access/x")], [(tarfile.TarInfo("access/x"), b"x")])))


def test_other_programs_read_it_manifest_first() -> None:
    with tarfile.open(fileobj=io.BytesIO(WHOLE)) as tar:
        assert tar.getnames() == [archive.MANIFEST, *FILES]
        assert {member.mode for member in tar.getmembers()[1:]} == {0o640}


@given(st.integers(0, len(WHOLE) - 1))
@example(0)
@example(len(WHOLE) - 1)
def test_a_file_that_ends_early_is_refused(length: int) -> None:
    refusal(WHOLE[:length])


# behind gzip's own first ten bytes, which say when and where it was written
@given(st.integers(10, len(WHOLE) - 1), st.integers(1, 255))
@example(434, 1)
def test_a_changed_byte_is_found_wherever_it_is(place: int, change: int) -> None:
    changed = WHOLE[:place] + bytes([WHOLE[place] ^ change]) + WHOLE[place + 1 :]
    if is_still(changed, gzip.decompress(WHOLE)):  # deflate can say the same in several ways
        assert archive.read(io.BytesIO(changed)) == archive.read(io.BytesIO(WHOLE))
    else:
        refusal(changed)


def is_still(zipped: bytes, plain: bytes) -> bool:
    try:
        return gzip.decompress(zipped) == plain
    except (OSError, EOFError, zlib.error):
        return False


@given(st.binary(max_size=200))
def test_what_is_no_backup_is_refused(data: bytes) -> None:
    refusal(data)
    refusal(gzip.compress(data))
    refusal(WHOLE + b"x" + data)


@pytest.mark.parametrize(
    "name",
    [
        *("/etc/passwd", "../x", "access/../../x", "access/./x", "access//x", "access/", "access", ""),
        *("other/x", "access/a\\b", "access/a\nb", "access/a\0b", "settings.env/x", "manifest.json"),
        f"access/{'x' * 201}",
        "access" + "/x" * 9,
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    assert "a file named" in refusal(crafted([entry(name)], [(tarfile.TarInfo(name or "x"), b"x")]))


@given(st.text(max_size=30))
def test_no_allowed_name_leaves_its_folder(name: str) -> None:
    if archive.is_allowed(f"access/{name}"):
        assert Path(f"/root/access/{name}").resolve().is_relative_to("/root/access")


def link(kind: bytes) -> Callable[[str], tarfile.TarInfo]:
    def make(name: str) -> tarfile.TarInfo:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        return info

    return make


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_only_plain_files_are_taken(kind: bytes) -> None:
    member = link(kind)("access/x")
    assert "'access/x'" in refusal(crafted([entry("access/x", b"")], [(member, b"")]))


def test_exactly_what_the_manifest_lists_is_in_it() -> None:
    here = tarfile.TarInfo("access/x")
    more = tarfile.TarInfo("access/y")
    assert "does not list" in refusal(crafted([entry("access/x")], [(here, b"x"), (more, b"y")]))
    assert "an end before access/y" in refusal(
        crafted([entry("access/x"), entry("access/y")], [(tarfile.TarInfo("access/x"), b"x")])
    )
    assert "where 'access/x' should be" in refusal(
        crafted([entry("access/x")], [(tarfile.TarInfo("access/x"), b"xx")])
    )
    assert "other bytes" in refusal(crafted([entry("access/x")], [(tarfile.TarInfo("access/x"), b"y")]))
    assert "twice" in refusal(crafted([entry("access/x"), entry("access/x")], []))


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ({"format": "another"}, "something else"),
        ({"version": 3}, "lacks something"),
        ({"files": {}}, "lacks something"),
        ({"files": ["access/x"]}, "an entry"),
        ({"files": [entry("access/x") | {"size": -1}]}, "size -1"),
        ({"files": [entry("access/x") | {"size": True}]}, "size True"),
        ({"files": [entry("access/x") | {"mode": "4755"}]}, "mode '4755'"),
        ({"files": [entry("access/x") | {"size": archive.LARGEST_FILES + 1}]}, "too large"),
    ],
)
def test_a_manifest_that_says_nonsense_is_refused(head: dict[str, Any], found: str) -> None:
    assert found in refusal(crafted([], [], **head))


def test_another_form_is_for_another_version() -> None:
    with pytest.raises(BadSetting, match="another version") as failure:
        archive.check(io.BytesIO(crafted([], [], schema=2, version="9.0.0")))
    assert failure.value.found == "form 2, of version '9.0.0'"
