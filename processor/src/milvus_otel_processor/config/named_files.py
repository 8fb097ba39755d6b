"""The files that settings name: certificates, keys and tokens, read before a start would find out what is wrong with them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.certificates import CertificateError, check_pair, expiry, pem
from milvus_otel_processor.extensions.bearer_token import BearerToken, BearerTokenSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.config.model import Config
    from milvus_otel_processor.tls import ClientTlsSettings

_SOON = 14 * 86400.0
"""Seconds before a certificate's end in which it is worth a warning."""


class Remark(NamedTuple):
    """Something about a file: the path of the setting that names it, and what is to be said."""

    path: str
    message: str
    is_error: bool


def remarks_on_files(config: Config, now: float) -> Iterator[Remark]:
    """Yield what is wrong with the files that components which take part name; `now` is seconds since 1970."""
    pipeline = config.service.pipelines.traces
    receiver, exporter = pipeline.receivers[0], pipeline.exporters[0]
    tls = config.receiver.protocols.grpc.tls
    if tls is not None:
        files = {"cert_file": tls.cert_file, "key_file": tls.key_file, "client_ca_file": tls.client_ca_file}
        yield from _on_tls(f"receivers.{receiver}.protocols.grpc.tls", files, now)
    clients: dict[str, ClientTlsSettings] = {f"exporters.{exporter}.tls": config.exporter.tls}
    if config.logs is not None:
        clients[f"exporters.{config.logs.exporter_name}.tls"] = config.logs.exporter.tls
    for name in pipeline.processors:
        if config.processors[name] is config.milvus and config.milvus is not None:
            clients[f"processors.{name}.tls"] = config.milvus.tls
    for path, client in clients.items():
        files = {"cert_file": client.cert_file, "key_file": client.key_file, "ca_file": client.ca_file}
        yield from _on_tls(path, files, now)
    for name in config.service.extensions:
        extension = config.extensions[name]
        if isinstance(extension, BearerTokenSettings) and extension.filename is not None:
            yield from _on_token(f"extensions.{name}.filename", extension)


def _on_tls(path: str, files: dict[str, str | None], now: float) -> Iterator[Remark]:
    found: dict[str, bytes] = {}
    for setting, file in files.items():
        if file is None:
            continue
        try:
            found[setting] = pem(Path(file))
        except CertificateError as error:
            yield Remark(f"{path}.{setting}", str(error), is_error=True)
    certificate, key = files.get("cert_file"), files.get("key_file")
    if certificate is not None and key is not None and {"cert_file", "key_file"} <= found.keys():
        try:
            check_pair(Path(certificate), Path(key))
        except CertificateError as error:
            yield Remark(f"{path}.key_file", str(error), is_error=True)
    for setting, content in found.items():
        end = expiry(content) if setting != "key_file" else None
        if end is not None and end - now < _SOON:
            day = datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%d %H:%M UTC")
            what = f"ends on {day}" if end > now else f"ended on {day}: nobody accepts it"
            yield Remark(f"{path}.{setting}", f"the certificate in {files[setting]} {what}", is_error=False)


def _on_token(path: str, settings: BearerTokenSettings) -> Iterator[Remark]:
    try:
        BearerToken(settings)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        yield Remark(path, f"{settings.filename}: cannot be read: {reason}", is_error=True)
