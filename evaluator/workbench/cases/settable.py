"""Values a case can give so that a condition comes out as wanted: of fields and measures of a subject."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

from evaluator.pack.check_case import OF_MEASURE, TOTAL
from evaluator.pack.definitions import KindDef
from evaluator.pack.nodes import Arithmetic, Compare, Const, IsNull, Junction, Name, Node, Not, OneOf
from evaluator.sql.lower import constant_of
from evaluator.sql.ratio import UNIT
from evaluator.workbench.cases.thresholds import Threshold


class Unsettable(Exception):  # noqa: N818 - it is not an error of ours
    """What a condition rests on cannot be given; says what that is."""


def column_of(kind: KindDef, node: Node) -> str:
    """Return the column in which a case gives what a name stands for; raise Unsettable where it gives no such thing."""
    if not isinstance(node, Name):
        raise Unsettable("it compares what is computed on the spot")
    if node.hops or node.owner != kind.name:
        raise Unsettable("it is not of the subject itself")
    if node.leaf in kind.measures:
        return OF_MEASURE + node.leaf
    if node.leaf == TOTAL:
        return TOTAL
    found = kind.table.fields.get(node.leaf)
    if found is None:
        raise Unsettable(f"{node.leaf} cannot be given")
    if found.is_derived or node.leaf in kind.table.key:
        raise Unsettable(f"{node.leaf} cannot be given")
    return node.leaf


@dataclass(frozen=True, slots=True)
class Near:
    """What to give around an edge: a column, its nearest values below, at and above (-1, 0, 1); others beside it."""

    column: str
    values: list[tuple[int, object]]
    beside: dict[str, object] = field(default_factory=dict)


def near_to(kind: KindDef, threshold: Threshold) -> Near:
    """Return what to give around the threshold; of a cap, around what the line comes to."""
    left, right = threshold.compared.left, threshold.compared.right
    if threshold.look.bound:
        assert isinstance(left, Name)
        line = next(line for line in kind.lines if f"raw.{line.id}" == left.leaf)
        if line.points is None or line.aggregate is not None or line.base is not None or line.times:
            raise Unsettable("what the line comes to is no value that can be given")
        left = line.points.node
    return _around(kind, left, right)


def alone(kind: KindDef, threshold: Threshold) -> dict[str, object]:
    """Return what else to give, so that nothing but the threshold decides."""
    look = threshold.look
    given: dict[str, object] = {}
    verdict = kind.verdicts.get(threshold.decides)
    for rule in reversed(verdict.rules if verdict is not None else ()):  # that none of the others decides
        if rule.when is not None and rule.when.at != look.formula.at:
            given |= _wanted(kind, rule.when.node, False)
    for condition in look.reach.when:
        given |= _wanted(kind, condition.node, True)
    if threshold.leaf is not None:
        given |= _beside(kind, look.formula.node, threshold.leaf.node)
    return given


def _around(kind: KindDef, left: Node, right: Node) -> Near:
    """Return what to give so that the left side is nearest to the right one, which is a constant.

    The left side is a name, a multiple of one, or a sum of such, of which all but one are nothing; raise Unsettable
    where it is another thing.
    """
    if left.type.base == "date":
        if not isinstance(right, Const) or not isinstance(right.value, dt.date):
            raise Unsettable("its edge is not written down")
        day = right.value
        return Near(column_of(kind, left), [(side, day + dt.timedelta(days=side)) for side in (-1, 0, 1)])
    edge = constant_of(right)
    if edge is None:
        raise Unsettable("its edge is not written down")
    name, factor, offset, others = _linear(kind, left)
    steps = 1 if name.type.base == "integer" else UNIT
    place = (edge - offset) / factor * steps  # in the smallest steps the value can take
    gap = max(1, ceil(steps / (abs(factor) * UNIT)))  # that what is stored of the left side differs, too
    low, high = ceil(place) - gap, floor(place) + gap
    near = [(-1, low), *([(0, int(place))] if place.denominator == 1 else []), (1, high)]
    sign = 1 if factor > 0 else -1
    values: list[tuple[int, object]] = [(side * sign, Fraction(value, steps)) for side, value in near]
    return Near(column_of(kind, name), sorted(values, key=lambda one: one[0]), others)


def _linear(kind: KindDef, node: Node) -> tuple[Name, Fraction, Fraction, dict[str, object]]:
    """Return a name, the constant it is multiplied by, what is added to that, and the names that are to be nothing."""
    if isinstance(node, Name):
        return node, Fraction(1), Fraction(0), {}
    if isinstance(node, Arithmetic):
        left, right = constant_of(node.left), constant_of(node.right)
        if node.op in "*/" and right:
            name, factor, offset, others = _linear(kind, node.left)
            by = right if node.op == "*" else 1 / right
            return name, factor * by, offset * by, others
        if node.op == "*" and left:
            name, factor, offset, others = _linear(kind, node.right)
            return name, factor * left, offset * left, others
        if node.op in "+-":
            sign = 1 if node.op == "+" else -1
            if right is not None:
                name, factor, offset, others = _linear(kind, node.left)
                return name, factor, offset + sign * right, others
            if left is not None:
                name, factor, offset, others = _linear(kind, node.right)
                return name, sign * factor, left + sign * offset, others
            name, factor, offset, others = _linear(kind, node.left)
            other, _, beside_it, more = _linear(kind, node.right)
            nothing: dict[str, object] = {column_of(kind, other): Fraction(0)}
            if column_of(kind, name) not in nothing:
                return name, factor, offset + sign * beside_it, others | more | nothing
    raise Unsettable("it compares what is computed on the spot")


def _beside(kind: KindDef, node: Node, leaf: Node) -> dict[str, object]:
    """Return what to give so that a condition is decided by one of its parts, as far as the others can be set."""
    given: dict[str, object] = {}
    if isinstance(node, Not):
        return _beside(kind, node.operand, leaf)
    if isinstance(node, Junction):
        for part in node.parts:
            if any(below is leaf for below in part.walk()):
                given |= _beside(kind, part, leaf)
            else:
                given |= _wanted(kind, part, node.op == "and")
    return given


def _wanted(kind: KindDef, node: Node, wanted: bool) -> dict[str, object]:
    """Return what to give so that a condition holds, or fails; nothing where that cannot be given."""
    try:
        return _met(kind, node, wanted)
    except Unsettable:
        return {}


def _met(kind: KindDef, node: Node, wanted: bool) -> dict[str, object]:
    match node:
        case Not(operand=operand):
            return _met(kind, operand, not wanted)
        case Junction(op=op, parts=parts):
            needed = parts if (op == "and") == wanted else parts[:1]
            return {name: value for part in needed for name, value in _wanted(kind, part, wanted).items()}
        case Name() if node.type.base == "boolean":
            return {column_of(kind, node): wanted}
        case IsNull(operand=operand) if wanted and isinstance(operand, Name) and operand.leaf in kind.measures:
            return {column_of(kind, operand): None}
        case OneOf(operand=operand, items=items):
            values = [item.value for item in items if isinstance(item, Const)]
            return _one(kind, operand, values, wanted)
        case Compare(op="=" | "<>", left=left, right=Const(value=value)):
            return _one(kind, left, [value], wanted == (node.op == "="))
        case Compare(op="<" | "<=" | ">" | ">=", left=left, right=right) if left.type.is_number:
            near = _around(kind, left, right)
            side = 1 if (node.op in (">", ">=")) == wanted else -1
            return near.beside | {near.column: next(value for found, value in near.values if found == side)}
    raise Unsettable("it is no such condition")


def _one(kind: KindDef, operand: Node, values: list[object], wanted: bool) -> dict[str, object]:
    column = column_of(kind, operand)
    if wanted:
        return {column: values[0]}
    other = next((value for value in operand.type.values if value not in values), None)
    if other is None:
        raise Unsettable("there is no other value")
    return {column: other}
