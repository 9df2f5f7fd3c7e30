"""The shape of a pack: pydantic models of its files, which are also its JSON Schema.

Everything is frozen and refuses unknown keys. Scalars arrive as `Text`, with their position; what a model
holds as `Text` is a name or an expression, what it holds as `Value` is a literal.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from evaluator.diagnostics import Problems, Span, closest, rename_to
from evaluator.pack.source import List, Map, Text

NAME = re.compile(r"[^\W\d]\w*\Z")
NUMBER = re.compile(r"-?\d+(\.\d+)?\Z")
DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)\Z")

# ---------------------------------------------------------------------------------------------------------
# scalars
# ---------------------------------------------------------------------------------------------------------


class _TextType:
    """Let pydantic hold a Text as it is, position and all."""

    def __init__(self, description: str, pattern: str | None = None) -> None:
        self.description, self.pattern = description, pattern

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def accept(value: Any) -> Text:
            if not isinstance(value, Text):
                raise PydanticCustomError("text", "expected {what}", {"what": self.description})
            if self.pattern and not re.match(self.pattern, value):
                raise PydanticCustomError("name", "expected {what}", {"what": self.description})
            return value

        return core_schema.no_info_plain_validator_function(accept)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        # an expression or a heading may look like a number or a truth value to an editor
        shown: dict[str, Any] = {"type": ["string", "number", "boolean"], "description": self.description}
        if self.pattern:
            shown = {
                "type": "string",
                # editors know classes of letters by their Unicode names
                "pattern": "^" + self.pattern.replace(r"[^\W\d]\w*", r"[\p{L}_][\p{L}\p{N}_]*").replace(r"\Z", "$"),
                "description": self.description,
            }
        return shown


Words = Annotated[Text, _TextType("text")]
Name = Annotated[Text, _TextType("a name: letters of any script, digits, _", NAME.pattern)]
Expression = Annotated[Text, _TextType("an expression")]
Path_ = Annotated[Text, _TextType("a name, or names joined by dots")]


def literal(text: Any) -> Decimal | bool | dt.date | str:
    """Read a scalar as the number, truth value, date or text it spells; quoted ones are text."""
    if not isinstance(text, Text):
        raise PydanticCustomError("value", "expected a number, true, false, a date or text")
    if text.plain:
        if NUMBER.match(text):
            return Decimal(text)
        if text in ("true", "false"):
            return text == "true"
        if DATE.match(text):
            try:
                return dt.date.fromisoformat(text)
            except ValueError:
                raise PydanticCustomError("value", "there is no such date") from None
    return text


def exact(value: object) -> object:
    """Return a literal as expressions hold it: numbers as fractions, text as plain text."""
    if isinstance(value, Decimal):
        return Fraction(value)
    return str(value) if isinstance(value, str) else value


Value = Annotated[
    Any,
    BeforeValidator(literal),
    WithJsonSchema({"type": ["string", "number", "boolean"], "description": "a literal"}),
]


def _number(text: Any) -> Decimal:
    value = literal(text)
    if not isinstance(value, Decimal):
        raise PydanticCustomError("value", "expected a number")
    return value


def _whole(text: Any) -> int:
    value = literal(text)
    if not isinstance(value, Decimal) or value != value.to_integral_value():
        raise PydanticCustomError("value", "expected a whole number")
    return int(value)


def _flag(text: Any) -> bool:
    value = literal(text)
    if not isinstance(value, bool):
        raise PydanticCustomError("value", "expected true or false")
    return value


def _day(text: Any) -> dt.date:
    value = literal(text)
    if not isinstance(value, dt.date):
        raise PydanticCustomError("value", "expected a date such as 2021-12-31")
    return value


def _month_day(text: Any) -> tuple[int, int]:
    match = re.match(r"(\d\d)-(\d\d)\Z", text) if isinstance(text, Text) else None
    if not match:
        raise PydanticCustomError("value", "expected a day of the year such as 12-31")
    month, day = int(match[1]), int(match[2])
    try:
        dt.date(2021, month, day)
    except ValueError:
        raise PydanticCustomError("value", "there is no such day in every year") from None
    return month, day


Number = Annotated[Any, BeforeValidator(_number), WithJsonSchema({"type": "number"})]
Whole = Annotated[int, BeforeValidator(_whole), WithJsonSchema({"type": "integer"})]
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
Day = Annotated[dt.date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
MonthDay = Annotated[
    tuple[int, int],
    BeforeValidator(_month_day),
    WithJsonSchema({"type": "string", "pattern": r"^\d\d-\d\d$"}),
]


def _listed(value: Any) -> Any:
    """Take a single scalar for a list of one."""
    return List([value], value.at) if isinstance(value, Text) else value


class _Widened:
    """Take a scalar where a list or a mapping is meant, in files and in their schema."""

    def __init__(self, widen: Callable[[Any], Any]) -> None:
        self.widen = widen

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.widen, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": ["string", "number", "boolean"]}, handler(schema)]}


OneOrMore = _Widened(_listed)


def _short(key: str) -> _Widened:
    """Take a scalar for the mapping {key: scalar}."""

    def widen(value: Any) -> Any:
        return Map({Text(key, value.at): value}, value.at) if isinstance(value, Text) else value

    return _Widened(widen)


# ---------------------------------------------------------------------------------------------------------
# the base of every model
# ---------------------------------------------------------------------------------------------------------


class Model(BaseModel):
    """A mapping of a pack file: frozen, strict, and it knows where it and its keys stand."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, populate_by_name=True, defer_build=True
    )
    _at: Span = PrivateAttr()
    _keys: dict[str, Span] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _keep_place(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(value, Map):
            raise PydanticCustomError("mapping", "expected a mapping")
        made = handler(value)
        made._at = value.at
        made._keys = {str(key): key.at for key in value}
        return made

    @property
    def at(self) -> Span:
        """Where the mapping begins."""
        return self._at

    def key_at(self, key: str) -> Span:
        """Where a key stands; the mapping itself where the key is not written."""
        return self._keys.get(key, self._at)

    def has(self, key: str) -> bool:
        """Whether the author wrote the key."""
        return key in self._keys


def _exactly_one(model: Model, keys: Iterable[str], what: str) -> None:
    given = [key for key in keys if model.has(key)]
    if len(given) != 1:
        raise PydanticCustomError(
            "choice",
            "{what} has exactly one of {keys}; this one has {given}",
            {"what": what, "keys": ", ".join(keys), "given": " and ".join(given) or "none"},
        )


# ---------------------------------------------------------------------------------------------------------
# aggregates: one vocabulary for measures, derived fields and control totals
# ---------------------------------------------------------------------------------------------------------

AGGREGATES = ("count", "sum", "min", "max", "any", "distinct", "rank")


class Aggregate(Model):
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
    default: Expression | None = Field(None, description="the value where there is no row (min, max)")
    note: Words | None = Field(None, description="a remark for readers")

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
        """The table or kind read; peers read their own kind, which is not named."""
        return self.count or self.of


class Measure(Aggregate):
    """A named value of a subject: an expression, or an aggregate of its records, children or peers."""

    @model_validator(mode="after")
    def _whole_thing(self) -> Self:
        _exactly_one(self, ("value", *AGGREGATES), "a measure")
        if self.function == "value":
            for key in ("of", "where", "via", "within", "default"):
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


MeasureEntry = Annotated[Measure, _short("value")]

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
        _exactly_one(self, ("is", "from", "up_to"), "a row or column")
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
    from_: dict[Words, Value] | None = Field(
        None, alias="from", description="bound to value: the highest bound not above the argument"
    )
    up_to: dict[Words, Value] | None = Field(
        None, description="bound to value: the lowest bound not below the argument"
    )
    else_: Value | None = Field(None, alias="else", description="the value where nothing fits")
    rows: Match | None = Field(None, description="how the first argument finds its row")
    columns: Match | None = Field(None, description="how the second argument finds its column")
    values: list[list[Value]] | None = Field(None, description="the table of values, row by row")
    note: Words | None = Field(None, description="a remark for readers")
    clause: Words | None = Field(None, description="the clause it rests on")

    @model_validator(mode="after")
    def _one(self) -> Self:
        _exactly_one(self, ("constant", "is", "from", "up_to", "values"), "a parameter")
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


ParameterEntry = Annotated[Parameter, _short("constant")]

# ---------------------------------------------------------------------------------------------------------
# tables
# ---------------------------------------------------------------------------------------------------------


def _spellings(value: Any) -> Any:
    """Take a list of values for a mapping from each to no further spellings."""
    if isinstance(value, List) and all(isinstance(item, Text) for item in value):
        return Map({item: List([], item.at) for item in value}, value.at)
    return value


class FieldModel(Model):
    """A field of a record: read from a column of the sheet, or derived from the record's other fields."""

    type: Literal["text", "number", "integer", "boolean", "date"] | None = Field(
        None, description="what a cell holds; a scalar is short for it"
    )
    one_of: Annotated[dict[Words, list[Words]] | None, BeforeValidator(_spellings)] = Field(
        None, description="the values allowed, each with the other spellings it may have in a sheet"
    )
    ref: Name | None = Field(None, description="the table or kind the value is a key of")
    by: Annotated[list[Name] | None, OneOrMore] = Field(None, description="the fields of it a cell may hold")
    value: Expression | None = Field(None, description="the field is derived: an expression over the record")
    columns: Annotated[list[Words] | None, OneOrMore] = Field(None, description="headings of the column")
    optional: Flag = Field(False, description="whether the cell may be empty")
    default: Value | None = Field(None, description="the value of an empty cell")
    note: Words | None = Field(None, description="a remark for readers")

    @model_validator(mode="after")
    def _one(self) -> Self:
        _exactly_one(self, ("type", "one_of", "ref", "value"), "a field")
        if self.has("by") and not self.has("ref"):
            raise PydanticCustomError("together", "by goes with ref")
        if self.has("value"):
            for key in ("columns", "optional", "default"):
                if self.has(key):
                    raise PydanticCustomError("together", '"{key}" does not go with value', {"key": key})
        if self.has("default") and (self.has("ref") or self.optional):
            raise PydanticCustomError("together", "a default goes neither with ref nor with optional")
        return self


FieldEntry = Annotated[FieldModel, _short("type")]


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
    label: Name | None = Field(None, description="the field that tells from which column a name came")
    columns: dict[Words, Annotated[list[Words], OneOrMore]] | None = Field(
        None, description="label to the headings of the cells that are unfolded"
    )
    separators: Annotated[list[Words] | None, OneOrMore] = Field(
        None, description="what stands between two names in a cell"
    )
    expected: Expected | None = Field(None, description="rows that ought to exist")
    note: Words | None = Field(None, description="a remark for readers")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.unfold is not None:
            for key in ("into", "columns", "fields"):
                if not self.has(key):
                    raise PydanticCustomError("missing_with", "unfold needs {key}", {"key": key})
            for key in ("files", "key", "date", "expected"):
                if self.has(key):
                    raise PydanticCustomError(
                        "together", '"{key}" does not go with unfold: it has that of its source', {"key": key}
                    )
        else:
            for key in ("into", "label", "columns", "separators"):
                if self.has(key):
                    raise PydanticCustomError("together", '"{key}" goes with unfold', {"key": key})
            if not self.has("key"):
                raise PydanticCustomError("missing_with", "a table needs key: the fields that identify a row")
        return self


# ---------------------------------------------------------------------------------------------------------
# judgement
# ---------------------------------------------------------------------------------------------------------


class Line(Model):
    """A line of the score: points of a subject, of each of its records, or the sum of further lines."""

    id: Name | None = Field(None, description="what the line is called; needed for items")
    when: Expression | None = Field(None, description="the subjects the line applies to")
    each: Name | None = Field(None, description="the table whose records bring points")
    where: Expression | None = Field(None, description="which records")
    via: Annotated[list[Path_] | None, OneOrMore] = Field(None, description="the ref that leads to the subject")
    points: Expression | None = Field(None, description="of each record, or of the subject")
    again: Flag = Field(False, description="its records may already have counted in an earlier line")
    base: Expression | None = Field(None, description="points before any other")
    items: list[Annotated[Line, AfterValidator(lambda line: _has_id(line))]] | None = Field(
        None, description="the lines that add up to this one"
    )
    min: Expression | None = Field(None, description="the least it comes to")
    max: Expression | None = Field(None, description="the most it comes to")
    clause: Words | None = Field(None, description="the clause it rests on")
    note: Words | None = Field(None, description="a remark for readers")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.has("each"):
            if not self.has("points") or self.has("items"):
                raise PydanticCustomError("choice", "a line with each has points, and no items")
        else:
            _exactly_one(self, ("points", "items"), "a line without each")
            for key in ("where", "via", "again"):
                if self.has(key):
                    raise PydanticCustomError("together", '"{key}" goes with each', {"key": key})
        return self


def _has_id(line: Line) -> Line:
    if line.id is None:
        raise PydanticCustomError("missing_with", "every item of a score needs an id")
    return line


class Rule(Model):
    """One rule of a verdict: its value and when it holds, or the value otherwise."""

    is_: Value | None = Field(None, alias="is", description="the value, if the rule decides")
    when: Expression | None = Field(None, description="when the rule holds")
    otherwise: Value | None = Field(None, description="the value if no rule above holds")
    clause: Words | None = Field(None, description="the clause it rests on")
    note: Words | None = Field(None, description="a remark for readers")
    action: Words | None = Field(None, description="what is proposed where the rule decides")
    by: Words | None = Field(None, description="the body that decides on the proposal")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.has("otherwise"):
            if self.has("is") or self.has("when"):
                raise PydanticCustomError("together", "otherwise stands alone")
        elif not (self.has("is") and self.has("when")):
            raise PydanticCustomError("missing_with", "a rule has is and when, or otherwise")
        return self


class Verdict(Model):
    """A conclusion about a subject: by rules, yes or no, by a formula, or by quota."""

    rules: list[Rule] | None = Field(None, description="rules, first to last")
    pick: Literal["first", "one", "highest"] = Field("first", description="which of the rules that hold decides")
    levels: list[Value] | None = Field(None, description="its values, worst to best")
    optional: Flag = Field(False, description="whether it may be unknown")
    when: Expression | None = Field(None, description="when it is yes; of a quota, when it is held")
    value: Expression | None = Field(None, description="the formula")
    take: Expression | None = Field(None, description="how many are chosen")
    among: Expression | None = Field(None, description="who is eligible")
    within: Expression | None = Field(None, description="the groups that are chosen from apart")
    order_by: Annotated[list[Expression] | None, OneOrMore] = Field(
        None, description="who comes first; each may end in desc"
    )
    ties: Literal["include", "exclude", "stop"] | None = Field(
        None, description="what becomes of those who tie at the edge"
    )
    action: Words | None = Field(None, description="what is proposed where it is yes")
    by: Words | None = Field(None, description="the body that decides on the proposal")
    clause: Words | None = Field(None, description="the clause it rests on")
    note: Words | None = Field(None, description="a remark for readers")

    @property
    def form(self) -> Literal["rules", "yes_no", "formula", "quota"]:
        """How the verdict is reached."""
        if self.rules is not None:
            return "rules"
        if self.value is not None:
            return "formula"
        return "quota" if self.take is not None else "yes_no"

    @model_validator(mode="after")
    def _one(self) -> Self:
        allowed = {
            "rules": {"rules", "pick", "levels", "optional"},
            "yes_no": {"when"},
            "formula": {"value", "levels", "optional"},
            "quota": {"take", "among", "within", "order_by", "ties", "when"},
        }[self.form]
        if self.form == "yes_no" and not self.has("when"):
            raise PydanticCustomError("choice", "a verdict has one of rules, when, value, take")
        for key in (
            "rules",
            "pick",
            "levels",
            "optional",
            "when",
            "value",
            "take",
            "among",
            "within",
            "order_by",
            "ties",
        ):
            if self.has(key) and key not in allowed:
                raise PydanticCustomError(
                    "together", '"{key}" does not go with {form}', {"key": key, "form": self._form_key()}
                )
        if self.form == "quota":
            for key in ("among", "order_by", "ties"):
                if not self.has(key):
                    raise PydanticCustomError("missing_with", "a quota needs {key}; there is no default", {"key": key})
        if self.form == "rules" and self.pick == "highest" and not self.levels:
            raise PydanticCustomError("missing_with", "pick: highest needs levels")
        return self

    def _form_key(self) -> str:
        return {"rules": "rules", "yes_no": "when", "formula": "value", "quota": "take"}[self.form]


class SetApart(Model):
    """Subjects that are set apart, and why."""

    when: Expression = Field(description="who is set apart")
    reason: Words = Field(description="why, as readers see it")


class Roster(Model):
    """A ranked list of a kind's subjects."""

    id: Name = Field(description="what the roster is called, after its kind")
    where: Expression | None = Field(None, description="who is listed")
    order_by: Annotated[list[Expression], OneOrMore] = Field(description="who comes first; each may end in desc")
    rank: Literal["competition", "dense", "ordinal"] = Field(
        "competition", description="how ties are counted: 1 2 2 4, 1 2 2 3, or 1 2 3 4"
    )
    within: Expression | None = Field(None, description="the groups that are ranked apart")
    columns: Annotated[list[Path_], OneOrMore] = Field(description="names of values, and rank")


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
    ending: MonthDay = Field((12, 31), description="the day of the year it ends on")


class History(Model):
    """What a year without result does to a run of years."""

    gap: Literal["breaks", "skipped"] = Field(description="breaks, or skipped")


class Control(Aggregate):
    """A published total that a run must reach."""

    equals: Number | None = Field(None, description="the published figure")
    at_least: Number | None = Field(None, description="the published figure, where it is a lower bound")
    year: Whole = Field(description="the year it was published for")
    differs: Words | None = Field(None, description="why the source disagrees with itself: shown, no error")
    clause: Words | None = Field(None, description="the clause it rests on")

    @model_validator(mode="after")
    def _whole_thing(self) -> Self:
        _exactly_one(self, ("count", "sum", "distinct"), "a control total")
        _exactly_one(self, ("equals", "at_least"), "a control total")
        for key in ("value", "min", "max", "any", "rank", "via", "within", "default"):
            if self.has(key):
                raise PydanticCustomError("together", '"{key}" does not go with a control total', {"key": key})
        if not self.source:
            raise PydanticCustomError("missing_with", "{f} needs of: the table it reads", {"f": self.function})
        return self


class PackFile(Model):
    """pack.yaml: names, clauses, parameters, tables, control totals."""

    pack: Annotated[Text, _TextType("the name of the pack: letters, digits, _ and -", r"[^\W_][\w-]*\Z")]
    title: dict[Name, Words] = Field(description="what the pack is called, by language")
    language: Literal["zh", "en"] = Field(description="the language of reports")
    period: Period = Field(default_factory=lambda: Period.model_construct(), description="what counts in a year")
    history: History | None = Field(None, description="how years follow each other")
    clauses: dict[Name, Clause] = Field({}, description="the sentences rules rest on, by name")
    parameters: dict[Name, ParameterEntry] = Field({}, description="numbers, words and tables of values, by name")
    tables: dict[Name, Table] = Field({}, description="the tables of records, by name")
    reconcile: list[Control] = Field([], description="published figures a run must reach")
    labels: dict[Literal["zh", "en"], dict[Words, Words]] = Field(
        {}, description="what readers see for the names and values of the pack, by language"
    )


# ---------------------------------------------------------------------------------------------------------
# reading
# ---------------------------------------------------------------------------------------------------------

M = TypeVar("M", bound="Model")

_KIND_OF_ERROR: dict[str, str] = {
    "extra_forbidden": "P104",
    "missing": "P201",
    "missing_with": "P201",
    "together": "P203",
    "choice": "P203",
    "name": "P204",
}


def read_model(model: type[M], tree: Map, problems: Problems) -> M | None:
    """Return the tree as a model, or None after noting every problem at the key that is wrong."""
    try:
        return model.model_validate(tree)
    except ValidationError as wrong:
        for error in wrong.errors(include_url=False):
            _note(model, tree, error, problems)
        return None


def _note(model: type[Model], tree: Map, error: Any, problems: Problems) -> None:
    path = [step for step in error["loc"] if not str(step).startswith(("function-", "list[", "dict["))]
    at, here, holder, name = _find(tree, path)
    code = _KIND_OF_ERROR.get(error["type"], "P202")
    message, fix = str(error["msg"]), None
    culprit = str(error.get("ctx", {}).get("key", ""))
    if isinstance(here, Map) and culprit in here:
        at = next(key.at for key in here if key == culprit)
    elif isinstance(here, Text) and code in ("P202", "P204"):
        at = here.at
    if code == "P104":
        fix = rename_to(name, _known_keys(model, path))
        message = f'unknown key "{name}"' + (f" in {holder}" if holder else "")
    elif error["type"] == "missing":
        message = f'missing key "{path[-1]}"' + (f" in {holder}" if holder else "")
        fix = f"add {path[-1]}:"
    elif error["type"] == "literal_error":
        words = re.findall("'([^']*)'", error["ctx"]["expected"])
        message = f'"{error["input"]}" is not one of {", ".join(words)}'
        near = closest(str(error["input"]), words)
        fix = f"write {near}" if near else None
    elif error["type"].endswith("_type"):
        message = {"list_type": "expected a list", "dict_type": "expected a mapping"}.get(error["type"], message)
    problems.add(code, message, at, fix)


def _find(tree: Any, path: list[Any]) -> tuple[Span, Any, str, str]:
    """Return where the path leads and what is there, the words for the mapping that holds it, and its last step."""
    at, here, name = tree.at, tree, ""
    above: list[str] = []  # the keys on the way
    holder = ""
    for step in path:
        if step == "[key]":
            return at, None, holder, name
        if isinstance(here, Map):
            holder, name = _described(here, above), str(step)
            key = next((key for key in here if key == step), None)
            if key is None:
                return at, here, holder, name
            above.append(name)
            at, here = key.at, here[key]
        elif isinstance(here, List) and isinstance(step, int) and step < len(here):
            here = here[step]
            at = here.at
    return at, here, holder, name


_ONE_OF_MANY = {
    "items": "score item", "rules": "rule", "rosters": "roster", "fields": "field", "measures": "measure",
    "verdicts": "verdict", "parameters": "parameter", "tables": "table", "clauses": "clause",
    "reconcile": "control total", "not_assessed": "exception", "not_ranked": "exception",
}  # fmt: skip


def _described(here: Map, above: list[str]) -> str:
    """Return words for a mapping: what it is one of, and what it is called."""
    own = next((f'"{here[key]}"' for key in ("id", "is") if key in here and isinstance(here[key], Text)), "")
    if above and above[-1] in _ONE_OF_MANY:
        return f"{_ONE_OF_MANY[above[-1]]} {own}".strip()
    if len(above) > 1 and above[-2] in _ONE_OF_MANY:
        return f'{_ONE_OF_MANY[above[-2]]} "{above[-1]}"'
    return above[-1] if above else ""


def _known_keys(model: type[Model], path: list[Any]) -> list[str]:
    """Return every key of every model reachable along the path: enough to suggest a spelling from."""
    names: set[str] = set()
    todo: list[type[Model]] = [model]
    seen: set[type[Model]] = set()
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        for key, info in one.model_fields.items():
            names.add(info.alias or key)
            todo += _models_in(info.annotation)
    return sorted(names)


def _models_in(annotation: Any) -> list[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in _models_in(part)]


def schemas() -> dict[str, Any]:
    """Return the JSON Schema of each kind of pack file, by the pattern of its name."""
    make: Callable[[type[Model]], dict[str, Any]] = lambda model: model.model_json_schema(by_alias=True)  # noqa: E731
    return {"pack.yaml": make(PackFile), "*.yaml": make(Kind)}
