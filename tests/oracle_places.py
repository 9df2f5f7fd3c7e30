"""Tongchuan's and Yiyang's assessments in plain loops over the fixture files, for the engine to agree with.

Written from `rules/tongchuan` and `rules/yiyang` by hand, without a line of `evaluator`. Each function returns
kind → subject → values, under the names the pack gives them.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from oracle import read_sheets

Row = dict[str, Any]
Subjects = dict[str, dict[str, Row]]


def text(cell: Any) -> str:
    """Return a cell as text, with full-width digits and spaces made plain."""
    wide = {0xFF10 + n: str(n) for n in range(10)} | {0xFF0D: "-", 0x3000: " "}
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return "" if cell is None else str(cell).translate(wide).strip()


def day(cell: Any) -> date | None:
    """Return a cell as a day."""
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    parts = re.findall(r"\d+", text(cell))
    return date(*map(int, parts[:3])) if parts else None


def whole(cell: Any) -> int:
    """Return a cell as a whole number, nothing as 0."""
    return int(text(cell) or 0)


def truth(cell: Any) -> bool:
    """Return a cell as yes or no."""
    return text(cell).lower() in ("是", "true", "1", "√")


def several(cell: Any) -> list[str]:
    """Return the names in a cell."""
    return [name.strip() for name in re.split("[、；]", text(cell)) if name.strip()]


def places(number: Fraction | int) -> Decimal:
    """Round half up to two places."""
    exact = Fraction(number)
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def keyed(rows: Iterable[Row], key: str, name: str) -> tuple[dict[str, Row], dict[str, str]]:
    """Return the rows by key, and from key or name to key."""
    by_key = {text(row[key]): row for row in rows}
    known = {text(row[name]): k for k, row in by_key.items()} | {k: k for k in by_key}
    return by_key, known


# --- Tongchuan --------------------------------------------------------------------------------------------

ACTIVITY_WORDS = {
    "农技知识培训": "农技培训", "微协商会": "微协商", "走访": "走访调研", "调研": "走访调研",
    "直播带货集训": "直播培训",
}  # fmt: skip
ACTIVITY_POINTS = {"农技培训": 3, "微协商": 3, "走访调研": 2, "协商会": 4, "直播培训": 3}
FUNDS = (0, 2000, 4000, 8000, 12000, 20000)
MOST_BONUS = (0, 0, 0, 3, 4, 5)


def tongchuan(folder: Path, year: int) -> Subjects:
    """Return what Tongchuan's year comes to."""
    sheets = read_sheets(folder)
    stations, station = keyed(sheets["平台名单"], "编号", "名称")
    members, member = keyed(sheets["委员名单"], "编号", "姓名")
    acts = [row for row in sheets["活动台账"] if (day(row["活动日期"]) or date.min).year == year]
    studios = {k: row for k, row in stations.items() if text(row["类型"]) in ("委员工作室", "工作室")}
    judged = {k: tongchuan_studio(k, studios, sheets, acts, station, member, year) for k in studios}
    bonuses = {text(row["对象"]): Decimal(text(row["评定"])) for row in sheets["评议"]}

    def roles(column: str, other: str, of: dict[str, str]) -> dict[str, list[int]]:
        counted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for row in acts:
            for n, heading in enumerate((column, other)):
                for name in several(row[heading]):
                    counted[of[name]][n] += 1
        return counted

    result: Subjects = {"workstation": judged, "member": {}, "sector": {}, "committee": {}}
    by_member = roles("组织委员", "参加委员", member)
    for key, row in members.items():
        organised, joined = by_member[key]
        home = station[text(row["所属平台"])]
        stars = judged[home]["stars"] if home in judged else None
        bonus: Decimal = bonuses.get(key, Decimal(0)) if (stars or 0) >= 3 else Decimal(0)
        assert bonus <= MOST_BONUS[stars or 0]
        total = 60 + min(35, 4 * organised + 2 * joined) + bonus
        grade = next(word for mark, word in ((90, "优秀"), (80, "良好"), (60, "称职")) if total >= mark)
        result["member"][key] = {
            "organised": organised,
            "joined": joined,
            "points.bonus": bonus,
            "total": total,
            "grade": grade if organised + joined else "不称职",
            "priority": truth(row["牵头委员"]) and (stars or 0) >= 3,
            "attached": True,
        }
    for kind, sheet, word in (("sector", "界别名单", "界别"), ("committee", "专委会名单", "专委会")):
        names = {text(row["名称"]): text(row["名称"]) for row in sheets[sheet]}
        counts = roles(f"组织{word}", f"参与{word}", names)
        for name in names:
            organised, joined = counts[name]
            points = 4 * organised + min(20, 2 * joined)
            result[kind][name] = {"organised": organised, "joined": joined, "total": points}
    return result


