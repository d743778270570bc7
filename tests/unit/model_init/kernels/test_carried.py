"""The fast 4-bit kernels in an export: carried along, and taken only when they are the pinned ones."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness.fast_kernels import PIN, kept, right
from harness.model_init_run import MODEL_ID, ModelInit
from model_init.kernels.folder import ROOT, SUMS


def transfer(
    source: ModelInit, target: ModelInit, change: object = None
) -> subprocess.CompletedProcess[bytes]:
    """Export from one machine, import on the other."""
    command = source.command("export", MODEL_ID, prelude=PIN)
    exported = subprocess.run(command, env=source.environ, capture_output=True, check=True).stdout
    data = change(exported) if callable(change) else exported
    return subprocess.run(
        target.command("import", prelude=PIN), env=target.environ, input=data, capture_output=True
    )


def rewritten(data: bytes, name: str, content: bytes) -> bytes:
    """The same stream with another content of one member."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            body = old.extractfile(member)
            assert body is not None
            bytes_ = content if member.name.endswith(name) else body.read()
            member.size = len(bytes_)
            new.addfile(member, io.BytesIO(bytes_))
    return out.getvalue()


@pytest.fixture
def elsewhere(tmp_path: Path) -> ModelInit:
    """A machine without internet and without the model."""
    (tmp_path / "other").mkdir()
    return ModelInit(tmp_path / "other", OFFLINE="1", FAST_NF4="1")


def test_an_export_carries_the_kernels_to_a_machine_without_internet(
    fast: ModelInit, elsewhere: ModelInit
) -> None:
    fast.run(prelude=PIN)
    done = transfer(fast, elsewhere)
    assert done.returncode == 0, done.stderr
    assert right(elsewhere)
    result = elsewhere.run(prelude=PIN)
    assert result.code == 0 and result.status["fast_kernels"]["state"] == "ready"


def test_an_export_without_kernels_says_so(fast: ModelInit, elsewhere: ModelInit) -> None:
    fast.run(prelude=PIN, FAST_NF4="0")
    command = fast.command("export", MODEL_ID, prelude=PIN)
    exported = subprocess.run(command, env=fast.environ, capture_output=True, check=True)
    assert b"the fast 4-bit kernels are not on the volume, so the export is without them" in exported.stderr
    assert transfer(fast, elsewhere).returncode == 0
    assert not (elsewhere.volume / ROOT).exists()


def test_code_in_a_bundle_is_taken_only_when_it_is_the_pinned_one(
    fast: ModelInit, elsewhere: ModelInit
) -> None:
    fast.run(prelude=PIN)
    done = transfer(fast, elsewhere, lambda data: rewritten(data, "__init__.py", b"import os  # evil"))
    assert done.returncode == 14 and b"corrupt import" in done.stderr
    assert not kept(elsewhere) and not elsewhere.weights()
    other = transfer(fast, elsewhere, lambda data: rewritten(data, SUMS, b"of another release"))
    assert other.returncode == 0 and b"kernels of another release, which are left out" in other.stderr
    assert not kept(elsewhere) and elsewhere.weights()
