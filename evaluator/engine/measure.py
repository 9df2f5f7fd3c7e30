"""Sums over records and children: one grouped pass a table, way and kind, all aggregates of it at once."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from evaluator.engine.plan import Value
from evaluator.engine.state import State, points_column
from evaluator.pack.definitions import AggregateDef, KindDef, LineDef, is_dated
from evaluator.pack.folding import folded
from evaluator.pack.types import NUMBER
from evaluator.sql.aggregates import aggregated, filtered, without_rows
from evaluator.sql.lower import Lowering, constant_of
from evaluator.sql.rows import Rows, linked, packed_place
from evaluator.sql.trees import SQL, both, cast, choose, column, is_null, named, number, ordered, table, wide, window


@dataclass(frozen=True, slots=True)
class Gathered:
    """The table of one pass: `sid` of the subject, and a column for each aggregate."""

    table: exp.Table
    columns: tuple[tuple[str, SQL | None], ...]  # column, value of subjects without any record


def gather(state: State, kind: KindDef, values: list[Value]) -> list[Gathered]:
    """Compute the sums of a kind that are ready, grouped by where they read."""
    lines = {line.id: line for line in kind.lines}
    passes: dict[tuple[str, tuple[tuple[str, ...], ...], str], list[tuple[Value, AggregateDef]]] = {}
    for value in values:
        made = lines[value.name].aggregate if value.part == "sum" else kind.measures[value.name].aggregate
        assert made is not None
        period = str(state.span_of(made.period)) if is_dated(state.pack.tables, made.source) else ""
        passes.setdefault((made.source, made.links, period), []).append((value, made))
    return [_pass(state, kind, members, lines, place) for place, members in enumerate(passes.values())]


def _pass(
    state: State,
    kind: KindDef,
    members: list[tuple[Value, AggregateDef]],
    lines: dict[str, LineDef],
    place: int,
) -> Gathered:
    source, links, period = members[0][1].source, members[0][1].links, members[0][1].period
    rows, link = linked_rows(state, kind, source, links)
    lowering = Lowering(rows)
    selected: list[SQL] = [named(link.copy(), "sid")]
    columns: list[tuple[str, SQL | None]] = []
    uncertain: list[Value] = []
    for value, made in members:
        condition = lowering.condition(made.where) if made.where is not None else None
        if condition is not None and made.where is not None and made.where.node.nullable:
            selected.append(named(exp.CountIf(this=is_null(condition)), f"unknown.{len(uncertain)}"))
            uncertain.append(value)
        if value.part == "sum":
            assert made.operand is not None
            line = lines[value.name]
            operand = made.operand.node
            if made.where is not None and not operand.nullable:
                operand = folded(operand, made.where.node, state.pack.parameters)
            award = lowering.stored(operand, NUMBER)
            count = filtered(exp.Count(this=exp.Star()), condition)
            selected.append(named(cast(count.copy(), "BIGINT"), f"n.{line.id}"))
            sum_ = filtered(exp.Sum(this=award), condition)
            if constant_of(operand) is not None:  # every record is worth the same
                sum_ = exp.Mul(this=wide(count), expression=award.copy())
            selected.append(named(cast(sum_, "BIGINT"), f"sum.{line.id}"))
            columns += [(f"n.{line.id}", number(0)), (f"sum.{line.id}", number(0))]
            if made.operand.node.nullable:
                selected.append(named(filtered(exp.CountIf(this=is_null(award)), condition), f"doubt.{line.id}"))
                doubtful = choose([(is_null(award), packed_place(rows.alias))])
                selected.append(named(filtered(exp.Min(this=doubtful), condition), f"doubtful.{line.id}"))
                columns += [(f"doubt.{line.id}", number(0)), (f"doubtful.{line.id}", None)]
        else:
            selected.append(named(aggregated(made, lowering), value.name))
            columns.append((value.name, without_rows(made)))
    query = rows.select(*selected)
    in_period = state.in_period(source, rows.alias, period)
    query = query.where(exp.Not(this=is_null(link)), copy=False).group_by(link.copy(), copy=False)
    if in_period is not None:
        query = query.where(in_period, copy=False)
    name = table(f"{kind.name}#sums{state.versions}.{place}", "work")
    state.db.create(name, query)
    for nth, value in enumerate(uncertain):
        total = exp.Sum(this=column(f"unknown.{nth}", "g"))
        count = state.db.value(exp.select(total).from_(exp.alias_(name, "g", table=True), copy=False))
        state.note_unknown(str(value), int(count or 0))
    return Gathered(name, tuple(columns))


def note_uncertain(state: State, kind: KindDef, line: LineDef) -> None:
    """Note how many records of a line may or may not count, where nothing else sums them up."""
    made = line.aggregate
    if made is None or made.where is None or not made.where.node.nullable:
        return
    rows, link = linked_rows(state, kind, made.source, made.links)
    unknown = is_null(Lowering(rows).condition(made.where))
    query = rows.select(exp.CountIf(this=unknown)).where(exp.Not(this=is_null(link)))
    in_period = state.in_period(made.source, rows.alias, made.period)
    if in_period is not None:
        query = query.where(in_period)
    state.note_unknown(f"{kind.name}.{points_column(line.id)}", int(state.db.value(query)))


def linked_rows(state: State, kind: KindDef, source: str, links: tuple[tuple[str, ...], ...]) -> tuple[Rows, SQL]:
    """Return the rows of a source and the `#sid` of the subject each belongs to.

    Over several ways a row counts for each subject it leads to, once.
    """
    rows, link = linked(lambda alias, base: state.rows(source, alias, base), links)
    rows.subject = (kind.name, link)
    return rows, link


def peers(state: State, kind: KindDef, name: str, made: AggregateDef, rows: Rows) -> SQL:
    """Return an aggregate over the subjects of the same kind, all of which lie in a table now.

    It is made apart and joined: a window would carry every column of every subject along.
    """
    others = state.rows(kind.name, "p")
    theirs = Lowering(others)
    if made.function == "rank":
        query = others.select(named(column("#sid", "p"), "sid"), named(_place(made, theirs), "value"))
        alias = rows.joined(
            f"peers {name}",
            query.subquery(copy=False),
            lambda alias: exp.EQ(this=column("#sid", rows.alias), expression=column("sid", alias)),
        )
        return column("value", alias)
    within = [theirs.stored(made.within)] if made.within is not None else []
    value = aggregated(made, theirs)
    query = others.select(*(named(key, "key") for key in within), named(value, "value"))
    if within:
        query = query.group_by(*(key.copy() for key in within), copy=False)

    def same(alias: str) -> SQL:
        if made.within is None:
            return exp.true()
        return exp.NullSafeEQ(this=Lowering(rows).stored(made.within), expression=column("key", alias))

    alias = rows.joined(f"peers {name}", query.subquery(copy=False), same)
    default = without_rows(made)
    return (
        column("value", alias) if default is None else exp.Coalesce(this=column("value", alias), expressions=[default])
    )


def _place(made: AggregateDef, lowering: Lowering) -> SQL:
    """Return the place among peers, unknown for whoever is not counted or has no value."""
    assert made.operand is not None
    within = [lowering.stored(made.within)] if made.within is not None else []
    value = lowering.ordering(made.operand)
    counted: SQL = exp.Not(this=is_null(value))
    if made.where is not None:
        counted = both(counted, lowering.condition(made.where))
    # those who are not ranked come last, and so before nobody
    masked = choose([(counted.copy(), value)])
    place = window(exp.Rank(expressions=[]), within, [ordered(masked, made.is_descending)])
    return choose([(counted, cast(place, "BIGINT"))])
