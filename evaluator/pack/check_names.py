"""Names of a pack: none reserved, none with two meanings; clauses that rules rest on exist."""

from __future__ import annotations

from collections.abc import Iterable

from evaluator.diagnostics import Span, rename_to
from evaluator.pack.context import Context
from evaluator.pack.entries import ENTERED
from evaluator.pack.functions import RESERVED
from evaluator.pack.model_base import Model
from evaluator.pack.source import Text


def check_names(context: Context) -> None:
    """Note reserved names, and names with two meanings in one table or kind."""
    for name, at in context.names_at.items():
        _not_reserved(context, name, at)
    for name in context.file.parameters:
        _not_reserved(context, name, name.at)
    for owner, model in context.models.items():
        taken: dict[str, Span] = {str(n): n.at for n in context.file.parameters}
        if owner in ENTERED:  # its names are ours, and no expression reads them
            continue
        for name in model.fields:
            _not_reserved(context, name, name.at)
            unique(context, name, taken, owner)
        if model.label is not None and not (model.has_other_columns and model.label in model.fields):
            unique(context, model.label, taken, owner)
        if (kind := context.kinds.get(owner)) is not None:
            for name in (*kind.measures, *kind.verdicts):
                _not_reserved(context, name, name.at)
                unique(context, name, taken, owner)


def _not_reserved(context: Context, name: str, at: Span) -> None:
    if name in RESERVED:
        context.problems.add("P206", f'"{name}" is reserved', at)


def unique(context: Context, name: Text, taken: dict[str, Span], owner: str) -> None:
    """Take a name; note it where it is taken already."""
    if name in taken:
        also = [(taken[name], "here first")]
        context.problems.add("P205", f'"{name}" already has a meaning in {owner}', name.at, also=also)
    else:
        taken[str(name)] = name.at


def check_clauses(context: Context) -> None:
    """Note clauses that are named and not written down."""
    for clause in (c for thing in (context.file, *context.kinds.values()) for c in clauses_in(thing)):
        if clause not in context.file.clauses:
            fix = rename_to(clause, context.file.clauses)
            context.problems.add("P407", f'there is no clause "{clause}"', clause.at, fix)


def clauses_in(thing: object) -> Iterable[Text]:
    """Give the names of the clauses that a part of a pack rests on, each where it is written."""
    if isinstance(thing, Model):
        for name in type(thing).model_fields:
            value = getattr(thing, name)
            if name == "clause" and isinstance(value, Text):
                yield value
            yield from clauses_in(value)
    elif isinstance(thing, dict):
        for value in thing.values():
            yield from clauses_in(value)
    elif isinstance(thing, list):
        for value in thing:
            yield from clauses_in(value)
