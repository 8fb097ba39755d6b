"""The demo against a real Milvus: joined, enriched, kept and dropped traces; and nothing left behind, however it ends."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.demo import plain_workload, wheel
from milvus_otel_processor.demo.dataset import COLLECTIONS, MISSING_COLLECTION
from milvus_otel_processor.demo.run import run_demo
from milvus_otel_processor.demo.sink import Forwarded, Sink
from milvus_otel_processor.demo.workload import FAILURES, SERVICE_NAME
from milvus_otel_processor.replay.kept_span import KeptSpan
from pymilvus import MilvusClient, MilvusException
from rich.console import Console

from tests.peers.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REQUEST = "milvus.proto.milvus.MilvusService/"
pytestmark = pytest.mark.usefixtures("real_milvus")
COMMAND = [sys.executable, "-c", "from milvus_otel_processor.cli import main; main()", "demo"]


class Run:
    """A demo in a process of its own, whose processes and temporary folders can be told from all others."""

    def __init__(self, folder: Path, *options: str, cache: Path | None = None) -> None:
        self._mark = f"DEMO_TEST={uuid.uuid4().hex}"
        self.folder = folder
        self.output = folder.with_suffix(".out")
        name, value = self._mark.split("=")
        environ = os.environ | {
            name: value,
            "TMPDIR": str(folder),
            "XDG_CACHE_HOME": str(cache or wheel.cache_folder().parent),
        }
        with self.output.open("w") as output:
            self.process = subprocess.Popen([*COMMAND, *options], env=environ, stdout=output, stderr=output)

    def printed(self, text: str) -> bool:
        assert self.process.poll() is None, self.output.read_text()
        return text in self.output.read_text()

    def processes(self) -> list[str]:
        return [" ".join(command) for _, command in self.marked()]

    def marked(self) -> Iterator[tuple[int, list[str]]]:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name), (folder / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue  # it has ended meanwhile

    def assert_nothing_is_left(self) -> None:
        wait_until(lambda: not self.processes(), "no process of the demo is left")
        assert list(self.folder.iterdir()) == []


@pytest.fixture
def demo(folder: Path) -> Iterator[Callable[..., Run]]:
    """Start demos that end with the test, whatever becomes of it."""
    runs: list[Run] = []

    def start(*options: str, cache: Path | None = None) -> Run:
        runs.append(Run(folder, *options, cache=cache))
        return runs[-1]

    yield start
    for run in runs:
        run.process.kill()
        run.process.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    return temporary


@pytest.fixture
def _usual_ports_are_taken() -> Iterator[None]:
    with ExitStack() as stack:
        for port in (14317, 18888, 19530):
            with suppress(OSError):  # taken by something else already
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
        yield


@pytest.mark.usefixtures("_usual_ports_are_taken")
def test_a_demo_joins_enriches_keeps_and_drops_traces(caplog: pytest.LogCaptureFixture) -> None:
    file = io.StringIO()
    with Sink() as jaeger:
        outcome = run_demo(Console(file=file, width=100), export=jaeger.endpoint)
        exported = jaeger.traces()
    assert_joined_and_enriched(outcome.traces)
    assert_kept_for_a_reason(outcome.traces)
    assert_known_by_the_access_log(plain_searches(outcome.traces))
    assert sorted(map(ids, exported)) == sorted(map(ids, outcome.traces))
    assert outcome.forwarded == Forwarded(jaeger.endpoint, len(exported), sum(map(len, exported)))
    assert f"Sent on to {jaeger.endpoint}: {len(exported):,} traces, " in file.getvalue()

    snapshot = outcome.snapshot
    decided = {policy or decision: amount.traces for (decision, policy), amount in snapshot.decisions.items()}
    assert decided["milvus-heartbeats"] >= 100
    assert decided["errors"] == outcome.failures == 2 * FAILURES + 1
    assert decided["slow"] >= len(COLLECTIONS)  # creating one takes Milvus 2 s and more
    assert decided["not_sampled"] > decided["one-in-ten"] > 0
    assert sum(amount.spans for amount in snapshot.decisions.values()) + sum(snapshot.late_spans.values()) == (
        snapshot.received_spans
    )
    assert (snapshot.lost_spans, snapshot.refused_spans, outcome.not_forwarded) == ({}, {}, 0)
    assert "One kept trace: search" in file.getvalue()
    assert "SegCoreSearch" in file.getvalue()

    # All requests are counted, and those that failed are the applications' own.
    assert outcome.requests is not None
    cells = outcome.requests.cells()
    assert sum(cell.requests for series, cell in cells.items() if series.error_type) == outcome.failures
    counted = sum(cell.requests for cell in cells.values())
    assert counted >= outcome.operations > sum(cell.kept for cell in cells.values())
    assert f"All requests, also those whose traces are not kept: {counted}, of which" in file.getvalue()

    # Only requests of kept traces, and failed ones, which are all kept, are enriched.
    requests = snapshot.enriched_requests
    # On a busy machine the slow search of the traced application may last longer than its trace is gathered: then its client's
    # span comes too late to tell, and the access log does.
    plain = len(plain_searches(outcome.traces))
    assert plain <= requests["access_log"] <= plain + decided["slow"]
    assert requests.keys() <= {"client", "access_log", "no_collection"}
    assert requests["client"] >= 2 * FAILURES
    assert snapshot.access_log_lines["received"] > outcome.operations
    assert snapshot.access_log_lines.keys() == {"received"}
    known = requests["access_log"] + requests["client"]
    assert f"Known for {known} of {known} requests (100%)." in file.getvalue()
    assert "One of plain pymilvus: MilvusService/Search" in file.getvalue()
    assert f"collection not found[database=default][collection={MISSING_COLLECTION}]" in file.getvalue()
    assert [record.getMessage() for record in caplog.records if record.name.startswith("milvus_otel_processor")] == []


def assert_joined_and_enriched(traces: list[list[KeptSpan]]) -> None:
    searches = [trace for trace in traces if is_search(trace)]
    assert searches
    assert any({span.service for span in trace} == {SERVICE_NAME, "standalone", "segcore"} for trace in searches)
    for trace in searches:
        by_id = {span.span_id: span for span in trace}
        assert len([span for span in trace if span.parent_id not in by_id]) == 1
        [server] = [span for span in trace if span.name == f"{REQUEST}Search" and span.kind == "server"]
        rpc = by_id[server.parent_id]
        assert rpc.service == SERVICE_NAME
        operation = by_id[rpc.parent_id]
        collection = operation.attributes["db.collection.name"]
        assert collection in COLLECTIONS
        assert {span.attributes.get("db.collection.name") for span in trace} == {collection}


def assert_kept_for_a_reason(traces: list[list[KeptSpan]]) -> None:
    policies = {"errors", "slow", "one-in-ten"}
    for trace in traces:
        assert {span.attributes.get("tailsampling.policy") for span in trace} <= policies
        names = {span.span_id: span.name for span in trace}
        roots = [span.name for span in trace if span.parent_id not in names]
        assert "milvus.proto.rootcoord.RootCoord/AllocTimestamp" not in roots


def plain_searches(traces: list[list[KeptSpan]]) -> list[list[KeptSpan]]:
    """The traces of searches by the application without our client: Milvus' own span has no parent."""
    return [trace for trace in traces if any(span.name == f"{REQUEST}Search" and not span.parent_id for span in trace)]


