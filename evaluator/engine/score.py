"""Lines of the score: their points for all subjects, and the award of each record.

Totals are computed in the run; awards on demand, from the same line. After its cap and floor a line's awards
add up to its points: a cap takes its excess from the positive awards, the last first, a floor gives its shortfall
back to the negative ones, the last first; what no record brought comes before the records. What a floor above nothing
gives beyond that, or a cap below it takes, is an award of the line itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from sqlglot import exp

from evaluator.engine.measure import linked_rows
from evaluator.engine.state import State, points_column
from evaluator.pack import expression as ex
from evaluator.pack.definitions import Formula, KindDef, LineDef
from evaluator.sql.lower import Lowering
from evaluator.sql.ratio import UNIT
from evaluator.sql.rows import Rows
from evaluator.sql.trees import SQL, both, cast, choose, column, is_null, named, number, ordered, text, window


def line_values(line: LineDef, rows: Rows) -> list[exp.Alias]:
    """Return the columns of a line: what it comes to before its cap and floor, and its points.

    A subject that is not assessed has neither.
    """
    lowering = Lowering(rows)
    parts: list[SQL] = []
    if line.base is not None:
        parts.append(lowering.stored(line.base, ex.NUMBER))
    if line.aggregate is not None:
        summed: SQL = column(f"sum.{line.id}", rows.alias)
        if line.aggregate.operand is not None and line.aggregate.operand.node.nullable:
            is_known = exp.EQ(this=column(f"doubt.{line.id}", rows.alias), expression=number(0))
            summed = choose([(is_known, summed)])
        parts.append(summed)
    elif line.points is not None:
        parts.append(lowering.stored(line.points, ex.NUMBER))
    parts += [column(points_column(item.id), rows.alias) for item in line.items]
    raw = parts[0] if parts else number(0)
    for part in parts[1:]:
        raw = exp.Add(this=raw, expression=part)
    points = bounded(raw, bound(line.min, lowering), bound(line.max, lowering))
    if line.when is not None:
        applies = lowering.condition(line.when)
        raw = choose([(applies, raw)], number(0))
        points = choose([(applies.copy(), points)], number(0))
    assessed = column("is_assessed", rows.alias)
    return [
        named(cast(choose([(assessed, raw)]), "BIGINT"), f"raw.{line.id}"),
        named(cast(choose([(assessed.copy(), points)]), "BIGINT"), points_column(line.id)),
    ]


def bound(formula: Formula | None, lowering: Lowering) -> SQL | None:
    """Return a cap or floor in millionths."""
    return None if formula is None else lowering.stored(formula, ex.NUMBER)


def bounded(value: SQL, low: SQL | None, high: SQL | None) -> SQL:
    """Keep a value within its floor and cap; unknown where either is."""
    tested = [is_null(part) for part in (value, low, high) if part is not None]
    made = value.copy()
    if low is not None:
        made = exp.Greatest(this=made, expressions=[low])
    if high is not None:
        made = exp.Least(this=made, expressions=[high])
    if low is None and high is None:
        return made
    return choose([(exp.or_(*tested, copy=False), exp.Null())], made)


def can_be_unknown(line: LineDef) -> list[Formula]:
    """Return the expressions of a line that may leave its points unknown."""
    each = line.aggregate.operand if line.aggregate is not None else None
    given = (line.points, each, line.base, line.min, line.max)
    return [formula for formula in given if formula is not None and formula.node.nullable]


# ---------------------------------------------------------------------------------------------------------
# awards
# ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Award:
    """What one record, or a line without records, brought to a line and to the lines above it.

    `points` is what the rule gives it; `awards` what is left of it in each line from its own up to the total.
    """

    line: str
    record: str | None
    source: int | None
    row: int | None
    date: object
    points: Decimal
    awards: dict[str, Decimal]


def awards(state: State, kind: KindDef, subject: str | None = None) -> list[tuple[str, Award]]:
    """Return every award of a subject (by its key), or of all subjects, with the subject's key.

    Ordered by subject, then as awards are counted: without record first, then by date, then by key of the record.
    """
    if kind.score is None:
        return []
    query, path = _awards_of(state, kind, kind.score, subject)
    keep = [column(name, "a") for name in ("line", "record", "#src", "#row", "#date", "points")]
    shown = exp.select(column("#key", "s"), *keep, *(column(f"after.{line}", "a") for line in path)).from_(
        query.subquery("a")
    )
    shown = shown.join(
        exp.alias_(state.location(kind.name), "s", table=True),
        on=exp.EQ(this=column("sid", "a"), expression=column("#sid", "s")),
    ).order_by(*(ordered(column("#key", "s")), *_order("a")))
    found = []
    for key, line, record, source, row, date, points, *after in state.db.rows(shown):
        kept = {name: Decimal(value) / UNIT for name, value in zip(path, after, strict=True) if value is not None}
        found.append((key, Award(line, record, source, row, date, Decimal(points or 0) / UNIT, kept)))
    return found


def _order(alias: str) -> list[exp.Ordered]:
    """Return the order in which awards count: lines without records, then date, then key, then the line's place."""
    keys = ("has_record", "#date", "record", "place")
    return [ordered(column(name, alias), nulls_first=True) for name in keys]


