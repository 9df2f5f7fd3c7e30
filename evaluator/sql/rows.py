"""The rows an expression is computed over."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlglot import exp

from evaluator.pack.definitions import Pack
from evaluator.pack.nodes import Name
from evaluator.sql.trees import SQL, both, cast, column, either, left_join, named, number, star

_ROWS = 1 << 40  # more than any file has


class Rows:
    """The rows an expression is computed over: a base table, and whatever its names lead to, joined once each."""

    def __init__(
        self,
        base: SQL,
        alias: str,
        location: Callable[[str], SQL],
        settings: dict[str, object],
        pack: Pack,
        owner: str,
        subject: tuple[str, SQL] | None = None,
    ) -> None:
        self.base, self.alias, self.location, self.settings, self.pack = base, alias, location, settings, pack
        self.owner, self.subject = owner, subject
        self.joins: dict[tuple[str, ...], tuple[str, SQL, SQL]] = {}

    def at(self, hops: tuple[str, ...]) -> str:
        """Return the alias of the row that hops lead to, joining it where it is not yet."""
        if not hops:
            return self.alias
        if hops not in self.joins:
            before = self.at(hops[:-1])
            alias = f"{self.alias}{len(self.joins) + 1}"
            if hops == ("#subject",):
                assert self.subject is not None
                target, key = self.subject
            else:
                target, key = self._target(hops), column(hops[-1], before)
            on = exp.EQ(this=key.copy(), expression=column("#sid", alias))
            self.joins[hops] = (alias, self.location(target), on)
        return self.joins[hops][0]

    def joined(self, name: str, target: SQL, on: Callable[[str], SQL]) -> str:
        """Return the alias of further rows, at most one for each; joined once where the condition is the same."""
        place = (f"#{name}", on("").sql("duckdb"))
        if place not in self.joins:
            alias = f"{self.alias}{len(self.joins) + 1}"
            self.joins[place] = (alias, target, on(alias))
        return self.joins[place][0]

    def _target(self, hops: tuple[str, ...]) -> str:
        here = self.owner
        for hop in hops:
            table = self.pack.tables[here]
            if hop == "#source":
                assert table.unfold is not None
                here = table.unfold.source
            elif hop == "#subject":
                assert self.subject is not None
                here = self.subject[0]
            else:
                here = table.refs[hop]
        return here

    def column(self, name: Name) -> SQL:
        """Return the column a name stands for."""
        return column(name.leaf, self.at(name.hops))

    def select(self, *columns: SQL) -> exp.Select:
        """Select columns from the base and everything joined so far."""
        base = exp.alias_(self.base.copy(), self.alias, table=True, copy=False)
        made = exp.Select(expressions=list(columns)).from_(base, copy=False)
        for alias, table, on in self.joins.values():
            made = left_join(made, exp.alias_(table.copy(), alias, table=True, copy=False), on.copy())
        return made

    def place(self) -> list[SQL]:
        """Say in SQL where the base row came from: its source and its row."""
        return [cast(column("#src", self.alias), "TEXT"), cast(column("#row", self.alias), "TEXT")]


PLACE = ("#src", "#row")


def packed_place(alias: str) -> SQL:
    """Return source and row of a record as one number, which orders records as they stand in their files."""
    return packed(*(column(name, alias) for name in PLACE))


def packed(source: SQL, row: SQL) -> SQL:
    """Return a place as one number."""
    return exp.Add(this=exp.Mul(this=source, expression=number(_ROWS)), expression=row)


def at_places(alias: str, places: Iterable[tuple[int, int]], source: str = "#src", row: str = "#row") -> exp.Paren:
    """Say in SQL that a record stands at one of these places: source and row."""
    rows: dict[int, list[int]] = {}
    for source_of, row_of in sorted(places):
        rows.setdefault(source_of, []).append(row_of)
    found: list[SQL] = []
    for source_of, listed in rows.items():
        is_source = exp.EQ(this=column(source, alias), expression=number(source_of))
        # of one row, a database finds it without looking at all others
        is_row = exp.EQ(this=column(row, alias), expression=number(listed[0]))
        among = exp.In(this=column(row, alias), expressions=[number(one) for one in listed])
        found.append(both(is_source, is_row if len(listed) == 1 else among))
    return exp.paren(either(*found) if found else exp.false(), copy=False)


def unpacked(place: SQL) -> tuple[SQL, SQL]:
    """Return source and row from what `packed` made of them."""
    return exp.IntDiv(this=place, expression=number(_ROWS)), exp.Mod(this=place.copy(), expression=number(_ROWS))


def linked(rows_of: Callable[[str, SQL | None], Rows], links: tuple[tuple[str, ...], ...]) -> tuple[Rows, SQL]:
    """Return the rows of a source and the `#sid` of the row that each leads to over these refs.

    Over several ways a row leads to each row it reaches, once. `rows_of` makes rows of the source: of its table, or of
    what is given instead.
    """
    if len(links) == 1:
        rows = rows_of("r", None)
        return rows, column(links[0][-1], rows.at(links[0][:-1]))
    ways: exp.Query | None = None
    for way in links:
        plain = rows_of("w", None)
        link = column(way[-1], plain.at(way[:-1]))
        one = plain.select(named(column("#sid", "w"), "#record"), named(link, "#link"))
        ways = one if ways is None else exp.union(ways, one, distinct=True)
    assert ways is not None
    joined = (
        exp.select(star("x"), column("#link", "y"))
        .from_(exp.alias_(rows_of("x", None).base, "x", table=True), copy=False)
        .join(
            ways.subquery("y", copy=False),
            on=exp.EQ(this=column("#sid", "x"), expression=column("#record", "y")),
            copy=False,
        )
    )
    return rows_of("r", joined.subquery(copy=False)), column("#link", "r")
