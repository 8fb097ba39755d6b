"""Running a real part as a child process: log in a file, ready when it says so, gone at the end."""

import os
import secrets
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from tests.peers.waiting import wait_until

GRACE = 30.0
"""Seconds that a part has to stop by itself after SIGTERM, before it is killed."""


PORTS = range(10_000, 32_000)
"""Below those that the kernel hands out by itself, to whoever asks in the meantime."""


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nothing listens on now, and that no other call, here or in another worker, is likely to get."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Part:
    """A child process and the file that holds what it printed."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.name = Path(command[0]).name
        self.log = log
        with log.open("ab") as sink:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )

    def output(self) -> str:
        """All that the process printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_until_ready(self, health_url: str, deadline: float = 60.0) -> None:
        """Return when `health_url` answers 200; raise with the log's end if the process dies or time runs out."""

        def probe() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} exited with {self.process.returncode}:\n{self.output()[-4000:]}")
            return answers(health_url)

        try:
            wait_until(probe, f"{self.name} to answer on {health_url}", deadline)
        except TimeoutError as error:
            error.add_note(self.output()[-4000:])
            raise

    def stop(self, grace: float = GRACE) -> None:
        """SIGTERM, and SIGKILL after `grace` seconds; nothing if it is stopped already."""
        self.process.terminate()
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def running(
    command: Sequence[str], log: Path, health_url: str, environment: Mapping[str, str] | None = None
) -> Iterator[Part]:
    """Start `command`, wait until `health_url` answers, stop it at the end."""
    part = Part(command, log, environment)
    try:
        part.wait_until_ready(health_url)
        yield part
    finally:
        part.stop()


def answers(url: str) -> bool:
    """Whether an HTTP GET of `url` gets the answer 200 within a second."""
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return bool(response.status == HTTPStatus.OK)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
