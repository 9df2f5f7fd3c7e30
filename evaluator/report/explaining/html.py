"""An explanation as a page of HTML, with a bar of where the points come from and the marks of each level."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from evaluator.pack.definitions import Pack
from evaluator.report.explaining.document import Concluded, Document, Line, Next, called
from evaluator.report.explaining.text import score_headings, told_apart
from evaluator.report.explaining.ways import way_lines
from evaluator.report.pages import page
from evaluator.report.words import plain_fraction, say

COLOURS = ("#24518f", "#2f8f83", "#c08a1e", "#8a4f9e", "#5f7f35", "#b0553a", "#4a7fb5", "#7a6a55", "#996680", "#3d6b6b")


@dataclass(frozen=True, slots=True)
class Share:
    """What a line brought to the total, and how wide it stands in the bar, in percent."""

    label: str
    points: str
    width: str
    colour: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A level, the total it begins at, and where that lies on the scale, in percent."""

    value: str
    at: str
    left: str


@dataclass(frozen=True, slots=True)
class Scale:
    """The marks of a verdict on the scale of totals, and where the subject stands."""

    label: str
    marks: list[Mark]
    here: str
    shown_here: str


def explanation_html(pack: Pack, document: Document) -> str:
    """Return an explanation as one page."""
    shares, taken = _shares(pack, document)

    def words(key: str, *values: object) -> str:
        return say(pack, key, *values)

    def apart(one: Next) -> str:
        return told_apart(pack, one)

    return page(
        "explanation.html",
        doc=document,
        called=called(document),
        language=document.language,
        headings=score_headings(pack),
        effects=[effect for line in document.lines for effect in line.effects],
        shares=shares,
        taken=taken,
        ways=way_lines(pack, document.ways) if document.ways is not None else [],
        scales=[scale for verdict in document.verdicts if (scale := _scale(document, verdict)) is not None],
        say=words,
        apart=apart,
    )


def _shares(pack: Pack, document: Document) -> tuple[list[Share], list[Share]]:
    """Return what the lines under the total, and its base, brought; and what lines took away."""
    if not document.lines:
        return [], []
    root, *rest = document.lines
    lines: list[tuple[str, Fraction]] = [
        (one.label, Fraction(one.points)) for one in rest if one.depth == 1 and one.points
    ]
    base = _base(root, lines)
    parts = ([(say(pack, "base"), base)] if base else []) + lines
    whole = sum(points for _, points in parts if points > 0)
    if not whole:
        return [], []
    made = []
    for n, (label, points) in enumerate(part for part in parts if part[1] > 0):
        made.append(Share(label, plain_fraction(points), _percent(points / whole), COLOURS[n % len(COLOURS)]))
    return made, [Share(label, plain_fraction(points), "0", "") for label, points in parts if points < 0]


def _base(root: Line, lines: list[tuple[str, Fraction]]) -> Fraction:
    """Return what the total has beyond its lines, before factors, cap and floor."""
    return Fraction(root.before_bounds) - sum(points for _, points in lines) if not root.effects else Fraction(0)


def _scale(document: Document, verdict: Concluded) -> Scale | None:
    """Return the marks of a verdict that rests on the total alone."""
    if not document.total or len(verdict.marks) < 2:  # noqa: PLR2004 - one mark makes no scale
        return None
    total = Fraction(document.total)
    ends = [Fraction(mark.at) for mark in verdict.marks] + [total]
    most = max(ends) * Fraction(21, 20)
    if most <= 0 or min(ends) < 0:
        return None
    marks = [Mark(mark.value, mark.at, _percent(Fraction(mark.at) / most)) for mark in verdict.marks]
    here = total / most
    return Scale(verdict.label, marks, _percent(here), _percent(min(max(here, Fraction(3, 100)), Fraction(97, 100))))


def _percent(share: Fraction) -> str:
    """Return a share as a number of percent with two places, as a style sheet takes it."""
    return f"{float(share) * 100:.2f}"
