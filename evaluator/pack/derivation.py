"""What must be known before what while data is read: rows of tables, their dates, their derived fields.

Rows come after those their refs lead to. A derived field comes after its own row and all it reads; so a table may have
an aggregate over another one whose rows refer to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from evaluator.diagnostics import Problems, Span
from evaluator.pack.definitions import Formula, ParameterDef, TableDef, is_dated
from evaluator.pack.nodes import Lookup, Name, Node

Item = tuple[str, str]
"""A table and one of its derived fields, or its rows, or their date."""

ROWS, DATE = "#rows", "#date"


@dataclass(slots=True)
class Making:
    """A step: the rows of a table, where `is_first`, and fields that can be derived then, each after those it reads."""

    table: str
    is_first: bool
    levels: list[list[str]] = field(default_factory=list)


class Derivation:
    """The rows and derived fields of a pack's tables, and what each reads."""

    def __init__(self, tables: Mapping[str, TableDef], parameters: Mapping[str, ParameterDef]) -> None:
        self.tables, self.parameters = tables, parameters
        self.reads: dict[Item, list[Item]] = {}
        for name, made in tables.items():
            self.reads[name, ROWS] = list(dict.fromkeys(self._of_rows(made)))
            for derived in made.fields.values():
                if derived.is_derived:
                    self.reads[name, derived.name] = self._of_field(made, derived.name)
            if is_dated(tables, name):
                self.reads[name, DATE] = self._of_date(made)

    def _of_rows(self, made: TableDef) -> Iterator[Item]:
        for read in made.fields.values():
            if not read.is_derived and read.type.base == "ref":
                yield read.type.target, ROWS
                yield from ((read.type.target, by) for by in read.by if self._is_derived(read.type.target, by))
        if made.unfold is not None:
            yield made.unfold.source, ROWS
        if made.expected is not None:
            wanted = self._of_formulas(made.name, [made.expected.where])
            yield from (item for item in wanted if item != (made.name, ROWS))

    def _of_field(self, made: TableDef, name: str) -> list[Item]:
        derived = made.fields[name]
        read: dict[Item, None] = {(made.name, ROWS): None}
        if derived.aggregate is not None:
            one = derived.aggregate
            read[one.source, ROWS] = None
            theirs = [one.operand, one.where, *(there for _, there in one.same)]
            read |= dict.fromkeys(self._of_formulas(one.source, theirs))
            read |= dict.fromkeys(self._of_formulas(made.name, [here for here, _ in one.same]))
            read |= dict.fromkeys(item for way in one.links for item in self._of_path(one.source, way))
        else:
            read |= dict.fromkeys(self._of_formulas(made.name, [derived.value]))
        return list(read)

    def _of_date(self, made: TableDef) -> list[Item]:
        if made.date is None:
            assert made.unfold is not None
            return [(made.name, ROWS), (made.unfold.source, DATE)]
        return [(made.name, ROWS), *dict.fromkeys(self._of_formulas(made.name, [made.date]))]

    def _of_formulas(self, table: str, formulas: Iterable[Formula | None]) -> Iterator[Item]:
        for formula in formulas:
            if formula is not None:
                yield from self._of_node(table, formula.node)

    def _of_node(self, table: str, node: Node) -> Iterator[Item]:
        for part in node.walk():
            if isinstance(part, Name):
                yield from self._of_path(table, (*part.hops, part.leaf))
            elif isinstance(part, Lookup) and part.parameter in self.parameters:
                lookup = self.parameters[part.parameter].lookup
                if lookup is not None:
                    yield lookup.source, ROWS
                    yield from self._of_formulas(lookup.source, [*lookup.match, lookup.bound, lookup.value])

    def _of_path(self, table: str, path: tuple[str, ...]) -> Iterator[Item]:
        for hop in path:
            made = self.tables[table]
            if self._is_derived(table, hop):
                yield table, hop
            if hop == "#source":
                assert made.unfold is not None
                table = made.unfold.source
            elif hop in made.refs:
                table = made.refs[hop]
            yield table, ROWS

    def _is_derived(self, table: str, name: str) -> bool:
        found = self.tables[table].fields.get(name)
        return found is not None and found.is_derived

    def note_circles(self, problems: Problems) -> None:
        """Note each circle once."""
        done: set[Item] = set()

        def visit(item: Item, path: list[Item]) -> None:
            if item in path:
                self._note([*path[path.index(item) :], item], problems)
            elif item not in done:
                for other in self.reads[item]:
                    visit(other, [*path, item])
                done.add(item)

        for item in self.reads:
            visit(item, [])

    def _note(self, circle: list[Item], problems: Problems) -> None:
        first = circle[0]
        tables = list(dict.fromkeys(table for table, _ in circle))
        if all(part == ROWS for _, part in circle):
            text = "refs lead in a circle: " + " → ".join(table for table, _ in circle)
            problems.add("P405", text, self.tables[first[0]].at, "put one of the refs into a table of its own")
            return
        if len(tables) == 1 and all(part not in (ROWS, DATE) for _, part in circle):
            text = f"derived fields of {tables[0]} need each other first: " + " → ".join(part for _, part in circle)
        else:
            text = "what is derived needs itself first: " + " → ".join(map(_shown, circle))
        also = [(self._at(item), f'"{_named(item)}"') for item in circle[1:-1]]
        problems.add("P405", text, self._at(first), also=also)

    def _at(self, item: Item) -> Span:
        made = self.tables[item[0]]
        return made.fields[item[1]].at if item[1] in made.fields else made.at

    def steps(self) -> list[Making]:
        """Return in which steps tables are made; there must be no circle.

        An aggregate reads tables as they stand before its step.
        """
        done: set[Item] = set()
        made: list[Making] = []
        while len(done) < len(self.reads):
            before = len(done)
            for table in self.tables:
                step = self._step(table, done)
                if step is not None:
                    made.append(step)
            assert len(done) > before, "a circle was not found"
        return made

    def _step(self, table: str, done: set[Item]) -> Making | None:
        """Return what can be made of a table now, and take it for done."""
        step, earlier = Making(table, (table, ROWS) not in done), frozenset(done)
        if step.is_first:
            if not all(item in done for item in self.reads[table, ROWS]):
                return None
            done.add((table, ROWS))
        waiting = [item for item in self.reads if item[0] == table and item not in done]
        while level := [item for item in waiting if self._is_ready(item, done, earlier)]:
            step.levels.append([part for _, part in level])
            done.update(level)
            waiting = [item for item in waiting if item not in level]
        return step if step.is_first or step.levels else None

    def _is_ready(self, item: Item, done: set[Item], earlier: frozenset[Item]) -> bool:
        derived = self.tables[item[0]].fields.get(item[1])
        known = earlier if derived is not None and derived.aggregate is not None else done
        return all(other in known for other in self.reads[item])


def _shown(item: Item) -> str:
    return item[0] if item[1] == ROWS else f"{item[0]}.{_named(item)}"


def _named(item: Item) -> str:
    return {ROWS: item[0], DATE: "date"}.get(item[1], item[1])