def _awards_of(state: State, kind: KindDef, line: LineDef, subject: str | None) -> tuple[exp.Select, list[str]]:
    """Return a query of the awards that enter a line and what the line leaves of each.

    Its columns: sid, line, record, has_record, #src, #row, #date, place, points, and after.<line> for every line
    from the award's own up to this one (null for lines it does not pass through).
    """
    parts: list[exp.Query] = []
    inner: list[str] = []
    order = {one.id: place for place, one in enumerate(kind.lines)}
    if line.base is not None or line.points is not None or _can_go_beyond(line):
        parts.append(_plain_part(state, kind, line, subject, order[line.id]))
    if line.aggregate is not None:
        parts.append(_record_part(state, kind, line, subject, order[line.id]))
    children = [_awards_of(state, kind, item, subject) for item in line.items]
    for _, path in children:
        inner += [name for name in path if name not in inner]
    for child, path in children:
        entering = named(column(f"after.{path[-1]}", "c"), "entering")
        lower = [
            column(f"after.{name}", "c") if name in path else named(cast(exp.Null(), "BIGINT"), f"after.{name}")
            for name in inner
        ]
        fixed = [column(name, "c") for name in FIXED]
        parts.append(exp.select(*fixed, entering, *lower).from_(child.subquery("c")))
    query: exp.Query | None = None
    for place, part in enumerate(parts):
        assert isinstance(part, exp.Select)
        if place < len(parts) - len(children):
            empty = [named(cast(exp.Null(), "BIGINT"), f"after.{name}") for name in inner]
            part = part.select(*empty)
        query = part if query is None else exp.union(query, part, distinct=False)
    assert query is not None
    rows = state.rows(kind.name, "s")
    lowering = Lowering(rows)
    low, high = bound(line.min, lowering), bound(line.max, lowering)
    applies = lowering.condition(line.when) if line.when is not None else None
    subject_columns: list[SQL] = [named(column("#sid", "s"), "sid")]
    for name, value in (("low", low), ("high", high), ("applies", applies)):
        if value is not None:
            subject_columns.append(named(value, name))
    bounds = rows.select(*subject_columns)
    if subject is not None:
        bounds = bounds.where(exp.EQ(this=column("#key", "s"), expression=text(subject)))
    incoming = column("entering", "q")
    part_by = [column("sid", "q")]
    positive = exp.Greatest(this=incoming.copy(), expressions=[number(0)])
    negative = exp.Least(this=incoming.copy(), expressions=[number(0)])
    sums = {
        "all": window(exp.Sum(this=incoming.copy()), part_by),
        "plus": window(exp.Sum(this=positive), part_by),
        "minus": window(exp.Sum(this=negative), part_by),
        "plus so far": window(exp.Sum(this=positive.copy()), part_by, _order("q"), so_far=True),
        "minus so far": window(exp.Sum(this=negative.copy()), part_by, _order("q"), so_far=True),
    }
    summed = exp.select(
        *(column(name, "q") for name in (*FIXED, *(f"after.{n}" for n in inner), "entering")),
        *(named(value, name) for name, value in sums.items()),
        *(
            column(name, "b")
            for name, value in (("low", low), ("high", high), ("applies", applies))
            if value is not None
        ),
    ).from_(query.subquery("q"))
    summed = summed.join(bounds.subquery("b"), on=exp.EQ(this=column("sid", "q"), expression=column("sid", "b")))
    left = _left_of("w", low is not None, high is not None)
    if low is not None or high is not None:
        is_own = both(
            exp.EQ(this=column("line", "w"), expression=text(line.id)),
            exp.EQ(this=column("has_record", "w"), expression=number(0)),
        )
        rest = _beyond("w", low is not None, high is not None)
        left = choose([(is_own, exp.Add(this=exp.paren(left), expression=rest))], left.copy())
    if applies is not None:
        left = choose([(column("applies", "w"), left)], number(0))
    return (
        exp.select(
            *(column(name, "w") for name in (*FIXED, *(f"after.{n}" for n in inner))),
            named(cast(left, "BIGINT"), f"after.{line.id}"),
        ).from_(summed.subquery("w")),
        [*inner, line.id],
    )


FIXED = ("sid", "line", "record", "has_record", "#src", "#row", "#date", "place", "points")


