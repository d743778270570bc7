"""Which files of a listing are brought. Owns the names that may enter the volume and the choice among them.

Pure: takes names, gives names; sizes and digests are the sources' to add. Pickle-bearing files (.bin, .pt,
.pth, .ckpt) are never chosen, because nothing but the names below ever is. The choice among GGUF files is
`gguf_choice`'s.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from .errors import InvalidModel
from .gguf_choice import choose_gguf
from .settings import ModelFormat

WEIGHT_SUFFIXES = (".safetensors", ".gguf")
PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt")
INDEX_NAME = "model.safetensors.index.json"
COMPANIONS = frozenset(
    {
        INDEX_NAME,
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "tokenizer.model",
        "vocab.json",
        "merges.txt",
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.jinja",
        "chat_template.json",
    }
)
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,190}")
_STANDARD_WEIGHTS = re.compile(r"model(?:-(\d{5})-of-(\d{5}))?\.safetensors")
# TGI opens every *.safetensors but these (server/text_generation_server/utils/hub.py, v3.3.7).
_NOT_WEIGHTS = ("arguments", "args", "training")


class HostileListing(InvalidModel):
    """A listing with a name that no repository can hold."""


def is_plain_name(name: str) -> bool:
    """Whether a file of this name may enter a model's folder: one segment, nothing hidden or odd."""
    return _PLAIN_NAME.fullmatch(name) is not None and ".." not in name


def is_weights(name: str) -> bool:
    """Whether the file holds tensors: the gigabytes of a model."""
    return name.endswith(WEIGHT_SUFFIXES)


def refuse_hostile_names(names: Iterable[str]) -> None:
    """Refuse a whole listing that holds a name which no repository can hold.

    A name that is merely odd (spaces of other scripts, a backslash) says nothing against the source: no such
    file is ever chosen.

    Raises:
        HostileListing: for an absolute name, one with `..`, control characters or an empty segment.
    """
    for name in names:
        segments = name.split("/")
        if ".." in segments or "" in segments or any(unicodedata.category(char) == "Cc" for char in name):
            raise HostileListing(
                f"expected relative file names inside the model's folder, found {name!r}; this source is "
                "not to be trusted: use another model or source"
            )


def select_files(
    names: Sequence[str], model_format: ModelFormat, gguf_file: str | None
) -> tuple[list[str], str]:
    """Choose the files that an engine needs from a listing, in a stable order, the weights last.

    Returns:
        Their names, and a note for people on a choice that was made for them ("" without one).

    Raises:
        InvalidModel: the listing holds no loadable model in this format, or hostile names.
        SettingsError: there is more than one GGUF to choose from, or MODEL_GGUF_FILE names none of them.
    """
    refuse_hostile_names(names)
    if model_format == "gguf":
        return choose_gguf([name for name in names if is_plain_name(name)], gguf_file)
    top_level = {name for name in names if "/" not in name}
    _require_companions(top_level)
    return sorted(top_level & COMPANIONS) + _select_weights(top_level), ""


def _require_companions(names: set[str]) -> None:
    if "config.json" not in names:
        raise InvalidModel(
            "expected config.json among the model's files, found none; set MODEL_ID to a Transformers model"
        )
    if not names.intersection(_TOKENIZERS):
        raise InvalidModel(
            f"expected a tokenizer ({', '.join(_TOKENIZERS)}), found none; set MODEL_ID to a chat model"
        )


def _select_weights(names: set[str]) -> list[str]:
    """`model.safetensors`, or all of its shards, else every top-level file that TGI would open."""
    weights = sorted(n for n in names if n.endswith(".safetensors") and not any(w in n for w in _NOT_WEIGHTS))
    standard = [name for name in weights if _STANDARD_WEIGHTS.fullmatch(name)]
    shards = [name for name in standard if name != "model.safetensors"]
    chosen = shards if INDEX_NAME in names and shards else standard or weights
    if not chosen:
        raise InvalidModel(_no_weights(names))
    for name in chosen:
        if not is_plain_name(name):
            raise InvalidModel(f"expected plain file names, found {name!r}; use another model or revision")
    _require_every_shard(chosen)
    return chosen


def _require_every_shard(names: list[str]) -> None:
    shards = [match for match in map(_STANDARD_WEIGHTS.fullmatch, names) if match and match[1]]
    for total in {match[2] for match in shards}:
        expected = {f"model-{number:05d}-of-{total}.safetensors" for number in range(1, int(total) + 1)}
        missing = sorted(expected.difference(names))
        if missing:
            raise InvalidModel(
                f"expected {int(total)} shards, found no {missing[0]}; use a complete revision"
            )


def _no_weights(names: set[str]) -> str:
    if any(name.endswith(".gguf") for name in names):
        return (
            "expected *.safetensors, found only GGUF files; set MODEL_FORMAT=gguf, or MODEL_ID to the "
            "original model"
        )
    if any(name.endswith(PICKLE_SUFFIXES) for name in names):
        return (
            "expected *.safetensors, found only pickle files, which can run code when loaded and are "
            "never fetched; use a model that has safetensors"
        )
    return "expected *.safetensors among the model's files, found none; check MODEL_ID"
