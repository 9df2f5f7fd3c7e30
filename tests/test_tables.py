"""From cells to values: each is read exactly or rejected with its place and reason, and nothing is lost."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from conftest import empty_folder, examples, write_csv, write_pack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from evaluator import load_pack
from evaluator.data.tables import load_tables
from evaluator.diagnostics import Problems
from evaluator.pack.definitions import Pack
from evaluator.sql.duck import DuckDatabase
from evaluator.sql.trees import table

PACK = """
    pack: typing
    title: {zh: 录入}
    language: zh
    period: {months: 12, ending: 12-31}
    tables:
      acts:
        files: [活动]
        key: id
        date: held_on
        fields:
          id:      {type: text, columns: [编号]}
          held_on: {type: date, columns: [日期], default: 2021-01-01}
          who:     {ref: person, by: [id, name], columns: [委员], optional: true}
          hours:   {type: number, columns: [学时], default: 1.5}
          heads:   {type: integer, columns: [人数], default: 7}
          open:    {type: boolean, columns: [公开], default: true}
          kind:    {one_of: {调研: [走访调研, ＡＢ　Ｃ], 培训: []}, columns: [类别], default: 培训}
          remark:  {type: text, columns: [备注], optional: true}
          until:   {type: date, columns: [结束], optional: true}
          cost:    {type: number, columns: [费用], optional: true}
      takes_part:
        unfold: acts
        into: person
        label: role
        columns: {主持: [主持人], 参加: [参加人]}
        separators: [、, ；]
        fields:
          person: {ref: person, by: [id, name]}
      visits:
        files: [走访]
        key: [act, who]
        fields:
          act: {ref: acts, columns: [活动]}
          who: {ref: person, columns: [委员]}
          note: {type: text, columns: [说明], optional: true}
"""
PERSON = """
    subject: person
    files: [名单]
    key: id
    display: name
    fields:
      id:   {type: text, columns: [编号]}
      name: {type: text, columns: [姓名]}
"""
PERSONS = [("001", "王一"), ("002", "李二"), ("003", "李二"), ("004", "005"), ("005", "赵五")]
ACTS = ("编号", "日期", "委员", "学时", "人数", "公开", "类别", "备注", "结束", "费用", "主持人", "参加人")
FIELDS = dict(
    zip(("held_on", "who", "hours", "heads", "open", "kind", "remark", "until", "cost"), ACTS[1:], strict=False)
)


@dataclass(frozen=True)
class Read:
    """The typed rows of each table, in the order of their keys, and the rejects."""

    tables: dict[str, list[dict[str, Any]]]
    rejects: list[tuple[str, str, str, int, str, str, str]]
    """table, file, sheet, row, column, value, reason"""

    def reasons(self, table: str) -> dict[int, list[tuple[str, str, str]]]:
        """Return column, value and reason of a table's rejects, by row."""
        found: dict[int, list[tuple[str, str, str]]] = {}
        for name, _, _, row, *why in self.rejects:
            if name == table:
                found.setdefault(row, []).append((why[0], why[1], why[2]))
        return found


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return load_pack(write_pack(tmp_path_factory.mktemp("pack"), pack=PACK, person=PERSON))


def read(pack: Pack, folder: Path) -> Read:
    """Type the tables of a folder."""
    db, problems = DuckDatabase(), Problems()
    period = {"period_start": dt.date(2021, 1, 1), "period_end": dt.date(2021, 12, 31)}
    try:
        loaded = load_tables(db, pack, folder, {"this_year": 2021, **period}, problems)
        problems.stop_on_errors()
        tables = {}
        for name, made in pack.tables.items():
            found = db.connection.execute(f'select * from data."{name}" order by "#sid"')
            names = [column[0] for column in found.description]
            tables[name] = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
            for field in made.fields.values():
                for row in tables[name]:
                    if field.type.base == "number" and row[field.name] is not None:
                        row[field.name] = Decimal(row[field.name]) / 1_000_000
        columns = '"table", "#src", "#row", "column", "value", "reason"'
        found = db.connection.execute(f"select {columns} from work.rejects order by all").fetchall()
    finally:
        db.close()
    rejects = [(table, loaded.sheets[src].file, loaded.sheets[src].sheet, row, *why) for table, src, row, *why in found]
    assert loaded.rejects == len(rejects)
    return Read(tables, rejects)  # type: ignore[arg-type]


