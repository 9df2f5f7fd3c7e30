"""What it would take: the least that reaches each better value of a subject's verdicts, and how near it is to less.

A way is a number of moves: records added, and records that say how things stand mended. Its cost is the number of
records; of several ways of one cost the one counts that has most of the first move, as moves are declared. Everything
else stays as it is, other subjects among it. Each way is judged again by the engine before it is given.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from sqlglot import exp

from evaluator.diagnostics import Stop
from evaluator.engine.decide import Bench
from evaluator.engine.plan import Value as Planned
from evaluator.engine.state import State
from evaluator.pack.definitions import KindDef, Pack, VerdictDef
from evaluator.pack.types import NUMBER
from evaluator.solve.again import Again
from evaluator.solve.arithmetic import Value, as_python
from evaluator.solve.direction import is_better_when_false
from evaluator.solve.moves import Move, as_read, moves_of
from evaluator.solve.program import Lit, Program, Solution, Untranslatable, constant
from evaluator.solve.score import Past, Subject
from evaluator.sql.trees import column, text

MOST_RECORDS = 200
"""So many records of one kind are looked at; what is not reached with them counts as out of reach."""


@dataclass(frozen=True, slots=True)
class Step:
    """A move, and how often it is made."""

    move: Move
    count: int


@dataclass(frozen=True, slots=True)
class Way:
    """The least that makes a verdict `level`, or better; of a fall, worse than it is.

    `reached` has at least one step, the number of records they come to, what the verdict is then and the totals before
    and after (None where there is no score). `impossible` is what no number of moves reaches; `unknown` what could not
    be found out. Both say why.
    """

    level: object
    status: Literal["reached", "impossible", "unknown"]
    steps: tuple[Step, ...] = ()
    cost: int | None = None
    value: object = None
    total_before: Decimal | None = None
    total_after: Decimal | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class VerdictTakes:
    """A verdict as it is, a way to each better value, the next first, and the smallest change that makes it worse.

    There is no fall from the worst value.
    """

    verdict: str
    value: object
    ways: tuple[Way, ...]
    fall: Way | None


@dataclass(frozen=True, slots=True)
class Takes:
    """What it would take for a subject; `left_out` says which records make no move and why.

    Verdicts without an order among their values are not listed; nor are any of a subject that is not assessed.
    """

    kind: str
    key: str
    is_assessed: bool
    total: Decimal | None
    verdicts: tuple[VerdictTakes, ...]
    left_out: tuple[str, ...]


def what_it_takes(
    state: State,
    pack: Pack,
    kind: KindDef,
    key: str,
    seconds: float = 5.0,
    past: Past | None = None,
    verdicts: Collection[str] | None = None,
    bench: Bench | None = None,
) -> Takes:
    """Return what it would take for a subject, given by its key; raise Stop where the solver is not installed.

    `state` holds a finished run, reopened or still open. `seconds` is the time for one search. `past` gives, for each
    function over years, the years before this one it went over and the values they had, as stored. Of `verdicts` only
    these are looked at. `bench` judges, and stays open for more; without one, there is one of its own.
    """
    Program()  # raises Stop without a solver, whatever there is to find
    row = exp.select(column("is_assessed", "s")).from_(exp.alias_(state.location(kind.name), "s", table=True))
    if not state.db.value(row.where(exp.EQ(this=column("#key", "s"), expression=text(key)))):
        return Takes(kind.name, key, False, None, (), ())
    moves = moves_of(state, kind, key)
    try:
        with Again(state, kind, key, bench) as again:
            subject = Subject(state, pack, kind, key, moves, MOST_RECORDS, past)
            try:
                subject.put()
                return _Search(subject, again, seconds).takes(verdicts)
            finally:
                subject.close()
    finally:
        moves.written.drop()


class _Search:
    def __init__(self, subject: Subject, again: Again, seconds: float) -> None:
        self.subject, self.again, self.seconds = subject, again, seconds
        self.kind, self.moves, self.program = subject.kind, subject.moves, subject.program
        self.before = self._decimal(subject.row["total"]) if subject.kind.score is not None else None

    @staticmethod
    def _decimal(millionths: Any) -> Decimal | None:
        return None if millionths is None else Decimal(int(millionths)) / 1_000_000

    def takes(self, names: Collection[str] | None) -> Takes:
        """Return everything there is to say, of all verdicts or of these."""
        asked = [verdict for name, verdict in self.kind.verdicts.items() if names is None or name in names]
        verdicts = tuple(one for verdict in asked if (one := self._verdict(verdict)) is not None)
        left_out = tuple(dict.fromkeys(what for _, what in self.moves.left_out))
        return Takes(self.kind.name, self.subject.key, True, self.before, verdicts, left_out)

    def _verdict(self, verdict: VerdictDef) -> VerdictTakes | None:
        values = self._order(verdict)
        if values is None:
            return None
        stored = self.subject.row[verdict.name]
        now = as_read(stored, verdict.type)
        if now not in values:
            return None
        place = values.index(now)
        ways = tuple(self._way(verdict, level, values[values.index(level) :], True) for level in values[place + 1 :])
        fall = self._way(verdict, values[place - 1], values[:place], False) if place else None
        return VerdictTakes(verdict.name, now, ways, fall)

    def _order(self, verdict: VerdictDef) -> list[object] | None:
        """Return the values of a verdict from worst to best; None where they have no order."""
        if verdict.form == "quota":
            return [False, True]
        if verdict.form == "yes_no" or verdict.type.base == "boolean":
            return [True, False] if is_better_when_false(self.kind, self.moves, verdict) else [False, True]
        return list(verdict.type.values) if verdict.type.is_ordered else None

    def _way(self, verdict: VerdictDef, level: object, wanted: Sequence[object], is_up: bool) -> Way:
        try:
            return self._found(verdict, level, wanted, is_up)
        except Untranslatable as why:
            return Way(level, "unknown", reason=str(why))

    def _found(self, verdict: VerdictDef, level: object, wanted: Sequence[object], is_up: bool) -> Way:
        subject, program = self.subject, self.program
        if Planned(self.kind.name, "verdict", verdict.name) not in subject.changing:
            return self._out_of_reach(verdict, level, "no record changes it")
        if subject.row.get(f"decided.{verdict.name}") is not None:
            return Way(level, "impossible", reason="somebody decided on it")
        value = subject.verdict(verdict.name)
        is_wanted = program.either(*(subject.translation.is_value(value, one) for one in wanted))
        total = subject.total() if self.kind.score is not None else None
        years = self._years(verdict)
        holds = [is_wanted, *self._offered(verdict, is_up)]
        least = program.plus(*subject.counts)
        found = program.search(least, holds, subject.counts, self.seconds)
        if found.status == "late":
            return Way(level, "unknown", reason=f"not found within {self.seconds:g} s")
        if found.status == "none":
            more = [one for one in self.moves.moved if one.move.is_shared and self._compares(verdict)]
            shared = [f"{more[0].move.table}: who else stands on a record is compared too"] if more else []
            return self._out_of_reach(verdict, level, f"not with {MOST_RECORDS} more records of each kind", shared)
        counts = [program.value(count, found) for count in subject.counts]
        steps = tuple(Step(one.move, n) for one, n in zip(self.moves.moved, counts, strict=True) if n)
        after = self._python(value, found)
        total_after = self._python(total, found) if total is not None else None
        reason = self._disagreement(verdict, found, counts, years, after, total_after)
        if reason:
            return Way(level, "unknown", reason=reason)
        exact = None if total_after is None else self._decimal(Fraction(str(total_after)) * 1_000_000)
        return Way(level, "reached", steps, sum(counts), after, self.before, exact)

    def _out_of_reach(self, verdict: VerdictDef, level: object, why: str, also: Sequence[str] = ()) -> Way:
        """Say that a level is not reached; with records left out that might reach it, that this is not known."""
        reads = {value.name for value in self.subject.reads_of(verdict.name) if value.kind == self.kind.name}
        left_out = [what for names, what in self.moves.left_out if names & reads] + [*also]
        if left_out:
            return Way(level, "unknown", reason=f"{why}; left out: {'; '.join(dict.fromkeys(left_out))}")
        return Way(level, "impossible", reason=why)

    def _offered(self, verdict: VerdictDef, is_up: bool) -> list[Lit]:
        """Return that moves which are no way in this direction are not made."""
        compares = self._compares(verdict)
        lits = []
        for one, count in zip(self.moves.moved, self.subject.counts, strict=True):
            points = one.points(self.moves.readings)
            is_good, is_bad = any(p > 0 for p in points), any(p < 0 for p in points)
            if one.move.action == "mend":
                is_offered = True
            elif one.move.action == "remove":
                is_offered = not is_up
            else:
                is_offered = (is_good or not is_bad) if is_up else not is_good
            if not is_offered or (compares and one.move.is_shared):
                lits.append(self.program.is_at_most(count, constant(0)))
        return lits

    def _compares(self, verdict: VerdictDef) -> bool:
        """Whether a verdict rests on how the subject stands beside others."""
        compares = False
        for value in self.subject.reads_of(verdict.name):
            if value.kind == self.kind.name and value.part == "verdict":
                compares |= self.kind.verdicts[value.name].form == "quota"
            if value.kind == self.kind.name and value.part == "measure":
                made = self.kind.measures[value.name].aggregate
                compares |= made is not None and made.is_peers
        return compares

    def _python(self, value: Value, found: Solution) -> object:
        return as_python(value, lambda whole: Program.value(whole, found), lambda lit: Program.holds(lit, found))

    # --- judged again ---

    def _years(self, verdict: VerdictDef) -> dict[str, tuple[Value, Value]]:
        """Return what the functions over years that a verdict rests on come to, and what this year adds to each."""
        found: dict[str, tuple[Value, Value]] = {}
        reads = self.subject.reads_of(verdict.name)
        for name, recall in self.kind.recalls.items():
            planned = Planned(self.kind.name, "recall", name)
            if recall.reads_this_year and planned in self.subject.changing and planned in reads:
                found[name] = self.subject.value(planned), self.subject.translation.stored(recall.operand)
        return found

    def _disagreement(
        self,
        verdict: VerdictDef,
        found: Solution,
        counts: list[int],
        years: dict[str, tuple[Value, Value]],
        after: object,
        total: object,
    ) -> str:
        """Judge the subject again with the moves made; return what differs, or nothing."""
        added: list[tuple[int, Sequence[tuple[str, int]]]] = []
        removed: list[tuple[str, int]] = []
        for one, count in zip(self.moves.moved, counts, strict=True):
            if one.held is None:
                if count:
                    added.append((count, one.written[0]))
                continue
            free = [p for p, record in enumerate(one.replaced) if record not in removed]
            for place in free[:count]:
                removed.append(one.replaced[place])
                added.append((1, one.written[place]))
        recalls: dict[str, int | None] = {}
        for name, (value, _) in years.items():
            whole = self._python(value, found)
            scale = 1_000_000 if self.kind.recalls[name].type.base == "number" else 1
            recalls[name] = None if whole is None else int(Fraction(str(whole)) * scale)
        wanted = [Planned(self.kind.name, "verdict", verdict.name)]
        wanted += [Planned(self.kind.name, "line", "total")] if total is not None else []
        state = self.moves.written.with_changes(added, removed)
        try:
            values, now = self.again.values(state, recalls, wanted)
        except Stop as stop:
            return f"a run would stop: {stop.problems[0].message}"
        finally:
            self.moves.written.forget(state)
        seen = as_read(values[0], verdict.type)
        if seen != after:
            return f"the engine comes to {seen}, the search to {after}"
        if total is not None and as_read(values[1], NUMBER) != total:
            return f"the engine comes to a total of {as_read(values[1], NUMBER)}, the search to {total}"
        for name, (_, this_year) in years.items():
            recall = self.kind.recalls[name]
            if not _same(as_read(now[name], recall.operand.type), self._python(this_year, found)):
                return f"the engine comes to {now[name]} for {recall.written}, the search to another value"
        return ""


def _same(seen: object, searched: object) -> bool:
    """Whether a value of this year is the same; a condition that is unknown counts as not met."""
    return seen == searched or (not seen and not searched and not isinstance(seen, Fraction))
