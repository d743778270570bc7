"""What Compose itself reads."""

from appliance_cli.config.kinds import Matching, Text
from appliance_cli.config.table.setting import Section, Setting

SECTION = Section(
    "Compose",
    (
        Setting(
            "COMPOSE_FILE",
            says="The Compose files, with colons between. Written by ./scripts/appliance up.",
            when="you add a file of your own",
            kind=Text("paths with colons between"),
            default="docker-compose.yml",
            cpu_default="docker-compose.yml:compose.cpu.yml",
        ),
        Setting(
            "COMPOSE_PROJECT_NAME",
            says="The appliance's name among Docker's projects.",
            when="a second appliance shall run beside this one",
            kind=Matching(
                r"[a-z0-9][a-z0-9_-]*",
                "lower-case letters, digits, - and _, beginning with a letter or digit",
            ),
            default="qwen-appliance",
            services=("nginx",),
        ),
    ),
)
