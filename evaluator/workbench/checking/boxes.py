"""Conditions as alternatives: in each, the values that are left to what the condition looks at.

An alternative, a box, maps what is looked at to the values left to it. What a condition says of one value is exact;
values are taken to be independent of each other, and so "never" is certain, while "can be" is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from evaluator.pack.nodes import Compare, Const, IsNull, Junction, Name, Node, Not, OneOf
from evaluator.workbench.checking.arithmetic import product, total
from evaluator.workbench.checking.intervals import Values
from evaluator.workbench.checking.ranges import EITHER, Ranges
from evaluator.workbench.checking.shapes import Shape, shape

MOST = 300
YES, NO = Values.of([Fraction(1)]), Values.of([Fraction(0)])
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>"}


@dataclass(frozen=True, slots=True)
class Left:
    """What is looked at, the values that a condition leaves to it, and those left without what it can have at all."""

    node: Node
    values: Values
    said: Values


Box = dict[Shape, Left]


class TooMany(Exception):  # noqa: N818 - caught where conditions are put together
    """A condition has more alternatives than can be looked at."""


class Boxes:
    """Conditions of a pack as alternatives."""

    def __init__(self, ranges: Ranges) -> None:
        self.ranges = ranges

    def can_hold(self, *conditions: tuple[Node, bool]) -> bool:
        """Return False only where these, each to hold or to fail, can certainly not be so together."""
        boxes = self.of(*conditions)
        return boxes is None or bool(boxes)

    def of(self, *conditions: tuple[Node, bool]) -> list[Box] | None:
        """Return in which ways all of these hold, or fail; None where there are too many to tell."""
        try:
            boxes: list[Box] = [{}]
            for node, truth in conditions:
                boxes = _both(boxes, self._boxes(node, truth))
        except TooMany:
            return None
        return boxes

    def _boxes(self, node: Node, truth: bool) -> list[Box]:
        match node:
            case Const():
                return [{}] if node.value is truth else []
            case Not():
                return self._boxes(node.operand, not truth)
            case Junction():
                parts = [self._boxes(part, truth) for part in node.parts]
                if (node.op == "and") is truth:
                    found: list[Box] = [{}]
                    for part in parts:
                        found = _both(found, part)
                    return found
                return _few([box for part in parts for box in part])
            case Name():
                meaning = self._meaning(node)
                return self._boxes(meaning, truth) if meaning is not None else self._left(node, YES if truth else NO)
            case IsNull() if not node.operand.nullable:
                return [] if truth else [{}]
            case Compare():
                return self._compared(node, truth)
            case OneOf():
                places = [self._place(item, node.operand) for item in node.items]
                if node.operand.type.base != "ref" and None not in places:
                    found_values = Values.of(place for place in places if place is not None)
                    return self._left(node.operand, found_values if truth else found_values.outside())
        return self._left(node, YES if truth else NO)

    def _meaning(self, node: Name) -> Node | None:
        """Return the condition that a yes or no of the same subject stands for; None where it is none."""
        kind = self.ranges.pack.kinds.get(node.owner)
        if kind is None or node.hops:
            return None
        measure, verdict = kind.measures.get(node.leaf), kind.verdicts.get(node.leaf)
        if measure is not None and measure.value is not None:
            return measure.value.node
        if verdict is not None and verdict.form == "yes_no" and verdict.model.override_by is None:
            return verdict.when.node if verdict.when is not None else None
        return None

    def _place(self, node: Node, beside: Node) -> Fraction | None:
        return self.ranges.place(node.value, beside.type) if isinstance(node, Const) else None

    def _compared(self, node: Compare, truth: bool) -> list[Box]:
        left, right, op = node.left, node.right, node.op
        if isinstance(left, Const) and not isinstance(right, Const):
            left, right, op = right, left, _TURNED[op]
        place = self._place(right, left)
        if place is None or left.type.base == "ref" or isinstance(left, Const):
            return self._of_two(node, truth)
        values = {
            "=": Values.of([place]), "<>": Values.of([place]).outside(),
            "<": Values.between(None, place, has_high=False), "<=": Values.between(None, place),
            ">": Values.between(place, None, has_low=False), ">=": Values.between(place, None),
        }[op]  # fmt: skip
        return self._left(left, values if truth else values.outside())

    def _of_two(self, node: Compare, truth: bool) -> list[Box]:
        """Compare two values, neither of which is known beforehand, or both: by all each of them can be."""
        left, right = node.left, node.right
        comparable = left.type.is_number or left.type.base == "date" or left.type == right.type
        if comparable and left.type.base != "ref":
            apart = total(self.ranges.of(left), _turned(self.ranges.of(right)))
            zero = Fraction(0)
            holds = {
                "=": Values.of([zero]), "<>": Values.of([zero]).outside(),
                "<": Values.between(None, zero, has_high=False), "<=": Values.between(None, zero),
                ">": Values.between(zero, None, has_low=False), ">=": Values.between(zero, None),
            }[node.op]  # fmt: skip
            if shape(left) == shape(right):
                apart = Values.of([zero])
            if apart.meet(holds if truth else holds.outside()).is_empty:
                return []
        return self._left(node, YES if truth else NO)

    def _left(self, node: Node, said: Values) -> list[Box]:
        all_values = EITHER if node.type.base == "boolean" else self.ranges.of(node)
        values = all_values.meet(said)
        return [] if values.is_empty else [{shape(node): Left(node, values, said)}]


def _turned(values: Values) -> Values:
    return product(values, Values.of([Fraction(-1)]))


def _both(some: list[Box], more: list[Box]) -> list[Box]:
    if len(some) * len(more) > MOST * 10:
        raise TooMany
    return _few([box for one in some for other in more if (box := _met(one, other)) is not None])


def _few(boxes: list[Box]) -> list[Box]:
    if len(boxes) > MOST:
        raise TooMany
    return boxes


def _met(one: Box, other: Box) -> Box | None:
    found = dict(one)
    for key, left in other.items():
        mine = found.get(key)
        if mine is not None:
            left = Left(left.node, left.values.meet(mine.values), left.said.meet(mine.said))
            if left.values.is_empty:
                return None
        found[key] = left
    return found


def only_names(boxes: Iterable[Box]) -> bool:
    """Whether what is looked at are named values alone, of which each can be what it likes."""
    return all(isinstance(left.node, Name) for box in boxes for left in box.values())


def given_by(boxes: list[Box] | None) -> Iterator[dict[Shape, Values]]:
    """Give of each alternative the values left, for the ranges of what is looked at there."""
    for box in boxes if boxes is not None else [{}]:
        yield {key: left.values for key, left in box.items()}
