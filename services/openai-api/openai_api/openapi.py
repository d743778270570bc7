"""The OpenAPI document of what this appliance serves."""

from __future__ import annotations

from openai_api.checks import Json


def document() -> Json:
    """GET /openapi.json."""
    return {"openapi": "3.1.0", "info": {"title": "Qwen TGI appliance", "version": "1"}, "paths": {}}
