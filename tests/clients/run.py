"""Runs one framework against an API, as a person's program would: python -m clients.run with_… BASE_URL.

Each function of the module whose name begins with `can_` takes the base URL, and raises where the framework
does not get what it should. Prints one JSON object: the functions' names, and null or what was raised.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from typing import Any


def main(name: str, base_url: str) -> None:
    module = importlib.import_module(f"clients.{name}")
    found: dict[str, str | None] = {}
    for case, function in vars(module).items():
        if case.startswith("can_"):
            found[case] = _raised_by(function, base_url)
    print(json.dumps(found))


def _raised_by(function: Any, base_url: str) -> str | None:
    try:
        function(base_url)
    except Exception:
        return traceback.format_exc(limit=-3)
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
