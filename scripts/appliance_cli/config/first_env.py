"""What .env gets on its first writing, so that plain ``docker compose`` works from then on."""

import os
import re
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from appliance_cli.base.output import Output
from appliance_cli.base.process import ask
from appliance_cli.config import dotenv_file
from appliance_cli.config.appliance import COMPOSE_FILES, Appliance, Engine

SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
LOCAL_CAS = Path("/usr/local/share/ca-certificates")
HEADING = "Written by scripts/appliance from what it found on this host; yours to change. See .env.example."


def values(
    appliance: Appliance, engine: Engine, bases: Mapping[str, str], ca: str | None, index: str | None
) -> dict[str, str]:
    """The keys that .env should have, each used only where the file lacks it."""
    wanted = {
        "COMPOSE_FILE": COMPOSE_FILES[engine],
        "COMPOSE_PROJECT_NAME": appliance.project,
        "BIND_ADDRESS": appliance.bind_address,
        "HTTP_PORT": str(appliance.port),
        "UI_REPLICAS": str(appliance.replicas),
        "UI_SECRET": secrets.token_urlsafe(32),
        **bases,
    }
    # why: nginx has to read the access directory, which belongs to who runs this command; root gives it away
    user = f"{os.geteuid()}:{os.getegid()}" if os.geteuid() != 0 else None
    found = {"CA_BUNDLE": ca, "PIP_INDEX_URL": index, "APPLIANCE_USER": user}
    return wanted | {key: value for key, value in found.items() if value}


def save(
    appliance: Appliance, engine: Engine, bases: Mapping[str, str], chosen: Mapping[str, str], output: Output
) -> None:
    """Write .env, or add to it what is missing. ``chosen`` holds what the operator asked for by option."""
    path = appliance.env_file
    old = dotenv_file.content(path)
    missing = values(appliance, engine, bases, ca_bundle(), pip_index(output))
    # why: an image made here replaces only the default that no registry gave, never an operator's value
    text = dotenv_file.merged(old, missing, {**bases, **chosen}, HEADING)
    before, after = dotenv_file.parse(old), dotenv_file.parse(text)
    changed = [key for key in after if before.get(key) != after[key]]
    if dotenv_file.write(path, text):
        output.item("ok", f"{path.name}: {'now has' if old else 'written with'} {', '.join(changed)}")
    else:
        output.item("ok", f"{path.name} is complete, nothing changed")


def ca_bundle(
    environ: Mapping[str, str] = os.environ, local_cas: Path = LOCAL_CAS, system_bundle: Path = SYSTEM_BUNDLE
) -> str | None:
    """The CA certificates that builds need here beside the usual ones: None on a host that added none."""
    if system_bundle.exists() and local_cas.is_dir() and any(local_cas.rglob("*.crt")):
        return str(system_bundle)
    for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        path = environ.get(name, "")
        if path and Path(path).is_file() and Path(path).resolve() != system_bundle.resolve():
            return str(Path(path).resolve())
    return None


def pip_index(output: Output) -> str | None:
    """The package index that this host's pip is configured with, if containers can reach it too."""
    configured = os.environ.get("PIP_INDEX_URL")
    if not configured:
        listing = ask([sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]).out
        configured = index_in(listing)
    if configured and not reachable_from_containers(configured):
        output.item(
            "warn", f"pip's index {configured} is this host's own; containers use pip's default instead"
        )
        return None
    return configured


def index_in(pip_config_list: str) -> str | None:
    """The index-url in the output of ``pip config list`` (``global.index-url='https://…'``)."""
    match = re.search(r"^(?:global|install|:env:)\.index-url='([^']+)'", pip_config_list, re.MULTILINE)
    return match[1] if match else None


def reachable_from_containers(url: str) -> bool:
    """False for a folder of this host or its loopback address."""
    return re.match(r"https?://", url) is not None and not re.match(
        r"https?://(?:[^/@]*@)?(?:localhost|127\.|\[::1\])", url
    )
