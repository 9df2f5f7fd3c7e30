"""Yiyang's assessment in plain loops over the sheets, written from `rules/yiyang` by hand."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from oracle import read_sheets
from places.cells import Row, Subjects, day, keyed, rounded, several, text, truth

STEP_WORDS = {
    "不符合政策法规": "不合政策", "咨询": "咨询答疑", "无明确诉求": "咨询答疑", "专业性政策性强": "专业政策",
    "须政府部门解决": "政府解决",
}  # fmt: skip
REPLY_DAYS = {"不合政策": 5, "咨询答疑": 1, "专业政策": 10, "政府解决": 15}
OFF_2021 = {
    (1, 1), (2, 11), (2, 12), (2, 15), (2, 16), (2, 17), (4, 5), (5, 3), (5, 4), (5, 5), (6, 14), (9, 20), (9, 21),
    (10, 1), (10, 4), (10, 5), (10, 6), (10, 7),
}  # fmt: skip
WORKED_2021 = {(2, 7), (2, 20), (4, 25), (5, 8), (9, 18), (9, 26), (10, 9)}
FIRST_DAYS = (4, 1, 1, 6, 6, 7, 5, 2, 6, 8, 1, 6)
"""The first Monday of each month of 2021, or the first working day after it."""


def is_worked(at: date) -> bool:
    """Say whether a day of 2021, or one of the days after it, is worked."""
    if at.year == 2021 and (at.month, at.day) in WORKED_2021:
        return True
    is_off = (at.year == 2021 and (at.month, at.day) in OFF_2021) or at == date(2022, 1, 3)
    return at.weekday() < 5 and not is_off


def judge(folder: Path, year: int) -> Subjects:
    """Return what Yiyang's year comes to; of the items, those of the year."""
    sheets = read_sheets(folder)
    studios, studio = keyed(sheets["工作室名单"], "编号", "名称")
    members, member = keyed(sheets["委员名单"], "编号", "姓名")
    items = {
        text(row["编号"]): judge_item(row, studio, member)
        for row in sheets["民意台账"]
        if (day(row["收集日期"]) or date.min).year == year
    }
    rota = [
        (studio[text(r["工作室"])], member[text(r["值班委员"])], int(text(r["月份"])[-2:]), day(r["接待日"]))
        for r in sheets["轮值表"]
    ]
    acts = [row for row in sheets["走访调研协商"] if (day(row["日期"]) or date.min).year == year]
    result: Subjects = {"item": items, "workstation": {}, "member": {}, "topic": {}}
    for key in studios:
        mine = [i for i in items.values() if i["#studio"] == key]
        n, handled = len(mine), sum(i["state"] != "待办" for i in mine)
        solved, amiss = sum(i["state"] == "已解决" for i in mine), sum(i["steps"] == "缺步" for i in mine)
        late = sum(not i["in_time"] for i in mine)
        received = sum(s == key and held == date(year, m, FIRST_DAYS[m - 1]) for s, _, m, held in rota)
        shares = [rounded(Fraction(30 * part, n)) if n else Decimal(0) for part in (handled, solved)]
        went = min(8, sum(studio[text(row["工作室"])] == key for row in acts))
        less = min(10, amiss) + min(Decimal(5), Decimal(late) / 2)
        result["workstation"][key] = {
            "collected": n,
            "handled": handled,
            "solved": solved,
            "amiss": amiss,
            "late": late,
            "receptions": received,
            "total": max(Decimal(0), min(20, n) + sum(shares) - less + min(12, received) + went),
            "receives": received >= 12,
            "closes": amiss == late == 0,
        }
    for key in members:
        mine = [i for i in items.values() if i["#member"] == key]
        served = sum(who == key and held is not None and held.month == m for _, who, m, held in rota)
        good = sum(i["steps"] == "到位" and i["in_time"] for i in mine)
        solved = sum(i["state"] == "已解决" for i in mine)
        went = sum(member[name] == key for row in acts for name in several(row["参加委员"]))
        result["member"][key] = {
            "months_served": served,
            "collected": len(mine),
            "total": min(20, 20 * served)
            + min(20, 2 * len(mine))
            + min(30, 3 * good)
            + min(20, 2 * solved)
            + min(10, 2 * went),
            "on_duty": served >= 1,
        }
    for row in sheets["课题"]:
        others = [text(r["年度"]) for r in sheets["课题"] if truth(r["重大课题"])]
        marks = all(truth(row[mark]) for mark in ("重大课题", "群众关注度高", "牵涉范围广", "迫切需要解决"))
        only = others.count(text(row["年度"])) == 1
        result["topic"][text(row["编号"])] = {"fits": marks and only and day(row["议政性常委会议"]) is not None}
    return result


def judge_item(row: Row, studio: dict[str, str], member: dict[str, str]) -> Row:
    """Return what one item comes to."""
    step = STEP_WORDS.get(text(row["类型"]), text(row["类型"]))
    received, replied, solved = (day(row[name]) for name in ("收集日期", "答复日期", "解决日期"))
    submitted, reviewed, handed = (day(row[name]) for name in ("提交日期", "审核日期", "交办日期"))
    recorded, asked_on = day(row["记录日期"]), day(row["咨询日期"])
    assert received
    handled, answered = (submitted, handed) if step == "政府解决" else (replied, replied)
    if step == "政府解决":
        is_whole = bool(text(row["提交方式"]) and text(row["交办单位"])) and ascending(
            received, submitted, reviewed, handed
        )
    elif step == "专业政策":
        is_whole = bool(text(row["咨询部门"])) and ascending(received, recorded, asked_on, replied)
    else:
        is_whole = replied is not None
    state = "待办" if not handled else "已解决" if solved else "已处理"
    return {
        "#studio": studio[text(row["工作室"])],
        "#member": member.get(text(row["受理委员"])),
        "state": state,
        "steps": "到位" if is_whole else "缺步",
        "in_time": answered is not None and working_days(received, answered) <= REPLY_DAYS[step],
    }


def ascending(*days: date | None) -> bool:
    """Say whether all days are there and none is before the one ahead of it."""
    return all(a is not None and b is not None and a <= b for a, b in zip(days, days[1:], strict=False))


def working_days(first: date, last: date) -> int:
    """Count the working days after the one day, up to the other; less than nothing where it comes first."""
    low, high, sign = (first, last, 1) if first <= last else (last, first, -1)
    return sign * sum(is_worked(low + timedelta(days=n)) for n in range(1, (high - low).days + 1))
