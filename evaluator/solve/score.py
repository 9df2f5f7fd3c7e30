"""A subject's measures, score and verdicts over the moves it has, put to a program as the engine computes them.

Each value follows `engine.score`, `engine.families` and `engine.quota`; what no move changes is a constant and is
fetched from the run. Other subjects stay as they stand. Where a run would stop, as for points that are unknown, the
program leaves that out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

from sqlglot import exp

from evaluator.engine.plan import Graph, own_nodes
from evaluator.engine.plan import Value as Planned
from evaluator.engine.state import State, points_column
from evaluator.pack.definitions import (
    AggregateDef,
    Formula,
    KindDef,
    LineDef,
    MeasureDef,
    Pack,
    SelectionDef,
    VerdictDef,
)
from evaluator.pack.nodes import Const, Name, Node, Recall
from evaluator.pack.types import NUMBER, Type
from evaluator.solve.arithmetic import Choice, Number, Translation, Truth, Value, half_away, known_value, unknown_value
from evaluator.solve.moves import Moves, as_read
from evaluator.solve.program import FALSE, TRUE, Lit, Program, Untranslatable, Whole, constant
from evaluator.solve.written import FRESH
from evaluator.sql.lower import Lowering
from evaluator.sql.ratio import UNIT
from evaluator.sql.trees import SQL, column, holds, is_null, number, table, text

Past = Mapping[str, Sequence[tuple[int, Any]]]
"""What each function over years went over: year and value as stored, for years before the one assessed."""


def years_before(state: State, kind: KindDef, key: str, recalled: SQL) -> Past:
    """Return what the functions over years went over for a subject, from the rows a run keeps of that.

    `recalled` has the columns key, recall, year, holds and value.
    """
    names = ("recall", "year", "holds", "value")
    rows = exp.select(*(column(name, "y") for name in names)).from_(exp.alias_(recalled, "y", table=True), copy=False)
    found: dict[str, list[tuple[int, Any]]] = {name: [] for name in kind.recalls}
    for name, year, held, value in state.db.rows(rows.where(exp.EQ(this=column("key", "y"), expression=text(key)))):
        if year < state.year:
            found[name].append((year, held if value is None else value))
    return found


class Subject:
    """One subject with its moves: `counts` says how often each is taken, `value` what anything comes to then."""

    def __init__(
        self,
        state: State,
        pack: Pack,
        kind: KindDef,
        key: str,
        moves: Moves,
        most: int,
        past: Past | None = None,
        program: Program | None = None,
        counts: Sequence[Whole] | None = None,
    ) -> None:
        self.state, self.kind, self.key, self.moves = state, kind, key, moves
        self.past = past
        self.program = Program() if program is None else program
        self.counts = list(counts or [self._count(place, most) for place in range(len(moves.moved))])
        for group, size in enumerate(moves.groups):
            parts = [c for c, m in zip(self.counts, moves.moved, strict=True) if m.held == group]
            self.program.require(self.program.is_at_most(self.program.plus(*parts), constant(size)))
        self.graph = Graph(pack)
        self.readings = {(r.line is not None, r.name): place for place, r in enumerate(moves.readings)}
        self.changing = self._changing()
        self.translation = self._translation(pack)
        self.known: dict[Planned, Value | Untranslatable] = {}
        self.constants: dict[Node, Value] = {}
        self.own = table(f"{kind.name}#own", "work")
        rows = exp.select(exp.Star()).from_(exp.alias_(state.location(kind.name), "s", table=True), copy=False)
        state.db.create(self.own, rows.where(exp.EQ(this=column("#key", "s"), expression=text(key)), copy=False))
        columns = state.db.run(exp.select(exp.Star()).from_(self.own)).description or ()
        values = state.db.rows(exp.select(exp.Star()).from_(self.own))[0]
        self.row: dict[str, Any] = dict(zip((one[0] for one in columns), values, strict=True))

    def _translation(self, pack: Pack) -> Translation:
        return Translation(self.program, pack, self._read)

    def put(self) -> None:
        """Put everything that can be to the program, so that it leaves out whatever stops a run."""
        lines = [Planned(self.kind.name, "line", line.id) for line in self.kind.lines]
        for planned in (*lines, *(Planned(self.kind.name, "verdict", name) for name in self.kind.verdicts)):
            try:
                self.value(planned)
            except Untranslatable:
                continue  # who asks for it is told

    def close(self) -> None:
        """Let go of what was made in the database."""
        self.state.db.drop(self.own)

    def _count(self, place: int, most: int) -> Whole:
        held = self.moves.moved[place].held
        limit = most if held is None else min(most, len(self.moves.moved[place].replaced))
        return self.program.variable(0, limit)

    # --- what changes ---

    def _changing(self) -> set[Planned]:
        """Return the values of the kind that moves may change."""
        touched = {place for one in self.moves.moved for place in (*one.takes, *one.gives)}
        found = {
            Planned(self.kind.name, "sum" if reading.line is not None else "measure", reading.name)
            for place, reading in enumerate(self.moves.readings)
            if place in touched
        }
        is_new = True
        while is_new:
            fresh = {
                value
                for value, reads in self.graph.reads.items()
                if value.kind == self.kind.name and value not in found and any(other in found for other in reads)
            }
            found |= fresh
            is_new = bool(fresh)
        return found

    def reads_of(self, verdict: str) -> set[Planned]:
        """Return every value that a verdict rests on, over other verdicts and lines."""
        found: set[Planned] = set()
        todo = [Planned(self.kind.name, "verdict", verdict)]
        while todo:
            value = todo.pop()
            if value not in found:
                found.add(value)
                todo += self.graph.reads.get(value, {})
        return found

    def _planned(self, node: Node) -> Planned | None:
        if isinstance(node, Recall):
            return Planned(self.kind.name, "recall", node.column)
        if isinstance(node, Name) and not node.hops:
            return self.graph.value_of(self.kind.name, node.leaf)
        return None

    def _depends(self, node: Node) -> bool:
        return any(self._planned(part) in self.changing for part in own_nodes(node))

    def _read(self, node: Node) -> Value | None:
        """Return the value of a part: a constant if no move changes it, else what its name stands for."""
        if isinstance(node, Const):
            return None
        if not self._depends(node):
            if node not in self.constants:
                self.constants[node] = self._constant(node)
            return self.constants[node]
        planned = self._planned(node)
        return None if planned is None else self.value(planned)

    def _constant(self, node: Node) -> Value:
        """Compute a part that no move changes."""
        rows = self.state.rows(self.kind.name, "s", base=self.own)
        lowering = Lowering(rows)
        if node.type.is_number:
            ratio = lowering.ratio(node)
            (found,) = self.state.db.rows(rows.select(ratio.num, ratio.den_sql))
            known = None if None in found else Fraction(int(found[0]), int(found[1]))
        else:
            value = lowering.value(node)
            known = self.state.db.value(rows.select(value))
        return unknown_value(node.type) if known is None else known_value(known)

    # --- values ---

    def value(self, planned: Planned) -> Value:
        """Return a value of the subject."""
        if planned not in self.known:
            made = {"apart": self._apart, "measure": self._measure, "line": self._line, "verdict": self._verdict,
                    "recall": self._recall}[planned.part]  # fmt: skip
            try:
                self.known[planned] = made(planned.name)
            except Untranslatable as why:
                self.known[planned] = why
        found = self.known[planned]
        if isinstance(found, Untranslatable):
            raise found
        return found

    def total(self) -> Value | None:
        """Return the total; None where there is no score."""
        return self.value(Planned(self.kind.name, "line", "total")) if self.kind.score is not None else None

    def verdict(self, name: str) -> Value:
        """Return a verdict."""
        return self.value(Planned(self.kind.name, "verdict", name))

    def _stored(self, name: str, kind: Type) -> Value:
        value = as_read(self.row[name], kind)
        return unknown_value(kind) if value is None else known_value(value)

    def _apart(self, _: str) -> Value:
        raise Untranslatable("whether the subject is assessed may change")

    # --- aggregates of records ---

    def _tally(self, place: int, of: Callable[[tuple[object, ...]], int]) -> Whole:
        """Add something up over the records of a reading, as they are after the moves."""
        made = self.program
        parts = [constant(sum(of(row) for row in self.moves.present[place]))]
        for count, one in zip(self.counts, self.moves.moved, strict=True):
            change = sum(map(of, one.gives.get(place, ()))) - sum(map(of, one.takes.get(place, ())))
            if change:
                parts.append(made.times(count, change))
        return made.plus(*parts)

    def _rows(self, place: int) -> list[tuple[object, ...]]:
        """Return every different row a reading may have, in a fixed order."""
        rows = dict.fromkeys(self.moves.present[place])
        for one in self.moves.moved:
            rows |= dict.fromkeys(one.gives.get(place, ()))
        return list(rows)

    def _check_rows(self, place: int) -> None:
        """Refuse records whose worth depends on what the subject comes to."""
        for formula in self.moves.readings[place].formulas:
            for part in own_nodes(formula.node):
                if isinstance(part, Name) and part.owner == self.kind.name:
                    planned = self.graph.value_of(part.owner, part.leaf)
                    if planned in self.changing:
                        raise Untranslatable(
                            f"what records bring to {self.moves.readings[place].name} rests on {part.leaf}"
                        )

    def _measure(self, name: str) -> Value:
        measure = self.kind.measures[name]
        made = measure.aggregate
        if Planned(self.kind.name, "measure", name) not in self.changing:
            return self._stored(name, measure.type)
        if made is None:
            assert measure.value is not None
            return self.translation.stored(measure.value, measure.type)
        if made.is_peers:
            return self._peers(measure, made)
        place = self.readings[False, name]
        self._check_rows(place)
        return self._aggregate(place, measure, made)

    def _aggregate(self, place: int, measure: MeasureDef, made: AggregateDef) -> Value:
        program = self.program
        if made.function == "count":
            return Number(self._tally(place, lambda row: 1), constant(1), TRUE)
        if made.function == "sum":
            whole = self._tally(place, lambda row: int(str(row[0])) if row[0] is not None else 0)
            return self._scaled(whole, measure.type)
        if made.function == "any":
            found = self._tally(place, lambda row: int(row[0] is True))
            yes = program.is_at_most(constant(1), found)
            return Truth(yes, -yes)
        values = list(dict.fromkeys(row[0] for row in self._rows(place) if row[0] is not None))
        if made.function == "distinct":
            parts = []
            for value in values:
                times = self._tally(place, lambda row, value=value: int(row[0] == value))  # type: ignore[misc]
                if _is_fresh(made.operand, value):
                    parts.append(times)
                else:
                    parts.append(program.count([program.is_at_most(constant(1), times)]))
            return Number(program.plus(*parts), constant(1), TRUE)
        return self._extreme(place, measure, made, values)

    def _extreme(self, place: int, measure: MeasureDef, made: AggregateDef, values: list[Any]) -> Value:
        program = self.program
        levels = measure.type.values if measure.type.is_ordered and not measure.type.is_number else ()
        order = sorted(values, key=levels.index if levels else None, reverse=made.function == "max")
        options: list[tuple[object, Lit]] = []
        none_before = TRUE
        for value in order:
            times = self._tally(place, lambda row, value=value: int(row[0] == value))  # type: ignore[misc]
            is_there = program.is_at_most(constant(1), times)
            options.append((as_read(value, measure.type), program.both(none_before, is_there)))
            none_before = program.both(none_before, -is_there)
        if made.default is not None and none_before != FALSE:
            default = self._constant(made.default.node) if not self._depends(made.default.node) else None
            if default is None:
                raise Untranslatable(f"the default of {measure.name} changes")
            if isinstance(default, Number) and default.known == TRUE:
                options.append((Fraction(default.num.constant, default.den.constant), none_before))
            elif isinstance(default, Choice):
                options += [(value, program.both(none_before, lit)) for value, lit in default.options]
        merged: dict[object, list[Lit]] = {}
        for value, lit in options:
            merged.setdefault(value, []).append(lit)
        choice = Choice(tuple((value, program.either(*lits)) for value, lits in merged.items()))
        return self.translation.as_number(choice) if measure.type.is_number else choice

    def _scaled(self, whole: Whole, kind: Type) -> Number:
        scale = UNIT if kind.base == "number" else 1
        num, den = self.program.reduced(whole, scale)
        return Number(num, constant(den), TRUE)

    # --- peers ---

    def _others(self, formulas: Sequence[Formula | None], within: Formula | None) -> list[tuple[Any, ...]]:
        """Return values of the other subjects of the same group, as orders and conditions compare them."""
        rows = self.state.rows(self.kind.name, "s")
        lowering = Lowering(rows)
        columns: list[SQL] = [
            exp.true() if f is None else
            holds(lowering.condition(f)) if f.node.type.base == "boolean" else lowering.ordering(f)
            for f in formulas
        ]  # fmt: skip
        query = rows.select(*columns).where(exp.NEQ(this=column("#key", "s"), expression=text(self.key)), copy=False)
        if within is not None:
            if self._depends(within.node):
                raise Untranslatable("the group changes")
            group = lowering.stored(within)
            mine = self._of_own(lambda own: own.stored(within))
            same = is_null(group) if mine is None else exp.EQ(this=group.copy(), expression=_literal(mine))
            query = rows.select(*(c.copy() for c in columns)).where(
                exp.NEQ(this=column("#key", "s"), expression=text(self.key)), copy=False
            ).where(same, copy=False)  # fmt: skip
        return self.state.db.rows(query)

    def _of_own(self, of: Callable[[Lowering], SQL]) -> Any:
        rows = self.state.rows(self.kind.name, "s", base=self.own)
        value = of(Lowering(rows))
        return self.state.db.value(rows.select(value))

    def _peers(self, measure: MeasureDef, made: AggregateDef) -> Value:
        program = self.program
        counts_me = self.translation.condition(made.where)
        if made.function == "count":
            others = sum(bool(row[0]) for row in self._others([made.where], made.within))
            return Number(program.plus(constant(others), program.count([counts_me])), constant(1), TRUE)
        if made.function != "rank" or made.operand is None:
            raise Untranslatable(f"{measure.name} compares subjects by {made.function}")
        mine = self._key(made.operand)
        before = []
        for value, counted in self._others([made.operand, made.where], made.within):
            if value is not None and counted:
                before.append(self._is_before(value, mine, made.is_descending)[0])
        rank = program.plus(constant(1), program.count(before))
        return Number(rank, constant(1), program.both(counts_me, mine.known))

    def _key(self, formula: Formula) -> Number:
        """Return a value that is ordered by, as a number: levels by their place, numbers as stored."""
        kind = formula.node.type
        made = self.translation.stored(formula)
        if isinstance(made, Number):
            scale = UNIT if kind.base == "number" else 1
            den = made.den.constant if made.den.is_constant else 0
            if not den or scale % den:
                raise Untranslatable("a key that is no whole number")
            return Number(self.program.times(made.num, scale // den), constant(1), made.known)
        if isinstance(made, Choice) and kind.values and kind.is_ordered:
            weighted = self.program.one_of((lit, kind.values.index(value)) for value, lit in made.options)
            return Number(weighted, constant(1), self.translation.is_known(made))
        raise Untranslatable(f"the order by {formula.text} changes")

    def _is_before(self, other: Any, mine: Number, is_descending: bool) -> tuple[Lit, Lit]:
        """Return whether another comes strictly before in one key, and whether both are alike; unknown comes last."""
        program = self.program
        if other is None:
            return FALSE, -mine.known
        if not isinstance(other, int):
            raise Untranslatable("a key that is no whole number")
        theirs = constant(int(other))
        reaches = program.is_at_most(mine.num, theirs) if is_descending else program.is_at_most(theirs, mine.num)
        same = program.both(mine.known, program.is_equal(mine.num, theirs))
        return program.either(-mine.known, program.both(reaches, -program.is_equal(mine.num, theirs))), same

    # --- years ---

    def _recall(self, name: str) -> Value:
        found = self.kind.recalls[name]
        planned = Planned(self.kind.name, "recall", name)
        if planned not in self.changing:
            return self._stored(name, found.type)
        now = self.translation.stored(found.operand)
        program = self.program
        was = self._of_own(lambda own: own.stored(found.operand))
        if found.function == "years_running":
            assert isinstance(now, Truth)
            before = self._running_before(name, bool(was))
            return Number(program.weighted([(now.yes, 1 + before)]), constant(1), TRUE)
        stored = self.row[name]
        if stored is None or was is None and found.function == "sum_years":
            raise Untranslatable(f"{name} is unknown")
        if found.function == "years":
            assert isinstance(now, Truth)
            rest = constant(int(stored) - int(bool(was)))
            return Number(program.plus(rest, program.count([now.yes])), constant(1), TRUE)
        assert isinstance(now, Number)
        others = known_value(Fraction(int(stored) - int(was), UNIT if found.type.base == "number" else 1))
        return self.translation.add(self._number(others), now)

    def _running_before(self, name: str, holds_now: bool) -> int:
        """Return for how many years up to the one before a condition has held."""
        if holds_now:
            return int(self.row[name]) - 1
        if self.past is None:
            raise Untranslatable(f"the years before are not given, and {name} looks back on them")
        count, year = 0, self.state.year
        for earlier, held in sorted(self.past.get(name, ()), key=lambda one: -one[0]):
            if earlier >= self.state.year:
                continue
            if not held or (self.state.pack.gap == "breaks" and earlier != year - 1):
                break
            count, year = count + 1, earlier
        return count

    # --- lines ---

    def _line(self, name: str) -> Value:
        line = next(line for line in self.kind.lines if line.id == name)
        if Planned(self.kind.name, "line", name) not in self.changing:
            return self._stored(points_column(name), NUMBER)
        made, program = self.translation, self.program
        parts: list[Number] = []
        if line.base is not None:
            parts.append(self._number(made.stored(line.base, NUMBER)))
        if line.sums_records:
            parts.append(self._sum(line))
        elif line.points is not None:
            parts.append(self._number(made.stored(line.points, NUMBER)))
        if line.selection is None:
            parts += [self._number(self.value(Planned(self.kind.name, "line", item.id))) for item in line.items]
        value = made.add(*parts) if parts else Number(constant(0), constant(1), TRUE)
        for one in line.times:
            by = made.number(one.by.node)
            applies = made.condition(one.when)
            factor = self._either(applies, by, Number(constant(1), constant(1), TRUE))
            value = made.multiply(value, factor)
        if line.times:
            value = made.millionths(value)
        if line.min is not None:
            value = made.extreme([value, self._number(made.stored(line.min, NUMBER))], False)
        if line.max is not None:
            value = made.extreme([value, self._number(made.stored(line.max, NUMBER))], True)
        for veto in reversed(line.veto):
            to = self._number(made.stored(veto.to, NUMBER))
            value = self._either(made.condition(veto.when), to, value)
        if line.when is not None:
            value = self._either(made.condition(line.when), value, Number(constant(0), constant(1), TRUE))
        program.require(value.known)  # else the run stops
        return Number(value.num, value.den, TRUE)

    @staticmethod
    def _number(value: Value) -> Number:
        assert isinstance(value, Number)
        return value

    def _either(self, condition: Lit, then: Number, otherwise: Number) -> Number:
        if condition in (TRUE, FALSE):
            return then if condition == TRUE else otherwise
        return self.translation._picked([(condition, then), (-condition, otherwise)])

    def _sum(self, line: LineDef) -> Number:
        """Return what the records of a line sum up to."""
        if line.judged is not None:
            bounds = (line.judged.low, line.judged.high, *([line.when] if line.when is not None else []))
            if any(self._depends(bound.node) for bound in bounds) and self.row.get(f"n.{line.id}"):
                raise Untranslatable(f"what people decided on {line.id} may no longer be within its bounds")
            return self._number(self._stored_sum(line))
        below = [one.id for one in line.walk() if one.aggregate is not None or one.judged is not None]
        readings = self.moves.readings
        places = [self.readings[True, one] for one in below if (True, one) in self.readings]
        if len(places) < len(below) or any(readings[p].chooser not in (None, line) for p in places):
            raise Untranslatable(f"{line.id} chooses among what other lines leave of their records")
        if line.selection is not None and any(readings[p].chooser is None for p in places):
            raise Untranslatable(f"{line.id} chooses among what other lines leave of their records")
        for place in places:
            self._check_rows(place)
            if any(row[0] is None for row in self.moves.present[place]):
                raise Untranslatable(f"some points of {line.id} are unknown")
        if line.selection is not None:
            return self._chosen(places, line, line.selection)
        whole = self._tally(places[0], lambda row: int(str(row[0])))
        return self._scaled(whole, NUMBER)

    def _stored_sum(self, line: LineDef) -> Value:
        judged = self.state.judged.get((self.kind.name, line.id))
        if judged is None:
            raise Untranslatable(f"what people decided on {line.id} is not given")
        query = exp.select(exp.Sum(this=column("value", "j"))).from_(exp.alias_(judged, "j", table=True), copy=False)
        found = self.state.db.value(query.where(exp.EQ(this=column("sid", "j"), expression=number(self.moves.sid))))
        return known_value(Fraction(int(found or 0), UNIT))

    def _chosen(self, places: Sequence[int], line: LineDef, made: SelectionDef) -> Number:
        """Return what the records that are chosen bring: one for each key, then by their number in a series."""
        program = self.program
        rows = [row for place in places for row in self._rows(place)]
        worths = sorted({int(str(row[0])) for row in rows}, reverse=True)
        counts: dict[int, list[Whole]] = {worth: [] for worth in worths}

        def tally(of: Callable[[tuple[object, ...]], bool]) -> Whole:
            return program.plus(*(self._tally(place, lambda row: int(of(row))) for place in places))

        if made.is_once:
            is_settled = all(key.is_points for key in made.prefer)
            keys = [self.moves.readings[place].keys for place in places]
            is_least = bool(made.prefer) and made.prefer[0].is_points and not made.prefer[0].is_descending
            for key in dict.fromkeys(row[1] for row in rows):
                own = sorted({int(str(row[0])) for row in rows if row[1] == key}, reverse=not is_least)
                is_alone = key is None or any(_is_fresh(one.once, key) for one in keys if one is not None)
                if len(own) > 1 and not is_alone and not is_settled:
                    raise Untranslatable(f"{line.id} prefers one record to another by what nobody has settled")
                none_before = TRUE
                for worth in own:
                    times = tally(partial(_is_row, (worth, key)))
                    if is_alone:
                        counts[worth].append(times)
                        continue
                    is_there = program.is_at_most(constant(1), times)
                    counts[worth].append(program.count([program.both(none_before, is_there)]))
                    none_before = program.both(none_before, -is_there)
        else:
            for worth in worths:
                counts[worth].append(tally(partial(_is_row, (worth,))))
        chosen = {worth: program.plus(*parts) for worth, parts in counts.items()}
        if not made.series:
            parts = [program.times(count, worth) for worth, count in chosen.items()]
            return self._scaled(program.plus(*parts), NUMBER)
        is_by_points = bool(made.order_by) and made.order_by[0].is_points
        if len(worths) > 1 and not is_by_points:
            raise Untranslatable(f"the series of {line.id} counts records that are worth different points")
        order = worths if not is_by_points or made.order_by[0].is_descending else worths[::-1]
        return self._scaled(self._series(made, [(worth, chosen[worth]) for worth in order]), NUMBER)

    def _series(self, made: SelectionDef, counts: Iterable[tuple[int, Whole]]) -> Whole:
        """Return what records bring that are counted one after the other, those of one worth together."""
        program = self.program
        starts = sorted(made.series)
        parts: list[Whole] = []
        so_far = constant(0)

        def reached(count: Whole, worth: int) -> Whole:
            """Return what the first so many records would bring were each worth this."""
            sums = [program.times(program.extreme([count, constant(starts[0][0] - 1)], True), worth)]
            for (start, factor), following in zip(starts, [*starts[1:], None], strict=True):
                beyond = program.extreme([program.plus(count, constant(1 - start)), constant(0)], False)
                if following is not None:
                    beyond = program.extreme([beyond, constant(following[0] - start)], True)
                sums.append(program.times(beyond, half_away(worth * factor)))
            return program.plus(*sums)

        for worth, count in counts:
            after = program.plus(so_far, count)
            parts.append(program.minus(reached(after, worth), reached(so_far, worth)))
            so_far = after
        return program.plus(*parts)

    # --- verdicts ---

    def _verdict(self, name: str) -> Value:
        verdict = self.kind.verdicts[name]
        planned = Planned(self.kind.name, "verdict", name)
        if planned not in self.changing or self.row.get(f"decided.{name}") is not None:
            return self._stored(name, verdict.type)
        made = {"rules": self._rules, "yes_no": self._yes_no, "formula": self._formula, "quota": self._quota}
        value = made[verdict.form](verdict)
        if verdict.form in ("rules", "formula") and not verdict.model.optional:
            self.program.require(self.translation.is_known(value))  # else the run stops
        return value

    def _yes_no(self, verdict: VerdictDef) -> Value:
        assert verdict.when is not None
        yes = self.translation.condition(verdict.when)
        return Truth(yes, -yes)

    def _formula(self, verdict: VerdictDef) -> Value:
        assert verdict.value is not None
        return self.translation.stored(verdict.value, verdict.type)

    def _rules(self, verdict: VerdictDef) -> Value:
        program = self.program
        ruled = [(rule, self.translation.truth(rule.when.node)) for rule in verdict.rules if rule.when is not None]
        tests = [test for _, test in ruled]
        found: dict[object, list[Lit]] = {rule.value: [] for rule in verdict.rules}
        levels = list(verdict.type.values)
        known = program.both(*(program.either(test.yes, test.no) for test in tests))
        lost: list[Lit] = []
        for place, (rule, test) in enumerate(ruled):
            if verdict.model.pick == "first":
                so_far = [one.no for one in tests[:place]]
            elif verdict.model.pick == "one":
                so_far = [known]
            else:
                mine = levels.index(rule.value)
                so_far = [t.no for other, t in ruled if levels.index(other.value) > mine]
            found[rule.value].append(program.both(*so_far, test.yes))
            beside = [-t.yes for other, t in ruled if t is not test and other.value == rule.value]
            if verdict.model.pick == "highest":
                lost.append(program.both(*so_far, -test.yes, -test.no, *beside))
        nothing = program.both(*(test.no for test in tests))
        otherwise = [rule.value for rule in verdict.rules if rule.when is None]
        if otherwise:
            found[otherwise[0]].append(nothing)
        else:
            program.require(-nothing)  # no rule holds, and the run stops
        made = {value: program.either(*lits) for value, lits in found.items()}
        if verdict.model.pick == "one":
            values = list(made.values())
            for place, lit in enumerate(values):
                for other in values[place + 1 :]:
                    program.require(-lit, -other)  # rules disagree, and the run stops
        is_lost = program.either(*lost)
        return Choice(tuple((value, program.both(lit, -is_lost)) for value, lit in made.items()))

    def _quota(self, verdict: VerdictDef) -> Value:
        """Return whether the subject is chosen, beside the others as they stand."""
        program = self.program
        assert verdict.among is not None and verdict.take is not None
        if self._depends(verdict.take.node):
            raise Untranslatable(f"how many {verdict.name} takes changes")
        self._check_peers(verdict)
        eligible = program.both(self.translation.condition(verdict.among), self.translation.condition(verdict.when))
        take = self._of_own(lambda own: own.stored(verdict.take))  # type: ignore[arg-type]
        if take is None:
            raise Untranslatable(f"how many {verdict.name} takes is unknown")
        most = int(take) // (UNIT if verdict.take.node.type.base == "number" else 1)
        keys = [key.formula for key in verdict.order_by]
        assessed = Formula(Name(Type("boolean"), False, (0, 0), (), self.kind.name, "is_assessed"), "", verdict.at)
        conditions = [assessed, verdict.among, *([verdict.when] if verdict.when is not None else [])]
        others = self._others([*conditions, *keys], verdict.within)
        classes: dict[tuple[Any, ...], int] = {}
        for row in others:
            if all(row[: len(conditions)]):
                values = row[len(conditions) :]
                classes[values] = classes.get(values, 0) + 1
        compared: dict[tuple[Any, ...], tuple[Lit, Lit]] = {}
        for values in classes:
            alike, before = TRUE, []
            for value, key in zip(values, verdict.order_by, strict=True):
                if self._depends(key.formula.node):
                    is_before, same = self._is_before(value, self._key(key.formula), key.is_descending)
                else:
                    is_before, same = self._constant_before(value, key.formula, key.is_descending)
                before.append(program.both(alike, is_before))
                alike = program.both(alike, same)
                if alike == FALSE:
                    break
            compared[values] = (program.either(*before), alike)
        rank = program.plus(constant(1), program.weighted((compared[v][0], n) for v, n in classes.items()))
        tied = program.weighted((compared[v][1], n) for v, n in classes.items())
        last = program.plus(rank, tied)
        ties = verdict.model.ties
        inside = program.is_at_most(last if ties == "exclude" else rank, constant(most))
        if ties == "stop" and most > 0:
            edge = program.both(
                eligible, program.is_at_most(rank, constant(most)), program.is_at_most(constant(most + 1), last)
            )
            program.require(-edge)
            for values, size in classes.items():
                # the others tie at the edge where the subject comes before them, or does not
                first = 1 + sum(n for other, n in classes.items() if _is_first(other, values, verdict))
                i_am_before = program.both(eligible, -compared[values][0], -compared[values][1])
                for shift, lit in ((1, i_am_before), (0, -i_am_before)):
                    if first + shift <= most < first + shift + size - 1:
                        program.require(-lit)
        yes = program.both(eligible, inside)
        return Truth(yes, -yes)

    def _check_peers(self, verdict: VerdictDef) -> None:
        """Refuse a quota in which what others come to rests on the subject."""
        for value in self.reads_of(verdict.name):
            if value.kind != self.kind.name or value not in self.changing or value.name == verdict.name:
                continue
            if value.part == "verdict" and self.kind.verdicts[value.name].form == "quota":
                raise Untranslatable(f"{verdict.name} rests on {value.name}, in which others change place")
            if value.part == "measure":
                made = self.kind.measures[value.name].aggregate
                if made is not None and made.is_peers:
                    raise Untranslatable(f"{verdict.name} rests on {value.name}, which changes for others")

    def _constant_before(self, other: Any, formula: Formula, is_descending: bool) -> tuple[Lit, Lit]:
        mine = self._of_own(lambda own: own.ordering(formula))
        if mine == other:
            return FALSE, TRUE
        if mine is None or other is None:
            return (TRUE if mine is None else FALSE), FALSE
        is_before = other > mine if is_descending else other < mine
        return (TRUE if is_before else FALSE), FALSE


def _is_first(one: tuple[Any, ...], other: tuple[Any, ...], verdict: VerdictDef) -> bool:
    """Whether one of two comes strictly before in the order of a quota."""
    for a, b, key in zip(one, other, verdict.order_by, strict=True):
        if a == b:
            continue
        if a is None or b is None:
            return b is None
        return bool(a > b if key.is_descending else a < b)
    return False


def _is_row(wanted: tuple[object, ...], row: tuple[object, ...]) -> bool:
    """Whether a row begins with these values."""
    return row[: len(wanted)] == wanted


def _is_fresh(formula: Formula | None, value: object) -> bool:
    """Whether each copy of a record of ours brings a value of its own."""
    is_ref = formula is not None and formula.node.type.base == "ref"
    return str(value).startswith("-" if is_ref else FRESH)


def _literal(value: Any) -> SQL:
    """Write a value as SQL."""
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, int):
        return number(value)
    return text(str(value))
