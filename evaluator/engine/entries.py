"""What people decided: judged points, verdicts overridden, proposals approved; refused where the pack leaves no room.

Entries stand in the tables `judgements` and `approvals`. One that does not fit is a reject like a row that cannot be
read; whether it fits may depend on what was computed, so it is looked at when its line or verdict is.
"""

from __future__ import annotations

from sqlglot import exp

from evaluator.data.cells import parsed
from evaluator.data.context import REJECTS, refused
from evaluator.engine.measure import Gathered
from evaluator.engine.state import State
from evaluator.pack.definitions import KindDef, LineDef, VerdictDef
from evaluator.pack.entries import APPROVALS, JUDGEMENTS
from evaluator.pack.types import BOOLEAN, NUMBER, TEXT, Type
from evaluator.sql.lower import Lowering
from evaluator.sql.ratio import UNIT, decimal_text
from evaluator.sql.trees import (
    SQL,
    all_but,
    both,
    call,
    cast,
    choose,
    column,
    either,
    first_value,
    holds,
    is_null,
    left_join,
    named,
    number,
    star,
    table,
    text,
    union_all,
    window,
)

JUDGED = ("sid", "value", "#src", "#row", "decided_by", "decided_on", "reason")
"""What is kept of the points people decided on."""
_SETTLED = {"approved": "BOOLEAN", "settled": "TEXT"}
_GIVEN = ("#src", "#row", "value", "decided_by", "decided_on", "reason")


def find_entries(state: State) -> None:
    """Find whose each entry is and of which line or verdict; those of other years are passed over."""
    for name in (JUDGEMENTS, APPROVALS):
        if name in state.pack.tables and state.db.count(table(name)):
            state.entered.add(name)
            _find(state, name)


def _items(state: State, name: str) -> list[tuple[str, str, str]]:
    """Return kind, line or verdict, and each word it may be called by, of what may be entered."""
    found = []
    for kind in state.pack.kinds.values():
        if name == JUDGEMENTS:
            items = [(line.id, f"points.{line.id}") for line in kind.lines if line.judged is not None]
            items += [(v.name, v.name) for v in kind.verdicts.values() if v.model.override_by is not None]
        else:
            items = [(v.name, v.name) for v in kind.verdicts.values() if v.model.proposes]
        for item, readable in items:
            words = {item}
            for known in state.pack.labels.values():
                words |= {known[n] for n in (f"{kind.name}.{readable}", readable, item) if n in known}
            found += [(kind.name, item, word) for word in sorted(words)]
    return found


