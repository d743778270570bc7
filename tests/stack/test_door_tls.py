"""TLS at the door: what is spoken, what is refused, and a certificate that changes while streams run on."""

from __future__ import annotations

import datetime
import os
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from harness import raw_http
from harness.lone_door import LoneDoor
from harness.stack import Stack
from harness.waiting import wait_until

pytest_plugins = ["harness.door_fixtures"]

RENEGOTIATE = (
    "(sleep 1; echo R; sleep 1; printf 'GET /login HTTP/1.0\\r\\n\\r\\n'; sleep 1) |"
    " timeout 10 openssl s_client -connect 127.0.0.1:8080 -tls1_2 -legacy_renegotiation 2>&1"
)
TLS12_ONLY = {"maximum_version": ssl.TLSVersion.TLSv1_2}


@pytest.fixture(scope="module")
def certificate(guarded: Stack) -> Iterator[Path]:
    """Where nginx finds its certificate: in the access files of `guarded`, which itself has TLS off."""
    folder = guarded.access / "tls"
    made = not folder.exists()
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        _give(folder, guarded.access)
    _install(folder / "server.pem", _pair("first"))
    yield folder / "server.pem"
    (folder / "server.pem").unlink()
    if made:
        folder.rmdir()


@pytest.fixture(scope="module")
def secured(guarded: Stack, api_key: str, cookie: str, certificate: Path) -> Iterator[LoneDoor]:
    with LoneDoor.beside(guarded, {"TLS": "self-signed"}) as door:
        yield door


def _pair(name: str) -> bytes:
    """A key and its certificate in one file; RSA, so that every family of old suites could be spoken."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=2))
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)


def _install(path: Path, pem: bytes) -> None:
    """As `appliance tls` does: complete beside the old one, then renamed over it."""
    new = path.with_name(".new")
    new.write_bytes(pem)
    new.chmod(0o600)
    if os.geteuid() == 0:
        _give(new, path.parent)
    new.rename(path)


def _give(path: Path, like: Path) -> None:
    owner = like.stat()
    os.chown(path, owner.st_uid, owner.st_gid)


def _context(**attributes: object) -> ssl.SSLContext:
    """A client that would speak anything that its OpenSSL still can."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    for name, value in attributes.items():
        setattr(context, name, value)
    return context


