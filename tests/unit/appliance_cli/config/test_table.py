"""The table of settings, held to what uses them: the Compose files, model-init, nginx, the planner."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from appliance_cli.config import generate
from appliance_cli.config.kinds import Choice, Some
from appliance_cli.config.table import SECTIONS, SETTINGS, default_of
from appliance_cli.gpu.modes import MODES
from model_init.errors import SettingsError
from model_init.settings import Settings

REPO = Path(__file__).resolve().parents[4]
VARIABLE = re.compile(r"\$\{(?P<name>[A-Z0-9_]+)(?::-(?P<default>[^}]*))?\}")
# Compose's own, which it reads itself rather than handing it to a service.
COMPOSES_OWN = {"COMPOSE_FILE", "COMPOSE_PROFILES"}
# A named volume stands in for a folder that was not given.
STAND_INS = {"MODEL_FOLDER": "import"}


@cache
def rendered(*files: str) -> dict[str, Any]:
    """The files as Compose joins them, the services of every profile, variables left as they are."""
    options = ["--env-file", "/dev/null", "--profile", "*", *(f"--file={file}" for file in files)]
    environment = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(
        ["docker", "compose", *options, "config", "--no-interpolate", "--format", "json"],
        cwd=REPO,
        capture_output=True,
        env=environment,
        check=True,
    )
    content: dict[str, Any] = json.loads(done.stdout)
    services = content["services"].items()
    # what is only there to be built, and runs under another service's name
    content["services"] = {name: each for name, each in services if each.get("profiles") != ["never"]}
    return content


GPU, CPU = ("docker-compose.yml",), ("docker-compose.yml", "compose.cpu.yml")


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)
    elif isinstance(value, str):
        yield value


def bare_names(service: dict[str, Any]) -> set[str]:
    """Names under ``environment`` without a value: passed on when .env or the shell sets them."""
    environment = service.get("environment") or {}
    if isinstance(environment, list):
        return {name for name in environment if "=" not in name}
    return {name for name, value in environment.items() if value is None}


def variables(value: Any) -> set[str]:
    return {match["name"] for text in texts(value) for match in VARIABLE.finditer(text)}


def services_that_get(name: str) -> set[str]:
    found = set()
    for files in (GPU, CPU):
        content = rendered(*files)
        for service, description in content["services"].items():
            mounts = [*description.get("secrets", []), *description.get("build", {}).get("secrets", [])]
            secrets = [content["secrets"][mount["source"]] for mount in mounts]
            if name in variables([description, secrets]) | bare_names(description):
                found.add(service)
    return found


def names_in_this_command() -> set[str]:
    """Every string in scripts/appliance_cli, outside the table, that is a setting's name."""
    found: set[str] = set()
    for path in (REPO / "scripts" / "appliance_cli").rglob("*.py"):
        if path.parent.name != "table":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
            found |= {value for value in constants if isinstance(value, str) and value in SETTINGS}
    return found


def test_each_setting_stands_once() -> None:
    names = [setting.name for section in SECTIONS for setting in section.settings]
    assert len(names) == len(set(names)) == len(SETTINGS)


def test_every_default_is_accepted() -> None:
    for setting in SETTINGS.values():
        for default in (setting.default, setting.cpu_default):
            assert not default or setting.kind.accepts(default), setting.name


@pytest.mark.parametrize("files", [GPU, CPU], ids=["gpu", "cpu"])
def test_composes_defaults_are_the_tables(files: tuple[str, ...]) -> None:
    found = [match for text in texts(rendered(*files)) for match in VARIABLE.finditer(text)]
    assert len(found) > 20
    for match in found:
        setting = SETTINGS[match["name"]]
        on_cpu = files == CPU and setting.cpu_default is not None
        wanted = setting.cpu_default if on_cpu else setting.default
        assert match["default"] == STAND_INS.get(setting.name, wanted), setting.name


def test_every_variable_of_the_compose_files_is_a_setting() -> None:
    """All ``$`` are of the one form that the other tests look for."""
    for file in CPU:
        code = re.sub(r"(?m)(^|\s)#.*$", "", (REPO / file).read_text(encoding="utf-8"))
        assert code.count("$") == len(VARIABLE.findall(code)), file
        assert {match["name"] for match in VARIABLE.finditer(code)} <= set(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_services_that_get_a_setting_are_those_that_the_table_names(name: str) -> None:
    assert set(SETTINGS[name].services) == services_that_get(name)


def test_bare_names_under_environment_are_settings() -> None:
    for service, description in rendered(*CPU)["services"].items():
        assert bare_names(description) <= set(SETTINGS), service


def test_every_setting_is_used_by_somebody() -> None:
    used = {name for name in SETTINGS if services_that_get(name)} | names_in_this_command() | COMPOSES_OWN
    assert used == set(SETTINGS)


def test_files_that_are_written_from_the_table_are_not_stale() -> None:
    """After a change of the table run appliance_cli.config.generate, as it says itself."""
    for name, text in generate.files().items():
        assert (REPO / name).read_text(encoding="utf-8") == text, name


def test_the_example_has_every_setting_and_sets_none() -> None:
    lines = generate.env_example().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []
    assert [line[1:] for line in lines if re.match(r"#[A-Z0-9_]+=", line)] == [
        f"{setting.name}={setting.default}" for setting in SETTINGS.values()
    ]


def test_both_languages_have_the_same_settings() -> None:
    def first_cells(page: str) -> list[str]:
        return re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)

    names = [setting.name for setting in SETTINGS.values() if setting.common]
    assert len(names) > 10
    assert first_cells(generate.english()) == first_cells(generate.chinese()) == names
    for setting in SETTINGS.values():
        if setting.zh:
            assert (bool(setting.zh.with_up), bool(setting.zh.empty)) == (
                bool(setting.with_up),
                bool(setting.empty),
            )


