"""Lines of the score: their points for all subjects.

The order is the same for every line: whether it applies; what its records, items or expression sum up to, and its
base; its factors; its floor and cap; at the root, what it is set to where a veto holds.
"""

from __future__ import annotations

from sqlglot import exp

from evaluator.engine.state import points_column
from evaluator.pack.definitions import Formula, LineDef
from evaluator.pack.types import NUMBER
from evaluator.sql.lower import Lowering
from evaluator.sql.ratio import UNIT, Ratio, one_ratio, product, stored_number
from evaluator.sql.rows import Rows
from evaluator.sql.trees import SQL, cast, choose, column, holds, is_null, named, number


def line_values(line: LineDef, rows: Rows) -> list[exp.Alias]:
    """Return the columns of a line; a subject that is not assessed has none of them.

    raw.<id> is what it comes to before its floor and cap, and its points what they leave. With factors there is
    before.<id>, what it comes to before them, and factor.<id>.<n> for each that applies; with a veto unvetoed.total and
    veto.total, the number of the one that holds (0 where none does).
    """
    lowering = Lowering(rows)
    before = _summed(line, lowering)
    raw, factors = _times(line, before, lowering)
    points = bounded(raw, bound(line.min, lowering), bound(line.max, lowering))
    values: dict[str, SQL] = {}
    if line.times:
        values[f"before.{line.id}"] = before
        values |= {f"factor.{line.id}.{n}": factor for n, factor in enumerate(factors, 1)}
    values[f"raw.{line.id}"] = raw
    if line.veto:
        values["unvetoed.total"] = points
        tests = [holds(lowering.condition(v.when)) for v in line.veto]
        values["veto.total"] = choose([(test, number(n)) for n, test in enumerate(tests, 1)], number(0))
        results = [lowering.stored(v.to, NUMBER) for v in line.veto]
        points = choose([(t.copy(), to) for t, to in zip(tests, results, strict=True)], points.copy())
    values[points_column(line.id)] = points
    if line.when is not None:
        applies = lowering.condition(line.when)
        for name, value in values.items():
            nothing = exp.Null() if name.startswith("factor.") else number(0)
            values[name] = choose([(applies.copy(), value)], nothing)
    assessed = column("is_assessed", rows.alias)
    return [named(cast(choose([(assessed.copy(), value)]), "BIGINT"), name) for name, value in values.items()]


def line_columns(line: LineDef) -> list[str]:
    """Return the columns `line_values` makes."""
    factors = [f"factor.{line.id}.{n}" for n in range(1, len(line.times) + 1)]
    columns = [f"before.{line.id}", *factors] if line.times else []
    vetoed = ["unvetoed.total", "veto.total"] if line.veto else []
    return [*columns, f"raw.{line.id}", *vetoed, points_column(line.id)]


def _summed(line: LineDef, lowering: Lowering) -> SQL:
    """Return base, records, expression and items added up."""
    alias = lowering.rows.alias
    parts: list[SQL] = []
    if line.base is not None:
        parts.append(lowering.stored(line.base, NUMBER))
    if line.sums_records:
        summed: SQL = column(f"sum.{line.id}", alias)
        if can_doubt(line):
            is_known = exp.EQ(this=column(f"doubt.{line.id}", alias), expression=number(0))
            summed = choose([(is_known, summed)])
        parts.append(summed)
    elif line.points is not None:
        parts.append(lowering.stored(line.points, NUMBER))
    if line.selection is None:  # else the sum is over the awards of the items
        parts += [column(points_column(item.id), alias) for item in line.items]
    raw = parts[0] if parts else number(0)
    for part in parts[1:]:
        raw = exp.Add(this=raw, expression=part)
    return exp.paren(raw) if len(parts) > 1 else raw


def _times(line: LineDef, before: SQL, lowering: Lowering) -> tuple[SQL, list[SQL]]:
    """Return a value multiplied by the factors that apply, rounded once, and each factor as it is stored."""
    if not line.times:
        return before.copy(), []
    so_far = Ratio(before.copy(), UNIT)
    factors: list[SQL] = []
    for one in line.times:
        by = lowering.ratio(one.by.node)
        stored = lowering.stored(one.by, NUMBER)
        if one.when is not None:
            applies = lowering.condition(one.when)
            factors.append(choose([(applies, stored)]))

            def pick(values: list[SQL], applies: SQL = applies) -> SQL:
                return choose([(applies.copy(), values[0])], values[1])

            by = one_ratio([by, Ratio(number(1), 1)], pick)
        else:
            factors.append(stored)
        den: int | SQL
        if isinstance(so_far.den, int) and isinstance(by.den, int):
            den = so_far.den * by.den
        else:
            den = product(so_far.den_sql, by.den_sql)
        so_far = Ratio(product(so_far.num, by.num), den)
    return stored_number(so_far), factors


def bound(formula: Formula | None, lowering: Lowering) -> SQL | None:
    """Return a cap or floor in millionths."""
    return None if formula is None else lowering.stored(formula, NUMBER)


def bounded(value: SQL, low: SQL | None, high: SQL | None) -> SQL:
    """Keep a value within its floor and cap; unknown where either is."""
    tested = [is_null(part) for part in (value, low, high) if part is not None]
    made = value.copy()
    if low is not None:
        made = exp.Greatest(this=made, expressions=[low])
    if high is not None:
        made = exp.Least(this=made, expressions=[high])
    if low is None and high is None:
        return made
    return choose([(exp.or_(*tested, copy=False), exp.Null())], made)


def can_doubt(line: LineDef) -> bool:
    """Whether the points of a record of this line, or of one it chooses among, may be unknown."""
    below = line.walk() if line.selection is not None else [line]
    made = [one.aggregate.operand for one in below if one.aggregate is not None]
    return any(operand is not None and operand.node.nullable for operand in made)


def can_be_unknown(line: LineDef) -> list[Formula]:
    """Return the expressions of a line that may leave its points unknown."""
    each = line.aggregate.operand if line.aggregate is not None else None
    factors = [one.by for one in line.times]
    given = (line.points, each, line.base, *factors, line.min, line.max, *(one.to for one in line.veto))
    return [formula for formula in given if formula is not None and formula.node.nullable]
