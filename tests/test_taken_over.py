"""What a run takes over from the one before it: the bytes are those of a run that reads everything again."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import bytes_of, empty_folder, write_csv, write_pack

import evaluator
from evaluator.data import history
from evaluator.data.run_before import RunBefore
from evaluator.diagnostics import Stop

PACK = """
    pack: parts
    title: {en: In parts}
    language: en
    tables:
      works:
        key: id
        date: held_on
        fields:
          id:      text
          person:  {ref: person, by: [id, name]}
          held_on: date
          kind:    {one_of: [talk, visit, note]}
          hours:   number
          place:   {type: text, optional: true}
"""
PERSON = """
    subject: person
    key: id
    display: name
    fields: {id: text, name: text, group: text, extra: number}
    measures:
      talks: {count: works, where: kind = 'talk'}
      among: {rank: total, within: group}
    score:
      items:
        - {id: talks, each: works, where: kind = 'talk', points: hours, max: 12}
        - {id: others, each: works, where: kind <> 'talk', points: 1.5, max: 9}
        - {id: extra, points: extra}
    verdicts:
      grade:
        levels: [low, middle, high]
        rules: [{is: high, when: total >= 14}, {is: middle, when: total >= 6}, {otherwise: low}]
      chosen: {among: grade <> 'low', within: group, take: 2, order_by: total desc, ties: include}
    rosters: [{id: all, order_by: total desc, rank: dense, columns: [rank, name, total, grade, chosen]}]
"""
DAY = date(2024, 1, 10)
SIZE, PEOPLE, WORKS = 8, 37, 200
KINDS = ("talk", "visit", "note")


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PART", SIZE)


@pytest.fixture
def taken_over(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return the names of tables that are taken over, as it happens."""
    names: list[str] = []
    rows = RunBefore.rows

    def noted(before: RunBefore, made: Any) -> Any:
        names.append(made.name)
        return rows(before, made)

    monkeypatch.setattr(RunBefore, "rows", noted)
    return names


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pack(tmp_path_factory.mktemp("parts") / "pack", pack=PACK, person=PERSON)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    dice = random.Random(7)
    folder = tmp_path / "data"
    people = [(f"p{n:02}", f"name {n}", f"g{n % 3}", dice.choice((0, 0.25, 3))) for n in range(PEOPLE)]
    write_csv(folder / "person.csv", ("id", "name", "group", "extra"), people)
    works = [
        (f"w{n:03}", dice.choice(people)[n % 2], date(2023, 1, 1) + timedelta(dice.randrange(400)),
         dice.choice(KINDS), dice.choice((1, 2.5, 0.75)), dice.choice(("", "hall", "会议室")))
        for n in range(WORKS)
    ]  # fmt: skip
    write_csv(folder / "works.csv", ("id", "person", "held_on", "kind", "hours", "place"), works)
    return folder


