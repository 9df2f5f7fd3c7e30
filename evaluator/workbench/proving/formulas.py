"""The expressions of a kind that are about its subjects."""

from __future__ import annotations

from evaluator.pack.definitions import Formula, KindDef
from evaluator.pack.nodes import Const


def formulas_of(kind: KindDef) -> list[Formula]:
    """Return every expression over subjects of a kind, in measures, lines, verdicts and exceptions."""
    found: list[Formula | None] = [measure.value for measure in kind.measures.values()]
    found += [one.value for one in kind.table.fields.values()]
    found += [one.when for one in (*kind.not_assessed, *kind.not_ranked)]
    for line in kind.lines:
        found += [line.when, line.base, line.min, line.max]
        found += [line.points] if line.aggregate is None else []
        found += line.alterations
    for verdict in kind.verdicts.values():
        found += verdict.conditions
    return [one for one in found if one is not None]


def texts_in(kind: KindDef) -> list[object]:
    """Return every text that the expressions of a kind name."""
    parts = (part for formula in formulas_of(kind) for part in formula.node.walk())
    return list(dict.fromkeys(part.value for part in parts if isinstance(part, Const) and isinstance(part.value, str)))
