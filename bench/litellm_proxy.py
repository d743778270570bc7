"""LiteLLM's proxy as bench_door's peer: brought here once, configured to do as little as it can.

Owns the packages' folder and the configuration. The packages come from litellm.lock (pinned, hashed, wheels
only: nothing of them runs while they are installed), and they only ever run in a container without a way
out, as an unprivileged user, with nothing of the host to read: some of LiteLLM's releases have been
malicious (see litellm.lock).

What it is told to do: compare the bearer key with its master key (virtual keys need a database), forward to
the emitter as an OpenAI-compatible backend, and nothing else: no retries, cooldowns, callbacks, caching,
spend or error logs, telemetry or request log; one worker on uvloop.
"""

from __future__ import annotations

import json
from pathlib import Path

from docker.models.containers import Container

from bench import fetched_packages
from bench.door_rig import Rig, python_image
from bench.tgi_shapes import MODEL

PORT = 4000
_LOCK = Path(__file__).with_name("litellm.lock")
_ENVIRONMENT = {
    "PYTHONPATH": "/packages",
    "PYTHONPYCACHEPREFIX": "/tmp/pycache",
    "HOME": "/tmp",
    "LITELLM_LOG": "ERROR",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "DISABLE_ADMIN_UI": "True",
    "NO_DOCS": "True",
}


def packages() -> Path:
    """The folder with LiteLLM and what it needs, fetched on first use (about 600 MB).

    Raises:
        subprocess.CalledProcessError: when pip cannot bring them.
    """
    return fetched_packages.folder("litellm", _LOCK)


def start(rig: Rig, folder: Path, config: Path) -> Container:
    """Starts the proxy on the rig's proxy core and waits until it answers.

    Args:
        rig: where the emitter runs already.
        folder: what `packages` returned.
        config: a folder that the configuration is written to.
    """
    config.mkdir(exist_ok=True)
    config.chmod(0o755)
    (config / "config.json").write_text(json.dumps(configuration(rig.key)))
    entry = "from litellm import run_server; run_server()"
    options = [
        "--config",
        "/config/config.json",
        "--host",
        "0.0.0.0",
        "--port",
        str(PORT),
        "--num_workers",
        "1",
    ]
    container = rig.start(
        python_image(),
        ["python3", "-c", entry, *options, "--telemetry", "False"],
        core="proxy",
        environment=_ENVIRONMENT,
        volumes={
            str(folder): {"bind": "/packages", "mode": "ro"},
            str(config): {"bind": "/config", "mode": "ro"},
        },
    )
    rig.wait_answers(container, PORT, deadline_s=240)
    return container


def configuration(key: str) -> dict[str, object]:
    """The proxy's configuration file (JSON is YAML)."""
    backend = {
        "model": f"openai/{MODEL}",
        "api_base": "http://tgi:3000/v1",
        "api_key": "none",
        "max_retries": 0,
    }
    return {
        "model_list": [{"model_name": MODEL, "litellm_params": backend}],
        "litellm_settings": {
            "num_retries": 0,
            "request_timeout": 600,
            "telemetry": False,
            "set_verbose": False,
            "cache": False,
            "callbacks": [],
            "success_callback": [],
            "failure_callback": [],
        },
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "general_settings": {
            "master_key": key,
            "disable_spend_logs": True,
            "disable_error_logs": True,
            "background_health_checks": False,
        },
    }
