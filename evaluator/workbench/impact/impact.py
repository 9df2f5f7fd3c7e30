"""The impact of a change of rules: a year judged by the old and by the new ones, and what is not the same."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import evaluator
from evaluator.data.appeals import read_appeals
from evaluator.data.chain import Standing
from evaluator.data.history import MANIFEST
from evaluator.diagnostics import Diagnostic, Problems, Stop
from evaluator.engine.run import period_of
from evaluator.pack.definitions import Pack, VerdictDef
from evaluator.pack.in_force import as_in_force
from evaluator.report.comparing.compare import compare
from evaluator.report.comparing.impact import Direction, Figure, Impact, Move, RuleImpact, VerdictImpact
from evaluator.report.comparing.model import Cause, ChangedSubject, ComparedKind, Comparison
from evaluator.workbench.impact.alone import one_sided
from evaluator.workbench.impact.quotas import Quota, asked_quota, values_of
from evaluator.workbench.impact.sweep import Inputs, swept, without_figures
from evaluator.workbench.impact.thresholds import asked_threshold
from evaluator.workbench.impact.totals import grouping, totals_of

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: two packs, the year they are tried on, and how."""

    old: Path
    new: Path
    data: Path
    year: int
    history: tuple[Path, ...] = ()
    accept_rejects: bool = False
    appeals: Path | None = None
    supersedes: Path | None = None
    by: tuple[str, ...] = ()
    sweep: str | None = None
    quotas: tuple[str, ...] = ()
    language: str | None = None


def impact(
    asked: Asked,
    progress: Progress = lambda _: None,
    warn: Callable[[Iterable[Diagnostic]], None] = lambda _: None,
) -> Impact:
    """Judge a year by the old and the new rules, and return who would be affected.

    Published figures stop nothing here; those that are missed are told. `warn` is given what does not stop a run.
    Raises Stop with everything that is wrong: with either pack, with the data, with what is asked.
    """
    old, new = _packs(asked)
    problems, warnings = Problems(), Problems()
    if not old.kinds.keys() & new.kinds.keys():
        kinds = [", ".join(pack.kinds) for pack in (old, new)]
        problems.add("R211", f"{asked.old} has {kinds[0]}, and {asked.new} has {kinds[1]}")
    groups = grouping(old, new, asked.by, problems)
    current = as_in_force(new, period_of(asked.year, new.period)[1])
    chosen = asked_threshold(current, asked.sweep, problems) if asked.sweep is not None else None
    quotas = [asked_quota(new, text, problems) for text in asked.quotas]
    if asked.quotas and asked.sweep is None:
        problems.add("R215", "a quota is met by some value of a threshold", fix="name the threshold with --sweep")
    cases = read_appeals(asked.appeals, problems) if asked.appeals is not None else []
    problems.stop_on_errors()
    with tempfile.TemporaryDirectory(prefix="evaluator-") as place:
        folders = Path(place) / "old", Path(place) / "new"
        for pack, out in zip((old, new), folders, strict=True):
            try:
                evaluator.run(
                    without_figures(pack), asked.data, asked.year, out, asked.history, asked.accept_rejects,
                    appeals=asked.appeals, supersedes=asked.supersedes, progress=progress, warn=warnings.extend,
                )  # fmt: skip
            except Stop as stopped:
                problems.extend(stopped.problems)
        problems.stop_on_errors()
        warn(warnings)
        progress("comparing")
        found = compare(*folders, asked.language)
        totals = tuple(totals_of(folders, groups))
        alone = tuple(one_sided(folders, (old, new)))
        figures = tuple(_figures(folders))
    inputs = Inputs(
        asked.data, asked.year, list(asked.history), asked.accept_rejects, cases, Standing(supersedes=asked.supersedes)
    )
    asked_for: list[Quota] = [one for one in quotas if one is not None]
    made = Impact(
        old=str(asked.old), new=str(asked.new), data=str(asked.data), year=asked.year, comparison=found,
        verdicts=tuple(_verdicts(found)), one_sided=alone, totals=totals, rules=tuple(_rules(found)), figures=figures,
        sweep=None if chosen is None else swept(new, inputs, *chosen, asked_for, progress),
    )  # fmt: skip
    made._pack, made._asked_by = found._packs[1], bool(asked.by)
    return made


