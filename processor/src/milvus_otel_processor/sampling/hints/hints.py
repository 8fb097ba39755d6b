"""What a policy says of itself beside its answers: each of these may be wrong on the careful side, and no answer changes by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from milvus_otel_processor.sampling.hints.reads import Reads

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.sampling.hints.needles import Needles
    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.spans.wanted import Wanted


class Hints(Protocol):
    """The hints of an evaluator; what is here is the careful side."""

    stateful: bool = False
    """Whether an answer depends on earlier ones, so that leaving out a question changes what comes after."""
    reads: Reads = Reads.TIMES
    """What the answer may depend on of what enrichment writes."""
    lasting: bool = False
    """Whether a trace that it samples now it would sample still with more spans, whatever they are: it can then do so early."""
    wanted: Wanted | None = None
    """What a trace has to have one of for the answer to be SAMPLED (or DROPPED), or for anything to be remembered of it; seen
    without looking closer. None where that is not known, or where `needles` or `root_matches` say it."""
    unless: Wanted | None = None
    """What a trace has to have one of for the answer not to be SAMPLED, or for there to be none; None where that is not known."""
    always_answers: bool = False
    """Whether there is an answer about every trace."""
    needles: Needles | None = None
    """What a trace has to hold for the same; None where that is not known."""
    root_matches: Callable[[bytes], bool] | None = None
    """Where the same needs a root span with a name for which this is true; None where it does not."""
    group_matches: Callable[[Group], bool] | None = None
    """Where this is true of the resource and scope of any span, the answer is SAMPLED, whatever else arrives; None where no
    resource settles it."""
