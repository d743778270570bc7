"""Where the appliance listens."""

from appliance_cli.config.kinds import Address, Whole
from appliance_cli.config.table.setting import Section, Setting

HIGHEST_PORT = 65535

SECTION = Section(
    "Where it listens",
    (
        Setting(
            "HTTP_PORT",
            says="The one port that is published.",
            when="the port is taken",
            kind=Whole(1, HIGHEST_PORT),
            default="8080",
            services=("nginx",),
            common=True,
        ),
        Setting(
            "BIND_ADDRESS",
            says="The address of this machine that is published; 0.0.0.0 is every one.",
            when="colleagues shall reach it: `0.0.0.0`, with a key and a user first, see docs/security.md",
            kind=Address(),
            default="127.0.0.1",
            services=("nginx",),
            common=True,
        ),
    ),
)
