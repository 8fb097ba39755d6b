"""What a real Collector makes of a `tail_sampling` block, and what we make of it: taken or not, and with which values.

Each field of the block, of every type that there is, is written in each of many ways. The Collector tells of all policies in
one configuration which it cannot decode; what both take has to start it.
"""

from __future__ import annotations

import json
import re
import subprocess
from itertools import product
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from milvus_otel_processor.config import ConfigError, load_config
from milvus_otel_processor.spans.schema import HeadView

from tests.differential.compare import kept_in, send
from tests.peers.collector import collector, collector_binary
from tests.peers.process import free_port
from tests.support.harness import Harness
from tests.support.spans import encoded, span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from milvus_otel_processor.sampling.settings import TailSamplingSettings

ENVIRONMENT = {"NUMBER": "5", "FLOAT": "2.5", "TEXT": "t1,t2", "LIST": "[t1, t2]", "WORD": "ERROR", "YES": "true"}
"""Variables that are set; UNSET is not."""

SPELLINGS = [
    *("5", "5.0", "1e+06", "1e3", "33.3", "-1", "0", "0x10", "017", "1_000", ".inf", ".nan", "1e300"),
    *("'5'", "true", "'true'", "yes", "null", "~", "''", "a", "'a,b'", "'a, b'", "ERROR", "'ERROR,OK'", "ignore", "2024-01-01"),
    *("[]", "[a, b]", "[a, ~]", "[5]", "[true]", "['5']", "[[a]]", "[ERROR]", "{}", "{a: b}"),
    *("10s", "1m30s", "1.5h", "10", "'10'"),
    *(f"'${{env:{name}}}'" for name in ("UNSET", *ENVIRONMENT)),
    *("['${env:UNSET}', a]", "['${env:NUMBER}', a]", "['${env:TEXT}']", "'x${env:NUMBER}'", "'${env:UNSET:-ERROR}'", "'a$$b'"),
]  # fmt: skip

POLICY_FIELDS = {
    "latency.threshold_ms": "{type: latency, latency: {threshold_ms: %s}}",
    "latency": "{type: latency, latency: %s}",
    "numeric_attribute.key": "{type: numeric_attribute, numeric_attribute: {key: %s, min_value: 1}}",
    "numeric_attribute.max_value": "{type: numeric_attribute, numeric_attribute: {key: k, min_value: 1, max_value: %s}}",
    "probabilistic.sampling_percentage": "{type: probabilistic, probabilistic: {sampling_percentage: %s}}",
    "probabilistic.hash_salt": "{type: probabilistic, probabilistic: {sampling_percentage: 1, hash_salt: %s}}",
    "status_code.status_codes": "{type: status_code, status_code: {status_codes: %s}}",
    "string_attribute.values": "{type: string_attribute, string_attribute: {key: k, values: %s}}",
    "string_attribute.enabled_regex_matching": (
        "{type: string_attribute, string_attribute: {key: k, values: [a], enabled_regex_matching: %s}}"
    ),
    "string_attribute.cache_max_size": "{type: string_attribute, string_attribute: {key: k, values: [a], cache_max_size: %s}}",
    "rate_limiting.spans_per_second": "{type: rate_limiting, rate_limiting: {spans_per_second: %s}}",
    "span_count.min_spans": "{type: span_count, span_count: {min_spans: %s}}",
    "trace_state.values": "{type: trace_state, trace_state: {key: k, values: %s}}",
    "boolean_attribute.value": "{type: boolean_attribute, boolean_attribute: {key: k, value: %s}}",
    "ottl_condition.error_mode": "{type: ottl_condition, ottl_condition: {error_mode: %s, span: ['name == \"a\"']}}",
    "and.and_sub_policy": "{type: and, and: {and_sub_policy: %s}}",
    "not.not_sub_policy.latency.threshold_ms": (
        "{type: not, not: {not_sub_policy: {type: latency, latency: {threshold_ms: %s}}}}"
    ),
    "composite.max_total_spans_per_second": (
        "{type: composite, composite: {max_total_spans_per_second: %s, composite_sub_policy: [{name: a, type: always_sample}]}}"
    ),
    "composite.policy_order": (
        "{type: composite, composite: {max_total_spans_per_second: 5, policy_order: %s, "
        "composite_sub_policy: [{name: a, type: always_sample}]}}"
    ),
    "composite.rate_allocation.percent": (
        "{type: composite, composite: {max_total_spans_per_second: 5, composite_sub_policy: [{name: a, type: always_sample}], "
        "rate_allocation: [{policy: a, percent: %s}]}}"
    ),
}


