"""The stack's Collector sends all logs through the processor, and gets those of kept traces back."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from milvus_otel_processor.components import LogsPipeline
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.logs.settings import LogSamplingSettings
from milvus_otel_processor.redaction.settings import RedactionSettings
from milvus_otel_processor.telemetry.counters import Snapshot
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from ruamel.yaml import YAML

from tests.peers.collector import collector
from tests.peers.jaeger import attributes_of
from tests.peers.otlp_sink import METHOD, otlp_sink
from tests.peers.process import free_port
from tests.peers.waiting import wait_until
from tests.support.harness import ERRORS, NEVER, sampling
from tests.support.log_records import LOGS_METHOD, logs_request, record
from tests.support.processor import Configuration, exporter_settings, receiver_settings, running_processor
from tests.support.spans import encoded, span, trace_id
from tests.support.stacks_collector import settings, text_of
from tests.support.wire import VARINT, delimited, field

STACK = Path(__file__).parents[2] / "collector"
KEPT, DROPPED = 0xA1, 0xB2
SECRET = "4111-1111"
SECONDS = 60.0
Records = list[tuple[str, str, dict[str, object]]]
"""The service, the body and the record of each."""
Seen = tuple[Records, Snapshot]


class Parts:
    """A Collector as the stack has it with compose.logs.yaml, and a processor."""

    def __init__(self, folder: Path, door: str, processor: str) -> None:
        self.milvus, self.out = folder / "milvus", folder / "applications"
        self._channel = grpc.insecure_channel(door)
        self.processor = processor

    def send(self, method: str, request: bytes) -> None:
        self._channel.unary_unary(method)(request, timeout=20, wait_for_ready=True)

    def records(self) -> Records:
        """What is in the file."""
        file = self.out / "logs.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [
            (str(attributes_of(resource["resource"])["service.name"]), one["body"].get("stringValue", ""), one)
            for line in lines
            if line.endswith("}")
            for resource in json.loads(line)["resourceLogs"]
            for scope in resource["scopeLogs"]
            for one in scope["logRecords"]
        ]

    def bodies(self) -> set[str]:
        return {body for _, body, _ in self.records()}

    def close(self) -> None:
        self._channel.close()


def stacks_collector(folder: Path, door: int, processor: str, sampled: int) -> tuple[str, Path]:
    """The stack's configuration, and that for logs over it, with addresses and folders of this machine."""
    addresses = {
        "processor:4317": processor,
        "0.0.0.0:4317": f"127.0.0.1:{door}",
        "0.0.0.0:4319": f"127.0.0.1:{sampled}",
    }
    over = folder / "logs.yaml"
    over.write_text(text_of("logs.yaml", folder, addresses), encoding="utf-8")
    return json.dumps(settings(folder, addresses)), over


@contextmanager
def parts(folder: Path, **settings: object) -> Iterator[tuple[Parts, Callable[[], Snapshot]]]:
    door, sampled = free_port(), free_port()
    with otlp_sink() as jaeger:
        configuration = Configuration(
            receiver_settings(),
            exporter_settings(jaeger.endpoint),
            sampling(ERRORS, NEVER, decision_wait=2.0),
            milvus=MilvusSettings.model_validate({"uri": "http://127.0.0.1:1"}),
            logs=LogsPipeline(
                LogSamplingSettings.model_validate({"additional_wait": 1.0, **settings}),
                RedactionSettings(allow_all_keys=True, blocked_values=[SECRET]),
                exporter_settings(f"127.0.0.1:{sampled}"),
                "otlp/logs",
                None,
            ),
        )
        with running_processor(configuration) as running:
            text, over = stacks_collector(folder, door, running.service.endpoint, sampled)
            with collector(text, folder, arguments=["--config", str(over)]):
                made = Parts(folder, f"127.0.0.1:{door}", running.service.endpoint)
                try:
                    yield made, running.service.telemetry.snapshot
                finally:
                    made.close()
                    running.stop()


def access_line(trace: int, method: str, text: str) -> str:
    user = (STACK.parent / "compose" / "milvus" / "user.yaml").read_text(encoding="utf-8")
    fields = YAML(typ="safe").load(user)["proxy"]["accessLog"]["formatters"]["base"]["format"]
    values = {
        "time_now": "2026/11/26 17:27:47.123 +00:00",
        "method_name": method,
        "user_addr": "tcp-127.0.0.1:5000",
        "time_cost": "1.5ms",
        "trace_id": trace_id(trace).hex(),
        "database_name": "default",
        "collection_name": "books",
        "method_status": "Successful",
        "error_code": "0",
        "error_msg": text,
    }
    return re.sub(r"\$(\w+)", lambda match: values.get(match[1], "x"), fields)