def test_the_modes_are_the_planners() -> None:
    kind = SETTINGS["MODE"].kind
    assert isinstance(kind, Choice)
    assert kind.words == tuple(MODES)
    assert default_of("MODE") in MODES


def judged_by_model_init(name: str, value: str) -> bool:
    try:
        Settings.from_environ({name: value})
    except SettingsError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        (
            "MODEL_ID",
            ["a/b", "Qwen/Qwen2.5-7B-Instruct", "0/9_"],
            ["a", "a/b/c", "../b", "a/..b", "out/b", "a/b."],
        ),
        ("MODEL_REVISION", ["main", "refs/pr/1", "a" * 200], ["a b", "a..b", "-x", "a" * 201]),
        ("MODEL_SOURCE", ["auto", "hub", "folder"], ["Hub", "modelscope", " hub"]),
        (
            "MODEL_SOURCES",
            ["hub", "modelscope, hub", "hf-mirror,hub,modelscope"],
            ["hub,hub", "hub,", "pypi"],
        ),
        (
            "HF_ENDPOINT",
            ["https://hub.example/x", "http://10.0.0.1:8000"],
            ["hub.example", "ftp://x/", "https://"],
        ),
        ("HF_MIRROR_ENDPOINT", ["https://m.example"], ["m.example"]),
        ("MODELSCOPE_ENDPOINT", ["https://m.example"], ["m.example"]),
        (
            "PIP_INDEX_URL",
            ["https://user:secret@mirror.example/simple"],
            ["mirror.example/simple", "file:///srv"],
        ),
        ("PARALLEL_FILES", ["1", "32"], ["0", "33", "many", "-1"]),
        ("BANDWIDTH_LIMIT", ["0", "20M", "500k", "1.5GB/s", "100"], ["20m", "-1", "fast", "20 M", "1T"]),
        ("STALL_SECONDS", ["0.1", "30", "3600"], ["0", "3601", "soon", "nan"]),
        ("VERIFY", ["auto", "quick", "full"], ["fulll", "Full", "0"]),
        ("OFFLINE", ["0", "1"], ["yes", "true", "2"]),
    ],
)
def test_model_init_judges_as_the_table_does(name: str, accepted: list[str], refused: list[str]) -> None:
    kind = SETTINGS[name].kind
    assert [value for value in accepted if not kind.accepts(value)] == []
    assert [value for value in accepted if not judged_by_model_init(name, value)] == []
    assert [value for value in refused if kind.accepts(value)] == []
    assert [value for value in refused if judged_by_model_init(name, value)] == []


def test_words_are_all_that_model_init_knows() -> None:
    for name in ("MODEL_SOURCE", "MODEL_SOURCES", "VERIFY", "OFFLINE"):
        kind = SETTINGS[name].kind
        assert isinstance(kind, Choice | Some)
        known = re.findall(r"[\w-]+", message_of_model_init(name))
        assert set(kind.words) <= set(known), name


def message_of_model_init(name: str) -> str:
    with pytest.raises(SettingsError) as refusal:
        Settings.from_environ({name: "nonsense"})
    return str(refusal.value).partition("expected")[2].partition("found")[0]


def test_model_inits_own_defaults_are_the_tables() -> None:
    unset = Settings.from_environ({})
    by_name = {
        "MODEL_ID": unset.model_id,
        "PARALLEL_FILES": str(unset.parallel_files),
        "STALL_SECONDS": f"{unset.stall_s:g}",
        "BANDWIDTH_LIMIT": "0" if unset.bandwidth_limit is None else str(unset.bandwidth_limit),
        "VERIFY": unset.verify,
        "OFFLINE": str(int(unset.offline)),
    }
    assert by_name == {name: default_of(name) for name in by_name}


def test_the_gates_own_defaults_are_the_tables() -> None:
    gate = "".join(path.read_text(encoding="utf-8") for path in (REPO / "nginx" / "gate").glob("*.js"))
    found = re.findall(r"process\.env\.([A-Z_]+) \|\| (?:'([^']*)'|(\d+))", gate)
    known = {(name, text or number) for name, text, number in found if name in SETTINGS}
    assert {name for name, _ in known} >= {"SSO_USER_HEADER", "SESSION_DAYS", "BIND_ADDRESS"}
    assert [(name, default) for name, default in known if default != default_of(name)] == []