def tongchuan_studio(
    key: str,
    studios: dict[str, Row],
    sheets: dict[str, list[Row]],
    acts: list[Row],
    station: dict[str, str],
    member: dict[str, str],
    year: int,
) -> Row:
    """Return what one studio comes to."""

    def own(sheet: str, place: str, when: str) -> list[Row]:
        rows = [row for row in sheets[sheet] if station[text(row[place])] == key]
        return [row for row in rows if (day(row[when]) or date.min).year == year]

    mine = [row for row in acts if station[text(row["承办平台"])] == key]
    kinds = [ACTIVITY_WORDS.get(text(row["类别"]), text(row["类别"])) for row in mine]
    quarters = {(held.month - 1) // 3 for row in mine if (held := day(row["活动日期"]))}
    reports = own("调研报告", "工作室", "完成日期")
    signed = sum(day(row["签批日期"]) is not None for row in reports)
    waits = [(day(row["来电日期"]), day(row["回复日期"])) for row in own("小微热线", "受理工作室", "来电日期")]
    answered = sum(bool(a and b and (b - a).days < 7) for a, b in waits)
    opened = len(own("民生项目", "工作室", "投用日期"))
    turnover = sum(whole(row["金额（元）"]) for row in own("农产品销售", "工作室", "日期"))
    for_sales = next(points for mark, points in ((1000000, 5), (500000, 4), (100000, 2), (0, 0)) if turnover >= mark)
    home = {k for k in set(member.values()) if station[places_of(sheets, k)] == key}
    came = {member[n] for row in mine for column in ("组织委员", "参加委员") for n in several(row[column])}
    total = (
        min(40, sum(ACTIVITY_POINTS[kind] for kind in kinds))
        + Fraction(5, 2) * len(quarters)
        + min(20, 4 * len(reports) + 2 * signed)
        + max(0, min(10, answered - (len(waits) - answered)))
        + min(15, 5 * opened + for_sales)
    )
    exact = min(Decimal(100), places(total) + places(Fraction(5 * len(home & came), len(home))))
    alone = all(
        [text(row[column]) for row in studios.values()].count(text(studios[key][column])) == 1
        and text(studios[key][column])
        for column in ("界别", "特色")
    )
    stars = 0
    if len(mine) >= 4 and alone:
        stars = sum(exact >= mark for mark in (50, 60, 70, 80, 90))
    return {
        "activities": len(mine),
        "total": exact,
        "well_placed": alone,
        "stars": stars,
        "commended": stars >= 3,
        "funded": stars >= 1,
        "funds": FUNDS[stars],
    }


def places_of(sheets: dict[str, list[Row]], key: str) -> str:
    """Return where a member is attached, as the roll writes it."""
    return next(text(row["所属平台"]) for row in sheets["委员名单"] if text(row["编号"]) == key)


# --- Yiyang -----------------------------------------------------------------------------------------------

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


def yiyang(folder: Path, year: int) -> Subjects:
    """Return what Yiyang's year comes to; of the items, those of the year."""
    sheets = read_sheets(folder)
    studios, studio = keyed(sheets["工作室名单"], "编号", "名称")
    members, member = keyed(sheets["委员名单"], "编号", "姓名")
    items = {
        text(row["编号"]): yiyang_item(row, studio, member)
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
        shares = [places(Fraction(30 * part, n)) if n else Decimal(0) for part in (handled, solved)]
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


def yiyang_item(row: Row, studio: dict[str, str], member: dict[str, str]) -> Row:
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
