"""Scalars, lists and mappings of a YAML file that know where they stand, to the character."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from evaluator.diagnostics import Span


class Written(NamedTuple):
    """How a scalar stands in its file: style, first and last (line, column), counted from 0."""

    lines: Sequence[str]
    style: str
    start: tuple[int, int]
    end: tuple[int, int]


class Text(str):
    """A scalar as written; `plain` is false where it was quoted or a block."""

    at: Span
    plain: bool
    written: Written | None

    def __new__(  # noqa: D102
        cls, text: str, at: Span, plain: bool = True, written: Written | None = None
    ) -> Text:
        made = super().__new__(cls, text)
        made.at, made.plain, made.written = at, plain, written
        return made

    def __getnewargs__(self) -> tuple[Any, ...]:
        return str(self), self.at, self.plain, self.written

    def span(self, start: int, length: int = 1) -> Span:
        """Return where the characters self[start:start+length] stand; of several lines, the first."""
        at = self.at
        if self.written is None:
            room = len(at.text) - (at.column - 1 + start) if at.text else length
            return at.shifted(start, max(min(length, room), 1))
        places = _places(self, self.written)
        if not places:
            return at
        if start >= len(places):
            line, column, width = places[-1]
            return Span(at.file, line + 1, column + width + 1, 1, self.written.lines[line])
        start = max(start, 0)
        line, column, _ = places[start]
        ends = [begin + width for other, begin, width in places[start : start + length] if other == line]
        width = max(max(ends, default=0) - column, 1)
        return Span(at.file, line + 1, column + 1, width, self.written.lines[line])


class Map(dict[Any, Any]):
    """A mapping; keys are Text."""

    def __init__(self, items: Any, at: Span) -> None:
        super().__init__(items)
        self.at = at


class List(list[Any]):
    """A list."""

    def __init__(self, items: Any, at: Span) -> None:
        super().__init__(items)
        self.at = at


Place = tuple[int, int, int]
"""Line and column, from 0, and how many characters of the file stand for one of the value."""

_PIECES = {
    "": re.compile(r" *\n[ \n]*|."),
    "'": re.compile(r" *\n[ \n]*|''|."),
    '"': re.compile(r"\\?\n[ \n]*| *\n[ \n]*|\\x..|\\u.{4}|\\U.{8}|\\.|."),
}


def _places(value: str, written: Written) -> list[Place]:
    """Return the place of each character of a scalar; empty where that cannot be told."""
    places = _block_places(value, written) if written.style in ("|", ">") else _flow_places(written)
    return places if len(places) == len(value) else []


def _flow_places(written: Written) -> list[Place]:
    """Follow a plain or quoted scalar: escapes, and line breaks that are folded into spaces."""
    (line, column), (last, end) = written.start, written.end
    quote = len(written.style)
    raw = "\n".join([*written.lines[line:last], written.lines[last][: end - quote]])
    column += quote
    places: list[Place] = []
    for match in _PIECES[written.style].finditer(raw, column):
        piece = match[0]
        breaks = piece.count("\n")
        if breaks:
            is_joined = piece.startswith("\\")
            places += [(line, column, 0)] * (1 if breaks == 1 and not is_joined else breaks - 1)
            line, column = line + breaks, len(piece) - piece.rindex("\n") - 1
        else:
            places.append((line, column, len(piece)))
            column += len(piece)
    return places


def _block_places(value: str, written: Written) -> list[Place]:
    """Follow a literal or folded block, at the indentation that gives its value."""
    first = written.start[0] + 1
    body = (line for line in written.lines[first:] if line.strip(" "))
    for indent in range(indent_of(next(body, "")), 0, -1):
        read, places = _read_block(written, first, indent)
        if read.startswith(value):
            return places[: len(value)]
    return []


def _read_block(written: Written, first: int, indent: int) -> tuple[str, list[Place]]:
    read: list[str] = []
    places: list[Place] = []
    breaks: list[Place] = []
    was_indented = True
    for number, line in enumerate(written.lines[first:], first):
        if line[:indent].strip(" "):
            break
        if content := line[indent:]:
            is_indented = content[0] == " "
            if written.style == ">" and not is_indented and not was_indented:
                read.append(" " if len(breaks) == 1 else "\n" * (len(breaks) - 1))
                breaks = breaks if len(breaks) == 1 else breaks[1:]
            else:
                read.append("\n" * len(breaks))
            places += breaks
            read.append(content)
            places += [(number, indent + i, 1) for i in range(len(content))]
            breaks, was_indented = [], is_indented
        breaks.append((number, len(line), 0))
    return "".join(read) + "\n" * len(breaks), places + breaks


def indent_of(line: str) -> int:
    """Return how many spaces a line begins with."""
    return len(line) - len(line.lstrip(" "))
