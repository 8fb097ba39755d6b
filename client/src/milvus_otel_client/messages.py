"""What a span's status says of a failure.

Milvus' answer is told in Milvus' words, a failure of gRPC in gRPC's. pymilvus' own errors quote what they reject, and so
do Python's: of those the class is told, the parameter where it is known, and a text only where it is a constant in
pymilvus' code.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import grpc

from milvus_otel_client.arguments import PARAMETERS
from milvus_otel_client.errors import chain_of, grpc_code_of, milvus_code_of, type_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

MAX_LENGTH = 1024
"""Characters of a status' description."""
_MAX_READ = 4 * MAX_LENGTH
_MAX_FRAMES = 64
_PARAMETER = re.compile(
    r"""
      `(\w{1,64})`\ value\b                               # check_pass_param
    | Illegal\ (?:nullable\ )?str\ variables:\ \{'(\w{1,64})':
    | missing\ required\ argument:\ \[(\w{1,64})\]
    | wrong\ type\ of\ argument\ \[(\w{1,64})\]
    | wrong\ type\ for\ (\w{1,64}),
    | (?:Illegal\ )?(uri):\s
    | (\w{1,64})\ value\ .*\ is\ illegal$
    """,
    re.VERBOSE | re.DOTALL,
)
"""How pymilvus names the parameter that it rejects, at the beginning of a message."""
_RETRIES = re.compile(r"\[\w{1,64}\] Retry (?:timeout: [\d.]{1,20}s|run out of \d{1,9} retry times)")
_GIVEN = frozenset({"uri", "search_data"})
"""Names that pymilvus gives to what its methods call otherwise."""


def message_of(error: BaseException, answer: str | None, without_private: Callable[[str], str]) -> str:
    """Return the description of an operation's status, in one line.

    ``answer`` is what Milvus said, where the error is Milvus' own answer. ``without_private`` takes out of Milvus' and
    gRPC's words what is the application's.
    """
    if answer:
        return one_line(without_private(answer))
    if milvus_code_of(error) is not None:
        return in_own_words(error)
    for link in chain_of(error):
        if isinstance(link, grpc.RpcError):
            return rpc_message_of(link, without_private)
    return in_own_words(error)


def rpc_message_of(error: BaseException, without_private: Callable[[str], str]) -> str:
    """Return the description of the status of an rpc that failed, in one line."""
    code = grpc_code_of(error)
    if code is None:
        return in_own_words(error)
    details = error.details() if isinstance(error, grpc.RpcError) else None
    return one_line(f"{code.name}: {without_private(details)}" if isinstance(details, str) and details else code.name)


def in_own_words(error: BaseException) -> str:
    """Return the class, and what can be said without a value."""
    chain = chain_of(error)
    name = type_name(error)
    said = getattr(error, "message", None)
    if isinstance(said, str) and said:
        if (parameter := _parameter_in(said)) is not None:
            return f"{name}: `{parameter}` is illegal"
        if (retries := _RETRIES.match(said)) is not None:
            name = f"{name}: {retries.group()}"
        elif _is_constant(error, said):
            return one_line(f"{name}: {said}")
    return name if len(chain) == 1 else f"{name}, from {type_name(chain[1])}"


def one_line(text: str) -> str:
    """Return the text in one line, not longer than a status should be."""
    return " ".join(text[:_MAX_READ].split())[:MAX_LENGTH]


def is_answer(error: BaseException, reason: str | None) -> bool:
    """Tell whether an error repeats the reason that Milvus gave for refusing an rpc; others are pymilvus' own."""
    if not reason:
        return False
    # pymilvus puts the number of retries before the answer
    said = getattr(error, "message", None)
    if isinstance(said, str) and reason in said:
        return True
    # in one of its errors the reason is in the place of the code
    return getattr(error, "code", None) == reason


def _parameter_in(message: str) -> str | None:
    found = _PARAMETER.match(message[:_MAX_READ])
    name = found.group(found.lastindex or 0) if found is not None else None
    return name if name in PARAMETERS or name in _GIVEN or name in _checked_by_pymilvus() else None


def _checked_by_pymilvus() -> dict[str, object]:
    checker = getattr(sys.modules.get("pymilvus.client.check"), "ParamChecker", None)
    return checker().check_dict if checker is not None else {}


def _is_constant(error: BaseException, message: str) -> bool:
    """Tell whether the message stands in pymilvus' code as it is, so that nothing of a call can be in it."""
    exceptions: ModuleType | None = sys.modules.get("pymilvus.exceptions")
    if message in vars(getattr(exceptions, "ExceptionsMessage", object)).values():
        return True
    traceback = error.__traceback__
    for _ in range(_MAX_FRAMES):
        if traceback is None:
            return False
        frame = traceback.tb_frame
        is_pymilvus = str(frame.f_globals.get("__name__", "")).startswith("pymilvus.")
        if is_pymilvus and any(isinstance(found, str) and found == message for found in frame.f_code.co_consts):
            return True
        traceback = traceback.tb_next
    return False
