"""What cases reach, cases on edges and from results, and mutants: each against a plain second opinion."""

import random
import re
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pytest
from conftest import RULES, rows_of, write_pack

from evaluator.diagnostics import Problems, Stop
from evaluator.engine.decide import Bench
from evaluator.pack.check import load_pack
from evaluator.pack.check_case import case_of
from evaluator.pack.source import read_text
from evaluator.workbench.cases.boundaries import thresholds, write_boundaries
from evaluator.workbench.cases.coverage import Coverage, measure_coverage
from evaluator.workbench.cases.from_run import case_from_run
from evaluator.workbench.cases.given import as_given
from evaluator.workbench.cases.mutants import mutants
from evaluator.workbench.cases.mutate import _Cases, mutate, sample
from evaluator.workbench.cases.run import run_case, run_cases
from evaluator.workbench.cases.seen import Seen

CLUB = """
pack: club
title: {en: Club}
language: en
parameters:
  enough: {constant: 3}
tables:
  evenings:
    key: no
    date: held_on
    fields:
      no: integer
      held_on: date
      hours: number
      kind: {one_of: [reading, visit]}
      is_long: {value: hours >= 2.5}
      lead: {ref: member}
"""
MEMBER = """
subject: member
key: id
fields: {id: integer, on_leave: {type: boolean, default: false}, level: {one_of: [new, old], default: new}}
not_assessed: [{when: on_leave, reason: on leave}]
measures:
  visits: {count: evenings, where: kind = 'visit' and not is_long}
score:
  items:
    - id: led
      when: level = 'old'
      each: evenings
      where: is_long
      points: case when hours > 4 then 3 else 2 end
      max: 6
    - {id: visiting, points: visits}
verdicts:
  grade:
    levels: [guest, reader, host]
    rules:
      - {is: host, when: total >= 7}
      - {is: reader, when: total >= enough or visits = 2}
      - {otherwise: guest}
"""
Members = list[tuple[int, bool, str]]
Evenings = list[tuple[int, Fraction, str, int]]


def write_club(folder: Path) -> Path:
    return write_pack(folder, pack=CLUB, member=MEMBER)


def write_case(folder: Path, name: str, text: str) -> None:
    (folder / "cases").mkdir(exist_ok=True)
    (folder / "cases" / f"{name}.yaml").write_text(text, encoding="utf-8")


def coverage_of(folder: Path) -> tuple[Coverage, Seen]:
    seen = Seen()
    assert all(outcome.is_ok for outcome in run_cases(folder, seen.observe))
    return measure_coverage(folder, seen), seen


# --- what cases reach --------------------------------------------------------------------------------------


def made_up(chance: random.Random) -> tuple[Members, Evenings]:
    members = [
        (number, chance.random() < 0.2, chance.choice(["new", "old"])) for number in range(1, chance.randint(2, 4))
    ]
    evenings = [
        (
            number,
            Fraction(chance.choice([2, 5, 8, 10]), 2),
            chance.choice(["reading", "visit"]),
            chance.choice(members)[0],
        )
        for number in range(1, chance.randint(1, 6))
    ]
    return members, evenings


def in_words(number: int, members: Members, evenings: Evenings) -> str:
    rows = "".join(
        f"    - {{id: {n}, on_leave: {str(leave).lower()}, level: {level}}}\n" for n, leave, level in members
    )
    held = "".join(
        f"    - {{no: {n}, hours: {float(hours):g}, kind: {kind}, lead: {lead}}}\n" for n, hours, kind, lead in evenings
    )
    given = f"given:\n  member:\n{rows}" + (f"  evenings:\n{held}" if held else "")
    return f"case: number {number}\nyear: 2021\n{given}expect: {{}}\n"