@pytest.fixture(autouse=True)
def much_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what is done for much data."""
    monkeypatch.setattr("evaluator.engine.run.SMALL", 0)
    monkeypatch.setattr("evaluator.sql.duck.MANY", 1)


@pytest.fixture
def published(pack: Path, data: Path, tmp_path: Path) -> Path:
    return evaluator.run(pack, data, 2023, tmp_path / "published", stage="published", published_on=DAY)


def write_cases(folder: Path, cases: dict[str, list[dict[str, Any]]]) -> Path:
    """Write an accepted case for each list of claims."""
    empty_folder(folder)
    for number, claims in cases.items():
        case = {
            "appeal": number, "subject": "person:p01", "filed_on": "2024-01-11", "status": "accepted",
            "reviewer": "the office", "decided_on": "2024-01-12", "reason": "so it was", "claims": claims,
        }  # fmt: skip
        words = re.sub(r'_on": "([^"]+)"', r'_on": \1', json.dumps(case, ensure_ascii=False, indent=1))  # days are bare
        (folder / f"{number}.yaml").write_text(words, encoding="utf-8")
    return folder


def some_claim(dice: random.Random, number: int) -> dict[str, Any]:
    """Return a claim of any sort, mostly of one that can be accepted."""
    work, person = f"w{dice.randrange(WORKS):03}", f"p{dice.randrange(PEOPLE):02}"
    cells: dict[str, str] = {
        "kind": dice.choice(KINDS), "hours": dice.choice(("8", "0.5")), "held_on": "2023-06-01", "person": person,
        "place": dice.choice(("", "outside")), "id": dice.choice((f"x{number}", "w001")),
    }  # fmt: skip
    match dice.randrange(8):
        case 0:
            return {"void": "works", "key": work}
        case 1:
            row = {"id": f"n{number}", "person": person, "held_on": "2023-05-05", "kind": "talk", "hours": "2"}
            return {"add": "works", "row": row}
        case 2:
            return {"correct": "person", "key": person, "set": {dice.choice(("name", "extra", "group")): str(number)}}
        case 3 if number % 3 == 0:
            return {"correct": "works", "where": {"id": work}, "set": {"kind": "talk"}}
    name = dice.choice((*cells, "kind", "hours", "held_on", "person"))
    return {"correct": "works", "key": work, "set": {name: cells[name]}}


def outcome(*arguments: Any, out: Path, **more: Any) -> dict[str, bytes] | str:
    """Return what a run writes, or what it says is wrong."""
    try:
        return bytes_of(evaluator.run(*arguments, out=out, stage="published", published_on=DAY, **more))
    except Stop as stop:
        return str([(one.code, one.message) for one in stop.problems])


@pytest.mark.parametrize("seed", range(24))
def test_runs_on_one_another_are_as_if_each_had_read_everything(
    pack: Path, data: Path, published: Path, tmp_path: Path, seed: int, taken_over: list[str]
) -> None:
    dice, before = random.Random(seed), published
    cases: dict[str, list[dict[str, Any]]] = {}
    for turn in range(3):
        if cases and dice.randrange(3) == 0:
            del cases[dice.choice(list(cases))]  # a decision is taken back
        cases[f"{dice.randrange(90)}-{turn}"] = [some_claim(dice, 10 * turn + n) for n in range(dice.randint(1, 2))]
        appeals = write_cases(tmp_path / "appeals", cases)
        given = {"supersedes": before, "appeals": appeals}
        made = outcome(pack, data, 2023, out=tmp_path / f"made-{turn}", **given)
        afresh = outcome(pack, data, 2023, out=tmp_path / f"afresh-{turn}", afresh=True, **given)
        assert made == afresh
        if isinstance(made, dict):
            before = tmp_path / f"made-{turn}"
        else:
            cases.popitem()
    assert taken_over or any(claim.get("correct") == "person" for claims in cases.values() for claim in claims)


@pytest.mark.parametrize("added", [["w001"], ["n1", "n1"], ["n1"]], ids="-".join)
def test_a_row_that_is_added_shares_its_key_with_nobody(
    pack: Path, data: Path, published: Path, tmp_path: Path, added: list[str], taken_over: list[str]
) -> None:
    row = {"person": "p01", "held_on": "2023-05-05", "kind": "talk", "hours": "2"}
    cases = {str(n): [{"add": "works", "row": {"id": key, **row}}] for n, key in enumerate(added)}
    given = {"supersedes": published, "appeals": write_cases(tmp_path / "appeals", cases)}
    made = outcome(pack, data, 2023, out=tmp_path / "made", **given)
    assert taken_over
    assert made == outcome(pack, data, 2023, out=tmp_path / "afresh", afresh=True, **given)
    assert isinstance(made, dict) == (added == ["n1"])


def test_only_the_parts_that_a_case_touches_are_written_again(
    pack: Path, data: Path, published: Path, tmp_path: Path, taken_over: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write_all = evaluator.sql.duck.DuckDatabase.write_all

    def noted(database: Any, queries: dict[Path, Any]) -> None:
        written.extend("/".join(file.parts[-3:]) for file in queries)
        write_all(database, queries)

    monkeypatch.setattr(evaluator.sql.duck.DuckDatabase, "write_all", noted)
    appeals = write_cases(tmp_path / "appeals", {"1": [{"correct": "works", "key": "w100", "set": {"place": "town"}}]})
    run = evaluator.run(pack, data, 2023, tmp_path / "out", supersedes=published, appeals=appeals)
    assert taken_over == ["works"]
    ours, theirs = bytes_of(run), bytes_of(published)
    changed = {name for name in theirs if name.startswith(("records/", "subjects/")) and ours[name] != theirs[name]}
    subjects = {name for name in ours if name.startswith("subjects/")}  # they are written to see which are the same
    assert len(changed) == 1 and {*changed, *subjects} == set(written)
    assert len(subjects) == -(-PEOPLE // SIZE)


@pytest.mark.parametrize("change", ["pack", "data", "another version", "rejects"])
def test_nothing_is_taken_over_from_a_run_of_something_else(
    pack: Path, data: Path, published: Path, tmp_path: Path, taken_over: list[str], change: str
) -> None:
    rules, more = pack, {}
    if change == "pack":
        rules = write_pack(tmp_path / "pack", pack=PACK, person=PERSON.replace("max: 12", "max: 13"))
    elif change == "data":
        with (data / "works.csv").open("a", encoding="utf-8") as file:
            file.write("w999,p01,2023-02-02,talk,1,\n")
    elif change == "rejects":
        with (data / "works.csv").open("a", encoding="utf-8") as file:
            file.write("w999,p01,2023-02-02,dance,1,\n")
        more = {"accept_rejects": True}
        published = evaluator.run(pack, data, 2023, tmp_path / "with-rejects", **more)
    else:
        manifest = json.loads((published / "manifest.json").read_text())
        manifest["versions"]["duckdb"] = "0.0.1"
        (published / "manifest.json").write_text(json.dumps(manifest))
    evaluator.run(rules, data, 2023, tmp_path / "out", supersedes=published, **more)
    assert not taken_over


@pytest.mark.parametrize("table", ["records/works", "subjects/person"])
@pytest.mark.parametrize("same_rows", [True, False])
def test_what_somebody_changed_in_the_run_before_is_not_carried_on(
    pack: Path, data: Path, published: Path, tmp_path: Path, table: str, same_rows: bool
) -> None:
    parts = sorted((published / f"{table}.parquet").iterdir())
    pq.write_table(pq.read_table(parts[1 if same_rows else 2]), parts[1], compression="none")
    afresh = evaluator.run(pack, data, 2023, tmp_path / "afresh", supersedes=published, afresh=True)
    if table == "subjects/person" and not same_rows:  # other results than now: nothing of it is taken over
        again = evaluator.run(pack, data, 2023, tmp_path / "again", supersedes=published)
        assert bytes_of(again) == bytes_of(afresh)
        return
    with pytest.raises(Stop) as stopped:
        evaluator.run(pack, data, 2023, tmp_path / "again", supersedes=published)
    (problem,) = stopped.value.problems
    assert problem.code == "R225" and problem.fix is not None and "--afresh" in problem.fix
    assert problem.at is not None and str(problem.at).startswith(parts[1].as_posix())
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("table", ["records/works", "subjects/person", "score_lines/person"])
def test_a_file_of_the_run_before_that_is_gone_is_not_needed_or_named(
    pack: Path, data: Path, published: Path, tmp_path: Path, table: str
) -> None:
    part = published / f"{table}.parquet" / "part-00001.parquet"
    part.unlink()
    afresh = evaluator.run(pack, data, 2023, tmp_path / "afresh", supersedes=published, afresh=True)
    try:
        again = evaluator.run(pack, data, 2023, tmp_path / "again", supersedes=published)
    except Stop as stopped:
        assert [one.code for one in stopped.problems] == ["R225"] and str(part) in str(stopped)
    else:
        assert bytes_of(again) == bytes_of(afresh)


def test_an_explanation_reads_the_part_of_its_subject_whatever_the_size_of_parts(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = ["p00", "p07", "p08", "p20", "p36"]
    said = [str(evaluator.explain(published, person)) for person in people]
    assert all(f"({person})" in words for person, words in zip(people, said, strict=True))
    for size in (1, 3, SIZE + 1, 10**6):
        monkeypatch.setattr(history, "PART", size)
        assert [str(evaluator.explain(published, person)) for person in people] == said


def test_an_explanation_reads_all_parts_where_spark_has_cut_them_as_it_liked(published: Path) -> None:
    people = ["p00", "p08", "p20"]
    said = [str(evaluator.explain(published, person)) for person in people]
    manifest = json.loads((published / "manifest.json").read_text(encoding="utf-8"))
    (published / "manifest.json").write_text(json.dumps(manifest | {"engine": "spark"}), encoding="utf-8")
    parts = sorted((published / "records" / "works.parquet").iterdir())
    content = [part.read_bytes() for part in parts]
    for part, other in zip(parts, [*content[1:], content[0]], strict=True):
        part.write_bytes(other)
    assert [str(evaluator.explain(published, person)) for person in people] == said


def test_a_run_in_parts_is_verified_explained_and_compared(
    pack: Path, data: Path, published: Path, tmp_path: Path
) -> None:
    appeals = write_cases(tmp_path / "appeals", {"1": [{"void": "works", "key": "w100"}]})
    run = evaluator.run(pack, data, 2023, tmp_path / "out", supersedes=published, appeals=appeals)
    assert evaluator.verify(run).is_ok
    assert "w1" in str(evaluator.explain(run, "p01"))
    assert "w100" in str(evaluator.compare(published, run))
    part = run / "records" / "works.parquet" / "part-00001.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    assert part.name in str(evaluator.verify(run))
