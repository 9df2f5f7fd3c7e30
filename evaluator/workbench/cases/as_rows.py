"""Made-up subjects as the rows of a case: each record a row, with what it refers to, and no more than is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluator.engine.state import State
from evaluator.pack.definitions import FieldDef, KindDef, Pack, TableDef
from evaluator.pack.entries import JUDGEMENTS
from evaluator.solve.moves import NOBODY, Moved, Moves, as_read
from evaluator.solve.program import Untranslatable
from evaluator.solve.written import FRESH
from evaluator.workbench.proving.somebody import Made, plain_row

Cells = dict[str, object]
Row = tuple[str, int]
"""Table and #sid of a row that is written nowhere but for the solver."""


@dataclass(slots=True)
class AsRows:
    """Rows of a case by table; grows with each subject that is `put`."""

    state: State
    kind: KindDef
    moves: Moves
    given: dict[str, list[Cells]] = field(default_factory=dict)
    others: dict[str, dict[object, Cells]] = field(default_factory=dict)  # who is needed besides, by key
    referred: set[str] = field(default_factory=set)  # tables of which a row is named by its key
    count: Counter[str] = field(default_factory=Counter)

    @property
    def pack(self) -> Pack:
        """The pack whose rows these are."""
        return self.state.pack

    def put(self, made: Made, key: Mapping[str, object], fields: Mapping[str, object]) -> None:
        """Put a subject and its records; raise Untranslatable where a case cannot say them."""
        subject: Cells = {**key, **fields}
        self.given.setdefault(self.kind.name, []).append(subject)
        (mine, *more) = key.values()
        if made.records and more:
            raise Untranslatable(f"records cannot name a {self.kind.name} by one value")
        for move, count in made.records:
            moved = next(one for one in self.moves.moved if one.move == move)
            if move.action != "add":
                raise Untranslatable("records that ought to exist are mended")
            for _ in range(count):
                self._put(moved, subject, mine)
        for line, points in made.decided.items():
            self._list(JUDGEMENTS, {"kind": self.kind.name, "subject": mine, "item": line, "value": points})

    def rows(self) -> dict[str, list[Mapping[str, object]]]:
        """Return the rows, without keys that nobody asks for; those of the subjects come first."""
        for name, rows in self.given.items():
            made = self.pack.tables[name]
            if name not in {*self.referred, *self.others, self.kind.name} and _is_numbered(made):
                for row in rows:
                    row.pop(made.key[0], None)
        whole: dict[str, list[Mapping[str, object]]] = {
            name: [*self.given.get(name, []), *self.others.get(name, {}).values()] for name in self.pack.tables
        }
        return {name: whole[name] for name in dict.fromkeys([self.kind.name, *whole]) if whole[name]}

    # --- records ---

    def _list(self, name: str, cells: Cells) -> Cells:
        self.given.setdefault(name, []).append(cells)
        return cells

    def _put(self, moved: Moved, subject: Cells, mine: object) -> None:
        known: dict[int, tuple[str, Cells]] = {}  # rows of this record by #sid: their table and cells
        for name, sid in moved.written[0]:
            made, row = self.pack.tables[name], self._row((name, sid))
            if made.unfold is None:
                cells = {one.name: self._cell(one, row[one.name], known, mine) for one in made.fields.values()
                         if not one.is_derived and self._is_told(made, one, row[one.name])}  # fmt: skip
                known[sid] = name, self._list(name, self._with_key(made, cells))
                continue
            source = row["#source"]
            into = subject if source == self.moves.sid and made.unfold.source == self.kind.name else None
            into = known[source][1] if into is None else into
            self._unfolded(made, row, into, known, mine)

    def _row(self, one: Row) -> dict[str, Any]:
        return next(row for row in self.moves.written.rows[one[0]] if row["#sid"] == one[1])

    def _is_told(self, made: TableDef, one: FieldDef, value: object) -> bool:
        """Whether a cell says more than an empty one would."""
        if value is None or (one.type.base == "ref" and value == NOBODY):
            return False
        if one.default is not None and as_read(value, one.type) == one.default:
            return False
        dated = made.date.text.strip() if made.date is not None else ""
        return not (one.name == dated and value == self.state.end and one.name not in made.key)

    def _cell(self, one: FieldDef, value: Any, known: Mapping[int, tuple[str, Cells]], mine: object) -> object:
        """Return what stands in a cell: of a ref, the key of the row it leads to."""
        if one.type.base != "ref":
            if isinstance(value, str) and value.startswith(FRESH):
                return self._number(one.name)
            return as_read(value, one.type)
        target = self.pack.tables[one.type.target]
        if len(target.key) > 1:
            raise Untranslatable(f"{target.name} has a key of several parts")
        if value in known:
            self.referred.add(target.name)
            return known[value][1][target.key[0]]
        if target.name == self.kind.name and value == self.moves.sid:
            return mine
        return self._standing(target.name)

    def _standing(self, name: str) -> object:
        """Return the key of the one subject of another kind, who is given, too."""
        row = plain_row(self.pack.kinds[name])
        key = row[self.pack.kinds[name].table.key[0]]
        self.others.setdefault(name, {})[key] = {name: value for name, value in row.items() if value}
        return key

    def _with_key(self, made: TableDef, cells: Cells) -> Cells:
        """Return a row with its key before the rest; parts that nothing reads are made up."""
        key: Cells = {}
        for name in made.key:
            kind = made.fields[name].type
            if name not in cells and (kind.base not in ("text", "integer") or kind.values):
                raise Untranslatable(f"{made.name} has a key that cannot be made up")
            key[name] = cells[name] if name in cells else self._number(made.name)
        if any(all(row.get(name) == value for name, value in key.items()) for row in self.given.get(made.name, [])):
            raise Untranslatable(f"there can be one row of {made.name} for each {', '.join(made.key)}")
        return key | cells

    def _number(self, of: str) -> str:
        self.count[of] += 1
        return str(self.count[of])

    def _unfolded(
        self, made: TableDef, row: Mapping[str, Any], into: Cells, known: Mapping[int, tuple[str, Cells]], mine: object
    ) -> None:
        """Put a name, or a value, into the cell that rows are unfolded from."""
        assert made.unfold is not None
        labels = list(made.unfold.columns)
        label = row.get(made.unfold.label) or (labels[0] if labels else "")
        if isinstance(label, str) and label.startswith(FRESH):
            raise Untranslatable(f"the columns of {made.name} are those of the sheet")
        held = self._cell(made.fields[made.unfold.holds], row[made.unfold.holds], known, mine)
        name = f"{made.name}.{label}" if labels else str(label)
        if not made.unfold.is_names:
            into[name] = held
            return
        people, position = int(row.get("people") or 1), int(row.get("position") or 1)
        names = [self._other(made, place) for place in range(1, people)]
        names.insert(position - 1, held)
        before = into.get(name, [])
        listed = [*(before if isinstance(before, list) else [before]), *names]
        into[name] = listed if len(listed) > 1 else listed[0]

    def _other(self, made: TableDef, place: int) -> object:
        """Return the key of somebody else who stands on a record; nothing is expected of them."""
        assert made.unfold is not None
        kind = self.pack.kinds.get(made.fields[made.unfold.holds].type.target)
        if kind is None or len(kind.table.key) > 1:
            raise Untranslatable(f"nobody else can stand on a record of {made.unfold.source}")
        name = kind.table.key[0]
        if kind.table.fields[name].type.values:
            raise Untranslatable(f"{kind.name} has a key that cannot be made up")
        key: object = 900 + place if kind.table.fields[name].type.is_number else f"other {place}"
        self.others.setdefault(kind.name, {})[key] = {name: key}
        return key


def _is_numbered(made: TableDef) -> bool:
    """Whether a case may leave out the key of its rows."""
    first = made.fields.get(made.key[0]) if len(made.key) == 1 else None
    return first is not None and first.type.base in ("text", "integer") and not first.type.values
