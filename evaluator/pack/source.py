"""Strict YAML: scalars, lists and mappings that know where they stand.

Only PyYAML's parser is used: it says where everything stands and converts nothing. What YAML would read
differently from what the author meant is refused, with the line to write instead; a line in error is mended
for the parser alone, so that the rest of the file is checked as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from evaluator.diagnostics import Problems, Span

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEEPEST = 64
"""How deep lists and mappings may be nested; deeper input could exhaust the stack of those who read it."""
MOST_MENDED = 50
"""How many lines in error are mended to go on; each costs another parse."""

EXPRESSIONS = frozenset({
    "value", "where", "when", "among", "points", "base", "min", "max", "by", "take", "date", "once_per",
    "same", "within", "order_by", "prefer", "via", "count", "sum", "any", "distinct", "rank", "default",
    "judged",
})  # fmt: skip
"""Keys whose values are expressions, so that the traps of YAML are looked for there."""

# ---------------------------------------------------------------------------------------------------------
# what is read
# ---------------------------------------------------------------------------------------------------------


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
        line, column, _ = places[max(start, 0)]
        end = column
        for other, begin, width in places[max(start, 0) : start + length]:
            if other != line:
                break
            end = begin + width
        return Span(at.file, line + 1, column + 1, max(end - column, 1), self.written.lines[line])


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


# ---------------------------------------------------------------------------------------------------------
# where the characters of a scalar stand
# ---------------------------------------------------------------------------------------------------------

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
    for indent in range(_indent(next(body, "")), 0, -1):
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


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


# ---------------------------------------------------------------------------------------------------------
# reading a file
# ---------------------------------------------------------------------------------------------------------

_BREAK = re.compile("\r\n|\r|\n")
# beside control characters, those that are a line break to YAML alone, and a byte order mark inside the file
_ILLEGIBLE = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_WIDE_INDENT = re.compile("[ \t]*\t|[\u3000\xa0]+")
_NULLS = ("", "~", "null", "Null", "NULL")
_UNREADABLE = re.compile("[\x00\ud800-\udfff]")


def read_yaml(path: Path, shown: str, problems: Problems) -> Map | None:
    """Return the mapping a file holds, or None after noting everything that is wrong with it."""
    found = Problems()
    tree = None
    if (text := _decoded(path, shown, found)) is not None:
        tree = _Reader(shown, _BREAK.split(text), found).read()
    problems.extend(found)
    return None if found.has_errors else tree


def _decoded(path: Path, shown: str, problems: Problems) -> str | None:
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


class _TooDeep(Exception):  # noqa: N818 - it never leaves this module
    """Stops the parser."""


@dataclass(slots=True)
class _Frame:
    """A list or mapping not yet complete."""

    at: Span
    line: int
    is_map: bool
    in_flow: bool
    holder: str
    """The key it stands under."""
    holds_expressions: bool
    """Whether what stands in it, were it scalars, would be expressions."""
    items: list[Any] = field(default_factory=list)
    keys: dict[str, Text] = field(default_factory=dict)
    key: Text | None = None
    has_key: bool = False
    cut: tuple[int, int] = (-1, -1)
    """Entries that begin before this line and column are the rest of an expression YAML has cut."""


class _Reader:
    """Reads one file: parses, mends a line in error and parses again."""

    def __init__(self, shown: str, lines: list[str], problems: Problems) -> None:
        self.shown, self.lines, self.problems = shown, lines, problems
        self.parsed = list(lines)
        self.mended: set[int] = set()
        self.stack: list[_Frame] = []

    def read(self) -> Map | None:
        """Return the tree, or None after noting what is wrong."""
        if not self._is_legible():
            return None
        for _ in range(MOST_MENDED):
            try:
                return self._build()
            except _TooDeep:
                return None
            except yaml.MarkedYAMLError as wrong:
                if not self._mend(wrong):
                    return None
            except (yaml.YAMLError, ValueError, OverflowError) as wrong:
                # the parser in Python lets chr() fail on an escape beyond Unicode
                self.problems.add("P103", f"not YAML: {wrong}", Span(self.shown, 1, 1, 1, self.lines[0]))
                return None
        return None

    def _is_legible(self) -> bool:
        """Note tabs and invisible characters; return whether the indentation can be told."""
        is_indented = True
        for number, line in enumerate(self.lines):
            if wide := _WIDE_INDENT.match(line):
                is_indented = False
                if "\t" in wide[0]:
                    self._note("P109", "a tab in the indentation", number, wide[0].index("\t"))
                else:
                    message = f"the line begins with U+{ord(line[0]):04X}, which is no plain space"
                    self._note("P103", message, number, 0, len(wide[0]), fix="indent with plain spaces")
            elif odd := _ILLEGIBLE.search(line):
                if odd[0] == "\t":
                    fix = r'write a space, or "\t" in double quotes where a tab is meant'
                    self._note("P109", "a tab", number, odd.start(), fix=fix)
                else:
                    message = f"the invisible character U+{ord(odd[0]):04X}"
                    self._note("P103", message, number, odd.start(), fix="remove it")
                self.parsed[number] = _ILLEGIBLE.sub(" ", line)
                self.mended.add(number)
        return is_indented

    # --- places -------------------------------------------------------------------------------------------

    def _span(self, line: int, column: int, length: int = 1) -> Span:
        """Return the place, or the end of the last line with anything on it where the place is beyond it."""
        if line >= len(self.lines) or (line == len(self.lines) - 1 and not self.lines[line]):
            line = max((i for i, text in enumerate(self.lines) if text.strip()), default=0)
            column, length = len(self.lines[line].rstrip()), 1
        text = self.lines[line]
        return Span(self.shown, line + 1, column + 1, max(min(length, len(text) - column), 1), text)

    def _between(self, start: Any, end: Any) -> Span:
        """Return the part of the first line between two marks."""
        if start.line == end.line:
            return self._span(start.line, start.column, end.column - start.column)
        return self._span(start.line, start.column, len(self._line(start.line).rstrip()) - start.column)

    def _line(self, number: int) -> str:
        """Return a line as parsed; the parser may speak of one after the last."""
        return self.parsed[number] if number < len(self.parsed) else ""

    def _note(self, code: str, message: str, line: int, column: int, length: int = 1, **more: Any) -> None:
        """Note a problem, unless it comes of a line that is in error anyway."""
        if line not in self.mended:
            self.problems.add(code, message, self._span(line, column, length), **more)

    # --- events to tree -----------------------------------------------------------------------------------

    def _build(self) -> Map | None:
        """Return the tree of the parser's events; raises the parser's errors."""
        self.stack = []
        root: Map | List | Text | None = None
        documents = 0
        for event in _events(self.parsed):
            line, column = event.start_mark.line, event.start_mark.column
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._note("P116", "a second document begins here", line, column, 3)
                    return None
            elif isinstance(event, yaml.CollectionStartEvent):
                self._open(event)
            elif isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
                made = self._scalar(event) if isinstance(event, yaml.NodeEvent) else self._close()
                if self.stack:
                    self._put(made)
                else:
                    root = made
        if isinstance(root, Map) or (documents and root is None):
            return root
        what = "a list" if isinstance(root, List) else "empty" if not documents or root in _NULLS else "text"
        at = root.at if root else self._span(len(self.lines), 0)
        self._note("P115", f"the file is {what}, not a mapping", at.line - 1, at.column - 1, at.length)
        return None

    def _open(self, event: Any) -> None:
        if len(self.stack) >= DEEPEST:
            line, column = event.start_mark.line, event.start_mark.column
            message = f"lists and mappings are nested more than {DEEPEST} deep"
            self._note("P103", message, line, column, fix="write it flatter")
            raise _TooDeep
        self._refuse_properties(event)
        is_map, in_flow = isinstance(event, yaml.MappingStartEvent), bool(event.flow_style)
        holder, at = "", self._between(event.start_mark, event.end_mark)
        if self.stack:
            above = self.stack[-1]
            holder = (above.key or "") if above.is_map else above.holder
        self.stack.append(
            _Frame(at, event.start_mark.line, is_map, in_flow, holder, self._expects_expression())
        )

    def _close(self) -> Map | List:
        frame = self.stack.pop()
        return Map(frame.items, frame.at) if frame.is_map else List(frame.items, frame.at)

    def _expects_expression(self) -> bool:
        """Whether a scalar that comes now is an expression."""
        if not self.stack:
            return False
        frame = self.stack[-1]
        if frame.is_map:
            return frame.key is not None and _is_expression(frame.key, frame.holder)
        return frame.holds_expressions

    def _scalar(self, event: Any) -> Text | None:
        """Return a scalar, or None after refusing it."""
        if self._refuse_properties(event):
            return None
        start, end, style = event.start_mark, event.end_mark, event.style or ""
        written = Written(self.lines, style, (start.line, start.column), (end.line, end.column))
        text = Text(event.value, self._between(start, end), not style, written)
        if style == '"' and (odd := _UNREADABLE.search(text)):
            message = f"an escape for U+{ord(odd[0]):04X}, which is no character"
            self._note("P103", message, start.line, start.column, text.at.length)
            return None
        return text

    def _refuse_properties(self, event: Any) -> bool:
        """Note an anchor, alias or tag; return whether there was one."""
        if event.anchor is None and getattr(event, "tag", None) is None:
            return False
        line, column = event.start_mark.line, event.start_mark.column
        if self._expects_expression() and self._trapped(line, column, self._line(line)):
            return True
        written = re.split(r"[\s,\]}]", self._line(line)[column:], maxsplit=1)[0]
        kinds = {"*": ("P106", "an alias"), "&": ("P106", "an anchor")}
        code, what = kinds.get(written[:1], ("P107", "a tag"))
        self._note(code, f"{written} is {what}", line, column, len(written))
        return True

    def _put(self, made: Any) -> None:
        """Put a key or value into the list or mapping that is open."""
        frame = self.stack[-1]
        if frame.is_map and not frame.has_key:
            frame.key, frame.has_key = self._key(made, frame), True
            return
        key, frame.has_key = frame.key, False
        first = key if frame.is_map else made
        if first is None or made is None or _start(first) < frame.cut:
            frame.key = None
            return
        if isinstance(made, Text):
            made = self._value(made, key, frame)
        frame.key = None
        if made is not None:
            frame.items.append((key, made) if frame.is_map else made)

    def _key(self, made: Any, frame: _Frame) -> Text | None:
        """Return a key, or None after refusing it."""
        if not isinstance(made, Text):
            if made is not None:
                (line, column), message = _start(made), "a key must be a word or text"
                self._note("P103", message, line, column, made.at.length)
            return None
        (line, column), length = _start(made), made.at.length
        if (line, column) < frame.cut:
            return None
        if made.plain and made in _NULLS:
            what = f'"{made}" as a key' if made else "no key before the colon"
            self._note("P108", what, line, column, length, fix="give the key a name")
            return None
        if made.plain and made == "<<":
            self._note("P106", '"<<" merges another mapping', line, column, 2, fix="write the keys out")
            return None
        if frame.holds_expressions and not frame.in_flow and made.plain and _is_open(made):
            if self._trapped(line, column, self._line(line)):
                frame.cut = (len(self.lines), 0)
                return None
        if made in frame.keys:
            also = [(frame.keys[made].at, "written here first")]
            self._note("P105", f'"{made}" is written twice', line, column, length, also=also)
            return None
        frame.keys[made] = made
        return made

    def _value(self, made: Text, key: Text | None, frame: _Frame) -> Text | None:
        """Return a scalar value, or None after refusing it."""
        (line, column), style = _start(made), made.written.style if made.written else ""
        holds_expression = _is_expression(key, frame.holder) if key is not None else frame.holds_expressions
        if (not style and made in _NULLS) or (style in ("|", ">") and not made.strip()):
            if not (style and holds_expression and self._trapped(line, column, self._line(line))):
                self._note_null(made, key, frame)
            return None
        if holds_expression and made.plain and made.written and _is_open(made):
            # the rest of the expression follows on the line the scalar ends on
            last, end = made.written.end
            whole = self._line(line)[:column] + made + self._line(last)[end:]
            if cut := self._trapped(line, column, whole, last, end - column - len(made)):
                frame.cut = cut
                return None
        return made

    def _note_null(self, made: Text, key: Text | None, frame: _Frame) -> None:
        """Note a missing value; in braces it is mostly the rest of a text with a comma."""
        line, column = _start(made)
        if key is None:
            what = f'"{made}" is no value' if made.strip() else "an item without a value"
            self._note("P108", what, line, column if made else max(column - 1, 0), made.at.length)
            return
        what = f'"{key}" has the value {made}, which is none' if made.strip() else f'"{key}" has no value'
        (line, column), fix = _start(key), None
        text = self._line(line)
        if not made and "：" in key:
            fix = f"write\n{text[:column]}{text[column:].replace('：', ': ', 1)}"
        elif not made and frame.in_flow and frame.items and _start(frame.items[-1][1])[0] == line:
            above, before = frame.items[-1]
            begin, end = _start(before)[1], _text_end(text, column)
            if isinstance(before, Text) and before.plain and end and not _is_expression(above, frame.holder):
                mended = text[:begin] + _quoted(text[begin:end]) + text[end:]
                fix = f"if the comma belongs to the text, write\n{mended}"
                frame.cut = (line, end)
        self._note("P108", what, line, column, key.at.length, fix=fix)

    # --- traps --------------------------------------------------------------------------------------------

    def _trapped(
        self, line: int, column: int, text: str, last: int | None = None, shift: int = 0
    ) -> tuple[int, int] | None:
        """Note that YAML misreads the expression at a place; return where that ends, or None if it does not.

        `text` is the line with the whole of the expression. What YAML has cut off stands on line `last`,
        `shift` columns further right.
        """
        opened = sum(frame.in_flow and frame.line < line for frame in self.stack)
        faults = _faults(text, opened, "", self.stack[-1].holder, column)
        here = next(((entry, fault) for entry, fault in faults if entry.start == column), None)
        if here is None:
            return None
        entry, fault = here
        last = line if last is None else last
        advice = _advice(text, fault, faults, last > line)
        place = (last, column + fault.offset + shift) if fault.offset else (line, column)
        self._note(fault.code, fault.message, *place, fault.length, fix=advice)
        return last, entry.end + shift

    def _mend(self, wrong: yaml.MarkedYAMLError) -> bool:
        """Note a syntax error; return whether the line is mended, so that parsing can go on."""
        problem = wrong.problem_mark or wrong.context_mark
        context = wrong.context_mark or problem
        if problem is None or context is None:
            self.problems.add("P103", f"not YAML: {wrong.problem}", self._span(0, 0))
            return False
        above = min(problem.line, len(self.lines)) - 1
        while above > 0 and not self.lines[above].strip():
            above -= 1
        in_flow = "flow" in (wrong.context or "")
        for line in dict.fromkeys((problem.line, context.line, above)):
            if 0 <= line < len(self.lines) and line not in self.mended:
                if self._mend_line(line, int(in_flow and context.line < line), problem):
                    return True
        if {problem.line, context.line} & self.mended or self._is_noted(problem.line):
            return False
        return self._note_syntax(wrong, problem, context)

    def _is_noted(self, line: int) -> bool:
        """Whether something is known to be wrong on a line."""
        return any(isinstance(known.at, Span) and known.at.line == line + 1 for known in self.problems)

    def _mend_line(self, line: int, opened: int, problem: Any) -> bool:
        """Note the traps on a line and mend it for the parser; return whether they are what stopped it."""
        text = self.lines[line]
        faults: list[tuple[_Entry, _Fault]] = []
        if wide := re.match(r"( *(?:- +)*\w+)：(?!.*: )", text):
            mended = f"{wide[1]}: {text[wide.end() :].lstrip()}"
        elif faults := _faults(text, opened, *self._holders(line)):
            mended = _mended(text, [entry for entry, _ in faults])
        else:
            return False
        if not self._gets_beyond(problem, line, mended):
            return False
        if wide:
            self._note(
                "P103", "a full-width colon after the key", line, wide.end() - 1, fix=f"write\n{mended}"
            )
        for entry, fault in faults:
            place = (line, entry.start + fault.offset, fault.length)
            self._note(fault.code, fault.message, *place, fix=_advice(text, fault, faults))
        self.parsed[line] = mended
        self.mended.add(line)
        return True

    def _holders(self, line: int) -> tuple[str, str]:
        """Return the key that what begins on a line stands under; it holds an item, a value or a mapping."""
        indent = _indent(self.lines[line])
        is_item = self.lines[line][indent : indent + 2] == "- "
        for above in reversed(self.lines[:line]):
            if match := re.match(rf"( *(?:- +)*)({_NAME}) *:(?: |$)", above):
                column = len(match[1])
                if column < indent or (is_item and column == indent and "-" not in match[1]):
                    # after a value of its own the line only goes on with that
                    is_bare = re.match(r" *([\[{#]|$)", above[match.end() :])
                    return (match[2], match[2]) if is_bare else ("", "")
        return "", ""

    def _note_syntax(self, wrong: yaml.MarkedYAMLError, problem: Any, context: Any) -> bool:
        """Note a syntax error that is no trap; return whether quoting the text mends it."""
        message, is_about_context = _in_plain_words(wrong, problem, self.lines)
        code = (
            "P114"
            if "a second" in message and _is_open(self._line(problem.line)[: problem.column])
            else "P103"
        )
        at = context if is_about_context else problem
        line = min(at.line, len(self.lines) - 1)
        also = []
        if "flow" in (wrong.context or "") and context.line != at.line:
            also = [(self._span(context.line, context.column), "opened here")]
        text = self.lines[line]
        for entry in _entries(text):
            is_value = text[: entry.start].strip() and text[entry.start] not in "'\""
            if is_value and entry.start <= at.column <= entry.end:
                mended = text[: entry.start] + _quoted(text[entry.start : entry.end]) + text[entry.end :]
                if self._gets_beyond(problem, line, mended):
                    self._note(code, message, at.line, at.column, fix=f"write\n{mended}", also=also)
                    self.parsed[line] = mended
                    self.mended.add(line)
                    return True
        self._note(code, message, at.line, at.column, also=also)
        return False

    def _gets_beyond(self, problem: Any, line: int, mended: str) -> bool:
        """Whether the parser gets beyond a problem once a line is mended."""
        try:
            for event in _events([*self.parsed[:line], mended, *self.parsed[line + 1 :]]):
                if event.start_mark.line > problem.line:
                    return True
        except yaml.MarkedYAMLError as wrong:
            now = wrong.problem_mark
            return now is not None and (now.line, now.column) > (problem.line, problem.column)
        except (yaml.YAMLError, ValueError, OverflowError):
            return False
        return True


def _events(lines: list[str]) -> Iterator[Any]:
    """Yield the parser's events."""
    events: Any = yaml.parse("\n".join(lines), Loader=LOADER)
    yield from events


