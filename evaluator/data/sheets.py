"""What is known of a sheet before its rows are loaded, and how its faults are noted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from evaluator.diagnostics import Cell, Problems

Form = Literal["csv", "json", "workbook", "parquet"]
Row = tuple[int, Sequence[str | None]]
"""The number of a row, and its cells under the sheet's headings."""

BLANK = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\ufeff\u200b"
_HALF_WIDTH = {ord(c) + 0xFEE0: c for c in map(chr, range(0x30, 0x7B)) if c.isalnum()} | {0x3000: " "}
_FAULTS_SHOWN = 20
_MOST_TITLES = 2


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a text file is written; `is_simple` if DuckDB's own CSV reader may be tried on it."""

    encoding: str
    lines: int
    is_simple: bool
    delimiter: str = ","
    width: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """A column as found, with the row of its heading."""

    heading: str
    place: str
    row: int = 0
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One CSV, JSON lines or Parquet file, or one sheet of a workbook.

    `names` are those by which a table may claim it. For each heading, `kinds` holds "text" or a DuckDB type,
    and `places` what the file calls the column: its index from the left, its key, its raw name.
    """

    file: str
    sheet: str
    names: tuple[str, ...]
    headings: tuple[str, ...]
    sha256: str
    kinds: tuple[str, ...]
    path: Path
    shown: str
    form: Form
    places: tuple[str, ...]
    heading_row: int
    text: TextForm | None

    def at(self, row: int = 0, column: str = "") -> Cell:
        """Return a place in this sheet, as diagnostics show it."""
        return Cell(self.shown, self.sheet, row, column)


class Fault(Exception):  # noqa: N818 - it becomes a diagnostic before it leaves the readers
    """What makes a file unreadable, and where."""

    def __init__(self, message: str, row: int = 0, column: str = "", fix: str | None = None) -> None:
        super().__init__(message)
        self.row, self.column, self.fix = row, column, fix


@dataclass(slots=True)
class Faults:
    """Takes the faults of one sheet, and ends its reading when there are enough of them to show."""

    problems: Problems
    at: Cell
    count: int = 0

    def add(self, fault: Fault) -> None:
        """Note a fault and go on."""
        self._note(fault)
        self.count += 1
        if self.count == _FAULTS_SHOWN:
            raise Fault("was not read further: too many of its rows are faulty")

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Note what ends the reading."""
        try:
            yield
        except Fault as fault:
            self._note(fault)
        except OSError as error:
            self._note(Fault(f"cannot be opened: {error.strerror or error}"))

    def _note(self, fault: Fault) -> None:
        self.problems.add("D102", str(fault), replace(self.at, row=fault.row, column=fault.column), fault.fix)


Found = tuple[str, list[Column], TextForm | None]
"""The name of a sheet, its columns, and how its text is written."""


def headed(row: int, cells: Iterable[str]) -> list[Column]:
    """Return the columns that a row of headings names, placed by their index from the left."""
    return [Column(clean(cell), str(i), row) for i, cell in enumerate(cells)]


def heading_row(rows: Iterable[tuple[int, list[str]]]) -> tuple[int, list[str]] | None:
    """Return the row of headings: the first with anything in it, but for up to two titles.

    A title is one filled cell over a row of several that is no wider, as a cell merged over the sheet is saved.

    >>> heading_row([(1, ["台账", ""]), (2, ["编号", "日期"])])
    (2, ['编号', '日期'])
    >>> heading_row([(1, ["编号"]), (2, ["7"])])
    (1, ['编号'])
    >>> heading_row([(1, ["编号"]), (2, ["7", "one cell too many"])])
    (1, ['编号'])
    """
    filled = (row for row in rows if not is_blank(row[1]))
    first = next(filled, None)
    if first is None or _width(first) > 1:
        return first
    below = (row for row in islice(filled, _MOST_TITLES) if _width(row) > 1 and len(row[1]) <= len(first[1]))
    return next(below, first)


def _width(row: tuple[int, list[str]]) -> int:
    return sum(not is_blank([cell]) for cell in row[1])


def clean(text: str) -> str:
    """Trim every kind of white space and write full-width letters, digits and spaces half-width.

    >>> clean("\\u3000Ａ１ 得分\\u00a0")
    'A1 得分'
    """
    return text.translate(_HALF_WIDTH).strip(BLANK)


def is_blank(cells: Iterable[str | None]) -> bool:
    """Whether there is nothing but white space in any cell."""
    return not "".join(filter(None, cells)).strip(BLANK)
