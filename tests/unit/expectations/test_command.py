"""`milvus-otel test`: expectations beside the rules, what is different, and JUnit XML."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result
from milvus_otel_processor.cli import main

from tests.support.recordings import DATA
from tests.unit.replay.recordings import request, sized, span

if TYPE_CHECKING:
    from pathlib import Path

ROOT = DATA.parents[1]
RULES = """\
policies:
  - {name: beats, type: drop, drop: {drop_sub_policy: [{type: span_name, span_name: {names: [beat], root_only: true}}]}}
  - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
  - {name: slow, type: latency, latency: {threshold_ms: 500}}
  - {name: half, type: probabilistic, probabilistic: {sampling_percentage: 50, hash_salt: pepper}}
"""
GOOD = """\
rules: sampling.yaml
tests:
  - name: a failed search is kept
    trace: [{name: search, spans: [{name: Search, status: ERROR}]}]
    kept_by: errors
  - name: a fast one is not
    trace: [{name: search, duration: 5ms}]
    kept: false
  - name: a beat is dropped
    trace: [{name: beat}]
    dropped_by: beats
  - name: one of a recording
    recording: traces.binpb
    trace_id: "00000000000000000000000000000001"
    kept: true
"""


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / "sampling.test.yaml"
        (path / "sampling.yaml").write_text(RULES)
        (path / "traces.binpb").write_bytes(sized(request(span(1, error=True), span(2))))
        self.file.write_text(GOOD)

    def test(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["test", str(self.file), *arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_what_is_as_expected_is_said_with_its_place(folder: Folder) -> None:
    result = folder.test()
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"ok: {folder.file}:3: a failed search is kept",
        f"ok: {folder.file}:6: a fast one is not",
        f"ok: {folder.file}:9: a beat is dropped",
        f"ok: {folder.file}:12: one of a recording",
        "4 as expected",
    ]


def test_a_difference_names_what_was_expected_what_it_is_and_why(folder: Folder) -> None:
    result = folder.test("--policy", "errors.status_codes=[OK]")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:4] == [
        f"not as expected: {folder.file}:3: a failed search is kept",
        "    expected: kept by errors",
        "    but it is not kept",
        "      errors not sampled: no span has OK",
    ]
    assert result.stdout.splitlines()[-1].startswith("3 as expected, 1 not")


def test_where_no_policy_was_expected_the_one_that_decided_says_why(folder: Folder) -> None:
    folder.file.write_text("rules: sampling.yaml\ntests: [{name: a, trace: [{name: s, duration: 1s}], kept: false}]")
    lines = folder.test().stdout.splitlines()
    assert lines[1:4] == [
        "    expected: not kept",
        "    but it is kept by slow",
        "      slow sampled: 1,000 ms, above 500 ms",
    ]


def test_results_are_written_for_ci(folder: Folder) -> None:
    target = folder.path / "results.xml"
    folder.file.write_text(GOOD.replace("traces.binpb", "missing.binpb").replace("kept: false", "kept: true"))
    assert folder.test("--junit-xml", str(target)).exit_code == 1
    root = ET.parse(target).getroot()
    suite = root[0]
    assert {key: root.attrib[key] for key in ("tests", "failures", "errors")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
    }
    assert [case.attrib["line"] for case in suite] == ["3", "6", "9", "12"]
    assert [[part.tag for part in case] for case in suite] == [[], ["failure"], [], ["error"]]
    assert suite[1][0].attrib["message"] == "expected: kept; but it is not kept"
    assert "half not sampled" in (suite[1][0].text or "")


def test_a_trace_without_an_id_is_none_that_a_share_takes_whatever_its_salt(folder: Folder) -> None:
    result = folder.test("--policy", "half.sampling_percentage=99")
    assert result.exit_code == 0, result.stdout


def test_other_rules_can_be_tried_on_the_same_expectations(folder: Folder) -> None:
    other = folder.path / "other.yaml"
    other.write_text(RULES.replace("threshold_ms: 500", "threshold_ms: 1"))
    assert folder.test("--config", str(other)).exit_code == 1


WRONG = [
    ("tests: []", "1: tests: [] is empty, expected at least one entry"),
    ("tests: [{name: a, trace: [{name: b}]}]", "expected one of `kept: true`, `kept: false`, `kept_by: …`"),
    ("tests: [{name: a, trace: [{name: b}], kept: true, kept_by: x}]", "expected one of `kept: true`"),
    ("tests: [{name: a, kept: true}]", "expected either `trace`, with spans, or `recording`, with a `trace_id`"),
    ("tests: [{name: a, recording: b, kept: true}]", "expected a `trace_id` beside `recording`"),
    ("tests: [{name: a, trace: [{name: b, duraton: 1s}], kept: true}]", 'did you mean "duration"?'),
    ("tests: [{name: a, trace: [{name: b, duration: 1}], kept: true}]", "expected a duration with its unit"),
    ("tests: [{name: a, trace: [{name: b}], trace_id: abc, kept: true}]", "expected a trace id: 32 hexadecimal digits"),
    ("rules: x", "tests: is missing"),
    ("[]", "expected a mapping with the key tests"),
    (
        "tests: [{name: a, trace: [{name: b}], kept: true}, {name: a, trace: [{name: b}], kept: true}]",
        '"a" is the name of two tests',
    ),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_file_is_refused_with_its_line(folder: Folder, text: str, message: str) -> None:
    folder.file.write_text(text)
    result = folder.test()
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"{folder.file}:1: ")
    assert message in result.stderr


def test_a_policy_that_is_not_there_is_named_with_the_nearest(folder: Folder) -> None:
    folder.file.write_text("rules: sampling.yaml\ntests: [{name: a, trace: [{name: b}], kept_by: error}]")
    assert "but there is no policy 'error', expected one of beats, errors, slow, half" in folder.test().stdout


def test_a_trace_that_is_not_in_the_recording_and_rules_that_are_wrong_are_errors(folder: Folder) -> None:
    folder.file.write_text(GOOD.replace("0000001", "0000007"))
    result = folder.test()
    assert result.exit_code == 1
    assert "no trace 00000000000000000000000000000007 was decided" in result.stdout
    (folder.path / "sampling.yaml").write_text("policies: [{name: a, type: latncy}]")
    result = folder.test()
    assert (result.exit_code, "sampling.yaml:1: " in result.stderr) == (1, True)


def test_a_recording_without_any_trace_is_an_error_that_says_what_was_left_out(folder: Folder) -> None:
    recording = folder.path / "traces.binpb"
    for content, said in (
        (b"", f"no trace in {recording}\n"),
        (b'{"resourceLogs":[{}]}\n', f"no trace in {recording}; {recording}: 1 request with logs left out"),
        (sized(request(span(1)))[:-5], f"no trace in {recording}; {recording}: is no recording, or one that has only"),
    ):
        recording.write_bytes(content)
        result = folder.test()
        assert (result.exit_code, said in result.stdout) == (1, True), result.stdout


def test_the_default_rules_do_what_is_expected_of_them() -> None:
    for arguments in ([], ["--config", str(ROOT / "processor/src/milvus_otel_processor/config/sampling.yaml")]):
        result = CliRunner().invoke(main, ["test", str(ROOT / "compose" / "sampling.test.yaml"), *arguments])
        assert result.exit_code == 0, result.stdout
