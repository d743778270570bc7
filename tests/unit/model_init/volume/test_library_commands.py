"""fetch, list, verify and remove, as the operator's tool calls them."""

from __future__ import annotations

import json

import pytest

from harness.hub import Hub
from harness.model_init_run import (
    MODEL_ID,
    SHARD_1,
    WANTED,
    ModelInit,
    Result,
    tiny_model,
)

SECOND = "acme/second"


def models(result: Result) -> dict[str, dict[str, object]]:
    """What `list --json` printed, by id."""
    return {entry["model_id"]: entry for entry in json.loads(result.out)["models"]}


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
