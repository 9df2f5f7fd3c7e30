"""What cases reach, cases on edges and from results, and mutants: each against a plain second opinion."""

import random
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import RULES, rows_of, write_pack
from test_cases import CASES, read_case, run_here, write_files

from evaluator.diagnostics import Problems, Stop
from evaluator.engine.decide import Bench
from evaluator.pack.check import load_pack
from evaluator.pack.check_case import case_of
from evaluator.pack.source import read_text
from evaluator.workbench.cases.boundaries import write_boundaries
from evaluator.workbench.cases.coverage import Coverage, measure_coverage
from evaluator.workbench.cases.differences import shown_value
from evaluator.workbench.cases.from_run import case_from_run
from evaluator.workbench.cases.given import as_given
from evaluator.workbench.cases.mutants import mutants
from evaluator.workbench.cases.mutate import _Cases, _of_records, mutate, sample
from evaluator.workbench.cases.run import run_case, run_cases
from evaluator.workbench.cases.seen import Seen
from evaluator.workbench.cases.thresholds import thresholds
from evaluator.workbench.cases.written import write_new

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
    write_case(
        folder, "expecting",
        "case: a\nyear: 2021\ngiven:\n"
        "  member: [{id: 1, measures.visits: 2}, {id: 2, total: 7}, {id: 3, level: old}]\n"
        "  evenings: [{hours: 4, lead: 3, kind: visit}]\n"
        "expect: {member: [{id: 1, grade: reader}, {id: 2, grade: host}, {id: 3, total: 2}]}\n",
    )  # fmt: skip
    everything = mutants(load_pack(folder))
    result = mutate(folder)
    assert result.noticed + result.refused + len(result.unnoticed) == len(everything)
    changed = {(one.written, one.changed) for one in result.unnoticed}
    # nobody stands at 4 hours with more, nor at the cap, and 3 is wanted of nobody with 2 or 4 points
    assert ("7", "8") not in changed and (">=", ">") in changed and ("6", "7") in changed
    with closing(Bench()) as bench, _Cases(folder, bench) as tested:
        records = _of_records(tested.pack)
        for place, one in enumerate(everything[::3]):
            target = tmp_path / f"m{place}"
            target.mkdir()
            one.apply(load_pack(folder), target)
            mutant = as_given(load_pack(target, for_cases=True))
            if _of_records(mutant) == records:
                assert tested._fails_anew(0, mutant) == tested._fails(0, mutant), str(one)
            else:
                assert "evenings.is_long" in one.of


