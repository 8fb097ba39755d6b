"""Which decided traces are remembered, where there are too many for all of them."""

from __future__ import annotations

from milvus_otel_processor.page.decided import DecidedTraces, Remembered
from milvus_otel_processor.page.probes import MARK, new_trace_id
from milvus_otel_processor.sampling.decision import NOT_SAMPLED, Decision, Verdict
from milvus_otel_processor.spans.trace import ReferenceTrace

SAMPLED = Verdict(Decision.SAMPLED, "errors")


def decide(decided: DecidedTraces, *trace_ids: bytes, verdict: Verdict = SAMPLED) -> None:
    for trace_id in trace_ids:
        decided.add(ReferenceTrace(trace_id, [], []), verdict, "due")


def of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def remembered(decided: DecidedTraces) -> list[bytes]:
    return [one.trace.id for one in decided.latest_first()]


def test_one_trace_in_so_many_is_remembered() -> None:
    decided = DecidedTraces(1 << 20)
    decided.one_in = Remembered(sampled=4)
    decide(decided, *map(of, range(8)))
    assert remembered(decided) == [of(4), of(0)]


def test_after_many_the_next_trace_is_remembered_where_all_are_again() -> None:
    decided = DecidedTraces(1 << 20)
    for verdict in (SAMPLED, NOT_SAMPLED, Verdict(Decision.DROPPED, "heartbeats")):
        decided.one_in = Remembered(64, 64, 64)
        decide(decided, of(1), of(2), verdict=verdict)
        decided.one_in = Remembered()
        decide(decided, of(3), verdict=verdict)
        assert remembered(decided)[0] == of(3), verdict


def test_a_probe_is_remembered_however_many_come_beside_it() -> None:
    decided = DecidedTraces(1 << 20)
    for verdict in (SAMPLED, NOT_SAMPLED, Verdict(Decision.DROPPED, "heartbeats")):
        decided.one_in = Remembered(64, 64, 64)
        probe = new_trace_id()
        decide(decided, of(1), of(2), probe, of(3), verdict=verdict)
        assert remembered(decided)[0] == probe, verdict
        assert decided.find(of(3)) is None


def test_the_ids_of_probes_are_random_behind_their_mark() -> None:
    ids = {new_trace_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(one.startswith(MARK) and len(one) == 16 for one in ids)
