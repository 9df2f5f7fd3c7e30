"""What checking some packs found, as `evaluator check --format json` prints it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from evaluator.diagnostics import CODES, Cell, Diagnostic, Span


class Part(BaseModel):
    """A part of what was found."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(Part):
    """Where something stands: in a text file, or in a sheet."""

    file: str
    line: int | None = Field(None, description="from 1; of a sheet, the row")
    column: int | None = Field(None, description="the first character, from 1")
    end_column: int | None = Field(None, description="the character after the last")
    sheet: str = Field("", description="the sheet of a workbook")
    heading: str = Field("", description="the heading of its column")


class Also(Part):
    """Another place that has to do with it."""

    at: Place
    what: str


class Problem(Part):
    """One problem: what is wrong, why it matters, how to mend it."""

    code: str
    severity: Literal["error", "warning"]
    title: str
    message: str
    at: Place | None
    text: str = Field(description="the line it stands on")
    why: str
    fix: str
    page: str = Field(description="the page about the code")
    also: list[Also]


class CheckedPack(Part):
    """A folder that was checked."""

    folder: str
    pack: str = Field(description="its name; empty where it cannot be read")
    errors: int
    warnings: int
    problems: list[Problem] = Field(description="in the order of its files")


class CheckedPacks(Part):
    """What checking came to."""

    packs: list[CheckedPack]
    errors: int
    warnings: int


def problem_of(found: Diagnostic) -> Problem:
    """Return a diagnostic as it is printed in JSON."""
    about = CODES[found.code]
    return Problem(
        code=found.code,
        severity=found.severity,
        title=about.title,
        message=found.message,
        at=place_of(found.at) if found.at is not None else None,
        text=found.at.text if isinstance(found.at, Span) else "",
        why=about.why,
        fix=found.fix or about.fix,
        page=page_of(found.code),
        also=[Also(at=place_of(other), what=what) for other, what in found.also],
    )


def place_of(at: Span | Cell) -> Place:
    """Return a place as it is printed in JSON."""
    if isinstance(at, Span):
        return Place(file=at.file, line=at.line, column=at.column, end_column=at.column + at.length)
    return Place(file=at.file, line=at.row or None, sheet=at.sheet, heading=at.column)


def page_of(code: str) -> str:
    """Return where the page about a code lies, from the folder of the project."""
    return f"docs/diagnostics/{code}.md"