def _packs(asked: Asked) -> tuple[Pack, Pack]:
    """Return both packs; raise Stop with what is wrong with either."""
    problems = Problems()
    packs = []
    for folder in (asked.old, asked.new):
        try:
            packs.append(evaluator.load_pack(folder))
        except Stop as stopped:
            problems.extend(stopped.problems)
    problems.stop_on_errors()
    old, new = (replace(pack, shown_in=asked.language or pack.shown_in) for pack in packs)
    return old, new


# --- verdicts ---


def _verdicts(found: Comparison) -> Iterator[VerdictImpact]:
    """Give what becomes of each verdict that both packs have."""
    pack = found._packs[1]
    for kind in found.kinds:
        changed = [one for one in found.subjects if one.kind == kind.kind]
        for matrix in kind.matrices:
            verdict = pack.kinds[kind.kind].verdicts[matrix.verdict]
            moves = tuple(_moves(changed, verdict))
            yield VerdictImpact(kind=kind.kind, verdict=matrix.verdict, matrix=matrix, moves=moves)


def _moves(changed: Iterable[ChangedSubject], verdict: VerdictDef) -> Iterator[Move]:
    for one in changed:
        for change in one.changes:
            if change.sort == "verdict" and change.name == verdict.name:
                way = _direction(verdict, change.before, change.after)
                yield Move(key=one.key, name=one.name, before=change.before, after=change.after, direction=way)


def _direction(verdict: VerdictDef, before: str | None, after: str | None) -> Direction:
    if verdict.type.base == "boolean" and after is not None:
        return "yes" if after == "true" else "no"
    levels = values_of(verdict) if verdict.type.is_ordered else ()
    if before not in levels or after not in levels:
        return "other"
    return "better" if levels.index(after) > levels.index(before) else "worse"


# --- rules ---


def _rules(found: Comparison) -> Iterator[RuleImpact]:
    """Give everything written that differs with how many subjects it moves, those that move most first."""
    moved: dict[Cause, dict[tuple[str, str], set[str]]] = {rule: {} for rule in found.rules}
    for one in found.subjects:
        for change in one.changes:
            for rule in {cause for cause in _walk(change.causes) if cause.what == "rule"}:
                verdicts = moved.setdefault(rule, {}).setdefault((one.kind, one.key), set())
                verdicts |= {f"{one.kind}.{change.name}"} if change.sort == "verdict" else set()
    for rule, subjects in sorted(moved.items(), key=lambda entry: -len(entry[1])):
        counted = Counter(name for verdicts in subjects.values() for name in sorted(verdicts))
        others = sum(not verdicts for verdicts in subjects.values())
        yield RuleImpact(rule=rule, subjects=len(subjects), verdicts=dict(sorted(counted.items())), others=others)


def _walk(causes: Iterable[Cause]) -> Iterator[Cause]:
    for cause in causes:
        yield cause
        yield from _walk(cause.causes)


# --- published figures ---


def _figures(folders: tuple[Path, Path]) -> Iterator[Figure]:
    """Give the published figures that one of the runs does not come to, but those its pack knows to differ."""
    sides = []
    for folder in folders:
        listed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["reconcile"]
        sides.append({(one["figure"], one["published"]): one for one in listed})
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        found = [side.get(key) for side in sides]
        if any(one is not None and not one["is_met"] and not one["differs"] for one in found):
            before, after = (None if one is None else str(one["computed"]) for one in found)
            yield Figure(figure=key[0], published=key[1], before=before, after=after)


def nothing_differs(found: Impact) -> bool:
    """Whether the packs say the same and come to the same."""
    return not found.comparison.rules and not found.comparison.subjects and not _not_shared(found.comparison.kinds)


def _not_shared(kinds: Iterable[ComparedKind]) -> bool:
    return any(kind.not_compared for kind in kinds)
