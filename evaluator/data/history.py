"""What earlier runs concluded, read from their run folders."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlglot import exp

from evaluator.diagnostics import Problems
from evaluator.pack.types import Type
from evaluator.sql.backend import Database
from evaluator.sql.ratio import UNIT
from evaluator.sql.trees import SQL, cast, column, named, number, parquet, type_named

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run folder of an earlier year."""

    folder: Path
    year: int
    manifest: dict[str, Any]

    def subjects(self, kind: str) -> Path:
        """Return the file of a kind's results."""
        return self.folder / "subjects" / f"{kind}.parquet"


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


def read_history(folders: list[Path], pack: str, year: int, problems: Problems) -> list[PastRun]:
    """Return the earlier runs in these folders by year, or note what is wrong with them."""
    runs: dict[int, PastRun] = {}
    for folder in folders:
        manifest = read_manifest(folder, problems)
        if manifest is None:
            continue
        past = PastRun(folder, manifest["year"], manifest)
        if manifest["pack"]["name"] != pack:
            problems.add("D301", f"{folder} was written with the pack {manifest['pack']['name']}, not {pack}")
        elif past.year >= year:
            problems.add("D302", f"{folder} holds {past.year}, which is not before {year}")
        elif past.year in runs:
            problems.add("D303", f"{folder} and {runs[past.year].folder} both hold {past.year}")
        else:
            runs[past.year] = past
    return [runs[y] for y in sorted(runs)]


def past_rows(db: Database, past: PastRun, kind: str, wanted: dict[str, Type]) -> exp.Select | None:
    """Return a query of a kind's assessed subjects in an earlier year: `#key` and the values wanted, as stored.

    A value the earlier run did not have is unknown; None where the run did not have the kind.
    """
    file = past.subjects(kind)
    if not file.exists():
        return None
    source = parquet(file)
    known = {row[0] for row in db.rows(exp.Describe(this=exp.select(exp.Star()).from_(source.copy())))}
    columns: list[SQL] = [named(column("key", "p"), "#key")]
    for name, type_ in wanted.items():
        if name not in known:
            value: SQL = cast(exp.Null(), _storage(type_))
        elif type_.base == "number":
            wider = cast(column(name, "p"), "DECIMAL(38,6)")
            value = cast(exp.Mul(this=wider, expression=number(UNIT)), "BIGINT")
        else:
            value = exp.TryCast(this=column(name, "p"), to=type_named(_storage(type_)))
        columns.append(named(value, name))
    query = exp.select(*columns).from_(exp.alias_(source, "p", table=True))
    return query.where(column("is_assessed", "p"))


def _storage(kind: Type) -> str:
    return {"text": "TEXT", "boolean": "BOOLEAN", "date": "DATE"}.get(kind.base, "BIGINT")