def write(folder: Path, acts: Iterable[Sequence[object]], visits: Iterable[Sequence[object]] = ()) -> Path:
    """Write the files of the pack; the acts as rows of `ACTS` from the left."""
    write_csv(folder / "名单.csv", ("编号", "姓名"), PERSONS)
    write_csv(folder / "活动.csv", ACTS, [[*row, *[""] * (len(ACTS) - len(row))] for row in acts])
    write_csv(folder / "走访.csv", ("活动", "委员", "说明"), visits)
    return folder


def cells_of(field: str, cells: Sequence[object]) -> list[list[object]]:
    """Return acts that differ in one field only."""
    rows = []
    for number, cell in enumerate(cells):
        row: list[object] = [""] * len(ACTS)
        row[0], row[ACTS.index(FIELDS[field])] = f"a{number:03}", cell
        rows.append(row)
    return rows


BAD_DATE, BAD_NUMBER, BAD_WHOLE = "not a date", "not a number", "not a whole number"
BAD_TRUTH, BAD_WORD = "not true or false", "not one of 调研, 培训"
DAY = dt.date(2021, 3, 5)
CELLS: dict[str, dict[str, object]] = {
    "held_on": {
        **dict.fromkeys(("2021-03-05", "2021/3/5", "2021.3.5", "2021年3月5日", " 2021 年 3 月 5 日 "), DAY),
        **dict.fromkeys(("２０２１－０３－０５", "２０２１／３／５", "2021-03-05 09:30", "2021-03-05T09:30:59"), DAY),
        **dict.fromkeys(("44260", "44260.0", "４４２６０", "４４２６０．００", "２０２１．３－５"), DAY),
        "2020-02-29": dt.date(2020, 2, 29), "20000": dt.date(1954, 10, 3), "": dt.date(2021, 1, 1),
        **dict.fromkeys(("2021-02-30", "2021-02-29", "2021年13月1日", "2021-00-10", "0", "1", "99999"), BAD_DATE),
        **dict.fromkeys(("3月5日", "2021年3月", "21-3-5", "昨天", "2021-03-05前后", "44260.5", "-44260"), BAD_DATE),
        **dict.fromkeys(("44260．5", "2021，3，5"), BAD_DATE),
    },
    "hours": {
        "2": "2", " 2.50 ": "2.5", "-3": "-3", "+4.25": "4.25", "－３．５": "-3.5", "０７": "7", "": "1.5",
        "1,234,567.5": "1234567.5", "１，２３４": "1234", "1234567": "1234567", "-0": "0", "00012": "12",
        "＋１，２３４，567．50": "1234567.5",
        "0.1234564": "0.123456", "0.1234565": "0.123457", "-0.1234565": "-0.123457", "0.0000005": "0.000001",
        "0.00000049999999999": "0", "2.4999999999999999999999999999999999999999999999": "2.5",
        "999999999999.999999": "999999999999.999999", "999,999,999,999": "999999999999",
        **dict.fromkeys(("999999999999.9999999", "1000000000000", "1,000,000,000,000"), BAD_NUMBER),
        **dict.fromkeys(("1e3", "1E-7", "1,23", "12,34,567", "1.2.3", "--1", "5分", "一", "½", "1/2"), BAD_NUMBER),
        **dict.fromkeys(("５．", "１，２３", "－-1", "１／２"), BAD_NUMBER),
        **dict.fromkeys((".5", "5.", "NaN", "inf", "0x10", "1_000", "5 000", "50%"), BAD_NUMBER),
    },
    "heads": {
        "12": "12", " １２ ": "12", "1,200": "1200", "3.0": "3", "3.000": "3", "-5": "-5", "": "7",
        "999999999999": "999999999999", "＋１，２００．０": "1200",
        **dict.fromkeys(("3.5", "3.0000001", "1e3", "十", "1000000000000", "12人"), BAD_WHOLE),
    },
    "open": {
        **dict.fromkeys(("是", "true", "TRUE", "Yes", "y", "1", "１", "√", "✓", "有", "对", ""), True),
        **dict.fromkeys(("否", "false", "No", "n", "0", "×", "✗", "x", "Ｘ", "无", "错"), False),
        **dict.fromkeys(("是的", "2", "-1", "maybe", "1.0", "○"), BAD_TRUTH),
    },
    "kind": {
        **dict.fromkeys(("调研", " 走访调研　", "AB C", "ＡＢ Ｃ"), "调研"),
        **dict.fromkeys(("培训", ""), "培训"),
        **dict.fromkeys(("调 研", "ab c", "视察", "调研、培训"), BAD_WORD),
    },
    "remark": {
        "": "", "　": "", "007": "007", " 1,000 ": "1,000", "1e3": "1e3", "是": "是", "-": "-",
        "甲\n乙": "甲\n乙", "２０２１年": "2021年", "'引号\"": "'引号\"", "#N": "#N", "null": "null",
        **dict.fromkeys(("#N/A", "#DIV/0!", "#REF!"), "an error of the workbook"),
    },
    "until": {"": None, "2021-3-5": DAY, "2021-2-30": BAD_DATE, "#N/A": "an error of the workbook"},
    "cost": {"": None, "0": "0", "1.5": "1.5", "无": BAD_NUMBER, "#VALUE!": "an error of the workbook"},
    "who": {
        "": None, "001": "001", "王一": "001", " 王一 ": "001", "００２": "002",
        "005": "005", "赵五": "005",  # 004 is called 005, but a number comes first
        "李二": "borne by several rows of person", "孙六": "not in person", "1": "not in person",
        "#N/A": "an error of the workbook",
    },
}  # fmt: skip


