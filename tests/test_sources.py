"""Readers: the same table in every format reads the same, and whatever a file holds is read or refused."""

from __future__ import annotations

import codecs
import json
import random
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from evaluator.data import csv_files, sources
from evaluator.data.sheets import BLANK, Sheet, clean
from evaluator.data.sources import find_sheets, load
from evaluator.diagnostics import Diagnostic, Problems, Stop

HEADINGS = ("委员", "活动", "次数", "日期")
ROWS = (
    ("张三", "走访,调研", "2", "2024-03-01"),
    ("李四", '谈"协商"', "0.5", None),
    ("王五", "两行\n文字", "-3", "2024-12-31"),
    ("𠮷㐂", "　首尾空格 ", None, "2024年1月"),
)
in_tmp = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

Table = list[tuple[Any, ...]]


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        yield con


def table(con: duckdb.DuckDBPyConnection, sheet: Sheet, columns: Sequence[str] | None = None) -> Table:
    load(con, sheet, 't "1"', sheet.headings if columns is None else columns)
    return con.execute('select * from "t ""1""" order by "#row"').fetchall()


def read(con: duckdb.DuckDBPyConnection, folder: Path) -> tuple[dict[str, Table], list[Diagnostic]]:
    """Read all sheets of a folder: what each holds, and everything that was found wrong."""
    problems, tables = Problems(), {}
    for sheet in find_sheets(folder, problems):
        try:
            tables[sheet.file + (f"[{sheet.sheet}]" if sheet.sheet else "")] = table(con, sheet)
        except Stop as stop:
            problems.extend(stop.problems)
    return tables, list(problems)


def only(folder: Path) -> Sheet:
    problems = Problems()
    (sheet,) = find_sheets(folder, problems)
    assert not list(problems)
    return sheet


def as_csv(rows: Sequence[Sequence[str | None]], delimiter: str = ",", end: str = "\n") -> str:
    def cell(text: str | None) -> str:
        special = any(c in (text or "") for c in (delimiter, '"', "\n"))
        return '"' + (text or "").replace('"', '""') + '"' if special else text or ""

    return "".join(delimiter.join(map(cell, row)) + end for row in rows)


def write_workbook(path: Path, cells: Sequence[Sequence[Any]], top: int = 0, left: int = 0, sheet: str = "表") -> None:
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet(sheet)
        for r, row in enumerate(cells):
            for c, value in enumerate(row):
                if value is not None:
                    page.write(top + r, left + c, value)


def write_objects(path: Path) -> None:
    lines = [{h: v for h, v in zip(HEADINGS, row, strict=True) if v is not None} for row in ROWS]
    text = [json.dumps(line, ensure_ascii=False) for line in lines]
    # numbers keep their digits
    path.write_text("\n".join(text).replace('"2"', "2").replace('"0.5"', "0.5").replace('"-3"', "-3"), encoding="utf-8")


def write_parquet(path: Path) -> None:
    pq.write_table(pa.table({h: [row[i] for row in ROWS] for i, h in enumerate(HEADINGS)}), path)


