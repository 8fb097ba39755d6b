"""The lines and calls of one method on one connection that wait for each other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.enrichment.pairing.alignment import MOST, probabilities
from milvus_otel_processor.enrichment.pairing.likelihood import (
    LONGEST_SURPLUS,
    LONGEST_WITHIN,
    MILLISECOND,
    fit,
    swap,
)
from milvus_otel_processor.enrichment.pairing.ordered import Ordered
from milvus_otel_processor.spans.calls import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from milvus_otel_processor.enrichment.access_log.line import Line

_LOST = 0.02  # of lines, and of calls, at the least: how many are taken to have been lost
_COSTS = 3 * MILLISECOND  # within which the costs of calls of one method lie, roughly
_HALF_SECOND = 500 * MILLISECOND
_UNLIKELY = 1e-3  # pairs are left out that are so much less likely than that both are without the other
_NEGLIGIBLE = 1e-4  # probabilities


class Candidate(NamedTuple):
    """A line that may be that of a call, and the probability that it is."""

    line: Line
    probability: float


@dataclass(slots=True)
class Common:
    """What holds for all connections.

    `share` tells how much of a line there is to give away: 0 for one that is another's for sure. `is_settled` tells whether a
    call is known to have a line elsewhere.
    """

    share: Callable[[Line], float]
    is_settled: Callable[[Call], bool]
    lost: float = 0.0
    """What share of lines is lost."""
    within: bool = False
    """Whether spans lie within their line's interval."""


