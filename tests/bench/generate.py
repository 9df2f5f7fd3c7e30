"""Data of a made-up nation: members and their records of 2025, the same bytes for the same size.

python tests/bench/generate.py 10k data/10k [--csv]

A member has 20 records on average (none to 40), in the order of their days; 1 in 25 lies outside the year, 1 member in
100 is vetoed. The numbers come from hashes, so nothing depends on how the work is split among threads.
"""

from __future__ import annotations

import argparse
from pathlib import Path

YEAR = 2025
SECTORS = 20
KINDS = {
    "plenary": 6, "meeting": 18, "inspection": 11, "hearing": 8, "survey": 11,
    "training": 13, "service": 17, "article": 10, "absence": 6,
}  # fmt: skip
OUTCOMES = {"none": 62, "submitted": 20, "adopted": 12, "resolved": 6}
LEVELS = {"district": 60, "city": 30, "province": 10}
LAST_GRADES = {"fail": 12, "pass": 38, "good": 30, "excellent": 10}  # the other tenth has none

MEMBERS = """
create table members as
select
    id,
    hash(id, 'sector') % {sectors} + 1 as sector,
    hash(id, 'vetoed') % 100 = 0 as vetoed,
    {last_grade} as last_grade
from range(1, {size} + 1) as ids (id)
"""
RECORDS = """
create table records as
with drawn as (
    select id as member, unnest(range(1, 1 + (hash(id, 'few') % 21 + hash(id, 'more') % 21)::bigint)) as nth
    from members
),
dated as (
    select
        member,
        hash(member, nth) as seed,
        date '{year}-01-01' + case
            when hash(seed, 'outside') % 25 > 0 then (hash(seed, 'day') % 365)::int
            when hash(seed, 'side') % 2 = 0 then -1 - (hash(seed, 'day') % 30)::int
            else 365 + (hash(seed, 'day') % 30)::int
        end as held_on
    from drawn
)
select
    row_number() over (order by held_on, seed, member) as id,
    member, held_on, {kind} as kind, {outcome} as outcome, {level} as level
from dated
"""


def drawn(seed: str, weights: dict[str, int]) -> str:
    """Return SQL that draws a word by its share of a hundred; what is left over is null."""
    branches, bound = [], 0
    for word, weight in weights.items():
        bound += weight
        branches.append(f"when hash({seed}) % 100 < {bound} then '{word}'")
    return f"case {' '.join(branches)} end"


def generate(size: int, folder: Path, form: str = "parquet") -> Path:
    """Write members and records of a nation of this size into a folder."""
    import duckdb  # here, as bench.py must stay small: a child begins with the memory of its parent

    folder.mkdir(parents=True, exist_ok=True)
    members = MEMBERS.format(sectors=SECTORS, size=size, last_grade=drawn("id, 'last'", LAST_GRADES))
    records = RECORDS.format(
        year=YEAR,
        kind=drawn("seed, 'kind'", KINDS),
        outcome=drawn("seed, 'outcome'", OUTCOMES),
        level=drawn("seed, 'level'", LEVELS),
    )
    settings = {
        "parquet": "format parquet, compression zstd, row_group_size 122880",
        "csv": "format csv, header true",
    }
    with duckdb.connect(config={"temp_directory": str(folder / "spill"), "memory_limit": "6GB"}) as con:
        con.execute(members)
        con.execute(records)
        for name in ("members", "records"):
            file = folder / f"{name}.{form}"
            con.execute(f"copy (select * from {name} order by id) to '{file}' ({settings[form]})")
    return folder


def size_of(words: str) -> int:
    """Read a size such as 10k or 1m.

    >>> size_of("10k"), size_of("1m"), size_of("250")
    (10000, 1000000, 250)
    """
    factor = {"k": 1_000, "m": 1_000_000}.get(words[-1].lower())
    return int(words[:-1]) * factor if factor else int(words)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the members and records of a made-up nation.")
    parser.add_argument("size", type=size_of, help="how many members: 10k, 100k, 1m")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--csv", action="store_const", const="csv", default="parquet", dest="form")
    wanted = parser.parse_args()
    generate(wanted.size, wanted.folder, wanted.form)
