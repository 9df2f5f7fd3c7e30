"""Who passed whom: places in quotas and ranks in rosters that changed because others moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from evaluator.pack.definitions import Formula, RosterDef, VerdictDef
from evaluator.pack.nodes import Name
from evaluator.pack.types import BOOLEAN, INTEGER
from evaluator.report.comparing.changes import APART, Delta
from evaluator.report.comparing.model import Cause, each_once
from evaluator.report.comparing.pack import PackDiff, Piece
from evaluator.report.comparing.records import RecordDiffs
from evaluator.report.comparing.values import Both, Row, nodes_of, plain, written
from evaluator.sql.trees import SQL, cast, column, named, parquet

if TYPE_CHECKING:
    from evaluator.report.comparing.causes import Causes

MOST = 5  # of those who passed a subject that are named
_APART = ("is_assessed", "is_ranked")  # who is set apart is in no order
MOST_PAIRS = 2_000_000  # beyond, who passed whom is not looked at


@dataclass(frozen=True, slots=True)
class Mover:
    """A subject that something is ordered otherwise by: what it is ordered by in each run, and its places."""

    key: str
    before: Row | None
    after: Row | None
    places: tuple[Any, Any] = (None, None)

    @property
    def groups(self) -> set[str | None]:
        """The groups it is in, where there are groups: they come before what it is ordered by."""
        return {plain(row[len(_APART)]) for row in (self.before, self.after) if row is not None}


class Passing:
    """The subjects that moved in an order, found for all of it at once."""

    def __init__(
        self, runs: Both, packs: PackDiff, records: RecordDiffs, deltas: dict[str, dict[str, Delta]], causes: Causes
    ) -> None:
        self.runs, self.packs, self.records, self.deltas, self.causes = runs, packs, records, deltas, causes
        self.moved: dict[tuple[str, str], dict[str, Mover]] = {}
        self.ranked: dict[str, set[str]] = {}  # by kind, those of whom some rank changed
        self.changed: dict[str, set[str]] = {}
        self.others: dict[tuple[str, str, str], Cause] = {}
        self.grouped: dict[tuple[str, str], dict[str, set[str | None]]] = {}

    def movers(
        self, kind: str, name: str, formulas: Iterable[Sequence[Formula]], place: str | None = None
    ) -> dict[str, Mover]:
        """Return the subjects for which formulas of the two packs come to something else, with their places."""
        if (kind, name) not in self.moved:
            listed = list(formulas)
            width = len(_APART) + max(len(own) for own in listed)
            files = []
            for side, own in zip(self.runs.sides, listed, strict=True):
                nodes: list[Any] = [Name(BOOLEAN, True, (0, 0), (), kind, name) for name in _APART] + nodes_of(own)
                if place is not None:
                    nodes.append(Name(INTEGER, True, (0, 0), (), kind, place))
                query = side.everybody(side.pack.kinds[kind], nodes)
                if place is not None:
                    query = _renamed(query, len(nodes) - 1, "place")
                missing: list[SQL] = [
                    named(cast(exp.Null(), "TEXT"), f"v{n}") for n in range(len(_APART) + len(own), width)
                ]
                files.append(self.runs.spooled(side, query.select(*missing)))
            values = [f"v{n}" for n in range(width)]
            rows = self.runs.joined((files[0], files[1]), ("key",), values, ["place"] if place is not None else [])
            self.moved[kind, name] = {
                key: Mover(
                    key, before and before[:width], after and after[:width],
                    (_number(before, width, place), _number(after, width, place)),
                )
                for before, after, (key,) in rows
            }  # fmt: skip
        return self.moved[kind, name]

    def of_quota(self, kind: str, one: VerdictDef, other: VerdictDef, key: str) -> Iterator[Cause]:
        """Give the causes of a quota's verdict: what differs of the subject, of the quota, and who passed it."""
        name = one.name
        pieces = tuple(_with_order(side.pieces[kind, name], made, side) for side, made in
                       zip(self.packs.sides, (one, other), strict=True))  # fmt: skip
        yield from self.causes.roles(kind, name, key, pieces)  # type: ignore[arg-type]
        yield from self.causes.literal(kind, name, ("order_by", "ties"))
        formulas = [
            _known(made.within, made.among, made.when, *(order.formula for order in made.order_by))
            for made in (one, other)
        ]
        moved = self.movers(kind, name, formulas, f"place.{name}")
        delta = self.deltas[kind][key]
        own = delta.before.get(f"place.{name}"), delta.after.get(f"place.{name}")
        flat = [f for made in formulas for f in made]
        yield from self._passed(kind, name, key, own, moved, flat, (one.within, other.within))

    def of_rank(
        self, one: RosterDef, other: RosterDef, key: str, ranks: tuple[str | None, str | None]
    ) -> Iterator[Cause]:
        """Give the causes of a rank's change: what differs of the subject and of the roster, and who passed it."""
        kind, name = one.kind, f"rank.{one.id}"
        delta = self.deltas[kind].get(key)
        if delta is not None and (delta.how != "changed" or delta.differs("is_assessed") or delta.differs("is_ranked")):
            yield from self.causes.of(kind, "is_ranked", key)
            return
        formulas = [
            _known(made.within, made.where, *(order.formula for order in made.order_by)) for made in (one, other)
        ]
        moved = self._ranked(one, self.movers(kind, name, formulas))
        for diff in self.packs.of((kind, name)):
            yield from self.packs.causes(diff)
        flat = [f for made in formulas for f in made]
        if key in moved:
            yield from self.causes.read(kind, key, flat, self.causes.reached(kind, key, flat))
        before, after = (int(rank) if rank else None for rank in ranks)
        yield from self._passed(kind, name, key, (before, after), moved, flat, (one.within, other.within))

    def _ranked(self, roster: RosterDef, moved: dict[str, Mover]) -> dict[str, Mover]:
        """Add to those who moved their ranks and groups in both runs."""
        place = (roster.kind, f"#ranks.{roster.id}")
        if place not in self.moved:
            sides = []
            for side in self.runs.sides:
                file = side.run.folder / "rosters" / f"{roster.name}.parquet"
                cells = [column("#key", "r"), column("#rank", "r")]
                query = exp.select(*cells).from_(exp.alias_(parquet(file), "r", table=True), copy=False)
                query = query.where(exp.In(this=column("#key", "r"), query=side.listed(moved)), copy=False)
                sides.append(dict(side.database.rows(query)))
            self.moved[place] = {
                key: Mover(key, one.before, one.after, (sides[0].get(key), sides[1].get(key)))
                for key, one in moved.items()
            }
        return self.moved[place]

    def _passed(
        self, kind: str, name: str, key: str, own: tuple[int | None, int | None], moved: dict[str, Mover],
        formulas: list[Formula], within: tuple[Formula | None, Formula | None],
    ) -> Iterator[Cause]:  # fmt: skip
        """Give those who came before a subject and were not, or were and are no longer."""
        if own[0] is None or own[1] is None:
            return
        if len(moved) * len(self.asked(kind)) > MOST_PAIRS:
            yield Cause(what="passed", owner=kind, field=name, more=len(moved), is_exact=False)
            return
        is_grouped = within[0] is not None and within[1] is not None
        groups = self.groups(kind, name, key, within) if is_grouped else set()
        passed = []
        for one in moved.values():
            if one.key == key or (is_grouped and not groups & one.groups):
                continue
            was, is_now = (place is not None and place < mine for place, mine in zip(one.places, own, strict=True))
            if was != is_now:
                passed.append(one)
        for one in passed[:MOST]:
            yield self.other(kind, name, one.key, formulas, one.places)
        if len(passed) > MOST:
            yield Cause(what="passed", owner=kind, field=name, more=len(passed) - MOST)

    def asked(self, kind: str) -> set[str]:
        """Return the subjects of whom anything changed."""
        if kind not in self.changed:
            self.changed[kind] = self.deltas[kind].keys() | self.ranked.get(kind, set())
        return self.changed[kind]

    def groups(self, kind: str, name: str, key: str, within: tuple[Formula | None, Formula | None]) -> set[str | None]:
        """Return the groups a subject is in, in one run and in the other."""
        if (kind, name) not in self.grouped:
            made: dict[str, set[str | None]] = {}
            for side, formula in zip(self.runs.sides, within, strict=True):
                rows = side.values(side.pack, side.pack.kinds[kind], nodes_of([formula]), sorted(self.asked(kind)))
                for one, (group,) in (rows or {}).items():
                    made.setdefault(one, set()).add(written(group))
            self.grouped[kind, name] = made
        return self.grouped[kind, name].get(key, set())

    def other(
        self, kind: str, name: str, key: str, formulas: Iterable[Formula | None], places: tuple[Any, Any] = (None, None)
    ) -> Cause:
        """Return another subject that moved, with what it moved by."""
        if (kind, name, key) not in self.others:
            self.others[kind, name, key] = self._other(kind, name, key, formulas, places)
        return self.others[kind, name, key]

    def _other(
        self, kind: str, name: str, key: str, formulas: Iterable[Formula | None], places: tuple[Any, Any]
    ) -> Cause:
        delta = self.deltas[kind].get(key)
        causes = list(self._moved_by(kind, key, list(formulas)))
        if not causes:  # it is ordered otherwise, and nothing of its own is otherwise
            causes = [cause for diff in self.packs.of((kind, name)) for cause in self.packs.causes(diff)]
        before, after = (None if place is None else str(place) for place in places)
        return Cause(
            what="passed", how=delta.how if delta is not None else "changed", owner=kind, key=key, field=name,
            before=before, after=after, causes=each_once(causes),
        )  # fmt: skip

    def _moved_by(self, kind: str, key: str, formulas: list[Formula | None]) -> Iterator[Cause]:
        delta = self.deltas[kind].get(key)
        if delta is not None and delta.how != "changed":
            yield from self.records.causes(kind, key, ())
        elif delta is not None and any(delta.differs(name) for name in APART):
            yield from self.causes.of(kind, "is_assessed", key)
        else:
            yield from self.causes.read(kind, key, formulas, self.causes.reached(kind, key, formulas))


def _known(*formulas: Formula | None) -> list[Formula]:
    """Return those of the formulas that there are."""
    return [formula for formula in formulas if formula is not None]


def _with_order(pieces: list[Piece], verdict: VerdictDef, side: Any) -> list[Piece]:
    """Return the parts of a quota, its order key by key."""
    keys = [side.formula(f"order {n}", order.formula) for n, order in enumerate(verdict.order_by)]
    return [*(piece for piece in pieces if piece.formula is not None), *keys]


def _renamed(query: exp.Select, place: int, name: str) -> exp.Select:
    """Give the value at a place of a query another name."""
    selected = query.expressions[1 + place]
    selected.set("alias", exp.to_identifier(name, quoted=True))
    return query


def _number(row: Row | None, place: int, name: str | None) -> int | None:
    return None if row is None or name is None or row[place] is None else int(row[place])
