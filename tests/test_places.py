"""Every place of the sources: each rule, record and figure has its part in the pack, and its years come out right."""

from __future__ import annotations

import csv
import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, bytes_of, history_of, locked, rows_of, shared_folder
from explained import adds_up, quick, says_what_is_stored
from python_calamine import CalamineWorkbook

import evaluator
from evaluator import demo
from evaluator.diagnostics import Stop
from evaluator.report.explaining.explain import Explainer, find_subject

GOLDEN = ROOT / "tests" / "golden"
FACTS: dict[str, Any] = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "tests" / "places").glob("*.yaml"))
}
"""What the sources say, place by place: a rule is named by the clause that a line, verdict, rule or parameter must rest
on; a record by the table that holds it; a figure by clause, sort and number."""
EXPLAINED = 6  # subjects of a kind, unless all are asked for
SORTS = ("equals", "at_least")
PLACES = {
    "daguan", "heilongjiang", "langya", "mawei", "nanchong", "shangjie", "shenzhen", "tongchuan", "xiangzhou", "xupu",
    "yiyang",
}  # fmt: skip
OURS = {"heilongjiang", "mawei", "nanchong", "xupu"}
places = pytest.mark.parametrize("place", FACTS)


def pack_files(place: str) -> dict[str, Any]:
    """Return the files of a pack as they stand."""
    folder = ROOT / "rules" / place
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))}


def mappings(value: object) -> Iterator[dict[str, Any]]:
    """Walk all mappings of a pack."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from mappings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from mappings(inner)


def test_every_place_is_there() -> None:
    """Each place of the sources has a pack, its sheets, a maker of these, facts, a page, and comes with the package."""
    assert set(FACTS) == PLACES == set(demo.places())
    index = (ROOT / "docs" / "places" / "README.md").read_text(encoding="utf-8")
    assert all(f"({place}.md)" in index for place in PLACES)
    assert all((ROOT / "fixtures" / "make" / place / "__init__.py").is_file() for place in PLACES)
    assert {place for place in PLACES if not FACTS[place]["rules"]} == OURS
    assert all(FACTS[place]["records"] and FACTS[place]["figures"] for place in PLACES)


# --- what the source says is in the pack --------------------------------------------------------------------


@places
def test_every_rule_of_the_source_has_one_of_the_pack(place: str) -> None:
    files = pack_files(place)
    parts = [value for name, value in files.items() if name != "pack"] + [files["pack"]["parameters"]]
    used = {m["clause"] for part in parts for m in mappings(part) if isinstance(m.get("clause"), str)}
    assert {clause for clause in FACTS[place]["rules"].values() if clause not in used} == set()


@places
def test_every_record_of_the_source_has_a_table(place: str) -> None:
    files = pack_files(place)
    tables = files["pack"]["tables"] | {name: value for name, value in files.items() if "subject" in value}
    missing = {word for word, table in FACTS[place]["records"].items() if word not in str(tables.get(table))}
    assert missing == set()


@places
def test_every_figure_of_the_source_is_a_control(place: str) -> None:
    controls = pack_files(place)["pack"]["reconcile"]
    assert {control["year"] for control in controls} == {FACTS[place]["years"][-1]}
    there = {(c["clause"], sort, c[sort]) for c in controls for sort in ("equals", "at_least") if sort in c}
    wanted = {(f["clause"], sort, f[sort]) for f in FACTS[place]["figures"] for sort in SORTS if sort in f}
    assert wanted - there == set()
    disagreeing = {f["clause"] for f in FACTS[place]["figures"] if "disagrees" in f}
    assert {c["clause"] for c in controls if "differs" in c} == disagreeing


@places
def test_a_method_of_ours_says_so(place: str) -> None:
    """Where the source assesses nobody, the title tells that the method is not the place's."""
    title = pack_files(place)["pack"]["title"]
    is_ours = not FACTS[place]["rules"]
    assert ("参考办法" in title["zh"], "reference method" in title["en"]) == (is_ours, is_ours)


@places
def test_its_page_tells_of_it(place: str) -> None:
    page = (ROOT / "docs" / "places" / f"{place}.md").read_text(encoding="utf-8")
    assert {f"rules/{place}", f"fixtures/{place}", f"fixtures/{place}/dirty"} <= {
        w.strip("`.,;()") for w in page.split()
    }


