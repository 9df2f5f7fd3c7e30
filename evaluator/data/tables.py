"""From raw text to typed tables: set at a time, every row that cannot be read kept with its place and reason.

A typed table has the columns of its fields and, besides: `#sid` (a number that orders rows as their key does where
other tables refer to them, and as they stand in their files otherwise), `#key` (the key as text), `#src` and `#row`
(the place it came from), `#date` (the day that decides its year). An unfolded table has `#source` (the `#sid` of its
source row) and `#column`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from sqlglot import exp

from evaluator.data.amending import amended, check_tables_claimed, note_misfits, places_claimed
from evaluator.data.appeals import Amendments, Place
from evaluator.data.cells import checked, is_told_by_null, resolved
from evaluator.data.context import REJECTS, Context, Loaded, refused
from evaluator.data.deriving import derived
from evaluator.data.expected import with_expected
from evaluator.data.keys import has_key_twice, is_numbered, numbered, without_duplicates
from evaluator.data.lookups import check_lookups
from evaluator.data.past_results import keep_sound_results
from evaluator.data.run_before import RunBefore
from evaluator.data.sheets import Sheet
from evaluator.data.sources import find_sheets
from evaluator.data.staging import stage_all, unstage
from evaluator.data.unfolding import unfolded
from evaluator.diagnostics import Problems
from evaluator.doing import Doing
from evaluator.pack.definitions import Pack, TableDef
from evaluator.pack.derivation import Derivation, Making
from evaluator.pack.nodes import Name
from evaluator.sql.aggregates import filtered
from evaluator.sql.backend import Database
from evaluator.sql.rows import PLACE, at_places, packed_place, unpacked
from evaluator.sql.trees import (
    SQL,
    both,
    column,
    either,
    holds,
    is_null,
    left_join,
    named,
    number,
    table,
    text,
    union_all,
)


def load_tables(
    db: Database,
    pack: Pack,
    folder: Path,
    settings: dict[str, object],
    problems: Problems,
    amendments: Amendments | None = None,
    progress: Callable[[Doing], None] = lambda _: None,
    run_before: Callable[[list[Sheet]], RunBefore | None] = lambda _: None,
    named: str | None = None,
) -> Loaded:
    """Read every table of a pack from a data folder into the schema `data`, as it is amended.

    `settings` holds this_year, period_start and period_end; `run_before` says of the sheets which run's records may be
    taken over, `named` what the folder is called in messages.
    """
    sheets = find_sheets(folder, problems, named)
    problems.stop_on_errors()
    loaded = Loaded(sheets)
    db.places = [(sheet.shown, sheet.sheet) for sheet in sheets]
    amendments = amendments or Amendments()
    amendments.first_source = len(sheets)
    db.places += [(case.file.as_posix(), "") for case in amendments.cases]
    before = run_before(sheets)
    context = Context(db, pack, sheets, settings, problems, amendments=amendments, progress=progress, before=before)
    check_tables_claimed(context)
    context.start_rejects()
    stage_all(context)
    problems.stop_on_errors()
    for step in Derivation(pack.tables, pack.parameters).steps():
        if step.table not in context.empty:
            _make(context, step)
    check_lookups(context)
    keep_sound_results(context)
    _count(context, loaded)
    problems.stop_on_errors()
    loaded.rejects, loaded.amended = db.count(REJECTS), amendments.made
    loaded.before, loaded.taken_over = before, context.taken_over
    return loaded


def _make(context: Context, step: Making) -> None:
    """Make data.<table>, with refs resolved, keys checked, and missing rows filled; or add to it what is derived."""
    made = context.pack.tables[step.table]
    lies_in: list[exp.Table] | None = None
    if not step.is_first:
        query: exp.Query = exp.select(exp.Star()).from_(table(made.name), copy=False)
    elif made.unfold is not None:
        query = unfolded(context, made)
    else:
        query, lies_in = _plain(context, made)
    query = derived(context, made, step, query)
    if lies_in is not None:
        context.keep(lies_in)  # a second copy would take as much memory again
        context.db.view(table(made.name), query)
    else:
        context.db.create(table(made.name), query, context.beside(made))
    context.forget()


def _is_as_read(context: Context, made: TableDef) -> bool:
    """Whether all that a table has besides its cells is its key as text and a day, each from its own row."""
    if is_numbered(context.pack, made):
        return False
    is_plain_day = made.date is None or (isinstance(made.date.node, Name) and not made.date.node.hops)
    is_plain_key = all(made.fields[key].type.base != "ref" for key in made.key)
    # what people enter is looked through again
    return is_plain_day and is_plain_key and not made.is_entered and not any(f.is_derived for f in made.fields.values())


@dataclass(frozen=True, slots=True)
class _Typed:
    """Typed rows of a table in which nothing is wrong, and the tables in which they lie.

    Those at the places `apart` are not among them.
    """

    rows: exp.Select
    lies_in: tuple[exp.Table, ...] = ()
    apart: frozenset[Place] = frozenset()
    is_of_run_before: bool = False


def _plain(context: Context, made: TableDef) -> tuple[exp.Select, list[exp.Table] | None]:
    """Return the typed rows of a table that is read from files, and in which tables they lie where they are as read."""
    context.tell(made)
    typed = _taken_over(context, made) or _typed(context, made)
    places = None if typed is None else _places(context, made, typed)
    if typed is None or places is None:
        context.forget()
        sound = _sound(context, made, context.raw[made.name].rows)
        unstage(context, made)
        return _whole(context, made, without_duplicates(context, made, sound)), None
    lies_in = list(typed.lies_in)
    sound = _stored(context, made, typed.rows.subquery("c", copy=False))
    is_unique = typed.is_of_run_before  # as that run found
    if places or context.amendments.of(made.name):
        mended = context.make(f"{made.name}#mended", _sound(context, made, _raw_at(context, made, places)))
        others = sound.where(exp.Not(this=at_places("c", places - typed.apart)), copy=False)
        is_unique = is_unique and not _shares_key(context, made, others, mended)
        both_parts = union_all([others, _stored(context, made, exp.alias_(mended, "c", table=True))])
        sound = exp.select(exp.Star()).from_(both_parts.subquery("u", copy=False), copy=False)
        lies_in.append(mended)
    unstage(context, made)
    single = sound if is_unique else without_duplicates(context, made, sound)
    if typed.is_of_run_before and single is sound:
        context.taken_over[made.name] = frozenset(places)
    return _whole(context, made, single), lies_in if single is sound and _is_as_read(context, made) else None


def _typed(context: Context, made: TableDef) -> _Typed | None:
    """Return the rows of the sheets, without the words of their cells; None where something is wrong with them."""
    packed = _check(context, made, context.raw[made.name].rows, keeps_words=False)
    if context.db.count(exp.alias_(packed, "c", table=True), column("#faulty", "c")):
        return None
    columns: list[SQL] = [named(part, name) for name, part in zip(PLACE, unpacked(column("#place", "c")), strict=True)]
    columns += [column(name, "c") for name in context.stored(made)[len(PLACE) :]]
    return _Typed(exp.select(*columns).from_(exp.alias_(packed, "c", table=True), copy=False), (packed,))


def _taken_over(context: Context, made: TableDef) -> _Typed | None:
    """Return rows of the run before, where this one would read the same."""
    before = context.before
    if (
        before is None
        or not _is_as_read(context, made)
        or context.unfolded(made)
        or not before.has_parts(before.file(made.name))
        or not before.has_same_targets(context.db, made)
    ):
        return None
    apart = before.touched.get(made.name, frozenset())
    return _Typed(before.rows(made), apart=apart, is_of_run_before=True)


def _places(context: Context, made: TableDef, typed: _Typed) -> set[Place] | None:
    """Return the places of rows that claims touch or touched; None where only the words of all cells tell them."""
    rows: exp.Query = typed.rows.copy()
    if typed.apart:
        checked_apart = exp.alias_(_check(context, made, _raw_at(context, made, typed.apart)), "c", table=True)
        rows = union_all([rows, _stored(context, made, checked_apart)])
    found = places_claimed(context, made, rows.subquery("t", copy=False))
    return None if found is None else found | typed.apart


def _raw_at(context: Context, made: TableDef, places: Collection[Place]) -> exp.Select:
    """Return the raw rows at some places."""
    rows = context.raw[made.name].rows.subquery("r")
    query = exp.select(exp.Star()).from_(rows, copy=False).where(at_places("r", places), copy=False)
    return exp.select(exp.Star()).from_(context.make(f"{made.name}#few", query), copy=False)


def _shares_key(context: Context, made: TableDef, others: exp.Select, mended: exp.Table) -> bool:
    """Whether rows as they are amended share a key with each other, or with one of the others."""
    rows = exp.alias_(mended, "m", table=True)
    same = both(*(exp.EQ(this=column(key, "o"), expression=column(key, "m")) for key in made.key))
    shared = exp.select(number(1)).from_(others.subquery("o"), copy=False).join(rows, on=same, copy=False)
    alone = exp.select(exp.Star()).from_(rows.copy(), copy=False)
    return has_key_twice(context, made, alone) or bool(context.db.rows(shared.limit(1, copy=False)))


def _stored(context: Context, made: TableDef, rows: SQL) -> exp.Select:
    """Select of rows, which are called c, what a table has before anything is computed."""
    return exp.select(*(column(name, "c") for name in context.stored(made))).from_(rows, copy=False)


def _whole(context: Context, made: TableDef, typed: exp.Select) -> exp.Select:
    return numbered(context, made, with_expected(context, made, typed))


def _sound(context: Context, made: TableDef, raw: exp.Query) -> exp.Select:
    """Return typed rows, as they are amended, in which nothing is wrong; the others become rejects."""
    fields = [f for f in made.fields.values() if not f.is_derived]
    rows = _check(context, made, raw)
    changed = amended(context, made, raw, rows)
    if changed is not None:
        rows = _check(context, made, changed)
        note_misfits(context, made, rows)
    any_fault = either(*(exp.Not(this=is_null(column(f"{f.name}#fault", "c"))) for f in fields))
    found = exp.alias_(rows, "c", table=True)
    if context.db.count(found, any_fault):
        for f in fields:
            words = exp.Coalesce(this=column(f"{f.name}#text", "c"), expressions=[text("")])
            context.reject(refused(made, rows, text(f.headings[0]), words, column(f"{f.name}#fault", "c")))
    return _stored(context, made, found).where(exp.Not(this=exp.paren(any_fault, copy=False)), copy=False)


def _check(context: Context, made: TableDef, raw: exp.Query, keeps_words: bool = True) -> exp.Table:
    """Make the table of values and faults of every raw row.

    Words and faults of clean data would take more memory than the values. Without the words of its cells there is only
    whether a row has any fault, its place is one number, and listed words take the room of their number.
    """
    joins: list[tuple[SQL, SQL]] = []
    columns: list[SQL] = [column(name, "r") for name in PLACE] if keeps_words else [named(packed_place("r"), "#place")]
    faults: list[SQL] = []
    for f in made.fields.values():
        if f.is_derived:
            continue
        words = column(f"{f.name}#text", "r")
        value, fault = resolved(f, words, joins) if f.type.base == "ref" else checked(f, words)
        if not keeps_words and (listing := context.listing(f)):
            value = exp.Cast(this=value, to=listing)
        columns += [named(value, f.name), *([words] if keeps_words else [])]
        if keeps_words:
            faults.append(named(fault, f"{f.name}#fault"))
        else:
            faults.append(is_null(value) if is_told_by_null(f) else exp.Not(this=is_null(fault)))
    columns += [column(name, "r") for name in context.lists(made)]
    if not keeps_words:
        faults = [named(either(*faults), "#faulty")]
    query = exp.select(*columns, *faults).from_(raw.subquery("r"), copy=False)
    for target, on in joins:
        query = left_join(query, target, on)
    if keeps_words:
        return context.make(f"{made.name}#checked", query)
    return context.make(f"{made.name}#typed", query, context.beside(made) if _is_as_read(context, made) else ())


def _count(context: Context, loaded: Loaded) -> None:
    """Count the rows of each table, those of no period, and those filled in: all at once, each table is read once."""
    queries: list[exp.Query] = []
    for made in context.pack.tables.values():
        outside: SQL = number(0)
        filled: SQL = number(0)
        if made.date is not None:
            inside = holds(context.counts_on(made, column("#date", "r")))
            outside = filtered(exp.Count(this=exp.Star()), exp.Not(this=exp.paren(inside, copy=False)))
        if made.expected is not None:
            filled = filtered(exp.Count(this=exp.Star()), column("is_filled", "r"))
        query = exp.select(text(made.name), exp.Count(this=exp.Star()), outside, filled)
        queries.append(query.from_(exp.alias_(table(made.name), "r", table=True), copy=False))
    for name, count, outside_it, filled_in in context.db.rows(union_all(queries)):
        loaded.rows[name] = count
        loaded.outside |= {name: outside_it} if outside_it else {}
        loaded.filled |= {name: filled_in} if filled_in else {}
