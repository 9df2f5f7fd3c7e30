"""Rows that nobody has, written beside the tables of a run, so that the engine's SQL can be asked about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp

from evaluator.engine.state import State
from evaluator.pack.definitions import TableDef, is_dated
from evaluator.pack.nodes import Name
from evaluator.pack.types import DATE_TYPE
from evaluator.sql.lower import Lowering
from evaluator.sql.trees import SQL, all_but, call, cast, column, named, number, table, union_all

STEP = 1 << 32  # between copies of a row; a table has fewer rows of ours
FRESH = "\x1f"
"""Begins a text that no record has."""


class Written:
    """Rows of ours, of several tables; `state` sees them among the rows there are.

    Their #sid are below -1. `add` as many as wanted, then `finish`; `drop` when done.
    """

    def __init__(self, state: State) -> None:
        self.before = state
        self.db, self.pack = state.db, state.pack
        self.rows: dict[str, list[dict[str, object]]] = {}
        self.kinds: dict[str, dict[str, str]] = {}
        self.last = -1
        self.state = State(state.db, state.pack, state.year, state.start, state.end, dict(state.current))

    def columns(self, name: str) -> dict[str, str]:
        """Return the columns of a table and their types in the database."""
        if name not in self.kinds:
            query = exp.select(exp.Star()).from_(self.before.location(name), copy=False).limit(0, copy=False)
            self.kinds[name] = {column[0]: str(column[1]) for column in self.db.run(query).description or ()}
        return self.kinds[name]

    def rows_of(self, name: str, where: SQL) -> list[dict[str, Any]]:
        """Return rows there are that meet a condition on them as r, by their column."""
        names = list(self.columns(name))
        source = exp.alias_(self.before.location(name), "r", table=True)
        query = exp.select(*(column(one, "r") for one in names)).from_(source, copy=False).where(where, copy=False)
        found = self.db.rows(query.order_by(column("#sid", "r"), copy=False))
        return [dict(zip(names, row, strict=True)) for row in found]

    def add(self, name: str, row: Mapping[str, object]) -> int:
        """Write a row; return its #sid. A text that is FRESH becomes one that no other row has."""
        self.last -= 1
        made = {key: f"{FRESH}{self.last}" if value == FRESH else value for key, value in row.items()}
        self.rows.setdefault(name, []).append(made | {"#sid": self.last, "#key": f"{FRESH}{self.last}"})
        return self.last

    def own(self, name: str) -> exp.Table:
        """Return the table of our rows."""
        return table(f"{name}#written", "work")

    def finish(self) -> None:
        """Put the rows into tables, and compute what follows row by row: derived fields and dates."""
        for name, rows in self.rows.items():
            columns = self.columns(name)
            self.db.listed(self.own(name), {h: (kind, [row.get(h) for row in rows]) for h, kind in columns.items()})
            seen = table(f"{name}#seen", "work")
            self.db.view(seen, _beside(self.before.location(name), self.own(name), columns))
            self.state.current[name] = seen
        deepest = max((self._derived(self.pack.tables[name]) for name in self.rows), default=0)
        for _ in range(deepest):
            for name in self.rows:
                self._derive(self.pack.tables[name])

    def _derived(self, made: TableDef) -> int:
        """Return after how many rounds every derived field and the date of a table are settled."""
        count = sum(one.value is not None for one in made.fields.values())
        return min(count, 4) + 2 * is_dated(self.pack.tables, made.name)

    def _derive(self, made: TableDef) -> None:
        rows = self.state.rows(made.name, "v", base=self.own(made.name))
        lowering = Lowering(rows)
        columns = self.columns(made.name)
        found = {
            one.name: lowering.stored(one.value, one.type)
            for one in made.fields.values()
            if one.value is not None and one.name in columns
        }
        if is_dated(self.pack.tables, made.name):
            if made.date is not None:
                found["#date"] = lowering.value(made.date.node)
            else:
                assert made.unfold is not None
                source = Name(DATE_TYPE, True, (0, 0), ("#source",), made.unfold.source, "#date")
                found["#date"] = rows.column(source)
        if found:
            query = rows.select(all_but("v", found), *(named(value, name) for name, value in found.items()))
            ordered = query.subquery("d", copy=False)
            self.db.create(
                self.own(made.name), exp.select(*(column(c, "d") for c in columns)).from_(ordered, copy=False)
            )

    def with_changes(
        self, added: Sequence[tuple[int, Sequence[tuple[str, int]]]], removed: Sequence[tuple[str, int]]
    ) -> State:
        """Return a run under way whose tables have some of our rows, each so often, and lack some there are.

        Copies of rows that go together refer to each other. Rows unfolded from one that is lacking are lacking too.
        """
        state = State(
            self.db, self.pack, self.before.year, self.before.start, self.before.end, dict(self.before.current)
        )
        state.versions = self.before.versions + 1
        for name, made in self.pack.tables.items():
            lacks = [sid for owner, sid in removed if owner == name]
            parents = [sid for owner, sid in removed if made.unfold is not None and owner == made.unfold.source]
            wanted = [(sid, count) for count, rows in added for owner, sid in rows if owner == name]
            if not (lacks or parents or wanted):
                continue
            columns = self.columns(name)
            there = exp.select(*(column(c, "t") for c in columns)).from_(
                exp.alias_(self.before.location(name), "t", table=True), copy=False
            )
            for heading, sids in (("#sid", lacks), ("#source", parents)):
                if sids:
                    listed = exp.In(this=column(heading, "t"), expressions=[number(sid) for sid in sids])
                    there = there.where(exp.Not(this=listed), copy=False)
            parts: list[exp.Query] = [there]
            for sid, count in wanted:
                parts += [self._copy(made, sid, place) for place in range(count)]
            changed = table(f"{name}#changed", "work")
            self.db.create(changed, union_all(parts))
            state.current[name] = changed
        return state

    def _copy(self, made: TableDef, sid: int, place: int) -> exp.Select:
        """Return one of our rows; each copy is a row of its own, as is what it refers to of ours."""
        refs = {"#sid", "#source", *made.refs}
        columns: list[SQL] = []
        for name, kind in self.columns(made.name).items():
            value: SQL = column(name, "t")
            if place and name in refs:
                moved = exp.Sub(this=value, expression=number(place * STEP))
                value = exp.Case(
                    ifs=[exp.If(this=exp.LT(this=value.copy(), expression=number(-1)), true=moved)],
                    default=value.copy(),
                )
            elif place and kind == "VARCHAR":
                again = call("concat", value, cast(number(place), "TEXT"))
                ours = call("starts_with", value.copy(), exp.Literal.string(FRESH))
                value = exp.Case(ifs=[exp.If(this=ours, true=again)], default=value.copy())
            columns.append(named(value, name))
        source = exp.alias_(self.own(made.name), "t", table=True)
        return (
            exp.select(*columns)
            .from_(source, copy=False)
            .where(exp.EQ(this=column("#sid", "t"), expression=number(sid)), copy=False)
        )

    def forget(self, state: State) -> None:
        """Drop the tables that `with_changes` made."""
        for name in self.pack.tables:
            if state.current.get(name) == table(f"{name}#changed", "work"):
                self.db.drop(table(f"{name}#changed", "work"))

    def drop(self) -> None:
        """Forget all rows of ours."""
        for name in self.rows:
            self.db.drop(table(f"{name}#seen", "work"), "VIEW")
            self.db.drop(self.own(name))


def _beside(there: exp.Table, ours: exp.Table, columns: Mapping[str, str]) -> exp.Query:
    """Put the rows of two tables below each other."""
    parts = [
        exp.select(*(column(name, "t") for name in columns)).from_(exp.alias_(one, "t", table=True), copy=False)
        for one in (there, ours)
    ]
    return union_all(parts)