@contextmanager
def _connected(door: LoneDoor, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(("127.0.0.1", door.port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        yield secure


def _name(door: LoneDoor) -> str | None:
    """The name in the certificate that a new connection is shown; None when there is no handshake."""
    try:
        with _connected(door, _context()) as secure:
            shown = x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")
    except ssl.SSLError:
        return None
    return shown.subject.rfc4514_string().removeprefix("CN=")


def _ask(door: LoneDoor, data: bytes) -> raw_http.Answer:
    with _connected(door, _context()) as secure:
        secure.sendall(data)
        return raw_http.read(secure).only


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(secured: LoneDoor, version: ssl.TLSVersion) -> None:
    context = _context(minimum_version=version)
    context.maximum_version = version
    with pytest.raises(ssl.SSLError, match="alert protocol version"), _connected(secured, context):
        pass


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_current_versions_are_spoken(secured: LoneDoor, version: ssl.TLSVersion) -> None:
    context = _context(minimum_version=version)
    context.maximum_version = version
    with _connected(secured, context) as secure:
        assert (secure.version() or "").replace(".", "_") == version.name
        assert secure.compression() is None


@pytest.mark.parametrize(
    "suites",
    [
        *("AES128-SHA", "AES256-SHA256", "AES128-GCM-SHA256"),  # no forward secrecy
        *("ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384", "CAMELLIA"),  # CBC
        *("DHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES256-SHA"),  # finite-field Diffie-Hellman
        *("NULL", "aNULL"),  # nothing encrypted, nobody authenticated
    ],
)
def test_weak_suites_are_refused(secured: LoneDoor, suites: str) -> None:
    context = _context(**TLS12_ONLY)
    context.set_ciphers(f"{suites}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="handshake failure"), _connected(secured, context):
        pass


def test_strong_suites_are_spoken(secured: LoneDoor) -> None:
    """The control for the refusals: the same client, with what browsers offer."""
    for suite in (
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-RSA-CHACHA20-POLY1305",
    ):
        context = _context(**TLS12_ONLY)
        context.set_ciphers(suite)
        with _connected(secured, context) as secure:
            assert (secure.cipher() or ("",))[0] == suite


def test_http_2_is_offered(secured: LoneDoor) -> None:
    context = _context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with _connected(secured, context) as secure:
        assert secure.selected_alpn_protocol() == "h2"


def test_a_client_cannot_renegotiate(secured: LoneDoor) -> None:
    """nginx closes on it; OpenSSL's client sends it for a line that starts with R."""
    done = secured.run("sh", "-c", RENEGOTIATE)
    assert "RENEGOTIATING" in done[1]
    assert "no renegotiation" in done[1] or "unexpected eof" in done[1]
    assert "HTTP/1.1" not in done[1]


def test_cookies_are_for_https_only(
    guarded: Stack, secured: LoneDoor, cookie: str, person: tuple[str, str]
) -> None:
    signed_in = _ask(secured, raw_http.request("POST", "/session", raw_http.basic(*person)))
    assert signed_in.status == 204
    assert signed_in.headers["set-cookie"].startswith(f"{guarded.session_cookie}=")
    page = _ask(secured, raw_http.request("GET", "/whoami", cookie))
    assert page.status == 200
    assert page.headers["set-cookie"].startswith(f"{guarded.seat_cookie}=")
    signed_out = _ask(secured, raw_http.request("POST", "/logout"))  # nobody's: `cookie` goes on
    for answer in (signed_in, page, signed_out):
        attributes = answer.headers["set-cookie"].lower().split("; ")
        assert {"secure", "httponly", "samesite=lax"} <= set(attributes)
        assert "strict-transport-security" not in answer.headers
    assert '["x-forwarded-proto", "https"]' in page.body.decode()


def test_browsers_are_held_to_https_only_with_a_certificate_of_the_operators(
    guarded: Stack, certificate: Path, cookie: str
) -> None:
    with LoneDoor.beside(guarded, {"TLS": "files"}) as door:
        for target in ("/", "/login", "/v1/models", "/x", "/status"):
            answer = _ask(door, raw_http.request("GET", target, cookie))
            assert re.fullmatch(r"max-age=[1-9]\d{7,}", answer.headers["strict-transport-security"]), target


@pytest.mark.parametrize("target", ["/", "/v1/models?a=b&c=%20d", "/a/../%41//b?x=/../y"])
def test_plain_http_is_sent_to_https(secured: LoneDoor, target: str) -> None:
    for method, body in (("GET", b""), ("POST", b"hello")):
        done = raw_http.exchange(secured.port, raw_http.request(method, target, host="door:8443", body=body))
        assert done.only.status == 308
        assert done.only.headers["location"] == f"https://door:8443{target}"
        assert done.closed
    assert not [seen for seen in secured.seen() if seen["body"] == "hello"]


@pytest.mark.filterwarnings("ignore:Unverified HTTPS")
@pytest.mark.parametrize("path", ["/generate_stream", "/gradio_api/queue/data"])
def test_tokens_pass_as_they_are_written(secured: LoneDoor, bearer: str, cookie: str, path: str) -> None:
    """nginx fills TLS records of 16 KB, minutes of an answer, unless it is told to flush."""
    with secured.stream(bearer, cookie, path=path, scheme="https") as goes_on:
        for _ in range(3):
            goes_on()


@pytest.mark.filterwarnings("ignore:Unverified HTTPS")
def test_a_new_certificate_is_served_while_a_stream_runs_on(
    secured: LoneDoor, certificate: Path, bearer: str
) -> None:
    assert _name(secured) == "first"
    with secured.stream(bearer, scheme="https") as goes_on:
        _install(certificate, _pair("second"))
        wait_until(lambda: _name(secured) == "second", "the new certificate is served", deadline_s=30)
        goes_on()


@pytest.mark.filterwarnings("ignore:Unverified HTTPS")
def test_a_damaged_certificate_ends_nothing_that_is_open(
    secured: LoneDoor, certificate: Path, bearer: str
) -> None:
    good = certificate.read_bytes()
    with secured.stream(bearer, scheme="https") as goes_on:
        try:
            _install(certificate, b"garbage\n")
            wait_until(lambda: _name(secured) is None, "handshakes fail", deadline_s=30)
            goes_on()
            assert 'cannot load certificate "/access/tls/server.pem"' in secured.log()
        finally:
            _install(certificate, good)
        wait_until(lambda: _name(secured) is not None, "handshakes succeed again", deadline_s=30)
        goes_on()


def test_without_a_certificate_nginx_does_not_start(guarded: Stack, certificate: Path) -> None:
    good = certificate.read_bytes()
    certificate.unlink()
    try:
        for mode in ("files", "self-signed"):
            with pytest.raises(AssertionError, match="nginx ended") as ended:
                LoneDoor.beside(guarded, {"TLS": mode}).__enter__()
            said = [line for line in str(ended.value).splitlines() if "nginx ended" not in line and line]
            assert len(said) == 1
            assert f"TLS={mode}: expected a certificate, found none" in said[0]
            assert "./scripts/appliance tls" in said[0]
    finally:
        _install(certificate, good)


def test_an_unknown_mode_is_named(guarded: Stack) -> None:
    with pytest.raises(AssertionError, match="TLS: expected off, self-signed or files, found 'on'"):
        LoneDoor.beside(guarded, {"TLS": "on"}).__enter__()
