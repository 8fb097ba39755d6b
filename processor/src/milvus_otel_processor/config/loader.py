"""From a file, ``--set`` and the environment to a checked `Config`, or to the list of all that is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.components import SECTIONS, component, types
from milvus_otel_processor.config.builtin import default_config_path
from milvus_otel_processor.config.listed import component_type
from milvus_otel_processor.config.model import Config, ServiceSettings
from milvus_otel_processor.config.named_files import remarks_on_files
from milvus_otel_processor.config.nodes import Mapping, Node, is_null, plain, read_yaml
from milvus_otel_processor.config.notes import notes, notes_on_rules, place_of
from milvus_otel_processor.config.overrides import override, read_override
from milvus_otel_processor.config.pipeline import (
    check_pipeline,
    check_policy_names,
    unused_components,
)
from milvus_otel_processor.config.policy_overrides import override_policy
from milvus_otel_processor.config.problems import ConfigError, Place, Problem, did_you_mean, one_of, shown
from milvus_otel_processor.config.rules_alone import refused, rules_of, with_rules
from milvus_otel_processor.config.substitution import Substitution, without_references
from milvus_otel_processor.config.validation import validate
from milvus_otel_processor.pipeline.own import OwnProcessorError
from milvus_otel_processor.sampling.settings import TailSamplingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Mapping as EnvironMapping

    from pydantic import BaseModel

    from milvus_otel_processor.enrichment.settings import MilvusSettings

_SECTIONS = (*SECTIONS, "service")
_COMPONENT_ID = re.compile(r"([a-zA-Z][0-9a-zA-Z_]{0,62}|[A-Za-z_][\w.]*:[A-Za-z_]\w*)(/[^\s/]\S{0,1023})?")
"""`type` or `type/name`, as the Collector's `component.ID` allows them, a name without spaces; or a class of the user's own."""


_MOST_TOKENS_OVER_HTTP = 25_000
"""In rules that somebody sends: those of a list of 12,500 values, a quarter of a second of CPU time."""


@dataclass(frozen=True)
class LoadedConfig:
    """A configuration that can be run, and what its author may want to know."""

    config: Config
    warnings: tuple[Problem, ...]
    root: Node = field(default=Mapping({}, Place("")), repr=False)

    def problems_with_files(self, now: float) -> tuple[list[Problem], list[Problem]]:
        """Read the certificates, keys and tokens that settings name; return errors and warnings. `now` is seconds since 1970."""
        found: tuple[list[Problem], list[Problem]] = ([], [])
        for remark in remarks_on_files(self.config, now):
            problem = Problem(place_of(self.root, remark.path), remark.path, remark.message)
            found[not remark.is_error].append(problem)
        return found


def load_config(
    path: Path | None,
    *,
    overrides: Sequence[str] = (),
    policy_overrides: Sequence[str] = (),
    environ: EnvironMapping[str, str],
    on_read: Callable[[Path], None] = lambda _: None,
    rules_alone: bool = False,
    rules: Node | None = None,
) -> LoadedConfig:
    """Return the configuration in the file at `path`, by default the built-in one, with each `key.path=value` applied.

    Then each of `policy_overrides`, `NAME.key=value`, is applied to the policy with that name.

    `on_read` is called with each file that takes part right before it is read, also with one that cannot be. With `rules_alone`
    the file may hold the block of `tail_sampling` and nothing else; the rest is then that of the built-in configuration.
    `rules` stand in the place of its own, which are then not read. Raises ConfigError with every problem there is, as far as one
    does not hide the next.
    """
    substitution = Substitution(environ, on_read, rules)
    root = substitution.file(path or default_config_path())
    alone = rules_of(root) if path is not None else None
    if path is not None and alone is not None:
        if not rules_alone:
            raise refused(alone, path)
        substitution.rules = alone  # so that the built-in ones are not read
        root = with_rules(substitution.file(default_config_path()), alone)
    for argument in overrides:
        try:
            keys, value = read_override(argument, lambda node: substitution.tree(node, Path()))
            root = override(root, keys, value)
        except ConfigError as error:
            substitution.problems.extend(error.problems)
    for argument in policy_overrides:
        try:
            root = override_policy(root, argument, lambda node: substitution.tree(node, Path()))
        except ConfigError as error:
            substitution.problems.extend(error.problems)
    if substitution.problems:
        raise ConfigError(substitution.problems)
    if not isinstance(root, Mapping):
        raise ConfigError([Problem(root.place, "", _no_mapping(root))])
    warnings: list[Problem] = []
    config = _checked(root, warnings)
    found = (*substitution.warnings, *warnings, *unused_components(root), *notes(root, config))
    return LoadedConfig(config, tuple(dict.fromkeys(found)), root)


def load_rules(
    text: str, source: str, milvus: MilvusSettings | None
) -> tuple[TailSamplingSettings, tuple[Problem, ...]]:
    """Return the rules in a text that holds them alone, and warnings; nothing of it is replaced by files or the environment.

    `milvus` is the enrichment that they are to work with, if there is one.
    Raises ConfigError with every problem there is.
    """
    root = read_yaml(text, source, most_tokens=_MOST_TOKENS_OVER_HTTP)
    rules = rules_of(root)
    if rules is None:
        raise ConfigError([Problem(root.place, "", "expected the block of tail_sampling: decision_wait, policies, …")])
    problems: list[Problem] = []
    warnings: list[Problem] = []
    rules = without_references(rules, problems)
    settings = None
    if not problems:
        settings = _component(TailSamplingSettings, rules, "tail_sampling", problems, warnings)
    if problems or not isinstance(settings, TailSamplingSettings):
        raise ConfigError(sorted(problems, key=_by_place))
    return settings, tuple(dict.fromkeys((*warnings, *notes_on_rules(rules, settings, milvus))))


def _no_mapping(root: Node) -> str:
    what = "the file is empty" if is_null(root) else f"the file holds {shown(plain(root))}"
    return f"{what}, expected a mapping with the keys {', '.join(_SECTIONS)}"


def _checked(root: Mapping, warnings: list[Problem]) -> Config:
    problems: list[Problem] = []
    for key, entry in root.entries.items():
        if key not in _SECTIONS:
            message = f"is not a known key, {one_of(_SECTIONS)}{did_you_mean(key, _SECTIONS)}"
            problems.append(Problem(entry.key_place, key, message))
    sections = {section: _components(root, section, problems, warnings) for section in SECTIONS}
    service_node = root.get("service")
    service = None
    if service_node is None:
        problems.append(Problem(root.place, "service", "is missing, expected the pipeline in service.pipelines.traces"))
    else:
        service = validate(ServiceSettings, service_node, "service", problems, warnings)
    problems.extend(check_pipeline(root))
    if problems or service is None:
        raise ConfigError(sorted(problems, key=_by_place))
    return Config(**sections, service=service)


def _by_place(problem: Problem) -> tuple[str, int]:
    return problem.place.source, problem.place.line or 0


def _components(root: Mapping, section: str, problems: list[Problem], warnings: list[Problem]) -> dict[str, Any]:
    node = root.get(section)
    if node is None or is_null(node):
        if section not in {"processors", "extensions"}:
            problems.append(
                Problem(node.place if node else root.place, section, "is missing, expected one " + section[:-1])
            )
        return {}
    if not isinstance(node, Mapping):
        problems.append(Problem(node.place, section, f"{shown(plain(node))}: expected a mapping from ids to settings"))
        return {}
    found = {}
    for name, entry in node.entries.items():
        path = f"{section}.{name}"
        try:
            known = component(section, component_type(name))
        except OwnProcessorError as error:
            problems.append(Problem(entry.key_place, path, str(error)))
            continue
        if known is None:
            problems.append(Problem(entry.key_place, path, _unknown_type(section, name)))
        elif not _COMPONENT_ID.fullmatch(name):
            message = f"{shown(name)} is not a valid id, expected {component_type(name)} or {component_type(name)}/name"
            problems.append(Problem(entry.key_place, path, message))
        else:
            found[name] = _component(known.settings, entry.node, path, problems, warnings)
    return found


def _component(
    model: type[BaseModel], node: Node, path: str, problems: list[Problem], warnings: list[Problem]
) -> BaseModel | None:
    own: list[Problem] = []
    settings = validate(model, node, path, own, warnings)
    policies = node.get("policies") if issubclass(model, TailSamplingSettings) and isinstance(node, Mapping) else None
    names = list(check_policy_names(policies, f"{path}.policies"))
    # the model notices names that are missing or there twice too, but knows no lines; it says so of the block as a whole
    problems.extend(problem for problem in own if not names or problem.path != path)
    problems.extend(names)
    return settings


def _unknown_type(section: str, name: str) -> str:
    known = types(section)
    return f"is not a known type of {section[:-1]}, {one_of(known)}{did_you_mean(component_type(name), known)}"
