"""What a case gives, as a run reads it: rows become sheets, and measures given stand in place of those counted."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from evaluator.data.sources import SETTINGS_FILE
from evaluator.pack.check import read_pack
from evaluator.pack.check_case import (
    GIVEN_TOTAL,
    OF_MEASURE,
    TOTAL,
    GivenYear,
    columns_of,
    measure_field,
    total_field,
)
from evaluator.pack.definitions import FieldDef, Formula, KindDef, MeasureDef, Pack, TableDef, VetoDef
from evaluator.pack.model_judgement import Veto
from evaluator.pack.nodes import Branch, Case, Junction, Name, Not
from evaluator.pack.source import Text
from evaluator.pack.types import BOOLEAN

FIRST_DAY = dt.date(1900, 1, 1)


def load_for_cases(folder: Path) -> Pack:
    """Return a pack as its cases run it; raise Stop with everything wrong with it as it is."""
    written = read_pack(folder)
    written.checked()
    return as_given(written.checked(for_cases=True))


def as_given(pack: Pack) -> Pack:
    """Return the pack as it reads what cases give: a file a table, a column a field; no published totals to reach."""
    tables = {name: _as_written(made) for name, made in pack.tables.items()}
    kinds = {name: replace(kind, table=tables[name]) for name, kind in pack.kinds.items()}
    return replace(pack, tables=tables, kinds=kinds, controls=())


def _as_written(made: TableDef) -> TableDef:
    fields = {name: replace(field, headings=(name,)) for name, field in made.fields.items()}
    unfold = made.unfold
    if unfold is not None:
        unfold = replace(unfold, columns={label: (f"{made.name}.{label}",) for label in unfold.columns})
    return replace(made, files=(made.name,), fields=fields, unfold=unfold)


def with_measures(pack: Pack, years: Iterable[GivenYear]) -> Pack:
    """Return the pack in which measures and totals that a case gives are as given, for the subjects it gives them for.

    Everything that reads such a value reads what is given; lines that read records go on reading these.
    """
    given = list(years)
    kinds = {}
    for kind in pack.kinds.values():
        measures = {made.name: made for year in given for made in year.measures(kind)}
        made = _with_measures(kind, measures.values()) if measures else kind
        kinds[kind.name] = _with_total(made) if any(year.gives_total(kind) for year in given) else made
    return replace(pack, kinds=kinds, tables={**pack.tables, **{kind.name: kind.table for kind in kinds.values()}})


def _with_measures(kind: KindDef, given: Iterable[MeasureDef]) -> KindDef:
    fields, measures = dict(kind.table.fields), dict(kind.measures)
    for made in given:
        value = measure_field(made)
        flag = FieldDef(_flag(value.name), BOOLEAN, False, made.at, (_flag(value.name),), default=False)
        fields |= {value.name: value, flag.name: flag}
        counted = replace(made, name=f"counted {made.name}")
        place, nothing = (0, 0), ()
        when = Name(BOOLEAN, False, place, nothing, kind.name, flag.name)
        then = Name(made.type, True, place, nothing, kind.name, value.name)
        otherwise = Name(made.type, made.nullable, place, nothing, kind.name, counted.name)
        chosen = Case(made.type, True, place, (Branch(made.type, True, place, when, then),), otherwise)
        text = made.value.text if made.value is not None else made.name
        measures[counted.name] = counted
        measures[made.name] = MeasureDef(made.name, made.type, True, made.at, Formula(chosen, text, made.at))
    return replace(kind, table=replace(kind.table, fields=fields), measures=measures)


def _with_total(kind: KindDef) -> KindDef:
    """Return a kind whose total is set to what is given, whatever it came to and whatever else would set it."""
    assert kind.score is not None
    at = kind.score.at
    value = total_field(at)
    flag = FieldDef(_flag(value.name), BOOLEAN, False, at, (_flag(value.name),), default=False)
    is_given = Name(BOOLEAN, False, (0, 0), (), kind.name, flag.name)
    others = []
    for veto in kind.score.veto:
        is_not = Not(BOOLEAN, False, (0, 0), is_given)
        node = Junction(BOOLEAN, veto.when.node.nullable, (0, 0), "and", (is_not, veto.when.node))
        others.append(replace(veto, when=replace(veto.when, node=node)))
    when = Formula(is_given, TOTAL, at)
    to = Formula(Name(value.type, False, (0, 0), (), kind.name, value.name), TOTAL, at)
    last = VetoDef(when, to, Veto.model_construct(when=Text(TOTAL, at), to=Text(TOTAL, at)))
    fields = {**kind.table.fields, value.name: value, flag.name: flag}
    score = replace(kind.score, veto=(*others, last))
    return replace(kind, table=replace(kind.table, fields=fields), score=score)


def _flag(column: str) -> str:
    """Return the column that says whether a measure is given, as it may be given as unknown."""
    return f"is {column}"


def _stands_for_computed(name: str) -> bool:
    return name == GIVEN_TOTAL or name.startswith(OF_MEASURE)


def write_year(pack: Pack, given: GivenYear, temporary: str) -> Path:
    """Write the rows of a year as sheets; return their folder."""
    folder = Path(temporary, str(given.year))
    folder.mkdir()
    for name, rows in given.rows.items():
        known = columns_of(pack, pack.tables[name])
        cells = [row.cells | {_flag(name): "true" for name in row.cells if _stands_for_computed(name)} for row in rows]
        columns = list(dict.fromkeys([*known, *(column for row in cells for column in row)]))
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
            writer.writerow(columns)
            writer.writerows([row.get(column, "") for column in columns] for row in cells)
    covers = f"{{from: {FIRST_DAY}, to: {pack.period.ends(given.year)}}}"  # what is not given did not happen
    (folder / SETTINGS_FILE).write_text(f"covers: {covers}\n", encoding="utf-8")
    return folder
