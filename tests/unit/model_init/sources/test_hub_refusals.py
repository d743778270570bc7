"""A hub that gives nothing: broken, absent, gated, without the model, hostile; each is named."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from harness.hub import Hub
from harness.hub_faults import Fault
from harness.hub_repo import git_blob_id
from harness.model_init_run import MODEL_ID, ModelInit


def test_a_hub_that_stays_broken_is_given_up(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].info_fault = Fault(status=503)
    result = model_init.run()

    assert result.code == 13
    assert result.status["error"]["code"] == "no_network"
    assert "the answer 503" in result.status["error"]["message"]


def test_an_address_where_no_hub_answers_says_so(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].info_fault = Fault(status=404)
    result = model_init.run()

    assert result.code == 11
    assert f"expected /api/models/{MODEL_ID}/revision/main on {hub.endpoint}, found 404" in result.log


def test_a_gated_model_says_what_to_do(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].gated = "hf_secret"
    result = model_init.run()

    assert result.code == 12
    assert result.status["error"]["code"] == "gated"
    assert "found no token; accept the licence" in result.log
    assert "HF_TOKEN" in result.log


def test_a_token_opens_a_gated_model_and_is_shown_to_nobody(
    hub: Hub, model_init: ModelInit, tmp_path: Path
) -> None:
    hub.repos[MODEL_ID].gated = "hf_secret"
    token = tmp_path / "token"
    token.write_text("hf_secret\n")
    result = model_init.run("--verbose", HF_TOKEN_FILE=str(token))

    assert result.code == 0, result.log
    assert "hf_secret" not in result.log + result.out + json.dumps(result.status) + json.dumps(
        result.manifest
    )


def test_a_token_without_access_is_named_as_the_cause(
    hub: Hub, model_init: ModelInit, tmp_path: Path
) -> None:
    hub.repos[MODEL_ID].gated = "hf_secret"
    token = tmp_path / "token"
    token.write_text("hf_other")
    result = model_init.run(HF_TOKEN_FILE=str(token))

    assert result.code == 12
    assert "the token's account has no access" in result.log
    assert "hf_other" not in result.log


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"MODEL_ID": "acme/none"}, "no such model: expected acme/none"),
        ({"MODEL_REVISION": "v9"}, "no such revision: expected 'v9'"),
    ],
)
def test_an_unknown_model_or_revision(model_init: ModelInit, environ: dict[str, str], message: str) -> None:
    result = model_init.run(**environ)

    assert result.code == 11
    assert result.status["error"]["code"] == "model_not_found"
    assert message in result.log


def test_nobody_listens(model_init: ModelInit) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
        result = model_init.run(HF_ENDPOINT=endpoint)

    assert result.code == 13
    assert result.status["error"]["code"] == "no_network"
    assert f"no network: expected an answer from {endpoint}" in result.log
    assert "Traceback" not in result.log


def test_the_traceback_is_there_for_those_who_ask(model_init: ModelInit) -> None:
    assert "Traceback" in model_init.run("--verbose", MODEL_REVISION="v9").log


def test_hostile_names_are_refused(hub: Hub, model_init: ModelInit) -> None:
    evil = {"rfilename": "../../evil.safetensors", "size": 1, "blobId": git_blob_id(b"x")}
    hub.repos[MODEL_ID].info_extra.append(evil)
    result = model_init.run()

    assert result.code == 15
    assert "../../evil.safetensors" in result.log
    assert not hub.deliveries
