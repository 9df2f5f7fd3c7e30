"""Xupu's review in plain loops over the sheets, written from `rules/xupu` by hand."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from oracle import read_sheets
from places.cells import Row, Subjects, day, keyed, rounded, several, text, truth

WORTH = {"满意": 100, "√": 100, "基本满意": 80, "△": 80, "不满意": 0, "×": 0}
ASPECTS = {"business": "营商环境", "service": "便民服务", "efficiency": "机关效能"}
LIMITS = {"立行立改": 15, "限期整改": 60, "持续整改": 120}


def judge(folder: Path, year: int) -> Subjects:
    """Return what Xupu's year comes to."""
    sheets = read_sheets(folder)
    units, unit = keyed(sheets["单位名单"], "编号", "名称")
    members, member = keyed(sheets["委员名单"], "编号", "姓名")
    provisions, provision = keyed(sheets["十五条措施"], "编号", "措施")
    acts = [row for row in sheets["监督活动"] if in_year(row["日期"], year)]
    reviewed = [key for key, row in units.items() if in_year(row["评议日期"], year)]
    ballots = {(unit[text(row["单位"])], member[text(row["评议委员"])]): row for row in sheets["评议票"]}
    owed = {
        (u, m)
        for u in reviewed
        for m, row in members.items()
        if truth(row["评议员"]) and unit.get(text(row["任职单位"])) != u
    }
    problems = {
        text(row["编号"]): judge_problem(row, sheets["整改建议"], unit, provision, year)
        for row in sheets["问题台账"]
        if in_year(row["查找日期"], year)
    }
    result: Subjects = {"problem": problems, "unit": {}, "provision": {}, "member": {}}
    for key in reviewed:
        due = [(u, m) for u, m in owed if u == key]
        cast = [ballots[pair] for pair in due if pair in ballots]
        result["unit"][key] = judge_unit(cast, len(due), [p for p in problems.values() if p["#unit"] == key])
    for key in provisions:
        visits = sum(provision[name] == key for row in acts for name in several(row["涉及措施"]))
        mine = [p for p in problems.values() if p["#provision"] == key]
        left = sum(p["state"] in ("未交办", "整改中") for p in mine)
        result["provision"][key] = {
            "visits": visits,
            "problems": len(mine),
            "left_open": left,
            "state": "未监督" if not visits else "未落实" if left else "已落实",
        }
    for key in members:
        due = [pair for pair in owed if pair[1] == key]
        cast = sum(pair in ballots for pair in due)
        went = sum(member[name] == key for row in acts for name in several(row["参加委员"]))
        ideas = [r for r in sheets["建言"] if member[text(r["委员"])] == key and in_year(r["日期"], year)]
        written = sum(bool(text(row["写入报告"])) for row in ideas)
        voting = rounded(Fraction(20 * cast, len(due))) if due else Decimal(0)
        result["member"][key] = {
            "owed": len(due),
            "ballots": cast,
            "ideas": len(ideas),
            "written": written,
            "total": voting + min(50, 5 * went) + min(30, 5 * len(ideas) + 5 * written),
            "votes": bool(due) and cast == len(due),
        }
    return result


def in_year(cell: object, year: int) -> bool:
    """Say whether a cell has a day of the year."""
    found = day(cell)
    return found is not None and found.year == year


def judge_problem(row: Row, suggestions: list[Row], unit: dict[str, str], provision: dict[str, str], year: int) -> Row:
    """Return what one problem comes to."""
    found, handed, rectified, checked = (day(row[name]) for name in ("查找日期", "交办日期", "整改日期", "复核日期"))
    made = [day(s["提出日期"]) for s in suggestions if text(s["问题"]) == text(row["编号"])]
    first = min([m for m in made if m], default=None)
    limit = LIMITS[text(row["整改类型"])]
    days = [found, first, handed, rectified, checked]
    is_whole = None not in days and all(a <= b for a, b in zip(days, days[1:], strict=False) if a and b)
    took = (rectified - handed).days if rectified and handed else None
    state = "未交办" if not handed else "整改中" if not rectified else "已销号" if checked else "已整改"
    return {
        "#unit": unit[text(row["单位"])],
        "#provision": provision[text(row["对应措施"])],
        "suggested": len(made),
        "days_taken": took,
        "is_due": bool(rectified) or not handed or (date(year, 12, 31) - handed).days > limit,
        "state": state,
        "steps": "到位" if is_whole else "缺步",
        "in_time": is_whole and took is not None and took <= limit,
    }


def judge_unit(cast: list[Row], due: int, problems: list[Row]) -> Row:
    """Return what one unit comes to."""
    means: dict[str, Decimal] = {}
    for name, heading in ASPECTS.items():
        marks = [WORTH[text(row[heading])] for row in cast if text(row[heading]) in WORTH]
        means[name] = rounded(Fraction(sum(marks), len(marks)))
    index = rounded(Fraction(sum(means.values())) / 3)
    late = [p for p in problems if p["is_due"] and not p["in_time"]]
    come_due = sum(p["is_due"] for p in problems)
    kept = come_due - len(late)
    total = rounded(Fraction(6, 10) * Fraction(index))
    total += rounded(Fraction(40 * kept, come_due)) if come_due else 40
    if 3 * len(cast) < 2 * due:
        grade = "票数不足"
    elif total >= 90 and not late:
        grade = "优秀"
    else:
        grade = "良好" if total >= 80 else "合格" if total >= 60 else "不合格"
    return {
        "due": due,
        "cast_by": len(cast),
        "turnout": rounded(Fraction(100 * len(cast), due)),
        **means,
        "index": index,
        "found": len(problems),
        "come_due": come_due,
        "in_time": kept,
        "overdue": len(late),
        "total": total,
        "grade": grade,
        "again": grade in ("票数不足", "不合格"),
    }
