"""Random expressions of the pack language, each with its value computed apart from `evaluator`.

A `Said` is the text of an expression and a function from a row to its value: fractions for numbers, None for
unknown. Tests compile the text, run what it is lowered to, and compare.
"""

import datetime as dt
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from evaluator.pack.types import Found, ParameterType, Type

Row = dict[str, Any]
Draw = Callable[..., Any]

OR, AND, NOT, COMPARE, SUM, PRODUCT, MINUS, ATOM = range(8)
"""How tightly the outermost sign of a text binds."""

LARGEST = 29.0


@dataclass(frozen=True)
class Size:
    """Powers of ten that bound a number, and the two integers SQL keeps it as; `known` is a fixed denominator."""

    value: float
    num: float
    den: float
    known: int | None

    @property
    def fits(self) -> bool:
        return self.value <= 11 and self.num <= LARGEST and self.den <= LARGEST


@dataclass(frozen=True)
class Said:
    """An expression, and what it means."""

    text: str
    binds: int
    type: str  # number, integer, boolean, text, date
    value: Callable[[Row], Any]
    size: Size = Size(0, 0, 0, 1)

    def __repr__(self) -> str:
        return self.text

    def within(self, binds: int) -> str:
        """Return the text as a part of something that binds so tightly."""
        return f"({self.text})" if self.binds < binds else self.text


class Names:
    """A scope of names known beforehand; "ref.name" where a name belongs to what a ref leads to."""

    def __init__(
        self,
        types: dict[str, Type],
        unknown: Collection[str] = (),
        parameters: dict[str, ParameterType] | None = None,
    ) -> None:
        self.types, self.unknown, self.parameters = types, unknown, parameters or {}
        self.has_history = True

    def values_left(self, hops: tuple[str, ...], leaf: str) -> None:
        return None

    def find(self, parts: list[str]) -> Found:
        paths = [name.split(".") for name in self.types]
        for place, part in enumerate(parts):
            known = {path[place] for path in paths if path[:place] == parts[:place] and len(path) > place}
            if part not in known:
                raise LookupError(place, sorted(known))
        name = ".".join(parts)
        if name not in self.types:
            raise LookupError(len(parts) - 1, [])
        return Found(tuple(parts[:-1]), "t", parts[-1], self.types[name], name in self.unknown)

    def parameter(self, name: str) -> ParameterType | None:
        return self.parameters.get(name)


# --- numbers ----------------------------------------------------------------------------------------------


def log(value: Fraction | int) -> float:
    return math.log10(abs(value)) if value else 0.0


def exactly(value: Fraction) -> Size:
    return Size(log(value), log(value.numerator), log(value.denominator), value.denominator)


def column_size(largest: int, is_whole: bool) -> Size:
    places = 0 if is_whole else 6
    return Size(log(largest), log(largest) + places, places, 10**places)


def shared(sizes: list[Size]) -> tuple[list[float], float, int | None]:
    """Return the numerators over one denominator, and that."""
    known = [size.known for size in sizes if size.known is not None]
    if len(known) == len(sizes):
        den = math.lcm(*known)
        return [s.num + log(Fraction(den, s.known or 1)) for s in sizes], log(den), den
    total = sum(s.den for s in sizes)
    return [s.num + total - s.den for s in sizes], total, None


def one_of_sizes(sizes: list[Size]) -> Size:
    value = max(s.value for s in sizes)
    if all(s.known is not None for s in sizes):
        nums, den, known = shared(sizes)
        return Size(value, max(nums), den, known)
    return Size(value, max(s.num for s in sizes), max(s.den for s in sizes), None)


def half_away(value: Fraction, places: int) -> Fraction:
    """Round half away from zero."""
    scaled = abs(value) * 10**places
    whole = scaled.numerator // scaled.denominator
    if scaled - whole >= Fraction(1, 2):
        whole += 1
    return Fraction(whole if value >= 0 else -whole, 10**places)


