"""What a year assessed has shown of a pack: which rules decided, which conditions held and which failed, and how near.

Everything is asked of the engine's own tables, in the engine's own SQL: one query for each set of rows that
expressions are looked at over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from sqlglot import exp

from evaluator.data.expected import combinations
from evaluator.diagnostics import Span
from evaluator.engine.measure import linked_rows
from evaluator.engine.run import Assessment
from evaluator.engine.state import State, points_column
from evaluator.pack.definitions import KindDef, Pack, ParameterDef
from evaluator.pack.nodes import Compare, Const, Lookup, Node
from evaluator.pack.scalars import exact, literal
from evaluator.pack.source import Text
from evaluator.pack.types import BOOLEAN
from evaluator.sql.lower import Lowering
from evaluator.sql.ratio import UNIT
from evaluator.sql.rows import Rows
from evaluator.sql.trees import SQL, both, call, choose, column, holds, is_null, named, number
from evaluator.workbench.cases.conditions import Guard, leaves, lookups
from evaluator.workbench.cases.looks import Look, Over, Reach, looks

TRUE, FALSE, BELOW, AT, ABOVE, YES = "true", "false", "below", "at", "above", "yes"
SIDES = ((-1, BELOW), (0, AT), (1, ABOVE))

Key = tuple[str | int | Span, ...]
"""What has been seen: a kind of thing, and what tells it from the others of that kind."""


class Seen:
    """What cases have shown so far: of each thing, the ways in which it was seen."""

    def __init__(self) -> None:
        self.ways: dict[Key, set[str]] = {}

    def of(self, key: Key) -> set[str]:
        """Return the ways in which a thing was seen."""
        return self.ways.get(key, set())

    def add(self, key: Key, *ways: str) -> None:
        """Note that a thing was seen."""
        if ways:
            self.ways.setdefault(key, set()).update(ways)

    def observe(self, assessment: Assessment) -> None:
        """Note what a year assessed shows."""
        state = assessment.state
        groups: dict[tuple[Over, bool, tuple[Span, ...]], list[Look]] = {}
        for look in looks(state.pack):
            reach = look.reach
            groups.setdefault((look.over, reach.is_assessed, tuple(f.at for f in reach.when)), []).append(look)
        for members in groups.values():
            _Query(state, members).note(self)
        for kind in state.pack.kinds.values():
            self._of_results(state, kind)

    def _of_results(self, state: State, kind: KindDef) -> None:
        """Note which rules decided, which values verdicts have, and which lines brought points."""
        asked: list[tuple[Key, SQL]] = []
        for verdict in kind.verdicts.values():
            asked.append((("value", kind.name, verdict.name), _distinct(column(verdict.name, "s"))))
            if verdict.form == "rules":
                asked.append((("rule", kind.name, verdict.name), _distinct(column(f"rule.{verdict.name}", "s"))))
        for line in kind.lines:
            brings = exp.NEQ(this=column(points_column(line.id), "s"), expression=number(0))
            asked.append((("line", kind.name, line.id), exp.LogicalOr(this=brings)))
        if not asked:
            return
        subjects = exp.alias_(state.location(kind.name), "s", table=True)
        query = exp.select(*(value for _, value in asked)).from_(subjects, copy=False)
        for (key, _), found in zip(asked, state.db.rows(query)[0], strict=True):
            if isinstance(found, list):
                is_scaled = key[0] == "value" and kind.verdicts[str(key[2])].type.base == "number"
                values = (Fraction(value, UNIT) if is_scaled else value for value in found if value is not None)
                self.add(key, *map(str, values))
            elif found:
                self.add(key, YES)


def condition_key(look: Look, place: int) -> Key:
    """Return what tells a condition of an expression from all others."""
    return (look.bound or "condition", look.formula.at, place)


def entries_of(pack: Pack, node: Lookup) -> Iterator[tuple[Key, Span, Node, str, object]]:
    """Give the entries of a parameter that a call of it may find.

    Of each: its key, where it stands, the argument, how that is matched, and with what.
    """
    parameter = pack.parameters[node.parameter]
    for place, (argument, (how, bounds)) in enumerate(zip(node.arguments, _axes(parameter), strict=False)):
        for number_, (at, bound) in enumerate(bounds):
            yield ("entry", node.parameter, place, number_), at, argument, how, bound


def _axes(parameter: ParameterDef) -> list[tuple[str, list[tuple[Span, object]]]]:
    """Return how each argument is matched, and with what."""
    model = parameter.model
    if parameter.lookup is not None:
        return []
    if model.values is None:
        return [(model.how, [(key.at, exact(literal(key))) for key in model.bands if isinstance(key, Text)])]
    assert model.rows is not None and model.columns is not None
    return [
        (axis.how, [(model.key_at(key), exact(bound)) for bound in axis.bounds])
        for key, axis in (("rows", model.rows), ("columns", model.columns))
    ]


def _distinct(value: SQL) -> SQL:
    return call("list", exp.Distinct(expressions=[value]))


class _Looking(Lowering):
    """Expressions looked at by themselves: a parameter without entry is unknown, where the run would have stopped."""

    def _no_entry(self, node: Lookup, parameter: ParameterDef) -> SQL:
        return exp.Null()


class _Query:
    """One query: what expressions come to over the same rows."""

    def __init__(self, state: State, members: Sequence[Look]) -> None:
        self.state, self.members = state, members
        self.rows, self.conditions = _rows_of(state, members[0].over, members[0].reach)
        self.lowering = _Looking(self.rows)
        self.asked: list[tuple[Key, SQL, bool]] = []  # key, value, whether it is a side

    def note(self, seen: Seen) -> None:
        for look in self.members:
            self._ask(look)
        if not self.asked:
            return
        columns = [named(value, f"c{place}") for place, (_, value, _) in enumerate(self.asked)]
        inner = self.rows.select(*columns)
        if self.conditions:
            inner = inner.where(both(*self.conditions), copy=False)
        outer: list[SQL] = []
        for place, (_, _, is_side) in enumerate(self.asked):
            found = column(f"c{place}", "q")
            if is_side:
                outer += [exp.LogicalOr(this=exp.EQ(this=found.copy(), expression=number(n))) for n, _ in SIDES]
            else:
                outer += [exp.LogicalOr(this=found), exp.LogicalOr(this=exp.Not(this=found.copy()))]
        answers = iter(self.state.db.rows(exp.select(*outer).from_(inner.subquery("q", copy=False), copy=False))[0])
        for key, _, is_side in self.asked:
            words = [word for _, word in SIDES] if is_side else [TRUE, FALSE]
            seen.add(key, *[word for word in words if next(answers)])

    def _ask(self, look: Look) -> None:
        node = look.formula.node
        reach = self._reach(look.reach)
        if look.bound:
            assert isinstance(node, Compare)
            self._compare(condition_key(look, 0), node, reach, ())
            return
        for place, leaf in enumerate(leaves(node)):
            key = condition_key(look, place)
            value = self._only(self.lowering.condition(leaf.node), reach, leaf.guards)
            self.asked.append((key, value, False))
            if leaf.edge is not None:
                self._compare(("edge", *key), leaf.edge, reach, leaf.guards)
        for lookup, guards in lookups(node):
            for key, _, argument, how, bound in entries_of(self.state.pack, lookup):
                constant = Const(argument.type, False, argument.place, bound)
                compared = Compare(BOOLEAN, argument.nullable, argument.place, "=", argument, constant)
                if how == "is":
                    self.asked.append((key, self._only(self.lowering.condition(compared), reach, guards), False))
                else:
                    self._compare(key, compared, reach, guards)

    def _compare(self, key: Key, compared: Compare, reach: list[SQL], guards: Iterable[Guard]) -> None:
        """Ask on which side of each other two values stand."""
        sides = [
            (self.lowering.condition(replace(compared, op=op)), number(side))
            for op, side in (("<", -1), ("=", 0), (">", 1))
        ]
        self.asked.append((key, self._only(choose(sides), reach, guards), True))

    def _only(self, value: SQL, reach: list[SQL], guards: Iterable[Guard]) -> SQL:
        """Return a value where the expression gets as far as that, and nothing elsewhere."""
        needed = [condition.copy() for condition in reach]
        for test, is_met in guards:
            condition = self.lowering.condition(test)
            needed.append(holds(condition if is_met else exp.Not(this=exp.paren(condition))))
        return choose([(both(*needed), value)]) if needed else value

    def _reach(self, reach: Reach) -> list[SQL]:
        needed: list[SQL] = []
        if reach.where is not None:
            needed.append(holds(self.lowering.condition(reach.where)))
        if reach.rule is not None:
            verdict, place = reach.rule
            decided = column(f"rule.{verdict}", self.rows.alias)
            is_later = exp.GTE(this=decided, expression=number(place))
            nobody = exp.EQ(this=decided.copy(), expression=number(0))
            needed.append(holds(exp.paren(exp.Or(this=is_later, expression=nobody))))
        if reach.placed:
            needed.append(exp.Not(this=is_null(column(f"place.{reach.placed}", self.rows.alias))))
        return needed


def _rows_of(state: State, over: Over, reach: Reach) -> tuple[Rows, list[SQL]]:
    """Return the rows expressions are looked at over, and what must be so of each."""
    if over.is_combined:
        made = state.pack.tables[over.owner]
        return state.rows(over.owner, "r", combinations(made).subquery(copy=False)), []
    if not over.links:
        rows = state.rows(over.owner, "s" if over.owner in state.pack.kinds else "r")
        return rows, _who(rows, reach)
    kind = state.pack.kinds[over.owner]
    rows, link = linked_rows(state, kind, over.source, over.links)
    conditions: list[SQL] = [exp.Not(this=is_null(link))]
    in_period = state.in_period(over.source, rows.alias, over.period)
    if in_period is not None:
        conditions.append(in_period)
    subjects = state.rows(kind.name, "o")
    who = _who(subjects, reach)
    if who:
        whose = subjects.select(column("#sid", "o")).where(both(*who), copy=False)
        conditions.append(exp.In(this=link.copy(), query=whose.subquery(copy=False)))
    return rows, conditions


def _who(subjects: Rows, reach: Reach) -> list[SQL]:
    """Say in SQL which subjects an expression is looked at for."""
    lowering = _Looking(subjects)
    who: list[SQL] = [column("is_assessed", subjects.alias)] if reach.is_assessed else []
    return who + [holds(lowering.condition(condition)) for condition in reach.when]
