"""TLS as the settings have it, the same for every connection (the Collector's `configtls`)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from milvus_otel_processor.certificates import check_pair, pem
from milvus_otel_processor.settings import Settings


class ClientCertificates(NamedTuple):
    """The contents of the PEM files that a connection is made with; None where there is none."""

    authority: bytes | None
    certificate: bytes | None
    key: bytes | None


class ClientTlsSettings(Settings):
    """How a connection to a server is secured."""

    ca_file: str | None = Field(default=None, description="PEM file of the authority to trust instead of the system's.")
    cert_file: str | None = Field(
        default=None, description="PEM file of our own certificate, where the server asks for one."
    )
    key_file: str | None = Field(default=None, description="PEM file of the key of `cert_file`.")
    server_name_override: str | None = Field(
        default=None, description="The name to expect in the server's certificate."
    )

    @model_validator(mode="after")
    def _certificate_has_key(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("expected cert_file and key_file, both or neither")
        return self

    def certificates(self) -> ClientCertificates:
        """Read the files.

        Raises CertificateError where one cannot be read, is not a PEM file, or where the key is not that of the certificate.
        """
        found = ClientCertificates(_content(self.ca_file), _content(self.cert_file), _content(self.key_file))
        if self.cert_file is not None and self.key_file is not None:
            check_pair(Path(self.cert_file), Path(self.key_file))
        return found

    def named(self) -> dict[str, str]:
        """Return the files with certificates, by the names of their settings."""
        files = {"cert_file": self.cert_file, "ca_file": self.ca_file}
        return {setting: file for setting, file in files.items() if file is not None}


class ServerTlsSettings(Settings):
    """How a server secures the connections to it."""

    cert_file: str = Field(min_length=1, description="PEM file of the receiver's own certificate.")
    key_file: str = Field(min_length=1, description="PEM file of the key of `cert_file`.")
    client_ca_file: str | None = Field(
        default=None,
        description="PEM file of the authority whose certificates senders have to show; without it none is asked for.",
    )

    def named(self) -> dict[str, str]:
        """Return the files with certificates, by the names of their settings."""
        files = {"cert_file": self.cert_file, "client_ca_file": self.client_ca_file}
        return {setting: file for setting, file in files.items() if file is not None}


def _content(file: str | None) -> bytes | None:
    return pem(Path(file)) if file is not None else None
