"""Rosters as people get them: a terminal table, CSV, JSON; the same in each."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import YEARS, rows_of, write_csv, write_pack
from wcwidth import wcswidth

import evaluator
from evaluator.diagnostics import Stop
from evaluator.pack.definitions import Pack
from evaluator.report.summary import rosters_text

ROSTERS = [
    *("member.commended", "member.annual", "workstation.commended"),
    *("workstation.failing", "workstation.annual", "proposal.excellent"),
]


@pytest.mark.parametrize("year", YEARS)
def test_json_is_exact(runs: dict[int, Path], year: int) -> None:
    """Values as they are stored, numbers as text so that no reader makes binary fractions of them."""
    found = json.loads(rosters_text(runs[year], None, "json"))
    assert sorted(roster["roster"] for roster in found) == sorted(ROSTERS)
    for roster in found:
        stored = rows_of(runs[year], f"rosters/{roster['roster']}")
        assert roster["rejects"] == 0
        assert len(roster["rows"]) == len(stored)
        for row, values in zip(roster["rows"], stored, strict=True):
            wanted = {"group": values["#group"]} if "#group" in values else {}
            wanted |= {n: v for n, v in values.items() if not n.startswith("#")}
            assert row == {n: as_text(v) if isinstance(v, Decimal) else v for n, v in wanted.items()}


def as_text(number: Decimal) -> str:
    """Write a number without needless zeros."""
    return f"{number.normalize():f}"


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("name", ROSTERS)
def test_csv_is_the_file(runs: dict[int, Path], year: int, name: str) -> None:
    printed = rosters_text(runs[year], name, "csv")
    file = (runs[year] / "rosters" / f"{name}.csv").read_text(encoding="utf-8-sig")
    assert list(csv.reader(io.StringIO(printed))) == list(csv.reader(io.StringIO(file)))


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("name", ROSTERS)
def test_table_holds_the_same(daguan: Pack, runs: dict[int, Path], year: int, name: str) -> None:
    """Every cell of the table is under its heading by terminal width, and is what the CSV says."""
    headings, *lines = csv.reader(io.StringIO(rosters_text(runs[year], name, "csv")))
    title, *rest = rosters_text(runs[year], name, "table").splitlines()
    assert title == daguan.label(name)
    has_groups = name == "member.annual"
    found: list[list[str]] = []
    group, columns = [], []
    for place, line in enumerate(rest):
        if re.fullmatch(r"-+(  -+)*", line):
            columns = [(m.start(), m.end()) for m in re.finditer("-+", line)]
            assert cut(rest[place - 1], columns) == headings[has_groups:]
            group = [rest[place - 3]] if has_groups else []
        elif line == "":
            columns = []
        elif columns:
            found.append([*group, *cut(line, columns)])
    assert found == lines
    assert lines


def cut(line: str, columns: list[tuple[int, int]]) -> list[str]:
    """Return the cells of a line that stand in columns of a terminal; nothing may stand between them."""
    cells, at = [""] * len(columns), 0
    for sign in line:
        width = wcswidth(sign)
        inside = [n for n, (start, end) in enumerate(columns) if start <= at and at + width <= end]
        assert inside or sign == " ", (line, sign, at)
        for n in inside:
            cells[n] += sign
        at += width
    return [cell.strip() for cell in cells]


PACK = """
    pack: english
    title: {en: English pack}
    language: en
    period: {months: 12, ending: 12-31}
    labels:
      en: {person: Person, name: Name, 优秀: excellent, level: Level, person.best: The best}
"""
PERSON = """
    subject: person
    files: [person]
    key: id
    display: name
    fields:
      id:   {type: text}
      name: {type: text}
      due:  {type: date, optional: true}
      half: {type: number}
      team: {one_of: [甲, 优秀]}
    verdicts:
      level:
        levels: [一般, 优秀]
        rules:
          - {is: 优秀, when: half > 1}
          - {otherwise: 一般}
    rosters:
      - {id: best, where: half > 1, order_by: [half desc], rank: ordinal, columns: [rank, name, due, half, team, level]}
      - {id: none, where: half > 100, order_by: [half], rank: ordinal, columns: [rank, name]}
      - {id: groups, order_by: [half], rank: ordinal, within: half, columns: [rank, name]}
