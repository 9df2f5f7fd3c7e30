"""Verdicts that one of two packs has alone: what they come to, and for whom they are yes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sqlglot import exp

from evaluator.data.history import stored_as
from evaluator.pack.definitions import KindDef, Pack, VerdictDef
from evaluator.report.comparing.impact import Named, OneSided
from evaluator.report.comparing.values import plain
from evaluator.sql.backend import Database
from evaluator.sql.duck import DuckDatabase
from evaluator.sql.trees import cast, column, ordered, parquet
from evaluator.workbench.impact.quotas import values_of


def one_sided(folders: tuple[Path, Path], packs: tuple[Pack, Pack]) -> Iterator[OneSided]:
    """Give the verdicts with listed values that one of the packs has alone, and what they come to."""
    old, new = packs
    database = DuckDatabase()
    try:
        for folder, pack, other in ((folders[0], old, new), (folders[1], new, old)):
            for name, kind in pack.kinds.items():
                if name in other.kinds:
                    for verdict in kind.verdicts.values():
                        if verdict.name not in other.kinds[name].verdicts and values_of(verdict):
                            yield _one_sided(database, folder, kind, verdict, pack is new)
    finally:
        database.close()


def _one_sided(database: Database, folder: Path, kind: KindDef, verdict: VerdictDef, is_new: bool) -> OneSided:
    file = exp.alias_(parquet(folder / "subjects" / f"{kind.name}.parquet"), "s", table=True)
    columns = [column("key", "s"), *(cast(column(stored_as(n), "s"), "TEXT") for n in (kind.display, verdict.name))]
    query = exp.select(*columns).from_(file, copy=False).where(column("is_assessed", "s"), copy=False)
    rows = database.rows(query.order_by(ordered(column("sid", "s")), copy=False))
    counts = Counter(plain(value) for _, _, value in rows)
    yes = tuple(Named(key=key, name=name) for key, name, value in rows if value == "true")
    return OneSided(
        kind=kind.name, verdict=verdict.name, is_new=is_new,
        counts={value: counts[value] for value in values_of(verdict)},
        yes=yes if verdict.type.base == "boolean" else (),
    )  # fmt: skip
