"""Health probe for Docker: `python3 -m openai_api.health`, standard library only, one reason line.

Exit code 0 when this service answers. No engine is asked: that one is busy says nothing against this service.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

_TIMEOUT_S = 3.0
# why: Docker's client writes its own proxies into every container; none of them reaches this loopback
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def probe(port: str) -> tuple[bool, str]:
    """Ask the service on this host; whether it answers and one line that says what."""
    url = f"http://127.0.0.1:{port}/healthz"
    try:
        with _DIRECT.open(url, timeout=_TIMEOUT_S):
            return True, "ok"
    except urllib.error.HTTPError as error:
        return False, f"unhealthy: {url} answered {error.code}"
    except OSError as error:
        return False, f"unhealthy: {url} cannot be reached ({getattr(error, 'reason', error)})"


if __name__ == "__main__":
    healthy, line = probe(os.environ.get("LISTEN_PORT") or "8000")
    print(line)
    sys.exit(0 if healthy else 1)
