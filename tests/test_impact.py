"""Whom a change of rules affects: what plain counting of two runs says, and what really writing each value comes to."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter, defaultdict
from decimal import Decimal
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from conftest import DATA, RULES, rows_of, write_csv, write_pack

import evaluator
from evaluator.diagnostics import Stop
from evaluator.report.comparing.impact import Impact, SweepPoint
from evaluator.workbench.impact.impact import Asked, impact
from evaluator.workbench.impact.shown import shown_as
from evaluator.workbench.impact.thresholds import thresholds_of

MEMBER = """
subject: member
key: id
display: name
fields: {id: text, name: text, sector: {one_of: [north, south]}, marks: number, away: {type: boolean, default: false}}
not_assessed: [{when: away, reason: away}]
measures:
  near: {rank: total desc, within: all}
score: {points: marks * weight}
verdicts:
  grade:
    levels: [fail, pass, good]
    rules:
      - is: good
        when: >-
          total >= 8
          and marks <> 8.5
      - {is: pass, when: "total between 4.5 and 100"}
      - {otherwise: fail}
  chosen: {among: grade = 'good' and 12 > total, take: places, order_by: [total desc], within: sector, ties: exclude}
  late: {when: "grade = 'fail' and near > 5"}
"""
PACK = """
pack: demo
title: {en: Demo <b>}
language: en
parameters:
  weight: 1
  places: {constant: 2, note: "not 7"}
reconcile:
  - {count: member, where: grade = 'good', equals: 4, year: 2021}
"""
MARKS = ["9", "8", "8.5", "7.25", "11", "12", "3", "4.5", "4.5", "0", "6", "10"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A pack and its data."""
    place = tmp_path_factory.mktemp("small")
    pack = write_pack(place / "pack", pack=PACK, member=MEMBER)
    rows = [
        (f"M{n:02}", f"N{n}", "north" if n % 3 else "south", mark, "yes" if n == 9 else "")
        for n, mark in enumerate(MARKS)
    ]
    write_csv(place / "data" / "member.csv", ["id", "name", "sector", "marks", "away"], rows)
    return pack, place / "data"


def changed(pack: Path, target: Path, *edits: tuple[str, str, str]) -> Path:
    """Copy a pack with text of its files replaced, each of which must be there once."""
    shutil.copytree(pack, target)
    for file, before, after in edits:
        text = (target / file).read_text(encoding="utf-8")
        assert text.count(before) == 1, (file, before)
        (target / file).write_text(text.replace(before, after), encoding="utf-8")
    return target


def counted(folder: Path, kind: str, verdict: str) -> Counter[str]:
    """Count the assessed subjects of a run by a verdict, as its table says."""
    rows = [row for row in rows_of(folder, f"subjects/{kind}") if row["is_assessed"]]
    return Counter(str(row[verdict]).lower() if isinstance(row[verdict], bool) else str(row[verdict]) for row in rows)


# --- two packs ---


@pytest.fixture(scope="module")
def daguan_changed(tmp_path_factory: pytest.TempPathFactory, runs: dict[int, Path]) -> tuple[Impact, Path]:
    """Daguan with two rules changed: its impact on 2021, and a run of the new rules without published figures."""
    place = tmp_path_factory.mktemp("daguan")
    new = changed(
        RULES, place / "new",
        ("pack.yaml", "minimum_activities: 4", "minimum_activities: 5"),
        ("member.yaml", "'第一提案人' then 15", "'第一提案人' then 12"),
    )  # fmt: skip
    found = impact(Asked(RULES, new, DATA / "2021", 2021, (runs[2020],), by=("sector",)))
    text = (new / "pack.yaml").read_text(encoding="utf-8")
    (new / "pack.yaml").write_text(re.sub(r"\nreconcile:\n(?:  .*\n|\n)+", "\n", text), encoding="utf-8")
    return found, evaluator.run(new, DATA / "2021", 2021, place / "run", [runs[2020]])


def test_matrices_and_moves_are_those_of_the_two_runs(
    daguan_changed: tuple[Impact, Path], runs: dict[int, Path]
) -> None:
    found, new = daguan_changed
    assert {(one.kind, one.verdict) for one in found.verdicts} >= {("member", "grade"), ("workstation", "exit")}
    for one in found.verdicts:
        before, after = (
            {str(row["key"]): row for row in rows_of(folder, f"subjects/{one.kind}")} for folder in (runs[2021], new)
        )
        pairs = Counter((said(before[key][one.verdict]), said(after[key][one.verdict])) for key in before)
        assert {(count.before, count.after): count.subjects for count in one.matrix.counts} == dict(pairs)
        moved = {key: (said(before[key][one.verdict]), said(row[one.verdict])) for key, row in after.items()}
        assert {move.key: (move.before, move.after) for move in one.moves} == {
            key: values for key, values in moved.items() if values[0] != values[1]
        }
    fallen = next(one for one in found.verdicts if (one.kind, one.verdict) == ("workstation", "grade"))
    assert fallen.moves and {move.direction for move in fallen.moves} == {"worse"}
    lost = next(one for one in found.verdicts if (one.kind, one.verdict) == ("member", "commended"))
    assert lost.moves and {(move.after, move.direction) for move in lost.moves} == {("false", "no")}


