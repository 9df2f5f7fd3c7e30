"""An explanation as a document: every word, number and place as a reader sees it, in one language.

Text, Markdown and HTML are three ways to set it; JSON is the document itself, and its schema is published. Numbers are
text, so that they stay exact.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from evaluator.pack.model_judgement import Rule, Verdict
from evaluator.pack.nodes import Compare, Const, Name
from evaluator.report.explaining.amended import AmendedRow
from evaluator.report.explaining.explain import (
    Condition,
    Effect,
    Entry,
    Evidence,
    ExplainedLine,
    ExplainedRule,
    ExplainedVerdict,
    Explanation,
)
from evaluator.report.explaining.looked_back import year_lines
from evaluator.report.explaining.neighbours import Neighbour, RosterPlace
from evaluator.report.explaining.ways import Ways
from evaluator.report.roster import title_of
from evaluator.report.words import name_of, plain_number, say, shown, table_name

# whether a comparison asks for more, and whether it is met
_MARGINS = {(True, True): "spare", (True, False): "short", (False, True): "below", (False, False): "over"}


class Part(BaseModel):
    """What all parts of the document have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Value(Part):
    """Something named: its name in the pack, what readers call it, and its value as they see it."""

    name: str
    label: str
    value: str


class Record(Part):
    """A record as evidence."""

    record: str
    date: str
    place: str = Field(description="file, sheet and row; or why there is none")
    points: str = Field(description="what the rule gives it")
    counts: str = Field(description="what of it counts in the total, after every cap")
    remark: str


class Line(Part):
    """A line of the score."""

    name: str
    label: str
    depth: int
    applies: bool
    in_force: bool
    reckoning: str
    before_bounds: str = Field(description="what it comes to before cap and floor")
    bounds: str
    cut: str = Field(description="what cap, floor or veto changed; '' where they changed nothing")
    points: str
    place: str = Field(description="file and line of the rule")
    clause: str
    note: str
    effects: list[str] = Field(description="factors and vetoes that took effect, and why")
    records: list[Record]


class Checked(Part):
    """A condition with the values of its names, and by how much its comparisons hold or fail."""

    text: str
    values: list[Value]
    is_met: bool | None
    margin: str


class Tried(Part):
    """A rule of a verdict and how it fared."""

    number: int
    value: str
    condition: Checked | None = Field(description="none for what holds otherwise")
    decided: bool
    in_force: bool
    place: str
    clause: str
    note: str
    proposal: str


class Mark(Part):
    """A level that a total reaches: from where on."""

    value: str
    at: str


class Concluded(Part):
    """A verdict, and what it was concluded from."""

    name: str
    label: str
    value: str
    situation: str
    rules: list[Tried]
    condition: Checked | None
    marks: list[Mark] = Field(description="the totals at which levels begin, where a rule asks for nothing else")
    quota: list[str]
    override: str
    years: list[str]
    chain: str = Field(description="verdict after verdict, what led to it; '' where it rests on no other")
    place: str
    clause: str
    note: str
    proposal: str


class Next(Part):
    """Who stands directly above or below, and by what the two are told apart."""

    key: str
    name: str
    rank: int | None
    by: str
    theirs: str
    own: str
    difference: str


class Ranked(Part):
    """The place in a roster."""

    roster: str
    title: str
    group: str
    rank: int | None
    count: int
    above: Next | None
    below: Next | None


class LookedAt(Part):
    """A value that looks back on other years, year by year."""

    what: str
    years: list[str]


class Amendment(Part):
    """What a case changed."""

    case: str
    subject: str
    how: str
    what: str
    place: str
    changes: list[str]
    decided: str


class Clause(Part):
    """A sentence the result rests on."""

    name: str
    text: str
    source: str


class Document(Part):
    """Why a subject's result is what it is."""

    pack: str
    title: str
    language: str
    year: int
    stage: str
    published_on: str
    kind: str
    kind_label: str
    key: str
    name: str
    assessed: bool
    set_apart: str = Field(description="why it is not assessed, or not ranked; '' if it is")
    total: str
    total_label: str
    results: list[Value] = Field(description="the verdicts")
    fields: list[Value]
    measures: list[Value]
    lines: list[Line]
    ranks: list[Ranked]
    earlier: list[LookedAt]
    verdicts: list[Concluded]
    amendments: list[Amendment]
    ways: Ways | None = Field(description="what it would take; null where nobody asked")
    clauses: list[Clause]
    rejects: int


