"""Two runs compared: what changed is what plain reading says, and each change has the cause it was given."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import oracle
import pytest
from conftest import DATA, ROOT, RULES, SLOW, bytes_of, empty_folder, examples, rows_of, write_csv, write_pack
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

import evaluator
from evaluator.diagnostics import Stop
from evaluator.report.comparing.compare import has_changed, shown_as
from evaluator.report.comparing.model import Cause, Change, Comparison

Cells = dict[str, str]


def changes_of(found: Comparison) -> dict[tuple[str, str], dict[str, Change]]:
    """Return kind and key → what changed → the change; lines, ranks and verdicts by the names of their columns."""
    prefix = {"line": "points.", "rank": "rank."}
    return {
        (one.kind, one.key): {
            "reason.value" if (c.sort, c.name) == ("verdict", "reason") else prefix.get(c.sort, "") + c.name: c
            for c in one.changes
        }
        for one in found.subjects
    }


def roots(causes: tuple[Cause, ...]) -> Iterator[Cause]:
    """Give what causes come down to."""
    for cause in causes:
        if cause.causes:
            yield from roots(cause.causes)
        else:
            yield cause


def said(change: Change) -> set[tuple[str, str, str, str, str | None, str | None]]:
    """Return the roots of a change: what and how, owner and key, field, before, after."""
    return {(f"{c.what} {c.how}", c.owner, c.key, c.field, c.before, c.after) for c in roots(change.causes)}


def edit(file: Path, change: Callable[[Cells], Cells | None]) -> None:
    """Change the rows of a CSV file; a row that comes to nothing is left out."""
    heading, *rows = csv.reader(io.StringIO(oracle.decode(file.read_bytes()).removeprefix("\ufeff"), newline=""))
    changed = [change(dict(zip(heading, row, strict=True))) for row in rows]
    write_csv(file, heading, [list(row.values()) for row in changed if row is not None])


def copied(source: Path, target: Path) -> Path:
    """Copy a data folder, each sheet of its workbooks as a CSV file."""
    for file in sorted(source.iterdir()):
        if file.suffix == ".xlsx":
            book = CalamineWorkbook.from_path(str(file))
            for name in book.sheet_names:
                rows = [[_cell(cell) for cell in row] for row in book.get_sheet_by_name(name).to_python()]
                write_csv(target / f"{name}.csv", rows[0], rows[1:])
        elif file.is_file():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target / file.name)
    return target


def _cell(value: Any) -> Any:
    if isinstance(value, (date, datetime)):
        return value.isoformat()[:10]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# --- Daguan: one thing changed, its causes known ---


@pytest.fixture
def sheets(tmp_path: Path) -> Path:
    """A copy of Daguan's sheets of 2020, which are CSV."""
    return copied(DATA / "2020", tmp_path / "sheets")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RULES, tmp_path / "rules"))


def subjects(run: Path, kind: str) -> dict[str, dict[str, Any]]:
    return {str(row["key"]): row for row in rows_of(run, f"subjects/{kind}")}


def test_one_record_less(runs: dict[int, Path], sheets: Path, tmp_path: Path) -> None:
    """An activity of one workstation that did nothing else is taken out: five points, and whatever rests on them."""
    stations = subjects(runs[2020], "workstation")
    hosted = [row for row in rows_of(runs[2020], "records/hosts") if row["people"] == 1]
    own = next(
        row for row in hosted
        if stations[str(row["workstation"])]["raw.regular"] <= 30 and str(row["date"]).startswith("2020")
        and stations[str(row["workstation"])]["raw.total"] <= 100
    )  # fmt: skip
    activity, station = str(own["key"]).split("/")[0], str(own["workstation"])
    edit(sheets / "活动台账.csv", lambda row: None if row["编号"] == activity else row)
    found = evaluator.compare(runs[2020], evaluator.run(RULES, sheets, 2020, tmp_path / "out"))
    change = changes_of(found)["workstation", station]["points.regular"]
    assert float(change.before or 0) - float(change.after or 0) == 5
    [cause] = change.causes
    assert (cause.what, cause.how, cause.owner, cause.key) == ("record", "removed", "hosts", own["key"])
    assert (cause.points_before, cause.points_after, cause.at_after) == ("5", None, "")
    assert cause.at_before == f"活动台账.csv:{own['row']}"
    total = changes_of(found)["workstation", station]["total"]
    assert total.causes == change.causes
    for one in found.subjects:  # everything else that changed comes down to the same activity
        for other in one.changes:
            for cause in roots(other.causes):
                assert (cause.what, cause.how, cause.key.split("/")[0]) == ("record", "removed", activity)


