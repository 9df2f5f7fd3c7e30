"""Which way is better of each measure and field: declared, or seen from what its records bring and what it helps."""

from __future__ import annotations

from evaluator.pack.definitions import AggregateDef, KindDef, Pack
from evaluator.workbench.proving.signs import DOWN, MIXED, UP, Sign, Signs


def directions(pack: Pack, kind: KindDef, declared: dict[str, Sign]) -> tuple[Signs, list[str]]:
    """Return how everything moves, and the measures and fields whose better direction neither is declared nor shows.

    What is counted from records that bring points is better in more, from those that cost some in less. What only
    helps, or only hurts, the total and the levels is better in that direction.
    """
    signs = Signs(pack, kind, declared)
    leaves = [m.name for m in kind.measures.values() if m.aggregate is not None and m.aggregate.function != "rank"]
    fields = [f for f in kind.table.fields.values() if f.name not in kind.table.key]
    leaves += [f.name for f in fields if (f.type.is_number or f.type.is_ordered) and f.value is None]
    open_ = []
    for name in leaves:
        if name in declared:
            continue
        measure = kind.measures.get(name)
        if measure is not None and (measure.nullable or measure.aggregate and measure.aggregate.function == "min"):
            open_.append(name)  # one more record may lower it, or make it known
            continue
        by_points = _by_points(signs, measure.aggregate) if measure is not None and measure.aggregate else set()
        found = by_points or _by_use(pack, kind, signs, name)
        if len(found) == 1:
            signs.better[name] = next(iter(found))
        elif found:
            open_.append(name)
    signs.forget()
    return signs, open_


def _by_points(signs: Signs, made: AggregateDef) -> set[Sign]:
    """Return what the points say that the same records bring in lines: all of them good, or all of them bad."""
    found: set[Sign] = set()
    for line in signs.kind.lines:
        other = line.aggregate
        if other is None or other.source != made.source or other.links != made.links or other.operand is None:
            continue
        if other.where is not None and other.where.text != (made.where.text if made.where is not None else ""):
            continue
        values = signs.points(other.operand.node) or []
        found |= {UP for value in values if value > 0} | {DOWN for value in values if value < 0}
    return found if len(found) == 1 else set()


def _by_use(pack: Pack, kind: KindDef, signs: Signs, name: str) -> set[Sign]:
    """Return in which directions the total and the levels go with a value, everything else as it is."""
    alone = Signs(pack, kind, {name: UP}, holds_records=True)
    found: set[Sign] = set()
    if kind.score is not None:
        found.add(alone.line(kind.score))
    for verdict in kind.verdicts.values():
        if verdict.type.is_ordered or verdict.form == "quota":
            found.add(alone.verdict(verdict))
    clear = found & {UP, DOWN}
    return clear or ({UP, DOWN} if MIXED in found else set())