def known_of(parts: list[Any], compute: Callable[..., Any]) -> Any:
    """Compute, unless something is unknown."""
    return None if any(part is None for part in parts) else compute(*parts)


def strict(compute: Callable[..., Any], *parts: Said) -> Callable[[Row], Any]:
    return lambda row: known_of([part.value(row) for part in parts], compute)


def number(written: str) -> Said:
    value = Fraction(written)
    return Said(written, ATOM, "number" if "." in written else "integer", lambda _: value, exactly(value))


def whole_if(parts: list[Said]) -> str:
    return "integer" if all(p.type == "integer" for p in parts) else "number"


def arithmetic(op: str, a: Said, b: Said) -> Said:
    x, y = a.size, b.size
    if op in "+-":
        nums, den, known = shared([x, y])
        made = Size(max(x.value, y.value) + 0.31, max(nums) + 0.31, den, known)
        text = f"{a.within(SUM)} {op} {b.within(PRODUCT)}"
        compute = (lambda m, n: m + n) if op == "+" else (lambda m, n: m - n)
        return Said(text, SUM, whole_if([a, b]), strict(compute, a, b), made)
    text = f"{a.within(PRODUCT)} {op} {b.within(MINUS)}"
    if op == "*":
        known = None if x.known is None or y.known is None else x.known * y.known
        made = Size(x.value + y.value, x.num + y.num, x.den + y.den, known)
        return Said(text, PRODUCT, whole_if([a, b]), strict(lambda m, n: m * n, a, b), made)
    shared_by_both = log(math.gcd(x.known or 1, y.known or 1))
    num, den = x.num + y.den - shared_by_both, x.den + y.num - shared_by_both
    made = Size(x.num + y.den, num, den, None)
    return Said(text, PRODUCT, "number", strict(lambda m, n: m / n if n else None, a, b), made)


def minus(a: Said) -> Said:
    return Said(f"-{a.within(ATOM)}", MINUS, a.type, strict(lambda m: -m, a), a.size)


def extreme(name: str, parts: list[Said]) -> Said:
    nums, den, known = shared([p.size for p in parts])
    made = Size(max(p.size.value for p in parts), max(nums), den, known)
    computes = {"least": min, "greatest": max, "clamp": lambda v, low, high: max(low, min(v, high))}
    compute = (lambda *v: computes[name](*v)) if name == "clamp" else (lambda *v: computes[name](v))
    return call(name, parts, whole_if(parts), compute, made)


def call(name: str, parts: list[Said], kind: str, compute: Callable[..., Any], size: Size = Size(4, 4, 0, 1)) -> Said:
    """Call a function that is unknown where an argument is."""
    return Said(f"{name}({', '.join(p.text for p in parts)})", ATOM, kind, strict(compute, *parts), size)


def to_whole(name: str, a: Said) -> Said:
    computes = {"floor": math.floor, "ceil": math.ceil, "round": lambda v: half_away(v, 0)}
    made = Size(a.size.value + 0.31, a.size.value + 0.31, 0, 1)
    return call(name, [a], "integer", lambda v: Fraction(computes[name](v)), made)


def rounded(a: Said, places: int) -> Said:
    made = Size(a.size.value + 0.31, a.size.value + places + 0.31, places, 10**places)
    text = f"round({a.text}, {places})"
    return Said(text, ATOM, "number", strict(lambda v: half_away(v, places), a), made)


# --- what every type has ----------------------------------------------------------------------------------


def common(parts: list[Said]) -> tuple[str, Size]:
    kind = whole_if(parts) if parts[0].type in ("number", "integer") else parts[0].type
    return kind, one_of_sizes([p.size for p in parts])


def coalesce(parts: list[Said], is_null_first: bool) -> Said:
    kind, size = common(parts)
    words = ["null"] * is_null_first + [p.text for p in parts]

    def first(row: Row) -> Any:
        return next((v for p in parts if (v := p.value(row)) is not None), None)

    return Said(f"coalesce({', '.join(words)})", ATOM, kind, first, size)


