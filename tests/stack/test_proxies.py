"""Docker's client can put the operator's proxies into every container it makes; here it puts a dead one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from harness.stack import Stack

DEAD = "http://127.0.0.1:9"


def test_the_appliance_comes_up_although_dockers_client_has_proxies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For http only, which every health check and every call inside speaks; the model comes by https."""
    (tmp_path / "config.json").write_text(json.dumps({"proxies": {"default": {"httpProxy": DEAD}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with Stack(tmp_path, {"UI_REPLICAS": "1"}) as running:
        running.up()
        given = running.container("model-init", stopped=True).attrs["Config"]["Env"]
        assert {f"HTTP_PROXY={DEAD}", f"http_proxy={DEAD}"} <= set(given)
        for service in ("tgi", "ui", "openai-api", "nginx"):
            environment = running.containers(service)[0].attrs["Config"]["Env"]
            assert {"HTTP_PROXY=", "http_proxy="} <= set(environment)
        one_token: dict[str, Any] = {"inputs": "x", "parameters": {"max_new_tokens": 1}}
        answer = requests.post(f"{running.url}/generate", json=one_token, timeout=60)
        assert answer.ok, answer.text
