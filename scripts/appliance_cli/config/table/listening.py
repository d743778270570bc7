"""Where the appliance listens."""

from appliance_cli.config.kinds import Address, Matching, Whole
from appliance_cli.config.table.setting import Chinese, Section, Setting

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
            zh=Chinese("端口已被占用"),
        ),
        Setting(
            "BIND_ADDRESS",
            says="The address of this machine that is published; 0.0.0.0 is every one.",
            when="colleagues shall reach it: `0.0.0.0`, with a key and a user first, see docs/security.md",
            kind=Address(),
            default="127.0.0.1",
            services=("nginx",),
            common=True,
            zh=Chinese("要让同事访问：设为 `0.0.0.0`，但须先添加密钥和用户，见 docs/zh/security.md"),
        ),
        Setting(
            "NGINX_WORKERS",
            says="How many processes serve: `auto` is one a CPU, 8 at most. Above 8 each needs 24 MB "
            "more than nginx's mem_limit gives.",
            when="they should have fewer of this machine's CPUs",
            kind=Matching(r"auto|[1-9]|[1-5][0-9]|6[0-4]", "auto or a number from 1 to 64"),
            default="auto",
            services=("nginx",),
        ),
    ),
)
