"""Run folders verified: whatever is changed is found and named; a run made again is the same."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import bytes_of, empty_folder, write_csv, write_pack

import evaluator
from evaluator.data.chain import STAGES
from evaluator.data.hashes import digest, hash_of
from evaluator.data.history import MANIFEST
from evaluator.diagnostics import Stop
from evaluator.report.repeat import repeat
from evaluator.report.verify import Verification

PACK = """
    pack: small
    title: {en: Small}
    language: en
    history: {gap: breaks}
    tables:
      works:
        key: id
        date: held_on
        fields: {id: text, held_on: date, person: {ref: person}}
"""
PERSON = """
    subject: person
    key: id
    fields: {id: text}
    score: {items: [{id: works, each: works, points: 2}]}
    verdicts:
      grade: {levels: [low, high], rules: [{is: high, when: total >= 4}, {otherwise: low}]}
      leaves: {when: "years_running(grade = 'low') >= 2"}
    rosters: [{id: all, order_by: total desc, rank: dense, columns: [rank, id, total]}]
"""
DAY = date(2022, 1, 10)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pack, two years of data, and runs: 2020; of 2021 a draft, published, final."""
    home = tmp_path_factory.mktemp("made")
    pack = write_pack(home / "pack", pack=PACK, person=PERSON)
    for year in (2020, 2021):
        write_csv(home / str(year) / "person.csv", ("id",), [("a",), ("b",)])
        works = [("w1", f"{year}-03-01", "a"), ("w2", f"{year}-04-01", "a"), ("w3", f"{year}-05-01", "b")]
        write_csv(home / str(year) / "works.csv", ("id", "held_on", "person"), works)
    runs = empty_folder(home / "runs")
    past = evaluator.run(pack, home / "2020", 2020, runs / "2020")
    before = None
    for stage in STAGES:
        day = DAY if stage != "draft" else None
        before = evaluator.run(
            pack, home / "2021", 2021, runs / stage, [past], stage=stage, published_on=day, supersedes=before
        )
    return home


@pytest.fixture
def runs(made: Path, tmp_path: Path) -> Path:
    """A copy of the runs that a test may spoil."""
    return Path(shutil.copytree(made / "runs", tmp_path / "runs"))


def faults(found: Verification) -> dict[str, list[str]]:
    """Return check → the files of which something does not hold."""
    return {check.name: [fault.file for fault in check.faults] for check in found.checks if not check.is_ok}


@pytest.mark.parametrize("name", ["2020", *STAGES])
def test_what_nobody_changed_holds(made: Path, name: str) -> None:
    before = bytes_of(made / "runs")
    found = evaluator.verify(made / "runs" / name, made / ("2020" if name == "2020" else "2021"), made / "pack")
    assert (found.is_ok, faults(found)) == (True, {})
    assert "✗" not in str(found)
    assert str(found).endswith("everything holds")
    assert bytes_of(made / "runs") == before


def test_a_byte_in_each_file(made: Path, runs: Path) -> None:
    """Whichever file one bit is turned in, that file is named, by its hash and by running again."""
    run = runs / "final"
    for name, content in bytes_of(run).items():
        place = len(content) // 2
        (run / name).write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        named: set[str] = set()
        try:
            found = evaluator.verify(run, made / "2021", made / "pack")
        except Stop as stopped:
            assert name == MANIFEST
            assert [p.code for p in stopped.problems] == ["R223"]
        else:
            assert not found.is_ok
            named = {file for files in faults(found).values() for file in files}
            assert name in named or name == MANIFEST, name
            assert name in str(found)
            if name.startswith(("pack/", "inputs/")):  # they were given, so the run is made from those
                assert faults(found)["repeated"] == [name]
        (run / name).write_bytes(content)
    assert evaluator.verify(run).is_ok


