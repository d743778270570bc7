"""list, remove, export and import, as the operator's tool calls them."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.hub import Hub
from harness.hub_repo import sha256
from harness.model_init_run import (
    FILLING_DISK,
    MODEL_ID,
    SHARD_1,
    SHARD_2,
    WANTED,
    ModelInit,
    Result,
    tiny_model,
)

SECOND = "acme/second"


def pipe(model_init: ModelInit, *flags: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """A command with bytes on its input and output."""
    return subprocess.run(model_init.command(*flags), env=model_init.environ, input=data, capture_output=True)


def models(result: Result) -> dict[str, dict[str, object]]:
    """What `list --json` printed, by id."""
    return {entry["model_id"]: entry for entry in json.loads(result.out)["models"]}


@pytest.fixture
def exported(model_init: ModelInit) -> bytes:
    """The tiny model as a stream."""
    assert model_init.run().code == 0
    done = pipe(model_init, "export", MODEL_ID)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def elsewhere(tmp_path: Path) -> ModelInit:
    """A machine without internet and without the model."""
    (tmp_path / "other").mkdir()
    return ModelInit(tmp_path / "other", OFFLINE="1")


def test_fetch_prepares_another_model_while_the_status_stays_the_served_ones(
    hub: Hub, model_init: ModelInit
) -> None:
    status = model_init.run().status
    hub.add(SECOND, tiny_model())
    fetched = model_init.run("fetch", MODEL_ID=SECOND)
    assert fetched.code == 0, fetched.log
    assert fetched.status == status
    assert models(model_init.run("list", "--json"))[SECOND]["complete"] is True

    failed = model_init.run("fetch", MODEL_ID="nobody/nothing")
    assert failed.code == 11
    assert "no such model" in failed.log
    assert failed.status == status


def test_list_tells_what_is_there(hub: Hub, model_init: ModelInit) -> None:
    model_init.run()
    hub.add(SECOND, tiny_model())
    model_init.run(MODEL_ID=SECOND)
    (model_init.volume / SECOND / SHARD_1).unlink()
    found = models(model_init.run("list", "--json"))

    total = sum(len(tiny_model()[name]) for name in WANTED)
    first = found[MODEL_ID]
    assert (first["complete"], first["in_use"], first["files"]) == (True, True, len(WANTED))
    assert (first["size_bytes"], first["revision"]) == (total, hub.repos[MODEL_ID].commit)
    assert first["last_verified"]
    assert (found[SECOND]["complete"], found[SECOND]["in_use"]) == (False, False)


def test_list_of_an_empty_volume(model_init: ModelInit) -> None:
    assert models(model_init.run("list", "--json")) == {}


def test_verify_is_remembered(model_init: ModelInit) -> None:
    model_init.run()
    (model_init.volume / ".verified.json").write_text('{"acme/tiny-chat": "2001-01-01T00:00:00+00:00"}')
    assert models(model_init.run("list", "--json"))[MODEL_ID]["last_verified"] == "2001-01-01T00:00:00+00:00"
    assert model_init.run("verify").code == 0

    assert str(models(model_init.run("list", "--json"))[MODEL_ID]["last_verified"]) > "2026"


def test_remove_frees_what_is_not_in_use(hub: Hub, model_init: ModelInit) -> None:
    model_init.run()
    hub.add(SECOND, tiny_model())
    model_init.run(MODEL_ID=SECOND)
    result = model_init.run("remove", MODEL_ID, MODEL_ID=SECOND)

    assert result.code == 0, result.log
    assert "removed acme/tiny-chat: 2.10 MB freed" in result.log
    assert not model_init.folder.exists()
    assert model_init.run("verify", SECOND).code == 0


def test_remove_refuses_the_model_in_use_unless_forced(model_init: ModelInit) -> None:
    model_init.run()
    refused = model_init.run("remove", MODEL_ID)
    assert refused.code == 2
    assert "which the appliance is set to serve" in refused.log
    assert len(model_init.weights()) == 2

    assert model_init.run("remove", MODEL_ID, "--force").code == 0
    assert not model_init.folder.parent.exists()


@pytest.mark.parametrize(("name", "code"), [("acme/none", 11), ("../etc", 2), ("out/x", 2)])
def test_remove_of_what_is_no_model(model_init: ModelInit, name: str, code: int) -> None:
    assert model_init.run("remove", name).code == code


def test_a_new_model_leaves_the_old_one_served(hub: Hub, model_init: ModelInit) -> None:
    """Another MODEL_ID has another folder: the old one stays complete until it is removed."""
    first = model_init.run()
    hub.add(SECOND, tiny_model())
    assert model_init.run(MODEL_ID=SECOND).code == 0

    assert json.loads((model_init.folder / "manifest.json").read_text()) == first.manifest


def test_export_and_import_without_internet(exported: bytes, elsewhere: ModelInit) -> None:
    done = pipe(elsewhere, "import", data=exported)
    assert done.returncode == 0, done.stderr
    model = tiny_model()
    assert all((elsewhere.folder / name).read_bytes() == model[name] for name in WANTED)
    assert elsewhere.run("verify").code == 0
    ready = elsewhere.run()

    assert ready.code == 0, ready.log
    assert ready.status["stage"] == "ready"


def test_the_stream_begins_with_the_manifest(exported: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(exported)) as tar:
        names = tar.getnames()

    assert names[0] == f"{MODEL_ID}/manifest.json"
    assert sorted(names[1:]) == [f"{MODEL_ID}/{name}" for name in WANTED]


def test_export_of_damaged_bytes_fails_and_can_not_be_imported(
    model_init: ModelInit, elsewhere: ModelInit
) -> None:
    model_init.run()
    with (model_init.folder / SHARD_2).open("r+b") as stream:
        stream.write(b"\1")
    done = pipe(model_init, "export", MODEL_ID)

    assert done.returncode == 14
    assert f"damaged model file: {SHARD_2}: expected sha256 " in done.stderr.decode()
    assert pipe(elsewhere, "import", data=done.stdout).returncode == 14
    assert left(elsewhere) == []


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


@pytest.mark.parametrize(
    ("damage", "found"), [(cut, "1048767"), (grow, "1048769"), (Path.unlink, "no such file")]
)
def test_export_of_a_damaged_model_file_is_called_that(
    model_init: ModelInit, damage: Callable[[Path], None], found: str
) -> None:
    model_init.run()
    damage(model_init.folder / SHARD_1)
    done = pipe(model_init, "export", MODEL_ID)

    assert done.returncode == 14
    assert (
        f"damaged model file: {SHARD_1}: expected 1048768 bytes, found {found}; start the appliance to "
        "repair it, then export again: this export can't be used" in done.stderr.decode()
    )


def test_an_export_that_nobody_takes_is_no_damage(model_init: ModelInit) -> None:
    model_init.run()
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            model_init.command("export", MODEL_ID),
            env=model_init.environ,
            stdout=full,
            stderr=subprocess.PIPE,
        )

    assert done.returncode == 16
    assert (
        "the export could not be written whole: No space left on device; delete it and try again"
        in done.stderr.decode()
    )


def left(model_init: ModelInit) -> list[str]:
    """Everything below the volume but what every start makes."""
    kept = ("out", ".model-init.lock")
    return sorted(
        str(path.relative_to(model_init.volume))
        for path in model_init.volume.rglob("*")
        if path.name not in kept
    )


def test_export_of_what_is_not_there(model_init: ModelInit) -> None:
    assert pipe(model_init, "export", "acme/none").returncode == 11


Change = Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes]]


def rewritten(stream: bytes, change: Change, *more: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """The export with every member changed, and some added."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(stream)) as old, tarfile.open(fileobj=out, mode="w") as new:
        members = [(info, (old.extractfile(info) or io.BytesIO()).read()) for info in old]
        for info, data in [*(change(info, data) for info, data in members), *more]:
            info.size = len(data) if info.isreg() else 0
            new.addfile(info, io.BytesIO(data))
    return out.getvalue()


