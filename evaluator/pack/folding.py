"""What an expression comes to where a condition holds that leaves a name one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

from evaluator.pack.definitions import ParameterDef
from evaluator.pack.exclusion import Path, values_left
from evaluator.pack.nodes import Const, Lookup, Name, Node
from evaluator.pack.scalars import exact, literal

MILLION = 10**6  # what is stored is a whole count of millionths


def folded(node: Node, condition: Node | None, parameters: Mapping[str, ParameterDef]) -> Node:
    """Return an expression as it is where a condition holds, with fewer names to look at."""
    known = {path: value for path, values in values_left(condition).items() if len(values) == 1 for value in values}
    return _folded(node, known, parameters) if known else node


def _folded(node: Node, known: Mapping[Path, object], parameters: Mapping[str, ParameterDef]) -> Node:
    if isinstance(node, Name):
        path = (node.hops, node.leaf)
        return Const(node.type, False, node.place, known[path]) if path in known else node
    changed: dict[str, Any] = {}
    for field in fields(node):
        part = getattr(node, field.name)
        if isinstance(part, Node):
            changed[field.name] = _folded(part, known, parameters)
        elif isinstance(part, tuple):
            changed[field.name] = tuple(_folded(p, known, parameters) if isinstance(p, Node) else p for p in part)
    node = replace(node, **changed)
    return _entry(node, parameters[node.parameter]) if isinstance(node, Lookup) else node


def _entry(node: Lookup, parameter: ParameterDef) -> Node:
    """Return the value of a parameter that is called with one known word; the call itself where it is another one."""
    argument, model = node.arguments[0], parameter.model
    is_plain = parameter.lookup is None and model.values is None and model.how == "is"
    if not is_plain or not isinstance(argument, Const):
        return node
    found = [exact(value) for key, value in model.bands.items() if exact(literal(key)) == argument.value]
    if not found and model.has("else"):
        found = [exact(model.else_)]
    if not found or (isinstance(found[0], Fraction) and MILLION % found[0].denominator):
        return node  # it is rounded where it is looked up
    return Const(parameter.type.gives, False, node.place, found[0])
