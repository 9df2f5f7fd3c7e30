"""The fixed words of reports, in the languages a pack may have."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

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
    "appeals applied": ("已按申诉更正：{0}", "amended as appealed: {0}"),
    "appeals open": ("尚未裁定的申诉：{0}", "appeals not decided yet: {0}"),
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
    "group idle": ("{0} 不适用，不计入", "not counted, as {0} does not apply"),
    "not in force": ("{0} 年度不施行", "not in force in {0}"),
    "gap breaks": ("无结果，连续至此中断", "no result, which ends the years running"),
    "gap skipped": ("无结果，跳过", "no result, skipped"),
    "gap": ("无结果", "no result"),
    "earlier years": ("往年", "Earlier years"),
    "no earlier result": ("无可回溯的结果", "no result to look back on"),
    "ranks": ("名次", "Ranks"),
    "ranked": ("第 {0} 名，共 {1} 名", "{0} of {1}"),
    "unranked": ("不排名次", "not ranked"),
    "tie": ("并列", "a tie"),
    "against": ("{0}，此处 {1}", "{0} against {1}"),
    "difference": ("相差 {0}", "{0} apart"),
    "short": ("差 {0}", "{0} short"),
    "spare": ("余 {0}", "{0} to spare"),
    "over": ("超出 {0}", "{0} over"),
    "below": ("低 {0}", "{0} below"),
    "at the mark": ("恰在界上", "just at the mark"),
    "chain": ("由来", "from"),
    "appeals": ("申诉更正", "Amended as appealed"),
    "case": ("申诉", "case"),
    "field": ("栏目", "field"),
    "amended by": ("按申诉 {0} 更正", "amended by case {0}"),
    "empty": ("（空）", "(empty)"),
    "how add": ("补入 {0} {1}", "add {0} {1}"),
    "how void": ("撤销 {0} {1}", "take away {0} {1}"),
    "how correct": ("更正 {0} {1}", "correct {0} {1}"),
    "published on": ("{0} 公布", "published on {0}"),
    "it is so": ("{0} 就是 {1}", "{0} is {1}"),
    "why not": ("{0} 为何不是 {1}", "why {0} is not {1}"),
    "measures": ("指标", "Measures"),
    "boundary": ("{1}：{0}，差一点、刚好、过一点", "{1}: just below, at and above {0}"),
    "boundary below": ("{1}：{0}，差一点", "{1}: just below {0}"),
    "boundary at": ("{1}：{0}，刚好", "{1}: exactly at {0}"),
    "boundary above": ("{1}：{0}，过一点", "{1}: just above {0}"),
    "to confirm": ("由程序算出，请对照原文核对", "computed, not confirmed: compare it with the source"),
    "as in the run": ("{0} {1}，{2} 年度评定结果", "{0} {1} as the run of {2} has it"),
    "rests on others": ("取决于其他对象，未列入：{0}", "left out, as it rests on other subjects: {0}"),
    "differs here": ("单独计算时结果不同，未列入：{0}", "left out, as it comes out otherwise here: {0}"),
    "year not carried": ("{0} 年度的结果未带入：找不到该次评定", "not carried, as its run is not beside this one: {0}"),
    "more": ("相差", "difference"),
    "appeal": ("申诉", "Appeal"),
    "status filed": ("未决", "not decided"),
    "status accepted": ("采纳", "accepted"),
    "status partly accepted": ("部分采纳", "partly accepted"),
    "status rejected": ("不予采纳", "rejected"),
    "status withdrawn": ("撤回", "withdrawn"),
    "filed on": ("提出日期", "filed on"),
    "in time until": ("期限至 {0}，未逾期", "in time, until {0}"),
    "claims": ("诉求", "Claims"),
    "claim": ("诉求", "claim"),
    "evidence": ("证据", "evidence"),
    "decision": ("决定", "Decision"),
    "reason": ("理由", "reason"),
    "claim accepted": ("采纳", "accepted"),
    "claim refused": ("不予采纳", "not accepted"),
    "if accepted": ("如予采纳，申诉人", "If it is accepted: the appellant"),
    "others moved": ("受影响的其他对象", "Others whom it moves"),
    "only ranks": ("仅名次变动的有 {0} 个", "only the rank of {0} changes"),
    "nobody else": ("无", "nobody"),
    "what changed": ("结果变动", "What changed"),
    "result": ("最终结果", "Result"),
    "letter title": ("关于申诉 {0} 的决定", "Decision on appeal {0}"),
    "letter opening": (
        "你（单位）就“{0}”{1} 年度结果于 {2} 提出的申诉（{3}）收悉，现答复如下。",
        "You appealed on {2} against the {1} result of “{0}” (case {3}). This is the answer.",
    ),
    "letter in time": ("申诉期限至 {0}，申诉未逾期。", "It could be filed until {0}, and was in time."),
    "letter accepted": ("{0}于 {1} 决定：采纳申诉。", "Decided by {0} on {1}: the appeal is accepted."),
    "letter partly accepted": (
        "{0}于 {1} 决定：部分采纳申诉。",
        "Decided by {0} on {1}: the appeal is partly accepted.",
    ),
    "letter rejected": ("{0}于 {1} 决定：不予采纳。", "Decided by {0} on {1}: the appeal is rejected."),
    "letter withdrawn": ("申诉已撤回。", "The appeal was withdrawn."),
    "ways": ("怎样才能", "What it would take"),
    "way": ("{0} 达到 {1}", "{0} becomes {1}"),
    "fall": ("{0} 降为 {1}", "{0} falls to {1}"),
    "impossible": ("无法达到", "out of reach"),
    "move add": ("增加 {0} 条 {1}", "{0} more of {1}"),
    "move mend": ("改正 {0} 条 {1}", "{0} of {1} mended"),
    "move remove": ("减少 {0} 条 {1}", "{0} fewer of {1}"),
    "sharing": ("情形 {0}，同一情形共 {1} 个", "situation {0}, shared by {1}"),
    "year": ("年度", "year"),
    "figure": ("控制数", "figure"),
    "computed": ("计算", "computed"),
    "published": ("公布", "published"),
    "agrees": ("一致", "agrees"),
    "at least": ("至少 {0}", "at least {0}"),
    "as amended": ("因申诉更正而不同", "not so as amended"),
    "differs": ("来源自相矛盾", "the source differs"),
    # --- compare
    "compared": ("{0} 与 {1} 比较", "{0} compared with {1}"),
    "nothing changed": ("没有变化", "nothing changed"),
    "kind": ("类别", "kind"),
    "before": ("前", "before"),
    "after": ("后", "after"),
    "appeared": ("新增", "appeared"),
    "gone": ("消失", "gone"),
    "changed": ("变化", "changed"),
    "absent": ("（无）", "(none)"),
    "only in one": ("只见于一方，未比较: {0}", "in one of them only, not compared: {0}"),
    "changes": ("变化的对象", "What changed"),
    "rules that differ": ("规则的不同", "Rules that differ"),
    "records that differ": ("记录的不同", "Records that differ"),
    "apart": ("是否参评", "set apart"),
    "rank in": ("{0}名次", "rank in {0}"),
    "more subjects": (
        "另有 {0} 个，见 --format json",
        "{0} more, see --format json",
    ),
    "cause record added": ("新增记录 {0}", "record added: {0}"),
    "cause record removed": ("少了记录 {0}", "record gone: {0}"),
    "cause record changed": ("记录 {0}", "record {0}"),
    "cause rule added": ("新增规则 {0}", "rule added: {0}"),
    "cause rule removed": ("删去规则 {0}", "rule gone: {0}"),
    "cause rule changed": ("规则 {0}", "rule {0}"),
    "cause subject added": ("新增 {0}", "{0} appeared"),
    "cause subject removed": ("少了 {0}", "{0} is gone"),
    "cause subject changed": ("{0}", "{0}"),
    "cause passed added": ("新增 {0}", "{0} appeared"),
    "cause passed removed": ("少了 {0}", "{0} is gone"),
    "cause passed changed": ("{0} 的先后变了", "{0} moved past"),
    "cause passed more": ("另有 {0} 个的先后变了", "{0} more moved past"),
    "cause passed many": (
        "共 {0} 个的先后可能变了，未逐一比对",
        "{0} in all may have moved past, too many to be looked at one by one",
    ),
    "cause judgement added": ("新增决定 {0}", "decision added: {0}"),
    "cause judgement removed": ("少了决定 {0}", "decision gone: {0}"),
    "cause judgement changed": ("决定 {0}", "decision {0}"),
    "cause history added": ("新增往年结果 {0}", "earlier result added: {0}"),
    "cause history removed": ("少了往年结果 {0}", "earlier result gone: {0}"),
    "cause history changed": ("往年结果 {0}", "earlier result {0}"),
    "cause unknown": ("没有找到原因", "no cause was found"),
    "worth": ("得分 {0} → {1}", "points {0} → {1}"),
    # --- impact
    "impact of": ("{0} 改为 {1}，用 {2} 试算", "{0} replaced by {1}, tried on {2}"),
    "nothing differs": ("两套规则没有不同，结果也没有不同", "the rules say the same, and nothing would change"),
    "verdicts as before": ("结论不变: {0}", "verdicts as before: {0}"),
    "only in new": ("新规则才有: {0}", "only in the new rules: {0}"),
    "only in old": ("旧规则才有: {0}", "only in the old rules: {0}"),
    "moves worse": ("变差 {0} 个", "worse: {0}"),
    "moves better": ("变好 {0} 个", "better: {0}"),
    "moves yes": ("变为是 {0} 个", "now yes: {0}"),
    "moves no": ("变为否 {0} 个", "now no: {0}"),
    "moves other": ("变为其他 {0} 个", "another value: {0}"),
    "more listed": ("另有 {0} 个，加 --all 全部列出", "{0} more, list them with --all"),
    "group": ("分组", "group"),
    "all": ("全部", "all"),
    "mean": ("平均", "mean"),
    "least": ("最低", "least"),
    "most": ("最高", "most"),
    "sum": ("合计", "sum"),
    "moves nobody": ("未影响任何对象", "moves nobody"),
    "moves subjects": ("影响 {0} 个对象", "subjects moved: {0}"),
    "moves others": ("仅分数或名次 {0}", "only points or ranks {0}"),
    "figures missed": ("与公布数不一致", "Published figures that are missed"),
    "sweep": ("试算 {0}，现为 {1}", "trying {0}, now {1}"),
    "sweep stops": ("以下取值无法得出结果", "with these values the run stops"),
    "eligible": ("符合条件", "eligible"),
    "places": ("名额", "places"),
    "as it is": ("现行", "as it is"),
    "all eligible chosen": ("{0} 符合条件者不超过名额", "{0}: no more eligible than places"),
    "met now": ("{0}: 取 {1} 时满足，现行已满足", "{0}: met at {1}, and as it is"),
    "met at": ("{0}: 取 {1} 时满足，离现行最近的是 {2}", "{0}: met at {1}; nearest to what it is: {2}"),
    "never met": ("{0}: 所试取值均不满足", "{0}: met by none of the values tried"),
    # --- situations
    "situations counted": ("共 {0} 种情形，结论 {1} 组", "situations: {0}, in groups of verdicts: {1}"),
    "situations new": ("其中 {0} 种未见于往年（{1}）", "never seen before: {0} (in {1})"),
    "situations first": ("没有往年的运行结果可比", "there is no earlier run to look at"),
    "situations without": (
        "附近没有 {0} 年的运行结果，请用 --history 指明",
        "the run of {0} is not beside it, name it with --history",
    ),
    "subjects": ("个数", "subjects"),
    "conditions that hold": ("成立的条件", "conditions that hold"),
    "for example": ("例", "for example"),
    "is new": ("新", "new"),
    "none of them": ("（均不成立）", "(none)"),
    "state unknown": ("缺值，无法判断: ", "unknown: "),
    "state holds or unknown": ("成立或缺值: ", "holds or unknown: "),
    "state unsettled": ("其中之一缺值: ", "one of these is unknown: "),
    # --- verify
    "checked": ("核验", "checked"),
    "found": ("结果", "found"),
    "check files": ("文件", "files"),
    "check pack": ("规则包", "pack"),
    "check data": ("数据", "data"),
    "check chain": ("前后版本", "runs before"),
    "check history": ("往年结果", "earlier years"),
    "check repeated": ("重新计算", "run again"),
    "files as said": ("{0} 个文件与 manifest.json 一致", "files: {0}, as manifest.json says"),
    "files hold": ("{0} 个文件与记录的摘要一致", "files: {0}, with the hashes that were noted"),
    "first of chain": ("没有更早的版本", "takes the place of no run"),
    "no history": ("没有用到往年的结果", "looks back on no run"),
    "years found": ("找到 {0} 年的结果", "found the runs of {0}"),
    "same bytes": ("{0} 个文件逐字节相同", "files: {0}, the same bytes"),
    "same rows": (
        "软件版本不同（{0}），字节可能因此不同；{1} 个文件内容相同",
        "other versions ({0}), for which bytes may differ; files: {1}, which hold the same",
    ),
    "not run again": ("未能重新计算", "could not be run again"),
    "expected": ("应为", "expected"),
    "there is": ("实为", "there is"),
    "missing file": ("没有这个文件", "no such file"),
    "no file": ("不应有文件", "no file"),
    "a file": ("有文件", "a file"),
    "hash": ("摘要 {0}…", "hash {0}…"),
    "no run with hash": ("附近没有摘要为 {0}… 的运行结果", "no run with the hash {0}… is beside it"),
    "a run with hash": ("{0} 的运行结果，摘要 {1}…", "the {0} run with the hash {1}…"),
    "name with": ("请用 {0} 指明", "name it with {0}"),
    "stage not after": ("不晚于 {0} 的阶段", "a stage not after {0}"),
    "of the same": ("{0} {1} 的运行结果", "a run of {0} {1}"),
    "bytes": ("与本次运行相同的字节", "the same bytes as when run again"),
    "bytes from": ("自第 {0} 字节起不同", "others from byte {0} on"),
    "rows": ("与本次运行相同的内容", "the same as when run again"),
    "other rows": ("{0} 行不同", "{0} rows that differ"),
    "other content": ("内容不同", "something else"),
    "all holds": ("全部相符", "everything holds"),
    "not all holds": ("有 {0} 处不符", "does not hold: {0}"),
    # --- watch
    "watch first": (
        "已评定 {0}。保存规则或数据即重新评定，按 Ctrl-C 结束",
        "assessed: {0}; saving a file of the rules or the data assesses again, Ctrl-C ends",
    ),
    "watch saved": ("已保存 {0}", "saved: {0}"),
    "watch stays": ("改正之前，仍以上一次的结果为准", "until this is mended, the last good result stays"),
    "watch waits": ("改正并保存后重新评定，按 Ctrl-C 结束", "waiting until this is mended and saved; Ctrl-C ends"),
    "watch more": ("另有 {0} 个", "{0} more"),
    # --- graph
    "graph table": ("表", "tables"),
    "graph measure": ("指标", "measures"),
    "graph line": ("计分项", "lines of the score"),
    "graph verdict": ("结论", "verdicts"),
    "graph roster": ("名册", "rosters"),
    "graph earlier": ("往年的值", "of earlier years"),
}


def say(pack: Pack, key: str, *values: object) -> str:
    """Return a fixed word or sentence in the readers' language."""
    return said_in(pack.shown_in, key, *values)


