"""Amendments: what accepted appeals add to the rows of the sheets, take away, or write otherwise.

They are made before anything is typed, so that a corrected cell is read, checked and judged as any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from evaluator.data.appeals import Amended, Place, Request
from evaluator.data.cells import parsed
from evaluator.data.context import Context
from evaluator.data.keys import keyed
from evaluator.data.sheets import clean
from evaluator.diagnostics import closest
from evaluator.pack.definitions import OTHERS, FieldDef, TableDef
from evaluator.pack.model_appeal import ADD, VOID, Claim
from evaluator.pack.source import Text
from evaluator.sql.lower import sql_type
from evaluator.sql.rows import at_places
from evaluator.sql.trees import (
    SQL,
    call,
    cast,
    choose,
    column,
    either,
    left_join,
    named,
    number,
    table,
    text,
    union_all,
)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of text in the raw rows, or one place of a column of lists: its heading in the sheet, and its field.

    A heading that is read for several of them is one column of the sheet. `also` are the other names it goes by.
    """

    heading: str
    also: tuple[str, ...]
    name: str
    place: int | None = None
    field: FieldDef | None = None

    def of(self, alias: str) -> SQL:
        """Return its text."""
        held: SQL = column(self.name, alias)
        return held if self.place is None else call("list_extract", held, number(self.place + 1))


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell a claim writes: its heading, what it is read for, and what is written, tidied and as it stands there."""

    heading: str
    columns: tuple[_Column, ...]
    words: str
    written: Text


def check_tables_claimed(context: Context) -> None:
    """Note claims on what is no table, or on one whose rows come from elsewhere."""
    known = context.pack.tables
    for case in context.amendments.cases:
        for _, claim in case.claims:
            name, at = str(claim.table), claim.table.at
            made = known.get(name)
            if made is None:
                near = closest(name, known)
                context.problems.add("D403", f'there is no table "{name}"', at, f"write {near}" if near else None)
            elif made.unfold is not None:
                source = made.unfold.source
                message = f"the rows of {name} are unfolded from cells of {source}"
                context.problems.add("D403", message, at, f"correct the row of {source}")


def amended(context: Context, made: TableDef, raw: exp.Query, rows: exp.Table) -> exp.Select | None:
    """Return raw rows of a table with what is claimed of them; `rows` are the same rows checked. None without claims.

    Notes claims that lead to no row, to several, or against each other, and stops.
    """
    requests = context.amendments.of(made.name)
    if not requests:
        return None
    voided: dict[Place, Claim] = {}
    changes: dict[Place, dict[str, _Cell]] = {}
    added: list[tuple[Place, list[_Cell]]] = []
    for request in requests:
        claim = request.claim
        if claim.how == ADD:
            cells = _cells(context, made, claim.row, None)
            if request.place in [place for place, _ in added]:
                context.problems.add("D405", "two rows are added on one line", claim.at, "give each claim a line")
            added.append((request.place, cells))
            words = {one.name: cell.words for cell in cells for one in cell.columns}
            _keep(context, made, request, request.place, "/".join(words.get(f"{k}#text", "") for k in made.key))
            continue
        found = _find(context, made, rows, claim)
        if found is None:
            continue
        place, key = found
        own = changes.setdefault(place, {})
        others = [voided[place].at] if place in voided else []
        if claim.how == VOID:
            others += [cell.written.at for cell in own.values()]
            voided[place] = claim
            _keep(context, made, request, place, key)
        else:
            cells = _cells(context, made, claim.set, place[0])
            others += [own[cell.heading].written.at for cell in cells if cell.heading in own]
            own |= {cell.heading: cell for cell in cells}
            for cell, before in zip(cells, _now(context, rows, place, cells), strict=True):
                _keep(context, made, request, place, key, cell, before)
        if others:
            message = "another claim changes the same"
            context.problems.add("D405", message, claim.at, "leave one of the two", [(others[0], "here")])
    context.problems.stop_on_errors()
    return _rewritten(context, made, raw, set(voided), changes, added)


def places_claimed(context: Context, made: TableDef, rows: SQL) -> set[Place] | None:
    """Return the places of the rows that claims on a table are about, found in its typed rows (as t) by their keys.

    None where a claim says it otherwise, or its key leads to no row or to several.
    """
    claims = [request.claim for request in context.amendments.of(made.name) if request.claim.how != ADD]
    keys = {clean(str(claim.key)) for claim in claims if claim.key is not None}
    if not claims:
        return set()
    if any(claim.key is None for claim in claims):
        return None
    key, query = keyed(made, rows, "t")
    query = query.select(key, column("#src", "t"), column("#row", "t"))
    among = exp.In(this=key.copy(), expressions=[text(one) for one in sorted(keys)])
    found = context.db.rows(query.where(among, copy=False))
    return {(source, row) for _, source, row in found} if sorted(k for k, _, _ in found) == sorted(keys) else None


def note_misfits(context: Context, made: TableDef, rows: exp.Table) -> None:
    """Note what is claimed and cannot be read: faults in the checked rows that claims added or corrected; and stop."""
    fields = [f for f in made.fields.values() if not f.is_derived]
    for request in context.amendments.of(made.name):
        claim = request.claim
        written = claim.row if claim.how == ADD else claim.set
        cells = {one.name: cell for cell in _cells(context, made, written, None) for one in cell.columns}
        who = (request.case.number, request.number)
        places = {(a.source, a.row) for a in context.amendments.made if (a.case, a.claim) == who}
        query = exp.select(*(column(f"{f.name}#fault", "r") for f in fields)).from_(
            exp.alias_(rows, "r", table=True), copy=False
        )
        for faults in context.db.rows(query.where(at_places("r", places))):
            for f, fault in zip(fields, faults, strict=True):
                if fault is None:
                    continue
                cell = cells.get(f"{f.name}#text")
                if cell is not None:
                    what = f'"{cell.written}" is {fault}' if cell.words else f"{cell.heading} is {fault}"
                    context.problems.add("D404", what, cell.written.at)
                elif claim.how == ADD:
                    message = f"the row has no {f.headings[0]}"
                    context.problems.add("D404", message, claim.key_at("row"), f"add {f.name}: to it")
    context.problems.stop_on_errors()


def _keep(
    context: Context, made: TableDef, by: Request, place: Place, key: str, cell: _Cell | None = None, before: str = ""
) -> None:
    """Remember what was changed."""
    what = (cell.heading, before, cell.words) if cell is not None else ("", "", "")
    context.amendments.made.append(Amended(by.case.number, by.number, by.claim.how, made.name, key, *place, *what))


# --- which cells, which rows ----------------------------------------------------------------------------------


def _cells(context: Context, made: TableDef, written: Mapping[Text, Text], source: int | None) -> list[_Cell]:
    """Return the cells written under names of fields or headings; note names of none."""
    known = list(_columns(context, made, source))
    found = []
    for name, value in written.items():
        words = clean(name)
        meant = {one.heading for one in known if words == one.heading}
        meant = meant or {one.heading for one in known if words in one.also}
        if not meant:
            names = list(dict.fromkeys(word for one in known for word in (*one.also, one.heading)))
            near = closest(str(name), names)
            fix = f"write {near}" if near else f"use one of {', '.join(names)}"
            context.problems.add("D403", f'{made.name} has no cell "{name}"', name.at, fix)
            continue
        tidy = clean(str(value))
        blank = tidy in map(clean, made.model.blanks)
        columns = tuple(one for one in known if one.heading in meant)
        found.append(_Cell(columns[0].heading, columns, "" if blank else tidy, value))
    return found


def _columns(context: Context, made: TableDef, source: int | None) -> Iterator[_Column]:
    """Give the columns a table's rows have in a source; in its first sheet where that is none, or none is named."""
    sheets = context.sheets_of(made)
    place = source if source in sheets else next(iter(sheets), -1)
    there = context.sheets[place].headings if place >= 0 else ()

    def heading(declared: Sequence[str]) -> str:
        return next((h for h in map(clean, declared) if h in there), clean(declared[0]))

    for f in made.fields.values():
        if not f.is_derived:
            also = (f.name, *map(clean, f.headings))
            yield _Column(heading(f.headings), also, f"{f.name}#text", field=f)
    for unfolded in context.unfolded(made):
        assert unfolded.unfold is not None
        for label, declared in unfolded.unfold.columns.items():
            yield _Column(heading(declared), tuple(map(clean, declared)), f"{unfolded.name}#{label}#text")
        for at, other in enumerate(dict(context.others.get(unfolded.name, [])).get(place, [])):
            yield _Column(other, (), f"{unfolded.name}#{OTHERS}#text", at)


