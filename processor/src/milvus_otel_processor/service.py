"""Wires the steps together and runs them: receive, buffer, enrich, decide, export."""

from __future__ import annotations

import gc
import logging
from random import Random
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from milvus_otel_processor.buffer import Buffer
from milvus_otel_processor.decider import Decider
from milvus_otel_processor.enrichment.component import Enrichment
from milvus_otel_processor.enrichment.sources.custom import SourceError
from milvus_otel_processor.exporter.exporter import OtlpExporter
from milvus_otel_processor.pipeline import Pipeline
from milvus_otel_processor.receiver import PortError, Receiver
from milvus_otel_processor.sampling.sampler import Sampler
from milvus_otel_processor.sampling.settings import DecisionCacheSettings
from milvus_otel_processor.telemetry import Lost, Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.enrichment.settings import MilvusSettings
    from milvus_otel_processor.exporter.settings import ExporterSettings
    from milvus_otel_processor.receiver import ReceiverSettings
    from milvus_otel_processor.sampling.settings import TailSamplingSettings

_log = logging.getLogger(__name__)

_UNBOUNDED = 1 << 62
_RECEIVER_SHARE = 0.25  # of the time there is for stopping, for requests under way
_GENERATIONS = (100_000, 50, 100)


class Configuration(Protocol):
    """What a service is made from: the settings of the components that its pipeline has."""

    @property
    def receiver(self) -> ReceiverSettings:
        """The `otlp` receiver."""

    @property
    def milvus(self) -> MilvusSettings | None:
        """The `milvus` processor, if it takes part."""

    @property
    def tail_sampling(self) -> TailSamplingSettings | None:
        """The `tail_sampling` processor, if it takes part."""

    @property
    def exporter(self) -> ExporterSettings:
        """The `otlp` exporter."""


class StartError(Exception):
    """The service cannot start; the message says why and what can be done."""


class Service:
    """One processor: receiver, pipeline and exporter, from `start` to `stop`.

    Raises StartError where a file that TLS settings name cannot be read, or a source of the user's own cannot be had.
    """

    def __init__(self, config: Configuration, *, clock: Callable[[], float] = monotonic) -> None:
        self.telemetry = Telemetry()
        self.endpoint = config.receiver.protocols.grpc.endpoint
        """Where spans are received, as `host:port`; once started, with the port that was bound."""
        try:
            self._exporter = OtlpExporter(config.exporter, self.telemetry, clock=clock)
        except OSError as error:
            raise StartError(f"exporters.otlp.tls: cannot read {error.filename}: {error.strerror}") from None
        self._buffer = Buffer(_wait(config))
        self._enrichment = self._enrich(config.milvus, clock) if config.milvus is not None else None
        self._pipeline = self._wire(config, clock)
        access_log = self._enrichment.access_log if self._enrichment is not None else None
        self._receiver = Receiver(config.receiver, self._pipeline, self.telemetry, access_log)
        self._drops_pending = config.tail_sampling is not None and config.tail_sampling.drop_pending_traces_on_shutdown
        self._stopping = Event()
        self._ticker = Thread(target=self._tick, name="decisions", daemon=True)

    def start(self) -> None:
        """Receive, decide and export from now on. Raises StartError where the endpoint cannot be listened on."""
        try:
            self.endpoint = self._receiver.start()
        except PortError as error:
            raise StartError(str(error)) from None
        self._exporter.start()
        self._ticker.start()
        if self._enrichment is not None:
            self._enrichment.start()

    def stop(self, grace_seconds: float) -> None:
        """Stop receiving, decide what waits, send what is kept; within `grace_seconds`, or what is left is lost."""
        deadline = monotonic() + grace_seconds
        self._receiver.stop(grace_seconds * _RECEIVER_SHARE)
        self._stopping.set()
        self._ticker.join(max(0.0, deadline - monotonic()))
        if self._drops_pending:
            self.telemetry.lost(Lost.SHUTDOWN, self._pipeline.discard(), queued=False)
        else:
            self._pipeline.drain()
        self._exporter.stop(max(0.0, deadline - monotonic()))
        if self._enrichment is not None:
            self._enrichment.stop(max(0.0, deadline - monotonic()))

    def _enrich(self, settings: MilvusSettings, clock: Callable[[], float]) -> Enrichment:
        waiting = self._buffer.entries
        try:
            return Enrichment(
                settings,
                self.telemetry,
                clock=clock,
                random=Random(),  # noqa: S311 - no secret
                is_waiting=waiting.__contains__,
            )
        except SourceError as error:
            raise StartError(str(error)) from None
        except OSError as error:
            raise StartError(f"processors.milvus.tls: cannot read {error.filename}: {error.strerror}") from None

    def _wire(self, config: Configuration, clock: Callable[[], float]) -> Pipeline:
        sampling = config.tail_sampling
        decider = Decider(
            enricher=self._enrichment.enricher if self._enrichment is not None else None,
            sampler=Sampler(sampling) if sampling is not None else None,
            cache_settings=sampling.decision_cache if sampling is not None else DecisionCacheSettings(),
            exporter=self._exporter,
            telemetry=self.telemetry,
        )
        return Pipeline(
            buffer=self._buffer,
            num_traces=sampling.num_traces if sampling is not None else _UNBOUNDED,
            wait_after_root=sampling.decision_wait_after_root_received if sampling is not None else 0.0,
            decider=decider,
            telemetry=self.telemetry,
            clock=clock,
        )

    def _tick(self) -> None:
        while not self._stopping.wait(self._buffer.tick):
            try:
                self._pipeline.tick()
            except Exception:  # noqa: BLE001 - see below
                # A fault in one decision must not end all later ones.
                _log.exception("deciding failed, going on with the next traces")


def _wait(config: Configuration) -> float:
    """Return how long traces are gathered: for sampling, else for enrichment alone, else not at all; seconds."""
    if config.tail_sampling is not None:
        return config.tail_sampling.decision_wait
    return config.milvus.wait_duration if config.milvus is not None else 0.0


def tune_garbage_collection() -> None:
    """Make Python's cyclic garbage collector look seldom, and never at what is there at the start.

    For a program that is this service alone. Waiting traces are many containers without cycles, and to look through them
    again and again costs more than all that the service does with them (measured: docs/decisions.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GENERATIONS)
