"""Adjusted counts, ours and the Collector's with its feature gate: the same traces, with the same trace states on their spans."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import grpc
import pytest
from milvus_otel_processor.replay.recording import read
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.differential.blocks import Block
from tests.peers.collector import collector
from tests.peers.otlp_sink import METHOD
from tests.support.harness import ERRORS, Harness, sampling
from tests.support.policies import entry
from tests.support.spans import encoded, span
from tests.support.wire import spans_of

TRACES = 3000
GATE = "--feature-gates=processor.tailsamplingprocessor.usetracestate"
TraceStates = dict[tuple[bytes, bytes], str]


def share(percent: float) -> dict[str, object]:
    return entry("probabilistic", {"sampling_percentage": percent}, f"{percent}%")


def all_of(*policies: dict[str, object]) -> dict[str, object]:
    return entry("and", {"and_sub_policy": list(policies)}, "all of")


SLOW = entry("latency", {"threshold_ms": 100}, "slow")
BLOCKS: list[Block] = [
    [share(50)],
    [share(6.66)],
    [share(100)],
    [share(10), ERRORS],
    [share(1), share(30)],
    [all_of(SLOW, share(25)), share(12.5), ERRORS],
    [all_of(share(80), SLOW, share(20), share(60))],
    [entry("not", {"not_sub_policy": ERRORS}, "no errors"), share(40)],
]


def _trace_state(random: Random, number: str) -> str:
    """A trace state; `number` is what is random in it, one for all spans of a trace."""
    threshold = f"{random.randrange(1 << 56):014x}"[: random.randrange(1, 15)].rstrip("0") or "0"
    return random.choice(
        [
            "",
            "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7",
            f"ot=rv:{number}",
            f"ot=th:{threshold}",
            f"congo=a,ot=xy:1;rv:{number};th:{threshold}",
            f"ot=th:{threshold};p:q,congo=b",
            "ot=th:xyz",
            "Not=valid",
        ]
    )


def sent(seed: int) -> list[bytes]:
    random = Random(seed)
    requests = []
    for _ in range(TRACES):
        number = f"{random.randrange(1 << 56):014x}"
        states = [_trace_state(random, number) for _ in range(2)]
        spans = []
        for place, state in enumerate(states, start=1):
            status = Status.STATUS_CODE_ERROR if random.random() < 0.1 else Status.STATUS_CODE_UNSET
            spans.append(span(1, place, place - 1, end_ms=random.choice([1, 500]), status=status))
            spans[-1].trace_state = state
        trace_id = random.randbytes(16)
        for one in spans:
            one.trace_id = trace_id
        requests.append(encoded(*spans))
    return requests


def trace_states(spans: Iterable[bytes]) -> TraceStates:
    found = [Span.FromString(one) for one in spans]
    return {(one.trace_id, one.span_id): one.trace_state for one in found}


def by_collector(requests: Sequence[bytes], folder: Path) -> list[TraceStates]:
    places = range(len(BLOCKS))
    files = [folder / f"kept-{place}" for place in places]
    pipelines = {
        f"traces/{place}": {
            "receivers": ["otlp"],
            "processors": [f"tail_sampling/{place}"],
            "exporters": [f"file/{place}"],
        }
        for place in places
    }
    with TemporaryDirectory() as short:
        endpoint = f"{short}/otlp.sock"
        configuration = {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": endpoint, "transport": "unix"}}}},
            "processors": {
                f"tail_sampling/{place}": {"decision_wait": "600s", "policies": BLOCKS[place]} for place in places
            },
            "exporters": {f"file/{place}": {"path": str(files[place]), "format": "proto"} for place in places},
            "service": {"telemetry": {"metrics": {"level": "none"}}, "pipelines": pipelines},
        }
        with (
            collector(json.dumps(configuration), folder, arguments=[GATE]),
            grpc.insecure_channel(f"unix:{endpoint}") as channel,
        ):
            export = channel.unary_unary(METHOD)
            for request in requests:
                export(request, timeout=60, wait_for_ready=True)
    return [trace_states(one for message in read(file) for one in spans_of(message.request)) for file in files]


def by_us(block: Block, requests: Sequence[bytes]) -> TraceStates:
    harness = Harness(sampling(*block, decision_wait="600s", adjusted_counts=True))
    for request in requests:
        harness.pipeline.ingest(request)
    harness.pipeline.drain()
    return trace_states(harness.exporter.spans)


def said(trace_state: str) -> list[list[str]]:
    """What a trace state says, in whatever order: one that need not change the Collector puts in its own, and we leave it."""
    return sorted(sorted(member.removeprefix("ot=").split(";")) for member in trace_state.split(","))


@pytest.mark.timeout(300)
def test_kept_spans_count_as_the_collectors_do(tmp_path: Path) -> None:
    requests = sent(seed=56)
    theirs = by_collector(requests, tmp_path)
    for block, expected in zip(BLOCKS, theirs, strict=True):
        ours = by_us(block, requests)
        assert ours.keys() == expected.keys(), json.dumps(block)
        different = {id_: (ours[id_], state) for id_, state in expected.items() if said(ours[id_]) != said(state)}
        assert not different, f"{len(different)} with {json.dumps(block)}: {list(different.values())[:5]}"
    kept = [len(expected) for expected in theirs]
    assert len(set(kept)) == len(kept), kept
    thresholds = {state.partition("th:")[2] for expected in theirs for state in expected.values()}
    assert len(thresholds) > TRACES / 10
