"""Fields from other rows and parameters from tables, against plain Python over the same rows in any order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from conftest import empty_folder, examples, write_csv, write_pack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluator import load_pack
from evaluator.data.tables import load_tables
from evaluator.diagnostics import Problems
from evaluator.pack.definitions import Pack
from evaluator.pack.derivation import Derivation
from evaluator.sql.duck import DuckDatabase

PACK = """
    pack: derived
    title: {en: Derived}
    language: en
    parameters:
      low: {table: cuts, match: word, from: bound, value: given, else: -1}
      high: {table: cuts, match: word, up_to: bound, value: given, else: -1}
    tables:
      parts:
        key: no
        fields:
          no: integer
          whole: {ref: wholes}
          also: {ref: wholes, optional: true}
          word: {type: text, optional: true}
          number: {type: integer, optional: true}
          value: {type: number, optional: true}
          held_on: date
          half: {value: number / 2}
          alike: {count: parts, same: [word, number]}
          in_month: {sum: value, same: "month(held_on)", where: value > 0}
          in_whole: {distinct: word, same: whole}
          of_crowd: {any: alike > 2, same: whole}
          by_low: {value: "low(word, value)"}
          by_high: {value: "high(word, value)"}
      wholes:
        key: id
        fields:
          id: text
          word: {type: text, optional: true}
          half: {type: number, optional: true}
          parts: {count: parts, via: whole}
          either: {count: parts, via: [whole, also]}
          value: {sum: value, of: parts, via: whole}
          first: {min: held_on, of: parts, via: whole, default: 2021-12-31}
          largest: {max: value, of: parts, via: whole, where: number > 1}
          by_half: {count: parts, same: [word, half], where: alike < 3}
      cuts:
        key: [word, bound]
        fields: {word: text, bound: number, given: number}
"""
MEMBER = """
    subject: member
    key: id
    fields: {id: text, siblings: {count: member, same: "length(id)"}}