def seen_by_hand(members: Members, evenings: Evenings) -> Iterator[tuple[str, str]]:
    """Give what a year shows of the club, as a reader of its rules would tell."""

    def told(text: str, holds: bool) -> tuple[str, str]:
        return text, "never true" if holds else "never false"

    for _, hours, _, _ in evenings:
        yield told("hours >= 2.5 (evenings.is_long)", hours >= Fraction(5, 2))
    for number, leave, level in members:
        own = [one for one in evenings if one[3] == number]
        yield told("on_leave (member not_assessed)", leave)
        for _, hours, kind, _ in own:
            yield told("kind = 'visit' (member.visits)", kind == "visit")
            yield told("is_long (member.visits)", hours >= Fraction(5, 2))
        if leave:
            continue
        yield told("level = 'old' (member.points.led)", level == "old")
        visits = sum(kind == "visit" and hours < Fraction(5, 2) for _, hours, kind, _ in own)
        led = 0
        if level == "old":
            for _, hours, _, _ in own:
                yield told("is_long (member.points.led)", hours >= Fraction(5, 2))
                if hours >= Fraction(5, 2):
                    yield told("hours > 4 (member.points.led)", hours > 4)
                    led += 3 if hours > 4 else 2
            yield "the cap of member.points.led (6)", "never binds" if led > 6 else "always binds" if led < 6 else ""
        total = min(led, 6) + visits
        yield told("total >= 7 (member.grade)", total >= 7)
        if total < 7:
            yield told("total >= enough (member.grade)", total >= 3)
            yield told("visits = 2 (member.grade)", visits == 2)
        rule = 1 if total >= 7 else 2 if total >= 3 or visits == 2 else 3
        yield f"rule {rule} of member.grade", "never decides"


