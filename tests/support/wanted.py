"""What makes a trace wanted, said once more in plain words: what stores and hints are compared with."""

from functools import partial

from google.protobuf.message import DecodeError as ProtobufError
from milvus_otel_processor.spans.contract import Trace
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.spans.span import well_formed
from milvus_otel_processor.spans.wanted import Wanted, WantedFailures, WantedValue
from opentelemetry.proto.common.v1.common_pb2 import AnyValue


def is_wanted(trace: Trace, wanted: Wanted) -> bool:
    """Tell whether a trace has one of these, its calls aside."""
    try:
        duration = trace.duration_nanoseconds
    except DecodeError:
        return True
    return (
        trace.has_status(wanted.statuses)
        or any(head.start_time_unix_nano >= 1 << 63 for head in trace.heads)
        or any(map(partial(_is_within, duration), wanted.durations))
        or any(map(partial(_is_within, len(trace)), wanted.counts))
        or any(trace.id_hash(basis) <= greatest for basis, greatest in wanted.hashes)
        or (wanted.roots and trace.asked)
        or (wanted.rootless and not trace.roots)
        or any(map(trace.may_hold, wanted.texts))
        or any(map(partial(_has_value, trace), wanted.values))
        or (wanted.of_group is not None and any(map(wanted.of_group, trace.distinct_groups)))
        or (wanted.failures is not None and _may_have_failed(trace, wanted.failures))
    )


def _is_within(number: int, bounds: tuple[int, int | None]) -> bool:
    least, most = bounds
    return least <= number and (most is None or number <= most)


def _has_value(trace: Trace, wanted: WantedValue) -> bool:
    found = trace.values_behind(wanted.key)
    if found is None or any(map(partial(_is_such, wanted), found)):
        return True
    return wanted.decoded and not all(well_formed(trace.span(place)) for place in trace.holding(wanted.key))


def _is_such(wanted: WantedValue, encoded: bytes) -> bool:
    if wanted.bounds is None:
        return wanted.matches(encoded)
    try:
        value = AnyValue.FromString(encoded)
    except ProtobufError:
        return True
    least, greatest = wanted.bounds
    kind = value.WhichOneof("value")
    if kind in ("array_value", "kvlist_value"):
        return True
    number = float(getattr(value, kind)) if kind in ("int_value", "double_value") else 0.0
    return least <= number <= greatest


def _may_have_failed(trace: Trace, wanted: WantedFailures) -> bool:
    holds = trace.may_hold(wanted.service)
    values = trace.values_behind(wanted.key)
    return (holds and (values is None or not values <= wanted.values)) or wanted.is_known(trace.id, holds)
