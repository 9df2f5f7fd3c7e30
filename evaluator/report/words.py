"""The fixed words of reports, in the languages a pack may have."""

from __future__ import annotations

from decimal import Decimal

from evaluator.pack.definitions import Pack

_WORDS: dict[str, tuple[str, str]] = {
    "yes": ("是", "yes"),
    "no": ("否", "no"),
    "unknown": ("未知", "unknown"),
    "total": ("总分", "total"),
    "rank": ("名次", "rank"),
    "score": ("计分", "Score"),
    "verdicts": ("结论", "Verdicts"),
    "item": ("计分项", "item"),
    "reckoning": ("计算", "reckoning"),
    "points": ("得分", "points"),
    "base": ("基础分", "base"),
    "cap": ("封顶", "cap"),
    "floor": ("保底", "floor"),
    "adjusted": ("增减", "adjusted"),
    "records": ("佐证", "Records"),
    "record": ("记录", "record"),
    "date": ("日期", "date"),
    "place": ("出处", "place"),
    "award": ("计入", "award"),
    "clause": ("条款", "clause"),
    "rule": ("规则", "rule"),
    "holds": ("成立", "holds"),
    "fails": ("不成立", "does not hold"),
    "missing": ("缺值", "value missing"),
    "otherwise": ("其余情形", "otherwise"),
    "note": ("说明", "note"),
    "proposal": ("建议", "proposal"),
    "by": ("（决定机关: {0}）", " (decided by: {0})"),
    "rejects": (
        "本次评定排除了 {0} 行不合格数据，见 rejects.csv",
        "{0} rejected rows were left out, see rejects.csv",
    ),
    "outside": (
        "{0}：{1} 条记录不在考核期内，不计",
        "{0}: {1} outside the year, not counted",
    ),
    "filled in": ("{0}：{1} 条应有而无的记录按规则补入", "{0}: {1} expected and missing, filled in"),
    "unknown conditions": (
        "{0}：有 {1} 次因缺值而无法判断，按不成立处理",
        "{0}: unknown {1} times for want of a value, taken as not met",
    ),
    "lies": ("结果在 {0}", "results are in {0}"),
    "nobody": ("（无）", "(nobody)"),
    "not assessed": ("不参加考核", "not assessed"),
    "not ranked": ("不参加排名", "not ranked"),
    "filled": ("应有而无记录，视为 {0}", "no row, taken as {0}"),
    "place of": ("符合条件者中第 {0} 名，取前 {1} 名", "place {0} among those eligible, {1} are taken"),
    "not eligible": ("不符合条件", "not eligible"),
    "tied out": ("并列者超出名额，均不取", "more tie here than there are places left, so none of them is taken"),
    "overridden": ("按规则为 {0}，决定改为 {1}", "{0} by the rules, {1} by decision"),
    "approved": ("已批准", "approved"),
    "refused": ("未批准", "refused"),
    "not settled": ("尚未决定", "not decided yet"),
    "lost to": ("由 {0} 计分，此条不计", "{0} counts instead"),
    "nth": ("第 {0} 次 × {1}", "no. {0} of the series × {1}"),
    "veto": ("一票否决", "veto"),
    "does not apply": ("不适用", "does not apply"),
    "not in force": ("{0} 年度不施行", "not in force in {0}"),
    "gap breaks": ("无结果，连续至此中断", "no result, which ends the years running"),
    "gap skipped": ("无结果，跳过", "no result, skipped"),
    "gap": ("无结果", "no result"),
    "earlier years": ("往年", "Earlier years"),
    "no earlier result": ("无可回溯的结果", "no result to look back on"),
    "sharing": ("情形 {0}，同一情形共 {1} 个", "situation {0}, shared by {1}"),
    "year": ("年度", "year"),
    "figure": ("控制数", "figure"),
    "computed": ("计算", "computed"),
    "published": ("公布", "published"),
    "agrees": ("一致", "agrees"),
    "at least": ("至少 {0}", "at least {0}"),
    "differs": ("来源自相矛盾", "the source differs"),
}


def say(pack: Pack, key: str, *values: object) -> str:
    """Return a fixed word or sentence in the readers' language."""
    zh, en = _WORDS[key]
    return (zh if pack.shown_in == "zh" else en).format(*values)


def name_of(pack: Pack, kind: str, name: str) -> str:
    """Return what readers see for a name of a kind: its label, or the heading of its column."""
    leaf = name.rsplit(".", 1)[-1]
    known = pack.labels.get(pack.shown_in, {})
    for candidate in (f"{kind}.{name}", name, leaf):
        if candidate in known:
            return known[candidate]
    if name in ("rank", "total"):
        return say(pack, name)
    field = pack.kinds[kind].table.fields.get(name) if pack.shown_in == pack.language else None
    return field.headings[0] if field is not None and field.headings else name


def shown(pack: Pack, value: object) -> str:
    """Return a value as readers see it: no needless zeros, labels, yes and no."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return say(pack, "yes" if value else "no")
    if isinstance(value, Decimal):
        return plain_number(value)
    return pack.label(str(value))


def plain_number(value: Decimal) -> str:
    """Return a decimal without needless zeros.

    >>> plain_number(Decimal("12.500000")), plain_number(Decimal("100.000000"))
    ('12.5', '100')
    """
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