def _find(state: State, name: str) -> None:
    items = _items(state, name)
    words = table(f"{name}#items", "work")
    lists = [list(values) for values in zip(*items, strict=True)]
    state.db.listed(words, {n: ("TEXT", v) for n, v in zip(("kind", "item", "word"), lists, strict=True)})
    people = union_all(
        exp.select(
            named(text(kind.name), "kind"),
            column("#sid", "s"),
            column("#key", "s"),
            named(cast(column(kind.display, "s"), "TEXT"), "name"),
        ).from_(exp.alias_(state.location(kind.name), "s", table=True), copy=False)
        for kind in state.pack.kinds.values()
    )
    of_year = exp.In(this=column("year", "e"), expressions=[number(0), number(state.year)])
    of_kind = either(
        exp.EQ(this=column("kind", "e"), expression=text("")),
        exp.EQ(this=column("kind", "e"), expression=column("kind", "i")),
        *(
            both(
                exp.EQ(this=column("kind", "e"), expression=text(known[kind])),
                exp.EQ(this=column("kind", "i"), expression=text(kind)),
            )
            for known in state.pack.labels.values()
            for kind in state.pack.kinds
            if kind in known
        ),
    )
    same_item = both(exp.EQ(this=column("item", "e"), expression=column("word", "i")), exp.paren(of_kind))
    query = exp.select(
        column("#sid", "e"),
        *(named(exp.AnyValue(this=column(c, "e")), c) for c in (*_GIVEN, "subject")),
        named(exp.AnyValue(this=column("item", "e")), "written"),
        *_matches("k", "by key"),
        *_matches("n", "by name"),
        named(exp.Count(this=exp.Distinct(expressions=[column("item", "i")])), "items"),
    ).from_(exp.alias_(table(name), "e", table=True), copy=False)
    query = left_join(query, exp.alias_(words, "i", table=True), same_item)
    for alias, by in (("k", "#key"), ("n", "name")):
        on = both(
            exp.EQ(this=column("kind", "i"), expression=column("kind", alias)),
            exp.EQ(this=column("subject", "e"), expression=column(by, alias)),
        )
        query = left_join(query, people.copy().subquery(alias, copy=False), on)
    query = query.where(of_year).group_by(column("#sid", "e"))
    is_by_key = exp.GT(this=column("by key", "f"), expression=number(0))
    many = choose([(is_by_key, column("by key", "f"))], column("by name", "f"))
    reason = choose(
        [
            (exp.EQ(this=column("items", "f"), expression=number(0)), text("nothing that is left to people to decide")),
            (exp.EQ(this=many, expression=number(0)), text("nobody who is assessed")),
            (exp.GT(this=many.copy(), expression=number(1)), text("borne by several")),
        ]
    )
    at_fault = choose([(exp.EQ(this=column("items", "f"), expression=number(0)), text("item"))], text("subject"))
    found = exp.select(
        *(column(c, "f") for c in ("written", *_GIVEN)),
        *(
            named(choose([(is_by_key.copy(), column(f"by key {c}", "f"))], column(f"by name {c}", "f")), c)
            for c in ("sid", "kind", "item")
        ),
        named(reason, "fault"),
        named(at_fault, "at"),
        named(choose([(exp.EQ(this=column("items", "f"), expression=number(0)), column("written", "f"))],
                     column("subject", "f")), "shown"),
    ).from_(query.subquery("f", copy=False), copy=False)  # fmt: skip
    made = table(f"{name}#found", "work")
    state.db.create(made, found)
    _reject(state, name, made)


def _matches(alias: str, name: str) -> list[SQL]:
    """Return how many subjects an entry may be of, and one of them."""
    who = exp.Distinct(expressions=[column("kind", alias), column("#sid", alias)])
    known = exp.Not(this=is_null(column("#sid", alias)))
    return [
        named(exp.Filter(this=exp.Count(this=who), expression=exp.Where(this=known)), name),
        named(exp.AnyValue(this=column("#sid", alias)), f"{name} sid"),
        named(exp.AnyValue(this=column("kind", alias)), f"{name} kind"),
        named(exp.AnyValue(this=choose([(known.copy(), column("item", "i"))])), f"{name} item"),
    ]


def _entries_of(name: str, kind: KindDef, item: str) -> exp.Select:
    """Return the entries of one line or verdict, with how many there are for each subject."""
    return (
        exp.select(
            *(column(c, "f") for c in ("sid", "written", *_GIVEN)),
            named(window(exp.Count(this=exp.Star()), [column("sid", "f")]), "entries"),
        )
        .from_(exp.alias_(table(f"{name}#found", "work"), "f", table=True), copy=False)
        .where(
            both(
                is_null(column("fault", "f")),
                exp.EQ(this=column("kind", "f"), expression=text(kind.name)),
                exp.EQ(this=column("item", "f"), expression=text(item)),
            ),
            copy=False,
        )
    )


def _reject(state: State, name: str, checked: exp.Table) -> None:
    """Add the entries that have a fault to the rejects."""
    at, shown, fault = (column(c, "c") for c in ("at", "shown", "fault"))
    rejected = refused(state.pack.tables[name], checked, at, shown, fault)
    state.db.run(exp.Insert(this=REJECTS, expression=rejected))


