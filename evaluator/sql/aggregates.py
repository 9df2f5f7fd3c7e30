"""Aggregates of rows: how often, how much, the least and the greatest, of those that meet a condition."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from evaluator.pack.definitions import AggregateDef, Formula
from evaluator.sql.lower import Lowering
from evaluator.sql.trees import SQL, cast, choose, number, text


def aggregated(made: AggregateDef, lowering: Lowering) -> SQL:
    """Return an aggregate function over the rows that meet its condition."""
    condition = lowering.condition(made.where) if made.where is not None else None
    if made.function == "count":
        return cast(filtered(exp.Count(this=exp.Star()), condition), "BIGINT")
    assert made.operand is not None
    if made.function in ("min", "max"):
        return extreme(made.function, made.operand, lowering, lambda function: filtered(function, condition))
    value = lowering.stored(made.operand)
    if made.function == "distinct":
        return cast(filtered(exp.Count(this=exp.Distinct(expressions=[value])), condition), "BIGINT")
    if made.function == "sum":
        return cast(filtered(exp.Sum(this=value), condition), "BIGINT")
    return filtered(exp.LogicalOr(this=value), condition)


def filtered(function: SQL, condition: SQL | None) -> SQL:
    """Write function filter (where …)."""
    if condition is None:
        return function
    return exp.Filter(this=function, expression=exp.Where(this=condition.copy()))


def without_rows(made: AggregateDef) -> SQL | None:
    """Return what an aggregate is where there is no row; nothing where that is unknown."""
    if made.function in ("count", "distinct", "sum"):
        return number(0)
    return exp.false() if made.function == "any" else None


def extreme(function: str, operand: Formula, lowering: Lowering, over: Callable[[SQL], SQL]) -> SQL:
    """Return the least or greatest value; of levels by their place, not by their spelling."""
    made: type[exp.Expression] = exp.Min if function == "min" else exp.Max
    kind = operand.node.type
    if not kind.is_ordered or kind.is_number:
        return over(made(this=lowering.stored(operand)))
    place = over(made(this=lowering.ordering(operand)))
    named_levels = [(exp.EQ(this=place.copy(), expression=number(i)), text(str(v))) for i, v in enumerate(kind.values)]
    return choose(named_levels)
