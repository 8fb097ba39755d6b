"""What only holds between parts of the configuration: names that are referred to, orders, doubles."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from milvus_otel_processor.components import COMPONENTS
from milvus_otel_processor.config.listed import LOGS, SERVICE, TRACES, component_type, listed
from milvus_otel_processor.config.logs_pipeline import SAMPLING, check_logs_pipeline, is_for_logs_alone
from milvus_otel_processor.config.nodes import Mapping, Node, Scalar, Sequence
from milvus_otel_processor.config.problems import Problem, did_you_mean, one_of, shown
from milvus_otel_processor.pipeline.own import is_own

if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTED_AT = {
    "extensions": (SERVICE,),
    "receivers": (TRACES, LOGS),
    "processors": (TRACES, LOGS),
    "exporters": (TRACES, LOGS),
}
"""Where the components of a section are listed that take part."""


_AUTHENTICATOR_AT = {
    "receivers": ("protocols", "grpc", "auth", "authenticator"),
    "exporters": ("auth", "authenticator"),
}
"""Where in a component's settings its authenticator is named."""


def check_pipeline(root: Mapping) -> Iterator[Problem]:
    """Yield what is wrong between the pipeline and the components it names."""
    for section, places in _LISTED_AT.items():
        for where in places:
            yield from _check_defined(root, section, listed(root, where, section), f"{where}.{section}")
    yield from _check_order(listed(root, TRACES, "processors"))
    yield from check_logs_pipeline(root)
    yield from _check_tail_storage(root)
    yield from _check_authenticators(root)


def _check_defined(root: Mapping, section: str, items: list[Scalar], path: str) -> Iterator[Problem]:
    defined = root.get(section)
    names = list(defined.entries) if isinstance(defined, Mapping) else []
    for index, item in enumerate(items):
        if item.value not in names:
            expected = one_of(names) if names else f"but there is nothing under {section}"
            what = f"{shown(item.value)} is not defined under {section}, {expected}"
            yield Problem(item.place, f"{path}[{index}]", what + did_you_mean(item.value, names))
    yield from _check_twice(items, path)


def unused_components(root: Mapping) -> Iterator[Problem]:
    """Yield a warning for each component that is defined but takes no part in the pipeline."""
    for section, places in _LISTED_AT.items():
        defined = root.get(section)
        used = {item.value for where in places for item in listed(root, where, section)}
        for name, entry in defined.entries.items() if isinstance(defined, Mapping) else ():
            if name not in used and not is_for_logs_alone(root, section, name):
                where = LOGS if component_type(name) == SAMPLING else places[0]
                message = f"is not used, {where}.{section} does not list it"
                yield Problem(entry.key_place, f"{section}.{name}", message)


def check_policy_names(policies: Node | None, path: str) -> Iterator[Problem]:
    """Yield a problem for each policy without a name, or with one that an earlier one has: metrics could not tell them apart."""
    first: dict[object, Scalar] = {}
    for index, policy in enumerate(policies.items if isinstance(policies, Sequence) else ()):
        if not isinstance(policy, Mapping):
            continue
        name = policy.get("name")
        where = f"{path}[{index}].name"
        if name is None or (isinstance(name, Scalar) and name.value in (None, "")):
            what = "is missing" if name is None else "is empty"
            place = policy.place if name is None else name.place
            yield Problem(
                place, where, f"{what}, expected `name: …`, a name of its own for each policy under `policies`"
            )
        elif isinstance(name, Scalar) and name.value in first:
            what = f"{shown(name.value)} is the name of two policies, first at {first[name.value].place}; rename one"
            yield Problem(name.place, where, what)
        elif isinstance(name, Scalar):
            first[name.value] = name


def _check_twice(items: list[Scalar], path: str) -> Iterator[Problem]:
    seen: dict[object, str] = {}
    for index, item in enumerate(items):
        kind = component_type(str(item.value))
        if seen.get(kind) == item.value:
            yield Problem(item.place, f"{path}[{index}]", f"{shown(item.value)} is listed twice; remove one")
        elif kind in seen and path.endswith("processors") and not is_own(kind):
            what = f"{shown(item.value)} is a second {kind} processor, beside {shown(seen[kind])}; remove one"
            yield Problem(item.place, f"{path}[{index}]", what)
        seen[kind] = str(item.value)


def _check_tail_storage(root: Mapping) -> Iterator[Problem]:
    extensions = [str(item.value) for item in listed(root, SERVICE, "extensions")]
    storages = [name for name in extensions if component_type(name) == "file_storage"]
    processors = root.get("processors")
    for name, entry in processors.entries.items() if isinstance(processors, Mapping) else ():
        named = entry.node.get("tail_storage") if isinstance(entry.node, Mapping) else None
        if isinstance(named, Scalar) and named.value is not None and named.value not in storages:
            expected = (
                one_of(storages) if storages else "expected a file_storage extension, which has to be listed there"
            )
            what = f"{shown(named.value)} is no file_storage extension in service.extensions, {expected}"
            yield Problem(named.place, f"processors.{name}.tail_storage", what)


def _check_authenticators(root: Mapping) -> Iterator[Problem]:
    extensions = [str(item.value) for item in listed(root, SERVICE, "extensions")]
    known = [name for name in extensions if component_type(name) == "bearertokenauth"]
    paths: list[tuple[str, ...]] = [("service", "telemetry", "page", "auth", "authenticator")]
    for section, keys in _AUTHENTICATOR_AT.items():
        components = root.get(section)
        paths += [(section, name, *keys) for name in (components.entries if isinstance(components, Mapping) else ())]
    for path in paths:
        node: Node | None = root
        for key in path:
            node = node.get(key) if isinstance(node, Mapping) else None
        if isinstance(node, Scalar) and node.value not in known:
            expected = one_of(known) if known else "expected a bearertokenauth extension, which has to be listed there"
            what = f"{shown(node.value)} is no bearertokenauth extension in service.extensions, {expected}"
            yield Problem(node.place, ".".join(path), what)


def _check_order(items: list[Scalar]) -> Iterator[Problem]:
    order = [one.type for one in sorted(COMPONENTS, key=lambda one: one.place or 0) if one.place is not None]
    ranked = [(order.index(kind), item) for item in items if (kind := component_type(str(item.value))) in order]
    for (rank, item), (next_rank, later) in pairwise(ranked):
        if next_rank < rank:
            what = f"{later.value} after {item.value} is not supported, expected [{', '.join(order)}]"
            yield Problem(
                later.place,
                "service.pipelines.traces.processors",
                f"{what}: rules can only ask for what enrichment has added, and are asked before anything is redacted",
            )
    for index, item in enumerate(items[:-1]):
        if component_type(str(item.value)) == "redaction":
            what = "redaction is not the last processor; put it behind all others: what they add is redacted, too"
            yield Problem(item.place, f"service.pipelines.traces.processors[{index}]", what)
