"""The stack's own Collector in front and Jaeger behind, and faults of all three: what the Collector acknowledged is in Jaeger.

The Collector has the stack's configuration, with its queue on disk; Jaeger keeps traces on disk with Badger. The processor tells
the Collector to make a new connection every few seconds, so that each fault meets some that are just being left (GOAWAY).

uv run python -m tests.faults.real_parts [--faults 40] [--only kill] [--seconds 2] [--seed 0]
"""

import argparse
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ruamel.yaml import YAML

from tests.faults.kills import size
from tests.faults.load import Load, Requests
from tests.faults.program import Program
from tests.peers.collector import collector
from tests.peers.jaeger import CONFIGURATION, Jaeger, jaeger
from tests.peers.process import Part, free_port
from tests.peers.waiting import wait_until

SPANS = 50
"""In a request, which is one trace."""
_STACKS_COLLECTOR = Path(__file__).parents[2] / "collector" / "config.yaml"
_MEMORY = "memory: {{max_traces: 100000}}"
_BADGER = "badger: {{ephemeral: false, directories: {{keys: FOLDER/keys, values: FOLDER/values}}}}"


@dataclass
class Outcome:
    """What came of it; spans, but for the first four and the last two."""

    faults: dict[str, int]
    answers: dict[str, int]
    """Of the Collector, where they were errors; by code."""
    connections_left: int
    """By the Collector: where nothing was killed, because it was told to (GOAWAY)."""
    tried_again: int
    """Requests that the Collector had to send once more."""
    acknowledged: int
    """By the Collector."""
    missing: int
    """Of these, in Jaeger."""
    given_up: int
    """Requests of which the Collector says in its log that it gives them up."""
    left_on_disk: int
    """Of the processor's storage; bytes."""


class Parts:
    """The three, each of which can end and be started again where it was."""

    def __init__(self, folder: Path, *, connection_age: float) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._otlp, self._jaeger_otlp = free_port(), free_port()
        self.endpoint = f"127.0.0.1:{self._otlp}"
        """Where the Collector takes spans."""
        age = "receivers__otlp__protocols__grpc__keepalive__server_parameters__max_connection_age"
        settings = {age: f"{connection_age}s", f"{age}_grace": "60s"}
        self.program = Program(folder, f"127.0.0.1:{self._jaeger_otlp}", storage=True, **settings)
        self._of_jaeger, self._of_collector = ExitStack(), ExitStack()
        self.jaeger: Jaeger
        self.collector: Part
        self._logs: list[Path] = []

    def __enter__(self) -> Self:
        self._stack.enter_context(self.program)
        self._stack.callback(self._of_jaeger.close)
        self._stack.callback(self._of_collector.close)
        try:
            self.start_jaeger()
            self.program.start()
            self.program.wait_until_up()
            self.start_collector()
        except BaseException:
            self._stack.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *error: Any) -> None:  # noqa: PYI036
        if error[0] is not None and self._logs:
            print("the Collector's log ends with\n", self.collector_said()[-3000:])  # noqa: T201
        self._stack.__exit__(*error)

    def start_jaeger(self) -> None:
        configuration = CONFIGURATION.replace("{otlp}", str(self._jaeger_otlp))
        configuration = configuration.replace(_MEMORY, _BADGER.replace("FOLDER", str(self._folder / "badger")))
        self.jaeger = self._of_jaeger.enter_context(jaeger(self._folder, configuration))

    def stop_jaeger(self) -> None:
        self._of_jaeger.close()

    def start_collector(self) -> None:
        environment = {"GRPC_GO_LOG_VERBOSITY_LEVEL": "99"}
        self.collector = self._of_collector.enter_context(
            collector(_collector_settings(self._folder, self._otlp, self.program.endpoint), self._folder, environment)
        )
        self._logs.append(self.collector.log)

    def stop_collector(self) -> None:
        self._of_collector.close()

    def collector_said(self) -> str:
        return "".join(log.read_text(encoding="utf-8", errors="replace") for log in self._logs)


def _collector_settings(folder: Path, otlp: int, processor: str) -> str:
    """The stack's configuration, with addresses and folders of this machine."""
    queue, logs = folder / "queue", folder / "logs"
    queue.mkdir(exist_ok=True)
    logs.mkdir(exist_ok=True)
    stacks = _STACKS_COLLECTOR.read_text(encoding="utf-8").replace("/var/lib/otelcol", str(queue))
    stacks = re.sub(r"/var/log/\w+", str(logs), stacks)
    settings = YAML(typ="safe").load(re.sub(r"0\.0\.0\.0:\d+", lambda _: f"127.0.0.1:{free_port()}", stacks))
    settings["service"]["extensions"].remove("health_check")  # `collector` adds one of its own
    settings["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"] = f"127.0.0.1:{otlp}"
    settings["exporters"]["otlp_grpc"]["endpoint"] = processor
    settings["service"]["telemetry"]["logs"] = {"level": "debug", "sampling": {"enabled": False}}
    text = folder / "stack.yaml"
    with text.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(settings, file)
    return text.read_text(encoding="utf-8")


