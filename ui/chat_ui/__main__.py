"""Entry point: `python -m chat_ui`. Exit codes: 0 stopped on request, 1 could not serve, 2 bad settings."""

from __future__ import annotations

import os
import sys

from chat_ui import logs
from chat_ui.errors import SettingsError
from chat_ui.settings import from_environment


def main() -> int:
    logs.start()
    try:
        settings = from_environment(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    _forget_proxies()
    # imported only now: Gradio takes seconds, and a bad setting should be told at once
    from chat_ui.app import create_app
    from chat_ui.server import serve

    serve(create_app(settings), settings)
    return 0


def _forget_proxies() -> None:
    """Whom this service asks stands beside it in the network, never behind a proxy.

    Docker puts its client's proxies into every container, and Gradio's HTTP clients read them while it is
    imported: with a SOCKS proxy there it would not even start.
    """
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]


if __name__ == "__main__":
    sys.exit(main())
