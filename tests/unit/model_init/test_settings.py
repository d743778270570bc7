"""The environment: defaults, the choice of source, and one clear line for each bad variable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.model_init_run import ModelInit
from model_init.errors import SettingsError
from model_init.settings import Settings

SMOL = "HuggingFaceTB/SmolLM2-135M-Instruct"


def test_an_empty_environment_means_the_default_model_from_the_hub() -> None:
    settings = Settings.from_environ({})

    assert (settings.model_id, settings.model_format, settings.source) == (
        "Qwen/Qwen2.5-7B-Instruct",
        "safetensors",
        "hub",
    )
    assert settings.models_dir == Path("/models")
    assert settings.revision is settings.gguf_file is settings.hf_token is None


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_a_proxy_for_http_is_judged_only_where_something_is_asked_by_http(name: str) -> None:
    here = {name: "http://127.0.0.1:9"}
    Settings.from_environ(here)
    Settings.from_environ(here | {"HF_ENDPOINT": "http://hub.example", "OFFLINE": "1"})
    with pytest.raises(SettingsError, match=f"^{name}: .* write http://host.docker.internal:9 "):
        Settings.from_environ(here | {"HF_ENDPOINT": "http://hub.example"})


def test_whose_proxy_it_is_that_dockers_client_has_set() -> None:
    both = {"HTTPS_PROXY": "http://10.0.0.1:9", "https_proxy": "http://localhost:9"}
    with pytest.raises(
        SettingsError, match=r"^https_proxy: .*\. Docker's client sets it \(~/\.docker/config"
    ):
        Settings.from_environ(both)


def test_an_empty_variable_counts_as_unset() -> None:
    names = ("MODEL_ID", "MODEL_REVISION", "MODEL_FORMAT", "MODEL_SOURCE", "HF_ENDPOINT", "MODEL_RETRIES")

    assert Settings.from_environ(dict.fromkeys(names, "")) == Settings.from_environ({})


@pytest.mark.parametrize(
    ("environ", "source"),
    [
        ({"MODEL_ID": SMOL, "MODEL_FORMAT": "gguf"}, "pypi"),
        ({"MODEL_ID": SMOL}, "hub"),
        ({"MODEL_ID": "Qwen/Qwen2.5-1.5B-Instruct-GGUF", "MODEL_FORMAT": "gguf"}, "hub"),
        ({"MODEL_ID": SMOL, "MODEL_FORMAT": "gguf", "MODEL_SOURCE": "hub"}, "hub"),
        ({"MODEL_SOURCE": "folder"}, "folder"),
    ],
)
def test_the_source_follows_the_model(environ: dict[str, str], source: str) -> None:
    assert Settings.from_environ(environ).source == source


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("MODEL_ID", "Qwen", "expected <organisation>/<name>"),
        ("MODEL_ID", "../etc/x", "expected <organisation>/<name>"),
        ("MODEL_ID", "a/..", "expected <organisation>/<name>"),
        ("MODEL_ID", "a/b/c", "expected <organisation>/<name>"),
        ("MODEL_ID", "/abs/x", "expected <organisation>/<name>"),
        ("MODEL_ID", "out/x", "expected <organisation>/<name>"),
        ("MODEL_ID", "a/b\n", "expected <organisation>/<name>"),
        ("MODEL_FORMAT", "awq", "expected one of safetensors, gguf, found 'awq'"),
        ("MODEL_SOURCE", "ftp", "expected one of auto, hub, pypi, folder, found 'ftp'"),
        ("MODEL_SOURCE", "pypi", "expected hub or folder for Qwen/Qwen2.5-7B-Instruct as safetensors"),
        ("MODEL_REVISION", "a b", "expected a branch, tag or commit, found 'a b'"),
        ("MODEL_REVISION", "../main", "expected a branch, tag or commit"),
        ("HF_ENDPOINT", "hf-mirror.com", "expected an http:// or https:// address"),
        ("HF_ENDPOINT", "http://[bad", "expected an http:// or https:// address"),
        ("HF_ENDPOINT", "http://hub..example", "expected an http:// or https:// address"),
        ("PIP_INDEX_URL", "file:///x", "expected an http:// or https:// address"),
        ("MODEL_RETRIES", "many", "expected a number from 0 to 100, found 'many'"),
        ("MODEL_RETRIES", "-1", "expected a number from 0 to 100, found '-1'"),
        ("MODEL_RETRY_WAIT", "nan", "expected a number from 0 to 60, found 'nan'"),
        ("MODEL_SOURCES", "hub,ftp", "expected some of hub, hf-mirror, modelscope, each once"),
        ("MODEL_SOURCES", "hub,hub", "expected some of hub, hf-mirror, modelscope, each once"),
        ("HF_MIRROR_ENDPOINT", "hf-mirror.com", "expected an http:// or https:// address"),
        ("MODELSCOPE_ENDPOINT", "x", "expected an http:// or https:// address"),
        ("PARALLEL_FILES", "0", "expected a number from 1 to 32, found '0'"),
        ("STALL_SECONDS", "0", "expected a number from 0.1 to 3600, found '0'"),
        ("BANDWIDTH_LIMIT", "fast", "expected bytes per second such as 20M or 500k"),
        ("BANDWIDTH_LIMIT", "-1", "expected bytes per second such as 20M or 500k"),
        ("VERIFY", "never", "expected one of auto, quick, full, found 'never'"),
        ("OFFLINE", "yes", "expected one of 0, 1, found 'yes'"),
    ],
)
def test_a_bad_variable_is_named_with_what_was_expected(name: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environ({name: value})

    assert str(raised.value).startswith(f"{name}: {expected}")


@pytest.mark.parametrize(
    ("text", "bytes_per_s"),
    [
        ("", None),
        ("0", None),
        ("20M", 20e6),
        ("500k", 500e3),
        ("1.5MB/s", 1.5e6),
        ("1G", 1e9),
        ("4096", 4096),
    ],
)
def test_bandwidth_limits_as_people_write_them(text: str, bytes_per_s: float | None) -> None:
    assert Settings.from_environ({"BANDWIDTH_LIMIT": text}).bandwidth_limit == bytes_per_s


def test_the_order_of_sources_is_the_operators() -> None:
    assert [hub.name for hub in Settings.from_environ({}).hubs] == ["hub", "hf-mirror", "modelscope"]
    set_otherwise = Settings.from_environ({"MODEL_SOURCES": "modelscope, hub"})
    assert [hub.name for hub in set_otherwise.hubs] == ["modelscope", "hub"]


def test_passwords_in_addresses_are_not_quoted_back() -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environ({"PIP_INDEX_URL": "ftp://user:secret@host/"})

    assert "secret" not in str(raised.value)


def test_a_token_is_read_from_its_file_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "hf_token"
    path.write_text(" hf_secret\n")
    settings = Settings.from_environ({"HF_TOKEN_FILE": str(path)})

    assert settings.hf_token == "hf_secret"
    assert "hf_secret" not in repr(settings)


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_unset_secret_is_an_empty_file_and_means_no_token(tmp_path: Path, content: str) -> None:
    path = tmp_path / "hf_token"
    path.write_text(content)

    assert Settings.from_environ({"HF_TOKEN_FILE": str(path)}).hf_token is None


def test_a_file_that_is_no_token(tmp_path: Path) -> None:
    path = tmp_path / "hf_token"
    path.write_text("two words")

    with pytest.raises(SettingsError, match="HF_TOKEN_FILE: expected one word"):
        Settings.from_environ({"HF_TOKEN_FILE": str(path)})


def test_a_ca_bundle_reaches_hub_client_and_pip(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("-----BEGIN CERTIFICATE-----")
    variables = Settings.from_environ({"CA_BUNDLE_FILE": str(path)}).client_environment()

    assert {variables[name] for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")} == {str(path)}
    assert variables["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_an_empty_ca_bundle_leaves_the_systems(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.touch()

    assert "SSL_CERT_FILE" not in Settings.from_environ({"CA_BUNDLE_FILE": str(path)}).client_environment()


def test_a_bad_variable_ends_the_run_with_one_line(offline_init: Callable[..., ModelInit]) -> None:
    result = offline_init(MODEL_FORMAT="awq").run()

    assert result.code == 2
    assert result.log == (
        "error: MODEL_FORMAT: expected one of safetensors, gguf, found 'awq'; change it or unset it\n"
    )
    assert result.status["error"]["code"] == "bad_settings"


def test_a_volume_that_is_not_there(tmp_path: Path) -> None:
    result = ModelInit(tmp_path / "none").run()

    assert result.code == 2
    assert "MODELS_DIR: expected a folder that uid" in result.log
