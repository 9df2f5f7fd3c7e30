"""What is known of a pack while it is checked: one context, passed to every check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from evaluator.diagnostics import Problems, Span
from evaluator.pack.definitions import FieldDef, Formula, MeasureDef, ParameterDef
from evaluator.pack.entries import entered_tables
from evaluator.pack.model import Kind, PackFile, Table
from evaluator.pack.nodes import Recall
from evaluator.pack.types import ParameterType, Type

Symbol = tuple[Type, bool]
"""What a name stands for: its type, and whether it can be unknown."""


@dataclass(frozen=True, slots=True)
class OnDemand:
    """How to find what fields, measures and verdicts of a table or kind, and parameters, stand for.

    Each may need the others first.
    """

    field: Callable[[Context, str, str], Symbol]
    measure: Callable[[Context, str, str], Symbol]
    verdict: Callable[[Context, str, str], Symbol]
    parameter: Callable[[Context, str], ParameterType | None]


@dataclass(slots=True)
class Context:
    """The files of a pack, and what the checks have made of them so far; tables are named by `models`, kinds too."""

    file: PackFile
    problems: Problems
    on_demand: OnDemand
    models: dict[str, Table]
    names_at: dict[str, Span]
    kinds: dict[str, Kind] = field(default_factory=dict)
    parameters: dict[str, ParameterDef] = field(default_factory=dict)
    fields: dict[str, dict[str, FieldDef]] = field(default_factory=dict)  # by table
    defined: set[tuple[str, str]] = field(default_factory=set)  # fields and parameters that are or are being made
    being_read: set[str] = field(default_factory=set)  # parameters whose tables are being looked at
    measures: dict[tuple[str, str], MeasureDef | None] = field(default_factory=dict)  # None while being made
    formulas: dict[tuple[str, str], Formula | None] = field(default_factory=dict)  # of verdicts, likewise
    recalls: dict[str, dict[str, Recall]] = field(default_factory=dict)  # by kind
    for_cases: bool = False  # what a sheet must hold may be left out of a case, and is unknown then
    reads_term: list[Span] = field(default_factory=list)

    def note_term(self, at: Span) -> None:
        """Note what reads the term of office; there must be terms."""
        self.reads_term.append(at)
        if not self.file.terms:
            fix = "add terms: to pack.yaml, each with name, from and to"
            self.problems.add("P201", "the pack has no terms", at, fix)


def make_context(file: PackFile, kinds: list[Kind], problems: Problems, on_demand: OnDemand) -> Context:
    """Return the context checks begin with; of tables and kinds with one name, the first is kept."""
    context = Context(
        file,
        problems,
        on_demand,
        models={str(name): made for name, made in file.tables.items()},
        names_at={str(name): name.at for name in file.tables},
    )
    for kind in kinds:
        if kind.subject in context.models:
            also = [(context.names_at[kind.subject], "here first")]
            problems.add("P205", f'"{kind.subject}" is already a table or kind', kind.subject.at, also=also)
            continue
        context.kinds[kind.subject] = kind
        context.models[kind.subject] = kind
        context.names_at[kind.subject] = kind.subject.at
    for name, table in entered_tables(file, kinds).items():
        if name in context.models:
            message = f'"{name}" is a table of rows that people enter, which the pack has without writing it down'
            problems.add("P206", message, context.names_at[name], "give it another name")
            continue
        context.models[name] = table
        context.names_at[name] = table.at
    context.fields = {owner: {} for owner in context.models}
    context.recalls = {name: {} for name in context.kinds}
    return context
