"""The contract between the processor and the native store has a number, which is raised with each change."""

import ast
import inspect
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

from milvus_otel_processor.spans import contract
from milvus_otel_processor.spans.contract import CONTRACT, Arrived, Store, StoreSettings, Taken, Trace
from milvus_otel_processor.spans.fates import Fates
from milvus_otel_processor.spans.head import Head, Status
from milvus_otel_processor.spans.wanted import CallMarks, Wanted, WantedCalls, WantedFailures, WantedValue

RUST = Path("processor/core/src/lib.rs")
NATIVE = Path("processor/src/milvus_otel_processor/spans/native.py")
NUMBER = 22
WHAT_IT_SAYS = "87adc49ecc1a"
"""Of all that is asked for in spans/contract.py, by the number above."""


def members(asked: type) -> list[str]:
    """What is asked for, with the types as they are written; what is said about it does not count."""
    found = [f"{name}: {written(type_)}" for name, type_ in sorted(inspect.get_annotations(asked).items())]
    for name, member in sorted(vars(asked).items()):
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if inspect.isfunction(function) and (not name.startswith("_") or name in ("__len__", "__contains__")):
            types = inspect.get_annotations(function).items()
            found.append(f"{name}({', '.join(f'{argument}: {written(type_)}' for argument, type_ in types)})")
    return found


def hooks() -> list[str]:
    """What the native store is given beside its settings; read as text, because it may not be installed."""
    wrapper = ast.parse(NATIVE.read_text(encoding="utf-8"))
    classes = [node for node in wrapper.body if isinstance(node, ast.ClassDef) and node.name == "_Hooks"]
    return [ast.unparse(line) for found in classes for line in found.body]


def written(type_: Any) -> str:
    """A type that is a text in the code, which each Python keeps in its own way."""
    return str(getattr(type_, "__forward_arg__", type_))


def test_what_stores_are_asked_for_has_changed_only_with_its_number():
    says = [
        line
        for asked in (
            Fates,
            Store,
            Trace,
            Head,
            Status,
            StoreSettings,
            Arrived,
            Wanted,
            WantedCalls,
            WantedFailures,
            WantedValue,
            CallMarks,
            Taken,
        )
        for line in members(asked)
    ]
    says += hooks()
    now = sha256("\n".join(says).encode()).hexdigest()[:12]
    assert (CONTRACT, now) == (NUMBER, WHAT_IT_SAYS), (
        f"spans/contract.py asks for something else than before: raise CONTRACT there and in {RUST}, and write that number and "
        f"{now!r} above"
    )


def test_the_native_store_is_built_with_the_same_number():
    rust = re.search(r"^const CONTRACT: u32 = (\d+);$", RUST.read_text(encoding="utf-8"), re.MULTILINE)
    assert rust is not None
    assert int(rust[1]) == contract.CONTRACT