@pytest.mark.parametrize("start", range(6))
def test_coverage_is_what_a_reader_of_the_rules_would_tell(start: int, tmp_path: Path) -> None:
    chance = random.Random(start)
    folder = write_club(tmp_path / "club")
    shown: set[tuple[str, str]] = set()
    for number in range(start // 2 + 1):
        year = made_up(chance)
        write_case(folder, f"c{number}", in_words(number, *year))
        shown |= set(seen_by_hand(*year))
    coverage, _ = coverage_of(folder)
    everything = {
        (text, way)
        for text in (
            "hours >= 2.5 (evenings.is_long)", "on_leave (member not_assessed)", "kind = 'visit' (member.visits)",
            "is_long (member.visits)", "level = 'old' (member.points.led)", "is_long (member.points.led)",
            "hours > 4 (member.points.led)", "total >= 7 (member.grade)", "total >= enough (member.grade)",
            "visits = 2 (member.grade)",
        )
        for way in ("never true", "never false")
    } | {(f"rule {n} of member.grade", "never decides") for n in (1, 2, 3)}  # fmt: skip
    told: set[tuple[str, str]] = set()
    for one in coverage.needed:
        if rule := re.match(r"(rule \d of \S+) \(\w+\) (never decides)", one.what):
            told.add((rule[1], rule[2]))
        elif one.what.startswith("never true nor false: "):
            told |= {(one.what.removeprefix("never true nor false: "), way) for way in ("never true", "never false")}
        else:
            way, _, text = one.what.partition(": ")
            told.add((text, way))
    assert told == everything - shown
    assert coverage.is_whole is (not told)
    caps = {f"the cap of member.points.led (6) {way}" for way in ("never binds", "always binds")}
    seen = {f"{text} {way}" for text, way in shown}
    never = {"member.points.led is never computed, nor its cap"}
    found = {one.what for one in coverage.uncovered if one.kind == "bound"}
    assert found == (caps - seen if any(text.startswith("the cap") for text, _ in shown) else never)


def test_an_excuse_counts_on_its_line_and_the_next_and_in_a_folded_expression(tmp_path: Path) -> None:
    folder = write_pack(
        tmp_path / "club",
        pack="pack: club\ntitle: {en: Club}\nlanguage: en\n",
        member="""
        subject: member
        key: id
        fields: {id: integer, visits: integer, hours: integer}
        verdicts:
          one: {when: visits > 5}  # evaluator: uncovered because nobody has so many
          # evaluator: uncovered because nobody has
          # so many
          two: {when: visits > 6}
          three:
            when: >-  # evaluator: uncovered because of both
              visits > 7
              or hours > 7
          four: {when: visits > 4}
        """,
    )
    write_case(folder, "c", "case: c\nyear: 2021\ngiven: {member: [{id: 1, visits: 5, hours: 0}]}\nexpect: {}\n")
    coverage, _ = coverage_of(folder)
    places = {str(one.at).rpartition("/")[2] for one in coverage.needed}
    assert places == {"member.yaml:13:3", "member.yaml:13:16"}
    assert not coverage.problems


# --- mutants -----------------------------------------------------------------------------------------------


def test_a_mutant_changes_one_number_or_sign_and_nothing_else(tmp_path: Path) -> None:
    pack = load_pack(RULES)
    found = mutants(pack)
    assert len({(one.at, one.changed) for one in found}) == len(found) > 50
    for one in found[::7]:
        one.apply(pack, tmp_path)
        for name, content in pack.files.items():
            before, after = content.decode().splitlines(), (tmp_path / name).read_text(encoding="utf-8").splitlines()
            changed = [place for place, pair in enumerate(zip(before, after, strict=True), 1) if pair[0] != pair[1]]
            assert changed == ([one.at.line] if name == one.file else [])
            if changed:
                start = one.at.column - 1
                line = before[one.at.line - 1]
                assert after[one.at.line - 1] == line[:start] + one.changed + line[start + len(one.written) :]


def test_mutants_judged_on_open_tables_come_out_as_in_whole_runs(tmp_path: Path) -> None:
    folder = write_club(tmp_path / "club")
    chance = random.Random(7)
    for number in range(3):
        text = in_words(number, *made_up(chance))
        write_case(folder, f"c{number}", text)
    write_case(
        folder, "expecting",
        "case: a\nyear: 2021\ngiven: {member: [{id: 1, measures.visits: 2}, {id: 2, total: 7}]}\n"
        "expect: {member: [{id: 1, grade: reader}, {id: 2, grade: host}]}\n",
    )  # fmt: skip
    result = mutate(folder)
    everything = mutants(load_pack(folder))
    assert result.noticed + result.refused + len(result.unnoticed) == len(everything)
    with closing(Bench()) as bench, _Cases(folder, bench) as tested:
        for place, one in enumerate(everything):
            target = tmp_path / f"m{place}"
            target.mkdir()
            one.apply(load_pack(folder), target)
            changed = as_given(load_pack(target, for_cases=True))
            for number in range(len(tested.cases)):
                assert tested._fails_anew(number, changed) == tested._fails(number, changed), str(one)


def test_a_sample_is_spread_and_the_same_every_time() -> None:
    found = mutants(load_pack(RULES))
    assert sample(found, None) == found and sample(found, 10_000) == found
    assert sample(found, 5) == sample(found, 5) == [found[n * len(found) // 5] for n in range(5)]


# --- cases that are written --------------------------------------------------------------------------------


def test_cases_on_edges_pass_and_stand_a_step_apart(tmp_path: Path) -> None:
    result = write_boundaries(RULES, tmp_path / "edges")
    pack = as_given(load_pack(RULES, for_cases=True))
    assert len(result.written) + len(result.without) == len(list(thresholds(pack)))
    assert len(result.written) >= 8
    with closing(Bench()) as bench:
        for file in result.written:
            problems = Problems()
            tree = read_text(file.read_text(encoding="utf-8"), file.name, problems)
            assert tree is not None
            case = case_of(tree, pack, problems)
            assert case is not None and not list(problems)
            assert run_case(pack, case, bench).is_ok
            ((_, rows),) = [(name, rows) for name, rows in case.years[-1].rows.items() if rows]
            varied = [name for name in rows[0].cells if len({row.cells[name] for row in rows}) == len(rows)]
            values = [Fraction(row.cells[name]) for row in rows for name in varied[-1:]]
            assert {b - a for a, b in zip(values, values[1:], strict=False)} in ({Fraction(1)}, {Fraction(1, 10**6)})
            assert len({wanted.value for row in case.expect for wanted in row.values}) > 1
    assert write_boundaries(RULES, tmp_path / "edges").written == result.written
    result.written[0].write_text("case: mine\n", encoding="utf-8")
    with pytest.raises(Stop, match="P603|is there already"):
        write_boundaries(RULES, tmp_path / "edges")


def test_a_case_from_a_result_comes_to_the_same_and_names_nobody(runs: dict[int, Path]) -> None:
    folder = runs[2021]
    for kind in load_pack(RULES).kinds:
        rows = rows_of(folder, f"subjects/{kind}")
        names = {str(row["name"]) for row in rows_of(folder, "subjects/member")}
        for row in (rows[0], rows[-1]):
            written = case_from_run(RULES, folder, f"{kind}:{row['key']}")
            assert not [remark for remark in written.remarks if "其他对象" not in remark]
            ((found,),) = written.expect.values()
            for name, value in found.items():
                assert value == row[name], (kind, row["key"], name)
            text = str(written)
            assert not [name for name in names if f"name: {name}}}" in text or f"name: {name}," in text]
    key = rows_of(folder, "subjects/member")[0]
    kept = str(case_from_run(RULES, folder, f"member:{key['key']}", keeps_names=True))
    assert f"name: {key['name']}" in kept
