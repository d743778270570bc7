"""The environment, read once; a bad variable is named with what was expected and found."""

from __future__ import annotations

from pathlib import Path

import pytest

from chat_ui.errors import SettingsError
from chat_ui.settings import Settings, from_environment

VARIABLES = {
    "ENGINE_URL": "http://127.0.0.1:81/",
    "MODELS_DIR": "/data",
    "UI_SECRET": "s",
    "UI_PORT": "1234",
    "UI_HOST_NAME": "pages",
    "UI_DRAIN_SECONDS": "5",
    "ENGINE_HOST_NAME": "engine",
    "APPLIANCE_VERSION": "1.2.3",
    "PROOF_FILE": "/proof",
}


def test_an_empty_environment_gives_the_appliances_defaults() -> None:
    assert from_environment({}) == Settings(
        "http://nginx:8088", Path("/models"), "", 7860, "ui", 600, "tgi", "unknown", Path("/inside/proof")
    )


def test_empty_variables_count_as_unset() -> None:
    assert from_environment(dict.fromkeys(VARIABLES, "")) == Settings()


def test_every_variable_is_taken() -> None:
    assert from_environment(VARIABLES) == Settings(
        "http://127.0.0.1:81", Path("/data"), "s", 1234, "pages", 5, "engine", "1.2.3", Path("/proof")
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENGINE_URL", "tgi:3000"),
        ("ENGINE_URL", "ftp://tgi"),
        ("ENGINE_URL", "http://"),
        ("ENGINE_URL", "http://tgi:port"),
        ("UI_PORT", "0"),
        ("UI_PORT", "65536"),
        ("UI_PORT", "7860x"),
        ("UI_PORT", "-1"),
        ("UI_DRAIN_SECONDS", "0"),
        ("UI_DRAIN_SECONDS", "1.5"),
    ],
)
def test_a_bad_variable_is_named_with_what_was_found(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_environment({name: value})
    message = str(caught.value)
    assert message.startswith(f"{name}: expected ")
    assert f"found {value!r}" in message
    assert "unset it" in message
