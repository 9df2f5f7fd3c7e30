"""Lints: what they claim is certain, what they say is in each format, and the packs of the project are free of them."""

import datetime as dt
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import test_random_packs as random_packs
from conftest import ROOT, SLOW, examples, rows_of, write_pack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain import World
from sayings import Said
from test_cases import run_here
from test_exclusion import DOMAINS, ROWS, SCOPE, conditions, read

import evaluator
from evaluator.diagnostics import CODES, Problems
from evaluator.pack.definitions import Pack
from evaluator.pack.types import Type
from evaluator.report.problems import CheckedPacks
from evaluator.workbench.checking.arithmetic import greater, many, product, smaller, total
from evaluator.workbench.checking.bands import check_bands
from evaluator.workbench.checking.boxes import Boxes
from evaluator.workbench.checking.checked import check_packs
from evaluator.workbench.checking.intervals import Values
from evaluator.workbench.checking.lints import lint
from evaluator.workbench.checking.ranges import Ranges
from evaluator.workbench.checking.sites import Looked

PACKS = sorted(path.parent for path in (ROOT / "rules").rglob("pack.yaml"))


@pytest.mark.parametrize("folder", PACKS, ids=lambda path: path.relative_to(ROOT / "rules").as_posix())
def test_packs_of_the_project_come_out_without_a_word(folder: Path) -> None:
    assert [str(problem) for problem in check_packs([folder]).problems] == []


# --- sets of values ---------------------------------------------------------------------------------------

ends = st.none() | st.integers(-6, 6).map(lambda n: Fraction(n, 2))
grains = st.sampled_from([None, Fraction(1), Fraction(1, 2), Fraction(3)])
SAMPLES = [Fraction(n, 4) for n in range(-26, 27)]


@st.composite
def sets(draw: Any) -> Values:
    """Draw some intervals, or some points, on a grid or none."""
    if draw(st.booleans()):
        return Values.of(draw(st.lists(st.integers(-6, 6).map(lambda n: Fraction(n, 2)), max_size=3)))
    grain = draw(grains)
    found = Values.of([])
    for _ in range(draw(st.integers(1, 3))):
        one = Values.between(draw(ends), draw(ends), None, draw(st.booleans()), draw(st.booleans()))
        found = found.join(one)
    return found.meet(Values.between(None, None, grain))


def has(values: Values, sample: Fraction) -> bool:
    """Whether a value is in a set, by what its ends and its grid say."""
    if values.grain is not None and (sample / values.grain).denominator != 1:
        return False
    return any(low <= (0, sample, 0) <= high for low, high in values.parts)


@given(sets(), sets())
@settings(max_examples=150)
def test_sets_hold_what_they_say(one: Values, other: Values) -> None:
    both, either, rest = one.meet(other), one.join(other), one.outside()
    for sample in SAMPLES:
        if one.grain is None or other.grain is None:
            assert has(both, sample) == (has(one, sample) and has(other, sample))
        assert has(either, sample) >= (has(one, sample) or has(other, sample)), (
            "a union may be too large, never too small"
        )
        if one.grain is None:
            assert has(rest, sample) is not has(one, sample)
    assert one.covers(both) or (one.grain, other.grain) != (None, None)


@given(sets(), sets())
@settings(max_examples=100)
def test_arithmetic_of_sets_leaves_nothing_out(one: Values, other: Values) -> None:
    some, more = ([sample for sample in SAMPLES if has(values, sample)][::4] for values in (one, other))
    for a in some:
        assert has(many(one), Fraction(0)) and has(many(one), a) and has(many(one), a + some[0])
        for b in more:
            assert has(total(one, other), a + b)
            assert has(product(one, other), a * b)
            assert has(smaller(one, other), min(a, b))
            assert has(greater(one, other), max(a, b))


# --- what values can be, and conditions -------------------------------------------------------------------


