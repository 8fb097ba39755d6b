# ruff: noqa: E501 - a case is one line: what is changed, and what is said of it
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.config import ConfigError, default_config_text, load_config
from milvus_otel_processor.config.nodes import plain, read_yaml

from tests.unit.config.conftest import CONFIG, SAMPLING

if TYPE_CHECKING:
    from tests.unit.config.conftest import ConfigFolder


def test_a_configuration_is_typed_and_knows_the_components_of_its_pipeline(folder: ConfigFolder) -> None:
    config = folder.load()
    assert config.receiver.protocols.grpc.endpoint == "0.0.0.0:4317"
    assert config.milvus is not None
    assert config.milvus.uri == "http://milvus:19530"
    assert config.tail_sampling is not None
    assert config.tail_sampling.decision_wait == 10.0
    assert [policy.name for policy in config.tail_sampling.policies] == ["errors", "slow"]
    assert config.exporter.endpoint == "jaeger:4317"
    assert config.exporter.tls.insecure is True
    assert config.service.telemetry.logs.level == "info"
    assert folder.warnings() == []


def test_the_built_in_configuration_is_valid_without_warnings() -> None:
    loaded = load_config(None, environ={})
    assert loaded.warnings == ()
    assert loaded.config.receiver.protocols.grpc.endpoint == "127.0.0.1:14317"
    assert loaded.config.exporter.endpoint == "127.0.0.1:4317"
    assert loaded.config.milvus is not None
    assert loaded.config.tail_sampling is not None


def test_the_printed_configuration_is_the_built_in_one(folder: ConfigFolder) -> None:
    folder.write("config.yaml", default_config_text())
    assert folder.load() == load_config(None, environ={}).config
    assert "${" not in default_config_text()


def test_every_built_in_rule_is_explained() -> None:
    lines = default_config_text().splitlines()
    rules = [index for index, line in enumerate(lines) if line.startswith("      - name: ")]
    assert len(rules) == 9
    # a comment right above the rule
    assert [index for index in rules if not lines[index - 1].lstrip().startswith("#")] == []


@pytest.mark.parametrize("processors", ["[]", "[milvus]", "[tail_sampling]", "[milvus, tail_sampling]"])
def test_either_processor_can_be_left_out(folder: ConfigFolder, processors: str) -> None:
    folder.write("config.yaml", CONFIG.replace("[milvus, tail_sampling]", processors))
    config = folder.load()
    assert (config.milvus is not None) == ("milvus" in processors)
    assert (config.tail_sampling is not None) == ("tail_sampling" in processors)


def test_a_component_that_the_pipeline_leaves_out_is_warned_about_and_still_checked(folder: ConfigFolder) -> None:
    text = CONFIG.replace("[milvus, tail_sampling]", "[tail_sampling]")
    folder.write("config.yaml", text)
    assert folder.warnings() == [
        "config.yaml:4: processors.milvus: is not used, service.pipelines.traces.processors does not list it"
    ]
    folder.write("config.yaml", text.replace("uri:", "urii:"))
    assert len(folder.problems()) == 1


@pytest.mark.parametrize("exporter", ["otlp", "otlp_grpc", "otlp/jaeger", "otlp_grpc/2"])
def test_the_exporter_answers_to_both_of_its_names_and_to_ids(folder: ConfigFolder, exporter: str) -> None:
    text = CONFIG.replace("  otlp:\n", f"  {exporter}:\n").replace("exporters: [otlp]", f"exporters: [{exporter}]")
    folder.write("config.yaml", text)
    assert folder.load().exporter.endpoint == "jaeger:4317"


def test_of_two_components_of_a_type_the_pipeline_chooses(folder: ConfigFolder) -> None:
    text = CONFIG.replace("exporters:\n  otlp:", "exporters:\n  otlp/other: {endpoint: o:1}\n  otlp:")
    folder.write("config.yaml", text.replace("exporters: [otlp]", "exporters: [otlp/other]"))
    assert folder.load().exporter.endpoint == "o:1"


def test_a_block_with_nothing_under_it_has_its_defaults(folder: ConfigFolder) -> None:
    folder.write(
        "config.yaml",
        CONFIG.replace("  otlp: {protocols: {grpc: {endpoint: 0.0.0.0:4317}}}", "  otlp:\n    protocols:\n      grpc:"),
    )
    assert folder.load().receiver.protocols.grpc.max_recv_msg_size_mib == 64