class Case(NamedTuple):
    """A field, and how its value is written."""

    field: str
    spelling: str


CASES = [Case(field, spelling) for field, spelling in product(POLICY_FIELDS, SPELLINGS)]


NOTHING = ("null", "~", "'${env:UNSET}'")
NO_NUMBER = (".inf", ".nan", "1e300")
ONE_WORD = ("'${env:NUMBER}'", "'${env:FLOAT}'", "'${env:YES}'")


def is_taken_here_alone(case: Case) -> bool:
    """Whether it is one of the things in which we are milder, on purpose."""
    if case.spelling == "2024-01-01":  # a date is a text like any other
        return case.field.endswith(("key", "salt", "values", "order"))
    if case.spelling in ONE_WORD:  # one number, or one word that means something to YAML, is a list of one text
        return case.field.endswith(("values", "order"))
    return (
        case.field == "ottl_condition.error_mode" and case.spelling in NOTHING
    )  # as for every other field: the default


def is_refused_here_alone(case: Case) -> bool:
    """Whether it is one of the mistakes that the Collector decodes; some of them it does not start with."""
    if case.spelling in NO_NUMBER:  # a number of ours may be a double, theirs may not
        doubles = ("probabilistic.sampling_percentage", "numeric_attribute.max_value")
        return case.field not in doubles or case.spelling != "1e300"
    if case.field == "latency":
        return case.spelling == "2024-01-01"  # a time has no keys, and so none that it does not know
    if case.field in ("and.and_sub_policy", "numeric_attribute.key"):
        return case.spelling in (*NOTHING, "[]")
    return case.field == "status_code.status_codes"


def ours(policies: Sequence[str], folder: Path, settings: str = "") -> TailSamplingSettings | None:
    """The block as we read it, or None where we refuse it."""
    file = folder / "ours.yaml"
    file.write_text(configuration([settings + policies_text(policies)]), encoding="utf-8")
    try:
        return load_config(file, environ=ENVIRONMENT).config.tail_sampling
    except ConfigError:
        return None


def policies_text(policies: Sequence[str]) -> str:
    named = [policy.replace("{type:", f"{{name: p{index}, type:", 1) for index, policy in enumerate(policies)]
    return "policies: [" + ", ".join(named) + "]"


def configuration(blocks: Sequence[str], endpoint: str = "127.0.0.1:4317") -> str:
    """A configuration with each of these blocks, which both sides can read."""
    ids = [f"tail_sampling/{index}" if index else "tail_sampling" for index in range(len(blocks))]
    lines = [f"receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '{endpoint}'}}}}}}}}", "processors:"]
    lines += [f"  {id_}: {{{block}}}" for id_, block in zip(ids, blocks, strict=True)]
    lines += ["exporters: {otlp: {endpoint: 'localhost:1', tls: {insecure: true}}}", "service:"]
    lines += ["  pipelines: {traces: {receivers: [otlp], processors: [tail_sampling], exporters: [otlp]}}"]
    return "\n".join(lines) + "\n"


class Printed(NamedTuple):
    """What `otelcol print-config` says."""

    errors: str
    config: dict[str, Any]


def printed(text: str, folder: Path) -> Printed:
    file = folder / "theirs.yaml"
    file.write_text(text, encoding="utf-8")
    command = [str(collector_binary()), "print-config", "--mode=unredacted", "--format=json", "--config", str(file)]
    result = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60)
    return Printed(result.stderr, json.loads(result.stdout) if result.returncode == 0 else {})


def cannot_decode(errors: str) -> set[int]:
    """The policies, by their place, that the Collector names in its errors."""
    return {int(place) for place in re.findall(r"'?policies\[(\d+)\]", errors)}


