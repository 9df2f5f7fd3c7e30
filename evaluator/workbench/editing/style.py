"""The one style of pack files: only spaces, line ends and indentation are written anew.

- a level is indented by two spaces more than the one it stands in, a list under its key too
- one space after ":", "-" and ","; none inside brackets and braces; two before a comment that ends a line
- the values of neighbouring lines, and their comments, stand in one column where most of them did
- at most one empty line, no blanks at the end of a line, one line end at the end of the file
- lines inside brackets and braces keep their place beside what opened them
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from wcwidth import wcswidth

from evaluator.workbench.editing.layout import CLOSE, OPEN, STEP, Atom, Entry, Layout, Level, read_layout


def styled(text: str) -> str:
    """Return the text of a pack file in the one style; the text must be legible YAML.

    >>> print(styled("score:\\n    items:\\n    -   {id: a,points:1+1 }   # one"), end="")
    score:
      items:
        - {id: a, points:1+1}  # one
    """
    whole = re.sub("\r\n|\r", "\n", text)
    is_ended = whole.endswith("\n")
    layout = read_layout(whole if is_ended else f"{whole}\n")
    made = "\n".join(_each_gap_once(_with_comments(list(_Setter(layout).lines()))))
    atoms = layout.atoms
    # in text after | or >, a line end at the end of the file would be part of it
    ends_open = not is_ended and atoms and atoms[-1].role == "block" and "-" not in atoms[-1].lines[0]
    return made + ("" if ends_open else "\n")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line, whether it begins inside a scalar, and the comment that ends it with the column that had."""

    text: str
    is_held: bool = False
    comment: str = ""
    column: int = 0


def _with_comments(lines: Sequence[_Line]) -> Iterator[_Line]:
    """Give lines with the comments that end them."""
    run: list[_Line] = []
    for line in [*lines, _Line("")]:
        if line.comment:
            run.append(line)
            continue
        widths = [_width(one.text) for one in run]
        shared = _shared_column([one.column for one in run], [width + 2 for width in widths])
        for one, width in zip(run, widths, strict=True):
            gap = " " * ((shared or width + 2) - width)
            yield _Line(f"{one.text}{gap}{one.comment}", one.is_held)
        run = []
        yield line


def _shared_column(columns: Sequence[int], least: Sequence[int]) -> int | None:
    """Return the column for what neighbouring lines had in one on purpose, or None.

    That is where some had more space than the least it takes, and all stood in one column; or most did, two of them
    with more space.
    """
    if len(columns) < 2:
        return None
    common, how_many = Counter(columns).most_common(1)[0]
    padded = sum(column > needed for column, needed in zip(columns, least, strict=True) if column == common)
    is_shared = how_many == len(columns) if padded < 2 else how_many * 2 > len(columns)
    return max(least) if padded and is_shared else None


def _each_gap_once(lines: Iterable[_Line]) -> Iterator[str]:
    """Give lines with at most one empty one between two, and none at the ends; those inside a scalar stay."""
    has_gap, is_first = False, True
    for line in lines:
        if not line.text and not line.is_held:
            has_gap = True
            continue
        if has_gap and not is_first:
            yield ""
        yield line.text
        has_gap = is_first = False


