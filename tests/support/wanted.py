"""What makes a trace wanted, said once more in plain words: what stores and hints are compared with."""

from milvus_otel_processor.spans.contract import Trace
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.spans.wanted import Wanted, WantedFailures


def is_wanted(trace: Trace, wanted: Wanted) -> bool:
    """Tell whether a trace has one of these, its calls aside."""
    try:
        duration = trace.duration_nanoseconds
    except DecodeError:
        return True
    return (
        trace.has_status(wanted.statuses)
        or (wanted.duration is not None and duration >= wanted.duration)
        or any(trace.id_hash(basis) <= greatest for basis, greatest in wanted.hashes)
        or (wanted.roots and trace.asked)
        or (wanted.rootless and not trace.roots)
        or any(map(trace.may_hold, wanted.texts))
        or (wanted.of_group is not None and any(map(wanted.of_group, trace.distinct_groups)))
        or (wanted.failures is not None and _may_have_failed(trace, wanted.failures))
    )


def _may_have_failed(trace: Trace, wanted: WantedFailures) -> bool:
    holds = trace.may_hold(wanted.service)
    values = trace.values_behind(wanted.key)
    return (holds and (values is None or not values <= wanted.values)) or wanted.is_known(trace.id, holds)
