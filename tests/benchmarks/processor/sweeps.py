"""One thing changed at a time: the load, the traces that wait, the policies."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from tests.benchmarks.load import spans_in
from tests.benchmarks.policy_cost import FOUR, TWENTY
from tests.benchmarks.processor.mixes import MIXES, load, many
from tests.benchmarks.processor.programs import Program, five_rules
from tests.benchmarks.processor.run import measure, on_its_own_core, send, wait_until_decided

LOADS = (1_000, 10_000, 50_000, 100_000, 250_000)
WAITING = (1_000, 10_000, 100_000, 300_000, 1_000_000)
POLICIES = (1, 4, 10, 20, 40)
_SECONDS = 6
_REQUEST = 8192
_SEED = 3

Row = dict[str, Any]


def by_load(store: str) -> Iterator[Row]:
    """CPU per span against spans per second, in requests of 200 ms at most."""
    program = Program(store, five_rules(in_ottl=store == "collector"), 2.0)
    for rate in LOADS:
        request = min(_REQUEST, max(50, rate // 5))
        requests = load(MIXES["recorded"], rate * _SECONDS, request, _SEED)
        with on_its_own_core(program) as (process, taking):
            send(process, requests[: max(1, len(requests) // 10)])
            wait_until_decided(program, process, taking)
            before, begin = process.cpu_seconds(), time.monotonic()
            send(process, requests, rate)
            duration = time.monotonic() - begin
            wait_until_decided(program, process, taking)
            spans = spans_in(requests)
            used = process.cpu_seconds() - before
            yield {
                "spans_per_second": round(spans / duration),
                "microseconds_per_span": used / spans * 1e6,
                "peak_mib": process.peak_mib(),
            }


def by_waiting(store: str) -> Iterator[Row]:
    """CPU per span and memory against traces that wait, of one span each; those that wait are not decided."""
    program = Program(store, five_rules(in_ottl=store == "collector"), 600.0)
    with on_its_own_core(program) as (process, _):
        there, empty = 0, process.mib()
        for waiting in WAITING:
            requests = list(many(waiting - there, 1000, waiting))
            before = process.cpu_seconds()
            send(process, requests)
            used = process.cpu_seconds() - before
            yield {
                "waiting_traces": waiting,
                "microseconds_per_span": used / (waiting - there) * 1e6,
                "bytes_per_trace": (process.mib() - empty) * 2**20 / waiting,
                "mib": process.mib(),
            }
            there = waiting


def by_policies(store: str) -> Iterator[Row]:
    """CPU per span against policies, on requests alone; the processor, which has words for all of them."""
    policies = [dict(policy) for policy in (*FOUR, *TWENTY, *TWENTY)]
    for count in POLICIES:
        chosen = [{**policy, "name": f"{number}"} for number, policy in enumerate(_some(policies, count))]
        program = Program(store, {"policies": chosen}, 3.0)
        warm = load(MIXES["busy"], 5_000, _REQUEST, 1)
        run = measure(program, warm, load(MIXES["busy"], 200_000, _REQUEST, _SEED))
        yield {"policies": count, "microseconds_per_span": run.microseconds_per_span, "kept": len(run.kept)}


def _some(policies: Sequence[dict[str, object]], count: int) -> Sequence[dict[str, object]]:
    """The first ones; those that keep a share of everything, which end the search, at the end."""
    shares = [policy for policy in policies if policy["type"] == "probabilistic"]
    others = [policy for policy in policies if policy["type"] != "probabilistic"]
    return [*others[: count - 1], shares[0]]


SWEEPS = {"load": by_load, "waiting": by_waiting, "policies": by_policies}


def text(name: str, rows: Sequence[Row]) -> str:
    """A Markdown table of a sweep."""
    if not rows:
        return f"{name}: nothing"
    heads = list(rows[0])
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join('---' for _ in heads)} |"]
    lines += [f"| {' | '.join(_cell(row[head]) for head in heads)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