class Trouble:
    """The faults; each leaves all three running."""

    def __init__(self, parts: Parts, choice: random.Random, calm: float) -> None:
        self._parts, self._choice, self._calm = parts, choice, calm
        self.kinds: dict[str, Callable[[], None]] = {
            "kill": self._kill,
            "stop": self._stop,
            "jaeger frozen": self._jaeger_frozen,
            "jaeger restarted": self._jaeger_restarted,
            "collector restarted": self._collector_restarted,
            "collector killed": self._collector_killed,
        }

    def happen(self, kind: str) -> None:
        """Have a fault, at a random moment, and return when all of it is over."""
        time.sleep(self._choice.uniform(0.2, 2 * self._calm))
        self.kinds[kind]()
        self._parts.program.wait_until_up()

    def _kill(self) -> None:
        self._parts.program.kill()
        self._parts.program.start()

    def _stop(self) -> None:
        self._parts.program.signal(signal.SIGTERM)
        self._parts.program.wait()
        self._parts.program.start()

    def _jaeger_frozen(self) -> None:
        process = self._parts.jaeger.part.process
        process.send_signal(signal.SIGSTOP)
        time.sleep(self._choice.uniform(1, 8))
        process.send_signal(signal.SIGCONT)

    def _jaeger_restarted(self) -> None:
        self._parts.stop_jaeger()
        time.sleep(self._choice.uniform(0, 2))
        self._parts.start_jaeger()

    def _collector_restarted(self) -> None:
        self._parts.stop_collector()
        self._parts.start_collector()

    def _collector_killed(self) -> None:
        self._parts.collector.process.kill()
        self._parts.stop_collector()
        self._parts.start_collector()


def real_parts(
    folder: Path, kinds: list[str], *, seconds: float = 1.0, connection_age: float = 3.0, seed: int = 0
) -> Outcome:
    """Have these faults, each after `seconds` on average, or none where there is none of them to be had."""
    choice = random.Random(seed)
    with Parts(folder, connection_age=connection_age) as parts:
        load = Load(parts.endpoint, Requests(SPANS, trace=SPANS), pause=0.01)
        load.start()
        trouble = Trouble(parts, choice, seconds)
        for kind in kinds:
            trouble.happen(kind)
        time.sleep(2 * connection_age)  # a last change of connections in peace
        load.stop()
        owed, left = set(load.acknowledged), set(load.acknowledged)
        with suppress(TimeoutError):
            wait_until(lambda: _in_jaeger(parts, max(owed)) and not size(parts.program.storage), "what is kept", 120)
        with suppress(TimeoutError):
            wait_until(lambda: not _missing(parts, left), "all acknowledged spans", 120, interval=2.0)
        said = parts.collector_said()
        return Outcome(
            dict(Counter(kinds)),
            dict(load.refused),
            said.count("Subchannel Connectivity change to IDLE"),
            said.count("Will retry the request"),
            len(owed) * SPANS,
            _missing(parts, left),
            said.count("Dropping data") + said.count("Rejecting data"),
            size(parts.program.storage),
        )


def _in_jaeger(parts: Parts, number: int) -> int:
    """How many spans of this request are there; each once, however often it came."""
    trace_id = number.to_bytes(8, "big") + bytes(8)
    return len({span["spanId"] for span in parts.jaeger.query.trace(trace_id.hex())})


def _missing(parts: Parts, left: set[int]) -> int:
    """How many spans of these requests are not there; those of which all are there are left out from now on."""
    numbers = list(left)
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda number: _in_jaeger(parts, number), numbers))
    left.difference_update(number for number, spans in zip(numbers, found, strict=True) if spans == SPANS)
    return sum(SPANS - spans for spans in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=40)
    parser.add_argument("--only", action="append", help="kinds of faults; else all in turn")
    parser.add_argument("--seconds", type=float, default=2.0, help="between two faults, on average")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    kinds = given.only or list(KINDS)
    with tempfile.TemporaryDirectory() as folder:
        faults = [kinds[number % len(kinds)] for number in range(given.faults)]
        print(real_parts(Path(folder), faults, seconds=given.seconds, seed=given.seed))  # noqa: T201 - a program that prints


KINDS = ("kill", "stop", "jaeger frozen", "jaeger restarted", "collector restarted", "collector killed")
"""Of faults."""

if __name__ == "__main__":
    main()
