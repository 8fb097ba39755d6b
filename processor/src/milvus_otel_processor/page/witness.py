"""What watches the pipeline for the page: a little at each request and decision, and a few numbers every five seconds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from milvus_otel_processor.page.decided import DecidedTraces, Remembered
from milvus_otel_processor.page.recent import RecentRequests
from milvus_otel_processor.page.series import Series
from milvus_otel_processor.requests.windows import Windows

_PER_SECOND = 50.0
"""About how many traces are remembered of those that are kept, and of those that no policy wants."""
_ONE_DROPPED_IN, _DROPPED_PER_SECOND = 16, 20.0
"""Of traces that a `drop` policy dropped, which are most of all and alike."""

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
        """All requests of the last hour, where they are counted."""

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

    def shares(self) -> tuple[float, float]:
        """Choose anew which share of the traces is remembered, by how many came in the last seconds.

        Return it for those that no rule wants, and for those that their root's name settles: the store chooses them. In steps by
        two, from one down: where little comes in, it is all of them, but for dropped ones.
        """
        sampled, not_sampled, dropped = self.series.traces_per_second()
        one_in = Remembered(
            _one_in(sampled / _PER_SECOND),
            _one_in(not_sampled / _PER_SECOND),
            _ONE_DROPPED_IN * _one_in(dropped / _ONE_DROPPED_IN / _DROPPED_PER_SECOND),
        )
        self.decided.one_in = one_in
        return 1 / one_in.not_sampled, 1 / one_in.dropped

    def memory(self) -> int:
        """Return about how many bytes all of it takes."""
        return self.decided.memory() + self.recent.memory() + self.requests.memory()

    def give_way(self) -> None:
        """Forget the older half of it, for the memory; not while traces are decided."""
        self.decided.give_way()
        self.recent.give_way()
        self.requests.give_way()


def _one_in(times_too_many: float) -> int:
    return 1 << max(0, math.ceil(math.log2(max(1.0, times_too_many))))
