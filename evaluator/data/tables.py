"""From raw text to typed tables: set at a time, every row that cannot be read kept with its place and reason.

A typed table has the columns of its fields and, besides: `#sid` (a number that orders rows as their key does where
other tables refer to them, and as they stand in their files otherwise), `#key` (the key as text), `#src` and `#row`
(the place it came from), `#date` (the day that decides its year). An unfolded table has `#source` (the `#sid` of its
source row) and `#column`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlglot import exp

from evaluator.data.amending import amended, check_tables_claimed, note_misfits
from evaluator.data.appeals import Amendments
from evaluator.data.cells import checked, resolved
from evaluator.data.context import REJECTS, Context, Loaded, refused
from evaluator.data.deriving import derived
from evaluator.data.expected import with_expected
from evaluator.data.keys import is_referred_to, numbered, without_duplicates
from evaluator.data.lookups import check_lookups
from evaluator.data.past_results import keep_sound_results
from evaluator.data.sources import find_sheets
from evaluator.data.staging import stage_all, unstage
from evaluator.data.unfolding import unfolded
from evaluator.diagnostics import Problems
from evaluator.doing import Doing
from evaluator.pack.definitions import Pack, TableDef
from evaluator.pack.derivation import Derivation, Making
from evaluator.pack.nodes import Name
from evaluator.sql.backend import Database
from evaluator.sql.trees import SQL, column, either, holds, is_null, left_join, named, table, text


def load_tables(
    db: Database,
    pack: Pack,
    folder: Path,
    settings: dict[str, object],
    problems: Problems,
    amendments: Amendments | None = None,
    progress: Callable[[Doing], None] = lambda _: None,
) -> Loaded:
    """Read every table of a pack from a data folder into the schema `data`, as it is amended.

    `settings` holds this_year, period_start and period_end.
    """
    sheets = find_sheets(folder, problems)
    problems.stop_on_errors()
    loaded = Loaded(sheets)
    db.places = [((folder / sheet.file).as_posix(), sheet.sheet) for sheet in sheets]
    amendments = amendments or Amendments()
    amendments.first_source = len(sheets)
    db.places += [(case.file.as_posix(), "") for case in amendments.cases]
    context = Context(db, pack, sheets, settings, problems, amendments=amendments, progress=progress)
    check_tables_claimed(context)
    context.start_rejects()
    stage_all(context)
    problems.stop_on_errors()
    for step in Derivation(pack.tables, pack.parameters).steps():
        if step.table not in context.empty:
            _make(context, step)
    check_lookups(context)
    for made in pack.tables.values():
        _count(context, made, loaded)
    keep_sound_results(context)
    problems.stop_on_errors()
    loaded.rejects, loaded.amended = db.count(REJECTS), amendments.made
    return loaded


def _make(context: Context, step: Making) -> None:
    """Make data.<table>, with refs resolved, keys checked, and missing rows filled; or add to it what is derived."""
    made = context.pack.tables[step.table]
    rests_on: exp.Table | None = None
    if not step.is_first:
        query: exp.Query = exp.select(exp.Star()).from_(table(made.name), copy=False)
    elif made.unfold is not None:
        query = unfolded(context, made)
    else:
        query, rests_on = _plain(context, made)
    query = derived(context, made, step, query)
    if rests_on is not None and _is_as_read(made):
        context.passing.remove(rests_on)  # a second copy would take as much memory again
        context.db.view(table(made.name), query)
    else:
        context.db.create(table(made.name), query)
    context.forget()


def _is_as_read(made: TableDef) -> bool:
    """Whether all that a table has besides its cells is a number, its key as text and a day, each from its own row."""
    is_plain_day = made.date is None or (isinstance(made.date.node, Name) and not made.date.node.hops)
    is_plain_key = all(made.fields[key].type.base != "ref" for key in made.key)
    # what people enter is looked through again
    return is_plain_day and is_plain_key and not made.is_entered and not any(f.is_derived for f in made.fields.values())


def _plain(context: Context, made: TableDef) -> tuple[exp.Select, exp.Table | None]:
    """Return the typed rows of a table that is read from files, and the table they lie in where they do as they are."""
    context.tell(made)
    if not context.amendments.of(made.name):
        rows = _check(context, made, table(made.name, "raw"), keeps_words=False)
        if not context.db.count(exp.alias_(rows, "c", table=True), column("#faulty", "c")):
            unstage(context, made)
            sound = exp.select(*(column(name, "c") for name in context.stored(made)))
            sound = sound.from_(exp.alias_(rows, "c", table=True), copy=False)
            single = without_duplicates(context, made, sound)
            is_numbered = made.expected is not None or is_referred_to(context, made)
            return _whole(context, made, single), rows if single is sound and not is_numbered else None
        context.forget()
    return _whole(context, made, without_duplicates(context, made, _sound(context, made))), None


def _whole(context: Context, made: TableDef, typed: exp.Select) -> exp.Select:
    return numbered(context, made, with_expected(context, made, typed))


def _sound(context: Context, made: TableDef) -> exp.Select:
    """Return the typed rows, as they are amended, in which nothing is wrong; the others become rejects."""
    fields = [f for f in made.fields.values() if not f.is_derived]
    rows = _check(context, made, table(made.name, "raw"))
    changed = amended(context, made, rows)
    if changed is not None:
        rows = _check(context, made, changed)
        note_misfits(context, made, rows)
    unstage(context, made)
    any_fault = either(*(exp.Not(this=is_null(column(f"{f.name}#fault", "c"))) for f in fields))
    if context.db.count(exp.alias_(rows, "c", table=True), any_fault):
        for f in fields:
            words = exp.Coalesce(this=column(f"{f.name}#text", "c"), expressions=[text("")])
            context.reject(refused(made, rows, text(f.headings[0]), words, column(f"{f.name}#fault", "c")))
    return (
        exp.select(*(column(name, "c") for name in context.stored(made)))
        .from_(exp.alias_(rows, "c", table=True), copy=False)
        .where(exp.Not(this=exp.paren(any_fault, copy=False)), copy=False)
    )


def _check(context: Context, made: TableDef, raw: exp.Table, keeps_words: bool = True) -> exp.Table:
    """Make the table of values and faults of every raw row; without the words of its cells only of whether it has any.

    Words and faults of clean data would take more memory than the values.
    """
    joins: list[tuple[SQL, SQL]] = []
    columns: list[SQL] = [column("#src", "r"), column("#row", "r")]
    faults: list[SQL] = []
    for f in made.fields.values():
        if f.is_derived:
            continue
        words = column(f"{f.name}#text", "r")
        value, fault = resolved(f, words, joins) if f.type.base == "ref" else checked(f, words)
        columns += [named(value, f.name), *([words] if keeps_words else [])]
        faults.append(named(fault, f"{f.name}#fault") if keeps_words else exp.Not(this=is_null(exp.paren(fault))))
    columns += [column(name, "r") for name in context.lists(made)]
    if not keeps_words:
        faults = [named(either(*faults), "#faulty")]
    query = exp.select(*columns, *faults).from_(exp.alias_(raw, "r", table=True), copy=False)
    for target, on in joins:
        query = left_join(query, target, on)
    return context.make(f"{made.name}#{'checked' if keeps_words else 'typed'}", query)


def _count(context: Context, made: TableDef, loaded: Loaded) -> None:
    """Count the records that are of no period, and those filled in."""
    rows = exp.alias_(table(made.name), "r", table=True, copy=False)
    if made.date is not None:
        inside = holds(context.counts_on(made, column("#date", "r")))
        if outside := context.db.count(rows, exp.Not(this=exp.paren(inside, copy=False))):
            loaded.outside[made.name] = outside
    if made.expected is not None:
        if filled := context.db.count(rows, column("is_filled", "r")):
            loaded.filled[made.name] = filled
