"""A model in a folder as tools and people left it: pointers, caches, closed files, odd names."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness.hub import Hub
from harness.model_init_run import MODEL_ID, SHARD_1, ModelInit, tiny_model


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
