"""From the files of a pack to a checked `Pack`: names resolved, expressions typed, everything wrong said at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from evaluator.diagnostics import Problems, Span, Stop, closest, rename_to
from evaluator.pack import expression as ex
from evaluator.pack.definitions import (
    AggregateDef,
    ControlDef,
    ExceptionDef,
    ExpectedDef,
    FieldDef,
    Formula,
    KindDef,
    LineDef,
    MeasureDef,
    Order,
    Pack,
    ParameterDef,
    RosterDef,
    RuleDef,
    TableDef,
    UnfoldDef,
    VerdictDef,
)
from evaluator.pack.exclusion import can_both_hold
from evaluator.pack.model import (
    Aggregate,
    FieldModel,
    Kind,
    Line,
    Match,
    Model,
    PackFile,
    Parameter,
    Table,
    Verdict,
    exact,
    literal,
    read_model,
)
from evaluator.pack.source import Text, read_yaml

SYSTEM_FIELDS = {
    "position": ex.INTEGER,
    "people": ex.INTEGER,
    "is_expected": ex.BOOLEAN,
    "is_filled": ex.BOOLEAN,
}


def load_pack(folder: Path) -> Pack:
    """Read and check the pack in a folder; raise Stop with everything that is wrong."""
    problems = Problems()
    files = sorted(path for path in folder.glob("*.yaml")) if folder.is_dir() else []
    main = folder / "pack.yaml"
    if main not in files:
        why = f"{folder} has no pack.yaml" if folder.is_dir() else f"there is no folder {folder}"
        problems.add("P101", why, fix="name the folder that holds pack.yaml")
        raise Stop(problems)
    pack_file: PackFile | None = None
    kinds: list[Kind] = []
    for path in files:
        tree = read_yaml(path, path.as_posix(), problems)
        if tree is None:
            continue
        if path == main:
            pack_file = read_model(PackFile, tree, problems)
        elif (kind := read_model(Kind, tree, problems)) is not None:
            kinds.append(kind)
    problems.stop_on_errors()
    assert pack_file is not None
    checked = _Checker(pack_file, kinds, folder, problems).pack({f.name: f.read_bytes() for f in files})
    problems.stop_on_errors()
    return checked


def _type_of(values: Iterable[object]) -> ex.Type | None:
    """Return the type all these literals have; None where they have several."""
    kinds = {type(value) for value in values}
    if kinds == {Fraction}:
        return ex.INTEGER if all(v.denominator == 1 for v in values if isinstance(v, Fraction)) else ex.NUMBER
    by_class = {bool: ex.BOOLEAN, dt.date: ex.DATE_TYPE, str: ex.TEXT}
    return by_class.get(kinds.pop()) if len(kinds) == 1 else None


class _Checker:
    """Holds what is known of the pack while it is checked; types are found on demand."""

    def __init__(self, file: PackFile, kinds: list[Kind], folder: Path, problems: Problems) -> None:
        self.file, self.folder, self.problems = file, folder, problems
        self.kinds: dict[str, Kind] = {}
        self.models: dict[str, Table] = {str(name): made for name, made in file.tables.items()}
        self.names_at: dict[str, Span] = {str(name): name.at for name in file.tables}
        for kind in kinds:
            if kind.subject in self.models:
                also = [(self.names_at[kind.subject], "here first")]
                problems.add("P205", f'"{kind.subject}" is already a table or kind', kind.subject.at, also=also)
                continue
            self.kinds[kind.subject] = kind
            self.models[kind.subject] = kind
            self.names_at[kind.subject] = kind.subject.at
        self.parameters: dict[str, ParameterDef] = {}
        self.fields: dict[str, dict[str, FieldDef]] = {}
        self.measures: dict[tuple[str, str], MeasureDef | None] = {}
        self.formulas: dict[tuple[str, str], Formula | None] = {}
        self.defined: set[tuple[str, str]] = set()
        self.recalls: dict[str, dict[str, ex.Recall]] = {name: {} for name in self.kinds}

    # --- the whole ---

    def pack(self, files: dict[str, bytes]) -> Pack:
        self._check_names()
        for name, parameter in self.file.parameters.items():
            self._parameter(name, parameter)
        self.fields = {owner: {} for owner in self.models}
        for derived in (False, True):  # derived fields read the others
            for owner, model in self.models.items():
                for field_name, field in model.fields.items():
                    if (field.value is not None) is derived:
                        self._define(owner, field_name, field)
        tables = {name: self._table(name, model) for name, model in self.models.items()}
        self._check_refs_in_circle(tables)
        for table in tables.values():
            self._check_fields_in_circle(table)
        kinds = {name: self._kind(kind, tables[name]) for name, kind in self.kinds.items()}
        controls = [
            ControlDef(control, aggregate)
            for control in self.file.reconcile
            if (aggregate := self._aggregate(control, None)) is not None
        ]
        self._check_clauses()
        return Pack(
            name=str(self.file.pack),
            folder=self.folder,
            title={str(k): str(v) for k, v in self.file.title.items()},
            language=self.file.language,
            period=self.file.period,
            gap=self.file.history.gap if self.file.history else None,
            clauses={str(name): clause for name, clause in self.file.clauses.items()},
            parameters=self.parameters,
            tables=tables,
            kinds=kinds,
            controls=tuple(controls),
            labels={lang: {str(k): str(v) for k, v in words.items()} for lang, words in self.file.labels.items()},
            files=files,
        )

    def _check_names(self) -> None:
        for name, at in self.names_at.items():
            self._not_reserved(name, at)
        for name in self.file.parameters:
            self._not_reserved(name, name.at)
        for owner, model in self.models.items():
            taken: dict[str, Span] = {str(n): n.at for n in self.file.parameters}
            for name in model.fields:
                self._not_reserved(name, name.at)
                self._unique(name, taken, owner)
            if model.label is not None:
                self._unique(model.label, taken, owner)
            if (kind := self.kinds.get(owner)) is not None:
                for name in (*kind.measures, *kind.verdicts):
                    self._not_reserved(name, name.at)
                    self._unique(name, taken, owner)

    def _not_reserved(self, name: str, at: Span) -> None:
        if name in ex.RESERVED:
            self.problems.add("P206", f'"{name}" is reserved', at)

    def _unique(self, name: Text, taken: dict[str, Span], owner: str) -> None:
        if name in taken:
            also = [(taken[name], "here first")]
            self.problems.add("P205", f'"{name}" already has a meaning in {owner}', name.at, also=also)
        else:
            taken[str(name)] = name.at

    def _check_clauses(self) -> None:
        def walk(thing: object) -> Iterable[Text]:
            if isinstance(thing, Model):
                for name in type(thing).model_fields:
                    value = getattr(thing, name)
                    if name == "clause" and isinstance(value, Text):
                        yield value
                    yield from walk(value)
            elif isinstance(thing, dict):
                for value in thing.values():
                    yield from walk(value)
            elif isinstance(thing, list):
                for value in thing:
                    yield from walk(value)

        for clause in (c for thing in (self.file, *self.kinds.values()) for c in walk(thing)):
            if clause not in self.file.clauses:
                fix = rename_to(clause, self.file.clauses)
                self.problems.add("P407", f'there is no clause "{clause}"', clause.at, fix)

    # --- parameters ---

    def _parameter(self, name: Text, model: Parameter) -> None:
        made = self._parameter_type(name, model)
        if made is not None:
            self.parameters[str(name)] = ParameterDef(str(name), made, model, name.at)

    def _parameter_type(self, name: Text, model: Parameter) -> ex.ParameterType | None:
        if model.has("constant"):
            value = exact(model.constant)
            gives = _type_of([value])
            return ex.ParameterType((), gives, value) if gives else None
        results = [exact(cell) for row in model.values for cell in row] if model.values is not None else []
        axes = [model.rows, model.columns] if model.values is not None else [self._axis(model)]
        for key in ("is", "from", "up_to"):
            table = getattr(model, f"{key}_" if key != "up_to" else key)
            results += [exact(value) for value in (table or {}).values()]
        if model.has("else"):
            results.append(exact(model.else_))
        gives = _type_of(results)
        if gives is None:
            self.problems.add("P202", f'the values of "{name}" are of different types', name.at, "use one type")
            return None
        if gives == ex.TEXT:
            gives = ex.Type("text", tuple(dict.fromkeys(results)))
        takes, covered = [], []
        for axis in axes:
            assert axis is not None
            bounds = [exact(bound) for bound in axis.bounds]
            kind = _type_of(bounds)
            if kind is None or (axis.how != "is" and kind.base not in ("number", "integer", "date")):
                self.problems.add(
                    "P202", f'the bounds of "{name}" do not have one order', name.at, "use numbers or dates"
                )
                return None
            if axis.how != "is" and bounds != sorted(set(bounds)):  # type: ignore[type-var]
                self.problems.add("P202", f'the bounds of "{name}" are not in ascending order', name.at, "sort them")
                return None
            takes.append(ex.NUMBER if kind.is_number else kind)
            covered.append(tuple(bounds) if axis.how == "is" and not model.has("else") else None)
        return ex.ParameterType(tuple(takes), gives, None, tuple(covered))

    @staticmethod
    def _axis(model: Parameter) -> Match:
        table = model.is_ or model.from_ or model.up_to or {}
        how = "is_" if model.is_ else "from_" if model.from_ else "up_to"
        bounds = [literal(key) for key in table]
        return Match.model_construct(
            is_=bounds if how == "is_" else None,
            from_=bounds if how == "from_" else None,
            up_to=bounds if how == "up_to" else None,
        )

    # --- fields and tables ---

    def _define(self, owner: str, name: Text, model: FieldModel) -> None:
        """Make a field known, once; a derived one may be asked for while another is being compiled."""
        place = (owner, str(name))
        if place not in self.defined:
            self.defined.add(place)
            made = self._field(owner, name, model)
            if made is not None:
                self.fields[owner][str(name)] = made

    def _field(self, owner: str, name: Text, model: FieldModel) -> FieldDef | None:
        headings = tuple(str(h) for h in model.columns or [name])
        spellings: dict[str, str] = {}
        kind: ex.Type
        if model.value is not None:
            found = self._formula(model.value, self._row(owner), None)
            if found is None:
                return None
            return FieldDef(str(name), found.node.type, found.node.nullable, name.at, value=found)
        if model.one_of is not None:
            kind = ex.Type("text", tuple(str(v) for v in model.one_of))
            for canonical, others in model.one_of.items():
                for word in (canonical, *others):
                    if spellings.setdefault(str(word), str(canonical)) != canonical:
                        self.problems.add("P205", f'"{word}" stands for two values', word.at)
        elif model.ref is not None:
            if model.ref not in self.models:
                fix = rename_to(model.ref, self.models)
                self.problems.add("P402", f'there is no table or kind "{model.ref}"', model.ref.at, fix)
                return None
            kind = ex.Type("ref", target=str(model.ref))
            for by in model.by or ():
                if by not in self.models[model.ref].fields:
                    fix = rename_to(by, self.models[model.ref].fields)
                    self.problems.add("P401", f'{model.ref} has no field "{by}"', by.at, fix)
                    return None
        else:
            kind = ex.Type(model.type or "text")
        default = exact(model.default) if model.has("default") else None
        if default is not None and not self._is_value_of(default, kind):
            self.problems.add("P306", f"the default is not {kind}", model.key_at("default"))
        nullable = model.optional and kind.base != "text"
        if model.optional and kind.values:
            kind = ex.Type("text", (*kind.values, ""))
        by_fields = tuple(str(b) for b in model.by or (self.models[model.ref].key or [] if model.ref else []))
        return FieldDef(str(name), kind, nullable, name.at, headings, spellings, by_fields, model.optional, default)

    @staticmethod
    def _is_value_of(value: object, kind: ex.Type) -> bool:
        if kind.values:
            return value in kind.values
        if kind.base == "integer":
            return isinstance(value, Fraction) and value.denominator == 1
        wanted = {"number": Fraction, "boolean": bool, "date": dt.date, "text": str}
        return isinstance(value, wanted.get(kind.base, str))

    def _table(self, name: str, model: Table) -> TableDef:
        unfold = self._unfold(name, model) if model.unfold is not None else None
        for key in model.key or ():
            if key not in model.fields:
                fix = rename_to(key, model.fields)
                self.problems.add("P401", f'{name} has no field "{key}"', key.at, fix)
        scope = self._row(name)
        date = self._formula(model.date, scope, "date") if model.date is not None else None
        expected = None
        if model.expected is not None:
            every = model.expected.every
            for ref in every:
                if ref not in self.fields[name] or self.fields[name][ref].type.base != "ref":
                    self.problems.add("P401", f'{name} has no ref "{ref}"', ref.at, "name fields that are refs")
                elif ref not in (model.key or ()):
                    self.problems.add("P401", f'"{ref}" is not part of the key of {name}', ref.at, "add it to key")
            fill = {}
            for field, value in model.expected.fill.items():
                known = self.fields[name].get(field)
                if known is None or known.value is not None:
                    self.problems.add(
                        "P401", f'{name} has no field "{field}"', field.at, rename_to(field, model.fields)
                    )
                elif not self._is_value_of(exact(value), known.type):
                    self.problems.add("P307", f'"{value}" is not {known.type}', field.at)
                else:
                    fill[str(field)] = exact(value)
            for known in self.fields[name].values():
                can_stay_out = known.is_optional or known.value is not None or known.default is not None
                if known.name not in model.expected.fill and known.name not in every and not can_stay_out:
                    self.problems.add(
                        "P201", f'fill does not say what "{known.name}" is', model.expected.key_at("fill")
                    )
            where = self._formula(model.expected.where, scope, "boolean") if model.expected.where is not None else None
            expected = ExpectedDef(tuple(map(str, every)), where, fill, model.expected.at)
        return TableDef(
            name=str(name),
            model=model,
            at=self.names_at[name],
            files=tuple(str(f) for f in (model.files or [Text(name, self.names_at[name])])),
            key=tuple(str(k) for k in model.key or ()),
            fields=self.fields[name],
            date=date,
            unfold=unfold,
            expected=expected,
        )

    def _unfold(self, name: str, model: Table) -> UnfoldDef | None:
        assert model.unfold is not None and model.into is not None and model.columns is not None
        for used in (model.unfold, model.into):
            if used not in self.models:
                self.problems.add("P402", f'there is no table or kind "{used}"', used.at, rename_to(used, self.models))
                return None
        refs = [f for f in self.fields[name].values() if f.type.base == "ref" and f.type.target == model.into]
        if len(self.fields[name]) != 1 or len(refs) != 1:
            self.problems.add("P203", f"{name} needs exactly one field, a ref to {model.into}", model.key_at("fields"))
            return None
        return UnfoldDef(
            source=str(model.unfold),
            into=str(model.into),
            label=str(model.label or "label"),
            columns={str(label): tuple(map(str, headings)) for label, headings in model.columns.items()},
            separators=tuple(map(str, model.separators or ())),
            ref=refs[0].name,
        )

    def _check_refs_in_circle(self, tables: dict[str, TableDef]) -> None:
        """Rows are resolved table after table, so refs may not lead back to where they came from."""
        done: set[str] = set()

        def visit(name: str, path: list[str]) -> None:
            if name in path:
                circle = [*path[path.index(name) :], name]
                text = "refs lead in a circle: " + " → ".join(circle)
                self.problems.add("P405", text, tables[name].at, "put one of the refs into a table of its own")
                return
            if name in done:
                return
            for target in tables_read(tables[name]):
                if target in tables:
                    visit(target, [*path, name])
            done.add(name)

        for name in tables:
            visit(name, [])

    def _check_fields_in_circle(self, table: TableDef) -> None:
        """Derived fields are computed one after another, so none may need itself."""
        reads = {
            f.name: [n.leaf for n in f.value.node.walk() if isinstance(n, ex.Name) and not n.hops]
            for f in table.fields.values()
            if f.value is not None
        }
        seen: set[str] = set()

        def visit(name: str, path: list[str]) -> None:
            if name in path:
                circle = [*path[path.index(name) :], name]
                also = [(table.fields[other].at, f'"{other}"') for other in circle[1:-1]]
                text = f"derived fields of {table.name} need each other first: " + " → ".join(circle)
                self.problems.add("P405", text, table.fields[name].at, also=also)
            elif name in reads and name not in seen:
                for other in reads[name]:
                    visit(other, [*path, name])
                seen.add(name)

        for name in reads:
            visit(name, [])

    # --- scopes ---

    def _row(self, table: str) -> _Scope:
        """Return the scope of what is computed while data is read: fields, never what subjects came to."""
        return _Scope(self, table, None, is_record=True, fields_only=True)

    def _record(self, table: str, subject: str | None) -> _Scope:
        return _Scope(self, table, subject, is_record=True)

    def _subject(self, kind: str) -> _Scope:
        return _Scope(self, kind, None, is_record=False)

    def symbol(self, owner: str, leaf: str) -> tuple[ex.Type, bool] | None:
        """Return type and nullability of a value of a table or kind; None where there is none such."""
        model = self.models[owner]
        written = next((name for name in model.fields if name == leaf), None)
        if written is not None:
            self._define(owner, written, model.fields[written])
            field = self.fields[owner].get(leaf)
            return (field.type, field.nullable) if field else (ex.NUMBER, False)
        if model.unfold is not None:
            if leaf == (model.label or "label"):
                return ex.Type("text", tuple(str(c) for c in model.columns or {})), False
            if leaf in ("position", "people"):
                return SYSTEM_FIELDS[leaf], False
        if model.expected is not None and leaf in ("is_expected", "is_filled"):
            return ex.BOOLEAN, False
        kind = self.kinds.get(owner)
        if kind is None:
            return None
        if leaf in ("is_assessed", "is_ranked"):
            return ex.BOOLEAN, False
        if leaf == "total" and kind.score is not None:
            return ex.NUMBER, False
        if leaf.startswith("points.") and kind.score is not None:
            return (ex.NUMBER, False) if leaf[7:] in _line_ids(kind.score) else None
        if leaf in kind.measures:
            measure = self._measure(owner, leaf)
            return (measure.type, measure.nullable) if measure else (ex.NUMBER, False)
        if leaf in kind.verdicts:
            return self._verdict_type(owner, leaf), self._verdict_model(owner, leaf).optional
        return None

    def names(self, owner: str) -> list[str]:
        """Return every name of a table or kind, for suggestions."""
        model = self.models[owner]
        found = [str(name) for name in self.fields[owner]]
        if model.unfold is not None:
            found += [str(model.label or "label"), "position", "people", *self.names(model.unfold)]
        kind = self.kinds.get(owner)
        if kind is not None:
            found += [*map(str, kind.measures), *map(str, kind.verdicts), "is_assessed", "is_ranked"]
            found += ["total"] if kind.score is not None else []
        return found

    def _formula(self, text: Text, scope: _Scope, wanted: ex.Base | None, part: str | None = None) -> Formula | None:
        """Compile an expression; note what is wrong with it and return None where it has no meaning."""
        try:
            node = ex.compile_expression(part if part is not None else str(text), scope, wanted)
        except ex.Wrong as wrong:
            self.problems.add(wrong.code, wrong.message, text.span(*wrong.place), wrong.fix)
            return None
        for found in node.walk():
            if isinstance(found, ex.Recall):
                if self.file.history is None:
                    at = text.span(*found.place)
                    self.problems.add(
                        "P201",
                        "the pack does not say what a year without result does",
                        at,
                        "add history: {gap: breaks} or {gap: skipped} to pack.yaml",
                    )
                self.recalls[scope.owner][found.column] = found
        return Formula(node, part if part is not None else str(text), text.at, text)

    def _optional(self, text: Text | None, scope: _Scope, wanted: ex.Base | None) -> Formula | None:
        return None if text is None else self._formula(text, scope, wanted)

    # --- measures ---

    def _measure(self, kind: str, name: str) -> MeasureDef | None:
        place = (kind, name)
        if place in self.measures:
            return self.measures[place]  # None while it is being compiled: the plan will show the circle
        self.measures[place] = None
        key = next(k for k in self.kinds[kind].measures if k == name)
        model = self.kinds[kind].measures[key]
        if model.value is not None:
            formula = self._formula(model.value, self._subject(kind), None)
            if formula is not None:
                node = formula.node
                self.measures[place] = MeasureDef(name, node.type, node.nullable, key.at, value=formula)
        else:
            aggregate = self._aggregate(model, kind)
            if aggregate is not None:
                kind_of, nullable = self._aggregate_type(aggregate)
                self.measures[place] = MeasureDef(name, kind_of, nullable, key.at, aggregate=aggregate)
        return self.measures[place]

    @staticmethod
    def _aggregate_type(made: AggregateDef) -> tuple[ex.Type, bool]:
        operand = made.operand.node if made.operand else None
        if made.function in ("count", "distinct"):
            return ex.INTEGER, False
        if made.function == "any":
            return ex.BOOLEAN, False
        assert operand is not None
        if made.function == "rank":
            return ex.INTEGER, operand.nullable
        if made.function == "sum":
            return operand.type, False
        return operand.type, made.default is None

    def _aggregate(self, model: Aggregate, kind: str | None) -> AggregateDef | None:
        """Compile an aggregate of a subject's records, children or peers; of a whole table where kind is None."""
        peers = model.source is None or (model.within is not None and model.source == kind)
        source = str(model.source or kind)
        if source not in self.models:
            assert model.source is not None
            fix = rename_to(source, self.models)
            self.problems.add("P402", f'there is no table or kind "{source}"', model.source.at, fix)
            return None
        if peers or (kind is None and source in self.kinds):
            scope = self._subject(source)
        else:
            scope = self._record(source, kind)
        operand_text, descending = model.operand, False
        operand = where = within = default = None
        good = True
        if operand_text is not None:
            part, descending = (
                ex.split_order(str(operand_text)) if model.function == "rank" else (str(operand_text), False)
            )
            wanted: dict[str, ex.Base] = {"sum": "number", "any": "boolean"}
            operand = self._formula(operand_text, scope, wanted.get(model.function), part)
            good = operand is not None and self._has_order(operand, model.function)
        if model.where is not None:
            where = self._formula(model.where, scope, "boolean")
            good = good and where is not None
        if model.within is not None and model.within != "all":
            within = self._formula(model.within, scope, None)
            good = good and within is not None
        if model.default is not None and kind is not None:
            default = self._formula(model.default, self._subject(kind), None)
            good = good and default is not None
            if default is not None and operand is not None:
                a, b = default.node.type, operand.node.type
                if a.base != b.base and not (a.is_number and b.is_number):
                    self.problems.add("P306", f"the default is {a}, and the values are {b}", default.at)
        links: tuple[tuple[str, ...], ...] = ()
        if not peers and kind is not None:
            assert model.source is not None
            found = self._links(source, kind, model.via, model.source.at)
            good = good and found is not None
            links = found or ()
        if not good:
            return None
        return AggregateDef(model.function, source, links, operand, where, within, peers, default, descending)

    def _has_order(self, operand: Formula, function: str) -> bool:
        """Note a value that min, max or rank cannot order."""
        kind = operand.node.type
        has_none = kind.base in ("boolean", "ref") or (kind.values and not kind.is_ordered and not kind.is_number)
        if function in ("min", "max", "rank") and has_none:
            at = operand.span(operand.node.place)
            message = f"{function} needs an order, and {kind} has none"
            self.problems.add("P306", message, at, "use numbers, dates or levels")
            return False
        return True

    def _links(self, table: str, kind: str, via: list[Text] | None, at: Span) -> tuple[tuple[str, ...], ...] | None:
        """Return the ways from a record of the table to its subject."""
        if via:
            links = []
            for path in via:
                here, hops = table, str(path).split(".")
                for hop in hops:
                    target = self._ref_target(here, hop)
                    if target is None:
                        self.problems.add("P401", f'{here} has no ref "{hop}"', path.at, "name fields that are refs")
                        return None
                    here = target
                if here != kind:
                    self.problems.add("P403", f"{path} leads to {here}, not to {kind}", path.at)
                    return None
                links.append(self._with_source(table, hops))
            return tuple(links)
        direct = [f.name for f in self.fields[table].values() if f.type.base == "ref" and f.type.target == kind]
        if not direct and self.models[table].unfold is not None:
            source = str(self.models[table].unfold)
            if source == kind:
                return (("#source",),)
            direct = [f.name for f in self.fields[source].values() if f.type.base == "ref" and f.type.target == kind]
        if len(direct) == 1:
            return (self._with_source(table, direct),)
        if not direct:
            self.problems.add(
                "P403",
                f"the rows of {table} have no ref to {kind}",
                at,
                "add a ref, or say via: and the path",
            )
        else:
            self.problems.add("P404", f"{table} has several refs to {kind}: {', '.join(direct)}", at)
        return None

    def _with_source(self, table: str, hops: list[str]) -> tuple[str, ...]:
        """Return the hops, over the source row where the first is a field of it."""
        if hops[0] not in self.fields[table] and self.models[table].unfold is not None:
            return ("#source", *hops)
        return tuple(hops)

    def _ref_target(self, table: str, hop: str) -> str | None:
        field = self.fields[table].get(hop)
        if field is None and self.models[table].unfold is not None:
            return self._ref_target(str(self.models[table].unfold), hop)
        return field.type.target if field is not None and field.type.base == "ref" else None

    # --- kinds ---

    def _kind(self, model: Kind, table: TableDef) -> KindDef:
        name, scope = str(model.subject), self._subject(str(model.subject))
        if model.display is not None and model.display not in model.fields:
            fix = rename_to(model.display, model.fields)
            self.problems.add("P401", f'{name} has no field "{model.display}"', model.display.at, fix)
        score = self._line(model.score, name, "total", None, 0) if model.score is not None else None
        if score is not None:
            self._check_line_ids(score)
            self._check_counting_again(score)
        measures = {str(key): made for key in model.measures if (made := self._measure(name, key)) is not None}
        verdicts = {str(key): self._verdict(name, key, verdict) for key, verdict in model.verdicts.items()}
        apart = []
        for exceptions in (model.not_assessed, model.not_ranked):
            made_of = [(self._formula(e.when, scope, "boolean"), str(e.reason)) for e in exceptions]
            apart.append(tuple(ExceptionDef(when, reason) for when, reason in made_of if when is not None))
        rosters = []
        seen: dict[str, Span] = {}
        for roster in model.rosters:
            self._unique(roster.id, seen, f"the rosters of {name}")
            columns = []
            for column in roster.columns:
                found = None if column == "rank" else self._formula(column, scope, None)
                columns.append((str(column), found))
            rosters.append(
                RosterDef(
                    kind=name,
                    id=str(roster.id),
                    model=roster,
                    where=self._optional(roster.where, scope, "boolean"),
                    order_by=self._order(roster.order_by, scope),
                    within=self._optional(roster.within, scope, None),
                    columns=tuple(columns),
                )
            )
        return KindDef(
            table=table,
            display=str(model.display or table.key[0]),
            not_assessed=apart[0],
            not_ranked=apart[1],
            measures=measures,
            score=score,
            verdicts=verdicts,
            rosters=tuple(rosters),
            recalls=self.recalls[name],
        )

    def _order(self, keys: list[Text] | None, scope: _Scope) -> tuple[Order, ...]:
        made = []
        for key in keys or ():
            part, descending = ex.split_order(str(key))
            formula = self._formula(key, scope, None, part)
            if formula is not None:
                made.append(Order(formula, descending))
        return tuple(made)

    def _line(self, model: Line, kind: str, id_: str, parent: str | None, depth: int) -> LineDef:
        scope = self._subject(kind)
        aggregate = points = None
        if model.each is not None:
            if model.each not in self.models:
                fix = rename_to(model.each, self.models)
                self.problems.add("P402", f'there is no table or kind "{model.each}"', model.each.at, fix)
            else:
                assert model.points is not None
                record = self._record(str(model.each), kind)
                links = self._links(str(model.each), kind, model.via, model.each.at)
                each_points = self._formula(model.points, record, "number")
                where = self._optional(model.where, record, "boolean")
                if links is not None and each_points is not None:
                    aggregate = AggregateDef("sum", str(model.each), links, each_points, where, None, False, None)
        elif model.points is not None:
            points = self._formula(model.points, scope, "number")
        return LineDef(
            id=id_,
            model=model,
            at=model.id.at if model.id is not None else model.at,
            parent=parent,
            depth=depth,
            when=self._optional(model.when, scope, "boolean"),
            aggregate=aggregate,
            points=points,
            base=self._optional(model.base, scope, "number"),
            min=self._optional(model.min, scope, "number"),
            max=self._optional(model.max, scope, "number"),
            items=tuple(self._line(item, kind, str(item.id), id_, depth + 1) for item in model.items or ()),
        )

    def _check_line_ids(self, score: LineDef) -> None:
        seen: dict[str, Span] = {}
        for line in score.walk():
            if line.model.id is not None and line.parent is not None:
                self._unique(line.model.id, seen, "the score")
                if line.id == "total":
                    self.problems.add("P206", '"total" is the whole score', line.model.id.at)

    def _check_counting_again(self, score: LineDef) -> None:
        each = [line for line in score.walk() if line.aggregate is not None]
        for place, later in enumerate(each):
            if later.model.again:
                continue
            shared = []
            for earlier in each[:place]:
                a, b = earlier.aggregate, later.aggregate
                assert a is not None and b is not None
                if a.source != b.source:
                    continue
                if can_both_hold(a.where.node if a.where else None, b.where.node if b.where else None):
                    shared.append(earlier)
            if shared:
                names = " and ".join(f'"{earlier.id}"' for earlier in shared)
                message = f'a record of {later.model.each} that scores in "{later.id}" can also score in {names}'
                also = [(earlier.at, f'"{earlier.id}"') for earlier in shared]
                self.problems.add("P406", message, later.at, also=also)

    # --- verdicts ---

    def _verdict_type(self, kind: str, name: str) -> ex.Type:
        model = self._verdict_model(kind, name)
        if model.form in ("yes_no", "quota"):
            return ex.BOOLEAN
        levels = tuple(exact(level) for level in model.levels or ())
        if model.form == "formula":
            formula = self._value_formula(kind, name)
            base = formula.node.type if formula is not None else ex.NUMBER
            return ex.Type(base.base, levels or base.values, bool(levels))
        values = levels or tuple(
            dict.fromkeys(exact(r.otherwise if r.has("otherwise") else r.is_) for r in model.rules or ())
        )
        base_type = _type_of(values)
        return ex.Type(base_type.base if base_type else "text", values, bool(levels))

    def _verdict_model(self, kind: str, name: str) -> Verdict:
        return next(verdict for key, verdict in self.kinds[kind].verdicts.items() if key == name)

    def _value_formula(self, kind: str, name: str) -> Formula | None:
        place = (kind, name)
        if place not in self.formulas:
            self.formulas[place] = None
            model = self._verdict_model(kind, name)
            assert model.value is not None
            self.formulas[place] = self._formula(model.value, self._subject(kind), None)
        return self.formulas[place]

    def _verdict(self, kind: str, name: Text, model: Verdict) -> VerdictDef:
        scope, type_ = self._subject(kind), self._verdict_type(kind, name)
        rules = []
        if model.rules is not None:
            values = [exact(r.otherwise if r.has("otherwise") else r.is_) for r in model.rules]
            if _type_of(values) is None:
                self.problems.add("P202", f'the values of "{name}" are of different types', name.at, "use one type")
            for number, (rule, value) in enumerate(zip(model.rules, values, strict=True), 1):
                at = rule.key_at("otherwise" if rule.has("otherwise") else "is")
                if model.levels and value not in type_.values:
                    near = closest(str(value), map(str, type_.values))
                    written = rule.otherwise if rule.has("otherwise") else rule.is_
                    place = written.at if isinstance(written, Text) else at
                    self.problems.add(
                        "P307", f'"{value}" is not one of the levels', place, f"write {near}" if near else None
                    )
                if rule.has("otherwise") and number != len(model.rules):
                    self.problems.add("P203", "otherwise is not the last rule", at, "move it to the end")
                rules.append(RuleDef(number, value, self._optional(rule.when, scope, "boolean"), rule))
        value = self._value_formula(kind, name) if model.form == "formula" else None
        if value is not None and model.levels:
            levels = _type_of(map(exact, model.levels))
            given = value.node.type
            if levels is None or (levels.base != given.base and not (levels.is_number and given.is_number)):
                shown = ", ".join(map(str, model.levels))
                self.problems.add("P306", f"the levels are {shown}, and this is {given}", value.at)
        quota_order = self._order(model.order_by, scope)
        return VerdictDef(
            name=str(name),
            form=model.form,
            type=type_,
            model=model,
            at=name.at,
            rules=tuple(rules),
            when=self._optional(model.when, scope, "boolean"),
            value=value,
            among=self._optional(model.among, scope, "boolean"),
            take=self._optional(model.take, scope, "number"),
            within=self._optional(model.within, scope, None),
            order_by=quota_order,
        )


