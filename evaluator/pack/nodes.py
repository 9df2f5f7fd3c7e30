"""The typed tree of an expression: every name resolved, every part with its type and its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

from evaluator.pack.types import Type


@dataclass(frozen=True, slots=True)
class Node:
    """Part of an expression: its type, whether it can be unknown, and its place in the text (start, length)."""

    type: Type
    nullable: bool
    place: tuple[int, int]

    def children(self) -> Iterator[Node]:
        """Give the parts directly below."""
        for field in fields(self):
            value = getattr(self, field.name)
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Node):
                    yield part

    def walk(self) -> Iterator[Node]:
        """Give this node and all below it, in reading order."""
        yield self
        for child in self.children():
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Const(Node):
    """A literal; numbers are fractions, dates are datetime.date."""

    value: object


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A resolved name: from the row at hand over `hops` to the value `leaf` of table or kind `owner`.

    The hop `#subject` leads from a record to the subject it is counted for, `#source` from an unfolded row to
    the row it was unfolded from; every other hop is a field that is a ref.
    """

    hops: tuple[str, ...]
    owner: str
    leaf: str


@dataclass(frozen=True, slots=True)
class Setting(Node):
    """A constant of the run: this_year, period_start, period_end, term_start, term_end."""

    name: str


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """left op right over numbers; op is one of + - * /."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """left op right; op is one of = <> < <= > >=."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class OneOf(Node):
    """operand in (items)."""

    operand: Node
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class IsNull(Node):
    """operand is null."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Not(Node):
    """not operand."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Junction(Node):
    """Parts joined by and, or by or."""

    op: Literal["and", "or"]
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Branch(Node):
    """when … then … of a case; not a value by itself."""

    when: Node
    then: Node


@dataclass(frozen=True, slots=True)
class Case(Node):
    """case when … then … else … end; stops at a test that is unknown."""

    branches: tuple[Branch, ...]
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function of the language."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Lookup(Node):
    """A parameter called with arguments."""

    parameter: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Recall(Node):
    """A function over years: what its operand, `written` so, came to in other years than the one assessed.

    `years` is over how many it goes, or `term`. The plan computes it as `column`.
    """

    function: str
    operand: Node
    written: str
    years: int | Literal["term"] | None = None

    @property
    def column(self) -> str:
        """Its name among the values of the kind."""
        return f"{self.function}({self.written}{'' if self.years is None else f', {self.years}'})"

    @property
    def reads_this_year(self) -> bool:
        """Whether the year assessed is among the years it reads."""
        return self.function != "last"
