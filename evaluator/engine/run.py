"""A run, from a checked pack and a data folder to verdicts, rosters and reconciled totals: the pipeline on one page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from evaluator.data.appeals import Amendments, Case, check_filed_in_time
from evaluator.data.chain import Standing, check_standing
from evaluator.data.context import REJECTS, Loaded
from evaluator.data.covers import check_covers
from evaluator.data.history import PastRun, read_history
from evaluator.data.past_results import note_years_twice
from evaluator.data.run_before import run_before
from evaluator.data.sources import bytes_below, hashes_of
from evaluator.data.tables import load_tables
from evaluator.diagnostics import Cell, Problems, Stop
from evaluator.doing import Doing
from evaluator.engine.compute import compute
from evaluator.engine.decide import Bench, Judgement
from evaluator.engine.entries import approve, find_entries, override
from evaluator.engine.families import Family, compile_family
from evaluator.engine.plan import Choose, Compute, Decide, Override, Step, make_plan
from evaluator.engine.quota import choose_quota
from evaluator.engine.rank import make_roster
from evaluator.engine.situations import Situation, conclude
from evaluator.engine.state import State
from evaluator.pack.definitions import ControlDef, Pack
from evaluator.pack.in_force import as_in_force
from evaluator.pack.model import Period
from evaluator.pack.windows import first_day
from evaluator.sql.aggregates import aggregated
from evaluator.sql.backend import Database
from evaluator.sql.duck import DuckDatabase
from evaluator.sql.lower import Lowering
from evaluator.sql.ratio import UNIT
from evaluator.sql.trees import column, ordered

if TYPE_CHECKING:
    from evaluator.sql.spark import SparkDatabase

SMALL = 1_000_000  # bytes of sheets
REJECTS_SHOWN = 1000
REASONS_SHOWN = 20
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Control:
    """A published total beside the computed one."""

    definition: ControlDef
    computed: Decimal

    @property
    def published(self) -> Decimal:
        """The figure the source gives."""
        model = self.definition.model
        return Decimal(str(model.equals if model.equals is not None else model.at_least))

    @property
    def is_met(self) -> bool:
        """Whether the computed total is the published one, or reaches it."""
        if self.definition.model.equals is not None:
            return self.computed == self.published
        return self.computed >= self.published


@dataclass(slots=True)
class Assessment:
    """What a run has concluded, still in the database."""

    pack: Pack
    state: State
    data: Path
    accepts_rejects: bool
    standing: Standing
    cases: list[Case]
    loaded: Loaded
    covers: tuple[dt.date, dt.date]
    past: list[PastRun]
    problems: Problems
    situations: list[Situation] = field(default_factory=list)
    judgements: dict[str, list[Judgement]] = field(default_factory=dict)
    families: dict[str, Family] = field(default_factory=dict)
    rosters: dict[str, exp.Table] = field(default_factory=dict)
    controls: list[Control] = field(default_factory=list)


def period_of(year: int, period: Period) -> tuple[dt.date, dt.date]:
    """Return the first and last day that count in a year.

    >>> period_of(2021, Period.model_construct(months=12, ending=(11, 30)))
    (datetime.date(2020, 12, 1), datetime.date(2021, 11, 30))
    """
    end = period.ends(year)
    return first_day(end, period.months), end


@contextmanager
def assess(
    pack: Pack,
    data: Path,
    year: int,
    history: list[Path],
    accept_rejects: bool = False,
    progress: Progress = lambda _: None,
    bench: Bench | None = None,
    standing: Standing = Standing(),  # noqa: B008 - frozen
    cases: Sequence[Case] = (),
    spark: SparkDatabase | None = None,
    memory: str | None = None,
    afresh: bool = False,
    named: str | None = None,
) -> Iterator[Assessment]:
    """Assess a year; raise Stop with everything the user has to mend.

    `bench` judges, and stays open for more; without one, the run has its own. With `spark` it is computed there, and
    that stays open too. `memory`, as 2GB, is what may be held at once. What the run before has read is taken over where
    it is the same, unless `afresh`. `named` is what people call the data folder, where it is the copy of another.
    """
    problems = Problems()
    start, end = period_of(year, pack.period)
    _check_in_force(pack, year, end, problems)
    pack = as_in_force(pack, end)
    steps = make_plan(pack, problems)
    past = read_history(history, pack, year, problems)
    standing = check_standing(standing, pack, year, problems)
    check_filed_in_time(cases, pack, standing, problems)
    problems.stop_on_errors()
    # what people keep in sheets is read faster on one machine; Parquet is read where it is
    reads_there = spark is not None and any(data.rglob("*.parquet"))
    is_little = bytes_below(data) < SMALL
    if spark is not None:
        spark.expect(is_little)
    is_small = spark is None and is_little  # else steps between would be handed on, too
    database: Database = spark if spark is not None and reads_there else DuckDatabase(is_small, memory)
    judge = bench or Bench()
    try:
        state = State(database, pack, year, start, end)
        covers = check_covers(pack, data, state.settings, problems, named)
        progress(f"reading {named or data}")
        amendments = Amendments([case for case in cases if case.claims])
        known = {"year": year, "period": _written(start, end), "covers": _written(*covers)}
        before = None if afresh else standing.supersedes
        loaded = load_tables(
            database, pack, data, state.settings, problems, amendments, progress,
            lambda sheets: run_before(before, pack, database, len(sheets), known | {"files": hashes_of(data, sheets)}),
            named,
        )  # fmt: skip
        _check_appellants(state, cases, problems)
        if loaded.rejects and not accept_rejects:
            problems.extend(list_rejects(state, loaded))
        note_years_twice(database, pack, past, problems)
        problems.stop_on_errors()
        assessment = Assessment(
            pack, state, data, accept_rejects, standing, list(cases), loaded, covers, past, problems
        )
        _check_somebody(pack, loaded, problems)
        if isinstance(database, DuckDatabase) and spark is not None:
            progress("handing the records to Spark")
            spark.receive_all(database)
            state.db = spark
        find_entries(state)
        for step in steps:
            progress(Doing(_shown(step), done=state.db.done))
            take(step, assessment, judge)
            problems.stop_on_errors()
        for kind in pack.kinds.values():
            approve(state, kind)
        _note_refused(state, loaded, accept_rejects, problems)
        progress("making rosters")
        for kind in pack.kinds.values():
            for roster in kind.rosters:
                assessment.rosters[roster.name] = make_roster(state, roster)
        assessment.controls = _reconcile(state, [control for control in pack.controls if control.model.year == year])
        if not loaded.amended:  # what was published is of the records as they were
            _note_missed(assessment.controls, problems)
        problems.stop_on_errors()
        yield assessment
    finally:
        if bench is None:
            judge.close()
        if database is not spark:
            database.close()


def _written(*days: dt.date) -> list[str]:
    return [day.isoformat() for day in days]


def _shown(step: Step) -> str:
    match step:
        case Compute():
            return f"computing {step.kind}"
        case Decide():
            return f"concluding {step.kind}: {', '.join(step.verdicts)}"
        case Override():
            return f"looking for decisions on {step.kind}: {step.verdict}"
    return f"choosing {step.kind}: {step.verdict}"


def take(step: Step, assessment: Assessment, bench: Bench) -> None:
    """Take one step of the plan of a run; what is wrong is noted with the problems of the run."""
    state, problems = assessment.state, assessment.problems
    kind = assessment.pack.kinds[step.kind]
    match step:
        case Compute():
            compute(state, kind, step, assessment.past, problems)
        case Decide():
            family = compile_family(kind, step.verdicts, problems)
            problems.stop_on_errors()
            situations, judgements = conclude(state, kind, family, bench, problems)
            assessment.situations += situations
            assessment.judgements[str(family)] = judgements
            assessment.families[str(family)] = family
        case Override():
            override(state, kind, kind.verdicts[step.verdict])
        case Choose():
            choose_quota(state, kind, kind.verdicts[step.verdict], problems)


def _note_refused(state: State, loaded: Loaded, accept_rejects: bool, problems: Problems) -> None:
    """Note what people entered and the rules have no room for."""
    before, loaded.rejects = loaded.rejects, state.db.count(REJECTS)
    if loaded.rejects > before and not accept_rejects:
        problems.extend(list_rejects(state, loaded))
    problems.stop_on_errors()


def _check_in_force(pack: Pack, year: int, end: dt.date, problems: Problems) -> None:
    """Note a year the pack is not meant for, and one in no term where the term matters."""
    span = pack.in_force
    if span is not None and not span.holds_on(end):
        message = f"{year} ends on {end}, and {pack.name} is in force {span}"
        problems.add("R111", message, span.at)
    if pack.reads_term and not any(term.from_ <= end <= term.to for term in pack.terms):
        problems.add("R112", f"{year} ends on {end}, which is in no term", pack.reads_term[0])


def _check_appellants(state: State, cases: Sequence[Case], problems: Problems) -> None:
    """Note cases of nobody, and of somebody whose name several bear."""
    for case in cases:
        subject = case.appeal.subject
        found = state.bearers(str(subject))
        if len(found) != 1:
            several = ", ".join(f"{one.kind.name}:{one.key}" for one in found)
            message = f'"{subject}" is {several}' if found else f'nobody is "{subject}"'
            problems.add("D406", message, subject.at, f"write {found[0].kind.name}:{found[0].key}" if found else None)


def _check_somebody(pack: Pack, loaded: Loaded, problems: Problems) -> None:
    if pack.for_cases:  # a case gives only the kinds it is about
        return
    for kind in pack.kinds.values():
        if not loaded.rows[kind.name]:
            problems.add("R110", f"there is no {kind.name} to assess", kind.table.at)
    problems.stop_on_errors()


def list_rejects(state: State, loaded: Loaded) -> Problems:
    """Return the rejects as problems: the first of them each by itself, and where there are more, how often what."""
    found = Problems()
    names = ("#src", "#row", "column", "value", "reason", "table")
    query = (
        exp.select(*(column(name, "r") for name in names))
        .from_(exp.alias_(REJECTS, "r", table=True), copy=False)
        .order_by(*(ordered(column(name, "r")) for name in ("#src", "#row", "column", "value", "reason")), copy=False)
        .limit(REJECTS_SHOWN, copy=False)
    )
    for source, row, heading, value, reason, name in state.db.rows(query):
        what = (
            f'"{value}" is {reason}'
            if value and not reason.startswith(("the ", "another", "borne", "named"))
            else reason
        )
        if value and what == reason:
            what = f'"{value}": {reason}'
        found.add("D201", f"{what} ({name})", state.db.cell(source, row, heading))
    if loaded.rejects > REJECTS_SHOWN:
        counted = ", ".join(f"{n:,} × {why} ({name}, {heading})" for name, heading, why, n in _rejects_by_reason(state))
        message = f"{loaded.rejects - REJECTS_SHOWN:,} more rejects are not shown; of all there are {counted}"
        fix = "mend them; or add --accept-rejects to leave the rows out, and find all of them in rejects.csv"
        found.add("D201", message, Cell("~"), fix)
    return found


def _rejects_by_reason(state: State) -> list[tuple[str, str, str, int]]:
    """Return table, column and reason of rejects with how many there are, the most frequent first."""
    keys = [column(name, "r") for name in ("table", "column", "reason")]
    count = exp.Count(this=exp.Star())
    query = exp.select(*keys, count).from_(exp.alias_(REJECTS, "r", table=True), copy=False)
    query = query.group_by(*(key.copy() for key in keys)).order_by(
        ordered(count.copy(), descending=True), *(ordered(key.copy()) for key in keys)
    )
    return [(name, heading, why, int(n)) for name, heading, why, n in state.db.rows(query.limit(REASONS_SHOWN))]


def _reconcile(state: State, controls: Sequence[ControlDef]) -> list[Control]:
    queries = []
    for control in controls:
        made = control.aggregate
        rows = state.rows(made.source, "r")
        query = rows.select(aggregated(made, Lowering(rows)))
        in_period = state.in_period(made.source, "r", made.period)
        queries.append(query.where(in_period) if in_period is not None else query)
    found = []
    for control, value in zip(controls, state.db.values(queries), strict=True):
        operand = control.aggregate.operand
        is_scaled = control.aggregate.function == "sum" and operand is not None and operand.node.type.base == "number"
        found.append(Control(control, Decimal(int(value or 0)) / (UNIT if is_scaled else 1)))
    return found


def control_text(control: ControlDef) -> str:
    """Return what a control total counts, in the words of the pack."""
    model = control.model
    operand = f"{model.function} {model.operand} of " if model.operand is not None else "count of "
    period = f" over {model.period}" if model.period is not None else ""
    return operand + control.aggregate.source + period + (f" where {model.where}" if model.where is not None else "")


def _note_missed(controls: list[Control], problems: Problems) -> None:
    for control in controls:
        model = control.definition.model
        if not control.is_met and model.differs is None:
            wanted = f"{'at least ' if model.equals is None else ''}{control.published}"
            problems.add(
                "R105",
                f"{control_text(control.definition)} is {control.computed}, published is {wanted}",
                model.at,
            )


def stop_unless(condition: bool, code: str, message: str, fix: str | None = None) -> None:
    """Stop with one problem unless a condition holds."""
    if not condition:
        raise Stop.of(code, message, fix=fix)