def _start(made: Any) -> tuple[int, int]:
    return made.at.line - 1, made.at.column - 1


_WORDS = (
    (r"expected key|expected <block end>", "the line does not continue what stands above it"),
    (r"'-' indicator", "the line does not continue the list above it"),
    (r"expected ',' or '\]'", 'expected "," or "]"'),
    (r"expected ',' or '\}'", 'expected "," or "}"'),
    (r"expected ':'", "expected a key with a colon and a space"),
    (r"sequence entries", '"- " begins a list item, which cannot stand here'),
    (r"mapping keys", '"? " begins a key, which cannot stand here'),
    (r"end of stream", "the quote that begins here is not closed"),
    (r"node content", "expected a value"),
    (r"unknown escape", r'in double quotes "\" begins an escape; write "\\" for "\" itself'),
    (r"hexdecimal|hexadecimal|escape code|Unicode", "the escape is no character"),
    (r"document start", "what stands here belongs to nothing above it"),
    (r"document indicator", "the quote that begins here is not closed before the document ends"),
)


def _in_plain_words(wrong: yaml.MarkedYAMLError, problem: Any, lines: list[str]) -> tuple[str, bool]:
    """Return what the parser's error means, and whether its context is the place to show."""
    said = wrong.problem or ""
    before = lines[problem.line][: problem.column] if problem.line < len(lines) else ""
    sign = lines[problem.line][problem.column : problem.column + 1] if problem.line < len(lines) else ""
    if "start any token" in said:
        return f'a value cannot begin with "{sign}"', False
    if "mapping values" in said:
        if ": " in before:
            return 'a second ": " in one value', False
        return "a key inside a value: it is indented too far, or the line above lacks its colon", False
    if "block scalar" in (wrong.context or ""):
        return 'after "|" or ">" the line must end', False
    for pattern, words in _WORDS:
        if re.search(pattern, said):
            return words, "that begins here" in words
    return f"not YAML: {said}", False


