"""Where expressions stand in a pack, what is so when they are looked at, and what they are for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from evaluator.pack.definitions import AggregateDef, Formula, KindDef, LineDef, Order, Pack, TableDef, VerdictDef
from evaluator.pack.nodes import Call, Case, IsNull, Junction, Node, Recall, Setting
from evaluator.pack.types import DATE_TYPE
from evaluator.workbench.checking.arithmetic import ONE
from evaluator.workbench.checking.boxes import Boxes, given_by
from evaluator.workbench.checking.intervals import Values
from evaluator.workbench.checking.ranges import Given, Ranges
from evaluator.workbench.checking.shapes import Shape, shape

SETTINGS_OF_YEAR = ("period_start", "period_end")

Known = tuple[tuple[Node, bool], ...]
"""Conditions, and whether they hold or fail."""


@dataclass(frozen=True, slots=True)
class Site:
    """An expression at its place: whose it is, what for, and what is known to hold where it is looked at."""

    owner: str
    part: str  # measure, line, verdict, roster, field …
    name: str  # of this
    role: str  # which key it is written under
    formula: Formula
    known: Known = ()
    of_record: str = ""  # the table whose rows it is looked at for; none for subjects
    dated: bool = False  # whether these rows are those of the year

    @property
    def is_condition(self) -> bool:
        """Whether it says of a row or subject whether something applies to it."""
        return self.role in ("where", "when", "among")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an expression, with what is known where it is looked at."""

    node: Node
    known: Known
    is_settled: bool  # whether somebody asks if it is unknown, or gives a value for that


def parts(node: Node, known: Known = (), is_settled: bool = False) -> Iterator[Part]:
    """Give all parts of an expression, each with what must hold or fail for it to matter."""
    yield Part(node, known, is_settled)
    match node:
        case Junction():
            for one in node.parts:
                others = tuple((other, node.op == "and") for other in node.parts if other is not one)
                yield from parts(one, (*known, *others), is_settled)
        case Case():
            before = known
            for branch in node.branches:
                yield from parts(branch.when, before, is_settled)
                yield from parts(branch.then, (*before, (branch.when, True)), is_settled)
                before = (*before, (branch.when, False))
            yield from parts(node.otherwise, before, is_settled)
        case Recall():
            yield from parts(node.operand)
        case Call(function="coalesce"):
            for argument in node.arguments[:-1]:
                yield from parts(argument, known, True)
            yield from parts(node.arguments[-1], known, is_settled)
        case IsNull():
            yield from parts(node.operand, known, True)
        case _:
            for child in node.children():
                yield from parts(child, known, is_settled)


def sites(pack: Pack) -> Iterator[Site]:
    """Give every expression of a pack, in no order that matters."""
    for table in pack.tables.values():
        yield from _of_table(table)
    for kind in pack.kinds.values():
        yield from _of_kind(kind)
    for control in pack.controls:
        yield from _of_aggregate(Site("", "reconcile", "", "", _NO), control.aggregate)
    for parameter in pack.parameters.values():
        if parameter.lookup is not None:
            bound = [parameter.lookup.bound] if parameter.lookup.bound is not None else []
            for formula in (*parameter.lookup.match, *bound, parameter.lookup.value):
                yield Site("", "parameter", parameter.name, "lookup", formula, of_record=parameter.lookup.source)


_NO: Formula = None  # type: ignore[assignment]  # until the formula is known


def _of_table(table: TableDef) -> Iterator[Site]:
    site = Site(table.name, "table", table.name, "", _NO, of_record=table.name)
    if table.date is not None:
        yield replace(site, role="date", formula=table.date)
    if table.expected is not None and table.expected.where is not None:
        yield replace(site, role="where", formula=table.expected.where)
    for field in table.fields.values():
        own = replace(site, part="field", name=field.name)
        if field.value is not None:
            yield replace(own, role="field", formula=field.value)
        if field.aggregate is not None:
            yield from _of_aggregate(own, field.aggregate)


def _of_kind(kind: KindDef) -> Iterator[Site]:
    site = Site(kind.name, "apart", "", "", _NO)
    for role, exceptions in (("not_assessed", kind.not_assessed), ("not_ranked", kind.not_ranked)):
        for one in exceptions:
            yield replace(site, name=role, role="when", formula=one.when)
    for measure in kind.measures.values():
        own = replace(site, part="measure", name=measure.name)
        if measure.value is not None:
            yield replace(own, role="measure", formula=measure.value)
        if measure.aggregate is not None:
            yield from _of_aggregate(own, measure.aggregate)
    if kind.score is not None:
        yield from _of_line(site, kind.score, ())
    for verdict in kind.verdicts.values():
        yield from _of_verdict(replace(site, part="verdict", name=verdict.name), verdict)
    for roster in kind.rosters:
        own = replace(site, part="roster", name=roster.id)
        if roster.where is not None:
            yield replace(own, role="where", formula=roster.where)
        if roster.within is not None:
            yield replace(own, role="within", formula=roster.within)
        yield from _of_order(own, roster.order_by)
        yield from (replace(own, role="column", formula=made) for _, made in roster.columns if made is not None)


