"""A model's config.json from the hubs that would carry the model: a few KB, to plan with before it comes.

Asks the places of MODEL_SOURCES in their order, one try each; the token goes to the Hub alone. What is right
is decided by model-init when the model itself comes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from appliance_cli.base.errors import BadSetting
from appliance_cli.host import proxy
from model_files import hubs

TIMEOUT_S = (3, 10)
MOST_BYTES = 1_000_000


def fetch(model_id: str, values: Mapping[str, str]) -> dict[str, Any]:
    """The config.json of a model. ``values`` are .env's keys, by the names that model-init knows.

    Raises:
        BadSetting: no place gave one, with what each of them said.
    """
    if not hubs.is_model_id(model_id):
        raise _unknown(model_id, "an id is <organisation>/<name>")
    if values.get("OFFLINE") == "1":
        raise _unknown(model_id, "OFFLINE=1 forbids asking")
    try:
        asked = hubs.chosen(values)
    except ValueError as error:
        raise _unknown(model_id, f"MODEL_SOURCES: {error}") from None
    answers = []
    for hub in asked:
        url = hub.file_url(model_id, "config.json", values.get("MODEL_REVISION") or None)
        headers = _authorization(values) if hub.gets_token else {}
        try:
            return _get(url, headers, values)
        except (requests.RequestException, OSError, ValueError) as error:
            answers.append(f"{hub.endpoint}: {_reason(error)}")
    raise _unknown(model_id, "; ".join(answers))


def _authorization(values: Mapping[str, str]) -> dict[str, str]:
    try:
        token = Path(values.get("HF_TOKEN_FILE") or "/dev/null").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        token = ""  # the Hub's own answer then says what is missing
    return {"Authorization": f"Bearer {token}"} if token else {}


def _get(url: str, headers: Mapping[str, str], values: Mapping[str, str]) -> dict[str, Any]:
    bundle = Path(values.get("CA_BUNDLE") or "/dev/null")
    with requests.get(
        url,
        headers={"User-Agent": "qwen-appliance", **headers},
        timeout=TIMEOUT_S,
        proxies=proxy.on_this_host(url, values),
        verify=str(bundle) if bundle.is_file() else True,
        stream=True,
    ) as response:
        response.raise_for_status()
        text = response.raw.read(MOST_BYTES + 1, decode_content=True)
    if len(text) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES} bytes")
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("no JSON object")
    return content


def _reason(error: Exception) -> str:
    """A failure in a few words."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    if isinstance(error, requests.RequestException):
        return f"no answer ({type(error).__name__})"
    return f"no config.json ({str(error) or type(error).__name__})"


def _unknown(model_id: str, found: str) -> BadSetting:
    return BadSetting(
        f"{model_id} cannot be planned before its download",
        expected="a folder with config.json, a Qwen2.5 instruct model, or an id whose config.json a hub has",
        found=found,
        remedy="correct the id, or download its config.json alone and give its folder: --model FOLDER",
    )
