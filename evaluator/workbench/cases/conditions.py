"""The conditions in an expression, each with what must be so for it to be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from evaluator.pack.definitions import Formula
from evaluator.pack.nodes import Call, Case, Compare, Const, IsNull, Junction, Lookup, Name, Node, Not, Recall
from evaluator.workbench.checking.shapes import written

ORDERED = ("<", "<=", ">", ">=")
Guard = tuple[Node, bool]
"""A test of a case, and whether it must hold or fail for what stands behind it to be reached."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part of an expression that is true or false, and has no such parts joined by and, or, not."""

    node: Node
    guards: tuple[Guard, ...]

    @property
    def edge(self) -> Compare | None:
        """The comparison, with its one side that is known beforehand on the right; None where it is no such one."""
        node = self.node
        if not isinstance(node, Compare) or node.op not in ORDERED:
            return None
        if not (node.left.type.is_number or node.left.type.base == "date"):
            return None
        if is_known(node.right) and not is_known(node.left):
            return node
        if is_known(node.left) and not is_known(node.right):
            return replace(node, op=node.op.translate(str.maketrans("<>", "><")), left=node.right, right=node.left)
        return None

    def written(self, formula: Formula) -> str:
        """Return the condition as it is written."""
        return written(formula, self.node)


def is_known(node: Node) -> bool:
    """Whether a value is the same for every row of a run."""
    return not any(isinstance(part, (Name, Recall)) for part in node.walk())


def leaves(node: Node, guards: tuple[Guard, ...] = ()) -> Iterator[Leaf]:
    """Give the conditions in an expression, in reading order, those within functions over years among them."""
    if node.type.base == "boolean":
        match node:
            case Const():
                return
            case Junction(parts=parts):
                for part in parts:
                    yield from leaves(part, guards)
                return
            case Not(operand=IsNull()):  # `is not null` is one condition, and written as one
                yield Leaf(node, guards)
            case Not(operand=operand):
                yield from leaves(operand, guards)
                return
            case Call(function="coalesce", arguments=arguments):
                for argument in arguments:
                    yield from leaves(argument, guards)
                return
            case Case():
                pass
            case _:
                yield Leaf(node, guards)
    match node:
        case Case():
            yield from _of_case(node, guards)
        case Recall(operand=operand):
            yield from leaves(operand, guards)
        case _:
            for part in node.children():
                if not isinstance(part, Name):  # a value that is compared or handed over is no condition
                    yield from leaves(part, guards)


def _of_case(node: Case, guards: tuple[Guard, ...]) -> Iterator[Leaf]:
    for branch in node.branches:
        yield from leaves(branch.when, guards)
        yield from leaves(branch.then, (*guards, (branch.when, True)))
        guards = (*guards, (branch.when, False))
    yield from leaves(node.otherwise, guards)


def lookups(node: Node, guards: tuple[Guard, ...] = ()) -> Iterator[tuple[Lookup, tuple[Guard, ...]]]:
    """Give the parameters that are called in an expression, and what must be so for each to be looked up."""
    if isinstance(node, Lookup):
        yield node, guards
    if isinstance(node, Case):
        for branch in node.branches:
            yield from lookups(branch.when, guards)
            yield from lookups(branch.then, (*guards, (branch.when, True)))
            guards = (*guards, (branch.when, False))
        yield from lookups(node.otherwise, guards)
        return
    for part in node.children():
        yield from lookups(part, guards)
