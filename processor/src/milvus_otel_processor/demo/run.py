"""The demo: a real Milvus and two applications send their traces to the processor, and what it keeps is shown."""

from __future__ import annotations

import logging
import os
import socket
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from milvus_otel_processor.config import load_config
from milvus_otel_processor.demo import wheel
from milvus_otel_processor.demo.access_log import forwarded
from milvus_otel_processor.demo.application import run_application
from milvus_otel_processor.demo.errors import DemoError
from milvus_otel_processor.demo.milvus import EmbeddedMilvus, MilvusSettings
from milvus_otel_processor.demo.report import Applications, Outcome, show
from milvus_otel_processor.demo.serve import serve_until_interrupted
from milvus_otel_processor.demo.sink import Sink
from milvus_otel_processor.demo.steps import step
from milvus_otel_processor.enrichment import catalogue
from milvus_otel_processor.requests.windows import MINUTES
from milvus_otel_processor.service.making import StartError
from milvus_otel_processor.service.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rich.console import Console

    from milvus_otel_processor.config import Config
    from milvus_otel_processor.demo.dataset import Progress

DECISION_WAIT_SECONDS = 7
"""Shorter than the built-in 10 s, and longer than the 5 s after which Milvus' C++ core sends its spans."""
_EXPORT_DELAY = {"OTEL_BSP_SCHEDULE_DELAY": "500"}
"""Milliseconds after which the application and the Go part of Milvus send their spans; 5 s would be the default."""
_CATALOGUE_SECONDS = 5
"""So that collections which are a few seconds old are not told of as empty; the built-in interval is a minute."""
_MARGIN_SECONDS = 1.0
_STOP_SECONDS = 5.0
_OTLP_PORT, _MILVUS_PORT, _METRICS_PORT = 14317, 19530, 18888


def run_demo(console: Console, *, export: str | None = None, serve: bool = False) -> Outcome:
    """Run the demo, print what it does and what came out, and return what came out.

    `export` is a `host:port` that gets what is kept as well; with `serve` all keeps running until a KeyboardInterrupt.
    Raises DemoError where it cannot go on. Whatever ends it, no process and no temporary folder is left.
    """
    milvus_port, metrics_port = _port(_MILVUS_PORT), _port(_METRICS_PORT)
    with (
        Sink(export) as sink,
        _quiet_catalogue() as milvus_is_up,
        _processor(_config(sink.endpoint, milvus_port, metrics_port)) as service,
    ):
        settings = MilvusSettings(otlp_endpoint=service.endpoint, proxy_port=milvus_port, environ=_EXPORT_DELAY)
        with _started(settings, console) as milvus:
            milvus_is_up()
            with forwarded(milvus.access_log, service.endpoint):
                applications = _applications(milvus, service.endpoint, console)
                _wait_for_decisions(service, console)
                if serve:
                    show(_outcome(service, sink, applications), console)
                    places = {
                        "Milvus": milvus.uri,
                        "OTLP endpoint": f"http://{service.endpoint}",
                        "page": f"http://127.0.0.1:{metrics_port}",
                        "metrics": f"http://127.0.0.1:{metrics_port}/metrics",
                        **({"kept traces also to": export} if export else {}),
                    }
                    serve_until_interrupted(console, sink, milvus, places)
            service.stop(grace_seconds=_STOP_SECONDS)  # before Milvus, which it asks about collections
        outcome = _outcome(service, sink, applications)
        show(outcome, console)
    return outcome


def _outcome(service: Service, sink: Sink, applications: Applications) -> Outcome:
    return Outcome(
        service.telemetry.snapshot(),
        sink.traces(),
        applications,
        service.requests.over(MINUTES[-1]) if service.requests is not None else None,
        sink.not_forwarded,
        sink.forwarded,
    )


def _config(sink: str, milvus_port: int, metrics_port: int) -> Config:
    """Return the built-in configuration with the demo's addresses and its shorter times."""
    reader = f"{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {metrics_port}}}}}}}}}"
    overrides = [
        f"receivers.otlp.protocols.grpc.endpoint=127.0.0.1:{_port(_OTLP_PORT)}",
        f"exporters.otlp.endpoint={sink}",
        f"processors.milvus.uri=http://127.0.0.1:{milvus_port}",
        f"processors.milvus.catalogue.interval={_CATALOGUE_SECONDS}s",
        f"processors.tail_sampling.decision_wait={DECISION_WAIT_SECONDS}s",
        f"service.telemetry.metrics.readers=[{reader}]",
        f"service.telemetry.page={{endpoint: '127.0.0.1:{metrics_port}'}}",
    ]
    return load_config(None, overrides=overrides, environ=os.environ).config


@contextmanager
def _processor(config: Config) -> Iterator[Service]:
    service = Service(config)
    try:
        service.start()
    except StartError as error:
        raise DemoError(str(error)) from None
    try:
        yield service
    except BaseException:
        service.stop(grace_seconds=0)
        raise


@contextmanager
def _started(settings: MilvusSettings, console: Console) -> Iterator[EmbeddedMilvus]:
    with ExitStack() as stack:
        with step(f"Milvus {wheel.WHEEL_VERSION} starts", console) as update:
            milvus = stack.enter_context(EmbeddedMilvus(settings))
            update(f"Milvus {wheel.WHEEL_VERSION} is up")
        yield milvus


@contextmanager
def _quiet_catalogue() -> Iterator[Callable[[], None]]:
    """Keep the catalogue from warning that there is no Milvus: the processor is up first, to take its spans.

    The function it gives ends that.
    """
    logger = logging.getLogger(catalogue.__name__)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield lambda: logger.setLevel(before)
    finally:
        logger.setLevel(before)


def _applications(milvus: EmbeddedMilvus, endpoint: str, console: Console) -> Applications:
    # One after the other: the second searches what the first has made.
    return Applications(
        _application("An application with our client", "workload", (milvus.uri, endpoint), milvus.folder, console),
        _application("Another with plain pymilvus", "plain_workload", (milvus.uri,), milvus.folder, console),
    )


def _application(what: str, module: str, arguments: tuple[str, ...], folder: Path, console: Console) -> Progress:
    with step(f"{what} starts", console) as update:

        def on_progress(progress: Progress) -> None:
            update(f"{what}: {progress.doing} ({progress.operations} calls so far)")

        done = run_application(module, arguments, folder, _EXPORT_DELAY, on_progress)
        update(f"{what} made {done.operations} calls, {done.failures} failed as planned")
    return done


def _wait_for_decisions(service: Service, console: Console) -> None:
    """Wait until the applications' last trace is decided: its decision wait, and a margin for its way here."""
    with step("The last traces are gathered", console) as update:
        end = time.monotonic() + DECISION_WAIT_SECONDS + _MARGIN_SECONDS
        while (left := end - time.monotonic()) > 0:
            waiting = service.telemetry.snapshot().waiting_traces
            update(f"Each trace is gathered for {DECISION_WAIT_SECONDS} s: {waiting} waiting, {left:.0f} s to go")
            time.sleep(min(left, 0.2))
        update(f"Each trace was gathered for {DECISION_WAIT_SECONDS} s, then decided")


def _port(usual: int) -> int:
    """Return the usual port of 127.0.0.1 if it is free, else another that is."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", usual))
        except OSError:
            return wheel.free_ports(["free"])["free"]
    return usual
