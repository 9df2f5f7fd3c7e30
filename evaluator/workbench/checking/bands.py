"""Bands: gaps between them, bands that overlap, and what falls into none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from evaluator.diagnostics import Problems, Span
from evaluator.pack.definitions import Formula, VerdictDef
from evaluator.pack.nodes import Case, Node
from evaluator.workbench.checking.boxes import only_names
from evaluator.workbench.checking.intervals import FIRST, LAST, NOTHING, Values
from evaluator.workbench.checking.ranges import WHOLE
from evaluator.workbench.checking.shapes import Shape, shape
from evaluator.workbench.checking.sites import Looked
from evaluator.workbench.checking.telling import box_told, told


@dataclass(frozen=True, slots=True)
class Band:
    """What a rule, or a branch of a case, says of one value alone."""

    of: Node
    called: str  # the value as it is written
    values: Values
    result: object
    at: Span


def check_bands(looked: Looked, problems: Problems) -> None:
    """Note what is wrong with rules or branches that sort one value into bands."""
    for kind in looked.pack.kinds.values():
        for verdict in kind.verdicts.values():
            if verdict.form == "rules":
                _check_verdict(looked, verdict, problems)
    for site in looked.sites:
        for node in site.formula.node.walk():
            if isinstance(node, Case):
                bands = list(_of_case(looked, site.formula, node))
                _narrow_gaps(looked, bands, problems)
                _overlaps(looked, bands, problems)


def _check_verdict(looked: Looked, verdict: VerdictDef, problems: Problems) -> None:
    bands = list(_of_rules(looked, verdict))
    _narrow_gaps(looked, bands, problems)
    if verdict.model.pick == "first":
        _overlaps(looked, bands, problems)
    has_otherwise = any(rule.when is None for rule in verdict.rules)
    if has_otherwise or verdict.model.optional or any(rule.model.in_force is not None for rule in verdict.rules):
        return
    boxes = looked.boxes.of(*((rule.when.node, False) for rule in verdict.rules if rule.when is not None))
    if boxes and only_names(boxes) and not _is_gap(looked, bands):
        where = box_told(looked.ranges, min(boxes, key=len)) or "anything at all"
        problems.add("P505", f'no rule of "{verdict.name}" holds where {where}', verdict.at, "add a rule, or otherwise")


def _of_rules(looked: Looked, verdict: VerdictDef) -> Iterator[Band]:
    for rule in verdict.rules:
        if rule.when is not None and rule.model.in_force is None:
            yield from _band(looked, rule.when, rule.when.node, rule.value)


def _of_case(looked: Looked, formula: Formula, case: Case) -> Iterator[Band]:
    for branch in case.branches:
        yield from _band(looked, formula, branch.when, shape(branch.then))


def _band(looked: Looked, formula: Formula, condition: Node, result: object) -> Iterator[Band]:
    """Give the band a condition is, if it looks at one value alone that has an order."""
    boxes = looked.boxes.of((condition, True))
    keys = {key for box in boxes or () for key in box}
    if not boxes or len(keys) != 1 or any(not box for box in boxes):
        return
    left = next(iter(boxes[0].values()))
    kind = left.node.type
    if not (kind.is_number or kind.base == "date" or kind.is_ordered):
        return
    said = NOTHING
    for box in boxes:
        said = said.join(next(iter(box.values())).said)
    written_in = formula.text[left.node.place[0] : sum(left.node.place)]
    yield Band(left.node, " ".join(written_in.split()), said, result, formula.span(condition.place))


def _by_value(bands: list[Band]) -> list[list[Band]]:
    found: dict[Shape, list[Band]] = {}
    for band in bands:
        found.setdefault(shape(band.of), []).append(band)
    return [some for some in found.values() if len(some) > 1]


def _is_gap(looked: Looked, bands: list[Band]) -> bool:
    return any(True for some in _by_value(bands) for _ in _gaps(looked, some))


def _gaps(looked: Looked, bands: list[Band]) -> Iterator[tuple[Values, Band]]:
    """Give the narrow gaps in which a value can lie, each with the band above it."""
    covered = NOTHING
    for band in bands:
        covered = covered.join(band.values)
    possible = looked.ranges.of(bands[0].of)
    for gap in covered.outside().each():
        ((low, high),) = gap.parts
        if low == FIRST or high == LAST or not _is_narrow(gap) or gap.meet(possible).is_empty:
            continue
        for band in bands:
            if any(part[0][1] == high[1] and part[0] > high for part in band.values.parts):
                yield gap, band
                break


def _is_narrow(gap: Values) -> bool:
    """Whether there is no whole number in a gap: then nobody can have left it on purpose."""
    return gap.meet(WHOLE).is_empty


def _narrow_gaps(looked: Looked, bands: list[Band], problems: Problems) -> None:
    for some in _by_value(bands):
        for gap, band in _gaps(looked, some):
            where = told(looked.ranges, band.called, gap, band.of.type)
            fix = "let one band begin where the other ends: >= below, < above"
            problems.add("P505", f"neither of two bands holds where {where}", band.at, fix)


def _overlaps(looked: Looked, bands: list[Band], problems: Problems) -> None:
    """Note bands with both ends that share values and give different results: which of them counts is by order."""
    for some in _by_value(bands):
        closed = [b for b in some if b.values.lowest is not None and b.values.highest is not None]
        for one, other in pairwise(closed):
            shared = one.values.meet(other.values).meet(looked.ranges.of(one.of))
            if shared.is_empty or one.result == other.result:
                continue
            if one.values.covers(other.values) or other.values.covers(one.values):
                continue
            where = told(looked.ranges, one.called, one.values.meet(other.values), one.of.type)
            also = [(one.at, "this band comes first, and decides")]
            problems.add("P506", f"two bands hold where {where}", other.at, "let one begin where the other ends", also)
