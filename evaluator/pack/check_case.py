"""Cases read and checked against their pack: every name known, every value of the type it is given for."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from evaluator.diagnostics import CODES, Problems, Span, closest, known_here, rename_to
from evaluator.pack.definitions import FieldDef, KindDef, MeasureDef, Pack, TableDef
from evaluator.pack.formulas import is_value_of
from evaluator.pack.model_case import Case
from evaluator.pack.reading import read_model
from evaluator.pack.scalars import DATE, exact, literal
from evaluator.pack.source import List, Map, Text, read_yaml
from evaluator.pack.types import BOOLEAN, NUMBER, TEXT, Type

UNKNOWN = "unknown"
"""How a case says that a value is not known; in quotes it is the word."""
OF_MEASURE = "measures."
"""What stands before the name of a measure whose value a case gives."""
TOTAL, GIVEN_TOTAL = "total", "given total"
"""The total where a case gives it, as it is written and as the column it becomes."""


@dataclass(frozen=True, slots=True)
class GivenRow:
    """A row as a sheet would hold it: cells by column."""

    cells: dict[str, str]
    at: Span


@dataclass(frozen=True, slots=True)
class GivenYear:
    """The rows of one year, of all tables that are read from sheets."""

    year: int
    rows: dict[str, list[GivenRow]]

    def measures(self, kind: KindDef) -> list[MeasureDef]:
        """Return the measures of a kind whose values some of its rows give."""
        given = {name for row in self.rows[kind.name] for name in row.cells}
        return [made for made in kind.measures.values() if OF_MEASURE + made.name in given]

    def gives_total(self, kind: KindDef) -> bool:
        """Whether some rows of a kind give the total."""
        return any(GIVEN_TOTAL in row.cells for row in self.rows[kind.name])

    def keys(self, kind: KindDef) -> list[str]:
        """Return the keys of the subjects of a kind, in the order given."""
        return [_key_of(kind.table, row.cells) for row in self.rows[kind.name]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a value of a subject must be; None where it must be unknown."""

    name: str
    type: Type
    value: object
    at: Span


@dataclass(frozen=True, slots=True)
class ExpectedRow:
    """What one subject must come to."""

    kind: str
    key: str
    values: tuple[Wanted, ...]
    at: Span


@dataclass(frozen=True, slots=True)
class ExpectedRoster:
    """The keys of all whom a roster must list, in order."""

    name: str
    keys: tuple[str, ...]
    at: Span


@dataclass(frozen=True, slots=True)
class CaseDef:
    """A case that fits its pack."""

    model: Case
    years: tuple[GivenYear, ...]  # the year assessed comes last
    expect: tuple[ExpectedRow, ...]
    rosters: tuple[ExpectedRoster, ...] = ()


def columns_of(pack: Pack, made: TableDef) -> list[str]:
    """Return the columns a table is given in: its fields, and for each list of names <table>.<label>."""
    fields = [field.name for field in made.fields.values() if not field.is_derived]
    return fields + [f"{one.name}.{label}" for one in _unfolded(pack, made) for label in _labels(one)]


def load_cases(folder: Path, pack: Pack) -> list[CaseDef]:
    """Read every case of a pack; raise Stop with everything that is wrong with them."""
    problems = Problems()
    cases: list[CaseDef] = []
    files = sorted((folder / "cases").glob("*.yaml"))
    if not files:
        problems.add("P101", f"{folder} has no cases", fix="write one to cases/, a YAML file")
    for path in files:
        tree = read_yaml(path, path.as_posix(), problems)
        case = case_of(tree, pack, problems) if tree is not None else None
        if case is not None:
            cases.append(case)
    problems.stop_on_errors()
    return cases


def case_of(tree: Map, pack: Pack, problems: Problems) -> CaseDef | None:
    """Return the case a file holds, or None where it is not one; what is wrong with it is noted."""
    model = read_model(Case, tree, problems)
    return _Checking(pack, model, problems).checked() if model is not None else None


