"""What `prove` says of packs: against plain arithmetic over small numbers of records, and on packs made for it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from conftest import examples, write_pack

from evaluator.diagnostics import Stop
from evaluator.report.proofs import Proof, Statement
from evaluator.workbench.proving.prove import prove

PACK = """
    pack: small
    title: {en: Small}
    language: en
    in_force: {to: 2021-12-31}
    tables:
      works:
        key: id
        date: held_on
        fields: {id: text, held_on: date, person: {ref: person}, sort: {one_of: [a, b, c]}}
"""
PERSON = """
    subject: person
    key: id
    fields: {id: text, senior: {type: boolean, default: false}}
    measures:
      talks: {count: works, where: sort = 'a'}
      misses: {count: works, where: sort = 'c'}
    score:
      max: 100
      items:
        - {id: talks, each: works, where: sort = 'a', points: 5, max: 20}
        - {id: papers, each: works, where: sort = 'b', points: 30, max: 60}
        - {id: misses, each: works, where: sort = 'c', points: -10, again: true}
"""


def proof_of(folder: Path, *parts: str, pack: str = PACK, person: str = PERSON) -> Proof:
    return prove(write_pack(folder, pack=pack, person="".join(map(dedent, (person, *parts)))))


def found(proof: Proof, statement: str, of: str, value: str = "") -> Statement:
    return next(one for one in proof.statements if (one.statement, one.of, one.value) == (statement, of, value))


def test_a_gap_between_bands(tmp_path: Path) -> None:
    """80–89 and ≥ 90 leave out 89.5: whoever has it is made of the fewest records, and judged."""
    halves = PERSON.replace("sort = 'b', points: 30, max: 60", "sort = 'b', points: 0.5").replace(", max: 20", "")
    rules = """
        verdicts:
          grade:
            levels: [low, good, best]
            rules:
              - {is: best, when: total >= 90}
              - {is: good, when: total between 80 and 89}
              - {is: low, when: total < 80}
    """
    gap = found(proof_of(tmp_path / "gap", rules, person=halves), "decided", "grade")
    assert (gap.status, gap.example) == ("refuted", "17 × works (sort = a); 9 × works (sort = b)")
    assert gap.grounds == "no rule holds; a run would stop: no rule of person.grade holds for A"


def test_no_gap_where_totals_are_whole(tmp_path: Path) -> None:
    """Totals that are multiples of five never fall between 85 and 90."""
    person = """
        verdicts:
          grade:
            levels: [low, high]
            rules: [{is: high, when: total >= 90}, {is: low, when: total <= 85}]
    """
    whole = found(proof_of(tmp_path / "whole", person), "decided", "grade")
    assert (whole.status, whole.file.endswith("person.yaml")) == ("proved", True)


def test_out_of_reach(tmp_path: Path) -> None:
    """20 + 60 is the most there can be: who asks for 81 asks for what nobody can do."""
    person = """
        verdicts:
          grade:
            levels: [low, high, best]
            rules: [{is: best, when: total > 80}, {is: high, when: total = 80}, {otherwise: low}]
    """
    proof = proof_of(tmp_path / "reach", person)
    assert found(proof, "reached", "grade", "best").status == "refuted"
    high = found(proof, "reached", "grade", "high")
    assert (high.status, high.records, high.example) == ("proved", 6, "4 × works (sort = a); 2 × works (sort = b)")
    assert not proof.is_ok


def test_more_that_is_worse(tmp_path: Path) -> None:
    """Who gives more than three talks loses the grade; excepted with a reason that is well, and only once."""
    rules = """
        verdicts:
          grade:
            levels: [low, high]
            rules: [{is: high, when: total >= 20 and talks <= 3}, {otherwise: low}]
    """
    worse = found(proof_of(tmp_path / "worse", rules), "monotone", "grade")
    assert (worse.status, worse.example) == ("refuted", "3 × works (sort = a); 1 × works (sort = b)")
    assert "high becomes low" in worse.grounds
    assert "1 × works (sort = a)" in worse.grounds
    excepted = """
        prove:
          except:
            - {statement: monotone, of: grade, because: who talks too much is not to be honoured}
            - {statement: decided, of: grade, because: nobody knows}
    """
    proof = proof_of(tmp_path / "excepted", rules, excepted)
    assert found(proof, "monotone", "grade").because == "who talks too much is not to be honoured"
    assert [one.split(": ", 1)[1] for one in proof.needless] == ["decided of grade holds, and needs no exception"]
    assert not proof.is_ok


def test_two_rules_that_disagree(tmp_path: Path) -> None:
    person = """
        verdicts:
          group:
            pick: one
            rules: [{is: old, when: senior}, {is: busy, when: talks >= 3}, {is: new, when: not senior and talks < 3}]
    """
    both = found(proof_of(tmp_path / "both", person), "decided", "group")
    assert (both.status, both.example) == ("refuted", "senior = true; 3 × works (sort = a)")
    assert "disagree" in both.grounds


def test_by_search_what_its_form_does_not_show(tmp_path: Path) -> None:
    """A rule that reads talks both ways never hurts, as whoever has more talks has the points instead."""
    person = """
        verdicts:
          grade:
            levels: [low, high]
            rules:
              - {is: high, when: talks < 2 and points.papers >= 30}
              - {is: high, when: talks >= 2 and points.papers >= 30}
              - {otherwise: low}
    """
    assert found(proof_of(tmp_path / "form", person), "monotone", "grade").grounds == "never down, by search"


def test_declared_bounds(tmp_path: Path) -> None:
    """A total that may fall below what is declared is refuted; shares are of the most there can be."""
    bounds = "    prove: {{total: [{low}, 80], share: {share}}}\n"
    proof = proof_of(tmp_path / "bounds", bounds.format(low=0, share=0.5))
    low = found(proof, "total", "total")
    assert (low.status, low.example, low.grounds) == ("refuted", "1 × works (sort = c)", "-10 is not from 0 to 80")
    assert {one.of: one.status for one in proof.statements if one.statement == "share"} == {
        "talks": "proved", "papers": "refuted", "misses": "proved",
    }  # fmt: skip
    assert found(proof_of(tmp_path / "wide", bounds.format(low=-9000, share=1)), "total", "total").status == "proved"


def test_which_way_is_better(tmp_path: Path) -> None:
    """What only rules look at, and both ways, has no better side until somebody says it."""
    table = PACK.replace("[a, b, c]", "[a, b, c, d]")
    person = PERSON.replace("misses: {count", "gaps: {count: works, where: sort = 'd'}\n      misses: {count")
    rules = """
        verdicts:
          grade:
            levels: [low, high]
            rules: [{is: high, when: total >= 20 and gaps between 1 and 2}, {otherwise: low}]
    """

    def stated(name: str, declared: str) -> Statement:
        proof = proof_of(tmp_path / name, rules, declared, pack=table, person=person)
        return found(proof, "monotone", "grade")

    assert stated("open", "").status == "unknown"
    assert "better: [{of: gaps" in stated("open", "").fix
    more = stated("more", "    prove: {better: [{of: gaps, is: more}]}\n")
    assert (more.status, more.grounds.partition(" with")[0]) == ("refuted", "high becomes low")
    assert stated("not", "    prove: {better: [{of: gaps, is: neither, because: chance}]}\n").status == "proved"


FALSE = {
    # what is asked: what a person is like, and the statement that must not be called proved
    "who is not ranked, the better they are": ("""
        not_ranked: [{when: talks > 3, reason: busy enough}]
        verdicts:
          grade: {levels: [low, high], rules: [{is: high, when: is_ranked}, {otherwise: low}]}
        """, "monotone", "grade"),
    "a verdict that those who do best do not get": ("""
        score: {items: [{id: prize, when: tier = 'high', points: 5}]}  # and unknown is not high
        verdicts:
          tier:
            optional: true
            levels: [low, high]
            rules: [{is: low, when: misses >= 4}, {is: high, when: misses >= 2}]
        """, "monotone", "total"),
    "a field that follows from records": ("""
        fields: {id: text, is_busy: {any: sort = 'a', of: works}}
        score: {items: [{id: idle, when: not is_busy, points: 20}, {id: talks, each: works, points: 1}]}
        """, "monotone", "total"),
    "a fixed veto that gives less for more": ("""
        fields: {id: text, senior: {type: boolean, default: false}}
        score:
          items: [{id: talks, each: works, where: sort = 'a', points: 5}]
          veto: [{when: senior, to: 20 - talks}]
        """, "monotone", "total"),
    "marks from 5 that nobody gave": ("""
        score: {items: [{id: taste, judged: [5, 10], by: the board}]}
        prove: {total: [5, 10]}
        """, "total", "total"),
    "who has no place, as only some are put in order": ("""
        fields: {id: text, senior: {type: boolean, default: false}}
        measures: {place: {rank: talks desc, within: all, where: senior}}
        verdicts: {grade: {levels: [low, high], rules: [{is: high, when: place <= 3}, {is: low, when: place > 3}]}}
        """, "decided", "grade"),
}  # fmt: skip


@pytest.mark.parametrize("rules, statement, of", FALSE.values(), ids=FALSE)
def test_never_proved_of_what_is_false(rules: str, statement: str, of: str, tmp_path: Path) -> None:
    """Each of these is false of somebody, and one has to look twice to see of whom."""
    whole, more = yaml.safe_load(dedent(PERSON)), yaml.safe_load(dedent(rules))
    measures = whole["measures"] | more.pop("measures", {})
    person = yaml.safe_dump(whole | more | {"measures": measures}, sort_keys=False)
    assert found(proof_of(tmp_path, person=person), statement, of).status != "proved"


def test_years_before(tmp_path: Path) -> None:
    """Who fails two years running leaves: the least for it is a year before that failed."""
    pack = PACK + "    history: {gap: breaks}\n"
    rules = """
        verdicts:
          grade: {levels: [low, high], rules: [{is: high, when: total >= 20}, {otherwise: low}]}
          leaves: {when: "years_running(grade = 'low') >= 2"}
    """
    proof = proof_of(tmp_path / "years", rules, pack=pack)
    leaves = found(proof, "reached", "leaves", "true")
    assert (leaves.records, leaves.example) == (0, "years_running(grade = 'low') = 1 before this year")
    assert found(proof, "monotone", "leaves").grounds == "false stays false, by the form of its rules"


def test_no_year_to_prove(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="R301"):
        prove(write_pack(tmp_path / "year", pack=PACK.replace("in_force: {to: 2021-12-31}", ""), person=PERSON))


# --- against plain arithmetic --------------------------------------------------------------------------------

MOST = 6
OPS = (">=", ">=", "<=")


@dataclass(frozen=True)
class Drawn:
    """A drawn pack: what a record of each sort is worth, caps, and rules as tests on the total and a count."""

    worth: tuple[int, int, int]
    caps: tuple[int | None, int | None]
    bound: int
    rules: tuple[tuple[str, str, int, str, int], ...]  # value, op and bound of the total, op and bound of the talks
    otherwise: bool

    def files(self) -> dict[str, str]:
        caps = [f", max: {cap}" if cap is not None else "" for cap in self.caps]
        rules = [f"{{is: {v}, when: total {op} {n} and talks {also} {k}}}" for v, op, n, also, k in self.rules]
        rules += ["{otherwise: low}"] if self.otherwise else []
        a, b, c = self.worth
        person = f"""
            subject: person
            key: id
            fields: {{id: text}}
            measures: {{talks: {{count: works, where: sort = 'a'}}}}
            score:
              max: {self.bound}
              items:
                - id: group{caps[0]}
                  items:
                    - {{id: first, each: works, where: sort = 'a', points: {a}}}
                    - {{id: second, each: works, where: sort = 'b', points: {b}{caps[1]}}}
                - {{id: third, each: works, where: sort = 'c', points: {c}}}
            verdicts:
              grade: {{levels: [low, mid, high], rules: [{", ".join(rules)}]}}
        """
        person = person.replace("- id: group, max", "- id: group\n                  max")
        return {"pack": PACK, "person": person}

    def total(self, counts: tuple[int, ...]) -> int:
        first, second, third = (n * worth for n, worth in zip(counts, self.worth, strict=True))
        second = second if self.caps[1] is None else min(second, self.caps[1])
        group = first + second
        group = group if self.caps[0] is None else min(group, self.caps[0])
        return min(group + third, self.bound)

    def grade(self, counts: tuple[int, ...]) -> str | None:
        holds = {">=": int.__ge__, "<=": int.__le__}
        for value, op, n, also, k in self.rules:
            if holds[op](self.total(counts), n) and holds[also](counts[0], k):
                return value
        return "low" if self.otherwise else None


def drawn(seed: int) -> Drawn:
    pick = random.Random(seed)
    return Drawn(
        worth=(pick.choice([2, 5]), pick.choice([3, 10]), pick.choice([-4, -1, 4])),
        caps=(pick.choice([None, 15, 30]), pick.choice([None, 9, 20])),
        bound=pick.choice([20, 40]),
        rules=tuple(
            (value, pick.choice(OPS), pick.randint(1, 30), pick.choice(OPS), pick.randint(0, 3))
            for value in ("high", "mid", "low")[: pick.choice([2, 3])]
        ),
        otherwise=pick.random() < 0.7,
    )  # fmt: skip


def steps(one: Drawn) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Give pairs of counts of which the second is better by one record: more of what helps, less of what hurts."""
    for counts in product(range(MOST), repeat=3):
        for place, worth in enumerate(one.worth):
            more = tuple(n + (i == place) for i, n in enumerate(counts))
            yield (counts, more) if worth > 0 else (more, counts)


