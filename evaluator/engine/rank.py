"""Rosters: a kind's subjects in a declared order, with ranks."""

from __future__ import annotations

from sqlglot import exp

from evaluator.engine.state import State
from evaluator.pack.definitions import RosterDef
from evaluator.pack.nodes import Name, Node
from evaluator.pack.types import TEXT
from evaluator.sql.lower import Lowering
from evaluator.sql.trees import SQL, both, cast, choose, column, holds, named, ordered, table, window


def make_roster(state: State, roster: RosterDef) -> exp.Table:
    """Make the table of a roster and return its name.

    Columns: `#position` from 1 (groups in the order of their value, then as ranked, then by key), `#group` where the
    roster has groups, `#sid`, `#key`, `rank` (unknown for subjects not ranked), and one for each column of the roster.
    """
    rows = state.rows(roster.kind, "s")
    lowering = Lowering(rows)
    ranked = both(column("is_assessed", "s"), column("is_ranked", "s"))
    group = shown(lowering, roster.within.node) if roster.within is not None else None
    columns: list[SQL] = [column("#sid", "s"), column("#key", "s"), named(ranked, "#ranked")]
    if group is not None:
        columns.append(named(group, "#group"))
    columns += [named(lowering.ordering(key.formula), f"key{i}") for i, key in enumerate(roster.order_by)]
    for name, formula in roster.columns:
        if formula is not None:
            columns.append(named(shown(lowering, formula.node), f"column.{name}"))
    where: SQL = exp.true()
    if roster.where is not None:
        where = holds(lowering.condition(roster.where))
    chosen = rows.select(*columns).where(where, copy=False)
    by = [column("#group", "c")] if group is not None else []
    order = [
        ordered(column("#ranked", "c"), True),
        *(ordered(column(f"key{i}", "c"), key.is_descending) for i, key in enumerate(roster.order_by)),
    ]
    function: SQL
    if roster.model.rank == "ordinal":
        function, rank_order = exp.RowNumber(), [*order, ordered(column("#sid", "c"))]
    else:
        function = exp.Rank(expressions=[]) if roster.model.rank == "competition" else exp.DenseRank(expressions=[])
        rank_order = order
    rank = choose([(column("#ranked", "c"), window(function, by, rank_order))])
    whole = [*(ordered(part.copy()) for part in by), *order, ordered(column("#sid", "c"))]
    position = window(exp.RowNumber(), None, whole)
    kept: list[SQL] = [named(cast(position, "BIGINT"), "#position")]
    kept += [part.copy() for part in by]
    kept += [column("#sid", "c"), column("#key", "c"), named(cast(rank, "BIGINT"), "#rank")]
    for name, formula in roster.columns:
        source = column(f"column.{name}", "c")
        kept.append(named(cast(rank.copy(), "BIGINT") if formula is None else source, name))
    made = table(f"roster {roster.name}", "work")
    state.db.create(made, exp.select(*kept).from_(chosen.subquery("c", copy=False), copy=False))
    return made


def shown(lowering: Lowering, node: Node) -> SQL:
    """Return a value as it leaves the run: numbers as decimals of 6 places, refs as the key they lead to."""
    if node.type.base == "number":
        return as_decimal(lowering.stored(node))
    if node.type.base == "ref" and isinstance(node, Name):
        key = Name(TEXT, True, node.place, (*node.hops, node.leaf), node.type.target, "#key")
        return lowering.rows.column(key)
    return lowering.stored(node)


def as_decimal(value: SQL) -> SQL:
    """Return millionths as DECIMAL(18, 6)."""
    factor = cast(exp.Literal.number("0.000001"), "DECIMAL(6,6)")
    return cast(exp.Mul(this=cast(value, "DECIMAL(18,0)"), expression=factor), "DECIMAL(18,6)")
