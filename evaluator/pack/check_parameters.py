"""Parameters checked: constants and tables of values, each of one type, bounds in order."""

from __future__ import annotations

from evaluator.pack.context import Context
from evaluator.pack.definitions import ParameterDef
from evaluator.pack.formulas import type_of
from evaluator.pack.model import Match, Parameter
from evaluator.pack.scalars import exact, literal
from evaluator.pack.source import Text
from evaluator.pack.types import NUMBER, TEXT, ParameterType, Type


def check_parameter(context: Context, name: Text, model: Parameter) -> None:
    """Make a parameter known, unless something is wrong with it."""
    made = _parameter_type(context, name, model)
    if made is not None:
        context.parameters[str(name)] = ParameterDef(str(name), made, model, name.at)


def _parameter_type(context: Context, name: Text, model: Parameter) -> ParameterType | None:
    if model.has("constant"):
        value = exact(model.constant)
        gives = type_of([value])
        return ParameterType((), gives, value) if gives else None
    results = [exact(cell) for row in model.values for cell in row] if model.values is not None else []
    axes = [model.rows, model.columns] if model.values is not None else [_axis(model)]
    for key in ("is", "from", "up_to"):
        table = getattr(model, f"{key}_" if key != "up_to" else key)
        results += [exact(value) for value in (table or {}).values()]
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
    table = model.is_ or model.from_ or model.up_to or {}
    how = "is_" if model.is_ else "from_" if model.from_ else "up_to"
    bounds = [literal(key) for key in table]
    return Match.model_construct(
        is_=bounds if how == "is_" else None,
        from_=bounds if how == "from_" else None,
        up_to=bounds if how == "up_to" else None,
    )
