"""`milvus-otel run`: the processor, until a signal ends it."""

from __future__ import annotations

import logging
import os
from functools import partial
from threading import Event, Thread, Timer
from time import time
from typing import TYPE_CHECKING, NoReturn

import click

from milvus_otel_processor.cli.options import config_options, load_for_start_or_exit
from milvus_otel_processor.config import last_good, load_config
from milvus_otel_processor.memory.allocator import tune_allocator
from milvus_otel_processor.service.garbage import tune_garbage_collection
from milvus_otel_processor.service.making import StartError
from milvus_otel_processor.service.reload import Reloader, WatchedFiles
from milvus_otel_processor.service.service import Service
from milvus_otel_processor.service.signals import Signals
from milvus_otel_processor.spans.stores import chosen
from milvus_otel_processor.telemetry.log import flush_log, log_to_stderr
from milvus_otel_processor.telemetry.native_lines import take_over_stderr

if TYPE_CHECKING:
    from pathlib import Path

    from milvus_otel_processor.config import Config
    from milvus_otel_processor.telemetry.counters import Snapshot

_LAST_SECONDS = 1.5
"""Beyond `service.shutdown_timeout`, after which the program ends, whatever still holds it."""

logger = logging.getLogger("milvus_otel_processor")


@click.command("run")
@config_options
def command(path: Path | None, overrides: tuple[str, ...]) -> None:
    r"""Receive OTLP traces, enrich them, keep whole traces by rules, and export what is kept.

    SIGTERM and SIGINT stop receiving, decide what waits, send it, and end with status 0, within service.shutdown_timeout.
    More of them change nothing, but Ctrl-C two seconds after the first ends it at once.

    A file of the configuration that changes is read again, and on SIGHUP all of them are: its rules take effect, the rest
    needs a restart. A broken one changes nothing.

    \b
    Examples:
      milvus-otel run
      milvus-otel run --config processor.yaml
      milvus-otel run --config processor.yaml --set exporters.otlp.endpoint=jaeger:4317
    """
    files = WatchedFiles()
    loaded, broken = load_for_start_or_exit(path, overrides, files.note)
    copy = last_good.of(loaded)
    asked = Event()
    # Before any thread is started, that of the log included: they inherit that these signals are not for them.
    signals = Signals(on_hangup=asked.set, on_impatience=_ended_at_once)
    logs = loaded.config.service.telemetry.logs
    log_to_stderr(logs.level, logs.encoding)
    for warning in (*loaded.warnings, *loaded.problems_with_files(time())[1]):
        logger.warning("%s", warning)
    tune_allocator()
    try:
        service = Service(loaded.config, source=path)
        take_over_stderr(service.telemetry.handshake_failed)
        if broken is not None:
            service.reloaded(broken.problems)  # before anybody can ask for its health
        service.start()
    except StartError as error:
        logger.error("cannot start: %s", error)  # noqa: TRY400 - the message says it, a traceback would not help a user
        _end(1)
    tune_garbage_collection()
    if copy is not None and broken is not None:
        for problem in broken.problems:
            logger.error("the rules are broken, started with their last good copy: %s", problem)
        logger.warning(
            "the last good copy of the rules is in force", extra={"file": copy.file, "written": copy.written()}
        )
    elif copy is not None:
        copy.save(loaded)
    _log_start(service.endpoint, path, loaded.config)
    load = partial(load_config, path, overrides=overrides, environ=os.environ, on_read=files.note)
    reloader = Reloader(
        loaded.config,
        files,
        load,
        service.replace_rules,
        service.reloaded,
        replace_headers=service.replace_headers,
        renew=service.renew,
        on_loaded=copy.save if copy is not None else lambda _: None,
    )
    Thread(target=reloader.run, args=[asked], name="reload", daemon=True).start()
    signals.wait()
    _stop(service, loaded.config.service.shutdown_timeout)


def _log_start(endpoint: str, path: Path | None, config: Config) -> None:
    rules = [policy.name for policy in config.tail_sampling.policies] if config.tail_sampling else ["keep everything"]
    values = {
        "config": path or "built-in",
        "receives": endpoint,
        "exports": config.exporter.endpoint,
        **({"exports_logs": config.logs.exporter.endpoint} if config.logs is not None else {}),
        "milvus": config.milvus.uri if config.milvus else "not in the pipeline",
        "store": chosen(config.store),
        "rules": rules,
    }
    logger.info("started", extra=values)


def _stop(service: Service, grace_seconds: float) -> None:
    # The guard comes first: whatever is slow or stuck, the log for one, the program ends in time.
    guard = Timer(grace_seconds + _LAST_SECONDS, _out_of_time, [service])
    guard.daemon = True
    guard.start()
    logger.info("stopping: deciding what waits, and sending it", extra=_waiting(service.telemetry.snapshot()))
    service.stop(grace_seconds)
    snapshot = service.telemetry.snapshot()
    lost = {f"lost_{reason}": spans for reason, spans in snapshot.lost_spans.items() if spans}
    logger.info(
        "stopped",
        extra={
            "received_spans": snapshot.received_spans,
            "exported_spans": snapshot.exported_spans,
            **lost,
            **_of_logs(snapshot),
        },
    )
    _end(0)


def _of_logs(snapshot: Snapshot) -> dict[str, int]:
    """Return what is to be said of log records; nothing where none came."""
    logs = snapshot.logs
    lost = {f"lost_log_records_{reason}": records for reason, records in logs.lost.items() if records}
    return {"received_log_records": logs.received, "exported_log_records": logs.sent, **lost} if logs.received else {}


def _end(status: int) -> NoReturn:
    """End the program now: Python's own way waits for threads, gRPC's and pymilvus' among them, that may never end."""
    flush_log()
    os._exit(status)


def _waiting(snapshot: Snapshot) -> dict[str, int]:
    return {"waiting_spans": snapshot.waiting_spans, "queued_spans": snapshot.queued_spans}


def _out_of_time(service: Service) -> None:
    logger.error("not stopped in time, what waits is lost", extra=_waiting(service.telemetry.snapshot()))
    _end(1)


def _ended_at_once() -> None:
    logger.warning("interrupted again: stopped at once, what waits is lost", extra={"signal": "SIGINT"})
    flush_log()
