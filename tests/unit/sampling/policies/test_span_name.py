import pytest

from tests.support.policies import samples
from tests.support.spans import span, trace_of


def sampled(*names: str, spans: list[str], **settings: object) -> bool:
    trace = trace_of(*[span(1, number + 1, parent=number, name=name) for number, name in enumerate(spans)])
    return samples(trace, "span_name", {"names": list(names), **settings})


def test_one_name_of_the_list_is_matched_whole() -> None:
    assert sampled("Operate", "GetMetrics", spans=["search", "GetMetrics"])
    assert not sampled("Metrics", "GetMetrics2", spans=["search", "GetMetrics"])


def test_an_expression_is_searched_for() -> None:
    assert sampled("Get.etrics", spans=["milvus.proto.data.DataCoord/GetMetrics"], enabled_regex_matching=True)
    assert not sampled("^Get", spans=["milvus.proto.data.DataCoord/GetMetrics"], enabled_regex_matching=True)


def test_multi_byte_names_are_matched() -> None:
    assert sampled("größe", spans=["größe"])
    assert sampled("^..$", spans=["向量"], enabled_regex_matching=True)


def test_inverted_a_name_that_matches_is_enough_for_no() -> None:
    assert not sampled("Operate", spans=["search", "Operate"], invert_match=True)
    assert sampled("Operate", spans=["search"], invert_match=True)
    assert samples(trace_of(), "span_name", {"names": ["Operate"], "invert_match": True})


def test_root_only_looks_at_spans_without_a_parent() -> None:
    assert sampled("Operate", spans=["Operate", "search"], root_only=True)
    assert not sampled("Operate", spans=["search", "Operate"], root_only=True)
    assert sampled("Operate", spans=["search", "Operate"], root_only=True, invert_match=True)


def test_a_parent_of_zeros_is_none() -> None:
    root = span(name="Operate")
    root.parent_span_id = bytes(8)
    assert samples(trace_of(root), "span_name", {"names": ["Operate"], "root_only": True})


def test_an_empty_trace_is_not_sampled() -> None:
    assert not samples(trace_of(), "span_name", {"names": [".*"], "enabled_regex_matching": True})


def test_an_empty_name_matches_nothing_exactly() -> None:
    assert not sampled("", spans=[""])


def test_an_expression_that_is_none_is_refused_and_named() -> None:
    with pytest.raises(ValueError, match=r"'\[' is not a regular expression"):
        sampled("[", spans=[""], enabled_regex_matching=True)


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(ValueError, match="names"):
        sampled(spans=[""])
