"""What a span costs: CPU time and memory of the processor, and of the Collector's tail_sampling under the same load.

    uv run python -m tests.benchmarks.processor_cost [--spans 400000] [--mix recorded|busy] [--request 8192]
        [--built-in-rules] [--no-collector] [--no-enrichment]

Each program runs on its own, as a process; its CPU time (user and system, from /proc) is read before the first span and after
the last decision, so that the load and the receiving end, both in this process, do not count. The rules are five: drop
heartbeats, keep errors, keep slow traces, keep one collection, keep a tenth. Linux alone.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from milvus_otel_processor.config import default_config_path, load_config
from ruamel.yaml import YAML

from tests.benchmarks.load import MIXES, batched, repeated, spans_in
from tests.peers.collector import collector_binary
from tests.peers.otlp_sink import OtlpSink, otlp_sink
from tests.peers.process import Part, free_port, running

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
DECISION_WAIT = 10


@dataclass
class Cost:
    """What one run took."""

    program: str
    spans: int
    microseconds_per_span: float
    peak_mib: float
    kept_spans: int


def heartbeats() -> list[str]:
    """The names that the built-in rules drop."""
    sampling = load_config(None, environ={}).config.tail_sampling
    assert sampling is not None
    names: list[str] = sampling.policies[0].model_dump(by_alias=True)["drop"]["drop_sub_policy"][0]["span_name"][
        "names"
    ]
    return names


def rules(heartbeat: dict[str, object]) -> dict[str, object]:
    """The five rules, with what names a heartbeat in the words of the program."""
    return {
        "decision_wait": f"{DECISION_WAIT}s",
        "num_traces": 10_000_000,
        "policies": [
            {"name": "heartbeats", "type": "drop", "drop": {"drop_sub_policy": [{"name": "root", **heartbeat}]}},
            {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
            {"name": "slow", "type": "latency", "latency": {"threshold_ms": 500}},
            {
                "name": "products",
                "type": "string_attribute",
                "string_attribute": {"key": "db.collection.name", "values": ["products"]},
            },
            {"name": "tenth", "type": "probabilistic", "probabilistic": {"sampling_percentage": 10}},
        ],
    }


def built_in_rules() -> dict[str, object]:
    """The rules that the processor has by default, and that the demo shows."""
    sampling = YAML(typ="safe").load(default_config_path().with_name("sampling.yaml"))
    return {**sampling, "decision_wait": f"{DECISION_WAIT}s", "num_traces": 10_000_000}


def processor_configuration(port: int, sink: str, *, enrichment: bool, built_in: bool) -> dict[str, object]:
    """Ours: receiver, enrichment, sampling, exporter."""
    heartbeat: dict[str, object] = {"type": "span_name", "span_name": {"names": heartbeats(), "root_only": True}}
    processors: dict[str, object] = {"tail_sampling": built_in_rules() if built_in else rules(heartbeat)}
    if enrichment:
        processors = {"milvus": {"uri": "http://127.0.0.1:1"}, **processors}
    return {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}"}}}},
        "processors": processors,
        "exporters": {"otlp": {"endpoint": sink, "tls": {"insecure": True}}},
        "service": {
            "pipelines": {
                "traces": {"receivers": ["otlp"], "processors": list(processors), "exporters": ["otlp"]},
            }
        },
    }


def collector_configuration(port: int, sink: str, health: int) -> dict[str, object]:
    """The Collector's: the same, without enrichment, and names by OTTL."""
    conditions = [f'IsRootSpan() and name == "{name}"' for name in heartbeats()]
    heartbeat: dict[str, object] = {
        "type": "ottl_condition",
        "ottl_condition": {"error_mode": "ignore", "span": conditions},
    }
    return {
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{health}"}},
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}", "max_recv_msg_size_mib": 64}}}},
        "processors": {"tail_sampling": rules(heartbeat)},
        "exporters": {"otlp": {"endpoint": sink, "tls": {"insecure": True}, "compression": "none"}},
        "service": {
            "extensions": ["health_check"],
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {
                "traces": {"receivers": ["otlp"], "processors": ["tail_sampling"], "exporters": ["otlp"]},
            },
        },
    }


