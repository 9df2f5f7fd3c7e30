"""An explanation as Markdown, to be put into a letter or a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evaluator.pack.definitions import Pack
from evaluator.report.explaining.document import Document
from evaluator.report.explaining.text import (
    amendment_lines,
    head_lines,
    rank_lines,
    score_headings,
    verdict_lines,
)
from evaluator.report.explaining.ways import way_lines
from evaluator.report.words import say


def explanation_markdown(pack: Pack, document: Document) -> str:
    """Return an explanation as Markdown."""
    title, *result = head_lines(pack, document)
    parts = [f"# {markdown_text(title)}", "\n".join(f"**{markdown_text(line)}**  " for line in result)]
    if document.lines:
        rows = [
            ["　" * line.depth + line.label, line.reckoning, line.before_bounds, line.bounds, line.cut, line.points,
             line.place + (f" [{line.clause}]" if line.clause else "")]
            for line in document.lines
        ]  # fmt: skip
        parts += [f"## {say(pack, 'score')}", markdown_table(score_headings(pack), rows, (2, 4, 5))]
        parts += [markdown_list(effect for line in document.lines for effect in line.effects)]
        for line in document.lines:
            if line.records:
                headings = [say(pack, word) for word in ("record", "date", "place", "points", "award")] + [""]
                cells = [[one.record, one.date, one.place, one.points, one.counts, one.remark] for one in line.records]
                parts += [
                    f"### {say(pack, 'records')}: {markdown_text(line.label)}",
                    markdown_table(headings, cells, (3, 4)),
                ]
    if document.amendments:
        parts += [f"## {say(pack, 'appeals')}", markdown_list(amendment_lines(pack, document))]
    for one in document.earlier:
        parts += [f"## {say(pack, 'earlier years')}: {markdown_text(one.what)}", markdown_list(one.years)]
    if document.ranks:
        parts += [f"## {say(pack, 'ranks')}"]
        parts += [markdown_list(line.strip() for ranked in document.ranks for line in rank_lines(pack, ranked))]
    if document.verdicts:
        parts += [f"## {say(pack, 'verdicts')}"]
        for verdict in document.verdicts:
            situation = f" ({verdict.situation})" if verdict.situation else ""
            parts += [f"### {markdown_text(verdict.label)} = {markdown_text(verdict.value)}{situation}"]
            parts += [markdown_list(verdict_lines(pack, verdict, document.year)[1:])]
    if document.ways is not None and document.ways.found:
        parts += [f"## {say(pack, 'ways')}", markdown_list(way_lines(pack, document.ways))]
    if document.clauses:
        parts += [f"## {say(pack, 'clause')}"]
        parts += [
            "\n".join(
                f"> {c.name}: 「{markdown_text(c.text)}」 ({markdown_text(c.source)})\n>" for c in document.clauses
            )
        ]
    if document.rejects:
        parts.append(say(pack, "rejects", document.rejects))
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_text(words: str) -> str:
    """Keep Markdown from reading signs of ours as its own."""
    for sign in "\\`*_[]<>|#":
        words = words.replace(sign, "\\" + sign)
    return words.replace("\n", " ")


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> str:
    """Return a table; the columns whose numbers are in `right` stand to the right."""
    lines = ["| " + " | ".join(map(markdown_text, headings)) + " |"]
    lines.append("|" + "|".join(" ---: " if n in right else " --- " for n in range(len(headings))) + "|")
    lines += ["| " + " | ".join(map(markdown_text, row)) + " |" for row in rows]
    return "\n".join(lines)


def markdown_list(lines: Iterable[str]) -> str:
    """Return lines as a list."""
    return "\n".join(f"- {markdown_text(line.strip())}" for line in lines)
