"""Parameters checked: constants and tables of values, each of one type, bounds in order."""

from __future__ import annotations

from evaluator.diagnostics import rename_to
from evaluator.pack.context import Context
from evaluator.pack.definitions import ParameterDef, TableLookup
from evaluator.pack.dialect import Wrong
from evaluator.pack.formulas import compile_formula, is_value_of, type_of
from evaluator.pack.model import Match, Parameter
from evaluator.pack.nodes import Name
from evaluator.pack.scalars import exact, literal
from evaluator.pack.scopes import row_scope
from evaluator.pack.source import Text
from evaluator.pack.types import NUMBER, TEXT, ParameterType, Type


def parameter_type(context: Context, name: str) -> ParameterType | None:
    """Return what a parameter takes and gives, which is found out first where it is not yet."""
    written = next((known for known in context.file.parameters if known == name), None)
    if written is None:
        return None
    if name in context.being_read:
        raise Wrong("P405", f"{name} is read from fields that are derived by it", (0, 1))
    check_parameter(context, written)
    found = context.parameters.get(name)
    return found.type if found is not None else None


def check_parameter(context: Context, name: Text) -> None:
    """Make a parameter known, once, unless something is wrong with it."""
    if ("", str(name)) in context.defined:
        return
    context.defined.add(("", str(name)))
    model = context.file.parameters[name]
    lookup = None
    if model.table is not None:
        context.being_read.add(str(name))
        lookup = _lookup(context, model, model.table)
        context.being_read.discard(str(name))
        made = _lookup_type(context, name, model, lookup) if lookup is not None else None
    else:
        made = _parameter_type(context, name, model)
    if made is not None:
        context.parameters[str(name)] = ParameterDef(str(name), made, model, name.at, lookup)


def _lookup(context: Context, model: Parameter, source: Text) -> TableLookup | None:
    """Compile the fields of the table that a parameter is read from."""
    if source not in context.models:
        fix = rename_to(source, context.models)
        context.problems.add("P402", f'there is no table or kind "{source}"', source.at, fix)
        return None
    scope = row_scope(context, str(source))
    match = [compile_formula(path, scope, None) for path in model.match or ()]
    written = model.from_ if model.from_ is not None else model.up_to
    bound = compile_formula(written, scope, None) if isinstance(written, Text) else None
    assert model.value is not None
    value = compile_formula(model.value, scope, None)
    known = [formula for formula in match if formula is not None]
    if value is None or len(known) < len(match) or (bound is None and written is not None):
        return None
    for formula in (*known, *([bound] if bound is not None else []), value):
        if not isinstance(formula.node, Name):
            message = f"{formula.text} is not the name of a field"
            context.problems.add("P202", message, formula.at, "derive a field of the table, and name it here")
            return None
    return TableLookup(str(source), tuple(known), bound, value)


def _lookup_type(context: Context, name: Text, model: Parameter, lookup: TableLookup) -> ParameterType | None:
    bound, gives = lookup.bound, lookup.value.node.type
    if bound is not None and (bound.node.type.base not in ("number", "integer", "date") or bound.node.type.values):
        message = f'the bounds of "{name}" do not have one order: {bound.text} is {bound.node.type}'
        context.problems.add("P202", message, bound.at, "use numbers or dates")
        return None
    if model.has("else"):
        other = exact(model.else_)
        if gives.values and isinstance(other, str) and other not in gives.values:
            gives = Type("text", (*gives.values, other))
        if not is_value_of(other, gives):
            context.problems.add("P306", f"else is not {gives}", model.key_at("else"))
            return None
    formulas = [*lookup.match, *([bound] if bound is not None else [])]
    takes = tuple(NUMBER if f.node.type.is_number else f.node.type for f in formulas)
    return ParameterType(takes, gives, None, (None,) * len(takes), lookup.value.node.nullable)


def _parameter_type(context: Context, name: Text, model: Parameter) -> ParameterType | None:
    if model.has("constant"):
        value = exact(model.constant)
        gives = type_of([value])
        return ParameterType((), gives, value) if gives else None
    results = [exact(cell) for row in model.values for cell in row] if model.values is not None else []
    axes = [model.rows, model.columns] if model.values is not None else [_axis(model)]
    results += [exact(value) for value in model.bands.values()]
    if model.has("else"):
        results.append(exact(model.else_))
    gives = type_of(results)
    if gives is None:
        context.problems.add("P202", f'the values of "{name}" are of different types', name.at, "use one type")
        return None
    if gives == TEXT:
        gives = Type("text", tuple(dict.fromkeys(results)))
    takes, covered = [], []
    for axis in axes:
        assert axis is not None
        bounds = [exact(bound) for bound in axis.bounds]
        kind = type_of(bounds)
        if kind is None or (axis.how != "is" and kind.base not in ("number", "integer", "date")):
            context.problems.add(
                "P202", f'the bounds of "{name}" do not have one order', name.at, "use numbers or dates"
            )
            return None
        if axis.how != "is" and bounds != sorted(set(bounds)):  # type: ignore[type-var]
            context.problems.add("P202", f'the bounds of "{name}" are not in ascending order', name.at, "sort them")
            return None
        takes.append(NUMBER if kind.is_number else kind)
        covered.append(tuple(bounds) if axis.how == "is" and not model.has("else") else None)
    return ParameterType(tuple(takes), gives, None, tuple(covered))


def _axis(model: Parameter) -> Match:
    """Return the one axis of a mapping from arguments to values."""
    how, bounds = model.how, [literal(key) for key in model.bands]
    return Match.model_construct(
        is_=bounds if how == "is" else None,
        from_=bounds if how == "from" else None,
        up_to=bounds if how == "up_to" else None,
    )
