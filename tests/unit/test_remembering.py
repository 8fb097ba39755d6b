"""Answers that are remembered, in bounded memory whatever is asked."""

import tracemalloc

import pytest
from milvus_otel_processor.enrichment.access_log.line import parse
from milvus_otel_processor.enrichment.requests import is_milvus, method_of_name
from milvus_otel_processor.pipeline.own import _encoded as added
from milvus_otel_processor.remembering import remember
from milvus_otel_processor.sampling.policies.matching import matcher
from milvus_otel_processor.sampling.tracestate import parse as parse_trace_state
from milvus_otel_processor.spans.contract import StoreSettings
from milvus_otel_processor.spans.groups import Group, GroupRegistry
from milvus_otel_processor.spans.store import ReferenceStore

from tests.support.spans import encoded, span
from tests.support.wire import delimited

LONG = 100_000


def test_short_texts_are_remembered_and_long_ones_answered_anew() -> None:
    asked: list[str] = []

    @remember(10, longest=5)
    def answer(text: str) -> int:
        asked.append(text)
        return len(text)

    for text in ("short", "short", "longer", "longer"):
        assert answer(text) == len(text)
    assert asked == ["short", "longer", "longer"]


def grown_mib(act: object) -> float:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        act()  # type: ignore[operator] # a function
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / (1 << 20)


def text(number: int) -> str:
    return f"{number:08}" + "x" * LONG


LINE = "2026/11/22 18:48:06.333 +00:00\tSearch\ttcp-127.0.0.1:5\t1ms\t{:032x}\troot\tPython\tdefault\t[]\tc"
LINE += "\t1ms\tFailed\t65535\tmsg={}"


@pytest.mark.parametrize(
    "ask",
    [
        lambda number: method_of_name(text(number).encode()),
        lambda number: parse(LINE.format(number, text(number))),
        lambda number: parse_trace_state(b"a=" + text(number).encode()),
        matcher(["a+b"], regex=True, cache_max_size=4096),
        lambda number: is_milvus(Group(delimited(1, b""), text(number).encode())),
        lambda number: added((("note", text(number)), ("notes", (text(number), "b")))),
    ],
    ids=["span name", "log line", "trace state", "regular expression", "resource", "what an own processor adds"],
)
def test_long_texts_never_become_keys(ask: object) -> None:
    def many() -> None:
        for number in range(300):
            ask(text(number).encode() if ask.__name__ == "answer" else number)  # type: ignore[operator,attr-defined] # functions

    assert grown_mib(many) < 3


def test_resources_that_rules_ask_roots_for_are_not_held_when_they_are_long() -> None:
    made = StoreSettings(wait=0.0, asks_roots=True, tells_resources=True)
    store = ReferenceStore(made, lambda name, group=None: None)

    def many() -> None:
        for number in range(300):
            store.ingest(encoded(span(number + 1), resource={"service.name": text(number)}), 0.0)
            store.take_due(1.0, 10)

    assert grown_mib(many) < 8  # what the registry of resources holds


def test_resources_count_as_long_as_spans_have_them_and_no_longer() -> None:
    registry = GroupRegistry(limit=3)

    def request(number: int) -> bytes:
        scope = delimited(2, delimited(2, b"span"))
        return delimited(1, delimited(1, delimited(1, delimited(1, b"%d" % number * 100))) + scope)

    (kept, _), *_ = registry.split(request(1))
    for number in range(2, 4):
        registry.split(request(number))
    size = kept.size
    assert registry.size == 3 * size
    registry.split(request(4))  # begins anew; the first is still a span's
    assert registry.size == 2 * size
    del kept
    assert registry.size == size