def test_one_field(runs: dict[int, Path], sheets: Path, tmp_path: Path) -> None:
    """A member who was there is found to have been absent: the field is the cause, and what it took."""
    members = subjects(runs[2020], "member")
    seen = next(
        row for row in rows_of(runs[2020], "records/attendance")
        if row["state"] == "出席" and row["source"] is not None
        and members[str(row["member"])]["is_assessed"] and members[str(row["member"])]["points.meetings"] == 50
    )  # fmt: skip
    meeting, member = str(seen["meeting"]), str(seen["member"])
    names = {member, str(members[member]["name"])}

    def absent(row: Cells) -> Cells:
        is_it = row["会议"].strip() == meeting and row["委员"].strip() in names
        return row | ({"状态": "缺席"} if is_it else {})

    edit(sheets / "会议考勤.csv", absent)
    found = evaluator.compare(runs[2020], evaluator.run(RULES, sheets, 2020, tmp_path / "out"))
    change = changes_of(found)["member", member]["points.absent"]
    [cause] = change.causes
    assert said(change) == {("record changed", "attendance", f"{seen['key']}", "state", "出席", "缺席")}
    assert (cause.points_before, cause.points_after) == (None, change.after)
    assert changes_of(found)["member", member]["points.meetings"].causes == change.causes
    assert found.records == {"attendance": 1}
    assert not found.rules
    lone = {key for key, changes in changes_of(found).items() if "total" in changes}
    assert lone == {("member", member)}


def test_a_date_out_of_the_year(runs: dict[int, Path], sheets: Path, tmp_path: Path) -> None:
    """An activity that was held a year later counts no longer; its hosts stand as they did, its date is the cause."""
    stations = subjects(runs[2020], "workstation")
    own = next(
        row for row in rows_of(runs[2020], "records/hosts")
        if str(row["date"]).startswith("2020") and stations[str(row["workstation"])]["raw.regular"] <= 30
    )  # fmt: skip
    activity, station = str(own["key"]).split("/")[0], str(own["workstation"])
    edit(sheets / "活动台账.csv", lambda row: row | ({"活动日期": "2021-03-01"} if row["编号"] == activity else {}))
    found = evaluator.compare(runs[2020], evaluator.run(RULES, sheets, 2020, tmp_path / "out"))
    assert found.records == {"activities": 1}
    change = changes_of(found)["workstation", station]["points.regular"]
    assert said(change) == {("record changed", "activities", activity, "held_on", str(own["date"]), "2021-03-01")}
    for one in found.subjects:
        for other in one.changes:
            assert said(other) == said(change)


def in_pack(folder: Path, file: str, before: str, after: str) -> None:
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def test_one_parameter(runs: dict[int, Path], rules: Path, tmp_path: Path) -> None:
    """Five activities instead of four: those with four and no excuse fail, and those only; each for that alone."""
    in_pack(rules, "pack.yaml", "minimum_activities: 4", "minimum_activities: 5")
    found = evaluator.compare(runs[2020], evaluator.run(rules, DATA / "2020", 2020, tmp_path / "out"))
    cause = ("rule changed", "parameters.minimum_activities", "", "", "4", "5")
    fallen = {
        key for key, row in subjects(runs[2020], "workstation").items()
        if row["activities"] == 4 and not row["excused"] and row["grade"] != "不合格"
    }  # fmt: skip
    graded = {key: changes["grade"] for (kind, key), changes in changes_of(found).items()
              if kind == "workstation" and "grade" in changes}  # fmt: skip
    assert graded.keys() == fallen
    assert fallen
    for change in graded.values():
        assert said(change) == {cause}
    [rule] = found.rules
    assert (rule.owner, rule.before, rule.after) == ("parameters.minimum_activities", "4", "5")
    assert re.fullmatch(r"pack\.yaml:\d+", rule.at_before)


