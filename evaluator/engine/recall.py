"""Values over several years: what earlier years came to, and this year's values beside them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from sqlglot import exp

from evaluator.data.history import PastRun, past_rows
from evaluator.data.past_results import entered_rows, entered_years
from evaluator.engine.measure import Gathered
from evaluator.engine.plan import Value
from evaluator.engine.state import State
from evaluator.pack.definitions import KindDef
from evaluator.pack.nodes import Name, Recall
from evaluator.pack.types import BOOLEAN
from evaluator.pack.windows import first_day
from evaluator.sql.lower import Lowering, sql_type
from evaluator.sql.rows import Rows
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
    row_number,
    star,
    table,
    union_all,
    window,
)


def recall(state: State, kind: KindDef, value: Value, past: list[PastRun]) -> Gathered:
    """Compute a function over years for all subjects of a kind."""
    found = kind.recalls[value.name]
    # kept, so that an explanation can show year by year
    listed = table(recalled_table(kind, value.name), "work")
    state.db.create(listed, _in_reach(state, found, _all_years(state, kind, found, past)))
    over_years = _running(state, listed) if found.function == "years_running" else _result(found, listed)
    nothing = exp.Null() if found.function == "last" else number(0)
    result = choose([(is_null(column("#key", "c")), nothing)], column("result", "c"))
    query = exp.select(named(column("#sid", "s"), "sid"), named(result, value.name))
    query = query.from_(exp.alias_(state.location(kind.name), "s", table=True))
    is_it = exp.EQ(this=column("#key", "s"), expression=column("#key", "c"))
    name = table(f"{kind.name}#years{state.versions}.{list(kind.recalls).index(value.name)}", "work")
    state.db.create(name, left_join(query, over_years.subquery("c", copy=False), is_it))
    return Gathered(name, ((value.name, None),))


def recalled_table(kind: KindDef, name: str) -> str:
    """Return the table of what was looked back on, by subject and year."""
    return f"{kind.name}#recalled.{list(kind.recalls).index(name)}"


def _all_years(state: State, kind: KindDef, found: Recall, past: list[PastRun]) -> exp.Query:
    """Return what is looked back on for every subject with a result, a row a year."""
    value, place = sql_type(found.operand.type), {"#src": "BIGINT", "#row": "BIGINT"}
    kinds = {"#key": "TEXT", "year": "BIGINT", "value": value, **place}
    nothing = [named(cast(exp.Null(), kind_of), name) for name, kind_of in kinds.items()]
    parts: list[exp.Query] = [exp.select(*nothing).where(exp.false(), copy=False)]
    parts += _past_years(state, kind, found, past)
    if found.reads_this_year:
        now = exp.select(exp.Star()).from_(state.location(kind.name), copy=False).subquery(copy=False)
        parts.append(_of_year(state, kind, found, (state.year, state.start, state.end), now))
    return union_all(parts)


def _past_years(state: State, kind: KindDef, found: Recall, past: list[PastRun]) -> Iterator[exp.Select]:
    wanted = {part.leaf: part.type for part in found.operand.walk() if isinstance(part, Name)}
    wanted["is_assessed"] = BOOLEAN
    for year in entered_years(state.db, state.pack):
        end = state.pack.period.ends(year)
        span = (year, first_day(end, state.pack.period.months), end)
        yield _of_year(state, kind, found, span, entered_rows(kind, year, wanted).subquery(copy=False))
    for run in past:
        rows = past_rows(state.db, run, kind.name, wanted)
        if rows is not None:
            yield _of_year(state, kind, found, (run.year, *run.period), rows.subquery(copy=False))


def _of_year(
    state: State, kind: KindDef, found: Recall, span: tuple[int, dt.date, dt.date], base: exp.Subquery
) -> exp.Select:
    """Return key, year, value and place for the subjects assessed in one year."""
    rows = Rows(base, "p", state.location, state.settings_of(*span), state.pack, kind.name)
    value = Lowering(rows).stored(found.operand)
    columns: list[SQL] = [column("#key", "p"), named(number(span[0]), "year"), named(value, "value")]
    for name in ("#src", "#row"):  # where past results were entered
        columns.append(named(cast(exp.Null(), "BIGINT"), name) if span[0] == state.year else column(name, "p"))
    query = rows.select(*columns)
    return query.where(column("is_assessed", "p"))


def _in_reach(state: State, found: Recall, every: exp.Query) -> exp.Select:
    """Leave the years a function goes over."""
    latest_first = [ordered(column("year", "y"), True)]
    nth = named(row_number(latest_first, [column("#key", "y")]), "nth")
    rows = exp.select(star("y"), nth).from_(every.subquery("y", copy=False), copy=False)
    query = exp.select(*(column(name, "n") for name in ("#key", "year", "value", "#src", "#row")))
    query = query.from_(rows.subquery("n", copy=False))
    if found.function == "years_running":
        return query
    if found.years == "term":
        return query.where(exp.GTE(this=column("year", "n"), expression=number(_first_of_term(state))))
    count = found.years or 1
    if state.pack.gap == "skipped":
        return query.where(exp.LTE(this=column("nth", "n"), expression=number(count)))
    last = state.year if found.reads_this_year else state.year - 1
    return query.where(exp.GT(this=column("year", "n"), expression=number(last - count)))


def _first_of_term(state: State) -> int:
    """Return the first year whose last day lies in the term."""
    assert state.term is not None
    begin, _ = state.term
    return begin.year if state.pack.period.ends(begin.year) >= begin else begin.year + 1


def _result(found: Recall, listed: exp.Table) -> exp.Select:
    """Return what the years of each subject come to."""
    value = column("value", "y")
    if found.function == "last":
        result: SQL = exp.Max(this=value)  # of one
    elif found.function == "years":
        held = holds(value)
        result = cast(exp.CountIf(this=held), "BIGINT")
    else:
        lacks = exp.EQ(this=exp.CountIf(this=is_null(value)), expression=number(0))
        result = choose([(lacks, cast(exp.Sum(this=value), "BIGINT"))])
    query = exp.select(column("#key", "y"), named(result, "result")).from_(
        exp.alias_(listed, "y", table=True), copy=False
    )
    return query.group_by(column("#key", "y"))


def _running(state: State, listed: exp.Table) -> exp.Select:
    """Return for how many years, this one included, the condition has held."""
    held: SQL = holds(column("value", "y"))
    if state.pack.gap == "breaks":
        nth = row_number([ordered(column("year", "y"), True)], [column("#key", "y")])
        next_year = exp.Add(this=exp.Sub(this=number(state.year), expression=nth), expression=number(1))
        held = both(held, exp.EQ(this=column("year", "y"), expression=exp.paren(next_year)))
    unbroken = exp.select(column("#key", "y"), column("year", "y"), named(held, "held"))
    unbroken = unbroken.from_(exp.alias_(listed, "y", table=True))
    so_far = window(
        exp.LogicalAnd(this=column("held", "h")),
        [column("#key", "h")],
        [ordered(column("year", "h"), True)],
        so_far=True,
    )
    marked = exp.select(column("#key", "h"), column("year", "h"), named(so_far, "running"))
    marked = marked.from_(unbroken.subquery("h", copy=False))
    years = cast(exp.CountIf(this=column("running", "m")), "BIGINT")
    query = exp.select(column("#key", "m"), named(years, "result")).from_(marked.subquery("m", copy=False), copy=False)
    # a subject without a result this year has no run of years that reaches to now
    reaches = exp.EQ(this=exp.Max(this=column("year", "m")), expression=number(state.year))
    return query.group_by(column("#key", "m")).having(reaches)