def tables_read(table: TableDef) -> set[str]:
    """Return the tables whose rows must be known before this table's can be."""
    unfolded = {table.unfold.source, table.unfold.into} if table.unfold else set()
    return set(table.refs.values()) | unfolded


def _line_ids(line: Line) -> set[str]:
    return {str(i.id) for i in line.items or ()} | {x for i in line.items or () for x in _line_ids(i)}


class _Scope:
    """Where names are looked up: a subject's own values, or a record's fields and the subject it counts for."""

    def __init__(
        self, checker: _Checker, owner: str, subject: str | None, is_record: bool, fields_only: bool = False
    ) -> None:
        self.checker, self.owner, self.subject, self.is_record = checker, owner, subject, is_record
        self.fields_only = fields_only

    @property
    def has_history(self) -> bool:
        return not self.is_record and self.owner in self.checker.kinds

    def parameter(self, name: str) -> ex.ParameterType | None:
        found = self.checker.parameters.get(name)
        return found.type if found else None

    def find(self, parts: list[str]) -> ex.Found:
        if self.is_record and self.subject is not None and parts[0] == self.subject and len(parts) > 1:
            if parts[0] not in self.checker.names(self.owner):
                return self._walk(self.subject, ("#subject",), parts, 1)
        return self._walk(self.owner, (), parts, 0)

    def _walk(self, owner: str, hops: tuple[str, ...], parts: list[str], start: int) -> ex.Found:
        checker, nullable, at = self.checker, False, start
        is_own = not hops and not self.is_record
        while at < len(parts):
            name = parts[at]
            rest = len(parts) - at
            if name == "points" and rest == 2:
                name = f"points.{parts[at + 1]}"
                rest = 1
            found = self._symbol(owner, name)
            if found is None and checker.models[owner].unfold is not None:
                hops, owner = (*hops, "#source"), str(checker.models[owner].unfold)
                continue
            if found is None:
                failed = at + 1 if name.startswith("points.") else at
                ids = self._line_names(owner) if name.startswith("points.") else checker.names(owner)
                if self.fields_only:
                    ids = [known for known in ids if known in checker.models[owner].fields]
                raise LookupError(failed, ids)
            type_, is_nullable = found
            if rest == 1:
                # what another subject got is unknown where that subject was not assessed
                foreign = not is_own and owner in checker.kinds and name not in checker.fields[owner]
                can_lack = foreign and bool(checker.kinds[owner].not_assessed)
                return ex.Found(hops, owner, name, type_, nullable or is_nullable or can_lack)
            if type_.base != "ref":
                raise LookupError(at + 1, None)
            hops, owner, nullable, is_own = (*hops, name), type_.target, nullable or is_nullable, False
            at += 1
        raise LookupError(len(parts) - 1, [])

    def _symbol(self, owner: str, name: str) -> tuple[ex.Type, bool] | None:
        if self.fields_only and owner in self.checker.kinds and name not in self.checker.models[owner].fields:
            return None
        return self.checker.symbol(owner, name)

    def _line_names(self, owner: str) -> list[str]:
        kind = self.checker.kinds.get(owner)
        return sorted(_line_ids(kind.score)) if kind is not None and kind.score is not None else []
