"""The page's API: what it answers about what was decided."""

from random import Random
from typing import Any

import pytest
from milvus_otel_processor.page.answers import ENDPOINTS, PREFIX, STREAMS
from milvus_otel_processor.page.decided import Remembered
from milvus_otel_processor.page.settings import PageSettings
from milvus_otel_processor.page.witness import Witness
from milvus_otel_processor.telemetry.counters import Telemetry
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.peers.waiting import wait_until
from tests.support.harness import ERRORS
from tests.support.http import ask
from tests.support.page import SLOW, Shown, rules, shown
from tests.support.processor import Configuration, exporter_settings, receiver_settings, running_processor
from tests.support.spans import encoded, span
from tests.support.stores import every_store

__all__ = ["every_store"]

FAILED = encoded(
    span(1, 1, name="Search", status=Status.STATUS_CODE_ERROR, attributes={"db.collection.name": "shop"}),
    span(1, 2, 1, name="inside"),
)
PLAIN = encoded(span(2, 1, name="Query", end_ms=30))
SLOW_ONE = encoded(span(3, 1, name="Search", end_ms=900))
PINGS = tuple(encoded(span(100 + number, 1, name="Ping"), span(100 + number, 2, 1)) for number in range(20))
ALL = (FAILED, PLAIN, SLOW_ONE)


def ids(answer: dict[str, Any]) -> list[int]:
    return [int(row["trace_id"], 16) for row in answer["decisions"]]


def test_decisions_are_the_latest_first_kept_and_not_kept() -> None:
    with shown() as page:
        for request in ALL:
            page.send(request)
        answer = page.get("/decisions").json()
    assert ids(answer) == [3, 2, 1]
    assert [row["decision"] for row in answer["decisions"]] == ["sampled", "not_sampled", "sampled"]
    first = answer["decisions"][-1]
    assert (first["policy"], first["root"], first["collections"], first["error"]) == (
        "errors",
        "Search",
        ["shop"],
        True,
    )
    assert answer["decisions"][0]["duration_ms"] == 900


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("decision=sampled", [3, 1]),
        ("decision=not_sampled", [2]),
        ("policy=slow", [3]),
        ("collection=shop", [1]),
        ("root=sea", [3, 1]),
        ("min_ms=20", [3, 2]),
        ("max_ms=100", [2, 1]),
        ("status=error", [1]),
        ("status=ok", [3, 2]),
        ("limit=1", [3]),
        ("policy=slow&status=error", []),
    ],
)
def test_decisions_can_be_filtered(query: str, expected: list[int]) -> None:
    with shown() as page:
        for request in ALL:
            page.send(request)
        assert ids(page.get(f"/decisions?{query}").json()) == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("decision=kept", "decision: 'kept', expected one of sampled, not_sampled, dropped"),
        ("min_ms=soon", "min_ms: 'soon', expected a number from 0 on"),
        ("min_ms=nan", "min_ms: 'nan', expected a number from 0 on"),
        ("limit=0", "limit: '0', expected a number from 1 to 500"),
    ],
)
def test_what_cannot_be_asked_for_is_said(query: str, message: str) -> None:
    with shown() as page:
        answer = page.get(f"/decisions?{query}")
    assert (answer.status, answer.json()) == (400, {"error": message})


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        (
            "get",
            "/requests?colection=products",
            "'colection' is no parameter here, expected one of minutes, by, sort, limit, ",
        ),
        ("get", "/requests?colection=products", 'operation, error_type, service; did you mean "collection"?'),
        ("get", "/requests?minutes=5&minutes=60", "minutes is there twice, expected one value"),
        (
            "get",
            "/decisions?min=3",
            "'min' is no parameter here, expected one of decision, policy, collection, root, min_ms",
        ),
        ("get", "/now?x", "'x' is no parameter here, expected none"),
        ("post", "/try?hash=1", "'hash' is no parameter here, expected none"),
        ("post", "/apply?hsh=1", "'hsh' is no parameter here, expected hash; did you mean \"hash\"?"),
        (
            "post",
            "/capture/traces?second=0",
            "'second' is no parameter here, expected one of seconds, mib, past; did you mean",
        ),
        ("post", f"/capture/access-log?{'a' * 300}=0", f"{'a' * 60!r} is no parameter here"),
    ],
    ids=["known", "meant", "twice", "decisions", "now", "try", "apply", "capture", "long"],
)
def test_a_parameter_that_is_not_known_is_refused(method: str, path: str, message: str) -> None:
    with shown() as page:
        page.get("/now")  # which is remembered for a second
        answer = getattr(page, method)(path)
    assert (answer.status, message in answer.json()["error"]) == (400, True), answer.body


def test_the_api_lists_all_that_there_is_to_ask_for() -> None:
    with shown() as page:
        found = page.get("").json()["endpoints"]
    assert found == [f"{one.method} {PREFIX}{one.path}" for one in (*ENDPOINTS, *STREAMS)]
    assert {"POST /api/v1/capture/traces", "POST /api/v1/capture/access-log"} < set(found)


