"""What each record brought to a line of the score, and what every line above left of it.

After its cap and floor a line's awards add up to its points: a cap takes its excess from the positive awards, the
last first, a floor gives its shortfall back to the negative ones, the last first; what no record brought comes before
the records. What a floor above nothing gives beyond that, or a cap below it takes, is an award of the line itself; so
is what factors and a veto change. A line with factors enters the line above as one award.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlglot import exp

from evaluator.engine.measure import linked_rows
from evaluator.engine.selection import award_order, chosen, key_columns, keys_of
from evaluator.engine.sharing import beyond, can_go_beyond, left_of
from evaluator.engine.state import State, points_column
from evaluator.pack.definitions import KindDef, LineDef, is_dated
from evaluator.pack.nodes import Const
from evaluator.pack.types import NUMBER
from evaluator.sql.lower import Lowering
from evaluator.sql.ratio import UNIT
from evaluator.sql.rows import packed_place
from evaluator.sql.trees import (
    SQL,
    both,
    cast,
    choose,
    column,
    either,
    is_null,
    named,
    number,
    ordered,
    select,
    text,
    union_all,
    window,
)

# what every query of awards has: whose, of which line and record, from where, what the rule gives
_FIXED = {
    "sid": "BIGINT", "line": "TEXT", "what": "TEXT", "record": "TEXT", "has_record": "INTEGER", "#src": "BIGINT",
    "#row": "BIGINT", "#date": "DATE", "place": "INTEGER", "points": "BIGINT",
}  # fmt: skip
# and what became of it, where a line chooses among records
_OF_CHOICE = {"lost_to": "TEXT", "lost_in": "TEXT", "nth": "BIGINT", "factor": "BIGINT", "factor_in": "TEXT"}


@dataclass(frozen=True, slots=True)
class Award:
    """What one record, or a line without records, brought to a line and to the lines above it.

    `what` is record, judged, own (base, points without record, what bounds give), times or veto. `points` is what the
    rule gives it; `awards` what is left of it in each line from its own up to the total, or up to a line with factors.
    `lost_to` is the record that counts instead, in the line `lost_in`; `nth` its number in a series of the line
    `factor_in`, and `factor` what it is multiplied by there.
    """

    line: str
    what: str
    record: str | None
    source: int | None
    row: int | None
    date: object
    points: Decimal
    awards: dict[str, Decimal]
    lost_to: str | None = None
    lost_in: str | None = None
    nth: int | None = None
    factor: Decimal | None = None
    factor_in: str | None = None


def awards(state: State, kind: KindDef, sid: int | None = None) -> list[tuple[str, Award]]:
    """Return every award of a subject (by its number), or of all subjects, with the subject's key.

    Ordered by subject, then as awards are counted: without record first, then by date, then by key of the record.
    """
    if kind.score is None:
        return []
    made = _Awards(state, kind, sid)
    query, passed = made.left(kind.score, (kind.score,) if kind.score.selection is not None else ())
    keep = [name for name in made.fixed if name not in ("sid", "has_record", "place")]
    wanted = [*keep, *map(_after, passed)]
    shown = select(column("#key", "s"), *(column(name, "a") for name in wanted)).from_(
        query.subquery("a", copy=False), copy=False
    )
    shown = shown.join(
        exp.alias_(state.location(kind.name), "s", table=True),
        on=exp.EQ(this=column("sid", "a"), expression=column("#sid", "s")),
        copy=False,
    ).order_by(*(ordered(column("#key", "s")), *award_order("a")), copy=False)
    found = []
    for key, *values in state.db.rows(shown):
        own = dict(zip(keep, values, strict=False))
        after, path = zip(passed, values[len(keep) :], strict=True), made.path[own["line"]]
        own["awards"] = {path[depth]: Decimal(value) / UNIT for depth, value in after if value is not None}
        own["points"] = Decimal(own["points"] or 0) / UNIT
        if own.get("factor") is not None:
            own["factor"] = Decimal(own["factor"]) / UNIT
        own["source"], own["row"], own["date"] = (own.pop(f"#{name}") for name in ("src", "row", "date"))
        found.append((key, Award(**own)))
    return found


def selected_sum(state: State, kind: KindDef, line: LineDef) -> exp.Select:
    """Return a query of what the records of a line sum up to where only some of them count, by subject.

    Its columns: sid, sum.<id>, n.<id> (how many records there are), doubt.<id> (how many of unknown points), and
    doubtful.<id> (the packed place of the first of those).
    """
    query, _ = _Awards(state, kind, None).incoming(line, (line,))
    entering = column("entering", "q")
    records = exp.EQ(this=column("what", "q"), expression=text("record"))
    own = both(
        exp.EQ(this=column("what", "q"), expression=text("own")),
        exp.EQ(this=column("line", "q"), expression=text(line.id)),
    )
    unknown = both(is_null(column("points", "q")), records.copy())
    return (
        select(
            column("sid", "q"),
            named(cast(exp.Sum(this=entering), "BIGINT"), f"sum.{line.id}"),
            named(cast(exp.CountIf(this=records), "BIGINT"), f"n.{line.id}"),
            named(cast(exp.CountIf(this=unknown), "BIGINT"), f"doubt.{line.id}"),
            named(exp.Min(this=choose([(unknown.copy(), packed_place("q"))])), f"doubtful.{line.id}"),
        )
        .from_(query.subquery("q", copy=False), copy=False)
        .where(exp.Not(this=exp.paren(own)), copy=False)
        .group_by(column("sid", "q"), copy=False)
    )


def _after(depth: int) -> str:
    """Return the column of what is left of an award after the line so deep above it; the total is at 0."""
    return f"after.{depth}"


def _is_of(line: LineDef, alias: str) -> SQL:
    return exp.EQ(this=column("line", alias), expression=text(line.id))


def _alike(lines: Sequence[LineDef]) -> list[list[LineDef]]:
    """Put the lines together that have nothing but records and fixed bounds of the same sorts; others stay alone."""
    found: dict[object, list[LineDef]] = {}
    for line in lines:
        bounds = [bound is not None for bound in (line.min, line.max)]
        is_fixed = all(bound is None or isinstance(bound.node, Const) for bound in (line.min, line.max))
        others = (line.items, line.selection, line.when, line.times, line.veto, line.judged)
        is_plain = line.aggregate is not None and any(bounds) and is_fixed and not any(others)
        found.setdefault(tuple(bounds) if is_plain else line.id, []).append(line)
    return list(found.values())


def _paths(line: LineDef, above: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give each line with the lines from the total down to it."""
    path = (*above, line.id)
    yield line.id, path
    for item in line.items:
        yield from _paths(item, path)


