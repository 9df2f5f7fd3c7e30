"""Quotas over a range of a threshold: those asked for, and those the pack has, with the values that meet them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from sqlglot import exp

from evaluator.diagnostics import Problems
from evaluator.engine.families import domain
from evaluator.engine.state import State
from evaluator.pack.definitions import KindDef, Pack, VerdictDef
from evaluator.report.comparing.impact import AskedQuota, MetAt, OwnQuota, SweepPoint
from evaluator.report.words import plain_fraction
from evaluator.sql.lower import Lowering
from evaluator.sql.ratio import UNIT
from evaluator.sql.trees import column, is_null, named, number

_QUOTA = re.compile(r"\s*([^=<>\s]+?)\s*=\s*([^=<>]+?)\s*(<=|>=|<|>|=)\s*(\d+(?:\.\d+)?)\s*(%?)\s*\Z")
_WORDS = {"是": "true", "yes": "true", "否": "false", "no": "false"}
_TESTS = {
    "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b, "<": lambda a, b: a < b, ">": lambda a, b: a > b,
    "=": lambda a, b: a == b,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Quota:
    """How many subjects, or which share of those with any value of a verdict, may have one of its values."""

    asked: str
    verdict: str  # kind.verdict
    value: str
    test: str
    amount: Fraction
    is_share: bool

    def met(self, counts: Mapping[str, int]) -> AskedQuota:
        """Return how many have the value, and whether that is so many as asked."""
        having, judged = counts.get(self.value, 0), sum(counts.values())
        most = self.amount * judged / 100 if self.is_share else self.amount
        is_met = _TESTS[self.test](Fraction(having), most)
        return AskedQuota(asked=self.asked, subjects=having, of=judged, is_met=is_met)


def asked_quota(pack: Pack, asked: str, problems: Problems) -> Quota | None:
    """Return the quota of a text such as grade=优秀<=30%; note what is wrong with it."""
    found = _QUOTA.match(asked)
    if found is None:
        problems.add("R215", f'"{asked}" is no quota', fix="write it so: grade=优秀<=30%, or grade=优秀<=25")
        return None
    name, value, test, amount, share = found.groups()
    fitting = [
        (kind, verdict)
        for kind in pack.kinds.values()
        for verdict in kind.verdicts.values()
        if name in (verdict.name, f"{kind.name}.{verdict.name}")
    ]
    if len(fitting) != 1:
        known = [f"{kind.name}.{verdict.name}" for kind, verdict in fitting]
        every = [f"{kind.name}.{verdict}" for kind in pack.kinds.values() for verdict in kind.verdicts]
        message = f'{len(known)} kinds have the verdict "{name}"' if known else f'there is no verdict "{name}"'
        problems.add("R206", message, fix=f"use one of {', '.join(known or every)}")
        return None
    ((kind, verdict),) = fitting
    values = values_of(verdict)
    value = _WORDS.get(value, value) if values == ("false", "true") else value
    if value not in values:
        problems.add(
            "R206", f'{kind.name}.{name.rpartition(".")[2]} is never "{value}"', fix=f"use one of {', '.join(values)}"
        )
        return None
    return Quota(asked, f"{kind.name}.{verdict.name}", value, test, Fraction(amount), bool(share))


def values_of(verdict: VerdictDef) -> tuple[str, ...]:
    """Return the values that are counted of a verdict, worst to best; none where they are not listed."""
    if verdict.type.base == "boolean":
        return ("false", "true")
    return tuple(plain_fraction(one) if isinstance(one, Fraction) else str(one) for one in domain(verdict))


def counts_of(state: State, kind: KindDef, verdict: VerdictDef) -> dict[str, int]:
    """Count the assessed subjects with each value of a verdict; those without are not counted."""
    query = exp.select(column(verdict.name, "s"), exp.Count(this=exp.Star())).from_(
        exp.alias_(state.location(kind.name), "s", table=True), copy=False
    )
    query = query.where(column("is_assessed", "s"), copy=False).group_by(column(verdict.name, "s"), copy=False)
    unit = UNIT if verdict.type.base == "number" else 1
    found = {_as_text(value, unit): count for value, count in state.db.rows(query) if value is not None}
    return {value: found.get(value, 0) for value in values_of(verdict) or sorted(found)}


def _as_text(value: object, unit: int) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return plain_fraction(Fraction(value, unit)) if isinstance(value, int) else str(value)


def own_quota(state: State, kind: KindDef, verdict: VerdictDef) -> OwnQuota:
    """Count who is eligible for a quota of the pack, and its places."""
    rows = state.rows(kind.name, "s")
    group = Lowering(rows).stored(verdict.within) if verdict.within is not None else number(0)
    place, take = column(f"place.{verdict.name}", "s"), column(f"take.{verdict.name}", "s")
    inner = rows.select(named(group, "group"), named(place, "place"), named(take, "take"))
    inner = inner.where(exp.Not(this=is_null(place.copy())), copy=False)
    query = exp.select(exp.Count(this=exp.Star()), exp.Max(this=column("take", "q")))
    query = query.from_(inner.subquery("q", copy=False), copy=False).group_by(column("group", "q"), copy=False)
    groups = [(int(eligible), int(places or 0)) for eligible, places in state.db.rows(query)]
    return OwnQuota(
        verdict=f"{kind.name}.{verdict.name}", eligible=sum(one for one, _ in groups),
        places=sum(places for _, places in groups), is_met=all(one <= places for one, places in groups),
    )  # fmt: skip


def met_at(points: Sequence[SweepPoint], now: Fraction) -> list[MetAt]:
    """Return with which values each quota is met: those asked for, and those of the pack whose candidates vary."""
    found = []
    ran = [point for point in points if point.stops is None]
    for place, asked in enumerate(ran[0].quotas if ran else ()):
        found.append(_met_at(asked.asked, False, [(point.value, point.quotas[place].is_met) for point in ran], now))
    for place, own in enumerate(ran[0].own_quotas if ran else ()):
        if len({point.own_quotas[place].eligible for point in ran}) > 1:
            met = [(point.value, point.own_quotas[place].is_met) for point in ran]
            found.append(_met_at(own.verdict, True, met, now))
    return found


def _met_at(quota: str, is_own: bool, tried: list[tuple[str, bool]], now: Fraction) -> MetAt:
    values = [value for value, is_met in tried if is_met]
    below = [value for value in values if Fraction(value) <= now]
    above = [value for value in values if Fraction(value) >= now]
    return MetAt(
        quota=quota, is_own=is_own, values=tuple(values),
        below=max(below, key=Fraction, default=None), above=min(above, key=Fraction, default=None),
    )  # fmt: skip
