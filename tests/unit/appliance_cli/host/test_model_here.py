"""Which model files this host has already, and whether the containers may read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance_cli.base.output import Output
from appliance_cli.config.appliance import Appliance
from appliance_cli.host import model_here
from appliance_cli.stack import prepare

QWEN = {"model.safetensors": b"x" * 1000, "config.json": b"{}", "pytorch_model.bin": b"p" * 5000}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


def cached(home: Path, commit: str = "a" * 40) -> Path:
    """The default model in the Hub's cache, as `hf download` leaves it; its folder there."""
    repository = home / ".cache/huggingface/hub/models--Qwen--Qwen2.5-7B-Instruct"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(commit)
    for number, (name, data) in enumerate(QWEN.items()):
        (repository / "blobs" / f"{number:064x}").write_bytes(data)
        (snapshot / name).symlink_to(f"../../blobs/{number:064x}")
    return repository


def test_the_hub_s_cache_is_found_and_only_the_model_s_own_folder_of_it_mounted(home: Path) -> None:
    """What else lies in the cache, a token among it, is nobody's business."""
    folder = cached(home)
    assert model_here.look({}, "gpu", home) == model_here.ModelHere(folder, 1002, None)


@pytest.mark.parametrize(
    "values",
    [
        {"MODEL_FOLDER": "/data"},
        {"MODEL_SOURCE": "folder"},
        {"MODEL_ID": "Qwen/Qwen2.5-1.5B-Instruct"},
        {"MODEL_REVISION": "v2"},
        {"MODEL_ID": "nonsense"},
    ],
)
def test_nothing_is_looked_for_or_found_otherwise(home: Path, values: dict[str, str]) -> None:
    cached(home)
    assert model_here.look(values, "gpu", home) is None


def test_the_cpu_engine_has_no_use_for_these_weights(home: Path) -> None:
    cached(home)
    assert model_here.look({}, "cpu", home) is None
    assert model_here.look({"MODEL_ID": "Qwen/Qwen2.5-7B-Instruct"}, "cpu", home) is None


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HF_HOME"])
def test_a_cache_elsewhere_is_found_by_its_variable(home: Path, tmp_path: Path, variable: str) -> None:
    cached(home)
    elsewhere = tmp_path / "elsewhere"
    (home / ".cache/huggingface").rename(elsewhere)
    value = elsewhere / "hub" if variable == "HF_HUB_CACHE" else elsewhere

    assert model_here.look({}, "gpu", home) is None
    assert model_here.look({variable: str(value)}, "gpu", home) is not None


def test_modelscope_s_cache_is_found(home: Path) -> None:
    folder = home / ".cache/modelscope/hub/models/Qwen/Qwen2___5-7B-Instruct"
    folder.mkdir(parents=True)
    for name, data in QWEN.items():
        (folder / name).write_bytes(data)
    assert model_here.look({}, "gpu", home) == model_here.ModelHere(folder, 1002, None)


def test_pointers_of_git_lfs_are_no_weights(home: Path) -> None:
    folder = cached(home)
    blob = (next(folder.glob("snapshots/*")) / "model.safetensors").resolve()
    blob.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert model_here.look({}, "gpu", home) is None


@pytest.mark.parametrize(
    ("closed", "mode"), [("blobs/" + "0" * 64, 0o600), ("blobs", 0o700), ("snapshots", 0o750)]
)
def test_what_only_its_owner_may_read_is_named(home: Path, closed: str, mode: int) -> None:
    folder = cached(home)
    (folder / closed).chmod(mode)
    here = model_here.look({}, "gpu", home)
    assert here is not None
    assert here.closed == folder / closed


def test_behind_sudo_the_person_s_own_home_counts(tmp_path: Path) -> None:
    assert model_here.home_of_caller({"SUDO_USER": "root", "HOME": "/nowhere"}) == Path("/root")
    assert model_here.home_of_caller({"HOME": str(tmp_path)}) == tmp_path


def test_up_says_what_it_found_and_sets_the_mount(
    home: Path, appliance: Appliance, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = cached(home)
    monkeypatch.setattr(model_here, "home_of_caller", lambda: home)

    assert prepare._model_found_here(appliance, "gpu", Output()) == {"MODEL_FOLDER": str(folder)}
    assert f"1.0 kB found in {folder}, will be verified and used" in capsys.readouterr().err

    (folder / "blobs").chmod(0o700)
    assert prepare._model_found_here(appliance, "gpu", Output()) == {}
    said = capsys.readouterr().err
    assert f"1.0 kB found in {folder}, but {folder}/blobs is closed to the containers" in said
    assert f"to use them: chmod -R a+rX '{folder}', then run this again" in said
