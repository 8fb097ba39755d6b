"""A day with a real Milvus: plain and instrumented clients at once, the real Collector in between."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
import pytest
from milvus_otel_processor.demo.dataset import MISSING_COLLECTION
from milvus_otel_processor.enrichment.catalogue.milvus import TRACE_ID
from pymilvus import MilvusClient, MilvusException
from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

from tests.enrichment.stack import REQUEST, Stack, stack
from tests.peers.waiting import wait_until
from tests.support.enrichment import attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

SEARCHES = 20
LAST = MISSING_COLLECTION
"""What the instrumented application asks for at its end."""
HOSTILE = 'colour == "r\n2026/11/22 17:56:31.866 +00:00\tSearch\t"]}' + "'"
OF_NO_COLLECTION = {REQUEST + method for method in ("Connect", "AllocTimestamp", "ListDatabases")}
OWN_ID = "a request of mine"

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    """Keep pymilvus from logging each failure that a test wants with its traceback."""
    logger = logging.getLogger("pymilvus")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


@dataclass
class Day:
    """What was done, and where it ran."""

    stack: Stack
    searched: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Searches of plain clients, by database and the name that they used."""
    ids: dict[str, int] = field(default_factory=dict)


def vector() -> list[list[float]]:
    return [[0.1, 0.2, 0.3, 0.4]]


def search(day: Day, client: MilvusClient, database: str, name: str, text: str = "") -> None:
    day.searched[database, name] += 1
    with suppress(MilvusException):
        client.search(name, vector(), filter=text)


