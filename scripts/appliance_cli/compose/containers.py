"""What Docker knows about the containers of one appliance."""

from dataclasses import dataclass
from datetime import UTC, datetime

import docker

from appliance_cli.compose.client import FAILURES

ENGINE_SERVICE = "tgi"
ONE_SHOT = "model-init"
DEFAULT_RETRIES = 3  # Docker's, of a health check that names none
# In data-flow order, as in docker-compose.yml; of several engines the first stands for all.
ORDER = (ONE_SHOT, ENGINE_SERVICE, "ui", "openai-api", "nginx")


@dataclass(frozen=True)
class Container:
    """One container.

    ``state`` and ``health`` are Docker's words; ``health`` is "" where no check is defined. ``failed_checks``
    failed in a row since the last one passed, after ``allowed_checks`` of which Docker calls it unhealthy;
    ``check_words`` is what the last one said. ``arguments`` and ``environment`` are what runs, whatever .env
    says by now; ``cards`` what it was given, by index or UUID.
    """

    id: str
    name: str
    service: str
    image: str
    state: str
    health: str
    exit_code: int
    restarts: int
    started_at: str
    failed_checks: int = 0
    allowed_checks: int = DEFAULT_RETRIES
    check_words: tuple[str, ...] = ()
    created_at: str = ""
    policy: str = ""
    short_of_memory: bool = False
    arguments: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    cards: tuple[str, ...] = ()

    @property
    def fine(self) -> bool:
        """Finished its work (model-init), or runs and is healthy."""
        if self.service == ONE_SHOT:
            return self.state == "exited" and self.exit_code == 0
        return self.state == "running" and self.health in ("", "healthy")

    def argument(self, name: str) -> str:
        """The value of ``--name=…`` among its arguments; "" when it is not given."""
        given = (each.partition("=")[2] for each in self.arguments if each.startswith(f"--{name}="))
        return next(given, "")

    def age_s(self, now: datetime) -> float | None:
        """Seconds since it was started; None unless it runs."""
        if self.state != "running":
            return None
        started = datetime.fromisoformat(self.started_at[:19]).replace(tzinfo=UTC)
        return (now - started).total_seconds()


def of_project(client: docker.DockerClient, project: str) -> tuple[Container, ...]:
    """Every container of the project's services, in data-flow order; not those of ``docker compose run``."""
    labels = [f"com.docker.compose.project={project}", "com.docker.compose.oneoff=False"]
    found = client.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
    containers = [_container(container.attrs) for container in found]
    return tuple(sorted(containers, key=lambda c: (_place(c.service), c.name)))


def is_engine(service: str) -> bool:
    """Whether this is a service that generates: tgi, and tgi-2, tgi-3, … where there are several."""
    return service.split("-")[0] == ENGINE_SERVICE


def log_tail(client: docker.DockerClient, container_id: str, lines: int = 10) -> tuple[str, ...]:
    """The last lines that a container wrote; none when it is gone."""
    try:
        text = client.containers.get(container_id).logs(tail=lines).decode(errors="replace")
    except FAILURES:
        return ()
    return tuple(text.strip().splitlines())


def _place(service: str) -> int:
    first = ENGINE_SERVICE if is_engine(service) else service
    return ORDER.index(first) if first in ORDER else len(ORDER)


def _container(attrs: dict) -> Container:  # type: ignore[type-arg]
    state, config = attrs["State"], attrs["Config"]
    health = state.get("Health") or {}
    host = attrs.get("HostConfig") or {}
    last_check = (health.get("Log") or [{}])[-1]
    return Container(
        id=attrs["Id"],
        name=attrs["Name"].lstrip("/"),
        service=config["Labels"].get("com.docker.compose.service", ""),
        image=config["Image"],
        state=state["Status"],
        health=health.get("Status", ""),
        exit_code=state["ExitCode"],
        restarts=attrs["RestartCount"],
        started_at=state["StartedAt"],
        failed_checks=health.get("FailingStreak", 0),
        allowed_checks=(config.get("Healthcheck") or {}).get("Retries") or DEFAULT_RETRIES,
        check_words=tuple(last_check.get("Output", "").strip().splitlines()[-5:]),
        created_at=attrs.get("Created", ""),
        policy=(host.get("RestartPolicy") or {}).get("Name", ""),
        short_of_memory=bool(state.get("OOMKilled")),
        arguments=tuple(config.get("Cmd") or ()),
        environment=tuple(config.get("Env") or ()),
        cards=tuple(
            card for request in host.get("DeviceRequests") or () for card in request.get("DeviceIDs") or ()
        ),
    )
