"""One step of computing: sums over records joined to the subjects, then what follows row by row."""

from __future__ import annotations

from sqlglot import exp

from evaluator.data.history import PastRun
from evaluator.diagnostics import Cell, Problems
from evaluator.engine.awards import selected_sum
from evaluator.engine.entries import judge_points
from evaluator.engine.measure import Gathered, gather, note_uncertain, peers
from evaluator.engine.plan import Compute, Value
from evaluator.engine.recall import recall
from evaluator.engine.score import can_be_unknown, line_values
from evaluator.engine.state import State, missing_values, points_column
from evaluator.pack.definitions import ExceptionDef, KindDef, LineDef
from evaluator.sql.lower import Lowering
from evaluator.sql.rows import Rows, unpacked
from evaluator.sql.trees import (
    SQL,
    all_but,
    both,
    choose,
    column,
    holds,
    is_null,
    left_join,
    named,
    number,
    star,
    table,
    text,
)


def compute(state: State, kind: KindDef, step: Compute, past: list[PastRun], problems: Problems) -> None:
    """Add the values of a step to a kind."""
    lines = {line.id: line for line in kind.lines}
    own = [lines[v.name] for v in step.sums if v.part == "sum"]
    apart = {line.id for line in own if line.selection is not None or line.judged is not None}
    gathered = gather(state, kind, [v for v in step.sums if v.part != "sum" or v.name not in apart])
    for line in own:
        if line.judged is not None:
            gathered.append(judge_points(state, kind, line))
        elif line.selection is not None:
            gathered.append(_selected(state, kind, line))
    gathered += [recall(state, kind, value, past) for value in step.recalls]
    problems.stop_on_errors()
    query = exp.select(star("s")).from_(exp.alias_(state.location(kind.name), "s", table=True), copy=False)
    for place, one in enumerate(gathered):
        alias = f"g{place}"
        on = exp.EQ(this=column("#sid", "s"), expression=column("sid", alias))
        query = left_join(query, exp.alias_(one.table, alias, table=True), on)
        for name, default in one.columns:
            found: SQL = column(name, alias)
            if default is not None:
                found = exp.Coalesce(this=found, expressions=[default])
            query = query.select(named(found, name), copy=False)
    query = _with_defaults(state, kind, step, query)
    for level in step.levels:
        if any(_is_of_peers(kind, value) for value in level):  # all have to be known before they are asked about
            state.replace(kind.name, query)
            rows = state.rows(kind.name, "s")
        else:
            rows = state.rows(kind.name, "s", base=query.subquery(copy=False))
        columns = [made for value in level for made in _columns(state, kind, value, rows)]
        query = rows.select(star("s"), *columns)
    state.replace(kind.name, query)
    for one in gathered:
        state.db.drop(one.table)
    for level in step.levels:
        for value in level:
            _note_unknown(state, kind, value, problems)


def _is_of_peers(kind: KindDef, value: Value) -> bool:
    made = kind.measures[value.name].aggregate if value.part == "measure" else None
    return made is not None and made.is_peers


def _selected(state: State, kind: KindDef, line: LineDef) -> Gathered:
    """Sum up the awards of a line that chooses among its records."""
    name = table(f"{kind.name}#chosen{state.versions}.{line.id}", "work")
    state.db.create(name, selected_sum(state, kind, line))
    note_uncertain(state, kind, line)
    counted = [(f"{column}.{line.id}", number(0)) for column in ("sum", "n", "doubt")]
    return Gathered(name, (*counted, (f"doubtful.{line.id}", None)))


def _columns(state: State, kind: KindDef, value: Value, rows: Rows) -> list[exp.Alias]:
    """Return the columns of one value that follows row by row."""
    lowering = Lowering(rows)
    if value.part == "apart":
        return _set_apart(kind, lowering)
    if value.part == "line":
        line = next(line for line in kind.lines if line.id == value.name)
        return line_values(line, rows)
    if value.part == "verdict":
        verdict = kind.verdicts[value.name]
        assert verdict.value is not None
        assessed = column("is_assessed", rows.alias)
        return [named(choose([(assessed, lowering.stored(verdict.value, verdict.type))]), verdict.name)]
    measure = kind.measures[value.name]
    if measure.aggregate is not None:
        found: SQL = peers(state, kind, measure.name, measure.aggregate, rows)
        if measure.aggregate.default is not None:
            default = lowering.stored(measure.aggregate.default, measure.type)
            found = exp.Coalesce(this=found, expressions=[default])
        return [named(found, measure.name)]
    assert measure.value is not None
    return [named(lowering.stored(measure.value, measure.type), measure.name)]


