"""What a pack comes to, computed the plain way: one value after the other, one subject after the other.

Nothing here is taken from `evaluator`. Numbers are fractions, None is unknown; what is stored is rounded half away from
zero to six places. A value that must stop the run is noted with its code, and nothing that reads it is computed.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from sayings import Row, Said, half_away

YEAR_END = dt.date(2021, 12, 31)
TERM_START = dt.date(2020, 7, 1)
REFS = {
    "member": {"station": "station"},
    "station": {},
    "works": {"person": "member"},
    "joint": {"host": "member", "checker": "member"},
    "shares": {"who": "member", "host": "member", "checker": "member"},
}
KEYS = {"member": "id", "station": "id", "works": "id", "joint": "no", "shares": "no"}


class HasStoppedError(Exception):
    """A value is read that stopped the run."""


@dataclass
class World:
    """The data, and every value of every subject so far."""

    kinds: dict[str, dict[str, Row]]
    tables: dict[str, list[Row]]
    columns: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    codes: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    def cell(self, kind: str, key: str, name: str) -> Any:
        if (kind, name) not in self.columns:
            raise HasStoppedError(f"{kind}.{name}")
        return self.columns[kind, name][key]

    def subjects(self, kind: str) -> list[At]:
        return [At(self, kind, row) for row in self.kinds[kind].values()]

    def store(self, kind: str, name: str, values: dict[str, Any]) -> None:
        self.columns[kind, name] = {key: stored(value) for key, value in values.items()}

    def stop(self, code: str) -> None:
        self.codes[code] += 1


def stored(value: Any) -> Any:
    return half_away(value, 6) if isinstance(value, Fraction) else value


@dataclass
class At:
    """A row, as expressions read it; `subject` is the one it counts for."""

    world: World
    table: str
    row: Row
    subject: At | None = None

    @property
    def key(self) -> str:
        return self.row[KEYS[self.table]]

    def __getitem__(self, name: str) -> Any:
        head, _, rest = name.partition(".")
        if not rest or head == "points":
            return self.row[name] if name in self.row else self.world.cell(self.table, self.key, name)
        if head in REFS[self.table]:
            at = self.led_to(head)
            return None if at is None else at[rest]
        assert self.subject is not None and self.subject.table == head, name
        return self.subject[rest]

    def led_to(self, path: str) -> At | None:
        """Follow refs, one after the other."""
        at: At | None = self
        for ref in path.split("."):
            if at is None or at.row[ref] is None:
                return None
            kind = REFS[at.table][ref]
            at = At(self.world, kind, self.world.kinds[kind][at.row[ref]])
        return at

    def says(self, said: Said) -> Any:
        row: Any = self  # it has what expressions read of a row
        return said.value(row)


# --- aggregates -------------------------------------------------------------------------------------------


def begins(period: str) -> dt.date:
    """Return the first day of a period that ends with the year."""
    if period == "all":
        return dt.date.min
    if period == "term":
        return TERM_START
    months = 12 if period == "year" else int(period)
    year, month = 2021, 12
    for _ in range(months - 1):
        year, month = (year - 1, 12) if month == 1 else (year, month - 1)
    return dt.date(year, month, 1)


@dataclass(frozen=True)
class Aggregate:
    """An aggregate as a pack has it; `ways` are empty for children and peers."""

    op: str
    of: str
    operand: Said | None = None
    where: Said | None = None
    ways: tuple[str, ...] = ()
    needs_via: bool = False
    period: str = "year"
    within: Said | str | None = None  # of peers: a value, or all
    default: Fraction | None = None
    is_desc: bool = False

    def yaml(self) -> str:
        parts = []
        if self.op == "count":
            parts.append(f"count: {self.of}")
        else:
            assert self.operand is not None
            parts += [f'{self.op}: "{self.operand.text}{" desc" if self.is_desc else ""}"', f"of: {self.of}"]
        if self.where is not None:
            parts.append(f'where: "{self.where.text}"')
        if self.needs_via:
            parts.append(f"via: [{', '.join(self.ways)}]" if len(self.ways) > 1 else f"via: {self.ways[0]}")
        if self.period != "year":
            parts.append(f"period: {self.period if self.period in ('all', 'term') else f'{{months: {self.period}}}'}")
        if self.within is not None:
            parts.append(f'within: "{self.within if isinstance(self.within, str) else self.within.text}"')
        if self.default is not None:
            parts.append(f"default: {self.default}")
        return f"{{{', '.join(parts)}}}"

    def values(self, world: World, kind: str) -> dict[str, Any]:
        return {at.key: self.value(world, at) for at in world.subjects(kind)}

    def rows(self, world: World, subject: At) -> list[At]:
        if self.within is not None:
            rows = [at for at in world.subjects(self.of) if self.are_peers(at, subject)]
        elif self.of in world.kinds:
            rows = [
                At(world, self.of, at.row, subject)
                for at in world.subjects(self.of)
                if at.row[subject.table] == subject.key
            ]
        else:
            rows = records(world, self.of, subject, self.ways, self.period)
        kept = []
        for at in rows:
            holds = True if self.where is None else at.says(self.where)
            world.notes[f"where {holds}"] += self.where is not None
            kept += [at] if holds else []
        return kept

    def are_peers(self, one: At, other: At) -> bool:
        if isinstance(self.within, str):
            return True
        assert self.within is not None
        return one.says(self.within) == other.says(self.within)

    def value(self, world: World, subject: At) -> Any:
        rows = self.rows(world, subject)
        world.notes[f"{self.op} of {'no' if not rows else 'some'} rows"] += 1
        if self.op == "count":
            return Fraction(len(rows))
        assert self.operand is not None
        if self.op == "rank":
            mine = stored(subject.says(self.operand))
            if mine is None or subject.key not in {at.key for at in rows}:
                return None
            others = [other for at in rows if (other := stored(at.says(self.operand))) is not None]
            return Fraction(1 + sum(other > mine if self.is_desc else other < mine for other in others))
        known = [stored(value) for at in rows if (value := at.says(self.operand)) is not None]
        world.notes["unknown operand"] += len(rows) - len(known)
        if self.op == "any":
            return any(known)
        if self.op == "distinct":
            return Fraction(len(set(known)))
        if self.op == "sum":
            return sum(known, Fraction(0))
        return (min if self.op == "min" else max)(known, default=self.default)


def records(world: World, table: str, subject: At, ways: Iterable[str], period: str) -> list[At]:
    """Return the records of a period that lead to a subject, each once."""
    found = []
    for row in world.tables[table]:
        at = At(world, table, row, subject)
        led = [end.key for way in ways if (end := at.led_to(way)) is not None]
        if subject.key in led:
            world.notes["record twice for one subject"] += len(led) > len(set(led))
            if begins(period) <= row["held_on"] <= YEAR_END:
                found.append(at)
    return found


# --- orders -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Order:
    """Who comes first: values, each as it is or in reverse; unknown ones last."""

    parts: tuple[tuple[Said, bool], ...]

    def yaml(self) -> str:
        shown = ", ".join(f'"{said.text}{" desc" if is_desc else ""}"' for said, is_desc in self.parts)
        return f"order_by: [{shown}]"

    def of(self, at: At) -> tuple[Any, ...]:
        made: list[Any] = []
        for said, is_desc in self.parts:
            value = stored(at.says(said))
            made += [value is None, 0 if value is None else -value if is_desc else value]
        return tuple(made)


@dataclass(frozen=True)
class Quota:
    """A verdict for the first so many."""

    among: Said
    take: Said
    within: Said | None
    order: Order
    ties: str
    when: Said | None

    def yaml(self, name: str) -> str:
        lines = [f"  {name}:", f'    among: "{self.among.text}"', f'    take: "{self.take.text}"']
        lines += [f'    within: "{self.within.text}"'] if self.within is not None else []
        lines += [f'    when: "{self.when.text}"'] if self.when is not None else []
        return "\n".join([*lines, f"    {self.order.yaml()}", f"    ties: {self.ties}"]) + "\n"

    def values(self, world: World, kind: str) -> dict[str, bool | None]:
        chosen: dict[str, bool | None] = {}
        groups: dict[Any, list[At]] = {}
        for at in world.subjects(kind):
            chosen[at.key] = False if at["is_assessed"] else None
            world.notes[f"quota among {(holds := at.says(self.among))}"] += 1
            if at["is_assessed"] and holds and (self.when is None or at.says(self.when)):
                groups.setdefault(None if self.within is None else at.says(self.within), []).append(at)
        for group in groups.values():
            takes = {at.says(self.take) for at in group}
            if None in takes:
                world.stop("R103")
                continue
            if len({take.__floor__() for take in takes}) > 1:
                world.stop("R107")
                continue
            take = max(0, takes.pop().__floor__())
            group.sort(key=self.order.of)
            inside, outside = group[:take], group[take:]
            is_tie = bool(inside and outside and self.order.of(inside[-1]) == self.order.of(outside[0]))
            world.notes[f"quota {self.ties} {'tie' if is_tie else 'no tie'} at the edge"] += 1
            if is_tie and self.ties == "stop":
                world.stop("R104")
            elif is_tie:
                edge = self.order.of(inside[-1])
                inside = [at for at in inside if self.order.of(at) != edge]
                inside += [at for at in group if self.order.of(at) == edge and self.ties == "include"]
            chosen |= {at.key: True for at in inside}
        return chosen


@dataclass(frozen=True)
class Roster:
    """A ranked list."""

    id: str
    where: Said | None
    order: Order
    rank: str
    within: Said | None
    columns: tuple[str, ...]

    def yaml(self) -> str:
        lines = [f"  - id: {self.id}", f"    {self.order.yaml()}", f"    rank: {self.rank}"]
        lines += [f'    where: "{self.where.text}"'] if self.where is not None else []
        lines += [f'    within: "{self.within.text}"'] if self.within is not None else []
        return "\n".join([*lines, f"    columns: [rank, {', '.join(self.columns)}]"]) + "\n"

    def lists(self, world: World, kind: str) -> dict[Any, list[tuple[str, int | None]]]:
        """Return the subjects of each group with their ranks, in order."""
        groups: dict[Any, list[At]] = {}
        for at in world.subjects(kind):
            if self.where is None or at.says(self.where):
                groups.setdefault(None if self.within is None else stored(at.says(self.within)), []).append(at)
        return {value: self.ranked(world, group) for value, group in groups.items()}

    def ranked(self, world: World, group: list[At]) -> list[tuple[str, int | None]]:
        in_order = sorted(group, key=lambda at: (not at["is_ranked"], self.order.of(at), at.key))
        orders = [self.order.of(at) for at in in_order if at["is_ranked"]]
        made: list[tuple[str, int | None]] = []
        for place, at in enumerate(in_order):
            if not at["is_ranked"]:
                world.notes["roster without rank"] += 1
                made.append((at.key, None))
                continue
            mine = orders[place]
            before = [order for order in orders[:place] if order != mine]
            world.notes["roster tie"] += len(before) < place
            if self.rank == "ordinal":
                made.append((at.key, place + 1))
            else:
                made.append((at.key, 1 + (len(before) if self.rank == "competition" else len(set(before)))))
        return made


# --- lines of the score -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A line beside the random tree: points of the subject, or of each of its shares."""

    id: str
    points: Said
    is_each: bool
    when: Said | None = None
    where: Said | None = None
    period: str = "year"
    base: int = 0
    low: Said | None = None
    high: Said | None = None
    times: tuple[tuple[Said | None, Said], ...] = ()

    def yaml(self) -> str:
        lines = [f"id: {self.id}", f'points: "{self.points.text}"', f"base: {self.base}"]
        lines += ["each: shares", "via: who"] if self.is_each else []
        for name, said in (("when", self.when), ("where", self.where), ("min", self.low), ("max", self.high)):
            lines += [f'{name}: "{said.text}"'] if said is not None else []
        if self.period != "year":
            lines.append(f"period: {{months: {self.period}}}")
        if self.times:
            lines.append("times:")
            lines += [f'  - {{by: "{by.text}"{shown_when(when)}}}' for when, by in self.times]
        return "    - " + "\n      ".join(lines) + "\n"

    def value(self, world: World, at: At) -> Fraction:
        if self.when is not None and not at.says(self.when):
            world.notes["line does not apply"] += 1
            return Fraction(0)
        brought: list[Any]
        if self.is_each:
            rows = records(world, "shares", at, ["who"], self.period)
            brought = [row.says(self.points) for row in rows if self.where is None or row.says(self.where)]
        else:
            brought = [at.says(self.points)]
        bys = [by for when, by in self.times if when is None or at.says(when)]
        factors = [at.says(by) for by in bys]
        low, high = (None if bound is None else at.says(bound) for bound in (self.low, self.high))
        bounds = [value for bound, value in ((self.low, low), (self.high, high)) if bound is not None]
        if None in brought or None in factors or None in bounds:
            world.stop("R103")
            return Fraction(0)
        total = sum(map(stored, brought), Fraction(self.base))
        for factor in factors:
            total *= factor
        total = stored(total)
        if high is not None and total > high:
            world.notes["cap binds"] += 1
            total = stored(high)
        if low is not None and total < low:
            world.notes["floor binds"] += 1
            total = stored(low)
        return total