def _left_of(alias: str, has_floor: bool, has_cap: bool) -> SQL:
    """Return what cap and floor leave of an award, from the sums around it.

    The cap's excess is taken from the positive awards, so those keep what lies below plus − excess; the floor's
    shortfall is given back to the negative ones in the same way.
    """
    entering, zero = column("entering", alias), number(0)
    total = column("all", alias)

    def minus(a: SQL, b: SQL) -> SQL:
        return exp.paren(exp.Sub(this=a, expression=b))

    cut: SQL = entering.copy()
    lifted: SQL = entering.copy()
    if has_cap:
        excess: SQL = exp.Greatest(this=zero.copy(), expressions=[minus(total.copy(), column("high", alias))])
        keep = minus(column("plus", alias), excess)
        before = minus(column("plus so far", alias), entering.copy())
        room = exp.Greatest(this=zero.copy(), expressions=[minus(keep, before)])
        cut = exp.Least(this=entering.copy(), expressions=[room])
    if has_floor:
        short = exp.Greatest(this=zero.copy(), expressions=[minus(column("low", alias), total.copy())])
        keep = exp.paren(exp.Add(this=column("minus", alias), expression=short))
        before = minus(column("minus so far", alias), entering.copy())
        below_zero = exp.Least(this=zero.copy(), expressions=[minus(keep, before)])
        lifted = exp.Greatest(this=entering.copy(), expressions=[below_zero])
    above, below = (
        exp.GT(this=entering.copy(), expression=zero.copy()),
        exp.LT(this=entering.copy(), expression=zero.copy()),
    )
    return choose([(above, cut), (below, lifted)], entering.copy())


def _can_go_beyond(line: LineDef) -> bool:
    """Whether a floor may give more than deductions took, or a cap take more than records brought."""
    signs = ((line.min, -1), (line.max, 1))
    bounds = [(bound.node, sign) for bound, sign in signs if bound is not None]
    return any(not isinstance(node, ex.Const) or Fraction(str(node.value)) * sign < 0 for node, sign in bounds)


def _beyond(alias: str, has_floor: bool, has_cap: bool) -> SQL:
    """Return what a floor above nothing gives, or a cap below it takes, that belongs to no other award."""
    zero, total = number(0), column("all", alias)
    parts: list[SQL] = []
    if has_floor:
        below = exp.paren(exp.Sub(this=column("low", alias), expression=total.copy()))
        short = exp.Greatest(this=zero.copy(), expressions=[below])
        given = exp.Add(this=short, expression=column("minus", alias))
        parts.append(exp.Greatest(this=zero.copy(), expressions=[given]))
    if has_cap:
        above = exp.paren(exp.Sub(this=total.copy(), expression=column("high", alias)))
        excess = exp.Greatest(this=zero.copy(), expressions=[above])
        taken = exp.Sub(this=column("plus", alias), expression=excess)
        parts.append(exp.Least(this=zero.copy(), expressions=[taken]))
    return parts[0] if len(parts) == 1 else exp.paren(exp.Add(this=parts[0], expression=parts[1]))


def _plain_part(state: State, kind: KindDef, line: LineDef, subject: str | None, place: int) -> exp.Select:
    """Return what a line brings without records: its base, its points, or nothing but what its bounds add."""
    rows = state.rows(kind.name, "s")
    lowering = Lowering(rows)
    formula = line.base if line.base is not None else line.points
    value = lowering.stored(formula, ex.NUMBER) if formula is not None else number(0)
    if line.base is not None and line.points is not None:
        value = exp.Add(this=value, expression=lowering.stored(line.points, ex.NUMBER))
    nothing = exp.Null()
    made = rows.select(
        named(column("#sid", "s"), "sid"), named(text(line.id), "line"), named(cast(nothing, "TEXT"), "record"),
        named(number(0), "has_record"), named(cast(nothing.copy(), "BIGINT"), "#src"),
        named(cast(nothing.copy(), "BIGINT"), "#row"), named(cast(nothing.copy(), "DATE"), "#date"),
        named(number(place), "place"), named(value, "points"), named(value.copy(), "entering"),
    )  # fmt: skip
    return _of_subject(made.where(column("is_assessed", "s")), subject, "s")


def _of_subject(query: exp.Select, subject: str | None, alias: str) -> exp.Select:
    if subject is None:
        return query
    return query.where(exp.EQ(this=column("#key", alias), expression=text(subject)))


def _record_part(state: State, kind: KindDef, line: LineDef, subject: str | None, place: int) -> exp.Select:
    """Return the points of every record that counts for a line."""
    made = line.aggregate
    assert made is not None and made.operand is not None
    rows, link = linked_rows(state, kind, made.source, made.links)
    lowering = Lowering(rows)
    points = lowering.stored(made.operand, ex.NUMBER)
    conditions: list[SQL] = [exp.Not(this=is_null(link))]
    if made.where is not None:
        conditions.append(lowering.condition(made.where))
    in_year = state.in_year(made.source, rows.alias)
    if in_year is not None:
        conditions.append(in_year)
    subject_alias = rows.at(("#subject",))
    conditions.append(column("is_assessed", subject_alias))
    date: SQL = column("#date", "r") if in_year is not None else cast(exp.Null(), "DATE")
    query = rows.select(
        named(link.copy(), "sid"), named(text(line.id), "line"), named(column("#key", "r"), "record"),
        named(number(1), "has_record"), column("#src", "r"), column("#row", "r"), named(date, "#date"),
        named(number(place), "place"), named(points, "points"), named(points.copy(), "entering"),
    ).where(both(*conditions))  # fmt: skip
    return _of_subject(query, subject, subject_alias)