@pytest.mark.parametrize("seed", range(examples(14)))
def test_against_plain_arithmetic(seed: int, tmp_path: Path) -> None:
    """Nothing is called proved that a plain count refutes; the cheapest ways are the cheapest."""
    one = drawn(seed)
    proof = prove(write_pack(tmp_path / "pack", **one.files()))
    graded = {counts: one.grade(counts) for counts in product(range(MOST + 1), repeat=3)}
    decided = found(proof, "decided", "grade")
    assert (decided.status == "proved") is (None not in graded.values()), decided
    for level in ("low", "mid", "high"):
        reached = found(proof, "reached", "grade", level)
        least = min((sum(counts) for counts, grade in graded.items() if grade == level), default=None)
        if least is None:
            assert reached.status != "proved" or (reached.records or 0) > MOST
        else:
            assert reached.status == "proved"
            assert reached.records is not None
            assert reached.records == least if reached.records <= MOST else reached.records < least
    levels = ["low", "mid", "high"]
    worse = [
        (before, after)
        for before, after in steps(one)
        if graded[before] and graded[after] and levels.index(graded[after]) < levels.index(graded[before])
    ]
    monotone = found(proof, "monotone", "grade")
    assert (monotone.status == "refuted") is bool(worse), (monotone, worse[:1])
    assert found(proof, "monotone", "total").status == "proved"
