"""Daguan's assessment in plain loops over the fixture files: what the engine has to agree with.

Written from `rules/daguan/*.yaml` by hand and for that pack only, without a line of `evaluator`.
Run as ``python tests/oracle.py`` to see the totals of both years beside the published ones.
"""

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from python_calamine import CalamineWorkbook

Value = Decimal | int | str | bool | None
Row = dict[str, Any]
Place = tuple[str | None, int | None, str]
"""One line of a roster: value of `within` (None without), rank (None for the unranked), subject."""

KEYS = {"member": "编号", "workstation": "编号", "proposal": "案号"}
ALIASES = {
    "微协商会": "微协商", "走访调研": "调研", "大型服务": "服务", "市域社会治理": "社会治理",
    "到会": "出席", "√": "出席", "准假": "请假", "未到": "缺席", "×": "缺席",
    "区域性": "区域", "个人专业型": "个人",
}  # fmt: skip
GRASSROOTS = ("微协商", "社会治理", "调研")
MINIMUM_ACTIVITIES = 4
ABSENCE = {"全体会议": -10, "其他会议": -5}
FIRST_DAY = date(2017, 1, 1)


@dataclass
class Result:
    """What one year comes to."""

    year: int
    subjects: dict[str, dict[str, dict[str, Value]]]
    """kind → subject → measures, `points.<line>`, `raw.<line>` (before min and max), `total`, verdicts."""
    fields: dict[str, dict[str, Row]]
    """kind → subject → its typed fields."""
    rosters: dict[str, list[Place]]
    """kind.roster → its lines in order."""
    records_outside: dict[str, int]
    """Dated table → records whose date is not in the year."""
    activities: list[Row] = field(repr=False)
    outcomes: list[tuple[str, int, str]] = field(repr=False)
    """Published figures of the sheets that judge neither members, workstations nor proposals."""


# Reading


