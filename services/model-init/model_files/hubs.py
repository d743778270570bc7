"""The hubs by the names of MODEL_SOURCES: their addresses, and where a model's file lies on each.

`hub` and `hf-mirror` speak the Hugging Face Hub's API; ModelScope has one of its own. Opens no connection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?"
_MODEL_ID = re.compile(rf"{_NAME}/{_NAME}")


@dataclass(frozen=True)
class Hub:
    """The Hub or a mirror of it. `gets_token`: a token of the Hub may be shown to it."""

    name: str
    endpoint: str
    gets_token: bool = False

    def file_url(self, model_id: str, path: str, revision: str | None) -> str:
        """Where a file of a model lies; without a revision, that of the main branch."""
        return f"{self.endpoint}/{model_id}/resolve/{quote(revision or 'main', safe='')}/{quote(path)}"


class ModelScope(Hub):
    """ModelScope's HTTP API, version 1, as its own client uses it.

    Its commits are its own, so whatever the revision is, files come from its main branch.
    """

    _BRANCH = "master"

    def has(self, revision: str | None) -> bool:
        """Whether it can know what a revision of the Hub consists of: only the newest, by its own branch."""
        return revision in (None, "main", self._BRANCH)

    def file_url(self, model_id: str, path: str, revision: str | None) -> str:
        """See `Hub.file_url`."""
        return f"{self._repo(model_id)}?Revision={self._BRANCH}&FilePath={quote(path)}"

    def list_url(self, model_id: str) -> str:
        """Where the list of a model's files lies, with sizes and SHA-256."""
        return f"{self._repo(model_id)}/files?Revision={self._BRANCH}&Recursive=true"

    def _repo(self, model_id: str) -> str:
        return f"{self.endpoint}/api/v1/models/{model_id}/repo"


@dataclass(frozen=True)
class _Known:
    """One row of the table: the variable that may give another address, the usual address, the API."""

    variable: str
    endpoint: str
    kind: type[Hub]
    gets_token: bool = False


# in the order in which they are asked when MODEL_SOURCES names none
KNOWN = {
    "hub": _Known("HF_ENDPOINT", "https://huggingface.co", Hub, gets_token=True),
    "hf-mirror": _Known("HF_MIRROR_ENDPOINT", "https://hf-mirror.com", Hub),
    "modelscope": _Known("MODELSCOPE_ENDPOINT", "https://modelscope.cn", ModelScope),
}
NAMES = tuple(KNOWN)


def chosen(values: Mapping[str, str]) -> tuple[Hub, ...]:
    """Those that MODEL_SOURCES names, in its order, at the addresses that their variables give.

    Raises:
        ValueError: it names another, or one twice, as `expected …, found …`.
    """
    names = [name.strip() for name in (values.get("MODEL_SOURCES") or ",".join(NAMES)).split(",")]
    if not all(name in KNOWN for name in names) or len(set(names)) != len(names):
        raise ValueError(
            f"expected some of {', '.join(NAMES)}, each once, separated by commas, found {','.join(names)!r}"
        )
    return tuple(_hub(name, values) for name in names)


def _hub(name: str, values: Mapping[str, str]) -> Hub:
    known = KNOWN[name]
    endpoint = values.get(known.variable) or known.endpoint
    return known.kind(name, endpoint.rstrip("/"), known.gets_token)


def is_model_id(text: str) -> bool:
    """Whether this is `<organisation>/<name>`, safe as a part of an address and as a folder."""
    return _MODEL_ID.fullmatch(text) is not None and ".." not in text
