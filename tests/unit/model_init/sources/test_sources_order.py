"""Several hubs: who is asked, who is left for whom, whose word counts, who gets the token."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.hub import Hub
from harness.hub_faults import Fault
from harness.hub_repo import sha256
from harness.model_init_run import MODEL_ID, SHARD_1, SHARD_2, WANTED, ModelInit, tensors, tiny_model
from model_init.settings import Settings
from model_init.sources.pinned_models import pinned_list

NOBODY = "http://127.0.0.1:9"


def test_the_first_source_delivers_all_and_the_others_are_left_in_peace(
    hub: Hub, mirror: Hub, scope: Hub, all_three: ModelInit
) -> None:
    result = all_three.run()

    assert result.code == 0, result.log
    assert sorted(hub.names()) == WANTED
    assert mirror.requests == scope.requests == []
    assert f"fetched {SHARD_1}: 1.05 MB, sha256 {sha256(tiny_model()[SHARD_1])}, from hub" in result.log


def test_a_blocked_hub_is_left_for_its_mirror(mirror: Hub, scope: Hub, all_three: ModelInit) -> None:
    result = all_three.run(HF_ENDPOINT=NOBODY)

    assert result.code == 0, result.log
    assert sorted(mirror.names()) == WANTED
    assert not scope.requests
    # told once that nobody is there, the other files do not ask it again
    assert result.log.count(f"{NOBODY}: ") == 1


def test_files_that_the_mirrors_lack_come_from_modelscope(
    hub: Hub, mirror: Hub, scope: Hub, all_three: ModelInit
) -> None:
    for place in (hub, mirror):
        place.repos[MODEL_ID].faults[SHARD_2] = [Fault(status=503, always=True)]
    result = all_three.run()

    assert result.code == 0, result.log
    assert scope.names() == [SHARD_2]
    assert sorted(set(hub.names())) == WANTED
    assert ", from modelscope" in result.log


@pytest.mark.parametrize("fault", [Fault(cut_at=400_000), Fault(stall_at=400_000)], ids=["cut", "stall"])
def test_a_source_that_breaks_off_is_left_for_the_next_in_the_middle_of_the_file(
    hub: Hub, mirror: Hub, all_three: ModelInit, fault: Fault
) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [fault]
    result = all_three.run(STALL_SECONDS="0.3")

    assert result.code == 0, result.log
    assert [request.range for request in mirror.deliveries_of(SHARD_1)] == ["bytes=400000-"]
    assert len(hub.deliveries_of(SHARD_1)) == 1
    assert f"going on with {mirror.endpoint}" in result.log
    assert result.status["repaired"] == []


def test_a_source_with_wrong_bytes_is_left_for_the_next(hub: Hub, mirror: Hub, all_three: ModelInit) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(wrong_byte=100, always=True)]
    result = all_three.run()

    assert result.code == 0, result.log
    assert len(hub.deliveries_of(SHARD_1)) == 1
    assert [request.range for request in mirror.deliveries_of(SHARD_1)] == [None]
    assert f"corrupt download: {SHARD_1} from hub" in result.log
    assert [entry["path"] for entry in result.status["repaired"]] == [SHARD_1]


def test_of_a_bad_mixture_only_what_the_best_source_did_not_give_comes_again(
    hub: Hub, mirror: Hub, all_three: ModelInit
) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(cut_at=400_000, wrong_byte=100)]
    result = all_three.run()

    wrong = tiny_model()[SHARD_1]
    found = sha256(wrong[:100] + bytes([wrong[100] ^ 1]) + wrong[101:])
    assert result.code == 0, result.log
    assert (
        f"corrupt download: expected sha256 {sha256(wrong)}, found {found}: {SHARD_1}: its parts, from "
        "hf-mirror, hub, make a wrong whole; taking from hf-mirror again what others gave"
    ) in result.log
    assert [r.range for r in mirror.deliveries_of(SHARD_1)] == ["bytes=400000-", "bytes=0-399999"]
    assert (
        f"{hub.endpoint} gave wrong bytes, from byte 0 of {SHARD_1} on; others are asked instead"
    ) in result.log
    assert SHARD_2 not in hub.names()


def test_after_one_wrong_shard_the_retry_goes_to_the_best_source_not_to_the_dead_one(
    mirror: Hub, scope: Hub, all_three: ModelInit
) -> None:
    mirror.repos[MODEL_ID].faults[SHARD_1] = [Fault(wrong_byte=100)]
    result = all_three.run(HF_ENDPOINT=NOBODY, MODEL_SOURCES="hub,hf-mirror")

    assert result.code == 0, result.log
    assert f"corrupt download: {SHARD_1} from hf-mirror" in result.log
    assert len(mirror.deliveries_of(SHARD_1)) == 2
    assert result.log.count(f"\n{NOBODY}: ") == 1


def test_a_source_with_another_version_is_noticed_before_its_bytes(
    hub: Hub, mirror: Hub, scope: Hub, all_three: ModelInit
) -> None:
    other = tiny_model() | {SHARD_2: tensors(9, "c.weight", "d.weight")}
    scope.add(MODEL_ID, other)
    for place in (hub, mirror):
        place.repos[MODEL_ID].faults[SHARD_2] = [Fault(status=503)]
    result = all_three.run(MODEL_SOURCES="modelscope,hub,hf-mirror")

    assert result.code == 0, result.log
    assert SHARD_2 not in scope.names()
    assert f"{scope.endpoint} has another version of {SHARD_2}" in result.log


def test_when_all_fail_each_is_named(hub: Hub, mirror: Hub, scope: Hub, all_three: ModelInit) -> None:
    for place in (hub, mirror, scope):
        place.repos[MODEL_ID].faults[SHARD_2] = [Fault(status=500, always=True)]
    result = all_three.run(MODEL_RETRIES="1")

    assert result.code == 13
    assert all(place.endpoint in result.status["error"]["message"] for place in (hub, mirror, scope))
    assert result.manifest is None


def test_the_list_of_the_first_use_is_kept(hub: Hub, mirror: Hub, all_three: ModelInit) -> None:
    hub.repos[MODEL_ID].faults[SHARD_2] = [Fault(status=500, always=True)]
    first = all_three.run(MODEL_SOURCES="hub", MODEL_RETRIES="0")
    assert first.code == 13
    commit = hub.repos[MODEL_ID].commit
    for place in (hub, mirror):
        place.repos[MODEL_ID].info_fault = Fault(status=500)
    second = all_three.run()

    assert second.code == 0, second.log
    assert second.manifest is not None
    assert second.manifest["revision"] == commit
    assert mirror.names() == [SHARD_2]


def test_a_list_that_led_to_an_invalid_model_is_asked_for_again(hub: Hub, model_init: ModelInit) -> None:
    good = tiny_model()
    hub.add(MODEL_ID, good | {"config.json": b"[]"})
    assert model_init.run().code == 15
    hub.add(MODEL_ID, good)

    assert model_init.run().code == 0


def test_the_token_goes_to_the_hub_alone(
    hub: Hub, mirror: Hub, scope: Hub, all_three: ModelInit, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("hf_secret")
    for name in (SHARD_1, SHARD_2):
        hub.repos[MODEL_ID].faults[name] = [Fault(cut_at=10)]
    mirror.repos[MODEL_ID].faults[SHARD_2] = [Fault(cut_at=20)]
    result = all_three.run("--verbose", HF_TOKEN_FILE=str(token))

    assert result.code == 0, result.log
    assert {request.authorization for request in mirror.requests + scope.requests} == {None}
    assert "Bearer hf_secret" in {request.authorization for request in hub.requests}
    written = "".join(p.read_text(errors="replace") for p in all_three.volume.rglob("*.json"))
    assert "hf_secret" not in result.log + result.out + written


def test_a_token_in_the_environment_is_not_used(hub: Hub, model_init: ModelInit) -> None:
    result = model_init.run("--verbose", HF_TOKEN="hf_from_environment")

    assert result.code == 0
    assert {request.authorization for request in hub.requests} == {None}
    assert "hf_from_environment" not in result.log


def test_the_default_model_has_a_shipped_list() -> None:
    file_list = pinned_list(Settings.from_environ({}))
    assert file_list is not None
    assert sum(file.size for file in file_list.files if file.path.endswith(".safetensors")) == 15_231_271_888
    assert file_list.revision == "a09a35458c702b33eeacc393d103063234e8bc28"
    assert pinned_list(Settings.from_environ({"MODEL_REVISION": "main"})) is None
    assert pinned_list(Settings.from_environ({"MODEL_ID": "acme/other"})) is None


def test_with_a_shipped_list_no_hub_is_asked_what_is_right(scope: Hub, all_three: ModelInit) -> None:
    """The wheel-sized truth of the tests, put in the place of the shipped one."""
    file_list = {name: (len(tiny_model()[name]), sha256(tiny_model()[name])) for name in WANTED}
    prelude = f"""
import model_init.sources.pinned_models as pinned
from model_init.file_list import Digest, FileList, ListedFile
files = tuple(ListedFile(n, s, Digest("sha256", d)) for n, (s, d) in {json.dumps(file_list)}.items())
pinned.pinned_list = lambda settings: FileList("hub", "safetensors", "f00d", files)
"""
    result = all_three.run(prelude=prelude, HF_ENDPOINT=NOBODY, HF_MIRROR_ENDPOINT=NOBODY)

    assert result.code == 0, result.log
    assert sorted(scope.names()) == WANTED
