"""Lines of the access log: what is read from a good one, and that no text of a client can pass for something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from milvus_otel_processor.enrichment.access_log.line import FORMAT, Line, is_foreign, parse, split
from ruamel.yaml import YAML

from tests.support.enrichment import MILLISECOND, START, TRACE_ID, Bench, line

TEXTS = st.text(alphabet=st.one_of(st.sampled_from("\t\n\r\"'[]{}\\ ,:%$"), st.characters()), max_size=40)


def parsed(text: str) -> Line:
    found = parse(text)
    assert found is not None
    return found


def test_a_line_says_what_milvus_knows_of_the_request() -> None:
    found = parsed(line("Search", cost="902.775µs", partitions="[_default old]", user="root"))
    assert (found.method, found.peer, found.trace_id) == ("Search", "tcp-127.0.0.1:5000", TRACE_ID)
    assert (found.end, found.cost) == (START + 5 * MILLISECOND, 902_775)
    facts = found.facts
    assert (facts.namespace, facts.collection, facts.operation) == ("default", "products", "Search")
    assert (facts.partitions, facts.user, facts.sdk_version) == (("_default", "old"), "root", "Python-3.0.2")
    assert (facts.status_code, facts.error_type, facts.error_message) == (None, None, None)


@pytest.mark.parametrize(
    ("status", "code"),
    [("Failed", "100"), ("GrpcUnavailable", "1"), ("GrpcWhatever", "65535"), ("Failed", "0"), ("OK", "5")],
)
def test_a_failed_request_has_milvus_code_and_words(status: str, code: str) -> None:
    facts = parsed(line("Search", status=status, code=code, message="collection not found[collection=missing]")).facts
    assert (facts.status_code, facts.error_type) == (code, code)
    assert facts.error_message == "collection not found[collection=missing]"


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("GrpcPermissionDenied", "PERMISSION_DENIED"),
        ("GrpcDeadlineExceeded", "DEADLINE_EXCEEDED"),
        ("GrpcCanceled", "CANCELLED"),
        ("GrpcUnauthenticated", "UNAUTHENTICATED"),
    ],
)
def test_a_request_that_grpc_ended_has_the_name_of_its_status_as_without_a_line(status: str, name: str) -> None:
    facts = parsed(line("Search", status=status, code="65535", message="no")).facts
    assert (facts.status_code, facts.error_type, facts.error_message) == (None, name, "no")


@pytest.mark.parametrize("status", ["OK", "Successful"])
def test_the_words_on_a_successful_request_are_no_error(status: str) -> None:
    facts = parsed(line("Search", status=status, message="search result is empty")).facts
    assert facts.error_type is None
    assert facts.error_message is None


def test_what_milvus_calls_unknown_or_leaves_empty_is_not_known() -> None:
    facts = parsed(line("Connect", "Unknown", namespace="", partitions="Unknown", sdk="Unknown")).facts
    assert facts == facts.__class__(operation="Connect")


def test_a_message_without_a_line_end_goes_on_to_the_end_of_the_record() -> None:
    message = "a\tb\nc\td"
    assert parsed(line("Search", status="Failed", code="1", message=message)).facts.error_message == message


def test_the_filter_expression_does_not_come_in_through_the_message() -> None:
    message = (
        'failed to create query plan: cannot parse expression: secret == "x, \n", error: line 1:5 mismatched input'
    )
    found = parsed(line("Query", status="Failed", code="65535", message=message)).facts.error_message
    assert found == "failed to create query plan: cannot parse expression: …, error: line 1:5 mismatched input"


def test_a_message_that_was_cut_off_inside_the_expression_shows_nothing_of_it() -> None:
    found = parsed(line("Query", status="Failed", code="1", message='cannot parse expression: secret == "x')).facts
    assert found.error_message == "cannot parse expression: …"


@pytest.mark.parametrize("cost", ["0s", "270ns", "902.775µs", "1.5ms", "2.000000001s", "1m2.5s", "1h0m0.25s"])
def test_a_cost_is_read_as_go_prints_it(cost: str) -> None:
    seconds = {"0s": 0, "270ns": 270, "902.775µs": 902_775, "1.5ms": 1_500_000, "2.000000001s": 2_000_000_001}
    assert parsed(line("Search", cost=cost)).cost == seconds.get(
        cost, {"1m2.5s": 62_500_000_000}.get(cost, 3_600_250_000_000)
    )


def test_the_time_is_that_of_its_zone() -> None:
    here = line("Search").replace("11:06:40", "12:36:40").replace("+00:00", "+01:30")
    assert parsed(here).end == parsed(line("Search")).end


@pytest.mark.parametrize(
    "trace_id",
    ["my request", "", "Unknown", "0102", "g" * 32, "01 2030405060708090a0b0c0d0e0f10", "0" * 33, "é" * 32],
)
def test_an_id_of_the_clients_own_is_no_trace_id(trace_id: str) -> None:
    found = parsed(line("Search", trace_id=trace_id))
    assert found.trace_id is None
    assert found.facts.collection == "products"


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "\t" * 13,
        "2026/11/22 17:56:31.866 +00:00\tSearch",
        line("Search").rpartition("\t")[0],
        line("Search").rpartition("\t")[0] + "\tms",
        line("Search").rpartition("\t")[0].rpartition("\t")[0],
        line("Search")[1:],
        line("Search", cost="soon"),
        line("Search", cost="nanms"),
        line("Search", cost="infµs"),
        line("Sea rch"),
        line("Search", code="x"),
        line("Search", code=""),
        line("Search").replace("2026/11/18", "2026/13/18"),
        line("Search").replace("5ms", "6ms", 1),
        "ucts\tcollection not found[database=default][collection=pro",
    ],
)
def test_what_is_no_whole_line_is_refused(broken: str) -> None:
    assert parse(broken) is None


@pytest.mark.parametrize("field", ["collection", "namespace", "user", "sdk", "partitions", "trace_id"])
def test_a_separator_in_a_clients_text_spoils_the_line_and_shifts_nothing(field: str) -> None:
    hostile: dict[str, Any] = {"method": "Search", field: "a\tOK\t0\t\tproducts"}
    assert parse(line(**hostile)) is None


def test_a_line_that_a_newline_in_a_name_cuts_names_no_collection() -> None:
    first, _, second = line("Search", "pro\nd\tucts", status="Failed", code="100").partition("\n")
    assert parse(first) is None
    assert parse(second) is None


def test_what_milvus_would_not_take_as_a_name_is_no_collection() -> None:
    for name in ("pro\nducts", "1st", "a b", "x" * 256, "ünïcode", '"; drop'):
        facts = parsed(line("Search", name, status="Failed", code="1100")).facts
        assert facts.collection is None
        assert facts.error_type == "1100"


@given(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS), TEXTS)
def test_whatever_clients_write_a_line_is_right_or_refused(texts: tuple[str, ...], message: str) -> None:
    user, sdk, namespace, partitions, collection = texts
    hostile: dict[str, Any] = {
        "user": user,
        "sdk": sdk,
        "namespace": namespace,
        "partitions": partitions,
        "message": message,
    }
    text = line("Search", collection, status="Failed", code="100", **hostile)
    found = parse(text)
    if found is None:
        assert "\t" in "".join(texts)
        return
    assert found.facts.collection in (collection, None)
    assert found.facts.namespace in (namespace, None)
    assert found.facts.error_type == "100"
    assert found.trace_id == TRACE_ID


@given(TEXTS)
def test_no_text_at_all_raises(text: str) -> None:
    assert parse(text) is None or text.count("\t") >= 13


def test_the_stacks_milvus_writes_this_format() -> None:
    path = Path(__file__).parents[3] / "compose" / "milvus" / "user.yaml"
    config = YAML(typ="safe").load(path)
    assert config["proxy"]["accessLog"]["formatters"]["base"]["format"] == FORMAT


def test_the_documentation_shows_this_format() -> None:
    page = (Path(__file__).parents[3] / "docs" / "enrichment.md").read_text(encoding="utf-8")
    assert FORMAT.replace("\t", "\\t") in page


UPSERT = (
    "[2026/11/26 05:39:25.051 +00:00] [ACCESS] <Unknown: tcp-127.0.0.1:53206> Upsert [status: Successful] [code: 0] [sdk: "
    "Python-3.0.2] [msg: ] [traceID: ] [timeCost: 1.198086ms] [database: default] [collection: products]"
)
"""A line of the formatter `upsert` that Milvus 2.6 comes with."""


@pytest.mark.parametrize("glued", [line("Search"), UPSERT, '{"method": "Search"}'])
@pytest.mark.parametrize("message", ["", "partition name p1 not found"])
def test_a_line_that_another_one_is_glued_to_is_read_without_it(glued: str, message: str) -> None:
    if glued[0] == "{" and message:
        pytest.skip("nothing tells such a line from the rest of a message")
    own = line(
        "Insert", status="Failed" if message else "Successful", code="65535" if message else "0", message=message
    )
    first, second = split(f"{own}\n{glued}")
    assert (first, second) == (own, glued)
    assert parsed(first).facts.error_message == (message or None)


def test_a_message_of_several_lines_stays_one() -> None:
    own = line("Search", status="Failed", code="65535", message="stack trace:\n/a.go:51\n\t/b.go:12")
    assert split(own) == [own]
    assert parsed(own).facts.error_message == "stack trace:\n/a.go:51\n\t/b.go:12"


def test_two_lines_glued_without_a_line_end_are_refused() -> None:
    assert parse(line("Insert") + line("Search")) is None


@pytest.mark.parametrize("text", [UPSERT, '{"method": "Search"}', "", "milvus: panic"])
def test_a_line_of_another_format_is_foreign(text: str) -> None:
    assert parse(text) is None
    assert is_foreign(text)


def test_a_line_that_was_cut_is_not_foreign() -> None:
    for end in range(40, len(line("Search")) - 5):
        assert parse(line("Search")[:end]) is None
        assert not is_foreign(line("Search")[:end])


def test_lines_of_another_format_and_cut_ones_are_counted_and_nothing_else_comes_of_them() -> None:
    bench = Bench()
    bench.log(UPSERT, f"{line('Insert')}\n{UPSERT}", line("Query")[:60], line("Search"))
    assert bench.telemetry.access_log_lines == {"received": 2, "foreign": 2, "malformed": 1}


@pytest.mark.parametrize(
    ("text", "collection"),
    [("[products]", "products"), ('["products"]', "products"), ("[a, b]", None), ("[]", None), ("old->new", "old")],
)
def test_the_collection_of_a_list_is_the_only_one_and_of_a_rename_the_old_one(
    text: str, collection: str | None
) -> None:
    assert parsed(line("Flush", text)).facts.collection == collection


@pytest.mark.parametrize(
    ("path", "status", "code", "operation", "error"),
    [
        ("/v2/vectordb/entities/search", "Successful", "0", "Search", None),
        ("/v2/vectordb/entities/query?x=1", "Failed", "1100", "Query", "1100"),
        ("/v2/vectordb/entities/advanced_search", "Successful", "0", "HybridSearch", None),
        ("/v2/vectordb/collections/has", "Failed", "100", "HasCollection", None),
        ("/v2/vectordb/nothere", "HttpError404", "Unknown", "/v2/vectordb/nothere", "404"),
        ("/v1/vector/collections", "Unknown", "200", "ShowCollections", None),
        ("/v1/vector/search", "Failed", "65535", "Search", "65535"),
        ("/v1/vector/insert", "Unknown", "Unknown", "Insert", None),
    ],
)
def test_a_request_over_http_has_operation_and_failure_as_one_over_grpc(
    path: str, status: str, code: str, operation: str, error: str | None
) -> None:
    found = parsed(line(path, peer="127.0.0.1", sdk="Restful", status=status, code=code))
    assert found.method == path.partition("?")[0]
    assert (found.facts.operation, found.facts.error_type) == (operation, error)
    assert found.facts.status_code == (error if error != "404" else None)


@pytest.mark.parametrize(
    "path", ["/", "/v2/other", "v2/vectordb/entities/search", "/v2/vectordb/a b", "/v2/vectordb/../x;y"]
)
def test_what_is_no_path_of_milvus_is_no_method(path: str) -> None:
    assert parse(line(path)) is None


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            'failed to create query plan: cannot parse expression: a == "s3cret, error: s3cret", error: line 1:5 mismatched input',
            "failed to create query plan: cannot parse expression: …, error: line 1:5 mismatched input",
        ),
        (
            "cannot parse expression: a == s3cret, error: line 1:5 token recognition error at: 's3cret'",
            "cannot parse expression: …, error: line 1:5 token recognition error at",
        ),
        (
            "predicate is not a boolean expression: a + s3cret, data type: Int64",
            "predicate is not a boolean expression: …, data type: Int64",
        ),
        ("invalid expression: s3cret", "invalid expression: …"),
        ("the value s3cret exceeds max length 5", "the value … exceeds max length 5"),
        ("the value s3cret exceeds s3cret exceeds 5", "the value … exceeds 5"),
        ("collection not found[collection=docs]", "collection not found[collection=docs]"),
    ],
)
def test_what_a_message_quotes_of_the_clients_own_text_is_masked(message: str, shown: str) -> None:
    found = parsed(line("Query", status="Failed", code="1100", message=message)).facts
    assert found.error_message == shown
