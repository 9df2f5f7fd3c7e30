"""What a value of an expression may be, and what its names and parameters lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Base = Literal["text", "number", "integer", "boolean", "date", "ref", "nothing"]


@dataclass(frozen=True, slots=True)
class Type:
    """What a value is; `values` lists the only ones it may have, `is_ordered` says worst to best."""

    base: Base
    values: tuple[object, ...] = ()
    is_ordered: bool = False
    target: str = ""

    def __str__(self) -> str:
        if self.base == "ref":
            return f"a ref to {self.target}"
        if self.values and self.base == "text":
            return "one of " + ", ".join(map(str, self.values))
        return {"nothing": "null", "integer": "a whole number"}.get(self.base, f"a {self.base}")

    @property
    def is_number(self) -> bool:
        """Whether it can be calculated with."""
        return self.base in ("number", "integer")


TEXT, NUMBER, INTEGER, BOOLEAN, DATE_TYPE, NOTHING = (
    Type("text"),
    Type("number"),
    Type("integer"),
    Type("boolean"),
    Type("date"),
    Type("nothing"),
)


@dataclass(frozen=True, slots=True)
class Found:
    """Where a name leads, and what is there."""

    hops: tuple[str, ...]
    owner: str
    leaf: str
    type: Type
    nullable: bool


@dataclass(frozen=True, slots=True)
class ParameterType:
    """What a parameter takes and gives; a constant takes nothing."""

    takes: tuple[Type, ...]
    gives: Type
    constant: object = None
    covered: tuple[tuple[object, ...] | None, ...] = ()
    nullable: bool = False  # whether an entry may be unknown


class Scope(Protocol):
    """Where an expression's names are looked up."""

    def find(self, parts: list[str]) -> Found:
        """Return where a dotted name leads; raise LookupError with (its part, names known there, parameters)."""

    def parameter(self, name: str) -> ParameterType | None:
        """Return a parameter of the pack."""

    def values_left(self, hops: tuple[str, ...], leaf: str) -> frozenset[object] | None:
        """Return the only values a name can have where the expression counts; None where it can have any."""

    @property
    def has_history(self) -> bool:
        """Whether functions over years may be called here."""
