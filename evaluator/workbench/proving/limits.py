"""Whether the total stays within what the pack declares, and no item of the score decides it alone."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from evaluator.diagnostics import Diagnostic
from evaluator.engine.plan import Value as Planned
from evaluator.pack.nodes import Const
from evaluator.report.proofs import Statement
from evaluator.report.words import plain_fraction
from evaluator.solve.arithmetic import Number
from evaluator.solve.program import TRUE, Lit, Untranslatable, constant
from evaluator.solve.score import Subject
from evaluator.workbench.cases.differences import shown_value
from evaluator.workbench.proving.setting import Setting


def total(setting: Setting, low: Fraction, high: Fraction) -> Statement:
    """Prove or refute that the total is never below nor above its bounds."""
    said = f"from {shown_value(low)} to {shown_value(high)}"
    return _within(setting, "total", "total", low, high, said)


def share(setting: Setting, most: Fraction) -> Iterator[Statement]:
    """Prove or refute of each item of the score that it brings no more than its share of the most there can be."""
    score, proofs = setting.kind.score, setting.kind.proofs
    if score is None:
        return
    if proofs is not None and proofs.total is not None:
        whole = Fraction(str(proofs.total[1]))
    else:
        whole = _constant(score.max.node) if score.max is not None else Fraction(0)
    for item in score.items:
        if not whole:
            said = "the most a total can be is not written down: declare it in prove as total"
            yield setting.statement("share", item.id, "unknown", said, item.at)
            continue
        said = f"at most {plain_fraction(most * 100)} % of {shown_value(whole)}"
        yield _within(setting, "share", item.id, None, most * whole, said)


def _constant(node: object) -> Fraction:
    return node.value if isinstance(node, Const) and isinstance(node.value, Fraction) else Fraction(0)


def _within(setting: Setting, statement: str, line: str, low: Fraction | None, high: Fraction, said: str) -> Statement:
    """Prove or refute that the points of a line stay within bounds."""
    at = next(one.at for one in setting.kind.lines if one.id == line)
    value = Planned(setting.kind.name, "line", line)
    try:
        anyone = setting.anyone()
        outside = _outside(anyone, value, low, high)
        if anyone.program.search(constant(0), [outside], [], setting.seconds).status == "none":
            return setting.statement(statement, line, "proved", f"{said}, by search", at)
        somebody = setting.somebody()
        somebody.put()
        program = somebody.program
        outside = _outside(somebody, value, low, high)
        found = program.search(program.plus(*somebody.counts), [outside], somebody.counts, setting.seconds)
        if found.status == "found":
            made = somebody.made(found)
            outcome = setting.judged(made, [value])
            points = outcome[0] if not isinstance(outcome, Diagnostic) else None
            if isinstance(points, Fraction) and (points > high or (low is not None and points < low)):
                return setting.statement(
                    statement, line, "refuted", f"{shown_value(points)} is not {said}", at, example=made
                )
    except Untranslatable as why:
        return setting.statement(statement, line, "unknown", str(why), at)
    return setting.statement(statement, line, "unknown", f"nothing was found that is not {said}, nor why not", at)


def _outside(subject: Subject, value: Planned, low: Fraction | None, high: Fraction) -> Lit:
    """Return whether a value lies outside of its bounds."""
    found = subject.value(value)
    assert isinstance(found, Number)
    made = subject.translation

    def number(bound: Fraction) -> Number:
        return Number(constant(bound.numerator), constant(bound.denominator), TRUE)

    below = [made._order("<", found, number(low)).yes] if low is not None else []
    return subject.program.either(*below, made._order(">", found, number(high)).yes)
