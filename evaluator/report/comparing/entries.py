"""What people decided and what earlier years came to, in two runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from evaluator.report.comparing.changes import Delta
from evaluator.report.comparing.model import Cause, How
from evaluator.report.comparing.values import Both, Side, written
from evaluator.sql.ratio import UNIT
from evaluator.sql.trees import both, cast, column, number, parquet, text

Entry = tuple[str, str]  # what was decided, and where it was entered


class Entries:
    """Judged points, overrides and recalled years of both runs, read when they are first asked for."""

    def __init__(self, runs: Both) -> None:
        self.runs = runs
        self.found: dict[tuple[str, str], tuple[dict[str, Entry], dict[str, Entry]]] = {}

    def judged(self, kind: str, line: str, key: str) -> Iterator[Cause]:
        """Give the points people decided on for a line, where they are not the same."""
        if (kind, line) not in self.found:
            first, second = (self._judged(side, kind, line) for side in self.runs.sides)
            self.found[kind, line] = (first, second)
        one, other = (side.get(key) for side in self.found[kind, line])
        if (one and one[0]) != (other and other[0]):
            yield _decision(key, line, one, other)

    @staticmethod
    def _judged(side: Side, kind: str, line: str) -> dict[str, Entry]:
        made = side.run.state.judged.get((kind, line))
        if made is None:
            return {}
        unit = exp.Div(this=cast(column("value", "j"), "DECIMAL(18,6)"), expression=number(UNIT))
        query = exp.select(
            column("#key", "s"), cast(unit, "DECIMAL(18,6)"), column("#src", "j"), column("#row", "j")
        ).from_(exp.alias_(made, "j", table=True), copy=False)
        on = exp.EQ(this=column("sid", "j"), expression=column("#sid", "s"))
        query = query.join(exp.alias_(side.run.state.location(kind), "s", table=True), on=on)
        rows = side.database.rows(query)
        return {key: (written(value) or "", str(side.database.cell(source, row))) for key, value, source, row in rows}

    def override(self, kind: str, verdict: str, delta: Delta) -> Iterator[Cause]:
        """Give what somebody decided on a verdict in one run or both."""
        made: list[Entry | None] = []
        for side, values in zip(self.runs.sides, (delta.before, delta.after), strict=True):
            place = values.get(f"decided.{verdict}")
            source, _, row = str(place or "").partition(":")
            made.append((written(values[verdict]) or "", str(side.database.cell(source, row))) if place else None)
        if any(made):
            yield _decision(delta.key, verdict, made[0], made[1])

    def recalled(self, kind: str, recall: str, key: str) -> Iterator[Cause]:
        """Give the years that are not the same, of those a function over years looked back on."""
        first, second = (self._recalled(side, kind, recall, key) for side in self.runs.sides)
        for year in sorted(first.keys() | second.keys()):
            one, other = first.get(year), second.get(year)
            if (one and one[0]) != (other and other[0]):
                yield Cause(
                    what="history", how=_how(one, other), owner=recall, key=key, field=str(year),
                    before=one and one[0], after=other and other[0],
                    at_before=one[1] if one else "", at_after=other[1] if other else "",
                )  # fmt: skip

    @staticmethod
    def _recalled(side: Side, kind: str, recall: str, key: str) -> dict[int, Entry]:
        file = side.run.folder / "recalls" / f"{kind}.parquet"
        if not file.is_file():
            return {}
        columns = [column(name, "y") for name in ("year", "holds", "value", "source", "row")]
        mine = [
            exp.EQ(this=column(name, "y"), expression=text(said)) for name, said in (("recall", recall), ("key", key))
        ]
        query = exp.select(*columns).from_(exp.alias_(parquet(file), "y", table=True), copy=False).where(both(*mine))
        found: dict[int, Entry] = {}
        for year, holds, value, source, row in side.database.rows(query):
            said = written(holds if value is None else value) or ""
            found[int(year)] = (said, "" if source is None else str(side.database.cell(source, row)))
        return found


def _how(one: Any, other: Any) -> How:
    return "added" if one is None else "removed" if other is None else "changed"


def _decision(key: str, item: str, one: Entry | None, other: Entry | None) -> Cause:
    return Cause(
        what="judgement", how=_how(one, other), owner="judgements", key=key, field=item, before=one and one[0],
        after=other and other[0], at_before=one[1] if one else "", at_after=other[1] if other else "",
    )  # fmt: skip
