"""NVIDIA's container toolkit, for Debian's kind of system: where this host can get it, and installing it.

Adds NVIDIA's repository to apt's where that is missing. Never touches a driver; whether the toolkit is needed
is decided in checks.py.
"""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import requests

from appliance_cli.base import atomic_file
from appliance_cli.base.errors import StepFailed
from appliance_cli.base.output import Output
from appliance_cli.base.process import act, ask
from appliance_cli.config.first_env import SYSTEM_BUNDLE
from appliance_cli.host import drivers
from appliance_cli.host import install as packages

PACKAGE = "nvidia-container-toolkit"
SIGNER = "C95B321B61E88C1809C4F759DDCAE044F796ECB0"
"""NVIDIA CORPORATION (Open Source Projects), since 2017."""
APTS_OWN = "the repositories that apt has here"
PATIENCE_S = 6
_PUBLIC_KEY = 6


def source(repository: str) -> str:
    """Where the toolkit can be had: APTS_OWN, the ``repository``, or "" where neither has it."""
    if Path(drivers.APT_SOURCE).exists() or _apt_knows_it():
        return APTS_OWN
    return repository if _fetch_key(repository) else ""


def install(where: str, output: Output, log: Path) -> None:
    """Install it from what ``source`` said, and name it in Docker's settings, for its next start.

    Raises StepFailed; a repository that does not work is taken out of apt's again.
    """
    added = () if where == APTS_OWN else _add_repository(where)
    try:
        packages.apt_install([PACKAGE], output, log)
    except StepFailed:
        for path in added:
            path.unlink()
        raise
    remedy = f"do it by hand: {drivers.CONFIGURE}"
    act(["nvidia-ctk", "runtime", "configure", "--runtime=docker"], "Telling Docker", log=log, remedy=remedy)


def _apt_knows_it() -> bool:
    policy = ask(["apt-cache", "policy", PACKAGE], env={"LC_ALL": "C"}).out
    return "Candidate:" in policy and "Candidate: (none)" not in policy


def _add_repository(repository: str) -> tuple[Path, ...]:
    key = _fetch_key(repository)
    found = signers(key) if key else []
    if found != [SIGNER]:
        raise StepFailed(
            "The repository of NVIDIA's container toolkit is not NVIDIA's; nothing was installed from it",
            expected=f"{drivers.key_url(repository)} with the key {SIGNER} alone",
            found=", ".join(found) or "no key",
            remedy="check TOOLKIT_REPOSITORY in .env; where NVIDIA has a new key, install it by hand: "
            "docs/install.md",
        )
    keyring, apt_source = Path(drivers.KEYRING), Path(drivers.APT_SOURCE)
    keyring.parent.mkdir(parents=True, exist_ok=True)
    atomic_file.replace(keyring, key, 0o644)
    atomic_file.replace(apt_source, f"{drivers.apt_source(repository)}\n".encode(), 0o644)
    return keyring, apt_source


def _fetch_key(repository: str) -> bytes:
    """The key as it is there; nothing where the repository does not answer."""
    trusted = str(SYSTEM_BUNDLE) if SYSTEM_BUNDLE.exists() else True  # why: whom apt trusts here
    try:
        answer = requests.get(drivers.key_url(repository), timeout=PATIENCE_S, verify=trusted)
    except (requests.RequestException, OSError):
        return b""
    return answer.content if answer.ok else b""


def signers(armored: bytes) -> list[str]:
    """The fingerprints of the keys in a file of OpenPGP's (RFC 4880), by whose signatures apt would go."""
    begin, end = (f"-----{word} PGP PUBLIC KEY BLOCK-----" for word in ("BEGIN", "END"))
    try:
        before, _, block = armored.decode("ascii").replace("\r", "").partition(begin)
        inside, _, after = block.partition(end)
        lines = inside.partition("\n\n")[2].splitlines()
        octets = base64.b64decode("".join(line for line in lines if not line.startswith("=")), validate=True)
        keys = [body for tag, body in _packets(octets) if tag == _PUBLIC_KEY]
    except (ValueError, IndexError):
        return []
    if before.strip() or after.strip():
        return []
    named = (b"\x99" + len(key).to_bytes(2, "big") + key for key in keys)
    return [hashlib.sha1(octets).hexdigest().upper() for octets in named]


def _packets(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each packet. Raises ValueError or IndexError where they are cut."""
    at = 0
    while at < len(octets):
        head = octets[at]
        tag, size, length = _new_head(octets, at) if head & 0x40 else _old_head(octets, at)
        at += 1 + size + length
        if not head & 0x80 or at > len(octets):
            raise ValueError("no packet, or one that is cut")
        yield tag, octets[at - length : at]


def _old_head(octets: bytes, at: int) -> tuple[int, int, int]:
    """A packet's tag, how many octets its length takes, and its length."""
    size = 1 << (octets[at] & 0x03)
    return (octets[at] >> 2) & 0x0F, size, int.from_bytes(octets[at + 1 : at + 1 + size], "big")


def _new_head(octets: bytes, at: int) -> tuple[int, int, int]:
    tag, first = octets[at] & 0x3F, octets[at + 1]
    if first < 192:
        return tag, 1, first
    if first < 224:
        return tag, 2, ((first - 192) << 8) + octets[at + 2] + 192
    return tag, 5, int.from_bytes(octets[at + 2 : at + 6], "big")
