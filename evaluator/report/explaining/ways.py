"""What it would take, in the words of readers: the least additional activity for each better level, and each fall."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from fractions import Fraction
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from evaluator.pack.definitions import KindDef, Pack
from evaluator.report.reopen import PastRun
from evaluator.report.words import name_of, plain_fraction, plain_number, say, shown
from evaluator.sql.ratio import UNIT
from evaluator.sql.trees import parquet

if TYPE_CHECKING:
    from evaluator.solve.moves import Move
    from evaluator.solve.takes import Way

FRESH = "\x1f"  # begins a text that stands for any new one


class FoundWay(BaseModel):
    """The least that brings a verdict to a level, or takes it from where it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: str
    label: str
    level: str
    is_fall: bool
    status: str = Field(description="reached, impossible or unknown")
    steps: list[str]
    cost: int | None = Field(description="how many records that is")
    value: str = Field(description="what the verdict is then")
    total_before: str
    total_after: str
    reason: str


class Ways(BaseModel):
    """The ways of a subject, and the records that were left out of the search and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    found: list[FoundWay]
    left_out: list[str]


def ways_of(run: PastRun, kind: KindDef, key: str, verdicts: Collection[str] | None = None) -> Ways:
    """Search what it would take for a subject, for all verdicts or for these; raise Stop where there is no solver."""
    from evaluator.solve.score import years_before
    from evaluator.solve.takes import what_it_takes

    past = None
    if kind.recalls:
        past = years_before(run.state, kind, key, parquet(run.folder / "recalls" / f"{kind.name}.parquet"))
    takes = what_it_takes(run.state, run.pack, kind, key, past=past, verdicts=verdicts)
    found = []
    for one in takes.verdicts:
        found += [_way(run.pack, kind, one.verdict, way, is_fall=False) for way in one.ways]
        if one.fall is not None:
            found.append(_way(run.pack, kind, one.verdict, one.fall, is_fall=True))
    return Ways(found=found, left_out=list(takes.left_out))


def _way(pack: Pack, kind: KindDef, verdict: str, way: Way, is_fall: bool) -> FoundWay:
    steps: dict[str, int] = {}
    for step in way.steps:
        said = _move(pack, step.move)
        steps[said] = steps.get(said, 0) + step.count
    return FoundWay(
        verdict=verdict,
        label=name_of(pack, kind.name, verdict),
        level=_value(pack, way.level),
        is_fall=is_fall,
        status=way.status,
        steps=[said.format(count) for said, count in steps.items()],
        cost=way.cost,
        value=_value(pack, way.value),
        total_before="" if way.total_before is None else plain_number(way.total_before),
        total_after="" if way.total_after is None else plain_number(way.total_after),
        reason=way.reason or "",
    )


def _move(pack: Pack, move: Move) -> str:
    """Return a move as a sentence with a place for how often."""
    made = pack.tables[move.table]
    values = []
    for name, value in move.values:
        if value is None or (isinstance(value, str) and value.startswith(FRESH)):
            continue
        field = made.fields.get(name)
        label = field.headings[0] if field is not None and field.headings and pack.shown_in == pack.language else name
        if field is not None and field.type.base == "number" and isinstance(value, int):
            value = Fraction(value, UNIT)
        values.append(f"{label} {_value(pack, value)}")
    table = pack.label(move.table)
    if move.unfolded and pack.label(move.unfolded) != move.unfolded:
        table = pack.label(move.unfolded)
    said = say(pack, f"move {move.action}", "{}", table.replace("{", "{{").replace("}", "}}"))
    listed = ", ".join(values).replace("{", "{{").replace("}", "}}")
    return said + (f" ({listed})" if listed else "")


def _value(pack: Pack, value: object) -> str:
    if isinstance(value, Fraction):
        return plain_fraction(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, bool) or value is None:
        return shown(pack, value)
    return shown(pack, str(value))


def way_lines(pack: Pack, ways: Ways) -> list[str]:
    """Return ways as lines of text."""
    lines = []
    for one in ways.found:
        head = say(pack, "fall" if one.is_fall else "way", one.label, one.level)
        if one.status == "reached":
            total = ""
            if one.total_before != one.total_after:
                total = f" · {say(pack, 'total')} {one.total_before} → {one.total_after}"
            lines.append(f"{head}: {'; '.join(one.steps)}{total}")
        else:
            lines.append(f"{head}: {say(pack, one.status)}" + (f" ({one.reason})" if one.reason else ""))
    return lines
