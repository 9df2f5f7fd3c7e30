"""How the types of values fit together: what goes with what, and what is refused."""

from __future__ import annotations

import datetime as dt

from evaluator.diagnostics import closest
from evaluator.pack.dialect import Wrong
from evaluator.pack.nodes import Const, Node
from evaluator.pack.scalars import DATE
from evaluator.pack.types import DATE_TYPE, INTEGER, NOTHING, NUMBER, Base, Type


def fits(have: Type, wanted: Base) -> bool:
    """Return whether a value will do where `wanted` is needed; null always does."""
    return have.base == wanted or have.base == "nothing" or (wanted == "number" and have.is_number)


def as_typed(node: Node, wanted: Type) -> Node:
    """Return the node, literal text made a date where a date is wanted."""
    if isinstance(node, Const) and isinstance(node.value, str) and wanted.base == "date":
        try:
            if not DATE.match(node.value):
                raise ValueError
            return Const(DATE_TYPE, False, node.place, dt.date.fromisoformat(node.value))
        except ValueError:
            raise Wrong("P306", f"'{node.value}' is not a date", node.place, "write it as '2021-01-31'") from None
    return node


def alike(left: Node, right: Node, text: str) -> tuple[Node, Node]:
    """Return both sides with literal text turned into what the other side is, or refuse the pair; `text` holds both."""
    left, right = as_typed(left, right.type), as_typed(right, left.type)
    a, b = left.type, right.type
    if "nothing" in (a.base, b.base):
        side = left if a.base == "nothing" else right
        raise Wrong("P306", "a comparison with null is always unknown", side.place, "write is null")
    if a.base != b.base and not (a.is_number and b.is_number) or a.target != b.target:
        raise Wrong("P306", f"{a} is compared with {b}", right.place)
    for known, literal in ((a, right), (b, left)):
        if known.values and isinstance(literal, Const) and literal.value not in known.values:
            words = [str(value) for value in known.values]
            near = closest(str(literal.value), words)
            raise Wrong(
                "P307",
                f"{_shown(literal, text)} is not one of {', '.join(words)}",
                literal.place,
                f"write '{near}'" if near else None,
            )
    return left, right


def _shown(literal: Const, text: str) -> str:
    start, length = literal.place
    return text[start : start + length]


def need_order(op: str, left: Node, right: Node) -> None:
    """Refuse to put in order what has none, or levels of two scales."""
    levels = next((side.type.values for side in (left, right) if side.type.is_ordered), ())
    for side in (left, right):
        is_disordered = bool(side.type.values) and not side.type.is_ordered and not side.type.is_number
        if side.type.base in ("boolean", "ref") or is_disordered:
            raise Wrong("P306", f"{op} needs an order, and {side.type} has none", side.place, "use = or in")
        if levels and not (side.type.is_number or isinstance(side, Const) or side.type.values == levels):
            raise Wrong("P306", f"{op} compares levels, and this is {side.type}", side.place, "use = or in")


def common(nodes: list[Node]) -> Type:
    """Return the one type all have; numbers mix, and null goes with any."""
    types = [node.type for node in nodes if node.type.base != "nothing"]
    if not types:
        return NOTHING
    if all(kind.is_number for kind in types):
        return INTEGER if all(kind.base == "integer" for kind in types) else NUMBER
    for node in nodes:
        if node.type.base != "nothing" and (node.type.base, node.type.target) != (
            types[0].base,
            types[0].target,
        ):
            raise Wrong("P306", f"this is {node.type}, where the others are {types[0]}", node.place)
    return types[0] if all(kind == types[0] for kind in types) else Type(types[0].base, target=types[0].target)