"""
Row = dict[str, Any]
WORDS, NUMBERS = st.sampled_from(["", "a", "b"]), st.sampled_from([None, 1, 2, 3])
VALUES = st.sampled_from([None, *map(Decimal, ("-1", "0", "0.5", "2", "1.000001"))])
parts_rows = st.tuples(
    st.sampled_from("ABC"), st.sampled_from(["", *"ABC"]), WORDS, NUMBERS, VALUES,
    st.dates(dt.date(2020, 1, 1), dt.date(2022, 12, 31)),
)  # fmt: skip
cuts_rows = st.dictionaries(
    st.tuples(st.sampled_from("ab"), VALUES.filter(lambda value: value is not None)), st.integers(0, 5), max_size=6
)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return load_pack(write_pack(tmp_path_factory.mktemp("pack"), pack=PACK, member=MEMBER))


def read(pack: Pack, folder: Path) -> dict[str, list[Row]]:
    """Return the rows of every table, by their keys."""
    db, problems = DuckDatabase(), Problems()
    year = {"this_year": 2021, "period_start": dt.date(2021, 1, 1), "period_end": dt.date(2021, 12, 31)}
    try:
        load_tables(db, pack, folder, year, problems)
        problems.stop_on_errors()
        tables = {}
        for name, made in pack.tables.items():
            found = db.connection.execute(f'select * from data."{name}" order by "#sid"')
            names = [column[0] for column in found.description or ()]
            tables[name] = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
            for field in made.fields.values():
                for row in tables[name]:
                    if field.type.base == "number" and row[field.name] is not None:
                        row[field.name] = Decimal(row[field.name]) / 1_000_000
        return tables
    finally:
        db.close()


def known(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def agree(one: Row, other: Row, *parts: Callable[[Row], Any]) -> bool:
    return all(part(one) is not None and part(one) == part(other) for part in parts)


def half(row: Row) -> Fraction | None:
    return None if row["number"] is None else Fraction(row["number"], 2)


@given(
    st.lists(parts_rows, max_size=12),
    st.lists(st.tuples(WORDS, st.sampled_from([None, Decimal("0.5"), Decimal(1)])), min_size=3, max_size=3),
    cuts_rows,
    st.randoms(use_true_random=False),
)
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_fields_from_other_rows(
    pack: Pack, tmp_path: Path, parts: list[Any], wholes: list[Any], cuts: dict[tuple[str, Decimal], int], chance: Any
) -> None:
    """Aggregates over rows that refer here or agree, and values read from a table, are those of the definition."""
    data = empty_folder(tmp_path / "data")
    names = ("whole", "also", "word", "number", "value", "held_on")
    given_parts = [dict(zip(names, row, strict=True)) | {"no": no} for no, row in enumerate(parts, 1)]
    given_wholes = [{"id": i, "word": word, "half": h} for i, (word, h) in zip("ABC", wholes, strict=True)]
    given_cuts = [{"word": word, "bound": bound, "given": value} for (word, bound), value in cuts.items()]
    for name, rows, headings in (
        ("parts", given_parts, ("no", *names)),
        ("wholes", given_wholes, ("id", "word", "half")),
        ("cuts", given_cuts, ("word", "bound", "given")),
        ("member", [{"id": "x"}, {"id": "y"}, {"id": "zz"}], ("id",)),
    ):
        shuffled = chance.sample(rows, len(rows))
        write_csv(
            data / f"{name}.csv", headings, [["" if (c := r[h]) is None else c for h in headings] for r in shuffled]
        )
    tables = read(pack, data)
    alike = {p["no"]: sum(agree(p, q, word_of, number_of) for q in given_parts) for p in given_parts}
    assert len(tables["parts"]) == len(given_parts)
    for found in tables["parts"]:
        p = given_parts[found["no"] - 1]
        assert found["alike"] == alike[p["no"]]
        month = [q["value"] for q in given_parts if q["held_on"].month == p["held_on"].month]
        assert found["in_month"] == sum(value for value in known(month) if value > 0)
        mine = [q for q in given_parts if q["whole"] == p["whole"]]
        assert found["in_whole"] == len({q["word"] for q in mine})
        assert found["of_crowd"] == any(alike[q["no"]] > 2 for q in mine)
        for how in ("by_low", "by_high"):
            assert found[how] == looked_up(given_cuts, p, how)
    for found in tables["wholes"]:
        w = next(w for w in given_wholes if w["id"] == found["id"])
        mine = [q for q in given_parts if q["whole"] == w["id"]]
        assert found["parts"] == len(mine)
        assert found["either"] == sum(w["id"] in (q["whole"], q["also"]) for q in given_parts)
        assert found["value"] == sum(known(q["value"] for q in mine))
        assert found["first"] == min((q["held_on"] for q in mine), default=dt.date(2021, 12, 31))
        large = known(q["value"] for q in mine if q["number"] is not None and q["number"] > 1)
        assert found["largest"] == max(large, default=None)
        same = [q for q in given_parts if w["half"] is not None and (w["word"], w["half"]) == (q["word"], half(q))]
        assert found["by_half"] == sum(alike[q["no"]] < 3 for q in same)
    assert [row["siblings"] for row in tables["member"]] == [2, 2, 1]


def word_of(row: Row) -> Any:
    return row["word"]


def number_of(row: Row) -> Any:
    return row["number"]


def looked_up(cuts: list[Row], part: Row, how: str) -> Decimal | None:
    if part["value"] is None:
        return None
    mine = [cut for cut in cuts if cut["word"] == part["word"]]
    if how == "by_low":
        fitting = sorted((c["bound"], c["given"]) for c in mine if c["bound"] <= part["value"])[-1:]
    else:
        fitting = sorted((c["bound"], c["given"]) for c in mine if c["bound"] >= part["value"])[:1]
    return Decimal(fitting[0][1]) if fitting else Decimal(-1)


def test_tables_are_made_in_few_steps(pack: Pack) -> None:
    """Rows come first, then what reads them; fields that can be derived together are."""
    steps = Derivation(pack.tables, pack.parameters).steps()
    assert [(step.table, step.is_first, len(step.levels)) for step in steps] == [
        ("wholes", True, 0),
        ("cuts", True, 0),
        ("member", True, 0),
        ("parts", True, 1),
        ("wholes", False, 1),
        ("member", False, 1),
        ("parts", False, 1),
        ("wholes", False, 1),
        ("parts", False, 1),
    ]
