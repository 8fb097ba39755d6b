"""The reference store and the native one are given the same, and have to say the same, in every respect."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any

import pytest
from milvus_otel_processor.spans.attributes import Encoded, int_value, span_attribute
from milvus_otel_processor.spans.contract import ASK, Arrived, Store, StoreSettings, Trace
from milvus_otel_processor.spans.groups import Group
from milvus_otel_processor.spans.schema import AnyValueView, DecodeError
from milvus_otel_processor.spans.store import ReferenceStore
from milvus_otel_processor.spans.wanted import Wanted, WantedFailures, WantedValue

from tests.support.observed import MALFORMED, answer, observed
from tests.support.traffic import KEYS, NAMES, TRACES, mutated, request, with_malformed_spans
from tests.support.wanted import is_wanted
from tests.support.wire import grouped_spans

pytestmark = pytest.mark.usefixtures("native_store_there")

TEXTS = [text.encode() for text in (*KEYS, *NAMES[:3], "products", "vendor", "no such text", "tailsampling.policy")]
SOME_KEYS = [key.encode() for key in (*KEYS, "no.such.key")]
VERDICT = object()
ROUNDS = 150
BASIS = 11
OPERATIONS = 60


def of_root(name: bytes, group: Group | None = None) -> object | None:
    if group is not None and b"service-1" in group.resource:
        return None
    return {b"heartbeat": VERDICT, b"asked": ASK}.get(name)


def settings(random: Random) -> StoreSettings:
    return StoreSettings(
        wait=random.choice((0.0, 1.0, 10.0)),
        wait_after_root=random.choice((0.0, 0.0, 0.5)),
        wait_after_complete=random.choice((0.0, 0.0, 0.7)),
        sampled_cache_size=random.choice((0, TRACES, 1000)),
        not_sampled_cache_size=random.choice((TRACES, 1000)),
        asks_roots=random.random() < 0.8,
        tells_resources=random.random() < 0.5,
        tells_touched=True,
    )


class Both:
    """The two stores, side by side, and what was taken from them."""

    def __init__(self, random: Random) -> None:
        from milvus_otel_processor.spans.native import native_store

        self.random = random
        self.now = 0.0
        self.shown = 0
        first = settings(random)
        self.stores: tuple[Store, Store] = (
            ReferenceStore(first, of_root),
            native_store(first, of_root),
        )
        self.taken: list[tuple[Trace, Trace]] = []

    def same(self, ask: Callable[[Store], Any]) -> Any:
        reference, native = (answer(partial(ask, store)) for store in self.stores)
        assert native == reference
        return reference

    def traces(self, ask: Callable[[Store], Sequence[Trace]]) -> None:
        reference, native = map(ask, self.stores)
        assert [trace.id for trace in native] == [trace.id for trace in reference]
        for pair in zip(reference, native, strict=True):
            agree(*pair)
            self.taken.append(pair)

    def ingest(self) -> None:
        data = request(self.random)
        kind = self.random.random()
        if kind < 0.3:
            data = with_malformed_spans(self.random, data)
        elif kind < 0.4:
            data = mutated(self.random, data)
        arrived = [answer(partial(store.ingest, data, self.now)) for store in self.stores]
        if MALFORMED in arrived:
            assert arrived == [MALFORMED, MALFORMED]
            return
        reference, native = arrived
        assert [verdict for verdict, _ in native.shown] == [verdict for verdict, _ in reference.shown]
        for (_, one), (_, other) in zip(reference.shown, native.shown, strict=True):
            assert one.id == other.id
            agree(one, other)
        assert came(native) == came(reference)
        self.taken += [
            pair
            for (_, *one), (_, *other) in zip(reference.late, native.late, strict=True)
            for pair in [(*one, *other)]
        ]
        for pair in self.taken[len(self.taken) - len(reference.late) :]:
            agree(*pair)

    def show(self) -> None:
        """Have some of the traces given out that are dropped by the store."""
        self.shown, early = (self.random.choice((0, self.random.randrange(1 << 64), (1 << 64) - 1)) for _ in "us")
        for store in self.stores:
            store.show(BASIS, self.shown, early)

    def pass_time(self) -> None:
        self.now += self.random.choice((0.01, 0.3, 0.7, 3.0))

    def take_due(self) -> None:
        limit = self.random.choice((1, 3, 100))
        self.traces(lambda store: store.take_due(self.now, limit))

    def take_wanted(self) -> None:
        """What the native store drops nobody wants; all else it gives out as the reference does, which drops nothing."""
        wanted = Wanted(
            statuses=frozenset(self.random.sample((0, 1, 2), self.random.randrange(2))),
            durations=self.random.choice(((), ((500_000_000, None),), ((-5, 10**8), (9 * 10**8, None)))),
            counts=self.random.choice(((), (), ((4, None),), ((0, 1), (3, 3)))),
            hashes=((7, self.random.randrange(1 << 64)),) if self.random.random() < 0.5 else (),
            roots=self.random.random() < 0.5,
            rootless=self.random.random() < 0.3,
            texts=frozenset(self.random.sample(TEXTS, self.random.randrange(4))),
            of_group=self.random.choice((None, lambda group: b"service-2" in group.resource)),
            failures=self.random.choice((None, self.failures())),
            values=tuple(self.value() for _ in range(self.random.choice((0, 0, 1, 3)))),
        )
        taken, native = (store.take_wanted(self.now, 1000, wanted) for store in self.stores)
        dropped = [trace for trace in taken.traces if not is_wanted(trace, wanted)]
        shown = [trace for trace in dropped if trace.id_hash(BASIS) < self.shown]
        for one, other in zip(shown, native.shown, strict=True):
            assert one.id == other.id
            agree(one, other)
        for trace in dropped:
            self.stores[0].remember(trace.id, None)
        assert native.unwanted_spans == sum(map(len, dropped))
        assert [when for when, count in native.unwanted for _ in range(count)] == [one.arrived for one in dropped]
        kept = [trace for trace in taken.traces if trace not in dropped]
        assert [trace.id for trace in native.traces] == [trace.id for trace in kept]
        for pair in zip(kept, native.traces, strict=True):
            agree(*pair)
            self.taken.append(pair)

    def value(self) -> WantedValue:
        bounds = self.random.choice((None, (5.0, 8.0), (-1.0, 0.0), (2.5, 2.5), (100.0, math.inf)))
        matches = self.random.choice((lambda encoded: encoded == b"\x10\x01", lambda encoded: b"v" in encoded))
        return WantedValue(self.random.choice(SOME_KEYS), matches, bounds, decoded=self.random.random() < 0.3)

    def failures(self) -> WantedFailures:
        text, key, some = self.random.choice(TEXTS), self.random.choice(SOME_KEYS), self.random.randrange(TRACES)
        values = frozenset((int_value(7), b"\x0a\x08products"))
        return WantedFailures(text, key, values, lambda trace_id, holds: holds and trace_id[-1] == some)

    def take_oldest(self) -> None:
        self.traces(lambda store: store.take_oldest(1))

    def take(self) -> None:
        trace_id = self.random.randrange(TRACES).to_bytes(16, "big")
        if self.same(lambda store: trace_id in store):
            self.traces(lambda store: [store.take(trace_id)])
        else:
            for store in self.stores:
                with pytest.raises(KeyError):
                    store.take(trace_id)

    def touched(self) -> None:
        reference, native = (store.touched() for store in self.stores)
        assert [trace.id for trace in native] == [trace.id for trace in reference]
        for pair in zip(reference, native, strict=True):
            agree(*pair)

    def take_large(self) -> None:
        size = self.random.choice((100, 400, 1000))
        self.traces(lambda store: store.take_larger_than(size))

    def remember(self) -> None:
        if self.taken:
            trace_id = self.taken[-1][0].id
            kept = self.random.choice((None, "kept", ("kept", 2)))
            if not self.same(lambda store: trace_id in store):
                for store in self.stores:
                    store.remember(trace_id, kept)

    def configure(self) -> None:
        changed = settings(self.random)
        for store in self.stores:
            store.configure(changed, self.now)

    def change(self) -> None:
        if not self.taken:
            return
        at = self.random.randrange(len(self.taken))
        pair = self.taken[at]
        self.taken[at] = changed(self.random, *pair)
        agree(*self.taken[at])

    def join(self) -> None:
        some = self.random.sample(self.taken, min(len(self.taken), 5))
        reference, native = zip(*some, strict=True) if some else ((), ())
        joined = [
            sorted(grouped_spans(self.stores[0].join(reference))),
            sorted(grouped_spans(self.stores[1].join(native))),
        ]
        assert joined[1] == joined[0]

    def counts(self) -> None:
        self.same(lambda store: (len(store), store.spans, store.size, store.group_size, store.wait, store.tick))


def came(arrived: Arrived) -> tuple[Any, ...]:
    early = [(traces, spans) for verdict, traces, spans in arrived.early if verdict is VERDICT]
    late = [kept for kept, _ in arrived.late]
    assert len(early) == len(arrived.early)
    return arrived.spans, arrived.refused, arrived.late_not_sampled, early, late


def agree(reference: Trace, native: Trace) -> None:
    found = observed(native, TEXTS, SOME_KEYS)
    for what, value in observed(reference, TEXTS, SOME_KEYS).items():
        assert found[what] == value, what
    for trace in (reference, native):
        hints_are_right(trace)
        encoded_values_are_right(trace)


def hints_are_right(trace: Trace) -> None:
    """What is there may not be missing; what is not there may be named."""
    there = frozenset(text for text in TEXTS if any(text in span for span in trace.spans))
    assert there <= trace.present(frozenset(TEXTS))
    assert all(trace.may_hold(text) for text in there)
    for key in SOME_KEYS:
        values = answer(partial(values_of, trace, key))
        behind = trace.values_behind(key)
        if values != MALFORMED and behind is not None:
            assert values <= {value for encoded in behind for value in decoded(encoded)}


def encoded_values_are_right(trace: Trace) -> None:
    for key in SOME_KEYS:
        values, encoded = answer(partial(values_of, trace, key)), answer(partial(trace.encoded_values, key))
        assert values == MALFORMED == encoded or values == {value for one in encoded for value in decoded(one)}


def values_of(trace: Trace, key: bytes) -> set[bytes]:
    return {value.SerializeToString() for value in trace.span_values(key)}


def decoded(encoded: bytes) -> list[bytes]:
    """The value as protobuf writes it, which garbled spans do not; nothing where it is none."""
    found = answer(lambda: [AnyValueView.FromString(encoded).SerializeToString()])
    return [] if found == MALFORMED else list(found)


def changed(random: Random, reference: Trace, native: Trace) -> tuple[Trace, Trace]:
    """Do one of the things that may be done with a trace, to both."""
    places = [place for place in range(len(reference)) if random.random() < 0.6]
    attributes = Encoded(
        [(key, random.choice(("new", 3, True))) for key in ("db.collection.name", "added") if random.random() < 0.8]
    )
    kind = random.randrange(5)
    if kind == 0:
        added = span_attribute("added", random.choice(("a", 1)))
        for trace in (reference, native):
            trace.append(places, added)
    elif kind == 1:
        unchanged = [answer(partial(trace.append_missing, places, attributes)) for trace in (reference, native)]
        assert unchanged[0] == unchanged[1]
    elif kind == 2:
        return reference.without_malformed(), native.without_malformed()
    elif places:
        for trace in (reference, native):
            if kind == 3:
                answer(partial(trace.set_error, places[0], random_message(len(places))))
            else:
                answer(partial(trace.set_trace_state, places[0], b"ot=th:c"))
    return reference, native


def random_message(number: int) -> str:
    return ("", "why", "\u00e4" * 100)[number % 3]


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_both_say_the_same_whatever_is_done_with_them(seed: int):
    random = Random(seed)
    both = Both(random)
    operations = [
        *[both.ingest] * 8,
        *[both.pass_time] * 4,
        *[both.take_due] * 3,
        both.take_wanted,
        *[both.change] * 4,
        *[both.remember] * 3,
        both.take_oldest,
        both.take,
        both.touched,
        both.take_large,
        both.configure,
        both.join,
    ]
    for _ in range(OPERATIONS):
        random.choice(operations)()
        both.counts()
    both.traces(lambda store: store.take_oldest(1000))
    both.counts()


def test_what_is_no_request_is_refused_by_both():
    both = Both(Random(0))
    for data in (b"\x0a", b"\x0a\x02\x12\x05", b"\x00", b"\x0a\x02\x0a\x07"):
        for store in both.stores:
            with pytest.raises(DecodeError):
                store.ingest(data, 0.0)
        both.counts()