# ---------------------------------------------------------------------------------------------------------
# the expressions on a line, as their author meant them
# ---------------------------------------------------------------------------------------------------------

_NAME = r"""(?:\w[\w.\- ]*|'[^']*'|"[^"]*")"""
_KEY = re.compile(rf"({_NAME}) *:(?: +|$)")
_LEAD = re.compile(r" *(?:- +)*")
_SIGN = re.compile(r"(?![|>][-+]?$|!!)[!&*|>%@`]|[-?] ")
_SIGNS = {
    "!": "a tag", "&": "an anchor", "*": "an alias", "|": "a block of text", ">": "a block of text",
    "-": "a list item", "?": "a key",
}  # fmt: skip
_FLIPPED = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_QUOTED_FIRST = re.compile(r"""('[^']*'|"[^"']*")\s*(=|<>|<=|>=|<|>)\s*([\w.]+)""")
_UNSAFE = re.compile(r"""[\[\]{},#&*!|>'"%@`]|[-?:](?: |$)|.*(?:: | #|:$)""")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A value on a line, from column `start` to `end`, read with the brackets and quotes of expressions."""

    start: int
    end: int
    in_flow: bool
    is_closed: bool
    is_expression: bool


@dataclass(frozen=True, slots=True)
class _Fault:
    """What YAML makes of an expression that is not what its author meant."""

    code: str
    message: str
    offset: int
    length: int = 1


def _is_expression(key: str, holder: str) -> bool:
    return key in EXPRESSIONS or holder == "measures"


def _is_open(text: str) -> bool:
    """Whether a quote or bracket is not closed."""
    return _closed_end(text, 0, False) is None


def _entries(
    line: str, opened: int = 0, item_key: str = "", holder: str = "", expression_at: int = -1
) -> Iterator[_Entry]:
    """Yield the scalar values on a line that begins inside `opened` brackets, under these keys.

    What begins at column `expression_at` is an expression whatever its key.
    """
    lead = _LEAD.match(line)
    at = lead.end() if lead else 0
    open_keys: list[tuple[str, str]] = [("{", holder)] * opened
    key = item_key
    while at < len(line):
        sign = line[at]
        bracket, above = open_keys[-1] if open_keys else ("", holder)
        if sign == " ":
            at += 1
        elif sign == "#" and (at == 0 or line[at - 1] == " "):
            return
        elif sign in "[{":
            open_keys.append((sign, key))
            key = key if sign == "[" else ""
            at += 1
        elif sign in "]}," and open_keys:
            if sign != ",":
                open_keys.pop()
                bracket, above = open_keys[-1] if open_keys else ("", "")
            key = above if bracket == "[" else ""
            at += 1
        else:
            if match := _KEY.match(line, at):
                key, at = match[1].strip("'\""), match.end()
                if at == len(line) or line[at] in "[{#":
                    continue
            is_expression = at == expression_at or _is_expression(key, above)
            end, is_closed = _end(line, at, bool(open_keys), is_expression)
            yield _Entry(at, end, bool(open_keys), is_closed, is_expression)
            at = max(end, at + 1)


def _end(line: str, start: int, in_flow: bool, is_expression: bool) -> tuple[int, bool]:
    """Return where a value ends for its author, and whether its quotes and brackets are closed there.

    Inside quotes and brackets of an expression nothing ends it; where they are not closed, and in plain
    text, the value ends where it ends for YAML.
    """
    end = None
    reads_quotes = is_expression or line[start : start + 1] in ("'", '"', "[", "{")
    if reads_quotes:
        end = _closed_end(line, start, in_flow)
    is_closed = end is not None or not reads_quotes
    if end is None:
        end = next((i for i in range(start, len(line)) if _ends_at(line, i, in_flow)), len(line))
    return start + len(line[start:end].rstrip()), is_closed


def _ends_at(line: str, i: int, in_flow: bool) -> bool:
    """Whether YAML ends a plain scalar here."""
    return (in_flow and line[i] in ",]}") or (line[i] == "#" and i > 0 and line[i - 1] == " ")


def _closed_end(line: str, start: int, in_flow: bool) -> int | None:
    """Return where a value ends outside of quotes and brackets, or None where one stays open."""
    quote, depth = "", 0
    for i in range(start, len(line)):
        c = line[i]
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif depth <= 0 and _ends_at(line, i, in_flow):
            return i
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
    return None if quote or depth > 0 else len(line)


def _text_end(line: str, start: int) -> int | None:
    """Return where a text in braces ends that goes on after a comma: before the next key, or the brace."""
    match = re.compile(rf"[^\[\]{{}}]*?(?= *(?:, *{_NAME} *: |\}}))").match(line, start)
    return match.end() if match else None


def _fault(line: str, entry: _Entry) -> _Fault | None:
    """Return the first thing in an expression that YAML reads as its own."""
    text = line[entry.start : entry.end]
    if _SIGN.match(text):
        what = _SIGNS.get(text[0], "reserved")
        return _Fault("P112", f'the expression begins with "{text[0]}", which is {what} to YAML', 0)
    if text[:1] in ("'", '"'):
        quoted = re.match(r"""'(?:[^']|'')*'|"(?:[^"\\]|\\.)*\"""", text)
        if not quoted or quoted.end() == len(text):
            return None
        return _Fault("P111", f"YAML takes {quoted[0]} for the whole expression", 0, quoted.end())
    quote, depth = "", 0
    for i, c in enumerate(text if entry.is_closed else ""):
        if (quote or depth) and c == "#" and text[i - 1] == " ":
            return _Fault("P113", 'YAML takes the rest from " #" on for a comment', i)
        if quote and c == ":" and text[i + 1 : i + 2] in ("", " "):
            return _Fault("P114", 'YAML takes ": " for a mapping', i)
        if entry.in_flow and (quote or depth) and c in ",[]{}":
            return _Fault("P110", f'inside braces or brackets YAML ends the expression at this "{c}"', i)
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
    return None


