"""The one table of settings: every name that .env may hold, its default, what is accepted, and who gets it.

One module a section, in .env.example's order. To add a setting: a Setting here, a line in docker-compose.yml
(or code of scripts/appliance) that uses it, and then ``python -m appliance_cli.config.generate``.
"""

from appliance_cli.config.table import (
    access,
    building,
    chat,
    compose,
    engine,
    listening,
    model,
    modes,
    monitoring,
)
from appliance_cli.config.table.chat import MOST_REPLICAS
from appliance_cli.config.table.listening import HIGHEST_PORT
from appliance_cli.config.table.setting import Section, Setting

__all__ = ["HIGHEST_PORT", "MOST_REPLICAS", "SECTIONS", "SETTINGS", "Section", "Setting", "default_of"]

SECTIONS: tuple[Section, ...] = (
    listening.SECTION,
    access.SECTION,
    model.SECTION,
    engine.SECTION,
    modes.SECTION,
    chat.SECTION,
    building.SECTION,
    monitoring.SECTION,
    compose.SECTION,
)
SETTINGS: dict[str, Setting] = {setting.name: setting for section in SECTIONS for setting in section.settings}


def default_of(name: str) -> str:
    """What holds while the setting is not set (with the GPU engine)."""
    return SETTINGS[name].default
