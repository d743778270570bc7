"""Who gives the list of a model's files, and every answer that is none."""

from __future__ import annotations

import pytest

from harness.hub import Hub
from harness.hub_faults import Fault
from harness.hub_repo import sha256
from harness.model_init_run import MODEL_ID, WANTED, ModelInit, tiny_model

NOBODY = "http://127.0.0.1:9"
PAGE = "with a web page, as a filter or a login page in between gives it"


@pytest.fixture
def all_three(all_three: ModelInit) -> ModelInit:
    """The same, tried once."""
    all_three.environ["MODEL_RETRIES"] = "0"
    return all_three


def test_a_person_is_told_whose_list_is_trusted(hub: Hub, all_three: ModelInit) -> None:
    result = all_three.run()

    assert f"the list of files comes from hub ({hub.endpoint}), trusted on first use\n" in result.log


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (Fault(status=403, page=True), f"the answer 403 {PAGE}"),
        (Fault(status=401, page=True), f"the answer 401 {PAGE}"),
        (Fault(status=404, page=True), f"the answer 404 {PAGE}"),
        (Fault(status=200, page=True), f"the answer 200 {PAGE}"),
        (Fault(status=503, page=True), "the answer 503"),
        (Fault(status=401, error_code="RepoNotFound"), "no such model: expected acme/tiny-chat on"),
        (Fault(status=403, error_code="GatedRepo"), "gated model: expected access to acme/tiny-chat"),
        (Fault(status=403), "not authorised: expected"),
        (Fault(status=404), "no such model: expected /api/models/acme/tiny-chat/revision/main on"),
        (Fault(status=418), "the answer 418"),
    ],
)
def test_an_answer_that_is_no_list_is_said_and_the_next_is_asked(
    hub: Hub, mirror: Hub, all_three: ModelInit, fault: Fault, found: str
) -> None:
    hub.repos[MODEL_ID].info_fault = fault
    result = all_three.run()

    assert result.code == 0, result.log
    (said,) = [line for line in result.log.splitlines() if "no list of files from hub" in line]
    assert f"no list of files from hub ({hub.endpoint}): " in said
    assert found in said
    assert said.endswith("; asking hf-mirror")
    assert f"the list of files comes from hf-mirror ({mirror.endpoint})" in result.log


@pytest.mark.parametrize(
    ("fault", "code", "found"),
    [
        (Fault(status=403, page=True), 13, f"found: the answer 403 {PAGE}"),
        (Fault(status=200, page=True), 13, f"found: the answer 200 {PAGE}"),
        (Fault(status=404, page=True), 13, f"found: the answer 404 {PAGE}"),
        (Fault(status=401, error_code="RepoNotFound"), 11, "no such model: expected acme/tiny-chat on"),
    ],
)
def test_when_nobody_has_a_list_the_cause_is_named(
    hub: Hub, mirror: Hub, scope: Hub, all_three: ModelInit, fault: Fault, code: int, found: str
) -> None:
    for place in (hub, mirror, scope):
        place.repos[MODEL_ID].info_fault = fault
    result = all_three.run()

    assert result.code == code, result.log
    message = result.status["error"]["message"]
    assert found in message
    assert all(place.endpoint in message for place in (hub, mirror, scope))
    assert "internal error" not in result.log


def test_a_model_that_a_hub_denies_is_not_waited_for_elsewhere(hub: Hub, all_three: ModelInit) -> None:
    hub.repos.clear()
    result = all_three.run(HF_MIRROR_ENDPOINT=NOBODY, MODELSCOPE_ENDPOINT=NOBODY, MODEL_RETRIES="5")

    assert result.code == 11
    assert "trying again" not in result.log


def test_a_model_that_only_modelscope_denies_may_be_on_the_hub_yet(scope: Hub, all_three: ModelInit) -> None:
    scope.repos.clear()
    result = all_three.run(HF_ENDPOINT=NOBODY, HF_MIRROR_ENDPOINT=NOBODY, MODEL_RETRIES="1")

    assert result.code == 13
    assert "trying again" in result.log


def test_sizes_and_digests_come_from_the_tree_where_model_info_lacks_them(
    hub: Hub, model_init: ModelInit
) -> None:
    hub.repos[MODEL_ID].info_blobs = False
    result = model_init.run()

    assert result.code == 0, result.log
    assert result.manifest is not None
    assert {f["path"]: f["sha256"] for f in result.manifest["files"]} == {
        name: sha256(tiny_model()[name]) for name in WANTED
    }
    assert f"/api/models/{MODEL_ID}/tree/{hub.repos[MODEL_ID].commit}" in {r.path for r in hub.requests}


def test_a_hub_without_sizes_and_without_a_tree_is_left_for_the_next(
    hub: Hub, mirror: Hub, all_three: ModelInit
) -> None:
    hub.repos[MODEL_ID].info_blobs = hub.repos[MODEL_ID].tree = False
    result = all_three.run()

    assert result.code == 0, result.log
    assert f"the list of files comes from hf-mirror ({mirror.endpoint})" in result.log


@pytest.mark.parametrize(
    "sibling",
    [
        {"rfilename": "vocab.json", "size": 9, "blobId": "no digest"},
        {"rfilename": "vocab.json", "size": 9, "blobId": "0" * 40, "lfs": {"sha256": "x", "size": 9}},
        {"rfilename": None},
        {},
    ],
)
def test_junk_in_a_list_is_its_source_s_failure(
    hub: Hub, mirror: Hub, all_three: ModelInit, sibling: dict[str, object]
) -> None:
    hub.repos[MODEL_ID].info_extra.append(sibling)
    hub.repos[MODEL_ID].tree = False
    result = all_three.run()

    assert result.code == 0, result.log
    assert f"no list of files: expected names, sizes and digests from {hub.endpoint}, found " in result.log
    assert f"the list of files comes from hf-mirror ({mirror.endpoint})" in result.log


def test_modelscope_s_own_list_serves_any_model(scope: Hub, all_three: ModelInit) -> None:
    result = all_three.run(HF_ENDPOINT=NOBODY, HF_MIRROR_ENDPOINT=NOBODY)

    assert result.code == 0, result.log
    assert result.manifest is not None
    assert result.manifest["revision"] is None
    assert sorted(scope.names()) == WANTED
    assert f"the list of files comes from modelscope ({scope.endpoint}), trusted on first use\n" in result.log


def test_modelscope_is_not_asked_for_a_commit_of_the_hub(scope: Hub, all_three: ModelInit) -> None:
    result = all_three.run(MODEL_SOURCES="modelscope", MODEL_REVISION="v1")

    assert result.code == 11
    assert (
        f"no such revision: {scope.endpoint} has commits of its own, so it is not asked for 'v1'; unset "
        "MODEL_REVISION to take the newest" in result.log
    )
    assert not scope.requests


@pytest.mark.parametrize("unsized", [False, True])
@pytest.mark.parametrize("status", [200, 403])
def test_a_file_that_a_filter_replaces_by_a_page_is_no_question_of_the_token(
    hub: Hub, model_init: ModelInit, status: int, unsized: bool
) -> None:
    fault = Fault(status=status, page=True, unsized=unsized, always=True)
    hub.repos[MODEL_ID].faults["vocab.json"] = [fault]
    result = model_init.run()

    assert result.code == 13
    assert f"found: the answer {status} {PAGE}" in result.log


def test_a_name_with_a_space_of_another_script_blocks_no_model(hub: Hub, model_init: ModelInit) -> None:
    hub.add(MODEL_ID, tiny_model() | {"截图 1\u202fPM.png": b"x", "a\u3000b.json": b"x"})

    assert model_init.run().code == 0
