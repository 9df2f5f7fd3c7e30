"""An explanation for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from evaluator.pack.definitions import Pack
from evaluator.report.explaining.document import Checked, Concluded, Document, Line, Next, Ranked, called
from evaluator.report.explaining.ways import way_lines
from evaluator.report.text import as_table
from evaluator.report.words import say

MARKS = {True: "✓", False: "✗", None: "?"}


def explanation_text(pack: Pack, document: Document) -> str:
    """Return an explanation as text: the result, the score, the records, the rank, the verdicts."""
    lines = head_lines(pack, document)
    if document.lines:
        lines += ["", say(pack, "score"), "", score_table(pack, document.lines)]
        effects = [f"  {effect}" for line in document.lines for effect in line.effects]
        lines += ["", *effects] if effects else []
        for line in document.lines:
            if line.records:
                lines += ["", f"{say(pack, 'records')}: {line.label}", "", records_table(pack, line)]
    if document.amendments:
        lines += ["", say(pack, "appeals"), ""]
        lines += [f"  {line}" for line in amendment_lines(pack, document)]
    if document.earlier:
        lines += ["", say(pack, "earlier years")]
        for one in document.earlier:
            lines += ["", f"  {one.what}", *(f"    {year}" for year in one.years)]
    if document.ranks:
        lines += ["", say(pack, "ranks"), ""]
        lines += [f"  {line}" for ranked in document.ranks for line in rank_lines(pack, ranked)]
    if document.verdicts:
        lines += ["", say(pack, "verdicts")]
        for verdict in document.verdicts:
            lines += ["", *verdict_lines(pack, verdict, document.year)]
    if document.ways is not None and document.ways.found:
        lines += ["", say(pack, "ways"), "", *(f"  {line}" for line in way_lines(pack, document.ways))]
    if document.clauses:
        lines += ["", say(pack, "clause"), ""]
        lines += [f"  {clause.name}: 「{clause.text}」 ({clause.source})" for clause in document.clauses]
    if document.rejects:
        lines += ["", say(pack, "rejects", document.rejects)]
    return "\n".join(lines)


def head_lines(pack: Pack, document: Document) -> list[str]:
    """Return the result: who, the total, the verdicts."""
    lines = [f"{document.kind_label} {called(document)} · {document.year}"]
    if not document.assessed:
        lines.append(f"{say(pack, 'not assessed')}: {document.set_apart}")
    elif document.set_apart:
        lines.append(f"{say(pack, 'not ranked')}: {document.set_apart}")
    if document.total:
        lines.append(f"{document.total_label} {document.total}")
    if document.results:
        lines.append(" · ".join(f"{one.label} {one.value}" for one in document.results))
    return lines


def score_headings(pack: Pack) -> list[str]:
    """Return the headings of the table of lines."""
    words = [say(pack, word) for word in ("item", "reckoning", "cap", "adjusted", "points", "rule")]
    return [*words[:2], "=", *words[2:]]


def score_table(pack: Pack, listed: Sequence[Line]) -> str:
    """Return the lines of the score as a table."""
    rows = [
        [
            "  " * line.depth + line.label,
            line.reckoning,
            line.before_bounds,
            line.bounds,
            line.cut,
            line.points,
            line.place + (f" [{line.clause}]" if line.clause else ""),
        ]
        for line in listed
    ]
    return as_table(score_headings(pack), rows, [False, False, True, False, True, True, False])


def records_table(pack: Pack, line: Line) -> str:
    """Return the records of a line as a table."""
    rows = [[one.record, one.date, one.place, one.points, one.counts, one.remark] for one in line.records]
    headings = [say(pack, word) for word in ("record", "date", "place", "points", "award")] + [""]
    return as_table(headings, rows, [False, False, False, True, True, False])


def amendment_lines(pack: Pack, document: Document) -> list[str]:
    """Say what appeals changed, case by case."""
    lines = []
    for one in document.amendments:
        changes = f" ({'; '.join(one.changes)})" if one.changes else ""
        lines.append(f"{one.case} {one.subject}: {one.what}{changes}  {one.place}")
        if one.decided:
            lines.append(f"  {one.decided}")
    return lines


def rank_lines(pack: Pack, ranked: Ranked) -> list[str]:
    """Say which rank a subject has, who is next to it, and by what they are told apart."""
    place = say(pack, "unranked") if ranked.rank is None else say(pack, "ranked", ranked.rank, ranked.count)
    lines = [f"{ranked.title}{f' ({ranked.group})' if ranked.group else ''}: {place}"]
    for mark, one in (("↑", ranked.above), ("↓", ranked.below)):
        if one is not None:
            lines.append(f"  {mark} {one.rank}. {one.name}: {told_apart(pack, one)}")
    return lines


def told_apart(pack: Pack, one: Next) -> str:
    """Say by what the one above or below differs, and by how much."""
    if not one.by:
        return say(pack, "tie")
    difference = f" ({say(pack, 'difference', one.difference)})" if one.difference else ""
    return f"{one.by} {say(pack, 'against', one.theirs, one.own)}{difference}"


def verdict_lines(pack: Pack, verdict: Concluded, year: int) -> list[str]:
    """Say what a verdict is and why."""
    lines = [f"  {verdict.label} = {verdict.value}" + (f"    ({verdict.situation})" if verdict.situation else "")]
    for rule in verdict.rules:
        is_met = rule.decided if rule.condition is None else rule.condition.is_met
        mark = MARKS[is_met] if rule.in_force else "–"
        what = say(pack, "otherwise") if rule.condition is None else condition_text(rule.condition)
        if not rule.in_force:
            what = say(pack, "not in force", year)
        clause = f" [{rule.clause}]" if rule.clause else ""
        lines.append(f"    {mark} {rule.number}. {rule.value} ← {what}  {rule.place}{clause}")
        lines += [f"         {say(pack, 'note')}: {rule.note}"] if rule.note else []
        lines += [f"         {rule.proposal}"] if rule.proposal else []
    if verdict.condition is not None:
        mark = {True: "✓ ", False: "✗ ", None: ""}[verdict.condition.is_met]
        clause = f" [{verdict.clause}]" if verdict.clause else ""
        lines.append(f"    {mark}{condition_text(verdict.condition)}  {verdict.place}{clause}")
    lines += [f"    {line}" for line in (*verdict.quota, verdict.override, *verdict.years) if line]
    lines += [f"    {say(pack, 'chain')}: {verdict.chain}"] if verdict.chain else []
    lines += [f"    {say(pack, 'note')}: {verdict.note}"] if verdict.note else []
    lines += [f"    {verdict.proposal}"] if verdict.proposal else []
    return lines


def condition_text(condition: Checked) -> str:
    """Return a condition with the values of its names, and its margin."""
    values = ", ".join(f"{one.name} = {one.value}" for one in condition.values)
    margin = f" — {condition.margin}" if condition.margin else ""
    return condition.text + (f"  ({values})" if values else "") + margin
