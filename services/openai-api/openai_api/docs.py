"""The page that shows the OpenAPI document."""

from __future__ import annotations


def page() -> str:
    """GET /docs."""
    return "<!doctype html><title>API</title><a href=/openapi.json>openapi.json</a>"
