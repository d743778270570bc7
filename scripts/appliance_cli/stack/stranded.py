"""Which containers nothing will start again, and which of them somebody stopped on purpose. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

from appliance_cli.compose.containers import ONE_SHOT, Container

# A start of Compose creates all containers before it starts the first.
STILL_STARTING_S = 120
# What a program that was asked to stop ends with; model-init, too, which says by others what it cannot do.
# Not 137: Docker itself starts again what crashes, so what is left so was killed by hand, or asked to stop
# and killed when its time was up. The two look alike, and both are started.
STOPPED = (0, 143)
KILLED = 137
TOLD = range(2, 17)


def stranded(containers: Sequence[Container], now: datetime) -> list[Container]:
    """Those that should run, do not, and that neither Docker nor a running `up` will start.

    None where the whole appliance is down: that is somebody's wish.
    """
    if not any(container.state == "running" for container in containers):
        return []
    return [container for container in containers if _is_stranded(container, now)]


def stopped(containers: Sequence[Container]) -> list[Container]:
    """Those that were asked to stop and did: left alone."""
    services = [c for c in containers if c.service != ONE_SHOT]
    return [c for c in services if c.state == "exited" and c.exit_code in STOPPED]


def _is_stranded(container: Container, now: datetime) -> bool:
    if container.state == "created":
        return _age_s(container.created_at, now) > STILL_STARTING_S
    if container.state not in ("exited", "dead"):
        return False
    if container.service == ONE_SHOT:
        return container.exit_code != 0 and container.exit_code not in TOLD
    return container.exit_code not in STOPPED


def _age_s(created_at: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(created_at[:19]).replace(tzinfo=UTC)).total_seconds()
