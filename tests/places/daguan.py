"""Daguan's assessment: what `oracle` judges, and plans, problems and guests in plain loops."""

from collections import Counter
from pathlib import Path

import oracle
from places.cells import Subjects, day, keyed, several, text, whole


def judge(folder: Path, year: int) -> Subjects:
    """Return what Daguan's year comes to, the year before being its history."""
    before = oracle.assess(folder.parent / str(year - 1), year - 1)
    judged = oracle.assess(folder, year, {year - 1: before})
    result: Subjects = {
        kind: {
            key: {name: value for name, value in row.items() if not name.startswith("raw.")}
            for key, row in rows.items()
        }
        for kind, rows in judged.subjects.items()
    }
    sheets = oracle.read_sheets(folder)
    stations, station = keyed(sheets["工作室名单"], "编号", "名称")
    guests, guest = keyed(sheets["住区省市委员"], "编号", "姓名")
    held: Counter[tuple[str, str]] = Counter()
    times: Counter[str] = Counter()
    for row in sheets["活动台账"]:
        if (at := day(row["日期"])) and at.year == year:
            for name in several(row["主办工作室"]) + several(row["联办工作室"]):
                held[station[name], text(row["动作"])[:2]] += 1
            times.update(guest[name] for name in several(row["省市委员"]))
    result["guest"] = {key: {"times": times[key], "is_linked": times[key] > 0} for key in guests}
    for key in stations:
        result["workstation"][key] |= {"required": held[key, "规定"], "chosen": held[key, "自选"]}
    result["plan"] = {}
    for row in sheets["工作计划"]:
        key = station[text(row["工作室"])]
        required, chosen = whole(row["规定动作"]), whole(row["自选动作"])
        carried_out = "未完成"
        if held[key, "规定"] >= required:
            carried_out = "规定自选均完成" if held[key, "自选"] >= chosen else "完成规定动作"
        result["plan"][text(row["编号"])] = {"is_aimed": required + chosen >= 4, "carried_out": carried_out}
    result["problem"] = {}
    for row in sheets["问题清单"]:
        collected, handed = day(row["收集日期"]), day(row["转交日期"])
        state = "办理中"
        if not text(row["责任单位"]):
            state = "未明责"
        elif not handed:
            state = "未转交"
        elif day(row["解决日期"]):
            state = "已解决"
        elif day(row["再反映日期"]):
            state = "再反映"
        in_time = bool(collected and handed and (handed - collected).days <= 10)
        is_closed = in_time and state in ("已解决", "再反映")
        result["problem"][text(row["编号"])] = {"state": state, "is_closed": is_closed}
    return result
