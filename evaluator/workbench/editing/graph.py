"""What reads what in a pack: tables, measures, lines of the score, verdicts, rosters; and the same as Mermaid text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from evaluator.diagnostics import Span
from evaluator.engine.plan import Graph, Value
from evaluator.pack.definitions import (
    Formula,
    KindDef,
    LineDef,
    MeasureDef,
    Pack,
    RosterDef,
    TableDef,
    VerdictDef,
)
from evaluator.pack.nodes import Name
from evaluator.report.words import name_of, say
from evaluator.workbench.checking.shapes import formulas_in

SORTS = ("table", "measure", "line", "verdict", "roster")
COLORS = {
    "table": ("#f1f3f5", "#868e96"),
    "measure": ("#e7f5ff", "#1c7ed6"),
    "line": ("#ebfbee", "#2f9e44"),
    "verdict": ("#fff4e6", "#e8590c"),
    "roster": ("#f8f0fc", "#9c36b5"),
}
"""Fill and border of what is drawn, by its sort."""


@dataclass(frozen=True, slots=True)
class Node:
    """What reads and is read: its name in the pack, its kind, what readers call it, and where it is written."""

    name: str
    sort: str
    kind: str
    label: str
    at: Span

    @property
    def written(self) -> str:
        """Its name as rules write it."""
        return self.name.rsplit(":", 1)[1]


@dataclass(frozen=True, slots=True)
class Edge:
    """One node read by another; of earlier years, by a function that looks back on them."""

    source: str
    target: str
    is_earlier: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """The graph of a pack: nodes by name, and edges."""

    nodes: dict[str, Node]
    edges: tuple[Edge, ...]


def reading_of(pack: Pack, kind: str | None = None) -> Reading:
    """Return what reads what in a pack; or in one kind, with what it reads directly."""
    found = _Reader(pack).read()
    if kind is None:
        return found
    edges = tuple(edge for edge in found.edges if found.nodes[edge.target].kind == kind)
    kept = {name for edge in edges for name in (edge.source, edge.target)}
    nodes = {name: node for name, node in found.nodes.items() if name in kept or node.kind == kind}
    return Reading(nodes, edges)


class _Reader:
    def __init__(self, pack: Pack) -> None:
        self.pack, self.graph = pack, Graph(pack)
        self.nodes: dict[str, Node] = {}
        self.edges: dict[tuple[str, str], bool] = {}

    def read(self) -> Reading:
        for made in self.pack.tables.values():
            if not made.is_entered:
                owner = made.name if made.name in self.pack.kinds else ""
                self._add(table_key(made.name), "table", owner, self._table_label(made), made.at)
        for kind in self.pack.kinds.values():
            self._add_kind(kind)
        for made in self.pack.tables.values():
            self._read_tables(made)
        for value, read in self.graph.reads.items():
            for other in read:
                self._read_value(value, other)
        for kind in self.pack.kinds.values():
            self._read_records(kind)
            for roster in kind.rosters:
                self._read_roster(kind, roster)
        read_by = {target for _, target in self.edges}
        for node in list(self.nodes.values()):
            if node.name not in read_by and node.sort != "table":  # it reads the fields of its own row alone
                self._join(table_key(node.kind), node.name)
        return Reading(self.nodes, tuple(Edge(*ends, is_earlier) for ends, is_earlier in self.edges.items()))

    def _table_label(self, made: TableDef) -> str:
        """Return what readers call a table: a kind by its label, another by its file, as labels are of values."""
        if made.name in self.pack.kinds:
            return self.pack.label(made.name)
        return made.files[0] if made.files and self.pack.shown_in == self.pack.language else made.name

    def _add(self, name: str, sort: str, kind: str, label: str, at: Span) -> None:
        self.nodes[name] = Node(name, sort, kind, label, at)

    def _join(self, source: str, target: str, is_earlier: bool = False) -> None:
        if source in self.nodes and target in self.nodes and source != target:
            self.edges[source, target] = self.edges.get((source, target), True) and is_earlier

    def _add_kind(self, kind: KindDef) -> None:
        pack = self.pack
        for measure in kind.measures.values():
            key = key_of(Value(kind.name, "measure", measure.name))
            self._add(key, "measure", kind.name, name_of(pack, kind.name, measure.name), measure.at)
        for line in kind.lines:
            shown = "total" if line.id == "total" else f"points.{line.id}"
            key = key_of(Value(kind.name, "line", line.id))
            self._add(key, "line", kind.name, name_of(pack, kind.name, shown), line.at)
        for verdict in kind.verdicts.values():
            key = key_of(Value(kind.name, "verdict", verdict.name))
            self._add(key, "verdict", kind.name, name_of(pack, kind.name, verdict.name), verdict.at)
        for roster in kind.rosters:
            label = pack.label(roster.name)
            shown = roster.id if label == roster.name else label
            self._add(roster_key(roster), "roster", kind.name, shown, roster.model.at)

    def _read_tables(self, made: TableDef) -> None:
        """Join a table to those its rows or derived fields are made of."""
        sources = [made.unfold.source] if made.unfold is not None else []
        formulas: list[Formula | None] = [made.date]
        for one in made.fields.values():
            formulas.append(one.value)
            if one.aggregate is not None:
                sources.append(one.aggregate.source)
                formulas += [one.aggregate.operand, one.aggregate.where]
        if made.expected is not None:
            sources += [made.refs[ref] for ref in made.expected.every if ref in made.refs]
            formulas.append(made.expected.where)
        for source in [*sources, *self._tables_read(formulas)]:
            self._join(table_key(source), table_key(made.name))

    def _tables_read(self, formulas: Iterable[Formula | None]) -> Iterator[str]:
        """Give the tables whose fields formulas read."""
        for formula in formulas:
            for part in formula.node.walk() if formula is not None else ():
                if isinstance(part, Name) and part.owner in self.pack.tables:
                    if part.leaf in self.pack.tables[part.owner].fields:
                        yield part.owner

    def _read_value(self, value: Value, other: Value) -> None:
        if value.part == "recall" or other.part == "apart":
            return
        if other.part == "recall":
            for looked_at in self._recalled(other):
                self._join(key_of(looked_at), key_of(value), is_earlier=True)
        else:
            self._join(key_of(other), key_of(value))

    def _recalled(self, recall: Value) -> Iterator[Value]:
        """Give the values of other years that a function over years looks at."""
        node = self.pack.kinds[recall.kind].recalls[recall.name]
        for part in node.operand.walk():
            if isinstance(part, Name) and (found := self.graph.value_of(part.owner, part.leaf)) is not None:
                yield found

    def _read_records(self, kind: KindDef) -> None:
        """Join the values of a kind to the tables whose rows they count, and whose fields they read."""
        defined: list[tuple[Value, MeasureDef | LineDef | VerdictDef]] = [
            *((Value(kind.name, "measure", made.name), made) for made in kind.measures.values()),
            *((Value(kind.name, "line", made.id), made) for made in kind.lines),
            *((Value(kind.name, "verdict", made.name), made) for made in kind.verdicts.values()),
        ]
        for value, made in defined:
            alone = replace(made, items=()) if isinstance(made, LineDef) else made
            aggregate = None if isinstance(made, VerdictDef) else made.aggregate
            sources = [aggregate.source] if aggregate is not None and not aggregate.is_peers else []
            for source in [*sources, *self._tables_read(formulas_in(alone))]:
                self._join(table_key(source), key_of(value))

    def _read_roster(self, kind: KindDef, roster: RosterDef) -> None:
        formulas: Iterable[Formula | None] = [
            roster.where, roster.within, *(key.formula for key in roster.order_by), *(one for _, one in roster.columns),
        ]  # fmt: skip
        for formula in formulas:
            for part in formula.node.walk() if formula is not None else ():
                if isinstance(part, Name) and (found := self.graph.value_of(part.owner, part.leaf)) is not None:
                    self._join(key_of(found), roster_key(roster))


def key_of(value: Value) -> str:
    """Return the name of a value's node; the sum over records of a line is the line."""
    return f"{value.kind}:{'line' if value.part == 'sum' else value.part}:{value.name}"


