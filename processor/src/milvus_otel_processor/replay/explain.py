"""The decision over one recorded trace, explained: as text for people, as JSON for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.text import Text

from milvus_otel_processor.demo.waterfall import waterfall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from milvus_otel_processor.replay.watch import Explained
    from milvus_otel_processor.sampling.explanation import Explanation

_STYLES = {"sampled": "green", "dropped": "red", "not_sampled": "dim", None: "dim"}
_SOURCE = "milvus.enrichment"
_NOT_ASKED = "not_asked"


def to_json(trace_id: str, found: Explained) -> str:
    """Return it as a JSON document."""
    verdict = found.explanation.verdict
    document = {
        "trace_id": trace_id,
        "decision": verdict.decision.value,
        "policy": verdict.policy,
        "spans": len(found.spans),
        "duration_ms": found.milliseconds,
        "has_root": found.has_root,
        "complete": found.complete,
        "enrichment": sources(found),
        "policies": [
            {"name": one.name, "type": one.type, "mode": one.mode, **_as_dict(one.explanation)}
            for one in found.explanation.policies
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _as_dict(explanation: Explanation) -> dict[str, Any]:
    decision = explanation.decision
    inside = [{"name": name, **_as_dict(below)} for name, below in explanation.inside]
    return {
        "verdict": decision.value if decision is not None else _NOT_ASKED,
        "reason": explanation.reason,
        **({"policies": inside} if inside else {}),
    }


def sources(found: Explained) -> list[str]:
    """Return the sources of enrichment that told something about a request of the trace."""
    return sorted({str(span.attributes[_SOURCE]) for span in found.spans if _SOURCE in span.attributes})


def show(trace_id: str, found: Explained, console: Console) -> None:
    """Print it."""
    verdict = found.explanation.verdict
    by = f" by {verdict.policy}" if verdict.policy else ""
    console.print(Text(f"trace {trace_id}: {verdict.decision.value.replace('_', ' ')}{by}", style="bold"))
    for line in _facts(found):
        console.print(Text(line, style="dim"))
    console.print()
    for one in found.explanation.policies:
        shadow = " (shadow)" if one.mode else ""
        _show(f"{one.name}{shadow}", one.type, one.explanation, console, depth=0)
    console.print()
    console.print(waterfall(found.spans, console, 40))


def _facts(found: Explained) -> Iterator[str]:
    yield f"{len(found.spans):,} spans, {found.milliseconds:,.2f} ms"
    if not found.has_root:
        yield "its root span had not arrived"
    elif not found.complete:
        yield "the parent of a span had not arrived"
    told = sources(found)
    yield f"collections told by: {', '.join(told)}" if told else "no source told a collection"


def _show(name: str, type_: str, explanation: Explanation, console: Console, *, depth: int) -> None:
    decision = explanation.decision.value if explanation.decision is not None else None
    head = "  " * depth + name + (f" ({type_})" if type_ and type_ != name else "")
    words = (decision or _NOT_ASKED).replace("_", " ")
    console.print(Text.assemble(head, " ", (words, _STYLES[decision] or ""), f": {explanation.reason}"))
    for below, answer in explanation.inside:
        _show(below, "", answer, console, depth=depth + 1)
