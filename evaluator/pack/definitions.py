"""A checked pack: every name resolved, every expression a typed tree, everything knows where it was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from evaluator.diagnostics import Span
from evaluator.pack.expression import Node, ParameterType, Recall, Type
from evaluator.pack.model import Clause, Control, Line, Parameter, Period, Roster, Rule, Table, Verdict
from evaluator.pack.source import Text


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
    """A field of a record: where its cell is and what it may hold, or the expression it is derived by."""

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


@dataclass(frozen=True, slots=True)
class UnfoldDef:
    """From which table, into which kind, by which columns a table is unfolded."""

    source: str
    into: str
    label: str
    columns: dict[str, tuple[str, ...]]  # label -> headings
    separators: tuple[str, ...]
    ref: str  # the field that holds the name


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

    @property
    def refs(self) -> dict[str, str]:
        """Return the fields that lead to other rows, with the table they lead to."""
        return {name: f.type.target for name, f in self.fields.items() if f.type.base == "ref"}


@dataclass(frozen=True, slots=True)
class AggregateDef:
    """count, sum, min, max, any or distinct over records or children, or any of these and rank over peers.

    `links` are the ways from a record to its subject, each a sequence of refs; none for peers.
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
    when: Formula | None = None
    value: Formula | None = None
    among: Formula | None = None
    take: Formula | None = None
    within: Formula | None = None
    order_by: tuple[Order, ...] = ()


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
class ParameterDef:
    """A parameter: what it takes and gives, and its table of values."""

    name: str
    type: ParameterType
    model: Parameter
    at: Span


@dataclass(frozen=True, slots=True)
class Pack:
    """A checked pack, ready to run."""

    name: str
    folder: Path
    title: dict[str, str]
    language: str
    period: Period
    gap: str | None
    clauses: dict[str, Clause]
    parameters: dict[str, ParameterDef]
    tables: dict[str, TableDef]  # kinds included
    kinds: dict[str, KindDef]
    controls: tuple[ControlDef, ...]
    labels: dict[str, dict[str, str]]
    files: dict[str, bytes]  # name below the folder -> content

    def label(self, *names: str) -> str:
        """Return what readers see for the first of these names that has a label; the last one where none has."""
        known = self.labels.get(self.language, {})
        return next((known[name] for name in names if name in known), names[-1])
