"""Tongchuan's assessment in plain loops over the sheets, written from `rules/tongchuan` by hand."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from oracle import read_sheets
from places.cells import Row, Subjects, day, keyed, rounded, several, text, truth, whole

ACTIVITY_WORDS = {
    "农技知识培训": "农技培训", "微协商会": "微协商", "走访": "走访调研", "调研": "走访调研",
    "直播带货集训": "直播培训",
}  # fmt: skip
ACTIVITY_POINTS = {"农技培训": 3, "微协商": 3, "走访调研": 2, "协商会": 4, "直播培训": 3}
FUNDS = (0, 2000, 4000, 8000, 12000, 20000)
MOST_BONUS = (0, 0, 0, 3, 4, 5)
RETAINED = 81


def judge(folder: Path, year: int) -> Subjects:
    """Return what Tongchuan's year comes to."""
    sheets = read_sheets(folder)
    stations, station = keyed(sheets["平台名单"], "编号", "名称")
    members, member = keyed(sheets["委员名单"], "编号", "姓名")
    acts = [row for row in sheets["活动台账"] if (day(row["活动日期"]) or date.min).year == year]
    studios = {k: row for k, row in stations.items() if text(row["类型"]) in ("委员工作室", "工作室")}
    judged = {k: judge_studio(k, studios, sheets, acts, station, member, year) for k in studios}
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
            "#level": text(row["级别"]),
            "attached": True,
        }
    stand = [
        (not values["priority"], -values["total"])
        for values in result["member"].values()
        if values["#level"].startswith("区") and values["grade"] != "不称职"
    ]
    for values in result["member"].values():
        own = (not values["priority"], -values["total"])
        is_eligible = values["#level"].startswith("区") and values["grade"] != "不称职"
        values["suggested"] = is_eligible and sum(other < own for other in stand) < RETAINED
    for kind, sheet, word in (("sector", "界别名单", "界别"), ("committee", "专委会名单", "专委会")):
        names = {text(row["名称"]): text(row["名称"]) for row in sheets[sheet]}
        counts = roles(f"组织{word}", f"参与{word}", names)
        for name in names:
            organised, joined = counts[name]
            points = 4 * organised + min(20, 2 * joined)
            result[kind][name] = {"organised": organised, "joined": joined, "total": points}
    return result


def judge_studio(
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
    exact = min(Decimal(100), rounded(total) + rounded(Fraction(5 * len(home & came), len(home))))
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
