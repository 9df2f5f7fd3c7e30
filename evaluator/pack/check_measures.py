"""Measures and other aggregates checked: what they read, and the ways from a record to its subject."""

from __future__ import annotations

from evaluator.diagnostics import Span, rename_to
from evaluator.pack.context import Context, Symbol
from evaluator.pack.definitions import AggregateDef, Formula, MeasureDef
from evaluator.pack.expression import split_order
from evaluator.pack.formulas import compile_formula
from evaluator.pack.model import Aggregate
from evaluator.pack.model_judgement import Window
from evaluator.pack.scopes import record_scope, subject_scope
from evaluator.pack.source import Text
from evaluator.pack.types import BOOLEAN, INTEGER, NUMBER, Base


def measure_symbol(context: Context, kind: str, name: str) -> Symbol:
    """Return type and nullability of a measure."""
    made = check_measure(context, kind, name)
    return (made.type, made.nullable) if made else (NUMBER, False)


def check_measure(context: Context, kind: str, name: str) -> MeasureDef | None:
    """Compile a measure, once; None where it has no meaning."""
    place = (kind, name)
    if place in context.measures:
        return context.measures[place]  # None while it is being compiled: the plan will show the circle
    context.measures[place] = None
    key = next(k for k in context.kinds[kind].measures if k == name)
    model = context.kinds[kind].measures[key]
    if model.value is not None:
        formula = compile_formula(model.value, subject_scope(context, kind), None)
        if formula is not None:
            node = formula.node
            context.measures[place] = MeasureDef(name, node.type, node.nullable, key.at, value=formula)
    else:
        aggregate = check_aggregate(context, model, kind)
        if aggregate is not None:
            kind_of, nullable = aggregate_type(aggregate)
            context.measures[place] = MeasureDef(name, kind_of, nullable, key.at, aggregate=aggregate)
    return context.measures[place]


def aggregate_type(made: AggregateDef) -> Symbol:
    """Return type and nullability of an aggregate."""
    operand = made.operand.node if made.operand else None
    if made.function in ("count", "distinct"):
        return INTEGER, False
    if made.function == "any":
        return BOOLEAN, False
    assert operand is not None
    if made.function == "rank":
        return INTEGER, operand.nullable or made.where is not None  # who is not counted has no rank
    if made.function == "sum":
        return operand.type, False
    return operand.type, made.default is None or made.default.node.nullable


def check_aggregate(context: Context, model: Aggregate, kind: str | None) -> AggregateDef | None:
    """Compile an aggregate of a subject's records, children or peers; of a whole table where kind is None."""
    peers = model.source is None or (model.within is not None and model.source == kind)
    source = str(model.source or kind)
    if source not in context.models:
        assert model.source is not None
        fix = rename_to(source, context.models)
        context.problems.add("P402", f'there is no table or kind "{source}"', model.source.at, fix)
        return None
    if peers or (kind is None and source in context.kinds):
        scope = subject_scope(context, source)
    else:
        scope = record_scope(context, source, kind)
    operand_text, descending = model.operand, False
    operand = where = within = default = None
    good = True
    if model.where is not None:
        where = compile_formula(model.where, scope, "boolean")
        good = where is not None
    if operand_text is not None:
        part, descending = split_order(str(operand_text)) if model.function == "rank" else (str(operand_text), False)
        wanted: dict[str, Base] = {"sum": "number", "any": "boolean"}
        operand = compile_formula(operand_text, scope.where(where), wanted.get(model.function), part)
        good = good and operand is not None and check_order(context, operand, model.function)
    if model.within is not None and model.within != "all":
        within = compile_formula(model.within, scope, None)
        good = good and within is not None
    if model.default is not None and kind is not None:
        default = compile_formula(model.default, subject_scope(context, kind), None)
        good = good and default is not None
        if default is not None and operand is not None:
            a, b = default.node.type, operand.node.type
            if a.base != b.base and not (a.is_number and b.is_number):
                context.problems.add("P306", f"the default is {a}, and the values are {b}", default.at)
    links: tuple[tuple[str, ...], ...] = ()
    if not peers and kind is not None:
        assert model.source is not None
        found = record_links(context, source, kind, model.via, model.source.at)
        good = good and found is not None
        links = found or ()
    if not good:
        return None
    period = check_period(context, model.period, source, peers)
    return AggregateDef(model.function, source, links, operand, where, within, peers, default, descending, period)


def check_period(context: Context, model: Window | None, source: str, is_peers: bool = False) -> Window | None:
    """Check the period records are taken from."""
    if model is None:
        return None
    if model.named == "term":
        context.note_term(model.at)
    if is_peers:
        context.problems.add("P203", "peers are of the year assessed: period goes with records", model.at)
    elif not _is_dated(context, source):
        message = f"{source} has no date, so its records are of no period"
        context.problems.add("P203", message, model.at, f"say which date decides: date: in the table {source}")
    return model


def _is_dated(context: Context, source: str) -> bool:
    model = context.models[source]
    return model.date is not None or (model.unfold is not None and _is_dated(context, str(model.unfold)))


def check_order(context: Context, operand: Formula, function: str) -> bool:
    """Note a value that min, max or rank cannot order; return whether it has an order."""
    kind = operand.node.type
    has_none = kind.base in ("boolean", "ref") or (kind.values and not kind.is_ordered and not kind.is_number)
    if function in ("min", "max", "rank") and has_none:
        at = operand.span(operand.node.place)
        message = f"{function} needs an order, and {kind} has none"
        context.problems.add("P306", message, at, "use numbers, dates or levels")
        return False
    return True


def record_links(
    context: Context, table: str, kind: str, via: list[Text] | None, at: Span
) -> tuple[tuple[str, ...], ...] | None:
    """Return the ways from a record of the table to its subject."""
    if via:
        links = []
        for path in via:
            here, hops = table, str(path).split(".")
            for hop in hops:
                target = _ref_target(context, here, hop)
                if target is None:
                    context.problems.add("P401", f'{here} has no ref "{hop}"', path.at, "name fields that are refs")
                    return None
                here = target
            if here != kind:
                context.problems.add("P403", f"{path} leads to {here}, not to {kind}", path.at)
                return None
            links.append(_with_source(context, table, hops))
        return tuple(links)
    direct = [f.name for f in context.fields[table].values() if f.type.base == "ref" and f.type.target == kind]
    if not direct and context.models[table].unfold is not None:
        source = str(context.models[table].unfold)
        if source == kind:
            return (("#source",),)
        direct = [f.name for f in context.fields[source].values() if f.type.base == "ref" and f.type.target == kind]
    if len(direct) == 1:
        return (_with_source(context, table, direct),)
    if not direct:
        context.problems.add(
            "P403",
            f"the rows of {table} have no ref to {kind}",
            at,
            "add a ref, or say via: and the path",
        )
    else:
        context.problems.add("P404", f"{table} has several refs to {kind}: {', '.join(direct)}", at)
    return None


def _with_source(context: Context, table: str, hops: list[str]) -> tuple[str, ...]:
    """Return the hops, over the source row where the first is a field of it."""
    if hops[0] not in context.fields[table] and context.models[table].unfold is not None:
        return ("#source", *hops)
    return tuple(hops)


def _ref_target(context: Context, table: str, hop: str) -> str | None:
    field = context.fields[table].get(hop)
    if field is None and context.models[table].unfold is not None:
        return _ref_target(context, str(context.models[table].unfold), hop)
    return field.type.target if field is not None and field.type.base == "ref" else None
