"""docs/reading-a-trace.md says of each span in which versions it was seen, and of each stage what the code says."""

import re
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support import recorded
from tests.support.hints_table import with_table
from tests.support.recordings import VERSIONS, recordings

PAGE = (Path(__file__).parents[3] / "docs" / "reading-a-trace.md").read_text(encoding="utf-8")
SPANS = PAGE.partition("<!-- spans -->")[2].partition("<!-- /spans -->")[0]
ROWS = [
    (re.findall(r"`([^`]+)`", names), frozenset(seen.split()))
    for names, seen in re.findall(r"^\| (`.+?) \| ([\d. ]+) \|", SPANS, re.MULTILINE)
]


@pytest.fixture(scope="module")
def seen() -> dict[str, set[str]]:
    """The names of all recorded spans, by version, as far as they have no numbers."""
    found: dict[str, set[str]] = {}
    for version in (*VERSIONS, "2.3.5"):
        requests = (
            recorded.requests()
            if version == "2.3.5"
            else (request for recording in recordings(version) for request in recording.requests)
        )
        found[".".join(version.split(".")[:2])] = {
            span.name
            for request in requests
            for resource in ExportTraceServiceRequest.FromString(request).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }
    return found


def test_every_span_was_seen_in_the_versions_that_are_named_and_in_no_other(seen: dict[str, set[str]]) -> None:
    wrong = {}
    for names, versions in ROWS:
        for name in names:
            pattern = re.compile(re.escape(name).replace("…", ".+"))
            there = {version for version, all_names in seen.items() if any(map(pattern.fullmatch, all_names))}
            if there != versions:
                wrong[name] = sorted(there)
    assert wrong == {}


def test_every_row_of_the_table_was_looked_at() -> None:
    assert len(ROWS) == SPANS.count("\n| `")
    assert len(ROWS) > 20


def test_the_stages_and_what_is_said_of_them_are_those_of_the_code() -> None:
    assert with_table(PAGE) == PAGE