def table_key(name: str) -> str:
    """Return the name of a table's node."""
    return f"table:{name}"


def roster_key(roster: RosterDef) -> str:
    """Return the name of a roster's node."""
    return f"{roster.kind}:roster:{roster.id}"


# --- Mermaid ----------------------------------------------------------------------------------------------


def mermaid(pack: Pack, reading: Reading) -> str:
    """Return the graph as the text of a Mermaid flowchart."""
    ids = {name: f"n{place}" for place, name in enumerate(reading.nodes)}
    lines = ["flowchart LR"]
    for group in ("", *pack.kinds):
        own = [node for node in reading.nodes.values() if group_of(node) == group]
        if not own:
            continue
        title = pack.label(group) if group else say(pack, "graph table")
        lines.append(f'  subgraph {f"k{list(pack.kinds).index(group)}" if group else "tables"}["{_escaped(title)}"]')
        lines += [f"    {ids[node.name]}{_shape(node)}" for node in own]
        lines.append("  end")
    for edge in reading.edges:
        lines.append(f"  {ids[edge.source]} {'-.->' if edge.is_earlier else '-->'} {ids[edge.target]}")
    for sort, (fill, border) in COLORS.items():
        if own_ids := [ids[node.name] for node in reading.nodes.values() if node.sort == sort]:
            lines.append(f"  classDef {sort} fill:{fill},stroke:{border},color:#212529")
            lines.append(f"  class {','.join(own_ids)} {sort}")
    return "\n".join(lines)


def group_of(node: Node) -> str:
    """Return the kind a node is drawn with; none for tables."""
    return "" if node.sort == "table" else node.kind


def _shape(node: Node) -> str:
    left, right = {"table": ("[(", ")]"), "verdict": ("{{", "}}"), "roster": ("([", "])")}.get(node.sort, ("[", "]"))
    name = node.label if node.label == node.written else f"{node.label}<br/>{node.written}"
    return f'{left}"{"<br/>".join(map(_escaped, name.split("<br/>")))}"{right}'


def _escaped(text: str) -> str:
    """Return a text as Mermaid takes it in quotes: signs of its own as numbers."""
    return "".join(f"#{ord(sign)};" if sign in '#"&<>`' else sign for sign in text)
