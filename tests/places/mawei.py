"""Mawei's reference method in plain loops over the sheets, written from `rules/mawei` by hand."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from oracle import read_sheets
from places.cells import Row, Subjects, day, keyed, rounded, text, truth, whole


def judge(folder: Path, year: int) -> Subjects:
    """Return what Mawei's year comes to."""
    sheets = read_sheets(folder)
    groups, group = keyed(sheets["联络组名单"], "编号", "名称")
    matters, matter = keyed(sheets["事项"], "编号", "事项")
    acts = [row for row in sheets["活动台账"] if (day(row["日期"]) or date.min).year == year]
    result: Subjects = {"group": {}, "matter": {}, "unit": {}}
    for key, row in matters.items():
        talks = [
            day(act["日期"]) or date.max
            for act in acts
            if text(act["事项"]) and matter[text(act["事项"])] == key and truth(act["微协商"])
        ]
        given = sum(matter[text(r["事项"])] == key for r in sheets["协商意见"])
        first, solved = min(talks, default=None), day(row["解决日期"])
        state = "已解决" if solved else "未协商" if not first else "办理中" if given else "已协商"
        result["matter"][key] = {
            "#group": group[text(row["联络组"])],
            "consulted_on": first,
            "given": given,
            "days_taken": (solved - first).days if solved and first else None,
            "state": state,
        }
    for key in groups:
        mine = [act for act in acts if group[text(act["联络组"])] == key]
        result["group"][key] = judge_group(mine, [m for m in result["matter"].values() if m["#group"] == key])
    for row in sheets["单位名单"]:
        name = text(row["单位"])
        waits = [
            (done - given).days if (done := day(r["落实日期"])) and (given := day(r["提出日期"])) else None
            for r in sheets["协商意见"]
            if text(r["承办单位"]) == name
        ]
        done, pending = sum(w is not None and w <= 30 for w in waits), waits.count(None)
        result["unit"][name] = {
            "asked": len(waits),
            "done": done,
            "late": len(waits) - done - pending,
            "pending": pending,
            "keeps_up": done == len(waits),
        }
    return result


def judge_group(acts: list[Row], matters: list[Row]) -> Row:
    """Return what one group comes to."""
    looked, talked = (sum(truth(act[column]) for act in acts) for column in ("实地视察", "微协商"))
    together = sum(whole(act["居民代表"]) > 0 and whole(act["部门数"]) > 0 for act in acts)
    quarters = len({(held.month - 1) // 3 for act in acts if (held := day(act["日期"]))})
    solved = [m["days_taken"] for m in matters if m["state"] == "已解决"]
    speed = sum(5 if d <= 10 else 3 if d <= 30 else 1 if d <= 60 else 0 for d in solved if d is not None)
    share = rounded(Fraction(40 * len(solved), len(matters))) if matters else Decimal(0)
    total = min(40, 3 * looked + 5 * talked + 2 * together) + share + min(20, speed)
    grade = next((word for mark, word in ((90, "优秀"), (80, "良好"), (60, "合格")) if total >= mark), "不合格")
    return {
        "inspections": looked,
        "consultations": talked,
        "quarters": quarters,
        "matters": len(matters),
        "solved": len(solved),
        "total": total,
        "steady": quarters == 4,
        "grade": "良好" if grade == "优秀" and quarters < 4 else grade,
    }