@pytest.mark.parametrize("field", CELLS)
def test_every_cell_is_a_value_or_a_reject(pack: Pack, tmp_path: Path, field: str) -> None:
    wanted = CELLS[field]
    found = read(pack, write(tmp_path, cells_of(field, list(wanted))))
    values = {row["id"]: row[field] for row in found.tables["acts"]}
    if field == "who":
        persons = {row["#sid"]: row["id"] for row in found.tables["person"]}
        values = {key: value if value is None else persons[value] for key, value in values.items()}
    rejects = found.reasons("acts")
    for number, (cell, value) in enumerate(wanted.items()):
        key, row = f"a{number:03}", number + 2
        # a cell over two lines moves the rows below it
        row += sum(earlier.count("\n") for earlier in list(wanted)[:number])
        if row in rejects:
            [(column, shown, reason)] = rejects[row]
            assert (column, reason) == (FIELDS[field], value), cell
            assert shown and shown in cell.strip().translate(WIDE) and key not in values
        else:
            number_wanted = Decimal(str(value)) if field in ("hours", "cost") and value is not None else value
            number_wanted = int(str(value)) if field == "heads" and value != BAD_WHOLE else number_wanted
            assert (cell, values.get(key, "neither")) == (cell, number_wanted)


WIDE = {code: code - 0xFEE0 for code in range(0xFF10, 0xFF5B) if chr(code).isalnum()} | {0x3000: 0x20}


@given(st.lists(st.tuples(st.decimals(-(10**11), 10**11, places=9), st.integers(0, 7)), min_size=1, max_size=40))
@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_numbers_are_exact(pack: Pack, tmp_path: Path, numbers: list[tuple[Decimal, int]]) -> None:
    """However a number is written, it is read exactly, and rounded half away from zero to six places."""
    cells = []
    for number, style in numbers:
        cell = f"{number:,.9f}" if style & 1 else f"{number:.9f}"
        cell = f" {cell}0000　" if style & 2 else cell
        cells.append(
            cell.translate(str.maketrans("0123456789.,-", "０１２３４５６７８９．，－")) if style & 4 else cell
        )
    found = read(pack, write(empty_folder(tmp_path / "data"), cells_of("hours", cells)))
    assert found.rejects == []
    half_up = [number.quantize(Decimal("1.000000"), ROUND_HALF_UP) for number, _ in numbers]
    assert [row["hours"] for row in found.tables["acts"]] == half_up


