"""The Collector's ``${env:NAME}``, ``${env:NAME:-default}``, ``${NAME}``, ``${file:path}`` and ``$$``.

A value that is one substitution and nothing else takes the type of what it is replaced with, parsed as YAML; inside a
longer text it is text. What comes in is itself searched for substitutions. All of this follows the Collector's confmap
(v1.64.0), but for three things:

- a relative ``${file:path}`` is looked for beside the file that names it, not in the working directory, so that a
  folder of configuration works from wherever it is mounted or cloned;
- an included ``.yaml`` or ``.yml`` file that is no valid YAML is an error, and one that holds a string is that string;
  the Collector takes its text as it is spelled. Of other files, such as secrets, so do we, less the last line break;
- an escaped ``$${`` does not stop the substitutions after it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from milvus_otel_processor.config.files import FileError, content
from milvus_otel_processor.config.nodes import Entry, Mapping, Node, Scalar, Sequence, read_yaml
from milvus_otel_processor.config.problems import ConfigError, Place, Problem, did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping as EnvironMapping

_REFERENCE = re.compile(r"(?<!\$)(?P<dollars>\$+)\{(?P<body>(?:(?!\$\{)[^}])*)\}", re.DOTALL)
"""An innermost reference. An even number of dollars is an escape. Looked for from the first dollar of several alone: from each of
many thousands it would take minutes."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+")
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MAX_SUBSTITUTIONS = 1000
"""In one value, as in the Collector: a variable that refers to itself ends here."""


def read_file(path: Path, at: Place | None = None) -> str:
    """Return a file's text; `at` is where it is named. Raises ConfigError."""
    place = at or Place(str(path))
    named = "" if at is None else f"{path}: "
    try:
        return content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            [Problem(place, "", f"{named}cannot be read: not UTF-8 text: {error.reason} at byte {error.start}")]
        ) from None
    except FileError as error:
        raise ConfigError([Problem(place, "", f"{named}cannot be read: {error}")]) from None


@dataclass
class Substitution:
    """Replaces the references in a tree; collects what is wrong and what is worth a warning."""

    environ: EnvironMapping[str, str]
    on_read: Callable[[Path], None] = lambda _: None
    """Called with each file right before it is read."""
    rules: Node | None = None
    """What stands in the place of the rules of `file`, which are then not looked at."""
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _in_rules: bool = field(default=False, init=False)
    _rules_may_refer: bool = field(default=False, init=False)

    def file(self, path: Path, files: tuple[Path, ...] = ()) -> Node:
        """Return the content of a YAML file with all references replaced. Raises ConfigError if it can't be read."""
        self.on_read(path)
        node = read_yaml(read_file(path), str(path))
        self._rules_may_refer = _rules_may_refer(node)
        return self._sections(node, path.parent, (*files, _identity(path)))

    def _sections(self, node: Node, folder: Path, files: tuple[Path, ...]) -> Node:
        """Return the tree of the main file; what is in the rules' own file is not trusted as far as the rest."""
        processors = node.get("processors") if isinstance(node, Mapping) else None
        if not isinstance(node, Mapping) or not isinstance(processors, Mapping):
            return self.tree(node, folder, files)
        entries = {}
        for key, entry in node.entries.items():
            if entry.node is processors:
                replaced = {name: self._processor(name, one, folder, files) for name, one in processors.entries.items()}
                entries[key] = Entry(entry.key_place, replace(processors, entries=replaced))
            else:
                entries[key] = Entry(entry.key_place, self.tree(entry.node, folder, files))
        return replace(node, entries=entries)

    def _processor(self, name: str, entry: Entry, folder: Path, files: tuple[Path, ...]) -> Entry:
        self._in_rules = name.partition("/")[0] == "tail_sampling"
        if self._in_rules and self.rules is not None:
            self._in_rules = False
            return Entry(entry.key_place, self.rules)
        try:
            return Entry(entry.key_place, self.tree(entry.node, folder, files))
        finally:
            self._in_rules = False

    def tree(self, node: Node, folder: Path, files: tuple[Path, ...] = ()) -> Node:
        """Return the tree with all references replaced.

        `folder` is where relative paths begin, `files` are the files that are being read, outermost first.
        """
        if isinstance(node, Mapping):
            replaced = {
                key: Entry(entry.key_place, self.tree(entry.node, folder, files)) for key, entry in node.entries.items()
            }
            return replace(node, entries=replaced)
        if isinstance(node, Sequence):
            return replace(node, items=tuple(self.tree(item, folder, files) for item in node.items))
        if not isinstance(node.value, str):
            return node
        try:
            return self._text(node, node.value, folder, files)
        except ConfigError as error:
            self.problems.extend(error.problems)
            return replace(node, value=None)

    def _text(self, node: Scalar, text: str, folder: Path, files: tuple[Path, ...]) -> Node:
        for _ in range(_MAX_SUBSTITUTIONS):
            reference = _first_live(text)
            if reference is None:
                return replace(node, value=_unescaped(text))
            start, body = reference
            if self._in_rules and len(files) > 1 and not self._rules_may_refer:
                raise ConfigError([Problem(node.place, "", _not_in_rules(body))])
            whole = start == 0 and len(text) == len(body) + 3
            value, source = self._look_up(body, node.place, folder)
            if source is not None:
                included = self._include(source, value, node.place, files)
                if whole:
                    return included
                value = _as_text(included, value, source, node.place)
            elif whole:
                parsed = _parsed(value, node.place)
                if not (isinstance(parsed, Scalar) and isinstance(parsed.value, str)):
                    return self.tree(parsed, folder, files)
                # a string is taken as it is spelled, quotes and all, as in the Collector
            text = text[:start] + (value or "") + text[start + len(body) + 3 :]
        raise ConfigError([Problem(node.place, "", "a substitution here leads back to itself")])

    def _look_up(self, body: str, place: Place, folder: Path) -> tuple[str | None, Path | None]:
        """Return the text that a reference stands for, and the file if it is one."""
        if "$" in body:
            raise ConfigError([Problem(place, "", f"${{{body}}} has a $ in it, which no name or path may have")])
        scheme, colon, rest = body.partition(":")
        if not colon:
            return self._variable(body, place), None
        if scheme == "env":
            return self._variable(rest, place), None
        if scheme == "file":
            path = folder / rest
            if not rest:
                raise ConfigError([Problem(place, "", "${file:} names no file, expected ${file:path}")])
            self.on_read(path)
            return read_file(path, place), path
        hint = f'; did you mean "${{env:{body}}}"?' if rest.startswith("-") else did_you_mean(scheme, ("env", "file"))
        what = f"unknown source {shown(scheme)} in ${{{body}}}, expected ${{env:NAME}} or ${{file:path}}{hint}"
        raise ConfigError([Problem(place, "", what if _SCHEME.fullmatch(scheme) else f"${{{body}}} cannot be read")])

    def _variable(self, text: str, place: Place) -> str | None:
        name, has_default, default = text.partition(":-")
        if not _NAME.fullmatch(name):
            what = f"{shown(name)} in ${{env:{text}}} is not the name of an environment variable"
            raise ConfigError([Problem(place, "", f"{what}, expected letters, digits and _")])
        value = self.environ.get(name)
        if value is None and not has_default:
            message = f"environment variable {name} is not set, so the value is empty"
            self.warnings.append(Problem(place, "", f"{message}; set it, or write ${{env:{name}:-default}}"))
        if value is None and has_default:
            return default
        return value or None  # an empty variable is a null, an empty default is an empty string, as in the Collector

    def _include(self, path: Path, text: str | None, place: Place, files: tuple[Path, ...]) -> Node:
        if _identity(path) in files:
            loop = " → ".join(file.name for file in (*files, path))
            raise ConfigError([Problem(place, "", f"${{file:}} leads back to itself: {loop}")])
        assert text is not None
        try:
            content = read_yaml(text, str(path))
        except ConfigError:
            if path.suffix in (".yaml", ".yml"):
                raise
            content = Scalar("", place)
        if isinstance(content, Scalar):
            spelled = text.rstrip("\r\n")
            is_text = isinstance(content.value, str) and path.suffix not in (".yaml", ".yml")
            content = replace(content, value=spelled if is_text else content.value, text=spelled)
        return self.tree(content, path.parent, (*files, _identity(path)))


