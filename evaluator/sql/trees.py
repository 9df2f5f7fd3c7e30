"""Small pieces of query trees, so that each is written one way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlglot import exp

SEPARATOR = "\x1f"  # between the parts of a message raised inside a query
SQL = exp.Expr


def column(name: str, table: str) -> exp.Column:
    """Name a column, quoted."""
    return exp.Column(this=_quoted(name), table=_quoted(table))


def _quoted(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=True)


def number(value: int) -> exp.Expr:
    """Write a whole number; beyond 128 bits as text that cannot be read, so that nothing inexact is made of it."""
    if abs(value) >> 127:
        return exp.cast(text(str(value)), "INT128")
    made = exp.Literal.number(abs(value))
    signed: exp.Expr = exp.Neg(this=made) if value < 0 else made
    return signed


def text(value: str) -> exp.Literal:
    """Write a text literal, escaped by the printer."""
    return exp.Literal.string(value)


_TYPES: dict[str, exp.DataType] = {}


def cast(value: SQL, kind: str) -> exp.Cast:
    """Write cast(value as kind); the type is parsed once."""
    return exp.Cast(this=value, to=type_named(kind))


def type_named(kind: str) -> exp.DataType:
    """Return a type by its name: one tree for all that name it, which spares thousands of copies."""
    if kind not in _TYPES:
        _TYPES[kind] = exp.DataType.build(kind, dialect="duckdb")
    return _TYPES[kind]


def wide(value: SQL) -> SQL:
    """Widen an integer so that a product cannot overflow."""
    if isinstance(value, exp.Cast) and value.to.this == exp.DataType.Type.INT128:
        return value
    return cast(value, "INT128")


def grouped(value: SQL) -> SQL:
    """Put a condition into parentheses, as comparisons do not nest without."""
    return exp.paren(value, copy=False) if isinstance(value, (exp.Binary, exp.In, exp.Not)) else value


def is_literal(value: SQL) -> bool:
    """Whether this is a number written out."""
    return isinstance(value.this if isinstance(value, exp.Neg) else value, exp.Literal)


def both(*conditions: SQL) -> SQL:
    """Join conditions with and."""
    return exp.and_(*conditions, copy=False)


def either(*conditions: SQL) -> SQL:
    """Join conditions with or."""
    return exp.or_(*conditions, copy=False)


def is_null(value: SQL) -> SQL:
    """Write value is null."""
    tested: SQL = value.copy()
    if not isinstance(tested, exp.Column):
        tested = exp.paren(tested, copy=False)
    return exp.Is(this=tested, expression=exp.Null())


def select(*columns: SQL) -> exp.Select:
    """Select these; they become part of the query, which spares copies."""
    return exp.Select(expressions=list(columns))


def holds(condition: SQL) -> SQL:
    """Take a condition that is unknown as not met."""
    return exp.Coalesce(this=condition, expressions=[exp.false()])


def star(alias: str) -> exp.Column:
    """Write alias.*"""
    return exp.column(exp.Star(), table=alias)


def all_but(alias: str, names: Iterable[str]) -> exp.Column:
    """Write alias.* without some of its columns."""
    left_out = [exp.to_identifier(name, quoted=True) for name in names]
    return exp.Column(this=exp.Star(except_=left_out), table=exp.to_identifier(alias))


def union_all(parts: Iterable[exp.Query]) -> exp.Query:
    """Put the rows of queries with the same columns below each other."""
    whole, *rest = parts
    for part in rest:
        whole = exp.union(whole, part, distinct=False, copy=False)
    return whole


def left_join(query: exp.Select, target: SQL, on: SQL) -> exp.Select:
    """Add left join target on …; the query itself is changed, which spares copies."""
    query.append("joins", exp.Join(this=target, side="LEFT", on=on))
    return query


def choose(branches: Sequence[tuple[SQL, SQL]], otherwise: SQL | None = None) -> SQL:
    """Write case when … then … else … end."""
    made = exp.Case(ifs=[exp.If(this=when, true=then) for when, then in branches])
    if otherwise is not None:
        made.set("default", otherwise)
    return made


def call(name: str, *arguments: SQL) -> SQL:
    """Call a function that both engines spell alike."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def table(name: str, schema: str = "data") -> exp.Table:
    """Name a table, quoted."""
    return exp.Table(this=_quoted(name), db=_quoted(schema))


def parquet(file: Path) -> exp.Table:
    """Name the rows of a Parquet file, or of a folder of such files in their order."""
    files = file / "*.parquet" if file.is_dir() else file
    return exp.Table(this=exp.Anonymous(this="read_parquet", expressions=[text(str(files))]))


def named(value: SQL, name: str) -> exp.Alias:
    """Write value as "name"."""
    return exp.Alias(this=value, alias=_quoted(name))


def ordered(value: SQL, descending: bool = False, nulls_first: bool = False) -> exp.Ordered:
    """Write one key of an ordering; where nulls go is always written, as engines differ."""
    return exp.Ordered(this=value, desc=descending, nulls_first=nulls_first)


def window(
    function: SQL,
    by: Sequence[SQL] | None = None,
    order: Sequence[exp.Ordered] | None = None,
    so_far: bool = False,
) -> exp.Window:
    """Write function over (partition by … order by …); `so_far` sums from the first row to this one."""
    made = exp.Window(this=function)
    if by:
        made.set("partition_by", [part.copy() for part in by])
    if order:
        made.set("order", exp.Order(expressions=[key.copy() for key in order]))
    if so_far:
        spec = exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW")
        made.set("spec", spec)
    return made


def row_number(order: Sequence[exp.Ordered], by: Sequence[SQL] | None = None) -> exp.Window:
    """Number rows from 1 in an order."""
    return window(exp.RowNumber(), by, order)


def first_value(values: list[SQL]) -> SQL:
    """Return the first of these that is known."""
    return exp.Coalesce(this=values[0], expressions=values[1:]) if len(values) > 1 else values[0]
