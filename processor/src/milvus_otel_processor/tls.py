"""TLS as the settings have it, the same for every connection (the Collector's `configtls`)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from milvus_otel_processor.certificates import pem
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
        """Read the files. Raises CertificateError where one cannot be read, or is not a PEM file."""
        return ClientCertificates(_content(self.ca_file), _content(self.cert_file), _content(self.key_file))


class ServerTlsSettings(Settings):
    """How a server secures the connections to it."""

    cert_file: str = Field(min_length=1, description="PEM file of the receiver's own certificate.")
    key_file: str = Field(min_length=1, description="PEM file of the key of `cert_file`.")
    client_ca_file: str | None = Field(
        default=None,
        description="PEM file of the authority whose certificates senders have to show; without it none is asked for.",
    )


def _content(file: str | None) -> bytes | None:
    return pem(Path(file)) if file is not None else None
