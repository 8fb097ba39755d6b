"""Results as JUnit XML, which CI systems show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from milvus_otel_processor.expectations.check import Result

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document may hold."""


def junit_xml(results: Mapping[Path, Sequence[Result]]) -> bytes:
    """Return the results of each file as one document: a suite for a file, a case for an expectation."""
    every = [result for found in results.values() for result in found]
    root = ET.Element("testsuites", {"name": "milvus-otel test", **_counts(every)})
    for path, found in results.items():
        suite = ET.SubElement(root, "testsuite", {"name": str(path), **_counts(found)})
        for result in found:
            case = ET.SubElement(
                suite,
                "testcase",
                name=_clean(result.name),
                classname=str(path),
                file=str(path),
                line=str(result.place.line or 1),
                time=f"{result.seconds:.3f}",
            )
            if result.difference:
                kind = "error" if result.is_error else "failure"
                first = _clean("; ".join(result.difference[:2]))
                ET.SubElement(case, kind, message=first).text = _clean("\n".join(result.difference))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _counts(results: Sequence[Result]) -> dict[str, str]:
    errors = sum(result.is_error for result in results)
    return {
        "tests": str(len(results)),
        "failures": str(sum(bool(result.difference) for result in results) - errors),
        "errors": str(errors),
        "time": f"{sum(result.seconds for result in results):.3f}",
    }


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
