"""A threshold of a pack tried with other values: each is written into the pack, and the year judged again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from sqlglot import exp

from evaluator.data.appeals import Case
from evaluator.data.chain import Standing
from evaluator.diagnostics import Stop
from evaluator.engine.decide import Bench
from evaluator.engine.run import Assessment, assess
from evaluator.engine.state import State
from evaluator.pack.definitions import KindDef, Pack, VerdictDef
from evaluator.pack.nodes import Compare, Const
from evaluator.pack.types import INTEGER, NUMBER
from evaluator.report.comparing.impact import Sweep, SweepPoint
from evaluator.report.words import plain_fraction
from evaluator.sql.lower import Lowering
from evaluator.sql.trees import SQL, column, holds
from evaluator.workbench.impact.quotas import Quota, counts_of, met_at, own_quota, values_of
from evaluator.workbench.impact.thresholds import Threshold, with_value


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a year is judged from, besides the pack."""

    data: Path
    year: int
    history: list[Path]
    accept_rejects: bool
    cases: list[Case]
    standing: Standing


def without_figures(pack: Pack) -> Pack:
    """Return the pack with published figures that stop nothing: they were published under the rules of then."""
    controls = tuple(
        replace(one, model=one.model.model_copy(update={"differs": one.model.differs or ""})) for one in pack.controls
    )
    return replace(pack, controls=controls)


def swept(
    pack: Pack,
    inputs: Inputs,
    threshold: Threshold,
    values: Sequence[Fraction],
    quotas: Sequence[Quota],
    progress: Callable[[str], None] = lambda _: None,
) -> Sweep:
    """Judge the year with each value of a threshold; a value with which a run would stop says why."""
    tries = _Tries(pack, inputs, threshold, values, quotas)
    points = []
    try:
        for value in values:
            progress(f"{threshold} = {plain_fraction(value)}")
            points.append(tries.point(value))
    finally:
        tries.bench.close()
    return Sweep(
        threshold=str(threshold), verdict=threshold.owner or None, at=threshold.place,
        now=plain_fraction(threshold.value), points=tuple(points), met=tuple(met_at(points, threshold.value)),
    )  # fmt: skip


class _Tries:
    """Judges the year with one value after another.

    A comparison matters by whether it holds, and what it holds for grows or shrinks with its number: two numbers for
    which it holds for equally many subjects come to the same, and are judged once.
    """

    def __init__(
        self, pack: Pack, inputs: Inputs, threshold: Threshold, values: Sequence[Fraction], quotas: Sequence[Quota]
    ) -> None:
        self.pack, self.inputs, self.threshold, self.values, self.quotas = pack, inputs, threshold, values, quotas
        self.bench = Bench()
        self.holds_for: dict[Fraction, int] = {}  # value -> for how many subjects the comparison holds
        self.judged: dict[int, SweepPoint] = {}

    def point(self, value: Fraction) -> SweepPoint:
        """Return what the rules come to with a value."""
        shown = plain_fraction(value)
        try:
            with tempfile.TemporaryDirectory(prefix="evaluator-") as place:
                tried = without_figures(with_value(self.pack, self.threshold, value, Path(place)))
                alike = self.judged.get(self.holds_for.get(value, -1))
                found = self._judged(tried, shown) if alike is None else alike.model_copy(update={"value": shown})
        except Stop as stopped:
            first = stopped.problems[0]
            return SweepPoint(value=shown, stops=f"{first.code}: {first.message}", counts={}, own_quotas=(), quotas=())
        if value in self.holds_for:
            self.judged[self.holds_for[value]] = found
        return found

    def _judged(self, tried: Pack, shown: str) -> SweepPoint:
        given = self.inputs
        with assess(
            tried,
            given.data,
            given.year,
            given.history,
            given.accept_rejects,
            bench=self.bench,
            standing=given.standing,
            cases=given.cases,
        ) as assessment:
            if not self.holds_for and self.threshold.node is not None:
                self.holds_for = self._holds_for(assessment.state, self.threshold.node)
            return _counted(assessment, shown, self.quotas)

    def _holds_for(self, state: State, node: Compare) -> dict[Fraction, int]:
        """Count for each value the subjects for which the comparison holds."""
        rows = state.rows(self.threshold.kind, "s")
        lowering = Lowering(rows)
        is_right = isinstance(node.right, Const)
        counts: list[SQL] = []
        for value in self.values:
            literal = Const(NUMBER if value.denominator > 1 else INTEGER, False, node.place, value)
            made = replace(node, right=literal) if is_right else replace(node, left=literal)
            counts.append(exp.CountIf(this=holds(lowering.condition(made))))
        found = state.db.rows(rows.select(*counts).where(column("is_assessed", "s"), copy=False))[0]
        return dict(zip(self.values, found, strict=True))


def _counted(assessment: Assessment, value: str, quotas: Sequence[Quota]) -> SweepPoint:
    state: State = assessment.state
    verdicts = list(_verdicts(assessment.pack))
    counts = {
        f"{kind.name}.{verdict.name}": counts_of(state, kind, verdict)
        for kind, verdict in verdicts
        if values_of(verdict)
    }
    own = [own_quota(state, kind, verdict) for kind, verdict in verdicts if verdict.form == "quota"]
    asked = [one.met(counts[one.verdict]) for one in quotas]
    return SweepPoint(value=value, stops=None, counts=counts, own_quotas=tuple(own), quotas=tuple(asked))


def _verdicts(pack: Pack) -> Iterator[tuple[KindDef, VerdictDef]]:
    for kind in pack.kinds.values():
        for verdict in kind.verdicts.values():
            yield kind, verdict
