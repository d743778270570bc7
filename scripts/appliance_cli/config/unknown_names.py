"""Names in .env that nobody reads: most often a misspelt one, whose default would hold in silence."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance_cli.base.errors import BadSetting
from appliance_cli.config import dotenv_file
from appliance_cli.config.dotenv_syntax import statements
from appliance_cli.config.table import SETTINGS, default_of

SURELY, LEAST_LETTERS = 0.88, 7  # a shorter name is soon near to another
_PROXIES = tuple(f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "FTP", "ALL", "NO"))
_COMPOSES_OWN = ("COMPOSE_", "DOCKER_", "BUILDKIT_", "BUILDX_")


@dataclass(frozen=True)
class UnknownName:
    """A name, its line in .env, and the setting whose name is nearest, if any is near."""

    name: str
    line: int
    nearest: str | None

    def said(self, file: str) -> str:
        """The warning about it."""
        hint = f"did you mean {self.nearest}?" if self.nearest else ".env.example lists the settings"
        if self._of_a_proxy:
            hint = "the model's download goes by HTTPS_PROXY and NO_PROXY"
        return f"{file} line {self.line}: nothing reads {self.name}: {hint}"

    @property
    def misspelt(self) -> bool:
        """Whether it is so near a setting's name that nothing else can be meant."""
        if self._of_a_proxy:
            return False
        ratio = difflib.SequenceMatcher(None, self.name.upper(), self.nearest or "").ratio()
        return self.nearest is not None and ratio >= SURELY and len(self.name) >= LEAST_LETTERS

    @property
    def _of_a_proxy(self) -> bool:
        """Whether other programs know their proxy by this name: it is meant as it is written."""
        return self.name.upper() in _PROXIES


def require_none_misspelt(unknown: Sequence[UnknownName], file: str) -> None:
    """Raise BadSetting for the first that can only be a misspelt setting, whose default would hold."""
    wrong = next((each for each in unknown if each.misspelt), None)
    if wrong is not None:
        raise BadSetting(
            f"{wrong.name} is no setting",
            expected=str(wrong.nearest),
            found=f"{wrong.name}, from {file} line {wrong.line}",
            remedy=f"write {wrong.nearest}, or remove the line",
        )


def find(root: Path, env_file: Path) -> list[UnknownName]:
    """Names that ``env_file`` sets and neither the table nor Compose nor one of the Compose files knows."""
    text = dotenv_file.content(env_file)
    entries = dotenv_file.entries(text)
    values = {name: entry.value for name, entry in entries.items()}
    helpers = [each.value or "" for each in statements(text) if each.quote != "'"]
    used = "\n".join([*helpers, *_compose_files(root, values)])
    return [
        UnknownName(name, entry.line, _nearest(name))
        for name, entry in entries.items()
        if name not in SETTINGS and not name.startswith(_COMPOSES_OWN) and not _is_word_of(used, name)
    ]


def _compose_files(root: Path, values: Mapping[str, str]) -> list[str]:
    """The texts of the operator's Compose files, which may use variables of their own."""
    names = values.get("COMPOSE_FILE") or default_of("COMPOSE_FILE")
    separator = values.get("COMPOSE_PATH_SEPARATOR") or ":"
    files = [root / name for name in names.split(separator) if name]
    return [file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file()]


def _is_word_of(text: str, name: str) -> bool:
    return (
        re.search(rf"\$\{{?{re.escape(name)}\b|^\s*(?:- *)?{re.escape(name)}:?\s*$", text, re.MULTILINE)
        is not None
    )


def _nearest(name: str) -> str | None:
    near = difflib.get_close_matches(name.upper(), SETTINGS, n=1)
    return near[0] if near else None
