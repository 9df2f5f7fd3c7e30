"""Readers: the files of a data folder become raw tables of text in which every row keeps its place.

CSV (UTF-8, GB18030, UTF-16), workbooks (.xlsx), JSON lines and Parquet. Text stays as written, an empty
cell is null, rows with nothing in any cell are left out; typing is the next stage's work. "#row" is the row a
clerk sees: the row of the worksheet, the line of a text file on which the record begins, the record of a
Parquet file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from evaluator.data import csv_files
from evaluator.data.hashes import hash_of
from evaluator.data.json_lines import find_objects, object_rows
from evaluator.data.parquet_files import find_parquet, view_parquet
from evaluator.data.raw_tables import load_rows, unload
from evaluator.data.sheets import Column, Faults, Form, Found, Row, Sheet, clean
from evaluator.data.workbooks import find_workbook, workbook_rows
from evaluator.diagnostics import Cell, Problems

__all__ = ["Sheet", "bytes_below", "find_sheets", "hashes_of", "load", "unload"]

_QUIET = (".md", ".yaml", ".yml")
SETTINGS_FILE = "data.yaml"  # of the folder itself
_FORMS: dict[str, Form] = {
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    **dict.fromkeys((".jsonl", ".ndjson"), "json"),
    **dict.fromkeys((".xlsx", ".xlsm"), "workbook"),
    ".parquet": "parquet",
}
# calamine hands over an error cell as an empty one, and only of .xlsx can the bytes easily be asked again
_OTHER_WORKBOOKS = (".xls", ".xlsb", ".ods", ".et")

_FINDERS: dict[Form, Callable[[Path, Faults], Iterator[Found]]] = {
    "csv": csv_files.find_csv,
    "json": find_objects,
    "workbook": find_workbook,
    "parquet": find_parquet,
}
_ROWS: dict[Form, Callable[[Sheet, Faults], Iterator[Row]]] = {
    "csv": csv_files.csv_rows,
    "json": object_rows,
    "workbook": workbook_rows,
}


def find_sheets(folder: Path, problems: Problems, named: str | None = None) -> list[Sheet]:
    """Find every sheet below the folder, in the order of their paths; `named` is what the folder is called."""
    if not folder.is_dir():
        problems.add("D101", "there is no such data folder", Cell(folder.as_posix()))
        return []
    sheets: list[Sheet] = []
    for path in sorted(_files(folder, problems), key=lambda p: p.relative_to(folder).as_posix()):
        shown = path.as_posix() if named is None else f"{named}/{path.relative_to(folder).as_posix()}"
        form = _FORMS[path.suffix.lower()]
        faults = Faults(problems, Cell(shown))
        with faults.caught():
            found = list(_FINDERS[form](path, faults))
            sha256 = hash_of(path)
            for name, columns, text in found:
                stem = path.stem if len(found) == 1 else ""
                kept = [column for column in columns if column.heading]
                _check_headings(kept, Cell(shown, name), problems)
                sheets.append(
                    Sheet(
                        file=path.relative_to(folder).as_posix(),
                        sheet=name,
                        names=tuple(dict.fromkeys(clean(n) for n in (stem, name) if n)),
                        headings=tuple(c.heading for c in kept),
                        sha256=sha256,
                        kinds=tuple(c.kind for c in kept),
                        path=path.absolute(),
                        shown=shown,
                        form=form,
                        places=tuple(c.place for c in kept),
                        heading_row=kept[0].row if kept else 0,
                        text=text,
                    )
                )
    return sheets


def bytes_below(folder: Path) -> int:
    """Return how many bytes the files below a folder have; those nobody can look at have none."""
    size = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += Path(root, name).stat().st_size
    return size


def hashes_of(folder: Path, sheets: Iterable[Sheet]) -> dict[str, str]:
    """Return the data files with their hashes, what is said of the folder included."""
    files = {sheet.file: sheet.sha256 for sheet in sheets}
    said = folder / SETTINGS_FILE
    if said.is_file():
        files[SETTINGS_FILE] = hash_of(said)
    return dict(sorted(files.items()))


def _files(folder: Path, problems: Problems) -> Iterator[Path]:
    """Walk the data files, leaving hidden files, locks, notes and YAML aside."""

    def unreadable(error: OSError) -> None:
        problems.add("D102", f"cannot be opened: {error.strerror}", Cell(_shown(Path(error.filename))))

    home = folder.resolve()
    for root, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(root, name) for name in folders):
            if path.is_symlink():
                problems.add("D102", "is a link to a folder", Cell(_shown(path)), "copy the folder itself")
        for path in (Path(root, name) for name in names):
            suffix, at = path.suffix.lower(), Cell(_shown(path))
            if path.name.startswith((".", "~$")) or suffix in _QUIET:
                continue
            if at.file != path.as_posix():
                problems.add("D102", "its name is not UTF-8", at, "rename the file")
            elif not path.resolve().is_relative_to(home):
                problems.add("D102", "is a link that leaves the data folder", at, "copy the file itself")
            elif not path.is_file():
                problems.add("D102", "is not a regular file", at, "remove it")
            elif suffix in _OTHER_WORKBOOKS:
                problems.add("D102", f"{suffix} workbooks are not read", at, "save the workbook as .xlsx")
            elif suffix not in _FORMS:
                problems.add("D105", "is no kind of file that is read", at, "save it as .csv or .xlsx")
            else:
                yield path


def _shown(path: Path) -> str:
    return path.as_posix().encode(errors="backslashreplace").decode()


def _check_headings(columns: Iterable[Column], at: Cell, problems: Problems) -> None:
    """Note headings that would be one name to the database, to which capitals are small letters."""
    seen: dict[str, str] = {}
    for column in columns:
        place = replace(at, row=column.row, column=column.heading)
        other = seen.get(column.heading.lower())
        if column.heading.lower() == "#row":
            problems.add("D104", '"#row" already means the number of the row', place)
        elif other == column.heading:
            problems.add("D104", f'there are two columns "{other}"', place)
        elif other is not None:
            problems.add("D104", f'"{other}" and "{column.heading}" differ in capitals only', place)
        seen[column.heading.lower()] = column.heading


def load(
    con: duckdb.DuckDBPyConnection, sheet: Sheet, table: str, columns: Sequence[str], is_known: bool = False
) -> None:
    """Make `table` (or a view) of the sheet: "#row" and the columns asked for, by heading.

    `is_known` says that a run has read these bytes before and found them whole.
    Raises Stop with everything that is wrong with the sheet's rows.
    """
    unload(con, table)
    problems = Problems()
    faults = Faults(problems, sheet.at())
    asked = {column: sheet.headings.index(column) for column in columns}
    with faults.caught(), TemporaryDirectory(prefix="evaluator-") as temporary:
        spool = Path(temporary, "rows.csv")
        if sheet.form == "parquet":
            view_parquet(con, sheet, table, asked, is_known)
        elif not csv_files.load_simple_csv(con, sheet, table, asked, spool):
            load_rows(con, _ROWS[sheet.form](sheet, faults), table, asked, spool)
            if faults.count:
                unload(con, table)
    problems.stop_on_errors()
