"""Where the expressions of a pack are looked at: over which rows, and of these, over which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from evaluator.engine.state import points_column
from evaluator.pack.definitions import AggregateDef, Formula, KindDef, LineDef, Pack, TableDef, VerdictDef
from evaluator.pack.model_judgement import Window
from evaluator.pack.nodes import Compare, Name, Node
from evaluator.pack.types import BOOLEAN, NUMBER


@dataclass(frozen=True, slots=True)
class Over:
    """Rows of a table or kind; or, with links, the rows of a source that lead to subjects of a kind."""

    owner: str
    source: str = ""
    links: tuple[tuple[str, ...], ...] = ()
    span: str = ""
    period: Window | None = field(default=None, compare=False)
    is_combined: bool = False  # the combinations of which rows are expected


@dataclass(frozen=True, slots=True)
class Reach:
    """Which of the rows get as far as the expression."""

    is_assessed: bool = False  # subjects that are assessed, and their records
    when: tuple[Formula, ...] = ()  # conditions on the subject: those of the line and of the groups around it
    where: Formula | None = None  # a condition on the row itself
    rule: tuple[str, int] | None = None  # a verdict of which no rule before this one decided
    placed: str = ""  # a quota in which the subject has a place


@dataclass(frozen=True, slots=True)
class Look:
    """An expression, what it is of, and where it is looked at."""

    formula: Formula
    of: str
    over: Over
    reach: Reach = Reach()
    bound: str = ""  # cap or floor, where the expression compares with it what a line comes to before it


def looks(pack: Pack) -> Iterator[Look]:
    """Give every expression of a pack but those of its control totals, which cases do not look at."""
    yield from looks_at_records(pack)
    for kind in pack.kinds.values():
        yield from _of_kind(kind)


def looks_at_records(pack: Pack) -> Iterator[Look]:
    """Give every expression that is computed while records are read."""
    for made in pack.tables.values():
        yield from _of_table(made)


def _made(formulas: Iterable[Formula | None], of: str, over: Over, reach: Reach = Reach()) -> Iterator[Look]:  # noqa: B008 - frozen
    return (Look(formula, of, over, reach) for formula in formulas if formula is not None)


def _told(formula: Formula | None) -> Formula | None:
    """Return an expression that is shown or grouped by; nothing of a bare name, which is no condition there."""
    return None if formula is None or isinstance(formula.node, Name) else formula


def _of_table(made: TableDef) -> Iterator[Look]:
    rows = Over(made.name)
    yield from _made([made.date], f"{made.name} date", rows)
    for one in made.fields.values():
        name = f"{made.name}.{one.name}"
        yield from _made([one.value], name, rows)
        if one.aggregate is not None:
            yield from _made((_told(here) for here, _ in one.aggregate.same), name, rows)
            yield from _aggregate(one.aggregate, name, Over(one.aggregate.source), Reach())
    if made.expected is not None:
        yield from _made([made.expected.where], f"{made.name} expected", Over(made.name, is_combined=True))


def _aggregate(made: AggregateDef, of: str, over: Over, reach: Reach) -> Iterator[Look]:
    yield from _made([made.where], of, over, reach)
    counted = Reach(reach.is_assessed, reach.when, made.where)
    yield from _made([made.operand], of, over, counted)


def _records(kind: KindDef, made: AggregateDef) -> Over:
    if made.is_peers:
        return Over(kind.name)
    return Over(kind.name, made.source, made.links, str(made.period), made.period)


def _of_kind(kind: KindDef) -> Iterator[Look]:
    subjects = Over(kind.name)
    for name, exceptions in (("not_assessed", kind.not_assessed), ("not_ranked", kind.not_ranked)):
        yield from _made((one.when for one in exceptions), f"{kind.name} {name}", subjects)
    for measure in kind.measures.values():
        name = f"{kind.name}.{measure.name}"
        yield from _made([measure.value], name, subjects)
        if (made := measure.aggregate) is not None:
            yield from _aggregate(made, name, _records(kind, made), Reach())
            yield from _made([_told(made.within), made.default], name, subjects)
    if kind.score is not None:
        yield from _of_line(kind, kind.score, ())
    for verdict in kind.verdicts.values():
        yield from _of_verdict(kind, verdict)
    for roster in kind.rosters:
        name = f"{roster.name} (roster)"
        yield from _made([roster.where], name, subjects)
        shown = [*(key.formula for key in roster.order_by), roster.within, *(value for _, value in roster.columns)]
        yield from _made(map(_told, shown), name, subjects, Reach(where=roster.where))


def _of_line(kind: KindDef, line: LineDef, groups: tuple[Formula, ...]) -> Iterator[Look]:
    name, subjects = f"{kind.name}.{points_column(line.id)}", Over(kind.name)
    yield from _made([line.when], name, subjects, Reach(True, groups))
    when = groups if line.when is None else (*groups, line.when)
    inside = Reach(True, when)
    yield from _made([line.base, line.points, line.min, line.max], name, subjects, inside)
    for bound, word in ((line.min, "floor"), (line.max, "cap")):
        if bound is not None:
            before = Name(NUMBER, False, bound.node.place, (), kind.name, f"raw.{line.id}")
            node = Compare(BOOLEAN, bound.node.nullable, bound.node.place, "=", before, bound.node)
            yield Look(Formula(node, bound.text, bound.at, bound.source), name, subjects, inside, word)
    if line.judged is not None:
        yield from _made([line.judged.low, line.judged.high], name, subjects, inside)
    if line.aggregate is not None:
        yield from _aggregate(line.aggregate, name, _records(kind, line.aggregate), inside)
    if line.selection is not None:
        below = {one.id: one for one in line.walk()}
        for leaf, keys in line.selection.keys.items():
            made = below[leaf].aggregate
            assert made is not None
            chosen = [keys.once, *keys.prefer, *keys.order_by]
            yield from _made(chosen, name, _records(kind, made), Reach(True, when, made.where))
    for factor in line.times:
        yield from _made([factor.when], name, subjects, inside)
        applies = when if factor.when is None else (*when, factor.when)
        yield from _made([factor.by], name, subjects, Reach(True, applies))
    for veto in line.veto:
        yield from _made([veto.when], name, subjects, inside)
        yield from _made([veto.to], name, subjects, Reach(True, (*when, veto.when)))
    for item in line.items:
        yield from _of_line(kind, item, when)


def _of_verdict(kind: KindDef, verdict: VerdictDef) -> Iterator[Look]:
    name, subjects, assessed = f"{kind.name}.{verdict.name}", Over(kind.name), Reach(True)
    for rule in verdict.rules:
        is_first = verdict.model.pick == "first"
        reach = Reach(True, rule=(verdict.name, rule.number)) if is_first else assessed
        yield from _made([rule.when], name, subjects, reach)
    yield from _made([verdict.when, verdict.value], name, subjects, assessed)
    if verdict.form == "quota":
        held = assessed if verdict.when is None else Reach(True, (verdict.when,))
        yield from _made([verdict.among], name, subjects, held)
        settled = [verdict.take, _told(verdict.within), *(key.formula for key in verdict.order_by)]
        yield from _made(settled, name, subjects, Reach(True, placed=verdict.name))


def is_settled(pack: Pack, look: Look, node: Node) -> bool:
    """Whether a condition is as it is for all rows, as the pack sets nobody apart and expects every combination."""
    if not isinstance(node, Name):
        return False
    kind, made = pack.kinds.get(node.owner), pack.tables[node.owner]
    if node.leaf == "is_expected":
        return made.expected is not None and made.expected.where is None
    if kind is None or node.leaf not in ("is_assessed", "is_ranked"):
        return False
    all_assessed = not kind.not_assessed or (look.reach.is_assessed and not node.hops)
    return all_assessed and (node.leaf == "is_assessed" or not kind.not_ranked)
