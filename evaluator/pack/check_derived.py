"""Derived fields that are aggregates checked: which rows they read, and what these have in common with their own."""

from __future__ import annotations

from evaluator.diagnostics import rename_to
from evaluator.pack.check_measures import aggregate_type, check_order, record_links
from evaluator.pack.context import Context
from evaluator.pack.definitions import AggregateDef, FieldDef, Formula
from evaluator.pack.dialect import Wrong
from evaluator.pack.expression import compile_expression
from evaluator.pack.formulas import compile_formula, compile_optional, is_value_of
from evaluator.pack.model import FieldModel
from evaluator.pack.nodes import Const, Node
from evaluator.pack.scalars import exact
from evaluator.pack.scopes import row_scope
from evaluator.pack.source import Text
from evaluator.pack.types import Base


def check_derived_aggregate(context: Context, owner: str, name: Text, model: FieldModel) -> FieldDef | None:
    """Compile a field that is an aggregate of rows referring to its row, or agreeing with it."""
    source = str(model.source or owner)
    if source not in context.models:
        assert model.source is not None
        fix = rename_to(source, context.models)
        context.problems.add("P402", f'there is no table or kind "{source}"', model.source.at, fix)
        return None
    scope = row_scope(context, source)
    operand, good = None, True
    if model.operand is not None:
        wanted: dict[str, Base] = {"sum": "number", "any": "boolean"}
        operand = compile_formula(model.operand, scope, wanted.get(model.function))
        good = operand is not None and check_order(context, operand, model.function)
    where = compile_optional(model.where, scope, "boolean")
    links: tuple[tuple[str, ...], ...] | None = ()
    same: list[tuple[Formula, Formula]] = []
    if model.same is not None:
        same = [pair for text in model.same if (pair := _agreeing(context, owner, source, text)) is not None]
        good = good and len(same) == len(model.same)
    else:
        assert model.source is not None
        links = record_links(context, source, owner, model.via, model.source.at)
    if not good or links is None or (where is None) is not (model.where is None):
        return None
    default = _default(context, model, operand)
    made = AggregateDef(model.function, source, links, operand, where, None, False, default, same=tuple(same))
    kind, nullable = aggregate_type(made)
    return FieldDef(str(name), kind, nullable, name.at, aggregate=made)


def _agreeing(context: Context, owner: str, source: str, text: Text) -> tuple[Formula, Formula] | None:
    """Compile what rows agree in, in both tables."""
    here = compile_formula(text, row_scope(context, owner), None)
    if here is None or source == owner:
        return None if here is None else (here, here)
    try:
        node = compile_expression(str(text), row_scope(context, source))
    except Wrong as wrong:
        message = f"{wrong.message}, in {source}: rows of both tables must have what they agree in"
        context.problems.add(wrong.code, message, text.span(*wrong.place), wrong.fix)
        return None
    if not _is_comparable(here.node, node):
        message = f"this is {here.node.type} in {owner}, and {node.type} in {source}"
        context.problems.add("P306", message, text.span(*node.place))
        return None
    return here, Formula(node, str(text), text.at, text)


def _is_comparable(one: Node, other: Node) -> bool:
    a, b = one.type, other.type
    return (a.is_number and b.is_number) or (a.base, a.target) == (b.base, b.target)


def _default(context: Context, model: FieldModel, operand: Formula | None) -> Formula | None:
    """Return the value where there is no row, as an expression."""
    if not model.has("default") or operand is None:
        return None
    value, kind, at = exact(model.default), operand.node.type, model.key_at("default")
    if not is_value_of(value, kind):
        context.problems.add("P306", f"the default is not {kind}", at)
    return Formula(Const(kind, False, (0, 0), value), str(model.default), at)
