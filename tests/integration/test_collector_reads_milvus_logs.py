"""What the stack's Collector makes of Milvus' access log, and that it loses none of it while it cannot hand it on."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from ruamel.yaml import YAML

from tests.peers.collector import collector
from tests.peers.process import free_port
from tests.peers.waiting import wait_until
from tests.support.log_records import LOGS_METHOD, records_in
from tests.support.stacks_collector import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DEADLINE = 90.0
USER = YAML(typ="safe").load(ROOT / "compose" / "milvus" / "user.yaml")
FORMAT: str = USER["proxy"]["accessLog"]["formatters"]["base"]["format"]


def line(
    number: int, *, status: str = "Successful", code: str = "0", time: str = "2026/11/26 17:27:47.123 +00:00"
) -> str:
    values = {"time_now": time, "trace_id": f"{number:032x}", "method_status": status, "error_code": code}
    return re.sub(r"\$(\w+)", lambda match: values.get(match[1], "x"), FORMAT) + "\n"


@contextmanager
def taking(port: int) -> Iterator[list[bytes]]:
    """What takes logs there, and the requests that came."""
    came: list[bytes] = []

    def export(request: bytes, _: grpc.ServicerContext) -> bytes:
        came.append(request)
        return b""

    service, method = LOGS_METHOD.strip("/").split("/")
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    handler = grpc.unary_unary_rpc_method_handler(export)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield came
    finally:
        server.stop(1).wait()


def test_while_its_queue_is_full_the_access_log_waits_and_no_line_is_lost(tmp_path: Path) -> None:
    port, lines = free_port(), 3_000
    found = settings(tmp_path, {"processor:4317": f"127.0.0.1:{port}"})
    # Room for a few hundred lines, while nobody takes them.
    found["exporters"]["otlp_grpc"]["sending_queue"]["queue_size"] = 60_000
    (tmp_path / "milvus" / "access.log").write_text("".join(map(line, range(1, 1 + lines))), encoding="utf-8")
    with collector(json.dumps(found), tmp_path) as part:
        wait_until(lambda: "sending queue is full" in part.output(), "the queue to be full", DEADLINE)
        with taking(port) as came:
            wait_until(lambda: len(ids(came)) == lines, "all lines", DEADLINE)


def ids(requests: list[bytes]) -> set[str]:
    """The trace ids that stand in the lines."""
    return {one.body.string_value.split("\t")[4] for one in records_in(requests.copy())}


def test_failures_of_all_kinds_are_errors_and_times_are_those_of_their_zone(tmp_path: Path) -> None:
    lines = [
        line(1),
        line(2, status="OK", time="2026/11/26 19:27:47.123 +02:00"),
        line(3, status="Failed", code="100"),
        line(4, status="GrpcPermissionDenied", code="65535"),
        line(5, status="HttpError404", code="65535"),
        line(6, status="Unknown"),
    ]
    found = settings(tmp_path, {"processor:4317": "127.0.0.1:1"})
    (tmp_path / "milvus" / "access.log").write_text("".join(lines), encoding="utf-8")
    out = tmp_path / "applications" / "milvus.jsonl"
    with collector(json.dumps(found), tmp_path):
        wait_until(lambda: out.exists() and len(written(out)) == len(lines), "all records", DEADLINE)
    records = sorted(written(out), key=lambda one: one["traceId"])
    assert [one.get("severityNumber", 0) for one in records] == [9, 9, 17, 17, 17, 0]
    assert {one.get("severityText") for one in records} == {"INFO", "ERROR", None}
    assert {one["timeUnixNano"] for one in records} == {"1795714067123000000"}
    keys = {attribute["key"] for one in records for attribute in one["attributes"]}
    assert "status" in keys
    assert not {"severity", "time"} & keys


def written(file: Path) -> list[dict[str, Any]]:
    """The records in whole lines of a file."""
    text = file.read_text(encoding="utf-8")
    return [
        record
        for one in text[: text.rfind("\n") + 1].splitlines()
        for resource in json.loads(one)["resourceLogs"]
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]
