"""Situations of a run: what its subjects come to, the conditions as written, and what no earlier run had."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import history_of, locked, rows_of, shared_folder, write_csv, write_pack

import evaluator
from evaluator.demo import places
from evaluator.diagnostics import Stop
from evaluator.report.situations import FamilyOfYear, SituationOfYear, Situations, situations_of
from evaluator.report.situations_shown import shown_as

PLACES = places()


@pytest.fixture(params=PLACES)
def place_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of the last year of a place; made by whichever worker comes first."""
    place = PLACES[request.param]
    folders = {year: shared_folder(tmp_path_factory, f"{place.name}/{year}") for year in place.sheets}
    with locked(tmp_path_factory, place.name):
        for year, folder in folders.items():
            if not folder.exists():
                evaluator.run(place.rules, place.sheets[year], year, folder, history_of(folders, year))
    return folders[max(folders)]


def test_situations_are_what_the_subjects_of_a_run_come_to(place_run: Path) -> None:
    found = situations_of(place_run)
    for family in found.families:
        rows = rows_of(place_run, f"subjects/{family.kind}")
        column = f"situation.{family.verdicts[0]}"
        assert Counter(row[column] for row in rows if row["is_assessed"]) == {
            one.number: one.subjects for one in family.situations
        }
        assert family.subjects == sum(one.subjects for one in family.situations)
        assert [one.subjects for one in family.situations] == sorted(
            (one.subjects for one in family.situations), reverse=True
        )
        for one in family.situations:
            own = [row for row in rows if row[column] == one.number]
            assert min(own, key=lambda row: row["sid"])["key"] == one.example  # type: ignore[arg-type, return-value]
            for verdict, value in one.verdicts.items():
                ruled = {row.get(f"ruled.{verdict}", row[verdict]) for row in own}
                assert {str(v).lower() if isinstance(v, bool) else str(v) for v in ruled} == {value}
                rules = {fired.rule for fired in one.fired if (fired.verdict, fired.value) == (verdict, value)}
                assert {row[f"rule.{verdict}"] for row in own} <= {min(rules - {0}, default=0)}


def test_no_two_situations_have_the_same_conditions_and_each_condition_stands_where_it_is_said_to(
    place_run: Path,
) -> None:
    for family in situations_of(place_run).families:
        known = {states(one) for one in family.situations}
        assert len(known) == len(family.situations)
        for one in family.situations:
            for condition in one.conditions:
                file, _, line = condition.at.partition(":")
                rest = (place_run / "pack" / file).read_text(encoding="utf-8").split("\n")[int(line) - 1 :]
                written = "".join("".join(rest).split())
                start = "".join(condition.text.split())
                assert start in written, condition


def states(one: SituationOfYear) -> frozenset[tuple[str, str]]:
    return frozenset((condition.text, condition.state) for condition in one.conditions)


def test_every_form_tells_every_situation(place_run: Path) -> None:
    found = situations_of(place_run, language="zh")
    every = [one for family in found.families for one in family.situations]
    text, page, markdown = (shown_as(found, form) for form in ("text", "html", "md"))
    for one in every:
        assert one.example_name in text and one.example_name in page
    assert page.count("<tr>") == len(every) + len(found.families)
    assert sum(line.startswith("|") for line in markdown.split("\n")) == len(every) + 2 * len(found.families)
    assert Situations.model_validate(json.loads(shown_as(found, "json"))).model_dump() == found.model_dump()


# --- what was seen before ---

PACK = "pack: demo\ntitle: {en: Demo}\nlanguage: en\nhistory: {gap: breaks}\n"
MEMBER = """
subject: member
key: id
fields: {id: text, marks: integer, hours: {type: number, optional: true}, standing: boolean}
verdicts:
  grade:
    levels: [fail, pass, good]
    rules:
      - {is: good, when: marks >= 8}
      - {is: pass, when: marks >= 5}
      - {otherwise: fail}
  load:
    optional: true
    rules:
      - {is: busy, when: hours > case when grade = 'good' then 2 else 4 end}
      - {otherwise: idle}
  kept: {when: "standing or (load = 'busy' and grade <> 'fail')"}
  again: {when: last(marks >= 5)}
"""


