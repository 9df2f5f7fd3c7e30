"""Why a subject's result is what it is, arranged from what the run wrote.

Totals and verdicts are read, never judged again. The awards of single records come from the typed records by the
line's own model and must sum to the stored line; where they did not, there would be no explanation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlglot import exp

from evaluator.diagnostics import Problems, Stop, closest
from evaluator.engine.awards import Award, awards
from evaluator.engine.plan import own_nodes
from evaluator.engine.rank import shown as sql_shown
from evaluator.engine.score import line_columns
from evaluator.engine.state import Bearer, State, points_column
from evaluator.pack.definitions import Formula, KindDef, LineDef, Pack, RuleDef, VerdictDef, subject_of
from evaluator.pack.entries import APPROVALS, JUDGEMENTS
from evaluator.pack.model_judgement import Times, Veto
from evaluator.pack.nodes import Compare, Const, Lookup, Name, Node, Recall, Setting
from evaluator.pack.scalars import NAME
from evaluator.pack.types import BOOLEAN, INTEGER, NUMBER, TEXT
from evaluator.report.explaining.amended import AmendedRow, amended_rows
from evaluator.report.explaining.looked_back import LookedBack, looked_back
from evaluator.report.explaining.neighbours import RosterPlace, places_in_rosters
from evaluator.report.explaining.ways import Ways, ways_of
from evaluator.report.reopen import PastRun, reopen
from evaluator.report.words import name_of, plain_number, say, shown
from evaluator.sql.lower import Lowering
from evaluator.sql.trees import SQL, both, cast, column, either, number, parquet, table


@dataclass(frozen=True, slots=True)
class Evidence:
    """A record and what it brought: points by the rule, what of them counts in the total, and who cut the rest.

    Of records of which one counts, `lost_to` is that one; in a series `nth` is the record's number and `factor` what
    its points are multiplied by.
    """

    record: str
    date: str
    place: str
    is_filled: bool
    points: Decimal
    counts: Decimal
    cut_by: tuple[str, ...]
    lost_to: str | None = None
    nth: int | None = None
    factor: Decimal | None = None
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody decided: who, when, why, and where it was entered."""

    decided_by: str
    decided_on: str
    reason: str
    place: str


@dataclass(frozen=True, slots=True)
class Effect:
    """A factor or veto that took effect: what it multiplied by or set the total to, why, and where it is written."""

    number: Decimal
    reason: str
    model: Times | Veto


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """A line of the score with its figures; a line that does not apply has no points."""

    definition: LineDef
    applies: bool
    records: int | None
    reckoning: str
    before_bounds: Decimal
    points: Decimal
    evidence: list[Evidence]
    factors: list[Effect]
    veto: Effect | None = None

    @property
    def cut(self) -> Decimal:
        """What the cap took, or (below zero) what the floor gave; and what a veto took."""
        return self.before_bounds - self.points


