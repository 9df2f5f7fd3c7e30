import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from sayings import (
    ATOM,
    COMPARE,
    COMPARISONS,
    Draw,
    Row,
    Said,
    Words,
    all_of,
    among,
    any_of,
    arithmetic,
    between,
    coalesce,
    column_size,
    compare,
    half_away,
    is_null,
    known_of,
    literal,
    number,
)

from evaluator.diagnostics import Problems, Stop
from evaluator.engine import decide
from evaluator.engine.decide import Bench, judge
from evaluator.engine.families import NONE, UNKNOWN, Family, Gate, compile_family, word
from evaluator.engine.plan import Decide, make_plan
from evaluator.engine.situations import rule_that_decided
from evaluator.pack.check import load_pack
from evaluator.pack.definitions import Pack
from evaluator.pack.nodes import (
    Arithmetic,
    Call,
    Case,
    Compare,
    Const,
    IsNull,
    Junction,
    Lookup,
    Name,
    Node,
    Not,
    OneOf,
)
from evaluator.sql.duck import DuckDatabase
from evaluator.sql.lower import Lowering
from evaluator.sql.rows import Rows
from evaluator.sql.trees import named, table

PACK = """\
pack: demo
title: {zh: 示范}
language: zh
"""
KIND = """\
subject: member
key: id
fields:
  id: text
  p: boolean
  a: {type: boolean, optional: true}
  b: {type: boolean, optional: true}
  x: {type: number, optional: true}
  n: integer
  role: {one_of: [甲, 乙, 丙]}
verdicts:
"""
WORDS = ("甲", "乙", "丙")
STARS = tuple(map(Fraction, (1, 2, 3)))
FEW = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None)


# --- records ----------------------------------------------------------------------------------------------


def make_records() -> list[Row]:
    chance = random.Random(2021)
    return [
        {
            "id": str(place),
            "p": chance.random() < 0.5,
            "a": chance.choice([True, False, None]),
            "b": chance.choice([True, False, None]),
            "x": chance.choice([*map(Fraction, ("0", "0.5", "-1", "2.5")), None]),
            "n": Fraction(chance.choice([-1, 0, 1, 2])),
            "role": chance.choice(WORDS),
        }
        for place in range(50)
    ]


RECORDS = make_records()
FIELDS = [
    *(Said(n, ATOM, "boolean", lambda row, n=n: row[n]) for n in ("p", "a", "b")),
    Said("x", ATOM, "number", lambda row: row["x"], column_size(10, False)),
    Said("n", ATOM, "integer", lambda row: row["n"], column_size(10, True)),
    Said("role = '甲'", COMPARE, "boolean", lambda row: row["role"] == "甲"),
    literal(True),
]


@pytest.fixture(scope="module")
def db() -> Iterator[DuckDatabase]:
    made = DuckDatabase(is_small=True)
    made.connection.execute(
        'create table data.member ("#sid" bigint, id text, p boolean, a boolean, b boolean, x bigint, n bigint,'
        " role text)"
    )
    for sid, row in enumerate(RECORDS):
        x = None if row["x"] is None else int(row["x"] * 10**6)
        values = [sid, row["id"], row["p"], row["a"], row["b"], x, int(row["n"]), row["role"]]
        made.connection.execute("insert into data.member values (?, ?, ?, ?, ?, ?, ?, ?)", values)
    yield made
    made.close()


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


