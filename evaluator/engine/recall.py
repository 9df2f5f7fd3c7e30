"""Values over several years: what earlier runs concluded, and this year's values beside them."""

from __future__ import annotations

from sqlglot import exp

from evaluator.data.history import PastRun, past_rows
from evaluator.engine.measure import Gathered
from evaluator.engine.plan import Value
from evaluator.engine.state import State
from evaluator.pack.definitions import KindDef
from evaluator.pack.nodes import Name, Recall
from evaluator.sql.lower import Lowering
from evaluator.sql.trees import SQL, both, cast, column, named, number, ordered, table, text, window


def recall(state: State, kind: KindDef, value: Value, past: list[PastRun]) -> Gathered:
    """Compute years_running(condition): for how many years, this one included, the condition has held."""
    found = kind.recalls[value.name]
    wanted = {part.leaf: part.type for part in found.condition.walk() if isinstance(part, Name)}
    query: exp.Query = _years(
        state, kind, found, None, exp.select(exp.Star()).from_(state.location(kind.name)).subquery()
    )
    for run in past:
        rows = past_rows(state.db, run, kind.name, wanted)
        if rows is not None:
            query = exp.union(query, _years(state, kind, found, run.year, rows.subquery()), distinct=False)
    # kept, so that an explanation can show year by year
    listed = table(recalled_table(kind, value.name), "work")
    state.db.create(listed, exp.select(named(text(value.name), "value"), exp.Star()).from_(query.subquery("q")))
    by, latest_first = [column("#key", "y")], [ordered(column("year", "y"), True)]
    held: SQL = exp.Coalesce(this=column("holds", "y"), expressions=[exp.false()])
    if state.pack.gap == "breaks":
        nth = window(exp.RowNumber(), by, latest_first)
        next_year = exp.Add(this=exp.Sub(this=number(state.year), expression=nth), expression=number(1))
        held = both(held, exp.EQ(this=column("year", "y"), expression=exp.paren(next_year)))
    unbroken = exp.select(column("#key", "y"), column("year", "y"), named(held, "held")).from_(
        exp.alias_(listed, "y", table=True)
    )
    running = window(
        exp.LogicalAnd(this=column("held", "h")),
        [column("#key", "h")],
        [ordered(column("year", "h"), True)],
        so_far=True,
    )
    marked = exp.select(column("#key", "h"), column("year", "h"), named(running, "running")).from_(
        unbroken.subquery("h")
    )
    counted = (
        exp.select(column("#key", "m"), named(exp.CountIf(this=column("running", "m")), "years"))
        .from_(marked.subquery("m"))
        .group_by(column("#key", "m"))
        # a subject without a result this year has no run of years that reaches to now
        .having(exp.EQ(this=exp.Max(this=column("year", "m")), expression=number(state.year)))
    )
    numbered = exp.select(
        named(column("#sid", "s"), "sid"), named(cast(column("years", "c"), "BIGINT"), value.name)
    ).from_(exp.alias_(state.location(kind.name), "s", table=True))
    numbered = numbered.join(counted.subquery("c"), on=exp.EQ(this=column("#key", "s"), expression=column("#key", "c")))
    name = table(f"{kind.name}#years{state.versions}.{list(kind.recalls).index(value.name)}", "work")
    state.db.create(name, numbered)
    return Gathered(name, ((value.name, number(0)),))


def recalled_table(kind: KindDef, name: str) -> str:
    """Return the table of whether a recalled condition held, by subject and year."""
    return f"{kind.name}#recalled.{list(kind.recalls).index(name)}"


def _years(state: State, kind: KindDef, found: Recall, year: int | None, base: exp.Subquery) -> exp.Select:
    """Return key, year and whether the condition held, for one year; None is the year assessed."""
    rows = state.rows(kind.name, "p", base=base)
    holds = Lowering(rows).condition(found.condition)
    query = rows.select(column("#key", "p"), named(number(year or state.year), "year"), named(holds, "holds"))
    return query.where(column("is_assessed", "p")) if year is None else query
