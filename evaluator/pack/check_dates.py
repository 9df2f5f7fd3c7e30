"""Dates a pack declares, checked: terms, holidays, and what is in force in no year."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable

from evaluator.pack.context import Context
from evaluator.pack.in_force import is_ever_in_force
from evaluator.pack.model_judgement import InForce, Line, Rule

FRIDAY = 5


def check_dates(context: Context) -> None:
    """Note dates that contradict each other."""
    _check_terms(context)
    _check_holidays(context)
    for kind in context.kinds.values():
        if kind.score is not None:
            if kind.score.in_force is not None:
                at, fix = kind.score.key_at("in_force"), "write it on the items, or on the pack"
                context.problems.add("P203", "the outermost line is in force as the pack is", at, fix)
            _check_lines(context, kind.score.items or (), ())
        for verdict in kind.verdicts.values():
            for rule in verdict.rules or ():
                _check_in_force(context, rule, "the rule", ())


def _check_terms(context: Context) -> None:
    terms = sorted(context.file.terms, key=lambda term: term.from_)
    for one, later in zip(terms, terms[1:], strict=False):
        if later.from_ <= one.to:
            also = [(one.key_at("to"), f"{one.name} ends on {one.to}")]
            message = f"{later.name} begins on {later.from_}, in {one.name}"
            context.problems.add("P207", message, later.key_at("from"), "end one term before the next begins", also)


def _check_holidays(context: Context) -> None:
    if not context.file.has("holidays"):
        return
    holidays = context.file.holidays
    at_off, at_worked = holidays.key_at("off"), holidays.key_at("worked")
    for days, at in ((holidays.off, at_off), (holidays.worked, at_worked)):
        for day in _twice(days):
            context.problems.add("P207", f"{day} is listed twice", at, "remove it once")
    for day in dict.fromkeys(holidays.worked):
        if day in holidays.off:
            message, also = f"{day} is both off and worked", [(at_off, "off here")]
            context.problems.add("P207", message, at_worked, "remove it from one of them", also)
        elif day.isoweekday() <= FRIDAY:
            message = f"{day} is a {day:%A}, and worked anyway"
            context.problems.add("P207", message, at_worked, "list Saturdays and Sundays that are worked")


def _twice(days: list[dt.date]) -> list[dt.date]:
    return [day for day, count in Counter(days).items() if count > 1]


def _check_lines(context: Context, lines: Iterable[Line], above: tuple[InForce, ...]) -> None:
    for line in lines:
        _check_in_force(context, line, f'"{line.id}"', above)
        _check_lines(context, line.items or (), (*above, line.in_force) if line.in_force is not None else above)


def _check_in_force(context: Context, thing: Line | Rule, called: str, above: tuple[InForce, ...]) -> None:
    """Note what is in force in no year of the pack."""
    if thing.in_force is None:
        return
    pack = context.file.in_force
    spans = [*([pack] if pack is not None else []), *above, thing.in_force]
    if not is_ever_in_force(spans, context.file.period):
        fix = "let it be in force on the last day of a year, with the pack and the lines above"
        context.problems.add("P207", f"{called} is in force in no year", thing.key_at("in_force"), fix)
