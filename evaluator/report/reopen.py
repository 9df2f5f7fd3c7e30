"""A run folder opened again: its pack, and its tables under the names the engine knows them by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from sqlglot import exp

from evaluator.data import history
from evaluator.data.history import file_of, kept_in, part_of, read_manifest, stored_as
from evaluator.data.keys import is_numbered_by_place
from evaluator.diagnostics import Problems
from evaluator.engine.entries import JUDGED, entered_columns
from evaluator.engine.score import line_columns
from evaluator.engine.state import State
from evaluator.pack.check import load_pack
from evaluator.pack.definitions import KindDef, LineDef, Pack, TableDef, is_dated
from evaluator.pack.in_force import as_in_force
from evaluator.pack.types import INTEGER, NUMBER, Type
from evaluator.sql.backend import Database
from evaluator.sql.duck import DuckDatabase
from evaluator.sql.rows import PLACE, packed
from evaluator.sql.trees import SQL, column, named, parquet, table, text


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run folder opened for reading."""

    folder: Path
    pack: Pack
    manifest: dict[str, Any]
    state: State

    def roster_table(self, name: str) -> SQL:
        """Return the rows of a roster."""
        return parquet(self.folder / "rosters" / f"{name}.parquet")

    def near(self, name: str, sid: int) -> exp.Select:
        """Return rows of a kind, or of records that count for it, among them all that are of one subject.

        A table in several files need not be looked through as a whole, unless Spark has cut it as it liked.
        """
        made = self.pack.tables[name]
        file = file_of(self.folder, self.pack, name)
        part, is_cut = part_of(file, (sid - 1) // history.PART), self.manifest.get("engine") == DuckDatabase.name
        return _as_computed(self.pack, made, self.pack.kinds.get(name), part if is_cut and part.is_file() else file)

    @property
    def rejects(self) -> int:
        """How many rejected rows the run left out."""
        return int(self.manifest["counts"]["rejects"])


@contextmanager
def reopen(folder: Path, language: str | None = None) -> Iterator[PastRun]:
    """Open a run folder, shown in the language it was written in or in another; raise Stop where it is none."""
    problems = Problems()
    manifest = read_manifest(folder, problems)
    problems.stop_on_errors()
    assert manifest is not None
    pack = load_pack(folder / "pack")
    pack = replace(pack, shown_in=language or manifest.get("language", pack.language))
    database = DuckDatabase()
    try:
        start, end = (date.fromisoformat(day) for day in manifest["period"])
        pack = as_in_force(pack, end)
        state = State(database, pack, manifest["year"], start, end)
        database.places = [(source["file"], source["sheet"]) for source in manifest["data"]["sources"]]
        for made in pack.tables.values():
            kind = pack.kinds.get(made.name)
            query = _as_computed(pack, made, kind, file_of(folder, pack, made.name))
            view = exp.Create(this=table(made.name), kind="VIEW", expression=query)
            database.run(view)
        for kind in pack.kinds.values():
            for line in kind.lines:
                if line.judged is not None:
                    state.judged[kind.name, line.id] = _judged(database, kind, line, folder)
        yield PastRun(folder, pack, manifest, state)
    finally:
        database.close()


def _judged(database: Database, kind: KindDef, line: LineDef, folder: Path) -> exp.Table:
    """Return the points people decided on for a line."""
    file = exp.alias_(parquet(folder / "judged" / f"{kind.name}.parquet"), "j", table=True)
    query = exp.select(*(column(name, "j") for name in JUDGED)).from_(file, copy=False)
    made = table(f"{kind.name}#judged points.{line.id}", "work")
    database.create(made, query.where(exp.EQ(this=column("line", "j"), expression=text(line.id))))
    return made


def _as_computed(pack: Pack, made: TableDef, kind: KindDef | None, file: Path) -> exp.Select:
    """Return a table of the run folder in the form the engine computes with."""
    place = column("source", "f"), column("row", "f")
    sid = packed(*place) if is_numbered_by_place(pack, made) else column("sid", "f")
    columns: list[SQL] = [named(sid, "#sid"), named(column("key", "f"), "#key")]
    columns += [named(part.copy(), name) for part, name in zip(place, PLACE, strict=True)]
    for field in made.fields.values():
        if field.type.base == "ref":
            columns.append(named(column(f"{field.name}#", "f"), field.name))
        else:
            columns.append(named(kept_in(field.name, field.type, "f"), field.name))
    if is_dated(pack.tables, made.name):
        columns.append(named(column("date", "f"), "#date"))
    if made.unfold is not None:
        label = () if made.unfold.label in made.fields else (made.unfold.label,)
        names = ("#source", *label, "#column", "position", "people")
        columns += [named(column(stored_as(name), "f"), name) for name in names]
    if made.expected is not None:
        columns += [column("is_expected", "f"), column("is_filled", "f")]
    if kind is not None:
        columns += [
            column("is_assessed", "f"),
            column("is_ranked", "f"),
            named(column("reason", "f"), "#reason"),
        ]
        columns += [named(kept_in(name, type_, "f"), name) for name, type_ in results_of(kind)]
    return exp.select(*columns).from_(exp.alias_(parquet(file), "f", table=True), copy=False)


def results_of(kind: KindDef) -> list[tuple[str, Type]]:
    """Return the columns a run adds to a kind, with their types."""
    columns = [(measure.name, measure.type) for measure in kind.measures.values()]
    columns += [(name, found.type) for name, found in kind.recalls.items()]
    for line in kind.lines:
        if line.sums_records:
            columns.append((f"n.{line.id}", INTEGER))
        columns += [(name, INTEGER if name.startswith("veto.") else NUMBER) for name in line_columns(line)]
    for verdict in kind.verdicts.values():
        columns.append((verdict.name, verdict.type))
        if verdict.form == "quota":
            columns += [(f"place.{verdict.name}", INTEGER), (f"take.{verdict.name}", INTEGER)]
        elif verdict.form in ("rules", "yes_no"):
            columns.append((f"rule.{verdict.name}", INTEGER))
    return columns + entered_columns(kind)
