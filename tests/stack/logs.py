"""The logs that the stack keeps on its volume, and an application's that are sent to it."""

import json
import re
from pathlib import Path
from typing import Any

import grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from tests.stack.conftest import Stack
from tests.support.log_records import LOGS_METHOD, logs_request

PAGE = Path(__file__).parents[2] / "docs" / "observability.md"
Records = list[dict[str, Any]]


def log_files(stack: Stack) -> list[str]:
    """The names of the files that have something in them."""
    find = ("--entrypoint", "find", "volumes", "/application-logs", "-type", "f", "-size", "+0", "-printf", r"%f\n")
    return sorted(stack.compose("run", "--rm", *find).split())


def log_records(stack: Stack, file: str = "logs.jsonl") -> Records:
    """The records in a file: `about` has their attributes, and `from` those of their resource."""
    # One that is not there yet has none.
    text = stack.compose(
        "run", "--rm", "--entrypoint", "find", "volumes", "/application-logs", "-name", file, "-exec", "cat", "{}", "+"
    )
    return [
        {
            **record,
            "about": {one["key"]: one["value"].get("stringValue") for one in record.get("attributes", [])},
            "from": {one["key"]: one["value"]["stringValue"] for one in resource["resource"]["attributes"]},
        }
        for line in text[: text.rfind("\n") + 1].splitlines()  # the last may be only half written
        for resource in json.loads(line)["resourceLogs"]
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]


def shown(stack: Stack, trace_id: str) -> str:
    """What the command of docs/observability.md shows of a trace."""
    (command,) = re.findall(
        r"^docker compose (run .* logs) [0-9a-f]{32} (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    before, behind = map(str.split, command)
    return stack.compose(*before, trace_id, *behind)


def bodies(records: Records) -> set[str]:
    """What they say."""
    return {one["body"].get("stringValue", "") for one in records}


def export_logs(channel: grpc.Channel, *records: tuple[bytes, str], token: str | None = None) -> None:
    """Send a record of each of these traces, with this body."""
    metadata = [("authorization", f"Bearer {token}")] if token else []
    made = [LogRecord(trace_id=trace_id, body=AnyValue(string_value=body)) for trace_id, body in records]
    channel.unary_unary(LOGS_METHOD)(logs_request(*made), timeout=10, metadata=metadata)
