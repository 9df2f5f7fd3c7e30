"""Tables on a terminal, aligned by the width each character takes there."""

from __future__ import annotations

from collections.abc import Sequence

import tabulate

tabulate.WIDE_CHARS_MODE = True


def as_table(headings: Sequence[str], rows: Sequence[Sequence[str]], is_right: Sequence[bool] = ()) -> str:
    """Return rows of text under headings; columns marked right stand to the right.

    >>> print(as_table(["姓名", "总分"], [["王一", "95"], ["欧阳二三", "8"]], [False, True]))
    姓名        总分
    --------  ------
    王一          95
    欧阳二三       8
    """
    align = ["right" if right else "left" for right in is_right] or None
    text = tabulate.tabulate(
        [list(row) for row in rows],
        headers=list(headings),
        tablefmt="simple",
        disable_numparse=True,
        preserve_whitespace=True,
        colalign=align,
    )
    return "\n".join(line.rstrip() for line in text.splitlines())
