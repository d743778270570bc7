"""Which containers have failed for good: one judgement for `up` and `scale`, which wait without a deadline.

Counted is only what happens while this command looks on: what failed before may be mended by what it starts.
Final is a container that is not fine and

- was restarted MAX_RESTARTS times, or
- failed PATIENCE times as many health checks in a row as Docker needs to call it unhealthy.

So a slow start is waited for: within a check's start_period, in which a model loads for minutes, Docker
counts no failure and calls the container `starting`. And the first `unhealthy` ends nothing: an engine under
load, or a service whose neighbour is being replaced, passes one of its next checks. Not judged: model-init,
which has no check and whose failures watch.py reads from its own report.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from appliance_cli.base.errors import ApplianceFailed
from appliance_cli.compose.containers import ONE_SHOT, Container

MAX_RESTARTS = 3
PATIENCE = 3


@dataclass
class Failing:
    """Remembers how each container was when it was first seen. ``log_tail``: what it wrote last."""

    log_tail: Callable[[Container], tuple[str, ...]]
    _restarts: dict[str, int] = field(default_factory=dict)
    _checks: dict[str, int] = field(default_factory=dict)

    def require_none(self, containers: Iterable[Container]) -> None:
        """Look once more. Raises ApplianceFailed for the first container that waiting will not help."""
        for container in containers:
            restarts = container.restarts - self._restarts.setdefault(container.id, container.restarts)
            # why: a check that passed meanwhile begins the count anew
            checks = min(container.failed_checks, self._checks.get(container.id, container.failed_checks))
            self._checks[container.id] = checks
            if container.fine or container.service == ONE_SHOT:
                continue
            if restarts >= MAX_RESTARTS:
                raise self._restarted(container)
            failed = container.failed_checks - checks
            if container.health == "unhealthy" and failed >= PATIENCE * container.allowed_checks:
                raise _unhealthy(container)

    def _restarted(self, container: Container) -> ApplianceFailed:
        return ApplianceFailed(
            f"The service {container.service} keeps failing",
            expected=f"{container.name} to stay up",
            found=f"restarted {container.restarts} times; its last words are above",
            remedy=f"read its log: ./scripts/appliance logs {container.service}",
            details=self.log_tail(container),
        )


def _unhealthy(container: Container) -> ApplianceFailed:
    said = "the last one's words are above" if container.check_words else "the last one said nothing"
    return ApplianceFailed(
        f"The service {container.service} stays unhealthy",
        expected=f"{container.name} to pass its health check",
        found=f"{container.failed_checks} checks failed in a row; {said}",
        remedy=f"read its log: ./scripts/appliance logs {container.service}\n"
        "it goes on trying: ./scripts/appliance status",
        details=container.check_words,
    )
