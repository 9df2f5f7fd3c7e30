"""Choosing among the records of a line: one for each key, by preference, and by their number in a series."""

from __future__ import annotations

from sqlglot import exp

from evaluator.pack.definitions import AwardOrder, LineDef, SelectionDef
from evaluator.sql.lower import Lowering
from evaluator.sql.ratio import UNIT, Ratio, product, stored_number
from evaluator.sql.trees import (
    SQL,
    all_but,
    both,
    cast,
    choose,
    column,
    is_null,
    named,
    number,
    ordered,
    row_number,
    select,
    star,
    text,
    window,
)


def award_order(alias: str) -> list[exp.Ordered]:
    """Return the order in which awards count: lines without records, then date, then key, then the line's place."""
    keys = ("has_record", "#date", "record", "place")
    return [ordered(column(name, alias), nulls_first=True) for name in keys]


def key_columns(line: LineDef) -> list[str]:
    """Return the columns that carry what a line chooses by, from each record up to it."""
    made = line.selection
    if made is None:
        return []
    once = [f"once.{line.id}"] if made.is_once else []
    orders = [(f"prefer.{line.id}", made.prefer), (f"order.{line.id}", made.order_by)]
    return once + [f"{name}.{i}" for name, keys in orders for i, key in enumerate(keys) if not key.is_points]


def keys_of(line: LineDef, made: SelectionDef, leaf: LineDef, lowering: Lowering) -> list[exp.Alias]:
    """Return what `line` chooses by, of the records of `leaf`."""
    own = made.keys[leaf.id]
    values: dict[str, SQL] = {}
    if own.once is not None:
        values[f"once.{line.id}"] = cast(lowering.stored(own.once), "TEXT")
    for name, keys in ((f"prefer.{line.id}", own.prefer), (f"order.{line.id}", own.order_by)):
        for i, key in enumerate(keys):
            if key is not None:
                values[f"{name}.{i}"] = lowering.ordering(key)
    return [named(values[name], name) for name in key_columns(line)]


def _declared(line: LineDef, name: str, keys: tuple[AwardOrder, ...], alias: str) -> list[exp.Ordered]:
    """Return the declared part of an order among awards."""
    return [
        ordered(column("entering" if key.is_points else f"{name}.{line.id}.{i}", alias), key.is_descending)
        for i, key in enumerate(keys)
    ]


def chosen(line: LineDef, made: SelectionDef, query: exp.Query, kept: list[str]) -> exp.Select:
    """Apply once_per and series of a line to the awards that enter it.

    Of awards with one key the preferred stays; where nothing is preferred the highest, then the earliest. A key that
    is unknown is like no other.
    """
    is_live = both(
        exp.EQ(this=column("what", "q"), expression=text("record")),
        is_null(column("lost_to", "q")),
        exp.Not(this=is_null(column("entering", "q"))),
    )
    current: exp.Query = query
    if made.is_once:
        once = column(f"once.{line.id}", "q")
        by: list[SQL] = [column("sid", "q"), once, is_live]
        order = _declared(line, "prefer", made.prefer, "q") or [ordered(column("entering", "q"), True)]
        order += award_order("q")
        keyed = both(is_live.copy(), exp.Not(this=is_null(once)))
        numbered = select(
            star("q"),
            named(choose([(keyed, row_number(order, by))]), "among"),
            named(choose([(keyed.copy(), window(exp.FirstValue(this=column("record", "q")), by, order))]), "winner"),
        ).from_(current.subquery("q", copy=False), copy=False)
        lost = exp.GT(this=column("among", "n"), expression=number(1))
        changed = {
            "lost_to": choose([(lost, column("winner", "n"))], column("lost_to", "n")),
            "lost_in": choose([(lost.copy(), text(line.id))], column("lost_in", "n")),
            "entering": choose([(lost.copy(), cast(number(0), "BIGINT"))], column("entering", "n")),
        }
        current = _with(numbered, "n", changed, ["among", "winner"])
    if made.series:
        order = _declared(line, "order", made.order_by, "q") + award_order("q")
        numbered = select(
            star("q"),
            named(choose([(is_live.copy(), row_number(order, [column("sid", "q"), is_live.copy()]))]), "number"),
        ).from_(current.subquery("q", copy=False), copy=False)
        entering: SQL = column("entering", "n")
        factors: list[tuple[SQL, SQL]] = []
        results: list[tuple[SQL, SQL]] = []
        for start, factor in sorted(made.series, reverse=True):
            reached = exp.GTE(this=column("number", "n"), expression=number(start))
            factors.append((reached, stored_number(Ratio(number(factor.numerator), factor.denominator))))
            by_factor = entering.copy()
            if factor != 1:
                grown = product(entering.copy(), number(factor.numerator))
                by_factor = stored_number(Ratio(grown, UNIT * factor.denominator))
            results.append((reached.copy(), by_factor))
        live = exp.Not(this=is_null(column("number", "n")))
        changed = {
            "nth": exp.Coalesce(this=column("number", "n"), expressions=[column("nth", "n")]),
            "factor": choose([(live, choose(factors, number(UNIT)))], column("factor", "n")),
            "factor_in": choose([(live.copy(), text(line.id))], column("factor_in", "n")),
            "entering": choose([(live.copy(), choose(results, entering.copy()))], entering.copy()),
        }
        current = _with(numbered, "n", changed, ["number"])
    return select(*(column(name, "k") for name in (*kept, "entering"))).from_(
        current.subquery("k", copy=False), copy=False
    )


def _with(query: exp.Select, alias: str, changed: dict[str, SQL], dropped: list[str]) -> exp.Select:
    """Replace columns of a query, and leave out others."""
    return select(all_but(alias, (*changed, *dropped)), *(named(value, name) for name, value in changed.items())).from_(
        query.subquery(alias, copy=False), copy=False
    )
