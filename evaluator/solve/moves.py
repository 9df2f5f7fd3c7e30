"""What may change: records a subject could have besides those it has, and those it has that could be otherwise.

A record that could be added is written as a row of its table that nobody has, with each combination of the values the
pack's expressions read of it, and asked what it brings by the same SQL that asks the records there are. A value that
nobody has settled, such as an amount without default, makes no move; what is left out is said.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from typing import Any, Literal

from sqlglot import exp

from evaluator.engine.measure import linked_rows
from evaluator.engine.state import State
from evaluator.pack.definitions import (
    AggregateDef,
    FieldDef,
    Formula,
    KindDef,
    LineDef,
    SelectionKeys,
    TableDef,
    is_dated,
)
from evaluator.pack.model import Kind
from evaluator.pack.nodes import Call, Compare, Const, IsNull, Lookup, Name, Node
from evaluator.pack.types import NUMBER, Type
from evaluator.solve.program import Untranslatable
from evaluator.solve.written import FRESH, Written
from evaluator.sql.lower import Lowering
from evaluator.sql.ratio import UNIT
from evaluator.sql.trees import SQL, both, cast, column, holds, number, text

MOST_COMBINATIONS = 256
MOST_ROWS = 8
"""So many rows of another kind are tried as what a record may refer to."""
MOST_HELD = 400
"""So many records of a table a subject may have for each to be looked at by itself."""
NOBODY = -1

Contribution = tuple[tuple[object, ...], ...]
Effect = Mapping[int, Contribution]
Brought = dict[tuple[str, int], dict[int, list[tuple[object, ...]]]]
"""Of each record or row of ours, by table and #sid: its rows in each reading."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An aggregate over records: a measure, or what the records of a line bring."""

    name: str  # of the measure, or the id of the line
    aggregate: AggregateDef
    line: LineDef | None = None
    chooser: LineDef | None = None  # which line chooses among its records: itself, or one above

    @property
    def keys(self) -> SelectionKeys | None:
        """What the line that chooses among its records goes by."""
        made = self.chooser.selection if self.chooser is not None else None
        return made.keys.get(self.name) if made is not None else None

    @property
    def formulas(self) -> list[Formula]:
        """Return every expression read of a record."""
        keys = [self.keys.once, *self.keys.order_by] if self.keys is not None else []
        return [f for f in (self.aggregate.operand, self.aggregate.where, *keys) if f is not None]


@dataclass(frozen=True, slots=True)
class Move:
    """One change of one record.

    To `add` is one more row of `table` in which the subject stands under `place`: a field, or a column that names are
    unfolded from into the table `unfolded`. `values` are what the row must hold where the rules look; a name with a dot
    is of a new row it refers to, or of one there is. To `mend` is to give one of `records` these values, to `remove` to
    take one of them out.
    """

    action: Literal["add", "mend", "remove"]
    table: str
    place: str
    values: tuple[tuple[str, object], ...]
    unfolded: str = ""
    records: tuple[str, ...] = ()

    @property
    def is_shared(self) -> bool:
        """Whether others stand on the record too, who get their part of it."""
        return any(name == "people" and isinstance(value, int) and value > 1 for name, value in self.values)

    def __str__(self) -> str:
        listed = ", ".join(f"{name} = {value}" for name, value in self.values)
        return f"{self.action} {self.table}" + (f" ({listed})" if listed else "")


@dataclass(frozen=True, slots=True)
class Moved:
    """A move, what it takes away from each reading and what it gives, and the rows it writes."""

    move: Move
    takes: Effect
    gives: Effect
    held: int | None  # which group of the records the subject has it changes one of
    written: tuple[tuple[tuple[str, int], ...], ...]  # table and #sid of the rows it writes: for each of its records
    replaced: tuple[tuple[str, int], ...] = ()  # table and #sid of each record it takes out

    def points(self, readings: Sequence[Reading]) -> list[int]:
        """Return what it changes in the points of each line, in millionths, as far as records of lines bring any."""
        found = []
        for place, reading in enumerate(readings):
            if reading.line is not None:
                gain = [row[0] for row in self.gives.get(place, ())]
                loss = [row[0] for row in self.takes.get(place, ())]
                if gain != loss:
                    found.append(sum(gain) - sum(loss))  # type: ignore[arg-type]
        return [one for one in found if one]


