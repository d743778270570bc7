"""Names in .env that nobody reads, and those that somebody does."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance_cli.base.errors import BadSetting
from appliance_cli.config import unknown_names
from appliance_cli.config.unknown_names import UnknownName


def find(folder: Path, text: str) -> list[UnknownName]:
    (folder / ".env").write_text(text)
    return unknown_names.find(folder, folder / ".env")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("HTTP_PROT", "HTTP_PORT"),
        ("http_port", "HTTP_PORT"),
        ("UI_REPLIKAS", "UI_REPLICAS"),
        ("MODELID", "MODEL_ID"),
        ("BANDWITH_LIMIT", "BANDWIDTH_LIMIT"),
        ("MY_OWN_NOTE", None),
    ],
)
def test_the_nearest_name_is_named(name: str, nearest: str | None, tmp_path: Path) -> None:
    assert find(tmp_path, f"# mine\n\n{name}=1\nHTTP_PORT=9000\n") == [UnknownName(name, 3, nearest)]


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        *((name, True) for name in ("HTTP_PROT", "http_port", "UI_REPLIKAS", "MODELID", "BANDWITH_LIMIT")),
        *((name, False) for name in ("MY_OWN_NOTE", "HF_TOKEN", "GRAFANA_PASSWORD", "MODEL", "UI_PORT")),
    ],
)
def test_what_can_only_be_misspelt_is_refused_by_its_line(name: str, refused: bool, tmp_path: Path) -> None:
    found = find(tmp_path, f"# mine\n{name}=secret-value\n")
    if not refused:
        unknown_names.require_none_misspelt(found, ".env")
        return
    with pytest.raises(BadSetting, match=f"{name} is no setting") as refusal:
        unknown_names.require_none_misspelt(found, ".env")
    assert refusal.value.found == f"{name}, from .env line 2"


@pytest.mark.parametrize(
    "name", ["HTTP_PROXY", "https_proxy", "http_proxy", "no_proxy", "ALL_PROXY", "all_proxy"]
)
def test_the_usual_names_of_proxies_are_told_with_what_to_use_and_not_refused(
    name: str, tmp_path: Path
) -> None:
    (found,) = find(
        tmp_path, f"{name}=http://10.0.0.1:3128\nHTTPS_PROXY=http://10.0.0.1:3128\nNO_PROXY=.lan\n"
    )
    unknown_names.require_none_misspelt([found], ".env")
    assert found.said(".env").endswith(
        f"nothing reads {name}: the model's download goes by HTTPS_PROXY and NO_PROXY"
    )


@pytest.mark.parametrize("name", ["HTTPS_PROXI", "HTTP_PROXYS", "NO_PROXYY"])
def test_a_misspelt_name_of_a_proxy_is_still_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="is no setting"):
        unknown_names.require_none_misspelt(find(tmp_path, f"{name}=x\n"), ".env")


def test_composes_own_names_are_known(tmp_path: Path) -> None:
    assert find(tmp_path, "COMPOSE_PARALLEL_LIMIT=2\nDOCKER_HOST=x\nBUILDKIT_PROGRESS=plain\n") == []


def test_a_name_that_another_value_uses_is_known(tmp_path: Path) -> None:
    assert find(tmp_path, "BASE=/srv\nACCESS_DIR=${BASE}/access\nMODEL_FOLDER=$OTHER/x\n") == []
    assert [
        unknown.name for unknown in find(tmp_path, "BASE=/srv\nACCESS_DIR='${BASE}/access'\nBASES=1\n")
    ] == [
        "BASE",
        "BASES",
    ]


def test_names_of_the_operators_own_compose_file_are_known(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text(
        "services:\n  tgi:\n    image: ${MY_IMAGE}\n    environment:\n      MY_KEY:\n"
        "    labels: [$MY_LABEL]\n  ui:\n    environment:\n      - MY_OTHER\n"
    )
    text = "MY_IMAGE=x\nMY_KEY=x\nMY_LABEL=x\nMY_OTHER=x\nMY_LAB=x\n"
    with_file = find(tmp_path, f"COMPOSE_FILE=docker-compose.yml:mine.yml\n{text}")
    assert [unknown.name for unknown in with_file] == ["MY_LAB"]
    assert len(find(tmp_path, text)) == 5


def test_no_file_has_no_names(tmp_path: Path) -> None:
    assert unknown_names.find(tmp_path, tmp_path / ".env") == []
