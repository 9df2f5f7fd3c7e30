"""What `evaluator explain` prints: an explanation, why a verdict is not another one, or two subjects side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evaluator.pack.definitions import Pack
from evaluator.report.explaining.explain import explain
from evaluator.report.words import say

if TYPE_CHECKING:
    from evaluator.report.explaining.against import Against, Row
    from evaluator.report.explaining.why_not import WhyNot


def answer(
    folder: Path,
    subject: str,
    form: str,
    language: str | None = None,
    not_this: str | None = None,
    other: str | None = None,
    asks_ways: bool = False,
) -> str:
    """Answer as text, json, md or html: why not `not_this`, how `other` differs, or else the whole explanation.

    With `asks_ways` the explanation, or why not, says what it would take.
    """
    if not_this is not None:
        from evaluator.report.explaining.why_not import why_not

        return _why_not(*why_not(folder, subject, not_this, language, asks_ways), form)
    if other is not None:
        from evaluator.report.explaining.against import against

        return _against(*against(folder, subject, other, language), form)
    return explain(folder, subject, language, asks_ways).shown_as(form)


def _why_not(pack: Pack, found: WhyNot, form: str) -> str:
    lines = found.lines(pack)
    match form:
        case "json":
            return found.model_dump_json(indent=1)
        case "md":
            from evaluator.report.explaining.markdown import markdown_list, markdown_text

            return f"# {markdown_text(lines[0])}\n\n{markdown_text(lines[1])}\n\n{markdown_list(lines[2:])}\n"
        case "html":
            from evaluator.report.pages import page

            return page("why_not.html", language=pack.shown_in, title=lines[0], asked=lines[1], lines=lines[2:])
    return "\n".join(lines)


def _against(pack: Pack, found: Against, form: str) -> str:
    from evaluator.report.explaining.document import called

    tables: list[tuple[str, list[Row]]] = [
        (say(pack, word), rows)
        for word, rows in (("verdicts", found.verdicts), ("score", found.lines), ("measures", found.measures))
        if rows
    ]
    title = f"{found.first.kind_label} {called(found.first)} ↔ {called(found.second)} · {found.first.year}"
    match form:
        case "json":
            return found.model_dump_json(indent=1)
        case "md":
            from evaluator.report.explaining.markdown import markdown_table, markdown_text

            parts = [f"# {markdown_text(title)}"]
            for heading, rows in tables:
                parts += [f"## {heading}", markdown_table(found.headings(pack), found.cells(rows), (1, 2, 3))]
            return "\n\n".join(parts) + "\n"
        case "html":
            from evaluator.report.pages import page

            return page(
                "against.html", language=pack.shown_in, title=title, headings=found.headings(pack), tables=tables
            )
    return found.text(pack)
