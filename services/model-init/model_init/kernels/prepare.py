"""Makes the kernels ready for the engine's next start: checks, fetches what is missing, never fails."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from ..digests import stat_mark
from ..download import fetch_proven
from ..errors import Interrupted, ModelInitError, NoNetwork
from ..file_list import Digest, FileList, ListedFile
from ..report.console import human_bytes
from ..report.reporter import Reporter
from ..settings import Settings
from ..volume.disk import require_free_space
from . import pinned as pins
from .folder import KernelsFolder
from .pinned import COST, PinnedWheel

REMEDY = "start the appliance again: it fetches them anew"
State = Literal["ready", "missing", "damaged", "off"]


@dataclass(frozen=True)
class Kernels:
    """What status.json, `list` and `verify` say; `detail`: what is wrong with them, and what it costs."""

    package: str
    state: State
    detail: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """As a JSON object."""
        return asdict(self)


def prepare_kernels(settings: Settings, reporter: Reporter) -> None:
    """Have the pinned files in the volume, proven, or say why not. Raises only when someone stops us."""
    if settings.model_format != "safetensors":
        return
    pinned = pins.PINNED
    folder = KernelsFolder(settings.models_dir, pinned)
    state: State = "off"
    detail = None
    if settings.fast_nf4:
        state, detail = _made_ready(settings, pinned, folder, reporter)
    reporter.status.fast_kernels = Kernels(pinned.name, state, detail).as_json()
    reporter.write()


def look(settings: Settings) -> Kernels | None:
    """What there is, every byte read and nothing changed; None for an engine that has no use for them.

    Damaged ones are told of whether or not they are switched off: the switch may be turned.
    """
    if settings.model_format != "safetensors":
        return None
    pinned = pins.PINNED
    folder = KernelsFolder(settings.models_dir, pinned)
    wrong = folder.wrong()
    if wrong and folder.exists():
        return Kernels(pinned.name, "damaged", f"{wrong}; {REMEDY}")
    if not settings.fast_nf4:
        return Kernels(pinned.name, "off")
    return Kernels(pinned.name, "missing", f"{wrong}; {COST}") if wrong else Kernels(pinned.name, "ready")


def _made_ready(
    settings: Settings, pinned: PinnedWheel, folder: KernelsFolder, reporter: Reporter
) -> tuple[State, str | None]:
    try:
        if folder.wrong():
            if folder.exists():
                reporter.say(f"damaged: the fast 4-bit kernels: {folder.wrong()}; fetching them again")
                folder.withdraw()
            _fetch(settings, pinned, folder, reporter)
    except Interrupted:
        raise
    except Exception as error:
        # why so wide: the model is ready, and nothing about these files may keep it from being served
        reason = str(error) if isinstance(error, ModelInitError) else f"{type(error).__name__}: {error}"
        folder.discard()
        detail = f"{reason}; {COST}"
        reporter.say(
            f"warning: no fast 4-bit kernels ({pinned.name}): {detail}. Start again when the package "
            "index answers (PIP_INDEX_URL), or import a model that was exported with them; FAST_NF4=0 ends "
            "this warning"
        )
        return "missing", detail
    reporter.say(f"the fast 4-bit kernels are ready: {pinned.name}, every byte verified")
    return "ready", None


def _fetch(settings: Settings, pinned: PinnedWheel, folder: KernelsFolder, reporter: Reporter) -> None:
    if settings.offline:
        raise NoNetwork("OFFLINE=1 forbids every connection")
    from .index import IndexSource

    file = ListedFile(pinned.file_name, pinned.size, Digest("sha256", pinned.sha256))
    listed = FileList("pypi", settings.model_format, None, (file,), scratch_bytes=pinned.kept_size)
    folder.wheel.create()
    there = stat_mark(folder.wheel.partial(file))
    require_free_space(folder.wheel.path, pinned.size + pinned.kept_size - (there[0] if there else 0))
    reporter.stage("downloading", f"Downloading the fast 4-bit kernels, {human_bytes(pinned.size)}")
    reporter.begin(done=0, total=pinned.size, files_done=0, files_total=1)
    source = IndexSource(settings, pinned, listed, reporter.say)
    fetch_proven(source, None, file, folder.wheel, reporter, _no_check)
    folder.unpack(folder.wheel.partial(file))
    folder.publish()
    folder.remove_wheel()


def _no_check() -> None:
    """Nothing else runs beside this download that could end it."""
