"""Working days in SQL: whole weeks by arithmetic, holidays by a search among those the pack lists."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from itertools import accumulate

from sqlglot import exp

from evaluator.pack.model import Holidays
from evaluator.sql.trees import SQL, cast, choose, number, text

MONDAY = dt.date(1, 1, 1)
LONG_BEFORE = 7 * 10**6  # days; keeps the count of weeks above zero for every date there is
WEEKDAYS = 5


def workdays(first: SQL, last: SQL, holidays: Holidays) -> SQL:
    """Return how many working days lie after one day and up to another; below zero where that is before.

    The days up to each are counted, and the one count taken from the other.
    """
    return exp.paren(exp.Sub(this=_up_to(last, holidays), expression=_up_to(first, holidays)))


def _up_to(day: SQL, holidays: Holidays) -> SQL:
    """Count the working days up to a day, from a Monday on that lies before all."""
    since = exp.DateDiff(this=day.copy(), expression=_date(MONDAY), unit=exp.var("DAY"))
    weeks = exp.IntDiv(this=exp.paren(exp.Add(this=since, expression=number(LONG_BEFORE))), expression=number(7))
    of_week = exp.Least(this=exp.DayOfWeekIso(this=day.copy()), expressions=[number(WEEKDAYS)])
    counted = exp.Add(this=exp.Mul(this=weeks, expression=number(WEEKDAYS)), expression=of_week)
    steps = Counter({day: -1 for day in holidays.off if day.isoweekday() <= WEEKDAYS})
    steps.update(dict.fromkeys(holidays.worked, 1))
    days = sorted(steps)
    changes = list(accumulate((steps[day] for day in days), initial=0))
    return cast(exp.paren(exp.Add(this=counted, expression=_step(day, days, changes))), "BIGINT")


def _step(day: SQL, days: list[dt.date], values: list[int]) -> SQL:
    """Return the value after the last of these days that is reached, halving the list: values[0] before all."""
    if not days:
        return number(values[0])
    middle = len(days) // 2
    before = exp.LT(this=day.copy(), expression=_date(days[middle]))
    earlier = _step(day, days[:middle], values[: middle + 1])
    return exp.paren(choose([(before, earlier)], _step(day, days[middle + 1 :], values[middle + 1 :])))


def _date(day: dt.date) -> SQL:
    return cast(text(day.isoformat()), "DATE")
