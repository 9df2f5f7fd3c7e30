"""Which values the parts of a pack can have, as far as its form tells: never fewer than they really can."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

from evaluator.pack.definitions import AggregateDef, FieldDef, LineDef, MeasureDef, Pack, VerdictDef
from evaluator.pack.model import Parameter
from evaluator.pack.nodes import Arithmetic, Call, Case, Const, IsNull, Lookup, Name, Node, Recall, Setting
from evaluator.pack.scalars import exact, literal
from evaluator.pack.types import Type
from evaluator.pack.windows import first_day
from evaluator.workbench.checking.arithmetic import (
    MILLIONTH,
    ONE,
    Number,
    at_least,
    greater,
    many,
    product,
    smaller,
    stored,
    to_grain,
    total,
)
from evaluator.workbench.checking.intervals import EVERYTHING, NOTHING, Values
from evaluator.workbench.checking.shapes import Shape, shape

WHOLE = Values.between(None, None, ONE)
COUNT = Values.between(Fraction(0), None, ONE)
EITHER = Values.of([Fraction(0), ONE])
Given = Mapping[Shape, Values]
"""What is known of some values where an expression is looked at."""


class Ranges:
    """The values of the fields, measures, lines and verdicts of a pack, and of expressions over them."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self._known: dict[tuple[str, str], Values] = {}
        self._words: dict[str, Fraction] = {}

    # --- values as places on a line ---

    def place(self, value: object, kind: Type) -> Fraction | None:
        """Return where a value lies: levels and words by their number, dates by their day; None for refs."""
        if isinstance(value, bool):
            return Fraction(value)
        if isinstance(value, Fraction):
            return value
        if isinstance(value, dt.date):
            return Fraction(value.toordinal())
        if isinstance(value, str):
            if value in kind.values:
                return Fraction(kind.values.index(value))
            return self._words.setdefault(value, Fraction(-1 - len(self._words)))
        return None

    def value_at(self, place: Fraction, kind: Type) -> object:
        """Return the value that lies at a place."""
        if kind.base == "boolean":
            return bool(place)
        if kind.base == "date":
            return dt.date.fromordinal(int(place))
        if kind.base == "text":
            if kind.values and 0 <= place < len(kind.values):
                return kind.values[int(place)]
            return next((word for word, at in self._words.items() if at == place), "")
        return place

    def of_type(self, kind: Type) -> Values:
        """Return the values a type has."""
        if kind.base == "boolean":
            return EITHER
        if kind.values:
            places = [self.place(value, kind) for value in kind.values]
            return Values.of(place for place in places if place is not None)
        return EVERYTHING if kind.base == "number" else WHOLE

    def period_ends(self) -> Values:
        """Return the last days of the years the pack is in force."""
        span, period = self.pack.in_force, self.pack.period
        first, last = (span.from_, span.to) if span is not None else (None, None)
        low = high = None
        if first is not None:
            low = Fraction(first.year + (period.ends(first.year) < first))
        if last is not None:
            high = Fraction(last.year - (period.ends(last.year) > last))
        return Values.between(low, high, ONE)

    def _setting(self, name: str) -> Values:
        years, period = self.period_ends(), self.pack.period
        if name == "this_year":
            return years

        def day(year: Number) -> Number:
            if year is None:
                return None
            last = period.ends(int(year))
            return Fraction((first_day(last, period.months) if name == "period_start" else last).toordinal())

        if name not in ("period_start", "period_end"):
            return WHOLE
        return Values.between(day(years.lowest), day(years.highest), ONE)

    # --- named values ---

    def named(self, owner: str, leaf: str) -> Values:
        """Return the values a field, measure, line or verdict can have."""
        key = (owner, leaf)
        if key not in self._known:
            self._known[key] = EVERYTHING  # while it is being looked at
            self._known[key] = self._named(owner, leaf)
        return self._known[key]

    def _named(self, owner: str, leaf: str) -> Values:
        table, kind = self.pack.tables[owner], self.pack.kinds.get(owner)
        if leaf in table.fields:
            return self._field(table.fields[leaf])
        if leaf in ("position", "people"):
            return Values.between(ONE, None, ONE)
        if leaf in ("is_assessed", "is_ranked", "is_expected", "is_filled"):
            return EITHER
        if kind is None:
            return EVERYTHING
        if leaf in kind.measures:
            return self._measure(kind.measures[leaf])
        if leaf in kind.verdicts:
            return self._verdict(kind.verdicts[leaf])
        for line in kind.lines:
            if leaf == ("total" if line.parent is None else f"points.{line.id}"):
                return self.line(line)
        return EVERYTHING

    def _field(self, field: FieldDef) -> Values:
        if field.value is not None:
            return stored(self.of(field.value.node), field.type)
        if field.aggregate is not None:
            return self._aggregate(field.aggregate, field.type)
        return stored(self.of_type(field.type), field.type)

    def _measure(self, measure: MeasureDef) -> Values:
        if measure.aggregate is not None:
            return self._aggregate(measure.aggregate, measure.type)
        assert measure.value is not None
        return stored(self.of(measure.value.node), measure.type)

    def _verdict(self, verdict: VerdictDef) -> Values:
        levels = self.of_type(verdict.type)
        if verdict.value is None or not verdict.type.is_number:
            return levels
        made = stored(self.of(verdict.value.node), verdict.type)  # levels put values in order, they do not bound them
        return made.join(levels) if verdict.type.values or verdict.model.override_by is not None else made

    def _aggregate(self, made: AggregateDef, kind: Type) -> Values:
        if made.function == "count":
            return COUNT
        if made.function == "distinct":
            size = self.of(made.operand.node).size if made.operand is not None else None
            return COUNT if size is None else Values.between(Fraction(0), Fraction(size), ONE)
        if made.function == "rank":
            return Values.between(ONE, None, ONE)
        if made.function == "any" or made.operand is None:
            return EITHER
        each = stored(self.of(made.operand.node), made.operand.node.type)
        if made.function == "sum":
            return many(each)
        return each.join(stored(self.of(made.default.node), kind)) if made.default is not None else each

    # --- lines of the score ---

    def line(self, line: LineDef) -> Values:
        """Return the points a line can come to."""
        made = self._added(line)
        for factor in line.times:
            by = self.of(factor.by.node)
            multiplied = product(made, by)
            made = made.join(multiplied) if factor.when is not None else multiplied
        made = stored(made)
        for bound, choose in ((line.min, greater), (line.max, smaller)):
            if bound is not None:
                made = choose(made, stored(self.of(bound.node)))
        if line.when is not None or line.model.in_force is not None:
            made = made.join(Values.of([Fraction(0)]))
        for veto in line.veto:
            made = made.join(stored(self.of(veto.to.node)))
        return made

    def _added(self, line: LineDef) -> Values:
        """Return what the points of a line add up to, before factors and bounds."""
        if line.judged is not None:
            low, high = (stored(self.of(bound.node)) for bound in (line.judged.low, line.judged.high))
            made = Values.between(low.lowest, high.highest, MILLIONTH).join(Values.of([Fraction(0)]))
        elif line.aggregate is not None:
            assert line.aggregate.operand is not None
            made = many(stored(self.of(line.aggregate.operand.node)))
        elif line.points is not None:
            made = self.of(line.points.node)
        else:
            made = Values.of([Fraction(0)])
            for item in line.items:
                made = total(made, self._of_selection(line, self.line(item)))
        if line.selection is not None and any(not 0 <= factor <= 1 for _, factor in line.selection.series):
            made = EVERYTHING
        elif line.selection is not None and any(factor.denominator != 1 for _, factor in line.selection.series):
            made = Values.between(made.lowest, made.highest, MILLIONTH)
        return total(made, self.of(line.base.node)) if line.base is not None else made

    @staticmethod
    def _of_selection(line: LineDef, points: Values) -> Values:
        """Return what an item can bring where some of its awards may be left out."""
        if line.selection is None:
            return points
        return points.join(Values.of([Fraction(0)]))

    # --- expressions ---

    def of(self, node: Node, given: Given | None = None) -> Values:
        """Return the values an expression can have where it is known; `given` narrows some of its parts."""
        if given is not None and (found := given.get(shape(node))) is not None:
            return found
        match node:
            case Const():
                place = self.place(node.value, node.type)
                return EVERYTHING if place is None else Values.of([place])
            case Setting():
                return self._setting(node.name)
            case Name():
                found = self.named(node.owner, node.leaf)
                return found if found.parts else self.of_type(node.type)
            case Arithmetic():
                return self._arithmetic(node, given)
            case Case():
                found = NOTHING
                for branch in node.branches:
                    found = found.join(self._as(branch.then, node.type, given))
                return found.join(self._as(node.otherwise, node.type, given))
            case Call():
                return self._call(node, given)
            case Lookup():
                return self._lookup(node, given)
            case Recall():
                if node.function == "sum_years":
                    return EVERYTHING
                if node.function == "last":
                    return self.of_type(node.type)
                return Values.between(Fraction(0), Fraction(node.years) if isinstance(node.years, int) else None, ONE)
            case IsNull():
                return EITHER
        return EITHER if node.type.base == "boolean" else EVERYTHING

    def _as(self, node: Node, kind: Type, given: Given | None) -> Values:
        """Return the values of one of several expressions, as places on the line of them all."""
        if isinstance(node, Const) and node.value is None:
            return NOTHING
        if isinstance(node, Const):
            place = self.place(node.value, kind)
            return EVERYTHING if place is None else Values.of([place])
        return self.of(node, given) if node.type == kind or kind.base != "text" else WHOLE

    def _arithmetic(self, node: Arithmetic, given: Given | None) -> Values:
        left, right = self.of(node.left, given), self.of(node.right, given)
        if node.op == "+":
            return total(left, right)
        if node.op == "-":
            return total(left, product(right, Values.of([Fraction(-1)])))
        if node.op == "*":
            return product(left, right)
        divisors = right.points
        if divisors is not None and len(divisors) == 1 and divisors[0]:
            return product(left, Values.of([1 / divisors[0]]))
        if at_least(left, 0) and at_least(right, 0):
            return Values.between(Fraction(0), None)
        return EVERYTHING

    def _call(self, node: Call, given: Given | None) -> Values:
        parts = [self.of(argument, given) for argument in node.arguments]
        match node.function:
            case "coalesce":
                found = NOTHING
                for argument in node.arguments:
                    found = found.join(self._as(argument, node.type, given))
                return found
            case "least" | "greatest":
                found = parts[0]
                for part in parts[1:]:
                    found = (smaller if node.function == "least" else greater)(found, part)
                return found
            case "clamp":
                return smaller(greater(parts[0], parts[1]), parts[2])
            case "floor" | "ceil" | "round":
                return self._rounded(node, parts)
            case "abs":
                return product(parts[0], Values.of([ONE, Fraction(-1)])).meet(Values.between(Fraction(0), None))
            case "month" | "quarter" | "weekday" | "day":
                most = {"month": 12, "quarter": 4, "weekday": 7, "day": 31}[node.function]
                return Values.between(ONE, Fraction(most), ONE)
            case "length":
                return COUNT
        return self.of_type(node.type)

    @staticmethod
    def _rounded(node: Call, parts: list[Values]) -> Values:
        places = parts[1].lowest if len(parts) > 1 else None
        grain = Fraction(1, 10 ** int(places)) if places is not None else ONE
        if parts[0].step is not None and parts[0].step != 0 and (parts[0].step / grain).denominator == 1:
            return parts[0]
        rounding: Callable[[Fraction], Fraction] = {
            "floor": lambda x: Fraction(x // 1),
            "ceil": lambda x: Fraction(-(-x // 1)),
            "round": lambda x: to_grain(x, grain),
        }[node.function]
        ends = [None if end is None else rounding(end) for end in (parts[0].lowest, parts[0].highest)]
        return Values.between(ends[0], ends[1], grain)

    def _lookup(self, node: Lookup, given: Given | None) -> Values:
        parameter = self.pack.parameters[node.parameter]
        model = parameter.model
        others = [exact(model.else_)] if model.has("else") else []
        if parameter.lookup is not None:
            return self._as_all(others, node.type).join(self._as(parameter.lookup.value.node, node.type, None))
        if model.values is not None:
            return self._as_all([*(exact(cell) for row in model.values for cell in row), *others], node.type)
        argument = self.of(node.arguments[0], given)
        entries = self.entries(model, node.arguments[0].type)
        return self._as_all(
            [*(value for span, value in entries if not span.meet(argument).is_empty), *others], node.type
        )

    def entries(self, model: Parameter, kind: Type) -> list[tuple[Values, Any]]:
        """Return the arguments of each entry of a parameter with one axis, and its value."""
        bounds = [self.place(exact(literal(key)), kind) for key in model.bands]
        values = [exact(value) for value in model.bands.values()]
        if model.how == "is":
            return [(Values.of([at]), value) for at, value in zip(bounds, values, strict=True) if at is not None]
        if model.how == "from":
            ends = [*bounds[1:], None]
            return [(Values.between(low, high, None, True, False), value)
                    for low, high, value in zip(bounds, ends, values, strict=True)]  # fmt: skip
        starts = [None, *bounds[:-1]]
        return [(Values.between(low, high, None, False), value)
                for low, high, value in zip(starts, bounds, values, strict=True)]  # fmt: skip

    def _as_all(self, values: Iterable[Any], kind: Type) -> Values:
        return Values.of(place for value in values if (place := self.place(value, kind)) is not None)
