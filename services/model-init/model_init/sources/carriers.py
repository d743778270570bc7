"""The hubs that can carry a model's files, by the names of MODEL_SOURCES. Owns their addresses, nothing else.

`hub` and `hf-mirror` speak the Hugging Face Hub's API; ModelScope has one of its own and is only ever a
carrier: what is right, no list of its says. The token goes to `hub` alone.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import quote

from ..errors import ModelNotFound, OtherFile, TransientError
from ..file_list import Digest, ListedFile
from ..settings import CarrierName, Settings
from ..volume.sink import Sink
from .http import get
from .stream import Place, deliver, translated
from .throttle import Throttle

DEFAULT_HUB = "https://huggingface.co"
MODELSCOPE_BRANCH = "master"
_MAX_LISTING_BYTES = 16 * 1024 * 1024


class Carrier(Protocol):
    """A hub that may deliver a listed file. `deliver` is one try; see `stream.deliver` for what it
    raises."""

    name: CarrierName
    endpoint: str

    def deliver(
        self,
        revision: str | None,
        file: ListedFile,
        sink: Sink,
        progress: Callable[[int], None],
        throttle: Throttle,
    ) -> None: ...


def make_carriers(settings: Settings) -> list[Carrier]:
    """All that MODEL_SOURCES names, in its order."""
    return [_carrier(settings, name) for name in settings.carriers]


def hub_endpoints(settings: Settings) -> list[tuple[CarrierName, str]]:
    """Those of them whose list of a model's files can be the truth, in order."""
    known: dict[CarrierName, str] = {
        "hub": settings.hf_endpoint or DEFAULT_HUB,
        "hf-mirror": settings.hf_mirror_endpoint,
    }
    return [(name, known[name]) for name in settings.carriers if name in known]


def _carrier(settings: Settings, name: CarrierName) -> Carrier:
    if name == "modelscope":
        return ModelScope(settings)
    return HubLike(settings, name, dict(hub_endpoints(settings))[name])


class HubLike:
    """The Hub or a mirror of it. See `Carrier`."""

    def __init__(self, settings: Settings, name: CarrierName, endpoint: str) -> None:
        self.name, self.endpoint = name, endpoint
        self._stall_s = settings.stall_s
        token = settings.hf_token if name == "hub" else None
        self._place = Place(name, endpoint, settings.model_id, token)

    def deliver(
        self,
        revision: str | None,
        file: ListedFile,
        sink: Sink,
        progress: Callable[[int], None],
        throttle: Throttle,
    ) -> None:
        """See `Carrier`. Files are asked for by commit, so that a moving branch changes nothing."""
        commit = quote(revision or "main", safe="")
        url = f"{self.endpoint}/{self._place.model_id}/resolve/{commit}/{quote(file.path)}"
        deliver(self._place, url, file, sink, progress, stall_s=self._stall_s, throttle=throttle)


class ModelScope:
    """ModelScope's HTTP API, version 1, as its own client uses it. See `Carrier`.

    Its commits are its own, so files come from its main branch, and its list is asked once to leave files
    that it has in another version without fetching them.
    """

    def __init__(self, settings: Settings) -> None:
        self.name: CarrierName = "modelscope"
        self.endpoint = settings.modelscope_endpoint
        self._stall_s = settings.stall_s
        self._place = Place(self.name, self.endpoint, settings.model_id)
        self._base = f"{self.endpoint}/api/v1/models/{settings.model_id}/repo"
        self._lock = threading.Lock()
        self._listing: dict[str, dict[str, Any]] | None = None

    def deliver(
        self,
        revision: str | None,
        file: ListedFile,
        sink: Sink,
        progress: Callable[[int], None],
        throttle: Throttle,
    ) -> None:
        """See `Carrier`."""
        self._refuse_another(file)
        url = f"{self._base}?Revision={MODELSCOPE_BRANCH}&FilePath={quote(file.path)}"
        deliver(self._place, url, file, sink, progress, stall_s=self._stall_s, throttle=throttle)

    def _refuse_another(self, file: ListedFile) -> None:
        with self._lock:
            if self._listing is None:
                self._listing = self._list()
        entry = self._listing.get(file.path)
        if entry is None:
            raise ModelNotFound(f"no such file: expected {file.path} on {self.endpoint}, found none")
        digest = Digest("sha256", str(entry.get("Sha256", "")).lower())
        wrong_size = entry.get("Size") not in (None, file.size)
        wrong_digest = file.digest is not None and file.digest.algorithm == "sha256" and file.digest != digest
        if wrong_size or (wrong_digest and digest.hex):
            raise OtherFile(f"{self.endpoint} has another version of {file.path}")

    def _list(self) -> dict[str, dict[str, Any]]:
        url = f"{self._base}/files?Revision={MODELSCOPE_BRANCH}&Recursive=true"
        headers = {"User-Agent": "qwen-appliance"}
        with (
            translated(self.endpoint, self._stall_s),
            get(url, headers, secret={}, stall_s=self._stall_s) as answer,
        ):
            if answer.status == 429 or answer.status >= 500:
                raise TransientError(f"the answer {answer.status}")
            if answer.status != 200:
                raise ModelNotFound(
                    f"no such model: expected {self._place.model_id} on {self.endpoint}, found the "
                    f"answer {answer.status}"
                )
            body = answer.response.read(_MAX_LISTING_BYTES)
        try:
            return {str(entry["Path"]): entry for entry in json.loads(body)["Data"]["Files"]}
        except (ValueError, KeyError, TypeError) as error:
            raise ModelNotFound(
                f"no such model: expected a list of files from {self.endpoint}, found none"
            ) from error
