"""CSV files: read by DuckDB where each line is a record, by Python's own reader elsewhere."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import duckdb

from evaluator.data.raw_tables import CSV_OPTIONS, no_glob, quoted, refused, selected, unload
from evaluator.data.sheets import BLANK, Fault, Faults, Found, Row, Sheet, TextForm, headed, heading_row, is_blank
from evaluator.data.text_files import BLOCK, scan

_CSV_FAULTS = {
    "unexpected end of data": "the quote opened in this row is never closed",
    "field larger than field limit (131072)": "a cell is longer than 131,072 characters; is a quote missing?",
}
_BLANK_BEFORE_QUOTE = re.compile(' +"')


def find_csv(path: Path, _: Faults) -> Iterator[Found]:
    """Find the columns of a CSV file, and how it is written."""
    text = scan(path)
    with path.open(encoding=text.encoding, newline="") as stream:
        line = next((line for line in stream if line.strip(BLANK + ',;"')), "")
    if line.count("\t") > line.count(",") or path.suffix.lower() == ".tsv":
        text = replace(text, delimiter="\t")
    elif ";" in line and "," not in line:
        text = replace(text, delimiter=";")
    headings = heading_row(_records(path, text))
    if headings is not None:
        row, cells = headings
        is_one_line = row == 1 and not any("\n" in cell or "\r" in cell for cell in cells)
        text = replace(text, width=len(cells), is_simple=text.is_simple and is_one_line)
        yield "", headed(row, cells), text


def _records(path: Path, text: TextForm) -> Iterator[tuple[int, list[str]]]:
    """Read the records of a CSV file, each with the line on which it begins."""
    line = 1
    with path.open(encoding=text.encoding, newline="") as stream:
        reader = csv.reader(stream, delimiter=text.delimiter, strict=True)
        try:
            for cells in reader:
                yield line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            message = _CSV_FAULTS.get(str(error), "a quote inside a quoted cell is not written twice")
            raise Fault(message, line, fix="mend the quotes of this row") from error


def csv_rows(sheet: Sheet, faults: Faults) -> Iterator[Row]:
    """Read the rows below the headings; a short row is filled with nulls."""
    assert sheet.text is not None
    width, indexes = sheet.text.width, [int(place) for place in sheet.places]
    for line, cells in _records(sheet.path, sheet.text):
        if line <= sheet.heading_row or is_blank(cells):
            continue
        if len(cells) > width and not is_blank(cells[width:]):
            message = f"the row has {len(cells)} cells, the heading {width}"
            faults.add(Fault(message, line, fix="put cells that hold the separator in double quotes"))
        elif ' "' in "".join(cells) and any(map(_BLANK_BEFORE_QUOTE.match, cells)):
            faults.add(Fault("a blank stands before a quote", line, fix="remove the blank before the quote"))
        else:
            yield line, [cells[i] if i < len(cells) else None for i in indexes]


def load_simple_csv(
    con: duckdb.DuckDBPyConnection, sheet: Sheet, table: str, asked: dict[str, int], spool: Path
) -> bool:
    """Let DuckDB read a CSV file if every line of it is a record; otherwise leave nothing and return False.

    Rows are numbered by their rowid, much cheaper than row_number(): DuckDB keeps the order of the file.
    """
    text, path, lines = sheet.text, sheet.path, f"{table}#lines"
    if sheet.form != "csv" or text is None or not text.is_simple:
        return False
    if text.encoding == "gb18030":
        with (
            path.open(encoding=text.encoding, newline="") as old,
            spool.open("w", encoding="utf-8", newline="") as new,
        ):
            shutil.copyfileobj(old, new, BLOCK)
        path = spool
    named = {column: f"c{sheet.places[i]}" for column, i in asked.items()}
    kinds = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(text.width))
    source = f"read_csv(?, columns = {{{kinds}}}, delim = ?, skip = 1, null_padding = true, {CSV_OPTIONS})"
    wanted = ", ".join(dict.fromkeys(named.values())) or "c0"
    con.execute("set preserve_insertion_order = true")
    is_whole = False
    with suppress(Fault), refused("is not simple"):  # our own reader will know what is wrong, and where
        made = con.execute(
            f"create table {quoted(lines)} as select {wanted} from {source}", [no_glob(path), text.delimiter]
        )
        is_whole = made.fetchall() == [(text.lines - 1,)]
    if not is_whole:
        unload(con, table)
        return False
    con.execute(f'create view {quoted(table)} as select rowid + 2 as "#row"{selected(named)} from {quoted(lines)}')
    return True
