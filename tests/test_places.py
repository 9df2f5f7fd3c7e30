"""The packs of places beside Daguan: every rule and figure of their source, their runs, and their soiled twins."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oracle_places
import pytest
import yaml
from conftest import ROOT, rows_of
from python_calamine import CalamineWorkbook

import evaluator
from evaluator.diagnostics import Stop

YEARS = {"tongchuan": 2023, "yiyang": 2021}
GOLDEN = ROOT / "tests" / "golden"

# What the sources say, place by place. A rule is named by the clause that a line, verdict, rule or parameter must rest
# on; a record by the table and, where it is a sort of record, the word for it; a figure by clause, sort and number.
RULES = {
    "tongchuan": {
        "studios get stars every year": "stars",
        "committees, sectors and members who organise or take part": "roles",
        "three stars and more are commended": "praise",
        "their members may get bonus points": "bonus",
        "their lead members go first on the re-appointment list": "priority",
        "activity funds by star": "funds",
        "one feature and one sector a studio": "one_each",
        "every member is attached to a studio, hall or station": "attached",
        "a call is answered within a week": "hotline",
    },
    "yiyang": {
        "one month of duty for everybody, leaders too": "duty",
        "reception on the first Monday": "reception",
        "one major topic a year": "topic",
        "against policy or law: explain": "step1",
        "consultation or no clear demand: reply at once": "step2",
        "for specialists: record, ask, reply": "step3",
        "for government: submit, review, hand to a unit": "step4",
        "collected, handled, solved": "items",
        "reception, visit, survey, consultation": "staff",
    },
}
RECORDS = {
    "tongchuan": {
        "农技培训": "activities", "微协商": "activities", "走访调研": "activities", "协商会": "activities",
        "直播培训": "activities",
        "调研报告": "reports", "签批领导": "reports", "小微热线": "calls", "民生项目": "projects",
        "农产品销售": "sales",
    },
    "yiyang": {
        "接待": "item", "走访": "activities", "调研": "activities", "协商": "activities", "线上": "item",
        "掌上提案": "item",
        "社情民意": "item", "微建议": "item", "接待日": "duty", "民生工程": "projects", "帮扶": "help",
    },
}  # fmt: skip
FIGURES = {
    "tongchuan": [
        ("studios", "equals", 5), ("halls", "equals", 19), ("stations", "equals", 15), ("attached", "equals", 34),
        ("attached", "equals", 254), ("founded", "equals", 1), ("trainings", "equals", 8),
        ("trainings", "at_least", 300),
        ("consultations", "equals", 6), ("surveys", "equals", 11), ("reports", "equals", 8),
        ("sales", "at_least", 1000000),
        ("streaming", "at_least", 1), ("hotline", "equals", 1), ("site", "equals", 1), ("opened", "equals", 1),
        ("drivers", "at_least", 200),
    ],
    "yiyang": [
        ("studios", "equals", 36), ("since", "equals", 36), ("staff", "equals", 18), ("items", "equals", 1867),
        ("items", "equals", 1738), ("items", "equals", 1623), ("projects", "equals", 378),
        ("households", "at_least", 1600),
        ("online", "equals", 43), ("lane", "equals", 1), ("lane_people", "at_least", 10000), ("system", "equals", 1),
        ("noise", "equals", 1), ("topic", "equals", 1),
    ],
}  # fmt: skip
places = pytest.mark.parametrize("place", YEARS)


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


# --- what the source says is in the pack --------------------------------------------------------------------


@places
def test_every_rule_of_the_source_has_one_of_the_pack(place: str) -> None:
    files = pack_files(place)
    parts = [value for name, value in files.items() if name != "pack"] + [files["pack"]["parameters"]]
    used = {m["clause"] for part in parts for m in mappings(part) if isinstance(m.get("clause"), str)}
    assert {clause for clause in RULES[place].values() if clause not in used} == set()


@places
def test_every_record_of_the_source_has_a_table(place: str) -> None:
    files = pack_files(place)
    tables = files["pack"]["tables"] | {name: value for name, value in files.items() if "subject" in value}
    missing = {word for word, table in RECORDS[place].items() if word not in str(tables.get(table))}
    assert missing == set()


@places
def test_every_figure_of_the_source_is_a_control(place: str) -> None:
    controls = pack_files(place)["pack"]["reconcile"]
    assert {control["year"] for control in controls} == {YEARS[place]}
    there = {(c["clause"], sort, c[sort]) for c in controls for sort in ("equals", "at_least") if sort in c}
    assert set(FIGURES[place]) - there == set()


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


@pytest.fixture(scope="module", params=YEARS)
def place_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    place, year = request.param, YEARS[request.param]
    data = ROOT / "fixtures" / place / str(year)
    return place, evaluator.run(ROOT / "rules" / place, data, year, tmp_path_factory.mktemp(place) / "run")


def test_no_row_is_rejected_and_all_figures_are_met(place_run: tuple[str, Path]) -> None:
    place, folder = place_run
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["counts"]["rejects"] == 0
    assert len(manifest["reconcile"]) == len(pack_files(place)["pack"]["reconcile"])
    assert [row["figure"] for row in manifest["reconcile"] if not row["is_met"]] == []


def test_every_subject(place_run: tuple[str, Path]) -> None:
    """Totals and verdicts are those of an independent program."""
    place, folder = place_run
    judge = {"tongchuan": oracle_places.tongchuan, "yiyang": oracle_places.yiyang}[place]
    for kind, wanted in judge(ROOT / "fixtures" / place / str(YEARS[place]), YEARS[place]).items():
        found = {row["key"]: row for row in rows_of(folder, f"subjects/{kind}")}
        assert wanted.keys() <= found.keys()
        for key, values in wanted.items():
            shown = {name: value for name, value in values.items() if not name.startswith("#")}
            assert {name: found[key][name] for name in shown} == shown, (kind, key)
        if kind not in ("workstation", "item"):
            assert wanted.keys() == found.keys()


def test_who_is_set_apart(place_run: tuple[str, Path]) -> None:
    place, folder = place_run
    apart = [row for row in rows_of(folder, "subjects/workstation") if not row["is_assessed"]]
    assert len(apart) == (34 if place == "tongchuan" else 0)
    assert all(row["total"] is None and row["stars"] is None for row in apart)


def test_stars_lie_at_and_below_their_marks(place_run: tuple[str, Path]) -> None:
    place, folder = place_run
    if place == "tongchuan":
        rows = {row["key"]: row for row in rows_of(folder, "subjects/workstation") if row["is_assessed"]}
        assert {key: (float(str(row["total"])), row["stars"]) for key, row in rows.items()} == {
            "S1": (91, 5), "S2": (80, 4), "S3": (74.75, 3), "S4": (69.5, 2), "S5": (21.5, 0),
        }  # fmt: skip


# --- the same year as a hurried office keeps it -------------------------------------------------------------


def test_soiled_twin(place_run: tuple[str, Path], tmp_path: Path) -> None:
    """What cannot be read is refused, each row with its reason; what is only untidy comes to the same results."""
    place, clean_run = place_run
    pack, data = ROOT / "rules" / place, ROOT / "fixtures" / place / "dirty"
    with pytest.raises(Stop):
        evaluator.run(pack, data, YEARS[place], tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    folder = evaluator.run(pack, data, YEARS[place], tmp_path / "run", accept_rejects=True)
    golden = GOLDEN / f"rejects-{place}.csv"
    assert (folder / "rejects.csv").read_bytes() == golden.read_bytes()
    aside = ("row", "file", "sheet", "settled.priority")
    for path in sorted((folder / "subjects").iterdir()):
        clean, soiled = (rows_of(run, f"subjects/{path.stem}") for run in (clean_run, folder))
        assert [{n: v for n, v in row.items() if n not in aside} for row in soiled] == [
            {n: v for n, v in row.items() if n not in aside} for row in clean
        ]


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