class Connection:
    """Lines in the order of their time, and within a millisecond in that of the log; calls in the order of their end.

    `share` is asked instead of that of `common`. `all_calls` says whether the calls that come here are all that the lines may be
    of: only then do their numbers tell how many of them are lost.
    """

    __slots__ = ("_all_calls", "_common", "_given", "_share", "_solved", "_solved_until", "calls", "failed", "lines")

    def __init__(self, common: Common, *, share: Callable[[Line], float] | None = None, all_calls: bool = True) -> None:
        self.lines: Ordered[Line] = Ordered()
        self.failed: Ordered[Line] = Ordered()
        """Those of `lines` whose requests failed."""
        self.calls: Ordered[Call] = Ordered()
        self._common = common
        self._share = share or common.share
        self._all_calls = all_calls
        # What was found, until something comes that might have changed it.
        self._solved: dict[bytes, Sequence[Candidate]] = {}
        self._given: dict[int, float] = {}
        self._solved_until = 0

    def __bool__(self) -> bool:
        return bool(self.lines or self.calls)

    def add_line(self, line: Line) -> None:
        """Take a line in."""
        end = line.end
        if end - line.cost < self._solved_until:
            self._forget_answers()
        self.lines.add(end, line)
        if line.facts.error_type is not None:
            self.failed.add(end, line)

    def add_call(self, call: Call) -> None:
        """Take a call in."""
        if call.start < self._solved_until:
            self._forget_answers()
        self.calls.add(call.end, call)

    def remove_line(self, line: Line) -> None:
        """Forget a line that was taken in."""
        self.lines.remove(line.end, line)
        if line.facts.error_type is not None:
            self.failed.remove(line.end, line)
        self._given.pop(id(line), None)

    def remove_call(self, call: Call) -> None:
        """Forget a call that was taken in."""
        self.calls.remove(call.end, call)
        self._solved.pop(call.span_id, None)

    def candidates(self, call: Call) -> Sequence[Candidate]:
        """Return the lines that may be the call's; what their probabilities lack to 1 is that it is none of them."""
        found = self._solved.get(call.span_id)
        if found is not None:
            return found
        chance = self._chance(call.end)
        lines = self._lines_of(call, chance)
        if not lines:
            return ()
        if len(lines) == 1:
            ((line, ratio),) = lines
            if len(self._calls_of(line, chance)) == 1:  # nearly always
                return (Candidate(line, ratio / (1 + ratio)),)
        return self._solve(call, chance)[0]

    def share_left(self, line: Line) -> float:
        """Return the probability that a line is that of none of the calls."""
        given = self._given.get(id(line))
        if given is None:
            chance = self._chance(line.end)
            if not self._calls_of(line, chance):
                return self._share(line)
            given = self._solve(line, chance)[1]
        return max(0.0, self._share(line) - given)

    def may_have_failed(self, call: Call) -> bool:
        """Tell whether the line of a failed request is not impossible for this call."""
        if not self.failed:
            return False
        within, share = self._common.within, self._common.share
        return any(
            fit(call.start, call.end, line.end, line.cost, within=within) > 0 and share(line) > 0
            for line in self._near(self.failed, call)
        )

    def _near(self, lines: Ordered[Line], call: Call) -> list[Line]:
        return lines.between(call.start - MILLISECOND, call.end + (LONGEST_WITHIN if self._common.within else 0))

    def _chance(self, at: int) -> float:
        """Return how likely a call meets a line of another at this time, that is, both have lost their own."""
        lines, calls = len(self.lines), len(self.calls)
        lost_lines = max(_LOST, self._common.lost, 1 - lines / calls if calls else 0.0)
        lost_calls = max(_LOST, 1 - (1 - lost_lines) * calls / lines) if lines and self._all_calls else _LOST
        per_second = self.lines.count(at - _HALF_SECOND, at + _HALF_SECOND)
        per_millisecond = max(per_second, 1) / 1000
        return lost_lines * lost_calls * per_millisecond / _COSTS

    def _lines_of(self, call: Call, chance: float) -> list[tuple[Line, float]]:
        start, end, least, within = call.start, call.end, chance * _UNLIKELY, self._common.within
        found = []
        for line in self._near(self.lines, call):
            fits = fit(start, end, line.end, line.cost, within=within)
            if fits > least:
                share = self._share(line)
                if share:
                    found.append((line, fits * share / chance))
        return found

    def _calls_of(self, line: Line, chance: float) -> list[Call]:
        end, cost, least, within = line.end, line.cost, chance * _UNLIKELY, self._common.within
        slack = LONGEST_WITHIN if within else 0
        latest_start = end + MILLISECOND - cost + slack
        is_settled = self._common.is_settled
        return [
            call
            for call in self.calls.between(end - slack, end + MILLISECOND + (0 if within else LONGEST_SURPLUS))
            if call.start <= latest_start
            and fit(call.start, call.end, end, cost, within=within) > least
            and not is_settled(call)
        ]

    def _solve(self, asked: Line | Call, chance: float) -> tuple[Sequence[Candidate], float]:
        """Align all that hangs together with this line, or call; return the call's candidates, and what of the line is given."""
        ratios, lines, calls = self._gather(asked, chance)
        table = probabilities(
            [[ratios.get((id(line), call.span_id), 0.0) for call in calls] for line in lines],
            [swap(call.end, after.end) for call, after in pairwise(calls)],
            [line.end == after.end and line.request != after.request for line, after in pairwise(lines)],
        )
        answers = {
            call.span_id: tuple(
                Candidate(line, row[place]) for line, row in zip(lines, table, strict=True) if row[place] > _NEGLIGIBLE
            )
            for place, call in enumerate(calls)
        }
        given = {id(line): sum(row) for line, row in zip(lines, table, strict=True)}
        if max(len(lines), len(calls)) < MOST:  # else what is at its edges would look different from there
            self._solved |= answers
            self._given |= given
            self._solved_until = max(self._solved_until, calls[-1].end)
        return answers.get(asked.span_id, ()) if isinstance(asked, Call) else (), given.get(id(asked), 0.0)

    def _gather(
        self, asked: Line | Call, chance: float
    ) -> tuple[dict[tuple[int, bytes], float], list[Line], list[Call]]:
        """Return the ratios of all pairs that hang together with this one, their lines and their calls, both in order."""
        ratios: dict[tuple[int, bytes], float] = {}
        lines: dict[int, Line] = {}
        calls: dict[bytes, Call] = {}
        if isinstance(asked, Call):
            calls[asked.span_id] = asked
        else:
            lines[id(asked)] = asked
        new_lines, new_calls = list(lines.values()), list(calls.values())
        while new_lines or new_calls:
            for call in new_calls:
                for line, ratio in self._lines_of(call, chance):
                    ratios[id(line), call.span_id] = ratio
                    if id(line) not in lines and len(lines) < MOST:
                        lines[id(line)] = line
                        new_lines.append(line)
            new_calls = []
            for line in new_lines:
                for call in self._calls_of(line, chance):
                    if call.span_id not in calls and len(calls) < MOST:
                        calls[call.span_id] = call
                        new_calls.append(call)
            new_lines = []
        by_end = sorted(calls.values(), key=lambda call: call.end)
        return ratios, _in_order(lines.values(), by_end, ratios), by_end

    def _forget_answers(self) -> None:
        self._solved.clear()
        self._given.clear()
        self._solved_until = 0


def _in_order(lines: Iterable[Line], calls: Sequence[Call], ratios: dict[tuple[int, bytes], float]) -> list[Line]:
    """Return the lines in the order in which they were written, as far as that is known.

    Those of one millisecond that came in several requests are put in the order of the calls that fit them best.
    """
    found: list[Line] = []
    for _, group in groupby(sorted(lines, key=lambda line: (line.end, line.number)), lambda line: line.end):
        same = list(group)
        if len({line.request for line in same}) > 1:
            best = {
                id(line): max(calls, key=lambda call, line=line: ratios.get((id(line), call.span_id), 0.0)).end  # type: ignore[misc]
                for line in same
            }
            same.sort(key=lambda line, best=best: best[id(line)])  # type: ignore[misc]
        found += same
    return found
