"""Files written where their author asked for: what stands in the way is said, not thrown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evaluator.diagnostics import Stop


@contextmanager
def saving(place: Path) -> Iterator[None]:
    """Turn what the system refuses while a place is written into a problem to mend."""
    try:
        yield
    except OSError as wrong:
        raise Stop.of("R109", f"{place} cannot be written: {wrong.strerror}", fix="name another place") from None


def save(text: str, file: Path) -> None:
    """Write a text to a file, which may hold an earlier one that begins alike; raise Stop where that cannot be."""
    first = text.split(maxsplit=1)[0]
    with saving(file):
        if file.is_file() and file.stat().st_size and not file.read_bytes().startswith(first.encode()):
            raise Stop.of("P117", f"{file} is there already, and holds something else", fix="name another place")
        file.write_text(text, encoding="utf-8")
