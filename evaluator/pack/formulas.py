"""What a pack writes down, typed: expressions compiled in their scope, and literals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from fractions import Fraction

from evaluator.pack.definitions import Formula, Order
from evaluator.pack.dialect import Wrong
from evaluator.pack.expression import compile_expression, split_order
from evaluator.pack.functions import OF_TERM
from evaluator.pack.nodes import Recall, Setting
from evaluator.pack.scopes import NameScope
from evaluator.pack.source import Text
from evaluator.pack.types import BOOLEAN, DATE_TYPE, INTEGER, NUMBER, TEXT, Base, Type


def compile_formula(text: Text, scope: NameScope, wanted: Base | None, part: str | None = None) -> Formula | None:
    """Compile an expression; note what is wrong with it and return None where it has no meaning."""
    context = scope.context
    try:
        node = compile_expression(part if part is not None else str(text), scope, wanted)
    except Wrong as wrong:
        context.problems.add(wrong.code, wrong.message, text.span(*wrong.place), wrong.fix)
        return None
    for found in node.walk():
        if isinstance(found, Recall):
            if context.file.history is None:
                at = text.span(*found.place)
                context.problems.add(
                    "P201",
                    "the pack does not say what a year without result does",
                    at,
                    "add history: {gap: breaks} or {gap: skipped} to pack.yaml",
                )
            if found.years == "term":
                context.note_term(text.span(*found.place))
            context.recalls[scope.owner][found.column] = found
        elif isinstance(found, Setting) and found.name in OF_TERM:
            context.note_term(text.span(*found.place))
    return Formula(node, part if part is not None else str(text), text.at, text)


def compile_optional(text: Text | None, scope: NameScope, wanted: Base | None) -> Formula | None:
    """Compile an expression that may be left out."""
    return None if text is None else compile_formula(text, scope, wanted)


def compile_order(keys: list[Text] | None, scope: NameScope) -> tuple[Order, ...]:
    """Compile the keys of an ordering, each of which may end in desc."""
    made = []
    for key in keys or ():
        part, descending = split_order(str(key))
        found = compile_formula(key, scope, None, part)
        if found is not None:
            made.append(Order(found, descending))
    return tuple(made)


def type_of(values: Iterable[object]) -> Type | None:
    """Return the type all these literals have; None where they have several."""
    kinds = {type(value) for value in values}
    if kinds == {Fraction}:
        return INTEGER if all(v.denominator == 1 for v in values if isinstance(v, Fraction)) else NUMBER
    by_class = {bool: BOOLEAN, dt.date: DATE_TYPE, str: TEXT}
    return by_class.get(kinds.pop()) if len(kinds) == 1 else None


def is_value_of(value: object, kind: Type) -> bool:
    """Whether a literal is one of a type's values."""
    if kind.values:
        return value in kind.values
    if kind.base == "integer":
        return isinstance(value, Fraction) and value.denominator == 1
    wanted = {"number": Fraction, "boolean": bool, "date": dt.date, "text": str}
    return isinstance(value, wanted.get(kind.base, str))