@pytest.mark.parametrize(
    ("old", "new", "expected", "nearest"),
    [
        ("receivers:\n", "recievers:\n", "config.yaml:1: recievers: is not a known key, expected one of receivers, ", "receivers"),
        ("  milvus: {uri", "  milvuss: {uri", "config.yaml:4: processors.milvuss: is not a known type of processor", "milvus"),
        ("uri:", "urii:", "config.yaml:4: processors.milvus.urii: is not a known key", "uri"),
        ("{endpoint", "{endpint", "config.yaml:2: receivers.otlp.protocols.grpc.endpint: is not a known key", "endpoint"),
        ("insecure: true", "insecur: true", "config.yaml:9: exporters.otlp.tls.insecur: is not a known key", "insecure"),
        ("  pipelines:", "  pipeline:", "config.yaml:11: service.pipeline: is not a known key", "pipelines"),
        ("    traces:", "    trace:", "config.yaml:12: service.pipelines.trace: is not a known key", "traces"),
        ("      receivers:", "      receiver:", "config.yaml:13: service.pipelines.traces.receiver: is not a known key", "receivers"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_named_with_its_line_and_the_nearest_one(
    folder: ConfigFolder, old: str, new: str, expected: str, nearest: str
) -> None:
    folder.write("config.yaml", CONFIG.replace(old, new, 1))
    line = next(line for line in folder.problems() if line.startswith(expected))
    assert line.endswith(f'; did you mean "{nearest}"?')


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("insecure: true", "insecure: yes", 'config.yaml:9: exporters.otlp.tls.insecure: "yes" is a string, expected true or false'),
        ("endpoint: jaeger:4317", "endpoint: 4317", "config.yaml:8: exporters.otlp.endpoint: 4317 is a number, expected a string; put it in quotes"),
        ("tls: {insecure: true}", "tls: [1]", "config.yaml:9: exporters.otlp.tls: [1] is a list, expected a mapping"),
        ("receivers: [otlp]", "receivers: otlp", 'config.yaml:13: service.pipelines.traces.receivers: "otlp" is a string, expected a list'),
        ("  pipelines:", "  telemetry: {logs: {level: inof}}\n  pipelines:", 'config.yaml:11: service.telemetry.logs.level: "inof" is not known, expected one of debug, info, warn, error; did you mean "info"?'),
        ("    endpoint: jaeger:4317\n", "", "config.yaml:8: exporters.otlp.endpoint: is missing"),
        ("    endpoint: jaeger:4317\n", "    endpoint:\n", "config.yaml:8: exporters.otlp.endpoint: is missing"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_line_and_what_was_expected(
    folder: ConfigFolder, old: str, new: str, expected: str
) -> None:
    folder.write("config.yaml", CONFIG.replace(old, new, 1))
    (problem,) = folder.problems()
    assert problem.startswith(expected)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("type: latency", "type: latncy", 'sampling.yaml:7: processors.tail_sampling.policies[1].type: "latncy" is not a known type, expected one of always_sample, '),
        ("    type: latency\n", "", "sampling.yaml:6: processors.tail_sampling.policies[1].type: is missing, expected one of "),
        ("{threshold_ms: 1000}", "{threshhold_ms: 1000}", "sampling.yaml:8: processors.tail_sampling.policies[1].latency.threshhold_ms: is not a known key, "),
        ("    type: latency\n", "    type: latency\n    latncy: 1\n", "sampling.yaml:8: processors.tail_sampling.policies[1].latncy: is not a known key, "),
        ("threshold_ms: 1000", "threshold_ms: 1s", 'sampling.yaml:8: processors.tail_sampling.policies[1].latency.threshold_ms: "1s" is a string, expected a whole number'),
        ("[ERROR]", "[ERRR]", 'sampling.yaml:5: processors.tail_sampling.policies[0].status_code.status_codes[0]: "ERRR" is not known, '),
        ("decision_wait: 10s", "decision_wait: 10", "sampling.yaml:1: processors.tail_sampling.decision_wait: 10: expected a duration"),
        ("name: slow", "name: errors", 'sampling.yaml:6: processors.tail_sampling.policies[1].name: "errors" is the name of two policies, first at sampling.yaml:3; rename one'),
        ("policies:\n", "policies:\n  - 5\n", "sampling.yaml:3: processors.tail_sampling.policies[0]: 5 is a number, expected a mapping"),
        ("    latency: {threshold_ms: 1000}\n", "", "sampling.yaml:6: processors.tail_sampling.policies[1].latency: is missing"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_found_in_the_included_file(folder: ConfigFolder, old: str, new: str, expected: str) -> None:
    folder.write("sampling.yaml", SAMPLING.replace(old, new, 1))
    (problem,) = folder.problems()
    assert problem.startswith(expected)


def test_an_unknown_type_of_policy_comes_with_the_nearest_one(folder: ConfigFolder) -> None:
    folder.write("sampling.yaml", SAMPLING.replace("type: latency", "type: latncy"))
    assert folder.problems()[0].endswith('; did you mean "latency"?')


def test_a_bad_regular_expression_is_named_with_its_own_line_and_the_reason(folder: ConfigFolder) -> None:
    rule = """\
  - name: colour
    type: string_attribute
    string_attribute:
      key: colour
      enabled_regex_matching: true
      values:
        - ^red$
        - "gr(een"
"""
    folder.write("sampling.yaml", SAMPLING + rule)
    (problem,) = folder.problems()
    assert problem.startswith("sampling.yaml:16: processors.tail_sampling.policies[2].string_attribute")
    assert "gr(een" in problem
    assert "missing )" in problem


@pytest.mark.parametrize(
    ("policy", "path", "message"),
    [
        ("{name: p, type: boolean_attribute, string_attribute: {key: k, value: true}}", "boolean_attribute", "is missing: the type is boolean_attribute, and the block that stands here is string_attribute; rename one of the two"),
        ("{name: p, type: latency, span_name: {names: [a]}}", "latency", "is missing: the type is latency, and the block that stands here is span_name; rename one of the two"),
        ("{name: p, type: not, not: {not_sub_policy: {type: and, drop: {drop_sub_policy: []}}}}", "not.not_sub_policy.and", "is missing: the type is and, and the block that stands here is drop; rename one of the two"),
        ("{name: p, type: latency}", "latency", "is missing, expected `latency: …`"),
        ("{name: p, type: and, and: {and_sub_policy: []}}", "and.and_sub_policy", "[] is empty, expected at least one entry"),
        ("{name: p, type: status_code, status_code: {status_codes: []}}", "status_code.status_codes", "[] is empty, expected at least one entry"),
        ("{name: p, type: span_name, span_name: {names: []}}", "span_name.names", "[] is empty, expected at least one entry"),
    ],
)  # fmt: skip
def test_a_block_that_is_missing_or_empty_is_named(folder: ConfigFolder, policy: str, path: str, message: str) -> None:
    folder.write("sampling.yaml", f"{SAMPLING}  - {policy}\n")
    (problem,) = folder.problems()
    assert problem.startswith(f"sampling.yaml:9: processors.tail_sampling.policies[2].{path}: {message}")


def test_a_rule_inside_and_is_found_by_its_own_path(folder: ConfigFolder) -> None:
    rule = """\
  - name: both
    type: and
    and:
      and_sub_policy:
        - {name: one, type: always_sample}
        - {name: two, type: status_code, status_code: {status_codes: [ERROR], x: 1}}
"""
    folder.write("sampling.yaml", SAMPLING + rule)
    (problem,) = folder.problems()
    path = "processors.tail_sampling.policies[2].and.and_sub_policy[1].status_code.x"
    assert problem.startswith(f"sampling.yaml:14: {path}: is not a known key")


def test_all_problems_are_told_at_once_in_the_order_of_the_files(folder: ConfigFolder) -> None:
    folder.write("config.yaml", CONFIG.replace("uri:", "urii:").replace("insecure: true", "insecure: 1"))
    folder.write("sampling.yaml", SAMPLING.replace("[ERROR]", "[ERRR]").replace("1000", "x"))
    assert [problem.split(": ")[0] for problem in folder.problems()] == [
        "config.yaml:4",
        "config.yaml:9",
        "sampling.yaml:5",
        "sampling.yaml:8",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[milvus, tail_sampling]", "[milvus, tail_smpling]", 'config.yaml:14: service.pipelines.traces.processors[1]: "tail_smpling" is not defined under processors, expected one of milvus, tail_sampling; did you mean "tail_sampling"?'),
        ("[milvus, tail_sampling]", "[tail_sampling, milvus]", "config.yaml:14: service.pipelines.traces.processors: milvus after tail_sampling is not supported"),
        ("[milvus, tail_sampling]", "[milvus, milvus]", 'config.yaml:14: service.pipelines.traces.processors[1]: "milvus" is listed twice; remove one'),
        ("receivers: [otlp]", "receivers: []", "config.yaml:13: service.pipelines.traces.receivers: "),
        ("exporters: [otlp]", "exporters: [otlp, otlp/b]", "config.yaml:15: service.pipelines.traces.exporters"),
        ("  tail_sampling: ${file:sampling.yaml}\n", "  tail_sampling: ${file:sampling.yaml}\n  tail_sampling: 1\n", 'config.yaml:6: key "tail_sampling" is there twice, first at config.yaml:5'),
        ("  milvus:", "  milvus/a b: {}\n  milvus:", 'config.yaml:4: processors.milvus/a b: "milvus/a b" is not a valid id, expected milvus or milvus/name'),
    ],
)  # fmt: skip
def test_a_pipeline_that_cannot_be_built_is_an_error(folder: ConfigFolder, old: str, new: str, expected: str) -> None:
    folder.write("config.yaml", CONFIG.replace(old, new, 1))
    assert folder.problems()[0].startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "config.yaml:1: the file is empty, expected a mapping"),
        ("# nothing\n", "config.yaml:1: the file is empty"),
        ("[1, 2]", "config.yaml:1: the file holds [1, 2], expected a mapping"),
        ("text", 'config.yaml:1: the file holds "text", expected a mapping'),
        ("receivers:\n", "config.yaml:1: receivers: is missing"),
        ("receivers: 5\n", "config.yaml:1: receivers: 5: expected a mapping"),
    ],
)
def test_a_file_that_is_no_configuration_says_what_one_is(folder: ConfigFolder, text: str, expected: str) -> None:
    folder.write("config.yaml", text)
    assert folder.problems()[0].startswith(expected)


def test_a_missing_file_is_one_line() -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(Path("nowhere/x.yaml"), environ={})
    assert str(raised.value) == "nowhere/x.yaml: cannot be read: No such file or directory"


def test_a_missing_section_is_one_problem(folder: ConfigFolder) -> None:
    folder.write("config.yaml", CONFIG.split("service:")[0])
    assert folder.problems() == [
        "config.yaml:1: service: is missing, expected the pipeline in service.pipelines.traces"
    ]


def test_windows_line_ends_and_unicode_change_nothing(folder: ConfigFolder) -> None:
    folder.write("config.yaml", "\ufeff" + CONFIG.replace("\n", "\r\n"))
    folder.write("sampling.yaml", SAMPLING.replace("slow", "ตัวอย่าง-größer"))
    config = folder.load()
    assert config.tail_sampling is not None
    assert config.tail_sampling.policies[1].name == "ตัวอย่าง-größer"


def test_anchors_and_merge_keys_work_and_keep_their_lines(folder: ConfigFolder) -> None:
    rules = """\
policies:
  - &base
    name: a
    type: latency
    latency: {threshold_ms: x}
  - <<: *base
    name: b
"""
    folder.write("sampling.yaml", rules.replace("x}", "5}"))
    config = folder.load()
    assert config.tail_sampling is not None
    assert len(config.tail_sampling.policies) == 2
    folder.write("sampling.yaml", rules)
    assert [problem.split(": ")[0] for problem in folder.problems()] == ["sampling.yaml:5", "sampling.yaml:5"]


def test_a_set_reaches_into_an_included_file(folder: ConfigFolder) -> None:
    config = folder.load(["processors.tail_sampling.decision_wait=3s", "exporters::otlp::endpoint=other:1"])
    assert config.tail_sampling is not None
    assert config.tail_sampling.decision_wait == 3.0
    assert len(config.tail_sampling.policies) == 2
    assert config.exporter.endpoint == "other:1"


def test_a_set_creates_what_is_missing_joins_mappings_and_replaces_lists(folder: ConfigFolder) -> None:
    config = folder.load(
        [
            "service.telemetry.logs.level=debug",
            "exporters.otlp.tls={insecure: false}",
            "service.pipelines.traces.processors=[tail_sampling]",
            "exporters.otlp.endpoint=${env:HOST:-h}:1",
        ]
    )
    assert config.service.telemetry.logs.level == "debug"
    assert config.exporter.tls.insecure is False
    assert config.milvus is None
    assert config.exporter.endpoint == "h:1"


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("exporters.otlp.endpoint", "--set exporters.otlp.endpoint: has no value, expected --set key.path=value"),
        ("exporters..otlp=1", "--set exporters..otlp: has an empty key"),
        ("=1", "--set : has an empty key"),
        ("exporters.otlp.endpoint=[", "--set exporters.otlp.endpoint: not valid YAML"),
        ("exporters.otlp.endpoint=5", "--set exporters.otlp.endpoint: 5 is a number, expected a string"),
        ("exporters.otlp.endpont=x", "--set exporters.otlp.endpont: is not a known key"),
        ("exporters.otlp=5", "--set exporters.otlp: 5 is a number, expected a mapping"),
        ("processors.tail_sampling.policies.a=5", "--set processors.tail_sampling.policies.a: processors.tail_sampling.policies: goes into a value that is not a mapping: sampling.yaml:3 has a list"),
        ("a=${file:nope.yaml}", "--set a: nope.yaml: cannot be read: No such file or directory"),
    ],
)  # fmt: skip
def test_a_wrong_set_names_itself(folder: ConfigFolder, argument: str, expected: str) -> None:
    assert folder.problems([argument])[0].startswith(expected)


