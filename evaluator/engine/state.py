"""Where a run stands: the database, the pack, and the table that holds each kind's values so far."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlglot import exp

from evaluator.engine.plan import own_nodes
from evaluator.pack.definitions import Formula, KindDef, Pack, is_dated
from evaluator.pack.functions import OF_TERM
from evaluator.pack.model_judgement import Window
from evaluator.pack.nodes import Name, Node, Recall
from evaluator.pack.windows import span_of
from evaluator.sql.backend import Database
from evaluator.sql.lower import Lowering
from evaluator.sql.rows import Rows
from evaluator.sql.trees import SQL, both, cast, column, either, is_null, table, text


def points_column(line: str) -> str:
    """Return the column of a line's points."""
    return "total" if line == "total" else f"points.{line}"


class Bearer(NamedTuple):
    """A subject that a text names: its kind, its key and the number of its row."""

    kind: KindDef
    key: str
    sid: int


@dataclass(slots=True)
class State:
    """A run under way."""

    db: Database
    pack: Pack
    year: int
    start: dt.date
    end: dt.date
    current: dict[str, exp.Table] = field(default_factory=dict)
    versions: int = 0
    entered: set[str] = field(default_factory=set)  # tables in which people entered something
    judged: dict[tuple[str, str], exp.Table] = field(default_factory=dict)  # kind and line -> what people decided
    unknown_conditions: dict[str, int] = field(default_factory=dict)  # what the condition is of -> how often

    @property
    def settings(self) -> dict[str, object]:
        """Return the constants expressions can read."""
        known = self.settings_of(self.year, self.start, self.end)
        return known if self.term is not None else {name: v for name, v in known.items() if name not in OF_TERM}

    def settings_of(self, year: int, start: dt.date, end: dt.date) -> dict[str, object]:
        """Return the constants of any year; those of the term are unknown where it lies in none."""
        term = self._term_on(end) or (None, None)
        return {"this_year": year, "period_start": start, "period_end": end, **dict(zip(OF_TERM, term, strict=True))}

    @property
    def term(self) -> tuple[dt.date, dt.date] | None:
        """The term of office the year's last day lies in: its first and last day."""
        return self._term_on(self.end)

    def _term_on(self, day: dt.date) -> tuple[dt.date, dt.date] | None:
        return next(((one.from_, one.to) for one in self.pack.terms if one.from_ <= day <= one.to), None)

    def location(self, name: str) -> exp.Table:
        """Return where the rows of a table or kind are now."""
        return self.current.get(name, table(name))

    def rows(self, owner: str, alias: str, base: SQL | None = None, subject: tuple[str, SQL] | None = None) -> Rows:
        """Return the rows of a table or kind to compute over."""
        start = base if base is not None else self.location(owner)
        return Rows(start, alias, self.location, self.settings, self.pack, owner, subject)

    def bearers(self, subject: str) -> list[Bearer]:
        """Return whom a text names: each subject with this key or name.

        Of those given as kind:key whoever has the key is meant, whatever others are called; without such a key, as
        kind:name, those with the name.
        """
        kinds = list(self.pack.kinds.values())
        wanted, _, rest = subject.partition(":")
        has_kind = bool(rest) and wanted in self.pack.kinds
        if has_kind:
            kinds, subject = [self.pack.kinds[wanted]], rest
        found: list[Bearer] = []
        for kind in kinds:
            sides: list[SQL] = [column("#key", "s")]
            if (kind.display,) != kind.table.key:  # else the key is what it is called, too
                sides.append(cast(column(kind.display, "s"), "TEXT"))
            query = exp.select(column("#key", "s"), column("#sid", "s")).from_(
                exp.alias_(self.location(kind.name), "s", table=True), copy=False
            )
            query = query.where(either(*(exp.EQ(this=side, expression=text(subject)) for side in sides)))
            found += [Bearer(kind, key, sid) for key, sid in self.db.rows(query.order_by(column("#sid", "s")))]
        by_key = [one for one in found if one.key == subject] if has_kind else []
        return by_key or found

    def replace(self, kind: str, query: exp.Query) -> None:
        """Make a query's rows the kind's values from now on."""
        self.versions += 1
        fresh = table(f"{kind}#{self.versions}", "work")
        self.db.create(fresh, query)
        old = self.current.get(kind)
        self.current[kind] = fresh
        if old is not None:
            self.db.drop(old)

    def in_period(self, owner: str, alias: str, period: Window | None = None) -> SQL | None:
        """Return when a record counts: in the year, or in another period; None where every record does."""
        if not is_dated(self.pack.tables, owner):
            return None
        first, last = self.span_of(period)
        day = column("#date", alias)
        upto = exp.LTE(this=day, expression=cast(text(last.isoformat()), "DATE"))
        if first is None:
            return upto
        return both(exp.GTE(this=day.copy(), expression=cast(text(first.isoformat()), "DATE")), upto)

    def span_of(self, period: Window | None) -> tuple[dt.date | None, dt.date]:
        """Return the first and last day of a period; it always ends with the year, and `all` has no first day."""
        return span_of(period, self.settings)

    def count_unknown(self, kind: KindDef, what: str, condition: Formula | None) -> None:
        """Count the assessed subjects for which a condition is unknown, and so taken as not met."""
        if condition is None or not condition.node.nullable:
            return
        rows = self.rows(kind.name, "s")
        unknown = is_null(Lowering(rows).condition(condition))
        query = rows.select(exp.Count(this=exp.Star())).where(both(column("is_assessed", "s"), unknown), copy=False)
        self.note_unknown(f"{kind.name}.{what}", int(self.db.value(query)))

    def note_unknown(self, what: str, count: int) -> None:
        """Remember how often a condition was unknown."""
        if count:
            self.unknown_conditions[what] = self.unknown_conditions.get(what, 0) + count

    def display(self, kind: KindDef, where: SQL, limit: int = 5, alias: str = "s") -> list[str]:
        """Return the names of the first subjects for which something holds, as people know them."""
        query = (
            exp.select(column("#key", alias), cast(column(kind.display, alias), "TEXT"))
            .from_(exp.alias_(self.location(kind.name), alias, table=True), copy=False)
            .where(where, copy=False)
            .order_by(column("#sid", alias), copy=False)
            .limit(limit, copy=False)
        )
        return [key if key == shown else f"{shown} ({key})" for key, shown in self.db.rows(query)]


def missing_values(node: Node) -> list[str]:
    """Return the names in an expression that can be unknown."""
    found = [
        part.column if isinstance(part, Recall) else ".".join([*part.hops, part.leaf])
        for part in own_nodes(node)
        if isinstance(part, (Name, Recall)) and part.nullable
    ]
    return list(dict.fromkeys(name.removeprefix("#source.").removeprefix("#subject.") for name in found))
