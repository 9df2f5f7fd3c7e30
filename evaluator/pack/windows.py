"""Stretches of time records are counted over, and how far back a pack looks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from evaluator.diagnostics import Span
from evaluator.pack.definitions import AggregateDef, Pack
from evaluator.pack.model import Holidays
from evaluator.pack.model_judgement import Window

FRIDAY = 5

Settings = Mapping[str, object]
"""this_year, period_start, period_end; term_start and term_end where the year's last day lies in a term."""


def first_day(last: dt.date, months: int) -> dt.date:
    """Return the day a period of so many months begins that ends on a day.

    It begins on the day after the same day so many months before; where that month has no such day, on the first of
    the next.

    >>> first_day(dt.date(2021, 11, 30), 12), first_day(dt.date(2021, 12, 30), 3)
    (datetime.date(2020, 12, 1), datetime.date(2021, 10, 1))
    """
    after = last + dt.timedelta(days=1)
    count = after.year * 12 + after.month - 1 - months
    month, following = (dt.date(n // 12, n % 12 + 1, 1) for n in (count, count + 1))
    return min(month + dt.timedelta(days=after.day - 1), following)


def last_workday(after: dt.date, count: int, holidays: Holidays) -> dt.date:
    """Return the last of so many working days after a day.

    >>> last_workday(dt.date(2021, 9, 30), 5, Holidays.model_construct(off=[dt.date(2021, 10, 1)], worked=[]))
    datetime.date(2021, 10, 8)
    """
    day = after
    while count:
        day += dt.timedelta(days=1)
        if day in holidays.worked or (day.isoweekday() <= FRIDAY and day not in holidays.off):
            count -= 1
    return day


def span_of(window: Window | None, settings: Settings) -> tuple[dt.date | None, dt.date]:
    """Return the first and last day of a period; it always ends with the year, and `all` has no first day."""
    start, end = settings["period_start"], settings["period_end"]
    assert isinstance(start, dt.date) and isinstance(end, dt.date)
    if window is None or window.named == "year":
        return start, end
    if window.named == "all":
        return None, end
    if window.named == "term":
        begin = settings["term_start"]
        assert isinstance(begin, dt.date)
        return begin, end
    assert window.months is not None
    return first_day(end, window.months), end


def counted(pack: Pack, year: int) -> Iterator[tuple[str, AggregateDef, Span]]:
    """Give what counts records in a year: what it is called, what it counts, and where it is written."""
    for kind in pack.kinds.values():
        for measure in kind.measures.values():
            if measure.aggregate is not None and not measure.aggregate.is_peers:
                yield f"{kind.name}.{measure.name}", measure.aggregate, measure.at
        for line in kind.lines:
            if line.aggregate is not None:
                yield f"{kind.name}.points.{line.id}", line.aggregate, line.at
    for control in pack.controls:
        if control.model.year == year:
            yield "a control total", control.aggregate, control.model.at


def counted_from(pack: Pack, table: str, settings: Settings) -> dt.date | None:
    """Return the first day of which any record of a table counts, or of what is unfolded from it; None for any day."""
    start, year = settings["period_start"], settings["this_year"]
    assert isinstance(start, dt.date) and isinstance(year, int)
    firsts = [start]
    for _, made, _ in counted(pack, year):
        if table in _sources(pack, made.source):
            first, _ = span_of(made.period, settings)
            if first is None:
                return None
            firsts.append(first)
    return min(firsts)


def _sources(pack: Pack, table: str) -> list[str]:
    """Return a table and those it is unfolded from."""
    unfold = pack.tables[table].unfold
    return [table, *(_sources(pack, unfold.source) if unfold is not None else ())]
