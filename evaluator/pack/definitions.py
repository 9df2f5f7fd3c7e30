"""A checked pack: every name resolved, every expression a typed tree, everything knows where it was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from evaluator.diagnostics import Span
from evaluator.pack.model import AppealTerms, Clause, Control, Holidays, Parameter, Period, Table, Term
from evaluator.pack.model_judgement import InForce, Line, Roster, Rule, Times, Verdict, Veto, Window
from evaluator.pack.model_proofs import Proofs
from evaluator.pack.nodes import Node, Recall
from evaluator.pack.source import Text
from evaluator.pack.types import ParameterType, Type

OTHERS = "#others"
"""In place of a label: the remaining columns of a sheet, each of which has its heading for a label."""


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression and the text it was written as."""

    node: Node
    text: str
    at: Span
    source: Text | None = None

    def span(self, place: tuple[int, int]) -> Span:
        """Return where a part of the expression stands in its file."""
        return self.source.span(*place) if self.source is not None else self.at


@dataclass(frozen=True, slots=True)
class Order:
    """One key of an ordering."""

    formula: Formula
    is_descending: bool


@dataclass(frozen=True, slots=True)
class FieldDef:
    """A field of a record: where its cell is and what it may hold, or how it is derived."""

    name: str
    type: Type
    nullable: bool
    at: Span
    headings: tuple[str, ...] = ()
    spellings: dict[str, str] = field(default_factory=dict)  # as written in a sheet -> canonical
    by: tuple[str, ...] = ()
    is_optional: bool = False
    default: object = None
    value: Formula | None = None
    aggregate: AggregateDef | None = None

    @property
    def is_derived(self) -> bool:
        """Whether it is computed, not read from a cell."""
        return self.value is not None or self.aggregate is not None


@dataclass(frozen=True, slots=True)
class UnfoldDef:
    """From which table and by which columns a table is unfolded; its cells hold names, or one value each."""

    source: str
    label: str
    columns: dict[str, tuple[str, ...]]  # label -> headings; none for each remaining column
    separators: tuple[str, ...]
    holds: str  # the field that holds the name or value
    is_names: bool

    @property
    def lists(self) -> tuple[str, ...]:
        """The columns of the source that its cells are kept in until they are unfolded."""
        return tuple(self.columns) or (OTHERS,)


@dataclass(frozen=True, slots=True)
class ExpectedDef:
    """Which rows ought to exist, and what fills them."""

    every: tuple[str, ...]
    where: Formula | None
    fill: dict[str, object]
    at: Span


@dataclass(frozen=True, slots=True)
class TableDef:
    """A table of records, subject kinds included."""

    name: str
    model: Table
    at: Span
    files: tuple[str, ...]
    key: tuple[str, ...]
    fields: dict[str, FieldDef]
    date: Formula | None
    unfold: UnfoldDef | None
    expected: ExpectedDef | None
    is_entered: bool = False  # filled by people who decide; there need not be any

    @property
    def refs(self) -> dict[str, str]:
        """Return the fields that lead to other rows, with the table they lead to."""
        return {name: f.type.target for name, f in self.fields.items() if f.type.base == "ref"}


def subject_of(kinds: Mapping[str, KindDef], made: TableDef) -> str | None:
    """Return the first ref of a table to a kind: the subject its records are kept with, and shown with."""
    return next((name for name, target in made.refs.items() if target in kinds), None)


def is_dated(tables: Mapping[str, TableDef], name: str) -> bool:
    """Whether a date decides when the rows of a table count, their own or that of their source."""
    made = tables[name]
    return made.date is not None or (made.unfold is not None and is_dated(tables, made.unfold.source))


@dataclass(frozen=True, slots=True)
class AggregateDef:
    """count, sum, min, max, any or distinct over records or children, or any of these and rank over peers.

    `links` are the ways from a record to its subject, each a sequence of refs; none for peers. `same` holds what rows
    agree in instead: each value as the row at hand has it, and as the rows of the source have it.
    """

    function: str
    source: str
    links: tuple[tuple[str, ...], ...]
    operand: Formula | None
    where: Formula | None
    within: Formula | None
    is_peers: bool
    default: Formula | None
    is_descending: bool = False
    period: Window | None = None  # the year's records where nothing is said
    same: tuple[tuple[Formula, Formula], ...] = ()


@dataclass(frozen=True, slots=True)
class MeasureDef:
    """A named value of a subject."""

    name: str
    type: Type
    nullable: bool
    at: Span
    value: Formula | None = None
    aggregate: AggregateDef | None = None


@dataclass(frozen=True, slots=True)
class AwardOrder:
    """One key of an ordering of awards: their points, or a value of each record."""

    is_points: bool
    is_descending: bool


@dataclass(frozen=True, slots=True)
class SelectionKeys:
    """What records of one line are chosen by; None in an order stands for their points."""

    once: Formula | None
    prefer: tuple[Formula | None, ...]
    order_by: tuple[Formula | None, ...]


@dataclass(frozen=True, slots=True)
class SelectionDef:
    """Which awards of a line count, and how much of them: once for each key, and by their number in a series."""

    is_once: bool
    prefer: tuple[AwardOrder, ...]
    order_by: tuple[AwardOrder, ...]
    series: tuple[tuple[int, Fraction], ...]  # from the nth on: factor
    keys: dict[str, SelectionKeys]  # by the id of the line that brings the records


@dataclass(frozen=True, slots=True)
class TimesDef:
    """A factor of a line, and when it applies."""

    when: Formula | None
    by: Formula
    model: Times


@dataclass(frozen=True, slots=True)
class VetoDef:
    """What the total is set to, and when."""

    when: Formula
    to: Formula
    model: Veto


