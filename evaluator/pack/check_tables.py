"""Tables checked: fields, keys, what is unfolded and expected; no circles of refs or derived fields."""

from __future__ import annotations

from evaluator.diagnostics import rename_to
from evaluator.pack.check_derived import check_derived_aggregate
from evaluator.pack.context import Context, Symbol
from evaluator.pack.definitions import ExpectedDef, FieldDef, TableDef, UnfoldDef
from evaluator.pack.entries import ENTERED
from evaluator.pack.formulas import compile_formula, compile_optional, is_value_of
from evaluator.pack.model import Expected, FieldModel, Table
from evaluator.pack.scalars import exact
from evaluator.pack.scopes import row_scope
from evaluator.pack.source import Text
from evaluator.pack.types import NUMBER, Type


def field_symbol(context: Context, owner: str, leaf: str) -> Symbol:
    """Return type and nullability of a field, which is made known first where it is not yet."""
    fields = context.models[owner].fields
    written = next(name for name in fields if name == leaf)
    define_field(context, owner, written, fields[written])
    field = context.fields[owner].get(leaf)
    return (field.type, field.nullable) if field else (NUMBER, False)


def define_field(context: Context, owner: str, name: Text, model: FieldModel) -> None:
    """Make a field known, once; a derived one may be asked for while another is being compiled."""
    place = (owner, str(name))
    if place not in context.defined:
        context.defined.add(place)
        made = _field(context, owner, name, model)
        if made is not None:
            context.fields[owner][str(name)] = made


def _field(context: Context, owner: str, name: Text, model: FieldModel) -> FieldDef | None:
    headings = tuple(str(h) for h in model.columns or [name])
    spellings: dict[str, str] = {}
    kind: Type
    if model.is_aggregate:
        return check_derived_aggregate(context, owner, name, model)
    if model.value is not None:
        found = compile_formula(model.value, row_scope(context, owner), None)
        if found is None:
            return None
        return FieldDef(str(name), found.node.type, found.node.nullable, name.at, value=found)
    if model.one_of is not None:
        kind = Type("text", tuple(str(v) for v in model.one_of))
        for canonical, others in model.one_of.items():
            for word in (canonical, *others):
                if spellings.setdefault(str(word), str(canonical)) != canonical:
                    context.problems.add("P205", f'"{word}" stands for two values', word.at)
    elif model.ref is not None:
        if model.ref not in context.models:
            fix = rename_to(model.ref, context.models)
            context.problems.add("P402", f'there is no table or kind "{model.ref}"', model.ref.at, fix)
            return None
        kind = Type("ref", target=str(model.ref))
        for by in model.by or ():
            if by not in context.models[model.ref].fields:
                fix = rename_to(by, context.models[model.ref].fields)
                context.problems.add("P401", f'{model.ref} has no field "{by}"', by.at, fix)
                return None
    else:
        kind = Type(model.type or "text")
    default = exact(model.default) if model.has("default") else None
    if default is not None and not is_value_of(default, kind):
        context.problems.add("P306", f"the default is not {kind}", model.key_at("default"))
    is_left_out = context.for_cases and not model.optional and default is None and _can_stay_out(context, owner, name)
    nullable = (model.optional and kind.base != "text") or is_left_out
    if model.optional and kind.values:
        kind = Type("text", (*kind.values, ""))
    by_fields = tuple(str(b) for b in model.by or (context.models[model.ref].key or [] if model.ref else []))
    is_optional = model.optional or is_left_out
    return FieldDef(str(name), kind, nullable, name.at, headings, spellings, by_fields, is_optional, default)


def _can_stay_out(context: Context, owner: str, name: str) -> bool:
    """Whether a case may leave a field out: keys say which row it is, and unfolded rows are there for their names."""
    model = context.models[owner]
    return model.unfold is None and name not in (model.key or ())


