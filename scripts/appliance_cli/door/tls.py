"""The door's certificate: made here (TLS=self-signed) or taken over from the operator's files (TLS=files).

Both end as ``tls/server.pem`` in the access directory, key and chain in one file, which nginx reads at its
handshakes: a renewal needs no reload, and a refused pair leaves the former file.
"""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from appliance_cli.base.errors import BadSetting
from appliance_cli.base.output import Output
from appliance_cli.config.appliance import EVERY_ADDRESS, Appliance
from appliance_cli.config.kinds import is_dns_name
from appliance_cli.door import certificates
from appliance_cli.door.access import AccessDir
from appliance_cli.door.certificates import Pair, Unfit
from appliance_cli.host import addresses

FILE = "tls/server.pem"
RENEW_BEFORE = timedelta(days=30)
WARN_BEFORE = timedelta(days=14)


def require_usable(appliance: Appliance, now: datetime) -> None:
    """Raise BadSetting when the operator's files cannot serve; nothing is written."""
    if appliance.tls.mode == "files":
        _from_files(appliance, now)


def install(appliance: Appliance, access: AccessDir, now: datetime) -> tuple[Pair, bool]:
    """Have the right pair in the access directory. Returns it, and whether it is new.

    Raises:
        BadSetting: TLS is off, or the operator's files cannot serve.
    """
    if not appliance.tls.on:
        raise BadSetting(
            "TLS is off",
            expected="TLS=self-signed or TLS=files",
            found="TLS=off",
            remedy=f"set TLS in .env, then {appliance.command('up')}",
        )
    with access.changing():
        pair = _from_files(appliance, now) if appliance.tls.mode == "files" else _own(appliance, access, now)
        return pair, access.write(FILE, pair.pem)


def wanted_names(appliance: Appliance) -> tuple[str, ...]:
    """What a self-signed certificate is for: TLS_NAMES, else the host's name and what it listens on."""
    if appliance.tls.names:
        return appliance.tls.names
    host = socket.gethostname().lower()
    address = EVERY_ADDRESS.get(appliance.bind_address, appliance.bind_address)
    others = addresses.reaching(appliance.bind_address)
    return tuple(dict.fromkeys([*([host] if is_dns_name(host) else []), "localhost", address, *others]))


def tell(pair: Pair, *, changed: bool, now: datetime, output: Output) -> None:
    """One line about the pair, and a warning when it ends soon."""
    verb = "installed" if changed else "in place"
    output.item("ok", f"Certificate for {', '.join(pair.names) or 'no name'} {verb}", f"until {_day(pair)}")
    if pair.expires - now < WARN_BEFORE:
        left = (pair.expires - now).days
        output.item("warn", f"The certificate expires in {left} days: renew it, then ./scripts/appliance tls")


def facts(pair: Pair, *, changed: bool) -> dict[str, Any]:
    """What ``tls --json`` prints."""
    return {
        "sha256": pair.fingerprint,
        "names": list(pair.names),
        "expires": pair.expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "changed": changed,
    }


def text(pair: Pair) -> str:
    """What ``tls`` prints for people."""
    rows = (("SHA-256", pair.fingerprint), ("Names", ", ".join(pair.names)), ("Expires", _day(pair)))
    return "\n".join(f"{label:<8} {value}" for label, value in rows)


def _own(appliance: Appliance, access: AccessDir, now: datetime) -> Pair:
    """The pair that is there, if it is ours, for the right names, and lives on; else a new one."""
    names = wanted_names(appliance)
    try:
        pem = (access.read(FILE) or "").encode()
        pair = certificates.read(pem, pem, now)
    except (Unfit, BadSetting):
        return certificates.self_signed(names, now)
    lives_on = pair.expires - now >= RENEW_BEFORE
    same = pair.ours and set(pair.names) == set(names)
    return pair if same and lives_on else certificates.self_signed(names, now)


def _from_files(appliance: Appliance, now: datetime) -> Pair:
    certificate, key = appliance.tls.cert_file, appliance.tls.key_file
    assert certificate is not None and key is not None  # appliance.load saw to that
    try:
        return certificates.read(_content("TLS_CERT_FILE", certificate), _content("TLS_KEY_FILE", key), now)
    except Unfit as error:
        raise BadSetting(
            "TLS_CERT_FILE and TLS_KEY_FILE cannot be used; what is served stays as it was",
            expected=error.expected,
            found=f"{error.found} ({certificate}, {key})",
            remedy="put the files right, then run this again",
        ) from error


def _content(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadSetting(
            f"{name} cannot be read; what is served stays as it was",
            expected="a PEM file that this user may read",
            found=f"{path}: {error.strerror}",
            remedy=f"set {name} in .env to the right file, or run this with sudo",
        ) from error


def _day(pair: Pair) -> str:
    return f"{pair.expires:%Y-%m-%d %H:%M} UTC"