def test_one_rule_and_where_it_stands(rules: Path, tmp_path: Path) -> None:
    """A mark of 85: those from 85 to 90 are excellent by that rule. Where a line stands and notes are no difference."""
    in_pack(rules, "workstation.yaml", "ties: stop", "ties: exclude")
    run = evaluator.run(rules, DATA / "2020", 2020, tmp_path / "before")
    in_pack(
        rules, "workstation.yaml", "{is: 优秀, when: total >= 90, note: ", "{is: 优秀, when: total >= 85, note: now "
    )
    text = (rules / "member.yaml").read_text(encoding="utf-8")
    (rules / "member.yaml").write_text(
        "# another line\n\n" + text.replace("total >= 90", "total  >=  90"), encoding="utf-8"
    )
    found = evaluator.compare(run, evaluator.run(rules, DATA / "2020", 2020, tmp_path / "out"))
    [rule] = found.rules
    assert (rule.owner, rule.field) == ("workstation.grade", "rule 3")
    assert (rule.before, rule.after) == ("优秀 ← total >= 90", "优秀 ← total >= 85")
    risen = {key for key, row in subjects(run, "workstation").items() if row["grade"] == "合格" and row["total"] >= 85}
    graded = {key: c["grade"] for (_, key), c in changes_of(found).items() if "grade" in c}
    assert graded.keys() == risen
    assert risen
    assert all(change.causes == (rule,) for change in graded.values())
    assert {one.kind for one in found.subjects} == {"workstation"}
    for changes in changes_of(found).values():  # who is commended too, or no longer, by those who became eligible
        assert all(cause == rule for change in changes.values() for cause in roots(change.causes))


def test_a_rule_and_a_record_at_once(sheets: Path, rules: Path, tmp_path: Path) -> None:
    """Each change is put to what brought it about: who lost a record is not said to have changed by the rule."""
    in_pack(rules, "workstation.yaml", "ties: stop", "ties: exclude")
    run = evaluator.run(rules, sheets, 2020, tmp_path / "before")
    in_pack(rules, "workstation.yaml", "when: total >= 90", "when: total >= 85")
    stations = subjects(run, "workstation")
    hosts = [row for row in rows_of(run, "records/hosts") if row["date"].year == 2020]
    station = next(
        key for key, row in stations.items()
        if row["grade"] == "合格" and row["total"] < 80 and row["activities"] == 4 and not row["excused"]
    )  # fmt: skip
    lost = next(row for row in hosts if row["workstation"] == station and row["people"] == 1)
    edit(sheets / "活动台账.csv", lambda row: None if row["编号"] == str(lost["key"]).split("/")[0] else row)
    found = evaluator.compare(run, evaluator.run(rules, sheets, 2020, tmp_path / "out"))
    grade = changes_of(found)["workstation", station]["grade"]
    assert (grade.before, grade.after) == ("合格", "不合格")
    assert {cause.what for cause in grade.causes} == {"record"}
    assert {cause.key for cause in grade.causes} == {lost["key"]}
    risen = [changes["grade"] for (_, key), changes in changes_of(found).items()
             if "grade" in changes and key != station]  # fmt: skip
    assert risen
    assert all(cause.owner == "workstation.grade" for change in risen for cause in change.causes)


