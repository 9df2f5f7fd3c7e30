"""What holds for any data: files may come in any order and format, lines add up, awards and ranks are consistent."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from conftest import DATA, YEARS, empty_folder, history_of, rows_of, write_csv, write_pack
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from oracle import read_sheets

import evaluator
from evaluator.engine.awards import awards
from evaluator.engine.run import assess
from evaluator.engine.state import State
from evaluator.pack.check import load_pack
from evaluator.pack.definitions import KindDef, LineDef, Pack
from evaluator.report.reopen import reopen

Sheet = tuple[list[str], list[list[Any]]]
SLOW: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],  # a run an example is too much for shrinking
}


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


def figures(row: dict[str, Any], line: LineDef) -> tuple[Decimal, Decimal]:
    return row[f"raw.{line.id}"], row["total" if line.id == "total" else f"points.{line.id}"]


@pytest.mark.parametrize("year", YEARS)
def test_awards_sum_to_lines(runs: dict[int, Path], year: int) -> None:
    """For every subject and line; and no line makes an award larger, or turns its sign."""
    with reopen(runs[year]) as run:
        for kind in run.pack.kinds.values():
            kept = awards_of(run.state, kind, rows_of(runs[year], f"subjects/{kind.name}"))
            for key in [*kept][:: max(len(kept) // 3, 1)]:
                alone = {f"{a.line} {a.record}": a.awards for _, a in awards(run.state, kind, key)}
                assert alone == kept[key]


def awards_of(state: State, kind: KindDef, subjects: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return subject → line and record → what is left of the award; check that they sum to every stored line."""
    kept: dict[str, dict[str, Any]] = {}
    sums: dict[tuple[str, str], Decimal] = {}
    counts: dict[tuple[str, str], int] = {}
    for key, award in awards(state, kind):
        kept.setdefault(key, {})[f"{award.line} {award.record}"] = award.awards
        before = award.points
        for line, after in award.awards.items():
            is_own = award.line == line and award.record is None  # takes what the records cannot
            assert is_own or min(before, 0) <= after <= max(before, 0), (key, award)
            sums[key, line] = sums.get((key, line), Decimal(0)) + after
            before = after
        if award.record is not None:
            counts[key, award.line] = counts.get((key, award.line), 0) + 1
        assert list(award.awards)[-1] == "total"
    for row in subjects:
        for line in kind.lines:
            key = (row["key"], line.id)
            if row["is_assessed"]:
                assert sums.get(key, 0) == figures(row, line)[1], key
                if line.aggregate is not None:
                    assert counts.get(key, 0) == row[f"n.{line.id}"]
            else:
                assert key not in sums
    return kept


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
@settings(max_examples=12, **SLOW)
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


# Caps and floors


CAP_PACK = """
    pack: caps
    title: {en: Caps}
    language: en
    period: {months: 12, ending: 12-31}
    tables:
      works:
        files: [works]
        key: id
        date: held_on
        fields:
          id:      {type: text}
          held_on: {type: date}
          person:  {ref: person}
          worth:   {type: number}
          sort:    {one_of: [a, b, c, d]}
"""
CAP_PERSON = """
    subject: person
    files: [person]
    key: id
    display: id
    fields:
      id:    {type: text}
      start: {type: number}
    score:
"""


def clamp(entering: list[tuple[Any, Decimal]], low: int | None, high: int | None) -> list[tuple[Any, Decimal]]:
    """Take a cap's excess from the positive awards and give a floor's shortfall to the negative ones, last first.

    What then is still to be taken or given is the line's own, which comes first.
    """
    left = [[order, points] for order, points in sorted(entering, key=lambda award: award[0])]
    total = sum((points for _, points in left), Decimal(0))
    over, under = Decimal(0), Decimal(0)
    if high is not None:
        over = max(total - high, Decimal(0))
    if low is not None:
        under = max(low - total, Decimal(0))
    for award in reversed(left):
        if award[1] > 0:
            taken = min(award[1], over)
            award[1], over = award[1] - taken, over - taken
        else:
            given_back = min(-award[1], under)
            award[1], under = award[1] + given_back, under - given_back
    if over or under:
        left[0][1] += under - over
    return [(order, points) for order, points in left]


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    """A tree of lines over four sorts of works."""
    names = iter("abcd")
    ids = (f"l{n}" for n in count(1))

    def bounds() -> dict[str, int]:
        made = {}
        if draw(st.booleans()):
            made["max"] = draw(st.integers(-2, 12))
        if draw(st.booleans()):
            made["min"] = draw(st.integers(-8, min(4, made.get("max", 4))))
        return made

    def line(depth: int, name: str) -> dict[str, Any]:
        made: dict[str, Any] = {"id": name, **bounds()}
        if depth < 3 and draw(st.integers(0, 2)) > 0:
            items = []
            for _ in range(draw(st.integers(1, 3))):
                items.append(line(depth + 1, next(ids)))
            if items := [item for item in items if item]:
                made["items"] = items
                if draw(st.booleans()):
                    made["base"] = draw(st.sampled_from([-3, 0, 5, "start"]))
                return made
        if (sort := next(names, None)) is None:
            return {}
        return made | {"sort": sort} | ({"base": draw(st.sampled_from([-2, 4]))} if draw(st.booleans()) else {})

    root = line(0, "total")
    return root or {"id": "total", "sort": "a"}


