"""Files written where their author asked for: what stands in the way is said, not thrown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evaluator.diagnostics import Problems, Stop


@contextmanager
def saving(place: Path) -> Iterator[None]:
    """Turn what the system refuses while a place is written into a problem to mend."""
    try:
        yield
    except OSError as wrong:
        problems = Problems()
        problems.add("R109", f"{place} cannot be written: {wrong.strerror}", fix="name another place")
        raise Stop(problems) from None


def save(text: str, file: Path) -> None:
    """Write a text to a file, which may hold an earlier one that begins alike; raise Stop where that cannot be."""
    first = text.split(maxsplit=1)[0]
    with saving(file):
        if file.is_file() and file.stat().st_size and not file.read_bytes().startswith(first.encode()):
            problems = Problems()
            problems.add("P117", f"{file} is there already, and holds something else", fix="name another place")
            raise Stop(problems)
        file.write_text(text, encoding="utf-8")
