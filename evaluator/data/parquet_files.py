"""Parquet files: typed columns, read where they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb

from evaluator.data.raw_tables import no_glob, quoted, refused, selected
from evaluator.data.sheets import Column, Fault, Faults, Found, Sheet, clean

_DAMAGED = "is not Parquet, or is damaged"


def find_parquet(path: Path, _: Faults) -> Iterator[Found]:
    """Find the columns of a Parquet file, with their types."""
    with refused(_DAMAGED), duckdb.connect() as con:
        source = [no_glob(path)]
        found = con.execute("describe from read_parquet(?, hive_partitioning = false)", source).fetchall()
        raw = {row[0] for row in con.execute("select name from parquet_schema(?)", source).fetchall()}
    columns = []
    for name, kind, *_rest in found:
        if name.lower() == "file_row_number":
            raise Fault(f'a column is named "{name}"', column=name, fix="rename the column")
        # of two columns of one name DuckDB renames the second
        heading = name if name in raw else name.rpartition("_")[0]
        columns.append(Column(clean(heading), name, kind="text" if kind == "VARCHAR" else kind))
    yield "", columns, None


def rows_of(sheet: Sheet) -> int:
    """Return how many rows a Parquet file says it has; nothing where it cannot be asked."""
    with suppress(duckdb.Error), duckdb.connect() as con:
        source = [no_glob(sheet.path)]
        found = con.execute("select sum(num_rows)::bigint from parquet_file_metadata(?)", source).fetchall()
        return int(found[0][0] or 0)
    return 0


def view_parquet(
    con: duckdb.DuckDBPyConnection, sheet: Sheet, table: str, asked: dict[str, int], is_known: bool
) -> None:
    """Make a view of the columns asked for; a file that is not known is read to its end."""
    named = selected({column: quoted(sheet.places[i]) for column, i in asked.items()})
    path = "'" + no_glob(sheet.path).replace("'", "''") + "'"  # a view takes no parameters
    source = f"read_parquet({path}, file_row_number = true, hive_partitioning = false)"
    with refused(_DAMAGED):
        con.execute(f'create view {quoted(table)} as select file_row_number + 1 as "#row"{named} from {source}')
        if not is_known:
            # a damaged page shows only when it is read, and later nobody would know whose fault it is
            con.execute(f"select bit_xor(hash(columns(*))) from {quoted(table)}")
