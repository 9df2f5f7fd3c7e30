"""What commands share: the program itself, its arguments and options, progress, and problems printed."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from evaluator.doing import Doing

QUIET_SECONDS, TICK = 1.0, 0.5

app = typer.Typer(
    name="evaluator",
    help="Judge a year's work by written rules, exactly and explainably.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Format(StrEnum):
    """How a roster is printed."""

    table = "table"
    csv = "csv"
    json = "json"


class Page(StrEnum):
    """How a comparison is printed."""

    text = "text"
    json = "json"
    html = "html"


class Form(StrEnum):
    """How an explanation is printed."""

    text = "text"
    json = "json"
    html = "html"
    md = "md"


class TextOrJson(StrEnum):
    """How an appeal is printed."""

    text = "text"
    json = "json"


class Engine(StrEnum):
    """What computes a run."""

    duckdb = "duckdb"
    spark = "spark"


class Stage(StrEnum):
    """Where a run stands among those of its year."""

    draft = "draft"
    published = "published"
    final = "final"


class Language(StrEnum):
    """The language of what is shown."""

    zh = "zh"
    en = "en"


PackFolder = Annotated[Path, typer.Argument(metavar="PACK", help="The folder of a rule pack.")]
Lang = Annotated[Language | None, typer.Option("--lang", help="The language of what is shown [the pack's].")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN_FOLDER", help="A folder that a run wrote.")]
LookedForIn = Annotated[
    list[Path] | None, typer.Option(help="A run folder of an earlier year, where it is not beside the run.")
]
ChainLookedForIn = Annotated[
    list[Path] | None, typer.Option(help="A run folder the run follows, where it is not beside it.")
]


class Progress:
    """One line on a terminal for what takes longer than a second; nothing when piped."""

    def __init__(self) -> None:
        self.begin, self.is_shown = time.monotonic(), False
        self.doing, self.since = Doing(""), self.begin
        self.ended, self.lock = threading.Event(), threading.Lock()
        self.thread = threading.Thread(target=self._tick, daemon=True) if sys.stderr.isatty() else None

    def __enter__(self) -> Callable[[str], None]:
        if self.thread is not None:
            self.thread.start()
        return self.show

    def show(self, stage: str) -> None:
        """Say what is being done now."""
        with self.lock:
            self.doing, self.since = stage if isinstance(stage, Doing) else Doing(stage), time.monotonic()
            self._print("")

    def _tick(self) -> None:
        while not self.ended.wait(TICK):
            with self.lock:
                self._print(how_far(self.doing, time.monotonic() - self.since))

    def _print(self, how: str) -> None:
        seconds = time.monotonic() - self.begin
        if self.thread is not None and seconds > QUIET_SECONDS and self.doing:
            print(f"\r\x1b[K{seconds:5.0f} s  {self.doing}{how} …", end="", file=sys.stderr, flush=True)
            self.is_shown = True

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        if self.thread is not None:
            self.thread.join()
        if self.is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def how_far(doing: Doing, seconds: float) -> str:
    """Say how far something is: in percent, and of rows how many a second and for how long still.

    >>> how_far(Doing("reading", lambda: 3_000_000, lambda: 40.0), 6)
    ', 40 %, 200,000 rows/s, 9 s left'
    """
    percent = doing.done()
    if percent is None:
        return ""
    rows = doing.rows() if percent >= 1 and seconds >= TICK else 0
    if not rows:
        return f", {percent:.0f} %"
    left = seconds * (100 - percent) / percent
    return f", {percent:.0f} %, {rows * percent / 100 / seconds:,.0f} rows/s, {left:,.0f} s left"


def size(value: str | None) -> str | None:
    """Check a size of memory."""
    if value is not None and not re.fullmatch(r"[1-9]\d*(\.\d+)? ?[KMGT]i?B", value):
        raise typer.BadParameter("write a size as 2GB or 500MB")
    return value


def warn(problems: Any) -> None:
    """Print problems on standard error, and how many they are."""
    found = list(problems)
    for problem in found:
        print(problem, file=sys.stderr)
    errors = sum(problem.severity == "error" for problem in found)
    warnings = len(found) - errors
    counts = [f"{n} {word}{'s' if n > 1 else ''}" for n, word in ((errors, "error"), (warnings, "warning")) if n]
    if counts:
        print(", ".join(counts), file=sys.stderr)
