"""pandas: two groupings of the records, whole columns for points and verdicts, ranks within groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from peers.job import (
    ABSENCE,
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


def count(data: Path) -> pd.DataFrame:
    """Return the members with their counts."""
    words = ["kind", "outcome", "level"]  # as numbers for words, else they are millions of strings
    read = pq.read_table(data / "records.parquet", columns=["member", "held_on", *words], read_dictionary=words)
    records = read.to_pandas(date_as_object=False)
    records = records[(records.held_on >= FIRST_DAY) & (records.held_on <= LAST_DAY)]
    found = [
        records.groupby(["member", name], observed=True).size().unstack(fill_value=0) for name in ("kind", "outcome")
    ]
    counts = found[0].join(found[1])
    counts.columns = counts.columns.astype(str)
    counts["province"] = records.member[records.level == "province"].value_counts()
    members = pd.read_parquet(data / "members.parquet").set_index("id").join(counts.reindex(columns=COUNTS))
    members[COUNTS] = members[COUNTS].fillna(0).astype("int64")
    return members


def job(data: Path, out: Path) -> None:
    """Do the whole job."""
    d = count(data)
    d["activities"] = d[list(KINDS)].sum(axis=1)
    d["base"] = sum((d[kind] * each).clip(upper=most) for kind, (each, most) in KINDS.items())
    d["bonus"] = sum((d[extra] * each).clip(upper=most) for extra, (each, most) in EXTRAS.items())
    few = d.absence <= MOST_ABSENCES
    d["absence"] = -ABSENCE * d.absence
    d["total"] = d.base + d.bonus + d.absence
    reached = [(d.total >= least) & (d.activities >= fewest) for _, least, fewest in GRADES]
    reached[0] &= few
    names = [name for name, *_ in GRADES]
    d["grade"] = np.select([d.vetoed | (d.activities < FEWEST), *reached], ["fail", *names], "fail")
    reached = [(d.total >= least) & (d.activities >= fewest) for _, least, fewest in STARS]
    d["star"] = np.select([d.vetoed, *reached], [0, *(stars for stars, *_ in STARS)], 0)
    d["final"] = d.total + np.where(d.star >= 3, 20 * (d.star - 2), 0)
    d["exit"] = (d.grade == "fail") & (d.last_grade == "fail")
    eligible = d[(d.grade == "excellent") & (d.star >= 3)]
    order = eligible.final * 1000 + eligible.activities
    best = order.groupby(eligible.sector).rank(method="min", ascending=False)
    places = d.groupby("sector").final.transform("size") // PLACES
    d["commended"] = best.reindex(d.index) <= places
    d["rank_all"] = d.final.rank(method="min", ascending=False).astype("int64")
    d["rank_sector"] = d.groupby("sector").final.rank(method="min", ascending=False).astype("int64")
    d.sort_index().reset_index()[RESULT].to_parquet(out, index=False)