def test_workbook_cells(pack: Pack, tmp_path: Path) -> None:
    """Dates, numbers, booleans and errors that Excel holds as such, and where they stand."""
    write(tmp_path, [])
    (tmp_path / "活动.csv").unlink()
    with xlsxwriter.Workbook(str(tmp_path / "台账.xlsx")) as book:
        sheet = book.add_worksheet("活动")
        sheet.write_row(2, 1, ACTS)  # the table does not begin in A1
        day = book.add_format({"num_format": "yyyy/m/d"})
        for row, cells in enumerate(
            [
                ("a1", DAY, "001", 0.1 + 0.2, 3, True),
                ("a2", 44260, 2, 1e-7, 3.0, 0),
                ("007", dt.datetime(2021, 3, 5, 9, 30), "", 123456789.125, "４", False),
                ("a4", "2021-2-30", "", "1e3", 2.5, "?"),
            ]
        ):
            for column, cell in enumerate(cells):
                if isinstance(cell, dt.date):
                    sheet.write_datetime(row + 3, column + 1, cell, day)
                else:
                    sheet.write(row + 3, column + 1, cell)
        sheet.write_string(7, 1, "a5")
        sheet.write_formula(7, 4, "=1/0", None, "#DIV/0!")
        sheet.write_formula(7, 8, "=NA()", None, "#N/A")
        book.add_worksheet("空白")
    found = read(pack, tmp_path)
    kept = [[row[n] for n in ("id", "held_on", "hours", "heads", "open", "#row")] for row in found.tables["acts"]]
    assert kept == [
        ["007", DAY, Decimal("123456789.125"), 4, False, 6],
        ["a1", DAY, Decimal("0.3"), 3, True, 4],
    ]
    place = ("acts", "台账.xlsx", "活动")
    assert sorted(found.rejects) == sorted(
        [
            (*place, 5, "委员", "2", "not in person"),
            (*place, 7, "日期", "2021-2-30", BAD_DATE),
            (*place, 7, "学时", "1e3", BAD_NUMBER),
            (*place, 7, "人数", "2.5", BAD_WHOLE),
            (*place, 7, "公开", "?", BAD_TRUTH),
            (*place, 8, "学时", "#DIV/0!", "an error of the workbook"),
            (*place, 8, "备注", "#N/A", "an error of the workbook"),
        ]
    )


@pytest.mark.parametrize(
    ("column", "kind", "cells", "wanted"),
    [
        ("日期", pa.date32(), [DAY, None], [DAY, dt.date(2021, 1, 1)]),
        ("日期", pa.timestamp("us"), [dt.datetime(2021, 3, 5, 9, 30)], [DAY]),
        ("学时", pa.int64(), [3, -2, None], ["3", "-2", "1.5"]),
        ("学时", pa.int64(), [10**11, 10**15, 2**63 - 1], [str(10**11), BAD_NUMBER, BAD_NUMBER]),
        ("学时", pa.uint64(), [7, 2**64 - 1], ["7", BAD_NUMBER]),
        ("学时", pa.float64(), [0.25, 1e-7, 1e300, float("nan")], ["0.25", *[BAD_NUMBER] * 3]),
        ("学时", pa.decimal128(38, 9), [Decimal("1.000000500"), Decimal(10) ** 20], ["1.000001", BAD_NUMBER]),
        ("人数", pa.int64(), [5, 2**63 - 1], [5, BAD_WHOLE]),
        ("人数", pa.float64(), [5.0, 5.5], [5, BAD_WHOLE]),
        ("公开", pa.bool_(), [False, True, None], [False, True, True]),
        ("公开", pa.int8(), [0, 1, 2], [False, True, BAD_TRUTH]),
        ("备注", pa.int64(), [42], ["42"]),
        ("备注", pa.date32(), [DAY], ["2021-03-05"]),
    ],
)
def test_parquet_types(
    pack: Pack, tmp_path: Path, column: str, kind: pa.DataType, cells: list[object], wanted: list[object]
) -> None:
    """A column that has a type of its own is read by it; what does not fit is a reject like any other."""
    write(tmp_path, [])
    (tmp_path / "活动.csv").unlink()
    texts = {heading: pa.array([""] * len(cells)) for heading in ACTS if heading not in ("编号", column)}
    keys = pa.array([f"a{n}" for n in range(len(cells))])
    pq.write_table(pa.table({"编号": keys, column: pa.array(cells, kind), **texts}), tmp_path / "活动.parquet")
    found = read(pack, tmp_path)
    field = next(name for name, heading in FIELDS.items() if heading == column)
    values = {row["id"]: row[field] for row in found.tables["acts"]}
    reasons = found.reasons("acts")
    for number, value in enumerate(wanted):
        value = Decimal(str(value)) if field == "hours" and value != BAD_NUMBER else value
        got = values[f"a{number}"] if f"a{number}" in values else reasons[number + 1][0][2]
        assert (cells[number], got) == (cells[number], value)


