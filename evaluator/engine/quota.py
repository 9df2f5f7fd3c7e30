"""Quotas: the first so many of those eligible, overall or within a group, with ties settled as declared."""

from __future__ import annotations

from sqlglot import exp

from evaluator.diagnostics import Problems
from evaluator.engine.state import State
from evaluator.pack.definitions import KindDef, VerdictDef
from evaluator.sql.lower import Lowering
from evaluator.sql.ratio import UNIT
from evaluator.sql.trees import (
    SQL,
    both,
    cast,
    choose,
    column,
    holds,
    is_null,
    left_join,
    named,
    number,
    ordered,
    star,
    table,
    window,
)


def choose_quota(state: State, kind: KindDef, verdict: VerdictDef, problems: Problems) -> None:
    """Add a quota's verdict, the place of each eligible subject and how many are taken.

    Columns: the verdict's name (unknown for those not assessed), place.<verdict>, take.<verdict>.
    """
    assert verdict.among is not None and verdict.take is not None
    name, place, take = verdict.name, f"place.{verdict.name}", f"take.{verdict.name}"
    rows = state.rows(kind.name, "s")
    lowering = Lowering(rows)
    eligible: SQL = both(
        column("is_assessed", "s"),
        holds(lowering.condition(verdict.among)),
    )
    if verdict.when is not None:
        eligible = both(eligible, holds(lowering.condition(verdict.when)))
    group: SQL = lowering.stored(verdict.within) if verdict.within is not None else number(0)
    keys = [named(lowering.ordering(key.formula), f"key{i}") for i, key in enumerate(verdict.order_by)]
    taken = lowering.stored(verdict.take)
    if verdict.take.node.type.base == "number":
        taken = exp.IntDiv(this=taken, expression=number(UNIT))
    # all columns of all subjects would be carried through the windows
    own = (column("#sid", "s"), column("is_assessed", "s"))
    prepared = rows.select(*own, named(eligible, "eligible"), named(group, "group"), named(taken, "taken"), *keys)
    order = [
        ordered(column("eligible", "p"), True),
        *(ordered(column(f"key{i}", "p"), key.is_descending) for i, key in enumerate(verdict.order_by)),
    ]
    by = [column("group", "p")]
    alike = [*by, column("eligible", "p"), *(column(f"key{i}", "p") for i in range(len(keys)))]
    ranked = exp.select(
        star("p"),
        named(window(exp.Rank(expressions=[]), by, order), "rank"),
        named(window(exp.Count(this=exp.Star()), alike), "tied"),
    ).from_(prepared.subquery("p", copy=False), copy=False)
    rank, tied, most = column("rank", "r"), column("tied", "r"), column("taken", "r")
    last = exp.Sub(this=exp.Add(this=rank.copy(), expression=tied), expression=number(1))
    inside = exp.LTE(this=rank, expression=most.copy())
    if verdict.model.ties == "exclude":
        inside = exp.LTE(this=exp.paren(last.copy()), expression=most.copy())
    is_eligible = column("eligible", "r")
    chosen = choose(
        [(exp.Not(this=column("is_assessed", "r")), cast(exp.Null(), "BOOLEAN"))], both(is_eligible, inside)
    )
    at_edge = both(
        is_eligible.copy(), exp.LTE(this=rank.copy(), expression=most.copy()),
        exp.GT(this=exp.paren(last), expression=most.copy()), exp.GT(this=most.copy(), expression=number(0)),
    )  # fmt: skip
    placed = choose([(is_eligible.copy(), rank.copy())])
    query = exp.select(
        column("#sid", "r"),
        named(chosen, name),
        named(cast(placed, "BIGINT"), place),
        named(cast(choose([(is_eligible.copy(), most.copy())]), "BIGINT"), take),
        named(at_edge, "#edge"),
        named(column("group", "r"), "#group"),
    ).from_(ranked.subquery("r", copy=False), copy=False)
    places = table(f"{kind.name}#places in {name}", "work")
    state.db.create(places, query)
    subjects = exp.select(star("s"), *(column(one, "p") for one in (name, place, take)))
    subjects = subjects.from_(exp.alias_(state.location(kind.name), "s", table=True), copy=False)
    is_same = exp.EQ(this=column("#sid", "s"), expression=column("#sid", "p"))
    state.replace(kind.name, left_join(subjects, exp.alias_(places, "p", table=True), is_same))
    state.count_unknown(kind, verdict.name, verdict.among)
    _note_unknown_take(state, kind, verdict, problems)
    _note_unequal_take(state, kind, verdict, places, problems)
    if verdict.model.ties == "stop":
        edge = exp.select(column("#sid", "p")).from_(exp.alias_(places, "p", table=True)).where(column("#edge", "p"))
        tied_subjects = state.display(kind, exp.In(this=column("#sid", "s"), query=edge.subquery()), limit=10)
        if tied_subjects:
            count = state.db.value(
                exp.select(exp.Max(this=column(take, "s"))).from_(
                    exp.alias_(state.location(kind.name), "s", table=True), copy=False
                )
            )
            shown = f"{kind.name}.{name} takes {count}, and {', '.join(tied_subjects)} tie at the edge"
            problems.add("R104", shown, verdict.at)
    state.db.drop(places)


def _note_unknown_take(state: State, kind: KindDef, verdict: VerdictDef, problems: Problems) -> None:
    assert verdict.take is not None
    if verdict.take.node.nullable:
        lacking = both(
            is_null(column(f"take.{verdict.name}", "s")),
            exp.Not(this=is_null(column(f"place.{verdict.name}", "s"))),
        )
        names = state.display(kind, lacking)
        if names:
            problems.add(
                "R103",
                f"take of {kind.name}.{verdict.name} is unknown for {', '.join(names)}",
                verdict.take.at,
            )


def _note_unequal_take(state: State, kind: KindDef, verdict: VerdictDef, places: exp.Table, problems: Problems) -> None:
    take = column(f"take.{verdict.name}", "p")
    query = (
        exp.select(exp.Min(this=take), exp.Max(this=take.copy()))
        .from_(exp.alias_(places, "p", table=True), copy=False)
        .group_by(column("#group", "p"), copy=False)
        .having(exp.NEQ(this=exp.Min(this=take.copy()), expression=exp.Max(this=take.copy())), copy=False)
        .limit(1, copy=False)
    )
    for low, high in state.db.rows(query):
        assert verdict.take is not None
        problems.add(
            "R107",
            f"{kind.name}.{verdict.name} takes {low} for some of a group and {high} for others",
            verdict.take.at,
        )
