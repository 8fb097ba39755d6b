"""`milvus-otel explain`: what each policy decides about one recorded trace, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from milvus_otel_processor.cli import main

from tests.support.recorded import FOLDER
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
    assert lines[:2] == [f"trace {1:032x}: sampled by errors", "1 spans, 1.00 ms"]
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


def test_what_a_replay_keeps_is_explained_as_kept(tmp_path: Path) -> None:
    """Of the recorded traffic with the built-in rules: the policy that a kept span names is the one that is explained."""
    traces, kept = str(FOLDER / "traces.binpb"), tmp_path / "kept.binpb"
    assert CliRunner().invoke(main, ["replay", traces, "--no-votes", "--out", str(kept)]).exit_code == 0
    policies = {
        one.trace_id.hex(): attribute.value.string_value
        for one in spans_in(kept)
        for attribute in one.attributes
        if attribute.key == "tailsampling.policy"
    }
    by_policy = {policy: trace_id for trace_id, policy in policies.items()}
    assert by_policy.keys() >= {"errors", "slow", "one-in-ten"}
    for policy, trace_id in by_policy.items():
        document = json.loads(CliRunner().invoke(main, ["explain", trace_id, traces, "--format", "json"]).stdout)
        assert (document["decision"], document["policy"]) == ("sampled", policy)
        assert all(one["reason"] for one in document["policies"])