def test_one_attribute_of_a_subject(runs: dict[int, Path], sheets: Path, tmp_path: Path) -> None:
    """A member is found to have been ill all year: set apart, and everybody behind moves up."""
    members = subjects(runs[2020], "member")
    first = max(
        (row for row in members.values() if row["is_assessed"]), key=lambda row: (row["total"], str(row["key"]))
    )
    edit(sheets / "委员名单.csv", lambda row: row | ({"长期病休": "是"} if row["编号"].strip() == first["key"] else {}))
    found = evaluator.compare(runs[2020], evaluator.run(RULES, sheets, 2020, tmp_path / "out"))
    cause = ("record changed", "member", str(first["key"]), "on_leave", "false", "true")
    made = changes_of(found)["member", str(first["key"])]
    assert {name: said(change) for name, change in made.items()} == dict.fromkeys(made, {cause})
    assert {"total", "grade", "is_assessed", "rank.annual"} <= made.keys()
    others = [c for (kind, key), c in changes_of(found).items() if (kind, key) != ("member", str(first["key"]))]
    for changes in others:
        for change in changes.values():
            assert ("passed", "member", str(first["key"])) in {(c.what, c.owner, c.key) for c in change.causes}
            assert said(change) >= {cause}


def test_an_earlier_year(runs: dict[int, Path], rules: Path, tmp_path: Path) -> None:
    """Failing twice in a row means to leave: where the year before is passed, that year is the cause."""
    in_pack(rules, "workstation.yaml", "when: total < 60", "when: total < 0")
    in_pack(rules, "pack.yaml", "minimum_activities: 4", "minimum_activities: 0")
    earlier = evaluator.run(rules, DATA / "2020", 2020, tmp_path / "2020")
    found = evaluator.compare(runs[2021], evaluator.run(RULES, DATA / "2021", 2021, tmp_path / "2021", [earlier]))
    left = {key for key, row in subjects(runs[2021], "workstation").items() if row["exit"]}
    made = {key: changes for (_, key), changes in changes_of(found).items()}
    assert made.keys() == left
    assert left
    for key in left:
        assert said(made[key]["exit"]) == {
            ("history changed", "years_running(grade = '不合格')", key, "2020", "true", "false")
        }


# --- Tongchuan: judgements, and values of others ---

TONGCHUAN = ROOT / "rules" / "tongchuan"


@pytest.fixture(scope="module")
def tongchuan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Tongchuan's sheets as CSV, and the run on them."""
    home = tmp_path_factory.mktemp("tongchuan")
    data = copied(ROOT / "fixtures" / "tongchuan" / "2023", home / "data")
    return data, evaluator.run(TONGCHUAN, data, 2023, home / "run")


def test_one_judgement(tongchuan: tuple[Path, Path], tmp_path: Path) -> None:
    data, run = tongchuan
    sheets = Path(shutil.copytree(data, tmp_path / "data"))
    before: list[Cells] = []

    def lower(row: Cells) -> Cells:
        before.append(row)
        return row | ({"评定": "1"} if len(before) == 1 else {})

    edit(sheets / "评议.csv", lower)
    found = evaluator.compare(run, evaluator.run(TONGCHUAN, sheets, 2023, tmp_path / "out"))
    member = before[0]["对象"]
    made = changes_of(found)["member", member]
    cause = ("judgement changed", "judgements", member, "bonus", before[0]["评定"], "1")
    assert said(made["points.bonus"]) == said(made["total"]) == {cause}
    [one] = made["points.bonus"].causes
    assert (one.at_before, one.at_after) == ("评议.csv:2", "评议.csv:2")
    for (_, key), changes in changes_of(found).items():  # others only moved up in a list
        assert key == member or all(change.sort == "rank" for change in changes.values())
        assert all(said(change) == {cause} for change in changes.values())


