"""The run folder: whole or absent, the same bytes every time, safe to open in whatever people open files with."""

from __future__ import annotations

import csv
import datetime as dt
import errno
import hashlib
import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import DATA, RULES, YEARS, bytes_of, history_of, rows_of, write_csv, write_pack
from python_calamine import CalamineWorkbook

import evaluator
from evaluator.diagnostics import Stop
from evaluator.pack.definitions import Pack

ODD_PACK = """
    pack: odd
    title: {zh: 各种写法}
    language: zh
    period: {months: 12, ending: 12-31}
    tables:
      gifts:
        files: [捐赠]
        key: id
        fields:
          id:     {type: text, columns: [编号]}
          person: {ref: person, columns: [人]}
          amount: {type: number, columns: [金额]}
"""
ODD_PERSON = """
    subject: person
    files: [名单]
    key: id
    display: name
    fields:
      id:    {type: text, columns: [编号]}
      name:  {type: text, columns: [姓名]}
      born:  {type: date, columns: [生日], optional: true}
      note:  {type: text, columns: [备注], optional: true}
      local: {type: boolean, columns: [本地]}
    not_ranked: [{when: not local, reason: 外地}]
    measures:
      gifts: {count: gifts}
    score:
      items:
        - {id: given, each: gifts, points: amount}
    rosters:
      - id: all
        order_by: [total desc]
        rank: dense
        within: local
        columns: [rank, id, name, born, note, local, gifts, total]
      - id: nobody
        where: total > 1000000
        order_by: [total]
        rank: ordinal
        columns: [rank, name]
"""
FORMULAS = ["=1+1", "+86 138", "-王", "@SUM(A1)", "＝Ｂ２", "＋1", "－1", "＠x", "=cmd|' /C calc'!A0"]
ODD_NAMES = [
    *FORMULAS,
    *('a,b', 'say "hi"', '"', "'quoted", "两\n行", "007", "1e5", "true", "null", "#N", "王㐀𠮷", "a\tb"),
    *("https://example.org", "mailto:a@b", "{=1}", "_x0041_", "很长的名字" * 30, "NULL", "2021-3-5", "  ＡＢ "),
]  # fmt: skip


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of people with every odd name, some of whose rows are rejected."""
    home = tmp_path_factory.mktemp("odd")
    pack = write_pack(home / "pack", pack=ODD_PACK, person=ODD_PERSON)
    days = ["", "1949-10-01", "2001/2/3", "1850-01-01"]
    write_csv(
        home / "data" / "名单.csv",
        ("编号", "姓名", "生日", "备注", "本地"),
        [
            *([f"{n:03}", x, days[n % 4], x[::-1], "否" if n % 5 == 4 else "是"] for n, x in enumerate(ODD_NAMES)),
            *([bad, "无名", "昨天", "", "是"] for bad in FORMULAS),
        ],
    )  # fmt: skip
    gifts = [[n, f"{n % len(ODD_NAMES):03}", Decimal(n * n - 700) / 7] for n in range(60)]
    write_csv(home / "data" / "捐赠.csv", ("编号", "人", "金额"), [[*g[:2], f"{g[2]:.6f}"] for g in gifts])
    return evaluator.run(pack, home / "data", 2021, home / "out", accept_rejects=True)


# The same bytes


@pytest.mark.parametrize("threads", [1, 5])
def test_same_bytes_again(runs: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """Neither the clock, the number of threads, the working directory nor the way paths are written shows."""
    with_threads(monkeypatch, threads)
    shutil.copytree(DATA / "2021", tmp_path / "sheets")
    shutil.copytree(RULES, tmp_path / "rules")
    for name in ("sheets", "rules"):
        for file in (tmp_path / name).iterdir():
            file.touch()
    monkeypatch.chdir(tmp_path / "sheets")
    again = evaluator.run("../rules", ".", 2021, "../again", [runs[2020]])
    assert bytes_of(again) == bytes_of(runs[2021])


def test_same_bytes_of_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for tables of several row groups, which several threads compute and write."""
    pack = write_pack(tmp_path / "pack", pack=ODD_PACK, person=ODD_PERSON)
    (tmp_path / "data").mkdir()
    db = duckdb.connect()
    people = "select i as 编号, 'n' || i as 姓名, '是' as 本地 from range(3000) t(i)"
    gifts = "select i as 编号, (i * 7919) % 3000 as 人, ((i * 31) % 1000) / 8 as 金额 from range(130000) t(i)"
    for name, query in (("名单", people), ("捐赠", gifts)):
        db.execute(f"copy ({query}) to '{tmp_path}/data/{name}.csv' (header)")
    found = []
    for threads in (1, 4):
        with monkeypatch.context() as patch:
            with_threads(patch, threads)
            patch.setattr("evaluator.report.run_folder.LARGEST_WORKBOOK", 1000)
            out = evaluator.run(pack, tmp_path / "data", 2021, tmp_path / f"out{threads}")
        found.append(bytes_of(out))
        assert not (out / "rosters.xlsx").exists()
    assert found[0] == found[1]
    assert pq.ParquetFile(out / "records" / "gifts.parquet").num_row_groups > 1


