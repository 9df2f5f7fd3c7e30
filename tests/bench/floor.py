"""The job of the pack beside this file, written once by hand for DuckDB: as little as it can cost.

python tests/bench/floor.py job DATA OUT.parquet    read, count, score, decide, rank, write a row a member
python tests/bench/floor.py read DATA               only read the records and count them by member and kind
python tests/bench/floor.py same RUN OUT.parquet    compare a run folder of evaluator with what `job` wrote
python tests/bench/floor.py equal PEER.parquet OUT.parquet    compare what a peer wrote with it

It keeps no evidence: no score lines, no records, no rosters, no reasons, and no check of a single cell.
Points are tenths, so that everything stays whole.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

COUNTS = """
            count(*) filter (kind = 'plenary') as plenary,
            count(*) filter (kind = 'meeting') as meeting,
            count(*) filter (kind = 'inspection') as inspection,
            count(*) filter (kind = 'hearing') as hearing,
            count(*) filter (kind = 'survey') as survey,
            count(*) filter (kind = 'training') as training,
            count(*) filter (kind = 'service') as service,
            count(*) filter (kind = 'article') as article,
            count(*) filter (kind = 'absence') as absence,
            count(*) filter (outcome = 'submitted') as submitted,
            count(*) filter (outcome = 'adopted') as adopted,
            count(*) filter (outcome = 'resolved') as resolved,
            count(*) filter (level = 'province') as province
"""

COMPLETE = f"""
    with counted as (
        select
            member,
            {COUNTS}
        from read_parquet('{{records}}')
        where held_on between date '2025-01-01' and date '2025-12-31'
        group by member
    ),
    complete as (
        select m.*, coalesce(columns(c.* exclude (member)), 0)
        from read_parquet('{{members}}') as m left join counted as c on c.member = m.id
    )
"""

SCORED = """
    scored as (
        select
            *,
            plenary + meeting + inspection + hearing + survey + training + service + article as activities,
            least(plenary * 60, 120) + least(meeting * 20, 140) + least(inspection * 30, 150)
                + least(hearing * 40, 120) + least(survey * 50, 150) + least(training * 10, 50)
                + least(service * 20, 80) + least(article * 30, 90) as base,
            least(submitted * 10, 40) + least(adopted * 25, 100) + least(resolved * 40, 120)
                + least(province * 15, 60) as bonus,
            base + bonus - absence * 30 as total
        from complete
    ),
    decided as (
        select
            *,
            case
                when vetoed or activities < 6 then 'fail'
                when total >= 780 and activities >= 16 and absence <= 2 then 'excellent'
                when total >= 600 and activities >= 10 then 'good'
                when total >= 320 then 'pass'
                else 'fail'
            end as grade,
            case
                when vetoed then 0
                when total >= 900 and activities >= 26 then 5
                when total >= 820 and activities >= 22 then 4
                when total >= 720 and activities >= 17 then 3
                when total >= 600 and activities >= 12 then 2
                when total >= 450 and activities >= 8 then 1
                else 0
            end as star,
            total + case when star >= 3 then 20 * (star - 2) else 0 end as final,
            coalesce(grade = 'fail' and last_grade = 'fail', false) as exit,
            grade = 'excellent' and star >= 3 as is_eligible
        from scored
    )
"""

RANKED = """
    select
        id, activities, base, bonus, absence * -30 as absence, total, grade, star, final, exit,
        is_eligible and rank() over (
            partition by sector, is_eligible order by final desc, activities desc
        ) <= count(*) over (partition by sector) // 50 as commended,
        rank() over (order by final desc) as rank_all,
        rank() over (partition by sector order by final desc) as rank_sector
    from decided
    order by id
"""

WRITTEN = "copy ({query}) to '{out}' (format parquet, compression zstd, row_group_size 122880)"

JOB = f"{COMPLETE}, {SCORED} {RANKED}"

READ = "select count(*) from (select member, kind, count(*) as n from read_parquet('{records}') group by all)"

RUN = """
    select
        s.id, s.activities, s."points.base" * 10 as base, s."points.bonus" * 10 as bonus,
        s."points.absence" * 10 as absence, s.total * 10 as total, s.grade, s.star, s.final * 10 as final,
        s.exit, s.commended, o.rank as rank_all, w.rank as rank_sector
    from read_parquet('{subjects}') as s
    join '{run}/rosters/member.all.parquet' as o using (id)
    join '{run}/rosters/member.sector.parquet' as w using (id)
"""

SAME = """
with ours as ({ours}), theirs as (from '{out}')
select
    (select count(*) from ours), (select count(*) from theirs),
    (select count(*) from (from ours except from theirs))
"""


def job(data: Path, out: Path) -> None:
    """Do the whole job and write a row a member."""
    with duckdb.connect() as con:
        con.execute(WRITTEN.format(query=JOB.format(**files(data)), out=out))


def files(data: Path) -> dict[str, Path]:
    """Return the files of a folder by name."""
    return {name: data / f"{name}.parquet" for name in ("members", "records")}


def table_of(run: Path, name: str) -> Path:
    """Return where a table of a run folder is: a file, or the files of a folder."""
    file = run / f"{name}.parquet"
    return file / "*.parquet" if file.is_dir() else file


def ours_of(run: Path) -> str:
    """Return a query of what a run folder says of each member."""
    return RUN.format(run=run, subjects=table_of(run, "subjects/member"))


def main() -> None:
    """Do what the command line says."""
    what, first, *rest = sys.argv[1:]
    if what == "job":
        job(Path(first), Path(rest[0]))
        return
    with duckdb.connect() as con:
        if what == "read":
            con.execute(READ.format(**files(Path(first)))).fetchall()
            return
        ours = ours_of(Path(first)) if what == "same" else f"from '{first}'"
        here, there, different = con.execute(SAME.format(ours=ours, out=rest[0])).fetchall()[0]
        if different or here != there:
            sys.exit(f"{different} of {here} members differ; by hand there are {there}")


if __name__ == "__main__":
    main()
