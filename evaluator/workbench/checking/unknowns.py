"""What can be unknown where nobody thought of it: quotients by zero, and conditions over empty cells."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from evaluator.diagnostics import Problems
from evaluator.pack.nodes import Arithmetic, Compare, Const, IsNull, Junction, Name, Node, Not, OneOf
from evaluator.workbench.checking.intervals import Values
from evaluator.workbench.checking.shapes import Shape, shape, written
from evaluator.workbench.checking.sites import Known, Looked, Site, parts

ZERO = Values.of([Fraction(0)])
SHOWN = ("roster",)
"""Where an unknown value may stand: it is shown as such."""


def check_quotients(looked: Looked, problems: Problems) -> None:
    """Note quotients whose divisor can be 0 where that is not settled, here or by what reads them."""
    for site in looked.sites:
        for part in parts(site.formula.node, site.known):
            node = part.node
            if not isinstance(node, Arithmetic) or node.op != "/" or part.is_settled:
                continue
            if isinstance(node.right, Const) and node.right.value:
                continue
            if _can_be_zero(looked, site, node.right, part.known) and _matters(looked, site, node.right):
                divisor = written(site.formula, node.right)
                message = f"{divisor} can be 0, and then {written(site.formula, node)} is unknown"
                fix = f"say what it is then: case when {divisor} = 0 then … else … end"
                problems.add("P511", message, site.formula.span(node.place), fix)


def _can_be_zero(looked: Looked, site: Site, node: Node, known: Known) -> bool:
    return any(not looked.ranges.of(node, given).meet(ZERO).is_empty for given in looked.givens(site, known))


def _matters(looked: Looked, site: Site, divisor: Node) -> bool:
    """Whether an unknown value here is more than shown: of a measure or field, whether a reader does not settle it."""
    if site.part in SHOWN:
        return False
    if site.part == "measure" and site.role == "measure":
        return _is_read_unsettled(looked, site.owner, site.name, divisor, set())
    if site.part == "field":
        return _is_read_unsettled(looked, site.owner, site.name, divisor, set())
    return site.role not in ("order", "same")


def _is_read_unsettled(looked: Looked, owner: str, name: str, divisor: Node, seen: set[tuple[str, str]]) -> bool:
    if (owner, name) in seen:
        return False
    seen.add((owner, name))
    for site in looked.sites:
        if site.part in SHOWN or site.role in ("order", "same"):
            continue
        for part in parts(site.formula.node, site.known):
            node = part.node
            if not isinstance(node, Name) or (node.owner, node.leaf) != (owner, name) or part.is_settled:
                continue
            if shape(node) in _asked(part.known):
                continue
            is_here = site.owner == owner and not node.hops
            if is_here and not _can_be_zero(looked, site, divisor, part.known):
                continue
            passes_on = site.part in ("measure", "field") and site.role in ("measure", "field")
            if not passes_on or _is_read_unsettled(looked, site.owner, site.name, divisor, seen):
                return True
    return False


def check_silent(looked: Looked, problems: Problems) -> None:
    """Note conditions that are not met where a cell is empty, though they read as if they were."""
    for site in looked.sites:
        if not site.is_condition or site.part in ("reconcile", "verdict") and site.role != "among":
            continue
        decides_on_points = site.part == "line" and site.role == "when"
        for node, known, is_negative in _tests(site.formula.node):
            if not (is_negative or decides_on_points):
                continue
            for name in _unsettled(looked, site, node, known):
                message = f"{written(site.formula, name)} can be unknown, and then neither this nor its opposite is met"
                problems.add("P512", message, site.formula.span(node.place))
                break


def _tests(node: Node, known: Known = (), is_negative: bool = False) -> Iterator[tuple[Node, Known, bool]]:
    """Give the comparisons joined by and, or, not; what is known beside each, and whether it excludes something."""
    match node:
        case Junction():
            for one in node.parts:
                others = tuple((other, node.op == "and") for other in node.parts if other is not one)
                yield from _tests(one, (*known, *others), is_negative)
        case Not():
            yield from _tests(node.operand, known, not is_negative)
        case Compare(op="<>"):
            yield node, known, not is_negative
        case Compare() | OneOf() | Name():
            yield node, known, is_negative


def _unsettled(looked: Looked, site: Site, node: Node, known: Known) -> Iterator[Name]:
    """Give the names in a comparison that can be unknown for want of a cell, and that nobody has asked about."""
    asked = _asked(known, by_comparing=True)
    for part in parts(node):
        name = part.node
        if not isinstance(name, Name) or not name.nullable or part.is_settled or shape(name) in asked:
            continue
        first = Name(name.type, True, name.place, (), site.of_record or site.owner, name.hops[0]) if name.hops else name
        if shape(first) not in asked and name.leaf in looked.pack.tables[name.owner].fields:
            yield name


def _asked(known: Known, by_comparing: bool = False) -> set[Shape]:
    """Return the names that conditions ask about: whether they are unknown, or that they have some value."""
    return {shape(name) for one, truth in known for name in _known_names(one, truth, by_comparing)}


def _known_names(node: Node, truth: bool, by_comparing: bool) -> Iterator[Name]:
    """Give the names that are known, where a condition holds or fails."""
    match node:
        case Not():
            yield from _known_names(node.operand, not truth, by_comparing)
        case Junction() if (node.op == "and") is truth:
            for part in node.parts:
                yield from _known_names(part, truth, by_comparing)
        case IsNull(operand=Name() as name) if not truth:
            yield name
        case Compare(op="<>"):
            return
        case Compare() | OneOf() if by_comparing and truth:
            yield from (part.node for part in parts(node) if isinstance(part.node, Name) and not part.is_settled)