COMPLETE = (HEADINGS, *ROWS)
FORMATS: dict[str, tuple[str, Callable[[Path], object], Sequence[int]]] = {
    "utf-8": ("t.csv", lambda p: p.write_bytes(as_csv(COMPLETE).encode()), (2, 3, 4, 6)),
    "utf-8 with mark": ("t.csv", lambda p: p.write_bytes(as_csv(COMPLETE).encode("utf-8-sig")), (2, 3, 4, 6)),
    "windows ends": ("t.CSV", lambda p: p.write_bytes(as_csv(COMPLETE, end="\r\n").encode()), (2, 3, 4, 6)),
    "gb18030": ("t.csv", lambda p: p.write_bytes(as_csv(COMPLETE).encode("gb18030")), (2, 3, 4, 6)),
    "unicode text": ("t.csv", lambda p: p.write_bytes(as_csv(COMPLETE, "\t").encode("utf-16")), (2, 3, 4, 6)),
    "semicolons": ("t.csv", lambda p: p.write_bytes(as_csv(COMPLETE, ";").encode()), (2, 3, 4, 6)),
    "tabs": ("t.tsv", lambda p: p.write_bytes(as_csv(COMPLETE, "\t").encode()), (2, 3, 4, 6)),
    "workbook": ("t.xlsx", lambda p: write_workbook(p, COMPLETE, top=3, left=2), (5, 6, 7, 8)),
    "json lines": ("t.jsonl", write_objects, (1, 2, 3, 4)),
    "parquet": ("t.parquet", write_parquet, (1, 2, 3, 4)),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_the_same(name: str, tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    file, write, numbers = FORMATS[name]
    write(tmp_path / file)
    sheet = only(tmp_path)
    assert (sheet.file, sheet.headings, set(sheet.kinds)) == (file, HEADINGS, {"text"})
    assert table(con, sheet) == [(n, *row) for n, row in zip(numbers, ROWS, strict=True)]
    assert table(con, sheet, ["次数", "委员"])[0] == (numbers[0], "2", "张三")
    assert table(con, sheet, []) == [(n,) for n in numbers]


def test_workbook_cells_are_text_as_excel_shows_it(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    with xlsxwriter.Workbook(tmp_path / "活动２.xlsx") as book:
        page = book.add_worksheet("台账")
        book.add_worksheet("空")
        day, moment = (
            book.add_format({"num_format": 'yyyy"年"m"月"d"日"'}),
            book.add_format({"num_format": 22}),
        )
        page.write_row(0, 1, ["Ａ", None, "B "])
        page.write_row(1, 1, [1, "beside", 0.1 + 0.2])
        page.write_row(3, 1, [1e20, None, 1e-7])
        page.write_datetime(4, 1, datetime(2024, 2, 29), day)
        page.write_datetime(4, 3, datetime(2024, 2, 29, 9, 30), moment)
        page.write_row(5, 1, [True, None, 45352])
        page.write_datetime(6, 1, time(8, 5), book.add_format({"num_format": "hh:mm"}))
        page.write_formula(6, 3, "=1+1", None, 2)
        page.write_formula(7, 1, "=NA()", None, "#N/A")
        page.write_formula(8, 3, "=1/0", None, "#DIV/0!")
        page.write_row(9, 2, ["only beside"])
        page.write_row(10, 1, ["　"])
    sheet = only(tmp_path)
    assert (sheet.names, sheet.sheet, sheet.headings) == (("活动2", "台账"), "台账", ("A", "B"))
    assert table(con, sheet) == [
        (2, "1", "0.3"),
        (4, "100000000000000000000", "0.0000001"),
        (5, "2024-02-29", "2024-02-29 09:30:00"),
        (6, "true", "45352"),
        (7, "08:05:00", "2"),
        (8, "#N/A", None),
        (9, None, "#DIV/0!"),
        (10, None, None),
    ]


def test_formula_never_calculated_is_refused(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    write_workbook(tmp_path / "a.xlsx", [["数"], [1], [2]])
    calculated = b'<c r="A2" t="str"><f>""</f><v></v></c>'
    with zipfile.ZipFile(tmp_path / "a.xlsx") as old, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as new:
        for name in old.namelist():
            new.writestr(
                name,
                old.read(name).replace(b"<v>2</v>", b"<f>1+1</f>").replace(b'<c r="A2"><v>1</v></c>', calculated),
            )
    (tmp_path / "a.xlsx").unlink()
    _, (problem,) = read(con, tmp_path)
    assert "D102" in str(problem) and "b.xlsx[表]:3: " in str(problem) and "never calculated" in str(problem)


def test_parquet_keeps_its_types(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    folder = tmp_path / "year=2024 [a]*"
    folder.mkdir()
    columns = {"天 ": [date(2024, 1, 1), None], "数": [1, 2], "it's \"": [True, None], "A": ["x", "y"]}
    pq.write_table(pa.table(columns), folder / "o'[1]?.parquet")
    sheet = only(tmp_path)
    assert sheet.headings == ("天", "数", "it's \"", "A") and sheet.kinds == (
        "DATE",
        "BIGINT",
        "BOOLEAN",
        "text",
    )
    assert table(con, sheet) == [(1, date(2024, 1, 1), 1, True, "x"), (2, None, 2, None, "y")]


def test_loading_again_replaces_whatever_was_there(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    (tmp_path / "simple.csv").write_text("a\n1\n2\n", encoding="utf-8")
    (tmp_path / "blank.csv").write_text("\na\n\n3\n", encoding="utf-8")
    pq.write_table(pa.table({"a": ["4"]}), tmp_path / "p.parquet")
    blank, parquet, simple = find_sheets(tmp_path, Problems())
    for sheet, rows in [(simple, [(2, "1"), (3, "2")]), (parquet, [(1, "4")]), (blank, [(4, "3")])] * 2:
        assert table(con, sheet) == rows
    sources.unload(con, 't "1"')
    assert con.execute("select count(*) from duckdb_tables()").fetchall() == [(0,)]


cells = st.text(st.sampled_from('ab1.,;" \n\r\t\u3000\ufeff中'), max_size=4).filter(lambda c: not re.match(' +"', c))


@in_tmp
@given(
    st.lists(st.lists(cells, min_size=3, max_size=3), max_size=6),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_row_numbers_are_lines(
    tmp_path_factory: pytest.TempPathFactory,
    con: duckdb.DuckDBPyConnection,
    rows: list[list[str]],
    end: str,
    is_quoted: bool,
) -> None:
    def cell(text: str) -> str:
        quote = is_quoted or any(c in text for c in ',"\r\n') or text.startswith(" ")
        return '"' + text.replace('"', '""') + '"' if quote else text

    expected, line, text = [], 2, "x,y,z" + end
    for row in rows:
        record = ",".join(map(cell, row)) + end
        if "".join(row).strip(BLANK):
            expected.append((line, *(value or None for value in row)))
        line += len(record.encode().splitlines())
        text += record
    folder = tmp_path_factory.mktemp("lines")
    (folder / "t.csv").write_bytes(text.encode())
    tables, problems = read(con, folder)
    assert tables == {"t.csv": expected} and not problems


broken = st.text(st.sampled_from('ab,,,"" \n\n\r\ufeff中'), max_size=30)


@in_tmp
@given(broken)
@example('1, "x"\n')
@example('1,"x" \n')
@example("1,2,\n")
@example('5" d,2\n')
def test_fast_reader_agrees_with_the_slow_one(
    tmp_path_factory: pytest.TempPathFactory, con: duckdb.DuckDBPyConnection, text: str
) -> None:
    folder = tmp_path_factory.mktemp("both")
    (folder / "t.csv").write_bytes(b"x,y\n" + text.encode())
    with pytest.MonkeyPatch.context() as patch:
        fast = read(con, folder)
        patch.setattr(csv_files, "load_simple_csv", lambda *_: False)
        assert fast == read(con, folder)


def faults(folder: Path, text: str | bytes, name: str = "t.csv") -> list[str]:
    """Write a file and return what is wrong with it, without the folder."""
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with duckdb.connect() as con:
        _, problems = read(con, folder)
    return [str(p).splitlines()[0].removeprefix(f"{folder.as_posix()}/") for p in problems]


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        (
            "t.csv",
            "a,b\n1\n1,2,\n1,2,3\n\n,,x\n",
            ["t.csv:4: the row has 3 cells", "t.csv:6: the row has 3 cells"],
        ),
        (
            "t.csv",
            'a,b\n1,2\n"x\ny",2\n"3,4\n5,6\n',
            ["t.csv:5: the quote opened in this row is never closed"],
        ),
        ("t.csv", 'a,b\n1,"x"y\n', ["t.csv:2: a quote inside a quoted cell is not written twice"]),
        ("t.csv", 'a,b,c\n1, "x,y"\n', ["t.csv:2: a blank stands before a quote"]),
        ("t.csv", "a,b,A\n1,2,3\n", ['t.csv:1:A: "a" and "A" differ in capitals only']),
        ("t.csv", "\n甲,,甲 ,\n1,2,3\n", ['t.csv:2:甲: there are two columns "甲"']),
        ("t.csv", "a,#ROW\n1,2\n", ['t.csv:1:#ROW: "#row" already means']),
        ("t.csv", "委员,活动\n张三,调".encode()[:-1], ["t.csv:2: is not UTF-8"]),
        ("t.csv", "张\n三\n".encode("gb18030") + b"\xff\n", ["t.csv:3: is not UTF-8 or GB18030"]),
        ("t.csv", "a,b\n1,\0\n", ["t.csv:2: is not text"]),
        ("t.csv", codecs.BOM_UTF16_LE + b"a\0\0\xd8", ["t.csv: is not UTF-16"]),
        ("t.xlsx", "a,b\n1,2\n", ["t.xlsx: is not a workbook, whatever its name says"]),
        ("t.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ["t.xlsx: has a password, or is an old .xls"]),
        ("t.xlsx", b"PK\x03\x04", ["t.xlsx: is a damaged workbook"]),
        ("t.xls", b"", ["t.xls: .xls workbooks are not read"]),
        ("t.parquet", b"PAR1PAR1", ["t.parquet: is not Parquet, or is damaged"]),
        (
            "t.jsonl",
            '{"a":1}\n{"a":}\n[1]\n',
            ["t.jsonl:2: the line is not JSON", "t.jsonl:3: the line is not an"],
        ),
        ("t.jsonl", '{"a":1}\n\n{"a":[1]}\n', ['t.jsonl:3: "a" is not a single value']),
        ("t.jsonl", '{"a":1,"a":2}', ["t.jsonl:1: the line has a key twice"]),
        (
            "t.jsonl",
            '{"a":NaN}\n{"a":"\\ud800"}\n{"a":"\\u0000"}',
            ["t.jsonl:1: NaN", "t.jsonl:2: a t", "t.jsonl:3: a t"],
        ),
        ("t.jsonl", "[" * 100_000, ["t.jsonl:1: the line is nested too deeply"]),
        ("t.docx", b"", ["t.docx: is no kind of file that is read"]),
    ],
)
def test_faults_are_placed(file: str, text: str | bytes, expected: list[str], tmp_path: Path) -> None:
    found = faults(tmp_path, text, file)
    parts = [what.split(": ", 2) for what in found]
    places = [f"{place}: {message}" for place, _, message in parts]
    assert len(places) == len(expected) and all(map(str.startswith, places, expected)), places
    severity = "warning[D105]" if file == "t.docx" else "error[D104]" if "column" in expected[0] else None
    assert severity is None or parts[0][1] == severity


def test_faults_are_not_told_for_ever(tmp_path: Path) -> None:
    assert len(faults(tmp_path, "a\n" + "1,2\n" * 1000)) == 21


@pytest.mark.parametrize("titles", [["区政协台账"], ["区政协台账", "填报：办公室"]])
def test_titles_above_the_headings_are_passed_over(
    titles: list[str], tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    """A title merged over the sheet is one cell; rows keep the numbers a clerk sees."""
    rows = [*([title, "", ""] for title in titles), ["编号", "日期", "备注"], ["1", "2021.3.5", ""], ["2", "", "补"]]
    (tmp_path / "甲.csv").write_text(as_csv(rows), encoding="gb18030")
    write_workbook(tmp_path / "乙.xlsx", rows)
    wanted = [(len(titles) + 2, "1", "2021.3.5", None), (len(titles) + 3, "2", None, "补")]
    tables, problems = read(con, tmp_path)
    assert not problems
    assert [*tables.values()] == [wanted, wanted]


def test_folder_is_walked_in_order_and_never_left(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    assert [p.code for p in read(con, tmp_path / "none")[1]] == ["D101"]
    data = tmp_path / "data"
    for name in ("b/２ 月.csv", "b.csv", "a.csv", ".x/c.csv", ".d.csv", "~$e.xlsx", "README.md", "data.yaml"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("h\n1\n", encoding="utf-8")
    (data / "empty.csv").write_text("\n,,\n", encoding="utf-8")
    (tmp_path / "out.csv").write_text("h\n1\n", encoding="utf-8")
    (data / "out.csv").symlink_to(tmp_path / "out.csv")
    (data / "loop").symlink_to(data)
    (data / "lost.csv").symlink_to(data / "nothing")
    (data / "folder.csv").mkdir()
    problems = Problems()
    sheets = find_sheets(data, problems)
    assert [(s.file, s.names) for s in sheets] == [
        ("a.csv", ("a",)),
        ("b.csv", ("b",)),
        ("b/２ 月.csv", ("2 月",)),
    ]
    assert {(p.code, str(p.at)) for p in problems} == {
        ("D102", (data / name).as_posix()) for name in ("out.csv", "loop", "lost.csv")
    }


def test_rare_characters_and_many_rows_stream(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    # several of the reader's buffers, and of DuckDB's own
    count = 200_000
    text = "名,号,注\n" + "".join(f"㐂𠮷龦,{i},{'字' * 60}\n" for i in range(count))
    (tmp_path / "t.csv").write_bytes(text.encode("gb18030"))
    (tmp_path / "u.csv").write_bytes(text.encode())
    for sheet in find_sheets(tmp_path, Problems()):
        load(con, sheet, "t", ["名", "号"])
        wrong = con.execute("""select count(*), count(*) filter ("#row" <> 号::bigint + 2 or 名 <> '㐂𠮷龦') from t""")
        assert wrong.fetchall() == [(count, 0)]
        assert con.execute("select count(*) from duckdb_views() where view_name = 't'").fetchall() == [(1,)]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".xlsx", ".parquet"])
@settings(in_tmp, max_examples=30)
@given(st.binary(max_size=200))
@example(b"")
def test_random_bytes_are_read_or_refused(suffix: str, tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    assert all("[D10" in fault for fault in faults(folder, data, "t" + suffix))


@pytest.mark.parametrize("name", ["workbook", "parquet"])
def test_damaged_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    file, write, _ = FORMATS[name]
    write(tmp_path / file)
    whole, chance = (tmp_path / file).read_bytes(), random.Random(1)
    for _ in range(30):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 20)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        assert all("[D10" in fault for fault in faults(tmp_path, bytes(data), file))


@given(st.text())
def test_clean_settles(text: str) -> None:
    assert clean(clean(text)) == clean(text) == clean(f"\u3000{text}\ufeff\xa0 ")
