"""Models of appeals: one YAML file a case, with what is claimed of the records and what was decided."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from evaluator.pack.model_base import Model, exactly_one
from evaluator.pack.scalars import Day, Flag, Name, Words

HOW = ADD, VOID, CORRECT = "add", "void", "correct"
PARTLY = "partly accepted"
_SETTLED = ("accepted", PARTLY, "rejected")


class Claim(Model):
    """What is to be changed: a record added, taken away or corrected, an attribute, something people decided on."""

    add: Name | None = Field(None, description="the table or kind a row is to be added to")
    void: Name | None = Field(None, description="the table or kind a row is to be taken from")
    correct: Name | None = Field(None, description="the table or kind a row is to be corrected in")
    row: dict[Words, Words] = Field({}, description="the cells of the row to add, by field or heading")
    key: Words | None = Field(
        None, description="the key of the row to take away or correct, as an explanation shows it"
    )
    where: dict[Words, Words] = Field({}, description="what its cells hold, by field or heading, in place of its key")
    set: dict[Words, Words] = Field({}, description="the cells to correct, by field or heading; '' empties one")
    evidence: Words | None = Field(None, description="what proves it")
    accepted: Flag | None = Field(None, description="of a case partly accepted: whether this claim was")
    reason: Words | None = Field(None, description="why it was accepted, or was not")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        exactly_one(self, HOW, "a claim")
        wanted = {ADD: {"row"}, VOID: set(), CORRECT: {"set"}}[self.how]
        allowed = wanted | (set() if self.how == ADD else {"key", "where"})
        for key in ("row", "set", "key", "where"):
            if self.has(key) and key not in allowed:
                raise PydanticCustomError("together", '"{key}" does not go with {how}', {"key": key, "how": self.how})
            if key in wanted and not getattr(self, key):
                raise PydanticCustomError("missing_with", "{how} needs {key}: the cells", {"how": self.how, "key": key})
        if self.how != ADD:
            exactly_one(self, ("key", "where"), "a claim of a row that is there")
        return self

    @property
    def how(self) -> str:
        """add, void or correct."""
        return next(how for how in HOW if self.has(how))

    @property
    def table(self) -> Words:
        """The table or kind it is about."""
        name: Words = getattr(self, self.how)
        return name


class Appeal(Model):
    """A case: who says what is wrong, and what was decided."""

    appeal: Words = Field(description="the number of the case")
    subject: Words = Field(description="who appeals: key or name of a subject, or kind:key")
    filed_on: Day = Field(description="the day it was filed")
    claims: list[Claim] = Field(min_length=1, description="what is to be changed")
    status: Literal["filed", "accepted", "partly accepted", "rejected", "withdrawn"] = Field(
        description="where the case stands"
    )
    reviewer: Words | None = Field(None, description="who decided")
    decided_on: Day | None = Field(None, description="the day it was decided")
    reason: Words | None = Field(None, description="why it was decided so")
    note: Words | None = Field(None, description="a remark for readers")

    @model_validator(mode="after")
    def _settled(self) -> Self:
        for key in ("reviewer", "decided_on", "reason"):
            if self.status in _SETTLED and getattr(self, key) is None:
                raise PydanticCustomError(
                    "missing_with", "a case that is {status} needs {key}", {"status": self.status, "key": key}
                )
        if self.decided_on is not None and self.decided_on < self.filed_on:
            raise PydanticCustomError("value", "it was decided before it was filed")
        said = [claim.accepted for claim in self.claims]
        if self.status == PARTLY and (None in said or len({*said}) == 1):
            message = "of a case partly accepted each claim has accepted: true or false, and both occur"
            raise PydanticCustomError("value", message)
        if self.status != PARTLY and any(one is not None for one in said):
            raise PydanticCustomError("value", "accepted is said of each claim only where a case is partly accepted")
        return self
