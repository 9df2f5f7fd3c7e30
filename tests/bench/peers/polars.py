"""polars: one lazy query from the files to the answers, by its streaming engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from peers.job import (
    ABSENCE,
    COLUMN,
    COUNTS,
    EXTRAS,
    FEWEST,
    FIRST_DAY,
    GRADES,
    KINDS,
    LAST_DAY,
    MOST_ABSENCES,
    PLACES,
    RESULT,
    STARS,
)

col = pl.col


def first(rules: list[tuple[pl.Expr, Any]], otherwise: Any) -> pl.Expr:
    """Return the value of the first rule that holds."""
    return pl.coalesce([*(pl.when(condition).then(pl.lit(value)) for condition, value in rules), pl.lit(otherwise)])


def reached(rules: list[tuple[Any, int, int]]) -> list[tuple[pl.Expr, Any]]:
    """Return each value with its marks as a condition."""
    return [((col("total") >= least) & (col("activities") >= fewest), value) for value, least, fewest in rules]


def capped(lines: dict[str, tuple[int, int]]) -> pl.Expr:
    """Return the sum of capped lines."""
    return pl.sum_horizontal([pl.min_horizontal(col(name) * each, most) for name, (each, most) in lines.items()])


def rank(order: pl.Expr) -> pl.Expr:
    """Return the place of each value, the greatest first; equal ones share theirs."""
    return order.rank("min", descending=True).cast(pl.Int64)


def job(data: Path, out: Path) -> None:
    """Do the whole job."""
    day = col("held_on").is_between(*(pl.lit(day).str.to_date() for day in (FIRST_DAY, LAST_DAY)))
    counts = [(col(COLUMN.get(name, "kind")) == name).sum().cast(pl.Int64).alias(name) for name in COUNTS]
    counted = pl.scan_parquet(data / "records.parquet").filter(day).group_by("member").agg(counts)
    (excellent, value), *others = reached(GRADES)
    grades = [(excellent & (col("absence") >= -ABSENCE * MOST_ABSENCES), value), *others]
    is_eligible = (col("grade") == "excellent") & (col("star") >= 3)
    best = rank(pl.when(is_eligible).then(col("final") * 1000 + col("activities")))
    answers = (
        pl.scan_parquet(data / "members.parquet")
        .join(counted, left_on="id", right_on="member", how="left")
        .with_columns(col(COUNTS).fill_null(0))
        .with_columns(
            activities=pl.sum_horizontal(list(KINDS)),
            base=capped(KINDS),
            bonus=capped(EXTRAS),
            absence=-ABSENCE * col("absence"),
        )
        .with_columns(total=col("base") + col("bonus") + col("absence"))
        .with_columns(
            grade=first([(col("vetoed") | (col("activities") < FEWEST), "fail"), *grades], "fail"),
            star=first([(col("vetoed"), 0), *reached(STARS)], 0),
        )
        .with_columns(
            final=col("total") + pl.when(col("star") >= 3).then(20 * (col("star") - 2)).otherwise(0),
            exit=((col("grade") == "fail") & (col("last_grade") == "fail")).fill_null(False),
        )
        .with_columns(
            commended=(best.over("sector") <= pl.len().over("sector") // PLACES).fill_null(False),
            rank_all=rank(col("final")),
            rank_sector=rank(col("final")).over("sector"),
        )
    )
    answers.select(RESULT).sort("id").sink_parquet(out, engine="streaming")
