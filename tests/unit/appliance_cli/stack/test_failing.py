"""What ends the wait for a container, and what does not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker import DockerClient

from appliance_cli.base.errors import ApplianceFailed
from appliance_cli.compose import containers
from appliance_cli.compose.containers import Container
from appliance_cli.stack.failing import MAX_RESTARTS, PATIENCE, Failing

FINE = Container("id", "p-tgi-1", "tgi", "image", "running", "healthy", 0, 0, "2026-11-22T10:00:00Z")
LAST = 6 * PATIENCE  # of a check that Docker lets fail six times

STATES = enumerate(("running", "restarting"))


def tgi(**changes: Any) -> Container:
    return replace(FINE, allowed_checks=6, **changes)


def sick(failed_checks: int, **changes: Any) -> Container:
    return tgi(health="unhealthy", failed_checks=failed_checks, **changes)


def look(*seen: Container) -> None:
    failing = Failing(lambda container: (f"last words of {container.service}",))
    for container in seen:
        failing.require_none([container])


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param([tgi(health="starting")] * 5, id="a start that takes its time"),
        pytest.param([tgi(health="starting"), sick(6), tgi()], id="well again"),
        pytest.param([tgi(), sick(LAST - 1)], id="not yet as often"),
        pytest.param([sick(500), sick(500 + LAST - 1)], id="unhealthy since before this command"),
        pytest.param([tgi(restarts=9)], id="restarted long ago"),
        pytest.param([tgi(restarts=MAX_RESTARTS - 1, health="starting")], id="restarted, but not so often"),
        pytest.param([tgi(), tgi(restarts=MAX_RESTARTS)], id="restarted, and well"),
        pytest.param(
            [tgi(service="model-init"), tgi(service="model-init", state="restarting", restarts=9)],
            id="model-init",
        ),
    ],
)
def test_what_may_still_come_up_is_waited_for(seen: list[Container]) -> None:
    look(*seen)


def test_a_container_that_stays_unhealthy_has_failed() -> None:
    with pytest.raises(ApplianceFailed, match="The service tgi stays unhealthy") as failure:
        look(tgi(health="starting"), sick(6), sick(LAST, check_words=("curl: (7) refused",)))
    assert failure.value.found == f"{LAST} checks failed in a row; the last one's words are above"
    assert failure.value.details == ("curl: (7) refused",)
    assert failure.value.exit_code == 5
    assert "logs tgi" in failure.value.remedy


def test_one_that_was_unhealthy_before_has_as_much_time_as_any_other() -> None:
    with pytest.raises(ApplianceFailed, match="stays unhealthy"):
        look(sick(500), sick(500 + LAST))


def test_a_check_that_passed_meanwhile_begins_the_count_anew() -> None:
    with pytest.raises(ApplianceFailed) as failure:
        look(sick(500), tgi(), sick(LAST - 1), sick(LAST))
    assert failure.value.found.startswith(f"{LAST} checks")


def test_a_container_that_dies_again_and_again_has_failed() -> None:
    with pytest.raises(ApplianceFailed, match="The service tgi keeps failing") as failure:
        look(tgi(restarts=5), tgi(restarts=5 + MAX_RESTARTS, state="restarting", exit_code=139))
    assert failure.value.found == "restarted 8 times; its last words are above"
    assert failure.value.details == ("last words of tgi",)


def test_docker_says_how_often_a_check_failed_and_what_it_said() -> None:
    log = [{"ExitCode": 0, "Output": "ok\n"}, {"ExitCode": 1, "Output": "one\ntwo\n"}]
    attrs: dict[str, Any] = {
        "Id": "id",
        "Name": "/p-tgi-1",
        "RestartCount": 0,
        "State": {"Status": "running", "ExitCode": 0, "StartedAt": "2026-11-22T10:00:00Z"},
        "Config": {"Image": "image", "Labels": {"com.docker.compose.service": "tgi"}},
    }

    def seen() -> Container:
        listed = SimpleNamespace(list=lambda **_: [SimpleNamespace(attrs=attrs)])
        (container,) = containers.of_project(cast(DockerClient, SimpleNamespace(containers=listed)), "p")
        return container

    assert (seen().health, seen().failed_checks, seen().check_words) == ("", 0, ())
    attrs["State"]["Health"] = {"Status": "unhealthy", "FailingStreak": 4, "Log": log}
    attrs["Config"]["Healthcheck"] = {"Test": ["CMD", "x"], "Retries": 2}
    assert (seen().failed_checks, seen().allowed_checks, seen().check_words) == (4, 2, ("one", "two"))
    attrs["State"]["Health"]["Log"] = None
    del attrs["Config"]["Healthcheck"]["Retries"]
    assert (seen().allowed_checks, seen().check_words) == (containers.DEFAULT_RETRIES, ())
