"""Tables checked: fields, keys, what is unfolded and expected; no circles of refs or derived fields."""

from __future__ import annotations

from evaluator.diagnostics import rename_to
from evaluator.pack.context import Context, Symbol
from evaluator.pack.definitions import ExpectedDef, FieldDef, TableDef, UnfoldDef
from evaluator.pack.formulas import compile_formula, compile_optional, is_value_of
from evaluator.pack.model import Expected, FieldModel, Table
from evaluator.pack.nodes import Name
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
    nullable = model.optional and kind.base != "text"
    if model.optional and kind.values:
        kind = Type("text", (*kind.values, ""))
    by_fields = tuple(str(b) for b in model.by or (context.models[model.ref].key or [] if model.ref else []))
    return FieldDef(str(name), kind, nullable, name.at, headings, spellings, by_fields, model.optional, default)


def check_table(context: Context, name: str, model: Table) -> TableDef:
    """Check a table whose fields are known."""
    unfold = _unfold(context, name, model) if model.unfold is not None else None
    for key in model.key or ():
        if key not in model.fields:
            fix = rename_to(key, model.fields)
            context.problems.add("P401", f'{name} has no field "{key}"', key.at, fix)
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
        if known is None or known.value is not None:
            context.problems.add("P401", f'{name} has no field "{field}"', field.at, rename_to(field, model.fields))
        elif not is_value_of(exact(value), known.type):
            context.problems.add("P307", f'"{value}" is not {known.type}', field.at)
        else:
            fill[str(field)] = exact(value)
    for known in context.fields[name].values():
        can_stay_out = known.is_optional or known.value is not None or known.default is not None
        if known.name not in expected.fill and known.name not in every and not can_stay_out:
            context.problems.add("P201", f'fill does not say what "{known.name}" is', expected.key_at("fill"))
    where = compile_optional(expected.where, row_scope(context, name), "boolean")
    return ExpectedDef(tuple(map(str, every)), where, fill, expected.at)


def _unfold(context: Context, name: str, model: Table) -> UnfoldDef | None:
    assert model.unfold is not None and model.into is not None and model.columns is not None
    for used in (model.unfold, model.into):
        if used not in context.models:
            context.problems.add(
                "P402", f'there is no table or kind "{used}"', used.at, rename_to(used, context.models)
            )
            return None
    refs = [f for f in context.fields[name].values() if f.type.base == "ref" and f.type.target == model.into]
    if len(context.fields[name]) != 1 or len(refs) != 1:
        context.problems.add("P203", f"{name} needs exactly one field, a ref to {model.into}", model.key_at("fields"))
        return None
    return UnfoldDef(
        source=str(model.unfold),
        into=str(model.into),
        label=str(model.label or "label"),
        columns={str(label): tuple(map(str, headings)) for label, headings in model.columns.items()},
        separators=tuple(map(str, model.separators or ())),
        ref=refs[0].name,
    )


def check_refs_in_circle(context: Context, tables: dict[str, TableDef]) -> None:
    """Rows are resolved table after table, so refs may not lead back to where they came from."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            circle = [*path[path.index(name) :], name]
            text = "refs lead in a circle: " + " → ".join(circle)
            context.problems.add("P405", text, tables[name].at, "put one of the refs into a table of its own")
            return
        if name in done:
            return
        for target in tables_read(tables[name]):
            if target in tables:
                visit(target, [*path, name])
        done.add(name)

    for name in tables:
        visit(name, [])


def check_fields_in_circle(context: Context, table: TableDef) -> None:
    """Derived fields are computed one after another, so none may need itself."""
    reads = {
        f.name: [n.leaf for n in f.value.node.walk() if isinstance(n, Name) and not n.hops]
        for f in table.fields.values()
        if f.value is not None
    }
    seen: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            circle = [*path[path.index(name) :], name]
            also = [(table.fields[other].at, f'"{other}"') for other in circle[1:-1]]
            text = f"derived fields of {table.name} need each other first: " + " → ".join(circle)
            context.problems.add("P405", text, table.fields[name].at, also=also)
        elif name in reads and name not in seen:
            for other in reads[name]:
                visit(other, [*path, name])
            seen.add(name)

    for name in reads:
        visit(name, [])


def tables_read(table: TableDef) -> set[str]:
    """Return the tables whose rows must be known before this table's can be."""
    unfolded = {table.unfold.source, table.unfold.into} if table.unfold else set()
    return set(table.refs.values()) | unfolded