def document_of(found: Explanation) -> Document:
    """Set an explanation in the words of its readers."""
    return _Writer(found).document()


def concluded(found: Explanation, verdict: ExplainedVerdict) -> Concluded:
    """Set one verdict in the words of its readers."""
    return _Writer(found).verdict(verdict)


def called(document: Document) -> str:
    """Return what readers call the subject: its name, and its key where that is another."""
    return document.name if document.name == document.key else f"{document.name} ({document.key})"


class _Writer:
    def __init__(self, found: Explanation) -> None:
        self.found, self.pack, self.kind = found, found.pack, found.kind

    def say(self, key: str, *values: object) -> str:
        return say(self.pack, key, *values)

    def document(self) -> Document:
        found, pack = self.found, self.pack
        return Document(
            pack=pack.name,
            title=pack.title.get(pack.shown_in) or next(iter(pack.title.values())),
            language=pack.shown_in,
            year=found.year,
            stage=found.manifest["stage"],
            published_on=found.manifest["published_on"] or "",
            kind=self.kind.name,
            kind_label=pack.label(self.kind.name),
            key=found.key,
            name=found.name,
            assessed=found.is_assessed,
            set_apart=found.set_apart,
            total="" if found.total is None else plain_number(found.total),
            total_label=self.name_of("total"),
            results=[self.value(v.definition.name, v.value) for v in found.verdicts],
            fields=[self.value(name, value) for name, value in found.fields],
            measures=[self.value(name, value) for name, value in found.measures],
            lines=[self.line(line) for line in found.lines],
            ranks=[self.ranked(place) for place in found.places],
            earlier=[LookedAt(what=y.definition.column, years=year_lines(pack, y)) for y in found.years],
            verdicts=[self.verdict(verdict) for verdict in found.verdicts],
            ways=found.ways,
            amendments=[self.amendment(row) for row in found.amended],
            clauses=self.clauses(),
            rejects=found.rejects,
        )

    def name_of(self, name: str) -> str:
        return name_of(self.pack, self.kind.name, name)

    def line_name(self, line: str) -> str:
        return self.name_of("total" if line == "total" else f"points.{line}")

    def known(self, value: object) -> str:
        return self.say("unknown") if value is None else shown(self.pack, value)

    def value(self, name: str, value: object) -> Value:
        return Value(name=name, label=self.name_of(name), value=self.known(value))

    # --- score ---

    def line(self, line: ExplainedLine) -> Line:
        made = line.definition
        bounds = [f"≤ {made.max.text}"] if made.max is not None else []
        bounds += [f"≥ {made.min.text}"] if made.min is not None else []
        bounds += [self.say("veto")] if line.veto is not None else []
        cut = line.cut
        return Line(
            name="total" if made.id == "total" else f"points.{made.id}",
            label=self.line_name(made.id),
            depth=made.depth,
            applies=line.applies,
            in_force=made.is_in_force,
            reckoning=line.reckoning,
            before_bounds=plain_number(line.before_bounds) if made.is_in_force else "",
            bounds=" ".join(bounds),
            cut=("+" if cut < 0 else "") + plain_number(-cut) if cut else "",
            points=plain_number(line.points) if made.is_in_force else "",
            place=place_of(made.at),
            clause=str(made.model.clause or ""),
            note=str(made.model.note or ""),
            effects=self.effects(line),
            records=[self.record(line, one) for one in line.evidence],
        )

    def effects(self, line: ExplainedLine) -> list[str]:
        """Say of each factor and veto that took effect what it did, and why."""
        name = self.line_name(line.definition.id)
        made: list[tuple[str, Effect]] = [(f"× {plain_number(one.number)}", one) for one in line.factors]
        if line.veto is not None:
            made.append((f"= {plain_number(line.veto.number)} {self.say('veto')}", line.veto))
        return [
            f"{name} {what}" + (f" ← {one.reason}" if one.reason else "") + self.reference(one.model)
            for what, one in made
        ]

    def reference(self, model: Any) -> str:
        """Return file, line and clause of a rule."""
        return f"  {place_of(model.at)}" + (f" [{model.clause}]" if model.clause else "")

    def record(self, line: ExplainedLine, one: Evidence) -> Record:
        idle = {other.definition.id for other in self.found.lines if not other.applies}
        unmet = [name for name in one.cut_by if name in idle]
        bounds = ", ".join(self.line_name(name) for name in unmet or one.cut_by)
        why = "does not apply" if unmet else "cap" if one.points > 0 else "floor"
        remarks = [f"{self.say(why)}: {bounds}"] if bounds else []
        if one.factor is not None and one.factor != 1:
            remarks.insert(0, self.say("nth", one.nth, plain_number(one.factor)))
        if one.lost_to is not None:
            remarks = [self.say("lost to", one.lost_to)]
        if one.entry is not None:
            remarks.insert(0, one.entry.reason)
        for row in self.found.amended:
            if one.place and row.place == one.place:
                changes = "; ".join(self.changes(row))
                remarks.append(self.say("amended by", row.case.number) + (f" ({changes})" if changes else ""))
        place = one.place
        if one.is_filled:
            aggregate = line.definition.aggregate
            expected = self.pack.tables[aggregate.source].expected if aggregate else None
            place = self.say("filled", ", ".join(map(str, expected.fill.values())) if expected else "")
        return Record(
            record=one.record, date=one.date, place=place, points=plain_number(one.points),
            counts=plain_number(one.counts), remark=" ".join(remarks),
        )  # fmt: skip

    # --- verdicts ---

    def verdict(self, verdict: ExplainedVerdict) -> Concluded:
        made = verdict.definition
        situation = ""
        if verdict.situation is not None:
            situation = self.say("sharing", verdict.situation, verdict.shared_by)
        override = ""
        if verdict.override is not None:
            said = self.say("overridden", self.known(verdict.ruled), self.known(verdict.value))
            override = f"{said}: {self.entry(verdict.override)}"
        proposes = bool(made.model.action) and verdict.value is True
        return Concluded(
            name=made.name,
            label=self.name_of(made.name),
            value=self.known(verdict.value),
            situation=situation,
            rules=[self.rule(verdict, rule) for rule in verdict.rules],
            condition=None if verdict.condition is None else self.condition(verdict.condition),
            marks=self.marks(verdict),
            quota=self.quota(verdict),
            override=override,
            years=[line for years in verdict.years for line in year_lines(self.pack, years)],
            chain=self.chain(verdict),
            place=place_of(made.at),
            clause=str(made.model.clause or ""),
            note=str(made.model.note or ""),
            proposal=self.proposal(verdict, made.model) if proposes else "",
        )

    def rule(self, verdict: ExplainedVerdict, rule: ExplainedRule) -> Tried:
        made = rule.definition
        value = made.value if isinstance(made.value, str | bool) else str(made.value)
        proposes = rule.decided and bool(made.model.action) and verdict.override is None
        return Tried(
            number=made.number,
            value=shown(self.pack, value),
            condition=None if rule.condition is None else self.condition(rule.condition),
            decided=rule.decided,
            in_force=rule.is_in_force,
            place=place_of(made.model.at),
            clause=str(made.model.clause or ""),
            note=str(made.model.note or ""),
            proposal=self.proposal(verdict, made.model) if proposes else "",
        )

    def condition(self, condition: Condition) -> Checked:
        margins = [margin for margin in condition.margins if margin.is_met is condition.is_met]
        said = [
            self.say(_MARGINS[margin.asks_more, margin.is_met] if margin.by else "at the mark", plain_number(margin.by))
            for margin in margins
        ]
        if len(condition.margins) > 1:
            said = [f"{margin.text}: {words}" for margin, words in zip(margins, said, strict=True)]
        return Checked(
            text=condition.text,
            values=[Value(name=name, label=name, value=self.known(value)) for name, value in condition.values],
            is_met=condition.is_met,
            margin="; ".join(said),
        )

    def marks(self, verdict: ExplainedVerdict) -> list[Mark]:
        """Return the totals that rules ask for, the lowest first."""
        found: list[tuple[Decimal, Mark]] = []
        for rule in verdict.definition.rules:
            match rule.when.node if rule.when is not None else None:
                case Compare(op=">=" | ">", left=Name(hops=(), leaf="total"), right=Const(value=Fraction() as at)):
                    mark = Decimal(at.numerator) / at.denominator
                    value = rule.value if isinstance(rule.value, str) else str(rule.value)
                    found.append((mark, Mark(value=shown(self.pack, value), at=plain_number(mark))))
        return [mark for _, mark in sorted(found, key=lambda one: one[0])]

    def quota(self, verdict: ExplainedVerdict) -> list[str]:
        """Say which place a subject has in a quota."""
        if verdict.definition.form != "quota":
            return []
        if verdict.place is None:
            return [self.say("not eligible")]
        lines = [self.say("place of", verdict.place, verdict.take)]
        if verdict.take is not None and verdict.value is False and verdict.place <= verdict.take:
            lines.append(self.say("tied out"))
        return lines

    def chain(self, verdict: ExplainedVerdict, seen: frozenset[str] = frozenset()) -> str:
        """Return the verdicts that led to this one, each after those it rests on."""
        conditions = [rule.condition for rule in verdict.rules if rule.decided] + [verdict.condition]
        by_name = {other.definition.name: other for other in self.found.verdicts}
        steps: list[str] = []
        for condition in conditions:
            for name, value in condition.rests_on if condition is not None else []:
                if name in seen:
                    continue
                before = by_name.get(name)
                said = self.chain(before, seen | {name}) if before is not None else ""
                steps.append(said or f"{self.name_of(name)} {self.known(value)}")
        if not steps:
            return ""
        return (
            f"{', '.join(dict.fromkeys(steps))} → {self.name_of(verdict.definition.name)} {self.known(verdict.value)}"
        )

    def entry(self, entry: Entry) -> str:
        return f"{entry.reason} ({entry.decided_by}, {entry.decided_on}, {entry.place})"

    def proposal(self, verdict: ExplainedVerdict, model: Rule | Verdict) -> str:
        """Say what is proposed, who decides, and what became of it."""
        who = self.say("by", model.by) if model.by else ""
        settled = self.say("not settled")
        if verdict.approval is not None:
            settled = f"{self.say('approved' if verdict.approved else 'refused')}: {self.entry(verdict.approval)}"
        return f"{self.say('proposal')}: {model.action}{who} · {settled}"

    # --- rosters, appeals, clauses ---

    def ranked(self, place: RosterPlace) -> Ranked:
        return Ranked(
            roster=place.roster.name,
            title=title_of(self.pack, place.roster),
            group="" if place.group is None else shown(self.pack, place.group),
            rank=place.rank,
            count=place.count,
            above=self.next(place.above),
            below=self.next(place.below),
        )

    def next(self, one: Neighbour | None) -> Next | None:
        if one is None:
            return None
        by = self.name_of(one.order.formula.text) if one.order is not None else ""
        return Next(
            key=one.key,
            name=one.name,
            rank=one.rank,
            by=by,
            theirs=self.known(one.theirs) if one.order is not None else "",
            own=self.known(one.own) if one.order is not None else "",
            difference="" if one.lead is None else plain_number(one.lead),
        )

    def changes(self, row: AmendedRow) -> list[str]:
        return [
            f"{heading}: {before or self.say('empty')} → {after or self.say('empty')}"
            for heading, before, after in row.changes
        ]

    def amendment(self, row: AmendedRow) -> Amendment:
        appeal = row.appeal
        decided = f"{appeal.reason} ({appeal.reviewer}, {appeal.decided_on})" if appeal.reason else ""
        return Amendment(
            case=row.case.number,
            subject=str(appeal.subject),
            how=row.how,
            what=self.say(f"how {row.how}", table_name(self.pack, row.table), row.key),
            place=row.place,
            changes=self.changes(row),
            decided=decided,
        )

    def clauses(self) -> list[Clause]:
        """Return the clauses the explanation rests on, in the order met."""
        names: dict[str, None] = {}
        for line in self.found.lines:
            if line.definition.is_in_force:
                names[str(line.definition.model.clause or "")] = None
                for effect in [*line.factors, *([line.veto] if line.veto is not None else [])]:
                    names[str(effect.model.clause or "")] = None
        for verdict in self.found.verdicts:
            for rule in verdict.rules:
                if rule.is_in_force:
                    names[str(rule.definition.model.clause or "")] = None
            names[str(verdict.definition.model.clause or "")] = None
        names.pop("", None)
        known = self.pack.clauses
        return [Clause(name=name, text=str(known[name].text), source=str(known[name].source)) for name in names]


def place_of(at: object) -> str:
    """Return file and line of a rule, below its pack."""
    file, line = getattr(at, "file", ""), getattr(at, "line", 0)
    return f"{str(file).rsplit('/', 1)[-1]}:{line}"
