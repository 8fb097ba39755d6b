"""The one model of TLS settings, as clients have it."""

from pathlib import Path

import pytest
from milvus_otel_processor.certificates import CertificateError
from milvus_otel_processor.tls import ClientTlsSettings
from pydantic import ValidationError


def test_files_are_read_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\n", encoding="ascii")
    assert ClientTlsSettings(ca_file=str(file)).certificates() == (file.read_bytes(), None, None)
    assert ClientTlsSettings().certificates() == (None, None, None)


def test_a_file_that_is_away_or_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello", encoding="ascii")
    for name, problem in (("absent", "cannot be read"), ("text", "is not a PEM file")):
        with pytest.raises(CertificateError, match=problem) as raised:
            ClientTlsSettings(ca_file=str(tmp_path / name)).certificates()
        assert str(tmp_path / name) in str(raised.value)


def test_a_certificate_needs_its_key() -> None:
    for alone in ({"cert_file": "x"}, {"key_file": "x"}):
        with pytest.raises(ValidationError, match="both or neither"):
            ClientTlsSettings(**alone)