def said(value: Any) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def test_totals_by_group_are_sums_of_the_subjects(daguan_changed: tuple[Impact, Path], runs: dict[int, Path]) -> None:
    found, new = daguan_changed
    assert {one.by for one in found.totals if one.kind == "member"} == {"", "sector"}
    for side, folder in (("before", runs[2021]), ("after", new)):
        groups: dict[Any, list[Decimal]] = defaultdict(list)
        for row in rows_of(folder, "subjects/member"):
            if row["is_assessed"]:
                for group in (None, row["sector"]):
                    groups[group].append(row["total"])  # type: ignore[arg-type]
        told = {one.group: getattr(one, side) for one in found.totals if one.kind == "member"}
        assert told.keys() == groups.keys()
        for group, totals in groups.items():
            made = told[group]
            assert (made.subjects, Decimal(made.sum)) == (len(totals), sum(totals))
            assert (Decimal(made.least), Decimal(made.most)) == (min(totals), max(totals))
            mean = sum(map(Fraction, totals)) / len(totals)
            assert abs(Fraction(made.mean) - mean) <= Fraction(1, 2_000_000)


def test_each_changed_line_has_whom_it_moved(daguan_changed: tuple[Impact, Path]) -> None:
    found, _ = daguan_changed
    by_place = {one.rule.at_after.partition(":")[0]: one for one in found.rules}
    assert len(found.rules) == len(by_place) == 2
    moves = {(one.kind, one.verdict): len(one.moves) for one in found.verdicts if one.moves}
    assert by_place["member.yaml"].verdicts == {f"{k}.{v}": n for (k, v), n in moves.items() if k == "member"}
    assert by_place["pack.yaml"].verdicts == {f"{k}.{v}": n for (k, v), n in moves.items() if k != "member"}
    assert {one.kind for one in found.comparison.subjects} == {"member", "plan", "workstation"}
    for one in found.rules:
        kinds = {name.partition(".")[0] for name in one.verdicts}
        own = [s for s in found.comparison.subjects if s.kind in kinds]
        judged = [s for s in own if any(change.sort == "verdict" for change in s.changes)]
        assert (one.subjects, one.others) == (len(own), len(own) - len(judged))


def test_published_figures_are_told_and_stop_nothing(daguan_changed: tuple[Impact, Path]) -> None:
    figures = {one.figure: (one.published, one.before, one.after) for one in daguan_changed[0].figures}
    lost = next(one for one in daguan_changed[0].verdicts if (one.kind, one.verdict) == ("member", "commended"))
    assert figures == {"count of member where commended": ("25", "25", str(25 - len(lost.moves)))}


def test_text_page_and_json_tell_the_same(daguan_changed: tuple[Impact, Path]) -> None:
    found, _ = daguan_changed
    text, whole = shown_as(found, "text"), shown_as(found, "text", is_all=True)
    every = [f"{move.name} ({move.key})" for one in found.verdicts for move in one.moves]
    assert len(every) > 60 and all(name in whole for name in every) and not all(name in text for name in every)
    read = json.loads(shown_as(found, "json"))
    assert Impact.model_validate(read).model_dump() == found.model_dump()
    page = _Page()
    page.feed(shown_as(found, "html", is_all=True))
    assert all(name in page.text for name in every)


class _Page(HTMLParser):
    """The text of a page; nothing in it may be fetched from elsewhere."""

    text = ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img") and "src" not in dict(attrs)


def test_packs_that_say_the_same_change_nothing(small: tuple[Path, Path], tmp_path: Path) -> None:
    pack, data = small
    same = changed(pack, tmp_path / "same", ("member.yaml", "total >= 8\n", "total  >=  8.0\n"))
    found = impact(Asked(pack, same, data, 2021))
    text = shown_as(found, "text")
    assert "the rules say the same, and nothing would change" in text and not found.rules
    assert "Demo &lt;b&gt;" in shown_as(found, "html")


