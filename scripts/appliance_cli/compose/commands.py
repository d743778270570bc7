"""The docker compose commands of one appliance, as argument lists. Runs nothing: runner.py does."""

from collections.abc import Mapping, Sequence

from appliance_cli.config.appliance import Appliance

# Replicas that are scaled away may drain for ten minutes; taking the whole appliance down waits no longer.
DOWN_TIMEOUT_S = 45


def base(appliance: Appliance) -> list[str]:
    """``docker compose`` for this appliance; the project's name and files come from its .env."""
    env_file = ["--env-file", str(appliance.env_file)] if appliance.env_file.exists() else []
    return ["docker", "compose", "--project-directory", str(appliance.root), *env_file]


def build(appliance: Appliance) -> list[str]:
    """Build every image that is built here."""
    return [*base(appliance), "--progress", "plain", "build"]


def build_as(appliance: Appliance, files: Sequence[str]) -> list[str]:
    """Build every image that is built here as these Compose files name them."""
    named = [part for file in files for part in ("--file", file)]
    return [*base(appliance), *named, "--progress", "plain", "build"]


def pull_engine(appliance: Appliance) -> list[str]:
    """Fetch the GPU engine's image unless the host has it."""
    return [
        *base(appliance),
        "--progress",
        "plain",
        "pull",
        "--policy",
        "missing",
        "--ignore-buildable",
        "tgi",
    ]


def up(appliance: Appliance) -> list[str]:
    """Start everything. Returns when all is started; the engine waits for the model by itself."""
    return [*base(appliance), "--progress", "plain", "up", "--detach", "--no-build", "--remove-orphans"]


def down(appliance: Appliance, *, volumes: bool) -> list[str]:
    """Stop and remove the containers and networks; with ``volumes`` the volumes too.

    Of every profile: Compose would leave what belongs to one that is off by now.
    """
    return [
        *base(appliance),
        "--profile",
        "*",
        "--progress",
        "plain",
        "down",
        "--remove-orphans",
        "--timeout",
        str(DOWN_TIMEOUT_S),
        *(["--volumes"] if volumes else []),
    ]


def logs(appliance: Appliance, *, service: str | None, follow: bool, tail: str) -> list[str]:
    """Show what the services wrote."""
    options = ["--tail", tail, *(["--follow"] if follow else [])]
    return [*base(appliance), "logs", *options, *([service] if service else [])]


def model_init(
    appliance: Appliance, arguments: Sequence[str], environment: Mapping[str, str], *, terminal: bool
) -> list[str]:
    """A command of model-init in a container of its own, on the models volume."""
    options = ["--rm", "--no-deps", *([] if terminal else ["-T"])]
    variables = [part for key, value in environment.items() for part in ("-e", f"{key}={value}")]
    return [*base(appliance), "--progress", "quiet", "run", *options, *variables, "model-init", *arguments]


def scale(appliance: Appliance, replicas: Mapping[str, int]) -> list[str]:
    """Have so many replicas of each service; nothing else is touched. Waits for those that leave to drain."""
    options = ["--detach", "--no-deps", "--no-recreate", "--no-build"]
    numbers = [part for service, count in replicas.items() for part in ("--scale", f"{service}={count}")]
    return [*base(appliance), "--progress", "plain", "up", *options, *numbers, *replicas]


def recreate(appliance: Appliance, service: str) -> list[str]:
    """Make a service's containers anew, as they were."""
    options = ["--detach", "--no-deps", "--no-build", "--force-recreate"]
    return [*base(appliance), "--progress", "plain", "up", *options, service]


def in_nginx(appliance: Appliance, *words: str) -> list[str]:
    """A program inside the running nginx container."""
    return [*base(appliance), "exec", "-T", "nginx", *words]


def once_in_nginx(appliance: Appliance, program: str, *words: str) -> list[str]:
    """A program in a container of its own, made from nginx's image, on nginx's volumes."""
    options = ["--rm", "--no-deps", "-T", "--entrypoint", program]
    return [*base(appliance), "--progress", "quiet", "run", *options, "nginx", *words]


def beside_the_engine(appliance: Appliance, program: str, *words: str) -> list[str]:
    """A program in a container of its own on the engine's network, made from the chat's image."""
    options = ["--rm", "--no-deps", "-T", "--entrypoint", program]
    return [*base(appliance), "--progress", "quiet", "run", *options, "ui", *words]


def model(appliance: Appliance) -> list[str]:
    """All that its files and .env come to, as JSON."""
    return [*base(appliance), "config", "--format", "json"]


def hashes(appliance: Appliance) -> list[str]:
    """A line for each service: its name, and the hash that Compose compares with its containers'."""
    return [*base(appliance), "config", "--hash", "*"]


def services(appliance: Appliance) -> list[str]:
    """List the services' names."""
    return [*base(appliance), "config", "--services"]


def images(appliance: Appliance) -> list[str]:
    """List the images of the services."""
    return [*base(appliance), "config", "--images"]
