"""What holds for any data: files may come in any order and format, lines add up, awards and ranks are consistent."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from conftest import (
    DATA,
    SLOW,
    YEARS,
    award_name,
    awards_of,
    empty_folder,
    examples,
    figures,
    history_of,
    rows_of,
    write_csv,
    write_pack,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import read_sheets

import evaluator
from evaluator.engine.awards import awards
from evaluator.pack.definitions import Pack
from evaluator.report.reopen import reopen

Sheet = tuple[list[str], list[list[Any]]]
# The same tables in other files


def cells(folder: Path) -> dict[str, Sheet]:
    """Return the sheets of a folder: headings and rows."""
    sheets = read_sheets(folder)
    return {name: (list(rows[0]), [list(row.values()) for row in rows]) for name, rows in sheets.items()}


def as_text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).lower() if isinstance(cell, bool) else str(cell).removesuffix(" 00:00:00")


def to_csv(encoding: str, line_end: str = "\r\n", separator: str = ",") -> Callable[[Path, Sheet], None]:
    def write(file: Path, sheet: Sheet) -> None:
        import csv
        import io

        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator=line_end, delimiter=separator)
        writer.writerow(sheet[0])
        writer.writerows([as_text(cell) for cell in row] for row in sheet[1])
        file.with_suffix(".csv").write_bytes(stream.getvalue().encode(encoding))

    return write


def to_xlsx(file: Path, sheet: Sheet) -> None:
    with xlsxwriter.Workbook(str(file.with_suffix(".xlsx"))) as book:
        page = book.add_worksheet("第一页")
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for row, line in enumerate([sheet[0], *sheet[1]]):
            for column, cell in enumerate(line):
                if isinstance(cell, dt.date):
                    page.write_datetime(row, column, cell, day)
                elif isinstance(cell, str):
                    page.write_string(row, column, cell)
                else:
                    page.write(row, column, cell)


def to_jsonl(file: Path, sheet: Sheet) -> None:
    def value(cell: Any) -> Any:
        if isinstance(cell, dt.date):
            return as_text(cell)
        if isinstance(cell, float) and cell.is_integer():
            return int(cell)
        return None if cell == "" else cell

    lines = [json.dumps(dict(zip(sheet[0], map(value, row), strict=True)), ensure_ascii=False) for row in sheet[1]]
    file.with_suffix(".jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def to_parquet(file: Path, sheet: Sheet) -> None:
    def column(place: int) -> pa.Array:
        values = [None if row[place] == "" else row[place] for row in sheet[1]]
        kinds = {type(value) for value in values if value is not None}
        if kinds == {bool}:
            return pa.array(values, pa.bool_())
        if kinds and kinds <= {dt.date, dt.datetime}:
            return pa.array(values, pa.date32())
        return pa.array([None if value is None else as_text(value) for value in values], pa.string())

    table = pa.table({heading: column(place) for place, heading in enumerate(sheet[0])})
    pq.write_table(table, file.with_suffix(".parquet"))


FORMATS: dict[str, Callable[[Path, Sheet], None]] = {
    "UTF-8": to_csv("utf-8", "\n"),
    "UTF-8 with a mark": to_csv("utf-8-sig"),
    "GB18030": to_csv("gb18030"),
    "UTF-16, tabs": to_csv("utf-16", separator="\t"),
    "semicolons": to_csv("utf-8", separator=";"),
    "xlsx": to_xlsx,
    "jsonl": to_jsonl,
    "parquet": to_parquet,
}


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("seed", range(4))
def test_files_do_not_matter(daguan: Pack, runs: dict[int, Path], tmp_path: Path, year: int, seed: int) -> None:
    """Rows and columns shuffled, tables split over files of any format in folders: the same results."""
    chance = random.Random(f"{year} {seed}")
    forms = list(FORMATS.values())
    chance.shuffle(forms)
    data = tmp_path / "data"
    for number, (name, (headings, rows)) in enumerate(sorted(cells(DATA / str(year)).items())):
        chance.shuffle(rows)
        order = chance.sample(range(len(headings)), len(headings))
        parts = chance.choice([1, 1, 2, 3]) if len(rows) > 5 else 1
        for part in range(parts):
            folder = data / f"第{part}部分" if parts > 1 else data
            folder.mkdir(parents=True, exist_ok=True)
            shuffled = [[row[i] for i in order] for row in rows[part::parts]]
            write = forms[(number + part) % len(forms)]
            write(folder / name, ([headings[i] for i in order], shuffled))
    out = evaluator.run(daguan, data, year, tmp_path / "out", history_of(runs, year))
    assert results(out) == results(runs[year])


def results(run_folder: Path) -> dict[str, Any]:
    """Return all tables of a run folder and its rosters as people get them, without what names files and rows."""
    found: dict[str, Any] = {}
    for file in sorted(run_folder.rglob("*.parquet")):
        if file.is_relative_to(run_folder / "inputs"):
            continue
        rows = pq.read_table(file).to_pylist()
        kept = [{name: v for name, v in row.items() if name not in ("source", "row", "file", "sheet")} for row in rows]
        found[file.relative_to(run_folder).as_posix()] = kept
    for file in sorted(run_folder.rglob("rosters/*.csv")):
        found[file.name] = file.read_bytes()
    manifest = json.loads((run_folder / "manifest.json").read_text(encoding="utf-8"))
    for name in ("outputs", "data"):
        del manifest[name]
    return found | {"manifest": manifest}


# Lines, awards, ranks


@pytest.mark.parametrize("year", YEARS)
def test_lines_add_up(daguan: Pack, runs: dict[int, Path], year: int) -> None:
    """A line is its base, its own points and the lines below it, kept within its floor and cap."""
    constants = {"base", "min", "max"}
    for kind in daguan.kinds.values():
        if kind.score is None:
            continue
        for row in rows_of(runs[year], f"subjects/{kind.name}"):
            if not row["is_assessed"]:
                assert row["total"] is None
                continue
            for line in kind.score.walk():
                raw, points = figures(row, line)
                given = {n: Decimal(f.text) for n in constants if (f := getattr(line, n)) is not None}
                if line.items:
                    assert raw == given.get("base", 0) + sum(figures(row, item)[1] for item in line.items)
                assert points == min(max(raw, given.get("min", raw)), given.get("max", max(raw, points)))


@pytest.mark.parametrize("year", YEARS)
def test_awards_sum_to_lines(runs: dict[int, Path], year: int) -> None:
    """For every subject and line; and no line makes an award larger, or turns its sign."""
    with reopen(runs[year]) as run:
        for kind in run.pack.kinds.values():
            kept = awards_of(run.state, kind, rows_of(runs[year], f"subjects/{kind.name}"))
            for key in [*kept][:: max(len(kept) // 3, 1)]:
                (one,) = run.state.bearers(f"{kind.name}:{key}")
                alone = {award_name(a): a.awards for _, a in awards(run.state, kind, one.sid)}
                assert alone == kept[key]


RANKS: dict[str, Callable[[list[Any], Any], int]] = {
    "competition": lambda before, _: 1 + len(before),
    "dense": lambda before, _: 1 + len(set(before)),
    "ordinal": lambda before, place: place,
}
RANK_PACK = """
    pack: ranks
    title: {en: Ranks}
    language: en
    period: {months: 12, ending: 12-31}