def case(tests: list[Said], results: list[Said], ending: str) -> Said:
    """Write a case; `ending` is else (the last result), null, or nothing at all."""
    kind, size = common(results)
    branches = "".join(f"when {t.text} then {r.text} " for t, r in zip(tests, results, strict=False))
    endings = {"else": f"else {results[-1].text} ", "null": "else null ", "": ""}

    def value(row: Row) -> Any:
        for test, result in zip(tests, results, strict=False):
            holds = test.value(row)
            if holds is None:
                return None  # unknown never falls through
            if holds:
                return result.value(row)
        return results[-1].value(row) if ending == "else" else None

    return Said(f"case {branches}{endings[ending]}end", ATOM, kind, value, size)


# --- conditions -------------------------------------------------------------------------------------------


def all_of(values: list[bool | None]) -> bool | None:
    return False if False in values else None if None in values else True


def any_of(values: list[bool | None]) -> bool | None:
    return True if True in values else None if None in values else False


def join(word: str, parts: list[Said]) -> Said:
    binds, settle = (AND, all_of) if word == "and" else (OR, any_of)
    text = f" {word} ".join(p.within(binds + 1) for p in parts)
    return Said(text, binds, "boolean", lambda row: settle([p.value(row) for p in parts]))


def negate(a: Said) -> Said:
    return Said(f"not {a.within(NOT)}", NOT, "boolean", strict(lambda v: not v, a))


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b, "<>": lambda a, b: a != b, "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def compare(op: str, a: Said, b: Said) -> Said:
    return Said(f"{a.within(SUM)} {op} {b.within(SUM)}", COMPARE, "boolean", strict(COMPARISONS[op], a, b))


def between(a: Said, low: Said, high: Said, word: str = "between") -> Said:
    text = f"{a.within(SUM)} {word} {low.within(SUM)} and {high.within(SUM)}"

    def value(row: Row) -> bool | None:
        holds = all_of([compare(">=", a, low).value(row), compare("<=", a, high).value(row)])
        return holds if word == "between" or holds is None else not holds

    return Said(text, COMPARE, "boolean", value)


def among(a: Said, items: list[Said], word: str = "in") -> Said:
    def value(row: Row) -> bool | None:
        holds = any_of([compare("=", a, item).value(row) for item in items])
        return holds if word == "in" or holds is None else not holds

    return Said(f"{a.within(SUM)} {word} ({', '.join(i.text for i in items)})", COMPARE, "boolean", value)


def is_null(a: Said, word: str = "is null") -> Said:
    return Said(
        f"{a.within(SUM)} {word}", COMPARE, "boolean", lambda row: (a.value(row) is None) == (word == "is null")
    )


# --- dates and texts --------------------------------------------------------------------------------------


