import datetime as dt
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from conftest import examples
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sayings import (
    ATOM,
    Draw,
    Maker,
    Row,
    Said,
    Size,
    Words,
    case,
    column_size,
    half_away,
    join,
    known_of,
    literal,
    months,
    strict,
)
from sqlglot import exp

from evaluator.diagnostics import Span, Stop
from evaluator.pack.check import load_pack
from evaluator.pack.definitions import Formula, Pack
from evaluator.pack.dialect import Wrong
from evaluator.pack.expression import compile_expression
from evaluator.pack.folding import folded
from evaluator.pack.nodes import Node
from evaluator.pack.types import Found, ParameterType, Type
from evaluator.sql.duck import DuckDatabase
from evaluator.sql.lower import Lowering, constant_of
from evaluator.sql.rows import Rows
from evaluator.sql.trees import named, table

MILLION = 10**6
PACK = """\
pack: demo
title: {zh: 示范}
language: zh
holidays: {off: [2021-01-01, 2021-03-01, 2019-07-01], worked: [2021-02-28, 2020-02-29, 2016-01-03]}
parameters:
  half: 0.5
  points_of: {is: {甲: 10, 乙: 2.5}, else: -0.000001}
  strict_points: {is: {甲: 1, 乙: 2}}
  rank_of: {is: {调研: 1, 培训: 3}}
  is_good: {is: {调研: true, 培训: false}}
  begins: {is: {调研: 2021-01-31, 培训: 2020-02-29}}
  exactly: {is: {1: 11, 2.5: 22, -3: 33}, else: 0}
  of_truth: {is: {true: 7, false: -7.5}}
  thin: {is: {甲: 0.0000004}, else: 0}
  band: {from: {-5: -1, 0: 0, 2.5: 2, 6: 5.25}, else: 99}
  bare_band: {from: {0: 0, 3: 2}}
  late: {up_to: {15: 迟到, 60: 半缺}, else: 缺席}
  rate: {from: {2019-01-01: 0.5, 2021-03-01: 0.6}, else: 0.1}
  deduction:
    rows: {is: [调研, 培训]}
    columns: {up_to: [0, 15]}
    values: [[-1, -2], [-2, -3.5]]
    else: -100
  grid:
    rows: {from: [0, 10]}
    columns: {is: [甲, 乙]}
    values: [[1, 2], [3, 4]]
tables:
  peers:
    key: id
    fields: {id: text, amount: number, note: text}
  things:
    key: id
    fields:
      id: text
      x: number
      y: {type: number, optional: true}
      n: integer
      m: {type: integer, optional: true}
      p: boolean
      q: {type: boolean, optional: true}
      s: text
      kind: {one_of: [调研, 培训]}
      held: date
      until: {type: date, optional: true}
      peer: {ref: peers, optional: true}
      数: number
"""
START, END = dt.date(2021, 1, 1), dt.date(2021, 12, 31)
SETTINGS: dict[str, object] = {"this_year": 2021, "period_start": START, "period_end": END}
LEVELS = Type("text", ("调研", "培训"), True)  # the order of the texts is the other way round
PEERS = [("A", "10.000001", "甲"), ("B", "-0.333333", ""), ("C", "0", "it's \\ 乙😀")]
THINGS: list[tuple[Any, ...]] = [
    ("1", "0", "0", 0, 0, True, True, "", "调研", "2021-01-31", "2021-02-28", 1, "1"),
    ("2", "1", None, 1, None, False, None, "甲", "培训", "2020-02-29", None, None, "-1"),
    ("3", "-1", "0.000001", -1, 3, True, False, "乙", "调研", "2020-12-31", "2021-01-01", 2, "0.5"),
    ("4", "2.5", "-2.5", 60, -3, False, True, "it's", "培训", "2021-03-01", "2019-01-01", 3, "-0.5"),
    ("5", "-2.5", "0.333333", -15, None, True, None, "\\%_'", "调研", "2021-05-31", "2021-03-01", 1, "2.5"),
    ("6", "0.000001", None, 15, 15, False, False, "甲乙😀丙", "培训", "2024-02-29", None, None, "-2.5"),
    ("7", "-0.000001", "999.999999", 1000, 1, True, None, " a\n", "调研", "2016-01-03", "2021-12-31", 2, "3.5"),
    ("8", "333.333333", "-0.5", 3, 0, False, True, "甲 ", "培训", "2021-10-10", "2021-10-09", 3, "0.000001"),
    ("9", "-999.999999", "6", 6, -1000, True, False, "A", "调研", "2019-07-01", None, 1, "6"),
]


