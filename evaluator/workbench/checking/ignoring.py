"""Warnings that the author of a pack has looked at and lets stand, each with the reason written beside it.

In a pack file, at the end of the line of the warning or on a line of its own above it:

    # evaluator: ignore P503 because the source says so and no rule can
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluator.diagnostics import CODES, Diagnostic, Problems, Span, rename_to

_COMMENT = re.compile(r"(?:^|\s)(#\s*evaluator:\s*ignore\b)(.*)$")
_REST = re.compile(r"\s*(?P<codes>[A-Za-z]\d+(?:\s*,\s*[A-Za-z]\d+)*)(?:\s+because\s+(?P<reason>\S.*))?\s*\Z")


@dataclass(frozen=True, slots=True)
class Ignored:
    """A comment that lets some codes stand on one line of a file."""

    codes: tuple[str, ...]
    at: Span
    line: int  # of the warnings it is about


def read_comments(files: Iterable[Path], problems: Problems) -> list[Ignored]:
    """Return the comments of pack files; note those without a code or a reason, and codes that cannot be ignored."""
    found = []
    for path in files:
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError):  # said by whoever reads the pack
            continue
        for number, line in enumerate(lines, 1):
            if (comment := _COMMENT.search(line)) is not None:
                at = Span(path.as_posix(), number, comment.start(1) + 1, len(line.rstrip()) - comment.start(1), line)
                is_above = not line[: comment.start(1)].strip()
                about = _next_line(lines, number) if is_above else number
                found += list(_read(comment[2], at, about, problems))
    return found


def _next_line(lines: list[str], number: int) -> int:
    """Return the next line that is neither empty nor a comment."""
    for later in range(number, len(lines)):
        if lines[later].strip() and not lines[later].lstrip().startswith("#"):
            return later + 1
    return number


def _read(text: str, at: Span, line: int, problems: Problems) -> Iterator[Ignored]:
    read = _REST.match(text)
    if read is None:
        problems.add("P517", "the comment does not say what to ignore, and why", at)
        return
    codes = tuple(code.strip().upper() for code in read["codes"].split(","))
    if read["reason"] is None:
        problems.add("P517", f"{', '.join(codes)}: no reason is given", at)
        return
    for code in codes:
        if code not in CODES:
            problems.add("P517", f"there is no code {code}", at, rename_to(code, CODES))
        elif CODES[code].severity == "error":
            problems.add("P517", f"{code} is an error, and cannot be ignored", at, "mend what it is about")
    yield Ignored(codes, at, line)


def without_ignored(found: Iterable[Diagnostic], comments: list[Ignored], problems: Problems) -> list[Diagnostic]:
    """Return the problems that no comment lets stand; note comments that have nothing to ignore."""
    used: set[tuple[Ignored, str]] = set()
    left = []
    for problem in found:
        at = problem.at
        about = [
            one for one in comments
            if isinstance(at, Span) and (one.at.file, one.line) == (at.file, at.line) and problem.code in one.codes
        ]  # fmt: skip
        if problem.severity == "warning" and about:
            used.update((one, problem.code) for one in about)
        else:
            left.append(problem)
    for one in comments:
        for code in one.codes:
            if (one, code) not in used and code in CODES and CODES[code].severity == "warning":
                problems.add("P518", f"there is no {code} on line {one.line}", one.at)
    return left