def months(a: dt.date, b: dt.date) -> int:
    """Count the months that are whole between two dates, by stepping."""
    if b < a:
        return -months(b, a)
    count = 0
    while (b.year, b.month, b.day) >= (a.year + (a.month + count) // 12, (a.month + count) % 12 + 1, a.day):
        count += 1
    return count


OFF = {dt.date(2021, 1, 1), dt.date(2021, 3, 1), dt.date(2019, 7, 1)}
WORKED = {dt.date(2021, 2, 28), dt.date(2020, 2, 29), dt.date(2016, 1, 3)}


def workdays(a: dt.date, b: dt.date) -> int:
    """Count working days one by one; what is off, what is worked, and Monday to Friday."""
    if b < a:
        return -workdays(b, a)
    days = (dt.date.fromordinal(n) for n in range(a.toordinal() + 1, b.toordinal() + 1))
    return sum(day in WORKED or (day.isoweekday() < 6 and day not in OFF) for day in days)


BETWEEN: dict[str, Callable[[dt.date, dt.date], int]] = {
    "days": lambda a, b: b.toordinal() - a.toordinal(), "months": months, "workdays": workdays,
}  # fmt: skip
DATE_PARTS: dict[str, Callable[[dt.date], int]] = {
    "year": lambda d: d.year, "quarter": lambda d: (d.month + 2) // 3, "month": lambda d: d.month,
    "day": lambda d: d.day, "weekday": lambda d: (d - dt.date(2021, 3, 1)).days % 7 + 1,
}  # fmt: skip


def date_part(name: str, a: Said) -> Said:
    return call(name, [a], "integer", lambda d: Fraction(DATE_PARTS[name](d)))


def between_dates(name: str, a: Said, b: Said) -> Said:
    return call(name, [a, b], "integer", lambda x, y: Fraction(BETWEEN[name](x, y)), Size(6, 6, 0, 1))


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def literal(value: str | bool | dt.date) -> Said:
    if isinstance(value, bool):
        return Said(str(value).lower(), ATOM, "boolean", lambda _: value)
    if isinstance(value, dt.date):
        return Said(quoted(value.isoformat()), ATOM, "date", lambda _: value)
    return Said(quoted(value), ATOM, "text", lambda _: value)


# --- random ones ------------------------------------------------------------------------------------------

NUMBERS = [
    "0", "1", "2", "3", "7", "60", "0.5", "2.5", "0.000001", "0.333333", "1.0000005", "12.75", "1234.567891",
    "2147.483647", "1500000000", "0.0000005",
]  # fmt: skip


class Words:
    """What random expressions are made of: leaves of each type, and makers that turn parts into a whole."""

    def __init__(self, leaves: list[Said], lookups: list[Callable[[Draw, "Maker"], Said]] | None = None) -> None:
        self.leaves: dict[str, list[Said]] = {}
        for leaf in leaves:
            self.leaves.setdefault(leaf.type, []).append(leaf)
        self.lookups = lookups or []

    def expressions(self, kind: str, depth: int) -> st.SearchStrategy[Said]:
        """Return random expressions of a type; number may be a whole one."""
        return st.composite(lambda draw: Maker(self, draw).make(kind, depth))()


class Maker:
    """One random expression in the making."""

    def __init__(self, words: Words, draw: Draw) -> None:
        self.words, self.draw = words, draw

    def pick(self, options: list[Any]) -> Any:
        return self.draw(st.sampled_from(options))

    def leaf(self, kind: str) -> Said:
        kinds = ["number", "integer"] if kind == "number" else [kind]
        leaves = [leaf for k in kinds for leaf in self.words.leaves.get(k, [])]
        if kind in ("number", "integer") and (not leaves or self.draw(st.integers(0, 2)) == 0):
            return number(self.pick([n for n in NUMBERS if kind == "number" or "." not in n]))
        return self.pick(leaves)

    def make(self, kind: str, depth: int) -> Said:
        if depth <= 0 or self.draw(st.integers(0, 5)) == 0:
            return self.leaf(kind)
        made = getattr(self, f"_{kind}")(depth - 1)
        return made if made.size.fits else self.leaf(kind)

    def several(self, kind: str, depth: int, least: int = 2, most: int = 3) -> list[Said]:
        return [self.make(kind, depth) for _ in range(self.draw(st.integers(least, most)))]

    def _any_type(self, kind: str, depth: int) -> Said:
        if self.pick(["coalesce", "case"]) == "coalesce":
            return coalesce(self.several(kind, depth), self.draw(st.integers(0, 4)) == 0)
        results = self.several(kind, depth, 1, 3)
        ending = self.pick(["else", "else", "null", ""]) if len(results) > 1 else self.pick(["null", ""])
        tests = self.several("boolean", depth, len(results), len(results))
        return case(tests[: len(results) - (ending == "else")], results, ending)

    def _number(self, depth: int) -> Said:
        what = self.pick(["+-*", "/", "/", "-x", "any", "any", "extreme", "abs", "round", "integer", "lookup"])
        if what == "+-*":
            return arithmetic(self.pick(["+", "-", "*"]), self.make("number", depth), self.make("number", depth))
        if what == "/":
            return arithmetic("/", self.make("number", depth), self.make("number", depth))
        if what == "-x":
            return minus(self.make("number", depth))
        if what == "extreme":
            name = self.pick(["least", "greatest", "clamp"])
            return extreme(name, self.several("number", depth, *((3, 3) if name == "clamp" else (2, 3))))
        if what == "abs":
            inner = self.make("number", depth)
            return call("abs", [inner], inner.type, abs, inner.size)
        if what == "round":
            return rounded(self.make("number", depth), self.draw(st.integers(0, 6)))
        if what == "lookup" and self.words.lookups:
            return self.pick(self.words.lookups)(self.draw, self)
        return self._integer(depth) if what != "any" else self._any_type("number", depth)

    def _integer(self, depth: int) -> Said:
        what = self.pick(["+-*", "whole", "whole", "any", "-x", "part", "dates", "length"])
        if what == "+-*":
            return arithmetic(self.pick(["+", "-", "*"]), self.make("integer", depth), self.make("integer", depth))
        if what == "any":
            return self._any_type("integer", depth)
        if what == "-x":
            return minus(self.make("integer", depth))
        if what == "part" and "date" in self.words.leaves:
            return date_part(self.pick(list(DATE_PARTS)), self.date_or_literal(depth))
        if what == "dates" and "date" in self.words.leaves:
            name = self.pick(list(BETWEEN))
            return between_dates(name, self.date_or_literal(depth), self.date_or_literal(depth))
        if what == "length" and "text" in self.words.leaves:
            return call("length", [self.make("text", depth)], "integer", lambda v: Fraction(len(v)))
        return to_whole(self.pick(["floor", "ceil", "round"]), self.make("number", depth))

    def date_or_literal(self, depth: int) -> Said:
        """A literal is a date only where a date is needed."""
        if self.draw(st.integers(0, 3)) == 0:
            return literal(self.draw(st.dates(dt.date(2015, 1, 1), dt.date(2024, 12, 31))))
        return self.make("date", depth)

    def _date(self, depth: int) -> Said:
        return self._any_type("date", depth)

    def _text(self, depth: int) -> Said:
        return self._any_type("text", depth)

    def _boolean(self, depth: int) -> Said:
        what = self.pick(["join", "join", "not", "compare", "compare", "between", "in", "null", "any", "contains"])
        if what == "join":
            return join(self.pick(["and", "or"]), self.several("boolean", depth))
        if what == "not":
            return negate(self.make("boolean", depth))
        if what == "any":
            return self._any_type("boolean", depth)
        if what == "contains" and "text" in self.words.leaves:
            return call("contains", self.several("text", depth, 2, 2), "boolean", lambda v, part: part in v)
        kinds = [k for k in ("number", "number", "number", "boolean", "text", "date") if k in self.words.leaves]
        kind = self.pick(kinds)
        if what == "null":
            return is_null(self.make(kind, depth), self.pick(["is null", "is not null"]))
        if what == "between" and kind != "boolean":
            low, high = self.other(kind, depth), self.other(kind, depth)
            return between(self.make(kind, depth), low, high, self.pick(["between", "not between"]))
        if what == "in":
            items = [self.other(kind, depth) for _ in range(self.draw(st.integers(1, 3)))]
            return among(self.make(kind, depth), items, self.pick(["in", "not in"]))
        ops = ["=", "<>"] if kind == "boolean" else list(COMPARISONS)
        return compare(self.pick(ops), self.make(kind, depth), self.other(kind, depth))

    def other(self, kind: str, depth: int) -> Said:
        """Make the second side of a comparison."""
        return self.date_or_literal(depth) if kind == "date" else self.make(kind, depth)
