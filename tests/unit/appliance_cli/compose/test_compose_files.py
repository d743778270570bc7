"""What docker-compose.yml and compose.cpu.yml promise for every service, as Compose renders them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from appliance_cli.base.errors import BadSetting
from appliance_cli.cli.app import app
from appliance_cli.config import version

REPO = Path(__file__).resolve().parents[4]
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
BOTH = pytest.mark.parametrize("files", ["docker-compose.yml", "docker-compose.yml:compose.cpu.yml"])


def rendered(files: str, root: Path = REPO) -> dict[str, Any]:
    """Every service, those of the profile `monitoring` included."""
    clean = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    command = ["docker", "compose", "--env-file", os.devnull, "--profile", "monitoring", "config"]
    done = subprocess.run(
        [*command, "--format", "json"],
        cwd=root,
        env={**clean, "COMPOSE_FILE": files},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout)["services"])


@BOTH
def test_what_has_no_way_out_gets_no_proxy(files: str) -> None:
    """Docker's client puts its own into every container that does not name them."""
    services = rendered(files)
    inside = {name for name, service in services.items() if "egress" not in service["networks"]}
    assert {"tgi", "ui", "openai-api", "nginx", "prometheus", "grafana"} <= inside
    for name in inside:
        environment = services[name]["environment"]
        assert {key: environment.get(key) for key in PROXIES} == dict.fromkeys(PROXIES, ""), name


@BOTH
def test_every_container_is_bounded_in_processes_and_what_is_inside_in_names(files: str) -> None:
    services = rendered(files)
    assert [name for name, service in services.items() if not 0 < service.get("pids_limit", 0) <= 4096] == []
    inside = {name for name, service in services.items() if "egress" not in service["networks"]}
    assert [name for name in inside if services[name].get("dns") != ["127.0.0.1"]] == []


@BOTH
def test_docker_starts_everything_again_whatever_ended_it(files: str) -> None:
    """A dockerd that died takes its containers for stopped ones, and leaves those that are unless-stopped."""
    policies = {name: service.get("restart") for name, service in rendered(files).items()}
    assert policies.pop("model-init") == "on-failure:3"
    assert [name for name, policy in policies.items() if policy != "always"] == []


@BOTH
def test_only_doors_have_the_network_that_carries_a_port(files: str) -> None:
    services = rendered(files)
    on_edge = {name for name, service in services.items() if "edge" in service["networks"]}
    assert on_edge == {"nginx", "grafana-door"} == {n for n, s in services.items() if s.get("ports")}


@BOTH
def test_model_init_keeps_the_operators_proxy(files: str) -> None:
    assert not {key for key in rendered(files)["model-init"]["environment"] if key.lower() == "http_proxy"}
    text = (REPO / "docker-compose.yml").read_text()
    assert re.search(r"^      HTTPS_PROXY:$", text, re.MULTILINE)
    assert rendered(files)["model-init"]["extra_hosts"] == ["host.docker.internal=host-gateway"]


def test_what_tgis_python_needs_does_not_reach_the_cpu_engines() -> None:
    own = {"PYTHONPATH", "BNB_CUDA_VERSION"}
    assert own <= set(rendered("docker-compose.yml")["tgi"]["environment"])
    on_cpu = rendered("docker-compose.yml:compose.cpu.yml")["tgi"]
    assert not own & set(on_cpu["environment"])


def test_curl_asks_no_proxy_for_the_engines_health() -> None:
    test = rendered("docker-compose.yml")["tgi"]["healthcheck"]["test"]
    assert test[:2] == ["CMD", "curl"]
    assert test[test.index("--noproxy") + 1] == "*"


@BOTH
def test_every_image_that_is_built_here_carries_the_version(files: str) -> None:
    services = rendered(files)
    built = {name: service["build"] for name, service in services.items() if "build" in service}
    assert {"model-init", "ui", "openai-api", "nginx"} <= set(built)
    assert ("tgi" in built) == ("cpu" in files)
    for name, build in built.items():
        assert build["labels"] == {"org.opencontainers.image.version": version.of(REPO)}, name


@BOTH
def test_page_and_api_know_the_version(files: str) -> None:
    for service in ("ui", "openai-api"):
        assert rendered(files)[service]["environment"]["APPLIANCE_VERSION"] == version.of(REPO)


def test_the_program_says_the_version_whatever_the_settings_are(tmp_path: Path) -> None:
    (tmp_path / "bad.env").write_text("HTTP_PORT=nowhere\n")
    result = CliRunner().invoke(app, ["--env-file", str(tmp_path / "bad.env"), "--version"])
    assert (result.exit_code, result.stdout) == (0, f"appliance {version.of(REPO)}\n")


def test_no_other_file_has_a_version_of_its_own() -> None:
    listed = subprocess.check_output(["git", "ls-files", "*pyproject.toml"], cwd=REPO, text=True)
    projects = [tomllib.loads((REPO / name).read_text()).get("project") for name in listed.split()]
    with_project = [project for project in projects if project is not None]
    assert len(with_project) >= 5
    assert [project["dynamic"] for project in with_project] == [["version"]] * len(with_project)
    assert not [project["name"] for project in with_project if "version" in project]


def test_the_changelogs_newest_release_is_this_version() -> None:
    releases = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (REPO / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert releases[0] == version.of(REPO)


@pytest.mark.parametrize("line", ["", 'x-version: &version "1.0"\n', 'x-version: &version "1.0.0"\n' * 2])
def test_a_version_that_cannot_be_read_is_a_clear_error(line: str, tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(f"{line}services: {{}}\n")
    with pytest.raises(BadSetting, match="does not say which version"):
        version.of(tmp_path)
