"""The machine's certificate authorities in Java's own format, so that Maven trusts what curl and uv trust.

A Java runtime brings a trust store of its own, which does not know a company's private authority. The file is written
here, because runtimes differ in the tools they carry: it is a Java key store (JKS), which any Java reads. Layout as in
OpenJDK's ``sun.security.provider.JavaKeyStore``: a header, one entry per certificate, and a SHA-1 digest over the
password, a fixed phrase and the rest. The digest is a check against damage, not a protection.
"""

import hashlib
import os
import ssl
import struct
from pathlib import Path
from typing import Final

from codewave.errors import CodewaveError

PASSWORD: Final = "changeit"  # noqa: S105 - Java's customary one; what it covers is public
BUNDLE_VARIABLES: Final = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
BUNDLE_FILES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat, Amazon Linux
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS
)

_MAGIC: Final = 0xFEEDFEED
_FORMAT: Final = 2
_CERTIFICATE_ENTRY: Final = 2
_PHRASE: Final = b"Mighty Aphrodite"


def find_bundle() -> Path | None:
    """The file of certificate authorities in use: as the environment names it, else where systems keep it."""
    named = [os.environ[name] for name in BUNDLE_VARIABLES if os.environ.get(name)]
    default = ssl.get_default_verify_paths().cafile
    candidates = [*named, *([default] if default else []), *BUNDLE_FILES]
    return next((Path(name) for name in candidates if Path(name).is_file()), None)


def write_trust_store(bundle: Path, trust_store: Path) -> int:
    """Write the authorities of a PEM file as a Java key store.

    :returns: how many there are.
    :raises CodewaveError: if the file holds no certificates.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=bundle)
    except ssl.SSLError as error:
        named = ", ".join(BUNDLE_VARIABLES)
        raise CodewaveError(f"setup: {bundle} holds no certificates ({error.reason}); see {named}") from error
    certificates = context.get_ca_certs(binary_form=True)
    trust_store.parent.mkdir(parents=True, exist_ok=True)
    trust_store.write_bytes(key_store(certificates))
    return len(certificates)


def key_store(certificates: list[bytes]) -> bytes:
    """A Java key store of trusted certificates (DER)."""
    content = struct.pack(">III", _MAGIC, _FORMAT, len(certificates))
    content += b"".join(_entry(f"authority-{number}", der) for number, der in enumerate(certificates))
    seal = PASSWORD.encode("utf-16-be") + _PHRASE + content
    return content + hashlib.sha1(seal).digest()  # noqa: S324 - the format's own


def _entry(alias: str, der: bytes) -> bytes:
    created_ms = 0
    head = struct.pack(">I", _CERTIFICATE_ENTRY) + _text(alias) + struct.pack(">Q", created_ms)
    return head + _text("X.509") + struct.pack(">I", len(der)) + der


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode("ascii")
