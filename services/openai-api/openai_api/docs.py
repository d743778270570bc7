"""The page that shows the OpenAPI document, in English or Chinese. It needs no other host, and no script."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from openai_api.checks import Json
from openai_api.parameters import CHAT, COMPLETIONS, Fate, Parameter

_PAGE = """<!doctype html>
<html lang="{tag}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root{{color-scheme:light dark}}
body{{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}}
summary{{cursor:pointer;padding:.5rem 0}}code,pre{{font-family:ui-monospace,monospace;font-size:.9em}}
pre{{overflow:auto;padding:1rem;background:#8882}}table{{border-collapse:collapse;width:100%}}
th,td{{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #8884}}
b{{display:inline-block;min-width:3.5rem}}
</style>
<h1>{title}</h1>
<p>{description} <a href="/openapi.json">openapi.json</a></p>
{operations}
</html>
"""


@dataclass(frozen=True, slots=True)
class _Words:
    """What the page itself says, in one language."""

    tag: str
    description: str
    heads: tuple[str, str, str]
    fates: Mapping[Fate, str]


_ENGLISH = _Words(
    "en",
    "What this address serves to programs. With keys in use, send one: Authorization: Bearer …",
    ("parameter", "here", ""),
    {fate: fate.value for fate in Fate},
)
_CHINESE = _Words(
    "zh-CN",
    "该地址向程序提供的接口。启用密钥后，请在请求中携带：Authorization: Bearer …",
    ("参数", "处理方式", ""),
    {fate: fate.chinese for fate in Fate},
)
_TABLES = {"/v1/chat/completions": CHAT, "/v1/completions": COMPLETIONS}


def page(document: Json, accept_language: str) -> str:
    """GET /docs for a browser that prefers these languages."""
    words = _CHINESE if accept_language.strip().lower().startswith("zh") else _ENGLISH
    operations = [
        f"<details><summary><b>{method.upper()}</b> <code>{html.escape(path)}</code> "
        f"{html.escape(operation['summary'])}</summary>{_shown(path, operation, document, words)}</details>"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in ("get", "post")
    ]
    return _PAGE.format(
        tag=words.tag,
        title=html.escape(document["info"]["title"]),
        description=html.escape(words.description),
        operations="\n".join(operations),
    )


def _shown(path: str, operation: Json, document: Json, words: _Words) -> str:
    if path in _TABLES:
        return _table(_TABLES[path], words)
    if "requestBody" not in operation:
        return _source(operation["responses"])
    name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return _source(document["components"]["schemas"][name])


def _table(parameters: Mapping[str, Parameter], words: _Words) -> str:
    heads = "".join(f"<th>{head}</th>" for head in words.heads)
    rows = [
        f"<tr><td><code>{html.escape(name)}</code></td><td>{words.fates[parameter.fate]}</td>"
        f"<td>{html.escape(parameter.chinese if words is _CHINESE else parameter.note)}</td></tr>"
        for name, parameter in parameters.items()
    ]
    return f"<table><tr>{heads}</tr>{''.join(rows)}</table>"


def _source(value: object) -> str:
    return f"<pre>{html.escape(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())}</pre>"
