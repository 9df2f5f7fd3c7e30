"""Where names are looked up, and what each stands for: fields, measures, verdicts, points of lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from evaluator.pack.context import Context, Symbol
from evaluator.pack.definitions import Formula
from evaluator.pack.exclusion import values_left
from evaluator.pack.model_judgement import Line
from evaluator.pack.types import BOOLEAN, INTEGER, NUMBER, Found, ParameterType, Type

SYSTEM_FIELDS = {
    "position": INTEGER,
    "people": INTEGER,
    "is_expected": BOOLEAN,
    "is_filled": BOOLEAN,
}


def row_scope(context: Context, table: str) -> NameScope:
    """Return the scope of what is computed while data is read: fields, never what subjects came to."""
    return NameScope(context, table, None, is_record=True, fields_only=True)


def record_scope(context: Context, table: str, subject: str | None) -> NameScope:
    """Return the scope of a record that counts for a subject: its fields, and the subject by its kind's name."""
    return NameScope(context, table, subject, is_record=True)


def subject_scope(context: Context, kind: str) -> NameScope:
    """Return the scope of a subject: all its values."""
    return NameScope(context, kind, None, is_record=False)


def symbol(context: Context, owner: str, leaf: str) -> Symbol | None:
    """Return type and nullability of a value of a table or kind; None where there is none such."""
    model = context.models[owner]
    if leaf in model.fields:
        return context.on_demand.field(context, owner, leaf)
    if model.unfold is not None:
        if leaf == (model.label or "label"):
            return Type("text", tuple(map(str, model.columns or ()))), False
        if leaf in ("position", "people") and model.into is not None:
            return SYSTEM_FIELDS[leaf], False
    if model.expected is not None and leaf in ("is_expected", "is_filled"):
        return BOOLEAN, False
    kind = context.kinds.get(owner)
    if kind is None:
        return None
    if leaf in ("is_assessed", "is_ranked"):
        return BOOLEAN, False
    if leaf == "total" and kind.score is not None:
        return NUMBER, False
    if leaf.startswith("points.") and kind.score is not None:
        return (NUMBER, False) if leaf[7:] in _line_ids(kind.score) else None
    if leaf in kind.measures:
        return context.on_demand.measure(context, owner, leaf)
    if leaf in kind.verdicts:
        return context.on_demand.verdict(context, owner, leaf)
    return None


def names(context: Context, owner: str) -> list[str]:
    """Return every name of a table or kind, for suggestions."""
    model = context.models[owner]
    found = [str(name) for name in context.fields[owner]]
    if model.unfold is not None:
        found += [str(model.label or "label"), *(("position", "people") if model.into is not None else ())]
        found += names(context, model.unfold)
    kind = context.kinds.get(owner)
    if kind is not None:
        found += [*map(str, kind.measures), *map(str, kind.verdicts), "is_assessed", "is_ranked"]
        found += ["total"] if kind.score is not None else []
    return found


def _line_ids(line: Line) -> set[str]:
    return {str(i.id) for i in line.items or ()} | {x for i in line.items or () for x in _line_ids(i)}


@dataclass(frozen=True, slots=True)
class NameScope:
    """A subject's own values, or a record's fields and the subject it counts for."""

    context: Context
    owner: str
    subject: str | None
    is_record: bool
    fields_only: bool = False
    left: Mapping[tuple[tuple[str, ...], str], frozenset[object]] = field(default_factory=dict)

    def values_left(self, hops: tuple[str, ...], leaf: str) -> frozenset[object] | None:
        """Return the only values a name can have here, as a condition beside the expression says so."""
        return self.left.get((hops, leaf))

    def where(self, condition: Formula | None) -> NameScope:
        """Return this scope for what counts only where a condition holds."""
        return replace(self, left=values_left(condition.node if condition is not None else None))

    @property
    def has_history(self) -> bool:
        """Whether functions over years may be called here."""
        return not self.is_record and self.owner in self.context.kinds

    def parameter(self, name: str) -> ParameterType | None:
        """Return a parameter of the pack."""
        return self.context.on_demand.parameter(self.context, name)

    def find(self, parts: list[str]) -> Found:
        """Return where a dotted name leads; raise LookupError with (its part, names known there, parameters)."""
        if self.is_record and self.subject is not None and parts[0] == self.subject and len(parts) > 1:
            if parts[0] not in names(self.context, self.owner):
                return self._walk(self.subject, ("#subject",), parts, 1)
        return self._walk(self.owner, (), parts, 0)

    def _walk(self, owner: str, hops: tuple[str, ...], parts: list[str], start: int) -> Found:
        context, nullable, at = self.context, False, start
        is_own = not hops and not self.is_record
        while at < len(parts):
            name = parts[at]
            rest = len(parts) - at
            if name == "points" and rest == 2:
                name = f"points.{parts[at + 1]}"
                rest = 1
            found = None if self._is_hidden(owner, name) else symbol(context, owner, name)
            if found is None and context.models[owner].unfold is not None:
                hops, owner = (*hops, "#source"), str(context.models[owner].unfold)
                continue
            if found is None:
                failed = at + 1 if name.startswith("points.") else at
                ids = self._line_names(owner) if name.startswith("points.") else names(context, owner)
                if self.fields_only:
                    ids = [known for known in ids if known in context.models[owner].fields]
                raise LookupError(failed, ids, *map(str, context.file.parameters if failed == 0 else ()))
            type_, is_nullable = found
            if rest == 1:
                # what another subject got is unknown where that subject was not assessed
                foreign = not is_own and owner in context.kinds and name not in context.fields[owner]
                can_lack = foreign and bool(context.kinds[owner].not_assessed)
                return Found(hops, owner, name, type_, nullable or is_nullable or can_lack)
            if type_.base != "ref":
                raise LookupError(at + 1, None)
            hops, owner, nullable, is_own = (*hops, name), type_.target, nullable or is_nullable, False
            at += 1
        raise LookupError(len(parts) - 1, [])

    def _is_hidden(self, owner: str, name: str) -> bool:
        """Whether it is what a subject came to, where only fields are known."""
        context = self.context
        return self.fields_only and owner in context.kinds and name not in context.models[owner].fields

    def _line_names(self, owner: str) -> list[str]:
        kind = self.context.kinds.get(owner)
        return sorted(_line_ids(kind.score)) if kind is not None and kind.score is not None else []
