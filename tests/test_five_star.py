"""A real rating programme: its rules as a pack, and the figures it published itself.

The file of the programme is named by EVALUATOR_REAL_DATA, or lies beside the checkout; it is read once. The control
totals of the pack are the figures to reach: a run that misses one stops.
"""

import json
import os
import shutil
from pathlib import Path

import pytest
from conftest import ROOT, rows_of

import evaluator

PACK = ROOT / "rules" / "five-star"
FILE = Path(os.environ.get("EVALUATOR_REAL_DATA") or ROOT.parent / "shared" / "real") / "nursing-homes.csv"


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not FILE.is_file():
        pytest.skip("the file of the programme is not here; EVALUATOR_REAL_DATA names its folder")
    data, out = tmp_path_factory.mktemp("homes"), tmp_path_factory.mktemp("run") / "five-star"
    shutil.copy(FILE, data)
    evaluator.run(PACK, data, 2021, out)
    return out


def test_pack_is_fine() -> None:
    evaluator.load_pack(PACK)


def test_published_figures(run_folder: Path) -> None:
    manifest = json.loads((run_folder / "manifest.json").read_text(encoding="utf-8"))
    reached = {row["figure"].rpartition(" where ")[2]: int(row["computed"]) for row in manifest["reconcile"]}
    assert all(row["is_met"] for row in manifest["reconcile"])
    assert sum(reached[f"revisit{n} = published_revisit{n}"] for n in (1, 2, 3)) == 45298
    assert sum(reached[f"cycle{n} = published_cycle{n}"] for n in (1, 2, 3)) == 45298
    unscored = reached["weighted is null and published_weighted is null"]
    assert reached["weighted = published_weighted"] + unscored == 15282
    assert reached["rn_star = published_rn"] == 14946
    assert reached["staffing = published_staffing"] == 14946
    assert round(reached["health = published_health"] / 15048, 4) >= 0.9594
    assert reached["overall_as_held = published_overall"] == 15048
    assert reached["not is_assessed and published_overall is null"] == 235


def test_who_is_not_rated_has_no_stars(run_folder: Path) -> None:
    apart = [row for row in rows_of(run_folder, "subjects/home") if not row["is_assessed"]]
    assert {row["reason"] for row in apart} == {"special focus facility", "too new to be rated"}
    assert all(row[star] is None for row in apart for star in ("curve", "health", "staffing", "overall"))


def test_whole_country_where_a_state_has_few_homes(run_folder: Path) -> None:
    homes = rows_of(run_folder, "subjects/home")
    few = [row for row in homes if row["state_homes"] < 5]
    assert few
    assert all(row["place"] == row["nation_place"] for row in few)
    assert all(row["place"] == row["state_place"] for row in homes if row["state_homes"] >= 5)