def test_each_statement_of_the_manifest(made: Path, runs: Path) -> None:
    """Nothing the manifest says can be another: it is made again with everything else.

    Only what a run is told and nothing else shows, such as the day it was published, hangs on the manifest's own hash.
    """
    run = runs / "final"
    text = (run / MANIFEST).read_text(encoding="utf-8")
    manifest = json.loads(text)
    changes: dict[str, Callable[[dict[str, Any]], Any]] = {
        "year": lambda m: m.update(year=2022),
        "stage": lambda m: m.update(stage="draft"),
        "no day": lambda m: m.update(published_on="soon"),
        "language": lambda m: m.update(language="zh"),
        "counts": lambda m: m["counts"].update(rejects=1),
        "title": lambda m: m["pack"].update(title={"en": "Large"}),
        "no history": lambda m: m.update(history=[]),
        "other history": lambda m: m["history"][0].update(sha256="0" * 64),
        "other run before": lambda m: m["supersedes"].update(sha256="0" * 64),
        "run before of another stage": lambda m: m["supersedes"].update(stage="draft"),
        "data": lambda m: m["data"].update(sha256="0" * 64),
        "data file": lambda m: m["data"]["files"].update({"works.csv": "0" * 64}),
        "no outputs": lambda m: m.pop("outputs"),
        "engine": lambda m: m.update(engine="none"),
    }
    for what, change in changes.items():
        changed = json.loads(text)
        change(changed)
        assert changed != manifest, what
        (run / MANIFEST).write_text(json.dumps(changed, ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8")
        try:
            found = evaluator.verify(run, made / "2021", made / "pack")
        except Stop as stopped:
            assert [p.code for p in stopped.problems] == ["R223"], what
            assert MANIFEST in stopped.problems[0].message
        else:
            assert not found.is_ok, what
            assert "repeated" in faults(found), what
    (run / MANIFEST).write_text(text, encoding="utf-8")
    assert evaluator.verify(run).is_ok


def test_a_file_less_and_a_file_more(runs: Path) -> None:
    run = runs / "draft"
    for name, content in bytes_of(run).items():
        if name in (MANIFEST, "pack/pack.yaml", "pack/person.yaml"):
            continue
        (run / name).unlink()
        found = evaluator.verify(run)
        assert name in faults(found)["files"], name
        (run / name).write_bytes(content)
    for name in ("more.txt", "rosters/more.csv", "inputs/more.csv", "pack/more.yaml"):
        (run / name).write_text("subject: more\nkey: id\nfields: {id: text}\n" if "yaml" in name else "id\n1\n")
        found = evaluator.verify(run)
        assert faults(found)["files"] == [name]
        (run / name).unlink()
    (run / "pack" / "person.yaml").unlink()
    assert {"files", "pack", "repeated"} <= faults(evaluator.verify(run)).keys()


def test_a_run_made_from_other_data_or_rules(made: Path, runs: Path, tmp_path: Path) -> None:
    """Data and pack that are given have to be those the run was made from."""
    data, pack = (Path(shutil.copytree(made / name, tmp_path / name)) for name in ("2021", "pack"))
    works = data / "works.csv"
    works.write_text(works.read_text(encoding="utf-8").replace("w3,2021-05-01,b", "w3,2021-05-01,a"), encoding="utf-8")
    found = evaluator.verify(runs / "draft", data)
    assert faults(found)["data"] == [f"{data}/works.csv"]
    assert {"subjects/person.parquet", "inputs/works.csv", "records/works.parquet", MANIFEST} <= set(
        faults(found)["repeated"]
    )
    (data / "more.csv").write_text("id\n1\n", encoding="utf-8")
    assert f"{data}/more.csv" in faults(evaluator.verify(runs / "draft", data))["data"]
    person = pack / "person.yaml"
    person.write_text(person.read_text(encoding="utf-8").replace("points: 2", "points: 3"), encoding="utf-8")
    found = evaluator.verify(runs / "draft", made / "2021", pack)
    assert faults(found)["pack"] == [f"{pack}/person.yaml"]
    assert "score_lines/person.parquet" in faults(found)["repeated"]


def forge(run: Path, **changes: Any) -> str:
    """Write other things into a manifest, and return its hash."""
    manifest = json.loads((run / MANIFEST).read_text(encoding="utf-8")) | changes
    text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    (run / MANIFEST).write_text(text, encoding="utf-8")
    return hash_of(run / MANIFEST)


def test_the_chain(runs: Path, tmp_path: Path) -> None:
    """A run before that is gone, swapped, of another year, or later is named; where it lies does not matter."""
    far = tmp_path / "far"
    shutil.move(runs / "published", far / "published")
    found = evaluator.verify(runs / "final", language="en")
    assert set(faults(found)) == {"chain", "repeated"}
    assert "--supersedes" in str(found)
    assert evaluator.verify(runs / "final", supersedes=[far / "published"]).is_ok
    shutil.move(far / "published", runs / "called otherwise")
    assert evaluator.verify(runs / "final").is_ok
    (runs / "called otherwise").rename(runs / "published")

    manifests = {name: (runs / name / MANIFEST).read_bytes() for name in ("draft", "published")}
    for name, other in (
        ("draft", "published"),
        ("published", "draft"),
    ):  # what one says is put beside the other's files
        (runs / name / MANIFEST).write_bytes(manifests[other])
    assert evaluator.verify(runs / "draft").is_ok  # nothing but the name of the folder says otherwise
    for name, content in manifests.items():
        (runs / name / MANIFEST).write_bytes(content)

    # the first is said to be final, and everything after it is made to agree
    first = forge(runs / "draft", stage="final")
    second = forge(runs / "published", supersedes={"stage": "final", "sha256": first})
    forge(runs / "final", supersedes={"stage": "published", "sha256": second})
    found = evaluator.verify(runs / "final")
    [check] = [check for check in found.checks if check.name == "chain"]
    assert [(fault.file, fault.found) for fault in check.faults] == [(str(runs / "draft"), "final")]
    first = forge(runs / "draft", stage="draft", year=2019)
    second = forge(runs / "published", supersedes={"stage": "draft", "sha256": first})
    forge(runs / "final", supersedes={"stage": "published", "sha256": second})
    assert faults(evaluator.verify(runs / "final"))["chain"] == [str(runs / "draft")]


def test_earlier_years(runs: Path, tmp_path: Path) -> None:
    shutil.move(runs / "2020", tmp_path / "2020")
    found = evaluator.verify(runs / "draft")
    assert set(faults(found)) == {"history", "repeated"}
    assert "--history" in str(found)
    assert evaluator.verify(runs / "draft", history=[tmp_path / "2020"]).is_ok


def test_data_that_was_not_kept(made: Path, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs too large to be kept have to be named; then everything is checked as ever."""
    monkeypatch.setattr("evaluator.report.run_folder.LARGEST_INPUTS", 1)
    run = evaluator.run(made / "pack", made / "2021", 2021, tmp_path / "run", [runs / "2020"])
    found = evaluator.verify(run, history=[runs / "2020"])
    [fault] = found.checks[-1].faults
    assert "error[R221]" in fault.found and "--data" in fault.found
    assert evaluator.verify(run, made / "2021", history=[runs / "2020"]).is_ok


def test_other_versions(runs: Path) -> None:
    """Where the run was made with other versions its rows are compared, not its bytes."""
    run = runs / "draft"
    file = run / "subjects" / "person.parquet"
    table = pq.read_table(file)
    pq.write_table(table, file, compression="none")  # the same rows, in other bytes
    outputs = json.loads((run / MANIFEST).read_text(encoding="utf-8"))["outputs"]
    versions = {"duckdb": "0.1", "evaluator": "0.0.1", "sqlglot": "1.0"}
    forge(run, versions=versions, outputs=outputs | {"subjects/person.parquet": hash_of(file)})
    found = evaluator.verify(run)
    assert found.is_ok, str(found)
    assert "duckdb 0.1 → " in str(found)
    pq.write_table(table.slice(1), file)
    forge(run, outputs=outputs | {"subjects/person.parquet": hash_of(file)})
    found = evaluator.verify(run)
    assert faults(found) == {"repeated": ["subjects/person.parquet"]}
    assert found.checks[-1].faults[0].found == "1 rows that differ"


def test_no_run_folder(made: Path, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere", made / "2021"):
        with pytest.raises(Stop) as stopped:
            evaluator.verify(folder)
        assert [p.code for p in stopped.value.problems] == ["D301"]


def test_repeat_with_something_else(made: Path, runs: Path, tmp_path: Path) -> None:
    """A run made again is the same; what is asked for otherwise is otherwise."""
    assert bytes_of(repeat(runs / "final", tmp_path / "again", history=[runs / "2020"])) == bytes_of(runs / "final")
    changed = repeat(runs / "draft", tmp_path / "other", stage="published", published_on=DAY, supersedes=runs / "draft")
    manifest = json.loads((changed / MANIFEST).read_text(encoding="utf-8"))
    assert (manifest["stage"], manifest["supersedes"]["sha256"]) == ("published", hash_of(runs / "draft" / MANIFEST))
    assert bytes_of(changed)[MANIFEST] == bytes_of(runs / "published")[MANIFEST]
    shutil.rmtree(runs / "2020")
    shutil.rmtree(runs / "published")
    with pytest.raises(Stop) as stopped:
        repeat(runs / "final", tmp_path / "more")
    named = {("R222", f"name its folder with {option}") for option in ("--history", "--supersedes")}
    assert {(p.code, p.fix) for p in stopped.value.problems} == named


def test_digest_is_that_of_the_run(made: Path) -> None:
    """The digest is what is written into manifests."""
    manifest = json.loads((made / "runs" / "2020" / MANIFEST).read_text(encoding="utf-8"))
    assert digest(manifest["data"]["files"]) == manifest["data"]["sha256"]
    assert (
        manifest["data"]["files"]["works.csv"] == hashlib.sha256((made / "2020" / "works.csv").read_bytes()).hexdigest()
    )
