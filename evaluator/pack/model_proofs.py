"""The shape of what is stated of every possible subject: which way is better, what holds, and what is excepted."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from annotated_types import Len
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from evaluator.pack.model_base import Model
from evaluator.pack.scalars import Number, Words


class Better(Model):
    """Which way is better for a measure, a field, a line or a verdict, where its use does not show it."""

    of: Words = Field(description="the name of the measure, field, line or verdict")
    is_: Literal["more", "less", "neither"] = Field(
        alias="is", description="whether more of it is better, or less; or neither"
    )
    because: Words | None = Field(None, description="why; needed for neither")

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.is_ == "neither" and self.because is None:
            raise PydanticCustomError("value", "neither needs its reason: because")
        return self


class Excepted(Model):
    """A statement that does not hold, or that nobody can prove, and why that is so."""

    statement: Literal["decided", "reached", "monotone", "total", "share"] = Field(description="which statement")
    of: Words = Field(description="the verdict it is about, or the line; total for the total")
    value: Words | None = Field(None, description="the value of the verdict, where it is about one")
    because: Words = Field(description="why the rules are meant so")


class Proofs(Model):
    """What is stated of every possible subject, besides what `evaluator prove` looks at anyway."""

    total: Annotated[list[Number], Len(2, 2)] | None = Field(
        None, description="the least and the most a total may ever be"
    )
    share: Number | None = Field(
        None, description="how much of the most a total can be one item may bring at most: 0.5 is half"
    )
    better: list[Better] = Field([], description="which way is better, where use does not show it")
    except_: list[Excepted] = Field([], alias="except", description="statements that are not meant to hold, and why")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.total is not None and self.total[0] > self.total[1]:
            raise PydanticCustomError("value", "the most is less than the least")
        if self.share is not None and not 0 < self.share <= 1:
            raise PydanticCustomError("value", "a share is more than 0 and at most 1")
        return self
