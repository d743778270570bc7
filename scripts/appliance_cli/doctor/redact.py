"""Takes out of texts what nobody but the operator may see: secrets, and what people wrote and read. Pure.

Two ways, one behind the other: values that are known to be secret wherever they stand, and lines or fields
that are not known to be harmless.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from appliance_cli.config.table import SETTINGS

GONE = "…"
NOT_SHOWN = "(set, not shown)"
SHORTEST = 4
_IN_ADDRESS = re.compile(r"(?<=://)[^/\s@\"']+(?=@)")
_SHAPES = (
    re.compile(r"\bhf_[A-Za-z0-9]{8,}"),
    re.compile(r"\bsk-[A-Za-z0-9_-]{8,}"),
    re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{20,}"),
    re.compile(r"\b[0-9a-f]{64}\b"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL),
    re.compile(r"(?i)(?<=cookie: )[^\r\n]+"),
)
# What a line of a service may hold that people wrote or read: TGI logs the parameters of a request only, but
# an error may quote its inputs.
_PEOPLES = re.compile(
    r"(?i)[\"']?(inputs?|prompt|messages?|content|generated_text|text|answer|question)[\"']?\s*[:=]\s*"
)
# From the first query of nginx's own lines on: where it ends, whoever asked decides.
_QUERY = re.compile(r'((?:request|referrer): "[^?]*)\?.*')
# Services that get the text of requests: of their lines that are not JSON only what is fixed is shown.
_HEARS = ("ui", "openai-api")
_HEAD = re.compile(r"\d{4}-\d\d-\d\d[T ]\S+ [A-Z]+(?: [\w.]+:)?(?= )")
_CODE = re.compile(r"  /\S+\.py:\d+ in \S+|(?:after )?\w*(?:Error|Exception|Timeout|Exit|Interrupt)")
# Fields of the services' JSON lines that say what the service does. Everything else of a line is left out.
HARMLESS = frozenset(
    {
        *(
            "time",
            "timestamp",
            "level",
            "target",
            "event",
            "stage",
            "status",
            "seconds",
            "id",
            "logger",
            "name",
        ),
        *("bytes", "bytes_done", "bytes_total", "rate_bytes_per_s", "eta_s", "first_byte_seconds", "span"),
        *("upstream", "upstream_status", "refused", "method", "path", "prompt_tokens", "generated_tokens"),
        *("total_time", "queue_time", "inference_time", "time_per_token", "validation_time", "error", "code"),
        *("fields", "message"),
    }
)


def setting(name: str, value: str) -> str:
    """A setting's value, or that it is set, where it is private."""
    known = SETTINGS.get(name)
    if known is None or known.kind.private:
        return NOT_SHOWN if value else ""
    return text(value)


def text(content: str, secrets: Iterable[str] = ()) -> str:
    """A text without known secrets, without what has the shape of one, and without names in addresses."""
    for secret in sorted((s for s in secrets if len(s) >= SHORTEST), key=len, reverse=True):
        content = content.replace(secret, GONE)
    content = _IN_ADDRESS.sub(GONE, content)
    for shape in _SHAPES:
        content = shape.sub(GONE, content)
    return content


def log(lines: Iterable[str], secrets: Iterable[str] = (), service: str = "") -> list[str]:
    """A service's log with what the service did, and nothing that people wrote or read."""
    known = list(secrets)
    kept = (_line(line, plain=service not in _HEARS) for line in lines)
    return [text(line, known) for line in kept if line is not None]


def _line(line: str, *, plain: bool) -> str | None:
    """What may be shown of it; None for nothing. ``plain``: it may be shown though it is not JSON."""
    start = line.find("{")
    try:
        record = json.loads(line[start:]) if start >= 0 else None
    except ValueError:
        record = None
    if isinstance(record, dict):
        return (line[:start] if plain else "") + json.dumps(_kept(record), ensure_ascii=False)
    if not plain:
        return _shown(line)
    line = _QUERY.sub(f'\\1?{GONE}"', line)
    quoted = _PEOPLES.search(line)
    return f"{line[: quoted.end()]}{GONE}" if quoted else line


def _shown(line: str) -> str | None:
    """Of a line that may quote anybody: when, how bad and by whom, or where in the code."""
    if _CODE.fullmatch(line):
        return line
    head = _HEAD.match(line)
    return f"{head[0]} {GONE}" if head else None


def _kept(record: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in record.items():
        if name not in HARMLESS:
            continue
        if isinstance(value, dict):
            kept[name] = _kept(value)
        elif name == "path":
            kept[name] = str(value).partition("?")[0]
        elif isinstance(value, str):
            quoted = _PEOPLES.search(value)
            kept[name] = f"{value[: quoted.end()]}{GONE}" if quoted else value
        elif isinstance(value, int | float | bool) or value is None:
            kept[name] = value
    return kept
