"""A model that is not known here is planned with the config.json that a hub gives."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance_cli.base.errors import BadSetting
from appliance_cli.gpu import hub_config
from appliance_cli.gpu.modes import MODES
from appliance_cli.gpu.question import model_of
from harness.hub import Hub, running_hub
from harness.planned_models import TINY_CONFIG

ID = "someone/their-model"
NF4 = MODES["nf4"]
NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as running:
        running.add(ID, {"config.json": json.dumps(TINY_CONFIG).encode()})
        yield running


def places(**values: str) -> dict[str, str]:
    """Settings under which no place answers, but those that are named."""
    return {"HF_ENDPOINT": NOWHERE, "HF_MIRROR_ENDPOINT": NOWHERE, "MODELSCOPE_ENDPOINT": NOWHERE, **values}


@pytest.mark.parametrize("place", ["HF_ENDPOINT", "HF_MIRROR_ENDPOINT", "MODELSCOPE_ENDPOINT"])
def test_whichever_place_answers_is_taken(hub: Hub, place: str) -> None:
    architecture, files = model_of(ID, places(**{place: hub.endpoint}), NF4)
    assert (architecture.hidden_size, architecture.num_hidden_layers, files) == (64, 1, None)


def test_the_revision_is_asked_for_and_the_token_goes_to_the_hub_alone(hub: Hub, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("hf_secret\n")
    values = places(HF_TOKEN_FILE=str(token), MODEL_REVISION=hub.repos[ID].commit)
    hub_config.fetch(ID, values | {"HF_ENDPOINT": hub.endpoint})
    assert hub.requests[0].path == f"/{ID}/resolve/{hub.repos[ID].commit}/config.json"
    assert hub.requests[0].authorization == "Bearer hf_secret"
    hub.requests.clear()
    hub_config.fetch(ID, values | {"HF_MIRROR_ENDPOINT": hub.endpoint})
    assert {request.authorization for request in hub.requests} == {None}


def test_only_the_places_of_model_sources_are_asked_in_their_order(hub: Hub) -> None:
    values = places(HF_MIRROR_ENDPOINT=hub.endpoint, MODELSCOPE_ENDPOINT=hub.endpoint)
    hub_config.fetch(ID, values | {"MODEL_SOURCES": "modelscope, hf-mirror"})
    assert [request.path for request in hub.requests] == [f"/api/v1/models/{ID}/repo"]
    with pytest.raises(BadSetting) as refusal:
        hub_config.fetch(ID, values | {"MODEL_SOURCES": "hub"})
    assert refusal.value.found == f"{NOWHERE}: no answer (ConnectionError)"


def test_a_proxy_on_this_machine_is_asked_under_the_name_that_the_container_has_for_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy, ThreadPoolExecutor() as elsewhere:
        values = {
            "HF_ENDPOINT": "https://hub.invalid",
            "MODEL_SOURCES": "hub",
            "HTTPS_PROXY": f"http://host.docker.internal:{proxy.getsockname()[1]}",
        }
        refusal = elsewhere.submit(pytest.raises, BadSetting, hub_config.fetch, ID, values)
        proxy.settimeout(60)
        connection = proxy.accept()[0]
        assert connection.recv(100).startswith(b"CONNECT hub.invalid:443")
        connection.close()
        assert "hub.invalid" in refusal.result().value.found


def test_without_one_everything_that_was_answered_is_told(hub: Hub) -> None:
    hub.add("someone/no-config", {"README.md": b"hello"})
    hub.add("someone/not-json", {"config.json": b"<html>"})
    hub.add("someone/a-list", {"config.json": b"[]"})
    hub.add("someone/huge", {"config.json": b" " * (hub_config.MOST_BYTES + 1)})
    values = places(HF_ENDPOINT=hub.endpoint, MODEL_SOURCES="hub")
    for model_id, told in {
        "someone/unknown": "HTTP 401",
        "someone/no-config": "HTTP 404",
        "someone/not-json": "no config.json (Expecting value",
        "someone/a-list": "no config.json (no JSON object)",
        "someone/huge": "more than 1000000 bytes",
    }.items():
        with pytest.raises(BadSetting, match="cannot be planned before its download") as refusal:
            model_of(model_id, values, NF4)
        assert told in refusal.value.found


@pytest.mark.parametrize(
    ("model_id", "values", "told"),
    [
        ("no-organisation", {}, "<organisation>/<name>"),
        ("../../etc/passwd", {}, "<organisation>/<name>"),
        ("someone/x?y", {}, "<organisation>/<name>"),
        (ID, {"OFFLINE": "1"}, "OFFLINE=1"),
        (ID, {"MODEL_SOURCES": "hub,ftp"}, "MODEL_SOURCES: expected some of hub, hf-mirror, modelscope"),
    ],
)
def test_nobody_is_asked_without_need(model_id: str, values: dict[str, str], told: str, hub: Hub) -> None:
    with pytest.raises(BadSetting) as refusal:
        model_of(model_id, places(HF_ENDPOINT=hub.endpoint, **values), NF4)
    assert told in refusal.value.found
    assert hub.requests == []


def test_a_model_that_the_planner_cannot_work_out_is_refused_by_name(hub: Hub) -> None:
    hub.add("someone/other", {"config.json": b'{"model_type": "bert"}'})
    with pytest.raises(BadSetting) as refusal:
        model_of("someone/other", places(HF_ENDPOINT=hub.endpoint), NF4)
    assert "bert" in f"{refusal.value} {refusal.value.expected} {refusal.value.found}"
