"""What a span counts for: the probability with which it was sampled, in the `ot` member of its trace state."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.remembering import remember
from milvus_otel_processor.sampling import tracestate
from milvus_otel_processor.sampling.thresholds import (
    ALWAYS,
    UNKNOWN,
    of_text,
    randomness_of_id,
    randomness_of_text,
    to_text,
)

if TYPE_CHECKING:
    from milvus_otel_processor.spans.contract import Trace

_OT, _OT_MEMBER = b"ot", b"ot="
_RANDOMNESS, _THRESHOLD = b"rv", b"th"
_SUB_MEMBER = re.compile(rb"([a-z][a-z0-9]*):([A-Za-z0-9._-]*)")
_LONGEST = 256  # of the `ot` member's value, in bytes
_MEMBERS_LIMIT = 32
_REMEMBERED = 4096  # of answers: the spans of a trace have one trace state, and most traces none


class InvalidTraceStateError(ValueError):
    """A trace state, or the `ot` member in it, is not valid."""


class _State(NamedTuple):
    randomness: bytes | None
    threshold: int | None
    others: tuple[bytes, ...]
    """The sub-members of `ot` that mean nothing here, as they came."""
    vendors: tuple[bytes, ...]
    """The other members of the trace state."""


def read_incoming(trace: Trace) -> None:
    """Set the trace's `randomness` and `incoming_threshold` by the trace states of its spans.

    A trace in which no span carries `rv` or `th` has no randomness of this kind. An `rv`, which all spans of a trace share,
    goes before the last 56 bits of the trace id (tailsamplingprocessor/internal/sampling/probabilistic.go, v0.158,
    `scanOTelTracestate`). Raises DecodeError at a malformed span.
    """
    trace.randomness, trace.incoming_threshold = None, ALWAYS
    if not trace.may_hold(_OT_MEMBER):
        return
    states = {head.trace_state for head in trace.heads}
    found = [_read_or_none(state) for state in sorted(states)]
    random = [state.randomness for state in found if state is not None and state.randomness is not None]
    thresholds = [state.threshold for state in found if state is not None and state.threshold is not None]
    if random or thresholds:
        trace.randomness = randomness_of_text(random[0]) if random else randomness_of_id(trace.id)
        trace.incoming_threshold = max(thresholds, default=ALWAYS)


def set_threshold(trace: Trace, threshold: int) -> int:
    """Let the trace state of each span say the threshold; return how many stay as they are because theirs is not valid.

    A threshold that is there and higher stays, for a probability cannot be raised afterwards. UNKNOWN takes away what is
    there. A trace state that is not valid is not ours to rewrite.
    """
    invalid = 0
    for index, head in enumerate(trace.heads):
        try:
            after = _updated(head.trace_state, threshold)
        except InvalidTraceStateError:
            invalid += 1
        else:
            if after != head.trace_state:
                trace.set_trace_state(index, after)
    return invalid


@remember(_REMEMBERED)
def _updated(trace_state: bytes, threshold: int) -> bytes:
    state = _read(trace_state)
    if state.threshold is not None and threshold != UNKNOWN and state.threshold >= threshold:
        return trace_state
    if state.threshold is None and threshold == UNKNOWN:
        return trace_state
    random = [] if state.randomness is None else [_RANDOMNESS + b":" + state.randomness]
    said = [] if threshold == UNKNOWN else [_THRESHOLD + b":" + to_text(threshold)]
    value = b";".join([*random, *said, *state.others])
    if len(value) > _LONGEST:
        raise InvalidTraceStateError("its ot member has no room for a threshold")
    # What is changed comes first; where a trace state is full, its last member makes room (W3C Trace Context, 3.3.1.5).
    members = ((_OT_MEMBER + value,) if value else ()) + state.vendors
    return b",".join(members[:_MEMBERS_LIMIT])


@remember(_REMEMBERED)
def _read_or_none(trace_state: bytes) -> _State | None:
    try:
        return _read(trace_state)
    except InvalidTraceStateError:
        return None


def _read(trace_state: bytes) -> _State:
    members = tracestate.parse(trace_state)
    if members is None:
        raise InvalidTraceStateError("not a W3C trace state")
    vendors = tuple(key + b"=" + value for key, value in members.items() if key != _OT)
    value = members.get(_OT)
    randomness = threshold = None
    others = []
    for member in value.split(b";") if value is not None else ():
        match = _SUB_MEMBER.fullmatch(member)
        if match is None or len(value or b"") > _LONGEST:
            raise InvalidTraceStateError("its ot member is not valid")
        if match[1] == _THRESHOLD:
            threshold = of_text(match[2])
            valid = threshold is not None
        elif match[1] == _RANDOMNESS:
            randomness = match[2]
            valid = randomness_of_text(randomness) is not None
        else:
            others.append(member)
            valid = True
        if not valid:
            raise InvalidTraceStateError("the rv or th in its ot member is not valid")
    return _State(randomness, threshold, tuple(others), vendors)
