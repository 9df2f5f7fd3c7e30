"""Any subject there could be, put to a program: what it is and does is chosen freely, all else follows by the rules.

Every count, every sum of what records bring, every field and every year before is a variable of its own, within
bounds. That is more than there can be, since one record may count in several places: what holds for all of these holds
for every subject. What a solver cannot be told exactly is a free value of its type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import TypeVar

from evaluator.engine.conditions import signature
from evaluator.engine.plan import Value as Planned
from evaluator.engine.plan import own_nodes
from evaluator.engine.state import State
from evaluator.pack.definitions import AggregateDef, KindDef, LineDef, MeasureDef, Pack, VerdictDef
from evaluator.pack.nodes import Name, Node, Recall
from evaluator.pack.types import NUMBER, Type
from evaluator.solve.arithmetic import Choice, Number, Translation, Truth, Value, half_away
from evaluator.solve.moves import Moves, readings_of
from evaluator.solve.program import FALSE, TRUE, Program, Untranslatable, Whole, constant
from evaluator.solve.written import FRESH, Written
from evaluator.sql.ratio import UNIT
from evaluator.workbench.proving.formulas import texts_in
from evaluator.workbench.proving.possible import Possible
from evaluator.workbench.proving.signs import DOWN, MIXED, SAME, UP, Sign, Signs

V = TypeVar("V", Number, Truth, Choice)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a proof looks: records of each sort, and the largest number of anything else."""

    records: int = 200
    number: int = 10_000

    def __str__(self) -> str:
        return f"up to {self.records:,} records of each sort, numbers from -{self.number:,} to {self.number:,}"


class Loose(Translation):
    """A translation that takes what it cannot translate for any value of its type."""

    def __init__(self, program: Program, pack: Pack, read: Callable[[Node], Value | None], free: Anyone) -> None:
        super().__init__(program, pack, read)
        self.free = free

    def number(self, node: Node) -> Number:
        """Return the value of an expression that is a number."""
        return self._or_free(node, super().number)

    def truth(self, node: Node) -> Truth:
        """Return the value of a condition."""
        return self._or_free(node, super().truth)

    def choice(self, node: Node) -> Choice:
        """Return the value of an expression that is neither number nor condition."""
        return self._or_free(node, super().choice)

    def _or_free(self, node: Node, of: Callable[[Node], V]) -> V:
        try:
            return of(node)
        except Untranslatable:
            label, sign = f"expression {signature(node)}", self.free.signs.of(node)
            return self.free.free(label, node.type, node.nullable, sign)  # type: ignore[return-value]