def _accept(
    state: State, name: str, looked_at: exp.Select, faults: list[tuple[str, SQL, SQL]], made: exp.Table
) -> None:
    """Keep the entries nothing is wrong with as a table; the others become rejects.

    `faults` are the column at fault, when it is, and the reason, over the entries as q; the first that holds counts.
    """
    at = choose([(when, text(where)) for where, when, _ in faults])
    why = choose([(when.copy(), reason) for _, when, reason in faults])
    cell = {where: column({"item": "written"}.get(where, where), "q") for where, _, _ in faults}
    shown = choose([(when.copy(), cast(cell[where].copy(), "TEXT")) for where, when, _ in faults])
    checked = table(f"{name}#checked", "work")
    state.db.create(
        checked,
        exp.select(star("q"), named(at, "at"), named(why, "fault"), named(shown, "shown")).from_(
            looked_at.subquery("q", copy=False), copy=False
        ),
    )
    _reject(state, name, checked)
    state.db.create(
        made,
        exp.select(all_but("q", ("at", "fault", "shown")))
        .from_(exp.alias_(checked, "q", table=True), copy=False)
        .where(is_null(column("fault", "q")), copy=False),
    )
    state.db.drop(checked)


def _twice_or_not_theirs(body: str | None) -> list[tuple[str, SQL, SQL]]:
    twice = exp.GT(this=column("entries", "q"), expression=number(1))
    faults: list[tuple[str, SQL, SQL]] = [("item", twice, text("decided more than once"))]
    if body:
        theirs = exp.NEQ(this=column("decided_by", "q"), expression=text(body))
        faults.append(("decided_by", theirs, text(f"not the body that decides: {body}")))
    return faults


def judge_points(state: State, kind: KindDef, line: LineDef) -> Gathered:
    """Take the points people decided on for a line, within its bounds; refuse the rest.

    Keeps them, with the columns JUDGED, as state.judged.
    """
    kept = table(f"{kind.name}#judged points.{line.id}", "work")
    if JUDGEMENTS in state.entered:
        _keep_judged(state, kind, line, kept)
    else:
        kinds = {"value": "BIGINT", "decided_by": "TEXT", "decided_on": "DATE", "reason": "TEXT"}
        nothing = [named(cast(exp.Null(), kinds.get(name, "BIGINT")), name) for name in JUDGED]
        state.db.create(kept, exp.select(*nothing).where(exp.false(), copy=False))
    state.judged[kind.name, line.id] = kept
    columns = {f"sum.{line.id}": column("value", "j"), f"n.{line.id}": number(1)}
    summed = table(f"{kind.name}#judged sum{state.versions}.{line.id}", "work")
    state.db.create(
        summed,
        exp.select(column("sid", "j"), *(named(cast(value, "BIGINT"), name) for name, value in columns.items())).from_(
            exp.alias_(kept, "j", table=True), copy=False
        ),
    )
    return Gathered(summed, tuple((name, number(0)) for name in columns))


def _keep_judged(state: State, kind: KindDef, line: LineDef, kept: exp.Table) -> None:
    assert line.judged is not None
    rows = state.rows(kind.name, "s")
    lowering = Lowering(rows)
    low, high = (lowering.stored(bound, NUMBER) for bound in (line.judged.low, line.judged.high))
    applies: SQL = column("is_assessed", "s")
    if line.when is not None:
        applies = both(applies, holds(lowering.condition(line.when)))
    bounds = rows.select(
        named(column("#sid", "s"), "sid"), named(low, "low"), named(high, "high"), named(applies, "applies")
    )
    value = parsed(NUMBER, {}, column("value", "e"))
    looked_at = exp.select(
        star("e"), named(value, "points"), column("low", "b"), column("high", "b"), column("applies", "b")
    ).from_(_entries_of(JUDGEMENTS, kind, line.id).subquery("e", copy=False), copy=False)
    looked_at = looked_at.join(
        bounds.subquery("b", copy=False), on=exp.EQ(this=column("sid", "e"), expression=column("sid", "b"))
    )
    points, least, most = (column(c, "q") for c in ("points", "low", "high"))
    outside = either(exp.LT(this=points, expression=least), exp.GT(this=points.copy(), expression=most))
    span = call("concat", text("outside "), decimal_text(least.copy()), text(" to "), decimal_text(most.copy()))
    faults = [
        *_twice_or_not_theirs(line.judged.by),
        ("item", exp.Not(this=column("applies", "q")), text("for a line that does not apply")),
        ("value", is_null(points.copy()), text("not a number")),
        ("value", either(is_null(least.copy()), is_null(most.copy())), text("without bounds, as they are unknown")),
        ("value", exp.paren(outside), span),
    ]
    accepted = table(f"{kind.name}#judged.{line.id}", "work")
    _accept(state, JUDGEMENTS, looked_at, faults, accepted)
    columns = [named(column("points" if c == "value" else c, "j"), c) for c in JUDGED]
    state.db.create(kept, exp.select(*columns).from_(exp.alias_(accepted, "j", table=True), copy=False))
    state.db.drop(accepted)


