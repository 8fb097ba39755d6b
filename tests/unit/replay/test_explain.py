"""`milvus-otel explain`: what each policy decides about one recorded trace, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from milvus_otel_processor.cli import main

from tests.support.recordings import DATA, MIXES, Recording
from tests.unit.replay.recordings import request, sized, span, spans_in

if TYPE_CHECKING:
    from pathlib import Path

RULES = """\
policies:
  - name: heartbeats
    type: drop
    drop: {drop_sub_policy: [{type: span_name, span_name: {names: [heartbeat], root_only: true}}]}
  - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
  - {name: slow, type: latency, latency: {threshold_ms: 500}}
"""


@pytest.fixture
def explain(tmp_path: Path) -> Explain:
    return Explain(tmp_path)


class Explain:
    def __init__(self, folder: Path) -> None:
        self.traces = folder / "traces.binpb"
        self.rules = folder / "sampling.yaml"
        self.rules.write_text(RULES)
        self.traces.write_bytes(
            sized(
                request(span(1, error=True), span(2), span(3, name="heartbeat")),
                request(span(1, end=60, own=2)),
            )
        )

    def __call__(self, trace: int, *arguments: str) -> Result:
        arguments = (f"{trace:032x}", str(self.traces), "--config", str(self.rules), *arguments)
        return CliRunner().invoke(main, ["explain", *arguments])


def test_the_decision_comes_with_the_reason_of_each_policy(explain: Explain) -> None:
    result = explain(1)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[:6] == [
        f"trace {1:032x}: sampled by errors",
        "1 span, 1.00 ms",
        "decided 30.5 s after its first span: its time was over (decision_wait)",
        "its root and all parents were there",
        "no source told a collection",
        "order: drop policies first, then the others as they stand; the first that matches decides",
    ]
    assert "heartbeats (drop) not sampled: not sampled by span_name" in lines
    assert "  span_name not sampled: no root span matches: a" in lines
    assert "errors (status_code) sampled: span `a` (app) has ERROR" in lines
    assert "slow (latency) not sampled: 1 ms, not above 500 ms" in lines
    assert any(line.startswith("app        a (error)") for line in lines)


def test_a_trace_that_is_not_kept_is_explained_too_and_one_that_its_root_drops_at_once(explain: Explain) -> None:
    assert explain(2).stdout.startswith(f"trace {2:032x}: not sampled\n")
    dropped = explain(3).stdout
    assert dropped.startswith(f"trace {3:032x}: dropped by heartbeats\n")
    assert "the root span `heartbeat` matches" in dropped


def test_programs_get_json(explain: Explain) -> None:
    document = json.loads(explain(1, "--format", "json").stdout)
    assert document["trace_id"] == f"{1:032x}"
    assert (document["decision"], document["policy"]) == ("sampled", "errors")
    assert [(one["name"], one["verdict"]) for one in document["policies"]] == [
        ("heartbeats", "not_sampled"),
        ("errors", "sampled"),
        ("slow", "not_sampled"),
    ]
    assert document["order"] == ["heartbeats", "errors", "slow"]
    assert (document["trigger"], document["trigger_setting"]) == ("time", "decision_wait")
    assert [(one["name"], one["depth"], one["error"]) for one in document["waterfall"]] == [("a", 0, True)]
    assert document["policies"][1]["reason"] == "span `a` (app) has ERROR"
    assert document["policies"][0]["policies"][0]["verdict"] == "not_sampled"
    assert document["has_root"]
    assert document["complete"]


def test_a_trace_that_is_not_there_or_no_id_ends_it_with_status_1(explain: Explain) -> None:
    result = explain(7)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"no trace {7:032x} was decided" in result.stderr
    wrong = CliRunner().invoke(main, ["explain", "abc", str(explain.traces)])
    assert (wrong.exit_code, wrong.stderr) == (1, "'abc' is not a trace id, expected 32 hexadecimal digits\n")


@pytest.mark.parametrize("recording", MIXES, ids=str)
def test_what_a_replay_keeps_is_explained_as_kept(recording: Recording, tmp_path: Path) -> None:
    """Of the recorded traffic with the built-in rules: the policy that a kept span names is the one that is explained."""
    traces, kept = str(recording.path), tmp_path / "kept.binpb"
    assert CliRunner().invoke(main, ["replay", traces, "--no-votes", "--out", str(kept)]).exit_code == 0
    policies = {
        one.trace_id.hex(): attribute.value.string_value
        for one in spans_in(kept)
        for attribute in one.attributes
        if attribute.key == "tailsampling.policy"
    }
    by_policy = {policy: trace_id for trace_id, policy in policies.items()}
    assert by_policy.keys() >= ({"errors", "slow", "one-in-ten"} if recording.version == "2.3.5" else set())
    assert by_policy
    for policy, trace_id in by_policy.items():
        document = json.loads(CliRunner().invoke(main, ["explain", trace_id, traces, "--format", "json"]).stdout)
        assert (document["decision"], document["policy"]) == ("sampled", policy)
        assert all(one["reason"] for one in document["policies"])


LATER = request(span(8, end=5)), request(span(9, end=60))
TRIGGERS = [
    ("decision_wait: 10s", ("time", "decision_wait"), 10.2),
    ("decision_wait_after_root_received: 2s", ("root", "decision_wait_after_root_received"), 2.0),
    ("decision_wait_after_complete: 3s", ("complete", "decision_wait_after_complete"), 3.0),
    ("num_traces: 1", ("limit", "num_traces"), 0.0),
    ("maximum_trace_size_bytes: 10", ("limit", "maximum_trace_size_bytes"), 0.0),
    ("sample_on_first_match: true", ("first_match", "sample_on_first_match"), 0.0),
]


@pytest.mark.parametrize(("setting", "trigger", "waited"), TRIGGERS, ids=[case[0] for case in TRIGGERS])
def test_what_made_the_trace_due_is_told_with_its_setting(
    explain: Explain, setting: str, trigger: tuple[str, str], waited: float
) -> None:
    slow = "policies: [{name: all, type: latency, latency: {threshold_ms: 0}}]"
    explain.rules.write_text(f"{setting}\n{slow}\n")
    explain.traces.write_bytes(sized(request(span(1), span(2)), *LATER))
    document = json.loads(explain(1, "--format", "json").stdout)
    assert (document["trigger"], document["trigger_setting"]) == trigger
    assert document["waited_seconds"] == pytest.approx(waited, abs=0.6)
    assert trigger[1] in explain(1).stdout


def test_a_root_that_settles_it_at_once_is_told_as_the_trigger(explain: Explain) -> None:
    document = json.loads(explain(3, "--format", "json").stdout)
    assert (document["trigger"], document["decision"]) == ("root", "dropped")


def test_a_trace_without_its_root_or_a_parent_is_told_so(explain: Explain) -> None:
    explain.traces.write_bytes(sized(request(span(1, own=2, parent=9), span(2), span(2, own=3, parent=9))))
    assert "its root span had not arrived" in explain(1).stdout
    assert "the parent of a span had not arrived" in explain(2).stdout
    document = json.loads(explain(1, "--format", "json").stdout)
    assert (document["has_root"], document["complete"]) == (False, True)


def test_enrichment_is_told_with_its_source() -> None:
    """Of a request that the access log named."""
    folder = DATA / "milvus-2.6.16"
    arguments = [str(folder / "pymilvus.binpb.xz"), "--access-log", str(folder / "pymilvus.access.log.xz")]
    every = "processors.tail_sampling.policies=[{name: products, type: collection, collection: {names: ['*']}}]"
    rules = str(DATA.parents[1] / "compose" / "sampling.yaml")
    replay = ["replay", *arguments, "--set", every, "--format", "json", "--against", rules]
    gained = json.loads(CliRunner().invoke(main, replay).stdout)["against"]["gained"]
    named = next(one for one in gained["by_collection"] if one["collection"])
    explained = CliRunner().invoke(main, ["explain", named["examples"][0], *arguments, "--format", "json"])
    enrichment = json.loads(explained.stdout)["enrichment"]
    assert named["collection"] in {one["collection"] for one in enrichment}
    assert {one["source"] for one in enrichment} <= {"access_log", "channel"}
