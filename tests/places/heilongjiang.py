"""Heilongjiang's reference method in plain loops over the sheets, written from `rules/heilongjiang` by hand."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from oracle import read_sheets
from places.cells import Row, Subjects, day, keyed, rounded, several, text


def judge(folder: Path, year: int) -> Subjects:
    """Return what Heilongjiang's year comes to."""
    sheets = read_sheets(folder)
    members, member = keyed(sheets["企业家委员库"], "编号", "姓名")
    firms, firm = keyed(sheets["包联企业"], "编号", "企业")
    points, point = keyed(sheets["监测点"], "编号", "监测点")
    of = {key: member.get(text(row["包联委员"])) for key, row in firms.items()}

    def held(sheet: str, column: str) -> list[Row]:
        return [row for row in sheets[sheet] if (day(row[column]) or date.min).year == year]

    visits = [
        (firm[text(row["企业"])], (at.month - 1) // 3)
        for row in held("包联走访", "走访日期")
        if of[firm[text(row["企业"])]] == member[text(row["委员"])] and (at := day(row["走访日期"]))
    ]
    result: Subjects = {"member": {}, "firm": {}, "voice": {}, "point": {}}
    for row in sheets["企业呼声"]:
        raised, replied = day(row["反映日期"]), day(row["回复日期"])
        wait = (replied - raised).days if raised and replied else None
        result["voice"][text(row["编号"])] = {
            "#member": member.get(text(row["反映委员"])),
            "#firm": firm[text(row["企业"])],
            "state": "已回复" if replied else "已转办" if day(row["转办日期"]) else "待转办",
            "days_taken": wait,
            "in_time": wait is not None and wait <= 15,
        }
    voices = list(result["voice"].values())
    for key in firms:
        mine = [quarter for to, quarter in visits if to == key]
        care = "常联系" if len(set(mine)) == 4 else "已走访" if mine else "未走访"
        result["firm"][key] = {
            "visits": len(mine),
            "quarters": len(set(mine)),
            "voices": sum(v["#firm"] == key for v in voices),
            "open": sum(v["#firm"] == key and v["state"] != "已回复" for v in voices),
            "care": care if of[key] else "未包联",
        }
    salons = held("沙龙", "日期")
    for key, row in members.items():
        sat, spoke = (
            sum(member[name] == key for salon in salons for name in several(salon[column]))
            for column in ("出席委员", "发言委员")
        )
        pairs = [k for k, who in of.items() if who == key]
        went = [to for to, _ in visits if of[to] == key]
        said = [v for v in voices if v["#member"] == key]
        answered = sum(v["in_time"] for v in said)
        is_recorded = all(text(row[column]) for column in ("任职企业", "行业", "专长"))
        total = 10 * is_recorded + min(24, 3 * sat + 6 * spoke) + min(30, 5 * len(went))
        total += min(18, 3 * len(said)) + min(18, 3 * answered)
        keeps_pairs = set(went) == set(pairs)
        grade = next((word for mark, word in ((90, "优秀"), (80, "良好"), (60, "称职")) if total >= mark), "不称职")
        result["member"][key] = {
            "sat": sat,
            "spoke": spoke,
            "visits": len(went),
            "pairs": len(pairs),
            "seen": len(set(went)),
            "voices": len(said),
            "answered": answered,
            "is_recorded": is_recorded,
            "total": total,
            "keeps_pairs": keeps_pairs,
            "grade": "良好" if grade == "优秀" and not keeps_pairs else grade,
        }
    for key in points:
        read = [row for row in held("监测填报", "填报日期") if point[text(row["监测点"])] == key]
        scores = [Decimal(text(row["满意度"])) for row in read]
        quarters = {(at.month - 1) // 3 for row in read if (at := day(row["填报日期"]))}
        result["point"][key] = {
            "readings": len(scores),
            "lowest": min(scores),
            "mean": rounded(Fraction(sum(scores)) / len(scores)),
            "reports": len(quarters) == 4,
            "warns": min(scores) < 60,
        }
    return result