def is_decoded(case: Case, taken_by_them: bool) -> bool:
    """Whether we should take it, given that they do or do not."""
    return is_taken_here_alone(case) or (taken_by_them and not is_refused_here_alone(case))


@pytest.mark.timeout(300)
def test_every_spelling_of_every_field_is_taken_or_refused_as_by_the_collector(tmp_path: Path) -> None:
    written = [POLICY_FIELDS[case.field] % case.spelling for case in CASES]
    refused = cannot_decode(printed(configuration([policies_text(written)]), tmp_path).errors)
    theirs = [place not in refused for place in range(len(CASES))]
    taken = [ours([policy], tmp_path) is not None for policy in written]
    different = [
        (case, "taken by them alone" if by_them else "taken by us alone")
        for case, by_them, by_us in zip(CASES, theirs, taken, strict=True)
        if by_us != is_decoded(case, by_them) and case.field != "status_code.status_codes"
    ]
    assert not different
    both = [policy for policy, by_them, by_us in zip(written, theirs, taken, strict=True) if by_them and by_us]
    assert len(both) > len(CASES) / 5
    assert len(refused) > len(CASES) / 2
    with collector(configuration([policies_text(both)], f"127.0.0.1:{free_port()}"), tmp_path, ENVIRONMENT):
        pass  # what both take starts it


@pytest.mark.timeout(300)
@pytest.mark.parametrize("codes", ["[]", "a", "[ERROR, a]", "''", "'ERROR, OK'", "['${env:UNSET}', ERROR]"])
def test_a_status_that_there_is_not_is_refused_by_both(codes: str, tmp_path: Path) -> None:
    policy = POLICY_FIELDS["status_code.status_codes"] % codes
    assert ours([policy], tmp_path) is None
    text = configuration([policies_text([policy])])
    assert not printed(text, tmp_path).errors  # it is decoded, and the processor then does not start
    with pytest.raises(RuntimeError, match="status code"), collector(text, tmp_path, ENVIRONMENT):
        pass


SETTINGS = [
    *product(("num_traces",), ("1e+06", "33.3", "1_000", "017", "'${env:NUMBER}'", "-1", "'5'", "-2.5", "true")),
    *product(("maximum_trace_size_bytes",), ("1e+06", "33.3", "0")),
    *product(("decision_wait",), ("10s", "1m30s", "1.5h", "'${env:NUMBER}s'", "1000μs", "0", "10x", "a", "[10s]")),
    *product(("sample_on_first_match",), ("true", "'true'", "yes", "'${env:YES}'", "1")),
    *product(("sampling_strategy",), ("span-ingest", "trace-complete", "eager", "''", "5")),
    *product(("decision_cache.sampled_cache_size",), ("1e3", "10.7", "'${env:FLOAT}'", "[]")),
]


@pytest.mark.parametrize(("key", "spelling"), SETTINGS)
def test_a_setting_of_the_block_has_the_value_that_the_collector_reads(key: str, spelling: str, tmp_path: Path) -> None:
    names = key.split(".")
    setting = f"{names[0]}: {spelling}" if len(names) == 1 else f"{names[0]}: {{{names[1]}: {spelling}}}"
    always = "policies: [{name: a, type: always_sample}]"
    theirs = printed(configuration([f"{setting}, {always}"]), tmp_path)
    mine = ours(["{type: always_sample}"], tmp_path, f"{setting}, ")
    assert (mine is None) == bool(theirs.errors), theirs.errors
    if mine is not None:
        value: object = mine
        printed_value: Any = theirs.config["processors"]["tail_sampling"]
        for name in names:
            value, printed_value = getattr(value, name), printed_value[name]
        assert value == (printed_value / 1e9 if key == "decision_wait" else printed_value)


def test_a_setting_without_a_value_has_its_default_here_and_is_zero_there(tmp_path: Path) -> None:
    theirs = printed(configuration(["decision_wait: null, policies: [{name: a, type: always_sample}]"]), tmp_path)
    assert theirs.config["processors"]["tail_sampling"]["decision_wait"] == 0
    mine = ours(["{type: always_sample}"], tmp_path, "decision_wait: null, ")
    assert mine is not None
    assert mine.decision_wait == 30


