"""Doctor and heal on the running appliance: faults that are caused here, and what is said and done."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import requests

from harness.stack import Stack, running, said_inside
from harness.waiting import wait_until

PROMPT = "unmistakable-prompt-of-a-person"


def findings(stack: Stack, *options: str) -> dict[str, list[dict[str, Any]]]:
    """What doctor found, by the trouble's name."""
    done = stack.appliance("doctor", "--json", *options)
    assert done.returncode in (0, 5), done.stderr
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        found.setdefault(finding["check"], []).append(finding)
    return found


def test_a_good_appliance_is_called_so(stack: Stack) -> None:
    found = findings(stack)
    wrong = [each for group in found.values() for each in group if each["severity"] == "fail"]
    assert wrong == []
    assert found["containers"][0]["severity"] == "ok"
    assert found["model-incomplete"][0]["severity"] == "ok"
    assert "containers" not in findings(stack, "--quick")


def test_a_killed_replica_is_named_and_healed(stack: Stack) -> None:
    victim = stack.containers("ui")[0]
    victim.kill()  # as `docker kill` does: its restart policy no longer holds
    (finding,) = [each for each in findings(stack)["containers"] if each["severity"] == "fail"]
    assert victim.name in finding["found"]
    assert "heal" in finding["remedy"]

    healed = stack.appliance("heal")
    assert healed.returncode == 0, healed.stderr
    assert str(victim.name) in healed.stderr
    wait_until(running(victim), "it runs again")
    stack.wait_ready()
    (mended,) = [each for each in findings(stack)["containers"] if each["severity"] != "ok"]
    assert "was mended at" in mended["found"], "doctor says afterwards what was done"


def test_what_was_stopped_on_purpose_stays_stopped(stack: Stack) -> None:
    stopped = stack.containers("ui")[0]
    stopped.stop()
    try:
        (finding,) = [each for each in findings(stack)["containers"] if "stopped by hand" in each["found"]]
        assert finding["severity"] == "warn"
        assert stack.appliance("heal").returncode == 0
        stopped.reload()
        assert stopped.status == "exited"
    finally:
        stopped.start()
        stack.wait_ready()


@pytest.mark.parametrize("service", ["nginx", "ui", "tgi"])
def test_a_program_that_dies_is_started_again_by_docker(stack: Stack, service: str) -> None:
    container = stack.containers(service)[0]
    before = container.attrs["State"]["StartedAt"]
    # not the init process, which ignores it: all others of the container
    kill = (
        "for p in /proc/[0-9]*; do p=${p#/proc/}; [ $p = 1 ] || [ $p = $$ ] || kill -9 $p 2>/dev/null; done"
    )
    container.exec_run(["sh", "-c", kill])

    def again() -> bool:
        container.reload()
        return bool(container.attrs["State"]["StartedAt"] != before) and running(container)()

    wait_until(again, f"{service} was started again and is healthy")
    stack.wait_ready()


def test_a_bundle_of_the_running_appliance_holds_no_prompt(stack: Stack, tmp_path: Path) -> None:
    ask = {"inputs": PROMPT, "parameters": {"max_new_tokens": 4}}
    assert requests.post(f"{stack.url}/generate", json=ask, timeout=60).ok
    bad = {"inputs": PROMPT, "parameters": {"max_new_tokens": -1}}
    assert requests.post(f"{stack.url}/generate", json=bad, timeout=60).status_code == 422
    target = tmp_path / "support.tar.gz"
    done = stack.appliance("doctor", "--bundle", str(target))
    assert done.returncode == 0, done.stdout + done.stderr
    with tarfile.open(target) as archive:
        texts = {
            member.name.removeprefix("appliance-support/"): archive.extractfile(member).read().decode()  # type: ignore[union-attr]
            for member in archive
        }
    assert [name for name, text in texts.items() if PROMPT in text] == []
    assert '"path": "/generate"' in texts[f"logs/{stack.container('nginx').name}.log"]
    assert json.loads(texts["status.json"])["state"] == "ready"
    secret = said_inside(stack.container("nginx"), "cat", "/inside/proof").strip()
    assert [name for name, text in texts.items() if secret in text] == []


HTML = {"Accept": "text/html,application/xhtml+xml"}


def test_the_page_at_status_is_for_whoever_may_see_the_chat(stack: Stack, guarded: Stack) -> None:
    page = requests.get(f"{stack.url}/status", headers={**HTML, "Accept-Language": "zh-CN"}, timeout=30)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "服务状态" in page.content.decode()
    assert "<svg" in page.text

    refused = requests.get(f"{guarded.url}/status", headers=HTML, allow_redirects=False, timeout=30)
    assert (refused.status_code, refused.headers["location"]) == (303, "/login")
    assert guarded.status()["state"] == "ready", "a program is told without signing in"
    with requests.Session() as alice:
        alice.post(f"{guarded.url}/session", auth=("alice", "correct horse"), timeout=30)
        assert "<svg" in alice.get(f"{guarded.url}/status", headers=HTML, timeout=30).text


def test_watch_shows_what_runs_without_a_card(stack: Stack) -> None:
    stack.wait_ready()
    done = stack.appliance("watch", "--once", "--json", "--every", "0.5")
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert content["state"] == "ready"
    assert content["cards"] == []
    assert content["engine"]["engines"] == 1
    assert content["engine"]["queue"] == 0
    assert content["engine"]["tokens_per_s"] is not None
    assert content["replicas"] == {"replicas": 3, "healthy": 3}
    assert "chat replicas" in stack.appliance("watch", "--once", "--every", "0.5").stdout
