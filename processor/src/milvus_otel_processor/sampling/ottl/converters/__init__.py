"""The converters, by what they are about, and here the list of them all.

Each does what its namesake in pkg/ottl/ottlfuncs, v0.158, does; the docstrings say only what a reader might not expect.
"""

from __future__ import annotations

from milvus_otel_processor.sampling.ottl.converters import cases, hashes, lists, parsing, strings, times, types
from milvus_otel_processor.sampling.ottl.converters.base import Converter

CONVERTERS: dict[str, Converter] = {
    **types.CONVERTERS,
    **strings.CONVERTERS,
    **cases.CONVERTERS,
    **parsing.CONVERTERS,
    **lists.CONVERTERS,
    **times.CONVERTERS,
    **hashes.CONVERTERS,
}
"""Every converter by its name in OTTL."""

_LAMBDA = "takes a lambda, which the Collector itself refuses without its feature gate ottl.functions.enableLambda"
_DOCUMENT = "changes whole XML documents, or reads them, which no condition about a span needs"
_HASH = "is a hash that nothing here is compared with; there is FNV, MD5, SHA1, SHA256 and SHA512"
_ALWAYS_NEW = "makes a new id each time, so that nothing is equal to it"

LEFT_OUT: dict[str, str] = {
    **dict.fromkeys(("All", "Any", "Filter", "Find", "MapEach", "MapKeys", "Reduce", "When"), _LAMBDA),
    **dict.fromkeys(("ConvertAttributesToElementsXML", "ConvertTextToElementsXML", "GetXML", "InsertXML"), _DOCUMENT),
    **dict.fromkeys(("ParseSimplifiedXML", "ParseXML", "RemoveXML"), _DOCUMENT),
    **dict.fromkeys(("CommunityID", "Murmur3Hash", "Murmur3Hash128", "XXH128", "XXH3"), _HASH),
    **dict.fromkeys(("UUID", "UUIDv7"), _ALWAYS_NEW),
    "ExtractGrokPatterns": "needs Logstash's library of patterns; ExtractPatterns takes regular expressions",
    "Format": "writes by Go's verbs; there is Concat and String",
    "FormatTime": "writes a time as text; there is Year, Month, Day, Weekday, Hour, Minute and Second",
    "ParseCSV": "reads tables; there is Split",
    "ParseSeverity": "is for logs",
    "ProfileID": "is for profiles",
    "Time": "reads a time from text; those of spans and events are times already",
    "URL": "takes addresses apart by the rules of Go's parser; there is ExtractPatterns, and url.path as an attribute",
    "UserAgent": "needs a list of all browsers; there is IsMatch",
}
"""The converters of v0.158 that are not here, and why."""

__all__ = ["CONVERTERS", "LEFT_OUT", "Converter"]