def test_a_verdict_that_one_pack_has_alone_is_told_with_those_it_holds_for(
    small: tuple[Path, Path], tmp_path: Path
) -> None:
    pack, data = small
    more = changed(
        pack,
        tmp_path / "more",
        ("member.yaml", "  late: {when: \"grade = 'fail' and near > 5\"}", "  warned: {when: marks < 5}"),
    )
    found = impact(Asked(pack, more, data, 2021))
    told = {(one.verdict, one.is_new): (one.counts, {named.key for named in one.yes}) for one in found.one_sided}
    low = {f"M{n:02}" for n, mark in enumerate(MARKS) if Decimal(mark) < 5 and n != 9}
    assert told["warned", True] == ({"false": 11 - len(low), "true": len(low)}, low)
    assert told.keys() == {("warned", True), ("late", False)}
    text = shown_as(found, "text")
    assert "only in the new rules: member · warned" in text and all(f"({key})" in text for key in low)


def test_what_is_wrong_with_either_pack_is_said_at_once(small: tuple[Path, Path], tmp_path: Path) -> None:
    pack, data = small
    one = changed(pack, tmp_path / "one", ("member.yaml", "total >= 8\n", "totl >= 8\n"))
    other = changed(pack, tmp_path / "other", ("member.yaml", "otherwise: fail", "otherwise: fial"))
    with pytest.raises(Stop) as stopped:
        impact(Asked(one, other, data, 2021))
    assert {(p.code, Path(p.at.file).parent.name) for p in stopped.value.problems if p.at is not None} >= {
        ("P401", "one"), ("P307", "other"),
    }  # fmt: skip
    apart = write_pack(
        tmp_path / "apart", pack=PACK.partition("reconcile")[0], team="subject: team\nkey: id\nfields: {id: text}\n"
    )
    with pytest.raises(Stop, match="R211"):
        impact(Asked(pack, apart, data, 2021))


# --- a threshold with other values ---

SWEEPS = {
    "grade:good:total=7.5..12.5/0.5": ("member.yaml", "total >= 8\n", "total >= {}\n"),
    "grade:pass:total >= 4.5=4..6/0.5": ("member.yaml", "between 4.5 and", "between {} and"),
    "member.grade:good:marks=7..10/0.5": ("member.yaml", "marks <> 8.5", "marks <> {}"),
    "chosen:total=8..13": ("member.yaml", "12 > total", "{} > total"),
    "near=2..10/4": ("member.yaml", "near > 5", "near > {}"),
    "places=0..4": ("pack.yaml", "constant: 2", "constant: {}"),
    "weight=0.5..2/0.5": ("pack.yaml", "weight: 1", "weight: {}"),
}


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_sweep_is_what_really_writing_each_value_comes_to(
    sweep: str, small: tuple[Path, Path], tmp_path: Path
) -> None:
    pack, data = small
    quotas = ("grade=good<=30%", "grade=good>=4", "late=yes<3")
    found = impact(Asked(pack, pack, data, 2021, sweep=sweep, quotas=quotas)).sweep
    assert found is not None
    file, before, after = SWEEPS[sweep]
    plain = changed(
        pack,
        tmp_path / "plain",
        ("pack.yaml", "reconcile:\n  - {count: member, where: grade = 'good', equals: 4, year: 2021}\n", ""),
    )
    met: dict[str, list[str]] = {quota: [] for quota in (*quotas, "member.chosen")}
    for point in found.points:
        written = changed(plain, tmp_path / point.value, (file, before, after.format(point.value)))
        run = evaluator.run(written, data, 2021, tmp_path / f"run {point.value}")
        _is_point_of(point, run)
        good, late = (counted(run, "member", name) for name in ("grade", "late"))
        tests = (10 * good["good"] <= 3 * sum(good.values()), good["good"] >= 4, late["true"] < 3)
        for quota, holds in zip(quotas, tests, strict=True):
            met[quota] += [point.value] if holds else []
        met["member.chosen"] += [point.value] if point.own_quotas[0].is_met else []
    for one in found.met:
        assert list(one.values) == met[one.quota]
        now = Fraction(found.now)
        assert one.below == max((v for v in one.values if Fraction(v) <= now), key=Fraction, default=None)
        assert one.above == min((v for v in one.values if Fraction(v) >= now), key=Fraction, default=None)
    assert {one.quota for one in found.met} >= set(quotas)