def test_required_and_missing_columns(pack: Pack, tmp_path: Path) -> None:
    """An empty key is a reject; a column that has a default or is optional may be missing altogether."""
    write(tmp_path, [])
    write_csv(tmp_path / "名单.csv", ("编号", "姓名"), [("", "无号"), ("009", " "), ("", ""), ("010", "有名")])
    write_csv(tmp_path / "活动.csv", ("编号", "主持人", "参加人"), [("a", "", "")])
    found = read(pack, tmp_path)
    assert [row["id"] for row in found.tables["person"]] == ["010"]
    assert found.reasons("person") == {2: [("编号", "", "empty")], 3: [("姓名", "", "empty")]}
    [act] = found.tables["acts"]
    assert [act[name] for name in FIELDS] == [
        *(dt.date(2021, 1, 1), None, Decimal("1.5"), 7, True, "培训", "", None, None),
    ]


def test_keys_twice(pack: Pack, tmp_path: Path) -> None:
    """The same row again is dropped and said so; rows that differ are all rejected, and so is what refers to them."""
    act = ["2021-3-5", "001", "2", "", "", "", "", "", "", "王一、002", ""]
    write(
        tmp_path,
        [
            *(["same", *act], ["differ", *act], ["same ", *act], ["single", *act]),
            *(["differ", *act[:2], "3", *act[3:]], ["same", "2021年3月5日", *act[1:]], ["bad", "2021-2-30"]),
        ],
        [
            ("single", "001", ""),
            ("differ", "001", ""),
            ("single", "001", "again"),
            ("single", "004", ""),
            ("bad", "001", ""),
        ],
    )
    found = read(pack, tmp_path)
    assert [(row["id"], row["#row"]) for row in found.tables["acts"]] == [("same", 2), ("single", 5)]
    assert found.reasons("acts") == {
        3: [("编号", "differ", "another row has this key")],
        4: [("编号", "same", "the same row again")],
        6: [("编号", "differ", "another row has this key")],
        7: [("编号", "same", "the same row again")],
        8: [("日期", "2021-2-30", BAD_DATE)],
    }
    assert [(row["#key"], row["#row"]) for row in found.tables["visits"]] == [("single/004", 5)]
    assert found.reasons("visits") == {
        2: [("活动 + 委员", "single/001", "another row has this key")],
        3: [("活动", "differ", "not in acts")],
        4: [("活动 + 委员", "single/001", "another row has this key")],
        6: [("活动", "bad", "not in acts")],
    }
    hosts = [row["#key"] for row in found.tables["takes_part"]]
    assert hosts == ["same/1", "same/2", "single/1", "single/2"]


