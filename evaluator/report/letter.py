"""The decision on an appeal as a letter: one text, set as a page of HTML and as a document for Word."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evaluator.diagnostics import Problems, Stop
from evaluator.pack.definitions import Pack
from evaluator.report.appeal import Looked
from evaluator.report.explaining.document import called
from evaluator.report.explaining.text import verdict_lines
from evaluator.report.words import say

FONT = "Noto Serif CJK SC"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a letter; the columns from the second on stand to the right where `is_right`."""

    headings: list[str]
    rows: list[list[str]]
    is_right: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its heading, its paragraphs, its table."""

    heading: str
    paragraphs: list[str]
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter: whom it is to, what it is about, its sections, who signs when."""

    title: str
    about: str
    to: str
    opening: list[str]
    sections: list[Section]
    signed: list[str]
    language: str


def letter_of(pack: Pack, looked: Looked) -> Letter:
    """Write the decision on a case."""
    after = looked.after
    opening = [say(pack, "letter opening", after.title, after.year, looked.filed_on, looked.case)]
    if looked.last_day:
        opening.append(say(pack, "letter in time", looked.last_day))
    decided = [say(pack, f"letter {looked.status}", looked.reviewer, looked.decided_on)]
    if looked.reason:
        decided.append(f"{say(pack, 'reason')}: {looked.reason}")
    claims = [[str(one.number), one.what, one.evidence, _said(pack, one.accepted), one.reason] for one in looked.claims]
    sections = [
        Section(
            say(pack, "claims"), [],
            Table(["", *(say(pack, word) for word in ("claim", "evidence", "decision", "reason"))], claims),
        ),
        Section(say(pack, "decision"), decided),
    ]  # fmt: skip
    if looked.moved:
        moved = [["　" * one.depth + one.label, one.before, one.after] for one in looked.moved]
        headings = [say(pack, word) for word in ("item", "before", "after")]
        sections.append(Section(say(pack, "what changed"), [], Table(headings, moved, is_right=True)))
    else:
        sections.append(Section(say(pack, "what changed"), [say(pack, "nothing changed")]))
    result = " · ".join([f"{after.total_label} {after.total}"] * bool(after.total) + [
        f"{one.label} {one.value}" for one in after.results
    ])  # fmt: skip
    score = [["　" * line.depth + line.label, line.reckoning, line.bounds, line.points] for line in after.lines]
    headings = [say(pack, word) for word in ("item", "reckoning", "cap", "points")]
    sections.append(Section(say(pack, "result"), [result], Table(headings, score) if score else None))
    why = [line.strip() for verdict in after.verdicts for line in verdict_lines(pack, verdict, after.year)]
    sections.append(Section(say(pack, "verdicts"), why))
    if after.clauses:
        quoted = [f"「{clause.text}」 ({clause.source})" for clause in after.clauses]
        sections.append(Section(say(pack, "clause"), quoted))
    return Letter(
        title=say(pack, "letter title", looked.case),
        about=f"{after.title} · {after.year}",
        to=f"{after.kind_label} {called(after)}",
        opening=opening,
        sections=sections,
        signed=[looked.reviewer, looked.decided_on],
        language=after.language,
    )


def _said(pack: Pack, accepted: bool | None) -> str:
    return "" if accepted is None else say(pack, "claim accepted" if accepted else "claim refused")


def write_letter(letter: Letter, folder: Path, name: str) -> list[Path]:
    """Write the letter as name.html and name.docx into a folder; return where they are."""
    from evaluator.report.pages import page

    problems = Problems()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        html, docx = folder / f"{name}.html", folder / f"{name}.docx"
        content = page("letter.html", letter=letter, language=letter.language)
        _write_docx(letter, docx)
        html.write_text(content, encoding="utf-8")
    except ImportError:
        problems.add("R208", "python-docx is not here", fix="pip install 'evaluator[letters]'")
        raise Stop(problems) from None
    except OSError as wrong:
        problems.add("R109", f"{folder} cannot be written: {wrong.strerror}", fix="name another --out")
        raise Stop(problems) from None
    return [html, docx]


def _write_docx(letter: Letter, file: Path) -> None:
    import docx
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml.ns import qn
    from docx.shared import Cm, Pt

    document = docx.Document()
    page_ = document.sections[0]
    page_.page_width, page_.page_height = Cm(21), Cm(29.7)
    for side in ("left_margin", "right_margin", "top_margin", "bottom_margin"):
        setattr(page_, side, Cm(2.5))
    for name in ("Normal", "Title", "Heading 1"):
        style = document.styles[name]
        style.font.name = FONT
        style.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), FONT)
    document.styles["Normal"].font.size = Pt(11)
    document.core_properties.title, document.core_properties.author = letter.title, letter.signed[0]
    document.add_heading(letter.title, 0)
    document.add_paragraph(letter.about)
    document.add_paragraph(f"{letter.to}:")
    for words in letter.opening:
        document.add_paragraph(words)
    for section in letter.sections:
        document.add_heading(section.heading, 1)
        for words in section.paragraphs:
            document.add_paragraph(words)
        if section.table is not None:
            made = document.add_table(rows=1, cols=len(section.table.headings))
            made.style = "Table Grid"
            rows = [made.rows[0].cells, *(made.add_row().cells for _ in section.table.rows)]
            for cells, words_of in zip(rows, [section.table.headings, *section.table.rows], strict=True):
                for n, (cell, words) in enumerate(zip(cells, words_of, strict=True)):
                    cell.text = words
                    if n and section.table.is_right:
                        cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.RIGHT
    for words in letter.signed:
        document.add_paragraph(words).alignment = WD_ALIGN_PARAGRAPH.RIGHT
    document.save(str(file))
