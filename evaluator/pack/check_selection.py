"""How a line chooses among its records checked: once for each key, by preference, and by their number in a series."""

from __future__ import annotations

from fractions import Fraction

from evaluator.pack.context import Context
from evaluator.pack.definitions import AwardOrder, Formula, LineDef, SelectionDef, SelectionKeys
from evaluator.pack.expression import split_order
from evaluator.pack.formulas import compile_formula, compile_optional
from evaluator.pack.model_judgement import Line
from evaluator.pack.scopes import NameScope, record_scope
from evaluator.pack.source import Text


def check_selection(context: Context, model: Line, kind: str, leaves: list[LineDef]) -> SelectionDef | None:
    """Check what a line chooses by, for each line that brings it records; None where it takes them all."""
    if model.once_per is None and model.series is None:
        return None
    key = "once_per" if model.once_per is not None else "series"
    if not leaves:
        context.problems.add("P203", f"{key} chooses among records, and no line here brings any", model.key_at(key))
        return None
    good = True
    keys: dict[str, SelectionKeys] = {}
    for leaf in leaves:
        assert leaf.aggregate is not None
        scope = record_scope(context, leaf.aggregate.source, kind)
        once = compile_optional(model.once_per, scope, None)
        prefer, order_by = _values(model.prefer, scope), _values(model.order_by, scope)
        good = good and (once is not None or model.once_per is None) and prefer is not None and order_by is not None
        keys[leaf.id] = SelectionKeys(once, prefer or (), order_by or ())
    if not good:
        return None
    _check_types(context, model, keys)
    series = tuple((int(start), Fraction(factor)) for start, factor in (model.series or {}).items())
    prefer_order, series_order = _order(model.prefer), _order(model.order_by)
    return SelectionDef(model.once_per is not None, prefer_order, series_order, series, keys)


def _order(keys: list[Text] | None) -> tuple[AwardOrder, ...]:
    parts = [split_order(str(key)) for key in keys or ()]
    return tuple(AwardOrder(part.strip() == "points", descending) for part, descending in parts)


def _values(keys: list[Text] | None, scope: NameScope) -> tuple[Formula | None, ...] | None:
    """Compile the keys of an ordering of records; `points` stands for what a record brings."""
    made: list[Formula | None] = []
    for key in keys or ():
        part = split_order(str(key))[0]
        if part.strip() == "points":
            made.append(None)
            continue
        found = compile_formula(key, scope, None, part)
        if found is None:
            return None
        made.append(found)
    return tuple(made)


def _check_types(context: Context, model: Line, keys: dict[str, SelectionKeys]) -> None:
    """Note keys that are of different types in the tables of a group."""
    lists = [("once_per", [[own.once] for own in keys.values()])]
    lists += [("prefer", [list(own.prefer) for own in keys.values()])]
    lists += [("order_by", [list(own.order_by) for own in keys.values()])]
    for name, of_leaves in lists:
        for same_key in zip(*of_leaves, strict=True):
            types = {f.node.type.base.replace("integer", "number") for f in same_key if f is not None}
            refs = {f.node.type.target for f in same_key if f is not None}
            if len(types) > 1 or len(refs) > 1:
                shown = " and ".join(sorted({str(f.node.type) for f in same_key if f is not None}))
                context.problems.add("P306", f"{name} is {shown} in the tables of this group", model.key_at(name))
