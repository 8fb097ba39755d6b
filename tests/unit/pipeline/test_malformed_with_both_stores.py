"""Malformed spans in every way that a trace can go without anybody having looked into it: what both stores count of them.

What is dropped unread is not examined, and the native store reads less. So both keep the same and count the same requests; a trace
without any valid span that is kept by nobody may be `malformed` where somebody had to read it, else `not_sampled` or `dropped`.
"""

from __future__ import annotations

from collections import Counter
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from milvus_otel_processor.spans.groups import GroupRegistry
from milvus_otel_processor.spans.schema import DecodeError, HeadView
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.differential.blocks import blocks
from tests.support.counted import Counted
from tests.support.harness import assert_accounted, drop_roots, sampling
from tests.support.spans import span
from tests.support.stores import any_store as every_store  # noqa: F401 - a fixture
from tests.support.stores import native_store_there, using
from tests.support.wire import delimited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.stores import StoreKind
    from milvus_otel_processor.telemetry.counters import Snapshot

__all__ = ["native_store_there"]
pytestmark = pytest.mark.usefixtures("native_store_there")

Rule = dict[str, Any]
NAMES = (
    "heartbeat",
    "request",
    "milvus.proto.milvus.MilvusService/Search",
    "/milvus.proto.milvus.MilvusService/Query",
    "milvus.proto.rootcoord.RootCoord/AllocTimestamp",
)
KEYS = ("text", "number", "db.collection.name")
VALUES = (b"\x0a\x05v", b"\x0a\x01v\xff", b"\xff\xff", b"\x2a\x03\x0a\x05\x0a", b"\x18\xff", b"\x21\x00")
"""Of attributes, and none of them a value."""
ERRORS: Rule = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
TENTH: Rule = {"name": "tenth", "type": "probabilistic", "probabilistic": {"sampling_percentage": 10}}
UNKEPT, LOST = ("not_sampled", "dropped"), "malformed"


def garbled(random: Random, raw: bytes) -> bytes:
    """A span that is not well formed, mostly: anywhere, or deep in an attribute, an event or a link."""
    at, kind = random.randrange(len(raw)), random.random()
    if kind < 0.15:
        return raw[:at]
    if kind < 0.3:
        return raw[:at] + bytes([random.randrange(256)]) + raw[at + 1 :]
    pair = delimited(1, random.choice(KEYS).encode()) + delimited(2, random.choice(VALUES))
    return raw + delimited(random.choice((9, 9, 9, 11, 13)), pair)


def traces(seed: int, many: int = 60) -> list[bytes]:
    """Requests of one trace each, most of them of one span and malformed."""
    random, made, numbers = Random(seed), [], count(seed * 1000 + 1)
    for _ in range(many):
        trace, spans = next(numbers), []
        for number in range(1, 1 + random.choice((1, 1, 1, 1, 3))):
            parent = random.choice((0, 0, 1, 7)) if number == 1 else 1
            status = random.choice((0, 0, 0, Status.STATUS_CODE_ERROR))
            attributes = {key: random.choice(("shop", 3)) for key in KEYS if random.random() < 0.3}
            one = span(trace, number, parent, name=random.choice(NAMES), status=status, attributes=attributes)
            raw = one.SerializeToString()
            spans.append(garbled(random, raw) if random.random() < 0.7 else raw)
        made.append(delimited(1, delimited(2, b"".join(delimited(2, one) for one in spans))))
    return made


class Outcome(NamedTuple):
    counts: Snapshot
    kept: list[tuple[bytes, bytes]]
    """The ids and the bytes of spans."""
    requests: Counter[Any]

    def spans(self, *decisions: str) -> int:
        return sum(amount.spans for (made, _), amount in self.counts.decisions.items() if made in decisions)

    @property
    def sampled(self) -> dict[str, int]:
        """Spans by the policy that kept them."""
        return {by: amount.spans for (made, by), amount in self.counts.decisions.items() if made == "sampled"}


def outcome(kind: StoreKind, rules: Sequence[Rule], requests: Sequence[bytes], **settings: Any) -> Outcome:
    kept: list[tuple[bytes, bytes]] = []

    def put(trace: Trace) -> None:
        made.telemetry.queued(len(trace))
        kept.extend((trace.id, one) for one in trace.spans)

    with using(kind):
        made = Counted(sampling(*rules, **settings))
        made.put = put  # type: ignore[method-assign]
        for request in requests:
            made.assembled.pipeline.ingest(request)
            made.clock.advance(0.1)
            made.assembled.pipeline.tick()
        made.decide()
    counts = made.telemetry.snapshot()
    assert_accounted(counts)
    assert not counts.waiting_spans
    return Outcome(counts, sorted(kept), Counter(made.records.all))


