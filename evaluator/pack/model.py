"""The shape of a pack: pydantic models of its files, which are also its JSON Schema.

Everything is frozen and refuses unknown keys. Scalars arrive as `Text`, with their position; what a model
holds as `Text` is a name or an expression, what it holds as `Value` is a literal. Score lines, verdicts and
rosters are in `model_judgement`.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from evaluator.pack.model_base import Model, OneOrMore, OrName, OrWord, Widened, exactly_one, short
from evaluator.pack.model_judgement import LONGEST, InForce, Line, PeriodEntry, Roster, SetApart, Verdict
from evaluator.pack.model_proofs import Proofs
from evaluator.pack.scalars import Day, Expression, Flag, MonthDay, Name, Number, Path_, TextType, Value, Whole, Words
from evaluator.pack.source import List, Map, Text

# ---------------------------------------------------------------------------------------------------------
# aggregates: one vocabulary for measures, derived fields and control totals
# ---------------------------------------------------------------------------------------------------------

AGGREGATES = ("count", "sum", "min", "max", "any", "distinct", "rank")


class Aggregating(Model):
    """What may be a value taken from many records."""

    @property
    def function(self) -> str:
        """Which aggregate this is, or `value` for a plain expression."""
        return next(name for name in ("value", *AGGREGATES) if self.has(name))

    @property
    def operand(self) -> Text | None:
        """The expression aggregated; a count has none."""
        return None if self.function == "count" else getattr(self, self.function)

    @property
    def source(self) -> Text | None:
        """The table or kind read; peers and rows of the own table are not named."""
        return next((found for key in ("count", "of") if (found := getattr(self, key)) is not None), None)


class Aggregate(Aggregating):
    """A value taken from many records: count, sum, min, max, any, distinct, or a place among peers."""

    value: Expression | None = Field(None, description="an expression over this kind's own names")
    count: Name | None = Field(None, description="the table or kind whose rows are counted")
    sum: Expression | None = Field(None, description="the value that is added up")
    min: Expression | None = Field(None, description="the value whose least is taken")
    max: Expression | None = Field(None, description="the value whose greatest is taken")
    any: Expression | None = Field(None, description="whether it holds for any row")
    distinct: Expression | None = Field(None, description="the value whose different ones are counted")
    rank: Expression | None = Field(None, description="1 + how many peers come strictly before; may end in desc")
    of: Name | None = Field(None, description="the table or kind the aggregate reads")
    where: Expression | None = Field(None, description="which rows")
    via: Annotated[list[Path_] | None, OneOrMore] = Field(None, description="the ref that leads to the subject")
    within: Expression | None = Field(None, description="peers that agree in this value; or all")
    period: PeriodEntry | None = Field(None, description="which records count: those of the year if left out")
    default: Expression | None = Field(None, description="the value where there is no row (min, max)")
    note: Words | None = Field(None, description="a remark for readers")


class Measure(Aggregate):
    """A named value of a subject: an expression, or an aggregate of its records, children or peers."""

    @model_validator(mode="after")
    def _whole_thing(self) -> Self:
        exactly_one(self, ("value", *AGGREGATES), "a measure")
        if self.function == "value":
            for key in ("of", "where", "via", "within", "period", "default"):
                if self.has(key):
                    raise PydanticCustomError(
                        "together", '"{key}" goes with an aggregate, not with value', {"key": key}
                    )
        elif self.function == "rank" and not self.has("within"):
            raise PydanticCustomError("missing_with", "rank needs within: which peers, or all")
        elif not self.source and not self.has("within"):
            raise PydanticCustomError("missing_with", "{f} needs of: the table it reads", {"f": self.function})
        if self.has("default") and self.function not in ("min", "max", "value"):
            raise PydanticCustomError("together", '"{key}" goes with min and max', {"key": "default"})
        if self.has("count") and self.has("of"):
            raise PydanticCustomError("together", "count names its table itself; of is for the other aggregates")
        return self


MeasureEntry = Annotated[Measure, short("value")]

# ---------------------------------------------------------------------------------------------------------
# parameters
# ---------------------------------------------------------------------------------------------------------


class Match(Model):
    """How an argument finds its row or column: equal to one of, or a band from or up to."""

    is_: list[Value] | None = Field(None, alias="is", description="the arguments, exactly")
    from_: list[Value] | None = Field(
        None, alias="from", description="bounds, ascending: the highest not above the argument"
    )
    up_to: list[Value] | None = Field(None, description="bounds, ascending: the lowest not below the argument")

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, ("is", "from", "up_to"), "a row or column")
        return self

    @property
    def how(self) -> Literal["is", "from", "up_to"]:
        """How an argument is matched."""
        return "is" if self.is_ is not None else "from" if self.from_ is not None else "up_to"

    @property
    def bounds(self) -> list[Any]:
        """The values an argument is matched with, in the order written."""
        return self.is_ or self.from_ or self.up_to or []


class Parameter(Model):
    """A constant, or a table of values called like a function."""

    constant: Value | None = Field(None, description="the one value; a scalar is short for it")
    is_: dict[Words, Value] | None = Field(None, alias="is", description="argument to value, exactly")
    from_: Annotated[dict[Words, Value] | Text | None, OrName(dict[Words, Value])] = Field(
        None, alias="from", description="bound to value: the highest bound not above the argument; of a table, a field"
    )
    up_to: Annotated[dict[Words, Value] | Text | None, OrName(dict[Words, Value])] = Field(
        None, description="bound to value: the lowest bound not below the argument; of a table, a field"
    )
    table: Name | None = Field(None, description="the table or kind the values are read from")
    match: Annotated[list[Path_] | None, OneOrMore] = Field(
        None, description="fields of the table that are equal to the first arguments"
    )
    value: Path_ | None = Field(None, description="the field of the table that holds the values")
    else_: Value | None = Field(None, alias="else", description="the value where nothing fits")
    rows: Match | None = Field(None, description="how the first argument finds its row")
    columns: Match | None = Field(None, description="how the second argument finds its column")
    values: list[list[Value]] | None = Field(None, description="the table of values, row by row")
    note: Words | None = Field(None, description="a remark for readers")
    clause: Words | None = Field(None, description="the clause it rests on")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.table is not None:
            self._read_from_table()
            return self
        exactly_one(self, ("constant", "is", "from", "up_to", "values"), "a parameter")
        for key in ("match", "value"):
            if self.has(key):
                raise PydanticCustomError("together", '"{key}" goes with table', {"key": key})
        for key, bound in (("from", self.from_), ("up_to", self.up_to)):
            if isinstance(bound, Text):
                message = '"{key}" is a mapping, unless table: says what it is a field of'
                raise PydanticCustomError("together", message, {"key": key})
        if self.values is not None:
            if self.rows is None or self.columns is None:
                raise PydanticCustomError("missing_with", "values need rows and columns")
            shape = (len(self.rows.bounds), len(self.columns.bounds))
            if len(self.values) != shape[0] or any(len(row) != shape[1] for row in self.values):
                raise PydanticCustomError("shape", "values must be {r} rows of {c}", {"r": shape[0], "c": shape[1]})
        elif self.rows or self.columns:
            raise PydanticCustomError("together", "rows and columns go with values")
        if self.has("constant") and self.has("else"):
            raise PydanticCustomError("together", "a constant has no else")
        return self

    def _read_from_table(self) -> None:
        for key in ("constant", "is", "rows", "columns", "values"):
            if self.has(key):
                raise PydanticCustomError("together", '"{key}" does not go with table', {"key": key})
        if self.value is None:
            raise PydanticCustomError("missing_with", "table needs value: the field that holds the values")
        if not (self.match or self.has("from") or self.has("up_to")):
            raise PydanticCustomError("missing_with", "table needs match, from or up_to: how arguments find their row")
        if self.has("from") and self.has("up_to"):
            raise PydanticCustomError("together", '"{key}" does not go with from', {"key": "up_to"})
        for key, bound in (("from", self.from_), ("up_to", self.up_to)):
            if isinstance(bound, dict):
                raise PydanticCustomError("together", 'with table, "{key}" names a field', {"key": key})

    @property
    def bands(self) -> dict[Text, Any]:
        """The values by argument or bound, where the parameter writes them down that way."""
        return next((found for found in (self.is_, self.from_, self.up_to) if isinstance(found, dict)), {})

    @property
    def how(self) -> Literal["is", "from", "up_to"]:
        """How the one argument, or the last one where values are read from a table, is matched."""
        return "from" if self.from_ is not None else "up_to" if self.up_to is not None else "is"


ParameterEntry = Annotated[Parameter, short("constant")]

# ---------------------------------------------------------------------------------------------------------
# tables
# ---------------------------------------------------------------------------------------------------------


def _spellings(value: Any) -> Any:
    """Take a list of values for a mapping from each to no further spellings."""
    if isinstance(value, List) and all(isinstance(item, Text) for item in value):
        return Map({item: List([], item.at) for item in value}, value.at)
    return value


_WithoutSpellings = Widened(
    _spellings, {"type": "array", "items": {"type": ["string", "number", "boolean"], "description": "text"}}
)


class FieldModel(Aggregating):
    """A field of a record: read from a column of the sheet, or derived from other fields of this or other records."""

    type: Literal["text", "number", "integer", "boolean", "date"] | None = Field(
        None, description="what a cell holds; a scalar is short for it"
    )
    one_of: Annotated[dict[Words, list[Words]] | None, _WithoutSpellings] = Field(
        None, description="the values allowed, each with the other spellings it may have in a sheet"
    )
    ref: Name | None = Field(None, description="the table or kind the value is a key of")
    by: Annotated[list[Name] | None, OneOrMore] = Field(None, description="the fields of it a cell may hold")
    value: Expression | None = Field(None, description="the field is derived: an expression over the record")
    count: Name | None = Field(None, description="the field is derived: how many rows of this table or kind")
    sum: Expression | None = Field(None, description="derived: a value added up")
    min: Expression | None = Field(None, description="derived: the least value")
    max: Expression | None = Field(None, description="derived: the greatest value")
    any: Expression | None = Field(None, description="derived: whether it holds for any row")
    distinct: Expression | None = Field(None, description="derived: how many different values")
    of: Name | None = Field(None, description="the table or kind the aggregate reads; its own, with same, if left out")
    where: Expression | None = Field(None, description="which rows")
    via: Annotated[list[Path_] | None, OneOrMore] = Field(None, description="the ref that leads here from those rows")
    same: Annotated[list[Expression] | None, OneOrMore] = Field(
        None, description="rows that agree with this one in these values, instead of those that refer to it"
    )
    columns: Annotated[list[Words] | None, OneOrMore] = Field(None, description="headings of the column")
    optional: Flag = Field(False, description="whether the cell may be empty")
    default: Value | None = Field(None, description="the value of an empty cell; of min and max without any row")
    note: Words | None = Field(None, description="a remark for readers")

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, ("type", "one_of", "ref", "value", *AGGREGATES[:-1]), "a field")
        if self.has("by") and not self.has("ref"):
            raise PydanticCustomError("together", "by goes with ref")
        if self.is_derived:
            for key in ("columns", "optional", "default"):
                if self.has(key) and not (key == "default" and self.function in ("min", "max")):
                    message = '"{key}" does not go with {function}'
                    raise PydanticCustomError("together", message, {"key": key, "function": self.function})
        if self.is_aggregate:
            self._reads_rows()
        else:
            for key in ("of", "where", "via", "same"):
                if self.has(key):
                    raise PydanticCustomError("together", '"{key}" goes with an aggregate', {"key": key})
        if self.has("default") and (self.has("ref") or self.optional):
            raise PydanticCustomError("together", "a default goes neither with ref nor with optional")
        return self

    def _reads_rows(self) -> None:
        if self.source is None and not self.has("same"):
            message = "{f} needs of: the table it reads, or same: what rows of this table agree in"
            raise PydanticCustomError("missing_with", message, {"f": self.function})
        if self.has("count") and self.has("of"):
            raise PydanticCustomError("together", "count names its table itself; of is for the other aggregates")
        if self.has("via") and self.has("same"):
            raise PydanticCustomError("together", '"{key}" does not go with same', {"key": "via"})

    @property
    def is_derived(self) -> bool:
        """Whether the field is computed, not read from a cell."""
        return self.has("value") or self.is_aggregate

    @property
    def is_aggregate(self) -> bool:
        """Whether the field is a value taken from many rows."""
        return any(self.has(key) for key in AGGREGATES)


FieldEntry = Annotated[FieldModel, short("type")]


class Expected(Model):
    """Rows that ought to exist: all combinations of what these refs lead to, filled where they are missing."""

    every: Annotated[list[Name], OneOrMore] = Field(
        description="refs of the key: all combinations of what they lead to"
    )
    where: Expression | None = Field(None, description="which combinations")
    fill: dict[Name, Value] = Field(description="the fields of a row that is filled in")


class Table(Model):
    """A table of records, read from files or sheets or unfolded from the cells of another."""

    files: Annotated[list[Words] | None, OneOrMore] = Field(None, description="names of files or sheets")
    key: Annotated[list[Name] | None, OneOrMore] = Field(None, description="the fields that identify a row")
    date: Expression | None = Field(None, description="decides which year a record counts in")
    fields: dict[Name, FieldEntry] = Field({}, description="the fields of a row, by name")
    unfold: Name | None = Field(None, description="the table whose cells hold several names")
    into: Name | None = Field(None, description="the kind the names are of")
    label: Name | None = Field(None, description="the field that tells from which column a name or value came")
    value: Name | None = Field(None, description="the field that cells hold, where they hold no names")
    columns: Annotated[dict[Words, Annotated[list[Words], OneOrMore]] | None, OrWord("others")] = Field(
        None, description="label to the headings of the cells that are unfolded; or each other column by its heading"
    )
    separators: Annotated[list[Words] | None, OneOrMore] = Field(
        None, description="what stands between two names in a cell"
    )
    blanks: Annotated[list[Words], OneOrMore] = Field([], description="what a cell may hold that counts as empty")
    expected: Expected | None = Field(None, description="rows that ought to exist")
    note: Words | None = Field(None, description="a remark for readers")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.unfold is not None:
            for key in ("columns", "fields"):
                if not self.has(key):
                    raise PydanticCustomError("missing_with", "unfold needs {key}", {"key": key})
            exactly_one(self, ("into", "value"), "what is unfolded")
            if self.value is not None and self.separators is not None:
                raise PydanticCustomError("together", '"{key}" goes with into', {"key": "separators"})
            for key in ("files", "key", "blanks", "expected", *(() if self.has_other_columns else ("date",))):
                if self.has(key):
                    raise PydanticCustomError(
                        "together", '"{key}" does not go with unfold: it has that of its source', {"key": key}
                    )
        else:
            for key in ("into", "label", "value", "columns", "separators"):
                if self.has(key):
                    raise PydanticCustomError("together", '"{key}" goes with unfold', {"key": key})
            if not self.has("key"):
                raise PydanticCustomError("missing_with", "a table needs key: the fields that identify a row")
        return self

    @property
    def has_other_columns(self) -> bool:
        """Whether each remaining column of the source is unfolded, its heading being the label."""
        return self.columns is not None and not self.columns


class Kind(Table):
    """A table whose rows are judged."""

    subject: Name = Field(description="the name of the kind")
    display: Name | None = Field(None, description="the field by which a subject is shown; the key if left out")
    not_assessed: list[SetApart] = Field([], description="who is listed without total and verdicts")
    not_ranked: list[SetApart] = Field([], description="who is judged without rank")
    measures: dict[Name, MeasureEntry] = Field({}, description="named values of a subject")
    score: Line | None = Field(None, description="the outermost line; its value is total")
    verdicts: dict[Name, Verdict] = Field({}, description="what is concluded, by name")
    rosters: list[Roster] = Field([], description="ranked lists")
    prove: Proofs | None = Field(None, description="what is stated of every possible subject, for evaluator prove")


# ---------------------------------------------------------------------------------------------------------
# the pack
# ---------------------------------------------------------------------------------------------------------


class Clause(Model):
    """A sentence of the source that rules rest on."""

    text: Words = Field(description="the sentence, as the source has it")
    source: Words = Field(description="where it stands")
    note: Words | None = Field(None, description="a remark for readers")


class Period(Model):
    """The stretch of time a year's assessment covers."""

    months: Whole = Field(12, description="how long it is")
    ending: MonthDay = Field((12, 31), description="the day of the year it ends on; 02-28 is the last of February")

    @model_validator(mode="after")
    def _some_months(self) -> Self:
        if not 1 <= self.months <= LONGEST:
            raise PydanticCustomError("value", "a period has from 1 to {n} months", {"n": LONGEST})
        return self

    def ends(self, year: int) -> dt.date:
        """Return the last day of a year's period.

        >>> Period.model_construct(months=12, ending=(2, 28)).ends(2020)
        datetime.date(2020, 2, 29)
        """
        if self.ending == (2, 28):
            return dt.date(year, 3, 1) - dt.timedelta(days=1)
        return dt.date(year, *self.ending)


