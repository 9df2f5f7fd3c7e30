"""Thresholds of a pack: values compared with a constant, caps and floors, and what each is looked at for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evaluator.diagnostics import Span
from evaluator.pack.definitions import Pack
from evaluator.pack.nodes import Compare
from evaluator.workbench.cases.conditions import Leaf, leaves
from evaluator.workbench.cases.looks import Look, looks


@dataclass(frozen=True, slots=True)
class Threshold:
    """A value that is compared with a constant: where, as written, what it decides, and the comparison.

    `leaf` is the condition it stands in; None of a cap or floor.
    """

    at: Span
    text: str
    look: Look
    compared: Compare
    leaf: Leaf | None = None

    @property
    def decides(self) -> str:
        """What it decides on, by the name a case expects it under."""
        name = self.look.of.partition(".")[2]
        return "reason" if self.look.of.endswith(("not_assessed", "not_ranked")) else name


def thresholds(pack: Pack) -> Iterator[Threshold]:
    """Give every comparison with a constant, and every cap and floor that is one, in the order of the files."""
    found: dict[tuple[Span, str], Threshold] = {}
    for look in looks(pack):
        formula = look.formula
        if look.bound:
            assert isinstance(formula.node, Compare)
            bound = Threshold(formula.at, f"{look.bound} {formula.text}", look, formula.node)
            found.setdefault((bound.at, bound.text), bound)
            continue
        for leaf in leaves(formula.node):
            if leaf.edge is not None:
                one = Threshold(formula.span(leaf.node.place), leaf.written(formula), look, leaf.edge, leaf)
                found.setdefault((one.at, one.text), one)
    return iter(sorted(found.values(), key=lambda one: one.at))