@dataclass(frozen=True, slots=True)
class Moves:
    """All moves of a subject, in their declared order, and what the records it has bring."""

    sid: int
    readings: list[Reading]
    present: Effect
    moved: list[Moved]
    groups: list[int]  # how many records each group of those the subject has holds
    left_out: list[tuple[frozenset[str], str]]  # names of the readings it would change, and what it is
    written: Written


def readings_of(kind: KindDef) -> list[Reading]:
    """Return the aggregates over records of a kind: lines as they stand, then measures."""
    lines = [Reading(line.id, line.aggregate, line, _chooser(kind, line)) for line in kind.lines if line.aggregate]
    measures = [m for m in kind.measures.values() if m.aggregate is not None and not m.aggregate.is_peers]
    return [*lines, *(Reading(m.name, m.aggregate) for m in measures if m.aggregate is not None)]


def _chooser(kind: KindDef, line: LineDef) -> LineDef | None:
    """Return the line that chooses among the records of one, as far as they reach it as they are."""
    above = {one.id: one for one in kind.lines}
    here: LineDef | None = line
    while here is not None and here.selection is None:
        is_plain = here.min is None and here.max is None and here.when is None and not here.times
        here = above[here.parent] if here.parent is not None and is_plain else None
    return here


Path = tuple[str, ...]
"""From the row written to a value: "base" or "listed", the refs, and the field."""


@dataclass(frozen=True, slots=True)
class _Door:
    """A way for a record to count for the subject: which rows are written, and in which field they lead there.

    A `field` of a record refers to the subject; or it is one of the `names` in a cell, or stands before a `cell` of its
    own; or a name is one more in the subject's `own` cells.
    """

    base: str
    listed: str  # the unfolded table, or the base
    field: str
    form: Literal["field", "names", "cell", "own"]


@dataclass(slots=True)
class _Read:
    """How expressions read a value of a record."""

    owner: str
    how: set[str] = field(default_factory=set)
    bounds: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Existing:
    """A row there is, and the values that are read of it."""

    sid: int
    shown: tuple[tuple[str, object], ...]


def moves_of(state: State, kind: KindDef, key: str, numbers: Sequence[Fraction] = ()) -> Moves:
    """Return every move of a subject, given by its key; `written` of it is to be dropped after use.

    `numbers` are tried for what nobody has settled; without any, such records are left out.
    """
    return _Maker(state, kind, key, numbers).moves()


