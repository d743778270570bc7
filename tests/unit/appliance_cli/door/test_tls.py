"""Certificates: made for the right names, renewed in time, taken over whole, refused with a reason."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import stat
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from appliance_cli.base.errors import BadSetting
from appliance_cli.config.appliance import Appliance, load
from appliance_cli.door import certificates, tls
from appliance_cli.door.access import AccessDir
from appliance_cli.host import addresses
from appliance_cli.stack import watch

Cli = Callable[..., CompletedProcess[str]]
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
NAMES = ("chat.example", "localhost", "127.0.0.1", "fd00::1")


def pem_of(key: Key, password: bytes | None = None) -> bytes:
    sealed = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed)


def issue(key: Key, name: str, issuer: tuple[Key, str] | None, begins: datetime, days: int) -> bytes:
    """A certificate for ``name``, signed by ``issuer`` (itself without one)."""
    signer, signer_name = issuer or (key, name)
    subject, by = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, signer_name))
    builder = x509.CertificateBuilder(by, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begins).not_valid_after(begins + timedelta(days=days))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture(scope="module")
def key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def own(appliance: Appliance) -> Appliance:
    return load(appliance.root, appliance.env_file, {"TLS": "self-signed", "TLS_NAMES": ",".join(NAMES)})


@pytest.fixture
def files(appliance: Appliance, tmp_path: Path, key: Key, now: datetime) -> Appliance:
    """A certificate of 90 days by an authority of its own, and its key."""
    authority = ec.generate_private_key(ec.SECP256R1())
    leaf = issue(key, "real.example", (authority, "Authority"), now, 90)
    chain = issue(authority, "Authority", None, now, 900)
    (tmp_path / "fullchain.pem").write_bytes(leaf + chain)
    (tmp_path / "privkey.pem").write_bytes(pem_of(key))
    values = {"TLS": "files", "TLS_CERT_FILE": "fullchain.pem", "TLS_KEY_FILE": str(tmp_path / "privkey.pem")}
    return load(appliance.root, appliance.env_file, values)


def served(folder: AccessDir) -> str:
    return (folder.path / "tls" / "server.pem").read_text()


def test_a_self_signed_pair_is_what_browsers_accept(now: datetime) -> None:
    pair = certificates.self_signed(NAMES, now)
    assert set(pair.names) == set(NAMES)
    assert pair.expires - pair.leaf.not_valid_before_utc == timedelta(days=397)
    assert pair.leaf.not_valid_before_utc < now
    public = pair.leaf.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == "secp256r1"
    assert pair.pem.index("PRIVATE KEY") < pair.pem.index("CERTIFICATE")
    assert pair.ours


def test_names_and_fingerprint_are_those_that_python_sees_in_a_handshake(tmp_path: Path) -> None:
    pair = certificates.self_signed(NAMES, datetime.now(UTC))
    (tmp_path / "server.pem").write_text(pair.pem)
    trusting = ssl.create_default_context(cadata=pair.pem[pair.pem.index("-----BEGIN CERT") :])
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "server.pem")
    seen = set()
    for name in NAMES:
        near, far = socket.socketpair()
        thread = threading.Thread(target=lambda far=far: serving.wrap_socket(far, server_side=True).close())
        thread.start()
        with near, trusting.wrap_socket(near, server_hostname=name) as connection:
            seen.add(connection.getpeercert(binary_form=True))
        thread.join()
    (certificate,) = seen
    assert certificate is not None
    assert pair.fingerprint.replace(":", "").lower() == hashlib.sha256(certificate).hexdigest()


def test_a_self_signed_pair_is_made_once_and_kept(own: Appliance, folder: AccessDir, now: datetime) -> None:
    first, changed = tls.install(own, folder, now)
    assert changed
    assert stat.S_IMODE((folder.path / "tls" / "server.pem").stat().st_mode) == 0o600
    again, changed = tls.install(own, folder, now + timedelta(days=365))
    assert not changed
    assert again == first


def test_it_is_made_anew_when_less_than_30_days_are_left(
    own: Appliance, folder: AccessDir, now: datetime
) -> None:
    first, _ = tls.install(own, folder, now)
    assert not tls.install(own, folder, first.expires - timedelta(days=30))[1]
    second, changed = tls.install(own, folder, first.expires - timedelta(days=30) + timedelta(seconds=1))
    assert changed
    assert second.expires > first.expires
    assert second.pem == served(folder)


def test_it_is_made_anew_for_other_names_and_instead_of_anything_else(
    own: Appliance, files: Appliance, folder: AccessDir, now: datetime
) -> None:
    tls.install(own, folder, now)
    renamed = load(own.root, own.env_file, {"TLS": "self-signed", "TLS_NAMES": "other.example"})
    pair, changed = tls.install(renamed, folder, now)
    assert (pair.names, changed) == (("other.example",), True)
    tls.install(files, folder, now)
    assert tls.install(renamed, folder, now)[0].names == ("other.example",)
    (folder.path / "tls" / "server.pem").write_text("damaged")
    assert tls.install(renamed, folder, now)[1]


@pytest.mark.parametrize(
    ("host", "address", "names"),
    [
        ("The-Box", "127.0.0.1", ("the-box", "localhost", "127.0.0.1")),
        ("box", "0.0.0.0", ("box", "localhost", "127.0.0.1", "192.0.2.10")),
        ("box", "192.168.1.4", ("box", "localhost", "192.168.1.4")),
        ("not a name", "::", ("localhost", "::1", "192.0.2.10", "2001:db8::1")),
        ("localhost", "::1", ("localhost", "::1")),
    ],
)
def test_the_names_without_a_setting(
    host: str,
    address: str,
    names: tuple[str, ...],
    appliance: Appliance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    monkeypatch.setattr(addresses, "of_host", lambda: ("192.0.2.10", "2001:db8::1"))
    bound = load(appliance.root, appliance.env_file, {"TLS": "self-signed", "BIND_ADDRESS": address})
    assert tls.wanted_names(bound) == names


def test_the_operators_files_are_taken_over_with_their_chain(
    files: Appliance, folder: AccessDir, now: datetime, tmp_path: Path
) -> None:
    pair, changed = tls.install(files, folder, now)
    assert changed
    assert pair.names == ("real.example",)
    assert served(folder) == (tmp_path / "privkey.pem").read_text() + (tmp_path / "fullchain.pem").read_text()
    assert not tls.install(files, folder, now)[1]


def test_key_and_certificate_may_be_one_file(files: Appliance, now: datetime, tmp_path: Path) -> None:
    both = (tmp_path / "fullchain.pem").read_bytes() + (tmp_path / "privkey.pem").read_bytes()
    assert certificates.read(both, both, now).names == ("real.example",)


def another_key(tmp_path: Path, key: Key, now: datetime) -> None:
    (tmp_path / "privkey.pem").write_bytes(pem_of(ec.generate_private_key(ec.SECP256R1())))


def sealed_key(tmp_path: Path, key: Key, now: datetime) -> None:
    (tmp_path / "privkey.pem").write_bytes(pem_of(key, b"passphrase"))


def no_key(tmp_path: Path, key: Key, now: datetime) -> None:
    (tmp_path / "privkey.pem").write_text(
        "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n"
    )


def no_certificate(tmp_path: Path, key: Key, now: datetime) -> None:
    (tmp_path / "fullchain.pem").write_text("")


def wrong_order(tmp_path: Path, key: Key, now: datetime) -> None:
    parts = (tmp_path / "fullchain.pem").read_text().split("-----END CERTIFICATE-----\n")
    (tmp_path / "fullchain.pem").write_text(
        "".join(f"{part}-----END CERTIFICATE-----\n" for part in parts[1::-1])
    )


def expired(tmp_path: Path, key: Key, now: datetime) -> None:
    (tmp_path / "fullchain.pem").write_bytes(issue(key, "a.example", None, now - timedelta(days=9), 9))


def not_yet(tmp_path: Path, key: Key, now: datetime) -> None:
    (tmp_path / "fullchain.pem").write_bytes(issue(key, "a.example", None, now + timedelta(days=1), 9))


def weak(tmp_path: Path, key: Key, now: datetime) -> None:
    small = rsa.generate_private_key(65537, 1024)
    (tmp_path / "privkey.pem").write_bytes(pem_of(small))
    (tmp_path / "fullchain.pem").write_bytes(issue(small, "a.example", None, now, 9))


def gone(tmp_path: Path, key: Key, now: datetime) -> None:
    (tmp_path / "privkey.pem").unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (another_key, "the key of another one"),
        (sealed_key, "an encrypted key"),
        (no_key, "no key that can be read"),
        (no_certificate, "no certificate that can be read"),
        (wrong_order, "it at place 2"),
        (expired, "expired on 2026-11-22 19:00 UTC"),
        (not_yet, "begins on 2026-11-23 19:00 UTC"),
        (weak, "EE_KEY_TOO_SMALL"),
        (gone, "No such file"),
    ],
)
def test_a_refused_pair_leaves_the_former_file(
    spoil: Callable[[Path, Key, datetime], None],
    words: str,
    files: Appliance,
    folder: AccessDir,
    tmp_path: Path,
    key: Key,
    now: datetime,
) -> None:
    tls.install(files, folder, now)
    former = served(folder)
    spoil(tmp_path, key, now)
    with pytest.raises(BadSetting, match="what is served stays as it was") as failure:
        tls.install(files, folder, now)
    assert words in failure.value.found
    assert served(folder) == former
    assert [path.name for path in (folder.path / "tls").iterdir()] == ["server.pem"]


def test_the_command_shows_the_certificate_and_repeats_quietly(cli: Cli, tmp_path: Path) -> None:
    first = cli("tls", TLS="self-signed", TLS_NAMES="chat.example")
    assert first.returncode == 0, first.stderr
    pem = (tmp_path / "access" / "tls" / "server.pem").read_text()
    leaf = x509.load_pem_x509_certificate(pem.encode())
    shown = dict(line.split(maxsplit=1) for line in first.stdout.splitlines())
    assert shown["SHA-256"] == leaf.fingerprint(hashes.SHA256()).hex(":").upper()
    assert shown["Names"] == "chat.example"
    assert shown["Expires"] == f"{leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    again = json.loads(cli("tls", "--json", TLS="self-signed", TLS_NAMES="chat.example").stdout)
    assert again == {
        "sha256": shown["SHA-256"],
        "names": ["chat.example"],
        "expires": f"{leaf.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
        "changed": False,
    }


def test_the_command_warns_before_the_end_and_says_when_tls_is_off(
    cli: Cli, tmp_path: Path, key: Key
) -> None:
    (tmp_path / "c.pem").write_bytes(
        issue(key, "a.example", None, datetime.now(UTC) - timedelta(hours=1), 10)
    )
    (tmp_path / "k.pem").write_bytes(pem_of(key))
    done = cli("tls", TLS="files", TLS_CERT_FILE=f"{tmp_path}/c.pem", TLS_KEY_FILE=f"{tmp_path}/k.pem")
    assert done.returncode == 0, done.stderr
    assert "The certificate expires in 9 days" in done.stderr
    off = cli("tls")
    assert (off.returncode, off.stdout) == (2, "")
    assert "✗ TLS is off" in off.stderr


@pytest.fixture
def https_url(tmp_path: Path) -> Iterator[str]:
    """/status behind a certificate that nobody signed, for a name that is not this address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"state": "ready"}')

        def log_message(self, *_: object) -> None:
            pass

    (tmp_path / "server.pem").write_text(certificates.self_signed(["chat.example"], datetime.now(UTC)).pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_this_hosts_own_appliance_is_asked_without_a_warning(https_url: str) -> None:
    assert watch.fetch_status(https_url) == {"state": "ready"}  # a warning would be an error here
