"""The chat page's replicas."""

from appliance_cli.config.kinds import Text, Whole
from appliance_cli.config.table.setting import Chinese, Section, Setting

MOST_REPLICAS = 100

SECTION = Section(
    "The chat",
    (
        Setting(
            "UI_REPLICAS",
            says="Chat replicas: one carries about a hundred simultaneous answers on one core.",
            when="hundreds of people chat at once",
            kind=Whole(1, MOST_REPLICAS),
            default="3",
            services=("ui",),
            common=True,
            zh=Chinese("有数百人同时使用"),
        ),
        Setting(
            "UI_SECRET",
            says="Scrambles the conversation that a browser stores. One value for all replicas; not a "
            "password (the page contains it).",
            when="stored conversations are to be forgotten",
            kind=Text(private=True),
            with_up="one made at random",
            services=("ui",),
        ),
    ),
)
