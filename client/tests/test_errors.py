"""Codes, types and messages of what pymilvus raises."""

from __future__ import annotations

import asyncio
import binascii
import json
import struct

import grpc
import pytest
from milvus_otel_client.errors import describe
from pymilvus import MilvusException
from pymilvus.exceptions import ParamError


class _Unavailable(grpc.RpcError):
    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE


def _self_caused(error: BaseException, context: BaseException | None = None) -> BaseException:
    error.__context__ = context
    error.__cause__ = error
    return error


def _caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "error_type", "status_code"),
    [
        (MilvusException(100, "not found", 4), "100", "100"),
        (MilvusException(65535, "unexpected"), "65535", "65535"),
        (MilvusException(1, "not ready", 27), "1", "1"),
        (MilvusException(message="by pymilvus itself"), "MilvusException", None),
        (ParamError(message="bad limit"), "ParamError", None),
        (MilvusException(grpc.StatusCode.UNAVAILABLE, "retry run out"), "UNAVAILABLE", None),  # type: ignore[arg-type]
        (_Unavailable(), "UNAVAILABLE", None),
        (_caused(MilvusException(message="Unexpected error"), KeyError("dim")), "KeyError", None),
        (_caused(MilvusException(2, "Fail connecting"), _Unavailable()), "UNAVAILABLE", None),
        (_self_caused(MilvusException(2, "Fail connecting"), _Unavailable()), "UNAVAILABLE", None),
        (_self_caused(ParamError(message="bad limit"), _Unavailable()), "ParamError", None),
        (asyncio.CancelledError(), "CancelledError", None),
        (SystemExit(7), "SystemExit", None),
        (KeyboardInterrupt(), "KeyboardInterrupt", None),
    ],
)
def test_an_error_has_milvus_code_if_it_is_milvus_answer_and_a_type_in_any_case(
    error: BaseException, error_type: str, status_code: str | None
) -> None:
    found = describe(error)
    assert found["error.type"] == error_type
    assert found.get("db.response.status_code") == status_code


def test_errors_that_cause_each_other_come_to_an_end() -> None:
    first, second = MilvusException(message="first"), MilvusException(message="second")
    first.__cause__, second.__cause__ = second, first
    assert describe(first) == {"error.type": "MilvusException"}


def test_an_answer_that_was_seen_has_its_code_though_pymilvus_gives_that_code_to_errors_of_its_own() -> None:
    assert describe(MilvusException(1, "by Milvus Lite"), is_answer=True)["db.response.status_code"] == "1"


@pytest.mark.parametrize(
    ("error", "error_type"),
    [
        (struct.error("required argument is not a float"), "struct.error"),
        (_caused(MilvusException(message="Unexpected error"), binascii.Error("odd")), "binascii.Error"),
        (
            _caused(MilvusException(message="Unexpected error"), json.JSONDecodeError("x", "y", 0)),
            "json.decoder.JSONDecodeError",
        ),
        (grpc.FutureTimeoutError(), "FutureTimeoutError"),
    ],
)
def test_the_type_of_an_error_is_told_with_its_module_unless_that_is_plain(
    error: BaseException, error_type: str
) -> None:
    assert describe(error)["error.type"] == error_type
