"""From the typed tree of an expression to SQL that is exact.

A number is kept as a whole count of millionths (BIGINT), a whole number as it is. Inside an expression a number is a
fraction of two SQL integers, so that a quotient loses nothing; it is rounded, half away from zero, to 6 places
only where it is stored. The database's own division is never used.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from fractions import Fraction
from math import gcd

from sqlglot import exp

from evaluator.pack.definitions import Formula, ParameterDef, TableLookup
from evaluator.pack.model import Match
from evaluator.pack.nodes import (
    Arithmetic,
    Call,
    Case,
    Compare,
    Const,
    IsNull,
    Junction,
    Lookup,
    Name,
    Node,
    Not,
    OneOf,
    Recall,
    Setting,
)
from evaluator.pack.scalars import exact, literal
from evaluator.pack.types import BOOLEAN, Type
from evaluator.sql.ratio import (
    OPERATORS,
    UNIT,
    Ratio,
    common,
    compare,
    decimal_text,
    floor,
    one_ratio,
    product,
    rounded,
    stored_number,
    times,
    unreduced,
)
from evaluator.sql.rows import Rows
from evaluator.sql.trees import (
    SEPARATOR,
    SQL,
    both,
    call,
    cast,
    choose,
    column,
    either,
    grouped,
    is_literal,
    is_null,
    named,
    number,
    ordered,
    text,
    wide,
    window,
)
from evaluator.sql.workdays import workdays


def sql_type(kind: Type) -> str:
    """Return the type of the column a value is stored in."""
    names = {"text": "TEXT", "date": "DATE", "boolean": "BOOLEAN"}
    return names.get(kind.base, "BIGINT")


class Lowering:
    """Turn nodes into SQL over one set of rows."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def stored(self, formula: Formula | Node, kind: Type | None = None) -> SQL:
        """Return the value as it is stored: numbers rounded to millionths, everything else as it is.

        `kind` is the type of the column where that is wider than the expression's own.
        """
        node = formula.node if isinstance(formula, Formula) else formula
        base = (kind or node.type).base
        if base == "number":
            return stored_number(self.ratio(node))
        if base == "integer":
            return cast(self.ratio(node).num, "BIGINT")
        return self.value(node)

    def condition(self, formula: Formula | Node) -> SQL:
        """Return a condition in three-valued logic."""
        return self.value(formula.node if isinstance(formula, Formula) else formula)

    def ordering(self, formula: Formula) -> SQL:
        """Return a value that sorts as the expression does: levels by their place, the rest as stored."""
        node = formula.node
        if node.type.values and node.type.is_ordered and not node.type.is_number:
            value = self.value(node)
            places = [
                (exp.EQ(this=value.copy(), expression=text(str(v))), number(i)) for i, v in enumerate(node.type.values)
            ]
            return choose(places)
        return self.stored(node)

    # --- values that are not numbers ---

    def value(self, node: Node) -> SQL:
        """Return the SQL of a node that is not a number, or of a condition."""
        match node:
            case Const():
                return self._constant(node)
            case Name():
                return self.rows.column(node)
            case Setting():
                return self._constant(Const(node.type, False, node.place, self.rows.settings[node.name]))
            case Compare():
                return self._compare(node)
            case OneOf():
                if node.operand.type.is_number:
                    return exp.paren(either(*(self._compare_values("=", node.operand, item) for item in node.items)))
                listed, *items = (grouped(self.value(part)) for part in (node.operand, *node.items))
                return exp.In(this=listed, expressions=items)
            case IsNull():
                operand = node.operand
                return is_null(unreduced(self.ratio(operand)) if operand.type.is_number else self.value(operand))
            case Not():
                return exp.Not(this=exp.paren(self.value(node.operand)))
            case Junction():
                parts = [exp.paren(self.value(part)) for part in node.parts]
                return exp.paren(both(*parts) if node.op == "and" else either(*parts))
            case Case():
                return choose(*self._branches(node, lambda part: self.value(part)))
            case Call():
                return self._call(node)
            case Recall():
                return column(node.column, self.rows.alias)
            case Lookup():
                return self._lookup(node)
        raise AssertionError(node)

    def _constant(self, node: Const) -> SQL:
        match node.value:
            case bool():
                return exp.Boolean(this=node.value)
            case str():
                return text(node.value)
            case dt.date():
                return cast(text(node.value.isoformat()), "DATE")
            case None:
                return exp.Null()
        raise AssertionError(node)

    def _branches(self, node: Case, lower: Callable[[Node], SQL]) -> tuple[list[tuple[SQL, SQL]], SQL]:
        """Return the branches, each unknown test stopping the case."""
        branches: list[tuple[SQL, SQL]] = []
        for branch in node.branches:
            test = self.value(branch.when)
            if branch.when.nullable:
                branches.append((is_null(test), exp.Null()))
            branches.append((test, lower(branch.then)))
        return branches, lower(node.otherwise)

    def _compare(self, node: Compare) -> SQL:
        return self._compare_values(node.op, node.left, node.right)

    def _compare_values(self, op: str, left: Node, right: Node) -> SQL:
        if left.type.is_number:
            return compare(op, self.ratio(left), self.ratio(right))
        levels = left.type.values if left.type.is_ordered else right.type.values if right.type.is_ordered else ()
        if op not in ("=", "<>") and levels:
            sides = [self._level(side, levels) for side in (left, right)]
            return OPERATORS[op](this=sides[0], expression=sides[1])
        return OPERATORS[op](this=grouped(self.value(left)), expression=grouped(self.value(right)))

    def _level(self, node: Node, levels: tuple[object, ...]) -> SQL:
        if isinstance(node, Const):
            return exp.Null() if node.value is None else number(levels.index(node.value))
        value = self.value(node)
        return choose([(exp.EQ(this=value.copy(), expression=text(str(v))), number(i)) for i, v in enumerate(levels)])

    def _call(self, node: Call) -> SQL:
        if node.function == "contains":
            part = call("strpos", self.value(node.arguments[0]), self.value(node.arguments[1]))
            return exp.GT(this=part, expression=number(0))
        if node.function == "coalesce":
            return exp.Coalesce(
                this=self.value(node.arguments[0]), expressions=[self.value(a) for a in node.arguments[1:]]
            )
        raise AssertionError(node.function)

    # --- numbers ---

    def ratio(self, node: Node) -> Ratio:
        """Return a number as an exact fraction of SQL integers."""
        match node:
            case Const(value=Fraction() as value):
                return Ratio(number(value.numerator), value.denominator)
            case Const(value=None):
                return Ratio(cast(exp.Null(), "BIGINT"), 1)
            case Setting():
                return Ratio(number(int(str(self.rows.settings[node.name]))), 1)
            case Name():
                return Ratio(self.rows.column(node), UNIT if node.type.base == "number" else 1)
            case Recall():
                return Ratio(column(node.column, self.rows.alias), UNIT if node.type.base == "number" else 1)
            case Arithmetic():
                return self._arithmetic(node)
            case Case():
                return self._case(node)
            case Call():
                return self._number_call(node)
            case Lookup():
                gives = self.rows.pack.parameters[node.parameter].type.gives
                return Ratio(self._lookup(node), UNIT if gives.base == "number" else 1)
        raise AssertionError(node)

    def _arithmetic(self, node: Arithmetic) -> Ratio:
        known = constant_of(node)
        if known is not None:
            return Ratio(number(known.numerator), known.denominator)
        a, b = self.ratio(node.left), self.ratio(node.right)
        if node.op in "+-":
            made = OPERATORS[node.op]
            (left, right), den = common([a, b])
            if not isinstance(left, exp.Column) and not isinstance(right, exp.Column):
                left = wide(left)  # the database gives small literals 32 bits
            return Ratio(exp.paren(made(this=left, expression=right)), den)
        if node.op == "*":
            if isinstance(a.den, int) and isinstance(b.den, int):
                known_a, known_b = constant_of(node.left), constant_of(node.right)
                if known_a is not None or known_b is not None:
                    factor, other, ratio = (known_a, known_b, b) if known_a is not None else (known_b, known_a, a)
                    assert factor is not None and isinstance(ratio.den, int)
                    return Ratio(times(ratio.num, factor.numerator), ratio.den * factor.denominator)
                return Ratio(product(a.num, b.num), a.den * b.den)
            return Ratio(product(a.num, b.num), product(a.den_sql, b.den_sql))
        divisor = constant_of(node.right)
        if divisor is not None and isinstance(a.den, int):
            if divisor == 0:
                return Ratio(cast(exp.Null(), "BIGINT"), 1)
            sign = -1 if divisor < 0 else 1
            return Ratio(times(a.num, sign * divisor.denominator), a.den * abs(divisor.numerator))
        # a sign lives in the numerator, and a divisor of nothing makes the quotient unknown
        sign_of = choose([(exp.LT(this=exp.paren(b.num.copy()), expression=number(0)), number(-1))], number(1))
        above, below = b.den_sql, a.den_sql
        if isinstance(a.den, int) and isinstance(b.den, int):  # what both have in common would only fill the integers
            shared = gcd(a.den, b.den)
            above, below = number(b.den // shared), number(a.den // shared)
        num = product(product(a.num, above), sign_of)
        absolute = exp.Abs(this=wide(b.num.copy()))
        den = exp.Nullif(this=product(below, absolute), expression=number(0))
        return Ratio(num, den)

    def _case(self, node: Case) -> Ratio:
        ratios = [self.ratio(branch.then) for branch in node.branches] + [self.ratio(node.otherwise)]

        def pick(values: list[SQL]) -> SQL:
            order = iter(values)
            branches, otherwise = self._branches(node, lambda _: next(order))
            return choose(branches, otherwise)

        return one_ratio(ratios, pick)

    def _number_call(self, node: Call) -> Ratio:
        name = node.function
        if name in ("year", "quarter", "month", "day", "weekday"):
            made = {
                "year": exp.Year,
                "quarter": exp.Quarter,
                "month": exp.Month,
                "day": exp.Day,
                "weekday": exp.DayOfWeekIso,
            }
            return Ratio(cast(made[name](this=self.value(node.arguments[0])), "BIGINT"), 1)
        if name == "days":
            first, last = (self.value(a) for a in node.arguments)
            return Ratio(cast(exp.DateDiff(this=last, expression=first, unit=exp.var("DAY")), "BIGINT"), 1)
        if name == "months":
            return Ratio(self._months(*(self.value(a) for a in node.arguments)), 1)
        if name == "workdays":
            first, last = (self.value(a) for a in node.arguments)
            return Ratio(workdays(first, last, self.rows.pack.holidays), 1)
        if name == "length":
            return Ratio(cast(exp.Length(this=self.value(node.arguments[0])), "BIGINT"), 1)
        ratios = [self.ratio(argument) for argument in node.arguments]
        if name == "abs":
            return Ratio(exp.Abs(this=ratios[0].num), ratios[0].den)
        if name == "floor":
            return Ratio(floor(ratios[0]), 1)
        if name == "ceil":
            return Ratio(
                exp.Neg(this=exp.paren(floor(Ratio(exp.Neg(this=exp.paren(ratios[0].num)), ratios[0].den)))),
                1,
            )
        if name == "round":
            digits = 0
            if len(node.arguments) == 2:
                assert isinstance(node.arguments[1], Const)
                digits = int(str(node.arguments[1].value))
            return Ratio(rounded(ratios[0], 10**digits), 10**digits)
        if name == "coalesce":
            known = [exp.Not(this=is_null(unreduced(ratio))) for ratio in ratios]

            def first_known(values: list[SQL]) -> SQL:
                return choose([(k.copy(), v) for k, v in zip(known, values[:-1], strict=False)], values[-1])

            return one_ratio(ratios, first_known)
        nums, den = common(ratios)
        if name == "clamp":
            value, low, high = nums
            return Ratio(self._extreme(exp.Greatest, [low, self._extreme(exp.Least, [value, high])]), den)
        return Ratio(self._extreme(exp.Least if name == "least" else exp.Greatest, nums), den)

    @staticmethod
    def _extreme(kind: type[exp.Func], values: list[SQL]) -> SQL:
        """Return the least or greatest; unknown where any is, which the databases' own functions pass over."""
        made = kind(this=values[0], expressions=values[1:])
        maybe = [is_null(v) for v in values if not is_literal(v)]
        return choose([(either(*maybe), exp.Null())], made) if maybe else made

    @staticmethod
    def _months(first: SQL, last: SQL) -> SQL:
        """Return the whole months from one date to another."""

        def months(a: SQL, b: SQL) -> SQL:
            def count(day: SQL) -> SQL:
                year = exp.Mul(this=exp.Year(this=day.copy()), expression=number(12))
                return exp.paren(exp.Add(this=year, expression=exp.Month(this=day.copy())))

            short = exp.LT(this=exp.Day(this=b.copy()), expression=exp.Day(this=a.copy()))
            whole = exp.Sub(this=count(b), expression=count(a))
            return exp.paren(exp.Sub(this=whole, expression=choose([(short, number(1))], number(0))))

        back = exp.LT(this=last.copy(), expression=first.copy())
        return cast(choose([(back, exp.Neg(this=months(last, first)))], months(first, last)), "BIGINT")

    # --- parameters ---

    def _lookup(self, node: Lookup) -> SQL:
        """Return the value of a parameter as it is stored (numbers in millionths)."""
        parameter = self.rows.pack.parameters[node.parameter]
        gives = parameter.type.gives
        model = parameter.model

        def result(value: object) -> SQL:
            constant = Const(gives, False, node.place, exact(value))
            return self.stored(constant, gives)

        otherwise = result(model.else_) if model.has("else") else self._no_entry(node, parameter)
        if parameter.lookup is not None:
            return self._read_from_table(node, parameter, parameter.lookup, otherwise)
        if model.values is None:
            bounds = [exact(literal(key)) for key in model.bands]
            results = [result(v) for v in model.bands.values()]
            return self._banded(node.arguments[0], model.how, bounds, results, otherwise)
        assert model.rows is not None and model.columns is not None
        lines = [
            self._axis(node.arguments[1], model.columns, [result(v) for v in row], otherwise.copy())
            for row in model.values
        ]
        return self._axis(node.arguments[0], model.rows, lines, otherwise)

    def _read_from_table(self, node: Lookup, parameter: ParameterDef, lookup: TableLookup, otherwise: SQL) -> SQL:
        """Return the value of the row that the arguments lead to."""
        reached, passed = (">=", "<") if parameter.model.how == "from" else ("<=", ">")

        def on(alias: str) -> SQL:
            pairs = enumerate(zip(node.arguments, lookup.match, strict=False))
            tests = [self._compare_column("=", a, column(f"match{place}", alias), f) for place, (a, f) in pairs]
            if lookup.bound is not None:
                last, beyond = node.arguments[-1], column("beyond", alias)
                tests.append(self._compare_column(reached, last, column("bound", alias), lookup.bound))
                before = self._compare_column(passed, last, beyond, lookup.bound)
                tests.append(exp.paren(either(is_null(beyond), before)))
            return both(*tests)

        alias = self.rows.joined(node.parameter, self._entries(parameter, lookup), on)
        nullable = [argument for argument in node.arguments if argument.nullable]
        branches: list[tuple[SQL, SQL]] = [
            (self.value(IsNull(BOOLEAN, False, argument.place, argument)), exp.Null()) for argument in nullable
        ]
        return choose([*branches, (is_null(column("is_found", alias)), otherwise)], column("value", alias))

    def _entries(self, parameter: ParameterDef, lookup: TableLookup) -> SQL:
        """Return the rows of a table that a parameter is read from, each with the bound that comes after its own."""
        here = self.rows
        rows = Rows(here.location(lookup.source), "e", here.location, here.settings, here.pack, lookup.source)
        inside = Lowering(rows)
        match = [inside.stored(formula) for formula in lookup.match]
        columns = [named(value, f"match{place}") for place, value in enumerate(match)]
        columns += [named(inside.stored(lookup.value, parameter.type.gives), "value"), named(exp.true(), "is_found")]
        known = list(match)
        if lookup.bound is not None:
            bound = inside.stored(lookup.bound)
            beyond = exp.Lead if parameter.model.how == "from" else exp.Lag
            columns += [
                named(bound, "bound"),
                named(window(beyond(this=bound.copy()), match, [ordered(bound.copy())]), "beyond"),
            ]
            known.append(bound)
        is_whole = both(*(exp.Not(this=is_null(value)) for value in known))
        return rows.select(*columns).where(is_whole, copy=False).subquery(copy=False)

    def _compare_column(self, op: str, left: Node, stored: SQL, formula: Formula) -> SQL:
        """Compare an argument with what a column holds."""
        if left.type.is_number:
            return compare(op, self.ratio(left), Ratio(stored, UNIT if formula.node.type.base == "number" else 1))
        return OPERATORS[op](this=grouped(self.value(left)), expression=stored)

    def _axis(self, argument: Node, axis: Match, results: list[SQL], otherwise: SQL) -> SQL:
        return self._banded(argument, axis.how, [exact(b) for b in axis.bounds], results, otherwise)

    def _banded(self, argument: Node, how: str, bounds: list[object], results: list[SQL], otherwise: SQL) -> SQL:
        op = {"is": "=", "from": ">=", "up_to": "<="}[how]
        pairs = list(zip(bounds, results, strict=True))
        if how == "from":
            pairs.reverse()
        branches: list[tuple[SQL, SQL]] = []
        if argument.nullable:
            unknown = self.value(IsNull(BOOLEAN, False, argument.place, argument))
            branches.append((unknown, exp.Null()))
        for bound, value in pairs:
            constant = Const(argument.type, False, argument.place, bound)
            branches.append((self._compare_values(op, argument, constant), value))
        return choose(branches, otherwise)

    def _no_entry(self, node: Lookup, parameter: ParameterDef) -> SQL:
        """Raise, inside the query, with the parameter, its arguments and the row."""
        if any(c is None for c in parameter.type.covered) or not all(
            argument.type.values or argument.type.base == "boolean" for argument in node.arguments
        ):
            shown = []
            for argument in node.arguments:
                value = self.stored(argument)
                if argument.type.base == "number":
                    value = decimal_text(value)
                shown.append(cast(value, "TEXT"))
            parts: list[SQL] = [text(f"R106{SEPARATOR}{node.parameter}")]
            for part in (*self.rows.place(), *shown):
                parts += [text(SEPARATOR), exp.Coalesce(this=part, expressions=[text("")])]
            parts.append(text(SEPARATOR))
            return call("error", exp.Concat(expressions=parts, safe=False, coalesce=False))
        return exp.Null()


def constant_of(node: Node) -> Fraction | None:
    """Return the value of an expression of literals."""
    if isinstance(node, Const) and isinstance(node.value, Fraction):
        return node.value
    if isinstance(node, Arithmetic):
        a, b = constant_of(node.left), constant_of(node.right)
        if a is None or b is None or (node.op == "/" and b == 0):
            return None
        return {"+": a + b, "-": a - b, "*": a * b}[node.op] if node.op != "/" else a / b
    return None