def milvus_line(trace: int | None, message: str) -> str:
    more = {} if trace is None else {"traceID": trace_id(trace).hex()}
    return json.dumps({"level": "WARN", "time": "2026/11/26 17:27:47.123 +00:00", "message": message, **more})


@pytest.fixture(scope="module")
def seen(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Seen]:
    """What is in the file, and what the processor counted, after logs of all kinds came in."""
    folder = tmp_path_factory.mktemp("logs")
    with parts(folder) as (it, snapshot):
        # Logs of a trace may come before its spans.
        it.send(LOGS_METHOD, logs_request(record(KEPT, f"card {SECRET}"), record(DROPPED, "of a dropped trace")))
        it.send(METHOD, encoded(span(KEPT, status=Status.STATUS_CODE_ERROR), span(DROPPED)))
        lines = [access_line(KEPT, "Search", ""), access_line(DROPPED, "Query", ""), access_line(0xC3, "Flush", "")]
        (it.milvus / "access.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
        own = [milvus_line(KEPT, "slow"), milvus_line(DROPPED, "quick"), milvus_line(None, "started")]
        (it.milvus / "standalone-1.log").write_text("\n".join(own) + "\n", encoding="utf-8")
        it.send(LOGS_METHOD, logs_request(record(None, "of no trace"), record(0xC3, "of an unknown trace")))
        wait_until(lambda: len(it.records()) >= 7, "seven records in the file", SECONDS, 0.2)
        it.send(LOGS_METHOD, logs_request(record(KEPT, "late, kept"), record(DROPPED, "late, dropped")))
        wait_until(lambda: "late, kept" in it.bodies(), "the late one", SECONDS, 0.2)
        wait_until(lambda: snapshot().logs.decided["not_sampled", "trace"] >= 4, "the dropped ones", SECONDS, 0.2)
        yield it.records(), snapshot()


def test_those_of_kept_traces_and_of_none_are_in_the_file_and_those_of_dropped_ones_are_not(
    seen: Seen,
):
    records, _ = seen
    assert sorted((service, body if "\t" not in body else body.split("\t")[1]) for service, body, _ in records) == [
        ("milvus", "Flush"),
        ("milvus", "Search"),
        ("milvus", "slow"),
        ("milvus", "started"),
        ("shop", "card ****"),
        ("shop", "late, kept"),
        ("shop", "of an unknown trace"),
        ("shop", "of no trace"),
    ]


def test_they_are_as_they_were(seen: Seen):
    (slow,) = [one for _, body, one in seen[0] if body == "slow"]
    assert (slow["traceId"], slow["severityText"]) == (trace_id(KEPT).hex(), "WARN")
    (line,) = [one for _, body, one in seen[0] if "\tSearch\t" in body]
    attributes = attributes_of(line)
    assert (line["traceId"], attributes["db.collection.name"], attributes["rpc.method"]) == (
        trace_id(KEPT).hex(),
        "books",
        "Search",
    )


def test_all_lines_of_the_access_log_fed_enrichment(seen: Seen):
    _, counted = seen
    assert counted.access_log_lines == {"received": 3}


def test_each_record_is_counted_once(seen: Seen):
    logs = seen[1].logs
    assert logs.received == sum(logs.decided.values()) == 12
    assert (logs.sent, logs.lost, logs.waiting) == (8, {}, 0)
    assert logs.decided == {
        ("sampled", "trace"): 4,
        ("not_sampled", "trace"): 4,
        ("sampled", "without_trace_id"): 2,
        ("sampled", "unknown_trace"): 2,
    }


def test_a_record_that_the_collector_cannot_read_costs_no_other(tmp_path: Path):
    good = record(None, "good")
    hostile = [
        record(1).SerializeToString() + delimited(9, b"abc"),
        record(1).SerializeToString() + delimited(10, b"abc"),
        b"\xff",
        record(1).SerializeToString() + field(3, VARINT, b"\1"),
        LogRecord().SerializeToString() + delimited(6, delimited(2, b"\xff")),
    ]
    with parts(tmp_path) as (it, snapshot):
        with grpc.insecure_channel(it.processor) as channel:
            channel.unary_unary(LOGS_METHOD)(logs_request(*hostile, good, b""), timeout=20)
        wait_until(lambda: "good" in it.bodies(), "the good one", SECONDS, 0.2)
        # Of one of them only the Collector says that it cannot be read; it is looked for among those that came with it.
        expected = {"malformed": 4, "rejected": 1}
        wait_until(lambda: snapshot().logs.lost == expected, "the losses", SECONDS, 0.2)
