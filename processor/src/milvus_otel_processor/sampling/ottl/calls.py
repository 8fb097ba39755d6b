"""A converter called with its arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from milvus_otel_processor.sampling.ottl.converters import CONVERTERS, LEFT_OUT
from milvus_otel_processor.sampling.ottl.errors import CompileError, OttlError
from milvus_otel_processor.sampling.ottl.hints import of_name
from milvus_otel_processor.sampling.ottl.nodes import Literal, Operand

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.sampling.ottl.coercion import Coercion
    from milvus_otel_processor.sampling.ottl.converters.base import Converter, Parameter
    from milvus_otel_processor.sampling.ottl.values import Value

    Given = Sequence[tuple[str | None, Operand]]
    """Arguments as they were written: with their name, or None where they have none."""


def call(name: str, given: Given, *, context: str, time_ns: Callable[[], int]) -> Operand:
    """Return the operand that calls the converter of this name.

    Raises CompileError, saying what there is, where there is no such converter or the arguments are not its own.
    """
    converter = _converter(name, context)
    function = converter.function
    arguments = _bound(name, converter.parameters, given)
    if converter.gets == "now":
        return Operand(lambda _: function(time_ns()), is_converter=True)
    if converter.gets == "span":
        return Operand(function, is_converter=True)
    _check(converter, [_coerced(name, argument, parameter) for argument, parameter in arguments])
    constants = [(argument.value, parameter) for argument, parameter in arguments if isinstance(argument, Literal)]
    if len(constants) == len(arguments):
        try:
            return _Folded(function(*[parameter.coerce(value) for value, parameter in constants]))
        except OttlError:
            pass  # no error before a span asks, as in the Collector
    return Operand(_closure(function, [(argument.get, parameter.coerce) for argument, parameter in arguments]), True)


def _converter(name: str, context: str) -> Converter:
    if name in LEFT_OUT:
        raise CompileError(f"the converter {name} is not there: it {LEFT_OUT[name]}")
    converter = CONVERTERS.get(name)
    if converter is None:
        raise CompileError(f"there is no converter {name}{of_name(name, CONVERTERS)}")
    if converter.gets == "span" and context != "span":
        raise CompileError(f"{name} can only be used in span conditions; here, ask for span.parent_span_id")
    return converter


class _Folded(Literal):
    """What a converter makes of literals alone."""

    def __init__(self, value: Value) -> None:
        super().__init__(value)
        object.__setattr__(self, "is_converter", True)


def _bound(name: str, parameters: tuple[Parameter, ...], given: Given) -> list[tuple[Operand, Parameter]]:
    by_name = {parameter.name: parameter for parameter in parameters}
    bound: dict[str, Operand] = {}
    for place, (written, operand) in enumerate(given):
        if written is None and place >= len(parameters):
            raise CompileError(f"{name} has {len(given)} arguments, expected {_signature(name, parameters)}")
        key = parameters[place].name if written is None else written
        if key not in by_name or key in bound:
            raise CompileError(f"{name} has an argument {key} too many, expected {_signature(name, parameters)}")
        bound[key] = operand
    missing = [parameter.name for parameter in parameters if not parameter.optional and parameter.name not in bound]
    if missing:
        raise CompileError(f"{name} lacks {', '.join(missing)}, expected {_signature(name, parameters)}")
    return [(bound.get(parameter.name, Literal(None)), _or_nil(parameter)) for parameter in parameters]


def _or_nil(parameter: Parameter) -> Parameter:
    if not parameter.optional:
        return parameter
    coerce = parameter.coerce
    return parameter._replace(coerce=lambda value: None if value is None else coerce(value))


def _signature(name: str, parameters: tuple[Parameter, ...]) -> str:
    shown = [f"{parameter.name} (optional)" if parameter.optional else parameter.name for parameter in parameters]
    return f"{name}({', '.join(shown)})"


def _coerced(name: str, argument: Operand, parameter: Parameter) -> Value:
    """Return an argument that was written as a literal as the function gets it, None for any other."""
    if parameter.literal and not isinstance(argument, Literal):
        raise CompileError(f"{name}: {parameter.name} has to be written as a literal")
    if not isinstance(argument, Literal) or argument.is_converter:
        return None
    try:
        return parameter.coerce(argument.value)
    except OttlError as error:
        raise CompileError(f"{name}: {parameter.name}: {error}") from None


def _check(converter: Converter, literals: list[Value]) -> None:
    if converter.check is not None:
        try:
            converter.check(*literals)
        except ValueError as error:
            raise CompileError(str(error)) from None


def _closure(
    function: Callable[..., Value], arguments: list[tuple[Callable[[Any], Value], Coercion]]
) -> Callable[[Any], Value]:
    if len(arguments) == 1:
        ((get, coerce),) = arguments
        return lambda at: function(coerce(get(at)))
    if len(arguments) == 2:
        (get, coerce), (get_other, coerce_other) = arguments
        return lambda at: function(coerce(get(at)), coerce_other(get_other(at)))
    return lambda at: function(*[coerce(get(at)) for get, coerce in arguments])