@dataclass(frozen=True, slots=True)
class Margin:
    """A comparison of numbers within a condition: whether it holds, and by how much the two sides differ.

    `asks_more` is true of > and >=, which more on the left meets.
    """

    text: str
    asks_more: bool
    is_met: bool
    by: Decimal


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as written, the values of its names, and whether it held; None where it was not reached."""

    text: str
    values: list[tuple[str, Any]]
    is_met: bool | None
    margins: list[Margin]
    rests_on: list[tuple[str, Any]]
    """The verdicts it reads, as written, with their values."""


@dataclass(frozen=True, slots=True)
class ExplainedRule:
    """A rule of a verdict and how it fared."""

    definition: RuleDef
    condition: Condition | None
    decided: bool
    is_in_force: bool = True


@dataclass(frozen=True, slots=True)
class ExplainedVerdict:
    """A verdict, the rules tried down to the one that decided, or the place in a quota."""

    definition: VerdictDef
    value: Any
    rules: list[ExplainedRule]
    condition: Condition | None
    place: int | None
    take: int | None
    years: list[LookedBack]
    situation: int | None
    shared_by: int | None
    ruled: Any = None  # what the rules came to, where somebody decided otherwise
    override: Entry | None = None
    approved: bool | None = None
    approval: Entry | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything a result rests on."""

    pack: Pack
    year: int
    kind: KindDef
    key: str
    name: str
    total: Decimal | None
    set_apart: str
    is_assessed: bool
    fields: list[tuple[str, Any]]
    measures: list[tuple[str, Any]]
    lines: list[ExplainedLine]
    verdicts: list[ExplainedVerdict]
    years: list[LookedBack]  # of measures and lines; verdicts have their own
    places: list[RosterPlace]
    amended: list[AmendedRow]
    ways: Ways | None  # what it would take, where that was asked
    manifest: dict[str, Any]

    @property
    def rejects(self) -> int:
        """How many rejected rows the run left out."""
        return int(self.manifest["counts"]["rejects"])

    def __str__(self) -> str:
        return self.shown_as("text")

    def shown_as(self, form: str) -> str:
        """Return it as text, json, md or html."""
        from evaluator.report.explaining.document import document_of

        document = document_of(self)
        match form:
            case "json":
                return document.model_dump_json(indent=1)
            case "md":
                from evaluator.report.explaining.markdown import explanation_markdown

                return explanation_markdown(self.pack, document)
            case "html":
                from evaluator.report.explaining.html import explanation_html

                return explanation_html(self.pack, document)
        from evaluator.report.explaining.text import explanation_text

        return explanation_text(self.pack, document)


def explain(folder: Path, subject: str, language: str | None = None, asks_ways: bool = False) -> Explanation:
    """Explain a subject of a run, given by its key or name, or as kind:key; raise Stop where there is none such.

    With `asks_ways` it says what each better level would take, which needs the solver.
    """
    with reopen(folder, language) as run:
        return Explainer(run, find_subject(run, subject), asks_ways).explanation()


def find_subject(run: PastRun, subject: str) -> Bearer:
    """Return whom a key, a name or kind:key names; raise Stop where that is nobody, or several."""
    subject = subject.encode(errors="replace").decode()  # a terminal may pass on anything
    found = run.state.bearers(subject)
    problems = Problems()
    if not found:
        near = closest(subject, _known(run))
        problems.add("R201", f'nobody of {run.folder} is "{subject}"', fix=f"write {near}" if near else None)
        raise Stop(problems)
    if len(found) > 1:
        names = ", ".join(f"{one.kind.name}:{one.key}" for one in found)
        problems.add("R202", f'"{subject}" is {names}', fix=f"write {found[0].kind.name}:{found[0].key}")
        raise Stop(problems)
    return found[0]


def _state_of(run: PastRun, kind: KindDef, sid: int) -> State:
    """Return the state with nothing but a subject and the records that count for it, which are asked about often."""
    state = run.state
    current = {kind.name: table(f"only {kind.name}", "work")}
    is_it = exp.EQ(this=column("#sid", "o"), expression=number(sid))
    state.db.create(current[kind.name], _where(run.near(kind.name, sid).subquery("o"), is_it))
    is_near = state.db.count(current[kind.name]) == 1  # else its files have other subjects than ours would
    if not is_near:
        state.db.create(current[kind.name], _where(_all(state, kind.name), is_it))
    ways: dict[str, set[tuple[str, ...]]] = {}
    for line in kind.lines:
        if line.aggregate is not None:
            ways.setdefault(line.aggregate.source, set()).update(line.aggregate.links)
    for source, links in ways.items():
        if all(len(link) == 1 for link in links) and source not in state.pack.kinds:
            theirs = [exp.EQ(this=column(link[0], "o"), expression=number(sid)) for link in sorted(links)]
            current[source] = table(f"only {source}", "work")
            is_by_subject = links == {(subject_of(state.pack.kinds, state.pack.tables[source]),)}
            rows = run.near(source, sid).subquery("o") if is_near and is_by_subject else _all(state, source)
            state.db.create(current[source], _where(rows, either(*theirs)))
    return replace(state, current={**state.current, **current})


def _all(state: State, name: str) -> SQL:
    return exp.alias_(state.location(name), "o", table=True)


