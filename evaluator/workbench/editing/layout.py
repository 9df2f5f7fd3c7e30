"""The layout of a YAML file: what stands on each line, and at which level.

The scanner's tokens say what there is, and the text between them is nothing but spaces and comments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

STEP = 2
"""By how many spaces a level is indented more than the one it stands in."""
OPEN, CLOSE = ("{", "["), ("}", "]")


@dataclass(slots=True, eq=False)
class Level:
    """A list or mapping in block style: the column it begins at, and the one it is to begin at."""

    before: int
    after: int
    is_list: bool
    is_bare: bool = False
    """A list that is not indented under its key."""


@dataclass(slots=True, eq=False)
class Atom:
    """A sign or a scalar, and where it begins and ends (line and column)."""

    lines: list[str]
    start: tuple[int, int]
    end: tuple[int, int]
    role: str
    """A sign as it is written, "key", "value", "block" for text after | or >, or "mark" for --- and the like."""
    level: Level | None
    bracket: Atom | None = None
    """The one it stands in, or closes."""
    column: int = 0
    """Where it is to begin."""

    @property
    def shift(self) -> int:
        """By how many columns it is moved."""
        return self.column - self.start[1]


@dataclass(slots=True)
class Entry:
    """A key of a mapping in block style, with its value on the same line."""

    line: int
    level: Level
    key: Atom
    value: Atom


@dataclass(slots=True)
class Layout:
    """What stands on the lines of a file."""

    lines: list[str]
    atoms: list[Atom] = field(default_factory=list)
    levels_after: dict[int, tuple[Level, ...]] = field(default_factory=dict)
    """The levels that are open after a line on which something ends."""

    def entries(self) -> list[Entry]:
        """Return the keys whose value stands beside them."""
        found = []
        for key, colon, value in zip(self.atoms, self.atoms[1:], self.atoms[2:], strict=False):
            is_key = key.role == "key" and key.bracket is None and colon.role == ":"
            if is_key and key.level is not None and key.start[0] == colon.start[0] == value.start[0]:
                found.append(Entry(key.start[0], key.level, key, value))
        return found


class _Reader:
    def __init__(self, text: str) -> None:
        self.layout = Layout(text.split("\n"))
        self.levels: list[Level] = []
        self.brackets: list[Atom] = []

    def read(self, text: str) -> Layout:
        is_key = False
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            start, end = (token.start_mark.line, token.start_mark.column), (token.end_mark.line, token.end_mark.column)
            if isinstance(token, yaml.KeyToken | yaml.BlockEndToken):
                self._close_bare(start[1])
            if isinstance(token, yaml.BlockSequenceStartToken | yaml.BlockMappingStartToken):
                self._open(start[1], isinstance(token, yaml.BlockSequenceStartToken))
            elif isinstance(token, yaml.BlockEndToken):
                self.levels.pop()
            elif isinstance(token, yaml.BlockEntryToken) and not self.levels[-1].is_list:
                self._open(start[1], is_list=True, is_bare=True)
            is_key = is_key or isinstance(token, yaml.KeyToken)
            if start != end and not isinstance(token, yaml.BlockEndToken):
                self._put(self._atom(token, start, end, is_key))
                is_key = is_key and isinstance(token, yaml.KeyToken)
        return self.layout

    def _open(self, column: int, is_list: bool, is_bare: bool = False) -> None:
        after = self.levels[-1].after + STEP if self.levels else 0
        self.levels.append(Level(column, after, is_list, is_bare))

    def _close_bare(self, column: int) -> None:
        """Close a list that is not indented, as the mapping it stands in goes on or ends."""
        if not self.brackets and self.levels and self.levels[-1].is_bare and column <= self.levels[-1].before:
            self.levels.pop()

    def _atom(self, token: Any, start: tuple[int, int], end: tuple[int, int], is_key: bool) -> Atom:
        lines, level = self.layout.lines, self.levels[-1] if self.levels else None
        if isinstance(token, yaml.ScalarToken) and token.style in ("|", ">"):
            return _block(lines, start, end, level)
        cut = lines[start[0] : end[0] + 1]
        cut[-1] = cut[-1][: end[1]]
        cut[0] = cut[0][start[1] :]
        is_scalar = isinstance(token, yaml.ScalarToken)
        role = ("key" if is_key else "value") if is_scalar else cut[0] if len(cut[0]) == 1 else "mark"
        return Atom(cut, start, end, role, level)

    def _put(self, atom: Atom) -> None:
        atom.bracket = self.brackets[-1] if self.brackets else None
        if atom.role in CLOSE:
            self.brackets.pop()
        elif atom.role in OPEN:
            self.brackets.append(atom)
        self.layout.atoms.append(atom)
        self.layout.levels_after[atom.end[0]] = tuple(self.levels)


def _block(lines: Sequence[str], start: tuple[int, int], end: tuple[int, int], level: Level | None) -> Atom:
    """Return text after | or >; empty lines at its end belong to it only where they are to be kept."""
    found = re.match(r"[|>][-+0-9]*", lines[start[0]][start[1] :])
    assert found is not None
    held = list(lines[start[0] + 1 : end[0]])
    while held and not held[-1].strip() and "+" not in found[0]:
        held.pop()
    last = start[0] + len(held)
    column = len(held[-1]) if held else start[1] + len(found[0])
    return Atom([found[0], *held], start, (last, column), "block", level)


def read_layout(text: str) -> Layout:
    """Return the layout of a text that is a pack file's, with line feeds for line ends, and one at its end."""
    return _Reader(text).read(text)
