"""Functions over years, against a plain program: random years, gaps, exclusions, newcomers, who comes back."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conftest import examples, rows_of, write_csv, write_pack
from hypothesis import example, given, settings
from hypothesis import strategies as st

import evaluator

NOW, FIRST_OF_TERM = 2021, 2018
PACK = """
    pack: years
    title: {{en: years}}
    language: en
    history: {{gap: {gap}}}
    terms: [{{name: old, from: 2013-01-01, to: 2017-12-31}}, {{name: now, from: 2018-01-01, to: 2022-12-31}}]
"""
KIND = """
    subject: member
    key: id
    fields: {id: text, hours: number, extra: {type: number, optional: true}, away: boolean}
    not_assessed: [{when: away, reason: away}]
    score: {points: hours}
    measures:
      last_total: last(total)
      last_extra: last(extra)
      last_grade: last(grade)
      last_late: last(this_year - 2000)
      running: years_running(total < 5)
      running_extra: years_running(extra < 5)
      weak_of_2: years(grade = 'weak', 2)
      extra_of_term: years(extra > 3, term)
      sum_of_3: sum_years(total, 3)
      sum_of_term: sum_years(extra, term)
      thirds_of_4: sum_years(coalesce(extra, 0) / 3, 4)
    verdicts:
      grade: {value: case when total < 5 then 'weak' else 'good' end, levels: [weak, good]}
"""
Result = dict[str, Any]
"""What a subject came to in a year: total, extra, grade; None is unknown."""


def looked_at(results: dict[int, Result], gap: str, count: int, last: int) -> list[tuple[int, Result]]:
    """Return the last `count` years up to `last`, latest first."""
    if gap == "skipped":
        return [(year, results[year]) for year in sorted(results, reverse=True) if year <= last][:count]
    return [(year, results[year]) for year in range(last, last - count, -1) if year in results]


def in_term(results: dict[int, Result]) -> list[tuple[int, Result]]:
    return [(year, result) for year, result in results.items() if year >= FIRST_OF_TERM]


def running(results: dict[int, Result], gap: str, holds: Callable[[Result], bool]) -> int:
    count, year = 0, NOW
    while NOW in results and year >= min(results):
        if year in results:
            if not holds(results[year]):
                break
            count += 1
        elif gap == "breaks":
            break
        year -= 1
    return count


def added(values: list[Decimal | None]) -> Decimal | None:
    return None if None in values else sum((v for v in values if v is not None), Decimal(0))


def below(value: Decimal | None, bound: int) -> bool:
    return value is not None and value < bound


def third(result: Result) -> Decimal:
    return ((result["extra"] or Decimal(0)) / 3).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def told(results: dict[int, Result], gap: str) -> Result:
    """Return what the measures of the pack should be."""
    nothing: Result = {"total": None, "extra": None, "grade": None}
    before = looked_at(results, gap, 1, NOW - 1)
    year, last = before[0] if before else (None, nothing)
    return {
        "last_total": last["total"],
        "last_extra": last["extra"],
        "last_grade": last["grade"],
        "last_late": None if year is None else year - 2000,
        "running": running(results, gap, lambda r: below(r["total"], 5)),
        "running_extra": running(results, gap, lambda r: below(r["extra"], 5)),
        "weak_of_2": sum(r["grade"] == "weak" for _, r in looked_at(results, gap, 2, NOW)),
        "extra_of_term": sum(r["extra"] is not None and r["extra"] > 3 for _, r in in_term(results)),
        "sum_of_3": added([r["total"] for _, r in looked_at(results, gap, 3, NOW)]),
        "sum_of_term": added([r["extra"] for _, r in in_term(results)]),
        "thirds_of_4": added([third(r) for _, r in looked_at(results, gap, 4, NOW)]),
    }


@settings(max_examples=examples(4))
@given(
    seed=st.integers(0, 10**6),
    gap=st.sampled_from(["breaks", "skipped"]),
    origins=st.lists(st.sampled_from(["run", "entered", "none"]), min_size=5, max_size=5),
)
@example(seed=1, gap="breaks", origins=["entered", "none", "run", "run", "run"])
@example(seed=2, gap="skipped", origins=["entered", "entered", "none", "run", "none"])
@example(seed=3, gap="skipped", origins=["none"] * 5)
def test_any_history(seed: int, gap: str, origins: list[str]) -> None:
    """Every function over years says of everybody what the plain program says."""
    chance = random.Random(seed)
    people = [f"M{number:02}" for number in range(40)]
    now = [one for one in people if chance.random() < 0.9] or people
    results: dict[str, dict[int, Result]] = {one: {} for one in people}
    with TemporaryDirectory() as place:
        folder = Path(place)
        pack = evaluator.load_pack(write_pack(folder / "pack", pack=PACK.format(gap=gap), member=KIND))
        history, entered = [], []
        for year, origin in zip(range(NOW - 5, NOW + 1), [*origins, "run"], strict=True):
            rows = []
            for one in now if origin == "entered" or year == NOW else people:
                if year != NOW and (origin == "none" or chance.random() < 0.25):
                    continue
                hours, extra = Decimal(chance.randrange(1000)) / 100, Decimal(chance.randrange(80)) / 7
                extra_text = "" if chance.random() < 0.2 else f"{extra:.6f}"
                away = chance.random() < 0.2
                result = {
                    "total": hours,
                    "extra": Decimal(extra_text) if extra_text else None,
                    "grade": "weak" if hours < 5 else "good",
                }
                if origin == "entered":
                    result = {name: None if chance.random() < 0.2 else value for name, value in result.items()}
                    if any(value is not None for value in result.values()):
                        results[one][year] = result
                    entered += [(year, one, name, value) for name, value in result.items() if value is not None]
                    continue
                rows.append((one, hours, extra_text, away))
                if not away:
                    results[one][year] = result
            if origin == "run" and rows:
                data = write_csv(folder / f"data{year}" / "member.csv", ["id", "hours", "extra", "away"], rows).parent
                if year == NOW and entered:
                    write_csv(data / "past_results.csv", ["year", "subject", "name", "value"], entered)
                chance.shuffle(history)
                history.append(evaluator.run(pack, data, year, folder / f"r{year}", history))
        found = {str(row["id"]): row for row in rows_of(history[-1], "subjects/member")}
        assert found.keys() == set(now)
        for one in now:
            wanted = told(results[one], gap)
            assert {name: found[one][name] for name in wanted} == wanted, (one, results[one])
