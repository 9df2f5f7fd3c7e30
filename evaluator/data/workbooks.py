"""Workbooks: every worksheet as text, as Excel shows it, with the error cells that calamine leaves out."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from python_calamine import CalamineWorkbook, SheetTypeEnum

from evaluator.data.sheets import Fault, Faults, Found, Row, Sheet, headed, heading_row, is_blank

_ODD_CELL = re.compile(rb"""t=["']e["']|f></|<v></|:v></|/></(?:\w+:)?c>""")


def find_workbook(path: Path, _: Faults) -> Iterator[Found]:
    """Find the worksheets with anything in them, and their columns."""
    with _opened(path) as book:
        for name in [sheet.name for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]:
            first = heading_row(_grid(book, name))
            if first is not None:
                yield name, headed(*first), None


def workbook_rows(sheet: Sheet, _: Faults) -> Iterator[Row]:
    """Read the rows below the headings, with the error cells put back."""
    indexes = [int(place) for place in sheet.places]
    with _opened(sheet.path) as book:
        errors = _error_cells(sheet.path, sheet.sheet)
        for row, cells in _grid(book, sheet.sheet):
            for column, text in errors.pop(row, {}).items():
                cells[column] = text
            if row > sheet.heading_row and not is_blank(cells):
                yield row, [cells[i] for i in indexes]
        if errors:
            raise ValueError("calamine did not reach these cells")


def _grid(book: CalamineWorkbook, name: str) -> Iterator[tuple[int, list[str]]]:
    """Read the rows of a worksheet as text, numbered as Excel numbers them, each from column A on."""
    sheet = book.get_sheet_by_name(name)
    left = [""] * (sheet.start[1] if sheet.start else 0)
    for row, values in enumerate(sheet.iter_rows(), 1):
        yield row, left + [_cell_text(value) for value in values]


@contextmanager
def _opened(path: Path) -> Iterator[CalamineWorkbook]:
    """Open a workbook, and turn whatever damage in it makes its readers raise into a fault."""
    try:
        with CalamineWorkbook.from_path(path) as book:
            yield book
    except (Fault, OSError, GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # calamine is Rust, and a panic of its is no Exception
        with path.open("rb") as stream:
            start = stream.read(4)
        message, fix = "is a damaged workbook", "open it in Excel or WPS and save it as .xlsx"
        if start == b"\xd0\xcf\x11\xe0":
            message, fix = "has a password, or is an old .xls", "save it as .xlsx without a password"
        elif not start.startswith(b"PK"):
            message = "is not a workbook, whatever its name says"
        raise Fault(message, fix=fix) from error


def _cell_text(value: str | float | bool | date | time | timedelta) -> str:
    """Write a cell as Excel shows it: 15 digits, no exponent, ISO dates."""
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case int() | float():
            return format(Decimal(format(value, ".15g")) + 0, "f")
        case datetime():
            # seconds are stored as fractions of a day, and come back a little beside the full second
            rounded = (value + timedelta(microseconds=500_000)).replace(microsecond=0)
            return rounded.isoformat(" ").removesuffix(" 00:00:00")
        case timedelta():
            seconds = round(value.total_seconds())
            return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        case _:
            return value.isoformat()


def _error_cells(path: Path, name: str) -> dict[int, dict[int, str]]:
    """Find the error cells of a worksheet by row and column index: calamine gives them as empty.

    A formula that was never calculated has no value either; it is a fault.
    """
    errors: dict[int, dict[int, str]] = {}
    with zipfile.ZipFile(path) as archive:
        part = _part(archive, name)
        with archive.open(part) as stream:
            if not _has_odd_cells(stream):
                return {}
        row, column = 0, -1
        with archive.open(part) as stream:
            for event, element in ElementTree.iterparse(stream, ("start", "end")):
                tag = _local(element.tag)
                if tag == "row" and event == "start":
                    row, column = int(element.get("r", row + 1)), -1
                elif tag == "row":
                    element.clear()
                elif tag == "c" and event == "end":
                    letters = element.get("r", "").rstrip("0123456789")
                    column = _column_index(letters) if letters else column + 1
                    children = {_local(child.tag): child.text for child in element}
                    if element.get("t") == "e":
                        errors.setdefault(row, {})[column] = children.get("v") or "#N/A"
                    elif "f" in children and not children.get("v") and element.get("t") != "str":
                        message = f"the formula in {letters}{row} was never calculated"
                        raise Fault(message, row, fix="open the workbook in Excel and save it")
    return errors


def _has_odd_cells(stream: IO[bytes]) -> bool:
    """Say whether a worksheet may have error cells or formulas without a value, at the price of a search."""
    tail = b""
    while block := stream.read(1 << 20):
        if _ODD_CELL.search(tail + block):
            return True
        tail = block[-64:]
    return False


def _part(archive: zipfile.ZipFile, name: str) -> str:
    """Return the name of the archive's part that holds the worksheet."""
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    links = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    sheet = next(e for e in book.iter() if _local(e.tag) == "sheet" and e.get("name") == name)
    target = targets[next(value for key, value in sheet.items() if _local(key) == "id")]
    return target.removeprefix("/") if target.startswith(("/", "xl/")) else f"xl/{target}"


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _column_index(letters: str) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - ord("A") + 1
    return index - 1
