"""A case as text: YAML as a rule author would write it, a row a line."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from evaluator.diagnostics import Problems
from evaluator.report.words import plain_fraction, plain_number

WIDTH = 110
_PLAIN = re.compile(r"[^\W_][^\s:#,\[\]{}'\"&*!|>%@`\\]*( [^\s:#,\[\]{}'\"&*!|>%@`\\]+)*\Z")
_SPELLS_OTHERWISE = re.compile(r"\d{4}-\d\d-\d\d\Z|(null|unknown)\Z", re.IGNORECASE)

Cells = Mapping[str, object]


def write_new(file: Path, text: str) -> None:
    """Write a file that is not there yet; raise Stop where it is, or cannot be written."""
    write_all([(file, text)])


def write_all(texts: Sequence[tuple[Path, str]]) -> None:
    """Write files that are not there yet, or say the same; raise Stop where one cannot be, and write none."""
    problems = Problems()
    fresh: list[Path] = []
    try:
        for file, text in texts:
            if not _write(file, text, fresh, problems):
                break  # what refuses one refuses the others
    finally:
        if problems.has_errors:
            for file in fresh:
                file.unlink()
    problems.stop_on_errors()


def _write(file: Path, text: str, fresh: list[Path], problems: Problems) -> bool:
    """Write a file and note it as fresh, or what is in the way; return whether that is this file alone."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            fresh.append(file)
            stream.write(text)
    except FileExistsError:
        if not file.parent.is_dir():
            problems.add("P603", f"{file.parent} is no folder", fix="name another --out")
            return False
        if not (file.is_file() and file.read_bytes() == text.encode()):
            problems.add("P603", f"{file} is there already", fix="name another --out, or remove it")
    except OSError as wrong:
        problems.add("P603", f"{file} cannot be written: {wrong.strerror}", fix="name another --out")
        return False
    return True


@dataclass(slots=True)
class Written:
    """The parts of a case, and remarks that are put above it."""

    case: str
    year: int
    given: dict[str, list[Cells]] = field(default_factory=dict)
    expect: dict[str, list[Cells]] = field(default_factory=dict)
    clause: str = ""
    note: str = ""
    stops: tuple[str, ...] = ()
    remarks: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"# {remark}" for remark in self.remarks]
        lines += [f"case: {scalar(self.case)}", f"year: {self.year}"]
        lines += [f"clause: {scalar(self.clause)}"] if self.clause else []
        lines += [f"note: {scalar(self.note)}"] if self.note else []
        lines += _block("given", self.given) if any(self.given.values()) else ["given: {}"]
        lines += [f"stops: [{', '.join(self.stops)}]"] if self.stops else _block("expect", self.expect)
        return "\n".join(lines) + "\n"


def _block(name: str, tables: Mapping[str, Sequence[Cells]]) -> list[str]:
    lines = [f"{name}:"]
    for table, rows in tables.items():
        if rows:
            lines.append(f"  {table}:")
            lines += [line for row in rows for line in _row(row)]
    return lines


def _row(row: Cells) -> list[str]:
    """Write a row on one line, or where that grows too long a value a line."""
    cells = [f"{_key(name)}: {scalar(value)}" for name, value in row.items()]
    line = f"    - {{{', '.join(cells)}}}"
    if len(line) <= WIDTH:
        return [line]
    first, *rest = cells
    return [f"    - {first}", *(f"      {cell}" for cell in rest)]


def _key(name: str) -> str:
    return scalar(name) if not re.match(r"[^\W\d][\w.]*\Z", name) else name


def scalar(value: object) -> str:
    """Write a value so that it is read as what it is: text quoted where it would be read otherwise.

    Text that looks like a number or a truth value is taken as text wherever text is wanted.

    >>> [scalar(one) for one in ("甲", "60", "a: b", True, None, Decimal("1.50"), ["甲", "x,y"])]
    ['甲', '60', "'a: b'", 'true', 'unknown', '1.5', "[甲, 'x,y']"]
    """
    match value:
        case None:
            return "unknown"
        case bool():
            return "true" if value else "false"
        case Decimal():
            return plain_number(value)
        case Fraction():
            return plain_fraction(value)
        case int():
            return str(value)
        case dt.date():
            return value.isoformat()
        case list() | tuple():
            return f"[{', '.join(map(scalar, value))}]"
    text = str(value)
    if _PLAIN.match(text) and not _SPELLS_OTHERWISE.match(text):
        return text
    if re.search(r"[\x00-\x1f\x7f\x85\u2028\u2029]", text):
        escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
        return f'"{escaped}"'
    return "'" + text.replace("'", "''") + "'"
