"""All faults in turn, under load: at every moment, and across restarts, every span is in one place.

kill -9, SIGTERM, SIGSTOP, SIGHUP, a peer that is away, or refuses spans for good, a connection to it that goes silent, a full disk,
a burst of load; and malformed spans all the time.

uv run python -m tests.faults.balance [--faults 60] [--seed 0] [--store native]
"""

import argparse
import random
import signal
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import get_args

from milvus_otel_processor.spans.stores import StoreKind
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.disk import fill, small_disk
from tests.faults.load import Broken, Load, Requests, Sink, sink
from tests.faults.program import Program
from tests.peers.process import free_port
from tests.peers.waiting import wait_until
from tests.support.tcp import CountingProxy, counting_proxy

SPANS, BURST_SPANS, MALFORMED_SPANS = 50, 2000, 7
KEPT, DROPPED = "request", "heartbeat"
UNWANTED = ("not_sampled", "dropped")


@dataclass
class Outcome:
    """What came of it; spans, but for `faults` and `looks`."""

    faults: dict[str, int]
    looks: int
    """How often the metrics were read, and added up."""
    unbalanced: list[str]
    """What they said where they did not add up."""
    acknowledged: int
    missing: int
    dropped_arrived: int
    """Spans that a rule drops, and that arrived nevertheless."""
    twice: int
    refused: int
    """Spans that the peer refused for good."""
    given_up: int
    lost: dict[str, int]
    """Counted losses by reason, of the process that had most of them."""
    waiting: int
    left_on_disk: int
    answers: dict[str, int]