def test_a_sample_is_spread_and_the_same_every_time() -> None:
    found = mutants(load_pack(RULES))
    assert sample(found, None) == found and sample(found, 10_000) == found
    assert sample(found, 5) == sample(found, 5) == [found[n * len(found) // 5] for n in range(5)]


# --- cases that are written --------------------------------------------------------------------------------


def test_cases_on_edges_pass_and_stand_a_step_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_files(read_case(CASES / "good" / "cases-boundaries.md").files)
    folder = Path("club")
    result = write_boundaries(folder, Path("edges"))
    pack = as_given(load_pack(folder, for_cases=True))
    assert len(result.written) + len(result.without) == len(list(thresholds(pack)))
    steps = []
    with closing(Bench()) as bench:
        for file in result.written:
            problems = Problems()
            tree = read_text(file.read_text(encoding="utf-8"), file.name, problems)
            assert tree is not None
            case = case_of(tree, pack, problems)
            assert case is not None and not list(problems)
            assert run_case(pack, case, bench).is_ok
            assert len({wanted.value for row in case.expect for wanted in row.values}) > 1
            rows = case.years[-1].rows["member"]
            if case.years[-1].rows.get("evenings"):
                continue
            (varied,) = [name for name in rows[0].cells if name != "id" and len({row.cells[name] for row in rows}) > 1]
            values = [row.cells[varied] for row in rows]
            if "-" not in values[0]:
                steps.append((varied, {Fraction(b) - Fraction(a) for a, b in pairwise(values)}))
    a_millionth = Fraction(1, 10**6)
    assert sorted(steps) == [
        ("bonus", {1}), ("donated", {2 * a_millionth}), ("given total", {a_millionth}),
        ("measures.evenings", {1}), ("measures.evenings", {1}),
    ]  # fmt: skip
    with pytest.raises(Stop, match="is there already"):
        write_new(result.written[0], "case: mine")


def test_records_bring_subjects_to_the_edge_of_what_lines_come_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_files(read_case(CASES / "good" / "cases-boundaries-of-records.md").files)
    folder = Path("club")
    result = write_boundaries(folder, folder / "cases")
    named = {f"{one.look.of}: {one.text}": why for one, why in (*result.without, *result.partly)}
    assert named == {
        "member.total: cap 60": "no subject of whom it alone decides was found on both sides of it",
        "member.points.shared: people > 1": "it is looked at for each record",
        "member.is_founder: joined_on <= period_start": "it compares days, and its edge is not written down",
        "member.grade: points.shared > 0": "below",
    }
    seen = Seen()
    titles: set[str] = set()
    found: dict[str, list[tuple[str, ...]]] = {}
    for outcome in run_cases(folder, seen.observe):
        assert outcome.is_ok, outcome
        titles.add(str(outcome.case.model.case))
        of = str(outcome.case.model.case).partition(":")[0]
        values = tuple(shown_value(one.value) for row in outcome.case.expect for one in row.values)
        found.setdefault(of, []).append(values)
    assert found == {
        "member.grade": [("guest", "leader", "leader"), ("guest", "reader")],
        "member.points.bonus": [("2", "3", "3")],
        "member.points.came": [("9.5", "10", "10")],
        "member.points.meetings": [("2",), ("0",), ("0",)],  # above, at and below: a case each
        "member.points.shared": [("4", "8", "8")],
        "member.points.travels": [("0", "0", "6.666667")],
    }
    assert len(titles) == len(result.written) and "member.points.meetings: exactly at floor 0" in titles
    covered = measure_coverage(folder, seen)
    unseen = [one.what for one in covered.uncovered if "exactly" in one.what or "binds" in one.what]
    assert unseen == ["the cap of member.total (60) never binds"]


def test_without_the_solver_what_records_come_to_is_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ortools.sat.python", None)
    write_files(read_case(CASES / "good" / "cases-boundaries-of-records.md").files)
    result = write_boundaries(Path("club"), Path("edges"))
    assert [file.name for file in result.written] == ["member.points.travels.1.yaml"]
    assert {one.text: why for one, why in result.without}["cap 10"] == (
        "what the line comes to is no value that can be given; what records come to is looked for by the solver"
    )


def test_cases_are_written_all_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_files(read_case(CASES / "good" / "cases-boundaries.md").files)
    last = write_boundaries(Path("club"), Path("edges")).written[-1]
    for file in Path("edges").iterdir():
        file.unlink()
    last.write_text("case: mine\n")
    with pytest.raises(Stop, match=f"{last.name} is there already"):
        write_boundaries(Path("club"), Path("edges"))
    assert [file.name for file in Path("edges").iterdir()] == [last.name]
    with pytest.raises(Stop, match=f"{last} is no folder"):
        write_boundaries(Path("club"), last)


def test_a_case_from_a_result_comes_to_the_same_and_names_nobody(runs: dict[int, Path]) -> None:
    folder = runs[2021]
    names = {str(row["name"]) for row in rows_of(folder, "subjects/member")}
    for kind in ("member", "workstation", "plan"):
        row = rows_of(folder, f"subjects/{kind}")[0]
        written = case_from_run(RULES, folder, f"{kind}:{row['key']}", keeps_names=kind == "plan")
        assert not [remark for remark in written.remarks if "其他对象" not in remark]
        ((found,),) = written.expect.values()
        assert len(found) > 3
        for name, value in found.items():
            assert value == row[name], (kind, row["key"], name)
        text = str(written)
        told = [name for name in names if f"name: {name}}}" in text or f"name: {name}," in text]
        assert bool(told) is (kind == "plan")


def test_a_case_is_of_a_run_of_its_own_pack(runs: dict[int, Path]) -> None:
    with pytest.raises(Stop, match="was written with the pack daguan, and .* is anqing"):
        case_from_run(RULES.parent / "examples" / "anqing", runs[2021], "W05")


@pytest.mark.parametrize(
    ("words", "unheard"),
    [
        (["--out", "x"], "--out"), (["--limit", "3"], "--limit"), (["--with-names"], "--with-names"),
        (["--from", "run", "A", "--mutate"], "--mutate"), (["--from", "run", "A", "--boundaries"], "--boundaries"),
        (["--boundaries", "--limit", "3"], "--limit"),
    ],
)  # fmt: skip
def test_options_that_would_go_unheard_are_refused(words: list[str], unheard: str) -> None:
    printed, code = run_here(["evaluator", "test", str(RULES), *words])
    assert (code, f"Invalid value for {unheard}" in printed) == (2, True)


# --- what a case gives -------------------------------------------------------------------------------------


def test_a_total_that_is_given_stands_against_vetoes_factors_and_caps(tmp_path: Path) -> None:
    folder = write_pack(
        tmp_path / "club",
        pack="pack: club\ntitle: {en: Club}\nlanguage: en\nhistory: {gap: breaks}\n",
        member="""
        subject: member
        key: id
        fields: {id: integer, visits: {type: integer, default: 0}}
        measures: {before: last(total)}
        score:
          max: 10
          items: [{id: led, points: 4 * visits, times: [{by: 2}]}]
          veto: [{when: visits = 1, to: -1}]
        verdicts: {grade: {value: case when total > 50 then 'high' else 'low' end, levels: [low, high]}}
        """,
    )
    write_case(
        folder, "given",
        "case: given\nyear: 2021\n"
        "history: [{year: 2020, given: {member: [{id: 1, total: 33.5}, {id: 2, visits: 1}]}}]\n"
        "given:\n  member:\n"
        "    [{id: 1, visits: 1, total: 60.5}, {id: 2, visits: 1}, {id: 3, visits: 2}, {id: 4, total: 0}]\n"
        "expect:\n  member:\n"
        "    - {id: 1, points.led: 8, total: 60.5, grade: high, before: 33.5}\n"
        "    - {id: 2, points.led: 8, total: -1, grade: low, before: -1}\n"
        "    - {id: 3, points.led: 16, total: 10, before: unknown}\n"
        "    - {id: 4, total: 0}\n",
    )  # fmt: skip
    assert [str(outcome) for outcome in run_cases(folder)] == ["ok      given"]
    write_case(
        folder, "given",
        "case: given\nyear: 2021\ngiven: {member: [{id: 1, visits: 1, total: 60.5}]}\n"
        "expect: {member: [{id: 1, total: 60, grade: low}]}\n",
    )  # fmt: skip
    (failed,) = run_cases(folder)
    assert [(one.found, one.expected) for one in failed.differences] == [
        ("total of 1 is 60.5", "60"), ("grade of 1 is high", "low"),
    ]  # fmt: skip


def test_a_subject_of_which_nothing_is_expected_need_only_be_there(tmp_path: Path) -> None:
    folder = write_club(tmp_path / "club")
    write_case(folder, "c", "case: c\nyear: 2021\ngiven: {member: [{id: 1}]}\nexpect: {member: [{id: 1}]}\n")
    assert [str(outcome) for outcome in run_cases(folder)] == ["ok      c"]
