"""What comes of calculating with values of which only the ranges are known: never less than it can really come to."""

from __future__ import annotations

from fractions import Fraction

from evaluator.pack.types import Type
from evaluator.workbench.checking.intervals import NOTHING, Values, common_grain

ONE = Fraction(1)
MILLIONTH = Fraction(1, 10**6)
Number = Fraction | None  # None for an end without bound
_End = tuple[int, Fraction]
_NIL: _End = (0, Fraction(0))
MOST_POINTS = 64


def sum_of(*numbers: Number) -> Number:
    """Return the sum, or None where one has no bound."""
    known = [number for number in numbers if number is not None]
    return sum(known, Fraction(0)) if len(known) == len(numbers) else None


def at_least(values: Values, bound: int) -> bool:
    """Whether no value is below a bound."""
    return values.lowest is not None and values.lowest >= bound


def _grain(one: Values, other: Values) -> Fraction | None:
    steps = (one.step, other.step)
    return common_grain(*steps) or ONE if None not in steps else None  # type: ignore[arg-type]


def total(one: Values, other: Values) -> Values:
    """Return the sums of two values."""
    if one.is_empty or other.is_empty:
        return NOTHING
    if pairs := _pairs(one, other):
        return Values.of(a + b for a, b in pairs)
    low, high = sum_of(one.lowest, other.lowest), sum_of(one.highest, other.highest)
    return Values.of([low]) if low is not None and low == high else Values.between(low, high, _grain(one, other))


def product(one: Values, other: Values) -> Values:
    """Return the products of two values."""
    if one.is_empty or other.is_empty:
        return NOTHING
    if pairs := _pairs(one, other):
        return Values.of(a * b for a, b in pairs)
    ends = [_times(a, b) for a in _ends(one) for b in _ends(other)]
    (is_low, low), (is_high, high) = min(ends), max(ends)
    steps = (one.step, other.step)
    grain = steps[0] * steps[1] if steps[0] is not None and steps[1] is not None else None
    return Values.between(None if is_low else low, None if is_high else high, grain or None)


def _pairs(one: Values, other: Values) -> list[tuple[Fraction, Fraction]]:
    """Return each value of one with each of the other, where they are few; nothing otherwise."""
    ours, theirs = one.points, other.points
    if ours is None or theirs is None or len(ours) * len(theirs) > MOST_POINTS:
        return []
    return [(a, b) for a in ours for b in theirs]


def _ends(values: Values) -> tuple[_End, _End]:
    low, high = values.lowest, values.highest
    return ((-1, Fraction(0)) if low is None else (0, low), (1, Fraction(0)) if high is None else (0, high))


def _times(one: _End, other: _End) -> _End:
    """Multiply two ends of intervals; nothing times anything is nothing, also without bound."""
    if one == _NIL or other == _NIL:
        return _NIL
    signs = [end[0] or (1 if end[1] > 0 else -1) for end in (one, other)]
    return (signs[0] * signs[1], Fraction(0)) if one[0] or other[0] else (0, one[1] * other[1])


def smaller(one: Values, other: Values) -> Values:
    """Return the values the lesser of two can have."""
    return _mirrored(greater(_mirrored(one), _mirrored(other)))


def greater(one: Values, other: Values) -> Values:
    """Return the values the greater of two can have."""
    if one.is_empty or other.is_empty:
        return NOTHING
    lows = [low for low in (one.lowest, other.lowest) if low is not None]
    if not lows:
        return one.join(other)
    return one.join(other).meet(Values.between(max(lows), None))


def _mirrored(values: Values) -> Values:
    return product(values, Values.of([Fraction(-1)]))


def many(each: Values) -> Values:
    """Return what any number of values add up to, none of them among these."""
    low, high = each.lowest, each.highest
    if each.is_empty or (low == high == 0):
        return Values.of([Fraction(0)])
    least = Fraction(0) if low is not None and low >= 0 else None
    most = Fraction(0) if high is not None and high <= 0 else None
    return Values.between(least, most, each.step or None)


def stored(values: Values, kind: Type | None = None) -> Values:
    """Return the values as they are stored: numbers in whole millionths."""
    if kind is not None and kind.base not in ("number", "integer"):
        return values
    step = values.step
    if values.is_empty or (step is not None and (step / MILLIONTH).denominator == 1):
        return values
    ends = [None if end is None else to_grain(end, MILLIONTH) for end in (values.lowest, values.highest)]
    return Values.between(ends[0], ends[1], MILLIONTH)


def to_grain(value: Fraction, grain: Fraction) -> Fraction:
    """Round half away from zero to a multiple.

    >>> to_grain(Fraction(-5, 2), Fraction(1))
    Fraction(-3, 1)
    """
    places = abs(value) / grain
    return (1 if value >= 0 else -1) * grain * ((places + Fraction(1, 2)) // 1)
