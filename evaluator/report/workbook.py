"""Rosters as a workbook: a sheet each, text never taken for a formula, the same bytes every time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlglot import exp
from wcwidth import wcswidth
from xlsxwriter import Workbook

from evaluator.pack.definitions import Pack
from evaluator.report.roster import headings_of, in_order, title_of
from evaluator.report.words import say, shown
from evaluator.sql.backend import Database

WIDEST = 40
FIRST_DAY = dt.date(1900, 3, 1)  # before it workbooks count days that never were, or none


def write_workbook(
    db: Database,
    pack: Pack,
    rosters: dict[str, exp.Table],
    file: Path,
    rejects: int,
    amended: Sequence[Sequence[str]] = (),
) -> None:
    """Write all rosters of a run into one workbook, and what appeals amended on a sheet of its own."""
    with Workbook(str(file), {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}) as book:
        # no clock inside the data
        book.set_properties({"title": pack.label(*pack.title.values()), "created": dt.datetime(2000, 1, 1)})
        styles = {
            "heading": book.add_format(
                {"bold": True, "bg_color": "#8B1A1A", "font_color": "white", "border": 1, "valign": "vcenter"}
            ),
            "text": book.add_format({"border": 1}),
            "number": book.add_format({"border": 1, "num_format": "0.######"}),
            "whole": book.add_format({"border": 1, "num_format": "0"}),
            "date": book.add_format({"border": 1, "num_format": "yyyy-mm-dd"}),
            "note": book.add_format({"italic": True}),
        }
        taken: set[str] = set()
        for kind in pack.kinds.values():
            for roster in kind.rosters:
                sheet = book.add_worksheet(_sheet_name(title_of(pack, roster), taken))
                rows = db.rows(in_order(roster, rosters[roster.name]))
                _fill(sheet, headings_of(pack, roster), rows, pack, styles)
                if rejects:
                    sheet.write_string(len(rows) + 2, 0, say(pack, "rejects", rejects), styles["note"])
        if amended:
            sheet = book.add_worksheet(_sheet_name(say(pack, "appeals"), taken))
            words = ("case", "changed", "record", "place", "field", "before", "after")
            _fill(sheet, [say(pack, word) for word in words], amended, pack, styles)


def _fill(sheet: Any, headings: list[str], rows: Sequence[Sequence[Any]], pack: Pack, styles: dict[str, Any]) -> None:
    """Write headings and rows, wide enough to be read, ready to be filtered and printed."""
    widths = [max(wcswidth(h), 4) for h in headings]
    for place, heading in enumerate(headings):
        sheet.write_string(0, place, heading, styles["heading"])
    for line, row in enumerate(rows, 1):
        for place, value in enumerate(row):
            _write_cell(sheet, line, place, value, pack, styles)
            widths[place] = max(widths[place], wcswidth(shown(pack, value)))
    for place, width in enumerate(widths):
        sheet.set_column(place, place, min(width, WIDEST) + 2)
    sheet.freeze_panes(1, 0)
    if rows:
        sheet.autofilter(0, 0, len(rows), len(headings) - 1)
    sheet.set_paper(9)
    sheet.repeat_rows(0)
    sheet.fit_to_pages(1, 0)


def _write_cell(sheet: Any, line: int, place: int, value: object, pack: Pack, styles: dict[str, Any]) -> None:
    if value is None:
        sheet.write_blank(line, place, None, styles["text"])
    elif isinstance(value, bool):
        sheet.write_string(line, place, shown(pack, value), styles["text"])
    elif isinstance(value, int):
        sheet.write_number(line, place, value, styles["whole"])
    elif isinstance(value, Decimal):
        whole = value == value.to_integral_value()
        sheet.write_number(line, place, float(value), styles["whole" if whole else "number"])
    elif isinstance(value, dt.date) and value >= FIRST_DAY:
        sheet.write_datetime(line, place, dt.datetime(value.year, value.month, value.day), styles["date"])
    else:
        sheet.write_string(line, place, shown(pack, value), styles["text"])


def _sheet_name(title: str, taken: set[str]) -> str:
    """Return a name a workbook accepts, not yet taken."""
    plain = "".join("·" if sign in "[]:*?/\\'" else sign for sign in title)[:28] or "roster"
    name, count = plain, 1
    while name.lower() in taken:
        count += 1
        name = f"{plain} {count}"
    taken.add(name.lower())
    return name