@contextmanager
def processor(folder: Path, sink: str, *, enrichment: bool, built_in: bool) -> Iterator[tuple[int, str]]:
    """Run our processor; yields its process id and endpoint."""
    port = free_port()
    path = folder / "processor.yaml"
    path.write_text(
        json.dumps(processor_configuration(port, sink, enrichment=enrichment, built_in=built_in)), encoding="utf-8"
    )
    command = [str(Path(sys.executable).with_name("milvus-otel")), "run", "--config", str(path)]
    part = Part(command, folder / "processor.log")
    try:
        yield part.process.pid, f"127.0.0.1:{port}"
    finally:
        part.stop()


@contextmanager
def collector(folder: Path, sink: str) -> Iterator[tuple[int, str]]:
    """Run the Collector; yields its process id and endpoint."""
    port, health = free_port(), free_port()
    path = folder / "collector.yaml"
    path.write_text(json.dumps(collector_configuration(port, sink, health)), encoding="utf-8")
    command = [str(collector_binary()), "--config", str(path)]
    with running(command, folder / "collector.log", f"http://127.0.0.1:{health}/") as part:
        yield part.process.pid, f"127.0.0.1:{port}"


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid: int) -> float:
    """The most memory that a process has had."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def send(endpoint: str, requests: list[bytes], rounds: int, size: int) -> None:
    """Send the load in requests of about `size` spans, one after the other."""
    together = max(1, round(size * len(requests) / spans_in(requests)))
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(endpoint, options=options) as channel:
        export = channel.unary_unary(EXPORT)
        for request in batched(repeated(requests, rounds), together):
            export(request, wait_for_ready=True, timeout=60)


def raw(sink: OtlpSink) -> list[bytes]:
    """What the receiving end got so far."""
    return [received.raw for received in sink.received()]


def measure(program: str, mix: str, spans: int, size: int, *, enrichment: bool, built_in: bool) -> Cost:
    """Run one program under the load."""
    requests = MIXES[mix]()
    rounds = max(1, spans // spans_in(requests))
    with tempfile.TemporaryDirectory() as folder, otlp_sink() as sink:
        started = (
            collector(Path(folder), sink.endpoint)
            if program == "collector"
            else processor(Path(folder), sink.endpoint, enrichment=enrichment, built_in=built_in)
        )
        with started as (pid, endpoint):
            send(endpoint, requests, 3, size)  # warm
            time.sleep(DECISION_WAIT + 3)
            before, kept_before = cpu_seconds(pid), spans_in(raw(sink))
            send(endpoint, requests, rounds, size)
            time.sleep(DECISION_WAIT + 3)
            used = cpu_seconds(pid) - before
            sent = rounds * spans_in(requests)
            return Cost(program, sent, used / sent * 1e6, peak_mib(pid), spans_in(raw(sink)) - kept_before)


def main() -> None:
    """Measure and print a row for each program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=400_000)
    parser.add_argument(
        "--request", type=int, default=8192, help="spans in a request; the Collector's batch processor's default"
    )
    parser.add_argument("--mix", choices=sorted(MIXES), default="recorded")
    parser.add_argument("--no-collector", action="store_true")
    parser.add_argument("--no-enrichment", action="store_true")
    parser.add_argument(
        "--built-in-rules", action="store_true", help="the default rules; the Collector has no words for them"
    )
    arguments = parser.parse_args()
    alone = arguments.no_collector or arguments.built_in_rules
    costs = [
        measure(
            program,
            arguments.mix,
            arguments.spans,
            arguments.request,
            enrichment=not arguments.no_enrichment,
            built_in=arguments.built_in_rules,
        )
        for program in (["processor"] if alone else ["processor", "collector"])
    ]
    for cost in costs:
        print(
            f"{arguments.mix:9} {cost.program:10} {cost.microseconds_per_span:6.2f} us CPU per span, {cost.peak_mib:6.0f} MiB at "
            f"the peak, {cost.spans} spans in, {cost.kept_spans} kept"
        )
    if len(costs) == 2:
        print(f"ratio of CPU: {costs[1].microseconds_per_span / costs[0].microseconds_per_span:.2f}")


if __name__ == "__main__":
    main()