def place_of(ranges: Ranges, value: Any, kind: Type) -> Fraction | None:
    exact = Fraction(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else value
    return ranges.place(exact, kind)


def check_stored(pack: Pack, out: Path) -> int:
    """Every value a run has stored is among those its name can have; return how many were looked at."""
    ranges, count = Ranges(pack), 0
    for kind in pack.kinds.values():
        types = {name: made.type for name, made in kind.measures.items()}
        types |= {name: made.type for name, made in kind.verdicts.items()}
        types |= {"total" if line.parent is None else f"points.{line.id}": Type("number") for line in kind.lines}
        for row in rows_of(out, f"subjects/{kind.name}"):
            for name, of in types.items():
                if row.get(name) is None or of.base == "ref":
                    continue
                at = place_of(ranges, row[name], of)
                assert at is None or has(ranges.named(kind.name, name), at), f"{kind.name}.{name} is {row[name]}"
                count += 1
    return count


def check_decided(pack: Pack, out: Path) -> int:
    """No rule that is said never to decide has decided; return how many verdicts were looked at."""
    boxes, count = Boxes(Ranges(pack)), 0
    for kind in pack.kinds.values():
        decided = (
            [(row["verdict"], row["rule"]) for row in rows_of(out, f"verdicts/{kind.name}")] if kind.verdicts else []
        )
        count += len(decided)
        for verdict in kind.verdicts.values():
            before: list[tuple[Any, bool]] = []
            for rule in verdict.rules:
                tests = [*before] if verdict.model.pick == "first" else []
                tests += [(rule.when.node, True)] if rule.when is not None else []
                if not boxes.can_hold(*tests):
                    assert (verdict.name, rule.number) not in decided, f"{kind.name}.{verdict.name} {rule.number}"
                if rule.when is not None:
                    before.append((rule.when.node, False))
    return count


@given(random_packs.packs(), random_packs.worlds())
@settings(max_examples=examples(6), **SLOW)
def test_what_is_said_of_random_packs_is_so_in_their_runs(
    tmp_path: Path, pack: random_packs.Random, world: World
) -> None:
    random_packs.check(tmp_path / "home", pack, world)
    checked = evaluator.load_pack(tmp_path / "home" / "pack")
    lint(checked, [], Problems())
    if (tmp_path / "home" / "out").exists():
        check_stored(checked, tmp_path / "home" / "out")
        check_decided(checked, tmp_path / "home" / "out")


def test_no_value_of_a_year_is_out_of_range(daguan: Pack, runs: dict[int, Path]) -> None:
    assert all(check_stored(daguan, folder) > 500 for folder in runs.values())
    assert all(check_decided(daguan, folder) > 500 for folder in runs.values())


class Domains(Ranges):
    """Names that have just the values of the conditions drawn."""

    def __init__(self) -> None:
        super().__init__(SimpleNamespace(kinds={}, tables={}, parameters={}, in_force=None))  # type: ignore[arg-type]

    def named(self, owner: str, leaf: str) -> Values:
        places = [self.place(value, SCOPE.types[leaf]) for value in DOMAINS[leaf] if value is not None]
        return Values.of(place for place in places if place is not None)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(conditions, conditions)
def test_what_is_said_never_to_hold_never_holds(one: Said, other: Said) -> None:
    boxes, first, second = Boxes(Domains()), read(one.text), read(other.text)
    for truth in (True, False):
        if not boxes.can_hold((first, truth)):
            assert [row for row in ROWS if one.value(row) is truth] == []
        if not boxes.can_hold((first, truth), (second, False)):
            assert [row for row in ROWS if one.value(row) is truth and other.value(row) is False] == []


@pytest.mark.parametrize(
    ("text", "can"),
    [
        ("n > 2", False),
        ("n >= 2", True),
        ("n > 0 and n < 1", False),
        ("x > 0 and x < 1", True),
        ("x > 0.5 and x < 1", False),
        ("level > '差' and level < '中'", False),
        ("level > '优' and level < '中'", True),
        ("kind <> '甲' and kind <> '乙' and kind <> '丙'", False),
        ("maybe <> '甲' and maybe <> '乙' and maybe <> '丙'", True),
        ("sure and not sure", False),
        ("n is null", False),
        ("x is null", True),
        ("0 < n and 1 > n", False),
        ("n + 1 > 3", False),
        ("n + 1 > 2", True),
        ("n > x + 5", False),
        ("n > x", True),
        ("case when n > 5 then 1 else 0 end = 1", True),  # a branch is not weighed against its condition
    ],
)
def test_what_can_hold(text: str, can: bool) -> None:
    assert Boxes(Domains()).can_hold((read(text), True)) is can


# --- bands ------------------------------------------------------------------------------------------------

KIND = "subject: member\nkey: id\nfields: {id: text, worth: number, count: integer}\n"


def grades(*conditions: str) -> str:
    rules = "".join(f"      - {{is: g{n}, when: {condition}}}\n" for n, condition in enumerate(conditions))
    return f"verdicts:\n  grade:\n    rules:\n{rules}      - {{otherwise: rest}}\n"


@settings(max_examples=examples(40), **SLOW)
@given(
    st.lists(st.integers(0, 12).map(lambda n: Fraction(n, 2)), min_size=2, max_size=2, unique=True),
    st.sampled_from(["<", "<="]),
    st.sampled_from([">", ">="]),
    st.sampled_from(["worth", "count"]),
)
def test_a_gap_is_told_where_a_value_falls_into_it(
    tmp_path: Path, bounds: list[Fraction], below: str, above: str, name: str
) -> None:
    """Below one bound and above the next: the gap is what neither takes, looked for value by value."""
    low, high = sorted(bounds)
    kind = KIND + grades(f"{name} {above} {float(high)}", f"{name} {below} {float(low)}")
    pack = evaluator.load_pack(
        write_pack(tmp_path / "pack", pack="pack: p\ntitle: {en: P}\nlanguage: en\n", member=kind)
    )
    problems = Problems()
    check_bands(Looked(pack), problems)
    step = 1 if name == "count" else Fraction(1, 4)
    values = [n * step for n in range(-4, 40)]
    left = [
        v
        for v in values
        if not (v < low or (v == low and below == "<=")) and not (v > high or (v == high and above == ">="))
    ]
    is_slip = bool(left) and not any(Fraction(v).denominator == 1 for v in left)
    assert [problem.code for problem in problems] == ["P505"] * is_slip


# --- the command ------------------------------------------------------------------------------------------

PACK = "pack: p\ntitle: {en: P}\nlanguage: en\nparameters:\n  未用: 3\n  used: 2\n"
MEMBER = "subject: member\nkey: id\nfields: {id: text}\nmeasures:\n  人: {count: member, within: all}\n  双: used * 2\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_pack(Path("规则 1"), pack=PACK, member=MEMBER)
    return Path("规则 1")


def test_several_packs_are_checked_at_once(folder: Path) -> None:
    write_pack(Path("wrong"), pack=PACK, member="subject: member\nkey: id\n")
    write_pack(
        Path("fine"), pack="pack: f\ntitle: {en: F}\nlanguage: en\n", member="subject: m\nkey: id\nfields: {id: text}\n"
    )
    printed, code = run_here(["evaluator", "check", "wrong", folder.as_posix(), "fine", "none"])
    assert code == 1
    places = [line.split(": ")[0] for line in printed.splitlines() if "error[" in line or "warning[" in line]
    assert places == [
        "wrong/member.yaml:2:6", "规则 1/member.yaml:5:3", "规则 1/member.yaml:6:3", "规则 1/pack.yaml:5:3",
        "error[P101]",
    ]  # fmt: skip
    assert "fine: fine (m; 1 table, 0 lines of score, 0 verdicts)" in printed
    assert run_here(["evaluator", "check", folder.as_posix()])[1] == 0
    assert run_here(["evaluator", "check", folder.as_posix(), "--strict"])[1] == 1


def test_what_would_go_unheard_and_paths_the_system_refuses_are_errors_of_usage(folder: Path) -> None:
    printed, code = run_here(["evaluator", "check", folder.as_posix(), "--docs", "https://a.b"])
    assert (code, "it goes with --format sarif" in printed) == (2, True)
    printed, code = run_here(["evaluator", "check", "长" * 200])
    assert (code, "File name too long" in printed, "our fault" in printed) == (2, True, False)


def test_cases_of_a_pack_are_checked_with_it(folder: Path) -> None:
    write_pack(
        folder / "cases", one="case: one\nyear: 2021\ngiven: {member: [{id: a}]}\nexpect: {member: [{id: a, 人: x}]}\n"
    )
    found = check_packs([folder]).problems
    assert [problem.code for problem in found] == ["P306", "P501", "P501", "P502"]
    write_pack(
        folder / "cases", one="case: one\nyear: 2021\ngiven: {member: [{id: a}]}\nexpect: {member: [{id: a, 人: 1}]}\n"
    )
    assert [problem.code for problem in check_packs([folder]).problems] == ["P501", "P502"], "a case reads 人"


def test_json_has_all_that_is_printed(folder: Path) -> None:
    printed, code = run_here(["evaluator", "check", folder.as_posix(), "--format", "json"])
    whole = CheckedPacks.model_validate_json(printed)
    assert (code, whole.errors, whole.warnings) == (0, 0, 3)
    first = whole.packs[0].problems[0]
    assert first.at is not None
    assert (first.code, first.at.line, first.at.column, first.at.end_column) == ("P501", 5, 3, 4)
    assert first.text[first.at.column - 1 : first.at.end_column - 1] == "人" if first.at.end_column else False
    assert (ROOT / first.page).exists()


def test_sarif_is_well_formed(folder: Path) -> None:
    printed, _ = run_here(
        ["evaluator", "check", folder.as_posix(), "--format", "sarif", "--docs", "https://example.org/docs/"]
    )
    whole = json.loads(printed)
    assert whole["version"] == "2.1.0"
    (run,) = whole["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["columnKind"] == "unicodeCodePoints"
    assert [rule["id"] for rule in rules] == ["P501", "P502"]
    assert rules[0]["helpUri"] == "https://example.org/docs/diagnostics/P501.md"
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"].startswith("%E8%A7%84%E5%88%99%201/"), "a uri, not a path"
        region = place["region"]
        assert region["startLine"] >= 1
        assert 1 <= region["startColumn"] < region["endColumn"]
        lines = (folder / place["artifactLocation"]["uri"].split("/")[-1]).read_text(encoding="utf-8").splitlines()
        text = lines[region["startLine"] - 1][region["startColumn"] - 1 : region["endColumn"] - 1]
        assert text == region["snippet"]["text"] != ""


def test_github_is_given_a_command_a_line(folder: Path) -> None:
    write_pack(Path("a,b:c%"), pack=PACK.replace("used: 2", 'used: 2\n  "x": 1'), member=MEMBER)
    printed, _ = run_here(["evaluator", "check", "a,b:c%", "--format", "github"])
    lines = printed.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("::warning file=a%2Cb%3Ac%25/") for line in lines)
    head, _, message = lines[0].removeprefix("::").partition("::")
    assert head == "warning file=a%2Cb%3Ac%25/member.yaml,line=5,col=3,endColumn=4,title=P501%3A measure nobody reads"
    assert message.startswith('nothing reads the measure "人"%0Awhy: ')


def test_what_is_ignored_stays_an_error_where_it_is_one(folder: Path) -> None:
    why = "  # evaluator: ignore P501 because we show it"
    write_pack(folder, member=MEMBER.replace("all}\n", "all}" + why + "\n"))
    assert [problem.code for problem in check_packs([folder]).problems] == ["P501", "P502"]
    above = "  # evaluator: ignore P501,P502 because we show it\n\n  # a remark\n  双:"
    write_pack(folder, member=MEMBER.replace("  双:", above))
    assert [
        (problem.code, problem.message) for problem in check_packs([folder]).problems if problem.code != "P502"
    ] == [
        ("P501", 'nothing reads the measure "人"'),
        ("P518", "there is no P502 on line 9"),
    ]


def test_lints_are_warnings() -> None:
    assert {code for code in CODES if code.startswith("P5") and CODES[code].severity == "error"} == {"P517"}


def test_dates_are_places_on_the_line() -> None:
    ranges, kind = Domains(), Type("date")
    day = dt.date(2021, 2, 28)
    place = ranges.place(day, kind)
    assert place is not None
    assert ranges.value_at(place + 1, kind) == dt.date(2021, 3, 1)
