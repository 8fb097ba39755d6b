"""What the pipeline works with: stages in between, and an exporter at its end. `spans/contract.py` has the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from milvus_otel_processor.sampling.decision import Verdict
    from milvus_otel_processor.spans.attributes import Encoded
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.wanted import Wanted


class Stage(Protocol):
    """A step that traces pass: it may add attributes to their spans, and stops none.

    Made from its settings, a pydantic model of its own. Calls but for `start` and `stop` are serialized, and everything waits for
    them: no I/O, no sleeping. An exception costs nothing but what this stage would have added; it is counted by the stage's name,
    and so is the time that it takes. DecodeError is for the caller: it comes back with the spans that are well formed.
    """

    @property
    def name(self) -> str:
        """Its id in YAML, and in metrics."""

    @property
    def sees_all(self) -> bool:
        """Whether it has to see every trace before the rules are asked; the stages in front of it then do so too."""

    def wants(self, *, rules_read: bool) -> Wanted | None:
        """Return what a trace has to have for this stage to want to see it, though it may not be kept; None where it wants all.

        `rules_read` is whether rules read what it adds. Where none does, those are enough of which it says `has_to_see`.
        """

    def unwanted(self, calls: int) -> None:
        """Count calls in traces that it did not want to see, where rules may read what it adds."""

    def start(self) -> None:
        """Begin what it does in threads of its own."""

    def stop(self, timeout: float) -> None:
        """End that, within about `timeout` seconds."""

    def on_request(self, request: bytes) -> None:
        """Look at a serialized ExportTraceServiceRequest on its way in; it is valid protobuf."""

    def has_to_see(self, trace: Trace) -> bool:
        """Tell whether it has to see this trace before the rules are asked, though none of them reads attributes; False is sure."""

    def on_trace(self, trace: Trace) -> Encoded | None:
        """See a whole trace at its decision, and add to it; return what each span that comes later is to be given."""

    def on_late_span(self, trace: Trace) -> None:
        """See a span that came after the decision over its trace, as a trace of one."""


class Exporter(Protocol):
    """Where kept spans go."""

    def put(self, trace: Trace) -> None:
        """Take the spans of a trace over, all well formed; never waits. Nobody changes the trace after that."""


class Witness(Protocol):
    """Sees what becomes of traces. It is called under the pipeline's lock, so it has to be quick."""

    def add(self, trace: Trace, verdict: Verdict, trigger: str) -> None:
        """See a trace that was decided; `trigger` is what made it due, see `pipeline.triggers`."""

    def remember(self, trace: Trace, verdict: Verdict, trigger: str) -> None:
        """See one of those that `Pipeline.show` chose: it was dropped without a decision of its own."""
