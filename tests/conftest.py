"""What several test modules build on: the runs of Daguan, and small packs with their data."""

from __future__ import annotations

import csv
import fcntl
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import dedent

import oracle
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, settings

import evaluator
from evaluator.pack.definitions import Pack

# shrinking a failure can take minutes; HYPOTHESIS_PROFILE=default asks for it
settings.register_profile("suite", deadline=None, phases=[Phase.explicit, Phase.generate], print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

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
    base = tmp_path_factory.getbasetemp()
    if "popen-gw" in base.name:
        base = base.parent
    folders = {year: base / "daguan" / str(year) for year in YEARS}
    with (base / "daguan.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for year, folder in folders.items():
            if not folder.exists():
                evaluator.run(daguan, DATA / str(year), year, folder, history_of(folders, year))
    return folders


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