"""


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("english")
    pack = write_pack(home / "pack", pack=PACK, person=PERSON)
    people = [
        *(("1", "Ann, the first", "2021-03-05", "1.5", "甲"), ("2", 'Bob "B"', "", "1.25", "优秀")),
        *(("3", "Cy", "", "-0.000001", "甲"), ("4", "=Dee", "", "x", "甲")),
    ]
    write_csv(home / "data" / "person.csv", ("id", "name", "due", "half", "team"), people)
    return evaluator.run(pack, home / "data", 2021, home / "out", accept_rejects=True)


def test_labels_rejects_and_empty_rosters(english: Path) -> None:
    """Words stand under their labels in the table and the CSV, as they are in JSON; all tell of the rejects."""
    note = "1 rejected rows were left out, see rejects.csv"
    assert rosters_text(english, None, "table") == (
        "The best\n"
        "\n"
        "  rank  Name            due           half  team       Level\n"
        "------  --------------  ----------  ------  ---------  ---------\n"
        "     1  Ann, the first  2021-03-05     1.5  甲         excellent\n"
        '     2  Bob "B"                       1.25  excellent  excellent\n'
        f"\n{note}\n\n\n"
        f"Person · none\n\n(nobody)\n\n{note}\n\n\n"
        "Person · groups\n"
        "\n-0.000001\n\n  rank  Name\n------  ------\n     1  Cy\n"
        '\n1.25\n\n  rank  Name\n------  -------\n     1  Bob "B"\n'
        "\n1.5\n\n  rank  Name\n------  --------------\n     1  Ann, the first\n"
        f"\n{note}\n"
    )
    assert rosters_text(english, "best", "csv") == (
        "rank,Name,due,half,team,Level\n"
        '1,"Ann, the first",2021-03-05,1.5,甲,excellent\n'
        '2,"Bob ""B""",,1.25,excellent,excellent\n'
    )
    assert rosters_text(english, "groups", "csv").splitlines()[1] == "-0.000001,1,Cy"
    file = (english / "rosters" / "person.best.csv").read_text(encoding="utf-8-sig")
    assert list(csv.reader(io.StringIO(file)))[-2:] == [
        ["2", 'Bob "B"', "", "1.25", "excellent", "excellent"],
        ["1 rejected rows were left out, see rejects.csv"],
    ]
    [best] = json.loads(rosters_text(english, "person.best", "json"))
    assert best == {
        "roster": "person.best",
        "title": "The best",
        "rejects": 1,
        "rows": [
            {"rank": 1, "name": "Ann, the first", "due": "2021-03-05", "half": "1.5", "team": "甲", "level": "优秀"},
            {"rank": 2, "name": 'Bob "B"', "due": None, "half": "1.25", "team": "优秀", "level": "优秀"},
        ],
    }  # fmt: skip


def test_one_roster_of_several(runs: dict[int, Path]) -> None:
    """By its id, of which there may be several; by kind and id; or told which there are."""

    def names(wanted: str) -> list[str]:
        found: list[dict[str, Any]] = json.loads(rosters_text(runs[2021], wanted, "json"))
        return [roster["roster"] for roster in found]

    assert names("failing") == ["workstation.failing"]
    assert sorted(names("annual")) == ["member.annual", "workstation.annual"]
    assert names("workstation.annual") == ["workstation.annual"]
    for wanted, fix in {"member.anual": "use member.annual", "？": f"use {', '.join(rosters_of(runs[2021]))}"}.items():
        with pytest.raises(Stop) as stopped:
            names(wanted)
        [problem] = stopped.value.problems
        assert (problem.code, problem.fix) == ("R203", fix)


def rosters_of(run_folder: Path) -> list[str]:
    return [roster["roster"] for roster in json.loads(rosters_text(run_folder, None, "json"))]


def test_not_a_run_folder(tmp_path: Path) -> None:
    for content in (None, "{}", "[]", '{"year": "2021"}', "{"):
        if content is not None:
            (tmp_path / "manifest.json").write_text(content)
        with pytest.raises(Stop) as stopped:
            rosters_text(tmp_path, None, "table")
        assert [problem.code for problem in stopped.value.problems] == ["D301"]