@places
def test_every_clause_is_used(place: str) -> None:
    files = pack_files(place)
    used = {m["clause"] for m in mappings(files) if isinstance(m.get("clause"), str)}
    assert set(files["pack"]["clauses"]) == used


@places
def test_points_that_no_source_gives_say_so(place: str) -> None:
    """Each line has a note, or stands in a group that has one."""

    def silent(line: dict[str, Any], is_said: bool) -> Iterator[str]:
        is_said = is_said or "note" in line
        if "items" not in line and not is_said:
            yield line["id"]
        for inner in line.get("items", ()):
            yield from silent(inner, "note" in inner or "note" in line)

    scores = [value["score"] for value in pack_files(place).values() if "score" in value]
    assert [name for score in scores for name in silent(score, False)] == []


# --- the year -----------------------------------------------------------------------------------------------


@pytest.fixture(params=FACTS)
def place_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[int, Path]]:
    """A place and the run folders of its years; made by whichever worker comes first."""
    place: str = request.param
    folders = {year: shared_folder(tmp_path_factory, f"{place}/{year}") for year in FACTS[place]["years"]}
    with locked(tmp_path_factory, place):
        for year, folder in folders.items():
            if not folder.exists():
                data = ROOT / "fixtures" / place / str(year)
                evaluator.run(ROOT / "rules" / place, data, year, folder, history_of(folders, year))
    return place, folders


