"""What every policy has: settings with a name and a type, and an evaluator made from them."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Protocol

from pydantic import Field

from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from milvus_otel_processor.sampling.decision import Decision
    from milvus_otel_processor.trace import Trace


class Evaluator(Protocol):
    """Decides over one trace at a time."""

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED or NOT_SAMPLED (a `drop` policy: DROPPED or NOT_SAMPLED).

        The answer depends on the whole trace, never on the order of its spans. Raises DecodeError at a malformed span.
        """


class PolicySettings(Settings):
    """The head of each entry under `policies`."""

    name: str = Field(
        min_length=1, description="Name of the policy: in metrics, and on kept spans as `tailsampling.policy`."
    )

    @abstractmethod
    def evaluator(self) -> Evaluator:
        """Return the evaluator that these settings describe."""
