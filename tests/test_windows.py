"""Windows of time against day-by-day reckoning in plain Python: periods, terms, what is in force, working days."""

from __future__ import annotations

import datetime as dt
from calendar import monthrange
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from conftest import empty_folder, rows_of, write_csv, write_pack
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

import evaluator
from evaluator.diagnostics import Stop
from evaluator.engine.run import period_of
from evaluator.pack.in_force import is_ever_in_force
from evaluator.pack.model import Holidays, Period
from evaluator.pack.model_judgement import InForce
from evaluator.pack.windows import first_day
from evaluator.sql.duck import DuckDatabase
from evaluator.sql.trees import cast, column, named
from evaluator.sql.workdays import workdays

DAY = dt.timedelta(days=1)
DAYS = st.dates(dt.date(2016, 1, 1), dt.date(2024, 12, 31))
ENDINGS = st.dates(dt.date(2021, 1, 1), dt.date(2021, 12, 31)).map(lambda day: (day.month, day.day))


# --- periods ----------------------------------------------------------------------------------------------


def day_before(last: dt.date, months: int) -> dt.date:
    """Return the day before a period: the same day so many months before, or the last of the month as it is one."""
    year, month = last.year, last.month
    for _ in range(months):
        year, month = (year - 1, 12) if month == 1 else (year, month - 1)
    longest = monthrange(year, month)[1]
    is_last = last.day == monthrange(last.year, last.month)[1]
    return dt.date(year, month, longest if is_last else min(last.day, longest))


@given(DAYS, st.integers(1, 100))
@example(dt.date(2021, 10, 30), 1)
@example(dt.date(2020, 2, 28), 12)
@example(dt.date(2020, 2, 29), 12)
def test_a_period_begins_after_the_same_day(last: dt.date, months: int) -> None:
    assert first_day(last, months) == day_before(last, months) + DAY


@given(ENDINGS, st.integers(1900, 2999))
@example((2, 28), 2020)
@example((2, 28), 2021)
@example((11, 30), 2021)
def test_no_day_lies_between_two_years_or_in_both(ending: tuple[int, int], year: int) -> None:
    period = Period.model_construct(months=12, ending=ending)
    assert period_of(year, period)[0] == period_of(year - 1, period)[1] + DAY


