"""What the pack says, in numbers for programs, and the parts of the job that rule engines leave to others.

Points are tenths, so that everything stays whole; the pack itself is tests/bench/pack.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import floor
import pyarrow as pa

FIRST_DAY, LAST_DAY = "2025-01-01", "2025-12-31"
KINDS = {  # points each, and at most
    "plenary": (60, 120), "meeting": (20, 140), "inspection": (30, 150), "hearing": (40, 120),
    "survey": (50, 150), "training": (10, 50), "service": (20, 80), "article": (30, 90),
}  # fmt: skip
EXTRAS = {"submitted": (10, 40), "adopted": (25, 100), "resolved": (40, 120), "province": (15, 60)}
COLUMN = {"submitted": "outcome", "adopted": "outcome", "resolved": "outcome", "province": "level"}
COUNTS = [*KINDS, "absence", *EXTRAS]
ABSENCE = 30
FEWEST = 6
MOST_ABSENCES = 2  # of who is excellent
GRADES = [("excellent", 780, 16), ("good", 600, 10), ("pass", 320, 0)]  # total and activities, at least
STARS = [(5, 900, 26), (4, 820, 22), (3, 720, 17), (2, 600, 12), (1, 450, 8)]
PLACES = 50  # one of so many in a sector is commended
RESULT = [
    "id", "activities", "base", "bonus", "absence", "total", "grade", "star", "final", "exit", "commended",
    "rank_all", "rank_sector",
]  # fmt: skip
CONCLUDED = ["id", "sector", "activities", "base", "bonus", "absence", "total", "grade", "star", "final", "exit"]


def score(counts: Mapping[str, int]) -> tuple[int, int, int, int]:
    """Return activities, base, bonus and total of one member's counts."""
    base = sum(min(counts[kind] * each, most) for kind, (each, most) in KINDS.items())
    bonus = sum(min(counts[extra] * each, most) for extra, (each, most) in EXTRAS.items())
    return sum(counts[kind] for kind in KINDS), base, bonus, base + bonus - counts["absence"] * ABSENCE


def star_bonus(star: int) -> int:
    """Return what stars add to the total."""
    return 20 * (star - 2) if star >= 3 else 0


def counted(data: Path) -> pa.Table:
    """Return members with their counts, by DuckDB."""
    with duckdb.connect() as con:
        query = f"{floor.COMPLETE} select * from complete order by id".format(**floor.files(data))
        return con.sql(query).to_arrow_table()


def scored(data: Path) -> list[dict[str, Any]]:
    """Return members with their counts and points, the points by plain Python."""
    members: list[dict[str, Any]] = counted(data).to_pylist()
    for member in members:
        member["activities"], member["base"], member["bonus"], member["total"] = score(member)
    return members


def conclude(member: dict[str, Any], grade: str, star: int, is_exit: bool) -> None:
    """Put verdicts and what follows from them into a member."""
    member.update(grade=grade, star=star, final=member["total"] + star_bonus(star), exit=is_exit)


def table(columns: Sequence[str], members: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return columns of members as a table."""
    return pa.Table.from_pylist([{column: member[column] for column in columns} for member in members])


def write(decided: pa.Table, out: Path) -> None:
    """Choose within sectors, rank and write, by DuckDB; `absence` is still a count."""
    with duckdb.connect() as con:
        con.register("concluded", decided)
        con.execute("create view decided as select *, grade = 'excellent' and star >= 3 as is_eligible from concluded")
        con.execute(floor.WRITTEN.format(query=floor.RANKED, out=out))