class History(Model):
    """What a year without result does where earlier years are looked back on."""

    gap: Literal["breaks", "skipped"] = Field(
        description="what such a year does to years running: breaks them, or is skipped"
    )


class Term(Model):
    """A term of office."""

    name: Words = Field(description="what it is called")
    from_: Day = Field(alias="from", description="its first day")
    to: Day = Field(description="its last day")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to < self.from_:
            raise PydanticCustomError("value", "a term ends after it begins")
        return self


class Holidays(Model):
    """Days that are no working days though they are weekdays, and the reverse."""

    off: list[Day] = Field([], description="days on which nobody works, Saturdays and Sundays among them or not")
    worked: list[Day] = Field([], description="Saturdays and Sundays that are worked")


class AppealTerms(Model):
    """Until when a result can be appealed, and before whom."""

    within: Whole = Field(description="working days after the publication")
    by: Words | None = Field(None, description="who decides")
    clause: Words | None = Field(None, description="the clause it rests on")

    @model_validator(mode="after")
    def _some_days(self) -> Self:
        if self.within < 1:
            raise PydanticCustomError("value", "an appeal needs at least one working day")
        return self


class Control(Aggregate):
    """A published total that a run must reach."""

    equals: Number | None = Field(None, description="the published figure")
    at_least: Number | None = Field(None, description="the published figure, where it is a lower bound")
    year: Whole = Field(description="the year it was published for")
    differs: Words | None = Field(None, description="why the source disagrees with itself: shown, no error")
    clause: Words | None = Field(None, description="the clause it rests on")

    @model_validator(mode="after")
    def _whole_thing(self) -> Self:
        exactly_one(self, ("count", "sum", "distinct"), "a control total")
        exactly_one(self, ("equals", "at_least"), "a control total")
        for key in ("value", "min", "max", "any", "rank", "via", "within", "default"):
            if self.has(key):
                raise PydanticCustomError("together", '"{key}" does not go with a control total', {"key": key})
        if not self.source:
            raise PydanticCustomError("missing_with", "{f} needs of: the table it reads", {"f": self.function})
        return self