def _unfolded(pack: Pack, made: TableDef) -> list[TableDef]:
    return [one for one in pack.tables.values() if one.unfold is not None and one.unfold.source == made.name]


def _lists(pack: Pack, made: TableDef) -> dict[str, str]:
    """Return the columns of names of a table by what a case may call them: <table>.<label>, or a label used once."""
    places = [(label, f"{one.name}.{label}") for one in _unfolded(pack, made) for label in _labels(one)]
    count = Counter(label for label, _ in places)
    return {label: place for label, place in places if count[label] == 1} | {place: place for _, place in places}


def _labels(made: TableDef) -> Iterable[str]:
    return made.unfold.columns if made.unfold is not None else ()


class _Checking:
    def __init__(self, pack: Pack, model: Case, problems: Problems) -> None:
        self.pack, self.model, self.problems = pack, model, problems

    def checked(self) -> CaseDef:
        pack, model = self.pack, self.model
        if model.clause is not None and model.clause not in pack.clauses:
            fix = rename_to(model.clause, pack.clauses)
            self.problems.add("P407", f'there is no clause "{model.clause}"', model.clause.at, fix)
        years = [self._year(earlier.year, earlier.given) for earlier in model.history]
        for one, after in pairwise([*(earlier.year for earlier in model.history), model.year]):
            if one >= after:
                self.problems.add("P202", f"{one} does not come before {after}", model.key_at("history"))
        years.append(self._year(model.year, model.given))
        expect: list[ExpectedRow] = []
        for name, rows in model.expect.items():
            kind = pack.kinds.get(name)
            if kind is None:
                fix = rename_to(name, pack.kinds)
                self.problems.add("P402", f'there is no kind "{name}"', name.at, fix)
                continue
            known = set(years[-1].keys(kind))
            expect += [made for row in rows if (made := self._expected(kind, row, known)) is not None]
        rosters = [self._roster(name, keys, years[-1]) for name, keys in model.rosters.items()]
        for code in model.stops or ():
            if code not in CODES:
                self.problems.add("P401", f'there is no code "{code}"', code.at, rename_to(code, CODES))
        return CaseDef(model, tuple(years), tuple(expect), tuple(rosters))

    # --- given ---

    def _year(self, year: int, rows_of: dict[Text, list[Map]]) -> GivenYear:
        pack = self.pack
        given: dict[str, list[GivenRow]] = {n: [] for n, made in pack.tables.items() if made.unfold is None}
        for name, rows in rows_of.items():
            if name in given:
                made = pack.tables[name]
                given[str(name)] = [self._given(made, row, number, year) for number, row in enumerate(rows, 1)]
            elif name in pack.tables:
                source = pack.tables[name].unfold
                assert source is not None
                message = f"the rows of {name} are unfolded from {source.source}"
                self.problems.add("P402", message, name.at, f"give the names in the rows of {source.source}")
            else:
                fix = rename_to(name, given)
                self.problems.add("P402", f'there is no table or kind "{name}"', name.at, fix)
        return GivenYear(year, given)

    def _given(self, made: TableDef, row: Map, number: int, year: int) -> GivenRow:
        lists = _lists(self.pack, made)
        has_others = any(not _labels(one) for one in _unfolded(self.pack, made))
        cells: dict[str, str] = {}
        for name, value in row.items():
            field = made.fields.get(name)
            if field is not None and not field.is_derived:
                cells[str(name)] = self._cell(field, value)
            elif name in lists:
                cells[lists[name]] = self._names(lists[name], value)
            elif name.startswith(OF_MEASURE) and made.name in self.pack.kinds:
                self._measure(self.pack.kinds[made.name], name, value, cells)
            elif name == TOTAL and made.name in self.pack.kinds and self.pack.kinds[made.name].score is not None:
                cells[GIVEN_TOTAL] = self._cell(replace(total_field(made.at), name=TOTAL), value)
            elif has_others and field is None:
                cells[str(name)] = self._other(name, value)
            elif field is not None:
                self.problems.add("P203", f'"{name}" is computed from the rest of the row', name.at, "leave it out")
            else:
                kind = self.pack.kinds.get(made.name)
                given = {known: OF_MEASURE + known for known in kind.measures} if kind is not None else {}
                fix = _rename_to(name, [*made.fields, *lists, *given.values()], given)
                self.problems.add("P401", f'{made.name} has no field "{name}"', name.at, fix)
        self._complete(made, row, cells, number, year)
        return GivenRow(cells, row.at)

    def _cell(self, field: FieldDef, value: object) -> str:
        if not isinstance(value, Text):
            assert isinstance(value, List)
            self.problems.add("P202", f'"{field.name}" takes one value', value.at)
            return ""
        spelled = literal(value) if value.plain else str(value)
        kind = field.type
        if kind.base not in ("text", "ref") and not is_value_of(exact(spelled), kind):
            self.problems.add("P306", f'"{field.name}" is {kind}, and this is not', value.at)
        elif kind.values and value and value not in field.spellings:
            fix = rename_to(value, map(str, kind.values))
            self.problems.add("P307", f'"{value}" is not one of {", ".join(map(str, kind.values))}', value.at, fix)
        return str(value)

    def _measure(self, kind: KindDef, name: Text, value: object, cells: dict[str, str]) -> None:
        """Take the value that a measure is to have, whatever records there are; empty where it is to be unknown."""
        measure = kind.measures.get(name.removeprefix(OF_MEASURE))
        if measure is None:
            names = [OF_MEASURE + known for known in kind.measures]
            fix = _rename_to(name, names) or known_here(names)
            self.problems.add("P401", f'{kind.name} has no measure "{name.removeprefix(OF_MEASURE)}"', name.at, fix)
        elif isinstance(value, Text) and value.plain and value == UNKNOWN:
            cells[str(name)] = ""
        else:
            cells[str(name)] = self._cell(measure_field(measure), value)

    def _other(self, name: Text, value: object) -> str:
        """Return the cell of a column that is there because rows are unfolded from it."""
        if not isinstance(value, Text):
            self.problems.add("P202", f'"{name}" takes one value', name.at)
        return str(value)

    def _names(self, column: str, value: object) -> str:
        unfold = self.pack.tables[column.partition(".")[0]].unfold
        assert unfold is not None
        if isinstance(value, Text):
            return str(value)
        assert isinstance(value, List)
        if len(value) > 1 and not unfold.separators:
            self.problems.add("P202", f'"{column}" takes one name: it has no separators', value.at)
        return (unfold.separators or ("",))[0].join(value)

    def _complete(self, made: TableDef, row: Map, cells: dict[str, str], number: int, year: int) -> None:
        """Number a row whose key nobody cares for, show it by its key, and date it within the year."""
        missing = [key for key in made.key if key not in row and made.fields[key].default is None]
        first = made.fields.get(made.key[0]) if made.key else None
        if missing and len(made.key) == 1 and first is not None and first.type.base in ("text", "integer"):
            if not first.type.values:
                cells[first.name] = str(number)
                missing = []
        for key in missing:
            what = f'the row does not give "{key}", which identifies it'
            self.problems.add("P201", what, row.at, f"add {key}:")
        kind = self.pack.kinds.get(made.name)
        shown = made.fields.get(kind.display) if kind is not None else None
        if shown is not None and shown.type == TEXT and shown.name not in row and not shown.is_derived:
            cells[shown.name] = _key_of(made, cells)
        dated = made.date.text.strip() if made.date is not None else ""
        if dated in made.fields and dated not in row and made.fields[dated].default is None:
            cells[dated] = self.pack.period.ends(year).isoformat()

    # --- expected ---

    def _expected(self, kind: KindDef, row: Map, known: set[str]) -> ExpectedRow | None:
        types = value_types(kind)
        cells = {str(k): str(v) for k, v in row.items() if k in kind.table.key}
        values: list[Wanted] = []
        for name, value in row.items():
            if name in kind.table.key:
                continue
            if name not in types:
                fix = _rename_to(name, types, {OF_MEASURE + known: known for known in kind.measures})
                self.problems.add("P401", f'{kind.name} has no "{name}"', name.at, fix)
            elif not isinstance(value, Text):
                self.problems.add("P202", f'"{name}" is one value', name.at)
            else:
                values.append(self._wanted(str(name), types[name], value))
        for key in kind.table.key:
            if key not in row:
                self.problems.add("P201", f"the row does not say which {kind.name}", row.at, f"add {key}:")
                return None
        key = _key_of(kind.table, cells)
        if key not in known:
            self.problems.add("P401", f'no {kind.name} "{key}" is given', row.at, rename_to(key, known))
        return ExpectedRow(kind.name, key, tuple(values), row.at)

    def _roster(self, name: Text, keys: list[Text], given: GivenYear) -> ExpectedRoster:
        rosters = {roster.name: kind for kind in self.pack.kinds.values() for roster in kind.rosters}
        kind = rosters.get(str(name))
        if kind is None:
            self.problems.add("P401", f'there is no roster "{name}"', name.at, rename_to(name, rosters))
        else:
            known = set(given.keys(kind))
            for key in keys:
                if key not in known:
                    self.problems.add("P401", f'no {kind.name} "{key}" is given', key.at, rename_to(key, known))
        return ExpectedRoster(str(name), tuple(map(str, keys)), name.at)

    def _wanted(self, name: str, kind: Type, text: Text) -> Wanted:
        if text.plain and text == UNKNOWN:
            return Wanted(name, kind, None, text.at)
        value: object = exact(literal(text))
        if kind.base in ("text", "ref"):
            value = str(text)
        elif kind.base == "date" and DATE.match(text):
            value = dt.date.fromisoformat(text)
        whole = Type("number") if kind.base == "integer" else kind  # that 2.5 is never reached is no mistake of type
        if kind.base != "ref" and not is_value_of(value, whole):
            fix = rename_to(text, [str(v) for v in kind.values])
            code = "P307" if kind.values else "P306"
            self.problems.add(code, f'"{name}" is {kind}, and this is not', text.at, fix)
        return Wanted(name, kind, value, text.at)


