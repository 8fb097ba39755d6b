"""Real servers, stopped as their launchers stop them: the spans of their workers are sent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from client.tests.fake_milvus import FakeMilvus
from client.tests.processes import SECONDS, environment, operations
from tests.client_e2e.traces import Receiver
from tests.peers.process import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SERVED = Path(__file__).parent


@pytest.fixture
def milvus() -> Iterator[FakeMilvus]:
    with FakeMilvus() as milvus:
        yield milvus


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@contextmanager
def _running(command: list[str], variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", *command],
        env=variables,
        cwd=_SERVED,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)  # its workers too
        error.add_note(process.communicate(timeout=SECONDS)[0])
        raise


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {SECONDS} s in vain"
        time.sleep(0.1)


def _stopped(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> str:
    process.send_signal(number)
    return process.communicate(timeout=SECONDS)[0]


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=SECONDS) as answer:
            found: bytes = answer.read()
            return found == b"2"
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.mark.parametrize(
    "command",
    [
        "gunicorn --workers 1 --bind 127.0.0.1:{port} web:wsgi",
        "gunicorn --workers 1 --threads 2 --preload --bind 127.0.0.1:{port} web:wsgi",
        "gunicorn --workers 1 --worker-class uvicorn_worker.UvicornWorker --bind 127.0.0.1:{port} web:asgi",
        "uvicorn --port {port} web:asgi",
        "uvicorn --port {port} --workers 2 web:asgi",
    ],
)
def test_a_server_that_is_told_to_stop_sends_the_spans_of_its_workers(
    milvus: FakeMilvus, receiver: Receiver, command: str
) -> None:
    port = free_port()
    with _running(command.format(port=port).split(), environment(milvus, receiver)) as process:
        _until(lambda: _answers(port))
        output = _stopped(process)
    assert operations(receiver) == ["connect", "search c"], output
    assert "lost" not in output
    assert "Traceback" not in output


@pytest.mark.parametrize("pool", ["prefork --concurrency 1", "prefork --concurrency 1 --max-tasks-per-child 1", "solo"])
def test_a_worker_of_celery_that_is_told_to_stop_sends_the_spans_of_its_tasks(
    milvus: FakeMilvus, receiver: Receiver, tmp_path: Path, pool: str
) -> None:
    variables = environment(milvus, receiver, BROKER_FOLDER=str(tmp_path))
    milvus.metadata.clear()
    send = "from tasks import search; search.delay()"
    subprocess.run([sys.executable, "-W", "ignore", "-c", send], env=variables, cwd=_SERVED, check=True)
    command = f"celery --quiet --app tasks worker --without-gossip --without-mingle --without-heartbeat --pool {pool}"
    with _running(command.split(), variables) as process:
        _until(lambda: bool(milvus.metadata_of("Search")))
        output = _stopped(process)
    assert operations(receiver) == ["connect", "search c"], output
    assert "lost" not in output