def _where(rows: SQL, condition: SQL) -> exp.Select:
    return exp.select(exp.Star()).from_(rows, copy=False).where(condition, copy=False)


def _known(run: PastRun) -> list[str]:
    """Return keys and names of subjects, to guess from who was meant."""
    known: list[str] = []
    for kind in run.pack.kinds.values():
        query = exp.select(column("#key", "s"), cast(column(kind.display, "s"), "TEXT"))
        query = query.from_(exp.alias_(run.state.location(kind.name), "s", table=True), copy=False).limit(100_000)
        known += [part for row in run.state.db.rows(query) for part in row]
    return known


def _named(formula: Formula) -> dict[str, Node]:
    """Return the names, settings and lookups of an expression, each once, by how they are written there."""
    nodes: dict[str, Node] = {}
    for node in own_nodes(formula.node):
        if isinstance(node, (Name, Recall, Setting, Lookup)):
            nodes.setdefault(formula.text[node.place[0] : sum(node.place)], node)
    return nodes


def _compared(formula: Formula) -> list[tuple[Compare, Node, Node]]:
    """Return the comparisons of numbers in an expression, with both sides."""
    found = []
    for node in own_nodes(formula.node):
        if isinstance(node, Compare) and node.op not in ("=", "<>") and node.left.type.is_number:
            left, right = (
                replace(side, type=NUMBER) if isinstance(side, Const) else side for side in (node.left, node.right)
            )
            found.append((node, left, right))
    return found


def _parts_of(formula: Formula) -> Iterator[Node]:
    """Give what is shown of an expression: itself where it holds or not, its names, what it compares."""
    if formula.node.type == BOOLEAN:
        yield formula.node
    yield from _named(formula).values()
    for compared in _compared(formula):
        yield from compared


