"""A budget that many keys share: how likely a trace of each is to be kept, so that all together fill it."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

K = TypeVar("K")

_FORGOTTEN_BELOW = 0.5  # traces per interval, by the average
_LEAST_MORE = (
    0.5  # traces beyond the first that are expected of a key at the least, so that none has a probability of 0
)
_LEAST_PART = 0.1  # of the budget that is left for the others, however many first ones there are
_OTHERS = object()  # the key of all for which there is no room


class KeyBudget:
    """Probabilities by key, from a moving average of how often each key came in the intervals before.

    The first trace of a key in an interval is always kept: whatever is seen at all is seen in what is kept. Of the rest of the
    budget a key's share grows with the logarithm of its frequency, and no key gets more than it needs, so that what rare ones
    leave is for the others. That is the idea of Refinery's EMA throughput sampler (docs.honeycomb.io, "Sampling Methods").

    A probability depends on what came before alone, never on the trace that it is for, so that counts can be adjusted by it.
    """

    def __init__(
        self, *, per_second: float, interval: float, weight: float, max_keys: int, clock: Callable[[], float]
    ) -> None:
        """Make a budget of so many traces per second.

        `interval` is how long, in seconds, probabilities hold; `weight`, above 0 and up to 1, is that of the newest interval in
        the average; beyond `max_keys` all new keys are one. `clock` tells seconds that never run backwards.
        """
        self._budget = per_second * interval
        self._interval = interval
        self._weight = weight
        self._max_keys = max_keys
        self._clock = clock
        self._ends = clock() + interval
        self._averages: dict[Hashable, float] = {}
        self._shares: dict[Hashable, float] = {}
        self._spare = self._budget
        self._counts: dict[Hashable, int] = {}
        self._new_keys = 0

    def probability(self, key: Hashable) -> float:
        """Count a trace of this key, and return with which probability, above 0 and up to 1, it is to be kept."""
        now = self._clock()
        if now >= self._ends:
            self._begin_interval(now)
        if key not in self._counts and len(self._counts) >= self._max_keys and key not in self._shares:
            key = _OTHERS
        before = self._counts.get(key, 0)
        self._counts[key] = before + 1
        share = self._shares.get(key)
        if not before:
            if share is None:
                self._new_keys += 1
                self._spare = max(0.0, self._spare - 1)
            return 1.0
        if share is None:
            return self._with_spare(0.0) or min(1.0, self._share_of_new_key() / (before + 1))
        # A key that comes more often than expected is thinned as it goes, and does not wait for the next interval.
        probability = min(1.0, share / max(_more(self._averages[key]), before))
        return self._with_spare(probability) or probability

    def _with_spare(self, probability: float) -> float:
        """Return 1 where what nobody was expected to need can make up for what is missing, else 0."""
        missing = 1 - probability
        if missing > self._spare:
            return 0.0
        self._spare -= missing
        return 1.0

    def _share_of_new_key(self) -> float:
        return self._budget / (len(self._shares) + self._new_keys)

    def _begin_interval(self, now: float) -> None:
        missed = int((now - self._ends) // self._interval)
        self._ends += (missed + 1) * self._interval
        # The interval that ended counts as the newest, those that were missed as empty ones after it.
        fade = (1 - self._weight) ** missed
        averages = {
            key: fade * (self._weight * self._counts.get(key, 0) + (1 - self._weight) * self._averages.get(key, 0.0))
            for key in self._averages.keys() | self._counts.keys()
        }
        remembered = sorted(averages.items(), key=lambda pair: pair[1], reverse=True)[: self._max_keys]
        self._averages = {key: average for key, average in remembered if average >= _FORGOTTEN_BELOW}
        first_ones = sum(min(1.0, average) for average in self._averages.values())
        rest = max(self._budget - first_ones, self._budget * _LEAST_PART)
        self._shares = share_out(rest, {key: _more(average) for key, average in self._averages.items()})
        self._spare = max(0.0, rest - sum(self._shares.values()))
        self._counts = {}
        self._new_keys = 0


def _more(average: float) -> float:
    """Return how many traces of a key are expected beyond the first."""
    return max(average - 1, _LEAST_MORE)


def share_out(budget: float, demands: Mapping[K, float]) -> dict[K, float]:
    """Return each key's share of the budget: in proportion to the logarithm of its demand, and never more than that.

    What small demands leave of their part goes to the greater ones, so that the shares fill the budget where the demands do.
    """
    left = budget
    weights = {key: log(1 + demand) for key, demand in demands.items()}
    weights_left = sum(weights.values())
    shares = {}
    for key in sorted(demands, key=demands.__getitem__):
        shares[key] = min(demands[key], left * weights[key] / weights_left)
        left -= shares[key]
        weights_left -= weights[key]
    return shares
