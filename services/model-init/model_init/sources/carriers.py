"""The hubs as carriers of a model's bytes. Where they are and where files lie there is `model_files.hubs`'s.

ModelScope is only ever a carrier: what is right, no list of its says. The token goes to the Hub alone.
"""

from __future__ import annotations

import json
import threading
from typing import Any

from model_files.hubs import Hub, ModelScope

from ..errors import ModelNotFound, OtherFile, TransientError
from ..file_list import Digest, ListedFile
from ..settings import Settings
from .http import get
from .place import Place
from .shares import Share
from .stream import deliver, translated
from .throttle import Throttle

_MAX_LISTING_BYTES = 16 * 1024 * 1024


def make_carriers(settings: Settings) -> list[Carrier]:
    """All that MODEL_SOURCES names, in its order."""
    return [_carrier(settings, hub) for hub in settings.hubs]


def _carrier(settings: Settings, hub: Hub) -> Carrier:
    return ModelScopeCarrier(settings, hub) if isinstance(hub, ModelScope) else Carrier(settings, hub)


class Carrier:
    """A hub that may deliver a listed file: as it is, the Hub or a mirror of it."""

    def __init__(self, settings: Settings, hub: Hub) -> None:
        self.place = Place.of(hub, settings)
        self._hub, self._stall_s = hub, settings.stall_s

    def deliver(self, revision: str | None, file: ListedFile, share: Share, throttle: Throttle) -> None:
        """One try; see `stream.deliver`. By commit, so that a moving branch changes nothing."""
        url = self._hub.file_url(self.place.model_id, file.path, revision)
        deliver(self.place, url, share, file, stall_s=self._stall_s, throttle=throttle)


class ModelScopeCarrier(Carrier):
    """Asks ModelScope's list once, to leave files that it has in another version without fetching them."""

    def __init__(self, settings: Settings, hub: ModelScope) -> None:
        super().__init__(settings, hub)
        self._list_url = hub.list_url(settings.model_id)
        self._lock = threading.Lock()
        self._listing: dict[str, dict[str, Any]] | None = None

    def deliver(self, revision: str | None, file: ListedFile, share: Share, throttle: Throttle) -> None:
        """See `Carrier.deliver`."""
        self._refuse_another(file)
        super().deliver(revision, file, share, throttle)

    def _refuse_another(self, file: ListedFile) -> None:
        with self._lock:
            if self._listing is None:
                self._listing = self._list()
        entry = self._listing.get(file.path)
        if entry is None:
            raise ModelNotFound(f"no such file: expected {file.path} on {self.place.endpoint}, found none")
        digest = Digest("sha256", str(entry.get("Sha256", "")).lower())
        wrong_size = entry.get("Size") not in (None, file.size)
        wrong_digest = file.digest is not None and file.digest.algorithm == "sha256" and file.digest != digest
        if wrong_size or (wrong_digest and digest.hex):
            raise OtherFile(f"{self.place.endpoint} has another version of {file.path}")

    def _list(self) -> dict[str, dict[str, Any]]:
        headers = {"User-Agent": "qwen-appliance"}
        with (
            translated(self.place.endpoint, self._stall_s),
            get(self._list_url, headers, secret={}, stall_s=self._stall_s) as answer,
        ):
            if answer.status == 429 or answer.status >= 500:
                raise TransientError(f"the answer {answer.status}")
            if answer.status != 200:
                raise ModelNotFound(
                    f"no such model: expected {self.place.model_id} on {self.place.endpoint}, found the "
                    f"answer {answer.status}"
                )
            body = answer.response.read(_MAX_LISTING_BYTES)
        try:
            return {str(entry["Path"]): entry for entry in json.loads(body)["Data"]["Files"]}
        except (ValueError, KeyError, TypeError) as error:
            raise ModelNotFound(
                f"no such model: expected a list of files from {self.place.endpoint}, found none"
            ) from error
