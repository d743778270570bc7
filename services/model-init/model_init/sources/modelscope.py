"""A model's file list from ModelScope's own API: names, sizes, SHA-256. Addresses: `model_files.hubs`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_files.hubs import ModelScope

from ..errors import ModelNotFound, TransientError
from ..file_list import Digest, FileList, ListedFile
from ..selection import select_files
from ..settings import Settings
from .http import get
from .place import Place
from .refusals import by_status, is_web_page, no_list, web_page
from .stream import translated

_MAX_LISTING_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Stated:
    """What ModelScope says of one file, as far as it says it."""

    size: int | None
    digest: Digest | None


def list_model(settings: Settings, place: Place, hub: ModelScope) -> FileList:
    """Ask once which files make up the model; its commits are its own, so the list names none.

    Raises:
        TransientError: another try, or another source, may help.
        ModelInitError: of the kind that fits.
    """
    if not hub.has(settings.revision):
        raise ModelNotFound(
            f"no such revision: {place.endpoint} has commits of its own, so it is not asked for "
            f"{settings.revision!r}; unset MODEL_REVISION to take the newest"
        )
    stated = stated_files(place, hub, settings.stall_s)
    names, note = select_files(list(stated), settings.model_format, settings.gguf_file)
    files = tuple(_listed(name, stated[name], place) for name in names)
    return FileList("hub", settings.model_format, None, files, note=note)


def _listed(name: str, stated: Stated, place: Place) -> ListedFile:
    if stated.size is None or stated.digest is None:
        raise no_list(place, f"no size or digest of {name}")
    return ListedFile(name, stated.size, stated.digest)


def stated_files(place: Place, hub: ModelScope, stall_s: float) -> dict[str, Stated]:
    """All files of the model by name.

    Raises:
        TransientError: another try may help.
        ModelInitError: there is no such model, or the answer is no list.
    """
    url, headers = hub.list_url(place.model_id), {"User-Agent": "qwen-appliance"}
    with translated(place.endpoint, stall_s), get(url, headers, secret={}, stall_s=stall_s) as answer:
        code = answer.status
        missing = (
            f"no such model: expected {place.model_id} on {place.endpoint}, found the answer {code}; correct "
            "MODEL_ID"
        )
        if is_web_page(answer.headers):
            refusal = by_status(place, code, answer.headers, missing)
            raise refusal if isinstance(refusal, TransientError) else web_page(place, code)
        if code in (401, 403):
            raise ModelNotFound(missing)
        if code != 200:
            raise by_status(place, code, answer.headers, missing)
        body = answer.response.read(_MAX_LISTING_BYTES)
    try:
        return _parse(json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise no_list(place, f"something else ({type(error).__name__})") from error


def _parse(record: Mapping[str, Any]) -> dict[str, Stated]:
    entries = record["Data"]["Files"]
    return {str(entry["Path"]): _stated(entry) for entry in entries if entry.get("Type") != "tree"}


def _stated(entry: Mapping[str, Any]) -> Stated:
    size, digest = entry.get("Size"), str(entry.get("Sha256") or "").lower()
    known = re.fullmatch(r"[0-9a-f]{64}", digest) is not None
    return Stated(
        size if isinstance(size, int) and size >= 0 else None, Digest("sha256", digest) if known else None
    )
