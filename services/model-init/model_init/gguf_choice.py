"""Which GGUF of a repository is brought: one quantisation, in one file or in all of its parts. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .errors import InvalidModel, SettingsError

_PART = re.compile(r"(?P<base>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})\.gguf")
# beside the language model: a vision projector, statistics for quantising
_NO_MODEL = ("mmproj", "imatrix")
_USUAL = "q4_k_m"


def choose_gguf(names: Sequence[str], wanted: str | None) -> tuple[list[str], str]:
    """The files of one model, its parts in order, and a note on a choice that nobody made.

    Args:
        wanted: MODEL_GGUF_FILE: the file, any of its parts, or the name that the parts have in common.

    Raises:
        InvalidModel: there is none, or a part of it is missing.
        SettingsError: only a person can choose, or `wanted` is none of them.
    """
    models = _models(names)
    if not models:
        raise InvalidModel(
            "expected a *.gguf among the model's files, found none; check MODEL_ID and MODEL_FORMAT"
        )
    listed = ", ".join(sorted(models))
    if wanted is not None:
        part = _PART.fullmatch(wanted)
        name = wanted if wanted in models or not part else f"{part['base']}.gguf"
        if name not in models:
            raise SettingsError(f"MODEL_GGUF_FILE: expected one of {listed}, found {wanted!r}; correct it")
        return _whole(name, models[name]), ""
    usual = [name for name in models if _USUAL in name.lower()]
    for candidates in (list(models), usual):
        if len(candidates) == 1:
            name = candidates[0]
            others = len(models) - 1
            note = (
                f"picked {name}, the usual one of {others + 1} quantisations; MODEL_GGUF_FILE names another"
            )
            return _whole(name, models[name]), note if others else ""
    raise SettingsError(
        f"MODEL_GGUF_FILE: expected one of {listed}, found nothing set; set it to the one you want"
    )


def _models(names: Sequence[str]) -> dict[str, list[str]]:
    """The files of each model, by its name without the parts' numbers. A whole file goes before parts."""
    models: dict[str, list[str]] = {}
    for name in sorted(names):
        part = _PART.fullmatch(name)
        if name.endswith(".gguf") and not any(word in name.lower() for word in _NO_MODEL):
            models.setdefault(f"{part['base']}.gguf" if part else name, []).append(name)
    return {name: [name] if name in files else files for name, files in models.items()}


def _whole(name: str, files: list[str]) -> list[str]:
    first = _PART.fullmatch(files[0])
    if first is None:
        return files
    total = int(first["total"])
    expected = [f"{first['base']}-{number:05d}-of-{first['total']}.gguf" for number in range(1, total + 1)]
    missing = sorted(set(expected).difference(files))
    if missing:
        raise InvalidModel(
            f"expected {name} in {total} parts, found no {missing[0]}; use a complete revision, or another "
            "MODEL_GGUF_FILE"
        )
    return expected
