"""What a case expects beside what its run comes to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from sqlglot import exp

from evaluator.diagnostics import Span
from evaluator.engine.rank import make_roster
from evaluator.engine.state import State
from evaluator.pack.check_case import CaseDef, ExpectedRoster, ExpectedRow, Wanted, value_types
from evaluator.pack.definitions import KindDef
from evaluator.report.words import plain_fraction
from evaluator.sql.ratio import UNIT
from evaluator.sql.trees import column, left_join, named, ordered, table


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that is not as expected: where that is written, what was found, and what that came from."""

    at: Span
    found: str
    expected: str
    name: str = ""  # of the value, where it is one of a subject
    kind: str = ""
    key: str = ""
    why: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = f"{self.at}: {self.found}" + (f", expected {self.expected}" if self.expected else "")
        return "\n".join([said, *(f"    {line}" for line in self.why)])


def differences(state: State, case: CaseDef) -> Iterator[Difference]:
    """Give each value and each roster that is not as a case expects."""
    for row in case.expect:
        yield from _of_row(state, row)
    for roster in case.rosters:
        yield from _of_roster(state, roster)


def _of_row(state: State, row: ExpectedRow) -> Iterator[Difference]:
    kind = state.pack.kinds[row.kind]
    found = state.db.rows(_values_of(state, kind, row))
    if not found:
        yield Difference(row.at, f"there is no {row.kind} {row.key}", "")
        return
    for wanted, stored in zip(row.values, found[0][: len(row.values)], strict=True):
        value = exact_value(wanted, stored)
        if value != wanted.value:
            said = f"{wanted.name} of {row.key} is {shown_value(value)}"
            yield Difference(wanted.at, said, shown_value(wanted.value), wanted.name, row.kind, row.key)


def _of_roster(state: State, wanted: ExpectedRoster) -> Iterator[Difference]:
    made = next(one for kind in state.pack.kinds.values() for one in kind.rosters if one.name == wanted.name)
    rows = exp.alias_(make_roster(state, made), "r", table=True)
    query = exp.select(column("#key", "r")).from_(rows, copy=False).order_by(ordered(column("#position", "r")))
    keys = tuple(key for (key,) in state.db.rows(query))
    if keys != wanted.keys:
        said = ", ".join(keys) or "empty"
        yield Difference(wanted.at, f"{wanted.name} is {said}", ", ".join(wanted.keys) or "nobody")


def _values_of(state: State, kind: KindDef, row: ExpectedRow) -> exp.Select:
    """Select the values a row is about; of a ref, the key it leads to."""
    query = exp.select().from_(exp.alias_(state.location(kind.name), "s", table=True), copy=False)
    for place, wanted in enumerate(row.values):
        value = column("#reason" if wanted.name == "reason" else wanted.name, "s")
        if wanted.type.base == "ref":
            target, on = f"t{place}", column("#sid", f"t{place}")
            query = left_join(
                query, exp.alias_(table(wanted.type.target), target, table=True), exp.EQ(this=value, expression=on)
            )
            value = column("#key", target)
        query = query.select(named(value, f"v{place}"))
    if not row.values:
        query = query.select(column("#key", "s"))
    key = exp.Literal.string(row.key)
    return query.where(exp.EQ(this=column("#key", "s"), expression=key))


def values_of(state: State, kind: KindDef, key: str, names: Sequence[str]) -> dict[str, object]:
    """Return values of a subject as a case would expect them."""
    types = value_types(kind)
    row = ExpectedRow(
        kind.name, key, tuple(Wanted(name, types[name], None, kind.table.at) for name in names), kind.table.at
    )
    found = state.db.rows(_values_of(state, kind, row))[0]
    return {one.name: exact_value(one, stored) for one, stored in zip(row.values, found, strict=True)}


def exact_value(wanted: Wanted, stored: object) -> object:
    """Return a stored value as a case expects it: numbers as fractions."""
    if isinstance(stored, int) and not isinstance(stored, bool):
        return Fraction(stored, UNIT if wanted.type.base == "number" else 1)
    return stored


def shown_value(value: object) -> str:
    """Return a value as a case would write it."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Fraction):  # of millionths, or written as a decimal
        return plain_fraction(value)
    return value.isoformat() if isinstance(value, dt.date) else str(value)
