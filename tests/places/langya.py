"""Langya's assessment in plain loops over the sheets, written from `rules/langya` by hand."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from oracle import read_sheets
from places.cells import Row, Subjects, day, keyed, rounded, several, text, whole


def judge(folder: Path, year: int) -> Subjects:
    """Return what Langya's year comes to."""
    sheets = read_sheets(folder)
    topics, topic = keyed(sheets["议题"], "编号", "议题")
    members, member = keyed(sheets["委员名单"], "编号", "姓名")
    communities, community = keyed(sheets["社区名单"], "编号", "名称")
    offices, office = keyed(sheets["部门名单"], "编号", "名称")

    def of_year(sheet: str, column: str) -> list[Row]:
        return [row for row in sheets[sheet] if (day(row[column]) or date.min).year == year]

    def about(key: str, sheet: str, column: str = "议题") -> list[Row]:
        return [row for row in sheets[sheet] if text(row[column]) and topic[text(row[column])] == key]

    result: Subjects = {"topic": {}, "community": {}, "member": {}, "department": {}}
    for key, row in topics.items():
        judged = judge_topic(
            row,
            about(key, "调研记录"),
            about(key, "协商台账"),
            about(key, "三项清单"),
            about(key, "社情民意直报", "列入议题"),
        )
        result["topic"][key] = judged | {"#community": community[text(row["社区"])], "#date": day(row["提出日期"])}
    gated = {key for key, found in result["topic"].items() if found["gate"] == "先研后商"}
    new = {key: found for key, found in result["topic"].items() if found["#date"].year == year}

    held = of_year("协商台账", "日期")
    surveys = of_year("调研记录", "日期")
    services = of_year("社区活动", "日期")
    cases = of_year("协商案例", "形成日期")
    for key in members:
        proposed = [r for k, r in topics.items() if k in new and member.get(text(r["荐题委员"])) == key]
        asked = sum(text(r["来源"]) == "委员荐题" for r in proposed)
        surveyed = sum(key in named(r["调研委员"], member) for r in surveys)
        came = [topic[text(r["议题"])] for r in held if key in named(r["参加委员"], member)]
        helped = sum(key in named(r["组织委员"], member) for r in services)
        wrote = [r for r in cases if member[text(r["撰写委员"])] == key]
        wide = sum(text(r["范围"]) == "一类事" and bool(text(r["报告对象"])) for r in wrote)
        narrow = sum(text(r["范围"]) == "一件事" for r in wrote)
        result["member"][key] = {
            "proposed": len(proposed),
            "surveyed": surveyed,
            "meetings": len(came),
            "helped": helped,
            "written": wide + narrow,
            "total": min(20, 10 * asked)
            + min(24, 8 * surveyed)
            + min(32, 8 * sum(t in gated for t in came))
            + min(12, 6 * helped)
            + min(12, 4 * narrow + 6 * wide),
            "served": bool(proposed or surveyed or came or helped),
        }

    for key in communities:
        own = [k for k in members if community[text(members[k]["社区"])] == key]
        active = sum(result["member"][k]["served"] for k in own)
        consulted = [t for t in new.values() if t["#community"] == key and t["meetings"]]
        closed = sum(t["closed"] for t in new.values() if t["#community"] == key)
        mine = [t for r in held if result["topic"][t := topic[text(r["议题"])]]["#community"] == key]
        good = sum(t in gated for t in mine)
        orgs = {text(r["社会组织"]) for r in services if community[text(r["社区"])] == key} - {""}
        scanned = sum(community[text(r["社区"])] == key for r in of_year("社情民意直报", "扫码日期"))
        total = (
            min(40, 20 * closed)
            + min(24, 8 * good)
            - min(20, 10 * (len(mine) - good))
            + rounded(Fraction(16 * active, len(own)))
            + min(12, 4 * len(orgs))
            + min(8, scanned)
        )
        closes = "全部办结" if closed == len(consulted) else "有未办结"
        result["community"][key] = {
            "meetings": len(mine),
            "ungated": len(mine) - good,
            "active": active,
            "total": max(Decimal(0), total),
            "covered": bool(own),
            "closes": closes if consulted else "没有协商",
        }

    for key in offices:
        called = [r for r in of_year("吹哨报到", "吹哨日期") if office[text(r["部门"])] == key]
        met = sum(bool(day(r["报到日期"]) and text(r["专业人员"])) for r in called)
        duties = [
            r for r in of_year("三项清单", "建议清单日期") if is_assigned(r) and office[text(r["责任单位"])] == key
        ]
        answered = sum(is_answered(r) for r in duties)
        points = rounded(Fraction(40 * met, len(called))) if called else Decimal(40)
        points += rounded(Fraction(60 * answered, len(duties))) if duties else Decimal(60)
        is_assessed = bool(called or duties)
        result["department"][key] = {
            "met": met,
            "answered": answered,
            "total": points if is_assessed else None,
            "reports_in": met == len(called) if is_assessed else None,
        }
    return result


def named(cell: object, known: dict[str, str]) -> set[str]:
    """Return the keys of those in a cell."""
    return {known[name] for name in several(cell)}


def is_assigned(row: Row) -> bool:
    """Say whether somebody is responsible for a suggestion, and not before it was made."""
    listed, assigned = day(row["建议清单日期"]), day(row["责任清单日期"])
    return bool(text(row["责任单位"]) and listed and assigned and listed <= assigned)


def is_answered(row: Row) -> bool:
    """Say whether a suggestion has an answer."""
    assigned, answered = day(row["责任清单日期"]), day(row["反馈清单日期"])
    return bool(is_assigned(row) and text(row["办理结果"]) and assigned and answered and assigned <= answered)


def judge_topic(row: Row, surveys: list[Row], held: list[Row], entries: list[Row], scans: list[Row]) -> Row:
    """Return what a topic comes to."""
    surveyed = min((d for r in surveys if (d := day(r["日期"]))), default=None)
    consulted = min((d for r in held if (d := day(r["日期"]))), default=None)
    if consulted is None:
        gate = "待协商"
    elif surveyed is None:
        gate = "未调研"
    else:
        gate = "先研后商" if surveyed <= consulted else "先商后研"
    listed = [r for r in entries if consulted and (day(r["建议清单日期"]) or date.min) >= consulted]
    lists = "三单齐全"
    if not listed:
        lists = "缺建议清单"
    elif not all(map(is_assigned, listed)):
        lists = "缺责任清单"
    elif not all(map(is_answered, listed)):
        lists = "缺反馈清单"
    chosen, planned, reported, followed = (day(row[name]) for name in ("议题选定", "制订方案", "报送成果", "跟踪落实"))
    days = [chosen, planned, surveyed, consulted, reported, followed]
    known = [d for d in days if d]
    steps = "缺步" if len(known) < 6 else "六步到位" if known == sorted(known) else "错序"
    source = text(row["来源"])
    sourced = bool(text(row["提出单位或人"]))
    if source in ("委员荐题", "网络筛题"):
        sourced = bool(text(row["荐题委员"])) if source == "委员荐题" else bool(scans)
    full = [
        whole(r["群众人数"]) and whole(r["专家人数"]) and several(r["参加委员"]) and several(r["参加部门"])
        for r in held
    ]
    closed = gate == "先研后商" and lists == "三单齐全"
    parties = bool(full) and all(full)
    return {
        "sourced": sourced,
        "gate": gate,
        "parties": parties,
        "steps": steps,
        "lists": lists,
        "stage": "盼的事" if not consulted else "商的事" if not listed else "办的事",
        "closed": closed,
        "answers": sourced and parties and steps == "六步到位" and closed,
        "meetings": len(held),
    }
