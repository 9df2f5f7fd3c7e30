"""The shape of judgement: pydantic models of score lines, verdicts, exceptions and rosters."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Literal, Self

from annotated_types import Len
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from evaluator.pack.model_base import Model, OneOrMore, exactly_one, short
from evaluator.pack.scalars import Day, Expression, Flag, Name, Number, Path_, Value, Whole, Words
from evaluator.pack.source import Text

LONGEST = 1200
"""How many months a period may have; beyond a hundred years somebody has mistyped."""


class Window(Model):
    """Which records count, where it is not those of the year."""

    named: Literal["year", "term", "all"] | None = Field(None, description="the year, the term it lies in, or all")
    months: Whole | None = Field(None, description="so many months, ending as the year does")

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, ("named", "months"), "a period")
        if self.months is not None and not 1 <= self.months <= LONGEST:
            raise PydanticCustomError("value", "a period has from 1 to {n} months", {"n": LONGEST})
        return self

    def __str__(self) -> str:
        words = {"year": "the year", "term": "the term", "all": "all years", None: f"{self.months} months"}
        return words[self.named]


PeriodEntry = Annotated[Window, short("named")]


class InForce(Model):
    """From when to when something holds; a line or rule holds in the years whose last day lies between."""

    from_: Day | None = Field(None, alias="from", description="the first day it holds")
    to: Day | None = Field(None, description="the last day it holds")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.from_ is None and self.to is None:
            raise PydanticCustomError("choice", "in_force needs from, to or both")
        if self.from_ is not None and self.to is not None and self.to < self.from_:
            raise PydanticCustomError("value", "what is in force ends after it begins")
        return self

    def holds_on(self, day: dt.date) -> bool:
        """Whether it holds on a day."""
        return (self.from_ is None or self.from_ <= day) and (self.to is None or day <= self.to)

    def __str__(self) -> str:
        return " ".join(f"{word} {day}" for word, day in (("from", self.from_), ("to", self.to)) if day is not None)


class Times(Model):
    """A factor of a line."""

    when: Expression | None = Field(None, description="the subjects it applies to")
    by: Expression = Field(description="what the line is multiplied by")
    clause: Words | None = Field(None, description="the clause it rests on")
    note: Words | None = Field(None, description="a remark for readers")


class Veto(Model):
    """What the total is set to, whatever it came to."""

    when: Expression = Field(description="the subjects it applies to")
    to: Expression = Field(description="what the total becomes")
    clause: Words | None = Field(None, description="the clause it rests on")
    note: Words | None = Field(None, description="a remark for readers")


def _first_numbers(series: dict[Text, object]) -> dict[Text, object]:
    for start in series:
        if not re.match(r"[1-9]\d*\Z", start):
            raise PydanticCustomError("value", "a series counts from 1: its keys are whole numbers")
    return series


class Line(Model):
    """A line of the score: points of a subject, of each of its records, as people judge, or the sum of more lines."""

    id: Name | None = Field(None, description="what the line is called; needed for items")
    when: Expression | None = Field(None, description="the subjects the line applies to")
    in_force: InForce | None = Field(None, description="the years there is the line in; in others it gives nothing")
    each: Name | None = Field(None, description="the table whose records bring points")
    where: Expression | None = Field(None, description="which records")
    via: Annotated[list[Path_] | None, OneOrMore] = Field(None, description="the ref that leads to the subject")
    period: PeriodEntry | None = Field(None, description="which records count: those of the year if left out")
    points: Expression | None = Field(None, description="of each record, or of the subject")
    judged: Annotated[list[Expression], Len(2, 2)] | None = Field(
        None, description="points people decide on: the least and the most"
    )
    by: Words | None = Field(None, description="who decides on judged points")
    again: Flag = Field(False, description="its records may already have counted in an earlier line")
    once_per: Expression | None = Field(None, description="of records that agree in this value one counts")
    prefer: Annotated[list[Expression] | None, OneOrMore] = Field(
        None, description="which of them counts: the first in this order; the one of most points if left out"
    )
    series: Annotated[dict[Words, Number] | None, AfterValidator(_first_numbers)] = Field(
        None, description="from the nth record on, by what its points are multiplied"
    )
    order_by: Annotated[list[Expression] | None, OneOrMore] = Field(
        None, description="how a series counts records; by date if left out"
    )
    base: Expression | None = Field(None, description="points before any other")
    items: list[Annotated[Line, AfterValidator(lambda line: _has_id(line))]] | None = Field(
        None, description="the lines that add up to this one"
    )
    times: list[Times] | None = Field(None, description="factors, each where it applies, in this order")
    min: Expression | None = Field(None, description="the least it comes to")
    max: Expression | None = Field(None, description="the most it comes to")
    veto: list[Veto] | None = Field(None, description="what the total is set to: the first that holds")
    clause: Words | None = Field(None, description="the clause it rests on")
    note: Words | None = Field(None, description="a remark for readers")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.has("each"):
            if not self.has("points") or self.has("items") or self.has("judged"):
                raise PydanticCustomError("choice", "a line with each has points, and neither items nor judged")
        else:
            exactly_one(self, ("points", "judged", "items"), "a line without each")
            for key in ("where", "via", "again", "period"):
                if self.has(key):
                    raise PydanticCustomError("together", '"{key}" goes with each', {"key": key})
        if self.has("judged") != self.has("by"):
            raise PydanticCustomError("missing_with", "judged and by go together: the bounds, and who decides")
        for key in ("once_per", "series"):
            if self.has(key) and not (self.has("each") or self.has("items")):
                raise PydanticCustomError("together", '"{key}" goes with each or items', {"key": key})
        for key, other in (("prefer", "once_per"), ("order_by", "series")):
            if self.has(key) and not self.has(other):
                raise PydanticCustomError("together", '"{key}" goes with {other}', {"key": key, "other": other})
        return self


def _has_id(line: Line) -> Line:
    if line.id is None:
        raise PydanticCustomError("missing_with", "every item of a score needs an id")
    return line


class Rule(Model):
    """One rule of a verdict: its value and when it holds, or the value otherwise."""

    is_: Value | None = Field(None, alias="is", description="the value, if the rule decides")
    when: Expression | None = Field(None, description="when the rule holds")
    in_force: InForce | None = Field(None, description="the years there is the rule in")
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
            if self.has("in_force"):
                raise PydanticCustomError(
                    "together",
                    "{key} does not go with otherwise: write a rule with when: true above it",
                    {"key": "in_force"},
                )
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
    override_by: Words | None = Field(None, description="the body that may decide otherwise")
    clause: Words | None = Field(None, description="the clause it rests on")
    note: Words | None = Field(None, description="a remark for readers")

    @property
    def proposes(self) -> bool:
        """Whether it proposes something, which somebody has to approve."""
        return self.action is not None or any(rule.action is not None for rule in self.rules or ())

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
