"""What several test modules build on: the runs of Daguan, and small packs with their data."""

from __future__ import annotations

import csv
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from typing import Any

import oracle
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, settings

import evaluator
from evaluator.engine.awards import Award, awards
from evaluator.engine.state import State
from evaluator.pack.definitions import KindDef, LineDef, Pack

collect_ignore = ["bench/peers"]  # these need the libraries of the extra `bench`

# shrinking a failure can take minutes; HYPOTHESIS_PROFILE=default asks for it
settings.register_profile(
    "suite", deadline=None, phases=[Phase.explicit, Phase.generate], print_blob=True, derandomize=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def examples(count: int) -> int:
    """Return how many random examples are tried: all of them where EVALUATOR_ALL is set, else three fifths."""
    return count if os.environ.get("EVALUATOR_ALL") else max(2, count * 3 // 5)


SLOW: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],  # a run an example is too much for shrinking
}
ROOT = Path(__file__).parents[1]
RULES = ROOT / "rules" / "daguan"
DATA = ROOT / "fixtures" / "daguan"
YEARS = (2020, 2021)


@pytest.fixture(scope="session")
def daguan() -> Pack:
    """The pack of Daguan, checked."""
    return evaluator.load_pack(RULES)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, daguan: Pack) -> dict[int, Path]:
    """The run folders of both years; made by whichever worker comes first, and read-only for tests."""
    folders = {year: shared_folder(tmp_path_factory, f"daguan/{year}") for year in YEARS}
    with locked(tmp_path_factory, "daguan"):
        for year, folder in folders.items():
            if not folder.exists():
                evaluator.run(daguan, DATA / str(year), year, folder, history_of(folders, year))
    return folders


def shared_folder(factory: pytest.TempPathFactory, name: str) -> Path:
    """Return a folder that all workers of a test run see."""
    base = factory.getbasetemp()
    return (base.parent if "popen-gw" in base.name else base) / "shared" / name


@contextmanager
def locked(factory: pytest.TempPathFactory, name: str) -> Iterator[None]:
    """Keep the other workers out while something shared is made."""
    path = shared_folder(factory, f"{name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def judged() -> dict[int, oracle.Result]:
    """What an independent program makes of both years."""
    results: dict[int, oracle.Result] = {}
    for year in YEARS:
        results[year] = oracle.assess(DATA / str(year), year, results)
    return results


def history_of(folders: Mapping[int, Path], year: int) -> list[Path]:
    """Return the run folders before a year."""
    return [folder for earlier, folder in folders.items() if earlier < year]


def rows_of(run_folder: Path, name: str) -> list[dict[str, object]]:
    """Return the rows of a table of a run folder, such as "subjects/member"."""
    rows: list[dict[str, object]] = pq.read_table(run_folder / f"{name}.parquet").to_pylist()
    return rows


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def write_pack(folder: Path, **files: str) -> Path:
    """Write the files of a pack, each given by its name without .yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(dedent(content).lstrip("\n"), encoding="utf-8")
    return folder


def write_csv(file: Path, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Write a CSV file as a clerk's program would."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(headings)
        writer.writerows(rows)
    return file


def empty_folder(folder: Path) -> Path:
    """Return a folder with nothing in it, whatever was there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


# ---------------------------------------------------------------------------------------------------------
# lines and awards
# ---------------------------------------------------------------------------------------------------------


def figures(row: dict[str, Any], line: LineDef) -> tuple[Decimal, Decimal]:
    return row[f"raw.{line.id}"], row["total" if line.id == "total" else f"points.{line.id}"]


def award_name(award: Award) -> str:
    """Return what tells an award from the others of its subject."""
    return f"{award.line} {award.record if award.what == 'record' else award.what}"


def awards_of(state: State, kind: KindDef, subjects: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return subject → line and record → what is left of the award; check that they sum to every stored line."""
    kept: dict[str, dict[str, Any]] = {}
    sums: dict[tuple[str, str], Decimal] = {}
    counts: dict[tuple[str, str], int] = {}
    for key, award in awards(state, kind):
        kept.setdefault(key, {})[award_name(award)] = award.awards
        before = award.points
        for line, after in award.awards.items():
            is_own = award.line == line and award.what not in ("record", "judged")  # takes what the records cannot
            # a series may multiply by more than 1, and factors make one award of all there is
            grows = award.nth is not None or award.what == "times"
            assert is_own or grows or min(before, 0) <= after <= max(before, 0), (key, award)
            sums[key, line] = sums.get((key, line), Decimal(0)) + after
            before = after
        if award.what == "record":
            counts[key, award.line] = counts.get((key, award.line), 0) + 1
        ends = {line.id for line in kind.lines if line.times} | {"total"}
        assert list(award.awards)[-1] in ends
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
