"""Rules that are tried on what came in, and written where that is allowed."""

from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from milvus_otel_processor.config import load_config
from milvus_otel_processor.page.recent import Request
from milvus_otel_processor.page.rules_text import rules_file, rules_text
from milvus_otel_processor.page.trial import WithRules, _gather_alike, try_out
from milvus_otel_processor.replay.clock import arrivals
from milvus_otel_processor.replay.counted import CountedRules
from milvus_otel_processor.replay.left_out import LeftOut
from milvus_otel_processor.replay.recording import read
from milvus_otel_processor.replay.report import Report
from milvus_otel_processor.replay.runner import Run
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from milvus_otel_processor.spans.stores import StoreKind

from tests.support.harness import ERRORS
from tests.support.page import RULES, SLOW, shown
from tests.support.recordings import MIXES, Recording
from tests.support.spans import encoded, span
from tests.support.stores import every_store
from tests.support.traffic import request as traffic_request

__all__ = ["every_store"]

EVERYTHING = "decision_wait: 10ms\npolicies: [{name: all, type: always_sample}]\n"
REQUESTS = tuple(
    encoded(span(number, 1, name=name, end_ms=milliseconds, attributes={"db.collection.name": "shop"}))
    for number, (name, milliseconds) in enumerate([("Search", 900), ("Query", 10), ("Query", 300), ("Ping", 1)], 1)
)


def test_a_trial_tells_what_would_be_gained() -> None:
    with shown() as page:
        page.send(*REQUESTS)
        result = page.tried(EVERYTHING)
    assert result["spans"] == 4
    assert result["now"]["kept"] == {"traces": 1, "spans": 1}
    assert result["tried"]["kept"] == {"traces": 4, "spans": 4}
    gained = result["gained"]
    assert (gained["traces"], gained["by_policy"], gained["by_collection"]) == (3, {"all": 3}, {"shop": 3})
    assert gained["by_root"] == {"Query": 2, "Ping": 1}
    assert gained["examples"] == [f"{number:032x}" for number in (2, 3, 4)]
    assert result["lost"]["traces"] == 0
    assert result["words"].startswith("would keep 300% more: +")


def test_a_trial_tells_what_would_be_lost() -> None:
    with shown() as page:
        page.send(*REQUESTS)
        result = page.tried(RULES.replace("500", "1000"))
    assert (result["gained"]["traces"], result["lost"]["traces"], result["lost"]["by_policy"]) == (0, 1, {"slow": 1})


def test_the_rules_in_force_are_measured() -> None:
    with shown() as page:
        page.send(*REQUESTS)
        policies = {one["name"]: one for one in page.tried("", "/measure")["now"]["policies"]}
    assert (policies["slow"]["votes"], policies["slow"]["only"], policies["errors"]["votes"]) == (1, 1, 0)


def test_a_trial_changes_nothing_that_is_decided() -> None:
    with shown() as page:
        page.send(*REQUESTS)
        before = page.running.service.telemetry.snapshot()
        page.tried(EVERYTHING)
        after = page.running.service.telemetry.snapshot()
        assert (after.received_spans, after.decisions) == (before.received_spans, before.decisions)
        page.send(encoded(span(9, 1, end_ms=10)))
        assert page.get(f"/traces/{9:032x}").json()["decision"] == "not_sampled"


def test_rules_that_are_wrong_are_not_tried_and_the_messages_are_those_of_validate() -> None:
    with shown() as page:
        page.send(*REQUESTS)
        found = page.post("/try", RULES.replace("latency: {threshold_ms", "latency: {threshold")).json()
    assert found["state"] == "invalid"
    assert [(one["line"], one["severity"]) for one in found["problems"]] == [(4, "error")] * len(found["problems"])
    assert 'did you mean "threshold_ms"?' in found["problems"][0]["message"] + found["problems"][-1]["message"]


def test_there_has_to_be_something_to_try_on() -> None:
    with shown() as page:
        answer = page.post("/try", EVERYTHING)
    assert (answer.status, answer.json()["error"]) == (409, "no request with spans is remembered yet")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "processor.yaml"
    path.write_text("processors:\n  tail_sampling: ${file:sampling.yaml}\n")
    (tmp_path / "sampling.yaml").write_text(RULES)
    return path


def test_rules_are_written_where_a_setting_allows_it(config: Path) -> None:
    with shown(source=config, apply_rules=True) as page:
        rules = page.get("/rules").json()
        assert (rules["can_apply"], rules["text"]) == (True, RULES)
        wrong = page.post(f"/apply?hash={rules['hash']}", "policies: []").json()
        assert not wrong["applied"]
        applied = page.post(f"/apply?hash={rules['hash']}", EVERYTHING).json()
        assert applied["applied"]
        assert "+policies: [{name: all, type: always_sample}]" in applied["diff"]
        stale = page.post(f"/apply?hash={rules['hash']}", RULES)
        assert stale.status == 409
    assert (config.parent / "sampling.yaml").read_text() == EVERYTHING
    assert sorted(file.name for file in config.parent.iterdir()) == ["processor.yaml", "sampling.yaml"]


