"""Exact numbers in SQL: fractions of two integers, never divided by the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import lcm

from sqlglot import exp

from evaluator.sql.trees import SQL, call, cast, choose, number, text, wide

OPERATORS: dict[str, type[exp.Binary]] = {
    "=": exp.EQ, "<>": exp.NEQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE, "+": exp.Add, "-": exp.Sub,
}  # fmt: skip
PLACES = 6
UNIT = 10**PLACES


@dataclass(frozen=True, slots=True)
class Ratio:
    """num / den; den is a positive whole number known now, or an SQL integer that is positive or null."""

    num: SQL
    den: int | SQL

    @property
    def den_sql(self) -> SQL:
        """The denominator as SQL."""
        return number(self.den) if isinstance(self.den, int) else self.den.copy()


def times(value: SQL, factor: int) -> SQL:
    """Multiply by a known whole number."""
    if factor == 1:
        return value
    if isinstance(value, exp.Literal):
        return number(int(value.name) * factor)
    return exp.paren(exp.Mul(this=exp.paren(wide(value)), expression=number(factor)))


def product(a: SQL, b: SQL) -> SQL:
    """Multiply two integers, widened so that nothing overflows."""
    return exp.paren(exp.Mul(this=wide(exp.paren(a.copy())), expression=wide(exp.paren(b.copy()))))


def common(ratios: Sequence[Ratio]) -> tuple[list[SQL], int | SQL]:
    """Bring fractions to one denominator."""
    dens = [ratio.den for ratio in ratios]
    known = [den for den in dens if isinstance(den, int)]
    if len(known) == len(dens):
        den = lcm(*known)
        return [times(r.num, den // r.den) for r in ratios if isinstance(r.den, int)], den
    whole: SQL = number(lcm(*known)) if known else number(1)
    moving = [(i, each) for i, each in enumerate(dens) if not isinstance(each, int)]
    for _, each in moving:
        whole = product(whole, each)
    nums = []
    for i, ratio in enumerate(ratios):
        factor: SQL = (
            number(lcm(*known) // ratio.den) if isinstance(ratio.den, int) else number(lcm(*known) if known else 1)
        )
        for j, each in moving:
            if j != i:
                factor = product(factor, each)
        nums.append(product(ratio.num, factor))
    return nums, whole


def one_ratio(ratios: list[Ratio], pick: Callable[[list[SQL]], SQL]) -> Ratio:
    """Make one fraction of several, of which `pick` takes one; those not taken may be unknown."""
    if all(isinstance(ratio.den, int) for ratio in ratios):
        nums, den = common(ratios)
        return Ratio(pick(nums), den)
    return Ratio(pick([ratio.num for ratio in ratios]), pick([ratio.den_sql for ratio in ratios]))


def unreduced(ratio: Ratio) -> SQL:
    """Return something that is null exactly where the fraction is."""
    return ratio.num if isinstance(ratio.den, int) else product(ratio.num, ratio.den)


def compare(op: str, a: Ratio, b: Ratio) -> SQL:
    """Compare two fractions without dividing."""
    if isinstance(a.den, int) and isinstance(b.den, int):
        (left, right), _ = common([a, b])
    else:
        left, right = product(a.num, b.den_sql), product(b.num, a.den_sql)
    return OPERATORS[op](this=left, expression=right)


def floor(ratio: Ratio) -> SQL:
    """Return the greatest whole number not above a fraction."""
    if ratio.den == 1:
        return ratio.num
    num, den = exp.paren(ratio.num), ratio.den_sql
    down = exp.IntDiv(this=num.copy(), expression=den.copy())
    # integer division goes towards zero, so below zero it is done on the mirrored number
    mirrored = exp.Neg(this=wide(num.copy()))
    lifted = exp.paren(exp.Sub(this=exp.Add(this=mirrored, expression=den.copy()), expression=number(1)))
    up = exp.Neg(this=exp.paren(exp.IntDiv(this=lifted, expression=den.copy())))
    return choose([(exp.GTE(this=num.copy(), expression=number(0)), down)], up)


def rounded(ratio: Ratio, scale: int) -> SQL:
    """Return a fraction times `scale` as a whole number, rounded half away from zero."""
    if isinstance(ratio.den, int) and scale % ratio.den == 0:
        return times(ratio.num, scale // ratio.den)
    num, den = wide(exp.paren(ratio.num)), ratio.den
    twice = exp.Mul(this=exp.Abs(this=num), expression=number(2 * scale))
    lifted = exp.paren(exp.Add(this=twice, expression=ratio.den_sql))
    double = number(2 * den) if isinstance(den, int) else exp.paren(exp.Mul(this=number(2), expression=den.copy()))
    whole = exp.IntDiv(this=lifted, expression=double)
    negative = exp.LT(this=exp.paren(ratio.num.copy()), expression=number(0))
    return choose([(negative, exp.Neg(this=exp.paren(whole)))], whole.copy())


def decimal_text(value: SQL) -> SQL:
    """Write millionths as a decimal without needless zeros."""
    unit = cast(exp.Literal.number("0.000001"), "DECIMAL(6, 6)")
    exact = exp.Mul(this=cast(value, "DECIMAL(19, 0)"), expression=unit)
    return call("regexp_replace", cast(exp.paren(exact), "TEXT"), text("[.]?0+$"), text(""))


def stored_number(ratio: Ratio) -> SQL:
    """Return a fraction as millionths."""
    return cast(rounded(ratio, UNIT), "BIGINT")
