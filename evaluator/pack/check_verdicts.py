"""Verdicts checked: the values they may have, their rules, formulas and quotas."""

from __future__ import annotations

from collections.abc import Iterator

from evaluator.diagnostics import closest
from evaluator.pack.context import Context, Symbol
from evaluator.pack.definitions import Formula, RuleDef, VerdictDef
from evaluator.pack.formulas import compile_formula, compile_optional, compile_order, type_of
from evaluator.pack.model_judgement import Verdict
from evaluator.pack.scalars import exact
from evaluator.pack.scopes import subject_scope
from evaluator.pack.source import Text
from evaluator.pack.types import BOOLEAN, NUMBER, Type


def verdict_symbol(context: Context, kind: str, name: str) -> Symbol:
    """Return type and nullability of a verdict."""
    return _verdict_type(context, kind, name), _verdict_model(context, kind, name).optional


def _verdict_type(context: Context, kind: str, name: str) -> Type:
    model = _verdict_model(context, kind, name)
    if model.form in ("yes_no", "quota"):
        return BOOLEAN
    levels = tuple(exact(level) for level in model.levels or ())
    if model.form == "formula":
        formula = _value_formula(context, kind, name)
        base = formula.node.type if formula is not None else NUMBER
        return Type(base.base, levels or base.values, bool(levels))
    values = levels or tuple(
        dict.fromkeys(exact(r.otherwise if r.has("otherwise") else r.is_) for r in model.rules or ())
    )
    base_type = type_of(values)
    return Type(base_type.base if base_type else "text", values, bool(levels))


def _verdict_model(context: Context, kind: str, name: str) -> Verdict:
    return next(verdict for key, verdict in context.kinds[kind].verdicts.items() if key == name)


def _value_formula(context: Context, kind: str, name: str) -> Formula | None:
    place = (kind, name)
    if place not in context.formulas:
        context.formulas[place] = None
        model = _verdict_model(context, kind, name)
        assert model.value is not None
        context.formulas[place] = compile_formula(model.value, subject_scope(context, kind), None)
    return context.formulas[place]


def check_verdict(context: Context, kind: str, name: Text, model: Verdict) -> VerdictDef:
    """Check a verdict, its rules first."""
    scope, type_ = subject_scope(context, kind), _verdict_type(context, kind, name)
    rules = tuple(_rules(context, kind, name, model, type_))
    value = _value_formula(context, kind, name) if model.form == "formula" else None
    if value is not None and model.levels:
        levels = type_of(map(exact, model.levels))
        given = value.node.type
        if levels is None or (levels.base != given.base and not (levels.is_number and given.is_number)):
            shown = ", ".join(map(str, model.levels))
            context.problems.add("P306", f"the levels are {shown}, and this is {given}", value.at)
    quota_order = compile_order(model.order_by, scope)
    return VerdictDef(
        name=str(name),
        form=model.form,
        type=type_,
        model=model,
        at=name.at,
        rules=rules,
        when=compile_optional(model.when, scope, "boolean"),
        value=value,
        among=compile_optional(model.among, scope, "boolean"),
        take=compile_optional(model.take, scope, "number"),
        within=compile_optional(model.within, scope, None),
        order_by=quota_order,
    )


def _rules(context: Context, kind: str, name: Text, model: Verdict, type_: Type) -> Iterator[RuleDef]:
    if model.rules is None:
        return
    scope = subject_scope(context, kind)
    values = [exact(r.otherwise if r.has("otherwise") else r.is_) for r in model.rules]
    if type_of(values) is None:
        context.problems.add("P202", f'the values of "{name}" are of different types', name.at, "use one type")
    for number, (rule, value) in enumerate(zip(model.rules, values, strict=True), 1):
        at = rule.key_at("otherwise" if rule.has("otherwise") else "is")
        if model.levels and value not in type_.values:
            near = closest(str(value), map(str, type_.values))
            written = rule.otherwise if rule.has("otherwise") else rule.is_
            place = written.at if isinstance(written, Text) else at
            context.problems.add(
                "P307", f'"{value}" is not one of the levels', place, f"write {near}" if near else None
            )
        if rule.has("otherwise") and number != len(model.rules):
            context.problems.add("P203", "otherwise is not the last rule", at, "move it to the end")
        yield RuleDef(number, value, compile_optional(rule.when, scope, "boolean"), rule)