def _faults(
    line: str, opened: int, item_key: str, holder: str, expression_at: int = -1
) -> list[tuple[_Entry, _Fault]]:
    """Return the expressions on a line that YAML misreads; the parameters are those of _entries."""
    entries = _entries(line, opened, item_key, holder, expression_at)
    return [(entry, fault) for entry in entries if entry.is_expression and (fault := _fault(line, entry))]


def _advice(line: str, fault: _Fault, faults: list[tuple[_Entry, _Fault]], was_longer: bool = False) -> str:
    """Return what to write instead of a line with faults: a sentence, and the lines."""
    faulty = [entry for entry, _ in faults]
    begins = any(line[entry.start] == ">" or line.startswith("!=", entry.start) for entry in faulty)
    written = (_spread(line, faulty) if fault.code == "P110" else None) or [_mended(line, faulty)]
    advice = "start with a name, e.g." if begins else "write on one line" if was_longer else "write"
    return "\n".join([advice, *written])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _corrected(text: str, in_flow: bool) -> str:
    """Return an expression as YAML will read it, without the sign or quote it must not begin with."""
    if first := _QUOTED_FIRST.fullmatch(text):
        text = f"{first[3]} {_FLIPPED[first[2]]} '{first[1][1:-1]}'"
    elif text.startswith("!="):
        text = "total <>" + text[2:]
    elif text.startswith("!"):
        text = "not " + text.lstrip("! ")
    elif text.startswith("- "):
        text = "0 " + text
    elif text.startswith(">"):
        text = "total " + text
    elif _SIGN.match(text):
        text = text.lstrip("&*|%@`? ").replace("`", "") or "total"
    is_unsafe = _UNSAFE.match(text) or (in_flow and re.search(r"[\[\]{},]", text))
    return _quoted(text) if is_unsafe else text


