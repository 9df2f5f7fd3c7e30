"""Expressions told apart by what they say, wherever they stand; and all the formulas of a definition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from evaluator.pack.definitions import Formula
from evaluator.pack.nodes import Compare, Node, Not
from evaluator.pack.types import BOOLEAN

Shape = tuple[Any, ...]


def shape(node: Node) -> Shape:
    """Return what an expression says: two that say the same have one shape, whatever their places."""
    parts: list[Any] = [type(node).__name__]
    for field in fields(node):
        if field.name in ("type", "nullable", "place", "written"):
            continue
        value = getattr(node, field.name)
        listed = value if isinstance(value, tuple) else (value,)
        parts.append(tuple(shape(one) if isinstance(one, Node) else one for one in listed))
    return tuple(parts)


def formulas_in(thing: Any) -> Iterator[Formula]:
    """Give every formula of a definition and of all it holds, in the order written."""
    if isinstance(thing, Formula):
        yield thing
    elif isinstance(thing, dict):
        for value in thing.values():
            yield from formulas_in(value)
    elif isinstance(thing, (list, tuple)):
        for value in thing:
            yield from formulas_in(value)
    elif is_dataclass(thing) and not isinstance(thing, Node):
        for field in fields(thing):
            yield from formulas_in(getattr(thing, field.name))


def written(formula: Formula, node: Node) -> str:
    """Return a part of an expression as it is written; of between, the half it is."""
    start, length = node.place
    text = " ".join(formula.text[start : start + length].split())
    if isinstance(node, Compare) and " between " in text.lower():
        return f"{written(formula, node.left)} {node.op} {written(formula, node.right)}"
    return text


def negated(node: Node) -> Node:
    """Return the condition that this one does not hold."""
    return node.operand if isinstance(node, Not) else Not(BOOLEAN, node.nullable, node.place, node)
