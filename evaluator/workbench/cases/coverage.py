"""What of a pack its cases reach: rules that decide, conditions both ways, levels, lines, caps, edges, entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from evaluator.diagnostics import Diagnostic, Problems, Span
from evaluator.engine.families import domain
from evaluator.engine.state import points_column
from evaluator.pack.check import load_pack
from evaluator.pack.definitions import KindDef, Pack, VerdictDef
from evaluator.report.text import as_table
from evaluator.report.words import plain_fraction
from evaluator.workbench.cases.conditions import leaves, lookups
from evaluator.workbench.cases.excused import Excused
from evaluator.workbench.cases.looks import Look, is_settled, looks
from evaluator.workbench.cases.seen import (
    ABOVE,
    AT,
    BELOW,
    FALSE,
    TRUE,
    YES,
    Key,
    Seen,
    condition_key,
    entries_of,
)

CLASSES = {
    "rule": "rules that decide",
    "condition": "conditions that hold and fail",
    "value": "values of formulas and quotas",
    "line": "lines that bring points",
    "bound": "caps and floors that bind and do not",
    "edge": "thresholds met exactly",
    "entry": "entries of parameters",
}
"""What is covered, in the order told."""
NEEDED = ("rule", "condition")
"""What must be covered; all else is told."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something a case can show, and the ways in which cases should."""

    kind: str
    key: Key
    at: Span
    said: dict[str, str]  # way -> what is said where it was not seen
    never: str | None = None  # what is said instead where nothing of it was seen; nothing where that is empty
    also_at: Span | None = None  # where a comment may stand, too

    def is_covered(self, seen: Seen) -> bool:
        """Whether it was seen in every way."""
        return set(self.said) <= seen.of(self.key)

    def lacks(self, seen: Seen) -> list[str]:
        """Return what to say of the ways in which it was not seen."""
        ways = seen.of(self.key)
        if self.never is not None and not ways:
            return [self.never] if self.never else []
        return [said for way, said in self.said.items() if way not in ways]


@dataclass(frozen=True, slots=True)
class Uncovered:
    """One thing no case has shown."""

    kind: str
    at: Span
    what: str

    def __str__(self) -> str:
        return f"{self.at}: {self.what}"


@dataclass(slots=True)
class Coverage:
    """What the cases of a pack cover: counts by class, and what is not covered."""

    folder: Path
    counts: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # all, covered, excused
    uncovered: list[Uncovered] = field(default_factory=list)
    problems: list[Diagnostic] = field(default_factory=list)

    @property
    def needed(self) -> list[Uncovered]:
        """What must be covered and is not."""
        return [one for one in self.uncovered if one.kind in NEEDED]

    @property
    def is_whole(self) -> bool:
        """Whether every rule decided and every condition was seen both ways."""
        return not self.needed and not any(problem.severity == "error" for problem in self.problems)

    def __str__(self) -> str:
        rows = [
            [CLASSES[name], str(found), str(covered), str(excused) if excused else ""]
            for name, (found, covered, excused) in self.counts.items()
            if found
        ]
        headings = [f"cases of {self.folder}", "there are", "covered", "excused"]
        lines = [as_table(headings, rows, [False, True, True, True])]
        told = [one for one in self.uncovered if one.kind not in NEEDED]
        for heading, listed in (("not covered:", self.needed), ("worth a case (no failure):", told)):
            lines += ["", heading, *(f"  {one}" for one in listed)] if listed else []
        lines += ["", *map(str, self.problems)] if self.problems else []
        return "\n".join(lines)


