from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from milvus_otel_processor.config.decoding import Decoder
from milvus_otel_processor.config.nodes import Mapping, plain, read_yaml
from milvus_otel_processor.config.problems import ConfigError
from milvus_otel_processor.config.shapes import Kind, ValueShape
from milvus_otel_processor.config.substitution import Substitution


def substituted(text: str, **environ: str) -> Any:
    substitution = Substitution(environ)
    value = plain(substitution.tree(read_yaml(f"key: {text}", "config.yaml"), Path()))
    if substitution.problems:
        raise ConfigError(substitution.problems)
    return value["key"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${env:PORT}", 4317),
        ("${PORT}", 4317),
        ('"${env:PORT}"', 4317),
        ("${env:MISSING:-8080}", 8080),
        ("${env:PORT:-8080}", 4317),
        ("${env:MISSING:-}", ""),
        ("${env:MISSING:-a:-b}", "a:-b"),
        ("${env:EMPTY}", None),
        ("${env:EMPTY:-full}", None),
        ("${env:LIST}", ["a", 2]),
        ("${env:NOT_YAML}", "[a"),
        ("${env:QUOTED}", '"0123"'),
        ("${env:UNICODE}", "Größe 測試"),
        ("0.0.0.0:${env:PORT}", "0.0.0.0:4317"),
        ("${PORT}${PORT}", "43174317"),
        ("a${env:EMPTY}b", "ab"),
        ("${env:${env:INDIRECT}}", 4317),
        ("${env:MISSING:-${env:PORT}}", 4317),
        ("${env:CHAIN}", 4317),
        ("x${env:CHAIN}", "x4317"),
        ("$$", "$"),
        ("$${env:PORT}", "${env:PORT}"),
        ("$$${env:PORT}", "$4317"),
        ("$$$${env:PORT}", "$${env:PORT}"),
        ("$${env:PORT} ${env:PORT}", "${env:PORT} 4317"),
        ("$PORT", "$PORT"),
        ("^a$", "^a$"),
        ("${env:PORT", "${env:PORT"),
        ("a{2}$", "a{2}$"),
    ],
)
def test_a_reference_is_replaced_as_the_collector_does_it(text: str, value: object) -> None:
    environ = {
        "PORT": "4317",
        "EMPTY": "",
        "LIST": "[a, 2]",
        "NOT_YAML": "[a",
        "QUOTED": '"0123"',
        "UNICODE": "Größe 測試",
        "INDIRECT": "PORT",
        "CHAIN": "${env:PORT}",
    }
    assert substituted(text, **environ) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${env:A-B}", "not the name of an environment variable"),
        ("${a b}", "not the name of an environment variable"),
        ("${}", "not the name of an environment variable"),
        ("${http://x}", 'unknown source "http"'),
        ("${fil:x.yaml}", 'did you mean "file"?'),
        ("${PORT:-80}", 'did you mean "${env:PORT:-80}"?'),
        ("${env:A:-a$b}", "has a $ in it"),
        ("${env:LOOP}", "leads back to itself"),
        ("x${env:LOOP}", "leads back to itself"),
        ("${file:}", "names no file"),
        ("${file:/nowhere/x.yaml}", "/nowhere/x.yaml: cannot be read: No such file or directory"),
    ],
)
def test_a_reference_that_cannot_be_replaced_is_an_error_at_its_line(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        substituted(text, LOOP="${env:LOOP}")
    assert words in str(raised.value)
    assert str(raised.value).startswith("config.yaml:1: ")


def test_a_variable_that_is_not_set_is_empty_and_warned_about() -> None:
    substitution = Substitution({})
    assert plain(substitution.tree(read_yaml("a: 1\nb: ${env:NOPE}", "c.yaml"), Path())) == {"a": 1, "b": None}
    assert [str(warning) for warning in substitution.warnings] == [
        "c.yaml:2: environment variable NOPE is not set, so the value is empty; set it, or write ${env:NOPE:-default}"
    ]


@pytest.mark.parametrize("spelled", ["0123", "1e3", "true", "~", "2024-01-01"])
def test_a_variable_keeps_its_spelling_where_text_is_wanted(spelled: str) -> None:
    tree = Substitution({"X": spelled}).tree(read_yaml("k: ${env:X}", "c.yaml"), Path())
    assert isinstance(tree, Mapping)
    assert Decoder([]).decode(tree.entries["k"].node, ValueShape(Kind.TEXT), "k") == spelled


def test_a_file_is_looked_for_beside_the_file_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "rules" / "more").mkdir(parents=True)
    (tmp_path / "config.yaml").write_text("a: ${file:rules/first.yaml}")
    (tmp_path / "rules" / "first.yaml").write_text("b: ${file:more/second.yaml}\nc: $${x}")
    (tmp_path / "rules" / "more" / "second.yaml").write_text("\n- 1\n- ${env:X}")
    tree = Substitution({"X": "2"}).file(tmp_path / "config.yaml")
    assert plain(tree) == {"a": {"b": [1, 2], "c": "${x}"}}
    assert isinstance(tree, Mapping)
    first = tree.entries["a"].node
    assert isinstance(first, Mapping)
    assert str(first.entries["b"].node.place) == f"{tmp_path}/rules/more/second.yaml:2"


def test_files_that_include_each_other_are_an_error_not_a_hang(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x: ${file:b.yaml}")
    (tmp_path / "b.yaml").write_text("\ny: ${file:../" + tmp_path.name + "/a.yaml}")
    substitution = Substitution({})
    substitution.file(tmp_path / "a.yaml")
    assert [str(problem) for problem in substitution.problems] == [
        f"{tmp_path}/b.yaml:2: ${{file:}} leads back to itself: a.yaml → b.yaml → a.yaml"
    ]


def test_the_same_file_may_be_included_twice(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x: ${file:b.yaml}\ny: ${file:b.yaml}")
    (tmp_path / "b.yaml").write_text("1")
    assert plain(Substitution({}).file(tmp_path / "a.yaml")) == {"x": 1, "y": 1}


def test_a_file_that_is_no_yaml_is_text_unless_its_name_says_yaml(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x: ${file:token}\nz: Bearer ${file:token}")
    (tmp_path / "token").write_text("@abc: [\n")
    assert plain(Substitution({}).file(tmp_path / "a.yaml")) == {"x": "@abc: [", "z": "Bearer @abc: ["}
    (tmp_path / "token").write_text('"quoted" # all of it\r\n')
    assert plain(Substitution({}).file(tmp_path / "a.yaml"))["x"] == '"quoted" # all of it'
    (tmp_path / "a.yaml").write_text("x: ${file:b.yaml}")
    (tmp_path / "b.yaml").write_text('"quoted" # a comment')
    assert plain(Substitution({}).file(tmp_path / "a.yaml")) == {"x": "quoted"}
    (tmp_path / "b.yaml").write_text("ok: 1\nx: [\n")
    substitution = Substitution({})
    substitution.file(tmp_path / "a.yaml")
    assert str(substitution.problems[0]).startswith(f"{tmp_path}/b.yaml:3: not valid YAML")


def test_a_mapping_cannot_stand_inside_a_longer_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x: a ${file:b.yaml}")
    (tmp_path / "b.yaml").write_text("c: d")
    substitution = Substitution({})
    substitution.file(tmp_path / "a.yaml")
    assert "which cannot stand inside a longer text" in str(substitution.problems[0])


def test_a_folder_and_a_binary_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: it is a folder, expected a file"):
        Substitution({}).file(tmp_path)
    (tmp_path / "b.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        Substitution({}).file(tmp_path / "b.yaml")
