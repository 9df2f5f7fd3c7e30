"""Explanations: they say what the run says, and every point leads to a row that holds the record."""

from __future__ import annotations

import csv
import io
import os
import re
from decimal import Decimal
from pathlib import Path

import oracle
import pytest
from conftest import DATA, YEARS, rows_of, write_csv, write_pack
from explained import adds_up, quick, says_what_is_stored
from python_calamine import CalamineWorkbook

import evaluator
from evaluator.diagnostics import Stop
from evaluator.report.explaining import explain as module
from evaluator.report.explaining.explain import Explanation

GOLDEN = Path(__file__).parent / "golden"
PLACE = re.compile(r"(.+?)(?:\[(.+)\])?:(\d+)")


@pytest.mark.parametrize("year", YEARS if os.environ.get("EVALUATOR_ALL") else YEARS[-1:])
def test_every_subject(
    runs: dict[int, Path], judged: dict[int, oracle.Result], monkeypatch: pytest.MonkeyPatch, year: int
) -> None:
    sheets = rows_by_place(DATA / str(year))
    with quick(runs[year], monkeypatch) as (run, found):
        for kind in run.pack.kinds.values():
            for row in rows_of(runs[year], f"subjects/{kind.name}"):
                made = module.Explainer(run, module.find_subject(run, f"{kind.name}:{row['key']}")).explanation()
                says_what_is_stored(made, row)
                adds_up(made, found.get((kind.name, made.key), []))
                leads_to_its_rows(made, sheets, judged[year])
                quotes_its_clauses(made, str(made))
    assert (made.kind.name, made.year) == ("workstation", year)


Sheets = dict[tuple[str, str], dict[int, list[str]]]


def rows_by_place(folder: Path) -> Sheets:
    """Return the cells of every row of every sheet, by the number people see beside it."""
    found: Sheets = {}
    for file in sorted(folder.iterdir()):
        if file.suffix == ".csv":
            reader = csv.reader(io.StringIO(oracle.decode(file.read_bytes()), newline=""))
            rows = found.setdefault((file.name, ""), {})
            before = 0
            for row in reader:
                rows[before + 1], before = row, reader.line_num
        else:
            book = CalamineWorkbook.from_path(str(file))
            for name in book.sheet_names:
                cells = book.get_sheet_by_name(name).to_python()
                found[file.name, name] = {n: list(map(str, row)) for n, row in enumerate(cells, 1)}
    return found


def leads_to_its_rows(made: Explanation, sheets: Sheets, judged: oracle.Result) -> None:
    for line in made.lines:
        for one in line.evidence:
            record = one.record.split("/")[0]
            if one.is_filled:
                assert one.place == ""
                kept = [r for (_, name), rows in sheets.items() for r in rows.values() if "会议考勤" in name]
                assert not any(record in r and (made.key in r or made.name in r) for r in kept)
                continue
            place = PLACE.fullmatch(one.place)
            assert place, one
            cells = sheets[place[1], place[2] or ""][int(place[3])]
            words = [w.strip() for cell in cells for w in re.split("[、；]", cell)]
            assert record in words, (one, cells)
            assert made.key in words or made.name in words, (one, cells)
            assert one.date[:4] == str(judged.year)


def quotes_its_clauses(made: Explanation, text: str) -> None:
    models = [line.definition.model for line in made.lines]
    models += [verdict.definition.model for verdict in made.verdicts]  # type: ignore[misc]
    models += [rule.definition.model for verdict in made.verdicts for rule in verdict.rules]  # type: ignore[misc]
    for clause in {str(model.clause) for model in models if model.clause}:
        quoted = made.pack.clauses[clause]
        assert f"{clause}: 「{quoted.text}」 ({quoted.source})" in text
        assert f"[{clause}]" in text
    for verdict in made.verdicts:
        if verdict.definition.model.action:
            assert (f"建议: {verdict.definition.model.action}" in text) is (verdict.value is True)
    assert made.key in text
    assert made.name in text


def test_not_assessed(runs: dict[int, Path], judged: dict[int, oracle.Result]) -> None:
    on_leave = [key for key, row in judged[2021].fields["member"].items() if row["on_leave"]]
    made = evaluator.explain(runs[2021], f"member:{on_leave[0]}")
    assert (made.is_assessed, made.total, made.lines, made.verdicts) == (False, None, [], [])
    assert str(made) == f"委员 {made.name} ({made.key}) · 2021\n不参加考核: 长期病休，不参加考核"


