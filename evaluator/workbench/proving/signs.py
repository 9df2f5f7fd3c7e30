"""In which direction values go as things get better, as far as the form of the rules tells.

Better is: more records that bring points, fewer that cost some, and more of what a measure or field counts where more
of it is better. A sum of what only grows only grows, and so do its caps, its floors and its bands; so most of a pack
needs no search. What the form does not tell is MIXED, and is left to the solver.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from evaluator.pack.scalars import exact, literal

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


def possible_values(pack: Pack, node: Node) -> frozenset[Fraction] | None:
    """Return the numbers an expression may come to, where they are few and written down; None otherwise."""
    found: list[frozenset[Fraction] | None]
    match node:
        case Const(value=Fraction() as value):
            return frozenset([value])
        case Const(value=None):
            return frozenset()
        case Case():
            found = [possible_values(pack, part) for part in (*(b.then for b in node.branches), node.otherwise)]
        case Call(function="coalesce" | "least" | "greatest"):
            found = [possible_values(pack, part) for part in node.arguments]
        case Lookup():
            listed = lookup_values(pack, node)
            return None if listed is None else frozenset(listed)
        case Arithmetic(op="+" | "-" | "*"):
            sides = possible_values(pack, node.left), possible_values(pack, node.right)
            if sides[0] is None or sides[1] is None or len(sides[0]) * len(sides[1]) > MOST_VALUES:
                return None
            of = {"+": Fraction.__add__, "-": Fraction.__sub__, "*": Fraction.__mul__}[node.op]
            return frozenset(of(a, b) for a in sides[0] for b in sides[1])
        case _:
            return None
    if any(one is None for one in found):
        return None
    return frozenset(value for one in found for value in one or ())


def lookup_values(pack: Pack, node: Lookup) -> list[Fraction] | None:
    """Return every number a parameter may give, in the order of its bounds; None where it is read from a table."""
    parameter = pack.parameters[node.parameter]
    model = parameter.model
    if parameter.lookup is not None or not parameter.type.gives.is_number:
        return None
    listed = list(model.bands.values()) if model.values is None else [v for row in model.values for v in row]
    listed += [model.else_] if model.has("else") else []
    return [Fraction(str(exact(value))) for value in listed]


class Signs:
    """How the values of a kind move; `better` says of measures, fields and lines which way is better, by name."""

    def __init__(self, pack: Pack, kind: KindDef, better: dict[str, Sign], holds_records: bool = False) -> None:
        self.pack, self.kind, self.graph = pack, kind, Graph(pack)
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
                    is_top = isinstance(one, Name) and other.value is not None and other.value == self.highest(one)
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
        lows = (self.lowest(node.left), self.lowest(node.right))
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
        constants = [possible_values(self.pack, value) for value in values]
        if any(one is None or len(one) != 1 for one in constants):
            return MIXED
        return self.steps(tests, [next(iter(one)) for one in constants if one])

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
        model = self.pack.parameters[node.parameter].model
        values = lookup_values(self.pack, node)
        if values is None or len(node.arguments) != 1 or model.values is not None or model.how == "is":
            return MIXED
        bounds = [exact(literal(key)) for key in model.bands]
        pairs = sorted(zip(bounds, values, strict=False), key=lambda one: Fraction(str(one[0])))
        ordered = [value for _, value in pairs]
        if model.has("else"):
            ordered = [*ordered, values[-1]] if model.how == "up_to" else [values[-1], *ordered]
        sign = self.of(node.arguments[0])
        if ordered == sorted(ordered):
            return sign
        return turned(sign) if ordered == sorted(ordered, reverse=True) else MIXED

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
                low = self.lowest(first)
                return self.of(first) if low is not None and low >= 0 else MIXED
        return MIXED

    # --- the least a value can be ---

    def lowest(self, node: Node) -> Fraction | None:
        """Return a number that a value is never below, as far as its form tells."""
        values = possible_values(self.pack, node)
        if values is not None:
            return min(values, default=Fraction(0))
        match node:
            case Name():
                return self._lowest_named(node)
            case Recall():
                return Fraction(0) if node.function in ("years", "years_running") else None
            case Arithmetic(op="+" | "*" | "/"):
                sides = [self.lowest(node.left), self.lowest(node.right)]
                if sides[0] is None or sides[1] is None or min(sides[0], sides[1]) < 0:
                    return None
                return sides[0] + sides[1] if node.op == "+" else sides[0] * sides[1] if node.op == "*" else Fraction(0)
            case Call(function="greatest"):
                known = [low for one in node.arguments if (low := self.lowest(one)) is not None]
                return max(known, default=None)
            case Call(function="clamp"):
                return self.lowest(node.arguments[1])
            case Call(function="least" | "coalesce") | Case():
                parts = node.arguments if isinstance(node, Call) else (*(b.then for b in node.branches), node.otherwise)
                lows = [self.lowest(part) for part in parts]
                return None if any(low is None for low in lows) else min(low for low in lows if low is not None)
            case Call(function="floor" | "round"):
                low = self.lowest(node.arguments[0])
                return Fraction(0) if low is not None and low >= 0 else None
        return None

    def _lowest_named(self, node: Name) -> Fraction | None:
        value = self.graph.value_of(node.owner, node.leaf) if not node.hops else None
        if value is None or value.kind != self.kind.name:
            return None
        if value.part == "measure":
            measure = self.kind.measures[value.name]
            if measure.value is not None:
                return self.lowest(measure.value.node)
            made = measure.aggregate
            assert made is not None
            if made.function in ("count", "distinct", "rank"):
                return Fraction(1 if made.function == "rank" else 0)
            low = self.lowest(made.operand.node) if made.operand is not None else None
            return low if made.function != "sum" else Fraction(0) if low is not None and low >= 0 else None
        return self.lowest_points(self.lines[value.name]) if value.part == "line" else None

    def lowest_points(self, line: LineDef, is_vetoed: bool = True) -> Fraction | None:
        """Return what a line never gives less than, as far as its form tells; on request, but for vetoes."""
        parts = [self.lowest(one.node) for one in (line.base,) if one is not None]
        if line.aggregate is not None:
            assert line.aggregate.operand is not None
            low = self.lowest(line.aggregate.operand.node)
            parts.append(Fraction(0) if low is not None and low >= 0 else None)
        elif line.points is not None:
            parts.append(self.lowest(line.points.node))
        if line.judged is not None:
            parts.append(self.lowest(line.judged.low.node))
        parts += [self.lowest_points(item) for item in line.items]
        found = None if any(part is None for part in parts) else sum((p for p in parts if p is not None), Fraction(0))
        if line.times and (found is None or found < 0 or any((self.lowest(t.by.node) or -1) < 0 for t in line.times)):
            found = None
        elif line.times and found is not None:
            found = Fraction(0)
        if line.min is not None and (low := self.lowest(line.min.node)) is not None:
            found = low if found is None else max(found, low)
        if line.max is not None and found is not None:
            high = self.lowest(line.max.node)
            found = None if high is None else min(found, high)
        lows = [self.lowest(veto.to.node) for veto in line.veto if is_vetoed]
        lows += [Fraction(0)] if line.when is not None else []
        if found is None or any(low is None for low in lows):
            return None
        return min([found, *(low for low in lows if low is not None)])

    def highest(self, node: Name) -> int | None:
        """Return what a count of different quarters, months or levels is never above; None for anything else."""
        measure = self.kind.measures.get(node.leaf) if not node.hops else None
        made = measure.aggregate if measure is not None else None
        if made is None or made.function != "distinct" or made.operand is None:
            return None
        of = made.operand.node
        if isinstance(of, Call):
            return {"quarter": 4, "month": 12}.get(of.function)
        return len(of.type.values) or None

    # --- names ---

    def _named(self, node: Name) -> Sign:
        value = self.graph.value_of(node.owner, node.leaf) if not node.hops else None
        if value is None or value.kind != self.kind.name:
            return self.better.get(node.leaf, SAME) if not node.hops else SAME
        return self.value(value)

    def value(self, value: Value) -> Sign:
        """Return how a value of the kind moves."""
        place = (value.part, value.name)
        if place not in self.known:
            self.known[place] = MIXED  # should it read itself
            of: dict[str, Callable[[str], Sign]] = {
                "measure": self._measure, "line": lambda name: self.line(self.lines[name]),
                "verdict": lambda name: self.verdict(self.kind.verdicts[name]),
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
            if any(one is not SAME for one in changes) or (self.lowest(factor.by.node) or -1) < 0:
                sign = MIXED
        bounds = [self.of(one.node) for one in (line.min, line.max) if one is not None]
        sign = together(sign, *bounds)
        low = self.lowest_points(line)
        if line.when is not None:
            when = self.of(line.when.node)
            is_gift = low is not None and low >= 0
            sign = sign if when is SAME else UP if is_gift and when is UP and sign in (UP, SAME) else MIXED
        for veto in line.veto:
            when, to, least = self.of(veto.when.node), self.lowest(veto.to.node), self.lowest_points(line, False)
            never_above = isinstance(veto.to.node, Const) and least is not None and to is not None and to <= least
            if when is not SAME:
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
        if possible_values(self.pack, made.operand.node) is not None:
            return UP
        low = self.lowest(made.operand.node)
        return UP if low is not None and low >= 0 else MIXED

    def chosen(self, line: LineDef, made: SelectionDef) -> Sign:
        """Return how the sum of the records that are chosen moves: none may displace a better one."""
        below = [one for one in line.walk() if one.aggregate is not None]
        if self.holds_records:
            return MIXED if any(one.aggregate and self._reads_changing(one.aggregate) for one in below) else SAME
        values: set[Fraction] = set()
        for one in below:
            assert one.aggregate is not None and one.aggregate.operand is not None
            found = possible_values(self.pack, one.aggregate.operand.node)
            if found is None or self._reads_changing(one.aggregate):
                return MIXED
            values |= found
        is_bounded = any(one.min or one.max or one.when for one in line.walk() if one is not line)
        if min(values, default=Fraction(0)) < 0 or is_bounded:
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
        """Return how a verdict moves: UP where it never comes to a lower value, or where true never becomes false."""
        name = verdict.name
        if name in self.proved:
            return self.proved[name]
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


def directions(pack: Pack, kind: KindDef, declared: dict[str, Sign]) -> tuple[Signs, list[str]]:
    """Return how everything moves, and the measures and fields whose better direction neither is declared nor shows.

    What is counted from records that bring points is better in more, from those that cost some in less. What only
    helps, or only hurts, the total and the levels is better in that direction.
    """
    signs = Signs(pack, kind, declared)
    leaves = [m.name for m in kind.measures.values() if m.aggregate is not None and m.aggregate.function != "rank"]
    fields = [f for f in kind.table.fields.values() if f.name not in kind.table.key]
    leaves += [f.name for f in fields if f.type.is_number or f.type.is_ordered]
    open_ = []
    for name in leaves:
        if name in declared:
            continue
        measure = kind.measures.get(name)
        if measure is not None and (measure.nullable or measure.aggregate and measure.aggregate.function == "min"):
            open_.append(name)  # one more record may lower it, or make it known
            continue
        by_points = _by_points(signs, measure.aggregate) if measure is not None and measure.aggregate else set()
        found = by_points or _by_use(pack, kind, signs, name)
        if len(found) == 1:
            signs.better[name] = next(iter(found))
        elif found:
            open_.append(name)
    signs.forget()
    return signs, open_


def _by_points(signs: Signs, made: AggregateDef) -> set[Sign]:
    """Return what the points say that the same records bring in lines: all of them good, or all of them bad."""
    found: set[Sign] = set()
    for line in signs.kind.lines:
        other = line.aggregate
        if other is None or other.source != made.source or other.links != made.links or other.operand is None:
            continue
        if other.where is not None and other.where.text != (made.where.text if made.where is not None else ""):
            continue
        values = possible_values(signs.pack, other.operand.node) or frozenset()
        found |= {UP for value in values if value > 0} | {DOWN for value in values if value < 0}
    return found if len(found) == 1 else set()


def _by_use(pack: Pack, kind: KindDef, signs: Signs, name: str) -> set[Sign]:
    """Return in which directions the total and the levels go with a value, everything else as it is."""
    alone = Signs(pack, kind, {name: UP}, holds_records=True)
    found: set[Sign] = set()
    if kind.score is not None:
        found.add(alone.line(kind.score))
    for verdict in kind.verdicts.values():
        if verdict.type.is_ordered or verdict.form == "quota":
            found.add(alone.verdict(verdict))
    return found & {UP, DOWN} or {UP, DOWN} & {sign for one in found for sign in ((UP, DOWN) if one is MIXED else ())}