def without_references(node: Node, problems: list[Problem]) -> Node:
    """Return the tree of a text that is not trusted with any reference; each of them is a problem."""
    if isinstance(node, Mapping):
        entries = {
            key: Entry(entry.key_place, without_references(entry.node, problems)) for key, entry in node.entries.items()
        }
        return replace(node, entries=entries)
    if isinstance(node, Sequence):
        return replace(node, items=tuple(without_references(item, problems) for item in node.items))
    if not isinstance(node.value, str):
        return node
    reference = _first_live(node.value)
    if reference is not None:
        message = f"${{{reference[1]}}} is not replaced in rules that come over HTTP; write the value itself"
        problems.append(Problem(node.place, "", message))
    return replace(node, value=_unescaped(node.value))


def _rules_may_refer(root: Node) -> bool:
    node: Node | None = root
    for key in ("service", "substitution_in_rules"):
        node = node.get(key) if isinstance(node, Mapping) else None
    return isinstance(node, Scalar) and node.value is True


def _not_in_rules(body: str) -> str:
    return (
        f"${{{body}}} is not replaced in a file of rules: whoever may edit that could read secrets with it; write it in the main "
        "file, or set service.substitution_in_rules: true there"
    )


def _first_live(text: str) -> tuple[int, str] | None:
    """Return where the first reference that is not escaped begins, and what is between its braces."""
    for match in _REFERENCE.finditer(text):
        if len(match["dollars"]) % 2:
            return match.start("body") - 2, match["body"]
    return None


def _unescaped(text: str) -> str:
    return text.replace("$$", "$")


def _identity(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _parsed(value: str | None, place: Place) -> Node:
    """Return what a variable holds, as YAML; text that is no YAML is a string, as in the Collector."""
    if not value:
        return Scalar(value, place)
    try:
        node = read_yaml(value, "", at=place)
    except ConfigError:
        return Scalar(value, place, value)
    return replace(node, text=value)


def _as_text(node: Node, text: str | None, path: Path, place: Place) -> str:
    if not isinstance(node, Scalar):
        what = f"{path} holds a list or a mapping, which cannot stand inside a longer text"
        raise ConfigError([Problem(place, "", f"{what}; write ${{file:…}} alone")])
    return node.value if isinstance(node.value, str) else (text or "").strip()
