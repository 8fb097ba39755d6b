"""What only holds between the pipeline for logs and the rest of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.config.listed import LOGS, TRACES, component_type, is_switched_off, listed
from milvus_otel_processor.config.nodes import Mapping
from milvus_otel_processor.config.problems import Problem, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.config.nodes import Scalar

SAMPLING = "log_sampling"
_ORDER = (SAMPLING, "redaction")
_EXPECTED = "expected [log_sampling], or [log_sampling, redaction]"


def check_logs_pipeline(root: Mapping) -> Iterator[Problem]:
    """Yield what is wrong with the pipeline for logs, and with the processor that is for it alone."""
    for index, item in enumerate(listed(root, TRACES, "processors")):
        if component_type(str(item.value)) == SAMPLING:
            what = f"{shown(item.value)} samples log records; list it under service.pipelines.logs.processors"
            yield Problem(item.place, f"{TRACES}.processors[{index}]", what)
    yield from _check_receiver(root)
    processors = listed(root, LOGS, "processors")
    if processors:
        yield from _check_processors(root, processors)
        yield from _check_beside_traces(root, processors)


def _check_receiver(root: Mapping) -> Iterator[Problem]:
    theirs = [item.value for item in listed(root, TRACES, "receivers")]
    for index, item in enumerate(listed(root, LOGS, "receivers")):
        if theirs and item.value not in theirs:
            what = f"{shown(item.value)} is not the receiver of the pipeline for traces, expected {theirs[0]}: there is one"
            yield Problem(item.place, f"{LOGS}.receivers[{index}]", what)


def _check_processors(root: Mapping, processors: list[Scalar]) -> Iterator[Problem]:
    defined = root.get("processors")
    for index, (item, expected) in enumerate(zip(processors, _ORDER, strict=False)):
        is_defined = isinstance(defined, Mapping) and item.value in defined.entries  # said elsewhere where it is not
        if is_defined and component_type(str(item.value)) != expected:
            what = f"{shown(item.value)} cannot stand here, {_EXPECTED}"
            yield Problem(item.place, f"{LOGS}.processors[{index}]", what)


def _check_beside_traces(root: Mapping, processors: list[Scalar]) -> Iterator[Problem]:
    of_traces = [component_type(str(item.value)) for item in listed(root, TRACES, "processors")]
    first = processors[0]
    if "tail_sampling" not in of_traces:
        what = (
            "log_sampling needs tail_sampling under service.pipelines.traces.processors: without it no trace is dropped, nor any "
            "log record"
        )
        yield Problem(first.place, f"{LOGS}.processors", what)
    if "redaction" in of_traces and "redaction" not in [component_type(str(item.value)) for item in processors]:
        what = (
            "redaction is missing here, and the pipeline for traces has it: what must not leave would leave in log records; list "
            "it behind log_sampling (or a redaction/NAME with `allow_all_keys: true`, which takes nothing out)"
        )
        yield Problem(first.place, f"{LOGS}.processors", what)


def is_for_logs_alone(root: Mapping, section: str, component_id: str) -> bool:
    """Tell whether a component may wait for a pipeline for logs that is written down and switched off: `logs:` is empty."""
    return is_switched_off(root, LOGS) and (section == "exporters" or component_type(component_id) == SAMPLING)
