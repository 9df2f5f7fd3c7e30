"""Values of two runs side by side: read from both by joins, and formulas of either pack computed on either run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlglot import exp

from evaluator.data.history import file_of
from evaluator.diagnostics import Stop
from evaluator.engine.measure import linked_rows
from evaluator.engine.rank import shown as sql_shown
from evaluator.engine.state import State
from evaluator.pack.definitions import AggregateDef, Formula, KindDef, Pack, is_dated
from evaluator.pack.nodes import Name, Node, Recall
from evaluator.pack.types import TEXT
from evaluator.report.reopen import PastRun, results_of
from evaluator.report.words import plain_number
from evaluator.sql.backend import Database
from evaluator.sql.lower import Lowering
from evaluator.sql.trees import (
    SQL,
    both,
    cast,
    column,
    either,
    holds,
    is_null,
    named,
    ordered,
    parquet,
    table,
)

Hops = tuple[str, ...]
Row = tuple[Any, ...]


def written(value: Any) -> str | None:
    """Return a value as a comparison holds it: numbers without needless zeros, dates as such, true and false."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return plain_number(value)
    return str(value)


def plain(value: str | None) -> str | None:
    """Return a number that a table holds as text without needless zeros, and anything else as it is.

    >>> plain("12.500000"), plain("2021-05-01"), plain(None)
    ('12.5', '2021-05-01', None)
    """
    if value is None or "." not in value or not value.replace(".", "", 1).lstrip("-").isdigit():
        return value
    return value.rstrip("0").rstrip(".")


@dataclass(slots=True)
class Side:
    """One of the two runs, opened."""

    run: PastRun
    wanted: int = 0

    @property
    def pack(self) -> Pack:
        """The pack it was made with."""
        return self.run.pack

    @property
    def database(self) -> Database:
        """Where its tables are."""
        return self.run.state.db

    def file(self, kind: str) -> Path:
        """Return the table of a kind, or the records of a table."""
        return file_of(self.run.folder, self.pack, kind)

    def state(self, rules: Pack) -> State:
        """Return this run's values under the names of a pack."""
        return replace(self.run.state, pack=rules)

    def has(self, nodes: Iterable[Node]) -> bool:
        """Whether this run has everything these read."""
        return all(self._has(part) for node in nodes for part in node.walk())

    def _has(self, node: Node) -> bool:
        if isinstance(node, Recall):
            return any(node.column in kind.recalls for kind in self.pack.kinds.values())
        if not isinstance(node, Name) or node.leaf == "#key":
            return True
        made = self.pack.tables.get(node.owner)
        if made is None:
            return False
        known = {*made.fields, "is_assessed", "is_ranked", "position", "people", "is_expected", "is_filled"}
        if made.unfold is not None:
            known.add(made.unfold.label)
        kind = self.pack.kinds.get(node.owner)
        known |= {name for name, _ in results_of(kind)} if kind is not None else set()
        refs = {name for one in self.pack.tables.values() for name in one.refs} | {"#source", "#subject"}
        return node.leaf in known and refs.issuperset(node.hops)

    def listed(self, keys: Iterable[str]) -> exp.Subquery:
        """Return a query of these keys."""
        self.wanted += 1
        made = table(f"compared#{self.wanted}", "work")
        self.database.listed(made, {"wanted": ("TEXT", list(keys))})
        return (
            exp.select(column("wanted", "w")).from_(exp.alias_(made, "w", table=True), copy=False).subquery(copy=False)
        )

    def values(self, rules: Pack, kind: KindDef, nodes: Sequence[Node], keys: Iterable[str]) -> dict[str, Row] | None:
        """Compute expressions of a pack for some subjects of this run; None where it has not what they read."""
        if not self.has(nodes):
            return None
        rows = self.state(rules).rows(kind.name, "s")
        lowering = Lowering(rows)
        chosen: list[SQL] = [sql_shown(lowering, node) for node in nodes]
        key = column("#key", "s")
        query = rows.select(key, *chosen).where(exp.In(this=key.copy(), query=self.listed(keys)), copy=False)
        try:
            return {name: tuple(rest) for name, *rest in self.database.rows(query)}
        except Stop:  # a table of values has no entry for an argument of the other run
            return None

    def records(
        self,
        rules: Pack,
        kind: KindDef,
        made: AggregateDef,
        more: Sequence[Node],
        reached: Sequence[Hops],
        width: int,
        keys: Iterable[str],
    ) -> exp.Select | None:
        """Return a query of an aggregate's records for some subjects: what counts, and which rows were reached.

        The columns are subject, record, counts, v0… (the operand and `more`, filled up to `width`) and k0…
        """
        formulas = [made.operand, made.where]
        nodes = [*(f.node for f in formulas if f is not None), *more]
        if made.source not in self.pack.tables or not self.has(nodes):
            return None
        rows, link = linked_rows(self.state(rules), kind, made.source, made.links)
        lowering = Lowering(rows)
        conditions: list[SQL] = [lowering.condition(made.where)] if made.where is not None else []
        in_period = self.state(rules).in_period(made.source, rows.alias, made.period)
        counts = both(*[*conditions, *([in_period] if in_period is not None else [])] or [exp.true()])
        operand: SQL = sql_shown(lowering, made.operand.node) if made.operand is not None else exp.Null()
        values = [operand, *(sql_shown(lowering, node) for node in more)]
        values += [exp.Null() for _ in range(width - len(values))]
        subject = column("#key", rows.at(("#subject",)))
        chosen: list[SQL] = [named(subject, "subject"), named(column("#key", "r"), "record")]
        chosen.append(named(holds(counts), "counts"))
        chosen += [named(cast(value, "TEXT"), f"v{n}") for n, value in enumerate(values)]
        chosen += [named(column("#key", rows.at(hops)), f"k{n}") for n, hops in enumerate(reached)]
        wanted = exp.In(this=subject.copy(), query=self.listed(keys))
        return rows.select(*chosen).where(both(exp.Not(this=is_null(link)), wanted), copy=False)

    def everybody(self, kind: KindDef, nodes: Sequence[Node]) -> exp.Select:
        """Return a query of values of all subjects: key, v0…"""
        rows = self.run.state.rows(kind.name, "s")
        lowering = Lowering(rows)
        chosen: list[SQL] = [named(column("#key", "s"), "key")]
        chosen += [named(cast(sql_shown(lowering, node), "TEXT"), f"v{n}") for n, node in enumerate(nodes)]
        return rows.select(*chosen)