"""
RANK_PERSON = """
    subject: person
    files: [person]
    key: id
    display: id
    fields:
      id: {type: text}
      team: {type: text, optional: true}
      away: {type: boolean}
      points_one: {type: number, optional: true}
      points_two: {type: integer}
    not_ranked: [{when: away, reason: away}]
    not_assessed: [{when: points_two = 9, reason: nine}]
    rosters:
"""
ROSTER = """
      - id: {id}
        order_by: [points_one desc, points_two]
        rank: {rank}
        columns: [rank, id]
"""


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "甲", "乙", "a"]),
            st.sampled_from(["1", "0", "0", "0"]),
            st.sampled_from(["", "1", "1.000001", "-0.5", "10", "9"]),
            st.sampled_from(["1", "2", "10", "9"]),
        ),
        min_size=1,
        max_size=25,
    ),
)
@settings(max_examples=examples(12), **SLOW)
def test_ranks(ranks: Pack, tmp_path: Path, rows: list[tuple[str, str, str, str]]) -> None:
    """Ranks are what their names say, within groups, over ties; whoever is not ranked comes last and has none."""
    data = empty_folder(tmp_path / "data")
    people = [(f"{n:02}", *row) for n, row in enumerate(rows)]
    write_csv(data / "person.csv", ("id", "team", "away", "points_one", "points_two"), people)
    out = evaluator.run(ranks, data, 2021, empty_folder(tmp_path / "out") / "run")

    def key_of(person: Any) -> tuple[bool, Decimal, Decimal]:
        return person[3] == "", -Decimal(person[3] or 0), Decimal(person[4])  # nobody's unknown comes first

    for rank, rank_of in RANKS.items():
        for grouped in ("", "_within"):
            expected = []
            for team in sorted({person[1] for person in people}) if grouped else [None]:
                mine = [person for person in people if team in (None, person[1])]
                apart = [p for p in mine if p[2] == "1" or p[4] == "9"]
                listed = sorted((p for p in mine if p not in apart), key=key_of)
                for place, person in enumerate(listed, 1):
                    before = [key_of(other) for other in listed if key_of(other) < key_of(person)]
                    expected.append((person[0], rank_of(before, place)))
                expected += [(p[0], None) for p in sorted(apart, key=key_of)]
            found = rows_of(out, f"rosters/person.{rank}{grouped}")
            assert [(row["id"], row["rank"]) for row in found] == expected


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    rosters = [ROSTER.format(id=rank, rank=rank) for rank in RANKS]
    rosters += [ROSTER.format(id=f"{rank}_within", rank=rank).rstrip() + "\n        within: team\n" for rank in RANKS]
    return evaluator.load_pack(
        write_pack(
            tmp_path_factory.mktemp("pack"), pack=RANK_PACK, person=RANK_PERSON + "".join(rosters).replace("\n\n", "\n")
        )
    )
