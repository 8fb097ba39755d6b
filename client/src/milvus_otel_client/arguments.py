"""A call's arguments by name, without binding them all: positions are looked up once, when a method is wrapped."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def positions_of(method: Callable[..., Any]) -> dict[str, int]:
    """Return the position of each parameter that can be passed by position, ``self`` not counted.

    pymilvus' decorators keep ``__wrapped__``, which ``inspect.signature`` follows to the method as it was written.
    """
    parameters = list(inspect.signature(method).parameters.values())[1:]
    return {parameter.name: index for index, parameter in enumerate(parameters) if parameter.kind in _POSITIONAL}


class Arguments(Mapping[str, Any]):
    """What the caller passed, by parameter name; defaults of parameters that were left out are not in it."""

    __slots__ = ("_args", "_kwargs", "_positions")

    def __init__(self, positions: Mapping[str, int], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self._positions = positions
        self._args = args
        self._kwargs = kwargs

    def get(self, name: str, default: Any = None) -> Any:
        """Return the argument, or ``default`` where the caller left it out."""
        if name in self._kwargs:
            return self._kwargs[name]
        position = self._positions.get(name)
        return self._args[position] if position is not None and position < len(self._args) else default

    def __getitem__(self, name: str) -> Any:
        value = self.get(name, _MISSING)
        if value is _MISSING:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        passed = len(self._args)
        yield from (name for name, position in self._positions.items() if position < passed)
        yield from self._kwargs

    def __len__(self) -> int:
        return sum(1 for _ in self)


_MISSING = object()
