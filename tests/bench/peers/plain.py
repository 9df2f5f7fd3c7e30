"""Plain Python: loops over records and members; pyarrow decodes and writes the files and does nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from peers.job import (
    ABSENCE,
    COUNTS,
    FEWEST,
    FIRST_DAY,
    GRADES,
    LAST_DAY,
    MOST_ABSENCES,
    PLACES,
    RESULT,
    STARS,
    score,
    star_bonus,
    table,
)

COLUMNS = ["member", "kind", "held_on", "outcome", "level"]


def records(file: Path) -> Iterator[tuple[Any, ...]]:
    """Return the records, batch after batch."""
    for batch in pq.ParquetFile(file).iter_batches(1 << 17, columns=COLUMNS):
        yield from zip(*(batch.column(name).to_pylist() for name in COLUMNS), strict=True)


def count(data: Path) -> list[dict[str, Any]]:
    """Return the members with their counts."""
    members: list[dict[str, Any]] = pq.read_table(data / "members.parquet").to_pylist()
    for member in members:
        member.update(dict.fromkeys(COUNTS, 0))
    by_id = {member["id"]: member for member in members}
    first, last = date.fromisoformat(FIRST_DAY), date.fromisoformat(LAST_DAY)
    for member, kind, held_on, outcome, level in records(data / "records.parquet"):
        if first <= held_on <= last:
            counts = by_id[member]
            counts[kind] += 1
            if outcome != "none":
                counts[outcome] += 1
            if level == "province":
                counts["province"] += 1
    return members


def decide(member: dict[str, Any]) -> None:
    """Put points and verdicts into a member."""
    activities, base, bonus, total = score(member)
    absences = member["absence"]
    grade, star = "fail", 0
    if not member["vetoed"]:
        if activities >= FEWEST:
            for name, least, fewest in GRADES:
                if total >= least and activities >= fewest and (name != "excellent" or absences <= MOST_ABSENCES):
                    grade = name
                    break
        star = next((stars for stars, least, fewest in STARS if total >= least and activities >= fewest), 0)
    member.update(
        activities=activities, base=base, bonus=bonus, absence=-ABSENCE * absences, total=total, grade=grade,
        star=star, final=total + star_bonus(star), exit=grade == "fail" and member["last_grade"] == "fail",
    )  # fmt: skip


def places(values: Iterator[Any]) -> dict[Any, int]:
    """Return the place of each value, the greatest first; equal ones share theirs."""
    first, found = 1, {}
    for value, times in sorted(Counter(values).items(), reverse=True):
        found[value] = first
        first += times
    return found


def job(data: Path, out: Path) -> None:
    """Do the whole job."""
    members = count(data)
    sectors = defaultdict(list)
    for member in members:
        decide(member)
        sectors[member["sector"]].append(member)
    overall = places(member["final"] for member in members)
    for sector in sectors.values():
        within = places(member["final"] for member in sector)
        eligible = [member for member in sector if member["grade"] == "excellent" and member["star"] >= 3]
        best = places((member["final"], member["activities"]) for member in eligible)
        for member in sector:
            member.update(commended=False, rank_all=overall[member["final"]], rank_sector=within[member["final"]])
        for member in eligible:
            member["commended"] = best[member["final"], member["activities"]] <= len(sector) // PLACES
    members.sort(key=lambda member: member["id"])
    pq.write_table(table(RESULT, members), out)
