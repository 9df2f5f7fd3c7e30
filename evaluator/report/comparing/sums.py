"""What changed of values over many rows: the records, or the peers, that count for more, for less, or no longer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evaluator.pack.definitions import AggregateDef, LineDef
from evaluator.pack.nodes import Node
from evaluator.report.comparing.changes import Delta
from evaluator.report.comparing.model import Cause
from evaluator.report.comparing.pack import PackDiff, PieceDiff
from evaluator.report.comparing.passing import MOST, Passing
from evaluator.report.comparing.records import RecordDiffs
from evaluator.report.comparing.values import Both, Hops, Row, hops_of, names_in, nodes_of, plain

if TYPE_CHECKING:
    from evaluator.report.comparing.causes import Causes

_WHICH, _HOW_MUCH = ("where", "each", "in_force"), ("points", "once_per", "prefer", "order_by", "default")


@dataclass(frozen=True, slots=True)
class Counted:
    """A record of a subject that counts otherwise: what of it counts in either run, and by either pack; rows reached.

    None where it does not count. `ab` is what the first pack makes of the second run, `ba` the other way round.
    """

    record: str
    aa: Row | None
    bb: Row | None
    ab: Row | None
    ba: Row | None
    is_crossed: bool
    reached: dict[Hops, tuple[str | None, str | None]]


class Sums:
    """The records that changed what was summed up of them, found for all subjects of a kind at once."""

    def __init__(
        self, runs: Both, packs: PackDiff, records: RecordDiffs, deltas: dict[str, dict[str, Delta]], causes: Causes
    ) -> None:
        self.runs, self.packs, self.records, self.deltas, self.causes = runs, packs, records, deltas, causes
        self.passing = Passing(runs, packs, records, deltas, causes)
        self.found: dict[tuple[str, str, str], dict[str, list[Counted]]] = {}

    def of_records(
        self, kind: str, name: str, key: str, one: AggregateDef, other: AggregateDef,
        lines: tuple[LineDef, LineDef] | None = None, chooser: str = "",
    ) -> Iterator[Cause]:  # fmt: skip
        """Give the causes of a sum's change: each record that counts otherwise, and why."""
        leaf = name.removeprefix("points.")
        more = tuple(_choice(line, leaf) for line in lines) if lines is not None else ((), ())
        if (kind, name, chooser) not in self.found:
            self.found[kind, name, chooser] = self._counted(kind, name, (one, other), more)  # type: ignore[arg-type]
        owner = self.packs.of((kind, name))
        formulas = nodes_of([one.operand, one.where, other.operand, other.where]) + [*more[0], *more[1]]
        for made in self.found[kind, name, chooser].get(key, []):
            diffs = [diff for diff in owner if diff.role in (*_WHICH, *_HOW_MUCH)]
            by_rule, by_values = bool(diffs), True
            if diffs and made.is_crossed:
                by_rule = made.aa != made.ba or made.ab != made.bb
                by_values = made.aa != made.ab or made.ba != made.bb
            if by_values:
                yield from self._values(kind, key, one, formulas, made)
            if by_rule:
                yield from self._rules(diffs, made)

    def _rules(self, diffs: list[PieceDiff], made: Counted) -> Iterator[Cause]:
        pairs = ((made.aa, made.ba), (made.ab, made.bb))
        is_which = any((before is None) != (after is None) for before, after in pairs)
        is_much = any(before is not None and after is not None and before != after for before, after in pairs)
        roles = (*(_WHICH if is_which else ()), *(_HOW_MUCH if is_much else ())) if made.is_crossed else None
        named = [diff for diff in diffs if roles is None or diff.role in roles]
        yield from (cause for diff in named or diffs for cause in self.packs.causes(diff))

    def _values(
        self, kind: str, key: str, made: AggregateDef, formulas: Sequence[Node], one: Counted
    ) -> Iterator[Cause]:
        """Give what differs of a record, and of the rows it leads to, as far as the formulas read it."""
        points = [None if row is None else plain(row[0]) for row in (one.aa, one.bb)]
        names = names_in([*formulas, *self._dates(made.source)])
        fields = [name.leaf if not name.hops else name.hops[0] for name in names]
        fields += [way[0] for way in made.links]
        found = self.records.causes(made.source, one.record, [name for name in fields if not name.startswith("#")])
        for cause in found:
            is_row = (cause.owner, cause.key) == (made.source, one.record) and made.operand is not None
            points_of = {"points_before": points[0], "points_after": points[1]} if is_row else {}
            yield cause.model_copy(update=points_of)
        if any(cause.how != "changed" and cause.what != "rule" for cause in found):
            return
        is_found = bool(found)
        ways = [(name.hops, name.owner, name.leaf) for name in names if name.hops]
        ways += [(way[:-1], "", way[-1]) for way in made.links if len(way) > 1]
        for hops, owner, leaf in ways:
            for cause in self._reached(kind, key, made.source, one, hops, owner, leaf):
                is_found = True
                yield cause
        if not is_found:
            yield from self.causes.year()

    def _reached(
        self, kind: str, key: str, source: str, one: Counted, hops: Hops, owner: str, leaf: str
    ) -> Iterator[Cause]:
        here, place = source, one.record
        for n in range(1, len(hops) + 1):
            if hops[:n] == ("#subject",):
                here, place = kind, key
                continue
            before, after = one.reached.get(hops[:n], (None, None))
            if before != after:
                if not hops[n - 1].startswith("#"):
                    yield from self.records.causes(here, place, [hops[n - 1]])
                return
            if before is None:
                return
            here, place = self._next(here, hops[n - 1]), before
        yield from self.causes.value(owner or here, leaf, place, (kind, key))

    def _next(self, here: str, hop: str) -> str:
        made = self.runs.after.pack.tables[here]
        if hop == "#source":
            assert made.unfold is not None
            return made.unfold.source
        return made.refs[hop]

    def _dates(self, source: str) -> list[Node]:
        """Return what decides when a record counts: names of its own row, or of the row it was unfolded from."""
        found: list[Node] = []
        for side in self.runs.sides:
            way: Hops = ()
            made = side.pack.tables.get(source)
            while made is not None and made.date is None and made.unfold is not None:
                way, made = (*way, "#source"), side.pack.tables[made.unfold.source]
            if made is not None:
                found += [replace(name, hops=(*way, *name.hops)) for name in names_in(nodes_of([made.date]))]
        return found

    def _counted(
        self, kind: str, name: str, made: tuple[AggregateDef, AggregateDef], more: tuple[Sequence[Node], Sequence[Node]]
    ) -> dict[str, list[Counted]]:
        """Find the records that count otherwise, of all subjects that changed."""
        if made[0].source != made[1].source:
            return {}
        keys = [key for key, delta in self.deltas[kind].items() if delta.how == "changed"]
        width = 1 + max(len(more[0]), len(more[1]))
        own = [hops_of(side.pack, one, nodes) for side, one, nodes in zip(self.runs.sides, made, more, strict=True)]
        dates = [way for side in self.runs.sides for way in _ways(self._dates(made[0].source))]
        ways = [way for way in dict.fromkeys([*own[0], *dates]) if way in own[1] or way in dates]
        files = []
        for side, one, nodes in zip(self.runs.sides, made, more, strict=True):
            kinds = side.pack.kinds[kind]
            query = side.records(side.pack, kinds, one, nodes, ways, width, keys)
            if query is None:
                return {}
            files.append(self.runs.spooled(side, query))
        values = ["counts", *(f"v{n}" for n in range(width))]
        rows = self.runs.joined(
            (files[0], files[1]), ("subject", "record"), values, [f"k{n}" for n in range(len(ways))]
        )
        crossed = self._crossed(kind, name, made, more, width, keys)
        found: dict[str, list[Counted]] = {}
        for before, after, (subject, record) in rows:
            aa, bb = _counting(before, width), _counting(after, width)
            ab, ba = (bb, aa) if crossed is None else (one.get((subject, record)) for one in crossed)
            if aa == bb and ab == bb and ba == aa:
                continue
            reached = {
                way: (before[1 + width + n] if before else None, after[1 + width + n] if after else None)
                for n, way in enumerate(ways)
            }
            found.setdefault(subject, []).append(Counted(record, aa, bb, ab, ba, crossed is not None, reached))
        return found

    def _crossed(
        self, kind: str, name: str, made: tuple[AggregateDef, AggregateDef],
        more: tuple[Sequence[Node], Sequence[Node]], width: int, keys: list[str],
    ) -> tuple[dict[tuple[str, str], Row | None], dict[tuple[str, str], Row | None]] | None:  # fmt: skip
        """Compute what each pack makes of the other run's records; None where the packs do not differ, or it cannot."""
        if not any(diff.role in (*_WHICH, *_HOW_MUCH) for diff in self.packs.of((kind, name))):
            return None
        before, after = self.runs.sides
        results = []
        for values, rules, one, nodes in ((after, before, made[0], more[0]), (before, after, made[1], more[1])):
            query = values.records(rules.pack, rules.pack.kinds[kind], one, nodes, (), width, keys)
            if query is None:
                return None
            rows = values.database.rows(query)
            results.append({(row[0], row[1]): _counting(row[2:], width) for row in rows})
        return results[0], results[1]

    # --- peers ---

    def of_peers(self, kind: str, name: str, key: str, one: AggregateDef, other: AggregateDef) -> Iterator[Cause]:
        """Give the causes of a value over peers: what differs of the subject, and of the others of its group."""
        for diff in self.packs.of((kind, name)):
            yield from self.packs.causes(diff)
        formulas = [[f for f in (made.within, made.operand, made.where) if f is not None] for made in (one, other)]
        movers = self.passing.movers(kind, name, formulas)
        flat = [f for own in formulas for f in own]
        if key in movers:
            yield from self.causes.read(kind, key, flat, self.causes.reached(kind, key, flat))
        is_grouped = one.within is not None and other.within is not None
        groups = self.passing.groups(kind, name, key, (one.within, other.within)) if is_grouped else set()
        others = [m for m in movers.values() if m.key != key and (not is_grouped or groups & m.groups)]
        for made in others[:MOST]:
            yield self.passing.other(kind, name, made.key, flat)
        if len(others) > MOST:
            yield Cause(what="passed", owner=kind, field=name, more=len(others) - MOST)


def _choice(line: LineDef, leaf: str) -> list[Node]:
    """Return what a line chooses the records of a leaf by."""
    made = line.selection.keys.get(leaf) if line.selection is not None else None
    return nodes_of([made.once, *made.prefer, *made.order_by]) if made is not None else []


def _ways(nodes: Sequence[Node]) -> list[Hops]:
    return [name.hops[:n] for name in names_in(nodes) for n in range(1, len(name.hops) + 1)]


def _counting(row: Any, width: int) -> Row | None:
    """Return what of a record counts; None where it does not."""
    return None if row is None or row[0] is not True else tuple(row[1 : 1 + width])
