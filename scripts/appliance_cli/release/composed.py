"""What a release's Compose files and settings come to, as Compose itself says it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from appliance_cli.base.errors import StepFailed
from appliance_cli.compose import commands as compose
from appliance_cli.compose import runner
from appliance_cli.config.appliance import Appliance

_BRIDGE = "com.docker.network.bridge."


def services(appliance: Appliance) -> dict[str, dict[str, Any]]:
    """Every service, by its name. Raises StepFailed where Compose cannot read them."""
    return dict(json.loads(_asked(appliance, compose.model(appliance)))["services"])


def networks(appliance: Appliance) -> dict[str, dict[str, Any]]:
    """Every network, by its name. Raises StepFailed where Compose cannot read them."""
    return dict(json.loads(_asked(appliance, compose.model(appliance)))["networks"])


def same_network(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether one that Docker has is what Compose's JSON says; else Compose makes it anew."""
    # why: newer versions of Docker add options of their own
    options = {key: value for key, value in (found.get("Options") or {}).items() if key.startswith(_BRIDGE)}
    alike = options == (wanted.get("driver_opts") or {})
    return bool(alike and found.get("Internal", False) == wanted.get("internal", False))


def hashes(appliance: Appliance) -> dict[str, str]:
    """What Compose compares, by service: containers of another hash are made anew. Raises StepFailed."""
    lines = _asked(appliance, compose.hashes(appliance)).splitlines()
    return {name: digest for name, digest in (line.split() for line in lines if line.strip())}


def replicas(service: Mapping[str, Any]) -> int:
    """How many there shall be of a service."""
    return int((service.get("deploy") or {}).get("replicas") or service.get("scale") or 1)


def _asked(appliance: Appliance, argv: Sequence[str]) -> str:
    answer = runner.ask(appliance, argv, timeout=60)
    if answer.code != 0:
        raise StepFailed(
            "Compose cannot read the release's files",
            expected="docker compose config to succeed",
            found=(answer.err.strip() or f"exit code {answer.code}").splitlines()[-1],
            remedy="put right what it says",
        )
    return answer.out