class Explainer:
    """Explains one subject of a run that is open."""

    def __init__(self, run: PastRun, subject: Bearer, asks_ways: bool = False) -> None:
        self.run, self.asks_ways = run, asks_ways
        self.subject = subject
        self.kind, self.key, self.sid = subject
        self.own = _state_of(run, self.kind, self.sid)
        self.db, self.pack = run.state.db, run.pack
        self.known: dict[Node, Any] = {}

    def explanation(self) -> Explanation:
        """Return everything the subject's result rests on."""
        kind = self.kind
        columns = [
            "is_assessed",
            "#reason",
            *(n for n, f in kind.table.fields.items() if f.type.base != "ref"),
        ]
        columns += list(kind.measures)
        stored = self._values(dict.fromkeys(columns))
        if stored["is_assessed"]:
            self._learn(part for formula in self._formulas() for part in _parts_of(formula))
        lines = self._lines() if stored["is_assessed"] else []
        return Explanation(
            pack=self.pack,
            year=self.run.manifest["year"],
            kind=kind,
            key=self.key,
            name=str(stored.get(kind.display, self.key)),
            total=lines[0].points if lines else None,
            set_apart=str(stored["#reason"] or ""),
            is_assessed=bool(stored["is_assessed"]),
            fields=[(name, stored[name]) for name in kind.table.fields if name in stored],
            measures=[(name, stored[name]) for name in kind.measures],
            lines=lines,
            verdicts=[self._verdict(v) for v in kind.verdicts.values()] if stored["is_assessed"] else [],
            years=self._years_of_values(),
            places=places_in_rosters(self.run, kind, self.sid) if stored["is_assessed"] else [],
            amended=self._amended_rows(lines),
            ways=ways_of(self.run, kind, self.key) if self.asks_ways and stored["is_assessed"] else None,
            manifest=self.run.manifest,
        )

    def _values(self, names: dict[str, None]) -> dict[str, Any]:
        """Fetch values of the subject by their columns."""
        kind = self.kind
        types = {n: f.type for n, f in kind.table.fields.items()} | {n: m.type for n, m in kind.measures.items()}
        nodes: list[Node] = [Name(types.get(n, TEXT), True, (0, 0), (), kind.name, n) for n in names]
        return dict(zip(names, self._fetch(nodes), strict=True))

    def _fetch(self, nodes: Sequence[Node]) -> tuple[Any, ...]:
        """Compute values of the subject, as readers see them."""
        self._learn(nodes)
        return tuple(self.known[node] for node in nodes)

    def _learn(self, nodes: Iterable[Node]) -> None:
        """Compute in one query what is not known yet; a query for each would take longer than all the rest."""
        unknown = list(dict.fromkeys(node for node in nodes if node not in self.known))
        if not unknown:
            return
        rows = self.own.rows(self.kind.name, "s")
        lowering = Lowering(rows)
        selected = [sql_shown(lowering, node) for node in unknown]
        self.known.update(zip(unknown, self.db.rows(rows.select(*selected))[0], strict=True))

    def _formulas(self) -> Iterator[Formula]:
        """Give every expression whose parts the explanation shows with the subject's values."""
        found: list[Formula | None] = []
        for line in self.kind.lines:
            found += [line.when, line.points, *line.alterations]
        for verdict in self.kind.verdicts.values():
            found += verdict.conditions
        return (formula for formula in found if formula is not None)

    # --- score ---

    def _lines(self) -> list[ExplainedLine]:
        kind = self.kind
        found = [award for _, award in awards(self.own, kind, self.sid)]
        columns: list[Name] = []
        for line in kind.lines:
            names = [*line_columns(line), *([f"n.{line.id}"] if line.sums_records else [])]
            types = {name: INTEGER if name.startswith(("n.", "veto.")) else NUMBER for name in names}
            columns += [Name(type_, True, (0, 0), (), kind.name, name) for name, type_ in types.items()]
        stored = {node.leaf: value for node, value in zip(columns, self._fetch([*columns]), strict=True)}
        filled = self._filled()
        explained = []
        idle: dict[str, str] = {}  # lines within a group that does not apply -> the group
        for line in kind.lines:
            raw, points = stored[f"raw.{line.id}"], stored[points_column(line.id)]
            count = stored.get(f"n.{line.id}")
            self._check_sum(line, points, found)
            own = [award for award in found if award.line == line.id and award.record is not None]
            applies = line.when is None or self._holds(line.when) is True
            evidence = [self._evidence(award, line, filled) for award in own] if applies else []
            if not line.is_in_force:
                reckoning = say(self.pack, "not in force", self.run.manifest["year"])
            elif applies or line.when is None:
                reckoning = self._reckoning(line, found)
            else:
                reckoning = f"{say(self.pack, 'does not apply')}: {self._with_values(line.when)}"
            parent = str(line.parent or "")
            if parent in idle and line.is_in_force:
                idle[line.id] = idle[parent]
                group = name_of(self.pack, kind.name, f"points.{idle[parent]}")
                reckoning = f"{reckoning} · {say(self.pack, 'group idle', group)}".removeprefix(" · ")
            elif not applies and line.items:
                idle[line.id] = line.id
            factors = [
                Effect(factor, self._because(one.when, one.by), one.model)
                for n, one in enumerate(line.times, 1)
                if (factor := stored[f"factor.{line.id}.{n}"]) is not None
            ]
            if factors:
                sum_of_all = plain_number(stored[f"before.{line.id}"])
                factored = [sum_of_all, *(plain_number(factor.number) for factor in factors)]
                reckoning = (f"{reckoning} = " if reckoning not in ("", sum_of_all) else "") + " × ".join(factored)
            veto = None
            if line.veto and (held := int(stored["veto.total"])):
                first = line.veto[held - 1]
                veto = Effect(points, self._because(first.when, first.to), first.model)
            explained.append(ExplainedLine(line, applies, count, reckoning, raw, points, evidence, factors, veto))
        return explained

    def _check_sum(self, line: LineDef, points: Decimal, found: list[Award]) -> None:
        summed = sum((award.awards.get(line.id, Decimal(0)) for award in found), Decimal(0))
        if summed != points:
            raise Stop.of(
                "E104",
                f"awards of {self.kind.name} {self.key} in {line.id} sum to {summed}, not {points}",
                line.at,
            )

    def _reckoning(self, line: LineDef, found: list[Award]) -> str:
        """Write how a line comes to its sum: base, count × points, or its expression with values."""
        parts = []
        own = [award for award in found if award.line == line.id]
        if line.base is not None:
            parts += [plain_number(award.points) for award in own if award.what == "own"]
        if line.aggregate is not None:
            counts: Counter[Decimal] = Counter()
            for award in own:
                if award.what == "record" and award.lost_in != line.id:
                    counts[
                        award.points * (award.factor if award.factor is not None and award.factor_in == line.id else 1)
                    ] += 1
            for points, count in sorted(counts.items(), reverse=True):
                each = plain_number(points)
                parts.append(f"{count} × {f'({each})' if points < 0 else each}")
        elif line.points is not None:
            parts.append(self._with_values(line.points))
        elif line.judged is not None:
            parts += [plain_number(award.points) for award in own if award.what == "judged"]
        return " + ".join(parts)

    def _because(self, when: Formula | None, number: Formula) -> str:
        """Write the condition, and how the number came about unless it is written down."""
        said = [self._with_values(when)] if when is not None else []
        return "; ".join([*said, self._with_values(number)] if self.values_in(number) else said)

    def _with_values(self, formula: Formula) -> str:
        """Write an expression, and the values of its names."""
        values = self.values_in(formula)
        known = [f"{name} = {say(self.pack, 'unknown') if v is None else shown(self.pack, v)}" for name, v in values]
        return formula.text + (f"  ({', '.join(known)})" if known else "")

    def _amended_rows(self, lines: list[ExplainedLine]) -> list[AmendedRow]:
        """Return what appeals changed in the subject's own row and records, and what its own cases changed."""
        if not self.run.manifest["appeals"]["applied"]:
            return []
        source, row = self._place()
        places = {str(self.db.cell(source, row))}
        places |= {one.place for line in lines for one in line.evidence if one.place}
        return amended_rows(self.run, self.subject, places)

    def _place(self) -> tuple[int, int]:
        """Return source and row of the subject itself."""
        query = exp.select(column("#src", "s"), column("#row", "s")).from_(
            exp.alias_(self.own.location(self.kind.name), "s", table=True), copy=False
        )
        found = self.db.rows(query)[0]
        return found[0], found[1]

    def _filled(self) -> set[str]:
        """Return the keys of records that did not exist and were filled in."""
        keys: set[str] = set()
        for line in self.kind.lines:
            if line.aggregate is not None and self.pack.tables[line.aggregate.source].expected is not None:
                source = exp.alias_(self.own.location(line.aggregate.source), "r", table=True)
                query = (
                    exp.select(column("#key", "r"))
                    .from_(source, copy=False)
                    .where(column("is_filled", "r"), copy=False)
                )
                keys |= {key for (key,) in self.db.rows(query)}
        return keys

    def _evidence(self, award: Award, line: LineDef, filled: set[str]) -> Evidence:
        is_filled = award.source is None and award.record in filled
        before, cut_by = award.points, []
        for name, after in award.awards.items():
            if after != before and name not in (award.lost_in, award.factor_in):
                cut_by.append(name)
            before = after
        place = "" if award.source is None else str(self.db.cell(award.source, award.row))
        return Evidence(
            str(award.record), str(award.date or ""), place, is_filled, award.points, before, tuple(cut_by),
            award.lost_to, award.nth, award.factor,
            self._entry(JUDGEMENTS, award.source or 0, award.row or 0) if award.what == "judged" else None,
        )  # fmt: skip

    # --- verdicts ---

    def values_in(self, formula: Formula) -> list[tuple[str, Any]]:
        """Return the names in an expression with the subject's values, each once."""
        nodes = _named(formula)
        known: dict[str, Any] = {}
        for node in own_nodes(formula.node):
            written = formula.text[node.place[0] : sum(node.place)]
            if isinstance(node, Const) and NAME.match(written) and written.lower() not in ("true", "false", "null"):
                value = node.value  # a parameter
                known.setdefault(
                    written,
                    Decimal(value.numerator) / value.denominator if isinstance(value, Fraction) else value,
                )
        return [*zip(nodes, self._fetch(list(nodes.values())), strict=True), *known.items()]

    def _condition(self, formula: Formula, is_met: bool | None) -> Condition:
        values = self.values_in(formula)
        return Condition(formula.text, values, is_met, self._margins(formula), self._rests_on(formula, values))

    def _margins(self, formula: Formula) -> list[Margin]:
        """Return by how much each comparison of numbers holds or fails."""
        margins = []
        for node, *sides in _compared(formula):
            is_met, left, right = self._fetch([node, *sides])
            if is_met is not None:
                written = formula.text[node.place[0] : sum(node.place)]
                margins.append(
                    Margin(written, node.op in (">", ">="), bool(is_met), abs(Decimal(left) - Decimal(right)))
                )
        return margins

    def _rests_on(self, formula: Formula, values: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        """Return the verdicts among the values of a condition."""
        kinds = self.pack.kinds
        written = {
            formula.text[node.place[0] : sum(node.place)]
            for node in own_nodes(formula.node)
            if isinstance(node, Name) and node.owner in kinds and node.leaf in kinds[node.owner].verdicts
        }
        return [(name, value) for name, value in values if name in written]

    def _verdict(self, verdict: VerdictDef) -> ExplainedVerdict:
        kind = self.kind
        names: list[Node] = [Name(verdict.type, True, (0, 0), (), kind.name, verdict.name)]
        if verdict.form == "quota":
            extra = [f"place.{verdict.name}", f"take.{verdict.name}"]
        else:
            extra = [f"rule.{verdict.name}"] if verdict.form != "formula" else []
        names += [Name(INTEGER, True, (0, 0), (), kind.name, name) for name in extra]
        value, *more = self._fetch(names)
        rules: list[ExplainedRule] = []
        condition: Condition | None = None
        place = take = None
        if verdict.form == "rules":
            rules = list(self._rules(verdict, int(more[0] or 0)))
        elif verdict.form == "yes_no":
            assert verdict.when is not None
            condition = self._condition(verdict.when, bool(value))
        elif verdict.form == "quota":
            place, take = more
            assert verdict.among is not None
            condition = self._condition(verdict.among, place is not None)
            if verdict.when is not None and self._holds(verdict.when) is not True:
                condition = self._condition(verdict.when, False)
        else:
            assert verdict.value is not None
            condition = self._condition(verdict.value, None)
        situation, shared_by = self._situation(verdict)
        ruled = approved = override = approval = None
        if verdict.model.override_by is not None:
            ruled, override = self._entered(JUDGEMENTS, verdict, "ruled", "decided")
        if verdict.model.proposes:
            approved, approval = self._entered(APPROVALS, verdict, "approved", "settled")
        return ExplainedVerdict(
            verdict, value, rules, condition, place, take, self._years(verdict), situation, shared_by,
            ruled, override, approved, approval,
        )  # fmt: skip

    def _entered(self, name: str, verdict: VerdictDef, said: str, where: str) -> tuple[Any, Entry | None]:
        """Return what the column `said` holds, and the entry whose place `where` holds."""
        kind_of = BOOLEAN if said == "approved" else verdict.type
        names = [Name(t, True, (0, 0), (), self.kind.name, f"{c}.{verdict.name}")
                 for c, t in ((said, kind_of), (where, TEXT))]  # fmt: skip
        value, place = self._fetch([*names])
        return value, self._entry(name, *map(int, place.split(":"))) if place else None

    def _entry(self, name: str, source: int, row: int) -> Entry:
        """Return what somebody entered in a row."""
        is_it = both(
            exp.EQ(this=column("#src", "e"), expression=exp.Literal.number(source)),
            exp.EQ(this=column("#row", "e"), expression=exp.Literal.number(row)),
        )
        columns = [column(c, "e") for c in ("decided_by", "decided_on", "reason")]
        query = (
            exp.select(*columns)
            .from_(exp.alias_(self.run.state.location(name), "e", table=True), copy=False)
            .where(is_it, copy=False)
        )
        by, on, reason = self.db.rows(query)[0]
        return Entry(by, str(on), reason, str(self.db.cell(source, row)))

    def verdict_against(self, verdict: VerdictDef, value: object) -> ExplainedVerdict:
        """Explain a verdict with the rules that would have made it another value, and those tried before them."""
        found = self._verdict(verdict)
        if verdict.form != "rules":
            return found
        decided = next((rule.definition.number for rule in found.rules if rule.decided), 0)
        giving = [rule.number for rule in verdict.rules if str(rule.value) == str(value)]
        last = max([*giving, decided], default=0)
        rules = [
            rule
            for rule in self._rules(verdict, decided, last)
            if rule.definition.number in giving
            or rule.decided
            or (verdict.model.pick == "first" and rule.condition is not None and rule.condition.is_met)
        ]
        return replace(found, rules=rules)

    def _rules(self, verdict: VerdictDef, decided: int, last: int = 0) -> Iterator[ExplainedRule]:
        """Give the rules with how they fared; of a list in which the first counts, those down to it."""
        for rule in sorted((*verdict.rules, *verdict.rules_aside), key=lambda rule: rule.number):
            if verdict.model.pick == "first" and decided and rule.number > max(decided, last):
                return
            if rule in verdict.rules_aside:
                yield ExplainedRule(rule, None, False, is_in_force=False)
                continue
            condition = self._condition(rule.when, self._holds(rule.when)) if rule.when is not None else None
            yield ExplainedRule(rule, condition, rule.number == decided)

    def _holds(self, formula: Formula) -> bool | None:
        """Return whether a condition holds for the subject; None where that is unknown."""
        found = self._fetch([formula.node])[0]
        return None if found is None else bool(found)

    def _family(self, verdict: VerdictDef) -> str:
        for name in self.run.manifest["counts"]["situations"]:
            kind, _, verdicts = name.partition(".")
            if kind == self.kind.name and verdict.name in verdicts.split("+"):
                return str(name)
        return ""

    def _situation(self, verdict: VerdictDef) -> tuple[int | None, int | None]:
        """Return the number of the subject's situation, and how many share it."""
        family = self._family(verdict)
        if not family:
            return None, None
        return self._situations[family]

    @cached_property
    def _situations(self) -> dict[str, tuple[int, int]]:
        """The number of the subject's situation in each family, and how many share it."""
        families = dict.fromkeys(filter(None, map(self._family, self.kind.verdicts.values())))
        columns = [column(f"situation.{family.partition('.')[2].split('+')[0]}", "s") for family in families]
        subjects = exp.alias_(parquet(self.run.folder / "subjects" / f"{self.kind.name}.parquet"), "s", table=True)
        own = exp.select(*columns).from_(subjects, copy=False)
        found = self.db.rows(own.where(exp.EQ(this=column("sid", "s"), expression=number(self.sid)), copy=False))[0]
        numbers = dict(zip(families, found, strict=True))
        names = [column(name, "s") for name in ("family", "situation", "subjects")]
        situations = exp.alias_(parquet(self.run.folder / "situations.parquet"), "s", table=True)
        known = self.db.rows(exp.select(*names).from_(situations, copy=False))
        return {family: (place, shared) for family, place, shared in known if numbers.get(family) == place}

    def _years(self, verdict: VerdictDef) -> list[LookedBack]:
        """Return year by year what the verdict looks back on."""
        return looked_back(self.run, self.kind, self.key, self._recalls(verdict))

    def _years_of_values(self) -> list[LookedBack]:
        """Return year by year what measures and lines look back on."""
        of_verdicts = {name for verdict in self.kind.verdicts.values() for name in self._recalls(verdict)}
        others = [name for name in self.kind.recalls if name not in of_verdicts]
        return looked_back(self.run, self.kind, self.key, others)

    @staticmethod
    def _recalls(verdict: VerdictDef) -> list[str]:
        return [n.column for f in verdict.conditions for n in own_nodes(f.node) if isinstance(n, Recall)]
