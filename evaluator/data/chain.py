"""Runs of one year follow each other, draft → published → final, and each names the one it takes the place of.

A run holds the hash of the manifest of the one before it, and that manifest the hashes of all its files: no run of a
chain can be changed, left out or put elsewhere without being noticed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.data.hashes import hash_of
from evaluator.data.history import MANIFEST, read_manifest
from evaluator.diagnostics import Problems
from evaluator.pack.definitions import Pack

STAGES = DRAFT, PUBLISHED, FINAL = "draft", "published", "final"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands among those of its year: its stage, when it was published, and what it takes the place of."""

    stage: str | None = None
    published_on: dt.date | None = None
    supersedes: Path | None = None

    @property
    def superseded(self) -> dict[str, Any] | None:
        """What the manifest says of the run before: its stage and hash."""
        if self.supersedes is None:
            return None
        manifest = read_manifest(self.supersedes, Problems())
        assert manifest is not None
        return {"stage": manifest.get("stage", DRAFT), "sha256": manifest_hash(self.supersedes)}


def manifest_hash(folder: Path) -> str:
    """Return the hash of a run's manifest, which stands for the whole run."""
    return hash_of(folder / MANIFEST)


def check_standing(asked: Standing, pack: Pack, year: int, problems: Problems) -> Standing:
    """Return where a run stands, stage and day of publication taken from the run before where nobody gave them.

    Notes what is out of order.
    """
    stage, day, before = asked.stage, asked.published_on, asked.supersedes
    if before is not None:
        manifest = read_manifest(before, problems)
        if manifest is None:
            return asked
        earlier = manifest.get("stage", DRAFT)
        stage = stage or earlier
        if manifest["pack"]["name"] != pack.name or manifest["year"] != year:
            other = f"{manifest['pack']['name']} {manifest['year']}"
            problems.add("D304", f"{before} holds {other}, and this is a run of {pack.name} {year}")
        elif earlier == FINAL:
            problems.add("D304", f"{before} is final", fix="leave it as it is")
        elif STAGES.index(stage) < STAGES.index(earlier):
            problems.add(
                "D304", f"{before} is {earlier}, and this run would be {stage}", fix=f"write --stage {earlier}"
            )
        if day is None and stage != DRAFT and manifest.get("published_on"):
            day = dt.date.fromisoformat(manifest["published_on"])
    stage = stage or DRAFT
    if stage == DRAFT and day is not None:
        problems.add("D304", "a draft is not published", fix=f"write --stage {PUBLISHED}, or leave out --published-on")
    if stage != DRAFT and day is None:
        fix = "write --published-on with the day"
        problems.add("D304", f"this run is {stage}, and nobody said since when", fix=fix)
    return Standing(stage, day, before)


def run_with_hash(wanted: str, places: Iterator[Path]) -> Path | None:
    """Return the run folder among these whose manifest has this hash."""
    return next((place for place in places if (place / MANIFEST).is_file() and manifest_hash(place) == wanted), None)