WRITTEN = {
    "string_attribute: {key: k, values: %s}": SPELLINGS[16:],
    "latency: {threshold_ms: %s}": [number for number in SPELLINGS[:10] if number != "017"],
    "span_count: {min_spans: %s}": ["2.9", "3.0", "'${env:FLOAT}'", "0x2"],
    "probabilistic: {sampling_percentage: %s}": ["5e1", "0x10", "'${env:FLOAT}'"],
    "probabilistic: {sampling_percentage: 30, hash_salt: %s}": ["'${env:NUMBER}'", "'${env:LIST}'", "null", "yes"],
    "status_code: {status_codes: %s}": ["ERROR", "'OK,ERROR'", "'${env:WORD}'"],
}
VALUES = [
    f"{{type: {block.partition(':')[0]}, {block % spelling}}}"
    for block, spellings in WRITTEN.items()
    for spelling in spellings
]
TEXTS = (
    "a",
    "b",
    " b",
    "a,b",
    "5",
    "t1",
    "t2",
    "t1,t2",
    "x5",
    "a$b",
    "true",
    "ERROR",
    "[t1, t2]",
    "10s",
    "ignore",
    "yes",
)


def some_traces() -> bytes:
    """Traces that tell the values apart: by an attribute, by their duration, by the number of their spans, by their id."""
    by_text = [span(trace, attributes={"k": text}) for trace, text in enumerate(TEXTS, 1)]
    durations = (1, 5, 6, 15, 16, 17, 33, 34, 999, 1000, 1001, 10**6, 10**6 + 1)
    by_time = [
        span(trace, start_ms=1_000_000, end_ms=1_000_000 + duration) for trace, duration in enumerate(durations, 100)
    ]
    by_count = [span(200 + count, number) for count in (1, 2, 3, 4) for number in range(1, count + 1)]
    by_status = [span(300 + code, status=code) for code in (0, 1, 2)]
    return encoded(*by_text, *by_time, *by_count, *by_status, *(span(trace) for trace in range(400, 480)))


@pytest.mark.timeout(300)
def test_what_is_written_in_a_policy_has_the_same_value_to_both(tmp_path: Path) -> None:
    written = [policy for policy in VALUES if ours([policy], tmp_path) is not None]
    refused = cannot_decode(printed(configuration([policies_text(written)]), tmp_path).errors)
    both = [policy for place, policy in enumerate(written) if place not in refused]
    assert len(both) > 30
    sent = some_traces()
    theirs = kept_by_theirs(both, sent, tmp_path)
    for policy, kept in zip(both, theirs, strict=True):
        block = ours([policy], tmp_path)
        assert block is not None
        harness = Harness(block)
        harness.pipeline.ingest(sent)
        harness.pipeline.drain()
        assert {HeadView.FromString(one).trace_id.hex() for one in harness.exporter.spans} == kept, policy
    assert len({frozenset(kept) for kept in theirs}) > 15  # they tell the values apart


def kept_by_theirs(policies: Sequence[str], sent: bytes, folder: Path) -> list[set[str]]:
    """The ids of the traces that the Collector keeps with each policy, in a pipeline of its own."""
    files = [folder / f"kept-{place}" for place in range(len(policies))]
    with TemporaryDirectory() as short:
        endpoint = f"{short}/otlp.sock"
        lines = [
            f"receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '{endpoint}', transport: unix}}}}}}}}",
            "processors:",
        ]
        lines += [
            f"  tail_sampling/{place}: {{decision_wait: 600s, {policies_text([policy])}}}"
            for place, policy in enumerate(policies)
        ]
        lines += ["exporters:"]
        lines += [f"  file/{place}: {{path: '{file}', format: proto}}" for place, file in enumerate(files)]
        lines += ["service:", "  telemetry: {metrics: {level: none}, logs: {level: error}}", "  pipelines:"]
        lines += [
            f"    traces/{place}: {{receivers: [otlp], processors: [tail_sampling/{place}], exporters: [file/{place}]}}"
            for place in range(len(policies))
        ]
        send([sent], endpoint, collector("\n".join(lines) + "\n", folder, ENVIRONMENT))
    return [set(kept_in(file)) for file in files]
