"""A subject there could be: nothing of it is fetched from a run, all it comes to follows from what is chosen."""

from __future__ import annotations

from collections.abc import Sequence

from evaluator.engine.plan import Graph
from evaluator.engine.plan import Value as Planned
from evaluator.engine.state import State
from evaluator.pack.definitions import Formula, KindDef, LineDef
from evaluator.pack.nodes import Name, Node, Recall
from evaluator.pack.types import NUMBER, Type
from evaluator.solve.arithmetic import Choice, Number, Truth, Value
from evaluator.solve.moves import Moves
from evaluator.solve.program import TRUE, Lit, Program, Whole, constant
from evaluator.solve.score import Subject


class Possible(Subject):
    """A subject that is assessed; whoever inherits says what of it is chosen."""

    def __init__(
        self,
        state: State,
        kind: KindDef,
        key: str,
        moves: Moves,
        most: int,
        program: Program | None = None,
        counts: Sequence[Whole] | None = None,
    ) -> None:
        super().__init__(state, state.pack, kind, key, moves, most, None, program, counts)
        for one in kind.not_assessed:
            self.program.require(-self.translation.condition(one.when))

    def _changing(self) -> set[Planned]:
        return {value for value in Graph(self.state.pack).reads if value.kind == self.kind.name}

    def _read(self, node: Node) -> Value | None:
        if isinstance(node, Name) and not node.hops and node.owner == self.kind.name and node.leaf == "is_ranked":
            set_apart = [self.translation.condition(one.when) for one in self.kind.not_ranked]
            is_so = self.program.both(*(-lit for lit in set_apart))
            return Truth(is_so, -is_so)
        return super()._read(node)

    def _apart(self, _: str) -> Value:
        return Truth(TRUE, -TRUE)

    def one_of(self, options: Sequence[object], kind: Type, is_nullable: bool) -> Value:
        """Return any one of a few values of a type; where it may be, none of them."""
        program = self.program
        lits = [program.literal() for _ in options]
        program.require(program.is_at_most(program.count(lits), constant(1)))
        if not is_nullable:
            program.require(*lits)
        if kind.base == "boolean":
            return Truth(lits[options.index(True)], lits[options.index(False)])
        choice = Choice(tuple(zip(options, lits, strict=True)))
        return self.translation.as_number(choice) if kind.is_number else choice

    def decided(self, line: LineDef, points: Number) -> Number:
        """Leave out points that people may not decide on; they may decide on nothing."""
        assert line.judged is not None
        low, high = (self._number(self.translation.stored(one, NUMBER)) for one in (line.judged.low, line.judged.high))
        nothing = self.program.is_equal(points.num, constant(0))
        self.program.require(nothing, self.program.both(self._is_at_most(low, points), self._is_at_most(points, high)))
        return points

    def _is_at_most(self, less: Number, more: Number) -> Lit:
        return self.translation._order("<=", less, more).yes

    def with_this_year(self, found: Recall, before: Value) -> Value:
        """Return what a function over years comes to, where the years before come to `before`."""
        if not found.reads_this_year:
            return before
        if found.function not in ("years", "years_running"):
            return self.translation.add(self._number(before), self._number(self.translation.stored(found.operand)))
        program = self.program
        now = self.translation.condition(Formula(found.operand, found.written, self.kind.table.at))
        one_more = program.plus(self._number(before).num, constant(1))
        otherwise = self._number(before).num if found.function == "years" else constant(0)
        return Number(program.pick([(now, one_more), (-now, otherwise)]), constant(1), TRUE)
