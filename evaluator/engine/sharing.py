"""Sharing out what a cap takes and a floor gives among the awards that enter a line."""

from __future__ import annotations

from fractions import Fraction

from sqlglot import exp

from evaluator.pack.definitions import LineDef
from evaluator.pack.nodes import Const
from evaluator.sql.trees import SQL, choose, column, number


def left_of(alias: str, has_floor: bool, has_cap: bool) -> SQL:
    """Return what cap and floor leave of an award, from the sums around it.

    The cap's excess is taken from the positive awards, so those keep what lies below plus − excess; the floor's
    shortfall is given back to the negative ones in the same way.
    """
    entering, zero = column("entering", alias), number(0)
    total = column("all", alias)

    def minus(a: SQL, b: SQL) -> SQL:
        return exp.paren(exp.Sub(this=a, expression=b))

    cut: SQL = entering.copy()
    lifted: SQL = entering.copy()
    if has_cap:
        excess: SQL = exp.Greatest(
            this=zero.copy(), expressions=[minus(total.copy(), column("high", alias))], ignore_nulls=True
        )
        keep = minus(column("plus", alias), excess)
        before = minus(column("plus so far", alias), entering.copy())
        room = exp.Greatest(this=zero.copy(), expressions=[minus(keep, before)], ignore_nulls=True)
        cut = exp.Least(this=entering.copy(), expressions=[room], ignore_nulls=True)
    if has_floor:
        short = exp.Greatest(
            this=zero.copy(), expressions=[minus(column("low", alias), total.copy())], ignore_nulls=True
        )
        keep = exp.paren(exp.Add(this=column("minus", alias), expression=short))
        before = minus(column("minus so far", alias), entering.copy())
        below_zero = exp.Least(this=zero.copy(), expressions=[minus(keep, before)], ignore_nulls=True)
        lifted = exp.Greatest(this=entering.copy(), expressions=[below_zero], ignore_nulls=True)
    above, below = (
        exp.GT(this=entering.copy(), expression=zero.copy()),
        exp.LT(this=entering.copy(), expression=zero.copy()),
    )
    return choose([(above, cut), (below, lifted)], entering.copy())


def can_go_beyond(line: LineDef) -> bool:
    """Whether a floor may give more than deductions took, or a cap take more than records brought."""
    signs = ((line.min, -1), (line.max, 1))
    bounds = [(bound.node, sign) for bound, sign in signs if bound is not None]
    return any(not isinstance(node, Const) or Fraction(str(node.value)) * sign < 0 for node, sign in bounds)


def beyond(alias: str, has_floor: bool, has_cap: bool) -> SQL:
    """Return what a floor above nothing gives, or a cap below it takes, that belongs to no other award."""
    zero, total = number(0), column("all", alias)
    parts: list[SQL] = []
    if has_floor:
        below = exp.paren(exp.Sub(this=column("low", alias), expression=total.copy()))
        short = exp.Greatest(this=zero.copy(), expressions=[below], ignore_nulls=True)
        given = exp.Add(this=short, expression=column("minus", alias))
        parts.append(exp.Greatest(this=zero.copy(), expressions=[given], ignore_nulls=True))
    if has_cap:
        above = exp.paren(exp.Sub(this=total.copy(), expression=column("high", alias)))
        excess = exp.Greatest(this=zero.copy(), expressions=[above], ignore_nulls=True)
        taken = exp.Sub(this=column("plus", alias), expression=excess)
        parts.append(exp.Least(this=zero.copy(), expressions=[taken], ignore_nulls=True))
    return parts[0] if len(parts) == 1 else exp.paren(exp.Add(this=parts[0], expression=parts[1]))