def test_a_variable_types_itself_by_the_field_it_is_for(folder: ConfigFolder) -> None:
    text = CONFIG.replace("endpoint: jaeger:4317", "endpoint: ${env:E}\n    headers: {authorization: '${env:TOKEN}'}")
    folder.write("config.yaml", text.replace("insecure: true", "insecure: '${env:I}'"))
    config = folder.load(E="h:1", TOKEN="0123", I="true")
    assert config.exporter.headers == {"authorization": "0123"}
    assert config.exporter.tls.insecure is True
    assert folder.problems(E="h:1", TOKEN="x", I="yes") == [
        'config.yaml:10: exporters.otlp.tls.insecure: "yes" is a string, expected true or false'
    ]


def test_what_is_nested_deeply_is_refused_without_a_traceback(folder: ConfigFolder) -> None:
    folder.write("config.yaml", "receivers: " + "{a: " * 5000 + "}" * 5000)
    assert len(folder.problems()) == 1


def test_the_printed_configuration_is_plain_yaml() -> None:
    assert list(plain(read_yaml(default_config_text(), "d"))) == ["receivers", "processors", "exporters", "service"]


@pytest.mark.parametrize(
    "address", ["4317", "host", "host:", "host:http", "127.0.0.1:65536", "::1:4317", ":4317", "a b:1"]
)
def test_an_address_that_grpc_would_take_for_another_is_refused(folder: ConfigFolder, address: str) -> None:
    for key in ("receivers.otlp.protocols.grpc.endpoint", "exporters.otlp.endpoint"):
        (problem,) = folder.problems([f"{key}='{address}'"])
        assert problem.startswith(f'--set {key}: "{address}": expected host:port with a port up to 65535')


