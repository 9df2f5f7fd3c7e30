"""Results of years before the first run folder, which somebody entered: a row for each value of a subject and year."""

from __future__ import annotations

from sqlglot import exp

from evaluator.data.cells import misfit, parsed
from evaluator.data.context import Context, refused
from evaluator.data.history import PastRun, among
from evaluator.diagnostics import Problems
from evaluator.pack.definitions import KindDef, Pack
from evaluator.pack.entries import PAST_RESULTS
from evaluator.pack.types import BOOLEAN, NUMBER, Type
from evaluator.sql.backend import Database
from evaluator.sql.lower import sql_type
from evaluator.sql.rows import packed_place, unpacked
from evaluator.sql.trees import (
    SQL,
    all_but,
    both,
    cast,
    choose,
    column,
    is_null,
    left_join,
    named,
    number,
    star,
    table,
    text,
    union_all,
)


def keep_sound_results(context: Context) -> None:
    """Reject past results that are not of an earlier year, of nobody, of nothing, or not of the value's type."""
    if PAST_RESULTS not in context.pack.tables or not context.db.count(table(PAST_RESULTS)):
        return
    made, faults = context.pack.tables[PAST_RESULTS], _faults(context)
    field = choose([(when.copy(), text(where)) for when, where, _ in faults])
    reason = choose([(when, text(why)) for when, _, why in faults])
    query = exp.select(star("p"), named(field, "field"), named(reason, "reason"))
    query = query.from_(exp.alias_(table(PAST_RESULTS), "p", table=True))
    is_listed = both(
        exp.EQ(this=column("kind", "p"), expression=column("kind", "s")),
        exp.EQ(this=column("subject", "p"), expression=column("#key", "s")),
    )
    judged = context.make(
        f"{PAST_RESULTS}#judged", left_join(query, _listed(context).subquery("s", copy=False), is_listed)
    )
    fields = {
        name: exp.EQ(this=column("field", "c"), expression=text(name)) for name in ("year", "subject", "name", "value")
    }
    heading = choose([(in_it, text(made.fields[name].headings[0])) for name, in_it in fields.items()])
    value = choose([(in_it.copy(), cast(column(name, "c"), "TEXT")) for name, in_it in fields.items()])
    context.reject(refused(made, judged, heading, value, column("reason", "c")))
    sound = (
        exp.select(all_but("c", ("field", "reason")))
        .from_(exp.alias_(judged, "c", table=True), copy=False)
        .where(is_null(column("reason", "c")), copy=False)
    )
    context.db.create(table(PAST_RESULTS), sound)
    context.forget()


def _faults(context: Context) -> list[tuple[SQL, str, str]]:
    """Return what can be wrong with a past result (as p, beside its subject as s): when, in which field, and why."""
    year = int(str(context.settings["this_year"]))
    faults: list[tuple[SQL, str, str]] = [
        (exp.GTE(this=column("year", "p"), expression=number(year)), "year", f"not before {year}")
    ]
    for kind in context.pack.kinds.values():
        own = exp.EQ(this=column("kind", "p"), expression=text(kind.name))
        values = _values(kind)
        known = exp.In(this=column("name", "p"), expressions=[text(name) for name in values])
        faults.append((both(own, is_null(column("#key", "s"))), "subject", f"not in {kind.name}"))
        faults.append((both(own.copy(), exp.Not(this=known)), "name", f"not a value of {kind.name}"))
        for name, typed in values.items():
            named_so = exp.EQ(this=column("name", "p"), expression=text(name))
            misread = is_null(_read(typed, column("value", "p")))
            faults.append((both(own.copy(), named_so, misread), "value", misfit(typed[0])))
    return faults


def _listed(context: Context) -> exp.Query:
    """Return the keys of all subjects, by kind."""
    return union_all(
        exp.select(named(text(name), "kind"), column("#key", "k")).from_(
            exp.alias_(table(name), "k", table=True), copy=False
        )
        for name in context.pack.kinds
    )


def entered_years(db: Database, pack: Pack) -> list[int]:
    """Return the years somebody entered results of."""
    if PAST_RESULTS not in pack.tables:
        return []
    years = (
        exp.select(column("year", "p")).distinct().from_(exp.alias_(table(PAST_RESULTS), "p", table=True), copy=False)
    )
    return sorted(year for (year,) in db.rows(years))


def note_years_twice(db: Database, pack: Pack, past: list[PastRun], problems: Problems) -> None:
    """Note years there is a run folder of, and entered results as well."""
    entered = entered_years(db, pack)
    for run in past:
        if run.year in entered:
            of_year = exp.EQ(this=column("year", "p"), expression=number(run.year))
            rows = exp.select(column("#src", "p"), column("#row", "p"))
            rows = rows.from_(exp.alias_(table(PAST_RESULTS), "p", table=True)).where(of_year)
            at = db.cell(*min(db.rows(rows)))
            message = f"{run.folder} holds {run.year}, and {PAST_RESULTS} has results of {run.year} too"
            problems.add("D303", message, at, "leave out the run folder, or these rows")


def entered_rows(kind: KindDef, year: int, wanted: dict[str, Type]) -> exp.Select:
    """Return a query of a kind's entered results of a year: `#key`, the first place of what is wanted, its values."""
    known = _values(kind)
    is_wanted = exp.In(this=column("name", "p"), expressions=[text(name) for name in ("", *wanted)])
    place = exp.Min(this=choose([(is_wanted, packed_place("p"))]))
    source, row = unpacked(place)
    columns: list[SQL] = [named(column("subject", "p"), "#key"), named(source, "#src"), named(row, "#row")]
    for name, type_ in wanted.items():
        value: SQL = cast(exp.Null(), sql_type(type_))
        if name == "is_assessed":  # whoever has a result was
            value = exp.true()
        elif name in known:
            is_it = exp.EQ(this=column("name", "p"), expression=text(name))
            value = exp.Max(this=choose([(is_it, _read((type_, known[name][1]), column("value", "p")))]))
        columns.append(named(value, name))
    query = exp.select(*columns).from_(exp.alias_(table(PAST_RESULTS), "p", table=True), copy=False)
    of_kind = exp.EQ(this=column("kind", "p"), expression=text(kind.name))
    query = query.where(both(of_kind, exp.EQ(this=column("year", "p"), expression=number(year))))
    return query.group_by(column("subject", "p"))


def _values(kind: KindDef) -> dict[str, tuple[Type, dict[str, str]]]:
    """Return the values a subject can have had, with their type and the spellings of each."""
    found: dict[str, tuple[Type, dict[str, str]]] = {"is_ranked": (BOOLEAN, {})}
    for field in kind.table.fields.values():
        if field.type.base != "ref":
            found[field.name] = (field.type, field.spellings or _as_they_are(field.type))
    found |= {measure.name: (measure.type, _as_they_are(measure.type)) for measure in kind.measures.values()}
    found |= {"total" if line.id == "total" else f"points.{line.id}": (NUMBER, {}) for line in kind.lines}
    return found | {verdict.name: (verdict.type, _as_they_are(verdict.type)) for verdict in kind.verdicts.values()}


def _as_they_are(kind: Type) -> dict[str, str]:
    return {str(value): str(value) for value in kind.values} if kind.base == "text" else {}


def _read(typed: tuple[Type, dict[str, str]], value: SQL) -> SQL:
    """Return the typed value of a cell, null where it is none of its type."""
    type_, spellings = typed
    return among(parsed(type_, spellings, value), type_)