def run_of(folder: Path, year: int, rows: list[tuple[object, ...]], history: list[Path], member: str = MEMBER) -> Path:
    pack = write_pack(folder / f"pack {year}", pack=PACK, member=member)
    write_csv(folder / f"data {year}" / "member.csv", ["id", "marks", "hours", "standing"], rows)
    return evaluator.run(pack, folder / f"data {year}", year, folder / f"run {year}", history)


@pytest.fixture(scope="module")
def years(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("years")
    first = [("A", 9, 3, "no"), ("B", 9, 1, "no"), ("C", 6, 3, "yes"), ("D", 1, "", "no")]
    before = run_of(folder, 2020, first, [])
    # a rule more and other gates: the conditions that both years have are known again by what they say
    member = MEMBER.replace("  grade:\n", "  early:\n    when: standing\n  grade:\n").replace(
        "      - {is: good, when: marks >= 8}",
        "      # the best\n      - is: good\n        when: >-\n          marks   >= 8",
    )
    second = [("A", 9, 3, "no"), ("B", 6, 3, "yes"), ("C", 6, 5, "no"), ("D", 9, "", "no"), ("E", 1, "", "no")]
    return before, run_of(folder, 2021, second, [before], member)


def families(found: Situations) -> Iterator[tuple[FamilyOfYear, SituationOfYear]]:
    for family in found.families:
        for one in family.situations:
            yield family, one


def test_what_no_earlier_run_had_is_marked(years: tuple[Path, Path]) -> None:
    before, after = years
    assert all(one.is_new is None for _, one in families(situations_of(before)))
    found = situations_of(after)
    assert [one.year for one in found.earlier] == [2020] and found.not_found == ()
    told = {
        (family.verdicts[0], one.example): one.is_new for family, one in families(found) if "grade" in family.verdicts
    }
    # A and B as A and C of 2020, E as D then; C has more than four hours as nobody had, D is good with hours unknown
    assert told == {("grade", "A"): False, ("grade", "B"): False, ("grade", "E"): False} | {
        ("grade", "C"): True, ("grade", "D"): True,
    }  # fmt: skip
    assert {one.is_new for family, one in families(found) if family.verdicts == ("early",)} == {True}
    assert found == situations_of(after, [before])
    text = str(found)
    assert text.count("\nnew ") == sum(bool(one.is_new) for _, one in families(found))


def test_conditions_are_told_as_written_with_what_became_of_them(years: tuple[Path, Path]) -> None:
    found = situations_of(years[0])
    one = {one.example: one for family, one in families(found) if "grade" in family.verdicts}
    good = "hours > case when 'good' = 'good' then 2 else 4 end"
    rest = {f"hours > case when '{value}' = 'good' then 2 else 4 end" for value in ("fail", "pass")}
    stated = {key: {c.text: c.state for c in situation.conditions} for key, situation in one.items()}
    assert stated["A"][good] == "holds" and stated["B"][good] == "fails" and stated["D"][good] == "unknown"
    assert {stated["D"][text] for text in rest} == {"unknown"} and {stated["A"][text] for text in rest} == {"fails"}
    assert "marks >= 5" not in stated["A"] and stated["C"]["marks >= 5"] == "holds"
    assert stated["D"]["marks >= 8"] == stated["D"]["marks >= 5"] == "fails"


def test_runs_that_are_not_beside_it_are_named_and_folders_that_are_none_refused(
    years: tuple[Path, Path], tmp_path: Path
) -> None:
    before, after = years
    alone = tmp_path / "alone" / "run"
    alone.parent.mkdir()
    alone.symlink_to(after)
    found = situations_of(alone)
    assert found.not_found == (2020,) and all(one.is_new is None for _, one in families(found))
    assert "the run of 2020 is not beside it" in str(found)
    for folder, history, code in (
        (tmp_path, [], "D301"),
        (after, [tmp_path], "D301"),
        (before, [after], "D302"),
        (after, [before, before], "D303"),
    ):
        with pytest.raises(Stop, match=code):
            situations_of(folder, history)
