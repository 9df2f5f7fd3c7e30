"""Shenzhen's assessment in plain loops over the sheets, written from `rules/shenzhen` by hand."""

from collections import Counter, defaultdict
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

from oracle import read_sheets
from places.cells import Row, Subjects, day, keyed, rounded, several, text, truth, whole

LEVELS = {"市级": "市", "区级": "区", "街道级": "街道"}
KINDS = {
    "深聊会": "界别深聊会", "好商量": "身边事好商量", "行走宝安": "委员行走宝安", "宣讲": "政策宣讲",
    "联谊": "联谊交流",
}  # fmt: skip
MARKS = ("有利于联系服务群众", "有利于体现界别特色", "有利于衔接基层协商")
QUARTERS = {11: 0, 12: 0, 1: 0, 2: 1, 3: 1, 4: 1, 5: 2, 6: 2, 7: 2, 8: 3, 9: 3, 10: 3}


def judge(folder: Path, year: int) -> Subjects:
    """Return what Shenzhen's year comes to: from November to October."""
    sheets = read_sheets(folder)
    stations, station = keyed(sheets["工作站名单"], "编号", "名称")
    members, member = keyed(sheets["委员名单"], "编号", "姓名")

    def counted(sheet: str, column: str) -> list[Row]:
        first, last = date(year - 1, 11, 1), date(year, 10, 31)
        return [row for row in sheets[sheet] if first <= (day(row[column]) or date.min) <= last]

    duty, matters = counted("值班接待", "日期"), counted("群众反映", "反映日期")
    activities, contacts = counted("履职活动", "日期"), counted("一对一联系", "日期")
    partner = {member[text(r["界外委员"])]: member[text(r["党员委员"])] for r in sheets["结对名单"]}
    party = {key: truth(row["中共党员"]) for key, row in members.items()}
    talks = []
    for r in contacts:
        one, other = member[text(r["党员委员"])], member[text(r["界外委员"])]
        if party[one] and not party[other] and partner.get(other) == one:
            talks.append((station[text(r["工作站"])], one, other))

    judged = {
        key: judge_station(row, *(of(rows, station, key) for rows in (duty, matters, activities)), talks, key)
        for key, row in stations.items()
    }
    by_level = Counter(values["#level"] for values in judged.values())
    for values in judged.values():
        ahead = [
            other
            for other in judged.values()
            if other["#level"] == values["#level"] and other["#eligible"] and other["#order"] > values["#order"]
        ]
        values["excellent"] = values["#eligible"] and len(ahead) < -(-by_level[values["#level"]] // 10)

    def times(rows: list[Row], column: str, key: str) -> int:
        return sum(member[name] == key for row in rows for name in several(row[column]))

    result: Subjects = {"workstation": judged, "member": {}, "body": {}, "street": {}}
    for key in members:
        served, joined = times(duty, "值班委员", key), times(activities, "参加委员", key)
        met = sum(key in pair for _, *pair in talks)
        result["member"][key] = {
            "served": served,
            "joined": joined,
            "met": met,
            "enters": served + joined >= 1,
            "contacted": met >= 1,
        }
    covered = {text(row["街道"]) for key, row in stations.items() if judged[key]["#level"] == "街道"}
    home: dict[str, list[str]] = defaultdict(list)
    for row in sheets["街道名单"]:
        home[text(row["所在区"])].append(text(row["名称"]))
        result["street"][text(row["名称"])] = {"covered": text(row["名称"]) in covered}
    for row in sheets["主管单位"]:
        name = text(row["名称"])
        own = [key for key, r in stations.items() if text(r["主管单位"]) == name]
        outside = [key for key, r in members.items() if text(r["所属单位"]) == name and not party[key]]
        reached = sum(result["member"][key]["contacted"] for key in outside)
        there, streets = sum(s in covered for s in home[name]), len(home[name])
        word = "全覆盖" if there == streets else "基本覆盖" if 10 * there >= 9 * streets else "未覆盖"
        result["body"][name] = {
            "stations": len(own),
            "excellents": sum(judged[key]["excellent"] for key in own),
            "outside": len(outside),
            "reached": reached,
            "streets_covered": there,
            "coverage": "不适用" if text(row["类别"]) == "专委会" else word,
            "all_reached": reached == len(outside),
        }
    return result


def of(rows: list[Row], station: dict[str, str], key: str) -> list[Row]:
    """Return the rows of one workstation."""
    return [row for row in rows if station[text(row["工作站"])] == key]


def judge_station(
    row: Row, duty: list[Row], matters: list[Row], activities: list[Row], talks: list[tuple[str, str, str]], key: str
) -> Row:
    """Return what one workstation comes to, before the excellent are chosen."""
    kinds: Counter[str] = Counter(KINDS.get(text(r["类别"]), text(r["类别"])) for r in activities)
    suggestions = sum(whole(r["建议条数"]) for r in activities)
    received = {
        QUARTERS[at.month]
        for r in duty
        if text(r["地点"]) in ("界别群众联系室", "联系室") and whole(r["接待人数"]) > 0 and (at := day(r["日期"]))
    }
    answered = 0
    for r in matters:
        begun, ended = day(r["反映日期"]), day(r["答复日期"])
        answered += begun is not None and ended is not None and 0 <= (ended - begun).days <= 30
    body = text(row["主管单位"])
    walks = 3 * kinds["委员行走宝安"] if body == "宝安区" else 0
    total: Any = (
        min(12, 6 * kinds["界别深聊会"])
        + min(12, 6 * kinds["身边事好商量"])
        + min(Fraction(6), Fraction(suggestions, 4))
        + min(8, 4 * kinds["政策宣讲"])
        + min(12, 4 * sum(at == key for at, *_ in talks))
        + min(35, min(Fraction(12), Fraction(3 * len(duty), 2)) + 2 * len(received) + min(15, 3 * answered) + walks)
        + min(Fraction(15), Fraction(15 * kinds["联谊交流"], 2))
    )
    siting = "不适用" if body != "福田区" else "符合" if all(truth(row[mark]) for mark in MARKS) else "不符"
    level = text(row["层级"])
    return {
        "#level": LEVELS.get(level, level),
        "#order": (total, suggestions, answered),
        "#eligible": total >= 80 and len(received) == 4 and siting != "不符",
        "seasons": len(received),
        "answered": answered,
        "suggestions": suggestions,
        "total": rounded(total),
        "regular": len(received) == 4,
        "siting": siting,
    }
