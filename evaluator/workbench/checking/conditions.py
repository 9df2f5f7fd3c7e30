"""Conditions that are always the same, and tests for what is never unknown."""

from __future__ import annotations

from evaluator.diagnostics import Problems
from evaluator.pack.nodes import Compare, Const, IsNull, Junction, Name, Node, Not, OneOf, Recall
from evaluator.workbench.checking.shapes import shape, written
from evaluator.workbench.checking.sites import Looked, Site, parts
from evaluator.workbench.checking.telling import number


def check_conditions(looked: Looked, problems: Problems) -> None:
    """Note conditions that hold whatever the data, or never do."""
    for site in looked.sites:
        done: set[tuple[int, int]] = set()
        beside = _beside(site.formula.node)
        for part in parts(site.formula.node):
            node, at = part.node, site.formula.span(part.node.place)
            if isinstance(node, IsNull) and not node.operand.nullable:
                name = written(site.formula, node.operand)
                is_text = node.operand.type.base == "text"
                sign = "<>" if written(site.formula, node).lower().endswith("not null") else "="
                fix = f"write {name} {sign} '': a text that is left out is ''" if is_text else "remove the test"
                problems.add("P513", f"{name} is never unknown", at, fix)
                done.add(node.place)
            elif node.type.base == "boolean" and not _within(node.place, done) and _is_test(node):
                truth = always(looked, node)
                if truth is not None and not (truth and id(node) in beside):
                    done.add(node.place)
                    _note(looked, site, node, truth, problems)


def _beside(node: Node) -> set[int]:
    """Return the comparisons beside another one of the same value: a band may name an end nothing lies beyond."""
    found: set[int] = set()
    for part in node.walk():
        if isinstance(part, Junction) and part.op == "and":
            ends = [one for one in part.parts if isinstance(one, Compare)]
            for one in ends:
                if any(other is not one and shape(other.left) == shape(one.left) for other in ends):
                    found.add(id(one))
    return found


def always(looked: Looked, node: Node) -> bool | None:
    """Return what a condition is whatever the data, where it is known; None where that depends, or cannot be told."""
    if not looked.boxes.can_hold((node, True)):
        return False
    return None if looked.boxes.can_hold((node, False)) else True


def _is_test(node: Node) -> bool:
    """Whether it looks at data at all: what parameters and constants alone say is a switch of the author's."""
    is_condition = isinstance(node, (Compare, OneOf, Junction, Not, Name)) and not any(
        isinstance(part, IsNull) and not part.operand.nullable for part in node.walk()
    )
    return is_condition and not isinstance(node, Const) and any(isinstance(p, (Name, Recall)) for p in node.walk())


def _within(place: tuple[int, int], done: set[tuple[int, int]]) -> bool:
    return any(start <= place[0] and sum(place) <= start + length for start, length in done)


def _note(looked: Looked, site: Site, node: Node, truth: bool, problems: Problems) -> None:
    text = written(site.formula, node)
    message = f"{text} {'always holds' if truth else 'never holds'}"
    what = node.left if isinstance(node, Compare) else node.operand if isinstance(node, OneOf) else None
    why = ""
    if what is not None and not isinstance(what, Const) and (what.type.is_number):
        low, high = (looked.ranges.of(what).lowest, looked.ranges.of(what).highest)
        ends = [f"at least {number(low)}"] if low is not None else []
        ends += [f"at most {number(high)}"] if high is not None else []
        ends = [number(low)] if low is not None and low == high else ends
        why = f": {written(site.formula, what)} is {' and '.join(ends)}" if ends else ""
    problems.add("P509", message + why, site.formula.span(node.place))
