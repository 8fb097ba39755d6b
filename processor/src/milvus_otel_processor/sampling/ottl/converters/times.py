"""Converters of times, which are in UTC, and of durations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from milvus_otel_processor.sampling.ottl.coercion import duration, integer, string, time
from milvus_otel_processor.sampling.ottl.converters.base import Converter, Parameter, converter
from milvus_otel_processor.sampling.ottl.errors import OttlError
from milvus_otel_processor.sampling.ottl.values import Duration, Time, int64
from milvus_otel_processor.settings import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

_MICRO, _MILLI, _SECOND = 1_000, 1_000_000, 1_000_000_000
_MINUTE, _HOUR = 60 * _SECOND, 3600 * _SECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _duration(text: bytes) -> Duration:
    try:
        return Duration(round(parse_duration(text.decode("utf-8", "replace")) * _SECOND))
    except ValueError as error:
        raise OttlError(f"Duration: {error}, but got {text!r}") from None


def _whole(unit: int) -> Converter:
    # Cut off towards 0, as Go's division of integers.
    return converter(lambda length: abs(length) // unit * (-1 if length < 0 else 1), ("duration", duration))


def _share(unit: int) -> Converter:
    # Whole units and their fraction apart, as Go's Duration.Seconds and its kin: the last bit depends on it.
    def share(length: Duration) -> float:
        whole, rest = divmod(abs(length), unit)
        return (whole + rest / unit) * (-1 if length < 0 else 1)

    return converter(share, ("duration", duration))


def _calendar(part: Callable[[datetime], int]) -> Converter:
    return converter(lambda moment: part(_EPOCH + timedelta(seconds=moment // _SECOND)), ("time", time))


def _unix(seconds: int, nanoseconds: int | None = None) -> Time:
    return Time(int64(seconds * _SECOND + (nanoseconds or 0)))


_YEAR_1 = 62_135_596_800 * _SECOND  # nanoseconds from the year 1, where Go's zero time is, to 1970


def _truncate(moment: Time, length: Duration) -> Time:
    """Round down to a multiple of the duration, counted from the year 1; one of 0 or less changes nothing."""
    return moment if length <= 0 else Time(moment - (moment + _YEAR_1) % length)


_YEAR_1 = 62_135_596_800 * _SECOND  # nanoseconds from the year 1, where Go's zero time is, to 1970


CONVERTERS = {
    "Duration": converter(_duration, ("duration", string)),
    "Hours": _share(_HOUR),
    "Minutes": _share(_MINUTE),
    "Seconds": _share(_SECOND),
    "Milliseconds": _whole(_MILLI),
    "Microseconds": _whole(_MICRO),
    "Nanoseconds": _whole(1),
    "Now": Converter(Time, gets="now"),
    "TruncateTime": converter(_truncate, ("time", time), ("duration", duration)),
    "Unix": Converter(_unix, (Parameter("seconds", integer), Parameter("nanoseconds", integer, optional=True))),
    "UnixSeconds": converter(lambda moment: moment // _SECOND, ("time", time)),
    "UnixMilli": converter(lambda moment: moment // _MILLI, ("time", time)),
    "UnixMicro": converter(lambda moment: moment // _MICRO, ("time", time)),
    "UnixNano": converter(int, ("time", time)),
    "Year": _calendar(lambda moment: moment.year),
    "Month": _calendar(lambda moment: moment.month),
    "Day": _calendar(lambda moment: moment.day),
    "Weekday": _calendar(lambda moment: moment.isoweekday() % 7),
    "Hour": _calendar(lambda moment: moment.hour),
    "Minute": _calendar(lambda moment: moment.minute),
    "Second": _calendar(lambda moment: moment.second),
    "Nanosecond": converter(lambda moment: moment % _SECOND, ("time", time)),
}
