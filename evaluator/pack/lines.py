"""The lines of one YAML file: decoded, found legible, and kept as written and as mended for the parser."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from evaluator.diagnostics import Problems, Span

_BREAK = re.compile("\r\n|\r|\n")
# beside control characters, those that are a line break to YAML alone, and a byte order mark inside the file
_ILLEGIBLE = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_WIDE_INDENT = re.compile("[ \t]*\t|[\u3000\xa0]+")


class Lines:
    """The lines of one file, and what is wrong with them; lines and columns count from 0."""

    def __init__(self, shown: str, text: str, problems: Problems, loader: Any) -> None:
        self.shown, self.problems, self.loader = shown, problems, loader
        self.written = _BREAK.split(text)
        self._parsed = list(self.written)
        self._mended: set[int] = set()

    def events(self, line: int = -1, instead: str = "") -> Iterator[Any]:
        """Yield the parser's events, with another text on one of the lines; raises the parser's errors."""
        parsed = [instead if i == line else text for i, text in enumerate(self._parsed)]
        events: Any = yaml.parse("\n".join(parsed), Loader=self.loader)
        yield from events

    def parsed(self, line: int) -> str:
        """Return a line as parsed; the parser may speak of one after the last."""
        return self._parsed[line] if line < len(self._parsed) else ""

    def mend(self, line: int, text: str) -> None:
        """Let the parser read another text on a line, of which no more will be noted."""
        self._parsed[line] = text
        self._mended.add(line)

    def is_mended(self, line: int) -> bool:
        """Whether a line was in error, so that what else is found on it may come of that."""
        return line in self._mended

    def span(self, line: int, column: int, length: int = 1) -> Span:
        """Return the place, or the end of the last line with anything on it where the place is beyond it."""
        lines = self.written
        if line >= len(lines) or (line == len(lines) - 1 and not lines[line]):
            line = max((i for i, text in enumerate(lines) if text.strip()), default=0)
            column, length = len(lines[line].rstrip()), 1
        text = lines[line]
        return Span(self.shown, line + 1, column + 1, max(min(length, len(text) - column), 1), text)

    def between(self, start: Any, end: Any) -> Span:
        """Return the part of the first line between two of the parser's marks."""
        last = end.column if start.line == end.line else len(self.parsed(start.line).rstrip())
        return self.span(start.line, start.column, last - start.column)

    def note(
        self,
        code: str,
        message: str,
        at: Span,
        fix: str | None = None,
        also: Iterable[tuple[Span, str]] = (),
    ) -> None:
        """Note a problem, unless it comes of a line that is in error anyway."""
        if not self.is_mended(at.line - 1):
            self.problems.add(code, message, at, fix, also)

    def is_noted(self, line: int) -> bool:
        """Whether something is known to be wrong on a line."""
        return any(isinstance(known.at, Span) and known.at.line == line + 1 for known in self.problems)

    def are_legible(self) -> bool:
        """Note tabs and invisible characters; return whether the indentation can be told."""
        is_indented = True
        for number, line in enumerate(self.written):
            if wide := _WIDE_INDENT.match(line):
                is_indented = False
                if "\t" in wide[0]:
                    self.note("P109", "a tab in the indentation", self.span(number, wide[0].index("\t")))
                else:
                    message = f"the line begins with U+{ord(line[0]):04X}, which is no plain space"
                    self.note("P103", message, self.span(number, 0, wide.end()), "indent with plain spaces")
            elif odd := _ILLEGIBLE.search(line):
                at = self.span(number, odd.start())
                if odd[0] == "\t":
                    fix = r'write a space, or "\t" in double quotes where a tab is meant'
                    self.note("P109", "a tab", at, fix)
                else:
                    self.note("P103", f"the invisible character U+{ord(odd[0]):04X}", at, "remove it")
                self.mend(number, _ILLEGIBLE.sub(" ", line))
        return is_indented


def decoded(path: Path, shown: str, problems: Problems) -> str | None:
    """Return the text of a UTF-8 file without its mark, or None after noting why it cannot be read."""
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as wrong:
        reason = (wrong.strerror if isinstance(wrong, OSError) else None) or str(wrong)
        problems.add("P101", f"{shown} cannot be read: {reason}", Span(shown, 1, 1))
        return None
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as wrong:
        before = _BREAK.split(data[: wrong.start].decode("utf-8").removeprefix("\ufeff"))
        rest = _BREAK.split(data[wrong.start :].decode("utf-8", "replace"))[0]
        line = _ILLEGIBLE.sub("\ufffd", before[-1] + rest)
        at = Span(shown, len(before), len(before[-1]) + 1, 1, line)
        problems.add("P102", f"the byte 0x{data[wrong.start]:02x} is not UTF-8", at, _encoding_advice(data))
        return None


def _encoding_advice(data: bytes) -> str | None:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "save the file as UTF-8; it is UTF-16 now"
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        return None
    return "save the file as UTF-8; it seems to be GB 18030 (GBK) now"
