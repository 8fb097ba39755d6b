"""Puts the pipeline for logs together, beside the one for traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.certificates import CertificateError
from milvus_otel_processor.enrichment.catalogue.milvus import TRACE_ID
from milvus_otel_processor.exporter.exporter import OtlpExporter
from milvus_otel_processor.exporter.signal import LOG_RECORDS
from milvus_otel_processor.logs.component import Logs
from milvus_otel_processor.logs.outlet import LogOutlet
from milvus_otel_processor.redaction.log_records import LogRedaction
from milvus_otel_processor.service.credentials import Followed
from milvus_otel_processor.service.making import StartError, make_token
from milvus_otel_processor.telemetry.log_records import LogTelemetry

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.components import LogsPipeline
    from milvus_otel_processor.spans.contract import Store
    from milvus_otel_processor.telemetry.counters import Telemetry


class LogsOfService:
    """The pipeline for logs, and what the service has to know of it."""

    def __init__(
        self,
        pipeline: LogsPipeline,
        store: Store,
        telemetry: Telemetry,
        clock: Callable[[], float],
        take_lines: Callable[[bytes], object] | None,
    ) -> None:
        counts = LogTelemetry()
        telemetry.watch(logs=counts.snapshot)
        token = make_token(pipeline.authenticator)
        where = f"exporters.{pipeline.exporter_name}"
        try:
            exporter = OtlpExporter(
                pipeline.exporter,
                counts,
                signal=LOG_RECORDS,
                clock=clock,
                token=token.header if token is not None else None,
            )
        except CertificateError as error:
            raise StartError(f"{where}.tls: {error}") from None
        redaction = LogRedaction(pipeline.redaction, counts.redactions) if pipeline.redaction is not None else None
        outlet = LogOutlet(exporter, counts, clock, redact=redaction.redacted if redaction is not None else None)
        self.logs = Logs(
            pipeline.sampling,
            fates=store,
            wait=lambda: store.wait,
            exporter=exporter,
            outlet=outlet,
            telemetry=counts,
            clock=clock,
            take_lines=take_lines,
            own=TRACE_ID,
        )
        self.followed = [Followed(f"{where}.tls", exporter.renew)]
        """Files that are read again when they change."""
        if token is not None:
            self.followed.append(Followed("extensions.bearertokenauth.filename", token.renew))
