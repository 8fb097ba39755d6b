"""The programs that are compared: each as a process of its own, on a core of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import clock_gettime

import grpc
from milvus_otel_processor.config import default_config_path, load_config
from ruamel.yaml import YAML

from tests.benchmarks.processor.results import BUILT_IN, COLLECTOR, COUNTED, NATIVE
from tests.peers.collector import collector_binary
from tests.peers.process import Part, answers, free_port
from tests.peers.waiting import wait_until

_CPU_CLOCK_OF_PROCESS = 2  # CPUCLOCK_SCHED in Linux' clockid_t
Rules = dict[str, object]


@dataclass(frozen=True)
class Program:
    """One side of the comparison: `collector`, or the processor with one of its stores."""

    name: str
    rules: Rules
    decision_wait: float
    enrichment: bool = True
    counts_requests: bool = False
    """Whether there are metrics of all requests, too, for which the Collector has no words."""
    called: str = ""
    """What it is called in tables, where its name does not tell it from others."""

    @property
    def title(self) -> str:
        """What it is called in tables."""
        return self.called or self.name

    @property
    def is_collector(self) -> bool:
        """Whether it is the peer."""
        return self.name == COLLECTOR

    def configuration(self, port: int, sink: str, health: int) -> dict[str, object]:
        """Its YAML."""
        return (self._collector if self.is_collector else self._processor)(port, sink, health)

    def _sampling(self) -> Rules:
        return {**self.rules, "decision_wait": f"{self.decision_wait:g}s", "num_traces": 10_000_000}

    def _processor(self, port: int, sink: str, health: int) -> dict[str, object]:
        settings = {"uri": "http://127.0.0.1:1", "requests": {"enabled": self.counts_requests}}
        processors = {**({"milvus": settings} if self.enrichment else {}), "tail_sampling": self._sampling()}
        return {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}"}}}},
            "processors": processors,
            "exporters": {"otlp": {"endpoint": sink, "tls": {"insecure": True}, "compression": "none"}},
            "service": {
                "store": self.name,
                "telemetry": {"metrics": {"readers": [_reader(health)]}},
                "pipelines": {
                    "traces": {"receivers": ["otlp"], "processors": list(processors), "exporters": ["otlp"]},
                },
            },
        }

    def _collector(self, port: int, sink: str, health: int) -> dict[str, object]:
        grpc_settings = {"endpoint": f"127.0.0.1:{port}", "max_recv_msg_size_mib": 64}
        return {
            "extensions": {"health_check": {"endpoint": f"127.0.0.1:{health}"}},
            "receivers": {"otlp": {"protocols": {"grpc": grpc_settings}}},
            "processors": {"tail_sampling": self._sampling(), "batch": None},
            "exporters": {"otlp": {"endpoint": sink, "tls": {"insecure": True}, "compression": "none"}},
            "service": {
                "extensions": ["health_check"],
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {
                    "traces": {
                        "receivers": ["otlp"],
                        "processors": ["tail_sampling", "batch"],
                        "exporters": ["otlp"],
                    },
                },
            },
        }

    def command(self, configuration: Path) -> list[str]:
        """How it is started."""
        if self.is_collector:
            return [str(collector_binary()), "--config", str(configuration)]
        return [str(Path(sys.executable).with_name("milvus-otel")), "run", "--config", str(configuration)]


def _reader(port: int) -> dict[str, object]:
    return {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": port}}}}


class Process:
    """A program that runs."""

    def __init__(self, part: Part, endpoint: str) -> None:
        self.endpoint = endpoint
        self._pid = part.process.pid
        self._clock = ~self._pid << 3 | _CPU_CLOCK_OF_PROCESS

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        return clock_gettime(self._clock)

    def peak_mib(self) -> float:
        """The most memory that it has had."""
        return self._status("VmHWM")

    def mib(self) -> float:
        """The memory that it has."""
        return self._status("VmRSS")

    def _status(self, key: str) -> float:
        for line in Path(f"/proc/{self._pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) / 1024
        return 0.0


_COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
"""As where it is installed: a program that compiles its modules at each start takes 14 MiB more, from then on."""


@cache
def _compile() -> None:
    run = "import milvus_otel_processor.cli.run, milvus_otel_processor.spans.stores as stores; stores.chosen('auto')"
    subprocess.run([sys.executable, "-c", run], env={**os.environ, **_COMPILED}, check=True)


@contextmanager
def started(program: Program, folder: Path, sink: str, core: int) -> Iterator[Process]:
    """Run a program on one core, until the end."""
    port, health = free_port(), free_port()
    path = folder / "configuration.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(program.configuration(port, sink, health), file)
    url = f"http://127.0.0.1:{health}/" + ("" if program.is_collector else "metrics")
    if not program.is_collector:
        _compile()
    part = Part(["taskset", "-c", str(core), *program.command(path)], folder / "output.log", _COMPILED)
    try:
        wait_until(lambda: _is_up(part, url), f"{program.name} to be up", 60)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(timeout=30)
        yield Process(part, f"127.0.0.1:{port}")
    finally:
        part.stop()


def _is_up(part: Part, url: str) -> bool:
    if part.process.poll() is not None:
        raise RuntimeError(f"ended with {part.process.returncode}:\n{part.output()[-4000:]}")
    return answers(url)


def cores() -> tuple[int, int]:
    """The core of the load and the one of the program."""
    there = sorted(os.sched_getaffinity(0))
    if len(there) < 2:
        raise RuntimeError("two cores are wanted: one for the program, one for the load")
    return there[0], there[-1]


def heartbeats() -> list[str]:
    """The expressions for the names that the built-in rules drop."""
    sampling = load_config(None, environ={}).config.tail_sampling
    assert sampling is not None
    drop = sampling.policies[0].model_dump(by_alias=True)["drop"]
    names: list[str] = drop["drop_sub_policy"][0]["span_name"]["names"]
    return names


def five_rules(*, in_ottl: bool) -> Rules:
    """Drop heartbeats, keep errors, slow traces, one collection and a tenth; by OTTL, or by our word for a root's name."""
    heartbeat: dict[str, object] = {
        "type": "span_name",
        "span_name": {"names": heartbeats(), "enabled_regex_matching": True, "root_only": True},
    }
    if in_ottl:
        literals = [name.replace("\\", "\\\\") for name in heartbeats()]
        conditions = [f'IsRootSpan() and IsMatch(name, "{literal}")' for literal in literals]
        heartbeat = {"type": "ottl_condition", "ottl_condition": {"error_mode": "ignore", "span": conditions}}
    return {
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


def built_in_rules() -> Rules:
    """The rules that the processor has by default, and that the demo shows."""
    rules: Rules = YAML(typ="safe").load(default_config_path().with_name("sampling.yaml"))
    return rules


def programs(stores: Sequence[str], decision_wait: float) -> list[Program]:
    """The Collector first, then the processor with each of these stores, all with the same five rules."""
    peer = Program(COLLECTOR, five_rules(in_ottl=True), decision_wait)
    return [peer, *(Program(store, five_rules(in_ottl=False), decision_wait) for store in stores)]


def with_built_in_rules(decision_wait: float) -> Program:
    """The processor with the rules that it has by default, for which the Collector has no words."""
    return Program(NATIVE, built_in_rules(), decision_wait, called=BUILT_IN)


def with_requests_counted(decision_wait: float) -> Program:
    """The processor with the five rules, and with metrics of all requests."""
    return Program(NATIVE, five_rules(in_ottl=False), decision_wait, counts_requests=True, called=COUNTED)
