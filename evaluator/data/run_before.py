"""The run that this one takes the place of, as far as its records are taken over instead of being read once more.

Of the same files, by the same rules and programs, a record becomes what it was, unless a case touches it then or now.
What is taken over is checked by the hashes of that run; `evaluator verify` takes nothing over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlglot import exp

from evaluator.data.appeals import Place
from evaluator.data.hashes import hash_of, hash_of_pack
from evaluator.data.history import file_of, kept_in, read_manifest
from evaluator.diagnostics import Cell, Problems, Stop
from evaluator.pack.definitions import Pack, TableDef
from evaluator.sql.backend import Database
from evaluator.sql.rows import at_places
from evaluator.sql.trees import SQL, column, either, named, number, parquet, table

AMENDMENTS = "amendments.parquet"
_PLACE = ("source", "row")  # as a run folder calls them


@dataclass(frozen=True, slots=True)
class RunBefore:
    """A run of the same files by the same rules and programs: its folder, the hashes of its files, its data files.

    `sources` are how many sources its sheets are; those after them are its cases. `touched` are the rows of each table
    that its cases changed.
    """

    folder: Path
    pack: Pack
    outputs: Mapping[str, str]
    sources: int
    touched: Mapping[str, frozenset[Place]]

    def file(self, name: str) -> Path:
        """Return where the rows of a table or kind are."""
        return file_of(self.folder, self.pack, name)

    def has_parts(self, file: Path) -> bool:
        """Whether a table is there in several files, all of which the manifest names."""
        names = {f"{file.relative_to(self.folder).as_posix()}/{part.name}" for part in file.glob("*")}
        within = file.relative_to(self.folder).as_posix() + "/"
        return bool(names) and names == {name for name in self.outputs if name.startswith(within)}

    def check(self, file: Path) -> str:
        """Return the hash of a file of that run; raise Stop where it is not as the run wrote it."""
        found = hash_of(file) if file.is_file() else None
        if found is None or found != self.outputs.get(file.relative_to(self.folder).as_posix()):
            fix = "run again with --afresh, which takes nothing over from that run; see what else was changed with "
            fix += f"evaluator verify {self.folder}"
            raise Stop.of("R225", "is not as its run wrote it", Cell(file.as_posix()), fix)
        return found

    def rows(self, made: TableDef) -> exp.Select:
        """Return the typed rows of a table that no case touched, as they would be read: place and fields."""
        columns = [named(column("source", "f"), "#src"), named(column("row", "f"), "#row")]
        for f in made.fields.values():
            value: SQL = column(f"{f.name}#", "f") if f.type.base == "ref" else kept_in(f.name, f.type, "f")
            columns.append(named(value, f.name))
        query = exp.select(*columns).from_(self._read(made.name), copy=False)
        touched = self._has_case("f", self.touched.get(made.name, frozenset()), *_PLACE)
        return query.where(exp.Not(this=exp.paren(touched, copy=False)), copy=False)

    def has_same_targets(self, db: Database, made: TableDef) -> bool:
        """Whether the rows that a table's refs lead to bear the names and numbers they had."""
        by: dict[str, set[str]] = {}
        for f in made.fields.values():
            if f.type.base == "ref":
                by.setdefault(f.type.target, set()).update(f.by)
        return all(self._has_same(db, name, sorted(names)) for name, names in by.items())

    def parts_touched(
        self, db: Database, made: TableDef, subject: str, places: Collection[Place], size: int
    ) -> set[int]:
        """Return the parts of a table, of `size` subjects each, in which a row was or is that a case touches.

        Rows of nobody are in part -1. `places` are the rows touched now.
        """
        now = exp.select(column(subject, "r")).from_(exp.alias_(table(made.name), "r", table=True), copy=False)
        now = now.where(self._has_case("r", places, "#src", "#row"), copy=False)
        then = exp.select(column(f"{subject}#", "f")).from_(self._read(made.name), copy=False)
        then = then.where(self._has_case("f", places, *_PLACE), copy=False)
        return {-1 if sid is None else (int(sid) - 1) // size for (sid,) in db.rows(now) + db.rows(then)}

    def _read(self, name: str) -> SQL:
        return exp.alias_(parquet(self.file(name)), "f", table=True)

    def _has_case(self, alias: str, places: Collection[Place], source: str, row: str) -> SQL:
        """Whether a row is at one of some places, or was added by a case."""
        is_added = exp.GTE(this=column(source, alias), expression=number(self.sources))
        return either(at_places(alias, places, source, row), is_added)

    def _has_same(self, db: Database, name: str, by: list[str]) -> bool:
        fields = self.pack.tables[name].fields
        file = self.file(name)
        if any(one not in fields or fields[one].type.base == "ref" for one in by) or not file.exists():
            return False
        then = exp.select(named(column("sid", "f"), "#sid"), named(column("key", "f"), "#key"))
        then = then.select(*(named(kept_in(one, fields[one].type, "f"), one) for one in by))
        then = then.from_(exp.alias_(parquet(file), "f", table=True), copy=False)
        differ = either(
            *(exp.NullSafeNEQ(this=column(one, "n"), expression=column(one, "t")) for one in ("#sid", "#key", *by))
        )
        query = exp.select(number(1)).from_(exp.alias_(table(name), "n", table=True), copy=False)
        on = exp.EQ(this=column("#sid", "n"), expression=column("#sid", "t"))
        query = query.join(then.subquery("t", copy=False), on=on, join_type="full", copy=False)
        if db.rows(query.where(differ, copy=False).limit(1)):
            return False
        self._check_all(file)
        return True

    def _check_all(self, file: Path) -> None:
        for part in sorted(file.glob("*")) if file.is_dir() else [file]:
            self.check(part)


def run_before(
    folder: Path | None, pack: Pack, db: Database, sheets: int, known: Mapping[str, Any]
) -> RunBefore | None:
    """Return the run in a folder where its records are what this run would read; `known` is what its manifest must say.

    Besides, pack, engine and versions must be the same, and no row rejected.
    """
    manifest = None if folder is None else read_manifest(folder, Problems())
    if folder is None or manifest is None or db.writes_parts:
        return None
    try:
        said = {
            "pack": manifest["pack"]["sha256"],
            "files": manifest["data"]["files"],
            "covers": manifest["data"]["covers"],
            "rejects": manifest["counts"]["rejects"],
            **{name: manifest[name] for name in ("year", "period", "versions", "engine")},
        }
        wanted = {"pack": hash_of_pack(pack), "rejects": 0, "versions": db.versions(), "engine": db.name, **known}
        if said != wanted:
            return None
        outputs = dict(manifest["outputs"])
    except (KeyError, TypeError, ValueError):
        return None  # of other versions, or changed by somebody
    before = RunBefore(folder, pack, outputs, sheets, {})
    if AMENDMENTS not in outputs:
        return before
    before.check(folder / AMENDMENTS)
    names = [column(name, "a") for name in ("table", "source", "row")]
    query = exp.select(*names).distinct().from_(exp.alias_(parquet(folder / AMENDMENTS), "a", table=True), copy=False)
    touched: dict[str, set[Place]] = {}
    for name, source, row in db.rows(query):
        touched.setdefault(name, set()).add((source, row))
    return RunBefore(folder, pack, outputs, sheets, {name: frozenset(places) for name, places in touched.items()})
