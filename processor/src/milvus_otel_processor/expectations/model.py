"""A file of expectations: traces in a few lines, or ids of recorded ones, and what is to become of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from milvus_otel_processor.config.nodes import Mapping, Sequence, read_yaml
from milvus_otel_processor.config.problems import ConfigError, Place, Problem
from milvus_otel_processor.config.validation import validate
from milvus_otel_processor.settings import Duration, Settings

if TYPE_CHECKING:
    from pathlib import Path

_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}")


class EventSettings(Settings):
    """An event of a span."""

    name: str = Field(description="Its name, such as `exception`.")
    attributes: dict[str, Any] = Field(default={}, description="Its attributes.")


class SpanSettings(Settings):
    """A span, with those below it."""

    name: str = Field(description="Its name.")
    service: str = Field(default="", description="`service.name` of its resource; by default that of its parent.")
    kind: Literal["internal", "server", "client", "producer", "consumer"] = Field(
        default="internal", description="Its kind."
    )
    start: Duration = Field(default=0.0, description="When it begins, counted from the beginning of its parent.")
    duration: Duration = Field(default=0.001, description="How long it takes.")
    status: Literal["UNSET", "OK", "ERROR"] = Field(default="UNSET", description="Its status.")
    attributes: dict[str, Any] = Field(default={}, description="Its attributes.")
    resource: dict[str, Any] = Field(default={}, description="Attributes of its resource beside `service.name`.")
    trace_state: str = Field(default="", description="Its W3C trace state.")
    sampled: bool = Field(default=False, description="Whether it has the W3C flag `sampled`.")
    events: list[EventSettings] = Field(default=[], description="Its events.")
    without_parent: bool = Field(
        default=False, description="Whether its parent is one that never arrives: then it is no root."
    )
    spans: list[SpanSettings] = Field(default=[], description="The spans below it.")


class ExpectationSettings(Settings):
    """One expectation: a trace, and what is to become of it."""

    name: str = Field(min_length=1, description="What is expected, as a sentence.")
    trace: list[SpanSettings] | None = Field(
        default=None, description="The spans of a trace, each with those below it."
    )
    recording: str | None = Field(
        default=None,
        description="A file of recorded traffic, as `milvus-otel replay` takes it; relative to this file.",
    )
    access_log: str | None = Field(default=None, description="Milvus' access log of the same time.")
    trace_id: str | None = Field(
        default=None,
        description="The id of the trace. For one that is written here, by default one that `probabilistic` samples last of many.",
    )
    kept: bool | None = Field(default=None, description="Whether it is kept, by whichever policy.")
    kept_by: str | None = Field(default=None, description="The policy that is to keep it.")
    dropped_by: str | None = Field(default=None, description="The `drop` policy that is to drop it.")

    @field_validator("trace_id")
    @classmethod
    def _is_a_trace_id(cls, text: str | None) -> str | None:
        if text is not None and (not _TRACE_ID.fullmatch(text) or not int(text, 16)):
            raise ValueError("expected a trace id: 32 hexadecimal digits, not all zero")
        return text

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.trace is None) == (self.recording is None):
            raise ValueError("expected either `trace`, with spans, or `recording`, with a `trace_id`")
        if self.trace is not None and not self.trace:
            raise ValueError("expected at least one span under `trace`")
        if self.recording is not None and self.trace_id is None:
            raise ValueError("expected a `trace_id` beside `recording`")
        if self.trace is not None and self.access_log is not None:
            raise ValueError("expected `access_log` only beside `recording`")
        said = [one for one in (self.kept, self.kept_by, self.dropped_by) if one is not None]
        if len(said) != 1:
            raise ValueError("expected one of `kept: true`, `kept: false`, `kept_by: …` and `dropped_by: …`")
        return self


class FileSettings(Settings):
    """A file of expectations."""

    rules: str | None = Field(
        default=None,
        description="The configuration, or a file with the rules alone; relative to this file. Without it, and without `--config`, "
        "the built-in rules.",
    )
    tests: list[ExpectationSettings] = Field(min_length=1, description="What is expected.")


@dataclass(frozen=True)
class Expectation:
    """One expectation, and where it stands."""

    settings: ExpectationSettings
    place: Place


@dataclass(frozen=True)
class ExpectationFile:
    """A file of expectations; paths in it are relative to its folder."""

    path: Path
    rules: Path | None
    expectations: tuple[Expectation, ...]


def read_expectations(path: Path) -> ExpectationFile:
    """Return what a file expects. Raises ConfigError with all that is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError([Problem(Place(str(path)), "", f"cannot be read: {reason}")]) from None
    root = read_yaml(text, str(path))
    if not isinstance(root, Mapping):
        raise ConfigError([Problem(root.place, "", "expected a mapping with the key tests, and maybe rules")])
    problems: list[Problem] = []
    settings = validate(FileSettings, root, "", problems, [])
    if settings is None:
        raise ConfigError(problems)
    tests = root.get("tests")
    assert isinstance(tests, Sequence)
    found = [Expectation(one, node.place) for one, node in zip(settings.tests, tests.items, strict=True)]
    _check_names(found)
    rules = path.parent / settings.rules if settings.rules is not None else None
    return ExpectationFile(path, rules, tuple(found))


def _check_names(expectations: list[Expectation]) -> None:
    seen: dict[str, Place] = {}
    for one in expectations:
        first = seen.setdefault(one.settings.name, one.place)
        if first is not one.place:
            message = f'"{one.settings.name}" is the name of two tests, first at {first}; rename one'
            raise ConfigError([Problem(one.place, "tests", message)])
