"""The functions and the settings of the language, and the names it keeps to itself."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from evaluator.pack.dialect import WORDS, Wrong
from evaluator.pack.fitting import as_typed, common, fits
from evaluator.pack.nodes import Call, Const, Node
from evaluator.pack.types import BOOLEAN, DATE_TYPE, INTEGER, NUMBER, Base, Type

_Function = Callable[[str, list[Node], tuple[int, int]], Node]


def _called(name: str, wanted: tuple[Base, ...], optional: int) -> str:
    """Write how a function is called.

    >>> _called("round", ("number", "number"), 1)
    'round(number[, number])'
    """
    needed, more = wanted[: len(wanted) - optional], wanted[len(wanted) - optional :]
    return f"{name}({', '.join(needed)}{''.join(f'[, {m}]' for m in more)})"


def _takes(*wanted: Base, gives: Type, optional: int = 0) -> _Function:
    """Make a function with a fixed list of argument types, the last `optional` of which may be left out."""

    def check(name: str, arguments: list[Node], place: tuple[int, int]) -> Node:
        if not len(wanted) - optional <= len(arguments) <= len(wanted):
            raise Wrong("P304", f"{name} is called as {_called(name, wanted, optional)}", place)
        arguments = [as_typed(a, Type(w)) for a, w in zip(arguments, wanted, strict=False)]
        for argument, want in zip(arguments, wanted, strict=False):
            if not fits(argument.type, want):
                raise Wrong("P306", f"{name} takes a {want} here, and this is {argument.type}", argument.place)
        kind = gives
        if name == "abs" and arguments[0].type.base == "integer":
            kind = INTEGER
        if name == "round":
            if len(arguments) == 2:
                digits = arguments[1]
                if not (isinstance(digits, Const) and digits.value in list(map(Fraction, range(7)))):
                    raise Wrong("P304", "round takes a number of places from 0 to 6", digits.place)
                kind = NUMBER
            else:
                kind = INTEGER
        return Call(kind, any(a.nullable for a in arguments), place, name, tuple(arguments))

    return check


def _numbers(least: int, most: int | None) -> _Function:
    """Make a function of several numbers that gives one of them."""

    def check(name: str, arguments: list[Node], place: tuple[int, int]) -> Node:
        if len(arguments) < least or (most and len(arguments) > most):
            raise Wrong("P304", f"{name} takes {least}{'' if most else ' or more'} numbers", place)
        for argument in arguments:
            if not argument.type.is_number:
                raise Wrong("P306", f"{name} takes numbers, and this is {argument.type}", argument.place)
        whole = all(argument.type.base == "integer" for argument in arguments)
        return Call(INTEGER if whole else NUMBER, any(a.nullable for a in arguments), place, name, tuple(arguments))

    return check


def _coalesce(name: str, arguments: list[Node], place: tuple[int, int]) -> Node:
    if len(arguments) < 2:
        raise Wrong("P304", "coalesce takes two values or more", place)
    return Call(common(arguments), all(a.nullable for a in arguments), place, name, tuple(arguments))


FUNCTIONS: dict[str, _Function] = {
    "abs": _takes("number", gives=NUMBER),
    "round": _takes("number", "number", gives=NUMBER, optional=1),
    "floor": _takes("number", gives=INTEGER),
    "ceil": _takes("number", gives=INTEGER),
    "least": _numbers(2, None),
    "greatest": _numbers(2, None),
    "clamp": _numbers(3, 3),
    "coalesce": _coalesce,
    "contains": _takes("text", "text", gives=BOOLEAN),
    "length": _takes("text", gives=INTEGER),
    "year": _takes("date", gives=INTEGER),
    "quarter": _takes("date", gives=INTEGER),
    "month": _takes("date", gives=INTEGER),
    "day": _takes("date", gives=INTEGER),
    "weekday": _takes("date", gives=INTEGER),
    "days": _takes("date", "date", gives=INTEGER),
    "months": _takes("date", "date", gives=INTEGER),
    "workdays": _takes("date", "date", gives=INTEGER),
}
OVER_YEARS = {
    "last": "one value",
    "years_running": "one condition",
    "years": "a condition, and a number of years or term",
    "sum_years": "a number, and a number of years or term",
}
"""What the functions take that look back on earlier years."""
OF_TERM = ("term_start", "term_end")
SETTINGS = {
    "this_year": INTEGER, "period_start": DATE_TYPE, "period_end": DATE_TYPE, **dict.fromkeys(OF_TERM, DATE_TYPE),
}  # fmt: skip
RESERVED = {
    *FUNCTIONS, *SETTINGS, *(word.lower() for word in WORDS), *OVER_YEARS, "total", "points", "rank", "position",
    "people", "is_expected", "is_filled", "is_assessed", "is_ranked", "all", "asc", "desc",
}  # fmt: skip