def test_names_in_cells(pack: Pack, tmp_path: Path) -> None:
    """A name that cannot be found is rejected by itself; the others on the record still count."""
    rows = [["a", *[""] * 9, "王一、、 002 ；", "005；王一；李二；孙六；004、#N/A"], ["b"], ["c", *[""] * 9, "", "；"]]
    found = read(pack, write(tmp_path, rows))
    persons = {row["#sid"]: row["id"] for row in found.tables["person"]}
    names = ("#key", "role", "#column", "position", "people", "#row")
    assert [(persons[row["person"]], *(row[n] for n in names)) for row in found.tables["takes_part"]] == [
        ("001", "a/1", "主持", "主持人", 1, 4, 2),
        ("002", "a/2", "主持", "主持人", 2, 4, 2),
        ("005", "a/3", "参加", "参加人", 3, 4, 2),
        ("004", "a/4", "参加", "参加人", 4, 4, 2),
    ]
    assert [row["id"] for row in found.tables["acts"]] == ["a", "b", "c"]
    assert sorted(found.reasons("takes_part")[2]) == sorted(
        [
            ("参加人", "王一", "named twice on this record"),
            ("参加人", "李二", "borne by several rows of person"),
            ("参加人", "孙六", "not in person"),
            ("参加人", "#N/A", "an error of the workbook"),
        ]
    )


# Nothing lost

pools: dict[str, st.SearchStrategy[str]] = {
    field: st.sampled_from(list(cells)) | st.sampled_from([c for c, v in cells.items() if v not in REASONS])
    for REASONS in [(BAD_DATE, BAD_NUMBER, BAD_WHOLE, BAD_TRUTH, BAD_WORD)]
    for field, cells in CELLS.items()
}
keys = st.sampled_from(["", "　", "a", "b", "c", "d", "e", "Ｆ", "f", "007", "7"])
people = st.lists(st.sampled_from(["001", "王一", "李二", "005", "孙六", "004", ""]), max_size=4).map("、".join)
acts_rows = st.tuples(keys, *(pools[field] for field in FIELDS), people, people)


@given(st.lists(acts_rows, max_size=14), st.lists(st.tuples(keys, people, st.just("x")), max_size=6))
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_is_lost(pack: Pack, tmp_path: Path, acts: list[Any], visits: list[Any]) -> None:
    """Each row is typed or rejected, for every cell that is wrong and for none that is right."""
    found = read(pack, write(empty_folder(tmp_path / "data"), acts, visits))
    places, line = {}, 2
    for row in acts:
        if any(cell.strip() for cell in row):
            places[line] = row
        line += 1 + sum(cell.count("\n") for cell in row)
    kept = {row["#row"]: row for row in found.tables["acts"]}
    rejects = found.reasons("acts")
    assert kept.keys() | rejects.keys() == places.keys()
    assert not kept.keys() & rejects.keys()
    assert {row for _, file, _, row, *_ in found.rejects if file == "活动.csv"} <= places.keys()

    faults = {}
    for place, row in places.items():
        wrong = {} if row[0].strip() else {"编号": "empty"}
        for field, cell in zip(FIELDS, row[1:], strict=False):
            if isinstance(value := CELLS[field][cell], str) and is_reason(value):
                wrong[FIELDS[field]] = value
        faults[place] = wrong
    for place, wrong in faults.items():
        if wrong:
            assert {column: reason for column, _, reason in rejects[place]} == wrong
    sound = {place: row for place, row in places.items() if not faults[place]}
    bearers = Counter(row[0].strip().translate(WIDE) for row in sound.values())
    for place, row in sound.items():
        key = row[0].strip().translate(WIDE)
        if bearers[key] == 1:
            assert kept[place]["id"] == key
        elif place in rejects:
            assert rejects[place][0][0] == "编号"
    assert len({row["id"] for row in kept.values()}) == len(kept)

    named = Counter()
    for place in kept:
        for cell in places[place][-2:]:
            named[place] += sum(bool(name.strip()) for name in cell.split("、"))
    counted = Counter(row["#row"] for row in found.tables["takes_part"])
    counted += Counter({place: len(why) for place, why in found.reasons("takes_part").items()})
    assert counted == +named
    visited = {row["#row"] for row in found.tables["visits"]}
    assert visited | found.reasons("visits").keys() == {*range(2, 2 + len(visits))}
    assert not visited & found.reasons("visits").keys()


