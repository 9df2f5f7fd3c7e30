"""Tables of values that do not reach as far as what they are asked for; and years that no version is in force in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from evaluator.diagnostics import Problems
from evaluator.pack.definitions import LineDef
from evaluator.pack.model_judgement import InForce
from evaluator.pack.nodes import Lookup
from evaluator.pack.scalars import exact, literal
from evaluator.workbench.checking.ranges import Given
from evaluator.workbench.checking.shapes import shape, written
from evaluator.workbench.checking.sites import Looked, Site, parts
from evaluator.workbench.checking.telling import shown


def check_tables(looked: Looked, problems: Problems) -> None:
    """Note arguments below the first bound or above the last, where they are known to be possible."""
    for site in looked.sites:
        for part in parts(site.formula.node, site.known):
            if isinstance(part.node, Lookup):
                for given in looked.givens(site, part.known):
                    if _note_outside(looked, site, part.node, given, problems):
                        break


def _note_outside(looked: Looked, site: Site, node: Lookup, given: Given, problems: Problems) -> bool:
    model = looked.pack.parameters[node.parameter].model
    if model.has("else") or model.table is not None:
        return False
    axes = [(model.how, [exact(literal(key)) for key in model.bands])]
    if model.values is not None:
        axes = [(axis.how, [exact(bound) for bound in axis.bounds]) for axis in (model.rows, model.columns) if axis]
    found = False
    for argument, (how, bounds) in zip(node.arguments, axes, strict=True):
        places = [place for bound in bounds if (place := looked.ranges.place(bound, argument.type)) is not None]
        possible, kind = looked.ranges.of(argument, given), argument.type
        if kind.base not in ("number", "integer", "date"):  # words are looked at when names are
            continue
        low, high = possible.lowest, possible.highest
        end, bound, word = low, places[0], "first"
        if how == "up_to":
            end, bound, word = high, places[-1], "last"
        if end is None or (end <= bound if how == "up_to" else end >= bound if how == "from" else end in places):
            continue
        text, shown_end = written(site.formula, argument), shown(looked.ranges, end, kind)
        message = f"{node.parameter} has no value for {shown_end}, which {text} can be"
        if how != "is":
            message += f": its {word} bound is {shown(looked.ranges, bound, kind)}"
        fix = (
            f"add an entry {'up to' if how == 'up_to' else 'from' if how == 'from' else 'for'} {shown_end}, or an else"
        )
        problems.add("P514", message, site.formula.span(argument.place), fix)
        found = True
    return found


def check_versions(looked: Looked, problems: Problems) -> None:
    """Note years between two versions of a line, or of rules that give one value, in which there is neither."""
    for kind in looked.pack.kinds.values():
        for line in kind.lines:
            for versions in _versions(line.items):
                for one, year in _left_out(looked, [v.model.in_force for v in versions if v.model.in_force]):
                    at = next(v for v in versions if v.model.in_force is one)
                    message = f'no version of "{at.id}" is in force in {year}'
                    problems.add("P515", message, at.model.key_at("in_force"))
        for verdict in kind.verdicts.values():
            values = {rule.value for rule in verdict.rules}
            for value in values:
                rules = [rule for rule in verdict.rules if rule.value == value]
                spans = [rule.model.in_force for rule in rules]
                if len(rules) < 2 or not all(spans):
                    continue
                for one, year in _left_out(looked, [span for span in spans if span is not None]):
                    at_rule = next(rule for rule in rules if rule.model.in_force is one)
                    message = f'no rule of "{verdict.name}" for "{value}" is in force in {year}'
                    problems.add("P515", message, at_rule.model.key_at("in_force"))


def _versions(items: Iterable[LineDef]) -> list[list[LineDef]]:
    """Return lines side by side over the same records, each in force in some years only."""
    found: dict[object, list[LineDef]] = {}
    for item in items:
        if item.model.in_force is not None and item.aggregate is not None:
            where = item.aggregate.where
            key = (item.aggregate.source, shape(where.node) if where is not None else None)
            found.setdefault(key, []).append(item)
    return [lines for lines in found.values() if len(lines) > 1]


def _left_out(looked: Looked, spans: list[InForce]) -> list[tuple[InForce, int]]:
    """Return the years between the first and the last of some spans on whose last day none is in force."""
    period = looked.pack.period
    starts = [span.from_.year for span in spans if span.from_ is not None]
    ends = [span.to.year for span in spans if span.to is not None]
    if not starts or not ends:
        return []
    found = []
    for year in range(min([*starts, *ends]), max([*starts, *ends]) + 1):
        day = period.ends(year)
        if any(span.holds_on(day) for span in spans):
            continue
        later = [span for span in spans if span.from_ is not None and span.from_ > day]
        earlier = [span for span in spans if span.to is not None and span.to < day]
        if later and earlier:
            found.append((min(later, key=lambda span: span.from_ or dt.date.max), year))
    return found
