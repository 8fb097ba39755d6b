"""Imports run one way: no module needs another that needs it, not even for a type."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

SOURCE = Path(__file__).parents[3] / "processor" / "src"
POLICIES = "milvus_otel_processor.sampling.policies"
HOLD_OTHERS = frozenset(f"{POLICIES}.{name}" for name in ("and_", "composite", "drop", "not_"))
"""Policies that hold any policy, of which there is a list: the one circle that is in the thing itself."""


def modules() -> dict[str, Path]:
    """The processor's modules by their names; a package is its `__init__`."""
    files = SOURCE.rglob("*.py")
    return {".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def imported(path: Path, known: dict[str, Path]) -> set[str]:
    """The processor's modules that a module imports, anywhere in it, for types as well."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & known.keys()


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Some circle in it; nothing where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        names: list[str] = error.args[1]
        return names
    return []


def test_no_module_imports_one_that_imports_it() -> None:
    known = modules()
    graph = {name: imported(path, known) - {name} for name, path in known.items()}
    assert graph[POLICIES] >= HOLD_OTHERS, "the exception is not needed any more"
    for name in HOLD_OTHERS:
        graph[name].discard(POLICIES)
    assert len(graph) > 200
    assert circle(graph) == []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
