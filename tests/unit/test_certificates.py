"""When certificates end, and keys that are not theirs."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.certificates import CertificateError, check_pair, expiry
from milvus_otel_processor.config import load_config
from milvus_otel_processor.service.credentials import Credentials, Followed, roles
from milvus_otel_processor.tls import ClientTlsSettings

from tests.peers.missing import require_command
from tests.support.clock import Clock

if TYPE_CHECKING:
    from pathlib import Path


def make(folder: Path, name: str, *, days: int = 30, key: str = "rsa:2048") -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    openssl = require_command("openssl", "making certificates")
    certificate, key_file = folder / f"{name}.crt", folder / f"{name}.key"
    command = [openssl, "req", "-x509", "-newkey", key, "-nodes", "-subj", f"/CN={name}", "-days", str(days)]
    if key == "ec":
        command += ["-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subprocess.run([*command, "-keyout", str(key_file), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key_file


def by_openssl(certificate: Path) -> float:
    command = ["openssl", "x509", "-in", str(certificate), "-noout", "-enddate", "-dateopt", "iso_8601"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return datetime.strptime(said, "notAfter=%Y-%m-%d %H:%M:%SZ").replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize("key", ["rsa:2048", "ec"])
@pytest.mark.parametrize("days", [1, 400, 20_000], ids=["a day", "a year", "beyond 2050"])
def test_the_end_of_a_certificate_is_what_openssl_says(tmp_path: Path, key: str, days: int) -> None:
    certificate, _ = make(tmp_path, "one", days=days, key=key)
    assert expiry(certificate.read_bytes()) == by_openssl(certificate)


def test_of_several_certificates_the_first_end_counts(tmp_path: Path) -> None:
    late, _ = make(tmp_path, "late", days=90)
    soon, _ = make(tmp_path, "soon", days=5)
    assert expiry(late.read_bytes() + soon.read_bytes()) == by_openssl(soon)


def test_what_is_no_certificate_has_no_end(tmp_path: Path) -> None:
    certificate, key = make(tmp_path, "one")
    lines = certificate.read_text().splitlines()
    cut = "\n".join([*lines[:5], lines[-1]])
    broken = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----"
    for text in ("", key.read_text(), cut, broken, broken.replace("!!!", "MAA=")):
        assert expiry(text.encode()) is None, text


def test_a_clients_key_that_is_another_ones_is_said_as_that(tmp_path: Path) -> None:
    certificate, key = make(tmp_path, "one")
    _, other = make(tmp_path, "other")
    check_pair(certificate, key)
    settings = ClientTlsSettings(cert_file=str(certificate), key_file=str(other))
    with pytest.raises(CertificateError, match=r"other\.key is not the key of the certificate in .*one\.crt"):
        settings.certificates()


def test_expiries_follow_the_files_and_stay_where_one_is_away(tmp_path: Path) -> None:
    certificate, _ = make(tmp_path, "receiver", days=5)
    changes = [True, False]
    followed = [Followed("receivers.otlp.protocols.grpc.tls", lambda: changes.pop(0))]
    credentials = Credentials(followed, roles("receiver", {"cert_file": str(certificate)}), Clock())
    assert credentials.expiries == {"receiver": by_openssl(certificate)}
    make(tmp_path, "receiver", days=50)
    assert credentials.renew() == ["receivers.otlp.protocols.grpc.tls"]
    end = by_openssl(certificate)
    assert credentials.expiries == {"receiver": end}
    certificate.unlink()
    assert credentials.renew() == []
    assert credentials.expiries == {"receiver": end}


def test_authorities_have_roles_of_their_own() -> None:
    assert roles("receiver", {"cert_file": "a", "client_ca_file": "b"}) == {"receiver": "a", "receiver_client_ca": "b"}
    assert roles("exporter", {"ca_file": "c"}) == {"exporter_ca": "c"}


CONFIG = """\
extensions:
  bearertokenauth: {filename: TOKEN}
receivers:
  otlp:
    protocols:
      grpc:
        tls: {cert_file: CERT, key_file: KEY}
        auth: {authenticator: bearertokenauth}
exporters:
  otlp:
    endpoint: localhost:4317
    tls: {ca_file: AUTHORITY}
service:
  extensions: [bearertokenauth]
  pipelines: {traces: {receivers: [otlp], exporters: [otlp]}}
"""


def said(folder: Path, **files: object) -> tuple[list[str], list[str]]:
    """What is said of files that are named as in CONFIG, without the folder's name."""
    text = CONFIG
    for name, file in files.items():
        text = text.replace(name, str(file))
    (folder / "config.yaml").write_text(text)
    loaded = load_config(folder / "config.yaml", environ={})
    errors, warnings = loaded.problems_with_files(0.0)
    return [str(one).replace(f"{folder}/", "") for one in errors], [
        str(one).replace(f"{folder}/", "") for one in warnings
    ]


def test_good_files_are_not_worth_a_word(tmp_path: Path) -> None:
    certificate, key = make(tmp_path, "one")
    (tmp_path / "token").write_text("secret\n")
    found = said(tmp_path, CERT=certificate, KEY=key, AUTHORITY=certificate, TOKEN=tmp_path / "token")
    assert found == ([], [])


def test_each_file_that_is_wrong_is_named_with_its_line(tmp_path: Path) -> None:
    certificate, _ = make(tmp_path, "one")
    _, other = make(tmp_path, "other")
    (tmp_path / "empty").write_text("\n")
    found = said(tmp_path, CERT=certificate, KEY=other, AUTHORITY=tmp_path / "away", TOKEN=tmp_path / "empty")
    assert found == (
        [
            "config.yaml:7: receivers.otlp.protocols.grpc.tls.key_file: other.key is not the key of the certificate in one.crt",
            "config.yaml:12: exporters.otlp.tls.ca_file: away: cannot be read: No such file or directory",
            "config.yaml:2: extensions.bearertokenauth.filename: empty: cannot be read: there is no token in it",
        ],
        [],
    )


def test_a_certificate_that_has_ended_or_soon_does_is_a_warning(tmp_path: Path) -> None:
    certificate, key = make(tmp_path, "one", days=5)
    (tmp_path / "token").write_text("secret\n")
    files = {"CERT": certificate, "KEY": key, "AUTHORITY": certificate, "TOKEN": tmp_path / "token"}
    said(tmp_path, **files)
    loaded = load_config(tmp_path / "config.yaml", environ={})
    end = by_openssl(certificate)
    for now, what in ((end - 86400, "ends on 20"), (end + 1, "nobody accepts it")):
        errors, warnings = loaded.problems_with_files(now)
        assert errors == []
        assert [what in one.message for one in warnings] == [True, True], warnings
