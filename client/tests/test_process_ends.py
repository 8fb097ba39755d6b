"""Processes that fork, are forked, are told to stop: what waits in each is sent before it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from client.tests.processes import SEARCH, SECONDS, environment, operations, start, terminate
from tests.client_e2e.traces import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from client.tests.fake_milvus import FakeMilvus

_SETUP = "import milvus_otel_client; milvus_otel_client.setup()\n"
_CHILDREN = Path(__file__).with_name("children.py")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def _end_of(code: str, milvus: FakeMilvus, receiver: Receiver | None = None, **variables: str) -> tuple[int, str]:
    process = start(code, environment(milvus, receiver, **variables))
    out, err = process.communicate(timeout=SECONDS)
    return process.returncode, out + err


@pytest.mark.parametrize(
    ("way", "caller"),
    [
        ("fork", "parent"),
        ("fork", "child"),
        ("spawn", "child"),
        ("forkserver", "child"),
        ("executor-fork", "parent"),
        ("executor-forkserver", "initializer"),
        ("pool-fork", "parent"),
        ("pool-spawn", "initializer"),
        ("closed-pool-fork", "initializer"),
    ],
)
def test_a_child_of_multiprocessing_sends_its_spans(
    milvus: FakeMilvus, receiver: Receiver, way: str, caller: str
) -> None:
    done = start_children(way, caller, milvus, receiver)
    assert done == (0, "2")
    assert operations(receiver) == ["connect", "search c"]


def start_children(way: str, caller: str, milvus: FakeMilvus, receiver: Receiver) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", _CHILDREN, way, caller],
        env=environment(milvus, receiver),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def test_a_forked_child_sends_its_own_spans_and_its_parent_the_others(milvus: FakeMilvus, receiver: Receiver) -> None:
    code = f"""
import os, sys
{SEARCH}
from opentelemetry import trace
with trace.get_tracer("app").start_as_current_span("of the parent"):
    pass
child = os.fork()
with trace.get_tracer("app").start_as_current_span("of the child" if child == 0 else "of the parent, later"):
    pass
if child == 0:
    sys.exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert _end_of(_SETUP + code, milvus, receiver) == (0, "2\n")
    expected = ["connect", "of the child", "of the parent", "of the parent, later", "search c"]
    assert operations(receiver) == expected


def test_flush_sends_what_waits_where_no_end_can_be_caught(milvus: FakeMilvus, receiver: Receiver) -> None:
    code = "import os; assert milvus_otel_client.flush(); os._exit(3)"
    assert _end_of(_SETUP + SEARCH + code, milvus, receiver) == (3, "2\n")
    assert operations(receiver) == ["connect", "search c"]


def test_children_forked_while_their_parent_exports_can_export(milvus: FakeMilvus, receiver: Receiver) -> None:
    """gRPC is of no use in a child that is forked while another thread is in the midst of a call."""
    code = """
import multiprocessing, threading
from opentelemetry import trace
tracer = trace.get_tracer("app")
stop = threading.Event()
def export():
    while not stop.is_set():
        tracer.start_span("of the parent").end()
        trace.get_tracer_provider().force_flush()
def work():
    tracer.start_span("of a child").end()
threading.Thread(target=export).start()
children = [multiprocessing.get_context("fork").Process(target=work) for _ in range(12)]
for child in children:
    child.start()
for child in children:
    child.join()
stop.set()
"""
    status, output = _end_of(_SETUP + code, milvus, receiver)
    assert (status, [line for line in output.splitlines() if "lost" in line]) == (0, [])
    assert operations(receiver).count("of a child") == 12


@pytest.mark.parametrize(
    "waits",
    ["os.kill(os.getpid(), signal.SIGTERM)", "signal.pause()", "threading.Event().wait()"],
    ids=["itself", "sleeps", "waits"],
)
def test_sigterm_is_what_a_script_ends_by_once_its_spans_are_sent(
    milvus: FakeMilvus, receiver: Receiver, waits: str
) -> None:
    code = f"import os, signal, threading\n{SEARCH}{waits}"
    process = start(_SETUP + code, environment(milvus, receiver))
    assert process.stdout is not None
    assert process.stdout.readline() == "2\n"
    for _ in range(3):  # a launcher that repeats itself does not cut it short
        process.terminate()
    terminate(process)
    assert process.communicate(timeout=SECONDS) == ("", "")
    assert process.returncode == -signal.SIGTERM
    assert operations(receiver) == ["connect", "search c"]


def test_sigterm_is_left_alone_where_that_is_asked_for(milvus: FakeMilvus, receiver: Receiver) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    variables = {"OTEL_PYTHON_MILVUS_FLUSH_ON_SIGTERM": "false"}
    assert _end_of(_SETUP + SEARCH + code, milvus, receiver, **variables) == (-signal.SIGTERM, "2\n")
    assert not operations(receiver)


_HANDLED = """
import os, signal
def handle(number, frame):
    if callable(before):
        before(number, frame)
    print("handled", before is signal.SIG_DFL)
{order}
os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.parametrize(
    ("order", "output"),
    [
        (f"before = signal.signal(signal.SIGTERM, handle)\n{_SETUP}{SEARCH}", "2\nhandled True\n"),
        (f"{_SETUP}{SEARCH}before = signal.signal(signal.SIGTERM, handle)\n", "2\nhandled False\n"),
    ],
    ids=["set before", "set later, calling the one before"],
)
def test_a_handler_of_the_application_for_sigterm_stays_in_charge(
    milvus: FakeMilvus, receiver: Receiver, order: str, output: str
) -> None:
    assert _end_of(_HANDLED.replace("{order}", order), milvus, receiver) == (0, output)
    assert operations(receiver) == ["connect", "search c"]
