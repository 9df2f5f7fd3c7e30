"""Nanchong's assessment in plain loops over the sheets, written from `rules/nanchong` by hand."""

from collections import Counter
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from oracle import read_sheets
from places.cells import Row, Subjects, day, keyed, rounded, several, text, truth, whole

KIND_WORDS = {"微协商": "小微协商", "视察": "视察调研", "调研": "视察调研", "议政性常委会": "议政性会议"}
FORM_WORDS = {"中心": "读书活动中心", "读书室": "界别读书室", "驿站": "读书驿站"}
WANTED = {
    "读书活动中心": 4, "界别读书室": 5, "读书驿站": 21, "读书活动": 12, "服务企业": 100, "帮扶农户": 100,
    "视察调研": 1000, "联系群众": 1000, "小微协商": 10000, "引领读书": 10000, "常态化协商": 12,
}  # fmt: skip
PLACES = {"产业园区": "产业园区", "园区": "产业园区", "企业": "企业", "农村大院": "农村大院"}


def judge(folder: Path, year: int) -> Subjects:
    """Return what Nanchong's year comes to."""
    sheets = read_sheets(folder)
    counties, county = keyed(sheets["县区名单"], "编号", "名称")
    held = read_activities(sheets, county, year)
    reports = [
        {
            "id": text(row["编号"]),
            "committee": text(row["市级报送"]),
            "county": county.get(text(row["县区报送"])),
            "suggestions": whole(row["建议条数"]),
        }
        for row in sheets["专题报告"]
        if of(row["报送日期"]).year == year
    ]
    praised = Counter(
        text(row["报告"]) for row in sheets["批示"] if truth(row["肯定性批示"]) and of(row["批示日期"]).year == year
    )
    ideas = [
        (text(row["牵头专委会"]), bool(text(row["转化为"])))
        for row in sheets["意见建议"]
        if of(row["日期"]).year == year
    ]
    places, months_read = judge_places(sheets, county, year)
    result: Subjects = {"reading_place": places, "county": {}, "target": {}, "committee": {}, "city": {}}

    for key in counties:
        result["county"][key] = judge_county(
            [a for a in held if key in a["counties"]], [r for r in reports if r["county"] == key], praised
        )
    for key, row in keyed(sheets["专项目标"], "编号", "项目")[0].items():
        at, item = county[text(row["县区"])], text(row["项目"])
        works = [w for w in sheets["专项台账"] if text(w["目标"]) == key and of(w["日期"]).year == year]
        done = sum(whole(w["数量"]) for w in works)
        if item in ("服务企业", "帮扶农户"):
            done = len({text(w["名称"]) for w in works})
        elif item == "小微协商":
            done = sum(a["public"] for a in held if at in a["counties"] and a["kind"] == "小微协商")
        elif item == "常态化协商":
            done = result["county"][at]["active_months"]
        elif item == "读书活动":
            done = len(months_read[at])
        elif item in FORM_WORDS.values():
            done = sum(p["in_use"] and p["#county"] == at and p["#form"] == item for p in places.values())
        result["target"][key] = {"#county": at, "done": done, "met": done >= WANTED.get(item, 1)}
    for key, values in result["county"].items():
        finish_county(values, [t["met"] for t in result["target"].values() if t["#county"] == key])

    for row in sheets["专委会名单"]:
        name = text(row["名称"])
        mine = [a for a in held if a["committee"] == name]
        sent = [r for r in reports if r["committee"] == name]
        given = sum(praised[r["id"]] for r in sent)
        turned = sum(is_turned for who, is_turned in ideas if who == name)
        total = min(32, 4 * len(mine)) + min(40, 10 * len(sent)) + min(18, 3 * given) + min(10, Fraction(turned, 2))
        result["committee"][name] = {
            "activities": len(mine),
            "reports": len(sent),
            "instructions": given,
            "turned": turned,
            "total": rounded(min(100, total)),
            "every_quarter": len({(a["on"].month - 1) // 3 for a in mine}) == 4,
        }

    result["city"]["NC"] = judge_city(held, reports, praised, ideas, result["county"])
    return result


def of(cell: object) -> date:
    """Return the day in a cell that has one."""
    found = day(cell)
    assert found
    return found


def read_activities(sheets: dict[str, list[Row]], county: dict[str, str], year: int) -> list[Row]:
    """Return the activities of the year, each with all who hold it and what it solved within the year."""
    matters: Counter[tuple[str, str]] = Counter()
    on = {text(row["编号"]): of(row["日期"]) for row in sheets["活动台账"]}
    for row in sheets["难事台账"]:
        source, solved = text(row["来源活动"]), day(row["解决日期"])
        if solved and on[source] <= solved and solved.year == on[source].year:
            matters[source, text(row["类别"])] += 1
    return [
        {
            "on": on[key],
            "kind": KIND_WORDS.get(text(row["类别"]), text(row["类别"])),
            "site": PLACES.get(text(row["地点"])),
            "committee": text(row["市级承办"]),
            "counties": [county[name] for cell in (row["牵头县区"], row["合办县区"]) for name in several(cell)],
            "members": whole(row["委员人次"]),
            "public": whole(row["群众人次"]),
            "solved": matters[key, "民生难事"],
            "settled": matters[key, "大事要事"],
        }
        for row in sheets["活动台账"]
        if on[key := text(row["编号"])].year == year
    ]


def judge_places(
    sheets: dict[str, list[Row]], county: dict[str, str], year: int
) -> tuple[dict[str, Row], dict[str, set[int]]]:
    """Return the reading places, and in which months each county read."""
    rows, place = keyed(sheets["读书阵地"], "编号", "名称")
    readings = [
        (place[text(row["读书阵地"])], of(row["日期"]), whole(row["人数"]))
        for row in sheets["读书活动"]
        if of(row["日期"]).year == year
    ]
    at = {key: county[text(row["县区"])] for key, row in rows.items()}
    judged: dict[str, Row] = {}
    for key, row in rows.items():
        mine = [readers for where, _, readers in readings if where == key]
        form = text(row["类型"])
        judged[key] = {
            "#county": at[key],
            "#form": FORM_WORDS.get(form, form),
            "readings": len(mine),
            "readers": sum(mine),
            "in_use": bool(mine),
        }
    months = {key: {held.month for where, held, _ in readings if at[where] == key} for key in county.values()}
    return judged, months


def judge_county(mine: list[Row], reports: list[Row], praised: Counter[str]) -> Row:
    """Return what one county comes to, but for its programme."""
    micro = [a for a in mine if a["kind"] == "小微协商"]
    meetings = [a for a in mine if a["kind"] == "有事来协商"]
    joint = sum(len(a["counties"]) > 1 or bool(a["committee"]) for a in micro)
    months = len({a["on"].month for a in (*micro, *meetings)})
    solved, settled = (sum(a[name] for a in mine) for name in ("solved", "settled"))
    given = sum(praised[r["id"]] for r in reports)
    points = (
        min(Fraction(40), Fraction(4, 10) * (len(micro) - joint) + Fraction(3, 10) * joint)
        + months
        + min(Fraction(24), Fraction(2, 10) * solved)
        + min(12, len(meetings) + settled)
        + min(12, 3 * len(reports) + 2 * given)
    )
    return {
        "micro": len(micro),
        "jointly": joint,
        "members": sum(a["members"] for a in micro),
        "active_months": months,
        "solved": solved,
        "meetings": len(meetings),
        "settled": settled,
        "reports": len(reports),
        "instructions": given,
        "reaches": {a["site"] for a in meetings} >= set(PLACES.values()),
        "#points": rounded(points),
    }


def finish_county(values: Row, met: list[bool]) -> None:
    """Add what the programme brings, and the grade."""
    extra = rounded(Fraction(10 * sum(met), len(met))) if met else Decimal(0)
    total = values["#points"] + extra
    programme = "无专项" if not met else "完成" if all(met) else "未完成"
    values |= {"met": sum(met), "total": total, "programme": programme, "grade": graded(total, programme != "未完成")}


def graded(total: Decimal, is_top: bool = True) -> str:
    """Return the grade of a total; the highest only for who may have it."""
    if total >= 90 and is_top:
        return "优秀"
    return "良好" if total >= 80 else "合格" if total >= 60 else "不合格"


def judge_city(
    held: list[Row],
    reports: list[Row],
    praised: Counter[str],
    ideas: list[tuple[str, bool]],
    counties: dict[str, Row],
) -> Row:
    """Return what the city comes to: each row of its ledgers once, whoever holds it."""
    micro = [a for a in held if a["kind"] == "小微协商"]
    given = sum(praised[r["id"]] for r in reports)
    turned = sum(is_turned for _, is_turned in ideas)
    average = Fraction(sum(row["total"] for row in counties.values())) / len(counties)
    total = (
        min(Decimal(60), rounded(Fraction(6, 10) * average))
        + min(15, len(reports))
        + min(15, given)
        + rounded(Fraction(10 * turned, len(ideas)))
    )
    return {
        "micro": len(micro),
        "with_counties": sum(bool(a["counties"]) for a in micro),
        "alone": sum(not a["counties"] for a in micro),
        "of_counties": sum(len(a["counties"]) for a in micro),
        "members": sum(a["members"] for a in micro),
        "solved": sum(a["solved"] for a in held),
        "meetings": sum(a["kind"] == "有事来协商" for a in held),
        "settled": sum(a["settled"] for a in held),
        "reports": len(reports),
        "suggestions": sum(r["suggestions"] for r in reports),
        "instructions": given,
        "ideas": len(ideas),
        "turned": turned,
        "total": total,
        "tallies": True,
        "grade": graded(total),
    }
