"""The settings of the door: where its access directory is, who owns it, TLS, single sign-on.

Makes objects of values that the table has judged; appliance.py collects them. Reads no file.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from appliance_cli.config.kinds import host_name
from appliance_cli.config.values import Values

TlsMode = Literal["off", "self-signed", "files"]


@dataclass(frozen=True)
class Owner:
    """Numeric user and group that nginx runs as; root gives it the access directory's files."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Tls:
    """How the door encrypts. The files belong to ``files``, ``names`` (as given; may be empty) to both."""

    mode: TlsMode
    cert_file: Path | None
    key_file: Path | None
    names: tuple[str, ...]

    @property
    def on(self) -> bool:
        return self.mode != "off"


def access_dir(root: Path, values: Values) -> Path:
    """The access directory; a relative one is meant from the repository's root, as Compose means it."""
    return root / Path(values.text("ACCESS_DIR")).expanduser()


def owner(values: Values) -> Owner:
    """``uid:gid`` of APPLIANCE_USER."""
    uid, _, gid = values.text("APPLIANCE_USER").partition(":")
    return Owner(int(uid), int(gid))


def tls(root: Path, values: Values) -> Tls:
    """The TLS settings. Raises BadSetting for a mode without its files."""
    mode = values.text("TLS")
    missing = [name for name in ("TLS_CERT_FILE", "TLS_KEY_FILE") if values.given(name) is None]
    if mode == "files" and missing:
        names = " and ".join(missing)
        raise values.refused(
            "TLS",
            "TLS_CERT_FILE (certificate and chain) and TLS_KEY_FILE, both PEM",
            title="TLS=files needs its files",
            found=f"TLS=files without {names}",
            remedy=f"set {names} in .env, or TLS=self-signed to have a certificate made",
        )
    return Tls(
        cast(TlsMode, mode),
        _file(root, values, "TLS_CERT_FILE"),
        _file(root, values, "TLS_KEY_FILE"),
        _names(values),
    )


def _file(root: Path, values: Values, name: str) -> Path | None:
    value = values.given(name)
    return root / Path(value).expanduser() if value else None


def _names(values: Values) -> tuple[str, ...]:
    names = (host_name(part) for part in values.words("TLS_NAMES"))
    return tuple(dict.fromkeys(name for name in names if name))
