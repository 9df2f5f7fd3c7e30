"""Daguan's two years: for every subject the engine says what an independent program says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import oracle
import pyarrow.parquet as pq
import pytest
from conftest import YEARS, rows_of

KINDS = ("member", "workstation", "proposal")
ROSTERS = [
    *("member.commended", "member.annual", "proposal.excellent"),
    *("workstation.commended", "workstation.failing", "workstation.annual"),
]


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_subject(runs: dict[int, Path], judged: dict[int, oracle.Result], year: int, kind: str) -> None:
    subjects = {row["key"]: row for row in rows_of(runs[year], f"subjects/{kind}")}
    wanted = judged[year].subjects[kind]
    assert list(subjects) == sorted(wanted)
    for key, values in wanted.items():
        values = judged[year].fields[kind][key] | values
        values = {"filed_on" if name == "day" else name: value for name, value in values.items()}
        assert {name: subjects[key][name] for name in values} == values, key
        assert subjects[key]["is_assessed"] is (not values.get("on_leave", False)), key


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("kind", KINDS)
def test_lines_and_verdicts_row_by_row(
    runs: dict[int, Path], judged: dict[int, oracle.Result], year: int, kind: str
) -> None:
    """The tables with a row a line and a row a verdict hold what the wide table holds."""
    wanted = judged[year].subjects[kind]
    names = set(pq.read_schema(runs[year] / "subjects" / f"{kind}.parquet").names)
    verdicts = rows_of(runs[year], f"verdicts/{kind}")
    levels = [name for name in ("grade", "exit", "commended", "excellent") if name in names]
    assert Counter(row["key"] for row in verdicts) == dict.fromkeys(wanted, len(levels))
    for row in verdicts:
        value = wanted[row["key"]][row["verdict"]]
        assert row["value"] == (str(value).lower() if isinstance(value, bool) else value), row
    if kind == "proposal":
        return
    lines = rows_of(runs[year], f"score_lines/{kind}")
    for row in lines:
        name = "total" if row["line"] == "total" else f"points.{row['line']}"
        assert row["points"] == wanted[row["key"]][name], row
        if row["line"] != "total":
            assert row["before_bounds"] == wanted[row["key"]][f"raw.{row['line']}"], row
    each = 1 + sum(name.startswith("points.") for name in next(iter(wanted.values())))
    assert Counter(row["key"] for row in lines) == dict.fromkeys(wanted, each)


@pytest.mark.parametrize("year", YEARS)
def test_every_roster(runs: dict[int, Path], judged: dict[int, oracle.Result], year: int) -> None:
    result = judged[year]
    assert sorted(result.rosters) == sorted(ROSTERS)
    for name, wanted in result.rosters.items():
        kind = name.partition(".")[0]
        rows = rows_of(runs[year], f"rosters/{name}")
        assert [(row.get("#group"), row["rank"], row["#key"]) for row in rows] == wanted, name
        assert [row["#position"] for row in rows] == [*range(1, len(rows) + 1)]
        for row in rows:
            known = result.fields[kind][row["#key"]] | result.subjects[kind][row["#key"]]
            shown = {n: v for n, v in row.items() if n != "rank" and not n.startswith("#")}
            assert shown == {n: known[n] for n in shown}, (name, row["#key"])


@pytest.mark.parametrize("year", YEARS)
def test_records_outside_the_year(runs: dict[int, Path], judged: dict[int, oracle.Result], year: int) -> None:
    """Every record is kept, with the day that decides its year; those outside are counted for the reader."""
    manifest = read_manifest(runs[year])
    outside = {}
    for name in judged[year].records_outside:
        folder = "subjects" if name in KINDS else "records"
        outside[name] = sum(row["date"].year != year for row in rows_of(runs[year], f"{folder}/{name}"))  # type: ignore[attr-defined]
    assert outside == judged[year].records_outside
    unfolded = ("hosts", "takes_part", "signatures")
    noted = {name: count for name, count in outside.items() if count and name not in unfolded}
    assert manifest["counts"]["outside_the_year"] == noted
    assert noted


@pytest.mark.parametrize("year", YEARS)
def test_published_figures(runs: dict[int, Path], judged: dict[int, oracle.Result], year: int) -> None:
    reconciled = read_manifest(runs[year])["reconcile"]
    if year == 2020:  # the article tells of 2021 only
        assert reconciled == []
        return
    wanted = oracle.reconciled(judged[year])
    assert [int(row["computed"]) for row in reconciled] == [figure for _, figure, _ in wanted]
    published = [f"at least {row['published']}" if row["at_least"] else row["published"] for row in reconciled]
    assert published == [told.partition(" (")[0] for _, _, told in wanted]
    differing = [row for row in reconciled if not row["is_met"]]
    assert [(row["computed"], row["published"]) for row in differing] == [("40", "41")]
    assert "57" in differing[0]["differs"]


def read_manifest(run_folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run_folder / "manifest.json").read_text(encoding="utf-8"))
    return found