def check_table(context: Context, name: str, model: Table) -> TableDef:
    """Check a table whose fields are known."""
    unfold = _unfold(context, name, model) if model.unfold is not None else None
    for key in model.key or ():
        if key not in model.fields:
            fix = rename_to(key, model.fields)
            context.problems.add("P401", f'{name} has no field "{key}"', key.at, fix)
        elif model.fields[key].is_derived:
            context.problems.add("P203", f'"{key}" is derived, and a key is read', key.at, "name fields of the sheet")
    date = compile_optional(model.date, row_scope(context, name), "date")
    expected = _expected(context, name, model, model.expected) if model.expected is not None else None
    return TableDef(
        name=str(name),
        model=model,
        at=context.names_at[name],
        files=tuple(str(f) for f in (model.files or [Text(name, context.names_at[name])])),
        key=tuple(str(k) for k in model.key or ()),
        fields=context.fields[name],
        date=date,
        unfold=unfold,
        expected=expected,
        is_entered=name in ENTERED,
    )


def _expected(context: Context, name: str, model: Table, expected: Expected) -> ExpectedDef:
    every = expected.every
    for ref in every:
        if ref not in context.fields[name] or context.fields[name][ref].type.base != "ref":
            context.problems.add("P401", f'{name} has no ref "{ref}"', ref.at, "name fields that are refs")
        elif ref not in (model.key or ()):
            context.problems.add("P401", f'"{ref}" is not part of the key of {name}', ref.at, "add it to key")
    fill = {}
    for field, value in expected.fill.items():
        known = context.fields[name].get(field)
        if known is None or known.is_derived:
            context.problems.add("P401", f'{name} has no field "{field}"', field.at, rename_to(field, model.fields))
        elif not is_value_of(exact(value), known.type):
            context.problems.add("P307", f'"{value}" is not {known.type}', field.at)
        else:
            fill[str(field)] = exact(value)
    for known in context.fields[name].values():
        can_stay_out = known.is_optional or known.is_derived or known.default is not None
        if known.name not in expected.fill and known.name not in every and not can_stay_out:
            context.problems.add("P201", f'fill does not say what "{known.name}" is', expected.key_at("fill"))
    where = compile_optional(expected.where, row_scope(context, name), "boolean")
    return ExpectedDef(tuple(map(str, every)), where, fill, expected.at)


def _unfold(context: Context, name: str, model: Table) -> UnfoldDef | None:
    assert model.unfold is not None and model.columns is not None
    for used in (model.unfold, model.into):
        if used is not None and used not in context.models:
            context.problems.add(
                "P402", f'there is no table or kind "{used}"', used.at, rename_to(used, context.models)
            )
            return None
    read = {f.name: f for f in context.fields[name].values() if not f.is_derived}
    if model.has_other_columns and model.label is not None:
        label = read.pop(str(model.label), None)
        if label is not None and (label.is_optional or label.default is not None):
            message = f'"{label.name}" is read from headings, which are never empty'
            context.problems.add("P203", message, label.at, "remove optional and default")
    holds = next(iter(read.values()), None)
    if model.into is not None:
        wanted = f"a ref to {model.into}"
        is_fit = holds is not None and holds.type.base == "ref" and holds.type.target == model.into
    else:
        wanted = f'"{model.value}"'
        is_fit = holds is not None and holds.name == model.value
    if holds is None or not is_fit or len(read) > 1:
        besides = "none besides but its label" if model.has_other_columns else "none besides"
        message = f"{name} needs one field that its cells are read as, {wanted}, and {besides}"
        context.problems.add("P203", message, model.key_at("fields"))
        return None
    return UnfoldDef(
        source=str(model.unfold),
        label=str(model.label or "label"),
        columns={str(label): tuple(map(str, headings)) for label, headings in model.columns.items()},
        separators=tuple(map(str, model.separators or ())),
        holds=holds.name,
        is_names=model.into is not None,
    )


def tables_read(table: TableDef) -> set[str]:
    """Return the tables that rows of this one lead to."""
    return set(table.refs.values()) | ({table.unfold.source} if table.unfold is not None else set())