def read_sheets(folder: Path) -> dict[str, list[Row]]:
    """Return every sheet of every file by its name, a row as heading → cell."""
    sheets: dict[str, list[Row]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".csv":
            sheets[path.stem] = with_headings(csv.reader(io.StringIO(decode(path.read_bytes()), newline="")))
        elif path.suffix == ".xlsx":
            book = CalamineWorkbook.from_path(str(path))
            for name in book.sheet_names:
                sheets[name] = with_headings(book.get_sheet_by_name(name).to_python())
    return sheets


def decode(data: bytes) -> str:
    """Return the text of a file in UTF-8, with or without a mark, or in GB18030."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030")


def with_headings(rows: Iterable[list[Any]]) -> list[Row]:
    """Return the rows under the first one as mappings."""
    headings, *rest = rows
    return [dict(zip(headings, row, strict=True)) for row in rest]


def text(cell: Any) -> str:
    """Return a cell as text without the spaces around it, full-width ones included."""
    assert isinstance(cell, str), cell
    return cell.strip()


def required(cell: Any) -> str:
    """Return the text of a cell that must not be empty."""
    assert text(cell)
    return text(cell)


def day(cell: Any) -> date:
    """Return the date in a date cell or in one of its written forms."""
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    written = re.fullmatch(r"(\d+)[-/年](\d+)[-/月](\d+)日?", unicodedata.normalize("NFKC", cell).strip())
    assert written, cell
    return date(*map(int, written.groups()))


def truth(cell: Any) -> bool:
    """Return the boolean in a cell."""
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, (int, float)):
        return {0: False, 1: True}[int(cell)]
    return {"是": True, "true": True, "1": True, "否": False, "false": False, "0": False}[text(cell)]


def one_of(cell: Any, *values: str) -> str:
    """Return the value of a cell under its own name."""
    value = ALIASES.get(text(cell), text(cell))
    assert value in values, cell
    return value


def names(cell: Any) -> list[str]:
    """Return the names in one cell."""
    return [name.strip() for name in re.split("[、；]", cell) if name.strip()]


def or_else(cell: Any, read: Callable[[Any], Any], default: Any) -> Any:
    """Return what a cell holds, the default for an empty one."""
    return default if cell == "" else read(cell)


def keyed(rows: list[Row], key: str) -> dict[str, Row]:
    """Return rows by their key, in its order."""
    by_key = {row[key]: row for row in sorted(rows, key=lambda row: row[key])}
    assert len(by_key) == len(rows)
    return by_key


def finder(subjects: Mapping[str, Row]) -> Callable[[str], str]:
    """Return a function that finds a subject by id or by name."""
    by_name = {row["name"]: key for key, row in subjects.items()}
    assert len(by_name) == len(subjects)
    return lambda word: word if word in subjects else by_name[word]


class Tables:
    """The tables of the pack, typed, with unfolded and expected rows."""

    def __init__(self, folder: Path) -> None:
        sheets = read_sheets(folder)
        self.members = keyed(
            [
                {
                    "id": required(row["编号"]),
                    "name": required(row["姓名"]),
                    "sector": required(row["界别"]),
                    "joined_on": or_else(row["任职日期"], day, FIRST_DAY),
                    "on_leave": or_else(row["长期病休"], truth, False),
                }
                for row in sheets["委员名单"]
            ],
            "id",
        )
        self.workstations = keyed(
            [
                {
                    "id": required(row["编号"]),
                    "name": required(row["名称"]),
                    "kind": one_of(row["类型"], "区域", "个人"),
                    "street": required(row["街道"]),
                    "excused": or_else(row["免计活动"], truth, False),
                    "is_core": or_else(row["核心"], truth, False),
                }
                for row in sheets["工作室名单"]
            ],
            "id",
        )
        self.member = finder(self.members)
        self.workstation = finder(self.workstations)
        self.read_activities(sheets["活动台账"])
        self.read_inspections(sheets["标准清单"], sheets["检查记录"])
        self.read_meetings(sheets["会议"], sheets["会议考勤"])
        self.read_proposals(sheets["提案"])
        self.read_outcomes(sheets)

    def read_activities(self, ledger: list[Row]) -> None:
        """Read the ledger, and unfold its workstations and members."""
        self.activities: list[Row] = []
        self.hosts: list[Row] = []
        self.takes_part: list[Row] = []
        for row in ledger:
            activity = {
                "id": required(row["编号"]),
                "day": day(row["活动日期"] if "活动日期" in row else row["日期"]),
                "kind": one_of(row["类别"], "微协商", "培训", "调研", "服务", "社会治理"),
            }
            self.activities.append(activity)
            hosts = [self.workstation(word) for word in names(row["主办工作室"]) + names(row["联办工作室"])]
            members = [self.member(word) for word in names(row["参加委员"])]
            assert len(set(hosts)) == len(hosts)
            assert len(set(members)) == len(members)
            self.hosts += [{**activity, "workstation": key, "people": len(hosts)} for key in hosts]
            self.takes_part += [{**activity, "member": key} for key in members]
        keyed(self.activities, "id")

    def read_inspections(self, checklist: list[Row], inspections: list[Row]) -> None:
        """Read what was inspected; an item without a row is not met."""
        items = [required(row["项目"]) for row in checklist]
        assert all(row["清单"] in ("六有", "五上墙") for row in checklist)
        self.met: dict[tuple[str, str], bool] = {}
        for row in inspections:
            pair = required(row["项目"]), self.workstation(text(row["工作室"]))
            assert pair[0] in items
            assert pair not in self.met
            self.met[pair] = truth(row["达标"])
        assert {item for item, _ in self.met} == set(items)
        for item in items:
            for key in self.workstations:
                self.met.setdefault((item, key), False)

    def read_meetings(self, meetings: list[Row], attendance: list[Row]) -> None:
        """Read the sheets of the meetings; who is missing from the sheet of a plenary was absent."""
        self.meetings = keyed(
            [
                {
                    "id": required(row["编号"]),
                    "day": day(row["日期"]),
                    "kind": one_of(row["类别"], "全体会议", "其他会议"),
                }
                for row in meetings
            ],
            "id",
        )
        states: dict[tuple[str, str], str] = {}
        for row in attendance:
            pair = required(row["会议"]), self.member(text(row["委员"]))
            assert pair[0] in self.meetings
            assert pair not in states
            states[pair] = one_of(row["状态"], "出席", "请假", "缺席", "免予")
        for meeting in self.meetings.values():
            if meeting["kind"] == "全体会议":
                assert any(key == meeting["id"] for key, _ in states)
                for member in self.members.values():
                    if member["joined_on"] <= meeting["day"] and not member["on_leave"]:
                        states.setdefault((meeting["id"], member["id"]), "缺席")
        self.attendance = [
            {"meeting": self.meetings[m], "day": self.meetings[m]["day"], "member": key, "state": state}
            for (m, key), state in states.items()
        ]

    def read_proposals(self, proposals: list[Row]) -> None:
        """Read the proposals and unfold those who signed."""
        self.signatures: list[Row] = []
        rows: list[Row] = []
        for row in proposals:
            proposal = {
                "no": required(row["案号"]),
                "title": required(row["案名"]),
                "day": day(row["提交日期"]),
                "unit": text(row["承办单位"]),
                "result": one_of(row["处理结果"], "立案", "并案", "不予立案"),
                "key_one": or_else(row["重点提案"], truth, False),
            }
            rows.append(proposal)
            signed = [("第一提案人", self.member(word)) for word in names(row["第一提案人"])]
            signed += [("联名", self.member(word)) for word in names(row["联名人"])]
            assert len({key for _, key in signed}) == len(signed)
            self.signatures += [{**proposal, "role": role, "member": key} for role, key in signed]
        self.proposals = keyed(rows, "no")

    def read_outcomes(self, sheets: dict[str, list[Row]]) -> None:
        """Count what the sheets of outcomes hold; every row of theirs lies in its year."""
        guests = {text(row["编号"]): row for row in sheets["住区省市委员"]}
        known = {text(row["姓名"]): key for key, row in guests.items()} | {key: key for key in guests}
        linked = {known[word] for row in sheets["活动台账"] for word in names(row["省市委员"])}
        level = Counter(text(guests[key]["级别"])[0] for key in linked)
        handed = [row for row in sheets["问题清单"] if row["转交日期"] != ""]
        of_firms = [row for row in handed if row["来源"] == "企业建议"]
        papers = [(row["类别"], or_else(row["量化清单"], truth, False)) for row in sheets["报送成果"]]
        planned = {self.workstation(text(row["工作室"])) for row in sheets["工作计划"]}
        self.outcomes = [
            ("core workstations", sum(s["is_core"] for s in self.workstations.values()), "1"),
            ("workstations without a plan", len(self.workstations.keys() - planned), "0"),
            ("trained", sum(or_else(row["参加培训"], truth, False) for row in guests.values()), "at least 30"),
            ("members of the province", level["省"], "3"),
            ("members of the city", level["市"], "17"),
            ("joint reports", sum(kind == "联动调研报告" for kind, _ in papers), "3"),
            ("firms", sum(int(row["企业数"]) for row in of_firms), "22"),
            ("suggestions of firms", len(of_firms), "18"),
            ("papers for leaders", papers.count(("送阅材料", True)), "4"),
            ("instructions", sum(row["批示日期"] != "" for row in sheets["报送成果"]), "2"),
        ]

    def dated(self) -> dict[str, list[Row]]:
        """Return the tables whose records have a date."""
        return {
            "activities": self.activities,
            "hosts": self.hosts,
            "takes_part": self.takes_part,
            "meetings": list(self.meetings.values()),
            "attendance": self.attendance,
            "proposal": list(self.proposals.values()),
            "signatures": self.signatures,
        }


# Judging


def stored(value: Decimal | int) -> Decimal:
    """Return a number as it is stored: 6 places, half away from zero."""
    return Decimal(value).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def bounded(value: Decimal | int, low: int | None = None, high: int | None = None) -> Decimal:
    """Return a value within its bounds."""
    value = Decimal(value)
    if low is not None and value < low:
        value = Decimal(low)
    if high is not None and value > high:
        value = Decimal(high)
    return value


def line(subject: dict[str, Value], name: str, raw: Decimal | int, *bounds: int | None) -> Decimal:
    """Enter a line of the score, before and after its bounds, and return it."""
    subject[f"raw.{name}"] = stored(raw)
    points = stored(bounded(raw, *bounds))
    subject[f"points.{name}"] = points
    return points


def judge_member(member: Row, tables: Tables, year: int) -> dict[str, Value]:
    """Return what a member's year comes to, without the commendation."""
    mine = {
        name: [r for r in rows if r.get("member") == member["id"] and r["day"].year == year]
        for name, rows in tables.dated().items()
    }
    absences = [r for r in mine["attendance"] if r["state"] == "缺席"]
    grassroots = [r for r in mine["takes_part"] if r["kind"] in GRASSROOTS]
    subject: dict[str, Value] = {
        "absences": len(absences),
        "proposals": sum(1 for r in mine["signatures"] if r["result"] != "不予立案"),
        "grassroots": len(grassroots),
    }
    if member["on_leave"]:
        for name in ("meetings", "absent", "proposals", "grassroots"):
            subject[f"raw.{name}"] = subject[f"points.{name}"] = None
        return subject | {"total": None, "grade": None, "commended": None}
    absent = line(subject, "absent", sum(ABSENCE[r["meeting"]["kind"]] for r in absences))
    total = line(subject, "meetings", 50 + absent, 0)
    signed = 0
    for signature in mine["signatures"]:
        if signature["result"] == "不予立案":
            signed += 2
        elif signature["role"] == "第一提案人":
            signed += 15
        else:
            signed += 5
    total += line(subject, "proposals", signed, None, 30)
    total += line(subject, "grassroots", 5 * len(grassroots), None, 20)
    grade = "不称职"
    for mark, name in ((60, "称职"), (80, "良好"), (90, "优秀")):
        if total >= mark:
            grade = name
    return subject | {"total": total, "grade": grade, "commended": False}


def judge_workstation(station: Row, tables: Tables, year: int, history: Mapping[int, Result]) -> dict[str, Value]:
    """Return what a workstation's year comes to, without the commendation."""
    hosted = [r for r in tables.hosts if r["workstation"] == station["id"] and r["day"].year == year]
    joint = sum(1 for r in hosted if r["people"] > 1)
    not_met = sum(1 for (_, key), met in tables.met.items() if key == station["id"] and not met)
    subject: dict[str, Value] = {"activities": len(hosted), "joint": joint, "not_met": not_met}
    total = 40 + line(subject, "regular", 5 * len(hosted), None, 30)
    total += line(subject, "joint", 2 * joint, None, 10)
    total += line(subject, "checklist", 20 - 2 * not_met, 0)
    total = stored(bounded(total, 0, 100))
    if total < 60 or (len(hosted) < MINIMUM_ACTIVITIES and not station["excused"]):
        grade = "不合格"
    elif total >= 90:
        grade = "优秀"
    else:
        grade = "合格"
    failing = 0
    if grade == "不合格":
        failing = 1
        while failed_in(history.get(year - failing), station["id"]):
            failing += 1
    return subject | {"total": total, "grade": grade, "exit": failing >= 2, "commended": False}


def failed_in(result: Result | None, station: str) -> bool:
    """Return whether a workstation failed in an earlier year; a year without result breaks the run."""
    if result is None or station not in result.subjects["workstation"]:
        return False
    return result.subjects["workstation"][station]["grade"] == "不合格"


def judge_proposal(proposal: Row, tables: Tables, year: int) -> dict[str, Value]:
    """Return what a proposal comes to, without the honour."""
    signed = [r for r in tables.signatures if r["no"] == proposal["no"] and r["day"].year == year]
    return {"signed_by": len(signed), "excellent": False}


# Choosing and listing

Order = Callable[[str], tuple[Any, ...]]


def choose(subjects: dict[str, dict[str, Value]], verdict: str, eligible: list[str], take: int, order: Order) -> None:
    """Give a verdict to the first `take` of the eligible; a tie at the edge must not be."""
    eligible = sorted(eligible, key=order)
    if len(eligible) > take:
        assert order(eligible[take - 1]) != order(eligible[take]), f"{verdict}: tie at {eligible[take]}"
    for key in eligible[:take]:
        subjects[key][verdict] = True


def listed(
    keys: Iterable[str],
    order: Order,
    *,
    ordinal: bool = False,
    within: Callable[[str], str | None] = lambda _: None,
    unranked: Callable[[str], bool] = lambda _: False,
) -> list[Place]:
    """Return a roster: group by group, ties by the subject's key, the unranked last in their group."""
    groups: dict[str | None, list[str]] = {}
    for key in keys:
        groups.setdefault(within(key), []).append(key)
    places: list[Place] = []
    for group in sorted(groups, key=lambda value: value or ""):
        ranked = sorted((k for k in groups[group] if not unranked(k)), key=lambda k: (order(k), k))
        for n, key in enumerate(ranked, 1):
            before = sum(1 for other in ranked if order(other) < order(key))
            places.append((group, n if ordinal else before + 1, key))
        places += [(group, None, key) for key in sorted(groups[group]) if unranked(key)]
    return places


def assess(data_dir: Path, year: int, history: Mapping[int, Result] | None = None) -> Result:
    """Return the assessment of the files in a folder for a year, with the results of earlier years."""
    tables = Tables(data_dir)
    members = {key: judge_member(row, tables, year) for key, row in tables.members.items()}
    stations = {key: judge_workstation(row, tables, year, history or {}) for key, row in tables.workstations.items()}
    proposals = {key: judge_proposal(row, tables, year) for key, row in tables.proposals.items()}

    def by_member(key: str) -> tuple[Any, ...]:
        m: Any = members[key]
        return -m["total"], -m["grassroots"], -m["proposals"], key

    def by_station(key: str) -> tuple[Any, ...]:
        s: Any = stations[key]
        return -s["total"], -s["joint"], -s["activities"]

    def by_proposal(key: str) -> tuple[Any, ...]:
        p: Any = proposals[key]
        return not tables.proposals[key]["key_one"], -p["signed_by"], key

    def having(subjects: dict[str, dict[str, Value]], name: str, value: Value) -> list[str]:
        return [key for key, subject in subjects.items() if subject[name] == value]

    choose(members, "commended", having(members, "grade", "优秀"), 25, by_member)
    choose(stations, "commended", having(stations, "grade", "优秀"), 6, by_station)
    accepted = [key for key, row in tables.proposals.items() if row["result"] == "立案"]
    choose(proposals, "excellent", accepted, 13, by_proposal)

    rosters = {
        "member.commended": listed(having(members, "commended", True), by_member, ordinal=True),
        "member.annual": listed(
            members,
            lambda key: by_member(key)[:1],
            within=lambda key: tables.members[key]["sector"],
            unranked=lambda key: members[key]["total"] is None,
        ),
        "workstation.commended": listed(having(stations, "commended", True), by_station),
        "workstation.failing": listed(having(stations, "grade", "不合格"), lambda key: (stations[key]["total"],)),
        "workstation.annual": listed(stations, lambda key: by_station(key)[:2]),
        "proposal.excellent": listed(having(proposals, "excellent", True), by_proposal, ordinal=True),
    }
    return Result(
        year=year,
        subjects={"member": members, "workstation": stations, "proposal": proposals},
        fields={"member": tables.members, "workstation": tables.workstations, "proposal": tables.proposals},
        rosters=rosters,
        records_outside={
            name: sum(1 for row in rows if row["day"].year != year) for name, rows in tables.dated().items()
        },
        activities=[row for row in tables.activities if row["day"].year == year],
        outcomes=tables.outcomes,
    )


def reconciled(result: Result) -> list[tuple[str, int, str]]:
    """Return the figures of `reconcile:` with the published ones beside."""
    members, stations, proposals = result.subjects.values()
    kinds = Counter(row["kind"] for row in result.fields["workstation"].values())
    filed = result.fields["proposal"].values()
    return [
        ("workstations", len(stations), "56"),
        ("workstations 个人", kinds["个人"], "16"),
        ("workstations 区域", kinds["区域"], "41 (the source disagrees with itself)"),
        ("members 不称职", sum(m["grade"] == "不称职" for m in members.values()), "13"),
        ("members commended", sum(m["commended"] is True for m in members.values()), "25"),
        ("workstations commended", sum(s["commended"] is True for s in stations.values()), "6"),
        ("proposals excellent", sum(p["excellent"] is True for p in proposals.values()), "13"),
        ("proposals", len(proposals), "128"),
        ("proposals 并案", sum(p["result"] == "并案" for p in filed), "12"),
        ("proposals key", sum(p["key_one"] for p in filed), "6"),
        ("units", len({p["unit"] for p in filed if p["unit"]}), "32"),
        ("activities 服务", sum(a["kind"] == "服务" for a in result.activities), "at least 30"),
        *result.outcomes,
    ]


def main() -> None:
    """Print both years of the fixtures."""
    folder = Path(__file__).parents[1] / "fixtures" / "daguan"
    history: dict[int, Result] = {}
    for year in (2020, 2021):
        result = history[year] = assess(folder / str(year), year, history)
        print(year, "records outside the year", result.records_outside)
        for kind in ("member", "workstation"):
            print(" ", kind, dict(Counter(str(s["grade"]) for s in result.subjects[kind].values())))
        leaving = [key for key, s in result.subjects["workstation"].items() if s["exit"]]
        print("  exit", leaving)
        for name, figure, published in reconciled(result):
            print(f"  {name:24}{figure:5}" + (f"   published {published}" if year == 2021 else ""))


if __name__ == "__main__":
    main()
