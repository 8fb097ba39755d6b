"""One thing changed at a time: the load, the traces that wait, the policies; and nothing at all."""

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from tests.benchmarks.load import spans_in
from tests.benchmarks.policy_cost import FOUR, TWENTY
from tests.benchmarks.processor.mixes import MIXES, load, many
from tests.benchmarks.processor.programs import Program, five_rules
from tests.benchmarks.processor.results import COLLECTOR, NATIVE, REFERENCE, Row
from tests.benchmarks.processor.run import measure, on_its_own_core, send, wait_until_decided

LOADS = (1_000, 10_000, 50_000, 100_000, 250_000)
WAITING = (1_000, 10_000, 100_000, 300_000, 1_000_000)
POLICIES = (1, 4, 10, 20, 40)
_SECONDS = 4
_IDLE_SECONDS = 6.0
_REQUEST = 8192
_SEED = 3
_TURNS = 2


def _program(name: str, decision_wait: float) -> Program:
    return Program(name, five_rules(in_ottl=name == COLLECTOR), decision_wait)


def by_load(name: str) -> Iterator[Row]:
    """CPU per span against spans per second, in requests of 200 ms at most; `wanted` are the spans per second that were tried."""
    program = _program(name, 2.0)
    with on_its_own_core(program) as (process, taking):
        send(process, load(MIXES["recorded"], 5_000, _REQUEST, 1))
        wait_until_decided(program, process, taking)
        for rate in LOADS:
            requests = load(MIXES["recorded"], rate * _SECONDS, min(_REQUEST, max(50, rate // 5)), _SEED)
            before, begin = process.cpu_seconds(), time.monotonic()
            send(process, requests, rate)
            duration = time.monotonic() - begin
            wait_until_decided(program, process, taking)
            taking.came.clear()
            spans = spans_in(requests)
            yield {
                "wanted": rate,
                "spans_per_second": round(spans / duration),
                "microseconds_per_span": (process.cpu_seconds() - before) / spans * 1e6,
            }


def by_waiting(name: str) -> Iterator[Row]:
    """CPU per span and memory against traces that wait, of one span each; those that wait are not decided."""
    program = _program(name, 600.0)
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


def by_policies(name: str) -> Iterator[Row]:
    """CPU per span against policies, on requests alone: the processor, which has words for all of them; medians, in turns."""
    warm, requests = (load(MIXES["busy"], spans, _REQUEST, seed) for spans, seed in ((5_000, 1), (200_000, _SEED)))
    runs: dict[int, list[Row]] = {count: [] for count in POLICIES}
    for _ in range(_TURNS):
        for count, found in runs.items():
            program = Program(name, {"policies": policies(count)}, 1.0)
            run, _kept = measure(program, warm, requests)
            found.append({"cost": run.microseconds_per_span, "kept": run.kept})
    for count, found in runs.items():
        yield {
            "policies": count,
            "microseconds_per_span": median(row["cost"] for row in found),
            "kept": found[-1]["kept"],
        }


def policies(count: int) -> list[dict[str, object]]:
    """So many policies, each about something else; one that keeps a share of everything, which ends the search, is the last."""
    every = [*FOUR[:-1], *(policy for policy in TWENTY if policy not in FOUR)]
    for number in (2, 3):
        others = [_about_another(policy, number) for policy in every]
        every += [policy for policy in others if policy not in every]
    chosen = [*every[: count - 1], FOUR[-1]]
    assert len(chosen) == count
    return [{**policy, "name": f"{number}"} for number, policy in enumerate(chosen)]


def _about_another(value: Any, number: int) -> Any:
    """The same policy about other attributes."""
    if isinstance(value, dict):
        return {
            key: f"{inner}.{number}" if key == "key" else _about_another(inner, number) for key, inner in value.items()
        }
    return [_about_another(inner, number) for inner in value] if isinstance(value, list) else value


def idle(name: str) -> Iterator[Row]:
    """What a program takes that nobody sends anything to, once it is up."""
    with on_its_own_core(_program(name, 10.0)) as (process, _):
        time.sleep(_IDLE_SECONDS / 2)
        before = process.cpu_seconds()
        time.sleep(_IDLE_SECONDS)
        percent = (process.cpu_seconds() - before) / _IDLE_SECONDS * 100
        yield {"percent_of_a_core": percent, "mib": process.mib()}


SWEEPS = {
    "load": (by_load, (COLLECTOR, NATIVE, REFERENCE)),
    "waiting": (by_waiting, (COLLECTOR, NATIVE)),
    "policies": (by_policies, (NATIVE,)),
    "idle": (idle, (COLLECTOR, NATIVE, REFERENCE)),
}
"""Each with the programs that it is about."""