def said_in(language: str, key: str, *values: object) -> str:
    """Return a fixed word or sentence in a language."""
    zh, en = _WORDS[key]
    return (zh if language == "zh" else en).format(*values)


def name_of(pack: Pack, kind: str, name: str) -> str:
    """Return what readers see for a name of a kind: its label, or the heading of its column."""
    leaf = name.rsplit(".", 1)[-1]
    known = pack.labels.get(pack.shown_in, {})
    for candidate in (f"{kind}.{name}", name, f"{kind}.{leaf}", leaf):
        if candidate in known:
            return known[candidate]
    if name in ("rank", "total"):
        return say(pack, name)
    field = pack.kinds[kind].table.fields.get(name) if pack.shown_in == pack.language else None
    return field.headings[0] if field is not None and field.headings else name


def table_name(pack: Pack, name: str) -> str:
    """Return what readers call a table: its label; of one that people fill, in Chinese, the name of its sheet."""
    label, made = pack.label(name), pack.tables.get(name)
    if label == name and made is not None and made.is_entered and pack.shown_in == "zh":
        return made.files[-1]
    return label


def shown(pack: Pack, value: object) -> str:
    """Return a value as readers see it: no needless zeros, labels, yes and no."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return say(pack, "yes" if value else "no")
    if isinstance(value, Decimal):
        return plain_number(value)
    return pack.label(str(value))


def plain_fraction(value: Fraction) -> str:
    """Return a decimal fraction without needless zeros.

    >>> plain_fraction(Fraction(-5, 4))
    '-1.25'
    """
    return plain_number(Decimal(value.numerator) / value.denominator)


def plain_number(value: Decimal) -> str:
    """Return a decimal without needless zeros.

    >>> plain_number(Decimal("12.500000")), plain_number(Decimal("100.000000"))
    ('12.5', '100')
    """
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
