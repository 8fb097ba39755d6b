"""Whatever is in the file, the answer is a configuration or a list of problems that fit on a line each."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from milvus_otel_processor.config import ConfigError, Problem, default_config_text, load_config
from milvus_otel_processor.config.nodes import plain, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

FEW = 2


def with_few_words(value: Any) -> Any:
    """The same with a few texts of each list of them: to damage one of thirty names shows nothing that one of two does not."""
    if isinstance(value, dict):
        return {key: with_few_words(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return value[:FEW] if all(isinstance(inner, str) for inner in value) else list(map(with_few_words, value))
    return value


DEFAULT = with_few_words(plain(read_yaml(default_config_text(), "default")))

words = st.sampled_from(
    ["otlp", "milvus", "tail_sampling", "type", "name", "and", "policies", "latency", "${X}", "$$", "0s"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        found += places(child, (*path, key))
    return found


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """The built-in configuration with one to three values replaced, removed, or joined by a key too many."""
    root = {"root": copy.deepcopy(DEFAULT)}
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(root)[1:]))
        parent: Any = root
        for key in path[:-1]:
            parent = parent[key]
        action = draw(st.sampled_from(["replace", "remove", "add"]))
        if action == "replace" or len(path) == 1:
            parent[path[-1]] = draw(values)
        elif action == "remove":
            del parent[path[-1]]
        elif isinstance(parent, dict):
            parent[draw(words)] = draw(values)
        else:
            parent.append(draw(values))
        if not isinstance(root["root"], dict | list):
            break
    return root["root"]


def check(file: Path) -> None:
    problems: tuple[Problem, ...] | None = None
    try:
        load_config(file, environ={"X": "[1, {a: b}]"})
    except ConfigError as error:
        problems = error.problems
    if problems is not None:
        assert problems != ()
        assert [str(problem) for problem in problems if not str(problem).startswith(str(file))] == []
        assert [str(problem) for problem in problems if len(str(problem).splitlines()) != 1] == []


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "config.yaml"


@settings(max_examples=150, deadline=None)
@given(damaged())
def test_a_damaged_configuration_is_never_a_traceback(file: Path, root: object) -> None:
    file.write_text(json.dumps(root, ensure_ascii=True), encoding="utf-8")
    check(file)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60) | st.text("ab:-[]{}&*!|>#%@`'\"$?,~ \n\t\r<=.1", max_size=40).map(str.encode))
def test_bytes_that_mean_nothing_are_never_a_traceback(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    check(file)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=20))
def test_a_set_that_means_nothing_is_never_a_traceback(argument: str) -> None:
    with pytest.raises(ConfigError):
        load_config(None, overrides=[f"x.{argument}"], environ={})
