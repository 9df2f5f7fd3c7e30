import itertools
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sayings import ATOM, Names, Row, Said, among, between, compare, is_null, join, literal, negate, number

from evaluator.pack.exclusion import can_both_hold
from evaluator.pack.expression import compile_expression
from evaluator.pack.nodes import Node
from evaluator.pack.types import BOOLEAN, INTEGER, NUMBER, Type

KINDS = ("甲", "乙", "丙")
LEVELS = ("优", "差", "中")  # worst to best, in no order of the alphabet
DOMAINS: dict[str, tuple[object, ...]] = {
    "kind": KINDS,
    "maybe": (*KINDS, ""),
    "level": LEVELS,
    "sure": (True, False),
    "asked": (True, False, None),
    "n": tuple(map(Fraction, (-1, 0, 1, 2))),
    "x": (*map(Fraction, ("-0.5", "0", "0.5", "1")), None),
}
SCOPE = Names(
    {
        "kind": Type("text", KINDS),
        "maybe": Type("text", (*KINDS, "")),
        "level": Type("text", LEVELS, True),
        "sure": BOOLEAN,
        "asked": BOOLEAN,
        "n": INTEGER,
        "x": NUMBER,
    },
    unknown={"asked", "x"},
)
ROWS = [dict(zip(DOMAINS, values, strict=True)) for values in itertools.product(*DOMAINS.values())]


def name(text: str) -> Said:
    kind = {"sure": "boolean", "asked": "boolean", "n": "number", "x": "number"}.get(text, "text")
    return Said(text, ATOM, kind, lambda row: row[text])


def constant(value: object) -> Said:
    return number(str(value)) if isinstance(value, int) else literal(value)  # type: ignore[arg-type]


@st.composite
def atoms(draw: Callable[..., object]) -> Said:
    """One condition on one name, in the forms authors write."""
    of = draw(st.sampled_from(sorted(DOMAINS)))
    if of in ("sure", "asked"):
        made = name(of)
        return draw(st.sampled_from([made, negate(made), compare("=", made, literal(True)), is_null(made)]))
    bounds = [number("0"), number("1"), number("0.5")] if of in ("n", "x") else [
        literal(value) for value in (LEVELS if of == "level" else KINDS)
    ]  # fmt: skip
    one, two = draw(st.sampled_from(bounds)), draw(st.sampled_from(bounds))
    ops = ["=", "<>"] if of in ("kind", "maybe") else ["=", "<>", "<", "<=", ">", ">="]
    op = draw(st.sampled_from([*ops, "in", "not in", "between", "turned", "null"]))
    if op == "null":
        return is_null(name(of))
    if op in ("in", "not in"):
        return among(name(of), [one, two], op)
    if op == "between" and of not in ("kind", "maybe"):
        return ordered(of, between(name(of), one, two), lambda row: all_known(row, of, one, two))
    if op in ("turned", "between"):
        return compare("=", one, name(of))
    return ordered(of, compare(op, name(of), one), lambda row: holds(op, row[of], one.value(row)))


def place(value: object) -> object:
    return LEVELS.index(value) if value in LEVELS else value


def holds(op: str, value: object, bound: object) -> bool | None:
    return compare(op, *(Said("", ATOM, "", lambda _, v=v: v) for v in (place(value), place(bound)))).value({})


def all_known(row: Row, of: str, low: Said, high: Said) -> bool | None:
    if row[of] is None:
        return None
    return bool(holds(">=", row[of], low.value(row)) and holds("<=", row[of], high.value(row)))


def ordered(of: str, said: Said, by_place: Callable[[Row], bool | None]) -> Said:
    """Levels compare by their place, not as texts."""
    return Said(said.text, said.binds, said.type, by_place) if of == "level" else said


conditions = st.recursive(
    atoms(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: join("and", parts)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: join("or", parts)),
        inner.map(negate),
    ),
    max_leaves=4,
)


def read(text: str) -> Node:
    return compile_expression(text, SCOPE, "boolean")


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(conditions, conditions)
def test_what_is_said_to_exclude_each_other_never_holds_together(one: Said, other: Said) -> None:
    answer = can_both_hold(read(one.text), read(other.text))
    assert answer == can_both_hold(read(other.text), read(one.text)), "the order does not matter"
    if not answer:
        together = [row for row in ROWS if one.value(row) is True and other.value(row) is True]
        assert not together, together[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("kind = '甲'", "kind = '乙'"),
        ("kind = '甲'", "kind <> '甲'"),
        ("kind in ('甲', '乙')", "kind = '丙'"),
        ("kind not in ('甲', '乙')", "kind in ('甲', '乙')"),
        ("not kind = '甲'", "kind = '甲'"),
        ("sure", "not sure"),
        ("asked and n > 1", "not asked and kind = '甲'"),
        ("n > 1", "n <= 1"),
        ("n between 0 and 1", "n between 1.5 and 2"),
        ("n >= 1 and kind = '甲'", "n < 1 or kind = '乙'"),
        ("level >= '中'", "level <= '差'"),
        ("level = '优'", "level > '优'"),
    ],
)  # fmt: skip
def test_the_usual_ways_to_tell_records_apart_are_seen(one: str, other: str) -> None:
    assert not can_both_hold(read(one), read(other))


def test_without_a_condition_every_record_counts() -> None:
    assert can_both_hold(None, read("sure")) and can_both_hold(read("sure"), None) and can_both_hold(None, None)
