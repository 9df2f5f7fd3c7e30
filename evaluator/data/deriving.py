"""Derived fields: expressions over the row, and aggregates of the rows that refer to it or agree with it."""

from __future__ import annotations

from sqlglot import exp

from evaluator.data.context import Context
from evaluator.pack.definitions import AggregateDef, FieldDef, Formula, TableDef
from evaluator.pack.derivation import DATE, Making
from evaluator.pack.nodes import Name
from evaluator.pack.types import DATE_TYPE, NUMBER, Type
from evaluator.sql.aggregates import aggregated, without_rows
from evaluator.sql.lower import Lowering
from evaluator.sql.rows import Rows, linked
from evaluator.sql.trees import SQL, both, column, is_null, left_join, named, star, table


def derived(context: Context, made: TableDef, step: Making, query: exp.Query) -> exp.Query:
    """Add the fields of a step, each level after the one before."""
    for level in step.levels:
        rows = context.rows(query.subquery(copy=False), made)
        lowering = Lowering(rows)
        columns: list[SQL] = []
        joins: list[tuple[SQL, SQL]] = []
        passes: dict[object, list[FieldDef]] = {}
        for name in level:
            f = made.fields.get(name)
            if f is None:
                columns.append(named(_date(made, rows, lowering), DATE))
            elif f.aggregate is not None:
                passes.setdefault(_pass_of(f.aggregate), []).append(f)
            else:
                assert f.value is not None
                columns.append(named(lowering.stored(f.value, f.type), f.name))
        for place, fields in enumerate(passes.values()):
            one = fields[0].aggregate
            assert one is not None
            alias = f"g{place}"
            joins.append((_grouped(context, one, fields).subquery(alias, copy=False), _meets(lowering, one, alias)))
            columns += [named(_or_none(f, column(f.name, alias), lowering), f.name) for f in fields]
        selected = rows.select(star("r"), *columns)
        for target, on in joins:
            selected = left_join(selected, target, on)
        query = selected
    return query


def _date(made: TableDef, rows: Rows, lowering: Lowering) -> SQL:
    """Return the day that decides in which year a row counts; that of its source where it has none itself."""
    if made.date is not None:
        return lowering.value(made.date.node)
    assert made.unfold is not None
    return rows.column(Name(DATE_TYPE, True, (0, 0), ("#source",), made.unfold.source, DATE))


def _pass_of(made: AggregateDef) -> object:
    """Return what aggregates have in common that can be computed in one pass."""
    return made.source, made.links, tuple(here.text for here, _ in made.same)


def _grouped(context: Context, one: AggregateDef, fields: list[FieldDef]) -> exp.Select:
    """Return the aggregates over the rows of a source, grouped by the row they refer to or by what they agree in."""
    source = context.pack.tables[one.source]
    keys: list[SQL]
    if one.same:
        rows = context.rows(table(one.source), source)
        keys = [Lowering(rows).stored(there, _common(here, there)) for here, there in one.same]
    else:
        rows, link = linked(lambda alias, base: context.rows(base or table(one.source), source, alias), one.links)
        keys = [link]
    lowering = Lowering(rows)
    columns = [named(key, f"key{place}") for place, key in enumerate(keys)]
    columns += [named(aggregated(f.aggregate, lowering), f.name) for f in fields if f.aggregate is not None]
    known = both(*(exp.Not(this=is_null(key)) for key in keys))
    return rows.select(*columns).where(known, copy=False).group_by(*(key.copy() for key in keys), copy=False)


def _meets(lowering: Lowering, one: AggregateDef, alias: str) -> SQL:
    """Say in SQL which group belongs to a row."""
    if not one.same:
        return exp.EQ(this=column("#sid", lowering.rows.alias), expression=column("key0", alias))
    values = [lowering.stored(here, _common(here, there)) for here, there in one.same]
    return both(*(exp.EQ(this=v, expression=column(f"key{place}", alias)) for place, v in enumerate(values)))


def _common(here: Formula, there: Formula) -> Type:
    """Return the type in which both values are stored, so that equal ones are the same."""
    types = (here.node.type, there.node.type)
    return NUMBER if types[0].is_number and any(kind.base == "number" for kind in types) else types[0]


def _or_none(f: FieldDef, found: SQL, lowering: Lowering) -> SQL:
    """Return the value of a group, or what it is where there is no row."""
    assert f.aggregate is not None
    default = f.aggregate.default
    otherwise = lowering.stored(default, f.type) if default is not None else without_rows(f.aggregate)
    return found if otherwise is None else exp.Coalesce(this=found, expressions=[otherwise])
