from __future__ import annotations

from typing import Any

import pytest
from milvus_otel_processor.config.nodes import Mapping, Scalar, plain, read_yaml
from milvus_otel_processor.config.problems import ConfigError


def read(text: str) -> Any:
    return plain(read_yaml(text, "c.yaml"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# only a comment\n", None),
        ("a:", {"a": None}),
        ("a: [yes, no, on, off, y]", {"a": ["yes", "no", "on", "off", "y"]}),
        ("a: [true, False, TRUE]", {"a": [True, False, True]}),
        (
            "a: [1, -2, +3, 0x10, 0o17, 017, 089, 1.5, 1e3, .inf]",
            {"a": [1, -2, 3, 16, 15, 15, 89, 1.5, 1000.0, float("inf")]},
        ),
        ("a: [~, null, '', 'null']", {"a": [None, None, "", "null"]}),
        ("a: [18446744073709551615, 18446744073709551616]", {"a": [2**64 - 1, float(2**64)]}),
        ("a: 2024-01-01", {"a": "2024-01-01"}),
        ("a: !!str 5", {"a": "5"}),
        ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
        ("a: Größe\nb: 測試", {"a": "Größe", "b": "測試"}),
        ("a: 1\r\nb:\r\n  - x\r\n", {"a": 1, "b": ["x"]}),
        ("base: &b {x: 1, y: 2}\na: {<<: *b, y: 3}", {"base": {"x": 1, "y": 2}, "a": {"x": 1, "y": 3}}),
        ("a: {y: 3, <<: [{x: 1, y: 1}, {x: 2, z: 2}]}", {"a": {"y": 3, "x": 1, "z": 2}}),
        ("a: &x 1\nb: &x 2\nc: *x", {"a": 1, "b": 2, "c": 2}),
        ("1: a\ntrue: b", {"1": "a", "true": "b"}),
    ],
)
def test_yaml_means_what_it_means_to_the_collector(text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3", 3, 'key "a" is there twice, first at c.yaml:1'),
        ("a: 1\n\tb: 2", 2, "indent with spaces"),
        ("a:\n  - [1, 2", 2, "not valid YAML"),
        ("a: 'x", 1, "not valid YAML"),
        ("a: {b: ${env:X}}", 1, "put ${…} in quotes"),
        ("a: 1\n---\nb: 2", 2, "not valid YAML"),
        ("a: *nope", 1, "not valid YAML"),
        ("a: 1\nb: &x [1, *x]", 2, "the anchor &x contains itself"),
        ("a: {<<: 5}", 1, "<< merges a mapping"),
        ("a: 1\nb: !thing 2", 2, "unknown tag !thing"),
        ('a: 1\nb: "x\\ud83d"', 2, "half a character"),
        ('a: 1\n"\\ude00": 2', 2, "half a character"),
        ("a: 0x" + "f" * 9999, 1, "has the tag !!int"),
        ("a: !!int x", 1, "what has the tag !!int is not a valid int"),
        ("[a, b]: 1", 1, "a key must be plain text"),
        ("a: 1\nb: \x01", 2, "is not allowed"),
        ("[" * 101, 1, "nested too deeply: more than 100"),
        ("- " * 101, 1, "nested too deeply: more than 100"),
        ("{a: " * 101, 1, "nested too deeply: more than 100"),
        ("\n".join(" " * level + "a:" for level in range(101)), 101, "nested too deeply: more than 100"),
    ],
)
def test_yaml_that_cannot_be_read_is_one_error_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(text)
    assert len(raised.value.problems) == 1
    assert str(raised.value).startswith(f"c.yaml:{line}: ")
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "text", ["[" * 100 + "]" * 100, "- " * 100 + "x", "[" * 50 + "{a: " * 50 + "}" * 50 + "]" * 50]
)
def test_a_hundred_levels_are_read(text: str) -> None:
    read(text)


def test_what_is_nested_deeply_is_refused_before_it_is_read_to_its_end() -> None:
    text = (
        "[" * 1_000_000
    )  # to scan all of it takes hours: each bracket may begin a key, and all that may are looked at each time
    with pytest.raises(ConfigError, match="nested too deeply"):
        read(text)


def test_a_text_of_too_many_tokens_is_refused_where_they_are_too_many() -> None:
    text = "".join(f"- a{number}\n" for number in range(100))
    read_yaml(text, "c.yaml", most_tokens=300)
    with pytest.raises(
        ConfigError, match=r"c.yaml:[45]\d: not valid YAML: it is too long: a list of 50 values is the most"
    ):
        read_yaml(text, "c.yaml", most_tokens=100)


def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(ConfigError, match="more than 100000 values"):
        read("\n".join(lines))


def test_values_keep_the_line_they_came_from() -> None:
    root = read_yaml("a: 1\nb:\n  c:\n    deep\n", "c.yaml")
    assert isinstance(root, Mapping)
    below = root.entries["b"].node
    assert isinstance(below, Mapping)
    assert str(below.entries["c"].key_place) == "c.yaml:3"
    assert isinstance(below.entries["c"].node, Scalar)
    assert str(below.entries["c"].node.place) == "c.yaml:4"


def test_a_character_in_two_halves_as_json_writes_it_is_one() -> None:
    assert plain(read_yaml('{"a": "\\ud83d\\ude00", "\\ud83d\\ude00": "é"}', "x")) == {
        "a": "\U0001f600",
        "\U0001f600": "é",
    }
