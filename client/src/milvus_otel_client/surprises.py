"""What is logged when something fails on the way to a span, which never fails the application's call."""

from __future__ import annotations

import logging

from milvus_otel_client.errors import type_name


def logger_for(module: str) -> logging.Logger:
    """Return the module's logger, which tells of an exception its class and place, not its message or its traceback.

    A message may quote the data of the call, and logs are exported as traces are.
    """
    logger = logging.getLogger(module)
    logger.addFilter(_without_message)
    return logger


def _without_message(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        record.msg = f"{record.getMessage()}: {type_name(error)}{_place_of(error)}"
        record.args = record.exc_info = None
    return True


def _place_of(error: BaseException) -> str:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return "" if traceback is None else f" at {traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
