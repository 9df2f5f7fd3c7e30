"""What a change came from: followed from the value through all it reads, down to records, rules and decisions.

Where a definition and what it reads both differ, each definition is computed on the values of either run: what makes no
difference there is no cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evaluator.pack.definitions import Formula, KindDef, LineDef, VerdictDef
from evaluator.pack.nodes import Lookup, Name, Node, Recall, Setting
from evaluator.report.comparing.changes import APART, Delta
from evaluator.report.comparing.entries import Entries
from evaluator.report.comparing.model import Cause, each_once
from evaluator.report.comparing.pack import PackDiff, Piece, PieceDiff, points_name
from evaluator.report.comparing.records import RecordDiffs
from evaluator.report.comparing.sums import Sums
from evaluator.report.comparing.values import Both, Hops, Row, key_of, names_in, nodes_of, written

MOST = 5  # of rows of a table of values, and of those who passed, that are named
_OF_RECORDS = ("each", "points", "where", "default", "within", "same", "once_per", "prefer", "order_by", "series")


@dataclass(frozen=True, slots=True)
class Grid:
    """Formulas of both packs on the values of both runs, for some subjects; and the rows that were reached.

    `ab` is what the first pack makes of the second run, `ba` the other way round; None where it cannot be computed.
    """

    aa: dict[str, Row]
    bb: dict[str, Row]
    ab: dict[str, Row] | None
    ba: dict[str, Row] | None
    reached: dict[str, dict[Hops, tuple[str | None, str | None]]]


def effects(aa: Any, bb: Any, ab: Any, ba: Any, is_crossed: bool) -> tuple[bool, bool]:
    """Say whether the definition makes a difference, and whether what it reads does."""
    if not is_crossed:
        return True, True
    return aa != ba or ab != bb, aa != ab or ba != bb


class Causes:
    """What the changes of two runs came from, each found once."""

    def __init__(self, runs: Both, packs: PackDiff, records: RecordDiffs, deltas: dict[str, dict[str, Delta]]) -> None:
        self.runs, self.packs, self.records, self.deltas = runs, packs, records, deltas
        self.known: dict[tuple[str, str, str], tuple[Cause, ...]] = {}
        self.grids: dict[tuple[str, str], Grid] = {}
        self.ways: dict[tuple[str, tuple[Hops, ...]], dict[str, dict[Hops, tuple[str | None, str | None]]]] = {}
        self.entries = Entries(runs)
        self.sums = Sums(runs, packs, records, deltas, self)

    def of(self, kind: str, name: str, key: str) -> tuple[Cause, ...]:
        """Return what a value of a subject changed by."""
        place = (kind, name, key)
        if place not in self.known:
            self.known[place] = ()
            self.known[place] = each_once(self._made(kind, name, key))
        return self.known[place]

    def changed(self, kind: str, name: str, key: str) -> bool:
        """Whether a value of a subject is not the same in both runs."""
        delta = self.deltas.get(kind, {}).get(key)
        return delta is not None and (delta.how != "changed" or delta.differs(name))

    def kinds(self, kind: str) -> tuple[KindDef, KindDef]:
        """Return a kind as each pack has it."""
        before, after = (side.pack.kinds[kind] for side in self.runs.sides)
        return before, after

    def _made(self, kind: str, name: str, key: str) -> Iterator[Cause]:
        delta = self.deltas[kind][key]
        before, after = self.kinds(kind)
        if delta.how != "changed":
            yield from self.records.causes(kind, key, ())
        elif name in APART or (delta.differs("is_assessed") and name not in before.measures):
            yield from self._apart(kind, key)
        elif self.packs.is_in_one((kind, name)):
            yield from self.packs.whole((kind, name))
        elif name in before.table.fields:
            yield from self.records.causes(kind, key, [name])
        elif name in before.measures:
            yield from self._measure(kind, name, key)
        elif name in before.verdicts:
            yield from self._verdict(kind, before.verdicts[name], after.verdicts[name], key)
        elif name in before.recalls and name in after.recalls:
            yield from self._recall(kind, name, key)
        elif name == "total" or name.startswith("points."):
            one, other = (next(line for line in side.lines if points_name(line.id) == name) for side in (before, after))
            yield from self._line(kind, one, other, key)

    # --- formulas ---

    def grid(self, owner: tuple[str, str], formulas: tuple[Sequence[Node], Sequence[Node]], differs: bool) -> Grid:
        """Compute a value's formulas for all subjects that changed."""
        if owner in self.grids:
            return self.grids[owner]
        kind = owner[0]
        keys = [key for key, delta in self.deltas[kind].items() if delta.how == "changed"]
        hops = self._hops(kind, [*formulas[0], *formulas[1]])
        extra = [key_of(way, self._target(kind, way)) for way in hops]
        made: list[dict[str, Row]] = []
        for side, own in zip(self.runs.sides, formulas, strict=True):
            made.append(side.values(side.pack, side.pack.kinds[kind], [*own, *extra], keys) or {})
        first, second = (len(own) for own in formulas)
        reached = {
            key: {
                way: (made[0][key][first + n], made[1][key][second + n])
                for n, way in enumerate(hops)
                if key in made[0] and key in made[1]
            }
            for key in keys
        }
        aa, bb = (
            {key: row[:width] for key, row in own.items()} for own, width in zip(made, (first, second), strict=True)
        )
        ab, ba = (bb, aa) if not differs else (None, None)
        if differs:
            before, after = self.runs.sides
            ab = after.values(before.pack, before.pack.kinds[kind], formulas[0], keys)
            ba = before.values(after.pack, after.pack.kinds[kind], formulas[1], keys)
        self.grids[owner] = Grid(aa, bb, ab, ba, reached)
        return self.grids[owner]

    def _hops(self, kind: str, nodes: Iterable[Node]) -> list[Hops]:
        found: dict[Hops, None] = {}
        for name in names_in(nodes):
            found.update(dict.fromkeys(name.hops[:n] for n in range(1, len(name.hops) + 1)))
        return [way for way in found if all(self._leads(side.pack, kind, way) for side in self.runs.sides)]

    @staticmethod
    def _leads(pack: Any, here: str, way: Hops) -> bool:
        for hop in way:
            if here not in pack.tables or hop not in pack.tables[here].refs:
                return False
            here = pack.tables[here].refs[hop]
        return True

    def _target(self, here: str, way: Hops) -> str:
        for hop in way:
            here = self.runs.after.pack.tables[here].refs[hop]
        return here

    def roles(
        self, kind: str, name: str, key: str, pieces: tuple[list[Piece], list[Piece]],
        counts: Callable[[str, Any, Any], bool] = lambda *_: True,
    ) -> Iterator[Cause]:  # fmt: skip
        """Give the causes of parts of a definition that come to something else; `counts` says whether it matters."""
        diffs = {diff.role: diff for diff in self.packs.of((kind, name))}
        listed = [{piece.role: piece.formula for piece in own if piece.formula is not None} for own in pieces]
        nodes = tuple([formula.node for formula in own.values()] for own in listed)
        grid = self.grid((kind, name), nodes, any(role in diffs for own in listed for role in own))  # type: ignore[arg-type]
        own, other = (
            dict(zip(one, made.get(key, ()), strict=False))
            for one, made in zip(listed, (grid.aa, grid.bb), strict=True)
        )
        ab = None if grid.ab is None else dict(zip(listed[0], grid.ab.get(key, ()), strict=False))
        ba = None if grid.ba is None else dict(zip(listed[1], grid.ba.get(key, ()), strict=False))
        for role in dict.fromkeys([*listed[0], *listed[1]]):
            a, b = own.get(role), other.get(role)
            if a == b or not counts(role, a, b):
                continue
            is_crossed = ab is not None and ba is not None and role in listed[0] and role in listed[1]
            by_rule, by_values = effects(a, b, (ab or {}).get(role), (ba or {}).get(role), is_crossed)
            if role in diffs and by_rule:
                yield from self.packs.causes(diffs[role])
            if by_values:
                formulas = [one[role] for one in listed if role in one]
                yield from self.read(kind, key, formulas, grid.reached.get(key, {}))

    def read(
        self,
        kind: str,
        key: str,
        formulas: Iterable[Formula | None],
        reached: dict[Hops, tuple[str | None, str | None]],
    ) -> Iterator[Cause]:
        """Give the causes of whatever changed of what formulas read for a subject."""
        nodes = nodes_of(formulas)
        for name in names_in(nodes):
            yield from self.name(kind, key, name, reached)
        for node in (part for whole in nodes for part in whole.walk()):
            if isinstance(node, Recall) and self.changed(kind, node.column, key):
                yield from self.of(kind, node.column, key)
            elif isinstance(node, Setting):
                yield from self.year()
            elif isinstance(node, Lookup):
                yield from self.table_of_values(node.parameter)

    def reached(
        self, kind: str, key: str, formulas: Iterable[Formula | None]
    ) -> dict[Hops, tuple[str | None, str | None]]:
        """Return the rows that refs in formulas lead to from a subject, in each run."""
        hops = tuple(self._hops(kind, nodes_of(formulas)))
        if not hops:
            return {}
        nodes = [key_of(way, self._target(kind, way)) for way in hops]
        known = self.ways.setdefault((kind, hops), {})
        if key not in known:
            keys = [key] if known else sorted({key, *self.deltas[kind]})
            sides = [side.values(side.pack, side.pack.kinds[kind], nodes, keys) or {} for side in self.runs.sides]
            for one in keys:
                before, after = (side.get(one, (None,) * len(hops)) for side in sides)
                known[one] = {way: (before[n], after[n]) for n, way in enumerate(hops)}
        return known[key]

    def name(
        self, kind: str, key: str, name: Name, reached: dict[Hops, tuple[str | None, str | None]]
    ) -> Iterator[Cause]:
        """Give the causes of a name's change, in the subject or in what its refs lead to."""
        if not name.hops:
            yield from self.value(kind, name.leaf, key, (kind, key))
            return
        here, place = kind, key
        for n in range(1, len(name.hops) + 1):
            before, after = reached.get(name.hops[:n], (None, None))
            if before != after:
                yield from self.records.causes(here, place, [name.hops[n - 1]])
                return
            if before is None:
                return
            here, place = self._target(kind, name.hops[:n]), before
        yield from self.value(name.owner, name.leaf, place, (kind, key))

    def value(self, owner: str, leaf: str, key: str, origin: tuple[str, str]) -> Iterator[Cause]:
        """Give the causes of a value's change; of another subject's value, that value with its own causes."""
        is_kind = owner in self.deltas and all(leaf not in kind.table.fields for kind in self.kinds(owner))
        if not is_kind:
            yield from self.records.causes(owner, key, [leaf])
        elif self.changed(owner, leaf, key):
            if (owner, key) == origin:
                yield from self.of(owner, leaf, key)
                return
            delta = self.deltas[owner][key]
            yield Cause(
                what="subject", how=delta.how, owner=owner, key=key, field=leaf, before=written(delta.before.get(leaf)),
                after=written(delta.after.get(leaf)), causes=self.of(owner, leaf, key),
            )  # fmt: skip

    def year(self) -> Iterator[Cause]:
        """Give the difference of the years assessed, and of what a year is."""
        years = [str(side.run.state.year) for side in self.runs.sides]
        if years[0] != years[1]:
            yield Cause(what="rule", owner="year", before=years[0], after=years[1])
        for owner in (("pack", "period"), ("pack", "terms"), ("pack", "holidays")):
            yield from (cause for diff in self.packs.of(owner) for cause in self.packs.causes(diff))

    def table_of_values(self, parameter: str) -> Iterator[Cause]:
        """Give the rows that differ of the table a parameter is read from."""
        for side in self.runs.sides:
            made = side.pack.parameters.get(parameter)
            if made is not None and made.lookup is not None:
                fields = [
                    n.leaf for n in names_in(nodes_of([*made.lookup.match, made.lookup.bound, made.lookup.value]))
                ]
                for key in list(self.records.of(made.lookup.source))[:MOST]:
                    yield from self.records.causes(made.lookup.source, key, fields)

    # --- values ---

    def _pieces(self, kind: str, name: str) -> tuple[list[Piece], list[Piece]]:
        before, after = (side.pieces.get((kind, name), []) for side in self.packs.sides)
        return before, after

    def _measure(self, kind: str, name: str, key: str) -> Iterator[Cause]:
        before, after = (one.measures[name] for one in self.kinds(kind))
        one, other = before.aggregate, after.aggregate
        if one is not None and other is not None and one.is_peers == other.is_peers:
            if one.is_peers:
                yield from self.sums.of_peers(kind, name, key, one, other)
            else:
                yield from self.sums.of_records(kind, name, key, one, other)
        else:
            yield from self.roles(kind, name, key, self._pieces(kind, name))
        yield from self.literal(kind, name, ("each",))

    def literal(self, kind: str, name: str, roles: Iterable[str]) -> Iterator[Cause]:
        """Give what differs of a definition besides its formulas."""
        for diff in self.packs.of((kind, name)):
            if diff.role in roles and diff.is_own:
                yield from self.packs.causes(diff)

    def _line(self, kind: str, one: LineDef, other: LineDef, key: str) -> Iterator[Cause]:
        delta, name = self.deltas[kind][key], points_name(one.id)
        sums_up = one.aggregate is not None or other.aggregate is not None
        left_out = _OF_RECORDS if sums_up else _OF_RECORDS[4:]
        pieces = tuple([p for p in own if p.role not in left_out] for own in self._pieces(kind, name))
        bounds = self._bounds(kind, name, key, pieces)  # type: ignore[arg-type]
        yield from self.literal(kind, name, ("in_force", "series", "each"))
        yield from self.roles(kind, name, key, pieces, bounds)  # type: ignore[arg-type]
        if one.aggregate is not None and other.aggregate is not None:
            yield from self.sums.of_records(kind, name, key, one.aggregate, other.aggregate, (one, other))
        if one.judged is not None or other.judged is not None:
            yield from self.entries.judged(kind, one.id, key)
        below = dict.fromkeys(item.id for line in (one, other) for item in line.items)
        for item in below:
            if self.changed(kind, points_name(item), key) and delta.differs(points_name(item)):
                yield from self.of(kind, points_name(item), key)
        if one.selection is not None and other.selection is not None:
            records = {line.id: line for line in one.walk() if line is not one}
            for leaf in other.walk():
                before = records.get(leaf.id)
                if before is not None and before.aggregate is not None and leaf.aggregate is not None:
                    yield from self.sums.of_records(
                        kind, points_name(leaf.id), key, before.aggregate, leaf.aggregate, (one, other), one.id
                    )  # fmt: skip

    def _bounds(
        self, kind: str, name: str, key: str, pieces: tuple[list[Piece], list[Piece]]
    ) -> Callable[[str, Any, Any], bool]:
        """Return whether a cap or floor that differs makes a difference to what a line comes to."""
        delta, line = self.deltas[kind][key], name.removeprefix("points.")
        raw = [values.get(f"raw.{line}") for values in (delta.before, delta.after)]
        roles = [[p.role for p in own if p.formula is not None] for own in pieces]

        def matters(role: str, before: Any, after: Any) -> bool:
            if role not in ("min", "max"):
                return True
            grid = self.grids[kind, name]
            made = [
                dict(zip(own, rows.get(key, ()), strict=False))
                for own, rows in zip(roles, (grid.aa, grid.bb), strict=True)
            ]
            return any(
                _within(value, own) != _within(value, own | {role: swapped})
                for value, own, swapped in zip(raw, made, (after, before), strict=True)
            )

        return matters

    def _verdict(self, kind: str, one: VerdictDef, other: VerdictDef, key: str) -> Iterator[Cause]:
        name = one.name
        overridden = list(self.entries.override(kind, name, self.deltas[kind][key]))
        if overridden:
            yield from overridden
        elif one.form != other.form:
            yield from self.literal(kind, name, ("levels",))
            yield from self.roles(kind, name, key, self._pieces(kind, name))
        elif one.form == "rules":
            yield from self._rules(kind, one, other, key)
        elif one.form == "quota":
            yield from self.sums.passing.of_quota(kind, one, other, key)
        else:
            yield from self.roles(kind, name, key, self._pieces(kind, name))

    def _rules(self, kind: str, one: VerdictDef, other: VerdictDef, key: str) -> Iterator[Cause]:
        diffs = self.packs.of((kind, one.name))
        listed = [[rule for rule in made.rules if rule.when is not None] for made in (one, other)]
        nodes = tuple(nodes_of(rule.when for rule in rules) for rules in listed)
        grid = self.grid((kind, one.name), nodes, bool(diffs))  # type: ignore[arg-type]
        truths = [None if made is None else made.get(key) for made in (grid.aa, grid.ab, grid.ba, grid.bb)]
        aa, ab, ba, bb = (
            None if row is None else decided(made, row)
            for row, made in zip(truths, (one, one, other, other), strict=True)
        )
        values = [
            None if n is None else next((rule.value for rule in made.rules if rule.number == n), None)
            for n, made in zip((aa, ab, ba, bb), (one, one, other, other), strict=True)
        ]
        is_crossed = truths[1] is not None and truths[2] is not None
        by_rule, by_values = effects(values[0], values[3], values[1], values[2], is_crossed)
        if diffs and by_rule:
            decisive = [diff for diff in diffs if _is_about(diff, {aa, ab}, {ba, bb})]
            yield from (cause for diff in decisive or diffs for cause in self.packs.causes(diff))
        if by_values:
            for rules, before, after, last in zip(listed, truths[::2], truths[1::2], ((aa, ab), (ba, bb)), strict=True):
                reach = max((n for n in last if n is not None), default=0)
                for n, rule in enumerate(rules):
                    is_tried = one.model.pick != "first" or rule.number <= reach
                    if before is None or after is None or (before[n] != after[n] and is_tried):
                        yield from self.read(kind, key, [rule.when], grid.reached.get(key, {}))

    def _apart(self, kind: str, key: str) -> Iterator[Cause]:
        pieces = self._pieces(kind, "is_assessed")
        numbered = [
            [Piece(f"{p.role} {n}", p.text, p.shape, p.at, p.formula, p.reads) for n, p in enumerate(own)]
            for own in pieces
        ]
        nodes = tuple(nodes_of(p.formula for p in own) for own in numbered)
        diffs = self.packs.of((kind, "is_assessed"))
        grid = self.grid((kind, "is_assessed"), nodes, bool(diffs))  # type: ignore[arg-type]
        holds = [dict(zip([p.text for p in own], row.get(key, ()), strict=False))
                 for own, row in zip(pieces, (grid.aa, grid.bb), strict=True)]  # fmt: skip
        for diff in diffs:
            if (diff.before and holds[0].get(diff.before.text)) or (diff.after and holds[1].get(diff.after.text)):
                yield from self.packs.causes(diff)
        for own in pieces:
            for piece in own:
                if holds[0].get(piece.text) != holds[1].get(piece.text) and all(piece.text in one for one in holds):
                    yield from self.read(kind, key, [piece.formula], grid.reached.get(key, {}))

    def _recall(self, kind: str, name: str, key: str) -> Iterator[Cause]:
        found = self.kinds(kind)[1].recalls[name]
        this_year = self.runs.after.run.state.year
        for cause in self.entries.recalled(kind, name, key):
            if cause.field == str(this_year) and self.runs.before.run.state.year == this_year:
                for part in names_in([found.operand]):
                    yield from self.name(kind, key, part, {})
            else:
                yield cause
        yield from (cause for diff in self.packs.of(("pack", "history")) for cause in self.packs.causes(diff))


