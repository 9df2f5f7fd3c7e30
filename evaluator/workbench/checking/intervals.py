"""Sets of exact values on a line: intervals, open or closed, with the grid their values lie on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

End = tuple[int, Fraction, int]
"""Where an interval ends: before all values, at one, or after all; and just below it, at it or just above it."""
FIRST: End = (-1, Fraction(0), 0)
LAST: End = (1, Fraction(0), 0)


def common_grain(one: Fraction, other: Fraction) -> Fraction:
    """Return the largest number of which both are multiples; 0 is a multiple of any.

    >>> common_grain(Fraction(1, 2), Fraction(3, 4))
    Fraction(1, 4)
    """
    den = lcm(one.denominator, other.denominator)
    return Fraction(gcd(int(one * den), int(other * den)), den)


@dataclass(frozen=True, slots=True)
class Values:
    """Disjoint intervals in ascending order; of these the multiples of `grain`, or all values where it is None."""

    parts: tuple[tuple[End, End], ...]
    grain: Fraction | None = None

    @staticmethod
    def between(
        low: Fraction | None,
        high: Fraction | None,
        grain: Fraction | None = None,
        has_low: bool = True,
        has_high: bool = True,
    ) -> Values:
        """Return an interval; None for an end where it has none, `has_…` says whether an end is in it.

        >>> Values.between(Fraction(1, 2), Fraction(3), Fraction(1), has_high=False).lowest
        Fraction(1, 1)
        """
        start = FIRST if low is None else (0, low, 0 if has_low else 1)
        end = LAST if high is None else (0, high, 0 if has_high else -1)
        return _made([(start, end)], grain)

    @staticmethod
    def of(points: Iterable[Fraction]) -> Values:
        """Return a set of single values."""
        return _made([((0, point, 0), (0, point, 0)) for point in sorted(set(points))], None)

    @property
    def is_empty(self) -> bool:
        """Whether there is no value in it."""
        return not self.parts

    @property
    def lowest(self) -> Fraction | None:
        """The lower end; None where there is none."""
        return self.parts[0][0][1] if self.parts and self.parts[0][0] != FIRST else None

    @property
    def highest(self) -> Fraction | None:
        """The upper end; None where there is none."""
        return self.parts[-1][1][1] if self.parts and self.parts[-1][1] != LAST else None

    @property
    def points(self) -> list[Fraction] | None:
        """The values, where they are a few single ones; None otherwise."""
        return [low[1] for low, _ in self.parts] if all(low == high for low, high in self.parts) else None

    @property
    def size(self) -> int | None:
        """How many values there are in it; None where there is no end to them.

        >>> Values.between(Fraction(1), Fraction(4), Fraction(1)).size
        4
        """
        points = self.points
        if points is not None:
            return len(points)
        if self.grain is None or self.lowest is None or self.highest is None:
            return None
        return sum(int((high[1] - low[1]) / self.grain) + 1 for low, high in self.parts)

    @property
    def step(self) -> Fraction | None:
        """A number of which all values are multiples; None where none is known."""
        if self.grain is not None:
            return self.grain
        points, step = self.points, Fraction(0)
        if points is None:
            return None
        for point in points:
            step = common_grain(step, point)
        return step

    def meet(self, other: Values) -> Values:
        """Return the values in both."""
        grain = self.grain if self.grain is not None else other.grain
        found = [
            (max(low, below), min(high, above))
            for low, high in self.parts
            for below, above in other.parts
            if max(low, below) <= min(high, above)
        ]
        return _made(found, grain)

    def join(self, other: Values) -> Values:
        """Return the values in either, on a grid both lie on."""
        if self.is_empty or other.is_empty:
            return other if self.is_empty else self
        if self.points is not None and other.points is not None:
            return Values.of([*self.points, *other.points])
        mine, theirs = self.step, other.step
        grain = common_grain(mine, theirs) if mine is not None and theirs is not None else None
        return _made([*self.parts, *other.parts], grain or None)

    def outside(self) -> Values:
        """Return all values of the line that are not in it, whatever the grid."""
        found, start = [], FIRST
        for low, high in self.parts:
            if low != FIRST:
                found.append((start, _below(low)))
            if high == LAST:
                return _made(found, None)
            start = _above(high)
        return _made([*found, (start, LAST)], None)

    def each(self) -> Iterator[Values]:
        """Give its intervals one by one."""
        for part in self.parts:
            yield Values((part,), self.grain)

    def covers(self, other: Values) -> bool:
        """Whether all values of another are in it."""
        return other.meet(self.outside()).is_empty


def _below(end: End) -> End:
    return (0, end[1], end[2] - 1)


def _above(end: End) -> End:
    return (0, end[1], end[2] + 1)


def _on_grid(low: End, high: End, grain: Fraction) -> tuple[End, End]:
    """Draw the ends of an interval in to the values of the grid."""
    if low != FIRST:
        place = -(-low[1] // grain) * grain
        low = (0, place + grain if low[2] > 0 and place == low[1] else place, 0)
    if high != LAST:
        place = high[1] // grain * grain
        high = (0, place - grain if high[2] < 0 and place == high[1] else place, 0)
    return low, high


def _made(parts: Iterable[tuple[End, End]], grain: Fraction | None) -> Values:
    """Put intervals in order, join those that touch, leave out those with nothing in them."""
    drawn = [_on_grid(low, high, grain) if grain else (low, high) for low, high in parts]
    found: list[tuple[End, End]] = []
    for low, high in sorted(part for part in drawn if part[0] <= part[1]):
        if found and (found[-1][1] == LAST or low <= _above(found[-1][1])):
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return Values(tuple(found), grain or None)


EVERYTHING = Values(((FIRST, LAST),))
NOTHING = Values(())
