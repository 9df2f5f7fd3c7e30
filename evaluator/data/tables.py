"""From raw text to typed tables: set at a time, every row that cannot be read kept with its place and reason.

A typed table has the columns of its fields and, besides: `#sid` (a number that orders rows as their key does where
other tables refer to them, and as they stand in their files otherwise), `#key` (the key as text), `#src` and `#row`
(the place it came from), `#date` (the day that decides its year). An unfolded table has `#source` (the `#sid` of its
source row) and `#column`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sqlglot import exp

from evaluator.data.sources import BLANK, EXCEL_ERRORS, Sheet, clean, find_sheets, load, unload
from evaluator.diagnostics import Cell, Problems, closest
from evaluator.pack.check_tables import tables_read
from evaluator.pack.definitions import FieldDef, Pack, TableDef
from evaluator.pack.nodes import Const, Name
from evaluator.pack.types import DATE_TYPE, TEXT, Type
from evaluator.sql.backend import Database
from evaluator.sql.lower import Lowering
from evaluator.sql.ratio import UNIT
from evaluator.sql.rows import Rows
from evaluator.sql.trees import (
    both,
    call,
    cast,
    choose,
    column,
    either,
    first_value,
    is_null,
    left_join,
    named,
    number,
    ordered,
    row_number,
    table,
    text,
    type_named,
    window,
)

SQL = exp.Expr
FULL = "".join(map(chr, [*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B), 0x3000]))
HALF = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz "
# most cells are tidy, and one pattern tells so faster than they are tidied
UNTIDY = f"[０-９Ａ-Ｚａ-ｚ　]|^[{BLANK}]|[{BLANK}]$|^$"
SIGNS, PLAIN_SIGNS = "．，－＋／", ".,-+/"
TRUE = ("是", "true", "yes", "y", "1", "√", "✓", "有", "对")
FALSE = ("否", "false", "no", "n", "0", "×", "✗", "x", "无", "错")
DAY = r"^(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?([ T]\d{1,2}:\d\d(:\d\d)?)?$"
SERIAL = r"^[2-7]\d{4}(\.0+)?$"
LARGEST = 10**12 - 1  # what a number may have before the point
NUMBER = r"^[+-]?(\d{1,12}|\d{1,3}(,\d{3}){1,3})(\.\d+)?$"
WHOLE = r"^[+-]?(\d{1,12}|\d{1,3}(,\d{3}){1,3})(\.0+)?$"
REJECTS = table("rejects", "work")


@dataclass(slots=True)
class Loaded:
    """What the data stage leaves beside its tables."""

    sheets: list[Sheet]
    rejects: int = 0
    outside: dict[str, int] = field(default_factory=dict)  # table -> records outside the year
    filled: dict[str, int] = field(default_factory=dict)  # table -> rows that ought to exist and were filled


def load_tables(db: Database, pack: Pack, folder: Path, settings: dict[str, object], problems: Problems) -> Loaded:
    """Read every table of a pack from a data folder into the schema `data`.

    `settings` holds this_year, period_start and period_end.
    """
    sheets = find_sheets(folder, problems)
    problems.stop_on_errors()
    loaded = Loaded(sheets)
    db.places = [((folder / sheet.file).as_posix(), sheet.sheet) for sheet in sheets]
    db.run(
        exp.Create(
            this=exp.Schema(
                this=REJECTS,
                expressions=[
                    exp.ColumnDef(this=exp.to_identifier(name, quoted=True), kind=type_named(kind))
                    for name, kind in (
                        ("table", "TEXT"), ("#src", "BIGINT"), ("#row", "BIGINT"),
                        ("column", "TEXT"), ("value", "TEXT"), ("reason", "TEXT"),
                    )
                ],
            ),
            kind="TABLE",
        )
    )  # fmt: skip
    typing = _Typing(db, pack, sheets, settings, problems, loaded)
    typing.stage_all()
    problems.stop_on_errors()
    for name in in_reading_order(pack):
        typing.build(pack.tables[name])
    problems.stop_on_errors()
    loaded.rejects = db.count(REJECTS)
    return loaded


def in_reading_order(pack: Pack) -> list[str]:
    """Return the tables so that each comes after those it refers to."""
    done: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in done:
            for other in sorted(tables_read(pack.tables[name]), key=list(pack.tables).index):
                visit(other)
            done[name] = None

    for name in pack.tables:
        visit(name)
    return list(done)


def cleaned(raw: SQL) -> SQL:
    """Trim text, make full-width letters and digits plain, and leave null where nothing remains."""
    plain = call("translate", raw.copy(), text(FULL), text(HALF))
    tidied = exp.Nullif(this=call("trim", plain, text(BLANK)), expression=text(""))
    return choose([(exp.RegexpLike(this=raw.copy(), expression=text(UNTIDY)), tidied)], raw)


def parsed(kind: Type, spellings: dict[str, str], value: SQL) -> SQL:
    """Return the typed value of cleaned text, null where it is none of its type."""
    translated = call("translate", value.copy(), text(SIGNS), text(PLAIN_SIGNS))
    is_foreign = exp.RegexpLike(this=value.copy(), expression=text(f"[{SIGNS}]"))
    plain = choose([(is_foreign, translated)], value.copy())
    bare = call("replace", plain.copy(), text(","), text(""))

    def fits(pattern: str) -> SQL:
        return exp.RegexpLike(this=plain.copy(), expression=text(pattern))

    def part(group: int) -> SQL:
        found = exp.RegexpExtract(this=plain.copy(), expression=text(DAY), group=number(group))
        return call("lpad", found, number(4 if group == 1 else 2), text("0"))

    if kind.base == "date":
        day = exp.TryCast(this=call("concat", part(1), text("-"), part(2), text("-"), part(3)), to=type_named("DATE"))
        first = cast(text("1899-12-30"), "DATE")
        whole = cast(cast(plain.copy(), "DOUBLE"), "INT")  # five digits: exact
        return choose([(fits(DAY), day), (fits(SERIAL), exp.Add(this=first, expression=whole))])
    if kind.base == "number":
        exact = cast(bare, "DECIMAL(38,6)")
        scaled = cast(exp.Mul(this=exact, expression=number(UNIT)), "BIGINT")
        # rounding may lift a number over the largest
        small = exp.LTE(this=exp.Abs(this=exact.copy()), expression=exp.Literal.number(f"{LARGEST}.999999"))
        return choose([(fits(NUMBER), choose([(small, scaled)]))])
    if kind.base == "integer":
        return choose([(fits(WHOLE), cast(cast(bare, "DECIMAL(38,6)"), "BIGINT"))])
    if kind.base == "boolean":
        low = exp.Lower(this=value.copy())
        yes, no = (exp.In(this=low.copy(), expressions=[text(w) for w in words]) for words in (TRUE, FALSE))
        return choose([(yes, exp.true()), (no, exp.false())])
    if spellings:
        return choose(
            [
                (exp.EQ(this=value.copy(), expression=text(clean(word))), text(canonical))
                for word, canonical in spellings.items()
            ]
        )
    return value


def literal_sql(value: object, kind: Type) -> SQL:
    """Return a literal of the pack as it is stored."""
    constant = Const(kind, False, (0, 0), value)
    lowering = Lowering.__new__(Lowering)
    return lowering.stored(constant, kind) if kind.is_number else lowering.value(constant)


_NATIVE = {"DATE": "date", "BOOLEAN": "boolean"}
_INTEGERS = ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UBIGINT", "UINTEGER", "USMALLINT", "UTINYINT")


class _Typing:
    def __init__(
        self,
        db: Database,
        pack: Pack,
        sheets: list[Sheet],
        settings: dict[str, object],
        problems: Problems,
        loaded: Loaded,
    ) -> None:
        self.db, self.pack, self.sheets, self.settings = db, pack, sheets, settings
        self.problems, self.loaded = problems, loaded
        self.raw: dict[str, list[int]] = {}  # table -> the sheets it is read from
        self.unfolds: dict[str, list[TableDef]] = {name: [] for name in pack.tables}
        for made in pack.tables.values():
            if made.unfold is not None:
                self.unfolds[made.unfold.source].append(made)

    # --- raw text, claimed by tables ---

    def stage_all(self) -> None:
        """Make raw.<table> for each table with files: its cells as cleaned text, with their place."""
        claimed: set[int] = set()
        for made in self.pack.tables.values():
            if made.unfold is not None:
                continue
            mine = [i for i, sheet in enumerate(self.sheets) if set(sheet.names) & set(made.files)]
            claimed.update(mine)
            if not mine:
                names = ", ".join(made.files)
                known = [name for sheet in self.sheets for name in sheet.names]
                near = next((n for f in made.files if (n := closest(f, known))), None)
                fix = f'rename "{near}" to "{made.files[0]}"' if near else f"add a file or a sheet named {names}"
                self.problems.add("D101", f"no file or sheet holds the table {made.name} ({names})", made.at, fix)
                continue
            parts = [part for i in mine if (part := self._stage(made, i)) is not None]
            if parts and len(parts) == len(mine):
                query: exp.Query = parts[0]
                for part in parts[1:]:
                    query = exp.union(query, part, distinct=False)
                self.db.view(table(made.name, "raw"), query)
                self.raw[made.name] = mine
        for i, sheet in enumerate(self.sheets):
            if i not in claimed:
                named_as = " or ".join(sheet.names)
                self.problems.add("D105", f"no table of the pack is read from {named_as}", Cell(*self.db.places[i]))

    def _stage(self, made: TableDef, place: int) -> exp.Select | None:
        sheet = self.sheets[place]
        wanted: list[tuple[str, str | None]] = []  # column of raw.<table>, heading
        good = True
        for f in made.fields.values():
            if f.value is not None:
                continue
            heading = self._heading(sheet, f.headings)
            if heading is None and not f.is_optional and f.default is None:
                self._no_column(place, sheet, f"{made.name}.{f.name}", f.headings)
                good = False
            wanted.append((f.name, heading))
        for unfolded in self.unfolds[made.name]:
            assert unfolded.unfold is not None
            for label, headings in unfolded.unfold.columns.items():
                heading = self._heading(sheet, headings)
                if heading is None:
                    self._no_column(place, sheet, f"{unfolded.name} ({label})", headings)
                    good = False
                wanted.append((f"{unfolded.name}#{label}", heading))
        if not good:
            return None
        headings_used = list(dict.fromkeys(h for _, h in wanted if h is not None))
        raw = raw_name(made, place)
        load(self.db.connection, sheet, raw, headings_used)
        kinds = dict(zip(sheet.headings, sheet.kinds, strict=True))
        columns: list[SQL] = [
            named(cast(number(place), "BIGINT"), "#src"),
            exp.column(exp.to_identifier("#row", quoted=True)),
        ]
        for name, heading in wanted:
            columns += self._cells(made, name, heading, kinds)
        return exp.select(*columns).from_(
            exp.to_table(exp.to_identifier(raw, quoted=True).sql("duckdb"), dialect="duckdb")
        )

    @staticmethod
    def _heading(sheet: Sheet, headings: Iterable[str]) -> str | None:
        return next((h for h in map(clean, headings) if h in sheet.headings), None)

    def _no_column(self, place: int, sheet: Sheet, what: str, headings: tuple[str, ...]) -> None:
        near = next((n for h in headings if (n := closest(h, sheet.headings))), None)
        fix = (
            f'rename the column "{near}" to "{headings[0]}"' if near else f"add a column headed {' or '.join(headings)}"
        )
        file, sheet_name = self.db.places[place]
        self.problems.add("D103", f"no column for {what}", Cell(file, sheet_name, 0, headings[0]), fix)

    def _cells(self, made: TableDef, name: str, heading: str | None, kinds: dict[str, str]) -> list[SQL]:
        """Return the typed value and, for rejects, the text of one column of a sheet.

        Refs and lists of names stay text until the rows they lead to are known.
        """
        f = made.fields.get(name)
        stays_text = f is None or f.type.base == "ref"
        if heading is None:
            empty = cast(exp.Null(), "TEXT")
            columns: list[SQL] = [named(empty, f"{name}#text")]
            if not stays_text:
                assert f is not None
                columns.append(named(cast(exp.Null(), _sql_type(f.type)), name))
            return columns
        cell = exp.column(exp.to_identifier(heading, quoted=True))
        native = kinds[heading]
        if f is not None and not stays_text:
            if _NATIVE.get(native) == f.type.base:
                return [named(cast(cell.copy(), "TEXT"), f"{name}#text"), named(cell, name)]
            if native in _INTEGERS and f.type.is_number:
                value: SQL = cast(cell.copy(), "BIGINT")
                if f.type.base == "number":
                    value = exp.Mul(this=value, expression=number(UNIT))
                fits = exp.Between(this=cell.copy(), low=number(-LARGEST), high=number(LARGEST))
                value = choose([(fits, value)])
                return [named(cast(cell.copy(), "TEXT"), f"{name}#text"), named(value, name)]
        words = cleaned(cell if native == "text" else cast(cell, "TEXT"))
        columns = [named(words, f"{name}#text")]
        if f is not None and not stays_text:
            columns.append(named(parsed(f.type, f.spellings, words.copy()), name))
        return columns

    # --- typed rows ---

    def build(self, made: TableDef) -> None:
        """Make data.<table> from raw.<table>, with refs resolved, keys checked, and missing rows filled."""
        used: list[exp.Table] = []
        query = self._unfolded(made, used) if made.unfold is not None else self._plain(made, used)
        query = self._dated(made, self._derived(made, query))
        self.db.create(table(made.name), query)
        for one in used:
            self.db.drop(one)
        self._count(made)

    def _plain(self, made: TableDef, used: list[exp.Table]) -> exp.Select:
        """Return the typed rows of a table that is read from files; `used` is told what may go afterwards."""
        checked = table(f"{made.name}#checked", "work")
        used.append(checked)
        faults = self._check(made, checked)
        any_fault = either(*(exp.Not(this=is_null(column(f"{name}#fault", "c"))) for name in faults))
        if self.db.count(exp.alias_(checked, "c", table=True), any_fault):
            for name in faults:
                self._reject(made, checked, name, column(f"{name}#text", "c"), column(f"{name}#fault", "c"))
        typed = (
            exp.select(*(column(name, "c") for name in self._kept(made)))
            .from_(exp.alias_(checked, "c", table=True))
            .where(exp.Not(this=exp.paren(any_fault)))
        )
        typed = self._without_duplicates(made, typed, used)
        typed = self._with_expected(made, typed, used)
        if self._is_referred_to(made) or made.expected is not None:
            sid: SQL = cast(row_number([ordered(column(k, "t")) for k in made.key]), "BIGINT")
        else:  # nothing reads the order, and numbering by place spares sorting
            place = exp.Mul(this=column("#src", "t"), expression=number(1 << 40))
            sid = exp.Add(this=place, expression=column("#row", "t"))
        numbered = exp.select(
            named(sid, "#sid"),
            named(self._key_text(made), "#key"),
            exp.column(exp.Star(), table="t"),
        ).from_(typed.subquery("t"))
        return self._with_keys(made, numbered, "t")

    def _is_referred_to(self, made: TableDef) -> bool:
        """Whether rows of other tables lead to this one's, or it is judged."""
        others = self.pack.tables.values()
        return made.name in self.pack.kinds or any(made.name in tables_read(other) for other in others)

    def _check(self, made: TableDef, checked: exp.Table) -> list[str]:
        """Make the table of values and faults of every row; return the fields that have a fault column."""
        joins: list[tuple[exp.Expr, SQL]] = []
        columns: list[SQL] = [column("#src", "r"), column("#row", "r")]
        faults: dict[str, SQL] = {}
        for f in made.fields.values():
            if f.value is not None:
                continue
            words = column(f"{f.name}#text", "r")
            if f.type.base == "ref":
                value, fault = self._resolve(f, words, joins)
            else:
                value, fault = self._checked(f, words)
            columns += [named(value, f.name), words]
            faults[f.name] = fault
        for unfolded in self.unfolds[made.name]:
            assert unfolded.unfold is not None
            columns += [column(f"{unfolded.name}#{label}#text", "r") for label in unfolded.unfold.columns]
        fault_columns = [named(fault, f"{name}#fault") for name, fault in faults.items()]
        query = exp.select(*columns, *fault_columns).from_(exp.alias_(table(made.name, "raw"), "r", table=True))
        for target, on in joins:
            query = left_join(query, target, on)
        self.db.create(checked, query)
        self.db.drop(table(made.name, "raw"), "VIEW")
        for place in self.raw.pop(made.name, []):
            unload(self.db.connection, raw_name(made, place))
        return list(faults)

    def _with_keys(self, made: TableDef, query: exp.Select, alias: str) -> exp.Select:
        """Join the tables that refs of the key lead to, as k0, k1, …, for their keys."""
        for i, key in enumerate(made.key):
            if made.fields[key].type.base == "ref":
                on = exp.EQ(this=column(key, alias), expression=column("#sid", f"k{i}"))
                target = exp.alias_(table(made.fields[key].type.target), f"k{i}", table=True)
                query = left_join(query, target, on)
        return query

    def _kept(self, made: TableDef) -> list[str]:
        lists = [f"{u.name}#{label}#text" for u in self.unfolds[made.name] if u.unfold for label in u.unfold.columns]
        return ["#src", "#row", *(f.name for f in made.fields.values() if f.value is None), *lists]

    @staticmethod
    def _checked(f: FieldDef, words: SQL) -> tuple[SQL, SQL]:
        """Return a field's value with its default, and what is wrong with the cell (null if nothing)."""
        value: SQL = column(f.name, "r")
        wrong = {
            "date": "not a date", "number": "not a number",
            "integer": "not a whole number", "boolean": "not true or false",
        }.get(f.type.base, "not one of " + ", ".join(str(v) for v in f.type.values if v != ""))  # fmt: skip
        misread = both(is_null(value), exp.Not(this=is_null(words)))
        branches: list[tuple[SQL, SQL]] = [_workbook_error(words), (misread, text(wrong))]
        if f.default is not None:
            value = exp.Coalesce(this=value, expressions=[literal_sql(f.default, f.type)])
        elif not f.is_optional:
            branches.append((is_null(words), text("empty")))
        elif f.type.base == "text":
            value = exp.Coalesce(this=value, expressions=[text("")])
        return value, choose(branches, cast(exp.Null(), "TEXT"))

    def _resolve(self, f: FieldDef, words: SQL, joins: list[tuple[SQL, SQL]]) -> tuple[SQL, SQL]:
        """Return the row a cell refers to, and what is wrong with it; a name borne twice refers to nobody."""
        found: list[SQL] = []
        doubtful: list[SQL] = []
        for by in f.by:
            alias = f"j{len(joins)}"
            shown = cast(column(by, "x"), "TEXT")
            look = (
                exp.select(
                    named(shown, "words"),
                    named(exp.Min(this=column("#sid", "x")), "sid"),
                    named(exp.Count(this=exp.Star()), "bearers"),
                )
                .from_(exp.alias_(table(f.type.target), "x", table=True))
                .group_by(shown.copy())
            )
            joins.append((look.subquery(alias), exp.EQ(this=words.copy(), expression=column("words", alias))))
            single = exp.EQ(this=column("bearers", alias), expression=number(1))
            found.append(choose([(single, column("sid", alias))]))
            doubtful.append(exp.GT(this=column("bearers", alias), expression=number(1)))
        value = first_value(found)
        # a cell that matches by an earlier field is settled, whatever the later ones say
        branches: list[tuple[SQL, SQL]] = []
        for place, doubt in enumerate(doubtful):
            earlier = [exp.Not(this=is_null(f_)) for f_ in found[:place]]
            if earlier:
                branches.append((either(*earlier), cast(exp.Null(), "TEXT")))
            branches.append((doubt, text(f"borne by several rows of {f.type.target}")))
        branches.append(_workbook_error(words))
        unknown = both(is_null(value.copy()), exp.Not(this=is_null(words)))
        branches.append((unknown, text(f"not in {f.type.target}")))
        if not f.is_optional:
            branches.append((is_null(words), text("empty")))
        return value, choose(branches, cast(exp.Null(), "TEXT"))

    def _reject(self, made: TableDef, source: exp.Table, heading: str, value: SQL, reason: SQL) -> None:
        """Add the rows of work.<source> (as c) that have a reason to the rejects."""
        shown = made.fields[heading].headings[0] if heading in made.fields else heading
        query = (
            exp.select(
                text(made.name), column("#src", "c"), column("#row", "c"), text(shown),
                exp.Coalesce(this=value, expressions=[text("")]), reason,
            )
            .from_(exp.alias_(source, "c", table=True))
            .where(exp.Not(this=is_null(reason)))
        )  # fmt: skip
        self.db.run(exp.Insert(this=REJECTS, expression=query))

    def _without_duplicates(self, made: TableDef, typed: exp.Select, used: list[exp.Table]) -> exp.Select:
        """Keep the first of rows that are the same in everything; reject all rows that only share their key."""
        keys = [column(k, "c") for k in made.key]
        twice = (
            exp.select(*keys)
            .from_(typed.subquery("c"))
            .group_by(*(k.copy() for k in keys))
            .having(exp.GT(this=exp.Count(this=exp.Star()), expression=number(1)))
        )
        if not self.db.rows(twice.limit(1)):
            return typed
        fields = [f.name for f in made.fields.values() if f.value is None]
        lists = [c for c in self._kept(made) if c.endswith("#text")]
        content = call("row", *(column(n, "c") for n in (*fields, *lists)))
        lowest, highest = (
            window(exp.Min(this=content.copy()), keys),
            window(exp.Max(this=content.copy()), keys),
        )
        place = [ordered(column("#src", "c")), ordered(column("#row", "c"))]
        nth = window(exp.RowNumber(), keys, place)
        count = window(exp.Count(this=exp.Star()), keys)
        reason = choose(
            [
                (exp.EQ(this=count, expression=number(1)), cast(exp.Null(), "TEXT")),
                (exp.NEQ(this=lowest, expression=highest), text("another row has this key")),
                (exp.GT(this=nth, expression=number(1)), text("the same row again")),
            ]
        )
        judged = table(f"{made.name}#judged", "work")
        used.append(judged)
        self.db.create(
            judged,
            exp.select(exp.column(exp.Star(), table="c"), named(reason, "reason")).from_(typed.subquery("c")),
        )
        shown = call("concat_ws", text("/"), *(self._shown(made, key, i) for i, key in enumerate(made.key)))
        refused = exp.select(
            text(made.name), column("#src", "c"), column("#row", "c"),
            text(" + ".join(made.fields[k].headings[0] for k in made.key)), shown, column("reason", "c"),
        ).from_(exp.alias_(judged, "c", table=True))  # fmt: skip
        refused = self._with_keys(made, refused, "c").where(exp.Not(this=is_null(column("reason", "c"))))
        self.db.run(exp.Insert(this=REJECTS, expression=refused))
        return (
            exp.select(*(column(name, "c") for name in self._kept(made)))
            .from_(exp.alias_(judged, "c", table=True))
            .where(is_null(column("reason", "c")))
        )

    def _shown(self, made: TableDef, key: str, place: int) -> SQL:
        is_ref = made.fields[key].type.base == "ref"
        return column("#key", f"k{place}") if is_ref else cast(column(key, "c"), "TEXT")

    def _key_text(self, made: TableDef) -> SQL:
        parts: list[SQL] = []
        for i, key in enumerate(made.key):
            kind = made.fields[key].type
            if kind.base == "ref":
                parts.append(column("#key", f"k{i}"))
            elif kind.base == "number":
                parts.append(cast(cast(column(key, "t"), "DECIMAL(38,0)"), "TEXT"))
            else:
                parts.append(cast(column(key, "t"), "TEXT"))
        return call("concat_ws", text("/"), *parts) if len(parts) > 1 else parts[0]

    # --- rows that ought to exist ---

    def _with_expected(self, made: TableDef, typed: exp.Select, used: list[exp.Table]) -> exp.Select:
        """Add the rows that are expected and missing."""
        wanted = made.expected
        if wanted is None:
            return typed
        combos: exp.Select | None = None
        for i, ref in enumerate(wanted.every):
            target = exp.alias_(table(made.fields[ref].type.target), f"e{i}", table=True)
            sid = named(column("#sid", f"e{i}"), ref)
            combos = (
                exp.select(sid).from_(target) if combos is None else combos.select(sid).join(target, join_type="cross")
            )
        assert combos is not None
        stored = [f for f in made.fields.values() if f.value is None]
        rows = self._rows(combos.subquery(), made)
        lowering = Lowering(rows)
        where = lowering.condition(wanted.where) if wanted.where is not None else exp.true()
        meets = exp.Coalesce(this=where, expressions=[exp.false()])
        listed = rows.select(*(column(ref, "r") for ref in wanted.every), named(meets, "is_expected"))
        all_pairs = table(f"{made.name}#expected", "work")
        self.db.create(all_pairs, exp.select(exp.Star()).from_(listed.subquery("x")).where(column("is_expected", "x")))
        used.append(all_pairs)
        same = both(*(exp.EQ(this=column(ref, "t"), expression=column(ref, "e")) for ref in wanted.every))
        base = ["#src", "#row", *(f.name for f in stored)]
        lists = [c for c in self._kept(made) if c.endswith("#text")]
        present = (
            exp.select(
                *(column(c, "t") for c in (*base, *lists)),
                named(exp.Not(this=is_null(column("is_expected", "e"))), "is_expected"),
                named(exp.false(), "is_filled"),
            )
            .from_(typed.subquery("t"))
            .join(exp.alias_(all_pairs, "e", table=True), on=same, join_type="left")
        )
        filled: list[SQL] = [
            named(cast(exp.Null(), "BIGINT"), "#src"),
            named(cast(exp.Null(), "BIGINT"), "#row"),
        ]
        for f in stored:
            if f.name in wanted.every:
                filled.append(column(f.name, "e"))
            elif f.name in wanted.fill:
                filled.append(named(literal_sql(wanted.fill[f.name], f.type), f.name))
            elif f.default is not None:
                filled.append(named(literal_sql(f.default, f.type), f.name))
            else:
                empty = text("") if f.type.base == "text" else cast(exp.Null(), _sql_type(f.type))
                filled.append(named(empty, f.name))
        filled += [named(cast(exp.Null(), "TEXT"), c) for c in lists]
        missing = (
            exp.select(*filled, named(exp.true(), "is_expected"), named(exp.true(), "is_filled"))
            .from_(exp.alias_(all_pairs, "e", table=True))
            .where(exp.Not(this=exp.Exists(this=exp.select(number(1)).from_(typed.subquery("t")).where(same.copy()))))
        )
        both_kinds = table(f"{made.name}#all", "work")
        self.db.create(both_kinds, exp.union(present, missing, distinct=False))
        used.append(both_kinds)
        self._check_sheet_is_there(made, both_kinds)
        return exp.select(exp.Star()).from_(both_kinds)

    def _check_sheet_is_there(self, made: TableDef, rows_table: exp.Table) -> None:
        """Note each first ref all of whose expected rows of the year would be filled in."""
        assert made.expected is not None
        first = made.expected.every[0]
        rows = self._rows(rows_table, made)
        target = made.fields[first].type.target
        shown = rows.column(Name(TEXT, False, (0, 0), (first,), target, "#key"))
        in_year: SQL = exp.true()
        if made.date is not None:
            in_year = self._in_year(Lowering(rows).value(made.date.node))
        query = (
            rows.select(shown, exp.Count(this=exp.Star()))
            .where(both(column("is_expected", "r"), in_year))
            .group_by(shown.copy())
            .having(call("bool_and", column("is_filled", "r")))
            .order_by(shown.copy())
        )
        for key, count in self.db.rows(query):
            self.problems.add(
                "D202",
                f"{made.name} has no row at all for {first} {key}; all {count} expected would be filled in",
                made.expected.at,
            )

    # --- unfolding ---

    def _unfolded(self, made: TableDef, used: list[exp.Table]) -> exp.Select:
        """Return a row for every name in the cells of the source table."""
        unfold = made.unfold
        assert unfold is not None
        pattern = "[" + "".join("\\" + s if s in "\\]^-[" else s for s in "".join(unfold.separators)) + "]"
        parts: list[exp.Select] = []
        for place, (label, headings) in enumerate(unfold.columns.items()):
            cell = column(f"{made.name}#{label}#text", "s")
            names = (
                call("regexp_split_to_array", cell, text(pattern))
                if unfold.separators
                else exp.Array(expressions=[cell])
            )
            parts.append(
                exp.select(
                    named(column("#sid", "s"), "#source"), column("#src", "s"), column("#row", "s"),
                    named(text(label), unfold.label), named(text(headings[0]), "#column"),
                    named(number(place), "part"), named(call("generate_subscripts", names.copy(), number(1)), "nth"),
                    named(call("unnest", names), "words"),
                )
                .from_(exp.alias_(table(unfold.source), "s", table=True))
                .where(exp.Not(this=is_null(cell.copy())))
            )  # fmt: skip
        query: exp.Query = parts[0]
        for part in parts[1:]:
            query = exp.union(query, part, distinct=False)
        kept = ("#source", "#src", "#row", unfold.label, "#column", "part", "nth")
        tidy = exp.select(*(column(c, "u") for c in kept), named(cleaned(column("words", "u")), "words")).from_(
            query.subquery("u")
        )
        f = made.fields[unfold.ref]
        joins: list[tuple[SQL, SQL]] = []
        value, fault = self._resolve(f, column("words", "r"), joins)
        found = (
            exp.select(
                *(column(c, "r") for c in kept),
                column("words", "r"),
                named(value, unfold.ref),
                named(fault, "fault"),
            )
            .from_(tidy.subquery("r"))
            .where(exp.Not(this=is_null(column("words", "r"))))
        )
        for target, on in joins:
            found = left_join(found, target, on)
        checked = table(f"{made.name}#checked", "work")
        used.append(checked)
        order = [ordered(column("part", "c")), ordered(column("nth", "c"))]
        again = window(exp.RowNumber(), [column("#source", "c"), column(unfold.ref, "c")], order)
        fault_or_twice = choose(
            [
                (exp.Not(this=is_null(column("fault", "c"))), column("fault", "c")),
                (exp.GT(this=again, expression=number(1)), text("named twice on this record")),
            ]
        )
        self.db.create(
            checked,
            exp.select(*(column(c, "c") for c in (*kept, "words", unfold.ref)), named(fault_or_twice, "reason")).from_(
                found.subquery("c")
            ),
        )
        insert = (
            exp.select(
                text(made.name),
                column("#src", "c"),
                column("#row", "c"),
                column("#column", "c"),
                column("words", "c"),
                column("reason", "c"),
            )
            .from_(exp.alias_(checked, "c", table=True))
            .where(exp.Not(this=is_null(column("reason", "c"))))
        )
        self.db.run(exp.Insert(this=REJECTS, expression=insert))
        position = cast(window(exp.RowNumber(), [column("#source", "c")], order), "BIGINT")
        people = cast(window(exp.Count(this=exp.Star()), [column("#source", "c")]), "BIGINT")
        typed = exp.select(
            column("#source", "c"), column("#src", "c"), column("#row", "c"), column("#column", "c"),
            column(unfold.label, "c"), column(unfold.ref, "c"), named(position, "position"), named(people, "people"),
        ).from_(exp.alias_(checked, "c", table=True)).where(is_null(column("reason", "c")))  # fmt: skip
        # ordered as the source is, then by place on the record
        sid = exp.Add(
            this=exp.Mul(this=column("#source", "t"), expression=number(1 << 20)),
            expression=column("position", "t"),
        )
        key = call("concat", column("#key", "s"), text("/"), cast(column("position", "t"), "TEXT"))
        return (
            exp.select(named(sid, "#sid"), named(key, "#key"), exp.column(exp.Star(), table="t"))
            .from_(typed.subquery("t"))
            .join(
                exp.alias_(table(unfold.source), "s", table=True),
                on=exp.EQ(this=column("#source", "t"), expression=column("#sid", "s")),
            )
        )

    # --- what is computed from the row ---

    def _rows(self, base: SQL, made: TableDef) -> Rows:
        return Rows(base, "r", table, self.settings, self.pack, made.name)

    def _derived(self, made: TableDef, query: exp.Select) -> exp.Select:
        """Add derived fields, each after those it reads."""
        waiting = {f.name: f for f in made.fields.values() if f.value is not None}
        while waiting:
            ready = [
                f
                for f in waiting.values()
                if f.value is not None
                and not any(isinstance(n, Name) and not n.hops and n.leaf in waiting for n in f.value.node.walk())
            ]
            if not ready:
                circle = " → ".join([*waiting, next(iter(waiting))])
                self.problems.add("P405", f"derived fields read each other: {circle}", next(iter(waiting.values())).at)
                return query
            rows = self._rows(query.subquery(), made)
            lowering = Lowering(rows)
            values = [named(lowering.stored(f.value, f.type), f.name) for f in ready if f.value is not None]
            query = rows.select(exp.column(exp.Star(), table="r"), *values)
            for f in ready:
                del waiting[f.name]
        return query

    def _in_year(self, day: SQL) -> SQL:
        start, end = self.settings["period_start"], self.settings["period_end"]
        assert isinstance(start, dt.date) and isinstance(end, dt.date)
        bounds = [cast(text(d.isoformat()), "DATE") for d in (start, end)]
        return both(exp.GTE(this=day.copy(), expression=bounds[0]), exp.LTE(this=day.copy(), expression=bounds[1]))

    def _dated(self, made: TableDef, query: exp.Select) -> exp.Select:
        """Add #date where something dates the rows."""
        rows = self._rows(query.subquery(), made)
        if made.date is not None:
            day = Lowering(rows).value(made.date.node)
        elif made.unfold is not None and has_date(self.pack, made.unfold.source):
            day = rows.column(Name(DATE_TYPE, True, (0, 0), ("#source",), made.unfold.source, "#date"))
        else:
            return query
        return rows.select(exp.column(exp.Star(), table="r"), named(day, "#date"))

    def _count(self, made: TableDef) -> None:
        """Count the records outside the year and those filled in."""
        rows = exp.alias_(table(made.name), "r", table=True)
        if made.date is not None:
            inside = exp.Coalesce(this=self._in_year(column("#date", "r")), expressions=[exp.false()])
            if outside := self.db.count(rows, exp.Not(this=exp.paren(inside))):
                self.loaded.outside[made.name] = outside
        if made.expected is not None:
            if filled := self.db.count(rows, column("is_filled", "r")):
                self.loaded.filled[made.name] = filled


def raw_name(made: TableDef, place: int) -> str:
    """Return what the raw rows of one sheet are called while a table claims them."""
    return f"sheet{place}_{made.name}"


def _workbook_error(words: SQL) -> tuple[SQL, SQL]:
    """Return the case that a cell shows an error of the workbook's, such as #N/A."""
    return exp.In(this=words.copy(), expressions=[text(e) for e in EXCEL_ERRORS]), text("an error of the workbook")


def has_date(pack: Pack, name: str) -> bool:
    """Whether a date decides which year the rows of a table count in."""
    made = pack.tables[name]
    return made.date is not None or (made.unfold is not None and has_date(pack, made.unfold.source))


def _sql_type(kind: Type) -> str:
    names = {"text": "TEXT", "date": "DATE", "boolean": "BOOLEAN"}
    return names.get(kind.base, "BIGINT")