def hops_of(pack: Pack, made: AggregateDef, more: Sequence[Node] = ()) -> list[Hops]:
    """Return the ways from a record to the other rows that count for it, each with the ways that lead to it."""
    found: dict[Hops, None] = {}
    formulas = [made.operand, made.where]
    date = pack.tables[made.source].date
    nodes = [
        *(f.node for f in (*formulas, date if is_dated(pack.tables, made.source) else None) if f is not None),
        *more,
    ]
    for name in names_in(nodes):
        found.update(dict.fromkeys(name.hops[:n] for n in range(1, len(name.hops) + 1)))
    for way in made.links:
        found.update(dict.fromkeys(way[:n] for n in range(1, len(way))))
    return list(found)


def names_in(nodes: Iterable[Node]) -> list[Name]:
    """Return the names in expressions, each once; what functions over years read is left out."""
    found: dict[tuple[Hops, str, str], Name] = {}

    def walk(node: Node) -> None:
        if isinstance(node, Name):
            found.setdefault((node.hops, node.owner, node.leaf), node)
        if not isinstance(node, Recall):
            for child in node.children():
                walk(child)

    for node in nodes:
        walk(node)
    return list(found.values())


def key_of(hops: Hops, target: str) -> Name:
    """Return the expression for the key of the row that hops lead to."""
    return Name(TEXT, True, (0, 0), hops, target, "#key")


def nodes_of(formulas: Iterable[Formula | None]) -> list[Node]:
    """Return the expressions of formulas, without those that are not there."""
    return [formula.node for formula in formulas if formula is not None]


@dataclass(slots=True)
class Both:
    """The two runs, and a database in which their tables are joined."""

    before: Side
    after: Side
    database: Database
    place: Path
    files: int = field(default=0)

    @property
    def sides(self) -> tuple[Side, Side]:
        """The run before and the run after."""
        return self.before, self.after

    def spooled(self, side: Side, query: exp.Query) -> Path:
        """Write the rows of a query where the common database can read them."""
        self.files += 1
        file = self.place / f"rows{self.files}.parquet"
        side.database.write(query, file)
        return file

    def joined(
        self, files: tuple[Path, Path], on: Sequence[str], compared: Sequence[str], also: Sequence[str] = ()
    ) -> list[tuple[Row | None, Row | None, Row]]:
        """Return the rows of two tables that differ: those of the first, those of the second, and their key.

        Rows that are in one table only have no row in the other. `also` are columns that are read and not compared.
        """
        sides = ("a", "b")
        tables = [exp.alias_(parquet(file), side, table=True) for file, side in zip(files, sides, strict=True)]
        meet = both(*(exp.EQ(this=column(name, "a"), expression=column(name, "b")) for name in on))
        keys: list[SQL] = [exp.Coalesce(this=column(name, "a"), expressions=[column(name, "b")]) for name in on]
        there: list[SQL] = [exp.Not(this=is_null(column(on[0], side))) for side in sides]
        differ = [exp.NullSafeNEQ(this=column(name, "a"), expression=column(name, "b")) for name in compared]
        alone = [is_null(column(on[0], side)) for side in sides]
        chosen = [*keys, *there, *(column(name, side) for side in sides for name in (*compared, *also))]
        query = exp.select(*chosen).from_(tables[0], copy=False)
        query.append("joins", exp.Join(this=tables[1], side="FULL", kind="OUTER", on=meet))
        query = query.where(either(*alone, *differ), copy=False)
        query = query.order_by(*(ordered(key.copy()) for key in keys), copy=False)
        made = []
        width = len(compared) + len(also)
        for row in self.database.rows(query):
            key, (is_in_a, is_in_b), cells = row[: len(on)], row[len(on) : len(on) + 2], row[len(on) + 2 :]
            made.append((cells[:width] if is_in_a else None, cells[width:] if is_in_b else None, key))
        return made

    def described(self, file: Path) -> dict[str, str]:
        """Return the columns of a table with their types."""
        return self.database.described(exp.select(exp.Star()).from_(parquet(file), copy=False))

    def grouped(self, files: tuple[Path, Path], value: str) -> list[tuple[Any, Any, int]]:
        """Return how many rows have which value in the one table and in the other."""
        tables = [exp.alias_(parquet(file), side, table=True) for file, side in zip(files, "ab", strict=True)]
        own = [cast(column(value, side), "TEXT") for side in "ab"]
        query = exp.select(*own, exp.Count(this=exp.Star())).from_(tables[0], copy=False)
        meet = exp.EQ(this=column("key", "a"), expression=column("key", "b"))
        query.append("joins", exp.Join(this=tables[1], side="FULL", kind="OUTER", on=meet))
        return self.database.rows(query.group_by(*(one.copy() for one in own), copy=False))
