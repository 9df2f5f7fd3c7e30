"""Syntax errors of YAML in plain words, and the line in error mended so that parsing can go on."""

from __future__ import annotations

import re
from typing import Any

import yaml

from evaluator.pack import traps
from evaluator.pack.lines import Lines
from evaluator.pack.places import indent_of


def mend(lines: Lines, wrong: yaml.MarkedYAMLError) -> bool:
    """Note a syntax error; return whether the line is mended, so that parsing can go on."""
    problem = wrong.problem_mark or wrong.context_mark
    context = wrong.context_mark or problem
    if problem is None or context is None:
        lines.note("P103", f"not YAML: {wrong.problem}", lines.span(0, 0))
        return False
    above = min(problem.line, len(lines.written)) - 1
    while above > 0 and not lines.written[above].strip():
        above -= 1
    in_flow = "flow" in (wrong.context or "")
    for line in dict.fromkeys((problem.line, context.line, above)):
        if 0 <= line < len(lines.written) and not lines.is_mended(line):
            if _mend_traps(lines, line, int(in_flow and context.line < line), problem):
                return True
    if any(map(lines.is_mended, (problem.line, context.line))) or lines.is_noted(problem.line):
        return False
    return _note_syntax(lines, wrong, problem, context)


def _mend_traps(lines: Lines, line: int, opened: int, problem: Any) -> bool:
    """Note the traps on a line and mend it for the parser; return whether they are what stopped it."""
    text = lines.written[line]
    found: list[traps.Trap] = []
    if wide := re.match(r"( *(?:- +)*\w+)：(?!.*: )", text):
        mended = f"{wide[1]}: {text[wide.end() :].lstrip()}"
    elif found := traps.find_traps(text, opened, *_holders(lines.written, line)):
        mended = traps.mended(text, found)
    else:
        return False
    if not _gets_beyond(lines, problem, line, mended):
        return False
    if wide:
        at = lines.span(line, wide.end() - 1)
        lines.note("P103", "a full-width colon after the key", at, f"write\n{mended}")
    for trap in found:
        at = lines.span(line, trap.entry.start + trap.offset, trap.length)
        lines.note(trap.code, trap.message, at, traps.advice(text, trap, found))
    lines.mend(line, mended)
    return True


def _holders(lines: list[str], line: int) -> tuple[str, str]:
    """Return the key that what begins on a line stands under; it holds an item, a value or a mapping."""
    indent = indent_of(lines[line])
    is_item = lines[line].startswith("- ", indent)
    for above in reversed(lines[:line]):
        if match := re.match(rf"( *(?:- +)*)({traps.NAME}) *:(?: |$)", above):
            column = len(match[1])
            if column < indent or (is_item and column == indent and "-" not in match[1]):
                # after a value of its own the line only goes on with that
                is_bare = re.match(r" *([\[{#]|$)", above[match.end() :])
                return (match[2], match[2]) if is_bare else ("", "")
    return "", ""


def _note_syntax(lines: Lines, wrong: yaml.MarkedYAMLError, problem: Any, context: Any) -> bool:
    """Note a syntax error that is no trap; return whether quoting the text mends it."""
    message, is_about_context = _in_plain_words(wrong, problem, lines.written)
    before = lines.parsed(problem.line)[: problem.column]
    code = "P114" if "a second" in message and traps.is_open(before) else "P103"
    mark = context if is_about_context else problem
    at, also = lines.span(mark.line, mark.column), []
    if "flow" in (wrong.context or "") and context.line != mark.line:
        also = [(lines.span(context.line, context.column), "opened here")]
    line = min(mark.line, len(lines.written) - 1)
    text = lines.written[line]
    for entry in traps.entries(text):
        is_value = text[: entry.start].strip() and text[entry.start] not in "'\""
        if is_value and entry.start <= mark.column <= entry.end:
            mended = text[: entry.start] + traps.quoted(text[entry.start : entry.end]) + text[entry.end :]
            if _gets_beyond(lines, problem, line, mended):
                # not noted by its line: past the end of the file another is shown, which may be mended
                lines.problems.add(code, message, at, f"write\n{mended}", also)
                lines.mend(line, mended)
                return True
    lines.problems.add(code, message, at, also=also)
    return False


def _gets_beyond(lines: Lines, problem: Any, line: int, mended: str) -> bool:
    """Whether the parser gets beyond a problem once a line is mended."""
    try:
        for event in lines.events(line, mended):
            if event.start_mark.line > problem.line:
                break
    except yaml.MarkedYAMLError as wrong:
        now = wrong.problem_mark
        return now is not None and (now.line, now.column) > (problem.line, problem.column)
    except (yaml.YAMLError, ValueError, OverflowError):
        return False
    return True


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
