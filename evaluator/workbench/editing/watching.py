"""A pack and its data watched: checked and run again on each save, and what changed told.

Files are looked at twice a second by their times and sizes. A pack and the data of a year are some tens of files, for
which this costs nothing, works on every file system and takes no library; what systems tell of changes by themselves
differs from one to the other.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import evaluator
from evaluator.data.history import MANIFEST
from evaluator.diagnostics import Diagnostic, Stop
from evaluator.pack.definitions import Pack
from evaluator.report.comparing.model import ChangedSubject, Comparison
from evaluator.report.comparing.text import Words
from evaluator.report.words import said_in, say

SECONDS = 0.5
MOST_SHOWN = 10
"""How many subjects that changed are named."""

Seen = dict[Path, tuple[int, int]]
"""Files by their time of change (nanoseconds) and size (bytes)."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is run again and again."""

    pack: Path
    data: Path
    year: int
    history: tuple[Path, ...] = ()
    accepts_rejects: bool = False
    language: str | None = None


def year_of(data: Path) -> int | None:
    """Return the year a data folder is named after, if it is."""
    name = data.resolve().name
    return int(name) if re.fullmatch("(19|2[0-9])[0-9][0-9]", name) else None


def watch(watched: Watched, tell: Callable[[str], None], warn: Callable[[Iterable[Diagnostic]], None]) -> None:
    """Run now and on each save, until interrupted; results lie in a folder that is removed at the end.

    `tell` is given what changed against the last good result, `warn` what has to be mended.
    """
    with TemporaryDirectory(prefix="evaluator-") as temporary:
        rounds = _Rounds(watched, Path(temporary), warn)
        before: Seen | None = None
        for seen in _saves(watched):
            changed = sorted(_changed(before, seen)) if before is not None else []
            before = seen
            for text in rounds.run(changed):
                tell(text)


def _saves(watched: Watched) -> Iterator[Seen]:
    """Give the files now and after each change, once nothing has changed any more for a moment."""
    given: Seen | None = None
    before = _seen(watched)
    while True:
        if before != given:
            given = before
            yield before
        time.sleep(SECONDS)
        now = _seen(watched)
        while now != before:
            before = now
            time.sleep(SECONDS / 5)
            now = _seen(watched)


def _seen(watched: Watched) -> Seen:
    found: Seen = {}
    for path in [*watched.pack.glob("*.yaml"), *watched.data.rglob("*")]:
        try:
            about = path.stat()
        except OSError:  # it has gone meanwhile
            continue
        if path.is_file():
            found[path] = (about.st_mtime_ns, about.st_size)
    return found


def _changed(before: Seen, now: Seen) -> set[Path]:
    return {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}


class _Rounds:
    """One run after the other, each compared with the last good one."""

    def __init__(self, watched: Watched, temporary: Path, warn: Callable[[Iterable[Diagnostic]], None]) -> None:
        self.watched, self.temporary, self.warn = watched, temporary, warn
        self.good: tuple[Path, Pack] | None = None
        self.number = 0

    def run(self, changed: list[Path]) -> Iterator[str]:
        """Run once, and say what came of it."""
        if changed and self.good is not None:
            yield f"\n{say(self.good[1], 'watch saved', ', '.join(path.name for path in changed))}"
        try:
            folder, pack = self._assess()
            if self.good is None:
                yield say(pack, "watch first", _counts(folder, pack))
            else:
                yield short_comparison(evaluator.compare(self.good[0], folder, pack.shown_in))
                shutil.rmtree(self.good[0])
            self.good = folder, pack
        except Stop as stopped:
            watched = self.watched
            if not all(folder.is_dir() for folder in (watched.pack, watched.data, *watched.history)):
                raise  # there is nothing to save into
            self.warn(stopped.problems)
            if self.good is not None:
                yield say(self.good[1], "watch stays")
            else:
                yield said_in(watched.language or "en", "watch waits")

    def _assess(self) -> tuple[Path, Pack]:
        watched = self.watched
        pack = evaluator.load_pack(watched.pack)
        pack = replace(pack, shown_in=watched.language or pack.shown_in)
        self.number += 1
        folder = self.temporary / str(self.number)
        made = evaluator.run(
            pack, watched.data, watched.year, folder, watched.history, watched.accepts_rejects, warn=self.warn
        )
        return made, pack


def _counts(folder: Path, pack: Pack) -> str:
    counts = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["counts"]["subjects"]
    return ", ".join(f"{pack.label(kind)} {count}" for kind, count in counts.items())


def short_comparison(found: Comparison) -> str:
    """Return what changed between two runs in a few lines: the rules, how many, and the first of them."""
    words = Words(found)
    lines = [line for cause in found.rules for depth, line in words.cause(cause) if depth == 0]
    if not found.subjects:
        return "\n".join([*lines, say(words.pack, "nothing changed")])
    moved = [one for one in found.subjects if not _is_rank_only(one)]
    lines += ["", words.summary(), ""]
    for one in moved[:MOST_SHOWN]:
        changes = " · ".join(words.change(one.kind, change) for change in one.changes if change.sort != "subject")
        lines.append(f"  {words.title(one)}" + (f": {changes}" if changes else ""))
    if len(moved) > MOST_SHOWN:
        lines.append(f"  {say(words.pack, 'watch more', len(moved) - MOST_SHOWN)}")
    if len(moved) < len(found.subjects):
        lines.append(say(words.pack, "only ranks", len(found.subjects) - len(moved)))
    return "\n".join(lines).strip("\n")


def _is_rank_only(one: ChangedSubject) -> bool:
    return one.how == "changed" and all(change.sort == "rank" for change in one.changes)
