"""Cells and rows of an office's sheets, read plainly, for the programs that judge a place a second time.

Nothing here or in those programs has a line of `evaluator`. Each has `judge(folder, year)`, which returns kind →
subject → values under the names the pack gives them; names that begin with "#" are its own.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

Row = dict[str, Any]
Subjects = dict[str, dict[str, Row]]


def text(cell: Any) -> str:
    """Return a cell as text, with full-width digits and spaces made plain."""
    wide = {0xFF10 + n: str(n) for n in range(10)} | {0xFF0D: "-", 0x3000: " "}
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return "" if cell is None else str(cell).translate(wide).strip()


def day(cell: Any) -> date | None:
    """Return a cell as a day."""
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    parts = re.findall(r"\d+", text(cell))
    return date(*map(int, parts[:3])) if parts else None


def whole(cell: Any) -> int:
    """Return a cell as a whole number, nothing as 0."""
    return int(text(cell) or 0)


def truth(cell: Any) -> bool:
    """Return a cell as yes or no."""
    return text(cell).lower() in ("是", "true", "1", "√")


def several(cell: Any) -> list[str]:
    """Return the names in a cell."""
    return [name.strip() for name in re.split("[、；]", text(cell)) if name.strip()]


def rounded(number: Fraction | int) -> Decimal:
    """Round half up to two places."""
    exact = Fraction(number)
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def keyed(rows: Iterable[Row], key: str, name: str) -> tuple[dict[str, Row], dict[str, str]]:
    """Return the rows by key, and from key or name to key."""
    by_key = {text(row[key]): row for row in rows}
    known = {text(row[name]): k for k, row in by_key.items()} | {k: k for k in by_key}
    return by_key, known