# --- random verdicts --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """A verdict as written, and what it concludes."""

    name: str
    form: str  # yes_no, rules
    values: tuple[Any, ...]
    levels: bool
    pick: str
    optional: bool
    rules: tuple[tuple[Any, Said | None], ...]  # without a condition: otherwise

    def yaml(self) -> str:
        if self.form == "yes_no":
            return f"  {self.name}: {{when: {shown(self.rules[0][1])}}}\n"
        lines = [f"  {self.name}:", f"    pick: {self.pick}"]
        if self.levels:
            lines.append(f"    levels: [{', '.join(map(str, self.values))}]")
        lines += ["    optional: true"] if self.optional else []
        lines.append("    rules:")
        for value, when in self.rules:
            said = str(value).lower() if isinstance(value, bool) else value
            lines.append(f"      - {{otherwise: {said}}}" if when is None else f"      - {{is: {said},")
            lines += [] if when is None else [f"         when: {shown(when)}}}"]
        return "\n".join(lines) + "\n"

    def concludes(self, row: Row) -> tuple[str, Any, int]:
        """Return how it ends (value, unknown, gap, conflict), the value, and the number of the rule."""
        tests = [(value, when.value(row), place) for place, (value, when) in enumerate(self.rules, 1) if when]
        if self.form == "yes_no":
            return ("value", True, 1) if tests[0][1] else ("value", False, 0)
        if self.pick == "one":
            if None in [truth for _, truth, _ in tests]:
                return "unknown", None, 0
            held = [(value, place) for value, truth, place in tests if truth]
            if len({value for value, _ in held}) > 1:
                return "conflict", None, 0
            if held:
                return "value", *held[0]
        elif self.pick == "highest":
            for level in reversed(self.values):
                at_level = [(truth, place) for value, truth, place in tests if value == level]
                if held_at := [place for truth, place in at_level if truth]:
                    return "value", level, held_at[0]
                if None in [truth for truth, _ in at_level]:
                    return "unknown", None, 0
        else:
            for value, truth, place in tests:
                if truth is None:
                    return "unknown", None, 0
                if truth:
                    return "value", value, place
        last, when = self.rules[-1]
        return ("gap", None, 0) if when is not None else ("value", last, len(self.rules))


def shown(said: Said | None) -> str:
    return json.dumps(said.text if said else "", ensure_ascii=False)


def readers(draw: Draw, verdict: Verdict, others: list[Verdict]) -> list[Said]:
    """Return conditions and values that read a verdict."""
    get: Callable[[Row], Any] = lambda row: row[verdict.name]  # noqa: E731
    if verdict.values == (True, False):
        return [Said(verdict.name, ATOM, "boolean", get)]
    stars = verdict.values == STARS
    this = Said(verdict.name, ATOM, "integer" if stars else "text", get, column_size(3, True))
    constants = [number(str(v)) if stars else literal(v) for v in verdict.values]
    one, two = draw(st.sampled_from(constants)), draw(st.sampled_from(constants))
    made = [
        compare("=", this, one),
        compare("<>", this, one),
        compare("=", one, this),
        among(this, [one, two]),
        among(this, [one, two], "not in"),
        compare("=", coalesce([this, one], False), two),
        is_null(this),
        is_null(this, "is not null"),
    ]
    if verdict.levels:
        op = draw(st.sampled_from(["<", "<=", ">", ">="]))
        made += [by_level(verdict, op, this, one), by_level(verdict, op, one, this)]
        low, high = by_level(verdict, ">=", this, one), by_level(verdict, "<=", this, two)
        both = between(this, one, two)
        made.append(Said(both.text, COMPARE, "boolean", lambda row: all_of([low.value(row), high.value(row)])))
    for other in others:
        if other.values == verdict.values and other.levels == verdict.levels and other is not verdict:
            same = Said(other.name, ATOM, this.type, lambda row, n=other.name: row[n])
            made.append(compare(draw(st.sampled_from(["=", "<>"])), this, same))
            if verdict.levels:
                made.append(by_level(verdict, draw(st.sampled_from(["<", ">="])), this, same))
    return [*made, arithmetic("*", this, number("1"))] if stars else made


def by_level(verdict: Verdict, op: str, a: Said, b: Said) -> Said:
    def value(row: Row) -> bool | None:
        places = [None if v is None else verdict.values.index(v) for v in (a.value(row), b.value(row))]
        return known_of(places, COMPARISONS[op])

    return Said(f"{a.text} {op} {b.text}", COMPARE, "boolean", value)


