"""Wires the steps together and runs them: receive, hold, enrich, decide, export."""

from __future__ import annotations

import logging
from threading import Event, Thread
from time import monotonic, time_ns
from typing import TYPE_CHECKING

from milvus_otel_processor.certificates import CertificateError
from milvus_otel_processor.enrichment.sources.custom import SourceError
from milvus_otel_processor.memory.decisions import decision_memory
from milvus_otel_processor.memory.limiter import MemoryLimiter
from milvus_otel_processor.pipeline.own import OwnProcessorError
from milvus_otel_processor.receiver.server import PortError, Receiver
from milvus_otel_processor.receiver.services import LOGS_SERVICE, TRACE_SERVICE, logs, traces
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.fingerprint import fingerprint
from milvus_otel_processor.sampling.policies import Clock
from milvus_otel_processor.sampling.policies.drop import DropPolicy
from milvus_otel_processor.sampling.shadow import SHADOW
from milvus_otel_processor.service.admission import Admission
from milvus_otel_processor.service.assemble import Assembled, assemble
from milvus_otel_processor.service.credentials import Credentials, Followed
from milvus_otel_processor.service.durable import Durable
from milvus_otel_processor.service.logs import LogsOfService
from milvus_otel_processor.service.making import (
    StartError,
    certificate_files,
    make_exporter,
    make_pushes,
    make_storage,
    make_token,
    requests_source,
)
from milvus_otel_processor.spans.stores import StoreError
from milvus_otel_processor.telemetry.counters import Telemetry
from milvus_otel_processor.telemetry.own import own_metrics, process_metrics, together
from milvus_otel_processor.web.health import health_routes
from milvus_otel_processor.web.metrics import metrics_routes
from milvus_otel_processor.web.server import HttpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from milvus_otel_processor.config import Problem
    from milvus_otel_processor.enrichment.access_log.logs import AccessLog
    from milvus_otel_processor.enrichment.component import Enrichment
    from milvus_otel_processor.extensions.bearer_token import BearerToken
    from milvus_otel_processor.page.page import Page
    from milvus_otel_processor.page.witness import Witness
    from milvus_otel_processor.requests.windows import Windows
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.service.making import Configuration
    from milvus_otel_processor.storage.storage import Storage
    from milvus_otel_processor.telemetry.family import Source

_log = logging.getLogger(__name__)

_RECEIVER_SHARE = 0.25  # of the time there is for stopping, for requests under way
_EXPORTER_SHARE = 0.125  # likewise, for what the last decisions kept

_PATIENCE, _LONGEST_PATIENCE = 2.0, 30.0
"""Seconds that senders are refused beyond the time that traces wait, in which some must have been decided, and for how much of
that time."""
_LAST_PUSH = 0.5
"""Seconds that the last metrics have to be sent where there is no time left."""
_LAST_RECORDS = 0.5
"""Likewise, of that time and beyond it, for log records that nobody takes to be counted as lost."""
_MOST_PROBLEMS, _LONGEST_PROBLEM = 20, 500
"""Of a configuration that cannot be used, what is remembered; the log has all of it."""
_NANOSECONDS = 1e9
_RELIEVED = 0.9  # of the memory there is
_TIGHT = 0.8
"""Of the memory there is, above which what is only there to be looked at is forgotten."""


