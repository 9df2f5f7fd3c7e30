"""Which value of a yes-or-no verdict is the better one, as far as its form tells."""

from __future__ import annotations

from collections.abc import Iterable

from evaluator.pack.definitions import KindDef, VerdictDef
from evaluator.pack.nodes import Arithmetic, Compare, Const, Name, Node, Not, OneOf, Recall
from evaluator.solve.moves import Moves

MORE, LESS = 1, -1


def is_better_when_false(kind: KindDef, moves: Moves, verdict: VerdictDef) -> bool:
    """Whether a verdict says something bad: it holds for low points or levels, or for records that cost points.

    Where that cannot be told, one that proposes something is taken for bad, as an exit is, and any other for good.
    """
    node = verdict.when.node if verdict.when is not None else verdict.value.node if verdict.value is not None else None
    found = _Signs(kind, moves).of(node) if node is not None else set()
    if found == {LESS}:
        return True
    return found != {MORE} and bool(verdict.model.proposes)


class _Signs:
    """Whether values grow with what is good, or shrink; both or neither where it cannot be told."""

    def __init__(self, kind: KindDef, moves: Moves) -> None:
        self.kind, self.moves = kind, moves
        self.within: set[str] = set()

    def of(self, node: Node) -> set[int]:
        """Return in which directions a value goes as things get better."""
        match node:
            case Name():
                return self._named(node)
            case Recall():
                return self.of(node.operand)
            case Not():
                return _turned(self.of(node.operand))
            case Compare(op="=" | "<>"):
                sides = (node.left, node.right)
                found = {
                    sign
                    for one, other in (sides, sides[::-1])
                    if isinstance(other, Const)
                    for sign in self._among(one, [other.value])
                }
                return found if node.op == "=" else _turned(found)
            case Compare():
                found = self.of(node.left) | _turned(self.of(node.right))
                return found if node.op in (">", ">=") else _turned(found)
            case OneOf():
                return self._among(node.operand, [item.value for item in node.items if isinstance(item, Const)])
            case Arithmetic(op="-" | "/"):
                return self.of(node.left) | _turned(self.of(node.right))
        return {sign for child in node.children() for sign in self.of(child)}

    @staticmethod
    def _among(node: Node, values: list[object]) -> set[int]:
        """Return what it tells that a level is one of these: the best means more, the worst less."""
        levels = node.type.values if node.type.is_ordered else ()
        if not levels or (levels[0] in values) == (levels[-1] in values):
            return set()
        return {LESS} if levels[0] in values else {MORE}

    def _named(self, node: Name) -> set[int]:
        name = node.leaf
        if node.hops or name in self.within:
            return {MORE} if name == "total" or node.type.is_ordered else set()
        if name == "total" or name.startswith("points."):
            return {MORE}
        self.within.add(name)
        try:
            if name in self.kind.verdicts:
                return self._verdict(self.kind.verdicts[name])
            if name in self.kind.measures:
                return self._measure(name)
        finally:
            self.within.discard(name)
        return set()

    def _verdict(self, verdict: VerdictDef) -> set[int]:
        if verdict.form == "quota" or verdict.type.is_ordered:
            return {MORE}
        return self.of(verdict.when.node) if verdict.when is not None else set()

    def _measure(self, name: str) -> set[int]:
        measure = self.kind.measures[name]
        if measure.value is not None:
            return self.of(measure.value.node)
        made = measure.aggregate
        if made is not None and made.function == "rank" and made.operand is not None:
            return self.of(made.operand.node) if not made.is_descending else _turned(self.of(made.operand.node))
        found: set[int] = set()
        for one in self.moves.moved:
            if one.held is None and any(self.moves.readings[place].name == name for place in one.gives):
                found |= {MORE if points > 0 else LESS for points in one.points(self.moves.readings)}
        return found


def _turned(signs: Iterable[int]) -> set[int]:
    return {-sign for sign in signs}
