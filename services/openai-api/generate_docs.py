"""Writes the service's tables of parameters into docs/api.md and docs/zh/api.md, for who changes a table.

PYTHONPATH=services/openai-api python services/openai-api/generate_docs.py [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from openai_api.parameters import CHAT, COMPLETIONS, Fate, Parameter

ROOT = Path(__file__).resolve().parents[2]
BEGIN = "<!-- Written by services/openai-api/generate_docs.py from openai_api/parameters.py: {table}. -->\n"
END = "<!-- End of what is written. -->\n"
TABLES = {"chat": CHAT, "completions": COMPLETIONS}


@dataclass(frozen=True)
class Document:
    """A file that shows the tables, in its language."""

    path: str
    head: str
    fates: Mapping[Fate, str]
    is_chinese: bool = False

    def row(self, name: str, parameter: Parameter) -> str:
        """One parameter's line."""
        note = parameter.chinese if self.is_chinese else parameter.note
        neutral = ", ".join(f"`{json.dumps(value)}`" for value in parameter.neutral)
        but = (f"（{neutral} 除外）" if self.is_chinese else f", but for {neutral}") if neutral else ""
        return f"| `{name}` | {self.fates[parameter.fate]}{but} | {note} |\n"


DOCUMENTS = (
    Document("docs/api.md", "| parameter | here | |\n", {fate: fate.value for fate in Fate}),
    Document(
        "docs/zh/api.md",
        "| 参数 | 处理方式 | |\n",
        {fate: fate.chinese for fate in Fate},
        is_chinese=True,
    ),
)


def with_tables(text: str, document: Document) -> str:
    """A document's text with its tables as they are now.

    Raises:
        ValueError: a line that a table begins or ends with is gone.
    """
    for name, table in TABLES.items():
        begin = BEGIN.format(table=name)
        before, found, rest = text.partition(begin)
        _, end, after = rest.partition(END)
        if not found or not end:
            raise ValueError(f"{document.path} has lost a line, {begin.strip()} or {END.strip()}")
        rows = "".join(document.row(*item) for item in table.items())
        text = f"{before}{begin}\n{document.head}| --- | --- | --- |\n{rows}\n{END}{after}"
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; 1 when something would change")
    stale = False
    is_check = parser.parse_args().check
    for document in DOCUMENTS:
        path = ROOT / document.path
        text = path.read_text(encoding="utf-8")
        wanted = with_tables(text, document)
        if text == wanted:
            continue
        stale = True
        if is_check:
            print(f"{document.path} does not show the tables as they are: run this without --check")
        else:
            path.write_text(wanted, encoding="utf-8")
    return 1 if stale and is_check else 0


if __name__ == "__main__":
    sys.exit(main())