def millionths(written: str | None) -> int | None:
    return None if written is None else int(Fraction(written) * MILLION)


class Bench:
    """A pack, its rows in DuckDB, and the same rows as plain values."""

    def __init__(self, folder: Path) -> None:
        folder.joinpath("pack.yaml").write_text(PACK, encoding="utf-8")
        self.pack = load_pack(folder)
        self.db = DuckDatabase(is_small=True)
        self.db.places = [("台账.csv", "")]
        place = '"#sid" bigint, "#src" bigint, "#row" bigint, id text'
        run = self.db.connection
        run.execute(f"create table data.peers ({place}, amount bigint, note text)")
        run.execute(
            f"create table data.things ({place}, x bigint, y bigint, n bigint, m bigint, p boolean, q boolean,"
            " s text, kind text, held date, until date, peer bigint, 数 bigint)"
        )
        for sid, (key, amount, note) in enumerate(PEERS, 1):
            values = [sid, 0, sid + 1, key, millionths(amount), note]
            run.execute("insert into data.peers values (?, ?, ?, ?, ?, ?)", values)
        for sid, (key, x, y, n, m, p, q, s, kind, day, until, peer, other) in enumerate(THINGS, 1):
            values = [sid, 0, sid + 1, key, millionths(x), millionths(y), n, m, p, q, s, kind, day, until, peer]
            values.append(millionths(other))
            run.execute(f"insert into data.things values ({', '.join('?' * len(values))})", values)
        self.rows = [self.plain(thing) for thing in THINGS]

    @staticmethod
    def plain(thing: tuple[Any, ...]) -> Row:
        names = ("id", "x", "y", "n", "m", "p", "q", "s", "kind", "held", "until", "peer", "数")
        row: Row = dict(zip(names, thing, strict=True))
        for name in ("x", "y", "n", "m", "数"):
            row[name] = None if row[name] is None else Fraction(row[name])
        for name in ("held", "until"):
            row[name] = None if row[name] is None else dt.date.fromisoformat(row[name])
        peer = row["peer"] and PEERS[row["peer"] - 1]
        row["peer.amount"] = Fraction(peer[1]) if peer else None
        row["peer.note"] = peer[2] if peer else None
        return row

    def compile(self, text: str) -> Node:
        return compile_expression(text, TableScope(self.pack, "things"))

    def values(self, *texts: str, base: str = "things") -> list[list[Any]]:
        """Return the stored value of each expression for each row, in the order of the rows."""
        return self.stored([self.compile(text) for text in texts], base)

    def stored(self, nodes: list[Node], base: str = "things") -> list[list[Any]]:
        lowering = Lowering(Rows(table(base), "t", table, SETTINGS, self.pack, "things"))
        columns = [named(lowering.stored(node), f"v{place}") for place, node in enumerate(nodes)]
        query = lowering.rows.select(*columns).order_by(exp.column("#sid", "t", quoted=True))
        return [list(values) for values in zip(*self.db.rows(query), strict=True)]


class TableScope:
    has_history = False

    def values_left(self, hops: tuple[str, ...], leaf: str) -> None:
        return None

    def __init__(self, pack: Pack, owner: str) -> None:
        self.pack, self.owner = pack, owner

    def find(self, parts: list[str]) -> Found:
        owner, nullable = self.owner, False
        if parts == ["level"]:
            return Found((), owner, "kind", LEVELS, False)
        for place, part in enumerate(parts):
            found = self.pack.tables[owner].fields.get(part)
            if found is None:
                raise LookupError(place, list(self.pack.tables[owner].fields))
            nullable = nullable or found.nullable
            if place == len(parts) - 1:
                return Found(tuple(parts[:-1]), owner, part, found.type, nullable)
            owner = found.type.target
        raise AssertionError

    def parameter(self, name: str) -> ParameterType | None:
        found = self.pack.parameters.get(name)
        return found.type if found else None


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("pack"))
    yield made
    made.db.close()


# --- random expressions -----------------------------------------------------------------------------------


def name(text: str, kind: str, largest: int = 1000) -> Said:
    return Said(text, ATOM, kind, lambda row: row[text], column_size(largest, kind == "integer"))


def condition(text: str, value: Any) -> Said:
    return Said(text, 3, "boolean", value)