@pytest.mark.parametrize(
    ("subject", "golden"), [("W07", "workstation-exit"), ("member:067", "member-cut"), ("member:138", "member-floor")]
)
def test_text(runs: dict[int, Path], subject: str, golden: str) -> None:
    """Compare with tests/golden; WRITE_GOLDEN=1 writes them anew."""
    made = evaluator.explain(runs[2021], subject)
    file = GOLDEN / f"explain-{golden}.txt"
    if os.environ.get("WRITE_GOLDEN"):
        file.write_text(f"{made}\n", encoding="utf-8")
    assert f"{made}\n" == file.read_text(encoding="utf-8")
    if golden.startswith("member"):
        assert any(one.cut_by for line in made.lines for one in line.evidence)
    else:
        exit_ = next(v for v in made.verdicts if v.definition.name == "exit")
        years = [(one.year, one.value) for back in exit_.years for one in back.years]
        assert (exit_.value, years) == (True, [(2020, True), (2021, True)])


# Who is meant, and what other packs hold


PACK = """
    pack: small
    title: {en: Small}
    language: en
    period: {months: 12, ending: 12-31}
    tables:
      works:
        files: [works]
        key: id
        fields:
          id:     {type: text}
          person: {ref: person}
          worth:  {type: number}
"""
PERSON = """
    subject: person
    files: [person]
    key: id
    display: name
    fields:
      id:    {type: text}
      name:  {type: text}
      guest: {type: boolean}
    not_ranked: [{when: guest, reason: a guest}]
    measures:
      works: {count: works}
    score:
      base: 1
      items:
        - {id: works, each: works, points: worth, min: 5, max: 20}
        - {id: own, points: 2 * works, when: not guest}
    verdicts:
      grade:
        levels: [low, high]
        rules:
          - {is: high, when: total >= 10 and not guest}
          - {otherwise: low}
"""
TEAM = """
    subject: team
    files: [team]
    key: id
    display: name
    fields: {id: {type: text}, name: {type: text}}
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("small")
    pack = write_pack(home / "pack", pack=PACK, person=PERSON, team=TEAM)
    people = [("1", "Ann", 0), ("2", "Bob", 0), ("3", "Bob", 1), ("4", "Red", 0), ("team:9", "x", 0)]
    people += [("5", "6", 0), ("6", "5", 0), ("7", "6", 0)]  # called what others have as their keys
    write_csv(home / "data" / "person.csv", ("id", "name", "guest"), people)
    write_csv(home / "data" / "team.csv", ("id", "name"), [("1", "Blue"), ("9", "Red")])
    works = [("w1", "1", "2"), ("w2", "1", "-1.5"), ("w3", "2", "30"), ("w4", "3", "4"), ("w5", "3", "-9")]
    write_csv(home / "data" / "works.csv", ("id", "person", "worth"), works)
    return evaluator.run(pack, home / "data", 2021, home / "out")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        *(("Ann", "person:1"), ("2", "person:2"), ("9", "team:9"), ("Blue", "team:1"), ("x", "person:team:9")),
        *(("person:1", "person:1"), ("team:Red", "team:9"), ("person:Red", "person:4"), ("team:9", "team:9")),
        *(("person:team:9", "person:team:9"), ("person:5", "person:5"), ("person:6", "person:6")),
    ],
)
def test_who_is_meant(small: Path, wanted: str, found: str) -> None:
    made = evaluator.explain(small, wanted)
    assert f"{made.kind.name}:{made.key}" == found


@pytest.mark.parametrize(
    ("wanted", "code", "told"),
    [
        ("Bob", "R202", "person:2, person:3"),
        ("Red", "R202", "person:4, team:9"),
        ("1", "R202", "person:1, team:1"),
        ("6", "R202", "person:5, person:6, person:7"),
        ("person:Blue", "R201", "Blue"),
        ("Anm", "R201", "Anm"),
        ("", "R201", '""'),
    ],
)
def test_nobody_or_several(small: Path, wanted: str, code: str, told: str) -> None:
    with pytest.raises(Stop) as stopped:
        evaluator.explain(small, wanted)
    [problem] = stopped.value.problems
    assert problem.code == code
    assert told in problem.message


def test_floors_and_own_lines(small: Path) -> None:
    """A floor above what records brought is the line's own; what does not apply is nothing, and said."""
    ann, bob, guest = (evaluator.explain(small, f"person:{key}") for key in "123")
    figures = [[(line.before_bounds, line.points) for line in made.lines] for made in (ann, bob, guest)]
    assert figures[0] == [(10, 10), (Decimal("0.5"), 5), (4, 4)]
    assert figures[1] == [(23, 23), (30, 20), (2, 2)]
    assert figures[2] == [(6, 6), (-5, 5), (0, 0)]
    assert [one.counts for one in ann.lines[1].evidence] == [2, 0]
    assert [one.counts for one in bob.lines[1].evidence] == [20]
    assert [one.counts for one in guest.lines[1].evidence] == [4, 0]
    assert [made.verdicts[0].value for made in (ann, bob, guest)] == ["high", "high", "low"]
    assert "not ranked: a guest" in str(guest)
    assert "1 × 2 + 1 × (-1.5)" in ann.lines[1].reckoning