class Anyone(Possible):
    """Any subject; with `before`, the same subject after things got better, as `signs` say what is better."""

    def __init__(
        self, state: State, kind: KindDef, key: str, signs: Signs, bounds: Bounds, before: Anyone | None = None
    ) -> None:
        self.signs, self.bounds, self.before = signs, bounds, before
        self.chosen: dict[str, Value | Whole] = {}
        nothing = Moves(1, readings_of(kind), {}, [], [], [], Written(state))
        program = before.program if before is not None else Program()
        super().__init__(state, kind, key, nothing, bounds.records, program)

    def _translation(self, pack: Pack) -> Translation:
        return Loose(self.program, pack, self._read, self)

    def _depends(self, node: Node) -> bool:
        return any(isinstance(part, (Name, Recall)) for part in own_nodes(node))

    # --- what is chosen ---

    def _whole(self, label: str, low: int, high: int, sign: Sign) -> Whole:
        """Return a whole number to be chosen; after things got better, not on the wrong side of what it was."""
        if label not in self.chosen:
            earlier = self.before.chosen.get(label) if self.before is not None else None
            if isinstance(earlier, Whole) and sign is SAME:
                self.chosen[label] = earlier
            else:
                made = self.program.variable(low, high)
                if isinstance(earlier, Whole) and sign in (UP, DOWN):
                    a, b = (earlier, made) if sign is UP else (made, earlier)
                    self.program.require(self.program.is_at_most(a, b))
                self.chosen[label] = made
        found = self.chosen[label]
        assert isinstance(found, Whole)
        return found

    def free(self, label: str, kind: Type, is_nullable: bool, sign: Sign, low: int | None = None) -> Value:
        """Return any value of a type; `low` is the least a number may be."""
        if label in self.chosen:
            found = self.chosen[label]
            assert not isinstance(found, Whole)
            return found
        earlier = self.before.chosen.get(label) if self.before is not None else None
        if earlier is not None and sign is SAME:
            self.chosen[label] = earlier
            assert not isinstance(earlier, Whole)
            return earlier
        made = self._any(label, kind, is_nullable, low)
        if earlier is not None and not isinstance(earlier, Whole):
            self._relate(earlier, made, sign, kind)
        self.chosen[label] = made
        return made

    def _any(self, label: str, kind: Type, is_nullable: bool, low: int | None) -> Value:
        program, most = self.program, self.bounds.number
        if kind.values:
            return self.one_of(kind.values, kind, is_nullable)
        if kind.base == "boolean":
            return self.one_of([True, False], kind, is_nullable)
        if kind.base == "text":
            return self.one_of(list(dict.fromkeys(["", *texts_in(self.kind), FRESH])), kind, is_nullable)
        if not kind.is_number:
            raise Untranslatable(f"{label} is a {kind.base}")
        known = program.literal() if is_nullable else TRUE
        scale = UNIT if kind.base == "number" else 1
        return Number(program.variable((-most if low is None else low) * scale, most * scale), constant(scale), known)

    def _relate(self, earlier: Value, later: Value, sign: Sign, kind: Type) -> None:
        """Leave out what would be better turning into worse; what is known stays known, and the other way round."""
        program = self.program
        known = self.translation.is_known(earlier), self.translation.is_known(later)
        if sign in (UP, DOWN):
            for a, b in (known, known[::-1]):
                program.require(-a, b)
            less, more = (earlier, later) if sign is UP else (later, earlier)
            program.require(-known[0], self._at_most(less, more, kind))

    def _at_most(self, less: Value, more: Value, kind: Type) -> int:
        """Return whether one value is not above another: numbers, levels by their place, false before true."""
        program, made = self.program, self.translation
        if isinstance(less, Number) and isinstance(more, Number):
            return made._order("<=", less, more).yes
        if isinstance(less, Truth) and isinstance(more, Truth):
            return program.either(-less.yes, more.yes)
        assert isinstance(less, Choice) and isinstance(more, Choice)
        if not kind.is_ordered:
            return FALSE
        return made._order("<=", made._level(less, kind.values), made._level(more, kind.values)).yes

    # --- names ---

    def _read(self, node: Node) -> Value | None:
        if isinstance(node, Name) and self._planned(node) is None:
            sign = self.signs.of(node)
            label = ".".join((*node.hops, node.leaf))
            own = self.kind.table.fields.get(node.leaf) if not node.hops else None
            return self.free(f"field {label}", own.type if own else node.type, node.nullable, sign)
        return super()._read(node)

    def value(self, planned: Planned) -> Value:
        """Return a value of the subject; any, where it cannot be told exactly."""
        if planned in self.known:
            found = self.known[planned]
            if isinstance(found, Untranslatable):
                raise found
            return found
        try:
            made = super().value(planned)
        except Untranslatable:
            made = self._instead(planned)
        self.known[planned] = made
        if self.before is not None:
            sign = self.signs.value(planned)
            if sign in (UP, DOWN) and planned.part in ("measure", "line"):
                self._relate(self.before.value(planned), made, sign, NUMBER)
        return made

    def _instead(self, planned: Planned) -> Value:
        sign, label = self.signs.value(planned), f"{planned.part} {planned.name}"
        if planned.part == "line":
            line = next(one for one in self.kind.lines if one.id == planned.name)
            low = self.signs.ranges.line(line).lowest
            return self.free(label, NUMBER, False, sign, None if low is None else floor(low))
        if planned.part == "measure":
            measure = self.kind.measures[planned.name]
            return self.free(label, measure.type, measure.nullable, sign)
        if planned.part == "recall":
            return self.free(label, self.kind.recalls[planned.name].type, True, sign)
        if planned.part == "verdict":
            verdict = self.kind.verdicts[planned.name]
            return self.free(label, verdict.type, verdict.model.optional, sign)
        raise Untranslatable(f"{label} is not known")

    # --- records ---

    def _measure(self, name: str) -> Value:
        measure = self.kind.measures[name]
        made = measure.aggregate
        if made is None:
            assert measure.value is not None
            return self.translation.stored(measure.value, measure.type)
        sign = self.signs.value(Planned(self.kind.name, "measure", name))
        if made.function in ("count", "distinct", "rank") and not measure.nullable:
            return Number(self._counted(name), constant(1), TRUE)
        if made.function == "sum" and made.operand is not None:
            values = self.signs.points(made.operand.node)
            if values is not None and not made.is_peers and not measure.nullable:
                return self._sum_of(f"measure {name}", values, sign is MIXED)
        return self.free(f"measure {name}", measure.type, measure.nullable, sign, self._low(measure))

    def _counted(self, name: str) -> Whole:
        """Return a count; of the same records, those that meet a condition are no more than all of them."""
        measure = self.kind.measures[name]
        made = measure.aggregate
        assert made is not None
        label = f"measure {name}"
        if label not in self.chosen:
            high = self.signs.ranges.named(self.kind.name, name).highest
            sign = self.signs.value(Planned(self.kind.name, "measure", name))
            low = 1 if made.function == "rank" else 0
            count = self._whole(
                label, low, min(self.bounds.records, int(high) if high is not None else self.bounds.records), sign
            )
            wholes = [
                other for other, its in self.kind.measures.items() if its.aggregate and _is_all(its.aggregate, made)
            ]
            for other in wholes if made.where is not None else []:
                self.program.require(self.program.is_at_most(count, self._counted(other)))
        return self._whole(label, 0, 0, SAME)

    def _low(self, measure: MeasureDef) -> int | None:
        low = self.signs.ranges.named(self.kind.name, measure.name).lowest
        return None if low is None else floor(low)

    def _sum_of(self, label: str, values: Sequence[Fraction], is_mixed: bool) -> Number:
        """Return a sum of so many of each of a few values: better is more of those above nothing, fewer below."""
        made = self.translation
        parts = []
        for value in sorted(values):
            worth = half_away(value * UNIT)  # as it is stored
            sign = MIXED if is_mixed else UP if worth > 0 else DOWN
            count = self._whole(f"{label}: {value}", 0, self.bounds.records, sign)
            parts.append(self._scaled(self.program.times(count, worth), NUMBER))
        return made.add(*parts) if parts else Number(constant(0), constant(1), TRUE)

    def _sum(self, line: LineDef) -> Number:
        if line.judged is not None:
            return self._decided(line)
        if line.selection is None:
            assert line.aggregate is not None and line.aggregate.operand is not None
            values = self.signs.points(line.aggregate.operand.node)
            sign = self.signs.records(line)
            if values is not None:
                return self._sum_of(f"line {line.id}", values, sign is MIXED)
            is_good = self.signs.never_below_nothing(line.aggregate.operand.node)
        else:
            sign = self.signs.chosen(line, line.selection)
            is_good = sign is UP
        found = self.free(f"line {line.id}", NUMBER, False, sign, 0 if is_good else None)
        assert isinstance(found, Number)
        return found

    def _decided(self, line: LineDef) -> Number:
        """Return any points that people may decide on; nothing where they decide nothing."""
        found = self.free(f"line {line.id}", NUMBER, False, UP)
        assert isinstance(found, Number)
        return self.decided(line, found)

    # --- years, and others ---

    def _recall(self, name: str) -> Value:
        found = self.kind.recalls[name]
        if found.reads_this_year and found.function in ("years_running", "years"):
            years = self._whole(f"recall {name}", 0, self.bounds.records, SAME)
            return self.with_this_year(found, Number(years, constant(1), TRUE))
        return self.with_this_year(found, self.free(f"recall {name}", found.type, not found.reads_this_year, SAME))

    def _peers(self, measure: MeasureDef, made: AggregateDef) -> Value:
        raise Untranslatable("others are not known")

    def _quota(self, verdict: VerdictDef) -> Value:
        """Return whether it is chosen: only if it is among those who may be, and beside any others."""
        program = self.program
        may = program.both(self.translation.condition(verdict.among), self.translation.condition(verdict.when))
        is_taken = self.free(f"verdict {verdict.name}", Type("boolean"), False, MIXED)
        assert isinstance(is_taken, Truth)
        if self.before is not None and self.signs.verdict(verdict) is UP:
            earlier = self.before.verdict(verdict.name)
            assert isinstance(earlier, Truth)
            program.require(-earlier.yes, -may, is_taken.yes)
        yes = program.both(may, is_taken.yes)
        return Truth(yes, -yes)

    def _stored(self, name: str, kind: Type) -> Value:
        return self.free(f"stored {name}", kind, False, SAME)


def _is_all(made: AggregateDef, part: AggregateDef) -> bool:
    """Whether one counts all the records of which another counts some."""
    own = (made.function, made.source, made.links, made.is_peers, made.period)
    return made.function == "count" and made.where is None and own == (
        part.function, part.source, part.links, part.is_peers, part.period,
    )  # fmt: skip