@st.composite
def families(draw: Draw) -> list[Verdict]:
    """Several verdicts, later ones reading earlier ones."""
    made: list[Verdict] = []
    for place in range(draw(st.integers(1, 4))):
        leaves = [*FIELDS, *(leaf for v in made for leaf in readers(draw, v, made) * 2)]
        words = Words(leaves)
        conditions = words.expressions("boolean", draw(st.integers(0, 3)))
        if draw(st.integers(0, 3)) == 0:
            rule = (True, draw(conditions))
            made.append(Verdict(f"v{place}", "yes_no", (True, False), False, "first", False, (rule,)))
            continue
        values, levels = draw(st.sampled_from([(WORDS, True), (STARS, True), (WORDS[:2], True), (WORDS[::-1], True)]))
        pick = draw(st.sampled_from(["first", "first", "one", "highest"]))
        rules: list[tuple[Any, Said | None]] = [
            (draw(st.sampled_from(values)), draw(conditions)) for _ in range(draw(st.integers(0, 3)))
        ]
        if not rules or draw(st.booleans()):
            rules.append((draw(st.sampled_from(values)), None))
        optional = draw(st.booleans())
        made.append(Verdict(f"v{place}", "rules", values, levels, pick, optional, tuple(rules)))
    return made


# --- what gates are ---------------------------------------------------------------------------------------


def meaning(node: Node, row: Row) -> Any:
    """Return the value of a compiled node."""
    parts = [meaning(child, row) for child in node.children()] if not isinstance(node, (Case, Lookup)) else []
    match node:
        case Const():
            return node.value
        case Name():
            return row[node.leaf]
        case Arithmetic(op="/"):
            return known_of(parts, lambda a, b: a / b if b else None)
        case Arithmetic():
            return known_of(parts, {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b}[node.op])
        case Compare():
            levels = node.left.type.values if node.left.type.is_ordered else node.right.type.values
            if node.op not in ("=", "<>") and levels and not node.left.type.is_number:
                parts = [None if part is None else levels.index(part) for part in parts]
            return known_of(parts, COMPARISONS[node.op])
        case OneOf():
            return any_of([known_of([parts[0], item], COMPARISONS["="]) for item in parts[1:]])
        case IsNull():
            return parts[0] is None
        case Not():
            return known_of(parts, lambda a: not a)
        case Junction():
            return all_of(parts) if node.op == "and" else any_of(parts)
        case Case():
            for branch in node.branches:
                holds = meaning(branch.when, row)
                if holds is None or holds:
                    return None if holds is None else meaning(branch.then, row)
            return meaning(node.otherwise, row)
        case Call(function="coalesce"):
            return next((part for part in parts if part is not None), None)
        case Call():
            return known_of(parts, FUNCTIONS[node.function])
    raise AssertionError(node)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "least": lambda *v: min(v),
    "greatest": lambda *v: max(v),
    "clamp": lambda v, low, high: max(low, min(v, high)),
    "floor": lambda v: Fraction(v.__floor__()),
    "ceil": lambda v: Fraction(v.__ceil__()),
    "round": lambda v, places=Fraction(0): half_away(v, int(places)),
}


def gate_value(gate: Gate, row: Row) -> object:
    tests = [meaning(test, row) for test in gate.tests]
    if gate.form == "index":
        return next((UNKNOWN if t is None else f"r{i}" for i, t in enumerate(tests, 1) if t is None or t), NONE)
    return tests[0] is (gate.form == "holds")


def gates_in_sql(db: DuckDatabase, pack: Pack, family: Family) -> list[dict[str, object]]:
    lowering = Lowering(Rows(table("member"), "s", table, {}, pack, "member"))
    columns = [named(gate.sql(lowering), gate.name) for gate in family.gates]
    found = db.rows(lowering.rows.select(*columns).order_by('"#sid"')) if columns else [()] * len(RECORDS)
    return [dict(zip([gate.name for gate in family.gates], values, strict=True)) for values in found]


# --- the property -----------------------------------------------------------------------------------------


def load(folder: Path, verdicts: str) -> Pack:
    folder.joinpath("pack.yaml").write_text(PACK, encoding="utf-8")
    folder.joinpath("member.yaml").write_text(KIND + verdicts, encoding="utf-8")
    return load_pack(folder)


def compiled(pack: Pack) -> tuple[list[Family], Problems]:
    problems = Problems()
    steps = [step for step in make_plan(pack, problems) if isinstance(step, Decide)]
    return [compile_family(pack.kinds["member"], step.verdicts, problems) for step in steps], problems


