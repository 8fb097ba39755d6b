"""The processor as a program that is killed and started again."""

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import grpc

from tests.peers.otlp_sink import METHOD
from tests.peers.process import free_port
from tests.peers.waiting import wait_until

STARTS_WITHIN = 180.0
"""Seconds; on a machine with much else to do a start alone takes 20."""


class Program:
    """`milvus-otel run` that keeps every trace, with what is on disk in `storage`; started again and again on one port.

    `prelude` is Python that runs before it.
    """

    def __init__(self, folder: Path, peer: str, *, storage: bool = True, prelude: str = "", **settings: str) -> None:
        self.endpoint = f"127.0.0.1:{free_port()}"
        self.log = folder / "processor.log"
        self.storage = folder / "storage"
        values = {
            "receivers.otlp.protocols.grpc.endpoint": self.endpoint,
            "exporters.otlp.endpoint": peer,
            "exporters.otlp.retry_on_failure.initial_interval": "100ms",
            "exporters.otlp.retry_on_failure.max_interval": "500ms",
            "processors.tail_sampling.decision_wait": "1s",
            "processors.tail_sampling.policies": "[{name: all, type: always_sample}]",
            "service.pipelines.traces.processors": "[tail_sampling]",
            "service.telemetry.metrics.level": "none",
        }
        if storage:
            values |= {
                "extensions.file_storage.directory": str(self.storage),
                "service.extensions": "[file_storage]",
                "processors.tail_sampling.tail_storage": "file_storage",
            }
        values |= {key.replace("__", "."): value for key, value in settings.items()}
        self._arguments = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
        self._code = f"{prelude}\nfrom milvus_otel_processor.cli import main; main()"
        self.process: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Leave no process behind, whatever happened, and say what it said if that was not well."""
        if kind is not None:
            print(f"processor lives: {self.lives()}; its log ends with\n{self.output()[-5000:]}")  # noqa: T201
        if self.lives():
            self.signal(signal.SIGCONT)
            self.kill()

    def start(self, before: Callable[[], None] | None = None) -> None:
        """Start it; `before` is called in the child first."""
        self._started = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", self._code, "run", *self._arguments],
                stderr=log,
                preexec_fn=before,  # noqa: PLW1509 - it only writes to a file
            )

    def wait_until_up(self) -> float:
        """Return when it takes requests, and how many seconds after its start that is."""
        wait_for_port(self.endpoint, STARTS_WITHIN, self.lives)
        return time.monotonic() - self._started

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def resident_mib(self) -> int:
        """The memory that it takes now."""
        assert self.process is not None
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize() >> 20

    def signal(self, which: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(which)

    def wait(self, timeout: float = 60.0) -> int:
        assert self.process is not None
        return self.process.wait(timeout)

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


def wait_for_port(endpoint: str, deadline: float = 60.0, lives: Callable[[], bool] = lambda: True) -> None:
    """Return when requests are taken at the endpoint. Raises RuntimeError where the program that is to take them lives no more."""
    with grpc.insecure_channel(endpoint, [("grpc.max_reconnect_backoff_ms", 200)]) as channel:
        export = channel.unary_unary(METHOD)

        def taken() -> bool:
            if not lives():
                raise RuntimeError(f"the program that was to listen on {endpoint} has ended")
            try:
                export(b"", timeout=5.0)
            except grpc.RpcError:
                return False
            return True

        wait_until(taken, f"{endpoint} to take requests", deadline)
