"""Cases run: the rows they give become sheets, a run assesses them, and what it comes to is compared."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlglot import exp

from evaluator.data.sources import SETTINGS_FILE
from evaluator.diagnostics import Cell, Diagnostic, Span, Stop
from evaluator.engine.decide import Bench
from evaluator.engine.run import assess
from evaluator.engine.state import State
from evaluator.pack.check import load_pack
from evaluator.pack.check_case import CaseDef, ExpectedRow, GivenYear, Wanted, columns_of, load_cases
from evaluator.pack.definitions import KindDef, Pack, TableDef
from evaluator.report.run_folder import write_run
from evaluator.report.words import plain_number
from evaluator.sql.ratio import UNIT
from evaluator.sql.trees import column, left_join, named, table

FIRST_DAY = dt.date(1900, 1, 1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case: nothing to say where it came out as expected."""

    case: CaseDef
    differences: tuple[str, ...] = ()
    stopped: tuple[Diagnostic, ...] = ()

    @property
    def is_ok(self) -> bool:
        """Whether all came out as expected."""
        return not self.differences and not self.stopped

    def __str__(self) -> str:
        lines = [f"{'ok    ' if self.is_ok else 'failed'}  {self.case.model.case}"]
        said = [*self.differences, *map(str, self.stopped)]
        lines += [f"  {line}" for text in said for line in text.splitlines()]
        return "\n".join(lines)


def run_cases(folder: Path) -> Iterator[Outcome]:
    """Run the cases of a pack one after the other, each by itself.

    Raises Stop with what is wrong with the pack or the cases, before any is run.
    """
    load_pack(folder)
    pack = _as_given(load_pack(folder, for_cases=True))
    cases = load_cases(folder, pack)
    with closing(Bench()) as bench:
        for case in cases:
            yield _run(pack, case, bench)


def cases_summary(folder: Path, outcomes: list[Outcome]) -> str:
    """Say how many cases came out as expected."""
    failed = sum(not outcome.is_ok for outcome in outcomes)
    count = f"{len(outcomes)} case{'s' if len(outcomes) > 1 else ''}"
    return f"{folder}: {count}, " + (f"{failed} failed" if failed else "all as expected")


def _as_given(pack: Pack) -> Pack:
    """Return the pack as it reads what cases give: a file a table, a column a field; no published totals to reach."""
    tables = {name: _as_written(made) for name, made in pack.tables.items()}
    kinds = {name: replace(kind, table=tables[name]) for name, kind in pack.kinds.items()}
    return replace(pack, tables=tables, kinds=kinds, controls=())


def _as_written(made: TableDef) -> TableDef:
    fields = {name: replace(field, headings=(name,)) for name, field in made.fields.items()}
    unfold = made.unfold
    if unfold is not None:
        unfold = replace(unfold, columns={label: (f"{made.name}.{label}",) for label in unfold.columns})
    return replace(made, files=(made.name,), fields=fields, unfold=unfold)


def _run(pack: Pack, case: CaseDef, bench: Bench) -> Outcome:
    *before, assessed = case.years
    differences: list[str] = []
    history: list[Path] = []
    with TemporaryDirectory(prefix="evaluator-") as temporary:
        try:
            for earlier in before:
                history.append(Path(temporary, f"{earlier.year}-result"))
                with assess(pack, _written(pack, earlier, temporary), earlier.year, history[:-1], bench=bench) as past:
                    write_run(past, history[-1])
            data = _written(pack, assessed, temporary)
            with assess(pack, data, assessed.year, history, bench=bench) as assessment:
                for row in case.expect:
                    differences += _differences(assessment.state, row)
        except Stop as stopped:
            return Outcome(case, stopped=tuple(_placed(problem, case) for problem in stopped.problems))
    return Outcome(case, tuple(differences))


def _written(pack: Pack, given: GivenYear, temporary: str) -> Path:
    """Write the rows of a year as sheets; return their folder."""
    folder = Path(temporary, str(given.year))
    folder.mkdir()
    for name, rows in given.rows.items():
        known = columns_of(pack, pack.tables[name])
        columns = list(dict.fromkeys([*known, *(column for row in rows for column in row.cells)]))
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
            writer.writerow(columns)
            writer.writerows([row.cells.get(column, "") for column in columns] for row in rows)
    covers = f"{{from: {FIRST_DAY}, to: {pack.period.ends(given.year)}}}"  # what is not given did not happen
    (folder / SETTINGS_FILE).write_text(f"covers: {covers}\n", encoding="utf-8")
    return folder


def _placed(problem: Diagnostic, case: CaseDef) -> Diagnostic:
    """Return a problem with the places of the case instead of those of the files made of it."""

    def place(at: Span | Cell | None) -> Span | Cell | None:
        if not isinstance(at, Cell):
            return at
        file = Path(at.file)
        rows = next((one.rows.get(file.stem, []) for one in case.years if str(one.year) == file.parent.name), [])
        # the first row of the file is its heading
        return rows[at.row - 2].at if 2 <= at.row < len(rows) + 2 else case.model.at

    also = tuple((place(at) or at, what) for at, what in problem.also)
    return replace(problem, at=place(problem.at), also=also)


def _differences(state: State, row: ExpectedRow) -> Iterator[str]:
    """Give a line for each value that is not as expected."""
    kind = state.pack.kinds[row.kind]
    found = state.db.rows(_values_of(state, kind, row))
    if not found:
        yield f"{row.at}: there is no {row.kind} {row.key}"
        return
    for wanted, stored in zip(row.values, found[0], strict=True):
        value = _exact(wanted, stored)
        if value != wanted.value:
            yield f"{wanted.at}: {wanted.name} of {row.key} is {_shown(value)}, expected {_shown(wanted.value)}"


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


def _exact(wanted: Wanted, stored: object) -> object:
    if isinstance(stored, int) and not isinstance(stored, bool):
        return Fraction(stored, UNIT if wanted.type.base == "number" else 1)
    return stored


def _shown(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Fraction):  # of millionths, or written as a decimal
        return plain_number(Decimal(value.numerator) / value.denominator)
    return value.isoformat() if isinstance(value, dt.date) else str(value)
