"""From the parser's events to a tree: what YAML allows and a pack does not is refused on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from evaluator.diagnostics import Span
from evaluator.pack import traps
from evaluator.pack.lines import Lines
from evaluator.pack.places import List, Map, Text, Written

DEEPEST = 64
"""How deep lists and mappings may be nested; deeper input could exhaust the stack of those who read it."""

_NULLS = ("", "~", "null", "Null", "NULL")
_NO_CHARACTER = re.compile("[\x00\ud800-\udfff]")


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


class Tree:
    """Builds the tree of one file."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.stack: list[_Frame] = []

    def build(self) -> Map | None:
        """Return the tree, or None where there is no mapping to return; raises the parser's errors."""
        root: Map | List | Text | None = None
        documents = 0
        for event in self.lines.events():
            line, column = event.start_mark.line, event.start_mark.column
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.lines.note("P116", "a second document begins here", self.lines.span(line, column, 3))
                    return None
            elif isinstance(event, yaml.CollectionStartEvent):
                if len(self.stack) == DEEPEST:
                    message = f"lists and mappings are nested more than {DEEPEST} deep"
                    self.lines.note("P103", message, self.lines.span(line, column), "write it flatter")
                    return None
                self._open(event)
            elif isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
                made = self._scalar(event) if isinstance(event, yaml.NodeEvent) else self._close()
                if self.stack:
                    self._put(made, self.stack[-1])
                else:
                    root = made
        if isinstance(root, Map) or (documents and root is None):
            return root
        what = "a list" if isinstance(root, List) else "empty" if not documents or root in _NULLS else "text"
        at = root.at if root else self.lines.span(len(self.lines.written), 0)
        self.lines.note("P115", f"the file is {what}, not a mapping", at)
        return None

    def _open(self, event: Any) -> None:
        self._refuse_properties(event)
        is_map, in_flow = isinstance(event, yaml.MappingStartEvent), bool(event.flow_style)
        holder, at = "", self.lines.between(event.start_mark, event.end_mark)
        if self.stack:
            above = self.stack[-1]
            holder = (above.key or "") if above.is_map else above.holder
        self.stack.append(_Frame(at, event.start_mark.line, is_map, in_flow, holder, self._expects_expression()))

    def _close(self) -> Map | List:
        frame = self.stack.pop()
        return Map(frame.items, frame.at) if frame.is_map else List(frame.items, frame.at)

    def _expects_expression(self) -> bool:
        """Whether a scalar that comes now is an expression."""
        if not self.stack:
            return False
        frame = self.stack[-1]
        if frame.is_map:
            return frame.key is not None and traps.is_expression(frame.key, frame.holder)
        return frame.holds_expressions

    def _scalar(self, event: Any) -> Text | None:
        """Return a scalar, or None after refusing it."""
        if self._refuse_properties(event):
            return None
        start, end, style = event.start_mark, event.end_mark, event.style or ""
        written = Written(self.lines.written, style, (start.line, start.column), (end.line, end.column))
        text = Text(event.value, self.lines.between(start, end), not style, written)
        if style == '"' and (odd := _NO_CHARACTER.search(text)):
            self.lines.note("P103", f"an escape for U+{ord(odd[0]):04X}, which is no character", text.at)
            return None
        return text

    def _refuse_properties(self, event: Any) -> bool:
        """Note an anchor, alias or tag; return whether there was one."""
        if event.anchor is None and getattr(event, "tag", None) is None:
            return False
        line, column = event.start_mark.line, event.start_mark.column
        if self._expects_expression() and self._trapped(line, column, self.lines.parsed(line)):
            return True
        written = re.split(r"[\s,\]}]", self.lines.parsed(line)[column:], maxsplit=1)[0]
        kinds = {"*": ("P106", "an alias"), "&": ("P106", "an anchor")}
        code, what = kinds.get(written[:1], ("P107", "a tag"))
        self.lines.note(code, f"{written} is {what}", self.lines.span(line, column, len(written)))
        return True

    def _put(self, made: Any, frame: _Frame) -> None:
        """Put a key or value into a list or mapping."""
        if frame.is_map and not frame.has_key:
            frame.key, frame.has_key = self._key(made, frame), True
            return
        first = frame.key if frame.is_map else made
        if first is not None and made is not None and _start(first) >= frame.cut:
            if not isinstance(made, Text) or self._is_value(made, frame):
                frame.items.append((frame.key, made) if frame.is_map else made)
        frame.key, frame.has_key = None, False

    def _key(self, made: Any, frame: _Frame) -> Text | None:
        """Return a key, or None after refusing it."""
        if not isinstance(made, Text):
            if made is not None:
                self.lines.note("P103", "a key must be a word or text", made.at)
            return None
        line, column = _start(made)
        if (line, column) < frame.cut:
            return None
        if made.plain and made in _NULLS:
            what = f'"{made}" as a key' if made else "no key before the colon"
            self.lines.note("P108", what, made.at, "give the key a name")
            return None
        if made.plain and made == "<<":
            self.lines.note("P106", '"<<" merges another mapping', made.at, "write the keys out")
            return None
        if frame.holds_expressions and not frame.in_flow and made.plain and traps.is_open(made):
            if self._trapped(line, column, self.lines.parsed(line)):
                frame.cut = (len(self.lines.written), 0)
                return None
        if made in frame.keys:
            also = [(frame.keys[made].at, "written here first")]
            self.lines.note("P105", f'"{made}" is written twice', made.at, also=also)
            return None
        frame.keys[made] = made
        return made

    def _is_value(self, made: Text, frame: _Frame) -> bool:
        """Whether a scalar is a value; if not, note why."""
        assert made.written is not None
        (line, column), style, (last, end) = _start(made), made.written.style, made.written.end
        if (not style and made in _NULLS) or (style in ("|", ">") and not made.strip()):
            is_expression = style and self._expects_expression()
            if not (is_expression and self._trapped(line, column, self.lines.parsed(line))):
                self._note_null(made, frame)
            return False
        if made.plain and self._expects_expression() and traps.is_open(made):
            # the rest of the expression follows on the line the scalar ends on
            whole = self.lines.parsed(line)[:column] + made + self.lines.parsed(last)[end:]
            if cut := self._trapped(line, column, whole, last, end - column - len(made)):
                frame.cut = cut
                return False
        return True

    def _note_null(self, made: Text, frame: _Frame) -> None:
        """Note a missing value; in braces it is mostly the rest of a text with a comma."""
        key, lines = frame.key, self.lines
        if key is None:
            line, column = _start(made)
            what = f'"{made}" is no value' if made.strip() else "an item without a value"
            lines.note("P108", what, lines.span(line, column if made else max(column - 1, 0), made.at.length))
            return
        what = f'"{key}" has the value {made}, which is none' if made.strip() else f'"{key}" has no value'
        (line, column), fix = _start(key), None
        text = lines.parsed(line)
        if not made and "：" in key:
            fix = f"write\n{text[:column]}{text[column:].replace('：', ': ', 1)}"
        elif not made and frame.in_flow and frame.items and _start(frame.items[-1][1])[0] == line:
            above, before = frame.items[-1]
            begin, end = _start(before)[1], traps.text_end(text, column)
            is_expression = traps.is_expression(above, frame.holder)
            if isinstance(before, Text) and before.plain and end and not is_expression:
                mended = text[:begin] + traps.quoted(text[begin:end]) + text[end:]
                fix = f"if the comma belongs to the text, write\n{mended}"
                frame.cut = (line, end)
        lines.note("P108", what, key.at, fix)

    def _trapped(
        self, line: int, column: int, text: str, last: int | None = None, shift: int = 0
    ) -> tuple[int, int] | None:
        """Note that YAML misreads the expression at a place; return where that ends, or None if it does not.

        `text` is the line with the whole of the expression. What YAML has cut off stands on line `last`,
        `shift` columns further right.
        """
        opened = sum(frame.in_flow and frame.line < line for frame in self.stack)
        found = traps.find_traps(text, opened, "", self.stack[-1].holder, column)
        here = next((trap for trap in found if trap.entry.start == column), None)
        if here is None:
            return None
        last = line if last is None else last
        place = (last, column + here.offset + shift) if here.offset else (line, column)
        advice = traps.advice(text, here, found, last > line)
        self.lines.note(here.code, here.message, self.lines.span(*place, here.length), advice)
        return last, here.entry.end + shift


def _start(made: Any) -> tuple[int, int]:
    return made.at.line - 1, made.at.column - 1