def same(info: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    return info, data


def flip_a_weight(info: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    return info, (data[:-1] + bytes([data[-1] ^ 1]) if info.name.endswith(SHARD_1) else data)


def link_for_a_weight(info: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    if info.name.endswith(SHARD_1):
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return info, data


def leave_the_folder(info: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    if info.name.endswith("manifest.json"):
        data = data.replace(b'"config.json"', b'"../config.json"')
    info.name = info.name.replace("/config.json", "/../config.json")
    return info, data


def bring_a_pickle(info: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    if info.name.endswith("manifest.json"):
        data = data.replace(b'"merges.txt"', b'"merges.bin"')
    info.name = info.name.replace("merges.txt", "merges.bin")
    return info, data


def another_model(info: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    data = (
        data.replace(b'"acme/tiny-chat"', b'"../../tmp/x"') if info.name.endswith("manifest.json") else data
    )
    info.name = info.name.replace("acme/tiny-chat", "../../tmp/x")
    return info, data


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        (flip_a_weight, 14, "corrupt import: model-00001-of-00002.safetensors: expected sha256"),
        (link_for_a_weight, 15, "expected the manifest's files and nothing else"),
        (leave_the_folder, 15, "expected a manifest of this appliance"),
        (bring_a_pickle, 15, "expected only files that engines need, found 'merges.bin'"),
        (another_model, 15, "hostile name"),
    ],
)
def test_a_hostile_stream_is_refused(
    exported: bytes, elsewhere: ModelInit, change: Change, code: int, reason: str
) -> None:
    done = pipe(elsewhere, "import", data=rewritten(exported, change))

    assert done.returncode == code, done.stderr
    assert reason in done.stderr.decode()
    assert left(elsewhere) == []
    assert not list(elsewhere.volume.parent.glob("**/passwd"))


def test_a_file_besides_is_refused(exported: bytes, elsewhere: ModelInit) -> None:
    extra = tarfile.TarInfo(f"{MODEL_ID}/evil.safetensors")
    done = pipe(elsewhere, "import", data=rewritten(exported, same, (extra, b"x")))

    assert done.returncode == 15
    assert "evil.safetensors" in done.stderr.decode()
    assert left(elsewhere) == []


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_a_stream_that_ends_early_is_refused(exported: bytes, elsewhere: ModelInit, share: float) -> None:
    done = pipe(elsewhere, "import", data=exported[: int(len(exported) * share)])

    assert done.returncode in (14, 15), done.stderr
    assert left(elsewhere) == []


def break_the_index(info: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    """Consistently: the manifest has the broken file's digest."""
    good = tiny_model()["vocab.json"]
    bad = b"[" + good[1:]
    if info.name.endswith("manifest.json"):
        data = data.replace(sha256(good).encode(), sha256(bad).encode())
    return info, (bad if info.name.endswith("/vocab.json") else data)


def test_an_import_of_what_no_engine_loads_leaves_nothing(exported: bytes, elsewhere: ModelInit) -> None:
    done = pipe(elsewhere, "import", data=rewritten(exported, break_the_index))

    assert done.returncode == 15, done.stderr
    assert "invalid model: vocab.json" in done.stderr.decode()
    assert left(elsewhere) == []


def test_an_import_that_does_not_fit_leaves_nothing(exported: bytes, elsewhere: ModelInit) -> None:
    for prelude in (
        FILLING_DISK,
        "import shutil; shutil.disk_usage = lambda p: shutil._ntuple_diskusage(10**12, 0, 1)",
    ):
        done = subprocess.run(
            elsewhere.command("import", prelude=prelude),
            env=elsewhere.environ,
            input=exported,
            capture_output=True,
        )
        assert done.returncode == 10, done.stderr
        assert left(elsewhere) == []


def test_an_import_over_a_damaged_model_repairs_it(exported: bytes, model_init: ModelInit) -> None:
    with (model_init.folder / SHARD_2).open("r+b") as stream:
        stream.write(b"\1")
    assert pipe(model_init, "import", data=exported).returncode == 0

    assert sha256((model_init.folder / SHARD_2).read_bytes()) == sha256(tiny_model()[SHARD_2])
    assert model_init.run("verify").code == 0
