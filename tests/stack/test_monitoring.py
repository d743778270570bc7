"""The profile `monitoring`: what Compose makes of it, and that the dashboard's every query finds data.

Prometheus is real (Debian's), runs as the Compose service and scrapes the real engine and nginx; Grafana and
dcgm-exporter are not run: there is neither a registry nor a card. What only they have is served by stand-ins.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from harness import prometheus
from harness.dashboard import Query, queries
from harness.prometheus import Prometheus
from harness.stack import REPO, Stack
from harness.waiting import wait_until

CHAT = {"model": "tgi", "messages": [{"role": "user", "content": "Count to ten."}], "max_tokens": 20}
TGI_ONLY = ("tgi_batch_inference", "tgi_batch_decode", "tgi_batch_next_size", "tgi_batch_current_max_tokens")
NOTHING_YET = " or vector(0)"


def rendered(*files: str, profile: str = "monitoring") -> dict[str, Any]:
    """The services that Compose would start with no .env and a clean environment."""
    chosen = [word for file in files for word in ("-f", file)]
    command = ["docker", "compose", "--env-file", "/dev/null", *chosen, "--profile", profile, "config"]
    environment = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(
        [*command, "--format", "json"], cwd=REPO, env=environment, capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout)["services"])


def has_data(asked: Prometheus, query: Query, since: float) -> bool:
    """Whether Grafana would show at least one number for what has been since a Unix time."""
    now = time.time()
    if query.instant:
        values = [series["value"] for series in asked.query(query.expression, at=now)]
    else:
        found = asked.query_range(query.expression, start=since, end=now, step=5)
        values = [value for series in found for value in series["values"]]
    return any(math.isfinite(float(value)) for _, value in values)


def wait_for_data(asked: Prometheus, wanted: list[Query], since: float) -> None:
    """Waits until every query has had data."""
    missing = list(wanted)

    def all_answered() -> bool:
        missing[:] = [query for query in missing if not has_data(asked, query, since)]
        return not missing

    wait_until(
        all_answered,
        "every query of the dashboard has data",
        poll_s=1,
        detail=lambda: "\n".join(f"{query.panel}: {query.expression}" for query in missing),
    )


def ask(stack: Stack, key: str, stream: bool) -> int:
    """One short chat; the status, once the answer has ended."""
    headers = {"Authorization": f"Bearer {key}"}
    body = {**CHAT, "stream": stream}
    return requests.post(
        f"{stack.url}/v1/chat/completions", json=body, headers=headers, timeout=120
    ).status_code


@pytest.fixture(scope="module")
def promised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus beside stand-ins that serve every promised name."""
    with (
        Stack(tmp_path_factory.mktemp("promised")) as alone,
        prometheus.started(alone) as running,
        prometheus.stand_in(alone, "tgi"),
        prometheus.stand_in(alone, "nginx"),
        prometheus.stand_in(alone, "gpu-metrics"),
    ):
        yield running


@pytest.fixture(scope="module")
def watched(stack: Stack) -> Iterator[Prometheus]:
    """Prometheus in the running appliance, with a stand-in for the card that this host does not have."""
    prometheus.ensure_image()
    with prometheus.stand_in(stack, "gpu-metrics"), prometheus.started(stack) as running:
        yield running


@pytest.fixture(scope="module")
def key(stack: Stack) -> Iterator[str]:
    """A key; while it exists, the API asks for one."""
    made = stack.add_key("monitored")
    models = f"{stack.url}/v1/models"
    wait_until(lambda: requests.get(models, timeout=10).status_code == 401, "the API asks for a key")
    yield made
    done = stack.appliance("keys", "revoke", "monitored", "--yes")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: requests.get(models, timeout=10).status_code == 200, "the API is open again")


