"""Readers: the files of a data folder become raw tables of text in which every row keeps its place.

CSV (UTF-8, GB18030, UTF-16), workbooks (.xlsx), JSON lines and Parquet. Text stays as written, an empty
cell is null, rows with nothing in any cell are left out; typing is the next stage's work. "#row" is the row a
clerk sees: the row of the worksheet, the line of a text file on which the record begins, the record of a
Parquet file.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Literal
from xml.etree import ElementTree

import duckdb
from python_calamine import CalamineWorkbook, SheetTypeEnum

from evaluator.diagnostics import Cell, Problems

Form = Literal["csv", "json", "workbook", "parquet"]
Row = tuple[int, Sequence[str | None]]  # the number of the row, and its cells under the sheet's headings

BLANK = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\ufeff\u200b"
EXCEL_ERRORS = (
    *("#N/A", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"),
    *("#CALC!", "#SPILL!", "#FIELD!", "#BLOCKED!", "#GETTING_DATA"),
)

_HALF_WIDTH = {ord(c) + 0xFEE0: c for c in map(chr, range(0x30, 0x7B)) if c.isalnum()} | {0x3000: " "}
_QUIET = (".md", ".yaml", ".yml")
_FORMS: dict[str, Form] = {
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    **dict.fromkeys((".jsonl", ".ndjson"), "json"),
    **dict.fromkeys((".xlsx", ".xlsm"), "workbook"),
    ".parquet": "parquet",
}
# calamine hands over an error cell as an empty one, and only of .xlsx can the bytes easily be asked again
_OTHER_WORKBOOKS = (".xls", ".xlsb", ".ods", ".et")
_FAULTS_SHOWN = 20
_BLOCK = 1 << 20
_BLANK_LINE = re.compile(
    rb'\n(?:[,;" \t\r\v\f]|\xe3\x80\x80|\xc2\xa0|\xef\xbb\xbf|\xe2\x80\x8b|\xa1\xa1)*(?:\n|(?<!\n)\Z)'
)
_CJK_RUN = re.compile("[\u0800-\uffff]{2}")
_ODD_CELL = re.compile(rb"""t=["']e["']|f></|<v></|:v></|/></(?:\w+:)?c>""")
_CSV_FAULTS = {
    "unexpected end of data": "the quote opened in this row is never closed",
    "field larger than field limit (131072)": "a cell is longer than 131,072 characters; is a quote missing?",
}
_CSV_OPTIONS = """header = false, quote = '"', escape = '"', nullstr = '', auto_detect = false,
    compression = 'none', hive_partitioning = false"""


@dataclass(frozen=True, slots=True)
class _Text:
    """How a text file is written; `is_simple` if DuckDB's own CSV reader may be tried on it."""

    encoding: str
    lines: int
    is_simple: bool
    delimiter: str = ","
    width: int = 0


@dataclass(frozen=True, slots=True)
class _Column:
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
    text: _Text | None

    def at(self, row: int = 0, column: str = "") -> Cell:
        """Return a place in this sheet, as diagnostics show it."""
        return Cell(self.shown, self.sheet, row, column)


class _Fault(Exception):  # noqa: N818 - it becomes a diagnostic within this module
    """What makes a file unreadable, and where."""

    def __init__(self, message: str, row: int = 0, column: str = "", fix: str | None = None) -> None:
        super().__init__(message)
        self.row, self.column, self.fix = row, column, fix


@dataclass(slots=True)
class _Faults:
    """Takes the faults of one sheet, and ends its reading when there are enough of them to show."""

    problems: Problems
    at: Cell
    count: int = 0

    def add(self, fault: _Fault) -> None:
        """Note a fault and go on."""
        self._note(fault)
        self.count += 1
        if self.count == _FAULTS_SHOWN:
            raise _Fault("was not read further: too many of its rows are faulty")

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Note what ends the reading."""
        try:
            yield
        except _Fault as fault:
            self._note(fault)
        except OSError as error:
            self._note(_Fault(f"cannot be opened: {error.strerror or error}"))

    def _note(self, fault: _Fault) -> None:
        self.problems.add("D102", str(fault), replace(self.at, row=fault.row, column=fault.column), fault.fix)


Found = tuple[str, list[_Column], _Text | None]


def clean(text: str) -> str:
    """Trim every kind of white space and write full-width letters, digits and spaces half-width.

    >>> clean("\\u3000Ａ１ 得分\\u00a0")
    'A1 得分'
    """
    return text.translate(_HALF_WIDTH).strip(BLANK)


def find_sheets(folder: Path, problems: Problems) -> list[Sheet]:
    """Find every sheet below the folder, in the order of their paths."""
    if not folder.is_dir():
        problems.add("D101", "there is no such data folder", Cell(folder.as_posix()))
        return []
    sheets: list[Sheet] = []
    for path in sorted(_files(folder, problems), key=lambda p: p.relative_to(folder).as_posix()):
        shown, form = path.as_posix(), _FORMS[path.suffix.lower()]
        faults = _Faults(problems, Cell(shown))
        with faults.caught():
            found = list(_FINDERS[form](path, faults))
            with path.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
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


def _check_headings(columns: Iterable[_Column], at: Cell, problems: Problems) -> None:
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


def load(con: duckdb.DuckDBPyConnection, sheet: Sheet, table: str, columns: Sequence[str]) -> None:
    """Make `table` (or a view) of the sheet: "#row" and the columns asked for, by heading.

    Raises Stop with everything that is wrong with the sheet's rows.
    """
    unload(con, table)
    problems = Problems()
    faults = _Faults(problems, sheet.at())
    asked = {column: sheet.headings.index(column) for column in columns}
    with faults.caught(), TemporaryDirectory(prefix="evaluator-") as temporary:
        spool = Path(temporary, "rows.csv")
        if sheet.form == "parquet":
            _view_parquet(con, sheet, table, asked)
        elif not _load_simple_csv(con, sheet, table, asked, spool):
            _load_rows(con, _ROWS[sheet.form](sheet, faults), table, asked, spool)
            if faults.count:
                unload(con, table)
    problems.stop_on_errors()


def unload(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Drop what `load` made under this name, if anything."""
    for kind, name in (("view", table), ("table", table), ("table", f"{table}#lines")):
        with suppress(duckdb.CatalogException):  # a view of the name is not a table of the name
            con.execute(f"drop {kind} if exists {_quoted(name)}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _as(named: dict[str, str]) -> str:
    return "".join(f", {source} as {_quoted(column)}" for column, source in named.items())


def _load_rows(
    con: duckdb.DuckDBPyConnection, rows: Iterable[Row], table: str, asked: dict[str, int], spool: Path
) -> None:
    """Load rows read in Python: through a CSV file of our own, four times as fast as list parameters."""
    with spool.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows([row, *(cells[i] for i in asked.values())] for row, cells in rows)
    kinds = "".join(f", 'c{i}': 'VARCHAR'" for i in asked.values())
    named = _as({column: f"c{i}" for column, i in asked.items()})
    # one thread, because several may lose their way among line breaks inside cells
    options = f"delim = ',', new_line = '\\n', parallel = false, {_CSV_OPTIONS}"
    source = f"read_csv(?, columns = {{'#row': 'BIGINT'{kinds}}}, {options})"
    try:
        con.execute(f'create table {_quoted(table)} as select "#row"{named} from {source}', [_no_glob(spool)])
    except duckdb.InvalidInputException as error:
        raise _Fault("a row is longer than two million characters") from error


def _is_blank(cells: Iterable[str | None]) -> bool:
    return not "".join(filter(None, cells)).strip(BLANK)


# CSV


def _find_csv(path: Path, _: _Faults) -> Iterator[Found]:
    text = _scan(path)
    with path.open(encoding=text.encoding, newline="") as stream:
        line = next((line for line in stream if line.strip(BLANK + ',;"')), "")
    if line.count("\t") > line.count(",") or path.suffix.lower() == ".tsv":
        text = replace(text, delimiter="\t")
    elif ";" in line and "," not in line:
        text = replace(text, delimiter=";")
    for row, cells in _records(path, text):
        if not _is_blank(cells):
            is_one_line = row == 1 and not any("\n" in cell or "\r" in cell for cell in cells)
            text = replace(text, width=len(cells), is_simple=text.is_simple and is_one_line)
            yield "", [_Column(clean(cell), str(i), row) for i, cell in enumerate(cells)], text
            return


def _scan(path: Path, encoding: str = "utf-8") -> _Text:
    """Find the encoding of a text file and whether its lines are its records."""
    lines, is_simple, has_cjk, block = 0, True, False, b"\n"
    for block in _blocks(path):
        if lines == 0 and block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return _scan_utf16(path)
        if b"\0" in block:
            raise _Fault("is not text", lines + block.count(b"\n", 0, block.index(b"\0")) + 1)
        try:
            text = block.decode(encoding)
        except UnicodeDecodeError as error:
            line = lines + block.count(b"\n", 0, error.start) + 1
            # GB18030 passes for UTF-8 for a character or two; UTF-8 with one bad byte often for GB18030
            if has_cjk or _CJK_RUN.search(block[: error.start].decode(encoding)) or encoding != "utf-8":
                wanted = "UTF-8" if encoding == "utf-8" else "UTF-8 or GB18030"
                raise _Fault(f"is not {wanted}", line, fix="save the file as UTF-8") from error
            return _scan(path, "gb18030")
        lines += block.count(b"\n")
        has_cjk = has_cjk or (not text.isascii() and bool(_CJK_RUN.search(text)))
        is_simple = is_simple and not (
            # readers differ about blanks beside quotes, about lone returns and about blank lines
            (b'"' in block and (b' "' in block or b'" ' in block))
            or (b"\r" in block and block.count(b"\r") != block.count(b"\r\n"))
            or _BLANK_LINE.search(b"\n" + block)
        )
    return _Text(
        "utf-8-sig" if encoding == "utf-8" else encoding, lines + (not block.endswith(b"\n")), is_simple
    )


def _scan_utf16(path: Path) -> _Text:
    try:
        text = path.read_text(encoding="utf-16")
    except UnicodeDecodeError as error:
        raise _Fault("is not UTF-16, although it begins so", fix="save the file as UTF-8") from error
    if "\0" in text:
        raise _Fault("is not text", text.count("\n", 0, text.index("\0")) + 1)
    return _Text("utf-16", 0, is_simple=False)


def _blocks(path: Path) -> Iterator[bytes]:
    """Read a file in blocks of whole lines."""
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            yield block + stream.readline()


def _records(path: Path, text: _Text) -> Iterator[tuple[int, list[str]]]:
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
            raise _Fault(message, line, fix="mend the quotes of this row") from error


def _csv_rows(sheet: Sheet, faults: _Faults) -> Iterator[Row]:
    assert sheet.text is not None
    width, indexes = sheet.text.width, [int(place) for place in sheet.places]
    for line, cells in _records(sheet.path, sheet.text):
        if line <= sheet.heading_row or _is_blank(cells):
            continue
        if len(cells) > width and not _is_blank(cells[width:]):
            message = f"the row has {len(cells)} cells, the heading {width}"
            faults.add(_Fault(message, line, fix="put cells that hold the separator in double quotes"))
        elif ' "' in "".join(cells) and any(
            cell[:1] == " " and cell.lstrip(" ")[:1] == '"' for cell in cells
        ):
            faults.add(_Fault("a blank stands before a quote", line, fix="remove the blank before the quote"))
        else:
            yield line, [cells[i] if i < len(cells) else None for i in indexes]


def _load_simple_csv(
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
            shutil.copyfileobj(old, new, _BLOCK)
        path = spool
    named = {column: f"c{sheet.places[i]}" for column, i in asked.items()}
    kinds = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(text.width))
    source = f"read_csv(?, columns = {{{kinds}}}, delim = ?, skip = 1, null_padding = true, {_CSV_OPTIONS})"
    wanted = ", ".join(dict.fromkeys(named.values())) or "c0"
    con.execute("set preserve_insertion_order = true")
    try:
        made = con.execute(
            f"create table {_quoted(lines)} as select {wanted} from {source}",
            [_no_glob(path), text.delimiter],
        )
        is_whole = made.fetchall() == [(text.lines - 1,)]
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise
    except duckdb.Error:  # our own reader will know what is wrong, and where
        is_whole = False
    if not is_whole:
        unload(con, table)
        return False
    con.execute(
        f'create view {_quoted(table)} as select rowid + 2 as "#row"{_as(named)} from {_quoted(lines)}'
    )
    return True


# JSON lines


def _find_objects(path: Path, faults: _Faults) -> Iterator[Found]:
    text, keys = _scan(path), dict[str, int]()
    for line, record in _objects(path, text.encoding, faults):
        for key in record:
            keys.setdefault(key, line)
    if keys:
        yield "", [_Column(clean(key), key, line) for key, line in keys.items()], text


def _object_rows(sheet: Sheet, faults: _Faults) -> Iterator[Row]:
    assert sheet.text is not None
    for line, record in _objects(sheet.path, sheet.text.encoding, faults):
        yield line, [record.get(place) for place in sheet.places]


def _objects(path: Path, encoding: str, faults: _Faults) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Read the objects of a JSON lines file; a number keeps its digits as they are written."""
    decode = json.JSONDecoder(
        object_pairs_hook=_unique, parse_int=str, parse_float=str, parse_constant=_refuse
    ).decode
    with path.open(encoding=encoding, newline="\n") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip(BLANK):
                continue
            try:
                record = _flat(decode(line))
                if "\\u" in line and "\0" in "".join(map(str, (*record, *record.values()))).encode().decode():
                    raise ValueError("a text holds the character NUL")
            except json.JSONDecodeError as error:
                faults.add(_Fault(f"the line is not JSON: {error.msg} (character {error.colno})", number))
            except UnicodeEncodeError:
                faults.add(_Fault("a text holds half a character", number))
            except RecursionError:
                faults.add(_Fault("the line is nested too deeply", number))
            except ValueError as error:
                faults.add(_Fault(str(error), number))
            else:
                if not _is_blank(record.values()):
                    yield number, record


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the line has a key twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _flat(found: object) -> dict[str, str | None]:
    if not isinstance(found, dict):
        raise ValueError("the line is not an object")
    for key, value in found.items():
        if isinstance(value, bool):
            found[key] = str(value).lower()
        elif isinstance(value, dict | list):
            raise ValueError(f'"{key}" is not a single value')
    return found


# workbooks


def _find_workbook(path: Path, _: _Faults) -> Iterator[Found]:
    with _opened(path) as book:
        for name in [sheet.name for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]:
            first = next((row for row in _grid(book, name) if not _is_blank(row[1])), None)
            if first is not None:
                yield name, [_Column(clean(cell), str(i), first[0]) for i, cell in enumerate(first[1])], None


def _workbook_rows(sheet: Sheet, _: _Faults) -> Iterator[Row]:
    indexes = [int(place) for place in sheet.places]
    with _opened(sheet.path) as book:
        errors = _error_cells(sheet.path, sheet.sheet)
        for row, cells in _grid(book, sheet.sheet):
            for column, text in errors.pop(row, {}).items():
                cells[column] = text
            if row > sheet.heading_row and not _is_blank(cells):
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
    except (_Fault, OSError, GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # calamine is Rust, and a panic of its is no Exception
        with path.open("rb") as stream:
            start = stream.read(4)
        message, fix = "is a damaged workbook", "open it in Excel or WPS and save it as .xlsx"
        if start == b"\xd0\xcf\x11\xe0":
            message, fix = "has a password, or is an old .xls", "save it as .xlsx without a password"
        elif not start.startswith(b"PK"):
            message = "is not a workbook, whatever its name says"
        raise _Fault(message, fix=fix) from error


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
                        raise _Fault(message, row, fix="open the workbook in Excel and save it")
    return errors


def _has_odd_cells(stream: IO[bytes]) -> bool:
    """Say whether a worksheet may have error cells or formulas without a value, at the price of a search."""
    tail = b""
    while block := stream.read(_BLOCK):
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


# Parquet


def _find_parquet(path: Path, _: _Faults) -> Iterator[Found]:
    with _unread_parquet_noted(), duckdb.connect() as con:
        source = [_no_glob(path)]
        found = con.execute("describe from read_parquet(?, hive_partitioning = false)", source).fetchall()
        raw = {row[0] for row in con.execute("select name from parquet_schema(?)", source).fetchall()}
    columns = []
    for name, kind, *_rest in found:
        if name.lower() == "file_row_number":
            raise _Fault(f'a column is named "{name}"', column=name, fix="rename the column")
        # of two columns of one name DuckDB renames the second
        heading = name if name in raw else name.rpartition("_")[0]
        columns.append(_Column(clean(heading), name, kind="text" if kind == "VARCHAR" else kind))
    yield "", columns, None


def _view_parquet(con: duckdb.DuckDBPyConnection, sheet: Sheet, table: str, asked: dict[str, int]) -> None:
    named = _as({column: _quoted(sheet.places[i]) for column, i in asked.items()})
    path = "'" + _no_glob(sheet.path).replace("'", "''") + "'"  # a view takes no parameters
    source = f"read_parquet({path}, file_row_number = true, hive_partitioning = false)"
    with _unread_parquet_noted():
        con.execute(
            f'create view {_quoted(table)} as select file_row_number + 1 as "#row"{named} from {source}'
        )
        # a damaged page shows only when it is read, and later nobody would know whose fault it is
        con.execute(f"select bit_xor(hash(columns(*))) from {_quoted(table)}")


@contextmanager
def _unread_parquet_noted() -> Iterator[None]:
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise _Fault("is not Parquet, or is damaged") from error


def _no_glob(path: Path) -> str:
    """Write a path so that DuckDB takes its brackets, stars and question marks for themselves."""
    return re.sub(r"[*?[]", r"[\g<0>]", str(path))


_FINDERS: dict[Form, Callable[[Path, _Faults], Iterator[Found]]] = {
    "csv": _find_csv,
    "json": _find_objects,
    "workbook": _find_workbook,
    "parquet": _find_parquet,
}
_ROWS: dict[Form, Callable[[Sheet, _Faults], Iterator[Row]]] = {
    "csv": _csv_rows,
    "json": _object_rows,
    "workbook": _workbook_rows,
}