def measure_coverage(folder: Path, seen: Seen) -> Coverage:
    """Say what the cases of a pack have shown of it, and what not."""
    pack = load_pack(folder)
    problems = Problems()
    excused = Excused(pack, problems)
    coverage = Coverage(folder)
    ends: dict[str, Counter[str]] = {name: Counter() for name in CLASSES}
    for target in targets(pack):
        end = "covered"
        if not target.is_covered(seen):
            is_excused = excused.excuses(at for at in (target.at, target.also_at) if at is not None)
            end = "excused" if is_excused else "uncovered"
        if end == "uncovered":
            coverage.uncovered += [Uncovered(target.kind, target.at, what) for what in target.lacks(seen)]
        ends[target.kind][end] += 1
    coverage.counts = {name: (ended.total(), ended["covered"], ended["excused"]) for name, ended in ends.items()}
    coverage.uncovered.sort(key=lambda one: (one.at, one.kind))
    excused.note_unused(problems)
    coverage.problems = list(problems)
    return coverage


def targets(pack: Pack) -> Iterator[Target]:
    """Give everything the cases of a pack can show, each once."""
    known: set[tuple[Key, tuple[str, ...]]] = set()
    for target in _all_targets(pack):
        what = target.key, tuple(target.said)
        if what not in known:
            known.add(what)
            yield target


def _all_targets(pack: Pack) -> Iterator[Target]:
    for kind in pack.kinds.values():
        for verdict in kind.verdicts.values():
            yield from _of_verdict(kind, verdict)
        for line in kind.lines:
            if not line.items:
                name = f"{kind.name}.{points_column(line.id)}"
                yield Target("line", ("line", kind.name, line.id), line.at, {YES: f"{name} never brings points"})
    for look in looks(pack):
        yield from _of_bound(look) if look.bound else _of_look(pack, look)


def _of_verdict(kind: KindDef, verdict: VerdictDef) -> Iterator[Target]:
    name = f"{kind.name}.{verdict.name}"
    for rule in verdict.rules:
        said = {str(rule.number): f"rule {rule.number} of {name} ({_plain(rule.value)}) never decides"}
        yield Target("rule", ("rule", kind.name, verdict.name), rule.model.at, said)
    if verdict.form == "rules":
        return
    for value in (True, False) if verdict.form == "quota" else domain(verdict):
        is_rule = verdict.form == "yes_no" or (verdict.form == "quota" and value is True)
        said = {str(value): f"{name} is never {_plain(value)}"}
        at = verdict.when.at if verdict.form == "yes_no" and verdict.when is not None else None
        key: Key = ("value", kind.name, verdict.name)
        yield Target("rule" if is_rule else "value", key, verdict.at, said, also_at=at)


def _of_bound(look: Look) -> Iterator[Target]:
    is_cap = look.bound == "cap"
    what = f"the {look.bound} of {look.of} ({look.formula.text})"
    said = {ABOVE if is_cap else BELOW: f"{what} never binds", BELOW if is_cap else ABOVE: f"{what} always binds"}
    never = f"{look.of} is never computed, nor its {look.bound}"
    yield Target("bound", condition_key(look, 0), look.formula.at, said, never)


def _of_look(pack: Pack, look: Look) -> Iterator[Target]:
    formula = look.formula
    for place, leaf in enumerate(leaves(formula.node)):
        if is_settled(pack, look, leaf.node):
            continue
        key, at = condition_key(look, place), formula.span(leaf.node.place)
        written = f"{leaf.written(formula)} ({look.of})"
        said = {TRUE: f"never true: {written}", FALSE: f"never false: {written}"}
        yield Target("condition", key, at, said, f"never true nor false: {written}", formula.at)
        if leaf.edge is not None:
            # the edge, and the side of it on which the condition is otherwise
            other = (BELOW, "below") if leaf.edge.op in (">=", "<") else (ABOVE, "above")
            sides = {AT: f"never exactly at the edge: {written}", other[0]: f"never {other[1]} the edge: {written}"}
            yield Target("edge", ("edge", *key), at, sides, "", formula.at)
    for lookup, _ in lookups(formula.node):
        for key, at, _, how, bound in entries_of(pack, lookup):
            what = f"{lookup.parameter} at {_plain(bound)}"
            said = {TRUE: f"never looked up: {what}"} if how == "is" else {AT: f"never looked up exactly: {what}"}
            yield Target("entry", key, at, said)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain_fraction(value) if isinstance(value, Fraction) else str(value)
