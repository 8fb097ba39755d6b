"""YAML 1.2 read into nodes that know the line they came from.

Scalars mean what they mean to the Collector: ``yes`` and ``on`` are strings, ``true`` is a boolean. A key that is there
twice is an error, as it is for the Collector; so is a value that contains itself.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from milvus_otel_processor.config.bounded import BoundedScanner
from milvus_otel_processor.config.problems import ConfigError, Place, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_OLD_OCTAL = re.compile(r"0[0-7]+")
_TAG = "tag:yaml.org,2002:"
_MAX_NODES = 100_000
"""Values in one file, aliases counted each time: some kilobytes of nested aliases would mean gigabytes."""
_MAX_TOKENS = 4 * _MAX_NODES
"""A key and its value have four."""


@dataclass(frozen=True)
class Scalar:
    """A null, bool, int, float or string.

    `text` is how it was spelled where a substitution put it: an environment variable that holds ``0123`` is that
    string for a field that wants a string, and the number 123 for one that wants a number.
    """

    value: str | float | bool | None
    place: Place
    text: str | None = None
    spelled: str | None = field(default=None, compare=False, repr=False)
    """How it stands in the file: a password may be digits alone, and begin with zeros."""


@dataclass(frozen=True)
class Sequence:
    """A list; `text` is how it was spelled where a substitution put it, as of a scalar."""

    items: tuple[Node, ...]
    place: Place
    text: str | None = None


@dataclass(frozen=True)
class Entry:
    """A value of a mapping, and where its key stands."""

    key_place: Place
    node: Node


@dataclass(frozen=True)
class Mapping:
    """A mapping, in the order of the file; `text` is how it was spelled where a substitution put it, as of a scalar."""

    entries: dict[str, Entry]
    place: Place
    text: str | None = None

    def get(self, key: str) -> Node | None:
        """Return the value at a key, if there is one."""
        entry = self.entries.get(key)
        return entry.node if entry else None


Node: TypeAlias = Scalar | Sequence | Mapping


def plain(node: Node) -> Any:
    """Return the value without its places."""
    if isinstance(node, Mapping):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value


def is_null(node: Node) -> bool:
    """Tell whether a value is null, as a key with nothing after it is."""
    return isinstance(node, Scalar) and node.value is None


def read_yaml(text: str, source: str, *, at: Place | None = None, most_tokens: int = _MAX_TOKENS) -> Node:
    """Return the one document in `text`; of an empty one, a null.

    `source` is the file's name in messages. With `at`, the text is not a file but a value that stands at that place. A text of
    more than `most_tokens` is refused: 100,000 take a second of CPU time, and have 50,000 values of lists, or 25,000 of mappings.
    Raises ConfigError.
    """
    reader = _Reader(source, at)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ruamel warns of an anchor that is used again, which YAML allows
            yaml = YAML(typ="safe", pure=True)
            yaml.Scanner = partial(BoundedScanner, most_tokens=most_tokens)
            root = yaml.compose(text)
        return Scalar(None, reader.place(None)) if root is None else reader.node(root)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError([Problem(reader.place(mark), "", _syntax(error, text))]) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"not valid YAML: character {error.character!r} is not allowed"
        raise ConfigError([Problem(at or Place(source, line), "", message)]) from None
    except YAMLError as error:
        raise ConfigError([Problem(reader.place(None), "", f"not valid YAML: {error}")]) from None
    except RecursionError:
        raise ConfigError([Problem(reader.place(None), "", "not valid YAML: nested too deeply")]) from None


def _syntax(error: MarkedYAMLError, text: str) -> str:
    what = " ".join(str(part) for part in (error.context, error.problem) if part)
    mark = error.problem_mark
    line = text.splitlines()[mark.line : mark.line + 1] if mark else []
    hint = ""
    if "\\t" in what:
        hint = "; indent with spaces, YAML allows no tabs there"
    elif line and "${" in line[0] and "flow" in what:
        hint = "; inside { } and [ ] put ${…} in quotes"
    if _ALIAS in what:  # what is behind the * may be a secret that nobody put into quotes
        what = f"{what.partition(_ALIAS)[0]}{_ALIAS}; put quotes around text that begins with *"
    return f"not valid YAML: {what}{hint}"


_ALIAS = "found undefined alias"


@dataclass
class _Reader:
    """Turns ruamel's nodes into ours."""

    source: str
    at: Place | None
    count: int = 0
    open: set[int] = field(default_factory=set)

    def place(self, mark: Any) -> Place:
        if mark is None:
            return self.at or Place(self.source, 1)
        return self.at or Place(self.source, mark.line + 1, mark.column + 1)

    def fail(self, raw: Any, message: str) -> ConfigError:
        return ConfigError([Problem(self.place(raw.start_mark), "", message)])

    def node(self, raw: Any) -> Node:
        self.count += 1
        if self.count > _MAX_NODES:
            raise self.fail(raw, f"more than {_MAX_NODES} values, aliases included")
        if id(raw) in self.open:
            raise self.fail(raw, f"the anchor &{raw.anchor} contains itself")
        self.open.add(id(raw))
        try:
            return self.convert(raw)
        finally:
            self.open.discard(id(raw))

    def convert(self, raw: Any) -> Node:
        place = self.place(raw.start_mark)
        if isinstance(raw, MappingNode):
            return Mapping(self.entries(raw), place)
        if isinstance(raw, SequenceNode):
            return Sequence(tuple(self.node(item) for item in raw.value), place)
        assert isinstance(raw, ScalarNode)
        text = self.text(raw)
        return Scalar(self.scalar(raw, text), place, spelled=text)

    def text(self, raw: Any) -> str:
        """Return a text in which two halves of a character, which JSON writes as two escapes, are that character."""
        text = str(raw.value)
        try:
            return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            half = "an escape from \\ud800 to \\udfff is half a character, and its other half is not beside it"
            raise self.fail(raw, f"{half}; write the character itself") from None

    def scalar(self, raw: Any, text: str) -> str | float | bool | None:
        kind = str(raw.tag).removeprefix(_TAG)
        try:
            match kind:
                case "null":
                    return None
                case "bool":
                    return {"true": True, "false": False}[text.lower()]
                case "int":
                    return _integer(text)
                case "float":
                    return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
                # a date is a string for every field that there is, and `=` and `<<` outside of keys are just text
                case "str" | "timestamp" | "value" | "merge":
                    return text
        except (ValueError, KeyError, OverflowError):
            raise self.fail(raw, f"what has the tag !!{kind} is not a valid {kind}") from None
        raise self.fail(raw, f"unknown tag {raw.tag}; plain YAML values need no tag")

    def entries(self, raw: Any) -> dict[str, Entry]:
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key, value in raw.value:
            if not isinstance(key, ScalarNode):
                raise self.fail(key, "a key must be plain text, not a list or a mapping")
            if str(key.tag) == f"{_TAG}merge":
                for mapping in self.merge_sources(value):
                    for name, entry in mapping.entries.items():
                        merged.setdefault(name, entry)
                continue
            name = self.text(key)
            if name in own:
                raise self.fail(key, f'key "{name}" is there twice, first at {own[name].key_place}; remove one')
            key_place, node = self.place(key.start_mark), self.node(value)
            if is_null(node):  # where nothing is written, the parser is at the next thing already
                node = Scalar(None, key_place)
            own[name] = Entry(key_place, node)
        return own | {name: entry for name, entry in merged.items() if name not in own}

    def merge_sources(self, raw: Any) -> Iterator[Mapping]:
        for item in raw.value if isinstance(raw, SequenceNode) else [raw]:
            node = self.node(item)
            if not isinstance(node, Mapping):
                raise self.fail(raw, "<< merges a mapping, or a list of mappings; this is neither")
            yield node


def _integer(text: str) -> float:
    """Return the number as Go's YAML does: 017 is octal, and what 64 bits cannot hold becomes a float."""
    digits = text.replace("_", "")
    unsigned = digits.lstrip("+-").lower()
    base = 0 if unsigned[:2] in ("0x", "0o", "0b") else 8 if _OLD_OCTAL.fullmatch(unsigned) else 10
    number = int(digits, base)
    return number if -(1 << 63) <= number < 1 << 64 else float(number)
