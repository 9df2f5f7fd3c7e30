"""Xiangzhou's assessment in plain loops over the sheets, written from `rules/xiangzhou` by hand."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from oracle import read_sheets
from places.cells import Row, Subjects, day, keyed, rounded, several, text, truth, whole

MEETINGS = ("一线协商", "协商会")
SORT_MONTHS = {"民生急事": 1, "民生": 1, "建设项目": 2, "项目建设": 2, "发展难题": 3, "企业难题": 3}


def judge(folder: Path, year: int) -> Subjects:
    """Return what Xiangzhou's year comes to."""
    sheets = read_sheets(folder)
    members, member = keyed(sheets["委员名单"], "编号", "姓名")
    groups, group = keyed(sheets["委员活动组"], "编号", "名称")
    offices, office = keyed(sheets["部门名单"], "编号", "名称")
    spots, spot = keyed(sheets["示范点名单"], "编号", "名称")
    topics, topic = keyed(sheets["议题"], "编号", "议题")

    def of_year(sheet: str, column: str) -> list[Row]:
        return [row for row in sheets[sheet] if (day(row[column]) or date.min).year == year]

    plans = {text(row["计划"]): row for row in sheets["协商监督计划"]}
    first: dict[str, date] = {}
    for row in sheets["活动台账"]:
        held = day(row["日期"])
        assert held
        if text(row["类别"]) in MEETINGS:
            key = topic[text(row["议题"])]
            first[key] = min(held, first.get(key, date.max))
    standing = {k: judge_topic(row, plans.get(text(row["所属计划"])), first.get(k)) for k, row in topics.items()}

    acts = of_year("活动台账", "日期")
    counts = [
        text(r["类别"]) in MEETINGS and standing[topic[text(r["议题"])]] == "已立项" for r in acts
    ]  # consultations of approved topics
    host = {text(row["编号"]): group[text(row["主办组"])] for row in acts}
    place = {text(row["编号"]): spot.get(text(row["示范点"])) for row in acts}
    followed = {text(row["问题"]) for row in of_year("跟踪督办", "日期")}
    problems = {text(r["编号"]): judge_problem(r, year, followed) for r in of_year("问题清单", "提出日期")}
    for row in sheets["问题清单"]:
        found = problems[text(row["编号"])]
        found["#group"], found["#point"] = host[text(row["来源活动"])], place[text(row["来源活动"])]
        found["#office"] = office[text(row["承办部门"])]
    opinions = of_year("社情民意", "报送日期")
    taken_up = [row for row in opinions if text(row["采纳部门"]) and day(row["转化日期"])]
    result: Subjects = {
        "topic": {
            k: {
                "standing": standing[k],
                "meetings": sum(topic[text(a["议题"])] == k and text(a["类别"]) in MEETINGS for a in acts),
            }
            for k in topics
        },
        "problem": problems,
        "member": {},
        "group": {},
        "department": {},
        "point": {},
    }

    for key in members:
        times = [whole(row["互动次数"]) for row in sheets["固定联系群众"] if member[text(row["委员"])] == key]
        grid = "到位" if all(times) else "未互动"
        if len(times) < 2 or len(times) > 3:
            grid = "不足" if len(times) < 2 else "超员"
        came = [n for n, row in enumerate(acts) if key in {member[name] for name in several(row["参加委员"])}]
        meetings = sum(counts[n] for n in came)
        visits = sum(text(acts[n]["类别"]) not in MEETINGS for n in came)
        filed = sum(member[text(row["反映委员"])] == key for row in opinions)
        converted = sum(member[text(row["反映委员"])] == key for row in taken_up)
        proposed = any(member[text(row["提案人"])] == key for row in of_year("提案", "立案日期"))
        result["member"][key] = {
            "contacts": len(times),
            "grid": grid,
            "meetings": meetings,
            "visits": visits,
            "joined": meetings >= 1,
            "total": 20 * (grid == "到位")
            + min(45, 15 * meetings)
            + min(15, 5 * visits)
            + min(12, 4 * filed + 4 * converted)
            + 8 * proposed,
        }

    for key in spots:
        meetings = sum(place[text(row["编号"])] == key and text(row["类别"]) in MEETINGS for row in acts)
        solved = sum(p["#point"] == key and p["state"] == "已解决" for p in problems.values())
        shown = sum(spot[text(row["示范点"])] == key for row in of_year("观摩推进", "日期"))
        result["point"][key] = {
            "meetings": meetings,
            "solved": solved,
            "total": min(50, 25 * meetings) + min(30, 15 * solved) + min(20, 10 * shown),
            "works": meetings >= 1,
        }

    pairs = {group[text(row["委员活动组"])]: group[text(row["对口区直组"])] for row in sheets["对口联系"]}
    for key, row in groups.items():
        own = [members[m] for m in members if group[text(members[m]["活动组"])] == key]
        good = sum(result["member"][text(m["编号"])]["grid"] == "到位" for m in own)
        mine = [acts[n] for n, good_one in enumerate(counts) if good_one and group[text(acts[n]["主办组"])] == key]
        total = rounded(Fraction(20 * good, len(own)))
        if text(row["类型"]) in ("镇街", "镇街组"):
            raised = [p for p in problems.values() if p["#group"] == key]
            points = 10 * sum(p["in_time"] == "按期" for p in raised)
            points += 5 * sum(p["state"] == "已解决" and p["in_time"] == "超期" for p in raised)
            converted = sum(group[text(members[member[text(r["反映委员"])]]["活动组"])] == key for r in taken_up)
            used = any(result["point"][s]["works"] for s in spots if group[text(spots[s]["所在镇街组"])] == key)
            total += (
                min(30, 15 * len(mine))
                + 5 * any(text(a["区委区政府领导"]) for a in mine)
                + min(20, points)
                - min(5, sum(not p["tracked"] for p in raised))
                + min(15, 5 * converted)
                + 10 * used
            )
            linking = key in pairs
            covered = any(group[text(s["所在镇街组"])] == key for s in spots.values())
        else:
            helped = [
                group[text(a["主办组"])]
                for a, is_good in zip(acts, counts, strict=True)
                if is_good and text(a["对口区直组"]) and group[text(a["对口区直组"])] == key
            ]
            linked = [town for town, helper in pairs.items() if helper == key]
            share = Fraction(30 * len(set(linked) & set(helped)), len(linked))
            total += min(40, 10 * len(helped)) + rounded(share) + 10 * bool(mine)
            linking, covered = bool(linked), True
        result["group"][key] = {
            "total": total,
            "grade": graded(total),
            "linking": linking,
            "covered": covered,
            "meetings": len(mine),
        }

    for key in offices:
        handed = [p for p in problems.values() if p["#office"] == key]
        good, late = (sum(p["in_time"] == word for p in handed) for word in ("按期", "超期"))
        if not good + late:
            result["department"][key] = {"handed": len(handed), "total": None, "grade": None}
            continue
        asked = sum(key in {office[name] for name in several(row["受邀部门"])} for row in acts)
        converted = sum(office[text(row["采纳部门"])] == key for row in taken_up)
        less = min(15, 5 * sum(p["inspected"] for p in handed))
        reached = rounded(Fraction(60 * good, good + late)) + min(20, 5 * asked) + min(20, 5 * converted) - less
        total = max(Decimal(0), reached)
        result["department"][key] = {"handed": len(handed), "total": total, "grade": graded(total)}
    return result