def assert_known_by_the_access_log(plain: list[list[KeptSpan]]) -> None:
    for trace in plain:
        assert {span.service for span in trace} <= {"standalone", "segcore"}
        for span in trace:
            assert span.attributes["milvus.enrichment"] == "access_log"
            assert span.attributes["db.namespace"] == "default"
            assert span.attributes["db.operation.name"] == "Search"
    # Not more of each than were searched, and of a hundred some: none at all happens once in 38,000 runs.
    kept = Counter(trace[0].attributes["db.collection.name"] for trace in plain)
    assert kept.pop(MISSING_COLLECTION) == 1
    assert kept.keys() <= COLLECTIONS.keys()
    assert 0 < max(kept.values()) <= plain_workload.SEARCHES
    [failed] = [trace for trace in plain if any(span.is_error for span in trace)]
    [server] = [span for span in failed if span.is_error]
    assert (server.name, server.attributes["db.collection.name"]) == (f"{REQUEST}Search", MISSING_COLLECTION)
    assert server.attributes["error.type"] == server.attributes["db.response.status_code"] == "100"
    assert {span.attributes["tailsampling.policy"] for span in failed} == {"errors"}


def is_search(trace: list[KeptSpan]) -> bool:
    searches = [span for span in trace if span.attributes.get("db.operation.name") == "search"]
    return bool(searches) and not any(span.is_error for span in trace)


