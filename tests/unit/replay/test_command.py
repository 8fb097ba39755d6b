from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from milvus_otel_processor.cli import main

from tests.unit.replay.recordings import request, sized, span, spans_in

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:4317"}}}}
processors:
  tail_sampling:
    decision_wait: 10s
    policies:
      - name: no-heartbeats
        type: drop
        drop:
          drop_sub_policy:
            - {name: root, type: span_name, span_name: {names: [heartbeat], root_only: true}}
      - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
      - {name: never, type: latency, latency: {threshold_ms: 1000000}}
exporters: {otlp: {endpoint: "127.0.0.1:4318", tls: {insecure: true}}}
service: {pipelines: {traces: {receivers: [otlp], processors: [tail_sampling], exporters: [otlp]}}}
"""


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.config.write_text(CONFIG)
        self.traces = path / "traces.binpb"
        self.traces.write_bytes(
            sized(
                request(span(1, error=True), span(2), span(3, name="heartbeat"), span(0)),
                request(span(1, end=20, own=2), span(2, end=20, own=2)),
            )
        )

    def replay(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["replay", "--config", str(self.config), *arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


HALF = "late: 2 spans of 2 traces, half of them within 20.0 s"


def test_the_table_has_every_policy_and_all_that_became_of_the_spans(folder: Folder) -> None:
    result = folder.replay(str(folder.traces))
    assert result.exit_code == 0, result.stderr
    shown = re.sub(r"[\d.,]+ ms", "ms", result.stdout)
    first, *lines = [" ".join(line.split()) for line in shown.splitlines() if line.strip()]
    assert first == "3 traces, 6 spans in 2 requests over 20.0 s"
    assert [line for line in lines if set(line) - {" "} != {"─"}] == [
        "policy type decision traces share spans share votes only cpu",
        "no-heartbeats drop dropped 1 33.33% 1 16.67% 1 1 ms",
        "errors status_code sampled 1 33.33% 1 16.67% 1 1 ms",
        "never latency sampled 0 0.00% 0 0.00% 0 0 ms",
        "- - not_sampled 1 33.33% 1 16.67% - - -",
        "late, kept with their trace 1 16.67%",
        "late, not kept as their trace 1 16.67%",
        "refused: invalid_trace_id 1 16.67%",
        "kept sampled 1 33.33% 2 33.33%",
        "kept per day at this rate: 4,320 traces, 8,640 spans, 734.4 kB",
        "votes: traces that the policy samples, or drops, whichever policy decided",
        "only: those of them that no other policy samples, or drops",
        "cpu: what it took to ask the policy about every trace",
        "kept per day by traces spans bytes",
        "errors 4,320 8,640 734.4 kB",
        "matched by no policy: root collections traces spans such as",
        f"a - 1 1 {2:032x}",
        "decided without their root: 0 traces (0.00%)",
        f"{HALF} of their trace's first span, 99 % within 20.0 s, the last after 20.0 s",
        "with decision_wait: 20.1s 99 % of them would have come in time",
    ]


OVERLAP = """\
policies:
  - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
  - {name: slow, type: latency, latency: {threshold_ms: 0}}
  - {name: named, type: span_name, span_name: {names: [vip]}}
