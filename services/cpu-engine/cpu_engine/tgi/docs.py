"""The OpenAPI document of these routes, and a page that shows it without another host."""

import html

import orjson
from starlette.requests import Request
from starlette.responses import Response

from cpu_engine.tgi.openapi import DOCUMENT

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
pre{{overflow:auto;padding:1rem;background:#8881}}summary{{cursor:pointer;padding:.4rem 0}}</style>
<h1>{title}</h1><p>{description}. The same as <a href="/api-doc/openapi.json">OpenAPI document</a>.</p>
{operations}
</html>
"""


class DocumentRoutes:
    """Handlers of /docs and of the document."""

    async def moved(self, _: Request) -> Response:
        """GET /docs."""
        return Response(status_code=303, headers={"location": "/docs/"})

    async def page(self, _: Request) -> Response:
        """GET /docs/."""
        return Response(page(), media_type="text/html")

    async def openapi(self, _: Request) -> Response:
        """GET /api-doc/openapi.json."""
        return Response(orjson.dumps(DOCUMENT), media_type="application/json")


def page() -> str:
    """Every operation with what it takes, folded."""
    schemas = DOCUMENT["components"]["schemas"]
    operations = [
        f"<details><summary><b>{method.upper()}</b> <code>{html.escape(path)}</code> "
        f"{html.escape(operation['summary'])}</summary><pre>{_shown(operation, schemas)}</pre></details>"
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    ]
    info = DOCUMENT["info"]
    return _PAGE.format(
        title=html.escape(info["title"]),
        description=html.escape(info["description"]),
        operations="\n".join(operations),
    )


def _shown(operation: dict[str, object], schemas: dict[str, object]) -> str:
    body = operation.get("requestBody")
    shown = operation["responses"] if body is None else {name: schemas[name] for name in _names(body)}
    return html.escape(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())


def _names(value: object) -> list[str]:
    """Names of the schemas to which `value` refers."""
    if isinstance(value, dict):
        own = [str(value["$ref"]).rpartition("/")[2]] if "$ref" in value else []
        return own + [name for inner in value.values() for name in _names(inner)]
    return [name for inner in value for name in _names(inner)] if isinstance(value, list) else []