def _empty(kind: str) -> exp.Cast:
    return cast(exp.Null(), kind)


class _Awards:
    """The awards of a kind's lines; `incoming` is what enters a line, `left` what it leaves of it."""

    def __init__(self, state: State, kind: KindDef, sid: int | None) -> None:
        self.state, self.kind, self.sid = state, kind, sid
        chooses = any(line.selection is not None for line in kind.lines)
        self.fixed = _FIXED | _OF_CHOICE if chooses else _FIXED
        self.place = {one.id: place for place, one in enumerate(kind.lines)}
        self.path = dict(_paths(kind.score)) if kind.score is not None else {}

    def incoming(self, line: LineDef, outer: tuple[LineDef, ...]) -> tuple[exp.Query, list[int]]:
        """Return a query of the awards that enter a line, after its choice among them, and how deep they were before.

        `outer` are the lines above that choose among records, and this one if it does: what they choose by travels
        along. Besides the fixed columns and after.<depth> for the lines below, deepest first, the query has `entering`.
        """
        keys = [name for one in outer for name in key_columns(one)]
        parts: list[exp.Select] = []
        if line.base is not None or line.points is not None or can_go_beyond(line):
            parts.append(self._own(line, keys))
        if line.aggregate is not None:
            parts.append(self._records(line, outer))
        if line.judged is not None:
            parts.append(self._judged(line, keys))
        children = []
        for alike in _alike(line.items) if not outer else [[item] for item in line.items]:
            item = alike[0]
            below = (*outer, item) if item.selection is not None else outer
            made = self._left_of_alike(alike) if len(alike) > 1 else self.left(item, below)
            children.append((*made, "up" if item.times else _after(self._depth(item))))
        inner = max((passed for _, passed, _ in children), key=len, default=[])
        listed = [
            part.select(*(named(_empty("BIGINT"), _after(depth)) for depth in inner), copy=False) for part in parts
        ]
        for child, passed, up in children:
            columns: list[SQL] = [column(name, "c") for name in self.fixed]
            columns += [named(column(up, "c"), "entering"), *(column(name, "c") for name in keys)]
            columns += [
                column(_after(depth), "c") if depth in passed else named(_empty("BIGINT"), _after(depth))
                for depth in inner
            ]
            listed.append(select(*columns).from_(child.subquery("c", copy=False), copy=False))
        query = union_all(listed)
        kept = [*self.fixed, *map(_after, inner)]
        if line.selection is not None:
            keys = [name for name in keys if name not in key_columns(line)]
            return chosen(line, line.selection, query, [*kept, *keys]), inner
        return query, inner

    def left(self, line: LineDef, outer: tuple[LineDef, ...]) -> tuple[exp.Select, list[int]]:
        """Return a query of what a line leaves of the awards that enter it, and the depths passed, its own last.

        Besides the fixed columns it has after.<depth> for the depths passed. What enters the line above is the last of
        those; of a line with factors, which goes up as one award, it is `up`.
        """
        query, inner = self.incoming(line, outer)
        keys = [name for one in outer if one is not line for name in key_columns(one)]
        depth = self._depth(line)
        after = _after(depth)
        kept = [*self.fixed, *map(_after, inner), *keys]
        is_one = bool(line.times)  # what it comes to goes up as one award
        is_bounded = not is_one and (line.min is not None or line.max is not None)
        summed = self._summed([line], query, kept, is_bounded) if is_bounded or line.when is not None else query
        left = self._bounded([line]) if is_bounded else column("entering", "w")
        if line.when is not None:
            passes = exp.Not(this=is_null(column("entering", "w")))  # what a line with factors keeps does not enter
            nothing = choose([(passes, number(0))])
            left = choose([(column("applies", "w"), left)], nothing)
        made = select(*(column(name, "w") for name in kept), named(cast(left, "BIGINT"), after)).from_(
            summed.subquery("w", copy=False), copy=False
        )
        if not line.times and not line.veto:
            return made, [*inner, depth]
        columns = [*kept, after]
        up = _empty("BIGINT") if is_one else column(after, "l")
        made = select(*(column(name, "l") for name in columns), named(up, "up")).from_(
            made.subquery("l", copy=False), copy=False
        )
        changes = []
        if line.times:
            then = column("unvetoed.total" if line.veto else points_column(line.id), "s")
            changes.append(self._change(line, "times", column(f"before.{line.id}", "s"), then, columns, True))
        if line.veto:
            then = column(points_column(line.id), "s")
            changes.append(self._change(line, "veto", column("unvetoed.total", "s"), then, columns, False))
        everything = [column(name, "u") for name in (*columns, "up")]
        whole = union_all([made, *changes])
        return select(*everything).from_(whole.subquery("u", copy=False), copy=False), [*inner, depth]

    def _left_of_alike(self, lines: list[LineDef]) -> tuple[exp.Select, list[int]]:
        """Return what lines leave that have nothing but records and fixed bounds: one query for them all is faster."""
        query = union_all([self.incoming(line, ())[0] for line in lines])
        depth, kept = self._depth(lines[0]), list(self.fixed)
        left = named(cast(self._bounded(lines), "BIGINT"), _after(depth))
        summed = self._summed(lines, query, kept, True)
        made = select(*(column(name, "w") for name in kept), left)
        return made.from_(summed.subquery("w", copy=False), copy=False), [depth]

    def _depth(self, line: LineDef) -> int:
        return len(self.path[line.id]) - 1

    def _summed(self, lines: list[LineDef], query: exp.Query, kept: list[str], is_bounded: bool) -> exp.Select:
        """Add to each award cap and floor, the sums around it that they are shared out by, and whether it applies.

        Of several lines the awards are shared out each by themselves; such lines have fixed bounds, and always apply.
        """
        line = lines[0]
        incoming = column("entering", "q")
        columns: list[SQL] = [column(name, "q") for name in (*kept, "entering")]
        rows = self.state.rows(self.kind.name, "s")
        lowering = Lowering(rows)
        of_subject: list[SQL] = []
        if is_bounded:
            by = [column("sid", "q"), *([column("line", "q")] if len(lines) > 1 else [])]
            columns.append(named(window(exp.Sum(this=incoming.copy()), by), "all"))
            # the databases' greatest and least pass over what is unknown
            known = exp.Not(this=is_null(incoming))
            for name, written, sums, pick in (
                ("low", [one.min for one in lines], "minus", exp.Least),
                ("high", [one.max for one in lines], "plus", exp.Greatest),
            ):
                given = [bound for bound in written if bound is not None]
                if not given:
                    continue
                part = choose([(known.copy(), pick(this=incoming.copy(), expressions=[number(0)], ignore_nulls=True))])
                columns.append(named(window(exp.Sum(this=part), by), sums))
                so_far = window(exp.Sum(this=part.copy()), by, award_order("q"), so_far=True)
                columns.append(named(so_far, f"{sums} so far"))
                stored = [lowering.stored(bound, NUMBER) for bound in given]
                of_lines = [(_is_of(one, "q"), value) for one, value in zip(lines, stored, strict=True)]
                value = named(choose(of_lines) if len(lines) > 1 else stored[0], name)
                (columns if isinstance(given[0].node, Const) else of_subject).append(value)
        if line.when is not None:
            of_subject.append(named(lowering.condition(line.when), "applies"))
        summed = select(*columns).from_(query.subquery("q", copy=False), copy=False)
        if not of_subject:
            return summed
        bounds = self._of_subject(rows.select(named(column("#sid", "s"), "sid"), *of_subject), "s")
        on = exp.EQ(this=column("sid", "q"), expression=column("sid", "b"))
        summed = summed.select(*(column(one.alias, "b") for one in of_subject), copy=False)
        return summed.join(bounds.subquery("b", copy=False), on=on, copy=False)

    @staticmethod
    def _bounded(lines: list[LineDef]) -> SQL:
        """Return what cap and floor leave of an award."""
        has_floor, has_cap = lines[0].min is not None, lines[0].max is not None
        left = left_of("w", has_floor, has_cap)
        if beyond_lines := [line for line in lines if can_go_beyond(line)]:
            what = exp.EQ(this=column("what", "w"), expression=text("own"))
            is_own = both(what, exp.paren(either(*(_is_of(line, "w") for line in beyond_lines))))
            rest = beyond("w", has_floor, has_cap)
            left = choose([(is_own, exp.Add(this=exp.paren(left), expression=rest))], left.copy())
        known = exp.Not(this=is_null(column("entering", "w")))
        return choose([(known, left)])

    def _change(
        self, line: LineDef, what: str, before: SQL, after: SQL, columns: list[str], goes_up: bool
    ) -> exp.Select:
        """Return one award a subject: what factors or a veto change; the last of the columns is what it comes to."""
        change = exp.Sub(this=after, expression=before)
        own = self._fixed(line, what, exp.paren(change))
        values = own + [
            named(exp.paren(change.copy()) if name == columns[-1] else exp.Null(), name)
            for name in columns
            if name not in self.fixed
        ]
        # what a veto takes was never part of what goes up; the root has nothing above
        up = after.copy() if goes_up else exp.paren(change.copy())
        rows = self.state.rows(self.kind.name, "s")
        made = rows.select(*values, named(cast(up, "BIGINT"), "up"))
        return self._of_subject(made.where(column("is_assessed", "s"), copy=False), "s")

    def _all_fixed(self, known: dict[str, SQL]) -> list[exp.Alias]:
        """Return the fixed columns, empty where nothing is known."""
        return [
            named(cast(known[name], kind) if name in known else _empty(kind), name) for name, kind in self.fixed.items()
        ]

    def _fixed(self, line: LineDef, what: str, points: SQL) -> list[exp.Alias]:
        """Return the fixed columns of an award that no record brought."""
        known: dict[str, SQL] = {
            "sid": column("#sid", "s"), "line": text(line.id), "what": text(what), "has_record": number(0),
            "place": number(self.place[line.id]), "points": points,
        }  # fmt: skip
        return self._all_fixed(known)

    def _own(self, line: LineDef, keys: list[str]) -> exp.Select:
        """Return what a line brings without records: its base, its points, or nothing but what its bounds add."""
        rows = self.state.rows(self.kind.name, "s")
        lowering = Lowering(rows)
        formula = line.base if line.base is not None else line.points
        value = lowering.stored(formula, NUMBER) if formula is not None else number(0)
        if line.base is not None and line.points is not None:
            value = exp.Add(this=value, expression=lowering.stored(line.points, NUMBER))
        fixed = self._fixed(line, "own", exp.paren(value))
        without = [named(exp.Null(), name) for name in keys]
        made = rows.select(*fixed, named(exp.paren(value.copy()), "entering"), *without)
        return self._of_subject(made.where(column("is_assessed", "s"), copy=False), "s")

    def _records(self, line: LineDef, outer: tuple[LineDef, ...]) -> exp.Select:
        """Return the points of every record that counts for a line, with what lines above choose by."""
        made = line.aggregate
        assert made is not None and made.operand is not None
        rows, link = linked_rows(self.state, self.kind, made.source, made.links)
        lowering = Lowering(rows)
        points = lowering.stored(made.operand, NUMBER)
        conditions: list[SQL] = [exp.Not(this=is_null(link))]
        if self.sid is not None:  # records are stored by subject, so that few of them need be read
            conditions = [exp.EQ(this=link.copy(), expression=number(self.sid))]
        if made.where is not None:
            conditions.append(lowering.condition(made.where))
        in_period = self.state.in_period(made.source, rows.alias, made.period)
        if in_period is not None:
            conditions.append(in_period)
        subject_alias = rows.at(("#subject",))
        conditions.append(column("is_assessed", subject_alias))
        known: dict[str, SQL] = {
            "sid": link.copy(), "line": text(line.id), "what": text("record"), "record": column("#key", "r"),
            "has_record": number(1), "#src": column("#src", "r"), "#row": column("#row", "r"),
            "place": number(self.place[line.id]), "points": points,
        }  # fmt: skip
        if is_dated(self.state.pack.tables, made.source):
            known["#date"] = column("#date", "r")
        columns: list[SQL] = [*self._all_fixed(known), named(points.copy(), "entering")]
        for one in outer:
            assert one.selection is not None
            columns += keys_of(one, one.selection, line, lowering)
        query = rows.select(*columns).where(both(*conditions), copy=False)
        return self._of_subject(query, subject_alias)

    def _judged(self, line: LineDef, keys: list[str]) -> exp.Select:
        """Return the points people decided on."""
        made = self.state.judged[self.kind.name, line.id]
        known: dict[str, SQL] = {
            "sid": column("sid", "j"), "line": text(line.id), "what": text("judged"),
            "record": column("decided_by", "j"), "has_record": number(1),
            "#src": column("#src", "j"), "#row": column("#row", "j"),
            "#date": column("decided_on", "j"), "place": number(self.place[line.id]), "points": column("value", "j"),
        }  # fmt: skip
        columns: list[SQL] = [*self._all_fixed(known), named(column("value", "j"), "entering")]
        columns += [named(exp.Null(), name) for name in keys]
        query = select(*columns).from_(exp.alias_(made, "j", table=True), copy=False)
        on = exp.EQ(this=column("sid", "j"), expression=column("#sid", "s"))
        query = query.join(exp.alias_(self.state.location(self.kind.name), "s", table=True), on=on)
        return self._of_subject(query, "s")

    def _of_subject(self, query: exp.Select, alias: str) -> exp.Select:
        if self.sid is None:
            return query
        return query.where(exp.EQ(this=column("#sid", alias), expression=number(self.sid)), copy=False)