def in_two_databases(day: Day) -> None:
    """Plain clients of two databases that hold a collection of the same name, at once."""
    default = MilvusClient(day.stack.milvus.uri)
    default.create_database("shop")
    shop = MilvusClient(day.stack.milvus.uri, db_name="shop")
    for client in (default, shop):
        client.create_collection("things", dimension=4)
    default.insert("things", [{"id": number, "vector": vector()[0]} for number in range(3)])
    default.flush("things")

    def searches(client: MilvusClient, database: str) -> None:
        for _ in range(SEARCHES):
            search(day, client, database, "things")

    threads = [
        threading.Thread(target=searches, args=(client, database))
        for client, database in ((default, "default"), (shop, "shop"), (default, "default"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    default.create_alias("things", "current")
    search(day, default, "default", "current")
    default.close()
    shop.close()


def dropped_and_made_again(day: Day) -> None:
    client = MilvusClient(day.stack.milvus.uri)
    for dimension in (4, 4):
        client.create_collection("brief", dimension=dimension)
        search(day, client, "default", "brief")
        day.ids["brief"] = client.describe_collection("brief")["collection_id"]
        if not day.ids.get("first"):
            day.ids["first"] = day.ids["brief"]
            client.drop_collection("brief")
    client.close()


def failures(day: Day) -> None:
    client = MilvusClient(day.stack.milvus.uri)
    search(day, client, "default", "missing")
    search(day, client, "default", "things", HOSTILE)
    search(day, client, "default", "pro\nd\tucts")
    client.close()


def with_an_id_of_its_own(day: Day) -> None:
    with grpc.insecure_channel(day.stack.milvus.uri.removeprefix("http://")) as channel:
        milvus_pb2_grpc.MilvusServiceStub(channel).HasCollection(
            milvus_pb2.HasCollectionRequest(db_name="default", collection_name="things"),
            metadata=[("client_request_id", OWN_ID)],
        )


def instrumented(day: Day, run: Callable[[], None]) -> None:
    """Run `run` beside the instrumented application of the demo."""
    command = [sys.executable, "-m", "milvus_otel_processor.demo.workload", day.stack.milvus.uri, day.stack.collector]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environ) as application:
        run()
        assert application.wait(90) == 0


def plain(day: Day) -> None:
    in_two_databases(day)
    dropped_and_made_again(day)
    failures(day)
    with_an_id_of_its_own(day)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """One Milvus whose access log is rotated every two seconds, and everything that is done to it."""
    rotated = {"proxy": {"accessLog": {"rotatedTime": 2, "maxBackups": 100}}}
    folder = tmp_path_factory.mktemp("day")
    with stack(folder, rotated, catalogue={"interval": "2s", "miss_interval": "200ms"}) as running:
        done = Day(running)
        instrumented(done, lambda: plain(done))
        expected = sum(done.searched.values())
        wait_until(lambda: len(plain_searches(running)) >= expected, "the searches of plain clients to come out", 60)
        wait_until(lambda: LAST in named_by_the_client(running), "the instrumented application's last requests", 60)
        wait_until(
            lambda: running.service.telemetry.snapshot().waiting_traces == 0 or not newly(running),
            "the rest to come out",
            60,
            interval=3,
        )
        yield done


_seen: list[int] = []


def newly(running: Stack) -> bool:
    """Tell whether requests came out since the last call."""
    _seen.append(len(running.served()))
    return len(_seen) < 2 or _seen[-1] > _seen[-2]


def named_by_the_client(running: Stack) -> dict[str, str]:
    """Collections and databases of the requests of which the client told, from their spans of server and core."""
    named = {}
    for spans in running.traces().values():
        if "client" in {attributes(span).get("milvus.enrichment") for span in spans}:
            for span in spans:
                if span.name.startswith(("SegCore", REQUEST)) and span.name not in OF_NO_COLLECTION:
                    named[attributes(span)["db.collection.name"]] = attributes(span)["db.namespace"]
    return named


def plain_searches(running: Stack) -> list[Span]:
    return [span for span in running.served("/Search") if not span.parent_span_id]


def test_every_request_of_a_plain_client_says_database_and_collection(day: Day) -> None:
    found = Counter(
        (has.get("db.namespace"), has.get("milvus.collection.alias", has.get("db.collection.name")))
        for has in map(attributes, plain_searches(day.stack))
    )
    expected = Counter({key: count for key, count in day.searched.items() if "\n" not in key[1]})
    assert found == expected + Counter({("default", None): 0, (None, None): 1})


def test_all_request_traces_are_enriched_but_for_the_one_with_a_newline_in_its_name(day: Day) -> None:
    without = [span for span in day.stack.served() if "milvus.enrichment" not in attributes(span)]
    assert len(day.stack.served()) > 250
    assert [span.name for span in without] == [REQUEST + "Search"]


def test_requests_of_the_instrumented_client_are_named_by_it_down_to_segcore(day: Day) -> None:
    assert named_by_the_client(day.stack) == {"products": "default", "articles": "default", LAST: "default"}


def test_segcore_belongs_to_the_request_of_a_plain_client(day: Day) -> None:
    segcore = [span for span in day.stack.sink.spans() if span.name == "SegCoreSearch"]
    assert segcore
    assert all("db.collection.name" in attributes(span) for span in segcore)


def test_failed_requests_are_errors_with_milvus_code_and_no_others_are(day: Day) -> None:
    failed = [span for span in plain_searches(day.stack) if span.status.code == 2]
    by_code = {attributes(span)["db.response.status_code"]: span for span in failed}
    assert len(failed) == len(by_code) == 2
    assert by_code["100"].status.message == "collection not found[database=default][collection=missing]"
    assert attributes(by_code["100"])["error.type"] == "100"
    assert HOSTILE not in by_code["65535"].status.message
    assert by_code["65535"].status.message.startswith("failed to create query plan: cannot parse expression: …")


def test_an_alias_is_resolved(day: Day) -> None:
    aliased = [has for has in map(attributes, plain_searches(day.stack)) if "milvus.collection.alias" in has]
    assert [(has["milvus.collection.alias"], has["db.collection.name"]) for has in aliased] == [("current", "things")]


def test_the_catalogue_tells_the_two_collections_of_the_same_name_apart(day: Day) -> None:
    facts = {
        has["db.namespace"]: has
        for has in map(attributes, plain_searches(day.stack))
        if has.get("db.collection.name") == "things" and "milvus.collection.id" in has
    }
    assert facts["default"]["milvus.collection.id"] != facts["shop"]["milvus.collection.id"]
    assert facts["default"]["milvus.collection.load_state"] == "Loaded"
    assert facts["default"]["milvus.vector.dimensions"] == [4]
    assert facts["default"]["milvus.vector.metric_types"] == ["COSINE"]
    assert facts["default"]["milvus.collection.dynamic_field"] is True
    assert facts["default"]["milvus.collection.replica_count"] == 1
    assert facts["default"]["milvus.collection.partition_count"] == 1
    assert facts["default"]["milvus.collection.row_count"] == 3


def test_a_collection_made_again_is_the_new_one(day: Day) -> None:
    ids = [
        has["milvus.collection.id"]
        for has in map(attributes, plain_searches(day.stack))
        if has.get("db.collection.name") == "brief"
    ]
    assert ids[-1] == str(day.ids["brief"]) != str(day.ids["first"])


def test_a_request_with_an_id_of_its_own_is_found_by_connection_and_time(day: Day) -> None:
    (span,) = day.stack.served("/HasCollection")
    assert attributes(span)["db.collection.name"] == "things"


def test_the_processors_own_calls_leave_no_traces(day: Day) -> None:
    assert day.stack.service.telemetry.snapshot().catalogue_refreshes["ok"] >= 2
    assert TRACE_ID not in day.stack.traces()


def test_the_access_log_was_rotated_and_no_line_was_lost(day: Day) -> None:
    files = list(day.stack.milvus.access_log.parent.iterdir())
    assert len(files) > 2
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    own = sum(TRACE_ID.hex() in line for line in lines)
    starts = sum(line[:5] == "2026/" or line[4:5] == "/" for line in lines)
    counts = day.stack.service.telemetry.snapshot().access_log_lines
    assert counts["received"] + counts["malformed"] + counts["foreign"] == starts - own
    assert (
        counts["malformed"] + counts["foreign"] == 2
    )  # the name with a newline in it, and the time in the hostile filter


def test_coverage_is_counted_by_source(day: Day) -> None:
    requests = day.stack.service.telemetry.snapshot().enriched_requests
    assert requests["client"] >= 150
    assert requests["access_log"] >= sum(day.searched.values()) - 1
    assert requests["unknown"] == 1