def ids(trace: list[KeptSpan]) -> list[str]:
    return sorted(span.span_id for span in trace)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("", id="while_milvus_starts"),
        pytest.param("is up", id="while_the_first_application_runs"),
        pytest.param("with our client made", id="while_the_second_application_runs"),
        pytest.param("with plain pymilvus made", id="while_traces_are_gathered"),
    ],
)
def test_ctrl_c_leaves_no_process_and_no_folder(demo: Callable[..., Run], moment: str) -> None:
    run = demo()
    wait_until(lambda: any("milvus run standalone" in process for process in run.processes()), "Milvus is started")
    wait_until(lambda: run.printed(moment), f"the demo has printed {moment!r}", deadline=60)
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(30) == 130
    run.assert_nothing_is_left()
    assert "Traceback" not in run.output.read_text()


def test_ctrl_c_while_binaries_are_unpacked_leaves_no_half_of_them(demo: Callable[..., Run], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    run = demo(cache=cache)
    wait_until(lambda: list(cache.glob("**/milvus-*.partial/milvus")), "the server is being unpacked")
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(30) == 130
    run.assert_nothing_is_left()
    assert not list(cache.glob("**/milvus-*.partial"))


def test_while_the_demo_serves_any_client_is_known_by_the_access_log(demo: Callable[..., Run]) -> None:
    run = demo("--serve")
    wait_until(lambda: run.printed("What is kept of it:"), "the demo serves", deadline=90)
    [uri] = re.findall(r"^  Milvus +(http://\S+)$", run.output.read_text(), re.MULTILINE)
    client = MilvusClient(uri)
    with pytest.raises(MilvusException):
        client.search("not_there_either", [[0.0] * 4])
    client.close()

    def told() -> bool:
        kept = run.output.read_text().split("What is kept of it:")[1]
        return bool(re.search(r"^  MilvusService/Search \(.*kept by errors\)$", kept, re.MULTILINE))

    wait_until(told, "the failed search is told of", deadline=30)
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(30) == 130
    run.assert_nothing_is_left()
    assert "Traceback" not in run.output.read_text()


def test_a_milvus_that_ends_while_the_demo_serves_ends_the_demo(demo: Callable[..., Run]) -> None:
    run = demo("--serve")
    wait_until(lambda: run.printed("What is kept of it:"), "the demo serves", deadline=90)
    [server] = [pid for pid, command in run.marked() if command[1:] == ["run", "standalone", ""]]
    os.kill(server, signal.SIGKILL)
    assert run.process.wait(30) == 1
    assert "Milvus ended with status -9" in run.output.read_text()
    run.assert_nothing_is_left()


def test_sigterm_leaves_no_process_and_no_folder(demo: Callable[..., Run]) -> None:
    run = demo()
    wait_until(lambda: run.printed("is up"), "Milvus is up", deadline=60)
    run.process.terminate()
    assert run.process.wait(30) == 143
    run.assert_nothing_is_left()


def test_sigkill_leaves_no_process_and_no_folder(demo: Callable[..., Run]) -> None:
    run = demo()
    wait_until(lambda: run.printed("is up"), "Milvus is up", deadline=60)
    run.process.kill()
    run.process.wait(30)
    run.assert_nothing_is_left()


def test_an_export_that_nobody_receives_stops_the_demo_at_once(demo: Callable[..., Run]) -> None:
    run = demo("--export", f"127.0.0.1:{wheel.free_ports(['nobody'])['nobody']}")
    assert run.process.wait(60) == 1
    assert "nothing answers there" in run.output.read_text()
    run.assert_nothing_is_left()


def test_the_application_without_our_client_loads_nothing_of_it_nor_of_opentelemetry() -> None:
    code = "import sys, milvus_otel_processor.demo.plain_workload; print(*sys.modules, sep='\\n')"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "pymilvus" in loaded
    assert [name for name in loaded if name.startswith(("opentelemetry", "milvus_otel_client"))] == []
