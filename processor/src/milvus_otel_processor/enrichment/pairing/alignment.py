"""The most that can be said about which line is of which call, where both stand in their order and some of both are missing.

Lines of one connection are written in the order in which its calls end, but for neighbours of the same moment. So this is the
alignment of two sequences with gaps. Summed over all alignments, forward and backward as for a hidden Markov model, it gives
for each pair the probability that they belong together: what has to be known by who would rather not answer than answer wrongly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Table = list[list[float]]

MOST = 48
"""Lines, and calls, that can be aligned at once: the sums have to be below the greatest float."""
_MOST_LIKELY = 1e6


def probabilities(ratios: Sequence[Sequence[float]], swaps: Sequence[float], unordered: Sequence[bool] = ()) -> Table:
    """Return for each line, and each call, the probability that they are of one request.

    `ratios[i][j]` is how much more likely line `i` and call `j` are of one request than each without the other; 0 where they cannot
    be. `swaps[j]` is how likely the lines of call `j` and the next one were written the other way round, beside the right one;
    `unordered[i]` says that nothing is known of the order of line `i` and the next one.
    """
    fits = [[min(ratio, _MOST_LIKELY) for ratio in row] for row in ratios]
    lines, calls = len(fits), len(fits[0])
    unordered = unordered or [False] * lines
    ahead = _sums(fits, swaps, unordered)
    behind = _sums([row[::-1] for row in reversed(fits)], swaps[::-1], unordered[: lines - 1][::-1])
    total = ahead[lines][calls]
    table = [
        [fit and fit * ahead[i][j] * behind[lines - i - 1][calls - j - 1] for j, fit in enumerate(row)]
        for i, row in enumerate(fits)
    ]
    for i in range(lines - 1):
        for j in range(calls - 1):
            crossed = fits[i][j + 1] * fits[i + 1][j]
            if crossed:
                weight = (
                    (1.0 if unordered[i] else swaps[j]) * crossed * ahead[i][j] * behind[lines - i - 2][calls - j - 2]
                )
                table[i][j + 1] += weight
                table[i + 1][j] += weight
    return [[weight / total for weight in row] for row in table]


def _sums(fits: Sequence[Sequence[float]], swaps: Sequence[float], unordered: Sequence[bool]) -> Table:
    """Return the sum over all alignments of the first `i` lines and the first `j` calls, at `[i][j]`."""
    calls = len(fits[0])
    table = [[1.0] * (calls + 1)]
    for i, row in enumerate(fits):
        above = table[i]
        sums = [1.0]
        left = 1.0
        for j, fit in enumerate(row):
            # All in which the line stays alone, or the call, less those in which both do, and those in which they are a pair.
            left += above[j + 1] + (fit - 1.0) * above[j]
            if i and j:
                crossed = row[j - 1] * fits[i - 1][j]
                if crossed:
                    left += (1.0 if unordered[i - 1] else swaps[j - 1]) * crossed * table[i - 1][j - 1]
            sums.append(left)
        table.append(sums)
    return table
