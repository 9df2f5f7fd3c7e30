"""Rows that ought to exist: those that are missing are filled in."""

from __future__ import annotations

from sqlglot import exp

from evaluator.data.cells import literal_sql
from evaluator.data.context import Context
from evaluator.pack.definitions import TableDef
from evaluator.pack.nodes import Name
from evaluator.pack.types import TEXT
from evaluator.sql.lower import Lowering, sql_type
from evaluator.sql.trees import SQL, both, call, cast, column, holds, is_null, named, number, table, text


def with_expected(context: Context, made: TableDef, typed: exp.Select) -> exp.Select:
    """Add the rows that are expected and missing."""
    wanted = made.expected
    if wanted is None:
        return typed
    listed = _listed(context, made).subquery("x", copy=False)
    all_pairs = context.make(
        f"{made.name}#expected",
        exp.select(exp.Star()).from_(listed, copy=False).where(column("is_expected", "x"), copy=False),
    )
    same = both(*(exp.EQ(this=column(ref, "t"), expression=column(ref, "e")) for ref in wanted.every))
    present = (
        exp.select(
            *(column(c, "t") for c in context.stored(made)),
            named(exp.Not(this=is_null(column("is_expected", "e"))), "is_expected"),
            named(exp.false(), "is_filled"),
        )
        .from_(typed.subquery("t", copy=False), copy=False)
        .join(exp.alias_(all_pairs, "e", table=True), on=same.copy(), join_type="left", copy=False)
    )
    there = exp.select(number(1)).from_(typed.subquery("t", copy=False), copy=False).where(same, copy=False)
    missing = (
        exp.select(
            *_filled(context, made),
            named(exp.true(), "is_expected"),
            named(exp.true(), "is_filled"),
        )
        .from_(exp.alias_(all_pairs, "e", table=True), copy=False)
        .where(exp.Not(this=exp.Exists(this=there)), copy=False)
    )
    both_kinds = context.make(f"{made.name}#all", exp.union(present, missing, distinct=False, copy=False))
    if not context.pack.for_cases:  # a case gives no more rows than it is about
        _check_sheet_is_there(context, made, both_kinds)
    return exp.select(exp.Star()).from_(both_kinds, copy=False)


def _listed(context: Context, made: TableDef) -> exp.Select:
    """Return every combination of rows, and whether one is expected for it."""
    wanted = made.expected
    assert wanted is not None
    rows = context.rows(combinations(made).subquery(copy=False), made)
    where = Lowering(rows).condition(wanted.where) if wanted.where is not None else exp.true()
    meets = holds(where)
    return rows.select(*(column(ref, "r") for ref in wanted.every), named(meets, "is_expected"))


def combinations(made: TableDef) -> exp.Select:
    """Return every combination of the rows that the refs lead to for which rows may be expected."""
    assert made.expected is not None
    every = made.expected.every
    combos = exp.select(*(named(column("#sid", f"e{i}"), ref) for i, ref in enumerate(every)))
    for i, ref in enumerate(every):
        target = exp.alias_(table(made.fields[ref].type.target), f"e{i}", table=True, copy=False)
        combos = combos.join(target, join_type="cross", copy=False) if i else combos.from_(target, copy=False)
    return combos


def _filled(context: Context, made: TableDef) -> list[SQL]:
    """Return the columns of a row that is filled in."""
    wanted = made.expected
    assert wanted is not None
    columns: list[SQL] = [named(cast(exp.Null(), "BIGINT"), name) for name in ("#src", "#row")]
    for f in made.fields.values():
        if f.is_derived:
            continue
        if f.name in wanted.every:
            columns.append(column(f.name, "e"))
        elif f.name in wanted.fill:
            columns.append(named(literal_sql(wanted.fill[f.name], f.type), f.name))
        elif f.default is not None:
            columns.append(named(literal_sql(f.default, f.type), f.name))
        else:
            is_blank = f.type.base == "text" and not f.nullable
            empty = text("") if is_blank else cast(exp.Null(), sql_type(f.type))
            columns.append(named(empty, f.name))
    return columns + [named(cast(exp.Null(), kind), name) for name, kind in context.lists(made).items()]


def _check_sheet_is_there(context: Context, made: TableDef, rows_table: exp.Table) -> None:
    """Note each first ref all of whose expected rows that count would be filled in."""
    assert made.expected is not None
    first = made.expected.every[0]
    rows = context.rows(rows_table, made)
    target = made.fields[first].type.target
    shown = rows.column(Name(TEXT, False, (0, 0), (first,), target, "#key"))
    counts: SQL = exp.true()
    if made.date is not None:
        counts = context.counts_on(made, Lowering(rows).value(made.date.node))
    query = (
        rows.select(shown, exp.Count(this=exp.Star()))
        .where(both(column("is_expected", "r"), counts), copy=False)
        .group_by(shown.copy(), copy=False)
        .having(call("bool_and", column("is_filled", "r")), copy=False)
        .order_by(shown.copy(), copy=False)
    )
    for key, count in context.db.rows(query):
        context.problems.add(
            "D202",
            f"{made.name} has no row at all for {first} {key}; all {count} expected would be filled in",
            made.expected.at,
        )
