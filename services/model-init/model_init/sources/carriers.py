"""The hubs as carriers of a model's bytes. Where they are and where files lie there is `model_files.hubs`'s.

The token goes to the Hub alone.
"""

from __future__ import annotations

import threading

from model_files.hubs import Hub, ModelScope

from ..errors import ModelNotFound, OtherFile
from ..file_list import ListedFile
from ..settings import Settings
from .modelscope import Stated, stated_files
from .place import Place
from .shares import Share
from .stream import deliver
from .throttle import Throttle


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
        self._scope = hub
        self._lock = threading.Lock()
        self._listing: dict[str, Stated] | None = None

    def deliver(self, revision: str | None, file: ListedFile, share: Share, throttle: Throttle) -> None:
        """See `Carrier.deliver`."""
        self._refuse_another(file)
        super().deliver(revision, file, share, throttle)

    def _refuse_another(self, file: ListedFile) -> None:
        with self._lock:
            if self._listing is None:
                self._listing = stated_files(self.place, self._scope, self._stall_s)
        entry = self._listing.get(file.path)
        if entry is None:
            raise ModelNotFound(f"no such file: expected {file.path} on {self.place.endpoint}, found none")
        wrong_size = entry.size not in (None, file.size)
        comparable = (
            file.digest is not None and file.digest.algorithm == "sha256" and entry.digest is not None
        )
        if wrong_size or (comparable and file.digest != entry.digest):
            raise OtherFile(f"{self.place.endpoint} has another version of {file.path}")
