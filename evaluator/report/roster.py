"""Rosters as people read them: a terminal table, CSV, JSON."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlglot import exp

from evaluator.pack.definitions import Pack, RosterDef
from evaluator.report.text import as_table
from evaluator.report.words import name_of, plain_number, say, shown
from evaluator.sql.backend import Database
from evaluator.sql.trees import SQL, call, cast, choose, column, named, ordered, text

FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"


@dataclass(frozen=True, slots=True)
class Roster:
    """A ranked list, ready to show: a group, and its rows."""

    name: str
    title: str
    headings: list[str]
    columns: list[str]
    groups: list[tuple[str | None, list[tuple[Any, ...]]]]


def columns_of(roster: RosterDef) -> list[str]:
    """Return the columns of a roster, its group first where it has groups."""
    return [*(["#group"] if roster.within is not None else []), *(name for name, _ in roster.columns)]


def headings_of(pack: Pack, roster: RosterDef) -> list[str]:
    """Return what readers see above the columns of a roster."""
    group = str(roster.model.within) if roster.model.within is not None else ""
    return [name_of(pack, roster.kind, group if name == "#group" else name) for name in columns_of(roster)]


def title_of(pack: Pack, roster: RosterDef) -> str:
    """Return the title of a roster."""
    return pack.label(roster.name, f"{pack.label(roster.kind)} · {roster.id}")


def in_order(roster: RosterDef, made: SQL) -> exp.Select:
    """Return the query of a roster's rows in order."""
    return (
        exp.select(*(column(name, "r") for name in columns_of(roster)))
        .from_(exp.alias_(made.copy(), "r", table=True), copy=False)
        .order_by(ordered(column("#position", "r")), copy=False)
    )


def read_roster(db: Database, pack: Pack, roster: RosterDef, made: SQL) -> Roster:
    """Fetch a roster, group by group."""
    groups: list[tuple[str | None, list[tuple[Any, ...]]]] = []
    for row in db.rows(in_order(roster, made)):
        group = shown(pack, row[0]) if roster.within is not None else None
        cells = tuple(row[1:] if roster.within is not None else row)
        if not groups or groups[-1][0] != group:
            groups.append((group, []))
        groups[-1][1].append(cells)
    names = [name for name, _ in roster.columns]
    headings = [name_of(pack, roster.kind, name) for name in names]
    return Roster(roster.name, title_of(pack, roster), headings, names, groups)


def roster_text(pack: Pack, roster: Roster, rejects: int) -> str:
    """Return a roster as a terminal table."""
    lines = [roster.title]
    for group, rows in roster.groups:
        lines += ["", group] if group is not None else []
        lines += [
            "",
            as_table(roster.headings, [[shown(pack, cell) for cell in row] for row in rows], right(rows)),
        ]
    if not roster.groups:
        lines += ["", say(pack, "nobody")]
    if rejects:
        lines += ["", say(pack, "rejects", rejects)]
    return "\n".join(lines)


def right(rows: list[tuple[Any, ...]]) -> list[bool]:
    """Return which columns hold numbers, and so stand to the right."""
    width = len(rows[0]) if rows else 0
    return [
        any(isinstance(row[i], (int, Decimal)) and not isinstance(row[i], bool) for row in rows) for i in range(width)
    ]


def roster_json(roster: Roster, rejects: int) -> dict[str, Any]:
    """Return a roster as JSON values: numbers as text, so that they stay exact."""
    rows = []
    for group, cells in roster.groups:
        for row in cells:
            made = {
                n: plain_number(v) if isinstance(v, Decimal) else v.isoformat() if hasattr(v, "isoformat") else v
                for n, v in zip(roster.columns, row, strict=True)
            }
            rows.append({"group": group, **made} if group is not None else made)
    return {"roster": roster.name, "title": roster.title, "rejects": rejects, "rows": rows}


def roster_csv(db: Database, pack: Pack, roster: RosterDef, made: SQL) -> Iterator[str]:
    """Give the lines of a roster's CSV, for standard output."""
    for row in (headings_of(pack, roster), *db.rows(csv_query(pack, roster, made))):
        yield csv_line(["" if cell is None else cell for cell in row]).removesuffix("\n")


def csv_line(cells: Iterable[str]) -> str:
    """Write cells as a line of CSV."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def csv_query(pack: Pack, roster: RosterDef, made: SQL) -> exp.Select:
    """Return a roster's rows as the text of CSV cells."""
    cells: list[SQL] = []
    kinds = {name: formula.node.type for name, formula in roster.columns if formula is not None}
    if roster.within is not None:
        kinds["#group"] = roster.within.node.type
    for place, name in enumerate(columns_of(roster)):
        source = column(name, "r")
        kind = kinds.get(name)
        base = kind.base if kind else "integer" if name == "rank" else "text"
        value: SQL
        if base == "boolean":
            yes, no = text(say(pack, "yes")), text(say(pack, "no"))
            value = choose([(source, yes), (exp.Not(this=source.copy()), no)])
        elif base == "number":
            plain = cast(source, "TEXT")
            value = call("rtrim", call("rtrim", plain, text("0")), text("."))
        elif base in ("integer", "date"):
            value = cast(source, "TEXT")
        else:
            words = [str(word) for word in kind.values] if kind else []
            labels = {word: pack.label(word) for word in words if pack.label(word) != word}
            plain = cast(source, "TEXT")
            cases = [(exp.EQ(this=plain.copy(), expression=text(word)), text(shown)) for word, shown in labels.items()]
            value = guarded(choose(cases, plain) if cases else plain)
        cells.append(named(value, f"c{place}"))  # headings may be the same
    return (
        exp.select(*cells)
        .from_(exp.alias_(made.copy(), "r", table=True), copy=False)
        .order_by(ordered(column("#position", "r")), copy=False)
    )


def guarded(value: SQL) -> SQL:
    """Put a quote before text that a spreadsheet would take for a formula."""
    risky = exp.RegexpLike(this=value.copy(), expression=text(FORMULA))
    return choose([(risky, call("concat", text("'"), value.copy()))], value)


def write_csv(db: Database, pack: Pack, roster: RosterDef, made: SQL, file: Path, rejects: int) -> None:
    """Write a roster as CSV that Excel opens: UTF-8 with a mark; the rejects left out stand in the last line."""
    plain = file.with_suffix(".part.csv")
    db.write(csv_query(pack, roster, made), plain)
    with plain.open("rb") as rows, file.open("wb") as marked:
        rows.readline()  # the query's own names
        marked.write(b"\xef\xbb\xbf" + csv_line(headings_of(pack, roster)).encode())
        shutil.copyfileobj(rows, marked)
        if rejects:
            marked.write(csv_line([say(pack, "rejects", rejects)]).encode())
    plain.unlink()


def to_json(rosters: list[dict[str, Any]]) -> str:
    """Return rosters as JSON text."""
    return json.dumps(rosters, ensure_ascii=False, indent=1)
