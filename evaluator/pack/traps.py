"""The expressions on a line as their author meant them, what YAML makes of them, and the line to write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

EXPRESSIONS = frozenset({
    "value", "where", "when", "among", "points", "base", "min", "max", "by", "take", "date", "once_per",
    "same", "within", "order_by", "prefer", "via", "count", "sum", "any", "distinct", "rank", "default",
    "judged",
})  # fmt: skip
"""Keys whose values are expressions, so that the traps of YAML are looked for there."""

NAME = r"""(?:\w[\w.\- ]*|'[^']*'|"[^"]*")"""
_KEY = re.compile(rf"({NAME}) *:(?: +|$)")
_LEAD = re.compile(r" *(?:- +)*")
_SIGN = re.compile(r"(?![|>][-+]?$|!!)[!&*|>%@`]|[-?] ")
_SIGNS = {
    "!": "a tag", "&": "an anchor", "*": "an alias", "|": "a block of text", ">": "a block of text",
    "-": "a list item", "?": "a key",
}  # fmt: skip
_FLIPPED = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_QUOTED_FIRST = re.compile(r"""('[^']*'|"[^"']*")\s*(=|<>|<=|>=|<|>)\s*([\w.]+)""")
_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"\\]|\\.)*\"""")
_UNSAFE = re.compile(r"""[\[\]{},#&*!|>'"%@`]|[-?:](?: |$)|.*(?:: | #|:$)""")


@dataclass(frozen=True, slots=True)
class Entry:
    """A value on a line, from column `start` to `end`, read with the brackets and quotes of expressions."""

    start: int
    end: int
    in_flow: bool
    is_closed: bool
    is_expression: bool


@dataclass(frozen=True, slots=True)
class Trap:
    """What YAML makes of an expression that is not what its author meant, and where in the expression."""

    entry: Entry
    code: str
    message: str
    offset: int = 0
    length: int = 1


def is_expression(key: str, holder: str) -> bool:
    """Whether the value of a key, in the mapping that `holder` holds, is an expression."""
    return key in EXPRESSIONS or holder == "measures"


def is_open(text: str) -> bool:
    """Whether a quote or bracket is not closed."""
    return _closed_end(text, 0, False) is None


def entries(
    line: str, opened: int = 0, item_key: str = "", holder: str = "", expression_at: int = -1
) -> Iterator[Entry]:
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
            is_meant = at == expression_at or is_expression(key, above)
            end, is_closed = _end(line, at, bool(open_keys), is_meant)
            yield Entry(at, end, bool(open_keys), is_closed, is_meant)
            at = max(end, at + 1)


def _end(line: str, start: int, in_flow: bool, is_expression: bool) -> tuple[int, bool]:
    """Return where a value ends for its author, and whether its quotes and brackets are closed there.

    Inside quotes and brackets of an expression nothing ends it; where they are not closed, and in plain
    text, the value ends where it ends for YAML.
    """
    reads_quotes = is_expression or line.startswith(("'", '"', "[", "{"), start)
    end = _closed_end(line, start, in_flow) if reads_quotes else None
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


def text_end(line: str, start: int) -> int | None:
    """Return where a text in braces ends that goes on after a comma: before the next key, or the brace."""
    match = re.compile(rf"[^\[\]{{}}]*?(?= *(?:, *{NAME} *: |\}}))").match(line, start)
    return match.end() if match else None


def find_traps(line: str, opened: int, item_key: str, holder: str, expression_at: int = -1) -> list[Trap]:
    """Return the first trap of each expression on a line; the parameters are those of `entries`."""
    found = entries(line, opened, item_key, holder, expression_at)
    return [trap for entry in found if entry.is_expression and (trap := _trap(line, entry))]


def _trap(line: str, entry: Entry) -> Trap | None:
    """Return the first thing in an expression that YAML reads as its own."""
    text = line[entry.start : entry.end]
    if _SIGN.match(text):
        what = _SIGNS.get(text[0], "reserved")
        return Trap(entry, "P112", f'the expression begins with "{text[0]}", which is {what} to YAML')
    if text[:1] in ("'", '"'):
        first = _QUOTED.match(text)
        if not first or first.end() == len(text):
            return None
        return Trap(entry, "P111", f"YAML takes {first[0]} for the whole expression", 0, first.end())
    quote, depth = "", 0
    for i, c in enumerate(text if entry.is_closed else ""):
        if (quote or depth) and c == "#" and text[i - 1] == " ":
            return Trap(entry, "P113", 'YAML takes the rest from " #" on for a comment', i)
        if quote and c == ":" and text[i + 1 : i + 2] in ("", " "):
            return Trap(entry, "P114", 'YAML takes ": " for a mapping', i)
        if entry.in_flow and (quote or depth) and c in ",[]{}":
            message = f'inside braces or brackets YAML ends the expression at this "{c}"'
            return Trap(entry, "P110", message, i)
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
    return None


def advice(line: str, trap: Trap, found: list[Trap], was_longer: bool = False) -> str:
    """Return what to write instead of a line with traps: a sentence, and the lines."""
    begins = any(line.startswith((">", "!="), other.entry.start) for other in found)
    written = (_spread(line, found) if trap.code == "P110" else None) or [mended(line, found)]
    words = "start with a name, e.g." if begins else "write on one line" if was_longer else "write"
    return "\n".join([words, *written])


def mended(line: str, found: list[Trap]) -> str:
    """Return a line with the expressions of its traps corrected in place."""
    for entry in reversed([trap.entry for trap in found]):
        correct = _corrected(line[entry.start : entry.end], entry.in_flow)
        line = line[: entry.start] + correct + line[entry.end :]
    return line


def quoted(text: str) -> str:
    """Return a text as YAML writes it in double quotes."""
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
    return quoted(text) if is_unsafe else text


def _spread(line: str, found: list[Trap]) -> list[str] | None:
    """Return `- {…}` or `key: {…}` with each entry on a line of its own, or None for another shape."""
    shape = re.match(rf"( *(?:- +)*)({NAME} *:)? *\{{ *", line)
    if not shape:
        return None
    starts = {trap.entry.start for trap in found}
    at, pairs = shape.end(), []
    while match := _KEY.match(line, at):
        start = match.end()
        is_trap = start in starts
        end, is_closed = _end(line, start, True, is_trap)
        value = line[start:end]
        starts.discard(start)
        pairs.append(f"{match[1]}: {_corrected(value, False) if is_trap else value}")
        rest = re.compile(r" *(,? *)").match(line, end)
        at = rest.end() if rest else end
        if not is_closed or not value:
            return None
    closing = re.compile(r"\} *(#.*)?$").match(line, at)
    if not closing or starts:
        return None
    comment = f"  {closing[1]}" if closing[1] else ""
    if shape[2]:
        indent = " " * (len(shape[1]) + 2)
        return [shape[1] + shape[2] + comment, *(indent + pair for pair in pairs)]
    return [shape[1] + pairs[0] + comment, *(" " * len(shape[1]) + pair for pair in pairs[1:])]