def test_every_parameter_that_is_known_is_taken() -> None:
    with shown() as page:
        for one in ENDPOINTS:
            for name in one.query:
                answer = (page.get if one.method == "GET" else page.post)(f"{one.path}?{name}=")
                assert "is no parameter" not in answer.body.decode()
        assert page.post("/capture/traces?seconds=0&mib=1&past=false").status == 200


def test_a_trace_that_was_not_kept_is_explained_with_its_spans() -> None:
    with shown() as page:
        page.send(PLAIN)
        found = page.get(f"/traces/{2:032x}").json()
    assert (found["decision"], found["policy"]) == ("not_sampled", None)
    said = {one["name"]: one for one in found["policies"]}
    assert {name: one["verdict"] for name, one in said.items()} == dict.fromkeys(
        ("heartbeats", "errors", "slow"), "not_sampled"
    )
    assert said["slow"]["reason"] == "30 ms, not above 500 ms"
    assert [one["name"] for one in found["span_details"]] == ["Query"]
    assert found["has_root"]
    assert found["complete"]
    assert (found["trigger"], found["trigger_setting"]) == ("time", "decision_wait")


def test_the_explanation_and_the_decision_agree_for_kept_traces_and_jaeger_is_linked() -> None:
    with shown(jaeger="http://localhost:16686/") as page:
        page.send(FAILED, SLOW_ONE)
        for number, policy in ((1, "errors"), (3, "slow")):
            found = page.get(f"/traces/{number:032x}").json()
            assert (found["decision"], found["policy"]) == ("sampled", policy)
            assert {one["name"]: one["verdict"] for one in found["policies"]}[policy] == "sampled"
            assert found["jaeger"] == f"http://localhost:16686/trace/{number:032x}"


def test_a_policy_with_a_memory_is_not_asked_anew() -> None:
    limit = {"name": "few", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 1}}
    with shown(rules(limit)) as page:
        page.send(encoded(span(1, 1)))
        page.send(encoded(span(2, 1)), encoded(span(3, 1)))
        kept = page.get(f"/traces/{1:032x}").json()
        others = [page.get(f"/traces/{number:032x}").json() for number in (2, 3)]
    assert (kept["policy"], kept["policies"][0]["verdict"]) == ("few", "sampled")
    refused = [one for one in others if one["decision"] == "not_sampled"]
    assert refused, "a second has passed between requests"
    assert [one["policies"][0]["verdict"] for one in refused] == ["not_sampled"] * len(refused)
    assert all("but for what it had sampled before" in one["policies"][0]["reason"] for one in refused)


def test_what_is_not_remembered_is_said() -> None:
    with shown() as page:
        missing = page.get(f"/traces/{9:032x}")
        wrong = page.get("/traces/9")
    assert (missing.status, wrong.status) == (404, 400)
    assert "no decision over trace 00000000000000000000000000000009 is remembered" in missing.json()["error"]
    assert "is not a trace id, expected 32 hexadecimal digits" in wrong.json()["error"]


def test_one_in_sixteen_of_the_dropped_traces_is_remembered() -> None:
    late_root = rules({**_drop_by_latency()}, ERRORS)
    with shown(late_root) as page:
        page.send(*PINGS)
        assert len(page.get("/decisions?decision=dropped").json()["decisions"]) == 2


def _drop_by_latency() -> dict[str, object]:
    """A `drop` that no root can settle when it arrives."""
    quick = {"name": "quick", "type": "latency", "latency": {"threshold_ms": 0, "upper_threshold_ms": 100}}
    return {"name": "quick-ones", "type": "drop", "drop": {"drop_sub_policy": [quick]}}


def test_a_malformed_span_does_not_stand_in_the_way() -> None:
    with shown(rules({"name": "all", "type": "always_sample"})) as page:
        page.send(encoded(span(1, 1, name="good")))
        answer = page.get("/decisions").json()
        assert answer["decisions"][0]["root"] == "good"


def test_now_tells_what_went_through_and_what_is_wrong() -> None:
    with shown() as page:
        before = page.get("/now").json()
        assert before["wrong"] == ["No span has come in since the start."]
        page.send(*ALL)
        page.running.service.telemetry.last_reload_successful = 0

        now = wait_until(lambda: (seen := page.get("/now").json())["totals"]["received"] == 4 and seen, "the spans")
    assert now["totals"] == {"received": 4, "kept": 3, "dropped": 1, "lost": 0, "exported": now["totals"]["exported"]}
    assert now["ready"]
    assert any("last change of the rules is broken" in words for words in now["wrong"])
    assert len(now["series"]["at"]) == len(now["series"]["received"]) == len(now["series"]["waiting"])


def test_rules_tell_what_each_has_decided_and_their_text() -> None:
    with shown() as page:
        page.send(*ALL)
        found = page.get("/rules").json()
    assert {one["name"]: one["decided_traces"] for one in found["policies"]} == {
        "heartbeats": 0,
        "errors": 1,
        "slow": 1,
    }
    assert "policies:" in found["text"]
    assert not found["can_apply"]
    assert found["why_not_apply"] == "service.telemetry.page.apply_rules is not set"


