"""A run made once more from what its folder keeps: the pack, the data files, and how it was asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from evaluator.data.chain import run_with_hash
from evaluator.data.history import MANIFEST, read_manifest
from evaluator.diagnostics import Problems, Stop

PACK, INPUTS, APPEALS = "pack", "inputs", "appeals"
SHOWN = 12  # characters of a hash that people are shown


class _Part(BaseModel):
    """A part of the manifest, as a run writes it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class OfPack(_Part):
    """The pack of a run: its name, and the digest of its files."""

    name: str
    sha256: str


class OfData(_Part):
    """The data of a run: the digest of its files, and the hash of each."""

    sha256: str
    files: dict[str, str]


class Past(_Part):
    """A run of an earlier year that was looked back on."""

    year: int
    sha256: str


class Before(_Part):
    """The run that this one takes the place of."""

    stage: Literal["draft", "published", "final"]
    sha256: str


class OfAppeals(_Part):
    """The cases a run was given: the numbers of those that amended it."""

    applied: tuple[str, ...]


class Manifest(_Part):
    """What the manifest says that a run can be checked by and made again from."""

    pack: OfPack
    language: Literal["zh", "en"]
    year: int
    data: OfData
    history: tuple[Past, ...]
    stage: Literal["draft", "published", "final"]
    published_on: str | None
    supersedes: Before | None
    accepts_rejects: bool
    appeals: OfAppeals
    versions: dict[str, str]
    outputs: dict[str, str]

    @property
    def day(self) -> dt.date | None:
        """The day the result was published."""
        return dt.date.fromisoformat(self.published_on) if self.published_on else None


def manifest_of(folder: Path) -> Manifest:
    """Return the manifest of a run folder; raise Stop where it is none, or not as a run writes it."""
    problems = Problems()
    if not (folder / MANIFEST).is_file():
        read_manifest(folder, problems)
        raise Stop(problems)
    try:
        read = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
        read.day  # noqa: B018 - a day that is none is a fault of the manifest
    except (OSError, ValidationError, ValueError) as wrong:
        problems.add("R223", f"{folder / MANIFEST}: {_first_fault(wrong)}")
        raise Stop(problems) from None
    return read


def _first_fault(wrong: Exception) -> str:
    if isinstance(wrong, ValidationError):
        first = wrong.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}" if place else str(first["msg"])
    return str(wrong)


def shortened(value: str) -> str:
    """Return the beginning of a hash."""
    return value[:SHOWN]


def places(folder: Path, named: Iterable[Path] = ()) -> Iterator[Path]:
    """Give the folders a run is looked for in: those that were named, and those beside this one."""
    yield from named
    yield from sorted(place for place in folder.absolute().parent.iterdir() if place.is_dir())


def repeat(
    run_folder: Path,
    out: Path,
    data: Path | None = None,
    pack: Path | None = None,
    history: Iterable[Path] = (),
    chain: Iterable[Path] = (),
    **changes: Any,
) -> Path:
    """Make a run again and write it to `out`; `changes` are arguments of evaluator.run that are to be others.

    Data and pack are those the folder keeps unless others are given, and it takes the place of the run that the folder
    took the place of. Earlier runs are found by their hash: those of earlier years among `history`, the one before it
    among `chain`, and all of them among the folders beside this one. Raises Stop with what has to be named where
    something is not found.
    """
    import evaluator

    manifest = manifest_of(run_folder)
    problems = Problems()
    sheets = data or run_folder / INPUTS
    if data is None and not sheets.is_dir():
        problems.add("R221", f"{run_folder} does not keep the files it was made from")
    past = _found_past(manifest, run_folder, list(history), problems)
    before = run_before(manifest, run_folder, chain, problems)
    problems.stop_on_errors()
    # the one place where the arguments of the repeated run are put together
    arguments: dict[str, Any] = {
        "pack": replace(evaluator.load_pack(pack or run_folder / PACK), shown_in=manifest.language),
        "data": sheets,
        "year": manifest.year,
        "out": out,
        "history": past,
        "accept_rejects": manifest.accepts_rejects,
        "stage": manifest.stage,
        "published_on": manifest.day,
        "supersedes": before,
        "appeals": run_folder / APPEALS if (run_folder / APPEALS).is_dir() else None,
        "afresh": True,
    }
    return evaluator.run(**(arguments | changes))


def _found_past(manifest: Manifest, folder: Path, named: list[Path], problems: Problems) -> list[Path]:
    found = []
    for past in manifest.history:
        place = run_with_hash(past.sha256, places(folder, named))
        if place is None:
            message = f"the run {shortened(past.sha256)}… of {past.year} that {folder} looks back on is not beside it"
            problems.add("R222", message, fix="name its folder with --history")
        else:
            found.append(place)
    return found


def run_before(manifest: Manifest, folder: Path, named: Iterable[Path], problems: Problems) -> Path | None:
    """Return the run a folder takes the place of, found by its hash among those named and beside it; or note that."""
    before = manifest.supersedes
    if before is None:
        return None
    place = run_with_hash(before.sha256, places(folder, named))
    if place is None:
        message = (
            f"the {before.stage} run {shortened(before.sha256)}… that {folder} takes the place of is not beside it"
        )
        problems.add("R222", message, fix="name its folder with --supersedes")
    return place
