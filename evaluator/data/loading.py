"""Raw tables in whatever database computes: Spark reads Parquet itself, all else is read on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from sqlglot import exp

from evaluator.data import sources
from evaluator.data.raw_tables import unload as unload_here
from evaluator.data.sheets import Sheet
from evaluator.sql.backend import Database
from evaluator.sql.duck import DuckDatabase
from evaluator.sql.spark import SparkDatabase

# of these types Spark and DuckDB write the same text; of floating point they do not
_PLAIN = ("text", "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "DATE", "BOOLEAN")


def load(db: Database, sheet: Sheet, table: str, columns: Sequence[str], is_known: bool = False) -> None:
    """Make `table` (or a view) of the sheet: "#row" and the columns asked for, by heading.

    `is_known` says that a run has read these bytes before and found them whole.
    Raises Stop with everything that is wrong with the sheet's rows.
    """
    if isinstance(db, DuckDatabase):
        sources.load(db.connection, sheet, table, columns, is_known)
        return
    assert isinstance(db, SparkDatabase)
    places = {column: sheet.headings.index(column) for column in columns}
    if (
        sheet.form == "parquet"
        and not set("*?[{") & set(str(sheet.path))
        and all(_is_plain(sheet.kinds[place]) for place in places.values())
    ):
        db.read(sheet.path, table, {column: sheet.places[place] for column, place in places.items()})
        return
    with closing(DuckDatabase()) as here:
        sources.load(here.connection, sheet, table, columns)
        made = exp.table_(exp.to_identifier(table, quoted=True))
        db.receive(here, exp.select(exp.Star()).from_(made, copy=False), table)


def unload(db: Database, table: str) -> None:
    """Drop what `load` made under this name, if anything."""
    if isinstance(db, DuckDatabase):
        if not db.is_small:
            unload_here(db.connection, table)
    else:
        db.drop(exp.table_(exp.to_identifier(table, quoted=True)))


def _is_plain(kind: str) -> bool:
    return kind in _PLAIN or kind.startswith("DECIMAL")