def test_decided_traces_stay_within_their_size() -> None:
    with shown(decided_traces_mib=1) as page:
        for number in range(40):
            page.send(encoded(*(span(1 + number, 1 + place, attributes={"x": "y" * 5000}) for place in range(20))))
        remembered = page.running.service._witness
        assert remembered is not None
        assert 0 < remembered.decided.memory() <= 1 << 20
        assert ids(page.get("/decisions").json())[0] == 40


def test_old_rules_explain_what_was_decided_by_them() -> None:
    with shown(rules(SLOW)) as page:
        page.send(PLAIN)
        page.running.service.replace_rules(rules(ERRORS))
        page.send(encoded(span(5, 1)))
        old, new = (page.get(f"/traces/{number:032x}").json() for number in (2, 5))
    assert [one["name"] for one in old["policies"]] == ["slow"]
    assert [one["name"] for one in new["policies"]] == ["errors"]
    assert old["rules_since"] < new["rules_since"]


def test_a_pipeline_without_sampling_has_a_page_too() -> None:
    page = PageSettings(endpoint="127.0.0.1:0")
    with running_processor(Configuration(receiver_settings(), exporter_settings("127.0.0.1:1"), page=page)) as running:
        url = running.service.page_url
        assert ask(f"{url}/api/v1/rules").json()["policies"] == []
        assert ask(f"{url}/api/v1/measure", b"").status == 409


def chosen(
    page: Shown, monkeypatch: pytest.MonkeyPatch, *, unwanted: float = 1.0, settled: float = 0.0, sampled: int = 1
) -> None:
    """Have such shares of the traces remembered, whatever comes in."""
    service = page.running.service
    witness = service._witness
    assert witness is not None
    monkeypatch.setattr(witness, "shares", lambda: (unwanted, settled))
    witness.decided.one_in = Remembered(sampled=sampled)
    service._pipeline.show(unwanted, settled)


def test_where_much_comes_in_a_share_of_what_no_policy_wants_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    with shown(rules(ERRORS, SLOW)) as page:
        service = page.running.service
        page.send(encoded(*(span(number, 1) for number in range(1, 101))))
        assert page.get("/decisions?limit=500").json()["remembered"] == 100
        chosen(page, monkeypatch, unwanted=1 / 8)
        page.send(encoded(*(span(Random(number).getrandbits(127), 1) for number in range(1000))))
        remembered = page.get("/decisions?limit=500").json()["remembered"] - 100
        assert service.telemetry.snapshot().decisions["not_sampled", ""].traces == 1100
    # The reference store gives all of them out.
    assert remembered == 1000 or 60 < remembered < 200


@pytest.mark.parametrize(("per_second", "one_in"), [(0, 1), (50, 1), (51, 2), (200, 4), (25_000, 512)])
def test_about_50_traces_a_second_are_remembered_of_a_kind(per_second: float, one_in: int) -> None:
    witness = Witness(PageSettings(), None, Telemetry())
    witness.series._traces_per_second = (per_second, per_second * 2, 0.0)
    unwanted, settled = witness.shares()
    assert witness.decided.one_in.sampled == one_in
    assert (1 / unwanted, 1 / settled) == (one_in * 2 if per_second >= 50 else 1, 16)


@pytest.mark.parametrize(("per_second", "one_in"), [(0, 16), (320, 16), (321, 32), (30_000, 2048)])
def test_dropped_traces_are_one_in_sixteen_and_20_a_second_at_the_most(per_second: float, one_in: int) -> None:
    witness = Witness(PageSettings(), None, Telemetry())
    witness.series._traces_per_second = (0.0, 0.0, per_second)
    assert witness.shares() == (1.0, 1 / one_in)
    assert witness.decided.one_in.dropped == one_in


def test_traces_that_the_name_of_their_root_dropped_are_there_with_their_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with shown() as page:
        chosen(page, monkeypatch, settled=1.0)
        page.send(encoded(span(7, 2, 1, name="below"), span(7, 1, name="Ping"), span(7, 3, 1, name="late")))
        assert page.running.service.telemetry.snapshot().decisions["dropped", "heartbeats"].traces == 1
        row = page.get("/decisions").json()["decisions"][0]
        answer = page.get(f"/traces/{7:032x}").json()
    assert (row["decision"], row["policy"], row["root"], row["spans"]) == ("dropped", "heartbeats", "Ping", 3)
    assert (answer["decision"], answer["policy"], answer["trigger"]) == ("dropped", "heartbeats", "root")
    assert answer["policies"][0]["verdict"] == "dropped"
    assert "Ping" in answer["policies"][0]["policies"][0]["reason"]


def test_of_many_kept_traces_every_so_many_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    with shown(rules({"name": "all", "type": "always_sample"})) as page:
        chosen(page, monkeypatch, sampled=10)
        page.send(encoded(*(span(number, 1) for number in range(1, 101))))
        assert page.get("/decisions?limit=500").json()["remembered"] == 10
