"""What earlier runs concluded, read from their run folders."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from sqlglot import exp

from evaluator.diagnostics import Problems
from evaluator.pack.definitions import Pack
from evaluator.pack.types import Type
from evaluator.sql.backend import Database
from evaluator.sql.lower import sql_type
from evaluator.sql.ratio import UNIT
from evaluator.sql.trees import SQL, cast, choose, column, named, number, parquet, text

MANIFEST = "manifest.json"
PART = 131_072  # subjects of which one file holds what is written
OWN = ("sid", "key", "source", "row", "date", "reason")  # what a run folder's tables say besides a pack's own values
_INTEGERS = ("BIGINT", "INTEGER", "HUGEINT")


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run folder of an earlier year."""

    folder: Path
    year: int
    manifest: dict[str, Any]

    @property
    def period(self) -> tuple[dt.date, dt.date]:
        """The first and last day that counted."""
        first, last = (dt.date.fromisoformat(day) for day in self.manifest["period"])
        return first, last

    def subjects(self, kind: str) -> Path:
        """Return the file of a kind's results."""
        return self.folder / "subjects" / f"{kind}.parquet"


def file_of(folder: Path, pack: Pack, name: str) -> Path:
    """Return where a run folder has the results of a kind, or the records of a table."""
    return folder / ("subjects" if name in pack.kinds else "records") / f"{name}.parquet"


def part_of(file: Path, number: int) -> Path:
    """Return one of the files of a table that has several, of `PART` subjects each."""
    return file / f"part-{number:05}.parquet"


def read_manifest(folder: Path, problems: Problems) -> dict[str, Any] | None:
    """Return the manifest of a run folder, or note that it is none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if not isinstance(manifest["year"], int) or not isinstance(manifest["pack"]["name"], str):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError):
        problems.add("D301", f"{folder} is not a folder that a run wrote")
        return None
    return dict(manifest)


def read_history(folders: list[Path], pack: Pack, year: int, problems: Problems) -> list[PastRun]:
    """Return the earlier runs in these folders by year, or note what is wrong with them."""
    runs: dict[int, PastRun] = {}
    for folder in folders:
        manifest = read_manifest(folder, problems)
        if manifest is None:
            continue
        past = PastRun(folder, manifest["year"], manifest)
        writer = manifest["pack"]["name"]
        if writer not in (pack.name, *pack.follows):
            message = f"{folder} was written with the pack {writer}, which {pack.name} does not follow"
            problems.add("D301", message, fix=f"leave this folder out, or add follows: [{writer}] to pack.yaml")
        elif past.year >= year:
            problems.add("D302", f"{folder} holds {past.year}, which is not before {year}")
        elif past.year in runs:
            problems.add("D303", f"{folder} and {runs[past.year].folder} both hold {past.year}")
        else:
            runs[past.year] = past
    return [runs[y] for y in sorted(runs)]


def stored_as(name: str) -> str:
    """Return the column a run folder keeps a value of a pack in, which may be called as one of the folder's own."""
    return f"{name}.value" if name in OWN else name


def kept_in(name: str, kind: Type, alias: str) -> SQL:
    """Return a value of a run folder of this pack as the engine computes with it: of a decimal, its millionths."""
    kept = column(stored_as(name), alias)
    if kind.base != "number":
        return kept
    return _millionths(kept)


def _millionths(value: SQL) -> SQL:
    return cast(exp.Mul(this=cast(value, "DECIMAL(38,6)"), expression=number(UNIT)), "BIGINT")


def past_rows(db: Database, past: PastRun, kind: str, wanted: dict[str, Type]) -> exp.Select | None:
    """Return a query of a kind's assessed subjects in an earlier year: `#key` and the values wanted, as stored.

    A value that the earlier run did not have, or had of another type, is unknown; None where the run did not have the
    kind.
    """
    file = past.subjects(kind)
    if not file.exists():
        return None
    source = parquet(file)
    stored = db.described(exp.select(exp.Star()).from_(source.copy(), copy=False))
    nowhere = [named(cast(exp.Null(), "BIGINT"), name) for name in ("#src", "#row")]
    columns: list[SQL] = [named(column("key", "p"), "#key"), *nowhere]
    for name, type_ in wanted.items():
        kept = stored_as(name)
        found = _as_computed(column(kept, "p"), stored.get(kept, ""), type_)
        value = among(found, type_) if found is not None else cast(exp.Null(), sql_type(type_))
        columns.append(named(value, name))
    query = exp.select(*columns).from_(exp.alias_(source, "p", table=True), copy=False)
    return query.where(column("is_assessed", "p"))


def among(value: SQL, kind: Type) -> SQL:
    """Return a value that is one of its type's, else unknown."""
    if not kind.values:
        return value
    unit = UNIT if kind.base == "number" else 1
    listed = [number(int(v * unit)) if isinstance(v, Fraction) else text(str(v)) for v in kind.values]
    return choose([(exp.In(this=value.copy(), expressions=listed), value)])


def _as_computed(value: SQL, stored: str, kind: Type) -> SQL | None:
    """Return a value of a run folder in the form the engine computes with; None where it is of another type."""
    is_decimal, is_whole = stored.startswith("DECIMAL"), stored in _INTEGERS
    if kind.base == "number" and (is_decimal or is_whole):
        return _millionths(value)
    if kind.base == "integer" and is_whole:
        return cast(value, "BIGINT")
    if kind.base == "integer" and is_decimal:
        whole = cast(value.copy(), "BIGINT")
        return choose([(exp.EQ(this=whole, expression=value), whole.copy())])
    same = {"text": "VARCHAR", "boolean": "BOOLEAN", "date": "DATE"}.get(kind.base)
    return value if same == stored else None
