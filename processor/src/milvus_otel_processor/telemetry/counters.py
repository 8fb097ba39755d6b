"""What became of every span: counters with reasons, so that none is lost unseen."""

from __future__ import annotations

from dataclasses import fields, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.telemetry.instruments import Amount, Histogram, Snapshot
from milvus_otel_processor.telemetry.reasons import Lost, Refused

if TYPE_CHECKING:
    from collections.abc import Callable


class Telemetry(Snapshot):
    """The counts as they change.

    What the pipeline counts is changed directly, under the pipeline's own lock; what the receiver's and the exporter's threads
    count goes through methods that lock.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self._watched: dict[str, Callable[[], Any]] = {}

    def tally(self, decision: str, policy: str = "") -> Amount:
        """Return the counts of this decision by this policy, to be added to; the policy is empty where none decided."""
        return self.decisions.setdefault((decision, policy), Amount())

    def refused_request(self, reason: Refused) -> None:
        """Count a request that was refused whole; may be called from any thread."""
        with self._lock:
            self.refused_requests[reason.value] += 1

    def shadow_tally(self, policy: str, would: str, decision: str) -> Amount:
        """Return the counts of what this policy with `mode: shadow` would have decided, where this was decided."""
        return self.shadow_decisions.setdefault((policy, would, decision), Amount())

    def queued(self, spans: int) -> None:
        """Count spans that were given to the exporter."""
        with self._lock:
            self.queued_spans += spans

    def recovered_kept(self, spans: int) -> None:
        """Count kept spans that an earlier process left, beside `queued`."""
        with self._lock:
            self.recovered_kept_spans += spans

    def exported(self, spans: int) -> None:
        """Count spans that the exporter's peer has taken."""
        with self._lock:
            self.queued_spans -= spans
            self.exported_spans += spans

    def lost(self, reason: Lost, spans: int, *, queued: bool = True) -> None:
        """Count spans that are lost; `queued` tells whether the exporter had them."""
        with self._lock:
            self.lost_spans[reason.value] += spans
            if queued:
                self.queued_spans -= spans

    def handshake_failed(self, reason: str) -> None:
        """Count a TLS handshake that failed, by what BoringSSL calls the reason."""
        with self._lock:
            self.failed_handshakes[reason] += 1

    def sent_in(self, seconds: float) -> None:
        """Count how long a request took, whatever came of it."""
        with self._lock:
            self.send_duration.observe(seconds)

    def retried(self) -> None:
        """Count a request that is sent again."""
        with self._lock:
            self.retries += 1

    def metrics_not_sent(self) -> None:
        """Count a push of the metrics that failed."""
        with self._lock:
            self.failed_metric_exports += 1

    def watch(self, **values: Callable[[], Any]) -> None:
        """Have snapshots ask these for the fields of their names."""
        self._watched.update(values)

    def snapshot(self) -> Snapshot:
        """Return the counts as they are now."""
        for name, value in self._watched.items():
            setattr(self, name, value())
        with self._lock:
            return Snapshot(**{one.name: _copied(getattr(self, one.name)) for one in fields(Snapshot)})


def _copied(counted: Any) -> Any:
    if isinstance(counted, Histogram):
        return counted.copy()
    if not isinstance(counted, dict):
        return counted
    items = list(counted.items())
    amounts = {key: replace(count) if isinstance(count, Amount) else count for key, count in items if count != Amount()}
    return type(counted)(amounts)


__all__ = ["Amount", "Histogram", "Lost", "Refused", "Snapshot", "Telemetry"]