def test_off_unless_asked_for() -> None:
    names = set(rendered("docker-compose.yml", profile="none"))
    assert names == {"model-init", "tgi", "ui", "openai-api", "nginx"}
    more = {"gpu-metrics", "prometheus", "grafana", "grafana-door"}
    assert set(rendered("docker-compose.yml")) == names | more


def test_the_card_is_watched_where_there_is_one() -> None:
    services = rendered("docker-compose.yml")
    assert services["gpu-metrics"]["deploy"] == services["tgi"]["deploy"]
    assert "cap_add" not in services["gpu-metrics"]
    assert "gpu-metrics" not in rendered("docker-compose.yml", "compose.cpu.yml")


def test_only_grafana_is_published_and_only_on_loopback() -> None:
    services = rendered("docker-compose.yml")
    for name in ("gpu-metrics", "prometheus", "grafana"):
        assert "ports" not in services[name]
        assert set(services[name]["networks"]) == {"backend"}
    (port,) = services["grafana-door"]["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", "3001", 3000)
    assert set(services["grafana-door"]["networks"]) == {"backend", "edge"}


@pytest.mark.parametrize("service", ["prometheus", "grafana"])
def test_hardened_as_the_others(service: str) -> None:
    found = rendered("docker-compose.yml")[service]
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert found["user"].split(":")[0] not in ("", "0", "root")
    assert int(found["mem_limit"]) > 0
    assert all(volume["type"] == "volume" or volume["read_only"] for volume in found["volumes"])


def test_grafana_lets_people_look_and_nothing_else() -> None:
    settings = rendered("docker-compose.yml")["grafana"]["environment"]
    assert settings["GF_AUTH_ANONYMOUS_ENABLED"] == "true"
    assert settings["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert settings["GF_AUTH_BASIC_ENABLED"] == "false"  # admin:admin would be let in by it
    assert settings["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"


def test_what_is_mounted_is_there() -> None:
    for service in ("gpu-metrics", "prometheus", "grafana"):
        for volume in rendered("docker-compose.yml")[service]["volumes"]:
            assert volume["type"] == "volume" or Path(volume["source"]).exists(), volume


def test_promtool_accepts_configuration_and_rules() -> None:
    prometheus.ensure_image()
    tests = REPO / "tests/unit/monitoring"
    configuration = "/etc/prometheus/prometheus.yml"
    checked = prometheus.promtool("check", "config", "--lint-fatal", configuration, tests=tests)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    ruled = prometheus.promtool("test", "rules", "/tests/alerts_test.yml", tests=tests)
    assert ruled.returncode == 0, ruled.stdout + ruled.stderr


def test_every_query_finds_data_under_the_promised_names(promised: Prometheus) -> None:
    """A zero put in for "nothing yet" does not count as data here."""
    bare = [
        Query(query.panel, query.expression.removesuffix(NOTHING_YET), query.instant)
        for query in queries()
        if "ALERTS" not in query.expression  # nothing is wrong here: the rules have their own test
    ]
    wait_for_data(promised, bare, since=time.time())


def test_the_running_appliance_shows_data_on_every_panel(stack: Stack, watched: Prometheus, key: str) -> None:
    since = time.time()
    assert ask(stack, key="sk-wrong", stream=False) == 401
    # A series appears with its first event, which is therefore no increase: it is scraped before more follow.
    assert ask(stack, key, stream=True) == 200
    first = 'appliance_request_seconds_count{route="chat"} > 0'
    wait_until(lambda: watched.query(first, at=time.time()), "the first request is known to Prometheus")
    with ThreadPoolExecutor(4) as people:
        assert set(people.map(lambda streamed: ask(stack, key, streamed), [True, False] * 4)) == {200}
    shown_here = [query for query in queries() if not any(name in query.expression for name in TGI_ONLY)]
    wait_for_data(watched, shown_here, since)
    generated = 'appliance_tokens_total{account="key:monitored",kind="generated"}'
    (series,) = watched.query(generated, at=time.time())
    assert float(series["value"][1]) > 0
