"""Entry point: `python -m chat_ui`. Exit codes: 0 stopped on request, 1 could not serve, 2 bad settings."""

from __future__ import annotations

import logging
import os
import sys

from chat_ui.errors import SettingsError
from chat_ui.settings import from_environment


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = from_environment(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    # imported only now: Gradio takes seconds, and a bad setting should be told at once
    from chat_ui.app import create_app
    from chat_ui.server import serve

    serve(create_app(settings), settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