def _is_point_of(point: SweepPoint, run: Path) -> None:
    """Check what is told of one value against a run with this value written into the pack."""
    assert point.stops is None
    for name, counts in point.counts.items():
        kind, _, verdict = name.partition(".")
        assert {value: count for value, count in counts.items() if count} == dict(counted(run, kind, verdict))
    groups: dict[Any, list[Any]] = defaultdict(list)
    for row in rows_of(run, "subjects/member"):
        if row["place.chosen"] is not None:
            groups[row["sector"]].append(row["take.chosen"])
    (own,) = point.own_quotas
    assert (own.eligible, own.places) == (sum(map(len, groups.values())), sum(max(t) for t in groups.values()))
    assert own.is_met == all(len(takes) <= max(takes) for takes in groups.values())


def test_a_value_with_which_a_run_stops_says_why(small: tuple[Path, Path], tmp_path: Path) -> None:
    pack, data = small
    tied = changed(
        pack, tmp_path / "tied",
        ("member.yaml", "ties: exclude", "ties: stop"), ("member.yaml", "order_by: [total desc]", "order_by: [sector]"),
    )  # fmt: skip
    with pytest.raises(Stop, match="R104"):
        impact(Asked(tied, tied, data, 2021))
    few = changed(tied, tmp_path / "few", ("pack.yaml", "constant: 2", "constant: 9"))
    swept = impact(Asked(few, few, data, 2021, sweep="places=1..9/4")).sweep
    assert swept is not None
    assert [(p.value, p.stops and p.stops.partition(":")[0]) for p in swept.points] == [
        ("1", "R104"), ("5", None), ("9", None),
    ]  # fmt: skip


@pytest.mark.skipif(not os.environ.get("EVALUATOR_ALL"), reason="it takes long: make test-all")
def test_daguan_tried_with_other_marks_is_daguan_with_other_marks(runs: dict[int, Path], tmp_path: Path) -> None:
    asked = Asked(RULES, RULES, DATA / "2021", 2021, (runs[2020],), sweep="member.grade:优秀:total=85..91/6")
    found = impact(asked).sweep
    assert found is not None and [point.value for point in found.points] == ["85", "91"]
    for point in found.points:
        new = changed(RULES, tmp_path / point.value, ("member.yaml", "total >= 90", f"total >= {point.value}"))
        text = (new / "pack.yaml").read_text(encoding="utf-8")
        (new / "pack.yaml").write_text(re.sub(r"\nreconcile:\n(?:  .*\n|\n)+", "\n", text), encoding="utf-8")
        run = evaluator.run(new, DATA / "2021", 2021, tmp_path / f"run {point.value}", [runs[2020]])
        for name, counts in point.counts.items():
            kind, _, verdict = name.partition(".")
            assert {value: n for value, n in counts.items() if n} == dict(counted(run, kind, verdict)), name


def test_every_threshold_stands_where_it_is_said_to_stand() -> None:
    for place in sorted(RULES.parent.glob("*/pack.yaml")):
        pack = evaluator.load_pack(place.parent)
        for one in thresholds_of(pack):
            line = Path(one.at.file).read_text(encoding="utf-8").split("\n")[one.at.line - 1]
            written = line[one.at.column - 1 : one.at.column - 1 + one.at.length]
            assert Fraction(written) == one.value, str(one)


def test_accepted_appeals_amend_what_both_packs_and_every_value_are_tried_on(
    small: tuple[Path, Path], tmp_path: Path
) -> None:
    pack, data = small
    plain = changed(pack, tmp_path / "plain", ("pack.yaml", "equals: 4, year: 2021", "equals: 4, year: 2020"))
    (tmp_path / "appeals").mkdir()
    (tmp_path / "appeals" / "1.yaml").write_text(
        "appeal: one\nsubject: M06\nfiled_on: 2022-01-05\nstatus: accepted\nreviewer: board\ndecided_on: 2022-01-10\n"
        "reason: proved\nclaims:\n  - {correct: member, key: M06, set: {marks: '11'}, evidence: a letter}\n",
        encoding="utf-8",
    )
    first = evaluator.run(plain, data, 2021, tmp_path / "first")
    given = {"appeals": tmp_path / "appeals", "supersedes": first}
    found = impact(Asked(plain, plain, data, 2021, sweep="grade:good:total=8..10/2", **given))  # type: ignore[arg-type]
    assert found.sweep is not None
    for point in found.sweep.points:
        new = changed(plain, tmp_path / point.value, ("member.yaml", "total >= 8\n", f"total >= {point.value}\n"))
        run = evaluator.run(new, data, 2021, tmp_path / f"run {point.value}", **given)  # type: ignore[arg-type]
        _is_point_of(point, run)
    grade = next(one for one in found.verdicts if one.verdict == "grade").matrix
    told = {count.after: count.subjects for count in grade.counts}
    amended = counted(tmp_path / "run 8", "member", "grade")
    assert told == {**amended, None: 1} and amended != counted(first, "member", "grade")
