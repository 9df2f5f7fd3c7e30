"""The queries a pack is compiled to, in the order they run, each under what it computes and where that is written.

They are those of a run over empty tables, for the plan of a run depends on the pack alone. How cells are read and typed
is left out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from tempfile import TemporaryDirectory

from sqlglot import exp

from evaluator.data.chain import Standing
from evaluator.data.tables import load_tables
from evaluator.diagnostics import Problems, Span, Stop, closest
from evaluator.engine.decide import Bench
from evaluator.engine.entries import approve, find_entries
from evaluator.engine.plan import Compute, Decide, Graph, Step, make_plan
from evaluator.engine.rank import make_roster
from evaluator.engine.run import Assessment, period_of, take
from evaluator.engine.state import State, points_column
from evaluator.pack.check_case import GivenYear
from evaluator.pack.definitions import KindDef, Pack, TableDef
from evaluator.pack.in_force import as_in_force
from evaluator.pack.model_judgement import InForce
from evaluator.sql.duck import DuckDatabase
from evaluator.sql.spark import for_spark
from evaluator.sql.trees import SQL, table
from evaluator.workbench.cases.given import as_given, write_year

GATES = "#gates"
"""How the name of a table ends that holds what the conditions of rules come to."""

Known = dict[str, tuple[str, Span]]
"""What the columns of a table are, and where that is written."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A query, the table it makes, whose it is, and what it computes with its place."""

    name: exp.Table
    query: exp.Query
    owner: str
    computes: tuple[tuple[str, Span], ...]

    def text(self, dialect: str) -> str:
        """Return the statement under its comment, in a dialect that sqlglot writes."""
        made: SQL = exp.Create(this=self.name, kind="TABLE", expression=self.query)
        made = for_spark(made) if dialect == "spark" else made
        width = max((len(what) for what, _ in self.computes), default=0)
        comments = [f"-- {what:{width}}  {at.file}:{at.line}" for what, at in self.computes]
        lines = [*(comments or [f"-- {self.owner}"]), f"{made.sql(dialect, pretty=True)};"]
        if self.name.name.endswith(GATES):
            concluded = table(self.name.name.removesuffix(GATES) + "#concluded", "work").sql(dialect)
            lines.append(
                f"-- each situation these columns make is judged by the rules, outside of SQL, into {concluded}"
            )
        return "\n".join(lines)


@dataclass(slots=True)
class _Recorder:
    """What is made while a run goes on, and of what it is at the moment."""

    tables: dict[str, TableDef]
    owner: str = ""
    known: Known = field(default_factory=dict)
    verdicts: list[str] = field(default_factory=list)
    found: list[Statement] = field(default_factory=list)

    def note(self, name: exp.Table, query: exp.Query) -> None:
        if name.db == "data":
            owner, known = name.name, _derived(self.tables[name.name])
            if not known:
                return
        else:
            owner, known = self.owner, self.known
        if owner:
            columns = (part.alias_or_name for one in query.find_all(exp.Select) for part in one.expressions)
            computes = {known[column] for column in columns if column in known}
            computes = computes or {known[verdict] for verdict in self.verdicts}
            in_order = sorted(computes, key=lambda one: (one[1], one[0]))
            self.found.append(Statement(name.copy(), query.copy(), owner, tuple(in_order)))


