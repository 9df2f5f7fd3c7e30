"""An explanation for a terminal."""

from __future__ import annotations

from evaluator.pack.model_judgement import Rule, Verdict
from evaluator.report.explain import Condition, Entry, ExplainedLine, ExplainedVerdict, Explanation
from evaluator.report.looked_back import year_lines
from evaluator.report.text import as_table
from evaluator.report.words import name_of, plain_number, say, shown


def explanation_text(found: Explanation) -> str:
    """Return an explanation as text: the result, the score, the records, the verdicts."""
    pack, kind = found.pack, found.kind
    called = found.name if found.name == found.key else f"{found.name} ({found.key})"
    lines = [f"{pack.label(kind.name)} {called} · {found.year}"]
    if not found.is_assessed:
        lines.append(f"{say(pack, 'not assessed')}: {found.set_apart}")
    elif found.set_apart:
        lines.append(f"{say(pack, 'not ranked')}: {found.set_apart}")
    if found.total is not None:
        lines.append(f"{name_of(pack, kind.name, 'total')} {plain_number(found.total)}")
    result = [f"{name_of(pack, kind.name, v.definition.name)} {_known(found, v.value)}" for v in found.verdicts]
    if result:
        lines.append(" · ".join(result))
    if found.lines:
        lines += ["", say(pack, "score"), "", _score(found)]
        effects = [effect for line in found.lines for effect in _effects(found, line)]
        if effects:
            lines += ["", *effects]
        for line in found.lines:
            if line.evidence:
                lines += [
                    "",
                    f"{say(pack, 'records')}: {name_of(pack, kind.name, 'points.' + line.definition.id)}",
                    "",
                    _records(found, line),
                ]
    if found.years:
        lines += ["", say(pack, "earlier years")]
        for years in found.years:
            lines += ["", f"  {years.definition.column}", *(f"    {line}" for line in year_lines(pack, years))]
    if found.verdicts:
        lines += ["", say(pack, "verdicts")]
        for verdict in found.verdicts:
            lines += ["", *_verdict(found, verdict)]
    clauses = _clauses(found)
    if clauses:
        lines += ["", say(pack, "clause"), ""]
        lines += [f"  {name}: 「{pack.clauses[name].text}」 ({pack.clauses[name].source})" for name in clauses]
    if found.rejects:
        lines += ["", say(pack, "rejects", found.rejects)]
    return "\n".join(lines)


def _known(found: Explanation, value: object) -> str:
    return say(found.pack, "unknown") if value is None else shown(found.pack, value)


def _line_name(found: Explanation, line: str) -> str:
    return name_of(found.pack, found.kind.name, "total" if line == "total" else f"points.{line}")


def _score(found: Explanation) -> str:
    pack = found.pack
    headings = [say(pack, w) for w in ("item", "reckoning")] + [
        "=",
        say(pack, "cap"),
        say(pack, "adjusted"),
        say(pack, "points"),
        say(pack, "rule"),
    ]
    rows = []
    for line in found.lines:
        made = line.definition
        bounds = []
        if made.max is not None:
            bounds.append(f"≤ {made.max.text}")
        if made.min is not None:
            bounds.append(f"≥ {made.min.text}")
        cut = line.cut
        if line.veto is not None:
            bounds.append(say(pack, "veto"))
        rows.append(
            [
                "  " * made.depth + _line_name(found, made.id),
                line.reckoning,
                plain_number(line.before_bounds) if made.is_in_force else "",
                " ".join(bounds),
                ("+" if cut < 0 else "") + plain_number(-cut) if cut else "",
                plain_number(line.points) if made.is_in_force else "",
                f"{_place(made.at)}" + (f" [{made.model.clause}]" if made.model.clause else ""),
            ]
        )
    return as_table(headings, rows, [False, False, True, False, True, True, False])


def _effects(found: Explanation, line: ExplainedLine) -> list[str]:
    """Say of each factor and veto that took effect what it did, and why."""
    name = _line_name(found, line.definition.id)
    made = [(f"× {plain_number(one.number)}", one) for one in line.factors]
    if line.veto is not None:
        made.append((f"= {plain_number(line.veto.number)} {say(found.pack, 'veto')}", line.veto))
    return [
        f"  {name} {what}"
        + (f" ← {one.reason}" if one.reason else "")
        + f"  {_place(one.model.at)}{_clause(one.model.clause)}"
        for what, one in made
    ]


def _place(at: object) -> str:
    """Return file and line of a rule, below its pack."""
    file, line = getattr(at, "file", ""), getattr(at, "line", 0)
    return f"{str(file).rsplit('/', 1)[-1]}:{line}"


