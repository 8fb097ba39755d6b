"""Far more load than a container's memory holds: the processor is never killed, and what it acknowledged is exported.

uv run python -m tests.faults.overload [--seconds 300] [--senders 8] [--mib 512] [--wait 10s] [--no-storage] [--text 200]
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import grpc

from tests.faults.cgroup import memory_group
from tests.faults.program import Program, Sender, wait_for_port
from tests.peers.otlp_sink import METHOD
from tests.peers.waiting import wait_until


class CountingSink:
    """Counts the spans that arrive, and keeps none of them."""

    def __init__(self) -> None:
        self.spans = 0
        self._lock = Lock()

    def export(self, request: bytes, _: grpc.ServicerContext) -> bytes:
        # Each span of the sender has one attribute with this key.
        spans = request.count(b"\n\x04text")
        with self._lock:
            self.spans += spans
        return b""


@contextmanager
def counting_sink() -> Iterator[tuple[str, CountingSink]]:
    sink = CountingSink()
    service, method = METHOD.strip("/").split("/")
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)])
    handlers = {method: grpc.unary_unary_rpc_method_handler(sink.export)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", sink
    server.stop(None).wait()


@dataclass
class Outcome:
    """What came of it."""

    kills: int
    peak_mib: int
    acknowledged: int
    exported: int
    refusals: dict[str, int]
    dropped_by_senders: int
    acknowledged_each_second: list[int]


def overload(folder: Path, *, mib: int, seconds: float, senders: int, wait: str, storage: bool, text: int) -> Outcome:
    with memory_group(mib) as group, counting_sink() as (peer, sink):
        program = Program(folder, peer, storage=storage, processors__tail_sampling__decision_wait=wait)
        program.start(before=group.enter)
        wait_for_port(program.endpoint)
        all_senders = [
            Sender(program.endpoint, spans=2000, text=text, first=1 + number * 10**9) for number in range(senders)
        ]
        each_second = watch(
            all_senders, seconds, lambda: program.process is not None and program.process.poll() is None
        )
        for sender in all_senders:
            sender.stop()
        acknowledged = sum(len(sender.acknowledged) for sender in all_senders)
        try:
            wait_until(lambda: sink.spans >= acknowledged, "all acknowledged spans", 90, interval=0.5)
        except TimeoutError as error:
            print(error, program.output()[-2000:])  # noqa: T201 - a program that prints
        outcome = Outcome(
            group.kills,
            group.peak_mib,
            acknowledged,
            sink.spans,
            _sum([sender.refusals for sender in all_senders]),
            sum(sender.dropped for sender in all_senders),
            each_second,
        )
        program.kill()
    return outcome


def watch(senders: list[Sender], seconds: float, alive: Callable[[], bool]) -> list[int]:
    each_second, before = [], 0
    for sender in senders:
        sender.start()
    until = time.monotonic() + seconds
    while time.monotonic() < until and alive():
        time.sleep(1.0)
        now = sum(len(sender.acknowledged) for sender in senders)
        each_second.append(now - before)
        before = now
    return each_second


def _sum(counts: list[dict[str, int]]) -> dict[str, int]:
    return {name: sum(one.get(name, 0) for one in counts) for name in {name for one in counts for name in one}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--senders", type=int, default=8)
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--wait", default="10s")
    parser.add_argument("--text", type=int, default=200)
    parser.add_argument("--no-storage", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = overload(
            Path(folder),
            mib=arguments.mib,
            seconds=arguments.seconds,
            senders=arguments.senders,
            wait=arguments.wait,
            storage=not arguments.no_storage,
            text=arguments.text,
        )
    print(outcome)  # noqa: T201 - a program that prints


if __name__ == "__main__":
    main()
