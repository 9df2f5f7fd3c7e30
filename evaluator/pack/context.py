"""What is known of a pack while it is checked: one context, passed to every check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from evaluator.diagnostics import Problems, Span
from evaluator.pack.definitions import FieldDef, Formula, MeasureDef, ParameterDef
from evaluator.pack.model import Kind, PackFile, Table
from evaluator.pack.nodes import Recall
from evaluator.pack.types import Type

Symbol = tuple[Type, bool]
"""What a name stands for: its type, and whether it can be unknown."""


@dataclass(frozen=True, slots=True)
class OnDemand:
    """How to find what a field, measure or verdict of a table or kind stands for; each may need the others first."""

    field: Callable[[Context, str, str], Symbol]
    measure: Callable[[Context, str, str], Symbol]
    verdict: Callable[[Context, str, str], Symbol]


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
    defined: set[tuple[str, str]] = field(default_factory=set)  # fields that are or are being made
    measures: dict[tuple[str, str], MeasureDef | None] = field(default_factory=dict)  # None while being made
    formulas: dict[tuple[str, str], Formula | None] = field(default_factory=dict)  # of verdicts, likewise
    recalls: dict[str, dict[str, Recall]] = field(default_factory=dict)  # by kind


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
    context.fields = {owner: {} for owner in context.models}
    context.recalls = {name: {} for name in context.kinds}
    return context