def decided(verdict: VerdictDef, truths: Row) -> int | None:
    """Return the number of the rule that decides, from which of the conditions hold."""
    numbers = [rule.number for rule in verdict.rules if rule.when is not None]
    held = [n for n, truth in zip(numbers, truths, strict=True) if truth is True]
    if held and verdict.model.pick == "highest":
        levels = list(verdict.type.values)
        values = {rule.number: rule.value for rule in verdict.rules}
        return max(held, key=lambda n: levels.index(values[n]))
    return held[0] if held else next((rule.number for rule in verdict.rules if rule.when is None), None)


def _is_about(diff: PieceDiff, before: set[int | None], after: set[int | None]) -> bool:
    """Whether a difference is of a rule that decided, or of all rules."""
    numbers = [
        (piece.role.split(" "), decisive) for piece, decisive in ((diff.before, before), (diff.after, after)) if piece
    ]
    if any(role[0] != "rule" for role, _ in numbers) or diff.role == "order":
        return True
    return any(int(role[1]) in decisive for role, decisive in numbers)


def _within(value: Any, bounds: dict[str, Any]) -> Any:
    """Keep a value within bounds."""
    if value is None:
        return None
    low, high = bounds.get("min"), bounds.get("max")
    value = value if low is None else max(value, low)
    return value if high is None else min(value, high)
