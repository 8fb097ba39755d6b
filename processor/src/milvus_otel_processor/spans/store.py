"""The reference store: spans by trace id in plain Python, until their trace is due."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from milvus_otel_processor.spans.contract import ASK, SMALL_TRACE, Arrived, Taken, looked_at_again
from milvus_otel_processor.spans.decision_cache import DecisionCache
from milvus_otel_processor.spans.fnv import fnv1a
from milvus_otel_processor.spans.groups import GroupRegistry, join_traces
from milvus_otel_processor.spans.schedule import Schedule
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.spans.span import is_trace_id, trace_id_and_root_name
from milvus_otel_processor.spans.trace import ReferenceTrace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from milvus_otel_processor.spans.contract import OfRoot, StoreSettings, Trace
    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.spans.wanted import Wanted

Entry = list[Any]
"""A trace that waits: when its first span came, the group and the bytes of that, then of the second, and so on. One flat list costs
the least."""

_ROOT_NAMES_REMEMBERED = 4096
_LONGEST_REMEMBERED = 1024  # bytes
_Span = tuple["Group", bytes, bytes | None]
"""A span of the request under way: its group, its bytes, and its name where it is a root; a plain tuple, as one is made of each."""
_MOST_SHOWN = 256
_NOT_SAMPLED = object()  # what the decision cache holds of a trace that was not kept


class _Counts:
    """What comes of the request under way."""

    def __init__(self) -> None:
        self.spans = 0
        self.refused = 0
        self.late_not_sampled = 0
        self.late: list[tuple[object, ReferenceTrace]] = []
        self.early: dict[int, _Early] = {}
        self.shown: list[tuple[object, ReferenceTrace]] = []
        self.passed: list[ReferenceTrace] = []


class _Large:
    """A waiting trace with many spans: what they take, and with how many it is looked at again."""

    __slots__ = ("next_look", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.next_look = 0


class _Early(NamedTuple):
    verdict: object
    traces: int = 0
    spans: int = 0


class ReferenceStore:
    """Traces in the order of their arrival; see `spans.contract.Store`."""

    def __init__(self, settings: StoreSettings, of_root: OfRoot) -> None:
        self._settings = settings
        self._ask_of_root = of_root
        self._of_root = lru_cache(maxsize=_ROOT_NAMES_REMEMBERED)(of_root)
        self._groups = GroupRegistry()
        self._schedule = Schedule(settings.wait)
        self._waiting: dict[bytes, Entry] = {}
        self._decisions: DecisionCache[object, object] = DecisionCache(
            settings.sampled_cache_size, settings.not_sampled_cache_size
        )
        self._asked: set[bytes] = set()
        self._touched: dict[bytes, None] = {}
        self._large: dict[bytes, _Large] = {}
        self._shown = (0, 0)
        self.spans = 0
        self.size = 0

    @property
    def group_size(self) -> int:
        return self._groups.size

    @property
    def wait(self) -> float:
        return self._schedule.wait

    @property
    def tick(self) -> float:
        return self._schedule.tick

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, trace_id: bytes) -> bool:
        return trace_id in self._waiting

    def sampled(self, trace_id: bytes) -> bool | None:
        decision = self._decisions.get(trace_id)
        return None if decision is None else decision is not _NOT_SAMPLED

    def configure(self, settings: StoreSettings, now: float) -> None:
        self._settings = settings
        self._large.clear()
        self._of_root.cache_clear()
        self._schedule.change_wait(settings.wait, now)
        self._decisions.resize(settings.sampled_cache_size, settings.not_sampled_cache_size)
        self._asked = set(self._waiting)

    def ingest(self, request: bytes, now: float) -> Arrived:
        parts = self._groups.split(request)
        counts = _Counts()
        self._touched.clear()
        by_trace: dict[bytes, list[_Span]] = {}
        for group, spans in parts:
            counts.spans += len(spans)
            for span in spans:
                trace_id, root_name = trace_id_and_root_name(span)
                by_trace.setdefault(trace_id, []).append((group, span, root_name))
        for trace_id, arrived in by_trace.items():
            self._take_in(trace_id, arrived, now, counts)
        return Arrived(
            spans=counts.spans,
            refused=counts.refused,
            early=list(counts.early.values()),
            late=counts.late,
            late_not_sampled=counts.late_not_sampled,
            shown=counts.shown,
            passed=counts.passed,
        )

    def _take_in(self, trace_id: bytes, spans: list[_Span], now: float, counts: _Counts) -> None:
        if not is_trace_id(trace_id):
            counts.refused += len(spans)
            return
        decision = self._decisions.get(trace_id)  # of a trace that waits there is none
        if decision is _NOT_SAMPLED:
            counts.late_not_sampled += len(spans)
            self._pass_each(trace_id, spans, now, counts)
        elif decision is not None:
            counts.late += [
                (decision, ReferenceTrace(trace_id, [group], [span], arrived=now)) for group, span, _ in spans
            ]
        elif not (self._settings.asks_roots and self._decides_early(trace_id, spans, now, counts)):
            self._add(trace_id, spans, now)

    def _decides_early(self, trace_id: bytes, spans: list[_Span], now: float, counts: _Counts) -> bool:
        """Tell whether the name of a root among these spans decides its trace early; the trace is then gone."""
        for place, (group, _, root_name) in enumerate(spans):
            verdict = self._answer(root_name, group) if root_name is not None else None
            if verdict == ASK:
                self._asked.add(trace_id)
            elif verdict is not None:
                waiting = 0
                gone = self._remove(trace_id) if trace_id in self._waiting else None
                if gone is not None:
                    waiting = len(gone)
                if self._is_shown(trace_id) and len(counts.shown) < _MOST_SHOWN:
                    counts.shown.append((verdict, _with(trace_id, gone, spans, now)))
                self._pass(_with(trace_id, gone, spans, now), counts)
                self._asked.discard(trace_id)
                self._decisions.put_not_sampled(trace_id, _NOT_SAMPLED)
                _, traces, before = counts.early.get(id(verdict), _Early(verdict))
                counts.early[id(verdict)] = _Early(verdict, traces + 1, before + waiting + place + 1)
                counts.late_not_sampled += len(spans) - place - 1
                return True
        return False

    def count_with(self, requests: object) -> bool:
        del requests
        return False

    def show(self, basis: int, unwanted: int, early: int) -> None:
        del unwanted  # it gives all of those out
        self._shown = basis, early

    def _is_shown(self, trace_id: bytes) -> bool:
        basis, below = self._shown
        return below > 0 and fnv1a(trace_id, basis) < below

    def _pass(self, trace: ReferenceTrace, counts: _Counts) -> None:
        """Hand out what there is of a trace that is not decided any more, if somebody wants to see it."""
        if any(map(trace.may_hold, self._settings.passes)) or self._has_root_to_pass(trace):
            counts.passed.append(trace)

    def _pass_each(self, trace_id: bytes, spans: list[_Span], now: float, counts: _Counts) -> None:
        if self._settings.passes:
            for span in spans:
                self._pass(_with(trace_id, None, [span], now), counts)

    def _has_root_to_pass(self, trace: ReferenceTrace) -> bool:
        begin = self._settings.passes_roots
        try:
            return bool(begin) and trace.may_hold(begin) and any(root.name.startswith(begin) for root in trace.roots)
        except DecodeError:
            return False

    def _answer(self, root_name: bytes, group: Group) -> object | None:
        by_resource = self._settings.tells_resources
        size = len(root_name) + (group.size if by_resource else 0)  # what is remembered keeps its group alive
        ask = self._of_root if size <= _LONGEST_REMEMBERED else self._ask_of_root
        return ask(root_name, group) if by_resource else ask(root_name)

    def _add(self, trace_id: bytes, spans: list[_Span], now: float) -> None:
        has_root = any(root_name is not None for _, _, root_name in spans)
        is_new = trace_id not in self._waiting
        if is_new:
            self._schedule.arrivals(now).append(trace_id)
        entry = self._waiting.setdefault(trace_id, [now])
        size = 0
        for group, span, _ in spans:
            entry += (group, span)
            size += len(span)
        self.spans += len(spans)
        self.size += size
        if self._settings.tells_touched:
            self._touch(trace_id, size)
        if has_root and self._settings.wait_after_root:
            self._schedule.hurry(trace_id, now + self._settings.wait_after_root)
        if is_new or has_root:
            self._watch(trace_id, now)

    def _watch(self, trace_id: bytes, now: float) -> None:
        if self._settings.wait_after_complete:
            spans = len(self._waiting[trace_id]) // 2
            self._schedule.watch(trace_id, spans, now + self._settings.wait_after_complete)

    def touched(self) -> list[ReferenceTrace]:
        touched = []
        for trace_id in self._touched:
            entry, large = self._waiting.get(trace_id), self._large.get(trace_id)
            if entry is None:
                continue
            if large is not None:
                if len(entry) // 2 < large.next_look:
                    continue
                large.next_look = looked_at_again(len(entry) // 2)
            touched.append(self._trace(trace_id))
        return touched

    def take_larger_than(self, size: int) -> list[Trace]:
        large = [trace_id for trace_id in self._touched if trace_id in self._waiting and self._size_of(trace_id) > size]
        return [self._remove(trace_id) for trace_id in large]

    def _size_of(self, trace_id: bytes) -> int:
        large = self._large.get(trace_id)
        return large.size if large is not None else sum(map(len, self._waiting[trace_id][2::2]))

    def _touch(self, trace_id: bytes, size: int) -> None:
        """Note that a trace has grown, and of a large one how much it takes: to add that up each time would be quadratic."""
        self._touched[trace_id] = None
        entry = self._waiting[trace_id]
        if len(entry) // 2 <= SMALL_TRACE:
            return
        large = self._large.get(trace_id)
        if large is None:
            self._large[trace_id] = _Large(sum(map(len, entry[2::2])))
        else:
            large.size += size

    def take(self, trace_id: bytes) -> ReferenceTrace:
        return self._remove(trace_id)

    def take_due(self, now: float, limit: int) -> list[Trace]:
        due = self._remove_each(self._schedule.due(now), limit)
        return due + self._remove_each(self._finished(now), limit - len(due))

    def take_wanted(self, now: float, limit: int, wanted: Wanted) -> Taken:  # noqa: ARG002
        return Taken(self.take_due(now, limit))

    def take_oldest(self, limit: int) -> list[Trace]:
        return self._remove_each(self._schedule.oldest(), limit)

    def _finished(self, now: float) -> Iterator[bytes]:
        """Give out watched traces that are complete. One that went on to grow is watched on; the others wait for their time."""
        for trace_id, spans in self._schedule.quiet(now):
            entry = self._waiting.get(trace_id)
            if entry is not None and len(entry) // 2 > spans:
                self._watch(trace_id, now)
            elif entry is not None and self._trace(trace_id).complete:
                yield trace_id

    def remember(self, trace_id: bytes, kept: object | None) -> None:
        if kept is None:
            self._decisions.put_not_sampled(trace_id, _NOT_SAMPLED)
        else:
            self._decisions.put_sampled(trace_id, kept)

    def _trace(self, trace_id: bytes) -> ReferenceTrace:
        entry = self._waiting[trace_id]
        asked = trace_id in self._asked
        return ReferenceTrace(trace_id, entry[1::2], entry[2::2], asked=asked, arrived=entry[0])

    def _remove(self, trace_id: bytes) -> ReferenceTrace:
        trace = self._trace(trace_id)
        del self._waiting[trace_id]
        self._asked.discard(trace_id)
        self._large.pop(trace_id, None)
        self.spans -= len(trace)
        self.size -= trace.size
        return trace

    def _remove_each(self, trace_ids: Iterable[bytes], limit: int) -> list[Trace]:
        # A trace that was decided early is scheduled still, and not there any more.
        waiting = (trace_id for trace_id in trace_ids if trace_id in self._waiting)
        return [self._remove(trace_id) for trace_id in islice(waiting, limit)]

    @staticmethod
    def join(traces: Sequence[Trace]) -> bytes:
        return join_traces(traces)


def _with(trace_id: bytes, waiting: ReferenceTrace | None, spans: list[_Span], now: float) -> ReferenceTrace:
    """Return a trace of the spans that waited, if any did, and of these."""
    groups = [*(waiting.groups if waiting is not None else ()), *(group for group, _, _ in spans)]
    contents = [*(waiting.spans if waiting is not None else ()), *(span for _, span, _ in spans)]
    return ReferenceTrace(trace_id, groups, contents, arrived=waiting.arrived if waiting is not None else now)
