"""What a span's status says: Milvus' words, gRPC's, and no value that pymilvus quotes."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest
from milvus_otel_client.messages import in_own_words, is_answer, message_of, rpc_message_of
from milvus_otel_client.private import is_milvus_own, without_private
from pymilvus import AnnSearchRequest, Function, FunctionType, MilvusException
from pymilvus.client.check import check_pass_param, validate_strs
from pymilvus.client.grpc_handler import GrpcHandler
from pymilvus.exceptions import ConnectionConfigException, ExceptionsMessage, ParamError

SECRET = "user-1@example.com"


class _RpcError(grpc.RpcError):
    def __init__(self, details: str) -> None:
        self._details = details

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return self._details


def _raised(function: Any, *args: Any, **kwargs: Any) -> BaseException:
    with pytest.raises(MilvusException) as caught:
        function(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (_raised(check_pass_param, search_data=[0.1, SECRET]), "ParamError: `search_data` is illegal"),
        (_raised(check_pass_param, ids=[SECRET, 1]), "ParamError: `ids` is illegal"),
        (_raised(validate_strs, user=SECRET, password=7337), "ParamError: `password` is illegal"),
        (ParamError(message=f"wrong type of argument [{SECRET}], got"), "ParamError"),
        (ParamError(message=f"`{SECRET}` value 1 is illegal"), "ParamError"),
        (ParamError(message="`secret` value 1 is illegal"), "ParamError"),
        (ConnectionConfigException(message=f"uri: {SECRET} is illegal"), "ConnectionConfigException: `uri` is illegal"),
        (
            MilvusException(message=ExceptionsMessage.AmbiguousIndexName),
            f"MilvusException: {ExceptionsMessage.AmbiguousIndexName}",
        ),
        (MilvusException(message=ExceptionsMessage.InsertUnexpectedField % SECRET), "MilvusException"),
        (
            MilvusException(message=f"[search] Retry timeout: 0.1s, {SECRET}"),
            "MilvusException: [search] Retry timeout: 0.1s",
        ),
        (MilvusException(100, f"not seen to be answered: {SECRET}"), "MilvusException"),
        (ValueError(SECRET), "ValueError"),
        (SystemExit(SECRET), "SystemExit"),
    ],
)
def test_of_an_error_that_milvus_did_not_send_the_class_is_told_and_the_parameter_if_it_is_known(
    error: BaseException, words: str
) -> None:
    assert message_of(error, None, str) == words


def test_of_an_error_with_a_cause_both_classes_are_told() -> None:
    error = MilvusException(message=f"Unexpected error, message=<{SECRET}>")
    error.__cause__ = KeyError(SECRET)
    assert in_own_words(error) == "MilvusException, from KeyError"


def test_a_text_that_stands_in_pymilvus_code_is_told() -> None:
    error = _raised(GrpcHandler, uri="http://127.0.0.1:1", secure=SECRET)
    assert in_own_words(error) == "ParamError: secure must be bool type"


def test_an_answer_is_known_by_milvus_own_words_with_whatever_pymilvus_puts_before_them() -> None:
    assert is_answer(MilvusException(100, "not found"), "not found")
    assert is_answer(MilvusException(100, "[search] Retry timeout: 1s, message=not found"), "not found")
    assert is_answer(MilvusException("schema is old"), "schema is old")  # type: ignore[arg-type]
    assert not is_answer(MilvusException(100, "not found"), "something else")
    assert not is_answer(ValueError("not found"), None)


def test_a_failure_of_grpc_is_one_line_with_the_codes_name() -> None:
    error = MilvusException(grpc.StatusCode.UNAVAILABLE, "[search] Retry run out of 2\n\tdebug={...}")  # type: ignore[arg-type]
    error.__cause__ = _RpcError("failed to connect;\n\tlast error:\r\n refused")
    assert message_of(error, None, str) == "UNAVAILABLE: failed to connect; last error: refused"
    assert rpc_message_of(_RpcError(""), str) == "UNAVAILABLE"
    assert rpc_message_of(ValueError(SECRET), str) == "ValueError"
    assert len(message_of(_RpcError("x y\n" * 10_000), None, str)) == 1024


@pytest.mark.parametrize(
    ("expression", "message", "told"),
    [
        (
            f"name == '{SECRET}'",
            f"cannot parse expression: name == '{SECRET}', error: line 1:9 near '{SECRET}'",
            "cannot parse expression: name == ?, error: line ? near ?",
        ),
        (
            f"name == {SECRET}",
            f"bad: name == {SECRET}, error: field example not exist",
            "bad: ?, error: field ? not exist",
        ),
        ("id in ['a-1']", "value 'string_val:\"a-1\"' cannot be casted to Int64", "value ? cannot be casted to Int64"),
        ("id == 0xFF", "cannot cast 255", "cannot cast ?"),
        ("name == 'x' and missing == 1", 'parse: field "missing" not exist', 'parse: field "missing" not exist'),
        ("name == 'café'", 'cast string_val:"caf\\303\\251"', "cast string_val:?"),
        (
            "id > 1",
            "collection not found[database=default][collection=c]",
            "collection not found[database=default][collection=c]",
        ),
        (
            "id > 1",
            "vector dimension mismatch, expected 16, actual 8",
            "vector dimension mismatch, expected 16, actual 8",
        ),
    ],
)
def test_milvus_words_are_told_without_what_the_filter_says(expression: str, message: str, told: str) -> None:
    assert without_private(message, {"expression": expression}) == told


def test_of_a_long_filter_nothing_is_told_wherever_milvus_repeats_it() -> None:
    expression = "id in [" + ", ".join(f"'{SECRET}{number}'" for number in range(50_000)) + "]"
    message = f"cannot parse expression: {expression}, error: in {expression}: '{SECRET}49999'"
    told = without_private(message, {"expression": expression})
    assert told == "cannot parse expression: id in [?..., error: in id in [?...: ?"


def test_the_filters_of_requests_that_are_combined_and_of_rerankers_are_not_told() -> None:
    request = AnnSearchRequest([[0.1]], "vector", {}, 3, expr=f"a == '{SECRET}'", expr_params={"x": [SECRET]})
    boost = Function("boost", FunctionType.BM25, "a", [], params={"reranker": "boost", "filter": f"b == '{SECRET}'"})
    for expression in (f"a == '{SECRET}'", f"b == '{SECRET}'"):
        message = f"cannot parse expression: {expression}, error: near '{SECRET}'"
        told = without_private(message, {"reqs": [request], "rerank": boost})
        assert told == f"cannot parse expression: {expression[0]} == ?, error: near ?"
    model = Function("model", FunctionType.BM25, "a", [], params={"reranker": "model", "queries": ["hunter2"]})
    assert without_private("model: hunter2", {"ranker": model}) == "model: ?"


@pytest.mark.parametrize("count", [10, 1_000, 100_000])
def test_a_value_is_not_told_in_whatever_row_it_is(count: int) -> None:
    rows = [{"id": number, "age": 0, "vector": [0.25] * 8} for number in range(count)]
    rows[-1]["age"] = 73371337
    told = without_private("integer does not belong to range[actual=73371337]", {"entities": rows})
    assert told == "integer does not belong to range[actual=?]"
    plain = "collection not loaded[collection=c]"
    assert without_private(plain, {"entities": rows}) == plain


def test_values_of_every_kind_are_not_told() -> None:
    values = {
        "text": "hunter2",
        "integer": 73371337,
        "fraction": 0.12344321,
        "numpy": np.int64(73371337),
        "array": np.array([1, 73371337]),
        "array of texts": np.array(["hunter2", "b"]),
        "set": {"hunter2"},
        "nested": {"a": [{"b": ("x", "hunter2")}]},
    }
    for value in values.values():
        told = without_private("bad: hunter2 73371337 0.12344321 end", {"data": [{"field": value}]})
        assert told.count("?") == 1, value
    assert without_private("field user-1@example.com", {"entities": [{SECRET: 1}]}) == "field ?"
    assert without_private("hunter2", {"texts": ["hunter2"]}) == "?"


def test_a_message_of_milvus_own_words_alone_is_known() -> None:
    told = frozenset({"books", "default"})
    assert is_milvus_own("collection not found[database=default][collection=books]", told)
    assert not is_milvus_own("collection not found[database=default][collection=other]", told)
    assert not is_milvus_own("collection not found 'x'", told)
    assert not is_milvus_own("cannot parse expression: a == 1", told)
    assert not is_milvus_own(" ".join(map(str, range(100))), told)


def test_values_that_milvus_repeats_are_not_told() -> None:
    rows = [{"id": 73371337, "name": SECRET, "vector": [0.25] * 1024}]
    told = without_private(f"row {SECRET} with 73371337", {"entities": rows, "password": "hunter2"})
    assert told == "row ? with ?"
    assert without_private(f"partition {SECRET}", {"partition_names": ["p", SECRET]}) == "partition ?"
    assert without_private("partition p", {"partition_names": ["p", "part"]}) == "partition p"
    assert without_private("hunter2", {"password": "hunter2"}) == "?"
    assert without_private("17", {"ids": [10**5000, 17]}) == "17"
