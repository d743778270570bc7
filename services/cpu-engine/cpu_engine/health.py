"""Health probe for Docker: `python3 -m cpu_engine.health [port]`, standard library only, one reason line.

Exit code 0 when /health answers 200, 1 otherwise.
"""

import sys
import urllib.error
import urllib.request

_TIMEOUT_S = 8.0
# why: Docker's client writes its own proxies into every container; none of them reaches this loopback
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def probe(port: int) -> tuple[bool, str]:
    """Ask the engine on this host; whether it is healthy and one line that says why."""
    url = f"http://127.0.0.1:{port}/health"
    try:
        with _DIRECT.open(url, timeout=_TIMEOUT_S):
            return True, "healthy: the engine answers"
    except urllib.error.HTTPError as error:
        return False, f"unhealthy: {url} answered {error.code}, llama.cpp's server does not respond"
    except OSError as error:
        reason = getattr(error, "reason", error)
        return (
            False,
            f"unhealthy: {url} cannot be reached ({reason}), the model is loading or the engine is down",
        )


if __name__ == "__main__":
    healthy, line = probe(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)
    print(line)
    sys.exit(0 if healthy else 1)
