"""The conversation's view for the browser: the files that `ui/web` makes, served from memory.

The address names their version, so that a browser keeps them for good and never mixes two versions.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

FILES = Path(__file__).parent / "static/view"
ROUTE = "/view/{version}/{name}"
_MEDIA_TYPES = {".js": "text/javascript", ".woff2": "font/woff2"}
_PACKED = (".js", ".css")


def address(name: str) -> str:
    """Where the page finds a file, from its own address on."""
    return f"view/{_version()}/{name}"


@cache
def _contents() -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(FILES.iterdir())}


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(_contents()[name], mtime=0)


@cache
def _version() -> str:
    digest = hashlib.sha256()
    for name, content in _contents().items():
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


async def serve(request: Request) -> Response:
    name = request.path_params["name"]
    content = _contents().get(name)
    if content is None:
        return PlainTextResponse("not found", status_code=404)
    suffix = Path(name).suffix
    # a page of another version gets what there is, but not for good
    current = request.path_params["version"] == _version()
    headers = {"Cache-Control": "public, max-age=31536000, immutable" if current else "no-store"}
    if suffix in _PACKED:
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"], content = "gzip", _packed(name)
    media_type = _MEDIA_TYPES.get(suffix) or mimetypes.guess_type(name)[0]
    return Response(content, headers=headers, media_type=media_type)