def yaml_of(line: dict[str, Any], indent: int) -> str:
    """Write a line of the score."""
    made = {name: line[name] for name in ("base", "min", "max") if name in line}
    if line["id"] != "total":
        made = {"id": line["id"]} | made
    if "sort" in line:
        made |= {"each": "works", "where": f"sort = '{line['sort']}'", "points": "worth"}
    text = "".join(f"{' ' * indent}{name}: {value}\n" for name, value in made.items())
    if "items" in line:
        text += " " * indent + "items:\n"
        for item in line["items"]:
            inner = yaml_of(item, indent + 4)
            text += " " * indent + "  - " + inner[indent + 4 :]
    return text


works = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.sampled_from("abcd"),
        st.sampled_from(["-3", "-0.000001", "0", "1", "2.5", "4", "7"]),
        st.sampled_from(["2021-01-01", "2021-06-01", "2021-06-02", "2020-12-31"]),
    ),
    max_size=25,
)


@given(lines(), works)
@settings(max_examples=15, **SLOW)
def test_caps_and_floors(tmp_path: Path, tree: dict[str, Any], records: list[Any]) -> None:
    """Nested caps and floors leave of each record what taking from the last one by one leaves."""
    home = empty_folder(tmp_path / "caps")
    pack = write_pack(home / "pack", pack=CAP_PACK)
    head = "\n".join(line[4:] for line in CAP_PERSON.strip("\n").splitlines())
    (pack / "person.yaml").write_text(f"{head}\n{yaml_of(tree, 2)}", encoding="utf-8")
    starts = {"1": 5, "2": -4, "3": 0, "4": 1}
    write_csv(home / "data" / "person.csv", ("id", "start"), starts.items())
    rows = [(f"w{n:02}", day, who, worth, sort) for n, (who, sort, worth, day) in enumerate(records)]
    write_csv(home / "data" / "works.csv", ("id", "held_on", "person", "worth", "sort"), rows)
    places = {id_: place for place, id_ in enumerate(ids_of(tree))}

    def brute(line: dict[str, Any], who: str) -> dict[str, list[tuple[Any, Decimal]]]:
        """Return what is left of every award after each line from the bottom up to this one."""
        after: dict[str, list[tuple[Any, Decimal]]] = {}
        entering: list[tuple[Any, Decimal]] = []
        name = line["id"]
        if "base" in line or line.get("min", 0) > 0 or line.get("max", 0) < 0:
            base = starts[who] if line.get("base") == "start" else line.get("base", 0)
            entering.append(((0, "", "", places[name], name, None), Decimal(base)))
        for key, day, person, worth, sort in rows:
            if person == int(who) and sort == line.get("sort") and day >= "2021":
                entering.append(((1, day, key, places[name], name, key), Decimal(worth)))
        for item in line.get("items", []):
            below = brute(item, who)
            after |= below
            entering += below[item["id"]]
        after[name] = clamp(entering, line.get("min"), line.get("max"))
        return after

    with assess(load_pack(pack), home / "data", 2021, []) as assessment:
        kind = assessment.pack.kinds["person"]
        found = awards_of(assessment.state, kind, subjects_of(assessment.state, kind))
    for who in starts:
        after = brute(tree, who)
        expected: dict[str, dict[str, Decimal]] = {}
        for line, left in after.items():
            for (*_, own, record), points in left:
                expected.setdefault(f"{own} {record}", {})[line] = points
        assert found.get(who, {}) == expected, who


def subjects_of(state: State, kind: KindDef) -> list[dict[str, Any]]:
    """Return the subjects of a run under way, as a run folder holds them."""
    found = state.db.connection.execute(f"from {state.location(kind.name).sql('duckdb')}")
    names = [column[0] for column in found.description]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    for row in rows:
        row["key"] = row["#key"]
        for line in kind.lines:
            for name in (f"raw.{line.id}", "total" if line.id == "total" else f"points.{line.id}"):
                row[name] = Decimal(row[name]) / 1_000_000
    return rows


def ids_of(line: dict[str, Any]) -> Iterable[str]:
    yield line["id"]
    for item in line.get("items", []):
        yield from ids_of(item)
