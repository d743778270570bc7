"""Certificates and their keys, as PEM: made, read, proven fit to serve. Touches no file of the appliance."""

import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

LIFETIME = timedelta(days=397)  # browsers refuse certificates that live longer than 398 days
CLOCK_SLACK = timedelta(hours=1)
ORGANISATION = "Self-signed by the Qwen TGI appliance"


class Unfit(ValueError):
    """A certificate or key that cannot serve.

    Attributes:
        expected, found: what a person needs to know about it.
    """

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found


@dataclass(frozen=True)
class Pair:
    """A private key and its certificate with the chain behind it. ``pem`` holds all of it, the key first."""

    pem: str
    leaf: x509.Certificate

    @property
    def names(self) -> tuple[str, ...]:
        """The host names and addresses that the certificate is for."""
        try:
            found = self.leaf.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
        except x509.ExtensionNotFound:
            return ()
        assert isinstance(found, x509.SubjectAlternativeName)
        addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
        return (*found.get_values_for_type(x509.DNSName), *addresses)

    @property
    def expires(self) -> datetime:
        return self.leaf.not_valid_after_utc

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate as browsers and openssl show it: ``AB:CD:…``."""
        return self.leaf.fingerprint(hashes.SHA256()).hex(":").upper()

    @property
    def ours(self) -> bool:
        """Whether ``self_signed`` made it."""
        made_by = self.leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        return self.leaf.issuer == self.leaf.subject and [name.value for name in made_by] == [ORGANISATION]


def self_signed(names: Sequence[str], now: datetime) -> Pair:
    """A new ECDSA P-256 key and a certificate for ``names`` (hosts and addresses), valid for 397 days."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64]),
        ]
    )
    public = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    begins = now - CLOCK_SLACK
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_signing_only(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(authority, critical=False)
    )
    return _pair(key, [builder.sign(key, hashes.SHA256())])


def read(certificates: bytes, key: bytes, now: datetime) -> Pair:
    """The pair in two PEM texts (which may be the same), proven fit to serve now.

    Raises:
        Unfit: not PEM, a key with a passphrase, not of one another, expired, or refused by OpenSSL.
    """
    try:
        chain = x509.load_pem_x509_certificates(certificates)
    except ValueError as error:
        raise Unfit(
            "a PEM certificate, then the chain behind it", "no certificate that can be read"
        ) from error
    try:
        private = serialization.load_pem_private_key(key, password=None)
    except TypeError as error:
        raise Unfit("a key without a passphrase", "an encrypted key") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unfit("a PEM private key", "no key that can be read") from error
    _require_match(private, chain)
    pair = _pair(private, chain)
    if pair.expires <= now:
        raise Unfit(
            "a certificate that is still valid", f"one that expired on {pair.expires:%Y-%m-%d %H:%M} UTC"
        )
    if pair.leaf.not_valid_before_utc > now:
        raise Unfit(
            "a certificate that is valid already",
            f"one that begins on {pair.leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC; this host's clock says "
            f"{now:%Y-%m-%d %H:%M} UTC",
        )
    _require_servable(pair)
    return pair


def _require_match(key: PrivateKeyTypes, chain: Sequence[x509.Certificate]) -> None:
    wanted = _public_bytes(key.public_key())
    matching = [index for index, each in enumerate(chain) if _public_bytes(each.public_key()) == wanted]
    if not matching:
        raise Unfit("the key that belongs to the certificate", "the key of another one")
    if matching[0] != 0:
        raise Unfit("the server's certificate first, its chain after it", f"it at place {matching[0] + 1}")


def _public_bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _require_servable(pair: Pair) -> None:
    """Let OpenSSL judge as nginx will at each handshake: key size, signature, order."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=2")  # Debian's level, so nginx's, whatever this host's is
    handle = os.memfd_create("pair", os.MFD_CLOEXEC)  # why: the key must not touch a disk on the way
    try:
        os.write(handle, pair.pem.encode())
        context.load_cert_chain(f"/proc/self/fd/{handle}")
    except ssl.SSLError as error:
        raise Unfit("a pair that OpenSSL serves", f"it says {error.reason or error}") from error
    finally:
        os.close(handle)


def _pair(key: PrivateKeyTypes, chain: Sequence[x509.Certificate]) -> Pair:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain)
    return Pair((private + public).decode(), chain[0])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _signing_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