def test_what_is_done_for_much_data_leaves_the_same_bytes(
    place_run: tuple[str, dict[int, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, folders = place_run
    year = max(folders)
    monkeypatch.setattr("evaluator.engine.run.SMALL", 0)
    monkeypatch.setattr("evaluator.sql.duck.MANY", 1)
    pack, data = ROOT / "rules" / place, ROOT / "fixtures" / place / str(year)
    again = evaluator.run(pack, data, year, tmp_path / "run", history_of(folders, year))
    assert bytes_of(again) == bytes_of(folders[year])


def test_no_row_is_rejected_and_all_figures_are_met(place_run: tuple[str, dict[int, Path]]) -> None:
    place, folders = place_run
    manifests = [json.loads((folder / "manifest.json").read_text(encoding="utf-8")) for folder in folders.values()]
    assert [manifest["counts"]["rejects"] for manifest in manifests] == [0] * len(folders)
    found = manifests[-1]["reconcile"]
    assert len(found) == len(pack_files(place)["pack"]["reconcile"])
    assert [row["figure"] for row in found if not row["is_met"] and not row["differs"]] == []


def test_every_subject(place_run: tuple[str, dict[int, Path]]) -> None:
    """Totals and verdicts are those of an independent program; the subjects it names are all there are."""
    place, folders = place_run
    year = FACTS[place]["years"][-1]
    judge = importlib.import_module(f"places.{place}").judge
    judged = judge(ROOT / "fixtures" / place / str(year), year)
    assert set(judged) == {path.stem for path in (folders[year] / "subjects").iterdir()}
    for kind, wanted in judged.items():
        found = {row["key"]: row for row in rows_of(folders[year], f"subjects/{kind}")}
        left_out = found.keys() - wanted.keys()
        assert wanted.keys() <= found.keys()
        assert len(left_out) == FACTS[place].get("left_out", {}).get(kind, 0)
        for key, values in wanted.items():
            shown = {name: value for name, value in values.items() if not name.startswith("#")}
            assert {name: found[key][name] for name in shown} == shown, (kind, key)


def test_who_is_set_apart(place_run: tuple[str, dict[int, Path]]) -> None:
    """Who is not assessed has neither a total nor a verdict, and stands there with the reason."""
    place, folders = place_run
    folder = folders[FACTS[place]["years"][-1]]
    apart = {}
    for path in sorted((folder / "subjects").iterdir()):
        rows = [row for row in rows_of(folder, f"subjects/{path.stem}") if not row["is_assessed"]]
        assert all(row.get("total") is None and row["reason"] for row in rows)
        if rows:
            apart[path.stem] = len(rows)
    assert apart == FACTS[place].get("set_apart", {})


def test_marks_worked_out_by_hand(place_run: tuple[str, dict[int, Path]]) -> None:
    place, folders = place_run
    folder = folders[FACTS[place]["years"][-1]]
    for kind, wanted in FACTS[place]["by_hand"].items():
        rows = {row["key"]: row for row in rows_of(folder, f"subjects/{kind}")}
        for key, values in wanted.items():
            found = {name: plain(rows[str(key)][name]) for name in values}
            assert found == {name: plain(value) for name, value in values.items()}, (kind, key)


def plain(value: object) -> object:
    """Return a number as the fraction it is."""
    return value if isinstance(value, bool | str | None) else Fraction(str(value))


def test_explanations_say_what_the_run_says(
    place_run: tuple[str, dict[int, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every total, line and verdict; of some subjects of each kind, or of all with EVALUATOR_ALL=1."""
    _, folders = place_run
    folder = list(folders.values())[-1]
    with quick(folder, monkeypatch) as (run, found):
        for kind in run.pack.kinds.values():
            rows = rows_of(folder, f"subjects/{kind.name}")
            step = 1 if os.environ.get("EVALUATOR_ALL") else max(1, len(rows) // EXPLAINED)
            for row in rows[::step]:
                made = Explainer(run, find_subject(run, f"{kind.name}:{row['key']}")).explanation()
                says_what_is_stored(made, row)
                adds_up(made, found.get((kind.name, made.key), []))


# --- the same year as a hurried office keeps it -------------------------------------------------------------


def test_soiled_twin(place_run: tuple[str, dict[int, Path]], tmp_path: Path) -> None:
    """What cannot be read is refused, each row with its reason; what is only untidy comes to the same results."""
    place, folders = place_run
    year = FACTS[place]["years"][-1]
    pack, data, before = ROOT / "rules" / place, ROOT / "fixtures" / place / "dirty", history_of(folders, year)
    with pytest.raises(Stop):
        evaluator.run(pack, data, year, tmp_path / "refused", before)
    assert not (tmp_path / "refused").exists()
    folder = evaluator.run(pack, data, year, tmp_path / "run", before, accept_rejects=True)
    golden = GOLDEN / f"rejects-{place}.csv"
    if os.environ.get("WRITE_GOLDEN"):
        shutil.copy(folder / "rejects.csv", golden)
    assert (folder / "rejects.csv").read_bytes() == golden.read_bytes()
    for path in sorted((folder / "subjects").iterdir()):
        clean, soiled = (rows_of(run, f"subjects/{path.stem}") for run in (folders[year], folder))
        assert [values_of(row) for row in soiled] == [values_of(row) for row in clean]


def values_of(row: dict[str, object]) -> dict[str, object]:
    """Return what a subject comes to, without the rows that say so."""
    return {n: v for n, v in row.items() if n not in ("row", "file", "sheet") and not n.startswith("settled.")}


@places
def test_golden_rejects_are_of_every_sort(place: str) -> None:
    with (GOLDEN / f"rejects-{place}.csv").open(encoding="utf-8-sig", newline="") as stream:
        reasons = {" ".join(row["reason"].split(" ")[:2]) for row in csv.DictReader(stream)}
    assert {"not in", "not a", "not one", "another row", "the same"} <= reasons


# --- the fixtures -------------------------------------------------------------------------------------------


@places
def test_fixtures_are_made_again(place: str, tmp_path: Path) -> None:
    make = [sys.executable, "-B", str(ROOT / "fixtures" / "make"), "--out", str(tmp_path), place]
    subprocess.run(make, check=True, timeout=120)
    kept = ROOT / "fixtures" / place
    assert [p.relative_to(tmp_path / place) for p in sorted((tmp_path / place).rglob("*"))] == [
        p.relative_to(kept) for p in sorted(kept.rglob("*"))
    ]
    for path in sorted(kept.rglob("*.*")):
        again = tmp_path / place / path.relative_to(kept)
        assert content(again) == content(path), path


def content(path: Path) -> object:
    """Return the bytes of a file, but the cells of a workbook: its bytes depend on what writes it."""
    if path.suffix != ".xlsx":
        return path.read_bytes()
    book = CalamineWorkbook.from_path(path)
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


@places
def test_fixtures_are_small(place: str) -> None:
    assert sum(path.stat().st_size for path in (ROOT / "fixtures" / place).rglob("*.*")) < 2_000_000