def test_what_another_subject_came_to(tongchuan: tuple[Path, Path], tmp_path: Path) -> None:
    """A member's bonus rests on the stars of its studio, the stars on the studio's activities."""
    data, run = tongchuan
    sheets = Path(shutil.copytree(data, tmp_path / "data"))
    pack = Path(shutil.copytree(TONGCHUAN, tmp_path / "pack"))
    in_pack(pack, "workstation.yaml", "{is: 3, when: total >= 70", "{is: 3, when: total >= 79.9")
    in_pack(pack, "member.yaml", "coalesce(workstation.stars >= 3, false)", "coalesce(workstation.stars >= 0, false)")
    stations = subjects(run, "workstation")
    lowered = {key for key, row in stations.items() if row["stars"] == 3 and row["total"] < 79.9}
    assert lowered
    bound = [row for row in rows_of(run, "subjects/member") if row["workstation"] in lowered]
    judged = {str(row["subject"]) for row in rows_of(run, "records/judgements")}
    edit(sheets / "评议.csv", lambda row: None if row["对象"] in {str(r["key"]) for r in bound} else row)
    found = evaluator.compare(
        evaluator.run(TONGCHUAN, sheets, 2023, tmp_path / "a"),
        evaluator.run(pack, sheets, 2023, tmp_path / "b", accept_rejects=True),
    )
    led = [str(row["key"]) for row in bound if row["leads"]]
    assert led and judged
    for key in led:
        change = changes_of(found)["member", key]["priority"]
        [studio] = change.causes
        assert (studio.what, studio.owner, studio.field) == ("subject", "workstation", "stars")
        assert studio.key in lowered
        [rule] = studio.causes
        assert (rule.owner, rule.field, rule.before, rule.after) == (
            "workstation.stars", "rule 5", "3 ← total >= 70", "3 ← total >= 79.9",
        )  # fmt: skip


# --- random changes to a pack with a bit of everything ---

PACK = """
    pack: bit
    title: {{en: A bit of everything}}
    language: en
    parameters:
      pass_mark: {mark}
      worth: {{is: {{a: {a}, b: 5}}}}
      most: {most}
    tables:
      works:
        key: id
        date: held_on
        fields: {{id: text, held_on: date, member: {{ref: member}}, kind: {{one_of: [a, b]}}}}
"""
TEAM = """
    subject: team
    key: id
    fields: {{id: text, open: boolean}}
    measures: {{members: {{count: member}}}}
    verdicts: {{star: {{levels: [0, 1], rules: [{{is: 1, when: members >= {size} and open}}, {{otherwise: 0}}]}}}}
"""
MEMBER = """
    subject: member
    key: id
    fields: {{id: text, team: {{ref: team}}, extra: number, on_leave: boolean}}
    not_assessed: [{{when: on_leave, reason: on leave}}]
    not_ranked: [{{when: extra <= {aside}, reason: aside}}]
    measures:
      works: {{count: works}}
      row: {{count: works, where: "kind = 'a'"}}
      peers: {{sum: extra, of: member, within: team}}
    score:
      min: 0
      items:
        - {{id: works, each: works, where: "kind = 'b' or {both}", points: worth(kind), max: most}}
        - {{id: extra, points: extra, {bound}}}
        - {{id: team, when: team.star >= 1, points: 3}}
    verdicts:
      grade: {{levels: [fail, pass, good], rules: [{{is: good, when: total >= 15}},
               {{is: pass, when: total >= pass_mark}}, {{otherwise: fail}}]}}
      reason: {{when: "peers > 5"}}
      best: {{among: grade >= 'pass', take: 2, order_by: [total desc, id], ties: stop}}
      first: {{among: "true", take: 1, within: team, order_by: [total desc, id], ties: stop}}
    rosters:
      - {{id: all, order_by: total desc, rank: competition, columns: [rank, id, total]}}
      - {{id: teams, where: grade >= 'pass', within: team, order_by: [total desc, id], columns: [rank, id]}}
"""
DEFAULTS = {"mark": "6", "a": "2", "most": "12", "size": "2", "both": "true", "bound": "min: -2", "aside": "-3"}
OTHERS = {"mark": "8", "a": "3", "most": "7", "size": "1", "both": "false", "bound": "max: 4", "aside": "0"}

MEMBERS = st.dictionaries(
    st.sampled_from([f"m{n}" for n in range(7)]),
    st.tuples(st.sampled_from(["t1", "t2", "t3"]), st.integers(-4, 8), st.sampled_from([True, False, False, False])),
    min_size=2, max_size=7,
)  # fmt: skip
WORKS = st.dictionaries(
    st.sampled_from([f"w{n}" for n in range(14)]),
    st.tuples(st.integers(0, 6), st.sampled_from("ab"), st.sampled_from(["2021-05-01", "2021-07-01", "2020-07-01"])),
    max_size=14,
)
OPEN = st.tuples(st.booleans(), st.booleans(), st.booleans())


