"""Points that a cap or floor always cuts, and quotas that cannot be met."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from evaluator.diagnostics import Problems
from evaluator.pack.definitions import KindDef, LineDef, VerdictDef
from evaluator.pack.nodes import Arithmetic, Call, Junction, Name, Node
from evaluator.workbench.checking.shapes import written
from evaluator.workbench.checking.sites import Looked
from evaluator.workbench.checking.telling import number


def check_awards(looked: Looked, problems: Problems) -> None:
    """Note lines of which no single record can count in full."""
    for kind in looked.pack.kinds.values():
        for line in kind.lines:
            _cut(looked, line, problems)


def _cut(looked: Looked, line: LineDef, problems: Problems) -> None:
    if line.aggregate is None or line.aggregate.operand is None or line.times:
        return
    if line.selection is not None and any(factor != 1 for _, factor in line.selection.series):
        return
    if line.base is not None:
        return
    each = looked.ranges.of(line.aggregate.operand.node)
    if line.max is not None and each.lowest is not None and each.lowest > 0:
        cap = looked.ranges.of(line.max.node).highest
        if cap is not None and each.lowest > cap:
            message = f'one record brings {number(each.lowest)} to "{line.id}", and the cap leaves {number(cap)}'
            problems.add("P516", message, line.max.span(line.max.node.place))
    if line.min is not None and each.highest is not None and each.highest < 0:
        floor = looked.ranges.of(line.min.node).lowest
        if floor is not None and each.highest < floor:
            message = (
                f'one record takes {number(-each.highest)} from "{line.id}", and the floor leaves {number(-floor)}'
            )
            problems.add("P516", message, line.min.span(line.min.node.place))


def check_quotas(looked: Looked, problems: Problems) -> None:
    """Note quotas that take nobody, or more than there are."""
    for kind in looked.pack.kinds.values():
        for verdict in kind.verdicts.values():
            if verdict.take is not None:
                _quota(looked, kind, verdict, problems)


def _quota(looked: Looked, kind: KindDef, verdict: VerdictDef, problems: Problems) -> None:
    assert verdict.take is not None and verdict.among is not None
    at = verdict.take.span(verdict.take.node.place)
    take = looked.ranges.of(verdict.take.node)
    if take.highest is not None and take.highest < 1:
        problems.add("P510", f'"{verdict.name}" takes nobody: {verdict.take.text} is below 1', at)
        return
    for share, of in _shares(looked, kind, verdict.take.node):
        if share > 1:
            message = f'"{verdict.name}" takes {number(share * 100)} % of {written(verdict.take, of)}'
            problems.add("P510", message, at, "take at most all of them")
    for other in _chosen_from(kind, verdict.among.node):
        most = looked.ranges.of(other.take.node).highest if other.take is not None else None
        if most is not None and take.lowest is not None and take.lowest > most:
            if other.within is None and other.model.ties != "include":
                message = (
                    f'"{verdict.name}" takes {number(take.lowest)} of those in "{other.name}", '
                    f"which are {number(most)} at most"
                )
                problems.add("P510", message, at)


def _shares(looked: Looked, kind: KindDef, node: Node) -> Iterator[tuple[Fraction, Node]]:
    """Give the share a quota takes of the peers, and what counts these."""
    while isinstance(node, Call) and node.function in ("floor", "ceil", "round"):
        node = node.arguments[0]
    if not isinstance(node, Arithmetic) or node.op not in ("*", "/"):
        return
    for peers, by in ((node.left, node.right), (node.right, node.left)):
        points = looked.ranges.of(by).points
        if not isinstance(peers, Name) or points is None or len(points) != 1 or not points[0]:
            continue
        measure = kind.measures.get(peers.leaf) if not peers.hops else None
        counts_peers = measure is not None and measure.aggregate is not None and measure.aggregate.is_peers
        if counts_peers and (node.op == "*" or peers is node.left):
            yield (points[0] if node.op == "*" else 1 / points[0]), peers


def _chosen_from(kind: KindDef, among: Node) -> Iterator[VerdictDef]:
    """Give the quotas all of those eligible are in."""
    for node in among.parts if isinstance(among, Junction) and among.op == "and" else (among,):
        if isinstance(node, Name) and not node.hops and (found := kind.verdicts.get(node.leaf)) is not None:
            if found.form == "quota":
                yield found