def _mended(line: str, faulty: list[_Entry]) -> str:
    """Return a line with its faulty expressions corrected in place."""
    for entry in reversed(faulty):
        mended = _corrected(line[entry.start : entry.end], entry.in_flow)
        line = line[: entry.start] + mended + line[entry.end :]
    return line


def _spread(line: str, faulty: list[_Entry]) -> list[str] | None:
    """Return `- {…}` or `key: {…}` with each entry on a line of its own, or None for another shape."""
    shape = re.match(rf"( *(?:- +)*)({_NAME} *:)? *\{{ *", line)
    if not shape:
        return None
    at, found, pairs = shape.end(), 0, []
    while match := _KEY.match(line, at):
        start = match.end()
        is_expression = any(entry.start == start for entry in faulty)
        end, is_closed = _end(line, start, True, is_expression)
        value = line[start:end]
        found += is_expression
        pairs.append(f"{match[1]}: {_corrected(value, False) if is_expression else value}")
        rest = re.compile(r" *(,? *)").match(line, end)
        at = rest.end() if rest else end
        if not is_closed or not value:
            return None
    closing = re.compile(r"\} *(#.*)?$").match(line, at)
    if not closing or found != len(faulty):
        return None
    comment = f"  {closing[1]}" if closing[1] else ""
    if shape[2]:
        indent = " " * (len(shape[1]) + 2)
        return [shape[1] + shape[2] + comment, *(indent + pair for pair in pairs)]
    return [shape[1] + pairs[0] + comment, *(" " * len(shape[1]) + pair for pair in pairs[1:])]