def reads(verdict: Verdict, names: set[str]) -> bool:
    texts = " ".join(when.text for _, when in verdict.rules if when is not None)
    return any(re.search(rf"\b{name}\b", texts) for name in names)


@settings(FEW, max_examples=40)
@given(families())
def test_a_family_concludes_what_its_rules_say(
    tmp_path_factory: pytest.TempPathFactory, db: DuckDatabase, bench: Bench, verdicts: list[Verdict]
) -> None:
    pack = load(tmp_path_factory.mktemp("pack"), "".join(v.yaml() for v in verdicts))
    found, problems = compiled(pack)
    assume(not problems.has_errors)  # too many to combine
    assume(sum(len(family.rules) for family in found) < 300)  # exact as well, but slow
    assert sorted(v.name for family in found for v in family.verdicts) == sorted(v.name for v in verdicts)
    judged: list[dict[str, Any]] = [{} for _ in RECORDS]
    for family in found:
        gates = [{gate.name: gate_value(gate, row) for gate in family.gates} for row in RECORDS]
        assert gates_in_sql(db, pack, family) == gates
        situations = [dict(g) for g in dict.fromkeys(tuple(g.items()) for g in gates)]
        answers = judge(family, situations, bench)
        for row_gates, by_verdict in zip(gates, judged, strict=True):
            by_verdict.update((v.name, (family, answers[situations.index(row_gates)])) for v in family.verdicts)
    for record, by_verdict in zip(RECORDS, judged, strict=True):
        row, failed = dict(record), set[str]()
        for verdict in verdicts:
            if reads(verdict, failed):
                failed.add(verdict.name)
                continue
            how, value, rule = verdict.concludes(row)
            event(f"{verdict.pick} {how}" if verdict.form == "rules" else f"yes_no {value}")
            family, answer = by_verdict[verdict.name]
            concluded = answer.concluded.get(verdict.name)
            assert (verdict.name in answer.conflicts) == (how == "conflict"), verdict
            if how != "conflict":
                assert concluded == {"unknown": UNKNOWN, "gap": NONE}.get(how, word(value)), (verdict, row)
            if how == "value":
                written = next(v for v in family.verdicts if v.name == verdict.name)
                assert rule_that_decided(family, written, answer) == rule
            row[verdict.name] = value
            if how in ("conflict", "gap") or (how == "unknown" and not verdict.optional):
                failed.add(verdict.name)


# --- what must hold besides -------------------------------------------------------------------------------

FOUR_OF_A_KIND = """\
  only: {rules: [{otherwise: 甲}]}
  grade:
    {levels: [丙, 乙, 甲], pick: highest, optional: true,
     rules: [{is: 甲, when: a}, {is: 甲, when: p}, {is: 丙, when: b}]}
  good: {when: grade >= '乙'}
"""


def conclusions(db: DuckDatabase, bench: Bench, folder: Path, verdicts: str, **gates_of: Any) -> dict[str, str]:
    """Return what is concluded of the first record that has these values."""
    pack = load(folder, verdicts)
    found, problems = compiled(pack)
    problems.stop_on_errors()
    place = next(i for i, row in enumerate(RECORDS) if gates_of.items() <= row.items())
    concluded: dict[str, str] = {}
    for family in found:
        (answer,) = judge(family, [gates_in_sql(db, pack, family)[place]], bench)
        assert not answer.conflicts
        concluded |= answer.concluded
    return concluded


def test_one_of_two_rules_for_a_level_is_enough(db: DuckDatabase, bench: Bench, tmp_path: Path) -> None:
    by_record = {
        (None, True, True): ("=甲", "true"),
        (None, False, True): (UNKNOWN, "false"),
        (False, False, True): ("=丙", "false"),
        (False, False, None): (UNKNOWN, "false"),
        (True, False, None): ("=甲", "true"),
    }
    for (a, p, b), (grade, good) in by_record.items():
        wanted = {"only": "=甲", "grade": grade, "good": good}
        assert conclusions(db, bench, tmp_path, FOUR_OF_A_KIND, a=a, p=p, b=b) == wanted