def override(state: State, kind: KindDef, verdict: VerdictDef) -> None:
    """Set a verdict to what somebody who may do so decided on.

    Adds ruled.<verdict>, what the rules came to, and decided.<verdict>, the place of the entry (unknown without one).
    """
    accepted = table(f"{kind.name}#override.{verdict.name}", "work")
    assert verdict.model.override_by is not None
    if JUDGEMENTS not in state.entered:
        nothing = [(f"decided.{verdict.name}", "TEXT")]
        ruled = named(column(verdict.name, "s"), f"ruled.{verdict.name}")
        state.replace(kind.name, _with_nothing(state, kind, nothing).select(ruled))
        return
    assessed = exp.select(named(column("#sid", "s"), "sid"), column("is_assessed", "s")).from_(
        exp.alias_(state.location(kind.name), "s", table=True), copy=False
    )
    looked_at = (
        exp.select(star("e"), named(_as_value(verdict, state), "conclusion"), column("is_assessed", "b"))
        .from_(_entries_of(JUDGEMENTS, kind, verdict.name).subquery("e", copy=False), copy=False)
        .join(
            assessed.subquery("b", copy=False),
            on=exp.EQ(this=column("sid", "e"), expression=column("sid", "b")),
            copy=False,
        )
    )
    values = ", ".join(str(v) for v in verdict.type.values) or str(verdict.type)
    faults = [
        *_twice_or_not_theirs(str(verdict.model.override_by)),
        ("item", exp.Not(this=column("is_assessed", "q")), text("of a subject that is not assessed")),
        ("value", is_null(column("conclusion", "q")), text(f"not one of {values}")),
    ]
    _accept(state, JUDGEMENTS, looked_at, faults, accepted)
    stored = column(verdict.name, "s")
    query = exp.select(
        all_but("s", [verdict.name]),
        named(first_value([column("conclusion", "o"), stored]), verdict.name),
        named(stored.copy(), f"ruled.{verdict.name}"),
        named(_place("o"), f"decided.{verdict.name}"),
    ).from_(exp.alias_(state.location(kind.name), "s", table=True), copy=False)
    on = exp.EQ(this=column("#sid", "s"), expression=column("sid", "o"))
    state.replace(kind.name, left_join(query, exp.alias_(accepted, "o", table=True), on))
    state.db.drop(accepted)


def _with_nothing(state: State, kind: KindDef, columns: list[tuple[str, str]]) -> exp.Select:
    """Return a kind's values, and columns in which nobody entered anything."""
    nothing = [named(cast(exp.Null(), sql), name) for name, sql in columns]
    return exp.select(star("s"), *nothing).from_(exp.alias_(state.location(kind.name), "s", table=True), copy=False)


def _as_value(verdict: VerdictDef, state: State) -> SQL:
    """Return what an entry says as a value of the verdict, by its own word or its label; unknown where it is none."""
    kind = verdict.type
    spellings: dict[str, str] = {}
    if kind.values and kind.base == "text":
        for value in map(str, kind.values):
            spellings[value] = value
            for known in state.pack.labels.values():
                spellings.setdefault(known.get(value, value), value)
    made = parsed(kind, spellings, column("value", "e"))
    if kind.values and kind.is_number:
        allowed = [number(int(v * (UNIT if kind.base == "number" else 1))) for v in kind.values]  # type: ignore[operator]
        made = choose([(exp.In(this=exp.paren(made), expressions=allowed), made.copy())])
    return made


