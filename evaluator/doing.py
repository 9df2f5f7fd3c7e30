"""What is being done, for people who wait."""

from __future__ import annotations

from collections.abc import Callable


class Doing(str):
    """What is being done; of long work how many rows it is of, and how far it is in percent.

    Both are asked only where somebody waits, and from another thread; `done` returns None where nothing is known.
    """

    rows: Callable[[], int]
    done: Callable[[], float | None]

    def __new__(
        cls, what: str, rows: Callable[[], int] = lambda: 0, done: Callable[[], float | None] = lambda: None
    ) -> Doing:
        """Make it."""
        made = super().__new__(cls, what)
        made.rows, made.done = rows, done
        return made
