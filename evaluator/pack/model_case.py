"""The shape of a case: what a year's sheets hold, and what the rules must make of it."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from evaluator.pack.model_base import Model, OneOrMore
from evaluator.pack.scalars import Name, Path_, Whole, Words, literal
from evaluator.pack.source import List, Map, Text

FIRST_YEAR, LAST_YEAR = 1900, 2999


class _RowType:
    """Let pydantic hold a row as it is: names with scalars, or with lists of scalars."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def accept(row: Any) -> Map:
            if not isinstance(row, Map):
                raise PydanticCustomError("mapping", "expected a row: names and their values")
            for key, value in row.items():
                values = value if isinstance(value, List) else [value]
                if not all(isinstance(one, Text) for one in values):
                    raise PydanticCustomError("value", "expected a value, or a list of values", {"key": str(key)})
                for one in values:
                    try:
                        literal(one)
                    except PydanticCustomError as wrong:
                        raise PydanticCustomError("value", wrong.message_template, {"key": str(key)}) from None
            return row

        return core_schema.no_info_plain_validator_function(accept)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        scalar = {"type": ["string", "number", "boolean"], "description": "a literal"}
        listed = {"type": "array", "items": scalar}
        return {"type": "object", "additionalProperties": {"anyOf": [scalar, listed]}}


def _in_reach(year: int) -> int:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise PydanticCustomError("value", "a year goes from {a} to {b}", {"a": FIRST_YEAR, "b": LAST_YEAR})
    return year


Row = Annotated[Any, _RowType()]
Year = Annotated[Whole, AfterValidator(_in_reach)]


class EarlierYear(Model):
    """The rows of a year before, whose results are history to the year assessed."""

    year: Year = Field(description="which year")
    given: dict[Name, list[Row]] = Field(description="rows by table or kind, as for the case itself")


class Case(Model):
    """A case: rows of a year, and what the rules must make of them."""

    case: Words = Field(description="what the case shows")
    year: Year = Field(description="the year assessed")
    given: dict[Name, list[Row]] = Field(description="rows by table or kind; only what the case is about")
    history: list[EarlierYear] = Field(
        [], description="years before, first to last; each is assessed by the same rules"
    )
    expect: dict[Name, list[Row]] = Field({}, description="what subjects come to, by kind; only what the case is about")
    rosters: dict[Path_, list[Words]] = Field({}, description="by kind.id, the keys of all who are listed, in order")
    stops: Annotated[list[Words] | None, OneOrMore] = Field(
        None, description="in place of what to expect: the codes of the problems for which the run stops"
    )
    clause: Words | None = Field(None, description="the clause it is about")
    note: Words | None = Field(None, description="a remark for readers")

    @model_validator(mode="after")
    def _expects(self) -> Self:
        if self.has("stops"):
            for key in ("expect", "rosters"):
                if self.has(key):
                    raise PydanticCustomError("together", '"{key}" does not go with stops', {"key": key})
        elif not self.has("expect") and not self.has("rosters"):
            raise PydanticCustomError("missing_with", "a case says what to expect: expect, rosters or stops")
        return self
