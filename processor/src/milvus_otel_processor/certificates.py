"""What can be said of PEM files before a connection is tried with them."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 1 << 20


class CertificateError(Exception):
    """A file is not what it should be; the message names it."""


def pem(file: Path) -> bytes:
    """Return the content of a PEM file. Raises CertificateError where it cannot be read, or is none."""
    try:
        if not file.is_file() and file.exists():
            raise CertificateError(f"{file} is not a file")
        with file.open("rb") as opened:
            content = opened.read(_LARGEST)
    except OSError as error:
        raise CertificateError(f"cannot read {file}: {error.strerror}") from None
    if b"-----BEGIN " not in content:
        raise CertificateError(f"{file} is not a PEM file")
    return content


def check_pair(certificate: Path, key: Path) -> None:
    """Raise CertificateError where the key is not that of the certificate, or one of the two cannot be understood."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CertificateError(f"{key} is not the key of the certificate in {certificate}") from None
        what = error.reason or "not understood"
        raise CertificateError(f"{certificate} and {key} are not a certificate and its key: {what}") from None
    except OSError as error:
        raise CertificateError(f"cannot read {error.filename or certificate}: {error.strerror}") from None
