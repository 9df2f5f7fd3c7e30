"""A subject that does not exist, with records that could be: found by the solver, and then judged by the engine.

It stands in sheets of its own that are read as any others, and nobody stands beside it. Its fields and the number of
its records are chosen; what each record brings is asked of the engine's own SQL.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlglot import exp

from evaluator.data.tables import load_tables
from evaluator.diagnostics import Problems, Span, Stop
from evaluator.engine.decide import Bench
from evaluator.engine.plan import Value as Planned
from evaluator.engine.plan import own_nodes
from evaluator.engine.run import assess, period_of
from evaluator.engine.state import State
from evaluator.pack.check import load_pack
from evaluator.pack.check_case import GivenRow, GivenYear
from evaluator.pack.definitions import FieldDef, Formula, KindDef, LineDef, Pack, VerdictDef
from evaluator.pack.in_force import as_in_force
from evaluator.pack.nodes import Name, Node, Recall
from evaluator.pack.types import NUMBER, Type
from evaluator.report.reopen import results_of
from evaluator.solve.again import Again
from evaluator.solve.arithmetic import Choice, Number, Truth, Value, as_python, known_value, unknown_value
from evaluator.solve.moves import Move, Moves, as_read, moves_of, raw, readings_of
from evaluator.solve.program import TRUE, Lit, Program, Solution, Untranslatable, Whole, constant
from evaluator.sql.duck import DuckDatabase
from evaluator.sql.lower import Lowering, sql_type
from evaluator.sql.ratio import UNIT
from evaluator.sql.trees import SQL, all_but, cast, column, named, number, star, table
from evaluator.workbench.cases.differences import shown_value
from evaluator.workbench.cases.given import as_given, write_year
from evaluator.workbench.proving.formulas import texts_in
from evaluator.workbench.proving.possible import Possible

KEY = "A"
LARGEST_FIELD = 1000
MOST_YEARS = 9
NUMBERS = (Fraction(0), Fraction(1), Fraction(10), Fraction(100))
"""What is tried for numbers in records, which may be anything."""
NOWHERE = Span("", 0, 0)


@dataclass(frozen=True, slots=True)
class Made:
    """A subject that was made up: its fields, its records and what people decided on it; None is an empty field."""

    fields: dict[str, object]
    records: tuple[tuple[Move, int], ...]
    decided: dict[str, Fraction] = field(default_factory=dict)
    recalls: dict[str, int | None] = field(default_factory=dict)  # functions over years, as stored
    past: dict[str, object] = field(default_factory=dict)  # what they find in the years before

    def __str__(self) -> str:
        said = [f"{name} = {shown_value(value)}" for name, value in self.fields.items() if value]
        for move, count in self.records:
            values = ", ".join(
                f"{name} = {shown_value(value)}" for name, value in move.values if value != 0 or value is False
            )
            said.append(f"{count} × {move.unfolded or move.table}" + (f" ({values})" if values else ""))
        said += [f"{shown_value(value)} points for {name}" for name, value in self.decided.items()]
        said += [f"{name} = {shown_value(value)} before this year" for name, value in self.past.items()]
        return "; ".join(said) or "nothing at all"


class Standings:
    """A year in which there is one subject of each kind, and nothing else; its fields are set as they are asked for."""

    def __init__(self, pack: Pack, year: int, bench: Bench) -> None:
        self.pack = as_given(load_pack(pack.folder, for_cases=True))
        self.real, self.year, self.bench = pack, year, bench
        self.stack = ExitStack()
        self.base = self._opened()
        self.moves: dict[tuple[object, ...], Moves] = {}

    def close(self) -> None:
        """Close it."""
        for moves in self.moves.values():
            moves.written.drop()
        self.stack.close()

    def of(self, name: str, fields: Mapping[str, object]) -> tuple[State, Moves]:
        """Return the year with the subject of a kind that has these fields, and what records it could have."""
        kind = self.base.pack.kinds[name]
        state = _with_fields(self.base, kind, fields) if fields else self.base
        key: tuple[object, ...] = (name, *(fields.items() if _reads_subject(kind) else ()))
        if key not in self.moves:
            self.moves[key] = moves_of(state, kind, key_in(state, kind), NUMBERS)
        return state, self.moves[key]

    def _opened(self) -> State:
        temporary = self.stack.enter_context(TemporaryDirectory(prefix="evaluator-"))
        rows: dict[str, list[GivenRow]] = {n: [] for n, made in self.pack.tables.items() if made.unfold is None}
        rows |= {kind.name: [GivenRow(plain_row(kind), NOWHERE)] for kind in self.pack.kinds.values()}
        folder = write_year(self.pack, GivenYear(self.year, rows), temporary)
        try:
            run = assess(self.pack, folder, self.year, [], accept_rejects=True, bench=self.bench)
            state = self.stack.enter_context(run).state
        except Stop:  # somebody has no result yet: one that is looked for has
            state = self._read(folder)
        state.pack = as_given(self.real)  # in which a field that must be filled is never empty
        for kind in state.pack.kinds.values():
            for line in kind.lines:
                if line.judged is not None:
                    state.judged[kind.name, line.id] = judged_table(state, line, Fraction(0))
        return state

    def _read(self, folder: Path) -> State:
        """Open a year whose tables are read and nothing is computed."""
        problems = Problems()
        start, end = period_of(self.year, self.pack.period)
        pack = as_in_force(self.pack, end)
        database = self.stack.enter_context(closing(DuckDatabase()))
        state = State(database, pack, self.year, start, end)
        load_tables(database, pack, folder, state.settings, problems)
        problems.stop_on_errors()
        for kind in pack.kinds.values():
            there = exp.alias_(state.location(kind.name), "s", table=True)
            unknown = [named(cast(exp.Null(), sql_type(type_)), name) for name, type_ in results_of(kind)]
            marks = [named(exp.true(), name) for name in ("is_assessed", "is_ranked")]
            whole = exp.select(star("s"), *unknown, *marks, named(cast(exp.Null(), "TEXT"), "#reason"))
            state.replace(kind.name, whole.from_(there, copy=False))
        return state


def _reads_subject(kind: KindDef) -> bool:
    """Whether what records bring rests on the subject they are of."""
    return any(
        isinstance(part, Name) and "#subject" in part.hops
        for reading in readings_of(kind)
        for formula in reading.formulas
        for part in formula.node.walk()
    )


def _with_fields(state: State, kind: KindDef, fields: Mapping[str, object]) -> State:
    """Return the state in which the subject of a kind has these fields, and what is derived from them."""
    table_of = {name: one for name, one in kind.table.fields.items() if one.type.base != "ref"}
    given: dict[str, SQL] = {
        name: _literal(value, table_of[name].type) for name, value in fields.items() if name in table_of
    }
    made = table(f"{kind.name}#made", "work")
    _overwrite(state, kind, state.location(kind.name), given, made)
    derived = [one for one in table_of.values() if one.value is not None]
    for _ in derived:  # one may be derived from another
        rows = state.rows(kind.name, "s", base=made)
        lowering = Lowering(rows)
        values = {one.name: lowering.stored(one.value, one.type) for one in derived if one.value is not None}
        query = rows.select(all_but("s", values), *(named(value, name) for name, value in values.items()))
        state.db.create(made, query)
    return replace(state, current=state.current | {kind.name: made})


def _overwrite(state: State, kind: KindDef, there: exp.Table, values: Mapping[str, SQL], made: exp.Table) -> None:
    """Make a table of the subjects with other values in some columns."""
    columns = [named(value, name) for name, value in values.items()]
    first = all_but("s", values) if values else star("s")
    state.db.create(made, exp.select(first, *columns).from_(exp.alias_(there, "s", table=True), copy=False))


def _literal(value: object, kind: Type) -> SQL:
    """Write a value as a column holds it."""
    stored = raw(value, kind)
    return cast(exp.Null() if stored is None else exp.convert(stored), sql_type(kind))


def plain_row(kind: KindDef) -> dict[str, str]:
    """Return the row of a subject in a sheet; fields that must be filled have plain values."""
    plain_values = {"boolean": "false", "text": KEY, "date": "", "number": "0", "integer": "0"}
    cells: dict[str, str] = {}
    for name, one in kind.table.fields.items():
        if one.is_derived or one.type.base == "ref":
            continue
        if name in kind.table.key:
            cells[name] = "1" if one.type.is_number else str(one.type.values[0]) if one.type.values else KEY
        elif not one.is_optional and one.default is None:
            cells[name] = str(one.type.values[0]) if one.type.values else plain_values[one.type.base]
    return cells


def judged_table(state: State, line: LineDef, value: Fraction) -> exp.Table:
    """Make the table of what people decided on a line: nothing, or one entry."""
    made = table(f"judged {line.id}", "work")
    query = exp.select(
        named(cast(number(1), "BIGINT"), "sid"), named(cast(number(int(value * UNIT)), "BIGINT"), "value")
    )
    state.db.create(made, query.where(exp.true() if value else exp.false()))
    return made


class Somebody(Possible):
    """A subject that is made up: `counts` of its records, its `fields` and what years before held are chosen."""

    def __init__(
        self,
        state: State,
        real: KindDef,
        moves: Moves,
        fixed: dict[str, object],
        most: int,
        program: Program | None = None,
        counts: Sequence[Whole] | None = None,
        fields: dict[str, Value] | None = None,
        years: dict[str, Value] | None = None,
    ) -> None:
        self.fixed = fixed
        self.real = real
        self.fields: dict[str, Value] = dict(fields or {})
        self.judged: dict[str, Number] = {}
        self.years: dict[str, Value] = dict(years or {})
        kind = state.pack.kinds[real.name]
        super().__init__(state, kind, key_in(state, kind), moves, most, program, counts)

    def _depends(self, node: Node) -> bool:
        return any(isinstance(part, Recall) or (isinstance(part, Name) and not part.hops) for part in own_nodes(node))

    def _read(self, node: Node) -> Value | None:
        if isinstance(node, Name) and not node.hops and self._planned(node) is None:
            return self._field(node)
        return super()._read(node)

    def _field(self, node: Name) -> Value:
        one = self.kind.table.fields.get(node.leaf)
        if one is None or node.leaf in self.fixed or one.aggregate is not None or node.leaf in self.kind.table.key:
            if node not in self.constants:
                self.constants[node] = self._constant(node)
            return self.constants[node]
        if one.value is not None:
            return self.translation.stored(one.value, one.type)
        if node.leaf not in self.fields:
            self.fields[node.leaf] = self._free(one)
        return self.fields[node.leaf]

    def _free(self, one: FieldDef) -> Value:
        program, kind = self.program, one.type
        is_nullable = self.real.table.fields[one.name].nullable
        if kind.values or kind.base == "boolean":
            return self.one_of(kind.values or (True, False), kind, is_nullable)
        if kind.is_number:
            known = program.literal() if is_nullable else TRUE
            return Number(program.variable(0, LARGEST_FIELD), constant(1), known)
        if kind.base in ("text", "date"):
            return self.one_of(self._texts() if kind.base == "text" else self._days(), kind, is_nullable)
        return self._constant(Name(kind, True, (0, 0), (), self.kind.name, one.name))

    def _texts(self) -> list[object]:
        """Return every text the rules name, and one they do not."""
        return [*dict.fromkeys(["", *texts_in(self.kind), KEY])]

    def _days(self) -> list[object]:
        """Return days of the year that are far and near from each other."""
        first, last = self.state.start, self.state.end
        return [first, first + dt.timedelta(days=10), first + dt.timedelta(days=100), last]

    def _stored_sum(self, line: LineDef) -> Value:
        """Return any points that people may decide on."""
        if line.id not in self.judged:
            points = Number(self.program.variable(-LARGEST_FIELD, LARGEST_FIELD), constant(1), TRUE)
            self.judged[line.id] = self.decided(line, points)
        return self.judged[line.id]

    def _sum(self, line: LineDef) -> Number:
        return self._number(self._stored_sum(line)) if line.judged is not None else super()._sum(line)

    def _others(self, formulas: Sequence[Formula | None], within: Formula | None) -> list[tuple[Any, ...]]:
        return []

    def _recall(self, name: str) -> Value:
        """Return what a function over years comes to, with whatever the years before held."""
        found = self.kind.recalls[name]
        if name not in self.years:
            self.years[name] = self._before(found)
        return self.with_this_year(found, self.years[name])

    def _before(self, found: Recall) -> Value:
        """Return what the years before may have held: few, as what happened long ago is seldom asked for."""
        kind = found.type
        if found.function in ("years", "years_running"):
            return Number(self.program.variable(0, MOST_YEARS), constant(1), TRUE)
        if found.function == "sum_years":
            return Number(self.program.variable(0, LARGEST_FIELD), constant(1), TRUE)
        if kind.values or kind.base == "boolean":
            return self.one_of(kind.values or (True, False), kind, True)
        if kind.is_number:
            return Number(self.program.variable(0, LARGEST_FIELD), constant(1), self.program.literal())
        return unknown_value(kind)

    def _quota(self, verdict: VerdictDef) -> Value:
        """Return whether the only one there is is chosen."""
        program, made = self.program, self.translation
        assert verdict.take is not None
        may = program.both(made.condition(verdict.among), made.condition(verdict.when))
        take = made.number(verdict.take.node)
        inside = made._order("<=", self._number(known_value(Fraction(1))), take).yes
        yes = program.both(may, inside)
        return Truth(yes, -yes)

    def made(self, found: Solution) -> Made:
        """Return the subject that was found."""
        counts = [Program.value(count, found) for count in self.counts]
        records = tuple((one.move, n) for one, n in zip(self.moves.moved, counts, strict=True) if n)
        fields = {name: self.python(value, found) for name, value in self.fields.items()}
        decided = {name: n for name, value in self.judged.items() if (n := self.python(value, found))}
        kept = {name: value for name, value in (self.fixed | fields).items() if name in self.kind.table.fields}
        points = {name: Fraction(str(n)) for name, n in decided.items()}
        recalls: dict[str, int | None] = {}
        for name in self.years:
            recall = self.kind.recalls[name]
            value = self.python(self.value(Planned(self.kind.name, "recall", name)), found)
            if recall.reads_this_year:
                scale = UNIT if recall.type.base == "number" else 1
                recalls[name] = None if value is None else int(Fraction(str(value)) * scale)
        past = {name: n for name, value in self.years.items() if (n := self.python(value, found)) not in (None, 0)}
        return Made(kept, records, points, recalls, past)

    def costs(self) -> list[Whole]:
        """Return what is to be little: records, and numbers among the fields."""
        amounts = [one.num for one in self.fields.values() if isinstance(one, Number) and one.den.is_constant]
        return [*self.counts, *(one for one in amounts if not one.is_constant and one.low >= 0)]

    def plainest(self, found: Solution, holds: Sequence[Lit], seconds: float) -> Solution:
        """Return the same subject with no more in its fields than it takes, nor decided; if late, the one found."""
        program, made = self.program, self.translation
        kept = [program.is_equal(one, constant(program.value(one, found))) for one in self.costs()]
        parts = [-program.is_equal(points.num, constant(0)) for points in self.judged.values()]
        for value in self.fields.values():
            if isinstance(value, Truth):
                parts.append(value.yes)
            elif isinstance(value, Choice):
                parts += [made.is_known(value), *(lit for _, lit in value.options[1:])]
        plain = program.search(program.count(parts), [*holds, *kept], [], seconds)
        return plain if plain.status == "found" else found

    @staticmethod
    def python(value: Value, found: Solution) -> object:
        """Return what a value is in a solution."""
        return as_python(value, lambda whole: Program.value(whole, found), lambda lit: Program.holds(lit, found))


def key_in(state: State, kind: KindDef) -> str:
    """Return the key of the only subject of a kind."""
    rows = exp.select(column("#key", "s")).from_(exp.alias_(state.location(kind.name), "s", table=True), copy=False)
    return str(state.db.value(rows))


def judged_again(standings: Standings, name: str, made: Made, wanted: Sequence[Planned]) -> list[object]:
    """Return what values of a made-up subject of a kind come to by the engine; raise Stop where a run would stop."""
    state, moves = standings.of(name, made.fields)
    kind = state.pack.kinds[name]
    for line in kind.lines:
        if line.judged is not None:
            state.judged[kind.name, line.id] = judged_table(state, line, made.decided.get(line.id, Fraction(0)))
    added = []
    for move, count in made.records:
        same = next((one for one in moves.moved if one.move == move), None)
        if same is None:
            raise Untranslatable(f"{move} is none of the records it could have")
        added.append((count, same.written[0]))
    state = _with_past(state, kind, made)
    changed = moves.written.with_changes(added, [])
    changed.current[kind.name] = state.location(kind.name)
    changed.judged.update(state.judged)
    try:
        with Again(state, kind, key_in(state, kind), standings.bench) as again:
            values, _ = again.values(changed, made.recalls, wanted)
    finally:
        moves.written.forget(changed)
    return [as_read(value, _type_of(kind, one)) for value, one in zip(values, wanted, strict=True)]


def _with_past(state: State, kind: KindDef, made: Made) -> State:
    """Return the state with what functions find that look at earlier years alone."""
    found = {
        name: _literal(made.past.get(name), recall.type)
        for name, recall in kind.recalls.items()
        if not recall.reads_this_year
    }
    if not found:
        return state
    changed = table(f"{kind.name}#past", "work")
    _overwrite(state, kind, state.location(kind.name), found, changed)
    return replace(state, current=state.current | {kind.name: changed})


def _type_of(kind: KindDef, value: Planned) -> Type:
    return kind.verdicts[value.name].type if value.part == "verdict" else NUMBER