WORDS = """
    pack: words
    title: {zh: 词}
    language: zh
    period: {months: 12, ending: 12-31}
    tables:
      acts:
        key: id
        blanks: [无, －]
        fields:
          id:    integer
          plain: {one_of: [好, 中, 差]}
          late:  {one_of: [好, 中, 差], optional: true}
          given: {one_of: [好, 中, 差], default: 中}
          other: {one_of: {好: [优, ＡＢ], 中: [好的], 差: [中等]}, default: 差}
          none:  {one_of: [无, 有], optional: true}
          error: {one_of: ["#N/A", 有], optional: true}
          sure:  {one_of: ["#N/A", 有]}
"""

# rows in which something is wrong, each with the rejects it becomes
WRONG_WORDS = [
    (("5", "无", "", "", "", "", "", "有"), [("plain", "", "empty")]),
    (("6", "优", "", "", "", "", "", "有"), [("plain", "优", "not one of 好, 中, 差")]),
    (("7", "好", "", "坏", "", "", "", "有"), [("given", "坏", "not one of 好, 中, 差")]),
    (("8", "好", "", "", "", "", "#N/A", "有"), [("error", "#N/A", "an error of the workbook")]),
    (("9", "好", "", "", "", "", "", "#N/A"), [("sure", "#N/A", "an error of the workbook")]),
]


@pytest.mark.parametrize("wrong", [[], *([row] for row in WRONG_WORDS), WRONG_WORDS], ids=len)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_words_of_a_list(tmp_path: Path, form: str, wrong: list[tuple[tuple[str, ...], list[tuple[str, ...]]]]) -> None:
    """As they are listed or not quite, for nothing, and others: the same from every kind of file."""
    pack = load_pack(write_pack(tmp_path / "words", pack=WORDS))
    names = ("id", "plain", "late", "given", "other", "none", "error", "sure")
    rows: list[tuple[str, ...]] = [
        ("1", "好", "", "", "优", "无", "有", "有"),
        ("2", " 好 ", "差", "差", "AB", "有", "", "有"),
        ("3", "　中", "－", "无", "好的", "", " 有", "有 "),
        ("4", "差", "中 ", "好", "中等", " 有", "", "有"),
    ]
    rows += [row for row, _ in wrong]
    (tmp_path / "data").mkdir()
    if form == "csv":
        write_csv(tmp_path / "data" / "acts.csv", names, rows)
    else:
        columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        pq.write_table(pa.table(columns), tmp_path / "data" / "acts.parquet")
    found = read(pack, tmp_path / "data")
    listed = [tuple(row[name] for name in names) for row in found.tables["acts"]]
    assert listed == [
        (1, "好", "", "中", "好", "", "有", "有"),
        (2, "好", "差", "差", "好", "有", "", "有"),
        (3, "中", "", "中", "中", "", "有", "有"),
        (4, "差", "中", "好", "差", "有", "", "有"),
    ]
    assert [reject[4:] for reject in found.rejects] == [reject for _, rejects in wrong for reject in rejects]


def test_a_name_in_doubt_that_is_another_key(tmp_path: Path) -> None:
    """Where a name is borne twice, nobody is meant, not even who has it as a key; the rest of the sheet is sound."""
    pack = load_pack(
        write_pack(
            tmp_path / "pack",
            pack="pack: doubt\nlanguage: zh\ntitle: {zh: 疑}\n"
            "tables: {notes: {key: id, fields: {id: text, who: {ref: person, by: [name, id]}}}}",
            person="subject: person\nkey: id\nfields: {id: text, name: text}",
        )
    )
    write_csv(tmp_path / "data" / "person.csv", ("id", "name"), [("1", "李二"), ("2", "李二"), ("李二", "孙六")])
    write_csv(tmp_path / "data" / "notes.csv", ("id", "who"), [("a", "孙六"), ("b", "李二"), ("c", "2")])
    found = read(pack, tmp_path / "data")
    assert [row["id"] for row in found.tables["notes"]] == ["a", "c"]
    assert found.reasons("notes") == {3: [("who", "李二", "borne by several rows of person")]}


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.one_of(st.integers(-4, 60), st.integers(-(10**12), 10**12)), max_size=40), st.booleans())
def test_a_key_twice_is_found_in_whatever_way_it_is_looked_for(numbers: list[int], is_map: bool) -> None:
    db = DuckDatabase()
    try:
        db.connection.execute("create table work.t as select unnest($1::bigint[]) as k", [numbers])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("evaluator.sql.duck.MANY", 1 if is_map else 10**6)
            rows = exp.select(exp.Star()).from_(table("t", "work"))
            assert db.has_twice(rows, ["k"], is_integer=True) == (len(set(numbers)) < len(numbers))
    finally:
        db.close()