def shown_when(when: Said | None) -> str:
    return "" if when is None else f', when: "{when.text}"'


@dataclass(frozen=True)
class Whole:
    """The outermost line: the random tree, the lines beside it, bounds and vetoes."""

    tree: dict[str, Any] | None
    lines: tuple[Line, ...]
    low: int | None
    high: int | None
    vetoes: tuple[tuple[Said, int], ...]

    def values(
        self, world: World, tree_points: Callable[[At], dict[str, Fraction]] | None
    ) -> dict[str, dict[str, Fraction | None]]:
        """Return line to subject to points."""
        made: dict[str, dict[str, Fraction | None]] = {}
        names = [line.id for line in self.lines]
        for at in world.subjects("member"):
            if not at["is_assessed"]:
                continue
            points = tree_points(at) if tree_points is not None else {}
            total = points.get("main", Fraction(0))
            for line in self.lines:
                points[line.id] = line.value(world, at)
                total += points[line.id]
            if self.high is not None and total > self.high:
                world.notes["cap of the total binds"] += 1
                total = Fraction(self.high)
            if self.low is not None and total < self.low:
                world.notes["floor of the total binds"] += 1
                total = Fraction(self.low)
            for when, to in self.vetoes:
                if at.says(when):
                    world.notes["veto"] += 1
                    total = Fraction(to)
                    break
            for name, value in points.items():
                made.setdefault(f"points.{name}", {})[at.key] = value
            made.setdefault("total", {})[at.key] = total
            names = list(points)
        for name in ("total", *(f"points.{line}" for line in names)):
            column = made.setdefault(name, {})
            for at in world.subjects("member"):
                column.setdefault(at.key, None)
        return made