def _set_apart(kind: KindDef, lowering: Lowering) -> list[exp.Alias]:
    """Return is_assessed, is_ranked, and the reason of whoever is set apart."""

    def first(exceptions: tuple[ExceptionDef, ...]) -> tuple[SQL, list[tuple[SQL, SQL]]]:
        tests = [holds(lowering.condition(e.when)) for e in exceptions]
        none = both(*(exp.Not(this=exp.paren(test)) for test in tests)) if tests else exp.true()
        return none, [(test.copy(), text(e.reason)) for test, e in zip(tests, exceptions, strict=True)]

    assessed, out = first(kind.not_assessed)
    ranked, unranked = first(kind.not_ranked)
    reasons = [*out, *unranked]
    reason = choose(reasons, text("")) if reasons else text("")
    return [
        named(assessed, "is_assessed"),
        named(both(assessed.copy(), ranked), "is_ranked"),
        named(reason, "#reason"),
    ]


def _with_defaults(state: State, kind: KindDef, step: Compute, query: exp.Select) -> exp.Select:
    """Fill min and max without any record with their default."""
    filled = {}
    for value in step.sums:
        if value.part == "measure":
            made = kind.measures[value.name].aggregate
            if made is not None and made.default is not None:
                filled[value.name] = made.default
    if not filled:
        return query
    rows = state.rows(kind.name, "s", base=query.subquery(copy=False))
    lowering = Lowering(rows)
    replaced = [
        named(exp.Coalesce(this=column(n, "s"), expressions=[lowering.stored(d, kind.measures[n].type)]), n)
        for n, d in filled.items()
    ]
    return rows.select(all_but("s", filled), *replaced)


def _note_unknown(state: State, kind: KindDef, value: Value, problems: Problems) -> None:
    """Note a level or points that are needed and unknown."""
    if value.part == "line":
        line = next(line for line in kind.lines if line.id == value.name)
        for condition in (line.when, *(one.when for one in line.times), *(one.when for one in line.veto)):
            state.count_unknown(kind, points_column(line.id), condition)
        formulas, name = can_be_unknown(line), points_column(line.id)
        settle, also = "coalesce(…, 0) in the expression", _records_without(state, kind, line)
    elif value.part == "verdict":
        verdict = kind.verdicts[value.name]
        formula = verdict.value
        formulas = [formula] if formula is not None and formula.node.nullable and not verdict.model.optional else []
        name, settle, also = verdict.name, "optional: true", []
    else:
        return
    if not formulas:
        return
    subjects = state.display(kind, both(column("is_assessed", "s"), is_null(column(name, "s"))))
    if subjects:
        missing = dict.fromkeys(name for formula in formulas for name in missing_values(formula.node))
        why = f": no {' or '.join(missing)}" if missing else ""
        fix = f"fill the missing cell, or say {settle}"
        problems.add("R103", f"{value} is unknown for {', '.join(subjects)}{why}", formulas[0].at, fix, also)


def _records_without(state: State, kind: KindDef, line: LineDef) -> list[tuple[Cell, str]]:
    """Return the first records whose points are unknown, and so their line's."""
    made = line.aggregate
    if made is None or made.operand is None or not made.operand.node.nullable:
        return []
    unknown = both(column("is_assessed", "s"), is_null(column(points_column(line.id), "s")))
    place = column(f"doubtful.{line.id}", "s")
    query = exp.select(*unpacked(place)).from_(exp.alias_(state.location(kind.name), "s", table=True), copy=False)
    query = query.where(both(unknown, exp.Not(this=is_null(place)))).order_by(place.copy()).limit(5)
    lacks = f"no {' or '.join(missing_values(made.operand.node)) or 'value'}"
    return [(state.db.cell(source, row), lacks) for source, row in state.db.rows(query)]
