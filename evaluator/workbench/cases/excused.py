"""What a pack's author says no case can cover: comments in its files, each with its reason.

- {is: gold, when: points > 100}  # evaluator: uncovered because the cap is 100
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from evaluator.diagnostics import Problems, Span
from evaluator.pack.definitions import Pack

_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*evaluator:\s*uncovered\b[ \t]*(?P<because>because\b)?[ \t]*(?P<reason>.*)$")


class Excused:
    """The comments of a pack that say what no case can cover; each is about its own line, or the next one."""

    def __init__(self, pack: Pack, problems: Problems) -> None:
        self.comments: dict[tuple[str, int], Span] = {}  # file and line -> the comment
        self.used: set[Span] = set()
        for name, content in pack.files.items():
            file = (pack.folder / name).as_posix()
            lines = content.decode("utf-8").removeprefix("\ufeff").splitlines()
            for number, line in enumerate(lines, 1):
                if (found := _COMMENT.search(line)) is None:
                    continue
                at = Span(file, number, found.start() + 1, len(found[0]), line)
                if not found["because"] or not found["reason"].strip():
                    problems.add("P601", "the comment does not say why no case can cover this", at)
                self.comments[file, self._about(lines, number)] = at

    @staticmethod
    def _about(lines: list[str], number: int) -> int:
        """Return the line a comment is about: its own, or where nothing else stands there the next that is none."""
        while number <= len(lines) and re.match(r"\s*#", lines[number - 1]):
            number += 1
        return number

    def excuses(self, places: Iterable[Span]) -> bool:
        """Whether a comment is about one of these places."""
        found = [self.comments[at.file, at.line] for at in places if (at.file, at.line) in self.comments]
        self.used.update(found)
        return bool(found)

    def note_unused(self, problems: Problems) -> None:
        """Note comments about what cases cover anyway."""
        for at in self.comments.values():
            if at not in self.used:
                problems.add("P602", "cases cover all that stands here", at)
