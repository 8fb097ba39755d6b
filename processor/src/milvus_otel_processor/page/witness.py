"""What watches the pipeline for the page: a little at each request and decision, and a few numbers every five seconds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from milvus_otel_processor.page.decided import DecidedTraces
from milvus_otel_processor.page.recent import RecentRequests
from milvus_otel_processor.page.series import Series
from milvus_otel_processor.requests.windows import Windows

_LOOKED_AT_PER_SECOND = 200.0
"""Traces that no rule wants, and which are decided in Python all the same, to be remembered: each takes about 25 µs."""

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.page.settings import PageSettings
    from milvus_otel_processor.sampling.settings import TailSamplingSettings
    from milvus_otel_processor.telemetry.counters import Telemetry


class Witness:
    """Remembers, within bounds, what came in and what was decided."""

    def __init__(self, settings: PageSettings, rules: TailSamplingSettings | None, telemetry: Telemetry) -> None:
        self.decided = DecidedTraces(settings.decided_traces_mib << 20)
        self.decided.replace_rules(rules)
        self.recent = RecentRequests(settings.recent_requests_mib << 20)
        self.series = Series(telemetry)
        self.requests = Windows()
        """All requests of the last hour."""
        self.counts_requests = False
        """Whether `requests` is told of them."""

    def traces(self, ingest: Callable[[bytes], int]) -> Callable[[bytes], int]:
        """Return what takes in requests with spans as `ingest` does, and remembers those that it took."""
        add = self.recent.add

        def take(request: bytes) -> int:
            refused = ingest(request)
            add(request, is_access_log=False)
            return refused

        return take

    def logs(self, ingest: Callable[[bytes], object]) -> Callable[[bytes], object]:
        """Likewise for lines of the access log."""
        add = self.recent.add

        def take(request: bytes) -> object:
            answer = ingest(request)
            add(request, is_access_log=True)
            return answer

        return take

    def tick(self) -> bool:
        """Note that time goes by; tell whether a point of the series was taken. Called often, without the pipeline's lock."""
        self.requests.tick()
        return self.series.sample()

    def share(self) -> float:
        """Return the share of the traces that has to be looked at so that about 200 a second are that no rule wants.

        In steps by two, from 1 down: where little comes in, it is all of them.
        """
        per_second = self.series.not_sampled_per_second()
        return 0.5 ** math.ceil(math.log2(max(1.0, per_second / _LOOKED_AT_PER_SECOND)))

    def memory(self) -> int:
        """Return about how many bytes all of it takes."""
        return self.decided.memory() + self.recent.memory() + self.requests.memory()

    def give_way(self) -> None:
        """Forget the older half of it, for the memory; not while traces are decided."""
        self.decided.give_way()
        self.recent.give_way()
        self.requests.give_way()
