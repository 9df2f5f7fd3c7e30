"""The impact of a change of rules as people read it: its blocks, a terminal, a page of HTML, JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby

from evaluator.report.comparing.impact import (
    GroupTotals,
    Impact,
    MetAt,
    Move,
    Named,
    OneSided,
    OwnQuota,
    RuleImpact,
    Sweep,
    SweepPoint,
    VerdictImpact,
)
from evaluator.report.comparing.text import Table, Words
from evaluator.report.pages import page
from evaluator.report.text import as_table
from evaluator.report.words import name_of, plain_fraction, say, shown
from evaluator.workbench.impact.impact import nothing_differs
from evaluator.workbench.impact.quotas import values_of
from evaluator.workbench.impact.totals import has_changed, rounded

MOST_SHOWN = 20  # subjects listed under a verdict
SHOWN_PLACES = 2


@dataclass(frozen=True, slots=True)
class Block:
    """A part of what is shown: a heading, a table, lines."""

    title: str
    table: Table | None = None
    is_matrix: bool = False
    lines: list[str] = field(default_factory=list)


def shown_as(found: Impact, form: str, is_all: bool = False) -> str:
    """Return an impact as text, JSON or a page; the first subjects of each list, or all."""
    if form == "json":
        return found.model_dump_json(indent=1)
    words = _Words(found, is_all)
    if form == "html":
        return page("impact.html", language=found.comparison.language, head=words.head(), blocks=list(words.blocks()))
    return "\n\n".join(["\n".join(words.head()), *(_text(block) for block in words.blocks())])


def _text(block: Block) -> str:
    lines = "\n".join(f"  {line}" for line in block.lines)
    return "\n\n".join(part for part in (block.title, as_table(*block.table) if block.table else "", lines) if part)


class _Words:
    def __init__(self, found: Impact, is_all: bool) -> None:
        self.found, self.pack, self.is_all = found, found._pack, is_all
        self.comparing = Words(found.comparison)

    def head(self) -> list[str]:
        """Say what was tried on what, and what was left out."""
        pack, found = self.pack, self.found
        title = pack.title.get(pack.shown_in) or next(iter(pack.title.values()))
        lines = [f"{title} · {found.year}", say(pack, "impact of", found.old, found.new, found.data)]
        return lines + self.comparing.head()[2:]

    def blocks(self) -> Iterator[Block]:
        """Give what is shown, part by part."""
        if nothing_differs(self.found):
            yield Block(say(self.pack, "nothing differs"))
        else:
            yield Block("", self.comparing.summary_table())
            yield from self._verdicts()
            yield from self._totals()
            yield from self._rules()
            yield from self._figures()
        if self.found.sweep is not None:
            yield from self._sweep(self.found.sweep)

    # --- verdicts ---

    def _verdicts(self) -> Iterator[Block]:
        same = []
        for kind in self.found.comparison.kinds:
            tables = dict(self.comparing.matrices(kind))
            for one in self.found.verdicts:
                if one.kind == kind.kind:
                    name = name_of(self.pack, one.kind, one.verdict)
                    title = f"{self.pack.label(one.kind)} · {name}"
                    if name in tables:
                        yield Block(title, tables[name], True, list(self._moves(one)))
                    else:
                        same.append(title)
        if same:
            yield Block(say(self.pack, "verdicts as before", self._comma.join(same)))
        yield from (self._one_sided(one) for one in self.found.one_sided)

    def _one_sided(self, one: OneSided) -> Block:
        side = 1 if one.is_new else 0
        name = name_of(self.found.comparison._packs[side], one.kind, one.verdict)
        title = say(self.pack, "only in new" if one.is_new else "only in old", f"{self.pack.label(one.kind)} · {name}")
        lines = [self._comma.join(f"{self._value(value)} {count}" for value, count in one.counts.items())]
        lines += self._listed([_called(subject) for subject in one.yes] if one.is_new else [])
        return Block(title, lines=lines)

    def _moves(self, one: VerdictImpact) -> Iterator[str]:
        for way in ("worse", "better", "yes", "no", "other"):
            moves = [move for move in one.moves if move.direction == way]
            if moves:
                yield say(self.pack, f"moves {way}", len(moves))
                values = [f"{self._value(move.before)} → {self._value(move.after)}" for move in moves]
                yield from self._listed([f"{_called(m)}: {said}" for m, said in zip(moves, values, strict=True)])

    def _listed(self, lines: list[str]) -> Iterator[str]:
        """Give the first of these lines, or all."""
        listed = lines if self.is_all else lines[:MOST_SHOWN]
        yield from (f"  {line}" for line in listed)
        if len(lines) > len(listed):
            yield f"  {say(self.pack, 'more listed', len(lines) - len(listed))}"

    def _value(self, value: str | None) -> str:
        if value is None:
            return say(self.pack, "absent")
        return shown(self.pack, value == "true") if value in ("true", "false") else shown(self.pack, value)

    @property
    def _comma(self) -> str:
        return "、" if self.pack.shown_in == "zh" else ", "

    # --- totals ---

    def _totals(self) -> Iterator[Block]:
        for kind in dict.fromkeys(one.kind for one in self.found.totals):
            own = [one for one in self.found.totals if one.kind == kind]
            if has_changed(own) or (self.found._asked_by and any(one.by for one in own)):
                words = ("group", "subjects", "mean", "least", "most", "sum")
                rows = [self._group(one) for one in own]
                title = f"{self.pack.label(kind)} · {name_of(self.pack, kind, 'total')}"
                table = [say(self.pack, word) for word in words], rows, [False] + [True] * 5
                yield Block(title, table)

    def _group(self, one: GroupTotals) -> list[str]:
        name = f"{name_of(self.pack, one.kind, one.by)} {self._value(one.group)}" if one.by else say(self.pack, "all")
        sides = [one.before, one.after]
        columns = [
            [None if side is None else str(getattr(side, part)) for side in sides]
            for part in ("subjects", "mean", "least", "most", "sum")
        ]
        return [name, *(self._pair(before, after) for before, after in columns)]

    def _pair(self, before: str | None, after: str | None) -> str:
        said = [say(self.pack, "absent") if side is None else _rounded(side) for side in (before, after)]
        return said[0] if said[0] == said[1] else " → ".join(said)

    # --- rules, figures ---

    def _rules(self) -> Iterator[Block]:
        lines = []
        for one in self.found.rules:
            lines += [line for _, line in self.comparing.cause(one.rule)]
            lines.append(f"  {self._moved(one)}")
        if lines:
            yield Block(say(self.pack, "rules that differ"), lines=lines)

    def _moved(self, one: RuleImpact) -> str:
        if not one.subjects:
            return say(self.pack, "moves nobody")
        parts = []
        for name, count in one.verdicts.items():
            kind, _, verdict = name.partition(".")
            parts.append(f"{self.pack.label(kind)} {name_of(self.pack, kind, verdict)} {count}")
        if one.others:
            parts.append(say(self.pack, "moves others", one.others))
        counted = say(self.pack, "moves subjects", one.subjects)
        return f"{counted}: {self._comma.join(parts)}" if parts else counted

    def _figures(self) -> Iterator[Block]:
        if self.found.figures:
            absent = say(self.pack, "absent")
            rows = [
                [one.figure, one.published, one.before or absent, one.after or absent] for one in self.found.figures
            ]
            headings = [say(self.pack, word) for word in ("figure", "published", "before", "after")]
            yield Block(say(self.pack, "figures missed"), (headings, rows, [False, True, True, True]))

    # --- the sweep ---

    def _sweep(self, sweep: Sweep) -> Iterator[Block]:
        pack = self.pack
        place = f"{sweep.threshold} ({sweep.at})"
        yield Block(say(pack, "sweep", place, sweep.now), lines=[self._met(sweep, one) for one in sweep.met])
        for verdict in _varying(sweep):
            kind, _, name = verdict.partition(".")
            values = values_of(pack.kinds[kind].verdicts[name])
            yield Block(f"{pack.label(kind)} · {name_of(pack, kind, name)}", self._points(sweep, verdict, list(values)))
        stopped = [point for point in sweep.points if point.stops is not None]
        if stopped:
            lines = [f"{point.value}: {point.stops}" for point in stopped]
            yield Block(say(pack, "sweep stops"), lines=lines)

    def _points(self, sweep: Sweep, verdict: str, values: list[str]) -> Table:
        quota = next((q for p in sweep.points for q in p.own_quotas if q.verdict == verdict), None)
        headings = [sweep.threshold.rpartition(":")[2], *map(self._value, values)]
        headings += [say(self.pack, "eligible"), say(self.pack, "places")] if quota is not None else []
        rows = []
        for point in sweep.points:
            if point.stops is None:
                mark = say(self.pack, "as it is") if Fraction(point.value) == Fraction(sweep.now) else ""
                counts = [str(point.counts[verdict].get(value, 0)) for value in values]
                rows.append([point.value, *counts, *self._places(point, verdict), mark])
        is_right = [True] * len(headings)
        return [*headings, ""], rows, [*is_right, False]

    @staticmethod
    def _places(point: SweepPoint, verdict: str) -> list[str]:
        found: list[OwnQuota] = [one for one in point.own_quotas if one.verdict == verdict]
        return [text for one in found for text in (str(one.eligible), str(one.places))]

    def _met(self, sweep: Sweep, one: MetAt) -> str:
        kind, _, verdict = one.quota.partition(".")
        name = one.quota
        if one.is_own:
            name = say(self.pack, "all eligible chosen", f"{self.pack.label(kind)} {name_of(self.pack, kind, verdict)}")
        if not one.values:
            return say(self.pack, "never met", name)
        met = self._comma.join(_stretches([point.value for point in sweep.points], one.values))
        near = [value for value in dict.fromkeys((one.below, one.above)) if value is not None]
        is_met = [Fraction(value) for value in near] == [Fraction(sweep.now)]
        return say(self.pack, "met now" if is_met else "met at", name, met, self._comma.join(near))


def _stretches(tried: list[str], values: Sequence[str]) -> Iterator[str]:
    """Give values as stretches of those tried: 80..85."""
    for is_in, stretch in groupby(tried, key=lambda value: value in values):
        listed = list(stretch)
        if is_in:
            yield listed[0] if len(listed) == 1 else f"{listed[0]}..{listed[-1]}"


def _varying(sweep: Sweep) -> list[str]:
    """Return the verdict whose rule has the threshold, and those whose counts are not the same all over."""
    ran = [point for point in sweep.points if point.stops is None]
    names = dict.fromkeys([sweep.verdict] if sweep.verdict is not None and ran else [])
    for name in ran[0].counts if ran else ():
        if any(point.counts[name] != ran[0].counts[name] for point in ran):
            names[name] = None
    return [name for name in names if name is not None and name in ran[0].counts]


def _called(one: Move | Named) -> str:
    return one.name if one.name == one.key else f"{one.name} ({one.key})"


def _rounded(value: str) -> str:
    return plain_fraction(rounded(Fraction(value), SHOWN_PLACES))