@pytest.mark.parametrize("address", ["h:0", "h:65535", "[::1]:4317", "jaeger.local:4317"])
def test_an_address_is_a_host_and_a_port(folder: ConfigFolder, address: str) -> None:
    assert folder.load([f"exporters.otlp.endpoint='http://{address}'"]).exporter.endpoint == f"http://{address}"
    sets = [f"receivers.otlp.protocols.grpc.endpoint='{address}'"]
    assert folder.load(sets).receiver.protocols.grpc.endpoint == address


def test_a_value_that_may_be_of_two_types_is_one_problem(folder: ConfigFolder) -> None:
    rule = "  - {name: n, type: numeric_attribute, numeric_attribute: {key: k, min_value: few}}\n"
    folder.write("sampling.yaml", SAMPLING + rule)
    path = "processors.tail_sampling.policies[2].numeric_attribute.min_value"
    assert folder.problems() == [f'sampling.yaml:9: {path}: "few" is a string, expected a number']


def test_what_means_nothing_here_is_accepted_with_a_warning_at_its_line(folder: ConfigFolder) -> None:
    folder.write("sampling.yaml", f"sampling_strategy: span-ingest\nblock_on_overflow: true\n{SAMPLING}")
    overflow, strategy = folder.warnings()
    assert overflow.startswith("sampling.yaml:2: processors.tail_sampling.block_on_overflow: is ignored: ")
    assert strategy.startswith("sampling.yaml:1: processors.tail_sampling.sampling_strategy: span-ingest is ignored")
