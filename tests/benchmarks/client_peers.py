"""Compares this client with other instrumentations of pymilvus: `uv run python tests/benchmarks/client_peers.py`.

Each gets an environment of its own, made by uv under ~/.cache/milvus-otel/client-peers, and a process of its own. What
they record is looked at against a real Milvus; what they cost is measured on a stubbed transport, round by round in
turn, so that whatever else the machine does hits all of them alike. Prints a Markdown table; takes about two minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from milvus_otel_processor.demo.milvus import EmbeddedMilvus, MilvusSettings  # noqa: E402

from tests.client_e2e.traces import Receiver  # noqa: E402

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "milvus-otel" / "client-peers"
WORKER = Path(__file__).with_name("client_worker.py")
PYMILVUS = "pymilvus==3.0.2"
SDK = "opentelemetry-sdk==1.45.2"
# openlit 1.45.0 allows no newer SDK, and Traceloop 0.60.0 is the newest whose dependencies can be had
REQUIREMENTS: dict[str, list[str]] = {
    "traceloop": ["opentelemetry-instrumentation-milvus==0.60.0", SDK],
    "openlit": ["openlit==1.45.0", "opentelemetry-sdk==1.45.1"],
    "grpc": ["opentelemetry-instrumentation-grpc==0.66b2", SDK],
    "ours": ["-e", str(ROOT / "client"), SDK],
}
ENVIRONMENT_OF = {"plain": "ours", "bare span": "ours", "by hand": "ours", "ours, rpc spans": "ours"}
COLUMNS = {"traceloop": "Traceloop 0.60.0", "openlit": "openlit 1.45.0", "grpc": "gRPC 0.66b2", "ours": "this client"}
CPU, WALL = "thread_time_ns", "perf_counter_ns"


class Worker:
    """A process in an instrumentation's environment."""

    def __init__(self, name: str) -> None:
        python = environment(ENVIRONMENT_OF.get(name, name))
        self._process = subprocess.Popen(
            [python, "-W", "ignore", WORKER, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    def ask(self, do: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the worker {self._process.args!r} ended while it was asked to {do}")
        return json.loads(answer)


def environment(name: str) -> Path:
    """Make an instrumentation's environment if it is not there; return its Python."""
    folder = CACHE / name
    python = folder / "bin" / "python"
    requirements = [PYMILVUS, *REQUIREMENTS[name]]
    stamp = folder / "requirements.json"
    if not stamp.exists() or json.loads(stamp.read_text(encoding="utf-8")) != requirements:
        folder.mkdir(parents=True, exist_ok=True)
        # away from the project, whose pins are for itself
        subprocess.run(["uv", "venv", "--quiet", "--clear", folder], check=True, cwd=CACHE)
        subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, *requirements], check=True, cwd=CACHE)
        stamp.write_text(json.dumps(requirements), encoding="utf-8")
    return python


def costs(rounds: int, count: int) -> dict[str, dict[str, float]]:
    """CPU microseconds that each instrumentation adds to a call on the stubbed transport, by kind of call."""
    names = ["plain", "bare span", "by hand", "ours", "ours, rpc spans", "traceloop", "openlit", "grpc"]
    workers = {name: Worker(name) for name in names}
    try:
        calls = max(worker.ask("stub") for worker in workers.values())
        taken: dict[str, dict[str, list[float]]] = {name: {call: [] for call in calls} for name in names}
        for number in range(rounds + 1):
            for call in calls:
                for name in names[number % len(names) :] + names[: number % len(names)]:
                    few = count if call == "search" else max(count // 8, 5)
                    measured = workers[name].ask("measure", call=call, count=few, clock=CPU)
                    if number:  # the first round warms up
                        taken[name][call].append(measured)
    finally:
        for worker in workers.values():
            worker.__exit__()
    # the best round of each: what else runs on the machine only ever adds
    best = {name: {call: min(values) for call, values in by.items()} for name, by in taken.items()}
    plain = best.pop("plain")
    added = {name: {call: value - plain[call] for call, value in by.items()} for name, by in best.items()}
    return added | {"plain": plain}


def ratios(uri: str, rounds: int, count: int) -> dict[str, float]:
    """A traced search against a plain one, by the clock on the wall: the median of what each round says."""
    names = ["plain", "ours", "ours, rpc spans"]
    workers = {name: Worker(name) for name in names}
    for worker in workers.values():
        worker.ask("connect", uri=uri)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name in names[number % 3 :] + names[: number % 3]:
            measured = workers[name].ask("measure", call="search", count=count, clock=WALL)
            if number:
                taken[name].append(measured)
    for worker in workers.values():
        worker.__exit__()
    each = {name: zip(values, taken["plain"], strict=True) for name, values in taken.items()}
    found = {name: statistics.median(traced / plain for traced, plain in pairs) for name, pairs in each.items()}
    return found | {"plain": statistics.median(taken["plain"])}


def observations(milvus: EmbeddedMilvus, receiver: Receiver) -> dict[str, dict[str, Any]]:
    """What each instrumentation recorded of the scenarios, and which of its traces Milvus joined."""
    found: dict[str, dict[str, Any]] = {}
    for name in (*COLUMNS, "ours, rpc spans"):
        with Worker(name) as worker:
            found[name] = worker.ask("observe", uri=milvus.uri)
    time.sleep(6)  # Milvus' Go SDK sends spans every 5 s
    joined = {span.trace_id.hex() for span in receiver.spans()}
    for scenarios in found.values():
        for spans in scenarios.values():
            for span in spans:
                span["joined"] = span["trace_id"] in joined
    return found


def table(
    observed: dict[str, dict[str, Any]], cost: dict[str, dict[str, float]], against_real: dict[str, float]
) -> str:
    rows: dict[str, Callable[[str], str]] = {
        "collection, positional arguments": lambda name: _collection(observed[name]["positional"]),
        "AsyncMilvusClient, ORM, iterators": lambda name: ", ".join(
            _traced(observed[name][scenario]) for scenario in ("async", "orm", "iterator")
        ),
        "span kind, name": lambda name: _kind_and_name(observed[name]["positional"]),
        "search on a missing collection": lambda name: _failure(observed[name]["missing"]),
        "Milvus' spans join": lambda name: _joined(observed[name]),
        "leaks": lambda name: _leaks(observed[name]),
        "clients made before instrumenting": lambda name: _traced(observed[name]["early"]),
    }
    lines = ["| | " + " | ".join(COLUMNS.values()) + " |", "| --- |" + " --- |" * len(COLUMNS)]
    lines += [f"| {row} | " + " | ".join(tell(name) for name in COLUMNS) + " |" for row, tell in rows.items()]
    for call, plain in cost["plain"].items():
        cells = [f"{cost[name][call]:+.0f} µs" for name in COLUMNS]
        cells[-1] += f" ({cost['ours, rpc spans'][call]:+.0f} µs with rpc spans)"
        lines.append(f"| CPU per call, stubbed: {call} ({plain:.0f} µs plain) | " + " | ".join(cells) + " |")
    lines.append(
        f"\nOne span of the SDK with a search's attributes: +{cost['bare span']['search']:.0f} µs; the same, as the "
        f"current span and written by hand: +{cost['by hand']['search']:.0f} µs."
    )
    lines.append(
        f"Against a real search of {against_real['plain'] / 1000:.1f} ms, by the clock: {against_real['ours']:.3f} "
        f"times the plain call, {against_real['ours, rpc spans']:.3f} times with rpc spans."
    )
    return "\n".join(lines)


def _collection(spans: list[dict[str, Any]]) -> str:
    named = [span for span in spans if "peers" in span["name"] or "peers" in span["attributes"].values()]
    return "yes" if named else "no"


def _traced(spans: list[dict[str, Any]]) -> str:
    if not spans:
        return "no"
    return "yes" if any("db.system.name" in s["attributes"] or "db.system" in s["attributes"] for s in spans) else "rpc"


def _kind_and_name(spans: list[dict[str, Any]]) -> str:
    return f"{spans[-1]['kind']}, `{spans[-1]['name']}`" if spans else "none"


def _failure(spans: list[dict[str, Any]]) -> str:
    if not spans:
        return "no span"
    telling = ("db.response.status_code", "error.type", "rpc.grpc.status_code")
    found = [f"`{key}={spans[-1]['attributes'][key]}`" for key in telling if key in spans[-1]["attributes"]]
    return ", ".join([spans[-1]["status"], *found])


def _joined(scenarios: dict[str, Any]) -> str:
    spans = [span for spans in scenarios.values() for span in spans]
    traces = {span["trace_id"] for span in spans}
    joined = {span["trace_id"] for span in spans if span["joined"]}
    return f"{len(joined)} of {len(traces)} traces"


def _leaks(scenarios: dict[str, Any]) -> str:
    found = [
        f"{what} of {scenario}"
        for scenario in ("positional", "insert", "query")
        for what in sorted({leak for span in scenarios[scenario] for leak in span["leaks"]})
    ]
    return ", ".join(found).replace("positional", "search") or "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--count", type=int, default=200, help="calls in a round")
    parser.add_argument("--json", type=Path, help="where to write what was measured")
    arguments = parser.parse_args()
    for name in REQUIREMENTS:
        environment(name)
    cost = costs(arguments.rounds, arguments.count)
    with (
        Receiver() as receiver,
        EmbeddedMilvus(MilvusSettings(otlp_endpoint=receiver.endpoint, sample_fraction=0)) as milvus,
    ):
        observed = observations(milvus, receiver)
    # what Milvus itself takes to trace a request is not the client's
    with EmbeddedMilvus(MilvusSettings(sample_fraction=0, overrides={"trace": {"exporter": "noop"}})) as milvus:
        against_real = ratios(milvus.uri, arguments.rounds, arguments.count)
    sys.stdout.write(table(observed, cost, against_real) + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps({"cost": cost, "ratios": against_real, "observed": observed}, indent=1))


if __name__ == "__main__":
    main()