class Metrics:
    """The metrics of one moment."""

    def __init__(self, text: str) -> None:
        self._samples = [
            (sample.name.removeprefix("milvus_otel_"), sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    def spans(self, name: str, **labels: str) -> int:
        """The sum of a metric's values that have these labels."""
        return int(sum(value for found, has, value in self._samples if found == name and labels.items() <= has.items()))

    def by(self, name: str, label: str) -> dict[str, int]:
        """A metric's values by a label, without those that are 0."""
        return {has[label]: int(value) for found, has, value in self._samples if found == name and value}

    def imbalance(self) -> str | None:
        """What does not add up, if anything."""
        decided = self.spans("processor_decided_spans_total")
        unwanted = sum(self.spans("processor_decided_spans_total", decision=one) for one in UNWANTED)
        waiting = self.spans("processor_waiting_spans")
        came = self.spans("receiver_accepted_spans_total")
        if came != decided + self.spans("processor_late_spans_total") + waiting:
            return f"accepted={came} decided={decided} waiting={waiting}"
        out = decided - unwanted + self.spans("processor_late_spans_total", decision="sampled")
        out += self.spans("processor_recovered_spans_total", state="kept")
        sent, queued = self.spans("exporter_sent_spans_total"), self.spans("exporter_queued_spans")
        lost = self.spans("lost_spans_total")
        if out != sent + queued + lost:
            return f"to go out={out} sent={sent} queued={queued} lost={lost}"
        return None


class Watch:
    """Reads the metrics again and again, of whichever process there is, and adds them up."""

    def __init__(self, endpoint: str, *, pause: float = 0.1) -> None:
        self._pause = pause
        self._url = f"http://{endpoint}/metrics"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.looks = 0
        self.unbalanced: list[str] = []
        self.lost: dict[str, int] = {}
        """Losses by reason, the most that were seen of each."""
        self._thread.start()

    def now(self) -> Metrics | None:
        """The metrics, if there is a process that tells them."""
        try:
            with urllib.request.urlopen(self._url, timeout=5) as answer:
                return Metrics(answer.read().decode())
        except (OSError, urllib.error.URLError, HTTPException):
            return None

    def end(self) -> None:
        self._ended.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._ended.wait(self._pause):
            if (metrics := self.now()) is not None:
                self.looks += 1
                for reason, spans in metrics.by("lost_spans_total", "reason").items():
                    self.lost[reason] = max(spans, self.lost.get(reason, 0))
                if (problem := metrics.imbalance()) is not None:
                    self.unbalanced.append(problem)


class Trouble:
    """The faults, and the load that they happen to."""

    def __init__(  # noqa: PLR0917 - it has to do with all of them
        self,
        program: Program,
        peer: Sink,
        proxy: CountingProxy,
        disk: Path,
        choice: random.Random,
        calm: float,
    ) -> None:
        self._program, self._peer, self._disk = program, peer, disk
        self._choice = choice
        self._calm = calm
        self.kept = [self._load(number, KEPT) for number in (1, 2)]
        self.dropped = self._load(3, DROPPED)
        self.broken = Load(program.endpoint, Broken(SPANS, MALFORMED_SPANS), first=4 << 32, pause=0.1)
        self.bursts: list[Load] = []
        self.happened: Counter[str] = Counter()
        self._faults: dict[str, Callable[[], object]] = {
            "kill": lambda: self._restart(signal.SIGKILL),
            "terminate": lambda: self._restart(signal.SIGTERM),
            "freeze": self._freeze,
            "reload": lambda: program.signal(signal.SIGHUP),
            "peer away": self._peer_away,
            "peer refuses": self._peer_refuses,
            "peer silent": proxy.go_silent,
            "disk full": self._disk_full,
            "burst": self._burst,
        }

    def go_through(self, count: int) -> None:
        """Have so many faults happen under load, each kind once before any comes again."""
        for load in self.loads:
            load.start()
        names: list[str] = []
        while len(names) < count:
            names += self._choice.sample([*self._faults], len(self._faults))
        for name in names[:count]:
            self._program.wait_until_up()
            self._pause(0, 2)
            self._faults[name]()
            self.happened[name] += 1
        self._program.wait_until_up()
        for load in self.loads:
            load.stop()

    @property
    def loads(self) -> list[Load]:
        """Those that send all the time."""
        return [*self.kept, self.dropped, self.broken]

    def missing(self) -> int:
        """How many acknowledged spans that are to be kept have not arrived."""
        missing = sum(self._peer.missing(load.acknowledged, SPANS) for load in (*self.kept, self.broken))
        return missing + sum(self._peer.missing(load.acknowledged, BURST_SPANS) for load in self.bursts)

    def _load(self, number: int, name: str) -> Load:
        return Load(self._program.endpoint, Requests(SPANS, name=name), first=number << 32, pause=0.02)

    def _pause(self, least: float, most: float) -> None:
        time.sleep(self._choice.uniform(least, most) * self._calm)

    def _restart(self, how: signal.Signals) -> None:
        self._program.signal(how)
        self._program.wait()
        self._program.start()

    def _freeze(self) -> None:
        self._program.signal(signal.SIGSTOP)
        self._pause(0.2, 1)
        self._program.signal(signal.SIGCONT)

    def _peer_away(self) -> None:
        self._peer.away.set()
        self._pause(1, 3)
        self._peer.away.clear()

    def _peer_refuses(self) -> None:
        self._peer.refuses.set()
        self._pause(0.5, 1)
        self._peer.refuses.clear()

    def _disk_full(self) -> None:
        filler = fill(self._disk)
        self._pause(0.5, 1.5)
        filler.unlink()

    def _burst(self) -> None:
        more = Load(self._program.endpoint, Requests(BURST_SPANS, text=1000), first=(5 + len(self.bursts)) << 32)
        self.bursts.append(more)
        more.start()
        self._pause(1, 1)
        more.stop()


def balance(folder: Path, faults: int, seed: int, *, calm: float = 1.0, store: StoreKind = "auto") -> Outcome:
    """Have so many faults happen, with about `calm` seconds between them."""
    port, storage = free_port(), folder / "disk" / "storage"
    settings = {
        "service__store": store,
        "extensions__file_storage__directory": str(storage),
        "extensions__memory_limiter__limit_mib": "250",
        "service__extensions": "[file_storage, memory_limiter]",
        "processors__tail_sampling__policies": f"[{{name: kept, type: span_name, span_name: {{names: [{KEPT}]}}}}]",
        "service__telemetry__metrics__level": "normal",
        "service__telemetry__metrics__readers": (
            f"[{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {port}}}}}}}}}]"
        ),
    }
    with (
        small_disk(folder / "disk", 64) as disk,
        sink() as peer,
        counting_proxy(peer.endpoint) as proxy,
        Program(folder, proxy.endpoint, storage=True, **settings) as program,
    ):
        program.start()
        program.wait_until_up()
        watch = Watch(f"127.0.0.1:{port}")
        trouble = Trouble(program, peer, proxy, disk, random.Random(seed), calm)
        trouble.go_through(faults)
        with suppress(TimeoutError):
            wait_until(lambda: not trouble.missing(), "all acknowledged spans", 120, interval=0.5)
        with suppress(TimeoutError):
            wait_until(lambda: not list(storage.glob("*-*.binpb")), "the storage to be empty", 60, interval=0.2)
        watch.end()
        return _outcome(trouble, watch, peer, storage)


def _outcome(trouble: Trouble, watch: Watch, peer: Sink, storage: Path) -> Outcome:
    last = watch.now()
    assert last is not None
    loads = [*trouble.loads, *trouble.bursts]
    return Outcome(
        dict(trouble.happened),
        watch.looks,
        watch.unbalanced,
        sum(len(load.acknowledged) * load.spans for load in loads),
        trouble.missing(),
        sum(peer.arrived(number) for number in trouble.dropped.acknowledged),
        sum(peer.twice(load.acknowledged, SPANS) for load in (*trouble.kept, trouble.broken)),
        peer.refused,
        sum(len(load.given_up) for load in loads),
        watch.lost,
        last.spans("processor_waiting_spans") + last.spans("exporter_queued_spans"),
        sum(file.stat().st_size for file in storage.glob("*-*.binpb")),
        dict(sum((load.refused for load in loads), Counter[str]())),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", choices=get_args(StoreKind), default="auto")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(balance(Path(folder), given.faults, given.seed, store=given.store))  # noqa: T201 - a program that prints


if __name__ == "__main__":
    main()
