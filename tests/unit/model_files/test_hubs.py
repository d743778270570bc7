"""The hubs: who is asked in which order, at which address, and where a file lies there."""

from __future__ import annotations

import pytest

from model_files import hubs

ID = "acme/tiny-chat"
COMMIT = "0123456789abcdef"


def test_all_are_asked_in_the_usual_order_at_the_usual_addresses() -> None:
    assert {hub.name: hub.endpoint for hub in hubs.chosen({})} == {
        "hub": "https://huggingface.co",
        "hf-mirror": "https://hf-mirror.com",
        "modelscope": "https://modelscope.cn",
    }
    assert tuple(hub.name for hub in hubs.chosen({"MODEL_SOURCES": "", "HF_ENDPOINT": ""})) == hubs.NAMES


def test_order_and_addresses_can_be_set() -> None:
    values = {"MODEL_SOURCES": "modelscope, hub", "HF_ENDPOINT": "https://hub.internal/hf/"}
    assert [(hub.name, hub.endpoint) for hub in hubs.chosen(values)] == [
        ("modelscope", "https://modelscope.cn"),
        ("hub", "https://hub.internal/hf"),
    ]


@pytest.mark.parametrize("names", ["hub,ftp", "hub,hub", ","])
def test_other_names_and_names_given_twice_are_refused(names: str) -> None:
    with pytest.raises(ValueError, match="expected some of hub, hf-mirror, modelscope, each once"):
        hubs.chosen({"MODEL_SOURCES": names})


def test_where_a_file_lies() -> None:
    hub, mirror, modelscope = hubs.chosen({})
    assert hub.file_url(ID, "a b.json", "refs/pr/1") == (
        "https://huggingface.co/acme/tiny-chat/resolve/refs%2Fpr%2F1/a%20b.json"
    )
    assert mirror.file_url(ID, "x", None) == "https://hf-mirror.com/acme/tiny-chat/resolve/main/x"
    assert modelscope.file_url(ID, "x", COMMIT) == (
        "https://modelscope.cn/api/v1/models/acme/tiny-chat/repo?Revision=master&FilePath=x"
    )


def test_only_the_hub_sees_a_token() -> None:
    assert [hub.gets_token for hub in hubs.chosen({})] == [True, False, False]


@pytest.mark.parametrize(
    ("revision", "known"), [(None, True), ("main", True), ("master", True), (COMMIT, False)]
)
def test_modelscope_knows_only_the_newest_revision(revision: str | None, known: bool) -> None:
    scope = hubs.chosen({"MODEL_SOURCES": "modelscope"})[0]
    assert isinstance(scope, hubs.ModelScope)
    assert scope.has(revision) is known


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("Qwen/Qwen2.5-7B-Instruct", True),
        ("a/b", True),
        ("no-organisation", False),
        ("../../etc/passwd", False),
        ("a/b..c", False),
        ("a/b.", False),
        ("someone/x?y", False),
        ("a/b/c", False),
        ("a/b\n", False),
    ],
)
def test_ids_that_are_safe_in_addresses_and_as_folders(text: str, is_one: bool) -> None:
    assert hubs.is_model_id(text) is is_one
