"""A hub as this run asks it: for which model, with which credentials, and the tags of files seen there."""

from __future__ import annotations

from dataclasses import dataclass, field

from model_files.hubs import Hub

from ..settings import Settings


@dataclass
class Place:
    """Its name and address, and what goes with each request. `withheld`: there is a token, which is not for
    this hub to see."""

    name: str
    endpoint: str
    model_id: str
    token: str | None = field(repr=False)
    withheld: bool = False
    etags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, hub: Hub, settings: Settings) -> Place:
        """Without the token, unless the hub may see it."""
        token = settings.hf_token if hub.gets_token else None
        withheld = settings.hf_token is not None and token is None
        return cls(hub.name, hub.endpoint, settings.model_id, token, withheld)