BEGINS = {"调研": dt.date(2021, 1, 31), "培训": dt.date(2020, 2, 29)}
LEAVES = [
    *(name(n, "number") for n in ("x", "y", "数", "peer.amount")),
    *(name(n, "integer") for n in ("n", "m")),
    *(name(n, "boolean") for n in ("p", "q")),
    *(name(n, "text") for n in ("s", "peer.note")),
    *(name(n, "date") for n in ("held", "until")),
    *(literal(t) for t in ("", "甲", "乙", "it's", "\\", "😀", "a\n", True, False)),
    Said("half", ATOM, "number", lambda _: Fraction(1, 2), Size(0, 0, 1, 2)),
    Said("this_year", ATOM, "integer", lambda _: Fraction(2021), Size(4, 4, 0, 1)),
    Said("period_start", ATOM, "date", lambda _: START),
    Said("period_end", ATOM, "date", lambda _: END),
    condition("kind = '调研'", lambda row: row["kind"] == "调研"),
    condition("kind in ('调研', '培训')", lambda _: True),
    condition("kind <> '调研'", lambda row: row["kind"] != "调研"),
    condition("kind = s", lambda row: row["kind"] == row["s"]),
    condition("level >= '培训'", lambda row: row["kind"] == "培训"),
    condition("'调研' < level", lambda row: row["kind"] == "培训"),
    condition("level between '调研' and level", lambda _: True),
    condition("peer is null", lambda row: row["peer"] is None),
    condition("is_good(kind)", lambda row: row["kind"] == "调研"),
    Said("rank_of(kind)", ATOM, "integer", lambda row: Fraction(1 if row["kind"] == "调研" else 3), Size(1, 1, 0, 1)),
    Said("begins(kind)", ATOM, "date", lambda row: BEGINS[row["kind"]]),
]


def looked_up(text: str, compute: Any, *arguments: Said) -> Said:
    written = f"{text}({', '.join(a.text for a in arguments)})"
    return Said(written, ATOM, "number", strict(compute, *arguments), Size(2, 8, 6, MILLION))


def highest_below(argument: Any, table_of: dict[Any, str], otherwise: str) -> Fraction:
    below = [bound for bound in table_of if bound <= argument]
    return Fraction(table_of[max(below)] if below else otherwise)


def from_points(draw: Draw, maker: Maker) -> Said:
    table_of = {"甲": "10", "乙": "2.5"}
    return looked_up("points_of", lambda v: Fraction(table_of.get(v, "-0.000001")), maker.make("text", 1))


def from_exactly(draw: Draw, maker: Maker) -> Said:
    table_of = {Fraction(1): 11, Fraction("2.5"): 22, Fraction(-3): 33}
    made = looked_up("exactly", lambda v: Fraction(table_of.get(v, 0)), maker.make("number", 1))
    return Said(made.text, ATOM, "integer", made.value, Size(2, 2, 0, 1))


def from_truth(draw: Draw, maker: Maker) -> Said:
    return looked_up("of_truth", lambda v: Fraction("7" if v else "-7.5"), maker.make("boolean", 1))


def from_band(draw: Draw, maker: Maker) -> Said:
    table_of = {-5: "-1", 0: "0", Fraction("2.5"): "2", 6: "5.25"}
    return looked_up("band", lambda v: highest_below(v, table_of, "99"), maker.make("number", 1))


def from_rate(draw: Draw, maker: Maker) -> Said:
    table_of = {dt.date(2019, 1, 1): "0.5", dt.date(2021, 3, 1): "0.6"}
    return looked_up("rate", lambda v: highest_below(v, table_of, "0.1"), maker.date_or_literal(1))


def from_late(draw: Draw, maker: Maker) -> Said:
    def word(v: Fraction) -> str:
        return "迟到" if v <= 15 else "半缺" if v <= 60 else "缺席"

    argument = maker.make("number", 1)
    holds = condition(f"late({argument.text}) = '半缺'", strict(lambda v: word(v) == "半缺", argument))
    return case([holds], [maker.leaf("number"), maker.leaf("number")], "else")


def from_deduction(draw: Draw, maker: Maker) -> Said:
    argument = maker.make("number", 1)

    def value(row: Row) -> Fraction | None:
        rows = {"调研": ("-1", "-2"), "培训": ("-2", "-3.5")}[row["kind"]]
        found = argument.value(row)
        return known_of([found], lambda v: Fraction(rows[0] if v <= 0 else rows[1] if v <= 15 else "-100"))

    return Said(f"deduction(kind, {argument.text})", ATOM, "number", value, Size(2, 8, 6, MILLION))


