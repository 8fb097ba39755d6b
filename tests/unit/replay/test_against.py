"""`milvus-otel replay --against`: what is gained and lost as compared with other rules, and limits for scripts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from milvus_otel_processor.cli import main
from milvus_otel_processor.replay.compare import read_limit

from tests.support.recordings import DATA, MIXES, Recording
from tests.unit.replay.recordings import request, sized, span

if TYPE_CHECKING:
    from pathlib import Path

ERRORS = "policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]"
VIPS = "policies: [{name: vip, type: span_name, span_name: {names: [vip]}}, {name: a, type: span_name, span_name: {names: [a]}}]"


class Folder:
    def __init__(self, path: Path) -> None:
        self.now, self.before, self.traces = path / "now.yaml", path / "before.yaml", path / "traces.binpb"
        self.before.write_text(ERRORS)
        self.now.write_text(VIPS)
        failed = [span(number, error=True, name="x") for number in (1, 2, 3, 4)]
        self.traces.write_bytes(
            sized(
                request(*failed, span(5, error=True, name="a"), span(6, name="vip")),
                request(span(6, end=1, own=2, parent=1), span(7, end=1, name="quiet")),
            )
        )

    def replay(self, *arguments: str) -> Result:
        line = ["replay", str(self.traces), "--config", str(self.now), *arguments]
        return CliRunner().invoke(main, line)

    def against(self, *arguments: str) -> dict[str, Any]:
        result = self.replay("--against", str(self.before), "--format", "json", *arguments)
        assert result.exit_code == 0, result.stderr
        found: dict[str, Any] = json.loads(result.stdout)["against"]
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_gained_is_what_the_rules_keep_and_the_others_do_not_and_lost_the_reverse(folder: Folder) -> None:
    against = folder.against()
    assert against["config"] == str(folder.before)
    assert {key: against["kept"][key] for key in ("traces", "spans")} == {"traces": 5, "spans": 5}
    assert against["change"] == -0.6
    gained, lost = against["gained"], against["lost"]
    assert (gained["traces"], gained["spans"]) == (1, 2)
    assert (lost["traces"], lost["spans"]) == (4, 4)
    assert lost["examples"] == [f"{number:032x}" for number in (1, 2, 3)]
    assert [(one["policy"], one["traces"]) for one in lost["by_policy"]] == [("errors", 4)]
    assert [(one["root"], one["traces"]) for one in gained["by_root"]] == [("vip", 1)]
    assert [(one["collection"], one["traces"]) for one in gained["by_collection"]] == [(None, 1)]
    assert against["policies"] == [
        {"policy": "errors", "kept_before": 5, "kept": 0},
        {"policy": "vip", "kept_before": 0, "kept": 1},
        {"policy": "a", "kept_before": 0, "kept": 1},
    ]


def test_the_same_rules_gain_and_lose_nothing(folder: Folder) -> None:
    folder.now.write_text(ERRORS)
    against = folder.against()
    assert (against["gained"]["traces"], against["lost"]["traces"], against["change"]) == (0, 0, 0.0)


def test_late_spans_count_with_their_trace(folder: Folder) -> None:
    folder.traces.write_bytes(sized(request(span(1, name="vip")), request(span(1, end=60, own=2, parent=1))))
    assert folder.against()["gained"]["spans"] == 2


def test_people_get_tables(folder: Folder) -> None:
    shown = folder.replay("--against", str(folder.before)).stdout
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert f"compared with {folder.before}, which keeps 5 traces, 5 spans:" in lines
    assert "kept 2 traces, 3 spans (-60.00% traces)" in lines
    assert "by policy errors 4 4 00000000000000000000000000000001" in lines
    assert "by collection (none) 1 2 00000000000000000000000000000006" in lines


@pytest.mark.parametrize("recording", MIXES, ids=str)
def test_gained_and_lost_of_recorded_traffic_come_with_their_roots(recording: Recording) -> None:
    all_of_it = "processors.tail_sampling.policies=[{name: all, type: always_sample}]"
    rules = str(DATA.parents[1] / "compose" / "sampling.yaml")
    result = CliRunner().invoke(
        main, ["replay", str(recording.path), "--set", all_of_it, "--against", rules, "--format", "json"]
    )
    gained = json.loads(result.stdout)["against"]["gained"]
    assert gained["traces"] > 0.6 * recording.traces
    assert sum(one["traces"] for one in gained["by_root"]) == gained["traces"]
    assert all(len(one["examples"]) <= 3 for one in gained["by_root"])


@pytest.mark.parametrize(
    ("limit", "status"),
    [
        ("kept>1", 3),
        ("kept>2", 0),
        ("kept >= 2", 3),
        ("kept>28%", 3),
        ("kept>29%", 0),
        ("kept.spans>37%", 3),
        ("kept.bytes>10", 3),
        ("kept<-50%", 3),
        ("kept<-60%", 0),
        ("kept>+20%", 0),
        ("kept<-2", 3),
        ("lost>0", 3),
        ("lost>80%", 0),
        ("gained.spans>1", 3),
        ("gained>1", 0),
    ],
)
def test_a_script_learns_from_the_status_whether_a_figure_is_beyond_a_limit(
    folder: Folder, limit: str, status: int
) -> None:
    result = folder.replay("--against", str(folder.before), "--fail-over", limit)
    assert (result.exit_code, result.stderr.startswith(limit)) == (status, status == 3)


def test_where_nothing_was_kept_before_anything_is_more(folder: Folder) -> None:
    folder.before.write_text("policies: [{name: none, type: span_name, span_name: {names: [none]}}]")
    assert folder.replay("--against", str(folder.before), "--fail-over", "kept>+20%").exit_code == 3


def test_a_share_of_all_needs_no_other_rules_and_a_change_does(folder: Folder) -> None:
    assert folder.replay("--fail-over", "kept>10%").exit_code == 3
    assert folder.replay("--fail-over", "kept>90%").exit_code == 0
    for limit in ("kept>+10%", "lost>0"):
        result = folder.replay("--fail-over", limit)
        assert (result.exit_code, "--against" in result.stderr) == (2, True)


@pytest.mark.parametrize("text", ["kept", "kept>", "keep>5", "kept>x%", "kept=5", "", "lost.bytes>1", "kept.bytes>5%"])
def test_what_is_no_limit_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="kept>"):
        read_limit(text)


def test_other_rules_that_are_wrong_are_named_by_file_and_line(folder: Folder) -> None:
    folder.before.write_text("policies: [{name: a, type: latncy}]")
    result = folder.replay("--against", str(folder.before))
    assert result.exit_code == 1
    assert f"{folder.before}:1: " in result.stderr