class _Setter:
    """Sets the lines of one file."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.columns = _shared_columns(layout)
        self.first: dict[int, list[Atom]] = {}  # what begins on a line
        self.goes_on: dict[int, Atom] = {}  # what goes on over the beginning of a line
        for atom in layout.atoms:
            self.first.setdefault(atom.start[0], []).append(atom)
            self.goes_on |= dict.fromkeys(range(atom.start[0] + 1, atom.end[0] + 1), atom)

    def lines(self) -> Iterator[_Line]:
        """Give every line."""
        levels: tuple[Level, ...] = ()
        for number in range(len(self.layout.lines)):
            if number in self.first or number in self.goes_on:
                yield self._line(number)
                levels = self.layout.levels_after.get(number, levels)
            else:
                yield _Line(self._comment(number, levels))

    def _line(self, number: int) -> _Line:
        written, own, before = self.layout.lines[number], self.first.get(number, []), self.goes_on.get(number)
        made = _continued(before, number) if before is not None else " " * _indent(own[0])
        if before is not None and (before.role == "block" or before.end[0] > number):
            return _Line(made, is_held=True)
        is_held = before is not None
        end = before.end[1] if before is not None else 0
        for atom in own:
            if before is not None:
                made += self._gap(before, atom)
            atom.column = len(made)
            made += _first_line(atom)
            before, end = atom, atom.start[1] + len(atom.lines[0])
        comment = written[end:].strip()
        return _Line(made, is_held, comment, _width(written[: written.rindex(comment)]) if comment else 0)

    def _gap(self, before: Atom, atom: Atom) -> str:
        if before.role in OPEN or atom.role in (*CLOSE, ":", ","):
            return ""
        return " " * self.columns.get(id(atom), 1)

    def _comment(self, number: int, levels: Sequence[Level]) -> str:
        """Return a line that holds at most a comment, which goes with the level it was indented like."""
        written = self.layout.lines[number]
        comment = written.strip()
        if not comment:
            return ""
        column = len(written) - len(written.lstrip())
        coming = next((self.first[below][0] for below in range(number + 1, len(self.layout.lines))
                       if below in self.first), None)  # fmt: skip
        known = [(level.before, level.after) for level in levels]
        if coming is not None:
            place = (coming.start[1], _indent(coming))
            if coming.bracket is not None:
                return " " * max(column + place[1] - place[0], 0) + comment
            if column == place[0]:
                return " " * place[1] + comment
            known.append(place)
        fitting = [place for place in known if place[0] <= column]
        return " " * (max(fitting)[1] if fitting else 0) + comment


def _indent(atom: Atom) -> int:
    """Return the column of what begins a line."""
    if atom.bracket is not None:
        return _inside(atom.bracket, atom.start[1])
    if atom.level is None:
        return 0
    return atom.level.after + (STEP if atom.role in ("value", "block", *OPEN) else 0)


def _inside(bracket: Atom, column: int) -> int:
    """Return the column of what begins a line inside brackets: beside what opened them, or below their level."""
    if column >= bracket.start[1]:
        return column + bracket.shift
    level = bracket.level
    return max(column + (level.after - level.before if level is not None else 0), 0)


def _first_line(atom: Atom) -> str:
    text = atom.lines[0]
    return text.rstrip() if len(atom.lines) > 1 and not text.startswith('"') else text


def _continued(atom: Atom, number: int) -> str:
    """Return the part of a scalar that stands on one of its further lines."""
    text = atom.lines[number - atom.start[0]]
    above = atom.level.after if atom.level is not None else 0
    if atom.role == "block":
        step = int(found[0]) if (found := re.search(r"\d", atom.lines[0])) else 0
        before = atom.level.before + step if step and atom.level is not None else _indent_of_text(atom.lines[1:])
        held = text[before:]
        return " " * (above + (step or STEP)) + held if held else ""
    held = text.lstrip()
    if not held:
        return ""
    if number < atom.end[0] and not atom.lines[0].startswith('"'):
        held = held.rstrip()
    column = _inside(atom.bracket, len(text) - len(text.lstrip())) if atom.bracket is not None else above + STEP
    return " " * column + held


def _indent_of_text(lines: Sequence[str]) -> int:
    return next((len(line) - len(line.lstrip(" ")) for line in lines if line.strip(" ")), 0)


# --- values in one column ---------------------------------------------------------------------------------


def _shared_columns(layout: Layout) -> dict[int, int]:
    """Return how many spaces stand before a value that shares its column with its neighbours, by its identity."""
    found: dict[int, int] = {}
    for run in _runs(layout.entries()):
        widths = [_width(entry.key.lines[0]) for entry in run]
        columns = [_width(layout.lines[e.line][e.key.start[1] : e.value.start[1]]) for e in run]
        shared = _shared_column(columns, [width + 2 for width in widths])
        if shared is not None:
            found |= {id(e.value): shared - width - 1 for e, width in zip(run, widths, strict=True)}
    return found


def _runs(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Give the entries of one mapping that stand on consecutive lines."""
    runs: dict[int, list[Entry]] = {}
    for entry in entries:
        run = runs.setdefault(id(entry.level), [])
        if run and run[-1].line + 1 != entry.line:
            yield run
            run = runs[id(entry.level)] = []
        run.append(entry)
    yield from runs.values()


def _width(text: str) -> int:
    """Return how wide a text is on a terminal."""
    return max(wcswidth(text), 0)