def test_files_written_two_at_a_time(tmp_path: Path) -> None:
    """Each has its rows in order; where one cannot be written, that is said, and no other is begun."""
    db = DuckDatabase()
    try:
        db.connection.execute("create table work.t as select unnest(range(50000)) as n")
        rows = exp.select(exp.Star()).from_(table("t", "work"))
        parts = {
            tmp_path / f"{n}.parquet": rows.where(f"n % 7 = {n}").order_by("n desc") for n in range(7)
        }  # fmt: skip
        db.write_all(parts)
        for n, file in enumerate(parts):
            assert pq.read_table(file)["n"].to_pylist() == [k for k in reversed(range(50000)) if k % 7 == n]
        (tmp_path / "there").mkdir()
        for bad in ({0, 1}, {2}):  # both threads meet one; either does
            asked = {
                tmp_path / ("gone" if n in bad else "there") / f"{n}.csv": query
                for n, query in enumerate(parts.values())
            }
            with pytest.raises(OSError, match="gone"):
                db.write_all(asked)
            assert bad == {2} or not list((tmp_path / "there").iterdir())
        statements = iter([db._as_copy(rows, tmp_path / to / "last.csv") for to in ("gone", "there", "there")])
        with pytest.raises(OSError, match="gone"):
            db._copy(db.connection, statements)
        assert not list(statements)  # the other thread finds nothing to begin
        assert not (tmp_path / "there" / "last.csv").exists()
        assert len(db.interrupts.connections) == 1
    finally:
        db.close()


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1, unique=True))
def test_listed_words_compare_as_text_does(words: list[str]) -> None:
    db = DuckDatabase()
    try:
        kind = db.listing(words).sql("duckdb")
        db.connection.execute(f"create table t as select unnest($1::text[]) as w, cast(w as {kind}) as k", [words])
        found = db.connection.execute("select list(w order by k), list(w order by w), max(k)::text from t").fetchall()
        assert found == [(sorted(words, key=str.encode), sorted(words, key=str.encode), max(words, key=str.encode))]
    finally:
        db.close()


def test_rows_twice_where_a_field_is_called_reason(tmp_path: Path) -> None:
    """What is wrong with a row is told apart from what the row says."""
    notes = "{key: id, fields: {id: text, reason: text}}"
    made = write_pack(
        tmp_path / "pack",
        pack=f"pack: notes\nlanguage: zh\ntitle: {{zh: 记事}}\ntables:\n  notes: {notes}",
        person="subject: person\nkey: id\nfields: {id: text}",
    )
    rows = [("1", "甲"), ("2", "乙"), ("2", "乙"), ("3", "丙"), ("3", "丁")]
    write_csv(tmp_path / "data" / "notes.csv", ("id", "reason"), rows)
    write_csv(tmp_path / "data" / "person.csv", ("id",), [("p",)])
    found = read(load_pack(made), tmp_path / "data")
    assert [row["reason"] for row in found.tables["notes"]] == ["甲", "乙"]
    assert {row: why[0][2] for row, why in found.reasons("notes").items()} == {
        4: "the same row again", 5: "another row has this key", 6: "another row has this key",
    }  # fmt: skip


def is_reason(value: str) -> bool:
    """Whether this is why a cell is rejected, and not what it is read as."""
    return value.startswith(("not ", "an error", "borne"))
