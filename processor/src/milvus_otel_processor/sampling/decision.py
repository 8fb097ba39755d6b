"""The outcomes that a policy and a whole set of policies can have."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Decision(Enum):
    """What is to become of a trace. The words are the Collector's (`samplingpolicy.Decision`)."""

    SAMPLED = "sampled"
    NOT_SAMPLED = "not_sampled"
    DROPPED = "dropped"


class Verdict(NamedTuple):
    """The decision over a trace, and the name of the policy that it was made by: None where none was for keeping it."""

    decision: Decision
    policy: str | None

    @property
    def key(self) -> tuple[str, str]:
        """The verdict as telemetry counts it: the decision's value, and the policy's name or an empty text."""
        return self.decision.value, self.policy or ""


NOT_SAMPLED = Verdict(Decision.NOT_SAMPLED, None)
"""No policy sampled the trace."""


def answers(*, invert_match: bool) -> tuple[Decision, Decision]:
    """Return what a policy answers where it finds what it looks for, and where it does not."""
    found, not_found = Decision.SAMPLED, Decision.NOT_SAMPLED
    return (not_found, found) if invert_match else (found, not_found)
