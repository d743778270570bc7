"""A model from a local folder, as an air-gapped site has it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.hub import Hub
from harness.hub_repo import sha256
from harness.model_init_run import MODEL_ID, SHARD_1, SHARD_2, TEMPLATE, WANTED, ModelInit, tiny_model


@pytest.fixture
def import_dir(tmp_path: Path) -> Path:
    """A folder with the tiny model, as someone copied it."""
    path = tmp_path / "import"
    path.mkdir()
    for name, data in tiny_model().items():
        (path / name).write_bytes(data)
    return path


@pytest.fixture
def importer(import_dir: Path, offline_init: Callable[..., ModelInit]) -> ModelInit:
    """model-init, to bring the model from the folder."""
    return offline_init(MODEL_SOURCE="folder", IMPORT_DIR=str(import_dir))


def exported(importer: ModelInit, import_dir: Path) -> None:
    """Put a published model, with its manifest, into the folder."""
    assert importer.run().code == 0
    for path in importer.folder.iterdir():
        shutil.copy(path, import_dir)
    shutil.rmtree(importer.folder)


def test_a_folder_is_published_with_the_digests_of_its_files(importer: ModelInit) -> None:
    result = importer.run()

    assert result.code == 0, result.log
    assert result.manifest is not None
    assert {f["path"]: f["sha256"] for f in result.manifest["files"]} == {
        name: sha256(tiny_model()[name]) for name in WANTED
    }
    assert result.manifest["source"] == "folder"
    assert not (importer.folder / "pytorch_model.bin").exists()


def test_without_any_digests_the_structure_alone_is_proven_and_that_is_said(importer: ModelInit) -> None:
    first, second = importer.run(), importer.run()

    for result in (first, second):
        assert f"{MODEL_ID} is ready: 9 files, 2.10 MB, structure only, no digests known (" in result.log
        assert "verified" not in result.log.replace("verifying", "")
    assert "No digests are known; checking only the structure of the files" in first.log


def test_the_second_start_does_not_need_the_folder(importer: ModelInit, import_dir: Path) -> None:
    importer.run()
    shutil.rmtree(import_dir)

    assert importer.run().code == 0


def test_a_damaged_copy_is_repaired_from_the_folder(importer: ModelInit) -> None:
    importer.run()
    (importer.folder / SHARD_1).write_bytes(b"damaged")
    result = importer.run()

    assert result.code == 0, result.log
    assert [entry["path"] for entry in result.status["repaired"]] == [SHARD_1]


def test_a_truncated_file_is_seen_by_its_structure(importer: ModelInit, import_dir: Path) -> None:
    data = (import_dir / SHARD_2).read_bytes()
    (import_dir / SHARD_2).write_bytes(data[:-1])
    result = importer.run()

    assert result.code == 15
    assert f"invalid model: {SHARD_2}: expected" in result.log
    assert importer.weights() == []


def test_a_manifest_in_the_folder_is_the_expectation(importer: ModelInit, import_dir: Path) -> None:
    exported(importer, import_dir)
    assert importer.run().code == 0

    shutil.rmtree(importer.folder)
    data = bytearray((import_dir / SHARD_2).read_bytes())
    data[-1] ^= 1
    (import_dir / SHARD_2).write_bytes(data)
    result = importer.run()
    assert result.code == 14
    assert (
        f"damaged or another version: {SHARD_2} in {import_dir}: expected sha256 "
        f"{sha256(tiny_model()[SHARD_2])}, found {sha256(bytes(data))}; copy it again, or set MODEL_REVISION "
        "to a name of your own to take the folder as it is, on its structure only" in result.log
    )
    assert importer.partial_size(SHARD_2) == 0


def test_a_manifest_of_another_model_is_refused(importer: ModelInit, import_dir: Path) -> None:
    exported(importer, import_dir)
    result = importer.run(MODEL_ID="acme/other")

    assert result.code == 11
    assert f"found a manifest of {MODEL_ID} as safetensors" in result.log


def test_a_manifest_that_lists_pickle_files_does_not_bring_them(
    importer: ModelInit, import_dir: Path
) -> None:
    exported(importer, import_dir)
    record = json.loads((import_dir / "manifest.json").read_text())
    record["files"].append({**record["files"][0], "path": "pytorch_model.bin"})
    (import_dir / "manifest.json").write_text(json.dumps(record))

    assert importer.run().code == 0
    assert not (importer.folder / "pytorch_model.bin").exists()


def test_a_link_out_of_the_folder_is_refused(importer: ModelInit, import_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("{}")
    (import_dir / "vocab.json").unlink()
    (import_dir / "vocab.json").symlink_to(tmp_path / "secret.json")
    result = importer.run()

    assert result.code == 15
    assert (
        f"expected vocab.json to lie inside {import_dir}, found a link out of it, to {tmp_path}/secret.json; "
        "set MODEL_FOLDER to a folder that holds both (of the Hub's cache: the one named models--…), or copy "
        "the files with `cp -rL`" in result.log
    )


@pytest.mark.parametrize("found", ["no folder", "an empty folder"])
def test_there_is_no_model_in_the_folder(importer: ModelInit, import_dir: Path, found: str) -> None:
    shutil.rmtree(import_dir)
    if found == "an empty folder":
        import_dir.mkdir()
    result = importer.run()

    assert result.code == 11
    assert f"expected its files in {import_dir}, found {found}; set MODEL_FOLDER" in result.log


def test_another_label_imports_again(importer: ModelInit) -> None:
    importer.run()
    again = importer.run(MODEL_REVISION="second")

    assert again.code == 0
    assert again.manifest is not None
    assert again.manifest["revision"] == "second"


def test_a_changed_folder_is_read_again_at_the_next_start(importer: ModelInit, import_dir: Path) -> None:
    importer.run()
    (import_dir / "vocab.json").write_text('{"b": 1}')
    changed = importer.run()

    assert changed.code == 0, changed.log
    assert f"{import_dir} has changed (vocab.json): reading it again" in changed.log
    assert (importer.folder / "vocab.json").read_text() == '{"b": 1}'
    # the others are known by their marks
    assert "fetched vocab.json" in changed.log
    assert changed.log.count("fetched ") == 1
    assert "has changed" not in importer.run().log


def test_a_file_that_came_into_the_folder_is_noticed(importer: ModelInit, import_dir: Path) -> None:
    importer.run()
    (import_dir / "chat_template.jinja").write_text(TEMPLATE)
    changed = importer.run()

    assert f"{import_dir} has changed (the names in it): reading it again" in changed.log
    assert (importer.folder / "chat_template.jinja").read_text() == TEMPLATE
    assert "has changed" not in importer.run().log


def test_bytes_that_changed_behind_their_marks_are_noticed_by_a_full_check(
    importer: ModelInit, import_dir: Path
) -> None:
    importer.run()
    path = import_dir / "vocab.json"
    before = path.stat()
    path.write_text('{"b": 1}\n')
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (importer.run().log, (importer.folder / "vocab.json").read_text())[1] == '{"a": 0}\n'

    assert f"{import_dir} has changed (vocab.json)" in importer.run(VERIFY="full").log
    assert (importer.folder / "vocab.json").read_text() == '{"b": 1}\n'


# The list that ships, of the tiny model.
SHIPPED = f"""
import model_init.sources.pinned_models as pinned
from model_init.file_list import Digest, FileList, ListedFile
listed = {[(name, len(tiny_model()[name]), sha256(tiny_model()[name])) for name in WANTED]!r}
files = tuple(ListedFile(n, s, Digest("sha256", d)) for n, s, d in listed)
pinned.pinned_list = lambda s: None if s.revision else FileList("hub", "safetensors", "f00d" * 10, files)
"""


def test_a_folder_is_held_to_the_list_that_ships(importer: ModelInit, import_dir: Path) -> None:
    good = importer.run(prelude=SHIPPED)
    assert good.code == 0, good.log
    assert "9 files, 2.10 MB, verified (" in good.log
    assert good.manifest is not None
    assert (good.manifest["revision"], good.manifest["source"]) == ("f00d" * 10, "folder")

    data = bytearray((import_dir / SHARD_2).read_bytes())
    data[-1] ^= 1
    (import_dir / SHARD_2).write_bytes(data)
    shutil.rmtree(importer.folder)
    flipped = importer.run(prelude=SHIPPED)
    assert flipped.code == 14
    assert f"damaged or another version: {SHARD_2} in {import_dir}: expected sha256 " in flipped.log
    assert flipped.manifest is None

    taken = importer.run(prelude=SHIPPED, MODEL_REVISION="mine")
    assert taken.code == 0, taken.log
    assert "structure only, no digests known" in taken.log


def test_another_size_than_the_shipped_one_is_said_before_anything_is_read(
    importer: ModelInit, import_dir: Path
) -> None:
    (import_dir / "vocab.json").write_text("{}")
    result = importer.run(prelude=SHIPPED)

    assert result.code == 14
    assert (
        f"damaged or another version: vocab.json in {import_dir}: expected 9 bytes by the list that ships "
        "with the appliance, found 2; copy it again" in result.log
    )
    assert "fetched" not in result.log


def test_a_file_that_the_shipped_list_has_and_the_folder_lacks(importer: ModelInit, import_dir: Path) -> None:
    (import_dir / "merges.txt").unlink()
    result = importer.run(prelude=SHIPPED)

    assert result.code == 11
    assert (
        f"no such file: expected merges.txt in {import_dir} by the list that ships with the appliance, found "
        "none; MODEL_SOURCE=hub fetches what is missing and uses the rest" in result.log
    )


def test_a_folder_is_held_to_a_hub_s_list_that_was_kept(
    hub: Hub, model_init: ModelInit, import_dir: Path
) -> None:
    assert model_init.run().code == 0
    (model_init.folder / SHARD_1).unlink()
    data = bytearray((import_dir / SHARD_1).read_bytes())
    data[-1] ^= 1
    (import_dir / SHARD_1).write_bytes(data)
    result = model_init.run(MODEL_SOURCE="folder", IMPORT_DIR=str(import_dir))

    assert result.code == 14
    assert f"damaged or another version: {SHARD_1} in {import_dir}: expected sha256" in result.log


def test_the_model_of_a_wheel_is_known_from_a_folder_too(
    offline_init: Callable[..., ModelInit], tmp_path: Path
) -> None:
    folder = tmp_path / "gguf"
    folder.mkdir()
    (folder / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF, or so it says")
    smol = offline_init(
        MODEL_SOURCE="folder",
        IMPORT_DIR=str(folder),
        MODEL_ID="HuggingFaceTB/SmolLM2-135M-Instruct",
        MODEL_FORMAT="gguf",
    )
    result = smol.run()

    assert result.code == 14
    assert "expected 98362432 bytes by the list that ships with the appliance, found 19" in result.log


def test_a_pointer_of_git_lfs_is_called_that(importer: ModelInit, import_dir: Path) -> None:
    (import_dir / SHARD_1).write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1048736\n"
    )
    for prelude in ("", SHIPPED):
        result = importer.run(prelude=prelude)
        assert result.code == 15
        assert (
            f"expected the model's files in {import_dir}, found {SHARD_1} as a pointer of git-lfs, not the "
            "file itself; run `git lfs pull` in that folder, then start again" in result.log
        )


@pytest.mark.parametrize("source", ["folder", "hub"])
@pytest.mark.parametrize("closed", ["vocab.json", SHARD_1, "."])
def test_files_that_only_their_owner_may_read_come_with_the_one_command(
    hub: Hub, importer: ModelInit, import_dir: Path, closed: str, source: str
) -> None:
    """As root this test gives up what lets root read everything."""
    (import_dir / closed).chmod(0)
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*drop, *importer.command()],
        env={
            **importer.environ,
            "MODEL_FOLDER": "/home/me/my model",
            "MODEL_SOURCE": source,
            "HF_ENDPOINT": hub.endpoint,
        },
        capture_output=True,
        text=True,
    )
    (import_dir / closed).chmod(0o700)

    assert done.returncode == 2, done.stderr
    path = import_dir / closed
    assert (
        f"MODEL_FOLDER: expected files that uid {os.getuid()} can read, found {path} closed to it; "
        "run: chmod -R a+rX '/home/me/my model'" in done.stderr
    )


@pytest.mark.parametrize(
    "place",
    [
        MODEL_ID,
        "tiny-chat",
        f"hub/models/{MODEL_ID}",
        f"models/{MODEL_ID}",
        ".cache/modelscope/hub/models/acme/tiny-chat",
        "hub/acme/tiny-chat",
        "models/acme--tiny-chat/snapshots/master",
    ],
)
def test_a_model_is_found_where_tools_put_it(
    importer: ModelInit, import_dir: Path, tmp_path: Path, place: str
) -> None:
    root = tmp_path / "root"
    (root / place).parent.mkdir(parents=True)
    import_dir.rename(root / place)
    result = importer.run(IMPORT_DIR=str(root))

    assert result.code == 0, result.log
    assert "structure only" in result.log


def test_modelscope_writes_a_dot_of_the_name_as_three_lines(
    importer: ModelInit, import_dir: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    (root / "hub/models/acme").mkdir(parents=True)
    import_dir.rename(root / "hub/models/acme/tiny-1___5-chat")

    assert importer.run(IMPORT_DIR=str(root), MODEL_ID="acme/tiny-1.5-chat").code == 0


def test_a_folder_without_the_model_says_what_is_there(importer: ModelInit, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in "abcdefg":
        (root / name).mkdir(parents=True)
    os.rename(root / "e", os.fsencode(root) + b"/e\xff")
    result = importer.run(IMPORT_DIR=str(root), MODEL_REVISION="v1")

    assert result.code == 11
    assert (
        f"no such model: expected {MODEL_ID} at v1 in {root}, found a, b, c, d, e? and 2 more; correct "
        "MODEL_ID or MODEL_REVISION, or set MODEL_FOLDER to the folder that holds the model's files"
        in result.log
    )


def test_a_name_with_a_space_of_another_script_in_the_folder_blocks_nothing(
    importer: ModelInit, import_dir: Path
) -> None:
    (import_dir / "截图\u3000 1\u202fPM.png").write_bytes(b"x")
    (import_dir / "two\nlines.txt").write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(import_dir) + b"/\xff\xfe.txt")).write_bytes(b"no UTF-8")

    assert importer.run().code == 0


def test_an_unproven_weight_file_in_the_volume_is_moved_aside_before_the_import(importer: ModelInit) -> None:
    importer.folder.mkdir(parents=True)
    (importer.folder / SHARD_1).write_bytes(b"unknown")
    result = importer.run()

    assert result.code == 0, result.log
    assert (importer.folder / SHARD_1).read_bytes() == tiny_model()[SHARD_1]
    assert (importer.quarantine / f"{SHARD_1}.stray").read_bytes() == b"unknown"