def both(rules: Sequence[Rule], requests: Sequence[bytes], **settings: Any) -> tuple[Outcome, Outcome]:
    """What comes of the same with the reference store and with the native one, as far as it has to be the same."""
    one, other = (outcome(kind, rules, requests, **settings) for kind in ("reference", "native"))
    assert other.kept == one.kept
    assert other.sampled == one.sampled
    assert other.requests == one.requests
    assert other.counts.calls_apart == one.counts.calls_apart
    assert other.counts.refused_spans == one.counts.refused_spans
    assert other.spans(*UNKEPT, LOST) == one.spans(*UNKEPT, LOST)
    return one, other


def headless(requests: Sequence[bytes]) -> int:
    """How many spans are in traces of one span of which not even the head can be read, but for the id."""
    found = 0
    for request in requests:
        spans = [one for _, spans in GroupRegistry().split(request) for one in spans]
        try:
            HeadView.FromString(spans[0])
        except DecodeError:
            found += len(spans) == 1 and spans[0][:2] == b"\n\x10" and len(spans[0]) >= 18
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("rules", "settings"),
    [
        ((ERRORS,), {}),
        ((ERRORS, TENTH), {}),
        ((drop_roots(*NAMES[:1], NAMES[-1]), ERRORS), {}),
        ((drop_roots(*NAMES[:1], NAMES[-1]), ERRORS), {"decision_wait_after_root_received": "50ms"}),
        ((drop_roots(*NAMES), ERRORS, TENTH), {"decision_cache": {"non_sampled_cache_size": 1000}}),
    ],
    ids=["unwanted", "unwanted but for a share", "by their roots", "by their roots, soon", "all by their roots"],
)
def test_where_no_rule_reads_attributes_both_count_the_same(
    seed: int, rules: Sequence[Rule], settings: dict[str, Any]
) -> None:
    requests = traces(seed)
    again = [request for request in requests[::3] for _ in "12"]  # late
    one, other = both(rules, [*requests, *again], **settings)
    assert other.counts.decisions == one.counts.decisions
    assert other.counts.lost_spans == one.counts.lost_spans
    assert other.counts.late_spans == one.counts.late_spans


def test_a_trace_without_a_head_to_read_is_malformed_and_not_unwanted() -> None:
    requests = traces(11, 200)
    unreadable = headless(requests)
    assert unreadable > 5
    for found in both([ERRORS], requests):
        assert found.counts.decisions[LOST, ""].traces >= unreadable


@pytest.mark.parametrize("seed", range(6))
def test_where_rules_read_attributes_the_native_store_finds_no_more_malformed_traces_and_keeps_the_same(
    seed: int,
) -> None:
    requests, random = traces(seed), Random(seed)
    for block in blocks(seed, 12):
        one, other = both([*(reading_drop(random) for _ in range(random.choice((0, 1, 2)))), *block], requests)
        assert other.spans(LOST) <= one.spans(LOST)


def reading_drop(random: Random) -> Rule:
    """A rule that drops by the name of the root, and by what an attribute is or is not."""
    root: Rule = {"type": "span_name", "span_name": {"root_only": True, "names": random.sample(NAMES, 2)}}
    read: Rule = {
        "type": "string_attribute",
        "string_attribute": {"key": random.choice(KEYS), "values": ["shop"], "invert_match": random.random() < 0.5},
    }
    name = f"drop-{random.randrange(1 << 30)}"
    subs = random.sample([root, read], 2)
    return {"name": name, "type": "drop", "drop": {"drop_sub_policy": subs}}


def test_what_is_read_for_one_rule_and_not_for_another_differs_as_is_documented() -> None:
    """If it does not any more, docs/decisions.md, and the descriptions of counters, can say something simpler."""
    root: Rule = {"type": "span_name", "span_name": {"root_only": True, "names": ["heartbeat"]}}
    read: Rule = {
        "type": "string_attribute",
        "string_attribute": {"key": "text", "values": ["shop"], "invert_match": True},
    }
    shop: Rule = {"type": "string_attribute", "string_attribute": {"key": "service.name", "values": ["shop"]}}
    rules = [{"name": "drop", "type": "drop", "drop": {"drop_sub_policy": [read, root, shop]}}, ERRORS]
    pair = delimited(1, b"text") + delimited(2, b"\x0a\x05v")
    raw = span(1, 1, name="request").SerializeToString() + delimited(9, pair)
    one, other = both(rules, [delimited(1, delimited(2, delimited(2, raw)))])
    assert (one.counts.lost_spans, other.counts.lost_spans) == ({LOST: 1}, {})
