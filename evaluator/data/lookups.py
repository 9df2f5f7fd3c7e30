"""Tables that parameters are read from: no two rows may answer for one argument."""

from __future__ import annotations

from sqlglot import exp

from evaluator.data.context import Context
from evaluator.pack.definitions import Formula, ParameterDef, TableLookup
from evaluator.pack.nodes import Name
from evaluator.sql.lower import Lowering
from evaluator.sql.ratio import decimal_text
from evaluator.sql.rows import Rows
from evaluator.sql.trees import (
    SQL,
    both,
    call,
    cast,
    column,
    is_null,
    named,
    number,
    ordered,
    row_number,
    table,
    window,
)

_SHOWN = 20


def check_lookups(context: Context) -> None:
    """Note rows that have the same arguments of a parameter."""
    for parameter in context.pack.parameters.values():
        if parameter.lookup is not None:
            _check(context, parameter, parameter.lookup)


def _check(context: Context, parameter: ParameterDef, lookup: TableLookup) -> None:
    rows = context.rows(table(lookup.source), context.pack.tables[lookup.source])
    lowering = Lowering(rows)
    formulas = [*lookup.match, *([lookup.bound] if lookup.bound is not None else [])]
    arguments = [lowering.stored(formula) for formula in formulas]
    place = [ordered(column("#src", "r")), ordered(column("#row", "r"))]
    known = both(*(exp.Not(this=is_null(argument)) for argument in arguments))
    shown = call("concat_ws", exp.Literal.string(", "), *(_shown(formula, rows, lowering) for formula in formulas))
    numbered = rows.select(
        column("#src", "r"), column("#row", "r"), named(shown, "shown"),
        named(window(exp.Lag(this=column("#src", "r")), arguments, place), "src before"),
        named(window(exp.Lag(this=column("#row", "r")), arguments, place), "row before"),
        named(row_number(place, arguments), "nth"),
    ).where(known, copy=False)  # fmt: skip
    found = (
        exp.select(*(column(name, "n") for name in ("#src", "#row", "src before", "row before", "shown")))
        .from_(numbered.subquery("n", copy=False), copy=False)
        .where(exp.GT(this=column("nth", "n"), expression=number(1)), copy=False)
        .order_by(ordered(column("#src", "n")), ordered(column("#row", "n")), copy=False)
        .limit(_SHOWN, copy=False)
    )
    for source, row, source_before, row_before, words in context.db.rows(found):
        also = [(context.db.cell(source_before, row_before), "the other")]
        message = f"two rows of {lookup.source} are for {parameter.name}({words})"
        context.problems.add("D203", message, context.db.cell(source, row), also=also)


def _shown(formula: Formula, rows: Rows, lowering: Lowering) -> SQL:
    """Return an argument as people write it."""
    node = formula.node
    if isinstance(node, Name) and node.type.base == "ref":
        return column("#key", rows.at((*node.hops, node.leaf)))
    value = lowering.stored(formula)
    return decimal_text(value) if node.type.base == "number" else cast(value, "TEXT")
