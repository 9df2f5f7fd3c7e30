"""What appeals changed, as an explanation tells it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from sqlglot import exp

from evaluator.diagnostics import Problems
from evaluator.engine.state import Bearer
from evaluator.report.reopen import PastRun
from evaluator.sql.trees import column, ordered, parquet

if TYPE_CHECKING:
    from evaluator.data.appeals import Case
    from evaluator.pack.model_appeal import Appeal


@dataclass(frozen=True, slots=True)
class AmendedRow:
    """A row that a case added, took away, or wrote otherwise: of which table, where it stands, what was changed.

    `is_own` says that the case is the subject's own; `changes` are heading, before and after of each cell.
    """

    case: Case
    how: str
    table: str
    key: str
    place: str
    changes: tuple[tuple[str, str, str], ...]
    is_own: bool

    @property
    def appeal(self) -> Appeal:
        """The case as it was written."""
        return self.case.appeal


def amended_rows(run: PastRun, subject: Bearer, places: set[str]) -> list[AmendedRow]:
    """Return the rows that stand at one of these places, or that a case of the subject itself changed."""
    cases = {case.number: case for case in cases_of(run)}
    names = ("case", "claim", "how", "table", "key", "source", "row", "heading", "before", "after")
    query = exp.select(*(column(name, "a") for name in names)).from_(
        exp.alias_(parquet(run.folder / "amendments.parquet"), "a", table=True), copy=False
    )
    found: dict[tuple[str, int], AmendedRow] = {}

    @cache
    def is_of_subject(case: str) -> bool:
        return subject in run.state.bearers(str(cases[case].appeal.subject))

    for number, claim, how, table, row_key, source, row, heading, before, after in run.state.db.rows(
        query.order_by(*(ordered(column(name, "a")) for name in names[:2]), ordered(column("heading", "a")))
    ):
        case, place = cases[number], str(run.state.db.cell(source, row))
        is_own = is_of_subject(number)
        if not is_own and place not in places:
            continue
        change = ((heading, before, after),) if heading else ()
        known = found.get((number, claim))
        changes = (*(known.changes if known is not None else ()), *change)
        found[number, claim] = AmendedRow(case, how, table, row_key, place, changes, is_own)
    return list(found.values())


def cases_of(run: PastRun) -> list[Case]:
    """Return the cases a run was given."""
    from evaluator.data.appeals import read_appeal

    files = sorted(run.manifest["appeals"]["files"])
    read = [read_appeal(run.folder / "appeals" / file, Problems()) for file in files]
    return [case for case in read if case is not None]
