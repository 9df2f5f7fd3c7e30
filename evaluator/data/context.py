"""What the steps from raw text to typed tables share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache

from sqlglot import exp

from evaluator.data.appeals import Amended, Amendments, Place
from evaluator.data.parquet_files import rows_of
from evaluator.data.run_before import RunBefore
from evaluator.data.sheets import Sheet
from evaluator.diagnostics import Problems
from evaluator.doing import Doing
from evaluator.pack.definitions import OTHERS, FieldDef, Pack, TableDef, subject_of
from evaluator.pack.windows import counted_from
from evaluator.sql.backend import Database
from evaluator.sql.rows import PLACE, Rows
from evaluator.sql.trees import SQL, both, cast, column, is_null, table, text, type_named

REJECTS = table("rejects", "work")


def _is_named(name: str, wanted: str) -> bool:
    """Whether a sheet has a name, in which * stands for anything and ? for any one letter.

    >>> [_is_named("works-[3]", wanted) for wanted in ("works-[3]", "works-*", "works-?", "work")]
    [True, True, False, False]
    """
    return name == wanted or fnmatchcase(name, wanted.replace("[", "[[]"))


@dataclass(slots=True)
class Loaded:
    """What the data stage leaves beside its tables."""

    sheets: list[Sheet]
    rejects: int = 0
    rows: dict[str, int] = field(default_factory=dict)  # table -> how many it has
    outside: dict[str, int] = field(default_factory=dict)  # table -> records outside the year, and of no longer period
    filled: dict[str, int] = field(default_factory=dict)  # table -> rows that ought to exist and were filled
    amended: list[Amended] = field(default_factory=list)  # what appeals changed
    before: RunBefore | None = None
    taken_over: dict[str, frozenset[Place]] = field(default_factory=dict)  # table -> rows that are not as they were


@dataclass(frozen=True, slots=True)
class Raw:
    """The rows of a table's files: the cells as tidy text and as typed values; and the tables in which they lie."""

    rows: exp.Query
    sheets: Sequence[str] = ()


@dataclass(slots=True)
class Context:
    """The pack, the database, and what is under way in it."""

    db: Database
    pack: Pack
    sheets: list[Sheet]
    settings: dict[str, object]
    problems: Problems
    raw: dict[str, Raw] = field(default_factory=dict)  # table -> what its files hold
    others: dict[str, list[tuple[int, list[str]]]] = field(default_factory=dict)  # unfolded table -> source, headings
    empty: set[str] = field(default_factory=set)  # tables nobody entered anything in
    amendments: Amendments = field(default_factory=Amendments)
    progress: Callable[[Doing], None] = lambda _: None
    before: RunBefore | None = None
    taken_over: dict[str, frozenset[Place]] = field(default_factory=dict)  # as in Loaded
    passing: list[exp.Table] = field(default_factory=list)  # what is needed only until the table under way is made

    def stored(self, made: TableDef) -> list[str]:
        """Return the columns a table has before anything is computed: its place, its fields, its lists of names."""
        return [*PLACE, *(f.name for f in made.fields.values() if not f.is_derived), *self.lists(made)]

    def sheets_of(self, made: TableDef) -> list[int]:
        """Return the numbers of the sheets a table is read from: those named as it says, or as its patterns say."""
        return [
            place
            for place, sheet in enumerate(self.sheets)
            if any(_is_named(name, wanted) for name in sheet.names for wanted in made.files)
        ]

    def unfolded(self, made: TableDef) -> list[TableDef]:
        """Return the tables unfolded from cells of this one."""
        return [t for t in self.pack.tables.values() if t.unfold is not None and t.unfold.source == made.name]

    def lists(self, made: TableDef) -> dict[str, str]:
        """Return the columns of text that names or values will be unfolded from, each with its type in SQL."""
        labels = {f"{u.name}#{label}#text": label for u in self.unfolded(made) if u.unfold for label in u.unfold.lists}
        return {name: "TEXT[]" if label == OTHERS else "TEXT" for name, label in labels.items()}

    def listing(self, f: FieldDef) -> exp.DataType | None:
        """Return the type in which the values of a field take less room than as text; None where there is none."""
        if not f.spellings:
            return None
        others = {str(f.default)} if f.default is not None else {""} if f.is_optional else set()
        return self.db.listing({*f.spellings.values(), *others})

    def beside(self, made: TableDef) -> list[str]:
        """Return the columns by which rows are kept together."""
        subject = subject_of(self.pack.kinds, made)
        return [] if subject is None else [subject]

    def make(self, name: str, query: exp.Query, beside: Sequence[str] = ()) -> exp.Table:
        """Make a table of work that goes when the table under way is made."""
        made = table(name, "work")
        self.passing.append(made)
        self.db.create(made, query, beside)
        return made

    def keep(self, tables: list[exp.Table]) -> None:
        """Leave what rows turn out to lie in when the table under way is made."""
        self.passing = [one for one in self.passing if one not in tables]

    def forget(self) -> None:
        """Drop what was needed only until now."""
        for one in self.passing:
            self.db.drop(one)
        self.passing.clear()

    def rows(self, base: SQL, made: TableDef, alias: str = "r") -> Rows:
        """Return rows of a table that expressions can be computed over."""
        return Rows(base, alias, table, self.settings, self.pack, made.name)

    def counts_on(self, made: TableDef, day: SQL) -> SQL:
        """Say in SQL that a day lies in the year, or in another period records of the table are counted over."""
        end = self.settings["period_end"]
        assert isinstance(end, dt.date)
        upto = exp.LTE(this=day.copy(), expression=cast(text(end.isoformat()), "DATE"))
        first = counted_from(self.pack, made.name, self.settings)
        if first is None:
            return upto
        return both(exp.GTE(this=day.copy(), expression=cast(text(first.isoformat()), "DATE")), upto)

    def tell(self, made: TableDef) -> None:
        """Say that the rows of a table are being read, and how many there are."""
        sheets = [self.sheets[place] for place in self.sheets_of(made)]

        @cache
        def rows() -> int:
            return sum(rows_of(one) if one.form == "parquet" else one.text.lines if one.text else 0 for one in sheets)

        self.progress(Doing(f"reading {made.name}", rows, self.db.done))

    def start_rejects(self) -> None:
        """Make the table of rejects, empty."""
        kinds = {
            "table": "TEXT", "#src": "BIGINT", "#row": "BIGINT", "column": "TEXT", "value": "TEXT", "reason": "TEXT",
        }  # fmt: skip
        columns = [
            exp.ColumnDef(this=exp.to_identifier(name, quoted=True), kind=type_named(kind))
            for name, kind in kinds.items()
        ]
        self.db.run(exp.Create(this=exp.Schema(this=REJECTS, expressions=columns), kind="TABLE"))

    def reject(self, query: exp.Select) -> None:
        """Add rows to the rejects."""
        self.db.run(exp.Insert(this=REJECTS, expression=query))


def refused(made: TableDef, source: exp.Table, heading: SQL, value: SQL, reason: SQL) -> exp.Select:
    """Select, as rejects, the rows of a table (as c) that have a reason."""
    return (
        exp.select(text(made.name), column("#src", "c"), column("#row", "c"), heading, value, reason)
        .from_(exp.alias_(source, "c", table=True), copy=False)
        .where(exp.Not(this=is_null(reason)), copy=False)
    )