def _of_order(site: Site, order: Iterable[Order]) -> Iterator[Site]:
    yield from (replace(site, role="order", formula=key.formula) for key in order)


def _of_aggregate(site: Site, made: AggregateDef, role: str = "operand") -> Iterator[Site]:
    is_of_year = made.period is None or made.period.named == "year"
    own = site if made.is_peers else replace(site, of_record=made.source, dated=is_of_year and not made.same, known=())
    if made.where is not None:
        yield replace(own, role="where", formula=made.where)
    if made.operand is not None:
        known: Known = ((made.where.node, True),) if made.where is not None else ()
        yield replace(own, role=role, formula=made.operand, known=known)
    if made.within is not None:
        yield replace(own, role="within", formula=made.within)
    if made.default is not None:
        yield replace(site, role="measure", formula=made.default)
    for mine, theirs in made.same:
        yield replace(site, role="same", formula=mine)
        yield replace(own, role="same", formula=theirs)


def _of_line(site: Site, line: LineDef, above: Known) -> Iterator[Site]:
    site = replace(site, part="line", name=line.id)
    if line.when is not None:
        yield replace(site, role="when", formula=line.when, known=above)
    known = (*above, (line.when.node, True)) if line.when is not None else above
    own = replace(site, known=known)
    if line.aggregate is not None:
        yield from _of_aggregate(site, line.aggregate, "points")
    judged = (line.judged.low, line.judged.high) if line.judged is not None else ()
    for formula in (line.points, line.base, line.min, line.max, *judged):
        if formula is not None:
            yield replace(own, role="points", formula=formula)
    for key in line.selection.keys.values() if line.selection is not None else ():
        for formula in (key.once, *key.prefer, *key.order_by):
            if formula is not None:
                yield replace(site, role="order", formula=formula, of_record="#record")
    for factor in line.times:
        if factor.when is not None:
            yield replace(own, role="when", formula=factor.when)
        applies: Known = ((factor.when.node, True),) if factor.when is not None else ()
        yield replace(own, role="points", formula=factor.by, known=(*known, *applies))
    for veto in line.veto:
        yield replace(own, role="when", formula=veto.when)
        yield replace(own, role="points", formula=veto.to, known=(*known, (veto.when.node, True)))
    for item in line.items:
        yield from _of_line(site, item, known)


def _of_verdict(site: Site, verdict: VerdictDef) -> Iterator[Site]:
    before: Known = ()
    for rule in verdict.rules:
        if rule.when is not None:
            yield replace(site, role="rule", formula=rule.when, known=before)
            if verdict.model.pick == "first" and rule.model.in_force is None:
                before = (*before, (rule.when.node, False))
    if verdict.when is not None:
        yield replace(site, role="when", formula=verdict.when)
    if verdict.value is not None:
        yield replace(site, role="verdict", formula=verdict.value)
    if verdict.among is not None:
        yield replace(site, role="among", formula=verdict.among)
        known = ((verdict.among.node, True),)
        if verdict.take is not None:
            yield replace(site, role="take", formula=verdict.take)
        if verdict.within is not None:
            yield replace(site, role="within", formula=verdict.within, known=known)
        yield from _of_order(replace(site, known=known), verdict.order_by)


class Looked:
    """A pack, its expressions, and what is known of its values: what every lint is given."""

    def __init__(self, pack: Pack) -> None:
        self.pack, self.ranges = pack, Ranges(pack)
        self.boxes = Boxes(self.ranges)
        self.sites = list(sites(pack))

    def givens(self, site: Site, known: Known) -> list[Given]:
        """Return in which ways an expression can be looked at: the values left to what its conditions look at."""
        of_dates = self._days_of_year(site)
        found = self.boxes.of(*known)
        return [{**of_dates, **box} for box in given_by(found)]

    def _days_of_year(self, site: Site) -> dict[Shape, Values]:
        """Return the days on which the records of a year can be, by the expression that dates them."""
        table = self.pack.tables.get(site.of_record)
        if not site.dated or table is None or table.date is None:
            return {}
        first, last = (self.ranges.of(Setting(DATE_TYPE, False, (0, 0), name)) for name in SETTINGS_OF_YEAR)
        return {shape(table.date.node): Values.between(first.lowest, last.highest, ONE)}
