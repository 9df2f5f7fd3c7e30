"""The job of the pack beside this file with all its evidence, written once by hand for DuckDB.

python tests/bench/evidence.py write DATA OUT    every table and roster that a run of evaluator leaves, row for row
python tests/bench/evidence.py same RUN OUT      compare a run folder of evaluator with that

It checks no cell, hashes nothing and knows this one pack; it may hold as much memory as evaluator. Points are tenths,
so that everything stays whole.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
from floor import COUNTS, SCORED, WRITTEN, files, table_of

from evaluator.sql.duck import modest_memory

CAPPED = {
    "plenary": (60, 120), "meeting": (20, 140), "inspection": (30, 150), "hearing": (40, 120),
    "survey": (50, 150), "training": (10, 50), "service": (20, 80), "article": (30, 90),
    "absence": (-30, None),
    "submitted": (10, 40), "adopted": (25, 100), "resolved": (40, 120), "province": (15, 60),
}  # fmt: skip
WITHIN = {
    "total": "",
    "base": "total",
    **dict.fromkeys(list(CAPPED)[:8], "base"),
    "absence": "total",
    "bonus": "total",
    **dict.fromkeys(list(CAPPED)[-4:], "bonus"),
}
LINES = list(WITHIN)

WORDS = {
    "kind": "plenary meeting inspection hearing survey training service article absence",
    "outcome": "none submitted adopted resolved",
    "level": "district city province",
}

MEMBERS = """
    create temp table members as
    select row_number() over (order by id) as sid, *, file_row_number + 1 as row
    from read_parquet('{members}', file_row_number = true)
"""

RECORDS = """
    create temp table records as
    select r.id, m.id as member, m.sid, r.held_on, r.kind::kind as kind, r.outcome::outcome as outcome,
        r.level::level as level, r.file_row_number + 1 as row
    from read_parquet('{records}', file_row_number = true) as r join members as m on r.member = m.id
    order by sid, row
"""

COMPLETE = f"""
    with counted as (
        select
            sid,
            {COUNTS}
        from records
        where held_on between date '2025-01-01' and date '2025-12-31'
        group by sid
    ),
    complete as (
        select m.*, coalesce(columns(c.* exclude (sid)), 0) from members as m left join counted as c using (sid)
    )
"""

JUDGED = f"""
    create temp table judged as
    {COMPLETE}, {SCORED},
    chosen as (
        select
            *,
            count(*) over (partition by sector) as peers,
            rank() over (partition by sector, is_eligible order by final desc, activities desc) as place
        from decided
    )
    select
        * exclude (place),
        case
            when vetoed then 1
            when activities < 6 then 2
            when grade = 'excellent' then 3
            when grade = 'good' then 4
            when grade = 'pass' then 5
            else 6
        end as grade_rule,
        case when vetoed then 1 when star > 0 then 7 - star else 7 end as star_rule,
        case when is_eligible then place end as place,
        case when is_eligible then peers // 50 end as take
    from chosen
"""

ALL = """
    create temp table ranked_all as
    select row_number() over (order by final desc, id) as position, rank() over (order by final desc) as rank, *
    from judged
"""

SECTOR = """
    create temp table ranked_sector as
    select
        row_number() over (order by sector, final desc, id) as position,
        rank() over (partition by sector order by final desc) as rank, *
    from judged
"""

COMMENDED = """
    create temp table ranked_commended as
    select
        row_number() over (order by sector, final desc, activities desc, id) as position,
        rank() over (partition by sector order by final desc, activities desc) as rank, *
    from judged where coalesce(place <= take, false)
"""

ROSTERS = {
    "all": (
        "position, sid, rank, rank, id, sector, {final}, grade, star",
        "rank, id, sector, {short} as final, grade, star",
    ),
    "sector": (
        "position, sector, sid, rank, rank, id, {final}, grade, star, coalesce(place <= take, false)",
        "sector, rank, id, {short} as final, grade, star,"
        " case when coalesce(place <= take, false) then 'yes' else 'no' end as commended",
    ),
    "commended": (
        "position, sector, sid, rank, rank, id, {final}, activities, star",
        "sector, rank, id, {short} as final, activities, star",
    ),
}  # fmt: skip


def decimal(tenths: str) -> str:
    """Return points as a run writes them."""
    return f"cast(({tenths}) * 0.1 as decimal(18, 6))"


def raw(line: str) -> str:
    """Return the points of a line before its cap."""
    return f"{line} * {CAPPED[line][0]}" if line in CAPPED else line


def points(line: str) -> str:
    """Return the points of a line."""
    cap = CAPPED[line][1] if line in CAPPED else None
    return raw(line) if cap is None else f"least({raw(line)}, {cap})"


def subjects() -> str:
    """Return a row a member."""
    lines = [
        part
        for line in LINES
        for part in ([f"{line} as n_{line}"] if line in CAPPED else [])
        + [f"{decimal(raw(line))} as raw_{line}", f"{decimal(points(line))} as points_{line}"]
    ]
    return f"""
        select sid, id::varchar as key, id, sector, vetoed, coalesce(last_grade, '') as last_grade, true, true, '',
            activities, peers, {decimal("final")} as final, {", ".join(lines)},
            grade, grade_rule, star, star_rule, case when star >= 3 then 2 * (star - 2) else 0 end as star_bonus,
            exit, exit::bigint as exit_rule, coalesce(place <= take, false) as commended, place, take, 0, row
        from judged order by sid
    """


def score_lines() -> str:
    """Return a row a line of a member's score."""
    records = [line if line in CAPPED else "null::bigint" for line in LINES]
    return f"""
        select id::varchar as key, unnest({LINES}) as line, unnest({list(WITHIN.values())}) as within_,
            unnest([{", ".join(records)}]) as records,
            unnest([{", ".join(decimal(raw(line)) for line in LINES)}]) as before_bounds,
            unnest([{", ".join(decimal(points(line)) for line in LINES)}]) as points
        from (from judged order by sid)
    """