def _find(context: Context, made: TableDef, rows: exp.Table, claim: Claim) -> tuple[Place, str] | None:
    """Return where the row is that a claim is about, and its key; note where there is none, or several."""
    key, query = keyed(made, exp.alias_(rows, "t", table=True), "t")
    every = query.select(key)
    query = query.select(column("#src", "t"), column("#row", "t"), key.copy())
    if claim.key is not None:
        query = query.where(exp.EQ(this=key.copy(), expression=text(clean(str(claim.key)))))
        at, what = claim.key.at, f'with the key "{claim.key}"'
    else:
        at, what = claim.key_at("where"), "with these cells"
        cells = _cells(context, made, claim.where, None)
        for n, cell in enumerate(cells):
            query = _holding(query, n, cell)
        if len(cells) < len(claim.where):
            return None
    found = list(dict.fromkeys(context.db.rows(query.limit(2))))
    if len(found) == 1:
        source, row, shown = found[0]
        return (source, row), str(shown)
    near = None
    if claim.key is not None and not found:
        near = closest(str(claim.key), [k for (k,) in context.db.rows(every.limit(100_000)) if k is not None])
    many = "no row" if not found else "more than one row"
    fix = f"write {near}" if near else None if found else "write the key as an explanation shows it"
    context.problems.add("D403", f"{made.name} has {many} {what}", at, fix)
    return None


