"""The container's health check: `python -m chat_ui.health` prints one line and exits 0 (serving) or 1.

Standard library only, and quick: it starts every few seconds.
"""

from __future__ import annotations

import os
import sys
import urllib.request

TIMEOUT_SECONDS = 3.0


def check(port: str) -> str | None:
    """Why this replica does not serve; None when it does."""
    url = f"http://127.0.0.1:{port}/healthz"
    # why: a proxy of the environment would be asked for its own 127.0.0.1
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=TIMEOUT_SECONDS) as response:
            return None if response.status == 200 else f"{url} answered {response.status}"
    except (OSError, ValueError) as error:
        return f"{url} does not answer: {error}"


def main() -> int:
    reason = check(os.environ.get("UI_PORT") or "7860")
    print(reason or "ok")
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main())