VERDICTS = """
    select id::varchar as key, unnest(['grade', 'star', 'star_bonus', 'exit', 'commended']) as verdict,
        unnest([
            grade, star::varchar, (case when star >= 3 then 2 * (star - 2) else 0 end)::varchar, exit::varchar,
            coalesce(place <= take, false)::varchar
        ]) as value,
        unnest([grade_rule, star_rule, null, exit::bigint, null]) as rule
    from (from judged order by sid)
"""

KEPT = """
    select id::varchar as key, id, member::varchar as member, sid as "member#", held_on, kind::varchar as kind,
        outcome::varchar as outcome, level::varchar as level, 1 as source, row, held_on as date
    from records
"""


def write(data: Path, out: Path) -> None:
    """Do the whole job and write everything that shows how it came about."""
    out.mkdir(parents=True, exist_ok=True)
    limits = {"memory_limit": f"{modest_memory()}MB", "temp_directory": str(out / "spilled")}
    with duckdb.connect(config=limits) as con:
        for name, words in WORDS.items():
            con.execute(f"create type {name} as enum ({', '.join(map(repr, words.split()))})")
        for query in (MEMBERS, RECORDS):
            con.execute(query.format(**files(data)))
        for query in (JUDGED, ALL, SECTOR, COMMENDED):
            con.execute(query)
        tables = {"records": KEPT, "subjects": subjects(), "score_lines": score_lines(), "verdicts": VERDICTS}
        for name, (shown, printed) in ROSTERS.items():
            tables[name] = f"select {shown.format(final=decimal('final'))} from ranked_{name} order by position"
            short = f"rtrim(rtrim({decimal('final')}::varchar, '0'), '.')"
            query = f"select {printed.format(short=short)} from ranked_{name} order by position"
            con.execute(f"copy ({query}) to '{out / name}.csv' (header)")
        for name, query in tables.items():
            con.execute(WRITTEN.format(query=query, out=out / f"{name}.parquet"))


OURS = {
    "records/records": ("records", "*"),
    "subjects/member": ("subjects", "* exclude (\"situation.grade\", \"situation.star\")"),
    "score_lines/member": ("score_lines", "*"),
    "verdicts/member": ("verdicts", "*"),
    **{f"rosters/member.{name}": (name, '* exclude ("#key")') for name in ROSTERS},
}  # fmt: skip


def same(run: Path, out: Path) -> list[str]:
    """Return which tables and rosters have not the same rows in both."""
    found = []
    with duckdb.connect() as con:
        for name, (by_hand, columns) in OURS.items():
            ours = f"select {columns} from read_parquet('{table_of(run, name)}')"
            theirs = f"from read_parquet('{out / by_hand}.parquet')"
            counts = f"select (select count(*) from ({ours})), (select count(*) from ({theirs}))"
            here, there = con.execute(counts).fetchall()[0]
            differ = con.execute(f"select count(*) from (({ours}) except ({theirs}))").fetchall()[0][0]
            if differ or here != there:
                found.append(f"{name}: {differ} of {here} rows differ; by hand there are {there}")
    for name in ROSTERS:
        ours_csv = (run / "rosters" / f"member.{name}.csv").read_bytes().removeprefix(b"\xef\xbb\xbf")
        if ours_csv != (out / f"{name}.csv").read_bytes():
            found.append(f"rosters/member.{name}.csv")
    return found


def main() -> None:
    """Do what the command line says."""
    what, first, second = sys.argv[1:]
    if what == "write":
        write(Path(first), Path(second))
    elif wrong := same(Path(first), Path(second)):
        sys.exit("not the same by hand:\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