def _records(found: Explanation, line: ExplainedLine) -> str:
    pack = found.pack
    rows = []
    idle = {other.definition.id for other in found.lines if not other.applies}
    for one in line.evidence:
        unmet = [name for name in one.cut_by if name in idle]
        bounds = ", ".join(_line_name(found, name) for name in unmet or one.cut_by)
        why = "does not apply" if unmet else "cap" if one.points > 0 else "floor"
        remark = f"{say(pack, why)}: {bounds}" if bounds else ""
        if one.factor is not None and one.factor != 1:
            remark = f"{say(pack, 'nth', one.nth, plain_number(one.factor))} {remark}".rstrip()
        if one.lost_to is not None:
            remark = say(pack, "lost to", one.lost_to)
        place = one.place
        if one.entry is not None:
            remark = f"{one.entry.reason} {remark}".rstrip()
        if one.is_filled:
            expected = pack.tables[line.definition.aggregate.source].expected if line.definition.aggregate else None
            filled = ", ".join(map(str, expected.fill.values())) if expected else ""
            place = say(pack, "filled", filled)
        rows.append([one.record, one.date, place, plain_number(one.points), plain_number(one.counts), remark])
    headings = [say(pack, word) for word in ("record", "date", "place", "points", "award")] + [""]
    return as_table(headings, rows, [False, False, False, True, True, False])


def _verdict(found: Explanation, verdict: ExplainedVerdict) -> list[str]:
    pack, made = found.pack, verdict.definition
    head = f"  {name_of(pack, found.kind.name, made.name)} = {_known(found, verdict.value)}"
    if verdict.situation is not None:
        head += f"    ({say(pack, 'sharing', verdict.situation, verdict.shared_by)})"
    lines = [head]
    for rule in verdict.rules:
        is_met = rule.decided if rule.condition is None else rule.condition.is_met
        mark = {True: "✓", False: "✗", None: "?"}[is_met] if rule.is_in_force else "–"
        value = shown(
            pack,
            rule.definition.value if not _is_number(rule.definition.value) else str(rule.definition.value),
        )
        what = say(pack, "otherwise") if rule.condition is None else _condition(found, rule.condition)
        if not rule.is_in_force:
            what = say(pack, "not in force", found.year)
        reference = f"  {_place(rule.definition.model.at)}" + _clause(rule.definition.model.clause)
        lines.append(f"    {mark} {rule.definition.number}. {value} ← {what}{reference}")
        if rule.definition.model.note:
            lines.append(f"         {say(pack, 'note')}: {rule.definition.model.note}")
        if rule.decided and rule.definition.model.action and verdict.override is None:
            lines.append(f"         {_proposal(found, rule.definition.model)} · {_settled(found, verdict)}")
    if verdict.condition is not None:
        mark = {True: "✓ ", False: "✗ ", None: ""}[verdict.condition.is_met]
        lines.append(f"    {mark}{_condition(found, verdict.condition)}  {_place(made.at)}{_clause(made.model.clause)}")
    if made.form == "quota":
        placed = (
            say(pack, "place of", verdict.place, verdict.take)
            if verdict.place is not None
            else say(pack, "not eligible")
        )
        lines.append(f"    {placed}")
        if (
            verdict.place is not None
            and verdict.take is not None
            and verdict.value is False
            and verdict.place <= verdict.take
        ):
            lines.append(f"    {say(pack, 'tied out')}")
    if verdict.override is not None:
        ruled, changed = _known(found, verdict.ruled), _known(found, verdict.value)
        lines.append(f"    {say(pack, 'overridden', ruled, changed)}: {_entry(verdict.override)}")
    lines += [f"    {line}" for years in verdict.years for line in year_lines(pack, years)]
    if made.model.note:
        lines.append(f"    {say(pack, 'note')}: {made.model.note}")
    if made.model.action and verdict.value is True:
        lines.append(f"    {_proposal(found, made.model)} · {_settled(found, verdict)}")
    return lines


def _entry(entry: Entry) -> str:
    return f"{entry.reason} ({entry.decided_by}, {entry.decided_on}, {entry.place})"


def _settled(found: Explanation, verdict: ExplainedVerdict) -> str:
    """Say what became of a proposal."""
    if verdict.approval is None:
        return say(found.pack, "not settled")
    return f"{say(found.pack, 'approved' if verdict.approved else 'refused')}: {_entry(verdict.approval)}"


def _proposal(found: Explanation, model: Rule | Verdict) -> str:
    pack = found.pack
    who = say(pack, "by", model.by) if model.by else ""
    return f"{say(pack, 'proposal')}: {model.action}{who}"


def _is_number(value: object) -> bool:
    return not isinstance(value, (str, bool))


def _clause(clause: object) -> str:
    return f" [{clause}]" if clause else ""


def _condition(found: Explanation, condition: Condition) -> str:
    pack = found.pack
    values = [
        f"{name} = {shown(pack, value) if value is not None else say(pack, 'unknown')}"
        for name, value in condition.values
    ]
    return condition.text + (f"  ({', '.join(values)})" if values else "")


def _clauses(found: Explanation) -> list[str]:
    """Return the clauses the explanation rests on, in the order met."""
    names: dict[str, None] = {}
    for line in found.lines:
        if line.definition.is_in_force:
            names[str(line.definition.model.clause or "")] = None
            for effect in [*line.factors, *([line.veto] if line.veto is not None else [])]:
                names[str(effect.model.clause or "")] = None
    for verdict in found.verdicts:
        for rule in verdict.rules:
            if rule.is_in_force:
                names[str(rule.definition.model.clause or "")] = None
        names[str(verdict.definition.model.clause or "")] = None
    names.pop("", None)
    return list(names)
