"""Keys by which the parts of one embedded server know each other: mutual TLS, and nobody else has a certificate.

The authority lives for one call: its private key is never written, so no further certificate can ever be issued.
Nothing expires, whatever the clock of the machine says. Knows no server.
"""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from glad_pipeline.local.home import write_atomically

BEGIN, END = datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def lay(folder: Path) -> None:
    """Write `ca.pem`, `cert.pem` and `key.pem`, anew, readable by their owner alone: for servers and clients alike."""
    folder.mkdir(mode=0o700, exist_ok=True)
    authority, key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    ca = (
        _builder("glad authority", authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority, SHA256())
    )
    certificate = (
        _builder("glad", key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .sign(authority, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_atomically(folder / "key.pem", private.decode())
    write_atomically(folder / "cert.pem", certificate.public_bytes(Encoding.PEM).decode())
    write_atomically(folder / "ca.pem", ca.public_bytes(Encoding.PEM).decode())


def _builder(name: str, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "glad authority")]),
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=BEGIN,
        not_valid_after=END,
    )
