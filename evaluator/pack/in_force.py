"""What is in force in a year: the pack as it stands on the year's last day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import replace
from fractions import Fraction

from evaluator.pack.definitions import Formula, KindDef, LineDef, Pack, VerdictDef
from evaluator.pack.model import Period
from evaluator.pack.model_judgement import InForce
from evaluator.pack.nodes import Const
from evaluator.pack.types import BOOLEAN, INTEGER


def is_ever_in_force(spans: Collection[InForce], period: Period) -> bool:
    """Whether there is a year on whose last day all of these are in force."""
    first = max((span.from_ for span in spans if span.from_ is not None), default=None)
    last = min((span.to for span in spans if span.to is not None), default=None)
    if first is None or last is None:
        return True
    return any(first <= period.ends(year) <= last for year in range(first.year, last.year + 1))


def as_in_force(pack: Pack, day: dt.date) -> Pack:
    """Return the pack of the year that ends on a day: lines not in force are idle, rules not in force stand aside."""
    return replace(pack, kinds={name: _kind(kind, day) for name, kind in pack.kinds.items()})


def _kind(kind: KindDef, day: dt.date) -> KindDef:
    score = _line(kind.score, day) if kind.score is not None else None
    return replace(kind, score=score, verdicts={name: _verdict(made, day) for name, made in kind.verdicts.items()})


def _line(line: LineDef, day: dt.date) -> LineDef:
    span = line.model.in_force
    if span is not None and not span.holds_on(day):
        return _idle(line)
    return replace(line, items=tuple(_line(item, day) for item in line.items))


def _idle(line: LineDef) -> LineDef:
    """Return a line that gives nothing and reads nothing, and so all below it."""
    never = Formula(Const(BOOLEAN, False, (0, 0), False), "false", line.at)
    nothing = Formula(Const(INTEGER, False, (0, 0), Fraction(0)), "0", line.at)
    return LineDef(
        id=line.id, model=line.model, at=line.at, parent=line.parent, depth=line.depth, when=never, aggregate=None,
        points=nothing, base=None, min=None, max=None, items=tuple(map(_idle, line.items)), is_in_force=False,
    )  # fmt: skip


def _verdict(verdict: VerdictDef, day: dt.date) -> VerdictDef:
    spans = {rule.number: rule.model.in_force for rule in verdict.rules}
    aside = [n for n, span in spans.items() if span is not None and not span.holds_on(day)]
    return replace(
        verdict,
        rules=tuple(rule for rule in verdict.rules if rule.number not in aside),
        rules_aside=tuple(rule for rule in verdict.rules if rule.number in aside),
    )