def with_threads(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    connect = duckdb.connect

    def connect_with(*args: Any, config: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        return connect(*args, config={**(config or {}), "threads": threads}, **kwargs)

    monkeypatch.setattr(duckdb, "connect", connect_with)


# Whole or absent


class SurpriseError(Exception):
    """Something nobody expected."""


FAILURES: dict[str, tuple[str, Callable[[], BaseException]]] = {
    "first table": ("evaluator.report.run_folder._Writer._subjects", SurpriseError),
    "rosters": ("evaluator.report.run_folder.write_csv", lambda: OSError(errno.ENOSPC, "No space left on device")),
    "workbook": ("evaluator.report.run_folder.write_workbook", SurpriseError),
    "stopped": ("evaluator.report.run_folder.write_workbook", KeyboardInterrupt),
    "manifest": ("json.dumps", SurpriseError),
    "last step": ("pathlib.Path.rename", lambda: OSError(errno.EXDEV, "Invalid cross-device link")),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_nothing_is_left_of_a_failed_run(
    odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    where, make = FAILURES[failure]
    wrong = make()

    def fail(*_: object, **__: object) -> None:
        raise wrong

    monkeypatch.setattr(where, fail)
    with pytest.raises((Stop, SurpriseError, KeyboardInterrupt)) as raised:
        evaluator.run(odd.parent / "pack", odd.parent / "data", 2021, tmp_path / "out", accept_rejects=True)
    if isinstance(wrong, OSError):
        assert isinstance(raised.value, Stop)
        assert [p.code for p in raised.value.problems] == ["R109"]
        assert wrong.strerror in str(raised.value)
    else:
        assert raised.value is wrong
    assert list(tmp_path.iterdir()) == []


def test_another_result_is_never_overwritten(odd: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(odd, out)
    before = {file: file.stat().st_mtime_ns for file in (out, *out.rglob("*"))}
    pack = evaluator.load_pack(odd.parent / "pack")

    def again(year: int) -> Path:
        return evaluator.run(pack, odd.parent / "data", year, out, accept_rejects=True)

    assert stops(lambda: again(2020)) == ["R109"]
    assert again(2021) == out  # the very same
    assert {file: file.stat().st_mtime_ns for file in (out, *out.rglob("*"))} == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_places_where_no_result_can_go(daguan: Pack, tmp_path: Path) -> None:
    """Known before the work is done: a file, a folder of something else, below a file."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    for out in ("file", "folder", "empty", "file/out", "."):
        assert stops(lambda out=out: evaluator.run(daguan, tmp_path / "no data", 2020, tmp_path / out)) == ["R109"]
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["empty", "file", "folder", "mine.txt"]


def stops(action: Callable[[], object]) -> list[str]:
    """Return the codes an action stops with."""
    with pytest.raises(Stop) as stopped:
        action()
    return [problem.code for problem in stopped.value.problems]


# What the files hold


@pytest.mark.parametrize("year", YEARS)
def test_manifest(runs: dict[int, Path], year: int) -> None:
    """Everything in the folder and everything that went into it can be told again by its hash."""
    manifest = json.loads((runs[year] / "manifest.json").read_text(encoding="utf-8"))
    files = bytes_of(runs[year])
    del files["manifest.json"]
    assert manifest["outputs"] == {name: sha256(content) for name, content in files.items()}
    assert manifest["data"]["files"] == {p.name: sha256(p.read_bytes()) for p in sorted((DATA / str(year)).iterdir())}
    assert {n.partition("/")[2]: c for n, c in files.items() if n.startswith("pack/")} == {
        path.name: path.read_bytes()
        for path in RULES.glob("*.yaml")  # the rules; their cases judge nobody
    }
    earlier = history_of(runs, year)
    hashes = [sha256((folder / "manifest.json").read_bytes()) for folder in earlier]
    assert [past["sha256"] for past in manifest["history"]] == hashes
    assert manifest["year"] == year
    assert manifest["period"] == [f"{year}-01-01", f"{year}-12-31"]
    counts = manifest["counts"]
    assert counts["subjects"] == {k: len(rows_of(runs[year], f"subjects/{k}")) for k in counts["subjects"]}
    assert counts["records"] == {t: len(rows_of(runs[year], f"records/{t}")) for t in counts["records"]}
    assert str(DATA) not in json.dumps(manifest)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_parquet_is_readable_and_exact(odd: Path) -> None:
    for file in odd.rglob("*.parquet"):
        table = pq.read_table(file)
        assert not any(pa.types.is_floating(column.type) for column in table.schema), file
    schema = pq.read_schema(odd / "subjects" / "person.parquet")
    decimals = [schema.field(name).type for name in ("total", "raw.total", "points.given", "raw.given")]
    assert decimals == [pa.decimal128(18, 6)] * 4
    assert pq.read_schema(odd / "records" / "gifts.parquet").field("amount").type == pa.decimal128(18, 6)
    sums: dict[str, Decimal] = {}
    for gift in rows_of(odd, "records/gifts"):
        sums[str(gift["person"])] = sums.get(str(gift["person"]), Decimal(0)) + gift["amount"]  # type: ignore[operator]
    totals = {row["key"]: row["total"] for row in rows_of(odd, "subjects/person")}
    assert totals == {f"{n:03}": sums.get(f"{n:03}", Decimal(0)) for n in range(len(ODD_NAMES))}


def test_csv_opens_in_a_spreadsheet(odd: Path) -> None:
    """UTF-8 with a mark, no cell that could become a formula, numbers and dates as such."""
    headings, *lines, last = read_csv(odd / "rosters" / "person.all.csv")
    assert headings == ["本地", "名次", "编号", "姓名", "生日", "备注", "本地", "gifts", "总分"][: len(headings)]
    assert last == [f"本次评定排除了 {len(FORMULAS)} 行不合格数据，见 rejects.csv"]
    rows = rows_of(odd, "rosters/person.all")
    assert len(lines) == len(rows) == len(ODD_NAMES)
    assert any(row["total"] < 0 for row in rows)  # type: ignore[operator]
    for line, row in zip(lines, rows, strict=True):
        group, rank, key, name, born, note, local, gifts, total = line
        assert [group, local] == ["是" if row["local"] else "否"] * 2
        assert (rank, key) == (str(row["rank"] or ""), row["id"])
        assert (name, note) == (as_guarded(row["name"]), as_guarded(row["note"]))
        assert born == (row["born"].isoformat() if row["born"] else "")  # type: ignore[attr-defined]
        assert gifts == str(row["gifts"])
        assert re.fullmatch(r"-?\d+(\.\d*[1-9])?", total)
        assert Decimal(total) == row["total"]
    assert read_csv(odd / "rosters" / "person.nobody.csv")[0] == ["名次", "姓名"]


@pytest.mark.parametrize("points", ["amount}", "amount, max: 10}"])
def test_sum_too_large(tmp_path: Path, points: str) -> None:
    """Each number fits, their sum does not, before its cap or at all: it is said, and nothing written."""
    pack = write_pack(tmp_path / "pack", pack=ODD_PACK, person=ODD_PERSON.replace("amount}", points))
    write_csv(tmp_path / "data" / "名单.csv", ("编号", "姓名", "本地"), [("1", "王", "是")])
    gifts = [(n, "1", "999999999999.999999") for n in range(2)]
    write_csv(tmp_path / "data" / "捐赠.csv", ("编号", "人", "金额"), gifts)
    assert stops(lambda: evaluator.run(pack, tmp_path / "data", 2021, tmp_path / "out")) == ["R108"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "pack"]


def test_rejects(odd: Path) -> None:
    headings, *lines = read_csv(odd / "rejects.csv")
    assert headings == ["file", "sheet", "row", "table", "column", "value", "reason"]
    first = 2 + len(ODD_NAMES) + sum(name.count("\n") * 2 for name in ODD_NAMES)
    assert lines == [
        ["名单.csv", "", str(first + n), "person", "生日", "昨天", "not a date"] for n in range(len(FORMULAS))
    ]
    kept = [list(map(str, row.values())) for row in rows_of(odd, "rejects")]
    assert kept == lines
    counts = json.loads((odd / "manifest.json").read_text(encoding="utf-8"))["counts"]
    assert counts["rejects"] == len(FORMULAS)


def test_rejected_formulas_are_guarded(tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", pack=ODD_PACK, person=ODD_PERSON)
    write_csv(tmp_path / "data" / "名单.csv", ("编号", "姓名", "本地"), [("1", "王", "是")])
    write_csv(tmp_path / "data" / "捐赠.csv", ("编号", "人", "金额"), [(n, "1", f) for n, f in enumerate(FORMULAS)])
    out = evaluator.run(pack, tmp_path / "data", 2021, tmp_path / "out", accept_rejects=True)
    values = {line[5] for line in read_csv(out / "rejects.csv")[1:]}
    accepted = {"＋1", "－1"}  # which are numbers
    assert values == {as_guarded(formula.replace("Ｂ２", "B2")) for formula in FORMULAS if formula not in accepted}


@pytest.mark.parametrize("text", ["\t=1", "\r=1", "\n=1", "=", "＝", "-", "@", "+", "－", "＠", "＋"])
def test_whatever_begins_a_formula_is_guarded(text: str) -> None:
    from evaluator.report.roster import guarded
    from evaluator.sql.lower import text as quoted

    with duckdb.connect() as db:
        assert db.execute("select " + guarded(quoted(text)).sql("duckdb")).fetchall() == [("'" + text,)]


def as_guarded(text: object) -> str:
    return f"'{text}" if str(text)[:1] in tuple("=+-@＝＋－＠\t\r\n") else str(text)


def read_csv(file: Path) -> list[list[str]]:
    content = file.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert not content.startswith(b"\xef\xbb\xbf" * 2)
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))


def test_workbook_holds_values_not_formulas(odd: Path) -> None:
    book = CalamineWorkbook.from_path(odd / "rosters.xlsx")
    assert book.sheet_names == ["person · all", "person · nobody"]
    headings, *lines = book.get_sheet_by_index(0).to_python()
    assert headings == ["本地", "名次", "编号", "姓名", "生日", "备注", "本地", "gifts", "总分"]
    rows = rows_of(odd, "rosters/person.all")
    assert lines[len(rows)] == [""] * 9
    assert lines[len(rows) + 1][0] == f"本次评定排除了 {len(FORMULAS)} 行不合格数据，见 rejects.csv"
    assert len(lines) == len(rows) + 2
    for line, row in zip(lines, rows, strict=False):
        local = "是" if row["local"] else "否"
        rank: Any = row["rank"] or ""
        assert [*line[:4], *line[5:8]] == [
            *(local, rank, row["id"], row["name"], row["note"], local, row["gifts"]),
        ]  # fmt: skip
        assert Decimal(str(line[8])) == row["total"]
        born: Any = row["born"]
        if born is None or born >= dt.date(1900, 3, 1):
            assert line[4] == (born or "")
        else:  # before Excel's calendar begins
            assert line[4] == born.isoformat()
    with zipfile.ZipFile(odd / "rosters.xlsx") as archive:
        parts = [n for n in archive.namelist() if n.startswith("xl/worksheets/")]
        content = b"".join(map(archive.read, parts))
        assert b"<f" not in content.replace(b"<fonts", b"")
        assert b"hyperlink" not in content
        assert {info.date_time[:3] for info in archive.infolist()} == {(1980, 1, 1)}


MANY = """
    pack: many
    title: {en: Many}
    language: en
    tables:
      works:
        files: ["works-*"]
        key: id
        date: held_on
        fields: {id: text, held_on: date, person: {ref: person}, hours: number}
"""
OF_MANY = """
    subject: person
    key: id
    fields: {id: text}
    measures: {hours: {sum: hours, of: works}}
    rosters: [{id: all, order_by: [hours desc], columns: [rank, id, hours]}]
"""


def test_many_files_with_many_rejects(tmp_path: Path) -> None:
    """A table is put together from files of one pattern; of rejects the first are listed, all counted, all written."""
    pack = write_pack(tmp_path / "pack", pack=MANY, person=OF_MANY)
    data = tmp_path / "data"
    (data / "later").mkdir(parents=True)
    (data / "person.csv").write_text("id\nA\n", encoding="utf-8")
    for part in range(3):
        rows = [f"{part}-{n},2021-05-05,{'A' if n % 3 else 'B'},{'x' if n % 2 else 1}" for n in range(700)]
        folder = data / "later" if part == 2 else data
        (folder / f"works-{part:02}.csv").write_text("\n".join(["id,held_on,person,hours", *rows]), encoding="utf-8")
    with pytest.raises(Stop) as stopped:
        evaluator.run(pack, data, 2021, tmp_path / "out")
    last = stopped.value.problems[-1]
    strangers, odd = 3 * 234, 3 * 350
    assert last.message == (
        f"{strangers + odd - 1000} more rejects are not shown; of all there are "
        f"1,050 × not a number (works, hours), 702 × not in person (works, person)"
    )
    assert "--accept-rejects" in (last.fix or "")
    assert len(stopped.value.problems) == 1001
    out = evaluator.run(pack, data, 2021, tmp_path / "out", accept_rejects=True)
    assert len((out / "rejects.csv").read_text(encoding="utf-8").splitlines()) == 1 + strangers + odd
    assert rows_of(out, "rosters/person.all")[0]["hours"] == 3 * 233
