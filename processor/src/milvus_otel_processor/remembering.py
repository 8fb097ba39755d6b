"""Remembers the answers of functions of texts that others write, in bounded memory: long texts never become keys."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")

LONGEST = 512


def remember(entries: int, longest: int = LONGEST) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Decorate a function of texts as `functools.lru_cache` does, for texts of `longest` characters or bytes at the most.

    What is longer is answered anew each time. So the keys take `entries` times `longest` at the most, whatever is sent.
    """

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        remembered = lru_cache(maxsize=entries)(function)

        def answer(*arguments: Any) -> R:
            for argument in arguments:
                if argument.__class__ in _TEXTS and len(argument) > longest:
                    return function(*arguments)
            return remembered(*arguments)

        answer.__doc__ = function.__doc__
        answer.cache_info = remembered.cache_info  # type: ignore[attr-defined] # for tests
        return answer

    return decorate


_TEXTS = frozenset((str, bytes))
