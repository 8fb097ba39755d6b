"""Values are taken as the Collector's loader takes them; tests/differential/test_configuration.py asks the real one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.config.conftest import CONFIG

if TYPE_CHECKING:
    from tests.unit.config.conftest import ConfigFolder

HEAD = "policies:\n"


def policy(folder: ConfigFolder, type_: str, block: str, **environ: str) -> Any:
    """The block of the one policy, as it was read."""
    folder.write("sampling.yaml", f"{HEAD}  - {{name: p, type: {type_}, {type_}: {block}}}\n")
    config = folder.load(**environ)
    assert config.tail_sampling is not None
    return getattr(config.tail_sampling.policies[0], type_)


@pytest.mark.parametrize(
    ("written", "value"),
    [("1e+06", 1_000_000), ("1000.0", 1000), ("1e3", 1000), ("-5.0", -5), ("0x10", 16), ("33.3", 33), ("-33.9", -33)],
)
def test_a_whole_number_may_be_written_as_a_float(folder: ConfigFolder, written: str, value: int) -> None:
    assert policy(folder, "latency", f"{{threshold_ms: {written}}}").threshold_ms == value


def test_a_whole_number_may_be_a_float_in_every_component(folder: ConfigFolder) -> None:
    sets = [
        "receivers.otlp.protocols.grpc.max_recv_msg_size_mib=6.4e1",
        "exporters.otlp.sending_queue.queue_size=1e+06",
    ]
    config = folder.load(sets)
    assert config.receiver.protocols.grpc.max_recv_msg_size_mib == 64
    assert config.exporter.sending_queue.queue_size == 1_000_000


def test_a_fraction_that_is_cut_off_is_said(folder: ConfigFolder) -> None:
    policy(folder, "latency", "{threshold_ms: 33.3}")
    path = "processors.tail_sampling.policies[0].latency.threshold_ms"
    assert (
        f"sampling.yaml:2: {path}: 33.3 is not a whole number; it is read as 33, without its fraction, as in the Collector"
        in folder.warnings()
    )


@pytest.mark.parametrize("written", ["1e+30", ".inf", "-.inf", ".nan", "'1000'", "true", "1s", "[]", "{}"])
def test_what_is_no_whole_number_is_refused(folder: ConfigFolder, written: str) -> None:
    folder.write("sampling.yaml", f"{HEAD}  - {{name: p, type: latency, latency: {{threshold_ms: {written}}}}}\n")
    (problem,) = folder.problems()
    assert problem.startswith("sampling.yaml:2: processors.tail_sampling.policies[0].latency.threshold_ms: ")
    assert problem.endswith("expected a whole number")


@pytest.mark.parametrize("written", ["true", "'10'", "yes", ".nan", ".inf", "[10]"])
def test_what_is_no_number_is_no_percentage_either(folder: ConfigFolder, written: str) -> None:
    rule = f"  - {{name: p, type: probabilistic, probabilistic: {{sampling_percentage: {written}}}}}\n"
    folder.write("sampling.yaml", HEAD + rule)
    (problem,) = folder.problems()
    assert "policies[0].probabilistic.sampling_percentage: " in problem
    assert "expected a" in problem


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("'a,b'", ["a", "b"]),
        ("a", ["a"]),
        ("''", []),
        ("'a,,b'", ["a", "", "b"]),
        ("'${env:LIST}'", ["t1", "t2"]),
        ("'${env:YAML}'", ["t1", "t2"]),
        ("'${env:NUMBER}'", ["5"]),
        ("'${env:UNSET}'", []),
        ("['${env:LIST}', x]", ["t1,t2", "x"]),
        ("['${env:UNSET}', x]", ["", "x"]),
        ("['${env:NUMBER}', x]", ["5", "x"]),
        ("[~, x]", ["", "x"]),
        ("['${env:UNSET:-none}', x]", ["none", "x"]),
    ],
)
def test_a_list_of_texts_may_be_a_text_and_hold_nothing(folder: ConfigFolder, written: str, value: list[str]) -> None:
    environ = {"LIST": "t1,t2", "YAML": "[t1, t2]", "NUMBER": "5"}
    assert policy(folder, "string_attribute", f"{{key: k, values: {written}}}", **environ).values == value


def test_words_that_are_chosen_from_may_be_a_text_too(folder: ConfigFolder) -> None:
    assert policy(folder, "status_code", "{status_codes: 'ERROR,OK'}").status_codes == ["ERROR", "OK"]


def test_spaces_that_stay_behind_a_comma_are_said(folder: ConfigFolder) -> None:
    assert policy(folder, "string_attribute", "{key: k, values: 'a, b'}").values == ["a", " b"]
    (warning,) = folder.warnings()
    assert warning.endswith('"a, b" is split at commas, and " b" keeps its spaces; write ["a", "b"]')


def test_a_wrong_word_in_a_text_that_is_split_is_named_with_its_line(folder: ConfigFolder) -> None:
    folder.write(
        "sampling.yaml", f"{HEAD}  - {{name: p, type: status_code, status_code: {{status_codes: 'ERROR,BAD'}}}}\n"
    )
    (problem,) = folder.problems()
    assert problem.startswith("sampling.yaml:2: processors.tail_sampling.policies[0].status_code.status_codes")
    assert '"BAD" is not known, expected one of OK, ERROR, UNSET' in problem


def test_a_list_of_mappings_or_of_components_is_never_a_text(folder: ConfigFolder) -> None:
    folder.write("sampling.yaml", "policies: errors\n")
    (problem,) = folder.problems()
    assert problem.endswith('"errors" is a string, expected a list')
    folder.write("config.yaml", CONFIG.replace("exporters: [otlp]", "exporters: otlp"))
    assert folder.problems()[0].endswith('service.pipelines.traces.exporters: "otlp" is a string, expected a list')


def test_a_header_whose_variable_is_not_set_is_empty(folder: ConfigFolder) -> None:
    folder.write("config.yaml", CONFIG.replace("    tls:", "    headers: {tenant: '${env:TENANT}'}\n    tls:"))
    assert folder.load().exporter.headers == {"tenant": ""}
    assert folder.load(TENANT="5").exporter.headers == {"tenant": "5"}


@pytest.mark.parametrize("written", ["10", "1.5", "1e3", "-1", "'10'", "1d", "''"])
def test_a_duration_needs_its_unit(folder: ConfigFolder, written: str) -> None:
    folder.write("sampling.yaml", f"decision_wait: {written}\n{HEAD}  - {{name: a, type: always_sample}}\n")
    (problem,) = folder.problems()
    assert problem.startswith("sampling.yaml:1: processors.tail_sampling.decision_wait: ")
    assert "expected a duration with its unit, such as 10s, 1m30s or 500ms" in problem


@pytest.mark.parametrize(("written", "seconds"), [("0", 0), ("0.0", 0), ("'0'", 0), ("5μs", 5e-6), ("1.5h", 5400)])
def test_a_duration_is_written_as_go_writes_it(folder: ConfigFolder, written: str, seconds: float) -> None:
    folder.write("sampling.yaml", f"decision_wait: {written}\n{HEAD}  - {{name: a, type: always_sample}}\n")
    config = folder.load()
    assert config.tail_sampling is not None
    assert config.tail_sampling.decision_wait == seconds


def test_every_policy_without_a_name_is_named_by_its_place(folder: ConfigFolder) -> None:
    policies = (
        "{name: a, type: always_sample}",
        "{type: trace_flags}",
        "{type: trace_flags, name: ''}",
        "{type: trace_flags}",
    )
    folder.write("sampling.yaml", HEAD + "".join(f"  - {policy}\n" for policy in policies))
    assert [problem.partition(", expected")[0] for problem in folder.problems()] == [
        "sampling.yaml:3: processors.tail_sampling.policies[1].name: is missing",
        "sampling.yaml:4: processors.tail_sampling.policies[2].name: is empty",
        "sampling.yaml:5: processors.tail_sampling.policies[3].name: is missing",
    ]