class Service:
    """One processor: receiver, pipeline and exporter, from `start` to `stop`. `source` is the file of its configuration.

    Raises StartError where a file that TLS settings name cannot be read, or a source of the user's own cannot be had.
    """

    def __init__(
        self, config: Configuration, *, clock: Callable[[], float] = monotonic, source: Path | None = None
    ) -> None:
        self.telemetry = Telemetry()
        self.endpoint = config.receiver.protocols.grpc.endpoint
        """Where spans are received, as `host:port`; once started, with the port that was bound."""
        storage = make_storage(config.file_storage, clock)
        self._own_token = make_token(config.exporter_authenticator)
        try:
            self._exporter = make_exporter(config, self.telemetry, clock, storage, self._own_token)
        except StoreError as error:
            raise StartError(str(error)) from None
        except CertificateError as error:
            raise StartError(f"exporters.otlp.tls: {error}") from None
        self._witness: Witness | None = None
        if config.page is not None:
            # What only the page needs takes 1 to 2 MiB, and most services have none.
            from milvus_otel_processor.page.witness import Witness  # noqa: PLC0415

            self._witness = Witness(config.page, config.tail_sampling, self.telemetry)
        self._assembled = self._assemble(config, Clock(clock, time_ns))
        self._pipeline, self._store, self._stages, enrichment, *_ = self._assembled
        if self._witness is not None and self._assembled.requests is not None:
            self._witness.requests.watch(self._assembled.requests.counts)
        self._metrics_source = self._make_metrics_source(config, storage)
        self._pushes = make_pushes(config, self._metrics_source, self.telemetry, clock)
        access_log = enrichment.access_log if enrichment is not None else None
        self._sampling = config.tail_sampling
        self._logs = self._make_logs(config, access_log, clock)
        self._limiter = MemoryLimiter(config.memory_limiter.limit(), self._parts_of_memory(access_log))
        shown = make_token(config.authenticator)
        self._admission = Admission(self._limiter, clock, authenticates=shown.is_shown if shown is not None else None)
        self._durable = None
        if storage is not None:
            self._durable = Durable(storage, self._pipeline, self._exporter, self.telemetry, self._limiter)
            self._admission.obstacles.append(self._durable.obstacle)
        services = self._services(access_log)
        self._receiver = Receiver(
            config.receiver,
            services,
            self.telemetry,
            admission=self._admission,
            ready=lambda: self._admission.ready,
            rules_are_current=self._rules_are_current,
        )
        self._credentials = Credentials(self._followed(shown, enrichment), certificate_files(config), clock)
        self.reloaded()
        self._tell_rules(config.tail_sampling)
        self._watch(config.exporter.sending_queue.queue_size, storage)
        self._metrics = config.metrics
        self._http = HttpServer(clock)
        self._page = self._make_page(config, source, clock)
        self._stopping = Event()
        self._ticker = Thread(target=self._tick, name="decisions", daemon=True)

    def _make_metrics_source(self, config: Configuration, storage: Storage | None) -> Source:
        return together(
            own_metrics(self._pipeline.snapshot), process_metrics(), *requests_source(config, self._assembled, storage)
        )

    def _make_page(self, config: Configuration, source: Path | None, clock: Callable[[], float]) -> Page | None:
        if config.page is None or self._witness is None:
            return None
        from milvus_otel_processor.service.page import Parts, make_page  # noqa: PLC0415 - as above

        parts = Parts(self._witness, self._admission, self._pipeline, self._limiter, clock, self._metrics_source)
        return make_page(config, config.page, parts, source, make_token(config.page_authenticator))

    def _parts_of_memory(self, access_log: AccessLog | None) -> list[Callable[[], int]]:
        """Return what tells how many bytes each part takes that input can make grow."""
        parts = [self._pipeline.memory, self._exporter.memory, self._decision_memory]
        if access_log is not None:
            parts.append(access_log.memory)
        requests = self._assembled.requests
        if requests is not None:
            parts.append(requests.memory)
        if self._logs is not None:
            parts.append(self._logs.logs.memory)
        if self._witness is not None:
            parts.append(self._witness.memory)
        return parts

    def _watch(self, queue_size: int, storage: Storage | None) -> None:
        """Have the metrics show how full everything is."""
        self.telemetry.watch(
            memory_used=lambda: self._limiter.used,
            memory_limit=lambda: self._limiter.budget,
            queued_bytes=self._exporter.memory,
            queue_capacity=lambda: queue_size,
            queue_capacity_bytes=lambda: self._limiter.budget,
            ready=lambda: int(self._admission.ready),
            certificates=lambda: self._credentials.expiries,
        )
        if storage is not None:
            self.telemetry.watch(
                storage_size=lambda: storage.bytes,
                storage_limit=lambda: storage.limit,
                storage_damaged=lambda: storage.damaged_bytes,
            )

    def start(self) -> None:
        """Receive, decide and export from now on. Raises StartError where an endpoint cannot be listened on.

        Also where a processor of the user's own cannot start. Ports come first, so that nothing else has begun where one is taken.
        """
        try:
            self.endpoint = self._receiver.listen()
            self._listen_http()
            self._start_stages()
        except (PortError, StartError) as error:
            self._receiver.stop(0)
            self._http.stop()
            raise StartError(str(error)) from None
        if self._witness is not None:
            self._pipeline.show(*self._witness.shares())
        self._receiver.start()
        self._http.start()
        self._exporter.start()
        if self._logs is not None:
            self._logs.logs.start()
        for push in self._pushes:
            push.start()
        self._ticker.start()
        if self._durable is not None:
            self._durable.start()

    def _start_stages(self) -> None:
        try:
            self._stages.start()
        except OwnProcessorError as error:
            self._stages.stop(lambda: 0.0)
            raise StartError(str(error)) from None

    def _listen_http(self) -> None:
        if self._page is not None:
            self._listen_page(self._page)
        for endpoint in self._metrics.endpoints:
            routes = [
                *health_routes(self._admission.obstacle, self._rules_are_current),
                *metrics_routes(self._metrics_source),
            ]
            try:
                self._http.listen(endpoint.host, endpoint.port, routes)
            except OSError as error:
                raise StartError(
                    f"service.telemetry.metrics.readers: cannot listen on {endpoint.host}:{endpoint.port}: {error.strerror}; "
                    "name another port, or take the reader out"
                ) from None

    def _listen_page(self, page: Page) -> None:
        from milvus_otel_processor.page.page import PageError  # noqa: PLC0415 - as above

        try:
            page.listen(self._http)
        except PageError as error:
            raise StartError(str(error)) from None

    @property
    def page_url(self) -> str:
        """Where the page is, once started; empty where there is none."""
        return self._page.url if self._page is not None else ""

    @property
    def requests(self) -> Windows | None:
        """All requests of the last hour, where they are counted and there is a page to show them."""
        return self._witness.requests if self._witness is not None and self._witness.requests.watches else None

    def replace_rules(self, sampling: TailSamplingSettings) -> None:
        """Decide by other rules from now on, the traces that wait as well; for a service that has rules."""
        self._assembled.replace_rules(sampling)
        self._sampling = sampling
        if self._witness is not None:
            self._witness.decided.replace_rules(sampling)
        self._tell_rules(sampling)

    def _rules_are_current(self) -> bool:
        return self.telemetry.last_reload_successful != 0

    def replace_headers(self, headers: Mapping[str, str]) -> None:
        """Send these headers with each request to the exporter's peer from now on."""
        self._exporter.replace_headers(headers)

    def renew(self) -> list[str]:
        """Read certificates, keys and token files again; return the settings that name those which have changed."""
        return self._credentials.renew()

    def _followed(self, shown: BearerToken | None, enrichment: Enrichment | None) -> list[Followed]:
        followed = [
            Followed("receivers.otlp.protocols.grpc.tls", self._receiver.renew),
            Followed("exporters.otlp.tls", self._exporter.renew),
        ]
        if enrichment is not None:
            followed.append(Followed("processors.milvus.tls", enrichment.renew))
        tokens = [token for token in (shown, self._own_token) if token is not None]
        if self._logs is not None:
            followed += self._logs.followed
        return followed + [Followed("extensions.bearertokenauth.filename", token.renew) for token in tokens]

    def reloaded(self, problems: Sequence[Problem] = ()) -> None:
        """Say in metrics, and to whoever asks, what is wrong with the rules that were read last; nothing if they are in force."""
        self.telemetry.last_reload_successful = int(not problems)
        self.telemetry.reload_problems = tuple(str(problem)[:_LONGEST_PROBLEM] for problem in problems[:_MOST_PROBLEMS])
        if not problems:
            self.telemetry.last_reload = time_ns() / _NANOSECONDS

    def _tell_rules(self, sampling: TailSamplingSettings | None) -> None:
        if sampling is not None:
            self.telemetry.rules_hash = fingerprint(sampling)
            self.telemetry.policies = {
                policy.name: (Decision.DROPPED if isinstance(policy, DropPolicy) else Decision.SAMPLED).value
                for policy in sampling.policies
                if policy.mode != SHADOW
            }

    def _decision_memory(self) -> int:
        return (
            decision_memory(self.telemetry.decisions, self._sampling.decision_cache)
            if self._sampling is not None
            else 0
        )

    @property
    def _drops_pending(self) -> bool:
        return self._sampling is not None and self._sampling.drop_pending_traces_on_shutdown

    def stop(self, grace_seconds: float) -> None:
        """Stop receiving, decide what waits, send what is kept; within `grace_seconds`, or what is left is lost if not on disk."""
        deadline = monotonic() + grace_seconds
        self._receiver.stop(grace_seconds * _RECEIVER_SHARE)
        self._stopping.set()
        if self._durable is not None:
            self._durable.stop(1.0)
        self._ticker.join(max(0.0, deadline - monotonic()))
        if not self._drops_pending:
            last_turn = deadline - grace_seconds * _EXPORTER_SHARE
            self._pipeline.drain(lambda: last_turn - monotonic())
        if self._durable is None or self._drops_pending:
            self._pipeline.discard()
        stopping_logs = self._stop_logs(deadline - _LAST_RECORDS - monotonic())
        self._exporter.stop(max(0.0, deadline - monotonic()))
        stopping_logs.join(max(0.0, deadline - monotonic()) + _LAST_RECORDS)
        if self._durable is not None:
            self._durable.settle()
        self._stages.stop(lambda: deadline - monotonic())
        for push in self._pushes:
            push.stop(max(_LAST_PUSH, deadline - monotonic()))
        self._http.stop()
        if self._durable is not None:
            self._durable.close()  # behind the last readers of metrics: what they are shown is noted there

    def _services(self, access_log: AccessLog | None) -> dict[str, Callable[[bytes], bytes]]:
        ingest, witness = self._durable.ingest if self._durable is not None else self._pipeline.ingest, self._witness
        services = {TRACE_SERVICE: traces(witness.traces(ingest) if witness is not None else ingest)}
        if self._logs is not None:
            services[LOGS_SERVICE] = logs(self._logs.logs.ingest)
        elif access_log is not None:
            services[LOGS_SERVICE] = logs(self._lines_of(access_log))
        return services

    def _lines_of(self, access_log: AccessLog) -> Callable[[bytes], object]:
        return self._witness.logs(access_log.ingest) if self._witness is not None else access_log.ingest

    def _make_logs(
        self, config: Configuration, access_log: AccessLog | None, clock: Callable[[], float]
    ) -> LogsOfService | None:
        if config.logs is None:
            return None
        lines = self._lines_of(access_log) if access_log is not None else None
        return LogsOfService(config.logs, self._store, self.telemetry, clock, lines)

    def _stop_logs(self, grace: float) -> Thread:
        """Stop the pipeline for logs, whose traces are decided, while others stop: neither peer may take the other's time."""
        stop = self._logs.logs.stop if self._logs is not None else float
        thread = Thread(target=stop, args=(max(0.0, grace),), name="logs-stop", daemon=True)
        thread.start()
        return thread

    def _assemble(self, config: Configuration, clock: Clock) -> Assembled:
        try:
            return assemble(
                config,
                exporter=self._exporter,
                telemetry=self.telemetry,
                clock=clock,
                wait_for_room=self._exporter.wait_for_room,
                store_kind=config.store,
                counts_votes=config.metrics.counts_votes,
                witness=self._witness.decided if self._witness is not None else None,
            )
        except (OwnProcessorError, SourceError, StoreError) as error:
            raise StartError(str(error)) from None
        except CertificateError as error:
            raise StartError(f"processors.milvus.tls: {error}") from None

    def _tick(self) -> None:
        while not self._stopping.wait(self._store.tick):
            try:
                self._pipeline.tick()
                self._relieve()
                if self._witness is not None and self._witness.tick():
                    self._pipeline.show(*self._witness.shares())
            except Exception:  # noqa: BLE001 - see below
                # A fault in one decision must not end all later ones.
                _log.exception("deciding failed, going on with the next traces")

    def _relieve(self) -> None:
        """Decide the oldest traces early where senders are refused for memory, and waiting on would not give any back."""
        if self._witness is not None and self._limiter.used > self._limiter.budget * _TIGHT:
            self._pipeline.undisturbed(self._witness.give_way)
        patience = min(self._store.wait, _LONGEST_PATIENCE) + _PATIENCE
        if self._admission.seconds_refusing() > patience:
            self._pipeline.decide_oldest(lambda: self._limiter.used > self._limiter.budget * _RELIEVED)
