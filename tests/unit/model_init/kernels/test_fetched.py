"""The fast 4-bit kernels: fetched with the same faults as a shard, proven, never in the way."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
import yaml

from harness.fast_kernels import DATA, FOLDER, PIN, WHEEL, kept, pin, right
from harness.hub import Hub
from harness.hub_faults import Fault
from harness.model_init_run import MODEL_ID, SERVICE, ModelInit
from harness.package_index import PackageIndex, running_index
from model_init.kernels.folder import ROOT, SUMS
from model_init.kernels.pinned import PINNED


def test_the_kernels_come_from_the_index_and_only_what_is_needed_is_kept(
    fast: ModelInit, index: PackageIndex
) -> None:
    result = fast.run(prelude=PIN)
    assert result.code == 0, result.log
    assert right(fast)
    assert result.status["stage"] == "ready"
    assert result.status["fast_kernels"] == {"package": "bitsandbytes-9.9", "state": "ready", "detail": None}
    assert sorted(path.name for path in (fast.volume / ROOT).iterdir()) == ["fast-nf4-1"]

    asked = len(index.ranges)
    again = fast.run(prelude=PIN)
    assert again.code == 0 and len(index.ranges) == asked
    listing = json.loads(fast.run("list", "--json", prelude=PIN).out)
    assert [model["model_id"] for model in listing["models"]] == [MODEL_ID]
    assert listing["fast_kernels"]["state"] == "ready"
    assert "fast 4-bit kernels: bitsandbytes-9.9: ready" in fast.run("list", prelude=PIN).log


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut_at=100_000),
        Fault(stall_at=100_000),
        Fault(wrong_byte=1234),
        Fault(truncate_to=1000),
        Fault(extra=b"more"),
        Fault(status=503),
    ],
    ids=["cut", "stalled", "corrupt", "short", "long", "unavailable"],
)
def test_a_fault_on_the_way_is_mended(fast: ModelInit, index: PackageIndex, fault: Fault) -> None:
    index.faults = [fault]
    result = fast.run(prelude=PIN, STALL_SECONDS="0.3")
    assert result.code == 0, result.log
    assert right(fast), result.log
    assert index.faults == []


def test_a_cut_wheel_is_resumed_by_the_next_start(fast: ModelInit, index: PackageIndex) -> None:
    index.faults = [Fault(cut_at=n) for n in (100_000, 100_000, 100_000, 100_000)]
    result = fast.run(prelude=PIN)
    assert result.code == 0 and result.status["fast_kernels"]["state"] == "missing"
    index.faults.clear()
    index.ranges.clear()
    assert fast.run(prelude=PIN).code == 0
    assert index.ranges == ["bytes=100000-"]
    assert right(fast)


@pytest.mark.parametrize(
    ("environ", "prelude", "found"),
    [
        ({"PIP_INDEX_URL": "http://127.0.0.1:9"}, PIN, "the package index http://127.0.0.1:9, found"),
        ({"OFFLINE": "1"}, PIN, "OFFLINE=1 forbids every connection"),
        (
            {},
            pin(DATA, file_name="bitsandbytes-9.9-py3-none-win.whl"),
            "expected bitsandbytes-9.9-py3-none-win.whl",
        ),
        ({}, pin(DATA, package="torch"), "the answer 404"),
        ({}, pin(DATA, sha256="0" * 64), f"expected sha256 {'0' * 64}, found"),
        ({}, pin(DATA, manifest_sha256="0" * 64), "corrupt kernels of bitsandbytes-9.9"),
    ],
    ids=["no index", "offline", "no such wheel", "no such package", "wrong hash", "wrong contents"],
)
def test_without_kernels_the_model_is_ready_and_the_cost_is_said(
    fast: ModelInit, environ: dict[str, str], prelude: str, found: str
) -> None:
    assert fast.run(FAST_NF4="0").code == 0
    result = fast.run(prelude=prelude, **environ)
    assert result.code == 0, result.log
    assert (result.status["stage"], result.status["error"]) == ("ready", None)
    told = result.status["fast_kernels"]
    assert told["state"] == "missing"
    assert found in told["detail"] and "2.9 times" in told["detail"]
    assert f"warning: no fast 4-bit kernels ({told['package']}): {told['detail']}" in result.log
    assert not kept(fast)
    assert "expected SHA256SUMS, found none; TGI starts with its own" in fast.run("list", prelude=prelude).log


@pytest.mark.parametrize("damage", ["changed", "added", "linked", "another list"])
def test_files_that_are_not_the_pinned_ones_are_never_left_for_the_engine(
    fast: ModelInit, index: PackageIndex, damage: str
) -> None:
    assert fast.run(prelude=PIN).code == 0
    module = fast.volume / FOLDER / "bitsandbytes/__init__.py"
    if damage == "changed":
        module.write_bytes(module.read_bytes()[:-1] + b" ")
    elif damage == "added":
        module.with_name("torch.py").write_text("")
    elif damage == "linked":
        module.rename(fast.volume / "elsewhere.py")
        module.symlink_to(fast.volume / "elsewhere.py")
    else:
        (fast.volume / FOLDER / SUMS).write_text("")
    offline = fast.run(prelude=PIN, OFFLINE="1")
    assert offline.code == 0 and offline.status["fast_kernels"]["state"] == "missing"
    assert not kept(fast)
    assert fast.run(prelude=PIN).code == 0
    assert right(fast)


def verify(model_init: ModelInit, *arguments: str, **environ: str) -> tuple[int, dict[str, Any], str]:
    """The exit code, what programs are told, and what people are."""
    command = ("verify", *arguments)
    told = model_init.run(*command, "--json", prelude=PIN, **environ)
    said = model_init.run(*command, prelude=PIN, **environ)
    assert told.code == said.code
    return told.code, json.loads(told.out), said.log


@pytest.mark.parametrize("damage", ["a byte", "missing", "added"])
def test_verify_reads_the_kernels_and_changes_nothing(fast: ModelInit, damage: str) -> None:
    assert fast.run(prelude=PIN).code == 0
    code, told, said = verify(fast)
    assert (code, told["ok"], told["fast_kernels"]["state"]) == (0, True, "ready")
    assert "fast 4-bit kernels: bitsandbytes-9.9: ready" in said

    library = fast.volume / FOLDER / "bitsandbytes/libbitsandbytes_cuda126.so"
    if damage == "a byte":
        marks = library.stat()
        data = library.read_bytes()
        library.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        os.utime(library, ns=(marks.st_atime_ns, marks.st_mtime_ns))
    elif damage == "missing":
        library.unlink()
    else:
        library.with_name("extra.py").write_text("")
    before = kept(fast)
    for environ in ({}, {"FAST_NF4": "0"}):
        code, told, said = verify(fast, **environ)
        assert (code, told["ok"], told["bad"]) == (14, False, [])
        assert told["fast_kernels"]["state"] == "damaged"
        assert f"damaged: the fast 4-bit kernels ({told['fast_kernels']['detail']}" in said
    assert kept(fast) == before
    assert "bitsandbytes-9.9: damaged (expected" in fast.run("list", prelude=PIN).log
    assert verify(fast, MODEL_ID)[:2] == (0, told | {"ok": True, "fast_kernels": None}), "that model's alone"

    assert fast.run(prelude=PIN).code == 0
    assert verify(fast)[0] == 0 and right(fast)


def test_kernels_that_are_not_there_are_no_damage(fast: ModelInit) -> None:
    assert fast.run(prelude=PIN, OFFLINE="0", PIP_INDEX_URL="http://127.0.0.1:9").code == 0
    code, told, said = verify(fast)
    assert (code, told["ok"], told["fast_kernels"]["state"]) == (0, True, "missing")
    assert "2.9 times" in said and "264 MiB more" in said
    assert verify(fast, FAST_NF4="0")[1]["fast_kernels"]["state"] == "off"


def test_switched_off_or_for_another_engine_nothing_is_fetched(fast: ModelInit, index: PackageIndex) -> None:
    off = fast.run(prelude=PIN, FAST_NF4="0")
    assert off.status["fast_kernels"]["state"] == "off"
    assert not index.ranges and not (fast.volume / ROOT).exists()
    refused = fast.run(prelude=PIN, FAST_NF4="yes")
    assert refused.code == 2 and "FAST_NF4: expected one of 0, 1" in refused.log


def test_an_index_with_a_password_and_wheels_elsewhere(
    fast: ModelInit, index: PackageIndex, hub: Hub
) -> None:
    with running_index("bitsandbytes", {WHEEL: DATA}) as files:
        index.password, index.files_at = "me:se cret", files.url
        result = fast.run(prelude=PIN, PIP_INDEX_URL=index.url.replace("//", "//me:se%20cret@"))
        assert result.status["fast_kernels"]["state"] == "ready", result.log
        assert files.ranges == [None] and files.passwords == [None]
    assert "cret" not in result.log


def test_compose_names_the_folder_and_the_library_that_are_kept() -> None:
    root = SERVICE.parents[1]
    services = yaml.safe_load((root / "docker-compose.yml").read_text())["services"]
    environment = services["tgi"]["environment"]
    assert environment["PYTHONPATH"] == f"/models/{ROOT}/fast-nf4-${{FAST_NF4:-1}}/{PINNED.name}"
    assert PINNED.keeps(f"bitsandbytes/libbitsandbytes_cuda{environment['BNB_CUDA_VERSION']}.so")
    assert "FAST_NF4" in services["model-init"]["environment"]
