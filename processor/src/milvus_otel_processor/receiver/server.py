"""The OTLP/gRPC receiver: requests come in as bytes and go to the pipeline as they are."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from milvus_otel_processor.receiver.exports import Exports
from milvus_otel_processor.receiver.options import server_options
from milvus_otel_processor.receiver.tls import ServerCertificates, TlsError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any

    from milvus_otel_processor.receiver.exports import Admission
    from milvus_otel_processor.receiver.settings import ReceiverSettings
    from milvus_otel_processor.telemetry.counters import Telemetry

    Take = Callable[[bytes], bytes]

ALIVE = "alive"
"""The name to ask the health service with for whether the program is alive, ready or not."""

RULES = "rules"
"""Likewise for whether the rules that were saved last are in force."""

_THREADS = 4  # a request is handled under one lock; more threads would only wait for it
_SECONDS_BETWEEN_LOOKS = 0.25  # at whether it is ready, and at how much memory there is

_log = logging.getLogger(__name__)


class PortError(Exception):
    """The endpoint cannot be listened on; the message says which, and what can be done."""


class Receiver:
    """Serves Export of each service in `services`, given what takes its requests, and the standard health service.

    An event loop in a thread of its own reads requests and answers health checks, whatever the decisions are busy with, and
    however many clients announce requests and send nothing. What has arrived whole is taken in by a few other threads.
    `ready` tells whether requests would be taken now, `rules_are_current` whether the rules that were saved last are in force.
    """

    def __init__(
        self,
        settings: ReceiverSettings,
        services: Mapping[str, Take],
        telemetry: Telemetry,
        *,
        admission: Admission,
        ready: Callable[[], bool] = lambda: True,
        rules_are_current: Callable[[], bool] = lambda: True,
    ) -> None:
        self._settings = settings.protocols.grpc
        self._services = services
        self._ready = ready
        self._rules_are_current = rules_are_current
        self._workers = ThreadPoolExecutor(_THREADS, thread_name_prefix="receiver")
        self._exports = Exports(self._settings, telemetry, admission, self._workers)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name="receiver", daemon=True)
        self._certificates: ServerCertificates | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._endpoint = ""

    def listen(self) -> str:
        """Have the port, serve nothing yet, and return the endpoint with the port that was bound.

        Raises PortError where that is impossible, and where a file of the TLS settings is not what it should be.
        """
        self._thread.start()
        try:
            self._endpoint = self._in_loop(self._listen())
        except BaseException:
            self._end_loop()
            raise
        return self._endpoint

    def start(self) -> str:
        """Serve from now on, and return the endpoint; listens first, if it does not yet (see `listen`)."""
        endpoint = self._endpoint or self.listen()
        self._in_loop(self._serve())
        return endpoint

    def renew(self) -> bool:
        """Read the certificates again; tell whether they have changed."""
        return self._certificates is not None and self._certificates.renew()

    def stop(self, grace: float) -> None:
        """Take no new requests, and wait up to `grace` seconds for those under way; does nothing where it does not listen."""
        if self._endpoint:
            self._endpoint = ""
            self._in_loop(self._stop(grace))
            self._workers.shutdown(wait=False)
            self._end_loop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _in_loop(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)
        if not self._thread.is_alive():
            self._loop.close()

    async def _listen(self) -> str:
        self._server = grpc.aio.server(options=server_options(self._settings))
        for service, take in self._services.items():
            handlers = {"Export": self._exports.handler(take)}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        host, _, port = self._settings.endpoint.rpartition(":")
        try:
            bound = self._bind()
        except TlsError as error:
            await self._discard_server()
            raise PortError(f"receivers.otlp.protocols.grpc.tls.{error}") from None
        except RuntimeError:
            bound = 0
        if not bound:
            await self._discard_server()
            raise PortError(
                f"receivers.otlp.protocols.grpc.endpoint: cannot listen on {self._settings.endpoint}: the port is taken, or the "
                f"address is not this machine's; stop what listens on port {port}, or name another endpoint"
            )
        return f"{host}:{bound}"

    async def _serve(self) -> None:
        await self._server.start()
        await self._health.set(ALIVE, health_pb2.HealthCheckResponse.SERVING)
        await self._tell_health()
        self._watcher = self._loop.create_task(self._watch())

    def _bind(self) -> int:
        if self._settings.tls is None:
            return int(self._server.add_insecure_port(self._settings.endpoint))
        self._certificates = ServerCertificates(self._settings.tls)
        return int(self._server.add_secure_port(self._settings.endpoint, self._certificates.credentials()))

    async def _discard_server(self) -> None:
        # A server of grpc.aio that was never started is not shut down by `stop` alone, and crashes the program when it is freed.
        await self._server.start()
        await self._server.stop(None)

    async def _stop(self, grace: float) -> None:
        if self._watcher is None:
            await self._discard_server()
            return
        self._watcher.cancel()
        await self._health.enter_graceful_shutdown()
        self._exports.close()
        await self._server.stop(grace)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            try:
                self._exports.keep_memory()
                await self._tell_health()
            except Exception:  # noqa: BLE001 - one failure must not end all later looks
                _log.exception("looking after the receiver failed, going on")

    async def _tell_health(self) -> None:
        status = health_pb2.HealthCheckResponse
        # First, because whoever hears that requests are taken asks for this next.
        await self._health.set(RULES, status.SERVING if self._rules_are_current() else status.NOT_SERVING)
        now = status.SERVING if self._ready() else status.NOT_SERVING
        for service in ("", *self._services):
            await self._health.set(service, now)
