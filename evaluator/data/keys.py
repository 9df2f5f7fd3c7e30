"""The keys of rows: as text, as the number that orders them, and rows that share one."""

from __future__ import annotations

from sqlglot import exp

from evaluator.data.context import Context, refused
from evaluator.pack.check_tables import tables_read
from evaluator.pack.definitions import Pack, TableDef
from evaluator.sql.rows import packed_place
from evaluator.sql.trees import (
    SQL,
    call,
    cast,
    choose,
    column,
    is_null,
    left_join,
    named,
    number,
    ordered,
    row_number,
    star,
    table,
    text,
    window,
)


def numbered(context: Context, made: TableDef, typed: exp.Select) -> exp.Select:
    """Add #sid and #key."""
    if is_numbered(context.pack, made):
        sid: SQL = cast(row_number([ordered(column(k, "t")) for k in made.key]), "BIGINT")
    else:  # nothing reads the order, and numbering by place spares sorting
        sid = packed_place("t")
    query = exp.select(
        named(sid, "#sid"),
        named(_key_text(made), "#key"),
        star("t"),
    ).from_(typed.subquery("t", copy=False), copy=False)
    return _with_keys(made, query, "t")


def keyed(made: TableDef, rows: SQL, alias: str) -> tuple[SQL, exp.Select]:
    """Return the key of rows as text, and a query over the rows in which it can be read."""
    return _key_text(made, alias), _with_keys(made, exp.select().from_(rows, copy=False), alias)


def has_key_twice(context: Context, made: TableDef, rows: exp.Select) -> bool:
    """Whether two rows have the same key."""
    is_integer = [made.fields[key].type.base for key in made.key] == ["integer"]
    return context.db.has_twice(rows, made.key, is_integer)


def without_duplicates(context: Context, made: TableDef, typed: exp.Select) -> exp.Select:
    """Keep the first of rows that are the same in everything; reject all rows that only share their key."""
    keys = [column(k, "c") for k in made.key]
    if not has_key_twice(context, made, typed):
        return typed
    stored = context.stored(made)
    content = call("row", *(column(n, "c") for n in stored if n not in ("#src", "#row")))
    lowest, highest = (
        window(exp.Min(this=content.copy()), keys),
        window(exp.Max(this=content.copy()), keys),
    )
    place = [ordered(column("#src", "c")), ordered(column("#row", "c"))]
    nth = window(exp.RowNumber(), keys, place)
    count = window(exp.Count(this=exp.Star()), keys)
    reason = choose(
        [
            (exp.EQ(this=count, expression=number(1)), cast(exp.Null(), "TEXT")),
            (exp.NEQ(this=lowest, expression=highest), text("another row has this key")),
            (exp.GT(this=nth, expression=number(1)), text("the same row again")),
        ]
    )
    judged = context.make(
        f"{made.name}#judged",
        exp.select(star("c"), named(reason, "#reason")).from_(typed.subquery("c", copy=False), copy=False),
    )
    headings = text(" + ".join(made.fields[k].headings[0] for k in made.key))
    shown = call("concat_ws", text("/"), *(_shown(made, key, i) for i, key in enumerate(made.key)))
    context.reject(_with_keys(made, refused(made, judged, headings, shown, column("#reason", "c")), "c"))
    return (
        exp.select(*(column(name, "c") for name in stored))
        .from_(exp.alias_(judged, "c", table=True), copy=False)
        .where(is_null(column("#reason", "c")), copy=False)
    )


def is_numbered(pack: Pack, made: TableDef) -> bool:
    """Whether rows are numbered by their key: they are judged, others lead to them, or some are filled in."""
    others = pack.tables.values()
    return made.expected is not None or made.name in pack.kinds or any(made.name in tables_read(o) for o in others)


def is_numbered_by_place(pack: Pack, made: TableDef) -> bool:
    """Whether the number of a row says no more than where it stands in its file."""
    return made.unfold is None and not is_numbered(pack, made)


def _with_keys(made: TableDef, query: exp.Select, alias: str) -> exp.Select:
    """Join the tables that refs of the key lead to, as k0, k1, …, for their keys."""
    for i, key in enumerate(made.key):
        if made.fields[key].type.base == "ref":
            on = exp.EQ(this=column(key, alias), expression=column("#sid", f"k{i}"))
            target = exp.alias_(table(made.fields[key].type.target), f"k{i}", table=True, copy=False)
            query = left_join(query, target, on)
    return query


def _shown(made: TableDef, key: str, place: int) -> SQL:
    is_ref = made.fields[key].type.base == "ref"
    return column("#key", f"k{place}") if is_ref else cast(column(key, "c"), "TEXT")


def _key_text(made: TableDef, alias: str = "t") -> SQL:
    parts: list[SQL] = []
    for i, key in enumerate(made.key):
        kind = made.fields[key].type
        if kind.base == "ref":
            parts.append(column("#key", f"k{i}"))
        elif kind.base == "number":
            parts.append(cast(cast(column(key, alias), "DECIMAL(38,0)"), "TEXT"))
        else:
            parts.append(cast(column(key, alias), "TEXT"))
    return call("concat_ws", text("/"), *parts) if len(parts) > 1 else parts[0]
