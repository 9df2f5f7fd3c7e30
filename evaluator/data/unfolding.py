"""Names and values unfolded from cells: a row for every name, or for every cell."""

from __future__ import annotations

from sqlglot import exp

from evaluator.data.cells import checked, cleaned, parsed, resolved
from evaluator.data.context import Context, refused
from evaluator.pack.definitions import FieldDef, TableDef, UnfoldDef
from evaluator.pack.types import TEXT
from evaluator.sql.trees import (
    SQL,
    both,
    call,
    cast,
    choose,
    column,
    is_null,
    left_join,
    named,
    number,
    ordered,
    star,
    table,
    text,
    union_all,
    window,
)

# names of our own begin with #, so that no label or field of a pack is one of them
_PLACE = ("#source", "#src", "#row", "#column", "#part", "#nth")


def unfolded(context: Context, made: TableDef) -> exp.Select:
    """Return a row for every name, or for every value, in the cells of the source table."""
    unfold = _unfold(made)
    checked_cells = _check(context, made)
    record = _record(unfold)
    people = cast(window(exp.Count(this=exp.Star()), record), "BIGINT")
    on_source = cast(window(exp.RowNumber(), [column("#source", "c")], _order()), "BIGINT")
    columns = ["#source", "#src", "#row", "#column", unfold.label, unfold.holds]
    typed = (
        exp.select(
            *(column(name, "c") for name in columns),
            named(cast(window(exp.RowNumber(), record, _order()), "BIGINT"), "position"),
            named(people, "people"),
            named(on_source, "#place"),
        )
        .from_(exp.alias_(checked_cells, "c", table=True), copy=False)
        .where(is_null(column("#reason", "c")), copy=False)
    )
    # ordered as the source is, then by place on the record
    sid = exp.Add(
        this=exp.Mul(this=column("#source", "t"), expression=number(1 << 20)),
        expression=column("#place", "t"),
    )
    return (
        exp.select(
            named(sid, "#sid"),
            named(call("concat_ws", text("/"), column("#key", "s"), *_key(unfold)), "#key"),
            *(column(name, "t") for name in [*columns, "position", "people"]),
        )
        .from_(typed.subquery("t", copy=False), copy=False)
        .join(
            exp.alias_(table(unfold.source), "s", table=True, copy=False),
            on=exp.EQ(this=column("#source", "t"), expression=column("#sid", "s")),
            copy=False,
        )
    )


def _unfold(made: TableDef) -> UnfoldDef:
    assert made.unfold is not None
    return made.unfold


def _order() -> list[exp.Ordered]:
    """Order what is unfolded as it stands on the record; columns that the pack does not name, by their headings."""
    return [ordered(column("#part", "c")), ordered(column("#nth", "c"))]


def _record(unfold: UnfoldDef) -> list[SQL]:
    """Return what identifies a record on which names stand together: a row, or a cell under a heading of its own."""
    return [column(name, "c") for name in ("#source", *(() if unfold.columns else ("#column",)))]


def _key(unfold: UnfoldDef) -> list[SQL]:
    """Return what tells the rows unfolded from one row apart."""
    if unfold.columns:
        return [cast(column("position", "t"), "TEXT")]
    return [column("#column", "t"), *([cast(column("position", "t"), "TEXT")] if unfold.is_names else [])]


def _check(context: Context, made: TableDef) -> exp.Table:
    """Make the table of every name or value and what is wrong with it; reject the wrong ones."""
    unfold = _unfold(made)
    holds = made.fields[unfold.holds]
    kept = [*_PLACE, unfold.label]
    cells = _cells(made) if unfold.columns else _cells_of_others(context, made)
    tidy = exp.select(*(column(c, "u") for c in kept), named(cleaned(column("#words", "u")), "#words")).from_(
        cells.subquery("u", copy=False), copy=False
    )
    found = _read(holds, tidy, kept)
    if unfold.is_names:
        found = found.where(exp.Not(this=is_null(column("#words", "r"))), copy=False)
    same = [column("#source", "c"), *([] if unfold.columns else [column(unfold.label, "c")])]
    twice = text("another cell of this row has this " + unfold.label)
    if unfold.is_names:
        same, twice = [*same, column(unfold.holds, "c")], text("named twice on this record")
    again = window(exp.RowNumber(), same, _order())
    branches: list[tuple[SQL, SQL]] = [(exp.Not(this=is_null(column("#fault", "c"))), column("#fault", "c"))]
    if unfold.is_names or not unfold.columns:
        branches.append((exp.GT(this=again, expression=number(1)), twice))
    checked_cells = context.make(
        f"{made.name}#checked",
        exp.select(
            *(column(c, "c") for c in (*kept, "#words", unfold.holds)),
            named(choose(branches), "#reason"),
        ).from_(found.subquery("c", copy=False), copy=False),
    )
    words = exp.Coalesce(this=column("#words", "c"), expressions=[text("")])
    context.reject(refused(made, checked_cells, column("#column", "c"), words, column("#reason", "c")))
    return checked_cells


