"""What can be said of PEM files before a connection is tried with them."""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 1 << 20
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18  # tags of DER, ITU-T X.690
_BEFORE_VALIDITY = 3  # serial number, signature algorithm, issuer: RFC 5280, 4.1
_UTC_CENTURY = 50  # two digits of a year from here on are of the last century: RFC 5280, 4.1.2.5.1


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
        raise CertificateError(f"{file}: cannot be read: {error.strerror}") from None
    if b"-----BEGIN " not in content:
        raise CertificateError(f"{file} is not a PEM file")
    return content


def check_pair(certificate: Path, key: Path) -> None:
    """Raise CertificateError where the key is not that of the certificate, or one of the two cannot be understood."""
    import ssl  # noqa: PLC0415 - most configurations name no certificate, and commands need not wait for it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CertificateError(f"{key} is not the key of the certificate in {certificate}") from None
        what = error.reason or "not understood"
        raise CertificateError(f"{certificate} and {key} are not a certificate and its key: {what}") from None
    except OSError as error:
        raise CertificateError(f"{error.filename or certificate}: cannot be read: {error.strerror}") from None


def expiry(content: bytes) -> float | None:
    """Return when the first of the certificates in a PEM file ends, in seconds since 1970; None where none can be read.

    Python's `ssl` tells it of certificates of a connection alone.
    """
    import ssl  # noqa: PLC0415 - as above

    ends = []
    for pem_text in _CERTIFICATE.findall(content):
        try:
            ends.append(_end(ssl.PEM_cert_to_DER_cert(pem_text.decode("ascii", "replace"))))
        except (ValueError, IndexError, Base64Error):
            continue
    return min(ends, default=None)


def _end(certificate: bytes) -> float:
    inside, _ = _element(certificate, _SEQUENCE)
    fields, _ = _element(inside, _SEQUENCE)
    if fields[0] == _VERSION:
        _, fields = _element(fields)
    for _ in range(_BEFORE_VALIDITY):
        _, fields = _element(fields)
    validity, _ = _element(fields, _SEQUENCE)
    _, after = _element(validity)
    text = _element(after)[0].decode("ascii")
    if after[0] == _UTC_TIME:
        text = ("19" if int(text[:2]) >= _UTC_CENTURY else "20") + text
    elif after[0] != _GENERALIZED_TIME:
        raise ValueError("no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _element(data: bytes, tag: int | None = None) -> tuple[bytes, bytes]:
    """Return the content of the first DER element, and what is behind it. Raises ValueError or IndexError."""
    if tag is not None and data[0] != tag:
        raise ValueError("another element")
    length, begin = data[1], 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(data[2:begin], "big")
    if begin + length > len(data):
        raise ValueError("cut short")
    return data[begin : begin + length], data[begin + length :]