WORDS = Words(LEAVES, [from_points, from_exactly, from_truth, from_band, from_rate, from_late, from_deduction])


def as_stored(value: Any, kind: str) -> Any:
    if value is None or kind not in ("number", "integer"):
        return value
    return int(half_away(value, 6) * MILLION) if kind == "number" else int(value)


drawn = settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    database=None,
)


@drawn
@given(
    st.lists(
        st.sampled_from(["number", "number", "integer", "boolean", "boolean", "text", "date"]).flatmap(
            lambda kind: WORDS.expressions(kind, 3)
        ),
        min_size=1,
        max_size=6,
    )
)
def test_every_expression_means_in_sql_what_it_says(bench: Bench, said: list[Said]) -> None:
    nodes = [bench.compile(s.text) for s in said]
    found = bench.stored(nodes)
    for one, node, values in zip(said, nodes, found, strict=True):
        wanted = [as_stored(one.value(row), one.type) for row in bench.rows]
        assert node.type.base == one.type, one
        assert node.nullable or None not in wanted, one
        assert values == wanted, one


KNOWN = [
    condition("kind = '培训'", lambda row: row["kind"] == "培训"),
    condition("level = '调研'", lambda row: row["kind"] == "调研"),
    condition("kind <> '调研'", lambda row: row["kind"] != "调研"),
    condition("s = '甲'", lambda row: row["s"] == "甲"),
    condition("n = 15", lambda row: row["n"] == 15),
    condition("y = -2.5", lambda row: known_of([row["y"]], lambda y: y == Fraction("-2.5"))),
    condition("held = '2021-03-01'", lambda row: row["held"] == dt.date(2021, 3, 1)),
    condition("p", lambda row: row["p"]),
    condition("not q", lambda row: known_of([row["q"]], lambda q: not q)),
    condition("peer.note = '甲'", lambda row: known_of([row["peer.note"]], lambda note: note == "甲")),
]


@drawn
@given(
    st.sampled_from(["number", "number", "integer", "boolean", "text"]).flatmap(
        lambda kind: WORDS.expressions(kind, 3)
    ),
    st.lists(st.sampled_from(KNOWN), min_size=1, max_size=3).map(lambda parts: join("and", parts)),
)
def test_an_expression_is_folded_to_what_it_is_where_the_condition_holds(bench: Bench, said: Said, where: Said) -> None:
    node = folded(bench.compile(said.text), bench.compile(where.text), bench.pack.parameters)
    (found,) = bench.stored([node])
    there = [place for place, row in enumerate(bench.rows) if where.value(row) is True]
    wanted = {place: as_stored(said.value(bench.rows[place]), said.type) for place in there}
    assert {place: found[place] for place in there} == wanted


@pytest.mark.parametrize(
    ("text", "where", "value"),
    [
        ("points_of(s) + 1", "s = '甲' and n > 0", 11),
        ("rank_of(kind) * 2", "kind <> '调研'", 6),
        ("n - half", "n = 15", "14.5"),
        ("points_of(s)", "s = '丙'", "-0.000001"),
        ("points_of(s)", "s = '甲' or n = 1", None),
        ("points_of(s)", None, None),
        ("thin(s)", "s = '甲'", None),  # it is rounded where it is looked up
    ],
)
def test_what_a_condition_tells_is_a_constant(bench: Bench, text: str, where: str | None, value: object) -> None:
    condition = None if where is None else bench.compile(where)
    found = constant_of(folded(bench.compile(text), condition, bench.pack.parameters))
    assert found == (None if value is None else Fraction(str(value)))