def judge_topic(row: Row, plan: Row | None, first: date | None) -> str:
    """Return whether a topic may be consulted on."""
    approved = day(row["区委常委会审定日期"])
    if not all(truth(row[mark]) for mark in ("党政重视", "群众期盼", "政协能做")):
        return "不合原则"
    if approved is None or plan is None or day(plan["区委常委会审定日期"]) is None:
        return "未经审定"
    if day(plan["转发日期"]) is None:
        return "未予转发"
    return "先商后审" if first and first < approved else "已立项"


def judge_problem(row: Row, year: int, followed: set[str]) -> Row:
    """Return what became of a problem by the end of the year."""
    raised, solved = day(row["提出日期"]), day(row["解决日期"])
    assert raised
    is_solved = solved is not None and solved.year <= year
    until = solved if solved and is_solved else date(year, 12, 31)
    months = 12 * (until.year - raised.year) + until.month - raised.month - (until.day < raised.day)
    is_late = months >= SORT_MONTHS[text(row["类型"])]
    return {
        "state": "已解决" if is_solved else "办理中",
        "taken": months,
        "in_time": "超期" if is_late else "按期" if is_solved else "未到期",
        "tracked": text(row["编号"]) in followed,
        "inspected": is_late and not is_solved,
    }


def graded(total: Decimal) -> str:
    """Return the grade of a total."""
    return next((word for mark, word in ((90, "优秀"), (80, "良好"), (60, "合格")) if total >= mark), "不合格")
