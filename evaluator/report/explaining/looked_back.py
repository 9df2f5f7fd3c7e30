"""What an explanation says of other years: year by year, what the functions over years looked back on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlglot import exp

from evaluator.pack.definitions import KindDef, Pack
from evaluator.pack.nodes import Recall
from evaluator.report.reopen import PastRun
from evaluator.report.words import say, shown
from evaluator.sql.trees import both, column, ordered, parquet, text


@dataclass(frozen=True, slots=True)
class YearBefore:
    """What the value or condition was in a year, and where that was entered; of a run folder there is no place."""

    year: int
    value: Any
    place: str = ""


@dataclass(frozen=True, slots=True)
class LookedBack:
    """A function over years, and the years it went over."""

    definition: Recall
    years: list[YearBefore]
    begins: int | None  # the first of the years it went over, where they are counted by the calendar
    ends: int


def looked_back(run: PastRun, kind: KindDef, key: str, names: Iterable[str]) -> list[LookedBack]:
    """Read what these functions over years went over for a subject."""
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return []
    source = exp.alias_(parquet(run.folder / "recalls" / f"{kind.name}.parquet"), "y", table=True)
    columns = ("recall", "year", "holds", "value", "source", "row")
    query = exp.select(*(column(name, "y") for name in columns)).from_(source, copy=False)
    is_it = exp.EQ(this=column("key", "y"), expression=text(key))
    query = query.where(both(is_it, exp.In(this=column("recall", "y"), expressions=[text(name) for name in wanted])))
    years: dict[str, list[YearBefore]] = {name: [] for name in wanted}
    for name, year, holds, value, place, row in run.state.db.rows(query.order_by(ordered(column("year", "y")))):
        is_number = kind.recalls[name].operand.type.is_number
        known = holds if value is None else Decimal(value) if is_number else value
        years[name].append(YearBefore(year, known, "" if place is None else str(run.state.db.cell(place, row))))
    year = run.state.year
    return [
        LookedBack(made, years[name], _begins(run.pack, made, year), year if made.reads_this_year else year - 1)
        for name, made in ((name, kind.recalls[name]) for name in wanted)
    ]


def _begins(pack: Pack, made: Recall, year: int) -> int | None:
    if pack.gap == "skipped" or made.function == "years_running" or made.years == "term":
        return None
    return year - 1 if made.years is None else year - made.years + 1


def year_lines(pack: Pack, found: LookedBack) -> list[str]:
    """Write the years a function went over, and those among them without result."""
    made = found.definition
    if not found.years and found.begins is None:
        return [f"{made.written}: {say(pack, 'no earlier result')}"]
    gap = "gap skipped" if pack.gap == "skipped" else "gap breaks" if made.function == "years_running" else "gap"
    lines: list[str] = []

    def note_gap(first: int, last: int) -> None:
        if first <= last:
            lines.append(f"{first if first == last else f'{first}–{last}'}: {say(pack, gap)}")

    following = found.begins if found.begins is not None else found.years[0].year
    for one in found.years:
        note_gap(following, one.year - 1)
        value = say(pack, "unknown") if one.value is None else shown(pack, one.value)
        if made.operand.type.base == "boolean":
            value = say(pack, {True: "holds", False: "fails", None: "unknown"}[one.value])
        lines.append(f"{one.year}: {made.written} {value}" + (f"  ({one.place})" if one.place else ""))
        following = one.year + 1
    note_gap(following, found.ends)
    return lines
