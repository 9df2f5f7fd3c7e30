"""In which direction values go as things get better, as far as the form of the rules tells.

Better is: more records that bring points, fewer that cost some, and more of what a measure or field counts where more
of it is better. A sum of what only grows only grows, and so do its caps, its floors and its bands; so most of a pack
needs no search. What the form does not tell is MIXED, and is left to the solver.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum
from fractions import Fraction

from evaluator.engine.plan import Graph, Value, own_nodes
from evaluator.pack.definitions import AggregateDef, Formula, KindDef, LineDef, Pack, SelectionDef, VerdictDef
from evaluator.pack.nodes import (
    Arithmetic,
    Call,
    Case,
    Compare,
    Const,
    IsNull,
    Junction,
    Lookup,
    Name,
    Node,
    Not,
    OneOf,
    Recall,
)
from evaluator.pack.scalars import exact
from evaluator.workbench.checking.ranges import Ranges

MOST_VALUES = 32


class Sign(Enum):
    """How a value moves as things get better: never down, never up, not at all, or nobody can tell."""

    UP = "up"
    DOWN = "down"
    SAME = "same"
    MIXED = "mixed"


UP, DOWN, SAME, MIXED = Sign.UP, Sign.DOWN, Sign.SAME, Sign.MIXED


def turned(sign: Sign) -> Sign:
    """Return how the opposite of a value moves."""
    return {UP: DOWN, DOWN: UP}.get(sign, sign)


def together(*signs: Sign) -> Sign:
    """Return how a value moves that grows with each of several."""
    moving = {sign for sign in signs if sign is not SAME}
    return moving.pop() if len(moving) == 1 else MIXED if moving else SAME


class Signs:
    """How the values of a kind move; `better` says of measures, fields and lines which way is better, by name."""

    def __init__(self, pack: Pack, kind: KindDef, better: dict[str, Sign], holds_records: bool = False) -> None:
        self.pack, self.kind, self.graph, self.ranges = pack, kind, Graph(pack), Ranges(pack)
        self.better = dict(better)
        self.holds_records = holds_records  # what records and people bring stays as it is
        self.proved: dict[str, Sign] = {}  # of verdicts, by search
        self.lines = {line.id: line for line in kind.lines}
        self.known: dict[tuple[str, str], Sign] = {}

    def forget(self) -> None:
        """Look at everything anew, as another direction is known."""
        self.known.clear()

    # --- expressions ---

    def of(self, node: Node) -> Sign:
        """Return how the value of an expression moves; of a condition, whether it comes to hold."""
        match node:
            case Name():
                return self._named(node)
            case Recall():
                return self._recalled(node)
            case Not():
                return turned(self.of(node.operand))
            case Compare():
                return self._compared(node)
            case OneOf():
                return self._among(node.operand, [item.value for item in node.items if isinstance(item, Const)])
            case IsNull():
                return SAME if self._is_same(node.operand) else MIXED
            case Junction():
                return together(*map(self.of, node.parts))
            case Arithmetic():
                return self._arithmetic(node)
            case Case():
                return self._stepped([(self.of(b.when), b.then) for b in node.branches], node.otherwise)
            case Lookup():
                return self._looked_up(node)
            case Call():
                return self._called(node)
        return SAME

    def _is_same(self, node: Node) -> bool:
        return self.of(node) is SAME

    def _compared(self, node: Compare) -> Sign:
        if node.op in ("=", "<>"):
            if self._is_same(node.left) and self._is_same(node.right):
                return SAME
            for one, other in ((node.left, node.right), (node.right, node.left)):
                if isinstance(other, Const):
                    is_top = (
                        isinstance(one, Name) and other.value is not None and other.value == self.ranges.of(one).highest
                    )
                    found = self.of(one) if is_top else self._among(one, [other.value])
                    return found if node.op == "=" else turned(found)
            return MIXED
        found = together(self.of(node.left), turned(self.of(node.right)))
        return found if node.op in (">", ">=") else turned(found)

    def _among(self, node: Node, values: Sequence[object]) -> Sign:
        """Return how it moves that a level is one of these: those at the top are come to, those at the bottom left."""
        sign = self.of(node)
        if sign is SAME:
            return SAME
        levels: Sequence[object] = node.type.values if node.type.is_ordered else ()
        if node.type.base == "boolean":
            levels = (False, True)
        chosen = [level in values for level in levels]
        if not chosen or chosen == sorted(chosen, reverse=True) == sorted(chosen):
            return MIXED if not chosen else SAME
        if chosen == sorted(chosen):
            return sign
        return turned(sign) if chosen == sorted(chosen, reverse=True) else MIXED

    def _arithmetic(self, node: Arithmetic) -> Sign:
        left, right = self.of(node.left), self.of(node.right)
        if left is right is SAME:
            return SAME
        if node.op == "+":
            return together(left, right)
        if node.op == "-":
            return together(left, turned(right))
        lows = [self.ranges.of(side).lowest for side in (node.left, node.right)]
        is_positive = [low is not None and low >= 0 for low in lows]
        if node.op == "*":
            for fixed, moving, is_so in ((left, right, is_positive[0]), (right, left, is_positive[1])):
                if fixed is SAME and is_so:
                    return moving
            constant = node.right if isinstance(node.right, Const) else node.left
            if isinstance(constant, Const) and isinstance(constant.value, Fraction):  # below nothing
                return turned(together(left, right))
            return together(left, right) if all(is_positive) else MIXED
        if right is SAME:
            return left if is_positive[1] else MIXED
        # what is divided by nothing is unknown, so the divisor must not come from or go to nothing
        is_sure = all(is_positive) and bool(lows[1] and lows[1] > 0)
        return together(left, turned(right)) if is_sure else MIXED

    def _stepped(self, steps: Sequence[tuple[Sign, Node]], otherwise: Node) -> Sign:
        """Return how the first value moves whose test holds, and the last where none does."""
        tests = [test for test, _ in steps]
        values = [value for _, value in steps] + [otherwise]
        if all(test is SAME for test in tests):
            return together(*map(self.of, values))
        constants = [self.points(value) for value in values]
        if any(one is None or len(one) != 1 for one in constants):
            return MIXED
        return self.steps(tests, [one[0] for one in constants if one])

    def points(self, node: Node) -> list[Fraction] | None:
        """Return the numbers an expression may come to, where they are few; None otherwise."""
        found = self.ranges.of(node).points
        return found if found is not None and len(found) <= MOST_VALUES else None

    def never_below_nothing(self, node: Node) -> bool:
        """Whether an expression is never below nothing, as far as its form tells."""
        low = self.ranges.of(node).lowest
        return low is not None and low >= 0

    @staticmethod
    def steps(tests: Sequence[Sign], values: Sequence[Fraction]) -> Sign:
        """Return how the value of the first test that holds moves; the last value is for where none does."""
        falls, rises = (list(values) == sorted(values, reverse=is_down) for is_down in (True, False))
        if falls and rises:
            return SAME
        way = together(*tests)
        if way is SAME:
            return SAME
        if falls and way is not MIXED:
            return way
        return turned(way) if rises and way is not MIXED else MIXED

    def _looked_up(self, node: Lookup) -> Sign:
        if all(map(self._is_same, node.arguments)):
            return SAME
        parameter = self.pack.parameters[node.parameter]
        model, gives = parameter.model, parameter.type.gives
        if parameter.lookup is not None or model.values is not None or model.how == "is" or not gives.is_number:
            return MIXED
        (argument,) = node.arguments
        values = [Fraction(value) for _, value in self.ranges.entries(model, argument.type)]
        if model.has("else"):  # without it, a run stops beyond the last bound
            values.insert(len(values) if model.how == "up_to" else 0, Fraction(str(exact(model.else_))))
        if values == sorted(values):
            return self.of(argument)
        return turned(self.of(argument)) if values == sorted(values, reverse=True) else MIXED

    def _called(self, node: Call) -> Sign:
        if all(map(self._is_same, node.arguments)):
            return SAME
        first = node.arguments[0]
        match node.function:
            case "least" | "greatest" | "clamp" | "floor" | "ceil" | "round":
                return together(*map(self.of, node.arguments))
            case "coalesce":
                return self.of(first) if not first.nullable else MIXED
            case "abs":
                return self.of(first) if self.never_below_nothing(first) else MIXED
        return MIXED

    # --- names ---

    def _named(self, node: Name) -> Sign:
        value = self.graph.value_of(node.owner, node.leaf) if not node.hops else None
        if node.hops or node.owner != self.kind.name:
            return SAME
        if value is None:
            return self._field(node.leaf)
        if node.leaf == "is_ranked":
            return turned(together(*(self.of(one.when.node) for one in self.kind.not_ranked)))
        return self.value(value)

    def _field(self, name: str) -> Sign:
        field = self.kind.table.fields.get(name)
        if name in self.better or field is None:
            return self.better.get(name, SAME)
        if field.value is not None:
            return self.of(field.value.node)
        return MIXED if field.aggregate is not None else SAME

    def value(self, value: Value) -> Sign:
        """Return how a value of the kind moves."""
        place = (value.part, value.name)
        if place not in self.known:
            self.known[place] = MIXED  # should it read itself
            of: dict[str, Callable[[str], Sign]] = {
                "measure": self._measure, "line": lambda name: self.line(self.lines[name]),
                "verdict": lambda name: self.verdict(self.kind.verdicts[name]),
                "recall": lambda name: self._recalled(self.kind.recalls[name]),
            }  # fmt: skip
            self.known[place] = of[value.part](value.name) if value.part in of else SAME
        return self.known[place]

    def _measure(self, name: str) -> Sign:
        measure = self.kind.measures[name]
        if measure.value is not None:
            return self.better.get(name) or self.of(measure.value.node)
        made = measure.aggregate
        assert made is not None
        if made.function == "rank" and made.operand is not None:
            sign = self.of(made.operand.node)
            return turned(sign) if made.is_descending else sign
        return MIXED if self._reads_changing(made) else self.better.get(name, SAME)

    def _reads_changing(self, made: AggregateDef) -> bool:
        """Whether what records count for rests on something that moves."""
        parts = (made.operand, made.where, made.default)
        return any(self.moves_in(one) for one in parts if one is not None)

    def moves_in(self, formula: Formula) -> bool:
        """Whether an expression on records reads a value of the subject that moves."""
        for part in own_nodes(formula.node):
            if isinstance(part, Name) and part.owner == self.kind.name:
                value = self.graph.value_of(part.owner, part.leaf)
                if value is not None and self.value(value) is not SAME:
                    return True
        return False

    def _recalled(self, node: Recall) -> Sign:
        return self.of(node.operand) if node.reads_this_year else SAME

    # --- lines ---

    def line(self, line: LineDef) -> Sign:
        """Return how the points of a line move."""
        parts = [self.of(one.node) for one in (line.base, line.points) if one is not None and line.aggregate is None]
        if line.aggregate is not None:
            parts += [self.of(line.base.node)] if line.base is not None else []
        if line.judged is not None:
            parts.append(SAME if self.holds_records else UP)
        if line.selection is None:
            parts += [self.value(Value(self.kind.name, "line", item.id)) for item in line.items]
            if line.aggregate is not None:
                parts.append(self.records(line))
        else:
            parts.append(self.chosen(line, line.selection))
        sign = together(*parts)
        for factor in line.times:
            changes = [self.of(factor.by.node), *([self.of(factor.when.node)] if factor.when is not None else [])]
            if any(one is not SAME for one in changes) or not self.never_below_nothing(factor.by.node):
                sign = MIXED
        bounds = [self.of(one.node) for one in (line.min, line.max) if one is not None]
        sign = together(sign, *bounds)
        low = self.ranges.line(line).lowest
        if line.when is not None:
            when = self.of(line.when.node)
            is_gift = low is not None and low >= 0
            sign = sign if when is SAME else UP if is_gift and when is UP and sign in (UP, SAME) else MIXED
        for veto in line.veto:
            when, to, least = self.of(veto.when.node), veto.to.node, self.ranges.line(replace(line, veto=())).lowest
            never_above = isinstance(to, Const) and least is not None and Fraction(str(to.value)) <= least
            if when is SAME:
                sign = together(sign, self.of(veto.to.node))
            else:
                sign = UP if when is DOWN and never_above and sign in (UP, SAME) else MIXED
        return sign

    def records(self, line: LineDef) -> Sign:
        """Return how the sum of what records bring moves."""
        made = line.aggregate
        assert made is not None and made.operand is not None
        if self._reads_changing(made):
            return MIXED
        if self.holds_records:
            return SAME
        if line.id in self.better:
            return UP
        is_good = self.points(made.operand.node) is not None or self.never_below_nothing(made.operand.node)
        return UP if is_good else MIXED

    def chosen(self, line: LineDef, made: SelectionDef) -> Sign:
        """Return how the sum of the records that are chosen moves: none may displace a better one."""
        below = [one for one in line.walk() if one.aggregate is not None]
        if self.holds_records:
            return MIXED if any(one.aggregate and self._reads_changing(one.aggregate) for one in below) else SAME
        values: set[Fraction] = set()
        for one in below:
            assert one.aggregate is not None and one.aggregate.operand is not None
            found = self.points(one.aggregate.operand.node)
            if found is None or self._reads_changing(one.aggregate):
                return MIXED
            values |= set(found)
        inner = [one for one in line.walk() if one is not line]
        is_plain = not any(o.min or o.max or o.when or o.base or o.points or o.judged or o.times for o in inner)
        if min(values, default=Fraction(0)) < 0 or not is_plain or line.judged is not None:
            return MIXED
        best_first = not made.prefer or (made.prefer[0].is_points and made.prefer[0].is_descending)
        if made.is_once and not best_first:
            return MIXED
        factors = [Fraction(1), *(factor for _, factor in sorted(made.series))]
        if min(factors) < 0:
            return MIXED
        by_points = bool(made.order_by) and made.order_by[0].is_points and made.order_by[0].is_descending
        falling = factors == sorted(factors, reverse=True)
        return UP if len(values) < 2 or not made.series or (by_points and falling) else MIXED

    # --- verdicts ---

    def verdict(self, verdict: VerdictDef) -> Sign:
        """Return how a verdict moves: UP where it never comes to a lower value, or where true never becomes false.

        One that may be unknown may become known, which is neither.
        """
        found = self.proved[verdict.name] if verdict.name in self.proved else self._of_verdict(verdict)
        return MIXED if verdict.model.optional and found is not SAME else found

    def _of_verdict(self, verdict: VerdictDef) -> Sign:
        if verdict.form == "quota":
            # who is among and how they are ordered; others stay as they are
            signs = [self.of(one.node) for one in (verdict.among, verdict.when) if one is not None]
            for key in verdict.order_by:
                sign = self.of(key.formula.node)
                signs.append(sign if key.is_descending else turned(sign))
            return together(*signs)
        if verdict.when is not None:
            return self.of(verdict.when.node)
        if verdict.value is not None:
            return self.of(verdict.value.node)
        return self._ruled(verdict)

    def _ruled(self, verdict: VerdictDef) -> Sign:
        tests = [self.of(rule.when.node) for rule in verdict.rules if rule.when is not None]
        if all(test is SAME for test in tests):
            return SAME
        levels = list(verdict.type.values) if verdict.type.is_ordered else []
        if verdict.model.pick == "one" or not levels:
            return MIXED
        ranks = [Fraction(levels.index(rule.value)) for rule in verdict.rules if rule.value in levels]
        if len(ranks) != len(verdict.rules):
            return MIXED
        if verdict.model.pick == "highest":
            pairs = zip(tests, ranks, strict=False)
            return together(*(test for test, rank in pairs)) if min(ranks) == ranks[-1] else MIXED
        if verdict.rules[-1].when is not None:  # without a value otherwise a run stops where none holds
            return self.steps(tests, [*ranks, ranks[-1]])
        return self.steps(tests, ranks)
