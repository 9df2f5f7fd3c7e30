"""The run folder: what a run leaves, written whole or not at all, the same bytes for the same input.

manifest.json            what was run on what, counts, control totals, hashes of everything
pack/                    the pack as it was
inputs/                  the data files as they were, unless they are too large to be kept twice
subjects/<kind>.parquet  fields, measures, points, verdicts: a row a subject
score_lines/<kind>.parquet, verdicts/<kind>.parquet   the same, a row a line or verdict
recalls/<kind>.parquet   year by year, what the functions over years look back on
situations.parquet, firings.parquet                   what verdicts were concluded from
records/<table>.parquet  the typed records, sorted by subject
rosters/<kind>.<id>.parquet and .csv, rosters.xlsx
rejects.parquet, rejects.csv
appeals/, amendments.parquet, amendments.csv   the cases and what they changed, where there are any
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

from sqlglot import exp

from evaluator.data import history
from evaluator.data.appeals import Amended
from evaluator.data.chain import manifest_hash
from evaluator.data.context import REJECTS
from evaluator.data.hashes import digest, hash_of, hash_of_pack
from evaluator.data.history import MANIFEST, part_of, stored_as
from evaluator.data.keys import is_numbered_by_place
from evaluator.data.sources import hashes_of
from evaluator.diagnostics import Stop
from evaluator.engine.entries import JUDGED
from evaluator.engine.rank import as_decimal
from evaluator.engine.recall import recalled_table
from evaluator.engine.run import Assessment, control_text, stop_unless
from evaluator.engine.state import points_column
from evaluator.pack.definitions import KindDef, TableDef, is_dated, subject_of
from evaluator.pack.types import INTEGER, Type
from evaluator.report.reopen import results_of
from evaluator.report.roster import guarded, write_csv
from evaluator.report.words import say, table_name
from evaluator.report.workbook import write_workbook
from evaluator.sql.backend import Database
from evaluator.sql.trees import (
    SQL,
    both,
    call,
    cast,
    choose,
    column,
    either,
    is_null,
    left_join,
    named,
    number,
    ordered,
    table,
    text,
    union_all,
)

LARGEST_INPUTS = 64 * 1024 * 1024  # bytes of data files that are kept beside the results
LARGEST_WORKBOOK = 20_000  # rows of rosters; beyond it people read the CSV


def default_folder(pack: str, year: int) -> Path:
    """Return where a run's result goes when nothing is said."""
    return Path("results") / f"{pack}-{year}"


def check_target(out: Path) -> None:
    """Stop before the work is done if the result could not be written."""
    place = str(out.absolute())
    is_utf8 = place == place.encode(errors="replace").decode()
    stop_unless(is_utf8, "R109", f"the path {out} is not UTF-8", "name another --out")
    stop_unless(not out.exists() or (out / MANIFEST).is_file(), "R109", f"{out} exists and is not a run folder")
    parent = next(p for p in (out.absolute().parent, *out.absolute().parents) if p.exists())
    stop_unless(
        parent.is_dir() and os.access(parent, os.W_OK),
        "R109",
        f"{out} cannot be written",
        "name another --out",
    )