def _holding(query: exp.Select, n: int, cell: _Cell) -> exp.Select:
    """Leave the checked rows that hold a cell's value; of a ref also its key, or another of its names."""
    first = cell.columns[0]
    shown = exp.Coalesce(this=first.of("t"), expressions=[text("")])
    same: list[SQL] = [exp.EQ(this=shown, expression=text(cell.words))]
    f = first.field
    if f is not None and f.type.base == "ref":
        alias = f"w{n}"
        on = exp.EQ(this=column(f.name, "t"), expression=column("#sid", alias))
        query = left_join(query, exp.alias_(table(f.type.target), alias, table=True, copy=False), on)
        names = (column("#key", alias), *(cast(column(by, alias), "TEXT") for by in f.by))
        same += [exp.EQ(this=name, expression=text(cell.words)) for name in names]
    elif f is not None and cell.words:
        value = parsed(f.type, f.spellings, text(cell.words))
        same.append(exp.EQ(this=column(f.name, "t"), expression=value))
    return query.where(exp.paren(either(*same)))


def _now(context: Context, rows: exp.Table, place: Place, cells: list[_Cell]) -> list[str]:
    """Return what the cells of a row hold now."""
    if not cells:
        return []
    held = [cell.columns[0].of("r") for cell in cells]
    query = exp.select(*held).from_(exp.alias_(rows, "r", table=True), copy=False).where(at_places("r", [place]))
    return ["" if value is None else str(value) for value in context.db.rows(query)[0]]


# --- the rows as amended --------------------------------------------------------------------------------------


def _rewritten(
    context: Context,
    made: TableDef,
    raw: exp.Query,
    voided: set[Place],
    changes: Mapping[Place, Mapping[str, _Cell]],
    added: list[tuple[Place, list[_Cell]]],
) -> exp.Select:
    """Return the raw rows without those voided, with the cells that were changed, and with those added."""
    kinds = context.db.described(raw.copy())
    rewritten: dict[str, list[tuple[SQL, SQL]]] = {}
    for place, cells in changes.items():
        for name, value in _values(context, made, place[0], list(cells.values())).items():
            rewritten.setdefault(name, []).append((at_places("r", [place]), cast(value, kinds[name])))
    columns: list[SQL] = [
        named(choose(rewritten[name], column(name, "r")), name) if name in rewritten else column(name, "r")
        for name in kinds
    ]
    kept = exp.select(*columns).from_(raw.subquery("r"), copy=False)
    if voided:
        kept = kept.where(exp.Not(this=at_places("r", voided)))
    parts: list[exp.Query] = [kept]
    for (source, row), own in added:
        for unfolded in context.unfolded(made):
            known = context.others.get(unfolded.name, [])
            if known and source not in dict(known):
                known.append((source, known[0][1]))
        values = _values(context, made, source, own) | {"#src": number(source), "#row": number(row)}
        parts.append(
            exp.select(*(named(cast(values.get(name, exp.Null()), kind), name) for name, kind in kinds.items()))
        )
    return exp.select(exp.Star()).from_(context.make(f"{made.name}#amended", union_all(parts)), copy=False)


def _values(context: Context, made: TableDef, source: int, cells: list[_Cell]) -> dict[str, SQL]:
    """Return what the columns of raw rows hold where these cells do: text, and typed values."""
    values: dict[str, SQL] = {}
    lists: dict[str, dict[int, SQL]] = {}
    for cell in cells:
        shown: SQL = text(cell.words) if cell.words else cast(exp.Null(), "TEXT")
        for one in cell.columns:
            f = one.field
            if one.place is not None:
                lists.setdefault(one.name, {})[one.place] = shown.copy()
                continue
            values[one.name] = shown.copy()
            if f is not None and f.type.base != "ref":
                empty = cast(exp.Null(), sql_type(f.type))
                values[f.name] = parsed(f.type, f.spellings, shown.copy()) if cell.words else empty
    is_new = source >= context.amendments.first_source
    for name, known in lists.items():
        items = [one for one in _columns(context, made, source) if one.name == name]
        others = (cast(exp.Null(), "TEXT") if is_new else one.of("r") for one in items)
        values[name] = exp.Array(expressions=[known.get(n, other) for n, other in enumerate(others)])
    return values
