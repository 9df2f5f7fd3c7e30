"""Subjects on the edge of a threshold: one just below it, one exactly at it and one just above, each made of records.

Nothing but the threshold is to decide what becomes of them: the other parts of the condition hold, no rule before it
does. Each is as near to the edge as a subject can come, and of those the one with the fewest records.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evaluator.engine.decide import Bench
from evaluator.engine.plan import Value as Planned
from evaluator.engine.state import points_column
from evaluator.pack.check import load_pack
from evaluator.pack.definitions import KindDef, LineDef
from evaluator.pack.in_force import as_in_force
from evaluator.pack.nodes import Compare, Junction, Name, Node, Not, Recall
from evaluator.solve.arithmetic import Number, Value
from evaluator.solve.moves import Moves
from evaluator.solve.program import Lit, Solution, Untranslatable, Whole, constant
from evaluator.sql.lower import constant_of
from evaluator.workbench.cases.given import as_given
from evaluator.workbench.cases.thresholds import Threshold, thresholds
from evaluator.workbench.proving.formulas import formulas_of
from evaluator.workbench.proving.somebody import Made, Somebody, Standings

MOST_RECORDS = 200
SECONDS = 2.0
DAYS = 100
"""So many days apart are days tried."""
BELOW, AT, ABOVE = -1, 0, 1


@dataclass(frozen=True, slots=True)
class Edge:
    """Subjects around a threshold by their side of it, and the records they could have."""

    sides: list[tuple[int, Made]]
    moves: Moves


class _Edging(Somebody):
    """A subject of records that stands on a side of a threshold."""

    def settle(self) -> None:
        """Leave out what no row of a year can say: what years before held."""
        for name in self.kind.recalls:
            try:
                self.value(Planned(self.kind.name, "recall", name))
            except Untranslatable:
                continue
        for value in self.years.values():
            known = self.translation.is_known(value)
            is_nothing = self.program.is_equal(value.num, constant(0)) if isinstance(value, Number) else -known
            self.program.require(-known, is_nothing)

    def uncut(self, line: LineDef) -> Number:
        """Return what a line comes to before its cap and floor."""
        kind = self.kind
        self.kind = replace(kind, score=replace(line, min=None, max=None, veto=(), when=None))
        try:
            made = self._line(line.id)
        finally:
            self.kind = kind
        return self._number(made)

    def compared(self, threshold: Threshold) -> tuple[Whole, Whole, Lit]:
        """Return both sides of a threshold as whole numbers that can be compared, and whether they are known."""
        node = threshold.compared
        if not node.left.type.is_number:
            raise Untranslatable("it compares days, and its edge is not written down")
        if threshold.look.bound:
            assert isinstance(node.left, Name)
            line = next(one for one in self.kind.lines if f"raw.{one.id}" == node.left.leaf)
            left = self.uncut(line)
        else:
            left = self.translation.number(node.left)
        right = self.translation.number(node.right)
        if not (left.den.is_constant and right.den.is_constant):
            raise Untranslatable("what is compared is a quotient of what can be chosen")
        return *self.translation._crossed(left, right), self.program.both(left.known, right.known)

    def alone(self, threshold: Threshold) -> list[Lit]:
        """Return what must be so for nothing but the threshold to decide."""
        reach, made = threshold.look.reach, self.translation
        needed = [made.condition(one) for one in (*reach.when, *([reach.where] if reach.where else []))]
        if reach.rule is not None:
            verdict, number = reach.rule
            rules = self.kind.verdicts[verdict].rules
            needed += [made.truth(rule.when.node).no for rule in rules if rule.number < number and rule.when]
        if threshold.leaf is not None:
            for test, is_met in threshold.leaf.guards:
                needed.append(made.truth(test).yes if is_met else -made.truth(test).yes)
            needed += self._beside(threshold.look.formula.node, threshold.leaf.node)
        return needed

    def _beside(self, node: Node, leaf: Node) -> Iterator[Lit]:
        """Give what must be so of the other parts of a condition for one of them to decide it."""
        if isinstance(node, Not):
            yield from self._beside(node.operand, leaf)
        elif isinstance(node, Junction):
            for part in node.parts:
                if any(below is leaf for below in part.walk()):
                    yield from self._beside(part, leaf)
                else:
                    made = self.translation.truth(part)
                    yield made.yes if node.op == "and" else made.no

    def left_out(self, threshold: Threshold) -> list[str]:
        """Return which records are not looked at that what is compared rests on."""
        name = self.kind.name
        todo = [value for node in threshold.compared.left.walk() if (value := self._planned(node)) is not None]
        if threshold.look.bound:
            todo += [
                value
                for value in self.graph.reads
                if value.kind == name and points_column(value.name) == threshold.decides
            ]
        rests_on: set[Planned] = set()
        while todo:
            value = todo.pop()
            if value not in rests_on:
                rests_on.add(value)
                todo += self.graph.reads.get(value, {})
        names = {value.name for value in rests_on if value.kind == name}
        return list(dict.fromkeys(what for touched, what in self.moves.left_out if not touched or touched & names))

    def outcome(self, name: str) -> Value:
        """Return what the threshold decides on."""
        line = next((one for one in self.kind.lines if name in (one.id, points_column(one.id))), None)
        if line is not None and (name == "total" or name.startswith("points.")):
            return self.value(Planned(self.kind.name, "line", line.id))
        part = "verdict" if name in self.kind.verdicts else "measure"
        return self.value(Planned(self.kind.name, part, name))

    def is_otherwise(self, value: Value, found: Solution) -> Lit:
        """Return whether a value is not what it is in a solution."""
        was = self.python(value, found)
        if was is None:
            return self.translation.is_known(value)
        return -self.translation.is_value(value, was)

    def _days(self) -> list[object]:
        """Return days of the year far from each other, and days that are as far apart as any the rules name."""
        first, last = self.state.start, self.state.end
        spans = {span + more for span in _spans(self.kind) for more in (-1, 0, 1)}
        apart = {day for span in spans for day in (first + dt.timedelta(days=span),) if first <= day <= last}
        return list(dict.fromkeys([*super()._days(), *sorted(apart)]))


def _spans(kind: KindDef) -> set[int]:
    """Return the whole numbers within a year that the expressions about subjects compare with."""
    names = [node for formula in formulas_of(kind) for node in formula.node.walk() if isinstance(node, Compare)]
    sides = [constant_of(side) for node in names for side in (node.left, node.right) if side.type.is_number]
    return {int(side) for side in sides if side is not None and side.denominator == 1 and 0 < side <= DAYS}


class Edges:
    """Looks for subjects around the thresholds of a pack; each kind is put to a program once."""

    def __init__(self, folder: Path, year: int, bench: Bench) -> None:
        pack = load_pack(folder)
        pack = as_in_force(pack, pack.period.ends(year))
        self.thresholds = {(one.at, one.text): one for one in thresholds(as_given(pack))}
        self.standings = Standings(pack, year, bench)
        self.somebody: dict[str, _Edging] = {}

    def close(self) -> None:
        """Close what was opened."""
        self.standings.close()

    def around(self, wanted: Threshold) -> Edge:
        """Return subjects around a threshold; raise Untranslatable with the reason where there are none."""
        threshold = self.thresholds.get((wanted.at, wanted.text))
        if threshold is None:
            raise Untranslatable("it is not in force in that year")
        if any(isinstance(part, Recall) for part in threshold.compared.left.walk()):
            raise Untranslatable("it looks back on years before")
        somebody = self._of(threshold.look.over.owner)
        left, right, is_known = somebody.compared(threshold)
        alone = [is_known, *somebody.alone(threshold)]
        program = somebody.program
        value = somebody.outcome(threshold.decides)
        gap = program.minus(left, right)
        below, at = program.is_at_most(left, program.plus(right, constant(-1))), program.is_equal(left, right)
        sides: list[tuple[int, Made]] = []
        first: Solution | None = None
        for side, where, distance in (
            (BELOW, below, program.times(gap, -1)), (AT, at, constant(0)), (ABOVE, -program.either(below, at), gap)
        ):  # fmt: skip
            needed = [*alone, where]
            found = None
            if side == ABOVE and first is not None and not threshold.look.bound:
                found = _nearest(somebody, distance, [*needed, somebody.is_otherwise(value, first)])
            found = found or _nearest(somebody, distance, needed)
            if found is not None:
                first = first or found
                sides.append((side, somebody.made(found)))
        if len(sides) < 2:
            left_out = "; ".join(somebody.left_out(threshold))
            which = f"; left out: {left_out}" if left_out else ""
            raise Untranslatable(f"no subject of whom it alone decides was found on both sides of it{which}")
        return Edge(sides, somebody.moves)

    def _of(self, name: str) -> _Edging:
        if name not in self.somebody:
            state, moves = self.standings.of(name, {})
            made = _Edging(state, state.pack.kinds[name], moves, {}, MOST_RECORDS)
            made.put()
            made.settle()
            self.somebody[name] = made
        return self.somebody[name]


def _nearest(somebody: _Edging, distance: Whole, needed: Sequence[Lit]) -> Solution | None:
    """Return the subject nearest to the edge, with the fewest records of those that are; None where none is found."""
    program, costs = somebody.program, somebody.costs()
    nearest = program.search(distance, needed, [], SECONDS)
    if nearest.status != "found":
        return None
    here = program.is_at_most(distance, constant(program.value(distance, nearest)))
    found = program.search(program.plus(*costs), [*needed, here], costs, SECONDS)
    return somebody.plainest(found, [*needed, here], SECONDS) if found.status == "found" else None