def write_run(assessment: Assessment, out: Path) -> None:
    """Write the run folder beside its place, then move it there; an equal one already there stays."""
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        _Writer(assessment, work).write()
        if out.exists():
            same = (out / MANIFEST).read_bytes() == (work / MANIFEST).read_bytes()
            stop_unless(same, "R109", f"{out} holds the result of another run")
            return
        work.chmod(0o755)
        work.rename(out)
    except OSError as wrong:
        raise Stop.of("R109", f"{out} cannot be written: {wrong.strerror}", fix="name another --out") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _Writer:
    def __init__(self, assessment: Assessment, folder: Path) -> None:
        self.assessment, self.folder = assessment, folder
        self.state, self.pack, self.db = assessment.state, assessment.pack, assessment.state.db
        self.hashes: dict[str, str] = {}  # of what is already hashed
        self.touched: dict[str, set[int]] = {}  # kind -> its parts that are not as the run before wrote them
        self.counts = assessment.loaded.rows

    def write(self) -> None:
        for name in ("pack", "subjects", "score_lines", "verdicts", "records", "recalls", "judged", "rosters"):
            (self.folder / name).mkdir()
        for name, content in self.pack.files.items():
            (self.folder / "pack" / name).write_bytes(content)
        for kind in self.pack.kinds.values():
            self._subjects(kind)
            self._score_lines(kind)
            self._verdicts(kind)
            self._recalls(kind)
            self._judged(kind)
        for made in self.pack.tables.values():
            if made.name not in self.pack.kinds:
                self._records(made)
        self._situations()
        self._rosters()
        self._rejects()
        self._inputs()
        self._appeals()
        (self.folder / MANIFEST).write_text(
            json.dumps(self._manifest(), ensure_ascii=False, indent=1, sort_keys=True) + "\n",
            encoding="utf-8",
        )

    # --- tables ---

    def _typed(self, name: str, kind: Type, alias: str) -> SQL:
        return as_decimal(column(name, alias)) if kind.base == "number" else column(name, alias)

    def _fields(self, made: TableDef, alias: str, query: exp.Select) -> exp.Select:
        """Add the fields of a table; of a ref the key it leads to, and the number of that row."""
        for place, field in enumerate(made.fields.values()):
            if field.type.base == "ref":
                target = f"t{place}"
                on = exp.EQ(this=column(field.name, alias), expression=column("#sid", target))
                query = left_join(query, exp.alias_(table(field.type.target), target, table=True), on)
                query = query.select(
                    named(column("#key", target), stored_as(field.name)),
                    named(column(field.name, alias), f"{field.name}#"),
                    copy=False,
                )
            else:
                value = self._typed(field.name, field.type, alias)
                query = query.select(named(value, stored_as(field.name)), copy=False)
        return query

    def _subjects(self, kind: KindDef) -> None:
        where = self.state.location(kind.name)
        place = [named(column("#sid", "s"), "sid"), named(column("#key", "s"), "key")]
        query = exp.select(*place).from_(exp.alias_(where, "s", table=True), copy=False)
        query = self._fields(kind.table, "s", query)
        columns: list[SQL] = [column("is_assessed", "s"), column("is_ranked", "s")]
        columns.append(named(column("#reason", "s"), "reason"))
        results = [*results_of(kind), *((f"situation.{family}", INTEGER) for family in self._families(kind))]
        columns += [named(self._typed(name, type_, "s"), stored_as(name)) for name, type_ in results]
        columns += [named(column("#src", "s"), "source"), named(column("#row", "s"), "row")]
        if kind.table.date is not None:
            columns.append(named(column("#date", "s"), "date"))
        query = query.select(*columns, copy=False).order_by(ordered(column("#sid", "s")), copy=False)
        file, before = self.folder / "subjects" / f"{kind.name}.parquet", self.assessment.loaded.before
        self._write(query, file, kind, column("#sid", "s"))
        if before is None or not file.is_dir():
            return
        names = [part.relative_to(self.folder).as_posix() for part in sorted(file.iterdir())]
        self.hashes |= {name: hash_of(self.folder / name) for name in names}
        self.touched[kind.name] = {
            part for part, name in enumerate(names) if self.hashes[name] != before.outputs.get(name)
        }

    def _families(self, kind: KindDef) -> list[str]:
        """Return the first verdict of each family of a kind."""
        names = [name.split(".", 1) for name in self.assessment.judgements]
        return [verdicts.split("+")[0] for owner, verdicts in names if owner == kind.name]

    def _unnested(self, kind: KindDef, columns: dict[str, list[SQL]], file: Path) -> None:
        """Write one row for each entry of these lists, subject after subject."""
        subjects = exp.select(exp.Star()).from_(exp.alias_(self.state.location(kind.name), "s", table=True), copy=False)
        subjects = subjects.order_by(ordered(column("#sid", "s")), copy=False)
        lists = [named(call("unnest", exp.Array(expressions=values)), name) for name, values in columns.items()]
        query = exp.select(named(column("#key", "s"), "key"), *lists).from_(
            subjects.subquery("s", copy=False), copy=False
        )
        self._write(query, file, kind, column("#sid", "s"), self.touched.get(kind.name))

    def _score_lines(self, kind: KindDef) -> None:
        if not kind.lines:
            return
        nothing = cast(exp.Null(), "BIGINT")
        columns: dict[str, list[SQL]] = {
            "line": [text(line.id) for line in kind.lines],
            "within": [text(line.parent or "") for line in kind.lines],
            "records": [column(f"n.{line.id}", "s") if line.sums_records else nothing.copy() for line in kind.lines],
            "before_bounds": [as_decimal(column(f"raw.{line.id}", "s")) for line in kind.lines],
            "points": [as_decimal(column(points_column(line.id), "s")) for line in kind.lines],
        }
        self._unnested(kind, columns, self.folder / "score_lines" / f"{kind.name}.parquet")

    def _verdicts(self, kind: KindDef) -> None:
        if not kind.verdicts:
            return
        values: list[SQL] = []
        rules: list[SQL] = []
        for verdict in kind.verdicts.values():
            values.append(cast(self._typed(verdict.name, verdict.type, "s"), "TEXT"))
            ruled = verdict.form in ("rules", "yes_no")
            rules.append(column(f"rule.{verdict.name}", "s") if ruled else cast(exp.Null(), "BIGINT"))
        columns: dict[str, list[SQL]] = {
            "verdict": [text(name) for name in kind.verdicts],
            "value": values,
            "rule": rules,
        }
        self._unnested(kind, columns, self.folder / "verdicts" / f"{kind.name}.parquet")

    def _recalls(self, kind: KindDef) -> None:
        """Write year by year what is looked back on: whether a condition held, or else what the value was."""
        parts = []
        for name, found in kind.recalls.items():
            made = exp.alias_(table(recalled_table(kind, name), "work"), "y", table=True)
            is_condition = found.operand.type.base == "boolean"
            value = cast(self._typed("value", found.operand.type, "y"), "TEXT")
            columns = [
                named(text(name), "recall"), named(column("#key", "y"), "key"), column("year", "y"),
                named(column("value", "y") if is_condition else cast(exp.Null(), "BOOLEAN"), "holds"),
                named(cast(exp.Null(), "TEXT") if is_condition else value, "value"),
                named(column("#src", "y"), "source"), named(column("#row", "y"), "row"),
            ]  # fmt: skip
            parts.append(exp.select(*columns).from_(made, copy=False))
        if parts:
            everything = exp.select(exp.Star()).from_(union_all(parts).subquery("x", copy=False), copy=False)
            everything = everything.order_by(*(ordered(column(name, "x")) for name in ("recall", "key", "year")))
            self.db.write(everything, self.folder / "recalls" / f"{kind.name}.parquet")

    def _judged(self, kind: KindDef) -> None:
        """Write the points people decided on and the rules had room for."""
        parts = []
        for line in kind.lines:
            if line.judged is not None:
                made = exp.alias_(self.state.judged[kind.name, line.id], "j", table=True)
                columns = [column(name, "j") for name in JUDGED]
                parts.append(exp.select(named(text(line.id), "line"), *columns).from_(made, copy=False))
        if parts:
            everything = exp.select(exp.Star()).from_(union_all(parts).subquery("x", copy=False), copy=False)
            everything = everything.order_by(*(ordered(column(name, "x")) for name in ("line", "sid")))
            self.db.write(everything, self.folder / "judged" / f"{kind.name}.parquet")

    def _records(self, made: TableDef) -> None:
        number_of = [] if is_numbered_by_place(self.pack, made) else [named(column("#sid", "r"), "sid")]
        query = exp.select(*number_of, named(column("#key", "r"), "key"))
        query = query.from_(exp.alias_(table(made.name), "r", table=True), copy=False)
        query = self._fields(made, "r", query)
        columns: list[SQL] = [named(column("#src", "r"), "source"), named(column("#row", "r"), "row")]
        if made.unfold is not None:
            label = () if made.unfold.label in made.fields else (made.unfold.label,)
            names = ("#source", *label, "#column", "position", "people")
            columns += [named(column(name, "r"), stored_as(name)) for name in names]
        if made.expected is not None:
            columns += [column("is_expected", "r"), column("is_filled", "r")]
        if is_dated(self.pack.tables, made.name):
            columns.append(named(column("#date", "r"), "date"))
        subject = subject_of(self.pack.kinds, made)
        keys = [ordered(column(name, "r")) for name in (subject, "#sid") if name is not None]
        query = query.select(*columns, copy=False).order_by(*keys, copy=False)
        file = self.folder / "records" / f"{made.name}.parquet"
        if subject is None:
            self.db.write(query, file)
            return
        kind = self.pack.kinds[made.refs[subject]]
        self._write(query, file, kind, column(subject, "r"), self._parts_touched(made, subject, kind))

    def _parts_touched(self, made: TableDef, subject: str, kind: KindDef) -> set[int] | None:
        """Return the parts of a table's records that are not as the run before wrote them; None where nobody knows."""
        before, places = self.assessment.loaded.before, self.assessment.loaded.taken_over.get(made.name)
        if before is None or places is None:
            return None
        last = self._parts(kind) - 1
        found = before.parts_touched(self.db, made, subject, places, history.PART)
        touched = {last if part < 0 else part for part in found}
        for part in touched:  # the others are checked as they are copied
            before.check(part_of(before.file(made.name), part))
        return touched

    def _parts(self, kind: KindDef) -> int:
        """Return how many files hold what is of subjects of a kind."""
        if self.db.writes_parts:
            return 1
        return max(1, -(-self.counts[kind.name] // history.PART))

    def _write(self, query: exp.Select, file: Path, kind: KindDef, of: SQL, touched: set[int] | None = None) -> None:
        """Write rows that are `of` subjects of a kind: to one file, or where they are many to several.

        A file has the rows of subjects whose numbers follow each other; the last also those of nobody. But for those
        `touched` they are as the run before wrote them; None where they may all be others.
        """
        parts, before = self._parts(kind), self.assessment.loaded.before
        if parts == 1:
            self.db.write(query, file)
            return
        file.mkdir()
        written: dict[Path, exp.Query] = {}
        for part in range(parts):
            target = part_of(file, part)
            if before is not None and touched is not None and part not in touched:
                name = target.relative_to(self.folder).as_posix()
                self.hashes[name] = before.check(before.folder / name)
                shutil.copyfile(before.folder / name, target)
                continue
            within: list[SQL] = [] if part == 0 else [exp.GT(this=of.copy(), expression=number(part * history.PART))]
            if part < parts - 1:
                within.append(exp.LTE(this=of.copy(), expression=number((part + 1) * history.PART)))
                rows = query.where(both(*within))
            else:
                rows = query.where(either(both(*within), is_null(of.copy())))
            written[target] = rows
        self.db.write_all(written)

    def _situations(self) -> None:
        """Write what each family's subjects have in common, and every rule that fired for it."""
        situations: dict[str, list[object]] = {n: [] for n in ("family", "situation", "subjects", "gates", "verdicts")}
        firings: dict[str, list[object]] = {
            n: [] for n in ("family", "situation", "verdict", "value", "rule", "support")
        }
        places: dict[str, int] = {}
        for situation in self.assessment.situations:
            family = self.assessment.families[situation.family]
            place = places.get(situation.family, 0)
            places[situation.family] = place + 1
            judgement = self.assessment.judgements[situation.family][place]
            concluded = {name: value.removeprefix("=") for name, value in sorted(judgement.concluded.items())}
            row = (situation.family, situation.number, situation.subjects, situation.gates, concluded)
            for name, value in zip(situations, row, strict=True):
                situations[name].append(_json(value) if isinstance(value, dict) else value)
            by_id = {rule.id: rule for rule in family.rules}
            for fired, support in judgement.fired:
                rule = by_id[fired]
                held = {**rule.gates, **{name: value.removeprefix("=") for name, value in support}}
                firing = (
                    situation.family,
                    situation.number,
                    rule.verdict,
                    rule.value.removeprefix("="),
                    rule.source,
                    _json(held),
                )
                for name, value in zip(firings, firing, strict=True):
                    firings[name].append(value)
        self._listed("situations.parquet", situations)
        self._listed("firings.parquet", firings)

    def _listed(self, name: str, columns: dict[str, list[object]]) -> None:
        numbers = ("situation", "subjects", "rule", "claim", "source", "row")
        made = table(name, "work")
        self.db.listed(made, {c: ("BIGINT" if c in numbers else "TEXT", values) for c, values in columns.items()})
        everything = exp.select(*(column(c, "x") for c in columns)).from_(exp.alias_(made, "x", table=True), copy=False)
        self.db.write(everything.order_by(*(ordered(column(c, "x")) for c in columns)), self.folder / name)

    # --- what people read ---

    def _rosters(self) -> None:
        for kind in self.pack.kinds.values():
            for roster in kind.rosters:
                made = self.assessment.rosters[roster.name]
                query = (
                    exp.select(exp.Star())
                    .from_(made, copy=False)
                    .order_by(ordered(exp.column(exp.to_identifier("#position", quoted=True))), copy=False)
                )
                self.db.write(query, self.folder / "rosters" / f"{roster.name}.parquet")
                write_csv(
                    self.db,
                    self.pack,
                    roster,
                    made,
                    self.folder / "rosters" / f"{roster.name}.csv",
                    self.assessment.loaded.rejects,
                )
        if sum(map(self.db.count, self.assessment.rosters.values())) <= LARGEST_WORKBOOK:
            write_workbook(
                self.db,
                self.pack,
                self.assessment.rosters,
                self.folder / "rosters.xlsx",
                self.assessment.loaded.rejects,
                self._amended(),
            )

    def _amended(self) -> list[list[str]]:
        """Return what appeals changed, as people read it."""
        files = [file for file, _ in self._sources()]
        rows = []
        for one in self.assessment.loaded.amended:
            made, place = say(self.pack, f"how {one.how}", table_name(self.pack, one.table), ""), files[one.source]
            rows.append([one.case, made.strip(), one.key, f"{place}:{one.row}", one.heading, one.before, one.after])
        return rows

    def _rejects(self) -> None:
        """Write the rejects with the names of their files."""
        files, sheets = ([one[part] for one in self._sources()] for part in (0, 1))

        def looked_up(names: list[str]) -> SQL:
            cases = [
                exp.If(this=exp.EQ(this=column("#src", "r"), expression=number(i)), true=text(n))
                for i, n in enumerate(names)
            ]
            return exp.Case(ifs=cases, default=text("")) if cases else text("")

        names = ("table", "column", "value", "reason")
        query = exp.select(
            named(looked_up(files), "file"), named(looked_up(sheets), "sheet"), named(column("#row", "r"), "row"),
            *(column(name, "r") for name in names),
        ).from_(exp.alias_(REJECTS, "r", table=True), copy=False)  # fmt: skip
        query = query.order_by(*(ordered(column(name, "r")) for name in ("#src", "#row", *names)))
        self.db.write(query, self.folder / "rejects.parquet")
        write_text_csv(self.db, query, self.folder / "rejects.csv")

    def _appeals(self) -> None:
        """Keep the cases, and write what they changed."""
        cases, amended = self.assessment.cases, self.assessment.loaded.amended
        if not cases:
            return
        (self.folder / "appeals").mkdir()
        for case in cases:
            shutil.copyfile(case.file, self.folder / "appeals" / case.kept_as)
        columns: dict[str, list[object]] = {f.name: [getattr(one, f.name) for one in amended] for f in fields(Amended)}
        self._listed("amendments.parquet", columns)
        made = exp.alias_(table("amendments.parquet", "work"), "x", table=True)
        files = {place: file for place, (file, _) in enumerate(self._sources())}
        source = choose(
            [(exp.EQ(this=column("source", "x"), expression=number(n)), text(file)) for n, file in files.items()]
        )
        names = ("case", "claim", "how", "table", "key", "row", "heading", "before", "after")
        query = exp.select(
            *(column(n, "x") for n in names[:5]), named(source, "file"), *(column(n, "x") for n in names[5:])
        )
        query = query.from_(made, copy=False).order_by(*(ordered(column(n, "x")) for n in names))
        write_text_csv(self.db, query, self.folder / "amendments.csv")

    def _sources(self) -> list[tuple[str, str]]:
        """Return file and sheet of each source, in the order of their numbers."""
        found = [(sheet.file, sheet.sheet) for sheet in self.assessment.loaded.sheets]
        return found + [(f"appeals/{case.kept_as}", "") for case in self.assessment.cases if case.claims]

    def _inputs(self) -> None:
        """Keep the data files, so that whoever has the run can repeat it."""
        files = {name: self.assessment.data / name for name in self._input_hashes()}
        if sum(path.stat().st_size for path in files.values()) > LARGEST_INPUTS:
            return
        for name, path in files.items():
            target = self.folder / "inputs" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)

    def _input_hashes(self) -> dict[str, str]:
        """Return the data files with their hashes, what is said of the folder included."""
        return hashes_of(self.assessment.data, self.assessment.loaded.sheets)

    # --- manifest ---

    def _manifest(self) -> dict[str, Any]:
        loaded, pack = self.assessment.loaded, self.pack
        written = {path.relative_to(self.folder).as_posix(): path for path in sorted(self.folder.rglob("*"))}
        outputs = {name: self.hashes.get(name) or hash_of(path) for name, path in written.items() if path.is_file()}
        files, standing = self._input_hashes(), self.assessment.standing
        sources = [{"file": file, "sheet": sheet} for file, sheet in self._sources()]
        cases = self.assessment.cases
        return {
            "pack": {
                "name": pack.name,
                "title": pack.title,
                "sha256": hash_of_pack(pack),
            },
            "language": pack.shown_in,
            "year": self.state.year,
            "period": [self.state.start.isoformat(), self.state.end.isoformat()],
            "data": {
                "sha256": digest(files),
                "files": files,
                "sources": sources,
                "covers": [day.isoformat() for day in self.assessment.covers],
            },
            "history": [{"year": past.year, "sha256": manifest_hash(past.folder)} for past in self.assessment.past],
            "stage": standing.stage,
            "published_on": standing.published_on and standing.published_on.isoformat(),
            "supersedes": standing.superseded,
            "appeals": {
                "files": {case.kept_as: case.sha256 for case in cases},
                "applied": [case.number for case in cases if case.claims],
                "open": [case.number for case in cases if case.is_open and not case.claims],
            },
            "accepts_rejects": self.assessment.accepts_rejects,
            "counts": {
                "subjects": {name: self.counts[name] for name in pack.kinds},
                "records": {name: self.counts[name] for name in pack.tables if name not in pack.kinds},
                "outside_the_year": loaded.outside,
                "filled_in": loaded.filled,
                "rejects": loaded.rejects,
                "unknown_conditions": self.state.unknown_conditions,
                "situations": {name: len(found) for name, found in self.assessment.judgements.items()},
            },
            "reconcile": [
                {
                    "figure": control_text(control.definition),
                    "computed": str(control.computed),
                    "published": str(control.published),
                    "at_least": control.definition.model.equals is None,
                    "is_met": control.is_met,
                    "differs": str(control.definition.model.differs or ""),
                    "clause": str(control.definition.model.clause or ""),
                }
                for control in self.assessment.controls
            ],
            "versions": self.db.versions(),
            "engine": self.db.name,
            "outputs": outputs,
        }


def write_text_csv(db: Database, query: exp.Query, file: Path) -> None:
    """Write a CSV that Excel opens: UTF-8 with a mark, and no cell that could become a formula."""
    safe = exp.select(*(named(guarded(cast(column(name, "x"), "TEXT")), name) for name in db.described(query))).from_(
        query.subquery("x", copy=False), copy=False
    )
    plain = file.with_suffix(".part.csv")
    db.write(safe, plain)
    with plain.open("rb") as rows, file.open("wb") as marked:
        marked.write(b"\xef\xbb\xbf")
        shutil.copyfileobj(rows, marked)
    plain.unlink()


def _json(value: dict[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
