"""A fault that comes with every trace does not fill the log."""

import logging
from collections.abc import Callable

import pytest
from milvus_otel_processor.telemetry.faults import FaultLog

from tests.support.clock import Clock

LOG = logging.getLogger(__name__)


class Faults:
    """A log of faults on a clock that is turned by hand."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.log = FaultLog(LOG, self.clock)

    def tell(self, fails: Callable[[], object], number: int) -> None:
        try:
            fails()
        except Exception as error:  # noqa: BLE001 - whatever it is
            self.log.tell(error, "deciding failed: trace=%d", number)


def broken() -> None:
    raise RuntimeError("broken")


def broken_elsewhere() -> None:
    raise RuntimeError("broken")


def missing() -> None:
    raise KeyError("missing")


def test_the_first_has_its_traceback_and_those_right_behind_it_are_not_told(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults()
    for number in range(1000):
        faults.tell(broken, number)
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "deciding failed: trace=0")
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "broken"


def test_one_that_goes_on_is_told_in_one_line_with_how_often_it_came(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults()
    for number in range(30):
        faults.tell(broken, number)
        faults.clock.advance(1)
    first, *others = caplog.records
    assert first.exc_info is not None
    assert [record.exc_info for record in others] == [None, None]
    assert [record.levelno for record in others] == [logging.ERROR] * 2
    assert [record.getMessage() for record in others] == [
        "deciding failed: trace=10: RuntimeError: broken; 11 times so far, the first time with a traceback",
        "deciding failed: trace=20: RuntimeError: broken; 21 times so far, the first time with a traceback",
    ]


def test_another_kind_of_fault_has_a_traceback_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults()
    faults.tell(broken, 1)
    faults.tell(missing, 2)
    assert [type(record.exc_info[1]) for record in caplog.records if record.exc_info] == [RuntimeError, KeyError]


def test_the_same_kind_from_another_line_has_a_traceback_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults()
    faults.tell(broken, 1)
    faults.tell(broken_elsewhere, 2)
    assert len([record for record in caplog.records if record.exc_info]) == 2