class _Maker:
    def __init__(self, state: State, kind: KindDef, key: str, numbers: Sequence[Fraction]) -> None:
        self.state, self.kind, self.numbers = state, kind, numbers
        self.db, self.pack = state.db, state.pack
        self.readings = readings_of(kind)
        subjects = exp.alias_(state.location(kind.name), "s", table=True)
        query = exp.select(column("#sid", "s")).from_(subjects, copy=False)
        self.sid = int(self.db.value(query.where(exp.EQ(this=column("#key", "s"), expression=text(key)))))
        self.written = Written(state)
        self.adds: list[tuple[Move, tuple[tuple[str, int], ...]]] = []
        self.changes: list[tuple[Move, tuple[str, int], tuple[tuple[str, int], ...]]] = []
        self.left_out: list[tuple[frozenset[str], str]] = []
        self.own_cells: set[str] = set()

    def moves(self) -> Moves:
        """Return all moves, each with what it brings."""
        seen: set[_Door] = set()
        for reading in self.readings:
            for way in reading.aggregate.links:
                door = self._door(reading, way)
                if door is None or door in seen:
                    continue
                seen.add(door)
                if door.form == "field" and door.base in self.pack.kinds:
                    self.left_out.append((self._touched(door), f"{door.base}: who there are is taken as it is"))
                    continue
                try:
                    self._open(door)
                except Untranslatable as why:
                    self.left_out.append((self._touched(door), f"{door.listed}: {why}"))
        self.written.finish()
        return self._sorted(self._brought())

    def _touched(self, door: _Door) -> frozenset[str]:
        return frozenset(r.name for r in self.readings if r.aggregate.source in (door.base, door.listed))

    # --- rows that are written ---

    def _door(self, reading: Reading, way: Path) -> _Door | None:
        source = reading.aggregate.source
        made = self.pack.tables[source]
        if made.unfold is None and len(way) == 1:
            return _Door(source, source, way[0], "field")
        if made.unfold is not None:
            base = made.unfold.source
            if way == ("#source",):
                self.own_cells.add(source)
                return _Door(base, source, way[0], "own")
            if len(way) == 1 and made.unfold.is_names and way[0] == made.unfold.holds:
                return _Door(base, source, way[0], "names")
            if len(way) == 2 and way[0] == "#source":
                is_field = made.unfold.is_names
                return _Door(base, base if is_field else source, way[1], "field" if is_field else "cell")
        self.left_out.append((frozenset([reading.name]), f"{source}: records lead here over {'.'.join(way)}"))
        return None

    def _open(self, door: _Door) -> None:
        """Write the rows of every combination of values that are read of a record."""
        base, listed = self.pack.tables[door.base], self.pack.tables[door.listed]
        reads, existing = _Reads(self.pack.tables, self.readings, door, self._is_register(door)).found()
        options: dict[Path, list[object]] = {}
        if listed.unfold is not None and listed.unfold.label not in listed.fields:
            options["listed", listed.unfold.label] = list(listed.unfold.columns) or [FRESH]
        for path, names in existing.items():
            options[path] = self._existing(path, names, door)
        for path, read in reads.items():
            options.setdefault(path, self._settled(path, read))
        if base.expected is not None and door.form == "field" and not is_dated(self.pack.tables, door.base):
            self._mend(door, base, {path[1]: values for path, values in options.items() if len(path) == 2})
            return
        combinations = 1
        for values in options.values():
            combinations *= len(values)
        if combinations > MOST_COMBINATIONS:
            raise Untranslatable(f"{combinations} combinations of values are too many to try")
        for chosen in product(*options.values()):
            self._add(door, base, listed, dict(zip(options, chosen, strict=True)), reads)
        if base.expected is not None and door.form == "field":
            self._mend(door, base, {})

    def _add(
        self, door: _Door, base: TableDef, listed: TableDef, values: dict[Path, object], reads: dict[Path, _Read]
    ) -> None:
        people, place = ("listed", "people"), ("listed", "position")
        if place in values:
            if people in values and values[place] > values[people]:  # type: ignore[operator]
                return
            values.setdefault(people, values[place])
        rows: list[tuple[str, int]] = []
        trees: dict[str, dict[str, Any]] = {"base": {}, "listed": {}}
        for path, value in values.items():
            tree = trees[path[0]]
            for step in path[1:-1]:
                tree = tree.setdefault(step, {})
            tree[path[-1]] = value
        stands = door.field
        source = self.sid
        if door.form == "cell" and self._is_register(door):
            source = self._register(door)
        elif door.form != "own":
            if door.form in ("field", "cell"):
                trees["base"][door.field] = self.sid
            source = self._row(base, trees["base"], rows)
        if listed is not base and door.form != "field":
            if door.form == "names":
                trees["listed"][door.field] = self.sid
            label = listed.unfold.label if listed.unfold is not None else ""
            stands = str(trees["listed"].get(label, door.field)) if door.form in ("names", "own") else door.field
            self._row(listed, trees["listed"] | {"#source": source}, rows)
        shown = [one for path, value in values.items() for one in _shown(path, value, reads.get(path))]
        label_shown = listed.unfold.label if listed.unfold is not None and door.form in ("names", "own") else None
        kept = tuple((name, value) for name, value in shown if name != label_shown)
        self.adds.append((Move("add", door.base, stands, kept, door.listed if listed is not base else ""), tuple(rows)))

    def _row(self, made: TableDef, values: Mapping[str, Any], rows: list[tuple[str, int]]) -> int:
        """Write a row that nobody has; what nothing reads is as a sheet would leave it."""
        row: dict[str, object] = {}
        for one in made.fields.values():
            if not one.is_derived:
                row[one.name] = self._filler(one)
        if made.unfold is not None:
            row |= {"#column": "", "position": 1, "people": 1}
        if made.expected is not None:
            row |= {"is_expected": True, "is_filled": False}
        for name, value in values.items():
            kind = made.fields[name].type if name in made.fields else None
            if isinstance(value, _Existing):
                row[name] = value.sid
            elif kind is not None and kind.base == "ref" and (isinstance(value, dict) or value == FRESH):
                row[name] = self._row(self.pack.tables[kind.target], value if isinstance(value, dict) else {}, rows)
            else:
                row[name] = raw(value, kind)
        sid = self.written.add(made.name, row)
        rows.append((made.name, sid))
        return sid

    def _filler(self, one: FieldDef) -> object:
        if one.default is not None:
            return raw(one.default, one.type)
        if one.type.base == "ref":
            return None if one.nullable else NOBODY
        return self.state.end if one.type.base == "date" and not one.nullable else None

    def _is_register(self, door: _Door) -> bool:
        """Whether the base has one row for each subject, so that no other can be added."""
        return door.form == "cell" and self.pack.tables[door.base].key == (door.field,)

    def _register(self, door: _Door) -> int:
        source = exp.alias_(self.state.location(door.base), "r", table=True)
        query = exp.select(column("#sid", "r")).from_(source, copy=False)
        found = self.db.value(query.where(exp.EQ(this=column(door.field, "r"), expression=number(self.sid))))
        if found is None:
            raise Untranslatable("the register has no row of the subject")
        return int(found)

    def _mend(self, door: _Door, made: TableDef, options: dict[str, list[object]]) -> None:
        """Write what each row that ought to exist would be if it were mended, and if it were missing.

        Only rows without date are mended: they say how things stand, dated ones what has happened.
        """
        assert made.expected is not None
        is_own = exp.EQ(this=column(door.field, "r"), expression=number(self.sid))
        rows = self.written.rows_of(made.name, is_own)
        if len(rows) > MOST_HELD:
            raise Untranslatable(f"{len(rows)} records are too many to look at one by one")
        fields = {name: values for name, values in options.items() if name in made.fields and name not in made.key}
        if not is_dated(self.pack.tables, made.name):
            for row in rows:
                for chosen in product(*fields.values()):
                    values = dict(zip(fields, chosen, strict=True))
                    changed = {name: raw(value, made.fields[name].type) for name, value in values.items()}
                    if any(changed[name] != row[name] for name in changed) or row["is_filled"]:
                        written = self.written.add(made.name, row | changed | {"is_filled": False})
                        move = Move("mend", made.name, door.field, tuple(values.items()), "", (str(row["#key"]),))
                        self.changes.append((move, (made.name, row["#sid"]), ((made.name, written),)))
        for row in rows:
            if row["is_expected"] and not row["is_filled"]:
                filled = {name: raw(value, made.fields[name].type) for name, value in made.expected.fill.items()}
                written = self.written.add(made.name, row | filled | {"is_filled": True, "#src": None, "#row": None})
                move = Move("remove", made.name, door.field, (), "", (str(row["#key"]),))
                self.changes.append((move, (made.name, row["#sid"]), ((made.name, written),)))

    # --- what a value may be ---

    def _settled(self, path: Path, read: _Read) -> list[object]:
        """Return the values a record may have, in the order the pack lists them."""
        here = self.pack.tables[read.owner]
        name, leaf = ".".join(path[1:]), path[-1]
        one = here.fields.get(leaf)
        if one is None:
            if leaf in ("position", "people"):
                return _counts(read)
            if leaf in ("is_expected", "is_filled"):
                return [leaf == "is_expected"]
            if here.unfold is not None and leaf == here.unfold.label:
                return list(here.unfold.columns) or [FRESH]
            raise Untranslatable(f"what {name} comes to is not known")
        if one.aggregate is not None:
            raise Untranslatable(f"{name} is derived from other rows")
        nothing: list[object] = [None] if one.nullable and read.how != {"date"} else []
        kind = one.type
        if kind.base == "date":
            return [*self._days(read), *nothing]
        if kind.values or kind.base == "boolean":
            return [*(kind.values or (True, False)), *nothing]
        is_apart = read.how <= {"apart"} and (kind.base == "text" or kind.target in self.pack.tables)
        if kind.base == "ref" and kind.target in self.pack.kinds:
            is_apart = False
        if is_apart or (read.how <= {"is null"} and (kind.base == "text" or kind.target not in self.pack.kinds)):
            if kind.base in ("text", "ref"):
                return [FRESH, *nothing]
        if self.numbers and kind.is_number:
            return [*self.numbers, *nothing]
        if one.default is not None:
            return [one.default]
        if nothing:
            return nothing
        raise Untranslatable(f"nobody has settled what {name} is")

    def _days(self, read: _Read) -> list[object]:
        """Return the last day of the period; where months or quarters are told apart, the last day of each."""
        last = self.state.end
        if not read.how & {"month", "quarter"}:
            return [last]
        step = 1 if "month" in read.how else 3
        days: list[object] = []
        while last >= self.state.start:
            days.insert(0, last)
            last = dt.date(last.year, (last.month - 1) // step * step + 1, 1) - dt.timedelta(days=1)
        return days

    def _existing(self, path: Path, names: dict[Path, Name], door: _Door) -> list[object]:
        """Return rows of a kind there are, one for each combination of the values read of them."""
        here = self.pack.tables[door.base if path[0] == "base" else door.listed]
        for step in path[1:]:
            here = self.pack.tables[here.refs[step]]
        rows = self.state.rows(here.name, "k")
        lowering = Lowering(rows)
        values = [lowering.stored(name) for name in names.values()]
        query = rows.select(exp.Min(this=column("#sid", "k")), *(v.copy() for v in values))
        found = self.db.rows(query.group_by(*values).order_by(exp.Min(this=column("#sid", "k"))).limit(MOST_ROWS + 1))
        if not found or len(found) > MOST_ROWS:
            raise Untranslatable(f"{'.'.join(path[1:])} may be one of too many")
        prefix = path[1:]
        return [
            _Existing(sid, tuple(
                (".".join((*prefix, *hops)), as_read(value, name.type))
                for (hops, name), value in zip(names.items(), values, strict=True)
            ))
            for sid, *values in found
        ]  # fmt: skip

    # --- what rows bring ---

    def _brought(self) -> Brought:
        """Return what every row that counts for the subject brings to each reading, there or written."""
        found: Brought = {}
        for place, reading in enumerate(self.readings):
            made = reading.aggregate
            rows, link = linked_rows(self.written.state, self.kind, made.source, made.links)
            lowering = Lowering(rows)
            values: list[SQL] = [number(1)]
            if reading.line is not None:
                assert made.operand is not None
                values = [lowering.stored(made.operand, NUMBER)]
                if reading.keys is not None and reading.keys.once is not None:
                    values.append(cast(lowering.stored(reading.keys.once), "TEXT"))
            elif made.operand is not None:
                values = [lowering.stored(made.operand)]
            is_unfolded = self.pack.tables[made.source].unfold is not None
            columns = [column("#sid", rows.alias), column("#source" if is_unfolded else "#sid", rows.alias)]
            conditions: list[SQL] = [exp.EQ(this=link, expression=number(self.sid))]
            if made.where is not None:
                conditions.append(holds(lowering.condition(made.where)))
            in_period = self.written.state.in_period(made.source, rows.alias, made.period)
            if in_period is not None:
                conditions.append(in_period)
            query = rows.select(*columns, *values).where(both(*conditions), copy=False)
            for sid, source, *brought in self.db.rows(query.order_by(columns[0].copy())):
                record = self._record(made.source, sid, source) if sid > 0 else (made.source, sid)
                found.setdefault(record, {}).setdefault(place, []).append(tuple(brought))
        return found

    def _record(self, source: str, sid: int, base: int) -> tuple[str, int]:
        """Return the record a row belongs to: names in a cell to the row they stand in."""
        unfold = self.pack.tables[source].unfold
        if unfold is None or not unfold.is_names or source in self.own_cells:
            return source, sid
        return unfold.source, base

    def _sorted(self, found: Brought) -> Moves:
        """Put moves that bring the same together, and records that do."""
        readings = self.readings
        present: dict[int, Contribution] = dict.fromkeys(range(len(readings)), ())
        for (_, sid), effect in found.items():
            if sid > 0:
                for place, brought in effect.items():
                    present[place] = (*present[place], *brought)

        def effect_of(rows: Sequence[tuple[str, int]]) -> dict[int, Contribution]:
            made: dict[int, Contribution] = {}
            for row in rows:
                for place, brought in found.get(row, {}).items():
                    made[place] = (*made.get(place, ()), *brought)
            return made

        moved: dict[tuple[object, ...], Moved] = {}
        for move, rows in self.adds:
            gives = effect_of(rows)
            if not gives:
                continue
            if any(readings[p].line is not None and row[0] is None for p, brought in gives.items() for row in brought):
                self.left_out.append((frozenset(readings[p].name for p in gives), f"{move}: its points are unknown"))
                continue
            moved.setdefault((_frozen(gives),), Moved(move, {}, gives, None, (rows,)))
        groups: dict[tuple[object, ...], int] = {}
        members: list[set[tuple[str, int]]] = []
        changes = [*self.changes, *self._removals(found)]
        for move, record, rows in changes:
            takes, gives = effect_of([record]), effect_of(rows)
            if takes == gives:
                continue
            group = groups.setdefault((record[0], _frozen(takes)), len(groups))
            if group == len(members):
                members.append(set())
            members[group].add(record)
            key = (move.action, move.table, move.values if move.action == "mend" else (), group, _frozen(gives))
            before = moved.get(key)
            if before is not None:
                known = before.move
                move = Move(move.action, move.table, move.place, known.values, "", (*known.records, *move.records))
                moved[key] = Moved(
                    move, takes, gives, group, (*before.written, rows), (*before.replaced, record)
                )  # fmt: skip
            else:
                moved[key] = Moved(move, takes, gives, group, (rows,), (record,))
        return Moves(
            self.sid, readings, present, list(moved.values()), [len(one) for one in members],
            self.left_out, self.written,
        )  # fmt: skip

    def _removals(self, found: Brought) -> Iterator[tuple[Move, tuple[str, int], tuple[tuple[str, int], ...]]]:
        """Give a move for each record the subject has that nothing would be filled in for."""
        own: dict[str, list[int]] = {}
        sources = {self.kind.name, *(reading.aggregate.source for reading in self.readings)}
        for name, sid in found:
            made = self.pack.tables[name]
            if sid > 0 and made.expected is None and (made.unfold is None or made.unfold.is_names):
                own.setdefault(name, []).append(sid)
        for name, sids in own.items():
            if name in self.pack.kinds and name in sources:  # who there are is taken as it is
                continue
            if len(sids) > MOST_HELD:
                self.left_out.append((frozenset(), f"{name}: {len(sids)} records are too many to take out one by one"))
                continue
            listed = exp.In(this=column("#sid", "r"), expressions=[number(sid) for sid in sids])
            keys = {row["#sid"]: str(row["#key"]) for row in self.written.rows_of(name, listed)}
            leading = self._led_over(name, sids)
            if leading:
                said = f"{name}: no record is taken out over which others lead here"
                self.left_out.append((frozenset(reading.name for reading in self.readings), said))
            for sid in sids:
                if sid in leading:
                    continue
                yield Move("remove", name, "", (), "", (keys[sid],)), (name, sid), ()

    def _led_over(self, name: str, sids: Sequence[int]) -> set[int]:
        """Return which of these records others are read over, so that more would change than they bring."""
        ways: dict[tuple[str, str], None] = {}
        for reading in self.readings:
            names = [part for one in reading.formulas for part in one.node.walk() if isinstance(part, Name)]
            for hops in (*reading.aggregate.links, *((*part.hops, part.leaf) for part in names)):
                here = self.pack.tables[reading.aggregate.source]
                for hop in hops[:-1]:
                    if hop == "#source" and here.unfold is not None:
                        here = self.pack.tables[here.unfold.source]
                    elif hop in here.refs:
                        if here.refs[hop] == name:
                            ways[here.name, hop] = None
                        here = self.pack.tables[here.refs[hop]]
                    else:
                        break
        found: set[int] = set()
        for source, hop in ways:
            rows = exp.alias_(self.state.location(source), "r", table=True)
            listed = exp.In(this=column(hop, "r"), expressions=[number(sid) for sid in sids])
            query = exp.select(column(hop, "r")).distinct().from_(rows, copy=False).where(listed, copy=False)
            found |= {int(sid) for (sid,) in self.db.rows(query)}
        return found


class _Reads:
    """Which values the expressions read of a record that comes through a door."""

    def __init__(
        self, tables: Mapping[str, TableDef], readings: Sequence[Reading], door: _Door, is_there: bool
    ) -> None:
        self.tables, self.door = tables, door
        self.base_is_there = is_there or door.form == "own"
        self.reads: dict[Path, _Read] = {}
        self.existing: dict[Path, dict[Path, Name]] = {}
        roles = [("base", door.base)] + ([("listed", door.listed)] if door.listed != door.base else [])
        for reading in readings:
            for role, name in roles:
                if reading.aggregate.source != name or (role == "base" and self.base_is_there):
                    continue
                apart = [reading.aggregate.operand] if reading.aggregate.function == "distinct" else []
                apart += [reading.keys.once] if reading.keys is not None else []
                for formula in reading.formulas:
                    self._walk(formula.node, (role,), "apart" if formula in apart else "plain")
        for role, name in roles:
            date = tables[name].date
            if date is not None and not (role == "base" and self.base_is_there):
                self._walk(date.node, (role,), "date")

    def found(self) -> tuple[dict[Path, _Read], dict[Path, dict[Path, Name]]]:
        """Return how each value is read by its path; and by the path to a row of a kind, what is read of that."""
        return self.reads, self.existing

    def _walk(self, node: Node, at: Path, how: str) -> None:
        if isinstance(node, Name):
            self._note(node, at, how)
        for child in node.children():
            if isinstance(node, Compare) and isinstance(child, Name) and child.leaf in ("people", "position"):
                other = node.right if child is node.left else node.left
                if isinstance(other, Const) and isinstance(other.value, Fraction):
                    path = self._note(child, at, "compared")
                    if path is not None:
                        self.reads[path].bounds.add(int(other.value))
                    continue
            within = {IsNull: "is null", Lookup: "looked up"}.get(type(node), "plain")
            self._walk(child, at, how if how == "date" else node.function if isinstance(node, Call) else within)

    def _note(self, name: Name, at: Path, how: str) -> Path | None:
        """Note that a value is read, and return its path; None where nobody has to settle it."""
        if "#subject" in name.hops:
            return None
        path, here = at, self.tables[self.door.base if at[0] == "base" else self.door.listed]
        for step in at[1:]:
            here = self.tables[here.refs[step]]
        for place, hop in enumerate(name.hops):
            if hop == "#source":
                assert here.unfold is not None
                if self.base_is_there:
                    return None
                path, here = ("base",), self.tables[here.unfold.source]
                continue
            path, here = (*path, hop), self.tables[here.refs[hop]]
            if self._is_link(path):
                return None
            if here.name in _kinds(self.tables):
                rest = name.hops[place + 1 :]
                own = Name(name.type, name.nullable, name.place, rest, name.owner, name.leaf)
                self.existing.setdefault(path, {})[(*rest, name.leaf)] = own
                return None
        path = (*path, name.leaf)
        one = here.fields.get(name.leaf)
        if self._is_link(path):
            return None
        if one is not None and one.value is not None:
            self._walk(one.value.node, path[:-1], how)
            return None
        self.reads.setdefault(path, _Read(here.name)).how.add(how)
        return path

    def _is_link(self, path: Path) -> bool:
        """Whether a value is the ref that leads to the subject."""
        role = "listed" if self.door.form == "names" else "base"
        return path == (role, self.door.field)


def _kinds(tables: Mapping[str, TableDef]) -> set[str]:
    return {name for name, made in tables.items() if isinstance(made.model, Kind)}


def _counts(read: _Read) -> list[object]:
    """Return the counts at which a comparison with a constant turns, from 1 on."""
    turning = {1, *(bound + more for bound in read.bounds for more in (0, 1))}
    return [*sorted(value for value in turning if value >= 1)[:4]]


def _shown(path: Path, value: object, read: _Read | None) -> Iterator[tuple[str, object]]:
    """Give what the value of a move is called, and is, where it matters to who writes the record."""
    if isinstance(value, _Existing):
        yield from value.shown
    elif value != FRESH and not (read is not None and read.how <= {"date"}):
        if path[-1] not in ("people", "position") or (read is not None and read.bounds) or value != 1:
            yield ".".join(path[1:]), value


def _frozen(effect: Effect) -> tuple[object, ...]:
    return tuple(sorted((place, tuple(sorted(rows, key=repr))) for place, rows in effect.items()))


def raw(value: object, kind: Type | None) -> object:
    """Return a value as a column holds it: numbers in millionths."""
    if isinstance(value, (Fraction, int)) and not isinstance(value, bool):
        return int(value * UNIT) if kind is not None and kind.base == "number" else int(value)
    return value


def as_read(value: Any, kind: Type) -> object:
    """Return what a column holds as a value: a number as a fraction."""
    if value is None or not kind.is_number:
        return value
    return Fraction(int(value), UNIT) if kind.base == "number" else Fraction(int(value))