PACK = """
    pack: windows
    title: {{en: Windows}}
    language: en
    period: {{months: {months}, ending: {ending}}}
    terms:
      - {{name: first, from: 2014-06-15, to: 2019-06-14}}
      - {{name: second, from: 2019-06-15, to: 2027-06-14}}
    tables:
      notes:
        key: id
        date: held_on
        fields: {{id: integer, held_on: date, member: {{ref: member}}}}
    reconcile:
      - {{count: notes, period: {{months: {window}}}, at_least: 0, year: {year}}}
"""
MEMBER = """
    subject: member
    key: id
    fields: {{id: integer}}
    measures:
      in_year: {{count: notes}}
      in_window: {{count: notes, period: {{months: {window}}}}}
      in_term: {{count: notes, period: term}}
      ever: {{count: notes, period: all}}
      latest: {{max: held_on, of: notes, period: term}}
      first_mondays: {{count: notes, where: weekday(held_on) = 1 and day(held_on) <= 7, period: all}}
      quarters: {{distinct: year(held_on) * 4 + quarter(held_on), of: notes, period: term}}
      of_term: days(term_start, period_end)
    score:
      items:
        - {{id: one, each: notes, points: 1, period: term, in_force: {{from: {since}}}}}
        - {{id: three, each: notes, points: 3, in_force: {{to: {until}}}, again: true}}
        - {{id: group, in_force: {{to: {until}}}, items: [{{id: five, points: 5}}]}}
"""


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
@given(
    records=st.lists(st.tuples(DAYS, st.integers(1, 3)), max_size=40),
    ending=ENDINGS,
    months=st.sampled_from([12, 6, 24]),
    window=st.integers(1, 60),
    year=st.integers(2017, 2023),
    since=st.dates(dt.date(2018, 1, 1), dt.date(2022, 12, 31)),
    until=st.dates(dt.date(2018, 1, 1), dt.date(2022, 12, 31)),
)
def test_counting_by_the_day(
    tmp_path: Path,
    records: list[tuple[dt.date, int]],
    ending: tuple[int, int],
    months: int,
    window: int,
    year: int,
    since: dt.date,
    until: dt.date,
) -> None:
    """Every measure and line of a run, against a look at each record."""
    given_values: dict[str, Any] = {
        "months": months, "ending": f"{ending[0]:02}-{ending[1]:02}", "window": window, "year": year,
        "since": since, "until": until,
    }  # fmt: skip
    home = empty_folder(tmp_path / "home")
    pack = write_pack(home / "pack", pack=PACK.format(**given_values), member=MEMBER.format(**given_values))
    data = home / "data"
    write_csv(data / "member.csv", ["id"], [[1], [2], [3]])
    write_csv(data / "notes.csv", ["id", "held_on", "member"], [(i, *one) for i, one in enumerate(records)])
    (data / "data.yaml").write_text("covers: {from: 1990-01-01, to: 2030-12-31}\n", encoding="utf-8")
    out = evaluator.run(pack, data, year, home / "out")

    end = dt.date(year, 3, 1) - DAY if ending == (2, 28) else dt.date(year, *ending)
    begins = {"year": day_before(end, months) + DAY, "window": day_before(end, window) + DAY}
    begins["term"] = dt.date(2014, 6, 15) if end < dt.date(2019, 6, 15) else dt.date(2019, 6, 15)
    begins["all"] = dt.date.min
    for row in rows_of(out, "subjects/member"):
        mine = [day for day, member in records if str(member) == row["key"]]
        of = {name: [day for day in mine if begin <= day <= end] for name, begin in begins.items()}
        assert row["in_year"] == len(of["year"])
        assert row["in_window"] == len(of["window"])
        assert row["in_term"] == len(of["term"])
        assert row["ever"] == len(of["all"])
        assert row["latest"] == max(of["term"], default=None)
        assert row["first_mondays"] == sum(is_first_monday(day) for day in of["all"])
        assert row["quarters"] == len({(day.year, (day.month + 2) // 3) for day in of["term"]})
        assert row["of_term"] == (end - begins["term"]).days
        one, three = len(of["term"]) * (since <= end), 3 * len(of["year"]) * (end <= until)
        assert row["total"] == one + three + 5 * (end <= until)
        assert row["points.five"] == 5 * (end <= until)


def is_first_monday(day: dt.date) -> bool:
    first = day.replace(day=1)
    while first.isoweekday() != 1:
        first += DAY
    return day == first


# --- what is in force -------------------------------------------------------------------------------------


def in_force(first: dt.date | None, last: dt.date | None) -> InForce:
    return InForce.model_construct(from_=first, to=last)


@given(st.lists(st.tuples(st.none() | DAYS, st.none() | DAYS), max_size=3), ENDINGS)
def test_two_lines_meet_if_a_year_ends_in_both(spans: list[tuple[dt.date | None, dt.date | None]], ending: Any) -> None:
    period = Period.model_construct(months=12, ending=ending)
    made = [in_force(*span) for span in spans]
    ends = [period.ends(year) for year in range(1990, 2060)]
    assert is_ever_in_force(made, period) == any(all(span.holds_on(end) for span in made) for end in ends)


# --- working days -----------------------------------------------------------------------------------------


def reckoned(first: dt.date, last: dt.date, off: Iterable[dt.date], worked: Iterable[dt.date]) -> int:
    """Count working days one by one."""
    if last < first:
        return -reckoned(last, first, off, worked)
    count, day = 0, first
    while day < last:
        day += DAY
        count += day in worked or (day.isoweekday() < 6 and day not in off)
    return count


def computed(pairs: list[tuple[dt.date | None, dt.date | None]], holidays: Holidays) -> list[int | None]:
    db = DuckDatabase(is_small=True)
    try:
        db.connection.execute("create table work.pairs (n integer, a date, b date)")
        db.connection.executemany("insert into work.pairs values (?, ?, ?)", [(n, *p) for n, p in enumerate(pairs)])
        query = exp.select(named(workdays(column("a", "p"), column("b", "p"), holidays), "days"))
        return [row[0] for row in db.rows(query.from_("work.pairs as p").order_by("n"))]
    finally:
        db.close()


WEEKENDS = DAYS.map(lambda day: day + DAY * (6 - day.isoweekday() if day.isoweekday() < 6 else 0))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(DAYS, DAYS), min_size=1, max_size=30),
    st.sets(DAYS, max_size=100),
    st.sets(WEEKENDS, max_size=60),
)
def test_working_days_as_counted_one_by_one(
    pairs: list[tuple[dt.date, dt.date]], off: set[dt.date], worked: set[dt.date]
) -> None:
    """Also around each holiday, where a step could be off by one."""
    off -= worked
    near = [(day - DAY, day) for day in off | worked] + [(day, day + DAY) for day in off | worked]
    holidays = Holidays.model_construct(off=list(off), worked=list(worked))
    found = computed([*pairs, *near], holidays)
    assert found == [reckoned(a, b, off, worked) for a, b in [*pairs, *near]]


def test_working_days_of_unknown_and_of_far_days() -> None:
    none = Holidays.model_construct(off=[], worked=[])
    day, far = dt.date(2021, 3, 5), dt.date(9999, 12, 31)
    assert computed([(None, day), (day, None), (None, None)], none) == [None, None, None]
    assert computed([(dt.date(1, 1, 1), far)], none) == [weekdays(dt.date(1, 1, 1), far)]


def weekdays(first: dt.date, last: dt.date) -> int:
    """Count weekdays after a Monday and up to a day by whole weeks."""
    weeks, rest = divmod((last - first).days + 1, 7)
    return weeks * 5 + min(rest, 5) - 1


def test_a_query_does_not_grow_with_the_time_between() -> None:
    """A hundred holidays cost a hundred comparisons in the query, of which seven are made for a day."""
    days = [dt.date(2021, 1, 1) + 3 * DAY * n for n in range(100)]
    holidays = Holidays.model_construct(off=[day for day in days if day.isoweekday() < 6], worked=[])
    query = workdays(cast(exp.Null(), "DATE"), cast(exp.Null(), "DATE"), holidays)
    deepest = max(case.depth for case in query.find_all(exp.Case))
    shallowest = min(case.depth for case in query.find_all(exp.Case))
    assert len(list(query.find_all(exp.Case))) == 2 * len(holidays.off)
    assert deepest - shallowest <= 7 * 3


# --- the file beside the data -----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}\n"])
def test_a_data_yaml_may_say_nothing_but_not_be_empty(tmp_path: Path, text: str) -> None:
    pack = write_pack(
        tmp_path / "pack",
        pack="pack: p\ntitle: {en: P}\nlanguage: en\n",
        member="subject: member\nkey: id\nfields: {id: text}\n",
    )
    write_csv(tmp_path / "data" / "member.csv", ["id"], [["A"]])
    (tmp_path / "data" / "data.yaml").write_text(text, encoding="utf-8")
    if text == "{}\n":
        assert evaluator.run(pack, tmp_path / "data", 2021, tmp_path / "out").is_dir()
    else:
        with pytest.raises(Stop) as stopped:
            evaluator.run(pack, tmp_path / "data", 2021, tmp_path / "out")
        assert {problem.code for problem in stopped.value.problems} == {"P115"}