@dataclass(frozen=True, slots=True)
class JudgedDef:
    """Points people decide on, within bounds."""

    low: Formula
    high: Formula
    by: str


@dataclass(frozen=True, slots=True)
class LineDef:
    """A line of the score; the root's id is `total`."""

    id: str
    model: Line
    at: Span
    parent: str | None
    depth: int
    when: Formula | None
    aggregate: AggregateDef | None  # of lines with each; its operand gives the points of a record
    points: Formula | None  # of lines without
    base: Formula | None
    min: Formula | None
    max: Formula | None
    items: tuple[LineDef, ...]
    selection: SelectionDef | None = None
    times: tuple[TimesDef, ...] = ()
    veto: tuple[VetoDef, ...] = ()
    judged: JudgedDef | None = None
    is_in_force: bool = True  # in the year the pack is of

    @property
    def sums_records(self) -> bool:
        """Whether what records bring is summed for this very line."""
        return self.aggregate is not None or self.judged is not None or self.selection is not None

    @property
    def alterations(self) -> list[Formula]:
        """What factors and vetoes look at, and what they make of the points."""
        found = [formula for one in self.times for formula in (one.when, one.by)]
        found += [formula for one in self.veto for formula in (one.when, one.to)]
        return [formula for formula in found if formula is not None]

    def walk(self) -> Iterator[LineDef]:
        """Give this line and all below it, in the order written."""
        yield self
        for item in self.items:
            yield from item.walk()


@dataclass(frozen=True, slots=True)
class RuleDef:
    """One rule of a verdict; without `when` it is the value otherwise."""

    number: int
    value: object
    when: Formula | None
    model: Rule


@dataclass(frozen=True, slots=True)
class VerdictDef:
    """A conclusion about a subject."""

    name: str
    form: Literal["rules", "yes_no", "formula", "quota"]
    type: Type
    model: Verdict
    at: Span
    rules: tuple[RuleDef, ...] = ()
    rules_aside: tuple[RuleDef, ...] = ()  # not in force in the year the pack is of
    when: Formula | None = None
    value: Formula | None = None
    among: Formula | None = None
    take: Formula | None = None
    within: Formula | None = None
    order_by: tuple[Order, ...] = ()

    @property
    def conditions(self) -> list[Formula]:
        """What decides its value for a subject by itself: conditions of rules, its own, its value, who is among."""
        found = [*(rule.when for rule in self.rules), self.when, self.value, self.among]
        return [formula for formula in found if formula is not None]


@dataclass(frozen=True, slots=True)
class ExceptionDef:
    """Subjects set apart, and why."""

    when: Formula
    reason: str


@dataclass(frozen=True, slots=True)
class RosterDef:
    """A ranked list."""

    kind: str
    id: str
    model: Roster
    where: Formula | None
    order_by: tuple[Order, ...]
    within: Formula | None
    columns: tuple[tuple[str, Formula | None], ...]  # heading name, value; rank has no value

    @property
    def name(self) -> str:
        """Its name among all rosters of the pack."""
        return f"{self.kind}.{self.id}"


@dataclass(frozen=True, slots=True)
class KindDef:
    """A subject kind: a table, and how its rows are judged."""

    table: TableDef
    display: str
    not_assessed: tuple[ExceptionDef, ...]
    not_ranked: tuple[ExceptionDef, ...]
    measures: dict[str, MeasureDef]
    score: LineDef | None
    verdicts: dict[str, VerdictDef]
    rosters: tuple[RosterDef, ...]
    recalls: dict[str, Recall]
    proofs: Proofs | None = None

    @property
    def name(self) -> str:
        """The name of the kind."""
        return self.table.name

    @property
    def lines(self) -> list[LineDef]:
        """Return all lines of the score, the root first."""
        return list(self.score.walk()) if self.score else []


@dataclass(frozen=True, slots=True)
class ControlDef:
    """A published total a run must reach."""

    model: Control
    aggregate: AggregateDef


@dataclass(frozen=True, slots=True)
class TableLookup:
    """Where a parameter's values are read: the row that has the first arguments, and the nearest bound to the last."""

    source: str
    match: tuple[Formula, ...]
    bound: Formula | None
    value: Formula


@dataclass(frozen=True, slots=True)
class ParameterDef:
    """A parameter: what it takes and gives, and its table of values."""

    name: str
    type: ParameterType
    model: Parameter
    at: Span
    lookup: TableLookup | None = None


@dataclass(frozen=True, slots=True)
class Pack:
    """A checked pack, ready to run."""

    name: str
    folder: Path
    title: dict[str, str]
    language: str  # the pack is written in
    shown_in: str  # the language of what readers see
    period: Period
    gap: str | None
    in_force: InForce | None
    follows: tuple[str, ...]
    terms: tuple[Term, ...]
    reads_term: tuple[Span, ...]  # where something is counted over the term, or its first or last day is read
    holidays: Holidays
    appeals: AppealTerms | None
    clauses: dict[str, Clause]
    parameters: dict[str, ParameterDef]
    tables: dict[str, TableDef]  # kinds included
    kinds: dict[str, KindDef]
    controls: tuple[ControlDef, ...]
    labels: dict[str, dict[str, str]]
    files: dict[str, bytes]  # name below the folder -> content
    for_cases: bool = False  # made to run its cases: what a sheet must hold may be left out

    def label(self, *names: str) -> str:
        """Return what readers see for the first of these names that has a label; the last one where none has."""
        known = self.labels.get(self.shown_in, {})
        return next((known[name] for name in names if name in known), names[-1])
