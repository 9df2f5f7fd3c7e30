"""Where a subject stands in each roster: who is directly above and below, and by what they are told apart."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlglot import exp

from evaluator.engine.rank import shown as sql_shown
from evaluator.pack.definitions import KindDef, Order, RosterDef
from evaluator.report.reopen import PastRun
from evaluator.sql.lower import Lowering
from evaluator.sql.trees import SQL, both, cast, column, number, text


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Who stands next in a roster, the first of the order's keys that tells the two apart, and its values.

    Without such a key the two tie, or stand in the order of their keys.
    """

    key: str
    name: str
    rank: int | None
    order: Order | None
    theirs: Any = None
    own: Any = None

    @property
    def lead(self) -> Decimal | None:
        """By how much the one above is ahead in what tells them apart, where that is a number."""
        if isinstance(self.theirs, Decimal | int) and isinstance(self.own, Decimal | int):
            return None if isinstance(self.theirs, bool) else abs(Decimal(self.theirs) - Decimal(self.own))
        return None


@dataclass(frozen=True, slots=True)
class RosterPlace:
    """A subject's place in a roster: its rank among how many, in which group, and who is next to it."""

    roster: RosterDef
    rank: int | None
    count: int
    group: Any
    above: Neighbour | None
    below: Neighbour | None


@dataclass(frozen=True, slots=True)
class _Around:
    """Where a subject stands in a roster, and the number and rank of whoever stands at these positions of its group."""

    roster: RosterDef
    position: int
    rank: int | None
    count: int
    group: Any
    others: dict[int, tuple[int, int | None]]


def places_in_rosters(run: PastRun, kind: KindDef, sid: int) -> list[RosterPlace]:
    """Return the place of a subject, given by its number, in each roster that has it."""
    found = [around for roster in kind.rosters if (around := _around(run, roster, sid)) is not None]
    if not found:
        return []
    rows = run.state.rows(kind.name, "s")
    lowering = Lowering(rows)
    shown = [sql_shown(lowering, key.formula.node) for one in found for key in one.roster.order_by]
    query = rows.select(column("#sid", "s"), column("#key", "s"), cast(column(kind.display, "s"), "TEXT"), *shown)
    sids = dict.fromkeys([sid, *(other for one in found for other, _ in one.others.values())])
    near = exp.In(this=column("#sid", "s"), expressions=[number(other) for other in sids])
    values = {other: tuple(its) for other, *its in run.state.db.rows(query.where(near))}
    places, first = [], 2
    for one in found:
        last = first + len(one.roster.order_by)
        ordered_by = {other: (*its[:2], *its[first:last]) for other, its in values.items()}
        places.append(_place(one, ordered_by, sid))
        first = last
    return places


def _place(around: _Around, values: dict[int, tuple[Any, ...]], sid: int) -> RosterPlace:
    """Tell who is next from the key, the name and the values of the order of each, as readers see them."""

    def neighbour(at: int) -> Neighbour | None:
        if at not in around.others or around.rank is None or around.others[at][1] is None:
            return None
        other, its = around.others[at]
        key, name, *theirs = values[other]
        for order, a, b in zip(around.roster.order_by, theirs, values[sid][2:], strict=True):
            if a != b:
                return Neighbour(key, name, its, order, a, b)
        return Neighbour(key, name, its, None)

    above, below = neighbour(around.position - 1), neighbour(around.position + 1)
    return RosterPlace(around.roster, around.rank, around.count, around.group, above, below)


def _around(run: PastRun, roster: RosterDef, sid: int) -> _Around | None:
    made = run.roster_table(roster.name)
    group: list[SQL] = [column("#group", "r")] if roster.within is not None else []
    found = run.state.db.rows(
        exp.select(column("#position", "r"), column("#rank", "r"), *group)
        .from_(exp.alias_(made, "r", table=True), copy=False)
        .where(exp.EQ(this=column("#sid", "r"), expression=number(sid)), copy=False)
    )
    if not found:
        return None
    position, rank, *own_group = found[0]
    same: list[SQL] = []
    if own_group:
        value = exp.Null() if own_group[0] is None else text(str(own_group[0]))
        same = [exp.NullSafeEQ(this=cast(column("#group", "r"), "TEXT"), expression=value)]
    counted = exp.select(exp.Count(this=column("#rank", "r"))).from_(exp.alias_(made.copy(), "r", table=True))
    count = run.state.db.value(counted.where(both(*same)) if same else counted)
    near = exp.In(this=column("#position", "r"), expressions=[number(position - 1), number(position + 1)])
    query = exp.select(column("#position", "r"), column("#sid", "r"), column("#rank", "r"))
    query = query.from_(exp.alias_(made.copy(), "r", table=True), copy=False).where(both(near, *same))
    others = {there: (other, its) for there, other, its in run.state.db.rows(query)}
    return _Around(roster, position, rank, int(count), own_group[0] if own_group else None, others)