class PackFile(Model):
    """pack.yaml: names, clauses, parameters, tables, control totals."""

    pack: Annotated[Text, TextType("the name of the pack: letters, digits, _ and -", r"[^\W_][\w-]*\Z")]
    title: dict[Name, Words] = Field(description="what the pack is called, by language")
    language: Literal["zh", "en"] = Field(description="the language of reports")
    period: Period = Field(default_factory=lambda: Period.model_construct(), description="what counts in a year")
    in_force: InForce | None = Field(None, description="the years the pack may be used for")
    follows: Annotated[list[Words], OneOrMore] = Field(
        [], description="names of the packs whose results are this one's history"
    )
    terms: list[Term] = Field([], description="terms of office, for what is counted over one")
    holidays: Holidays = Field(
        default_factory=lambda: Holidays.model_construct(off=[], worked=[]), description="for working days"
    )
    history: History | None = Field(None, description="how years follow each other")
    appeals: AppealTerms | None = Field(None, description="until when a result can be appealed")
    clauses: dict[Name, Clause] = Field({}, description="the sentences rules rest on, by name")
    parameters: dict[Name, ParameterEntry] = Field({}, description="numbers, words and tables of values, by name")
    tables: dict[Name, Table] = Field({}, description="the tables of records, by name")
    reconcile: list[Control] = Field([], description="published figures a run must reach")
    labels: dict[Literal["zh", "en"], dict[Words, Words]] = Field(
        {}, description="what readers see for the names and values of the pack, by language"
    )
