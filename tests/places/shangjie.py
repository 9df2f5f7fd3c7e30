"""Shangjie's assessment in plain loops over the sheets, written from `rules/shangjie` by hand."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from oracle import read_sheets
from places.cells import Row, Subjects, day, keyed, rounded, several, text, truth, whole

SORTS = {"报告": "调研报告", "社情民意": "社情民意信息", "建议": "意见建议"}
RESULT_POINTS = {"调研报告": 5, "提案": 4, "社情民意信息": 3, "意见建议": 2}
NORMS = ("规范化", "制度化", "常态化", "可持续化")


def judge(folder: Path, year: int) -> Subjects:
    """Return what Shangjie's year comes to."""
    sheets = read_sheets(folder)
    members, member = keyed(sheets["委员名单"], "编号", "姓名")
    reading_days = {text(row["编号"]): day(row["日期"]) for row in sheets["读书活动"]}
    readings = [row for row in sheets["读书活动"] if is_of(row["日期"], year)]
    results = [row for row in sheets["履职成果"] if is_of(row["提交日期"], year)]
    micro = [row for row in sheets["四微活动"] if is_of(row["日期"], year)]
    for row in readings:
        row["#who"] = [member[n] for column in ("领读委员", "参加委员") for n in several(row[column])]
    for row in results:
        begun, made = reading_days.get(text(row["源自读书活动"])), day(row["提交日期"])
        row["#converted"] = begun is not None and made is not None and begun <= made
        row["#sort"] = SORTS.get(text(row["类别"]), text(row["类别"]))

    judged: dict[str, Row] = {}
    for key, row in members.items():
        books: dict[str, int] = defaultdict(int)
        for r in readings:
            for column, points in (("领读委员", 3), ("参加委员", 2)):
                if key in [member[n] for n in several(r[column])]:
                    books[text(r["书目"])] = max(books[text(r["书目"])], points)
        gained = Fraction(0)
        conversions = 0
        for r in results:
            authors = [member[n] for n in several(r["提出委员"])]
            if key in authors and r["#converted"]:
                conversions += 1
                gained += Fraction(RESULT_POINTS[r["#sort"]], 1 if authors[0] == key else 2)
                gained += day(r["采用日期"]) is not None
        went = sum(key in [member[n] for n in several(r["参加委员"])] for r in micro)
        points = (
            min(Fraction(text(row["其他履职得分"])), 60)
            + min(15, sum(books.values()))
            + min(15, gained)
            + min(10, 2 * went)
        )
        judged[key] = {
            "readings": sum(key in r["#who"] for r in readings),
            "books": len(books),
            "conversions": conversions,
            "total": rounded(points),
            "reads": any(key in r["#who"] for r in readings),
            "grade": next(
                word for mark, word in ((90, "优秀"), (80, "良好"), (60, "称职"), (0, "不称职")) if points >= mark
            ),
        }
    order = {k: (v["total"], v["conversions"], v["books"]) for k, v in judged.items() if v["grade"] == "优秀"}
    for key, values in judged.items():
        ahead = [k for k in order if key in order and order[k] > order[key]]
        values["commended"] = key in order and values["reads"] and len(ahead) < 6

    result: Subjects = {"member": judged, "committee": {}, "office": {}}
    for kind, word in (("committee", "专委会"), ("office", "联络处")):
        for name in [text(row["名称"]) for row in sheets[f"{word}名单"]]:
            home = [key for key, row in members.items() if text(row[word]) == name]
            active = sum(judged[key]["reads"] for key in home)
            held = [r for r in readings if text(r[f"组织{word}"]) == name]
            shared = [
                r
                for r in held
                if text(r["形式"]) in ("分享会", "好书分享") and len({text(members[k]["界别"]) for k in r["#who"]}) >= 2
            ]
            quarters = {(at.month - 1) // 3 for r in held if (at := day(r["日期"]))}
            crowd = sum(whole(r["带动群众人数"]) for r in held)
            found = inspected(sheets, word, name, year)
            if kind == "committee":
                mine = [r for r in results if text(r["承办专委会"]) == name and r["#converted"]]
                more = Fraction(min(20, 5 * sum(r["#sort"] == "调研报告" for r in mine)))
            else:
                went = sum(text(r["联络处"]) == name for r in micro)
                more = min(Fraction(15), Fraction(5 * went, 2)) + (5 if crowd >= 200 else 2 if crowd >= 50 else 0)
            total = min(20, 4 * len(held)) + Fraction(5 * len(quarters), 2) + min(10, 5 * len(shared)) + more
            total += min(20, 5 * found["passed"])
            share: Decimal = rounded(Fraction(20 * active, len(home)))
            result[kind][name] = found | {
                "readings": len(held),
                "active": active,
                "crowd": crowd,
                "total": rounded(total) + share,
            }
    return result


def is_of(cell: object, year: int) -> bool:
    """Say whether a day is of the year."""
    return (day(cell) or date.min).year == year


def inspected(sheets: dict[str, list[Row]], word: str, name: str, year: int) -> Row:
    """Return how the inspections of a committee or an office went."""
    rounds = {text(r["轮次"]): day(r["检查日期"]) for r in sheets["督导轮次"] if is_of(r["检查日期"], year)}
    there = {text(r["轮次"]): r for r in sheets[f"{word}督导"] if text(r[word]) == name and text(r["轮次"]) in rounds}
    passed = sum(all(truth(r[norm]) for norm in NORMS) for r in there.values())
    unsettled = 0
    for no, r in there.items():
        checked, put_right = rounds[no], day(r["整改日期"])
        if not all(truth(r[norm]) for norm in NORMS):
            unsettled += not (checked and put_right and 0 <= (put_right - checked).days <= 30)
    missed, failed = len(rounds) - len(there), len(there) - passed
    word = "漏检" if missed or not there else "待整改" if unsettled else "已整改" if failed else "合格"
    return {"passed": passed, "missed": missed, "failed": failed, "unsettled": unsettled, "inspection": word}
