"""One accepted appeal in a made-up nation, and what a run that applies it must leave as it was.

python tests/bench/appeal.py write DATA FOLDER        a case: one outcome of one member was overlooked
python tests/bench/appeal.py mend DATA FOLDER         the same data without that slip
python tests/bench/appeal.py apart RUN AMENDED        whether nothing but what the case touches came out otherwise
python tests/bench/appeal.py same AMENDED OF_MENDED   whether what came out has the same bytes as from mended data

The member has done too little to be commended before or after, so nobody's place among the commended is touched: other
members may move by a rank, and in nothing else.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import duckdb
from floor import WRITTEN, files, table_of

CASE = "2025-1.yaml"
WORDS = """\
appeal: 2025-1
subject: member:{member}
filed_on: 2026-01-05
status: accepted
reviewer: the office
decided_on: 2026-01-08
reason: the answer to it had come in time
claims:
  - correct: records
    key: "{record}"
    set: {{outcome: resolved}}
"""
OVERLOOKED = """
select member, min(id) filter (outcome = 'none' and kind <> 'absence') as record from read_parquet('{records}')
where held_on between date '2025-01-01' and date '2025-12-31'
group by member
having record is not null and count(*) < 10 and member > (select count(*) * 2 // 3 from read_parquet('{members}'))
order by member limit 1
"""
MENDED = """
select * replace (if(id = {record}, 'resolved', outcome) as outcome) from read_parquet('{records}') order by id
"""
ASIDE = ("inputs/", "appeals/", "amendments.", "rosters.xlsx")  # what was given; the workbook has a sheet of amendments
DIFFERENT = """
select count(*) filter ({key} <> '{touched}'), count(*) filter ({key} = '{touched}') from (
    (from ({before}) except from ({after})) union all (from ({after}) except from ({before}))
)
"""


def write(data: Path, folder: Path) -> None:
    """Write the case."""
    folder.mkdir(exist_ok=True)
    with duckdb.connect() as con:
        ((member, record),) = con.execute(OVERLOOKED.format(**files(data))).fetchall()
    (folder / CASE).write_text(WORDS.format(member=member, record=record), encoding="utf-8")


def mend(data: Path, folder: Path) -> None:
    """Write the data with the outcome that the case claims."""
    folder.mkdir(exist_ok=True)
    shutil.copy(data / "members.parquet", folder)
    with duckdb.connect() as con:
        ((_, record),) = con.execute(OVERLOOKED.format(**files(data))).fetchall()
        query = MENDED.format(record=record, **files(data))
        con.execute(WRITTEN.format(query=query, out=folder / "records.parquet"))


def apart(run: Path, amended: Path) -> list[str]:
    """Return what else came out otherwise, table by table; ranks aside."""
    words = (amended / "appeals" / CASE).read_text(encoding="utf-8")
    ((member,), (record,)) = (re.findall(pattern, words) for pattern in (r"member:(\d+)", r'key: "(\d+)"'))
    ranks = """exclude ("#position", "#rank", rank)"""
    tables = {
        "records/records": ("*", "key", record),
        "subjects/member": ("*", "key", member),
        "score_lines/member": ("*", "key", member),
        "verdicts/member": ("*", "key", member),
        "rosters/member.all": (f"* {ranks}", "id", member),
        "rosters/member.sector": (f"* {ranks}", "id", member),
        "rosters/member.commended": ("*", "id", member),
    }
    found = []
    with duckdb.connect() as con:
        for name, (columns, key, touched) in tables.items():
            before, after = (
                f"select {columns} from read_parquet('{table_of(folder, name)}')" for folder in (run, amended)
            )
            query = DIFFERENT.format(before=before, after=after, key=key, touched=touched)
            others, touching = con.execute(query).fetchall()[0]
            if others:
                found.append(f"{name}: {others} rows")
            if name.startswith(("records", "subjects", "score_lines")) and not touching:
                found.append(f"{name}: the case changed nothing")
    return found


def same(run: Path, other: Path) -> list[str]:
    """Return the files that are not the same in both runs, by the hashes of their manifests; the case's own aside."""
    ours, theirs = (json.loads((folder / "manifest.json").read_text())["outputs"] for folder in (run, other))
    names = sorted(name for name in {*ours, *theirs} if not name.startswith(ASIDE))
    return [name for name in names if ours.get(name) != theirs.get(name)]


def main() -> None:
    """Do what the command line says."""
    what, *folders = sys.argv[1:]
    first, second = map(Path, folders)
    if what in ("write", "mend"):
        {"write": write, "mend": mend}[what](first, second)
    elif wrong := {"apart": apart, "same": same}[what](first, second):
        sys.exit("not as it should be:\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