def value_types(kind: KindDef) -> dict[str, Type]:
    """Return every value of a subject that a case may expect, with its type."""
    types = {name: field.type for name, field in kind.table.fields.items()}
    types |= {name: made.type for name, made in kind.measures.items()}
    types |= {name: made.type for name, made in kind.verdicts.items()}
    types |= {"total" if line.parent is None else f"points.{line.id}": NUMBER for line in kind.lines}
    return types | {"is_assessed": BOOLEAN, "is_ranked": BOOLEAN, "reason": TEXT}


def measure_field(measure: MeasureDef) -> FieldDef:
    """Return the column in which the value of a measure is given."""
    name = OF_MEASURE + measure.name
    spellings = {str(value): str(value) for value in measure.type.values}
    return FieldDef(name, measure.type, True, measure.at, (name,), spellings, is_optional=True)


def total_field(at: Span) -> FieldDef:
    """Return the column in which the total is given."""
    return FieldDef(GIVEN_TOTAL, NUMBER, True, at, (GIVEN_TOTAL,), is_optional=True)


def _rename_to(name: str, known: Iterable[str], instead: Mapping[str, str] | None = None) -> str | None:
    """Return the advice to rename to a close name; of names with the same word before their dot, what is behind it.

    `instead` are names that are right elsewhere, with what is right here.
    """
    names = {one: one for one in known} | dict(instead or {})
    before, dot, last = name.rpartition(".")
    behind = {one.removeprefix(before + dot): one for one in names if dot and one.startswith(before + dot)}
    near = behind.get(closest(last, behind) or "") or closest(name, names.keys() - behind.values())
    return f'rename to "{names[near]}"' if near else None


def _key_of(made: TableDef, cells: dict[str, str]) -> str:
    return "/".join(cells.get(key, "") for key in made.key)
