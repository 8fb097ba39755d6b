"""A real Milvus under load of three kinds of client: what is counted is what Milvus' own access log has, to the request."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.enrichment.access_log.line import parse
from milvus_otel_processor.enrichment.catalogue.milvus import TRACE_ID
from milvus_otel_processor.requests.kinds import CONNECT, EXISTENCE_CHECK, POLL, kind_of
from pymilvus import MilvusClient, MilvusException

from tests.enrichment.stack import WAIT_SECONDS, Stack, stack
from tests.peers.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

THREADS, ROUNDS, REST = 4, 40, 25
START = re.compile(r"^(?=\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}\.\d{3} )", re.MULTILINE)
Key = tuple[str, str, str]
"""Collection, operation and error."""


def of_a_plain_client(uri: str, name: str) -> None:
    """Searches, queries and inserts; one in four fails."""
    client = MilvusClient(uri)
    for number in range(ROUNDS):
        with suppress(MilvusException):
            client.search(name if number % 4 else "missing", [[0.1, 0.2, 0.3, 0.4]], limit=3)
        client.insert(name, [{"id": number, "vector": [0.1, 0.2, 0.3, 0.4]}])
        with suppress(MilvusException):
            client.query(name, filter="id in [1]" if number % 4 else "id in nonsense")
    client.close()


def over_http(uri: str, name: str) -> None:
    """Searches by REST's version 1, which this Milvus has."""
    body = json.dumps({"collectionName": name, "vector": [0.1, 0.2, 0.3, 0.4], "limit": 3}).encode()
    for _ in range(REST):
        request = urllib.request.Request(
            f"{uri}/v1/vector/search", body, {"Content-Type": "application/json", "Authorization": "Bearer root:Milvus"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200


def load(running: Stack) -> None:
    """All three kinds at once."""
    uri = running.milvus.uri
    client = MilvusClient(uri)
    client.create_collection("things", dimension=4)
    command = [sys.executable, "-m", "milvus_otel_processor.demo.workload", uri, running.collector]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environ) as application:
        threads = [threading.Thread(target=of_a_plain_client, args=(uri, "things")) for _ in range(THREADS)]
        threads.append(threading.Thread(target=over_http, args=(uri, "things")))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert application.wait(120) == 0
    client.close()


def logged(folder: Path) -> tuple[Counter[Key], int]:
    """What Milvus wrote of requests, but for those of the processor itself; and how many calls are none."""
    requests: Counter[Key] = Counter()
    others = 0
    for path in sorted(folder.glob("milvus/access/access*.log")):
        # A message may have newlines.
        for text in filter(None, START.split(path.read_text(encoding="utf-8"))):
            line = parse(text.rstrip("\n"))
            assert line is not None, text
            if line.trace_id == TRACE_ID:
                continue
            facts = line.facts
            assert facts.operation is not None
            if kind_of(facts.operation) is not None or facts.exists is False:
                others += 1
            else:
                requests[facts.collection or "", facts.operation, facts.error_type or ""] += 1
    return requests, others


def counted(running: Stack) -> Counter[Key]:
    """What the processor counted."""
    requests = running.service._assembled.requests
    assert requests is not None
    found: Counter[Key] = Counter()
    for series, one in requests.counts.requests().items():
        found[series.collection, series.operation, series.error_type] += one.total
    return found


def test_counts_are_those_of_the_access_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "pymilvus")
    with stack(tmp_path, catalogue={"enabled": False}) as running:
        load(running)
        seen: list[int] = []

        def nothing_more_comes() -> bool:
            seen.append(counted(running).total())
            return len(seen) > 1 and seen[-1] == seen[-2] > 0

        wait_until(nothing_more_comes, "all requests to be counted", 120, interval=WAIT_SECONDS + 5)
        wanted, others = logged(tmp_path)
        found = counted(running)
        apart = running.service.telemetry.calls_apart
        # This Milvus writes no line for REST, so that nothing names the collection.
        assert found.pop(("", "Search", "")) == REST
        assert of_operations(found) == of_operations(wanted)
        assert sum(apart[kind] for kind in (CONNECT, EXISTENCE_CHECK, POLL)) == others


def of_operations(counts: Counter[Key]) -> Counter[Key]:
    """The same, where what a client asks for a timestamp for is no matter: only its own spans say so."""
    found: Counter[Key] = Counter()
    for (collection, operation, error), count in counts.items():
        found["" if operation == "AllocTimestamp" else collection, operation, error] += count
    return found