class _Recording(DuckDatabase):
    """A database that notes the tables it makes."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def create(self, name: exp.Table, query: exp.Query, beside: Sequence[str] = ()) -> None:
        self.recorder.note(name, query)
        super().create(name, query, beside)


def compiled(pack: Pack, year: int | None = None, kind: str | None = None) -> list[Statement]:
    """Return the queries of a run of a pack in the order they run: all, or those of one kind.

    Raises Stop where there is no such kind, or where the year is in no term that the pack needs.
    """
    if kind is not None:
        check_kind_named(pack, kind)
    recorder = _Recorder(pack.tables)
    _run_over_nothing(pack, _some_year(pack) if year is None else year, recorder)
    return [one for one in recorder.found if kind is None or one.owner == kind]


def check_kind_named(pack: Pack, kind: str) -> None:
    """Raise Stop where a pack has no kind of a name."""
    if kind not in pack.kinds:
        near = closest(kind, pack.kinds)
        raise Stop.of("R231", f'{pack.name} has no kind "{kind}"', fix=f"use {near or ', '.join(pack.kinds)}")


def compiled_text(pack: Pack, year: int | None, kind: str | None, dialect: str) -> str:
    """Return the queries as text."""
    assessed = _some_year(pack) if year is None else year
    head = [
        f"-- {pack.name} {assessed}: the queries of a run, in the order they run",
        '-- numbers are whole millionths; "#sid" numbers the rows of a table, "#date" is the day a row counts on',
        "-- how cells are read and typed is left out",
    ]
    return "\n\n".join(["\n".join(head), *(one.text(dialect) for one in compiled(pack, assessed, kind))])


def _some_year(pack: Pack) -> int:
    """Return this year, or the nearest in which the pack is in force and has the term it needs."""
    spans = [pack.in_force] if pack.in_force is not None else []
    spans += [InForce.model_construct(from_=term.from_, to=term.to) for term in pack.terms if pack.reads_term][-1:]
    year = dt.date.today().year
    for span in spans:
        if span.from_ is not None:
            year = max(year, span.from_.year)
        if span.to is not None:
            year = min(year, span.to.year)
    return year


def _run_over_nothing(checked: Pack, year: int, recorder: _Recorder) -> None:
    problems = Problems()
    start, end = period_of(year, checked.period)
    pack = replace(as_in_force(as_given(checked), end), for_cases=True)  # there need be nobody
    database = _Recording(recorder)
    with closing(database), closing(Bench()) as bench, TemporaryDirectory(prefix="evaluator-") as temporary:
        state = State(database, pack, year, start, end)
        if pack.reads_term and state.term is None:
            problems.add("R112", f"{year} ends on {end}, which is in no term", pack.reads_term[0])
        problems.stop_on_errors()
        nothing = GivenYear(year, {name: [] for name, made in pack.tables.items() if made.unfold is None})
        data = write_year(pack, nothing, temporary)
        loaded = load_tables(database, pack, data, state.settings, problems)
        run = Assessment(pack, state, data, False, Standing(), [], loaded, (start, end), [], problems)
        find_entries(state)
        known = {name: _known(pack, kind) for name, kind in pack.kinds.items()}
        for step in make_plan(pack, problems):
            recorder.owner, recorder.known, recorder.verdicts = step.kind, known[step.kind], _verdicts(step)
            take(step, run, bench)
            problems.stop_on_errors()
        recorder.verdicts = []
        for kind in pack.kinds.values():
            recorder.owner, recorder.known = kind.name, known[kind.name]
            approve(state, kind)
        for kind in pack.kinds.values():
            for roster in kind.rosters:
                place = roster.model.at
                recorder.owner, recorder.known = kind.name, {"#position": (f"roster {roster.id}", place)}
                make_roster(state, roster)


def _verdicts(step: Step) -> list[str]:
    match step:
        case Compute():
            return []
        case Decide():
            return step.verdicts
    return [step.verdict]


def _derived(made: TableDef) -> Known:
    """Return the fields of a table that are computed."""
    return {name: (f"field {made.name}.{name}", one.at) for name, one in made.fields.items() if one.is_derived}


def _known(pack: Pack, kind: KindDef) -> Known:
    """Return what the columns of a kind's table are."""
    found: Known = {"is_assessed": (f"who of {kind.name} is assessed", kind.table.at)}
    for measure in kind.measures.values():
        found[measure.name] = (f"measure {kind.name}.{measure.name}", measure.at)
    for line in kind.lines:
        for column in (points_column(line.id), f"raw.{line.id}", f"sum.{line.id}"):
            found[column] = (f"line {kind.name}.{line.id}", line.at)
    for verdict in kind.verdicts.values():
        found[verdict.name] = (f"verdict {kind.name}.{verdict.name}", verdict.at)
    for read in Graph(pack).reads.values():
        for value, at in read.items():
            if value.part == "recall" and value.kind == kind.name and at is not None:
                found.setdefault(value.name, (value.name, at))
    return found