def approve(state: State, kind: KindDef) -> None:
    """Add approved.<verdict> for each verdict that proposes something, and settled.<verdict>: where that was entered.

    Unknown while nobody has; a decision on what is not proposed is refused.
    """
    proposing = [verdict for verdict in kind.verdicts.values() if verdict.model.proposes]
    if proposing and APPROVALS not in state.entered:
        columns = [(f"{name}.{v.name}", sql) for v in proposing for name, sql in _SETTLED.items()]
        state.replace(kind.name, _with_nothing(state, kind, columns))
        return
    for verdict in proposing:
        rows = state.rows(kind.name, "s")
        proposed, bodies = _proposed(verdict)
        who = rows.select(named(column("#sid", "s"), "sid"), named(proposed, "is_proposed"), named(bodies, "body"))
        looked_at = (
            exp.select(star("e"), column("is_proposed", "b"), column("body", "b"))
            .from_(_entries_of(APPROVALS, kind, verdict.name).subquery("e", copy=False), copy=False)
            .join(
                who.subquery("b", copy=False),
                on=exp.EQ(this=column("sid", "e"), expression=column("sid", "b")),
                copy=False,
            )
        )
        body = column("body", "q")
        theirs = both(
            exp.NEQ(this=body, expression=text("")),
            exp.NEQ(this=column("decided_by", "q"), expression=body.copy()),
        )
        faults = [
            *_twice_or_not_theirs(None),
            ("item", exp.Not(this=column("is_proposed", "q")), text("not proposed for this subject")),
            ("decided_by", theirs, call("concat", text("not the body that decides: "), body.copy())),
        ]
        accepted = table(f"{kind.name}#approved.{verdict.name}", "work")
        _accept(state, APPROVALS, looked_at, faults, accepted)
        query = exp.select(
            star("s"),
            named(column("value", "o"), f"approved.{verdict.name}"),
            named(_place("o"), f"settled.{verdict.name}"),
        ).from_(exp.alias_(state.location(kind.name), "s", table=True), copy=False)
        on = exp.EQ(this=column("#sid", "s"), expression=column("sid", "o"))
        state.replace(kind.name, left_join(query, exp.alias_(accepted, "o", table=True), on))
        state.db.drop(accepted)


def _proposed(verdict: VerdictDef) -> tuple[SQL, SQL]:
    """Return whether a verdict proposes something for a subject, and who decides on it ('' if nobody is named)."""
    if verdict.form != "rules":
        return holds(column(verdict.name, "s")), text(str(verdict.model.by or ""))
    acting = [rule for rule in verdict.rules if rule.model.action is not None]
    rule: SQL = column(f"rule.{verdict.name}", "s")
    if verdict.model.override_by is not None:  # what a rule proposes goes with what it concluded
        rule = choose([(is_null(column(f"decided.{verdict.name}", "s")), rule)])
    branches = [(exp.EQ(this=rule.copy(), expression=number(r.number)), text(str(r.model.by or ""))) for r in acting]
    proposed = exp.In(this=rule.copy(), expressions=[number(r.number) for r in acting])
    return holds(proposed), choose(branches, text(""))


def _place(alias: str) -> SQL:
    """Return source and row of an entry as text."""
    known = exp.Not(this=is_null(column("#row", alias)))
    place = call("concat", cast(column("#src", alias), "TEXT"), text(":"), cast(column("#row", alias), "TEXT"))
    return choose([(known, place)])


def entered_columns(kind: KindDef) -> list[tuple[str, Type]]:
    """Return the columns that what people decided adds to a kind, with their types."""
    columns: list[tuple[str, Type]] = []
    for verdict in kind.verdicts.values():
        if verdict.model.override_by is not None:
            columns += [(f"ruled.{verdict.name}", verdict.type), (f"decided.{verdict.name}", TEXT)]
        if verdict.model.proposes:
            columns += [(f"approved.{verdict.name}", BOOLEAN), (f"settled.{verdict.name}", TEXT)]
    return columns