def _read(f: FieldDef, cells: exp.Select, kept: list[str]) -> exp.Select:
    """Return cells, of which `words` holds the text, with the value of a field and with what is wrong, as `fault`."""
    joins: list[tuple[SQL, SQL]] = []
    words = column("#words", "r")
    if f.type.base == "ref":
        value, fault = resolved(f, words, joins)
    else:
        typed = named(parsed(f.type, f.spellings, column("#words", "t")), f.name)
        cells = exp.select(star("t"), typed).from_(cells.subquery("t", copy=False), copy=False)
        value, fault = checked(f, words)
    found = exp.select(*(column(c, "r") for c in (*kept, "#words")), named(value, f.name), named(fault, "#fault"))
    found = found.from_(cells.subquery("r", copy=False), copy=False)
    for target, on in joins:
        found = left_join(found, target, on)
    return found


def _cells(made: TableDef) -> exp.Query:
    """Return every piece of every cell, with its place on the record."""
    unfold = _unfold(made)
    parts: list[exp.Select] = []
    for place, (label, headings) in enumerate(unfold.columns.items()):
        cell = column(f"{made.name}#{label}#text", "s")
        columns: list[SQL] = [
            named(column("#sid", "s"), "#source"), column("#src", "s"), column("#row", "s"),
            named(text(label), unfold.label), named(text(headings[0]), "#column"), named(number(place), "#part"),
        ]  # fmt: skip
        query = exp.select(*columns, *_pieces(unfold, cell)).from_(
            exp.alias_(table(unfold.source), "s", table=True, copy=False), copy=False
        )
        parts.append(query.where(exp.Not(this=is_null(cell)), copy=False) if unfold.is_names else query)
    return union_all(parts)


def _cells_of_others(context: Context, made: TableDef) -> exp.Query:
    """Return every piece of every cell in the columns that no field claims, with the label its heading is read as."""
    unfold = _unfold(made)
    listed = column(f"{made.name}##others#text", "s")
    cells = exp.select(
        named(column("#sid", "s"), "#source"), column("#src", "s"), column("#row", "s"),
        named(call("generate_subscripts", listed, number(1)), "#at"), named(call("unnest", listed.copy()), "#cell"),
    ).from_(exp.alias_(table(unfold.source), "s", table=True, copy=False), copy=False)  # fmt: skip
    on = both(
        *(exp.EQ(this=column(name, "s"), expression=column(name, "h")) for name in ("#src", "#at")),
        is_null(column("#fault", "h")),
    )
    return (
        exp.select(
            *(column(name, "s") for name in ("#source", "#src", "#row")),
            *(column(name, "h") for name in ("#column", "#part", unfold.label)),
            *_pieces(unfold, column("#cell", "s")),
        )
        .from_(cells.subquery("s", copy=False), copy=False)
        .join(exp.alias_(_headings(context, made), "h", table=True), on=on, copy=False)
    )


def _headings(context: Context, made: TableDef) -> exp.Table:
    """Make the table of headings that are labels, each with its value; reject, once a sheet, those that are none."""
    unfold = _unfold(made)
    rows = {source: sheet.heading_row for source, sheet in enumerate(context.sheets)}  # what is added has no headings
    parts = [
        exp.select(
            named(cast(number(source), "BIGINT"), "#src"),
            named(cast(number(rows.get(source, 0)), "BIGINT"), "#row"),
            named(cast(number(place), "BIGINT"), "#at"),
            named(text(heading), "#column"), named(text(heading), "#words"), named(text(heading), "#part"),
        )
        for source, headings in context.others.get(made.name, [])
        for place, heading in enumerate(headings, 1)
    ]  # fmt: skip
    if not parts:
        nothing = [named(cast(exp.Null(), "BIGINT"), name) for name in ("#src", "#row", "#at")]
        nothing += [named(cast(exp.Null(), "TEXT"), name) for name in ("#column", "#words", "#part")]
        parts = [exp.select(*nothing).where(exp.false(), copy=False)]
    f = made.fields.get(unfold.label, FieldDef(unfold.label, TEXT, False, made.at))
    listed = exp.select(exp.Star()).from_(union_all(parts).subquery("p", copy=False), copy=False)
    read = _read(f, listed, ["#src", "#row", "#at", "#column", "#part"])
    headings = context.make(f"{made.name}#headings", read)
    rejected = refused(made, headings, column("#column", "c"), column("#words", "c"), column("#fault", "c"))
    of_sheets = exp.LT(this=column("#src", "c"), expression=number(len(context.sheets)))
    context.reject(rejected.where(of_sheets, copy=False))
    return headings


def _pieces(unfold: UnfoldDef, cell: SQL) -> list[SQL]:
    """Return the pieces of a cell, each with its number."""
    if not unfold.is_names:
        return [named(number(1), "#nth"), named(cell.copy(), "#words")]
    pattern = "[" + "".join("\\" + s if s in "\\]^-[" else s for s in "".join(unfold.separators)) + "]"
    names: SQL = exp.Array(expressions=[cell.copy()])
    if unfold.separators:
        names = call("regexp_split_to_array", cell.copy(), text(pattern))
    return [
        named(call("generate_subscripts", names.copy(), number(1)), "#nth"),
        named(call("unnest", names), "#words"),
    ]