def test_too_many_alternatives_are_refused_and_not_shortened(tmp_path: Path) -> None:
    both = " and ".join(f"(x > {n} and s{n} or x < -{n} and not s{n})" for n in range(1, 13))
    stages = "".join(f"  s{n}: {{when: n > {n}}}\n" for n in range(1, 13))
    _, problems = compiled(load(tmp_path, f"{stages}  all_of_them: {{when: {both}}}\n"))
    assert [(p.code, p.message) for p in problems] == [("P203", "the rules of all_of_them are too many to combine")]


def test_conditions_that_say_the_same_are_one_gate(tmp_path: Path) -> None:
    verdicts = "  one: {when: x > 1 and a}\n  two: {when: one or (x>1 and a)}\n  three: {when: two and not (a)}\n"
    (family,), _ = compiled(load(tmp_path, verdicts))
    assert [(gate.form, len(gate.tests)) for gate in family.gates] == [("holds", 1), ("holds", 1)]


# --- an engine that fails ---------------------------------------------------------------------------------

ENGINE = """\
import os, signal, sys, time
class MessageNotHandledException(Exception): pass
class Host:
    def __init__(self, rulesets): self.rulesets, self.asserted = rulesets, 0
    def delete_state(self, ruleset, sid): pass
    def assert_fact(self, ruleset, fact):
        self.asserted += 1
        if fact.get('kind') == 'situation': self.rulesets[ruleset]['always']['run'](None)
        {when_asserted}
"""


def fake_engine(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Bench:
    """Start the child with another durable-rules."""
    package = folder / "durable"
    package.mkdir()
    package.joinpath("__init__.py").touch()
    package.joinpath("engine.py").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return Bench()


@pytest.mark.parametrize(
    ("engine", "code", "said"),
    [
        ("raise ImportError('undefined symbol: PyEval_CallObject')", "E101", "cannot be loaded: ImportError"),
        ("import durable_rules_engine_of_another_name", "E101", "cannot be loaded: ModuleNotFoundError"),
        ("if self.asserted > 2: os._exit(3)", "E102", "of 4 situations: it ended with 3"),
        ("if self.asserted > 2: sys.stdout.flush(), os.kill(os.getpid(), signal.SIGSEGV)", "E102", "answered 2 of 4"),
        ("if self.asserted > 2: sys.stdout.flush(), os._exit(0)", "E102", "answered 2 of 4 situations"),
        ("if self.asserted > 2: raise RuntimeError('half way')", "E102", "RuntimeError: half way"),
        ("print('7')", "E102", "of 4 situations"),
        ("print('no JSON')", "E102", "answered 0 of 4 situations"),
        ("if self.asserted > 2: time.sleep(60)", "E102", "did not answer within"),
        ("pass", "E103", "member.grade, situation {"),
    ],
)  # fmt: skip
def test_a_judge_that_fails_is_told_and_nothing_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, code: str, said: str
) -> None:
    rules = "[{is: 甲, when: p}, {is: 乙, when: a}, {otherwise: 丙}]"
    (family,), _ = compiled(load(tmp_path, f"  grade: {{rules: {rules}}}\n"))
    situations: list[dict[str, object]] = [{"g0": value} for value in ("r1", "r2", NONE, UNKNOWN)]
    text = engine if "import" in engine.lower() else ENGINE.replace("{when_asserted}", engine)
    monkeypatch.setattr(decide, "SECONDS_TO_JUDGE", 2 if "sleep" in engine else 60)
    bench = fake_engine(tmp_path, monkeypatch, text)
    try:
        with pytest.raises(Stop) as stopped:
            judge(family, situations, bench)
        (problem,) = stopped.value.problems
        assert problem.code == code
        assert said in problem.message
    finally:
        bench.close()


def test_a_verdict_of_the_engine_that_differs_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bench: Bench
) -> None:
    (family,), _ = compiled(load(tmp_path, "  grade: {rules: [{is: 甲, when: p}, {otherwise: 丙}]}\n"))
    wrong = decide.Judgement({"grade": "=丙"}, (), ((1, ()),))
    monkeypatch.setattr(decide, "_by_fixpoint", lambda family, situation: wrong)
    assert judge(family, [{"g0": NONE}], bench) == [wrong]
    with pytest.raises(Stop, match="E103"):
        judge(family, [{"g0": NONE}, {"g0": "r1"}], bench)
