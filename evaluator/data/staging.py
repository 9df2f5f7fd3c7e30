"""Which sheets a table is read from, and its raw rows: their cells as tidy text and as typed values."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from evaluator.data.cells import cleaned, is_tidy, native_value, parsed
from evaluator.data.context import Context, Raw
from evaluator.data.loading import load, unload
from evaluator.data.sheets import Sheet, clean
from evaluator.diagnostics import Cell, closest
from evaluator.pack.definitions import FieldDef, TableDef
from evaluator.sql.lower import sql_type
from evaluator.sql.trees import SQL, cast, choose, column, named, number, table, text, union_all


def stage_all(context: Context) -> None:
    """Find the raw rows of each table with files."""
    sheets, problems = context.sheets, context.problems
    claimed: set[int] = set()
    for made in context.pack.tables.values():
        if made.unfold is not None:
            continue
        mine = context.sheets_of(made)
        claimed.update(mine)
        if not mine and made.is_entered:
            if context.amendments.of(made.name):
                context.raw[made.name] = Raw(_no_rows(made))
            else:
                _make_empty(context, made)
            continue
        if not mine:
            names = ", ".join(made.files)
            known = [name for sheet in sheets for name in sheet.names]
            near = next((n for f in made.files if (n := closest(f, known))), None)
            fix = f'rename "{near}" to "{made.files[0]}"' if near else f"add a file or a sheet named {names}"
            problems.add("D101", f"no file or sheet holds the table {made.name} ({names})", made.at, fix)
            continue
        parts = {_raw_name(made, i): part for i in mine if (part := _stage(context, made, i)) is not None}
        if len(parts) == len(mine):
            context.raw[made.name] = Raw(union_all(parts.values()), list(parts))
    for i, sheet in enumerate(sheets):
        if i not in claimed:
            named_as = " or ".join(sheet.names)
            problems.add("D105", f"no table of the pack is read from {named_as}", Cell(*context.db.places[i]))


def _make_empty(context: Context, made: TableDef) -> None:
    """Make data.<table> of a table for which nobody entered anything."""
    kinds = {"#sid": "BIGINT", "#key": "TEXT", "#src": "BIGINT", "#row": "BIGINT"}
    kinds |= {f.name: sql_type(f.type) for f in made.fields.values()}
    nothing = [named(cast(exp.Null(), kind), name) for name, kind in kinds.items()]
    context.db.create(table(made.name), exp.select(*nothing).where(exp.false(), copy=False))
    context.empty.add(made.name)


def _no_rows(made: TableDef) -> exp.Select:
    """Return the raw rows of a table without a sheet."""
    kinds = {"#src": "BIGINT", "#row": "BIGINT"}
    for f in made.fields.values():
        kinds |= {f"{f.name}#text": "TEXT", f.name: sql_type(f.type)}
    return exp.select(*(named(cast(exp.Null(), kind), name) for name, kind in kinds.items())).where(exp.false())


def unstage(context: Context, made: TableDef) -> None:
    """Let go of the raw rows of a table."""
    for name in context.raw.pop(made.name).sheets:
        unload(context.db, name)


def _stage(context: Context, made: TableDef, place: int) -> exp.Select | None:
    """Load a sheet and return its rows as the table has them; nothing where columns are missing."""
    sheet = context.sheets[place]
    wanted: list[tuple[str, str | None]] = []  # column of the raw rows, heading
    good = True
    for f in made.fields.values():
        if f.is_derived:
            continue
        heading = _heading(sheet, f.headings)
        if heading is None and not f.is_optional and f.default is None:
            _no_column(context, place, f"{made.name}.{f.name}", f.headings)
            good = False
        wanted.append((f.name, heading))
    for unfolded in context.unfolded(made):
        assert unfolded.unfold is not None
        for label, headings in unfolded.unfold.columns.items():
            heading = _heading(sheet, headings)
            if heading is None:
                _no_column(context, place, f"{unfolded.name} ({label})", headings)
                good = False
            wanted.append((f"{unfolded.name}#{label}", heading))
    others = _others(context, made, place)
    if not good or others is None:
        return None
    raw = _raw_name(made, place)
    read = list(dict.fromkeys([*(h for _, h in wanted if h is not None), *others]))
    load(context.db, sheet, raw, read, is_known=context.before is not None)
    kinds = dict(zip(sheet.headings, sheet.kinds, strict=True))
    # the text of each cell is tidied once, inside, and read as its type outside
    inner: list[SQL] = [
        named(cast(number(place), "BIGINT"), "#src"),
        exp.column(exp.to_identifier("#row", quoted=True)),
    ]
    outer: list[SQL] = [column("#src", "t"), column("#row", "t")]
    for name, heading in wanted:
        inside, outside = _cells(context, made, name, heading, kinds)
        inner += inside
        outer += outside
    for name, kind in context.lists(made).items():
        if kind == "TEXT[]":
            cells = exp.Array(expressions=[_words(made, heading, kinds[heading]) for heading in others])
            inner.append(named(cast(cells, kind), name))
            outer.append(column(name, "t"))
    words = exp.select(*inner).from_(exp.table_(exp.to_identifier(raw, quoted=True)), copy=False)
    return exp.select(*outer).from_(words.subquery("t", copy=False), copy=False)


def _others(context: Context, made: TableDef, place: int) -> list[str] | None:
    """Return the headings of the columns that no field claims, where such are unfolded; None where there are none."""
    sheet = context.sheets[place]
    unfolds = [(one.name, one.unfold) for one in context.unfolded(made) if one.unfold is not None]
    wanting = [name for name, unfold in unfolds if not unfold.columns]
    if not wanting:
        return []
    claimed = {clean(h) for f in made.fields.values() for h in f.headings}
    claimed |= {clean(h) for _, unfold in unfolds for headings in unfold.columns.values() for h in headings}
    others = [heading for heading in sheet.headings if heading not in claimed]
    for name in wanting:
        context.others.setdefault(name, []).append((place, others))
    if not others and not context.pack.for_cases:
        message = f"no column is left for {wanting[0]}: each is a field of {made.name}"
        context.problems.add("D103", message, Cell(*context.db.places[place]), "add a column for each label")
        return None
    return others


def _raw_name(made: TableDef, place: int) -> str:
    """Return what the raw rows of one sheet are called while a table claims them."""
    return f"sheet{place}_{made.name}"


def _heading(sheet: Sheet, headings: Iterable[str]) -> str | None:
    return next((h for h in map(clean, headings) if h in sheet.headings), None)


def _no_column(context: Context, place: int, what: str, headings: tuple[str, ...]) -> None:
    near = next((n for h in headings if (n := closest(h, context.sheets[place].headings))), None)
    fix = f'rename the column "{near}" to "{headings[0]}"' if near else f"add a column headed {' or '.join(headings)}"
    file, sheet_name = context.db.places[place]
    context.problems.add("D103", f"no column for {what}", Cell(file, sheet_name, 0, headings[0]), fix)


def _cells(
    context: Context, made: TableDef, name: str, heading: str | None, kinds: dict[str, str]
) -> tuple[list[SQL], list[SQL]]:
    """Return one column of a sheet, inside and outside: its text, for rejects, and its typed value.

    Refs and lists of names stay text until the rows they lead to are known.
    """
    f = made.fields.get(name)
    kind = None if f is None or f.type.base == "ref" else f.type
    shown = column(f"{name}#text", "t")
    inner: list[SQL]
    if heading is None:
        inner = [named(cast(exp.Null(), "TEXT"), f"{name}#text")]
        return inner, [shown] if kind is None else [shown, named(cast(exp.Null(), sql_type(kind)), name)]
    cell, native = _cell(heading), kinds[heading]
    if kind is not None and (value := native_value(cell, native, kind)) is not None:
        inner = [named(cast(cell.copy(), "TEXT"), f"{name}#text"), named(value, name)]
        return inner, [shown, column(name, "t")]
    inner = [named(_words(made, heading, native, f.spellings if f is not None else ()), f"{name}#text")]
    if f is None or kind is None:
        return inner, [shown]
    value = parsed(kind, f.spellings, shown.copy())
    listing = _listing(context, made, f) if native == "text" else None
    if listing is not None:  # most words are as they are listed, which is found out at once
        inner.append(named(exp.TryCast(this=cell, to=listing), name))
        value = exp.Coalesce(this=column(name, "t"), expressions=[exp.Cast(this=value, to=listing.copy())])
    return inner, [shown, named(value, name)]


def _listing(context: Context, made: TableDef, f: FieldDef) -> exp.DataType | None:
    """Return the type of a listed word, where no word of the list is written for another one or for nothing."""
    blanks = ["", *map(clean, made.model.blanks)]
    words = set(f.spellings.values())
    if not words or any(f.spellings.get(word) != word or word in blanks for word in words):
        return None
    return context.db.listing(words)


def _cell(heading: str) -> SQL:
    return exp.column(exp.to_identifier(heading, quoted=True))


def _words(made: TableDef, heading: str, native: str, expected: Iterable[str] = ()) -> SQL:
    """Return the text of a cell, tidied; null where it holds nothing. Words that are expected are known to be tidy."""
    cell = _cell(heading)
    words = cell if native == "text" else cast(cell, "TEXT")
    if not is_tidy(native):
        words = cleaned(words)
    if tidy := [text(word) for word in dict.fromkeys(map(clean, expected)) if word]:
        words = (
            choose([(exp.In(this=cell.copy(), expressions=tidy), cell.copy())], words) if native == "text" else words
        )
    for blank in made.model.blanks:
        words = exp.Nullif(this=words, expression=text(clean(blank)))
    return words
