"""The scalars of pack files: text with its place, names, and literals read as what they spell."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from evaluator.pack.source import Text

NAME = re.compile(r"[^\W\d]\w*\Z")
NUMBER = re.compile(r"-?\d+(\.\d+)?\Z")
DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)\Z")


class TextType:
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


Words = Annotated[Text, TextType("text")]
Name = Annotated[Text, TextType("a name: letters of any script, digits, _", NAME.pattern)]
Expression = Annotated[Text, TextType("an expression")]
Path_ = Annotated[Text, TextType("a name, or names joined by dots")]


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
