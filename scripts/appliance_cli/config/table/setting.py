"""What the table says about one setting, and about a section of them."""

from dataclasses import dataclass, field

from appliance_cli.config.kinds import Kind, Text


@dataclass(frozen=True)
class Chinese:
    """What docs/zh/settings.md says in place of a setting's own words."""

    when: str
    empty: str = ""
    with_up: str = ""


@dataclass(frozen=True)
class Setting:
    """One setting of .env.

    ``says`` is a sentence; ``when`` ends "Change it when …", where that does not say it yet. ``default`` is
    what holds while it is not set, "" where that is nothing, in which case ``empty`` says what follows;
    ``cpu_default`` is the CPU engine's, where it is another. ``with_up``: what ./scripts/appliance up uses in
    place of the default. ``services``: the services of docker-compose.yml that get it; none for one that only
    scripts/appliance or Compose itself reads. ``common``: docs/settings.md has it, and
    docs/zh/settings.md with the words of ``zh``.
    """

    name: str
    says: str
    when: str = ""
    kind: Kind = field(default_factory=Text)
    default: str = ""
    cpu_default: str | None = None
    empty: str = ""
    with_up: str = ""
    services: tuple[str, ...] = ()
    common: bool = False
    zh: Chinese | None = None

    @property
    def on_cpu(self) -> str:
        """What holds with the CPU engine while it is not set."""
        return self.default if self.cpu_default is None else self.cpu_default


@dataclass(frozen=True)
class Section:
    """Settings that stand together in .env.example."""

    title: str
    settings: tuple[Setting, ...]