"""


def test_votes_count_what_a_policy_samples_behind_others_and_what_it_alone_does(folder: Folder) -> None:
    folder.config.write_text(OVERLAP)
    vips = [span(number, error=True, name="vip") for number in (1, 2, 3)]
    folder.traces.write_bytes(sized(request(*vips, span(9))))
    document = json.loads(folder.replay("--format", "json", str(folder.traces)).stdout)
    rows = {row["policy"]: row for row in document["policies"]}
    assert {name: rows[name]["traces"] for name in ("errors", "slow", "named")} == {"errors": 3, "slow": 1, "named": 0}
    assert [rows[name]["votes"]["traces"] for name in ("errors", "slow", "named")] == [3, 4, 3]
    assert [rows[name]["only"]["traces"] for name in ("errors", "slow", "named")] == [0, 1, 0]
    without = json.loads(folder.replay("--no-votes", "--format", "json", str(folder.traces)).stdout)
    assert {row["votes"] is None for row in without["policies"]} == {True}
    extra = ("votes", "only", "cpu_seconds", "per_day")
    strip = [{key: value for key, value in row.items() if key not in extra} for row in document["policies"]]
    assert strip == [{key: value for key, value in row.items() if key not in extra} for row in without["policies"]]
    assert without.keys() < document.keys()
    assert "votes" not in folder.replay("--no-votes", str(folder.traces)).stdout


def test_the_json_has_the_same_figures(folder: Folder) -> None:
    result = folder.replay("--format", "json", str(folder.traces))
    document = json.loads(result.stdout)
    assert document["recording"] == {"requests": 2, "seconds": 20.0}
    assert document["received"] == {"traces": 3, "spans": 6}
    assert document["kept"] == {"traces": 1, "spans": 2, "traces_share": 0.333333, "spans_share": 0.333333}
    assert [(row["policy"], row["decision"], row["traces"], row["spans"]) for row in document["policies"]] == [
        ("no-heartbeats", "dropped", 1, 1),
        ("errors", "sampled", 1, 1),
        ("never", "sampled", 0, 0),
        (None, "not_sampled", 1, 1),
    ]
    assert document["late_spans"] == {"sampled": 1, "not_sampled": 1}
    assert document["refused_spans"] == {"invalid_trace_id": 1}
    assert document["lost_spans"] == {}


def test_the_table_says_what_a_shadow_would_have_done(folder: Folder) -> None:
    folder.config.write_text(
        CONFIG.replace("type: status_code,", "type: status_code, mode: shadow,").replace(
            "{name: never,", "{name: all, type: always_sample}\n      - {name: never, mode: shadow,"
        )
    )
    result = folder.replay(str(folder.traces))
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert any(line.startswith("all always_sample sampled 2 66.67% 2 33.33% 2 2 ") for line in lines)
    assert "errors (shadow) status_code would be sampled, is sampled 1 33.33% 1 16.67%" in lines
    assert "never (shadow) latency would be sampled 0 0.00% 0 0.00%" in lines
    document = json.loads(folder.replay("--format", "json", str(folder.traces)).stdout)
    assert [(row["policy"], row["would_decide"], row["decision"]) for row in document["shadow_policies"]] == [
        ("errors", "sampled", "sampled"),
        ("never", "sampled", None),
    ]
    assert [row["policy"] for row in document["policies"]] == ["no-heartbeats", "all"]


def test_what_is_kept_can_be_written_and_replayed(folder: Folder) -> None:
    kept = folder.path / "kept.binpb"
    assert folder.replay("--out", str(kept), str(folder.traces)).exit_code == 0
    assert [int.from_bytes(span.trace_id, "big") for span in spans_in(kept)] == [1, 1]
    again = json.loads(folder.replay("--format", "json", str(kept)).stdout)
    assert again["kept"]["traces"] == again["received"]["traces"] == 1


def test_rules_can_be_changed_for_one_run(folder: Folder) -> None:
    every = "processors.tail_sampling.policies=[{name: all, type: always_sample}]"
    document = json.loads(folder.replay("--format", "json", "--set", every, str(folder.traces)).stdout)
    assert document["kept"]["spans"] == 5


CUT_SHORT = (
    "warning: {}: is no recording, or one that has only been begun: message 1 at byte 0 is cut short: it has 86 of 91 bytes; "
    "expected what the Collector's file exporter writes with format proto or json\n"
)


@pytest.mark.parametrize(
    ("content", "warning", "also"),
    [
        (b"", "", ""),
        (b"{}\n", "", ""),
        (sized(request()), "", ""),
        (sized(request(span(0))), "", "; 1 span refused: invalid_trace_id"),
        (b'{"resourceLogs":[{}]}\n', "warning: {}: 1 request with logs left out: a replay reads only traces\n", ""),
        (
            sized(request(span(1)))[:-5],
            CUT_SHORT,
            "",
        ),
    ],
    ids=["empty", "an empty request in JSON", "an empty request", "no id", "logs", "cut short"],
)
def test_files_without_a_trace_are_an_error_and_leave_what_out_names_as_it_was(
    folder: Folder, content: bytes, warning: str, also: str
) -> None:
    folder.traces.write_bytes(content)
    kept = folder.path / "kept.binpb"
    kept.write_bytes(b"of yesterday")
    result = folder.replay(str(folder.traces), "--fail-over", "kept>20%", "--out", str(kept))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{warning.format(folder.traces)}no trace in {folder.traces}{also}\n"
    assert kept.read_bytes() == b"of yesterday"
    assert sorted(one.name for one in folder.path.iterdir()) == ["config.yaml", "kept.binpb", "traces.binpb"]
    explained = CliRunner().invoke(main, ["explain", "1" * 32, "--config", str(folder.config), str(folder.traces)])
    assert (explained.exit_code, explained.stderr) == (1, result.stderr)


def test_one_file_with_traces_is_enough(folder: Folder) -> None:
    empty = folder.path / "empty"
    empty.write_bytes(b"")
    assert folder.replay(str(empty), str(folder.traces)).exit_code == 0


def test_a_file_that_is_named_twice_is_read_once(folder: Folder) -> None:
    link = folder.path / "link"
    link.symlink_to(folder.traces)
    once, twice = (
        json.loads(folder.replay("--format", "json", *map(str, files)).stdout)
        for files in ((folder.traces,), (folder.traces, link, folder.traces))
    )
    assert once["received"] == twice["received"]
    assert once["refused_spans"] == twice["refused_spans"]


def test_out_replaces_a_file_with_its_rights_and_writes_what_is_none_at_once(folder: Folder) -> None:
    kept = folder.path / "kept.binpb"
    kept.write_bytes(b"of yesterday")
    kept.chmod(0o640)
    assert folder.replay("--out", str(kept), str(folder.traces)).exit_code == 0
    assert (len(spans_in(kept)), kept.stat().st_mode & 0o777) == (2, 0o640)
    link = folder.path / "link"
    link.symlink_to(kept)
    assert folder.replay("--out", str(link), str(folder.traces)).exit_code == 0
    assert (len(spans_in(kept)), link.is_symlink()) == (2, True)
    assert folder.replay("--out", "/dev/null", str(folder.traces)).exit_code == 0


def test_a_policy_name_is_shown_as_it_is(folder: Folder) -> None:
    folder.config.write_text(CONFIG.replace("name: errors", 'name: "[red]errors"'))
    assert "[red]errors" in folder.replay(str(folder.traces)).stdout


def test_a_file_that_cannot_be_read_ends_it_with_status_1(folder: Folder) -> None:
    missing = folder.path / "missing"
    result = folder.replay(str(folder.traces), str(missing))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{missing}: cannot be read: No such file or directory\n"


def test_of_a_file_cut_short_the_rest_is_replayed_and_a_line_says_what_was_left_out(folder: Folder) -> None:
    folder.traces.write_bytes(folder.traces.read_bytes()[:-1])
    result = folder.replay(str(folder.traces), "--format", "json")
    assert result.exit_code == 0
    assert result.stderr.startswith(f"warning: {folder.traces}: message 2 at byte")
    document = json.loads(result.stdout)
    assert document["received"] == {"traces": 3, "spans": 4}
    assert document["left_out"] == {"cut_short": 1, "other_signals": {}}


@pytest.mark.parametrize("head", ["", "tail_sampling:\n"])
def test_rules_alone_are_enough(folder: Folder, head: str) -> None:
    rules = "decision_wait: 5s\npolicies:\n- {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}\n"
    folder.config.write_text(head + (textwrap.indent(rules, "  ") if head else rules))
    document = json.loads(folder.replay(str(folder.traces), "--format", "json").stdout)
    assert [row["policy"] for row in document["policies"]] == ["errors", None]
    override = "processors.tail_sampling.policies=[{name: all, type: always_sample}]"
    document = json.loads(folder.replay(str(folder.traces), "--format", "json", "--set", override).stdout)
    assert [row["policy"] for row in document["policies"]] == ["all"]


def test_rules_alone_can_be_validated_and_not_run(folder: Folder) -> None:
    folder.config.write_text("policies:\n- {name: errors, type: status_code, status_code: {status_codes: [ERRR]}}\n")
    result = CliRunner().invoke(main, ["validate", "--config", str(folder.config)])
    assert (result.exit_code, result.stderr.partition(" is not known")[0]) == (
        1,
        f'{folder.config}:2:66: processors.tail_sampling.policies[0].status_code.status_codes[0]: "ERRR"',
    )
    result = CliRunner().invoke(main, ["run", "--config", str(folder.config)])
    assert result.exit_code == 1
    assert "holds only rules, expected a whole configuration: save what `milvus-otel config` prints" in result.stderr
    assert "`tail_sampling: ${file:config.yaml}`" in result.stderr


def test_a_wrong_configuration_ends_it_with_file_and_line(folder: Folder) -> None:
    folder.config.write_text(CONFIG.replace("threshold_ms: 1000000", "threshold_ms: soon"))
    result = folder.replay(str(folder.traces))
    assert result.exit_code == 1
    assert f"{folder.config}:12: " in result.stderr


def test_the_files_that_are_read_are_not_written_over(folder: Folder) -> None:
    before = folder.traces.read_bytes()
    result = folder.replay(str(folder.traces), "--out", str(folder.traces))
    assert result.exit_code == 1
    assert "name another" in result.stderr
    assert folder.traces.read_bytes() == before


def test_an_output_that_cannot_be_written_is_named(folder: Folder) -> None:
    result = folder.replay(str(folder.traces), "--out", str(folder.path / "no" / "kept"))
    assert result.exit_code == 1
    assert result.stderr == f"--out {folder.path}/no/kept: cannot be written: No such file or directory\n"


def test_a_recording_has_to_be_named(folder: Folder) -> None:
    result = folder.replay()
    assert result.exit_code == 2
    assert "FILE" in result.stderr