@st.composite
def two_sides(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw data and a pack, and the same with some things changed."""
    members, works, is_open = draw(MEMBERS), draw(WORKS), draw(OPEN)
    before = {"members": members, "works": works, "open": is_open, "pack": DEFAULTS}
    other, more, altered = draw(MEMBERS), draw(WORKS), draw(OPEN)
    keep = draw(st.sets(st.sampled_from(sorted(members))))
    after = {
        "members": {key: row for key, row in (members | other).items() if key in keep or len(keep) < 2}
        if draw(st.booleans()) else members,
        "works": {**works, **dict(list(more.items())[: draw(st.integers(0, 3))])},
        "later": draw(st.sets(st.sampled_from(sorted(works)), max_size=2)) if works else set(),
        "open": altered if draw(st.booleans()) else is_open,
        "pack": DEFAULTS | {name: OTHERS[name] for name in draw(st.sets(st.sampled_from(sorted(OTHERS)), max_size=2))},
    }  # fmt: skip
    for key in draw(st.sets(st.sampled_from(sorted(works)), max_size=3)) if works else ():
        after["works"].pop(key)
    for key in after.pop("later") & after["works"].keys():
        after["works"][key] = (*after["works"][key][:2], "2022-01-01")
    return before, after


def run_of(side: dict[str, Any], home: Path) -> Path:
    files = {name: text.format(**side["pack"]) for name, text in (("pack", PACK), ("team", TEAM), ("member", MEMBER))}
    pack = write_pack(empty_folder(home) / "pack", **files)
    write_csv(home / "data" / "team.csv", ("id", "open"), [(f"t{n}", flag) for n, flag in enumerate(side["open"], 1)])
    people = sorted(side["members"])
    write_csv(
        home / "data" / "member.csv", ("id", "team", "extra", "on_leave"), [(k, *side["members"][k]) for k in people]
    )
    rows = [(key, day, people[n % len(people)], kind) for key, (n, kind, day) in side["works"].items()]
    write_csv(home / "data" / "works.csv", ("id", "held_on", "member", "kind"), rows)
    return evaluator.run(pack, home / "data", 2021, home / "run")


VALUES = {
    "team": ["star", "is_assessed", "is_ranked", "reason"],
    "member": [
        *("grade", "reason.value", "best", "first", "total", "points.works", "points.extra", "points.team"),
        *("is_assessed", "is_ranked", "reason"),
    ],
}


def plainly(before: Path, after: Path) -> dict[tuple[str, str], set[str]]:
    """Return what changed, read from both runs without any join."""
    found: dict[tuple[str, str], set[str]] = {}
    for kind, names in VALUES.items():
        one, other = subjects(before, kind), subjects(after, kind)
        for key in one.keys() | other.keys():
            if key not in one or key not in other:
                found[kind, key] = {"subject"}
            else:
                found[kind, key] = {name for name in names if one[key][name] != other[key][name]}
    for roster in ("all", "teams"):
        ranks = [
            {str(row["#key"]): row["#rank"] for row in rows_of(run, f"rosters/member.{roster}")}
            for run in (before, after)
        ]
        for key in ranks[0].keys() | ranks[1].keys():
            if (key in ranks[0], ranks[0].get(key)) != (key in ranks[1], ranks[1].get(key)):
                if found["member", key] != {"subject"}:
                    found["member", key].add(f"rank.{roster}")
    return {place: names for place, names in found.items() if names}


@settings(max_examples=examples(12), **SLOW)
@given(two_sides())
def test_random_changes(tmp_path: Path, sides: tuple[dict[str, Any], dict[str, Any]]) -> None:
    before, after = (run_of(side, tmp_path / name) for side, name in zip(sides, "ab", strict=True))
    found = evaluator.compare(before, after)
    made = changes_of(found)
    assert {place: set(changes) for place, changes in made.items()} == plainly(before, after)
    stored = [{kind: subjects(run, kind) for kind in VALUES} for run in (before, after)]
    for (kind, key), changes in made.items():
        for name, change in changes.items():
            assert "unknown" not in {cause.what for cause in roots(change.causes)}, (kind, key, name, change)
            for cause in roots(change.causes):
                is_true(cause, sides)
        if "points.works" in changes:
            adds_up(changes["points.works"], *(side[kind][key] for side in stored))
    for verdict in found.kinds[1 if found.kinds[0].kind == "team" else 0].matrices:
        total = sum(count.subjects for count in verdict.counts)
        assert total == len(stored[0]["member"].keys() | stored[1]["member"].keys())
    assert Comparison.model_validate_json(shown_as(found, "json")).model_dump() == found.model_dump()


def is_true(cause: Cause, sides: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """What a cause says is different is different, from that to that."""
    if cause.what == "record":
        tables = {"works": "works", "member": "members"}
        if cause.owner == "team":
            number = int(cause.key[1:]) - 1
            assert [str(side["open"][number]).lower() for side in sides] == [cause.before, cause.after]
            return
        one, other = (side[tables[cause.owner]].get(cause.key) for side in sides)
        assert {"added": (False, True), "removed": (True, False), "changed": (True, True)}[cause.how] == (
            one is not None, other is not None,
        )  # fmt: skip
        assert cause.before != cause.after or cause.how != "changed"
    elif cause.what == "rule":
        assert sides[0]["pack"] != sides[1]["pack"]
        assert cause.before != cause.after
    else:
        assert cause.what == "passed" and cause.more


def adds_up(change: Change, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Where only records differ, what they bring makes up what the line comes to before its cap."""
    if all(cause.what == "record" and cause.owner == "works" for cause in change.causes):
        made = sum(
            float(c.points_after or 0) - float(c.points_before or 0) for c in {c.key: c for c in change.causes}.values()
        )
        assert made == float((after["raw.works"] or 0) - (before["raw.works"] or 0))


# --- what is printed, and what it exits with ---


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    home = tmp_path_factory.mktemp("pair")
    one: dict[str, Any] = {
        "members": {"m1": ("t1", 4, False), "m2": ("t1", 2, False), "m3": ("t2", 1, False)},
        "works": {"w1": (0, "b", "2021-05-01"), "w2": (1, "a", "2021-05-01")},
        "open": (True, True, True), "pack": DEFAULTS,
    }  # fmt: skip
    other = one | {"works": {**one["works"], "w3": (2, "b", "2021-07-01")}}
    return run_of(one, home / "a"), run_of(other, home / "b")


@pytest.mark.parametrize(
    ("asked", "fails"),
    [
        *((None, False), ("grade", True), ("member.grade", True), ("star", False), ("team.star,reason", False)),
        *(("total", True), ("rank", True), ("any", True), ("star, total", True)),
    ],
)
def test_what_to_fail_on(pair: tuple[Path, Path], asked: str | None, fails: bool) -> None:
    assert has_changed(evaluator.compare(*pair), asked) is fails


def test_names_that_are_none(pair: tuple[Path, Path]) -> None:
    with pytest.raises(Stop) as stopped:
        has_changed(evaluator.compare(*pair), "grad,rank,member.star")
    assert [(p.code, p.message) for p in stopped.value.problems] == [
        ("R212", 'nothing is called "grad"'), ("R212", 'nothing is called "member.star"'),
    ]  # fmt: skip
    assert stopped.value.problems[0].fix == "use grade"


def test_page_and_schema(pair: tuple[Path, Path]) -> None:
    """The page stands alone, names its fonts, and shows every change; the JSON is what its schema says."""
    found = evaluator.compare(*pair)
    page = shown_as(found, "html")
    assert not re.search(r"<script|https?://|\bsrc=|url\(", page)
    assert "Noto Sans CJK SC" in page and "@page" in page and '<meta name="viewport"' in page
    for one in found.subjects:
        assert one.key in page
    assert "works.csv:4" in page
    assert Comparison.model_json_schema()["title"] == "Comparison"


def test_what_is_compared_is_only_read(pair: tuple[Path, Path]) -> None:
    before = [bytes_of(run) for run in pair]
    assert str(evaluator.compare(pair[0], pair[0])).endswith("nothing changed")
    evaluator.compare(*pair)
    assert [bytes_of(run) for run in pair] == before
