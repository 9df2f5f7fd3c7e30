"""Sets of values in words."""

from __future__ import annotations

from fractions import Fraction

from evaluator.pack.nodes import Name, Node
from evaluator.pack.types import Type
from evaluator.workbench.checking.boxes import Box
from evaluator.workbench.checking.intervals import FIRST, LAST, End, Values
from evaluator.workbench.checking.ranges import Ranges


def called(node: Node) -> str:
    """Return how a named value is written."""
    assert isinstance(node, Name)
    return ".".join([*(hop for hop in node.hops if not hop.startswith("#")), node.leaf])


def told(ranges: Ranges, what: str, values: Values, kind: Type) -> str:
    """Say which values something has: `total is over 89 and under 90`."""
    return " or ".join(_part(ranges, what, low, high, kind) for low, high in values.parts)


def box_told(ranges: Ranges, box: Box) -> str:
    """Say what a condition leaves in one of its ways."""
    return " and ".join(told(ranges, called(left.node), left.said, left.node.type) for left in box.values())


def shown(ranges: Ranges, place: Fraction, kind: Type) -> str:
    """Return the value at a place as a pack writes it."""
    value = ranges.value_at(place, kind)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Fraction):
        return number(value)
    return f"'{value}'" if isinstance(value, str) else str(value)


def number(value: Fraction) -> str:
    """Return an exact number as a decimal, or as a quotient where it is none.

    >>> number(Fraction(179, 2)), number(Fraction(1, 3)), number(Fraction(100))
    ('89.5', '1/3', '100')
    """
    whole = value * 10**6
    if whole.denominator != 1:
        return str(value)
    sign, digits = "-" if whole < 0 else "", f"{abs(whole.numerator):07}"
    return sign + f"{digits[:-6]}.{digits[-6:]}".rstrip("0").rstrip(".")


def _part(ranges: Ranges, what: str, low: End, high: End, kind: Type) -> str:
    if low == high:
        return f"{what} is {shown(ranges, low[1], kind)}"
    ends = []
    if low != FIRST:
        ends.append(f"{'over' if low[2] else 'at least'} {shown(ranges, low[1], kind)}")
    if high != LAST:
        ends.append(f"{'under' if high[2] else 'at most'} {shown(ranges, high[1], kind)}")
    return f"{what} is {' and '.join(ends)}" if ends else f"{what} is anything"