def test_a_text_that_no_row_has_is_unknown(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    try:
        assert bench.values("case when n > 5000 then '优秀' end = '合格'") == [[None] * len(THINGS)]
    finally:
        bench.db.close()


def test_months_are_whole_ones() -> None:
    """The oracle steps month by month; these are the cases a reader would ask about."""
    wanted = {
        ("2021-01-31", "2021-02-28"): 0, ("2021-01-31", "2021-03-31"): 2, ("2021-02-28", "2021-03-28"): 1,
        ("2020-02-29", "2021-02-28"): 11, ("2021-03-01", "2021-02-28"): 0, ("2021-03-31", "2020-02-29"): -13,
        ("2020-12-31", "2021-01-31"): 1,
    }  # fmt: skip
    for (first, last), count in wanted.items():
        assert months(dt.date.fromisoformat(first), dt.date.fromisoformat(last)) == count


# --- at the edges of the integers -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(bench: Bench) -> str:
    """One row whose numbers have six digits before the point and six after it."""
    bench.db.connection.execute(
        "create table data.large as select * replace (999999999999 as x, -1000000000001 as y, 1234567890123 as 数,"
        " 9000000000000000000 as n, 1 as m) from data.things where id = '1'"
    )
    return "large"


def test_large_numbers_are_exact_or_refused(bench: Bench, large: str) -> None:
    x, y, other = Fraction(999999999999, MILLION), Fraction(-1000000000001, MILLION), Fraction(1234567890123, MILLION)
    exactly = {
        "x * x": x * x, "x * y": x * y, "x * 数": x * other, "x * x - 数 * y": x * x - other * y,
        "x * y / 数": x * y / other, "x / y": x / y, "x / y + y / 数": x / y + y / other,
        "round(x * x / 1073741824, 2)": half_away(x * x / 1073741824, 2), "x / 1200": x / 1200,
        "(x / y) / (数 / x)": (x / y) / (other / x), "x / y * 数": x / y * other,
    }  # fmt: skip
    found = bench.values(*exactly, base=large)
    assert dict(zip(exactly, found, strict=True)) == {
        text: [as_stored(value, "number")] for text, value in exactly.items()
    }
    conditions = ["x * x = x * x", "x * y < x * x", "x / y = x / y", "x / 数 > y / 数", "x * x * 数 > x * x"]
    assert bench.values(*conditions, base=large) == [[True]] * len(conditions)
    too_large = ["x * x * x", "x * x * x * x * x * x > 0", "n + n", "n * 2", "half * half * x * x * x * x * x * x * x"]
    for text in too_large:
        with pytest.raises(Stop, match=r"R108"):
            bench.values(text, base=large)


def test_small_literals_do_not_overflow_the_databases_32_bits(bench: Bench) -> None:
    wanted = {
        "case when p then 1500000000 else 0 end + case when p then 1500000000 else 1 end": 3 * 10**9,
        "least(2147483647, 2147483647) - greatest(-2147483647, -2147483647)": 4294967294,
        "floor(case when p then -2147.483647 else 0.000001 end)": -2148,
        "length('甲') * 2147483647 + 2147483647": 2 * 2147483647,
    }
    assert [values[0] for values in bench.values(*wanted)] == list(wanted.values())


def test_the_deepest_expression_that_is_read_can_be_run(bench: Bench) -> None:
    for shape in ("abs({})", "-({})", "({}) + x", "case when p then {} else y end"):
        text = "x"
        with pytest.raises(Wrong, match="too deeply"):  # noqa: PT012
            while True:
                bench.compile(shape.format(text))
                text = shape.format(text)
        assert text.count(shape.split("{}")[0]) >= 29
        assert len(bench.values(text)[0]) == len(THINGS)


# --- parameters and orderings -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said", "row"),
    [
        ("strict_points(id)", "strict_points(1) has no entry", 2),
        ("bare_band(数 - 1)", "bare_band(-2) has no entry", 3),
        ("bare_band(数 - 1.5)", "bare_band(-0.5) has no entry", 2),
        ("grid(0.25, coalesce(peer.note, '丙'))", "grid(0.25, 丙) has no entry", 3),
        ("grid(n - 1, '甲')", "grid(-1, 甲) has no entry", 2),
    ],
)
def test_a_value_without_an_entry_is_named_with_its_place(bench: Bench, text: str, said: str, row: int) -> None:
    bench.db.connection.execute(f'create or replace table data.one as select * from data.things where "#row" = {row}')
    with pytest.raises(Stop) as stopped:
        bench.values(text, base="one")
    (problem,) = stopped.value.problems
    assert (problem.code, problem.message, str(problem.at)) == ("R106", said, f"台账.csv:{row}")


def test_unknown_arguments_have_no_entry_to_miss(bench: Bench) -> None:
    assert bench.values("bare_band(y * 0)", "of_truth(q)") == [
        [None if row["y"] is None else 0 for row in bench.rows],
        [None if row["q"] is None else 7 * MILLION if row["q"] else -7500000 for row in bench.rows],
    ]


def test_levels_sort_by_their_place(bench: Bench) -> None:
    node = bench.compile("level")
    lowering = Lowering(Rows(table("things"), "t", table, SETTINGS, bench.pack, "things"))
    order = lowering.ordering(Formula(node, "level", Span("pack.yaml", 1, 1)))
    query = lowering.rows.select(exp.column("kind", "t"), order)
    assert set(bench.db.rows(query)) == {("调研", 0), ("培训", 1)}
