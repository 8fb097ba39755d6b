"""A call's arguments by name, without binding them: the names are looked up once, when a method is wrapped."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PARAMETERS: set[str] = set()
"""The names of all parameters of the methods that were wrapped: texts that are pymilvus', never a caller's."""
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def positional_names(method: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the parameters that can be passed by position, in order, without ``self``.

    pymilvus' decorators keep ``__wrapped__``, which ``inspect.signature`` follows to the method as it was written.
    """
    parameters = list(inspect.signature(method).parameters.values())[1:]
    PARAMETERS.update(parameter.name for parameter in parameters)
    return tuple(parameter.name for parameter in parameters if parameter.kind in _POSITIONAL)


def by_name(names: tuple[str, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the caller passed, by parameter name; parameters that were left out are not in it."""
    return dict(zip(names, args, strict=False), **kwargs) if args else kwargs