def test_rules_in_the_configuration_itself_are_shown_and_not_written(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(
        "processors:\n  tail_sampling:\n    decision_wait: 1s\n\n    policies: []\n  milvus: {}\nservice: {}\n"
    )
    assert rules_file(path) is None
    assert rules_text(path) == "decision_wait: 1s\n\npolicies: []\n"
    with shown(source=path, apply_rules=True) as page:
        assert "not in a file of their own" in page.get("/rules").json()["why_not_apply"]
        assert page.post("/apply", EVERYTHING).status == 403


def test_the_built_in_rules_have_their_text_and_are_never_written() -> None:
    assert "milvus-heartbeats" in rules_text(None)
    with shown(apply_rules=True) as page:
        assert page.post("/apply", EVERYTHING).status == 403


BASE = {"decision_wait": "2s", "decision_wait_after_root_received": "100ms"}
PINGS = {
    "name": "pings",
    "type": "drop",
    "drop": {
        "drop_sub_policy": [{"name": "ping", "type": "span_name", "span_name": {"names": ["Ping"], "root_only": True}}]
    },
}
OTHER_PINGS = {**PINGS, "name": "other-pings"}
QUERIES = {"name": "queries", "type": "span_name", "span_name": {"names": ["Query"], "root_only": True}}
TENTH = {"name": "tenth", "type": "probabilistic", "probabilistic": {"sampling_percentage": 10}}
FEW = {"name": "few", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 30}}


@pytest.mark.parametrize(
    ("policies", "together"),
    [
        ([PINGS, ERRORS, QUERIES], True),
        ([PINGS, TENTH], True),
        ([PINGS, FEW, ERRORS], True),
        ([OTHER_PINGS, ERRORS, SLOW], False),
        ([ERRORS, SLOW], False),
    ],
    ids=["root-names", "a-tenth", "with-a-memory", "another-drop", "no-drop"],
)
def test_rules_that_are_asked_in_one_run_keep_what_they_keep_alone(policies: list[Any], together: bool) -> None:
    rules, tried = (
        TailSamplingSettings.model_validate({**BASE, "policies": found}) for found in ([PINGS, ERRORS, SLOW], policies)
    )
    random = Random(7)
    requests = [
        Request(
            number * 10**7, traffic_request(random) + encoded(span(1000 + number, 1, name=name, end_ms=number)), False
        )
        for number, name in enumerate(["Search", "Query", "Ping"] * 100, 1)
    ]
    processors = WithRules(None, [], rules)
    assert _gather_alike(rules, tried) == together
    outcomes = try_out(requests, processors, rules, tried)
    for outcome, settings in zip(outcomes, (rules, tried), strict=True):
        alone, _ = try_out(requests, processors, settings, settings)
        assert {trace_id: one.policy for trace_id, one in outcome.rules.kept.items()} == {
            trace_id: one.policy for trace_id, one in alone.rules.kept.items()
        }
        found, expected = outcome.as_dict(), alone.as_dict()
        for one in (*found["policies"], *expected["policies"]):
            del one["milliseconds"]
        assert found == expected


@pytest.mark.parametrize("recording", MIXES, ids=str)
def test_a_trial_counts_what_a_replay_counts_also_of_traces_that_their_root_drops(
    recording: Recording, every_store: StoreKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("milvus_otel_processor.page.trial.Run", partial(Run, store_kind=every_store))
    config = load_config(None, environ={}).config
    assert config.tail_sampling is not None
    others = config.tail_sampling.model_copy(
        update={"policies": [*config.tail_sampling.policies, _policy({"name": "all", "type": "always_sample"})]}
    )
    run = Run(config, rules=CountedRules, store_kind=every_store)
    report = Report(run.play([read(recording.path)]), config.tail_sampling, LeftOut(), run.rules).document()
    expected = {
        row["policy"]: (row["votes"]["traces"], row["only"]["traces"], row["traces"])
        for row in report["policies"]
        if row["policy"] is not None
    }
    requests = [Request(time_ns, message.request, False) for time_ns, message in arrivals([read(recording.path)])]
    measured, _ = try_out(requests, config, config.tail_sampling, config.tail_sampling)
    now, tried = try_out(requests, config, config.tail_sampling, others)
    for outcome in (measured, now):
        found = outcome.as_dict()
        assert found["traces"] == report["received"]["traces"]
        assert found["kept"]["traces"] == report["kept"]["traces"]
        counted = {one["name"]: (one["votes"], one["only"], one["decided"]) for one in found["policies"]}
        assert counted == expected
    assert expected["milvus-heartbeats"][0] == expected["milvus-heartbeats"][2] > 0
    dropped = next(one for one in tried.as_dict()["policies"] if one["name"] == "milvus-heartbeats")
    assert (dropped["votes"], dropped["decided"]) == (
        expected["milvus-heartbeats"][0],
        expected["milvus-heartbeats"][2],
    )


def _policy(block: dict[str, object]) -> Any:
    return TailSamplingSettings.model_validate({"policies": [block]}).policies[0]
