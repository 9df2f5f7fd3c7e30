"""Which rows of a run a subject's result rests on: its records, what these refer to, and what is derived from both."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from evaluator.engine.measure import linked_rows
from evaluator.engine.plan import own_nodes
from evaluator.engine.state import State
from evaluator.pack.definitions import AggregateDef, KindDef, TableDef
from evaluator.pack.nodes import Name
from evaluator.sql.lower import Lowering
from evaluator.sql.rows import linked
from evaluator.sql.trees import SQL, both, column, is_null, number
from evaluator.workbench.cases.looks import looks


class Carried:
    """The `#sid` of every row that is needed, by table; grows until nothing more is needed."""

    def __init__(self, state: State, kind: KindDef, sid: int) -> None:
        self.state, self.pack = state, state.pack
        self.rows: dict[str, set[int]] = {name: set() for name in state.pack.tables}
        self.judged: dict[str, set[int]] = {name: set() for name in state.pack.kinds}
        self.read = self._kinds_read(kind)
        self._judge(kind.name, {sid}, is_first=True)
        for parameter in state.pack.parameters.values():
            if parameter.lookup is not None:
                self._need(parameter.lookup.source, self._sids(parameter.lookup.source))

    def _kinds_read(self, kind: KindDef) -> set[str]:
        """Return the kinds of which the subject, or a record of it, reads what somebody else came to."""
        return {
            node.owner
            for look in looks(self.pack)
            if look.of.startswith(f"{kind.name}.")
            for node in own_nodes(look.formula.node)
            if isinstance(node, Name) and any(hop[0] != "#" for hop in node.hops) and node.owner in self.pack.kinds
            and node.leaf not in self.pack.kinds[node.owner].table.fields
        }  # fmt: skip

    def _judge(self, name: str, sids: set[int], is_first: bool = False) -> None:
        """Need all that the results of subjects rest on."""
        kind = self.pack.kinds[name]
        sids = sids - self.judged[name]
        if not sids:
            return
        self.judged[name] |= sids
        self._need(name, sids)
        if is_first:
            self._follow(name, sids)
        made = [measure.aggregate for measure in kind.measures.values()] + [line.aggregate for line in kind.lines]
        for one in made:
            if one is None or one.is_peers:
                continue
            rows, link = linked_rows(self.state, kind, one.source, one.links)
            conditions = [among(link, sids)]
            in_period = self.state.in_period(one.source, rows.alias, one.period)
            if in_period is not None:
                conditions.append(in_period)
            query = rows.select(column("#sid", rows.alias)).where(both(*conditions), copy=False)
            found = {row for (row,) in self.state.db.rows(query)}
            if one.source in self.pack.kinds:
                self._judge(one.source, found)
            else:
                self._need(one.source, found)
            if is_first:
                self._follow(one.source, found)

    def _follow(self, name: str, sids: set[int]) -> None:
        """Need the results of those whom rows refer to, where what these came to is read."""
        made = self.pack.tables[name]
        for field, target in made.refs.items():
            if target in self.read:
                self._judge(target, self._values(name, field, sids))
        if made.unfold is not None:
            self._follow(made.unfold.source, self._values(name, "#source", sids))

    def _need(self, name: str, sids: Iterable[int]) -> None:
        """Need rows, and all that they refer to and are derived from."""
        made = self.pack.tables[name]
        fresh = set(sids) - self.rows[name] - {None}
        if not fresh:
            return
        self.rows[name] |= fresh
        if made.unfold is not None:
            self._need(made.unfold.source, self._values(name, "#source", fresh))
        for field, target in made.refs.items():
            self._need(target, self._values(name, field, fresh))
        for other in self.pack.tables.values():
            if other.unfold is not None and other.unfold.source == name:
                self._need(other.name, self._where(other.name, "#source", fresh))
        for one in made.fields.values():
            if one.aggregate is not None:
                self._need(one.aggregate.source, self._aggregated(made, one.aggregate, fresh))

    def _aggregated(self, made: TableDef, one: AggregateDef, sids: set[int]) -> set[int]:
        """Return the rows that a field is derived from."""
        state = self.state
        if not one.same:
            rows, link = linked(lambda alias, base: state.rows(one.source, alias, base), one.links)
            query = rows.select(column("#sid", rows.alias)).where(among(link, sids), copy=False)
            return {row for (row,) in state.db.rows(query)}
        here, there = state.rows(made.name, "h"), state.rows(one.source, "t")
        own = [Lowering(here).stored(formula) for formula, _ in one.same]
        others = [Lowering(there).stored(formula) for _, formula in one.same]
        query = here.select(*own).where(among(column("#sid", "h"), sids), copy=False)
        wanted = {row for row in state.db.rows(query) if None not in row}
        return {sid for sid, *row in state.db.rows(there.select(column("#sid", "t"), *others)) if tuple(row) in wanted}

    def _sids(self, name: str) -> set[int]:
        rows = self.state.rows(name, "r")
        return {sid for (sid,) in self.state.db.rows(rows.select(column("#sid", "r")))}

    def _values(self, name: str, field: str, sids: set[int]) -> set[int]:
        rows = self.state.rows(name, "r")
        value = column(field, "r")
        query = rows.select(value).where(among(column("#sid", "r"), sids), copy=False)
        return {found for (found,) in self.state.db.rows(query.where(exp.Not(this=is_null(value)), copy=False))}

    def _where(self, name: str, field: str, sids: set[int]) -> set[int]:
        rows = self.state.rows(name, "r")
        query = rows.select(column("#sid", "r")).where(among(column(field, "r"), sids), copy=False)
        return {sid for (sid,) in self.state.db.rows(query)}


def among(value: SQL, sids: Iterable[int]) -> SQL:
    """Say in SQL that a value is one of these numbers."""
    return exp.In(this=value.copy(), expressions=[number(sid) for sid in sorted(sids)])
