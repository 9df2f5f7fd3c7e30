"""Two runs compared: which subjects changed, in what, and what each change came from."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from evaluator.data.chain import DRAFT, manifest_hash
from evaluator.data.history import stored_as
from evaluator.diagnostics import Problems, Stop, closest
from evaluator.pack.definitions import KindDef
from evaluator.pack.nodes import Name
from evaluator.pack.types import TEXT
from evaluator.report.comparing.causes import Causes
from evaluator.report.comparing.changes import Delta, deltas_of, ranks_of, shared_kinds
from evaluator.report.comparing.model import (
    Change,
    ChangedSubject,
    ComparedKind,
    ComparedRun,
    Comparison,
    Count,
    Matrix,
    Sort,
    each_once,
)
from evaluator.report.comparing.pack import PackDiff, points_name
from evaluator.report.comparing.records import RecordDiffs
from evaluator.report.comparing.values import Both, Side, plain, written
from evaluator.report.reopen import reopen
from evaluator.sql.duck import DuckDatabase

ANY = "any"
Ranks = dict[str, dict[str, tuple[str | None, str | None]]]


def compare(before: Path, after: Path, language: str | None = None) -> Comparison:
    """Compare two run folders; raise Stop where one is none, or they have no kind in common."""
    with ExitStack() as open_:
        sides = [Side(open_.enter_context(reopen(folder, language))) for folder in (before, after)]
        database = DuckDatabase()
        open_.callback(database.close)
        place = Path(open_.enter_context(tempfile.TemporaryDirectory(prefix="evaluator-")))
        runs = Both(sides[0], sides[1], database, place)
        if not list(shared_kinds(runs)):
            kinds = [", ".join(side.pack.kinds) for side in sides]
            raise Stop.of("R211", f"{before} has {kinds[0]}, and {after} has {kinds[1]}")
        return _Comparer(runs).comparison()


class _Comparer:
    def __init__(self, runs: Both) -> None:
        self.runs = runs
        self.packs = PackDiff(runs.before.pack, runs.after.pack)
        self.records = RecordDiffs(runs, self.packs)
        self.kinds = list(shared_kinds(runs))
        self.deltas = {kind: deltas_of(runs, kind) for kind in self.kinds}
        self.causes = Causes(runs, self.packs, self.records, self.deltas)

    def comparison(self) -> Comparison:
        subjects: list[ChangedSubject] = []
        kinds = []
        for kind in self.kinds:
            changed = list(self._changed(kind))
            subjects += changed
            kinds.append(self._kind(kind, changed))
        tables = [name for name in self.runs.before.pack.tables if name in self.runs.after.pack.tables]
        names = [list(side.pack.kinds) for side in self.runs.sides]
        made = Comparison(
            before=_run(self.runs.before), after=_run(self.runs.after), language=self.runs.after.pack.shown_in,
            kinds=tuple(kinds),
            kinds_of_one=tuple(name for own in names for name in own if name not in self.kinds),
            rules=self.packs.everything(),
            records={name: len(found) for name in tables if (found := self.records.of(name))},
            subjects=tuple(subjects),
        )  # fmt: skip
        made._packs = (self.runs.before.pack, self.runs.after.pack)
        return made

    def _both(self, kind: str) -> tuple[KindDef, KindDef]:
        before, after = (side.pack.kinds[kind] for side in self.runs.sides)
        return before, after

    def _changed(self, kind: str) -> Iterator[ChangedSubject]:
        """Give the subjects that changed, in the order of their keys."""
        ranks = {one.id: ranks_of(self.runs, one.name) for one, _ in self._rosters(kind)}
        deltas = self.deltas[kind]
        self.causes.sums.passing.ranked[kind] = {key for found in ranks.values() for key in found}
        others = {key for found in ranks.values() for key in found} - deltas.keys()
        unnamed = self._names(kind, others)
        for key in sorted(deltas.keys() | others):
            delta = deltas.get(key)
            changes = tuple(self._changes(kind, key, delta, ranks))
            if changes:
                name, how = (delta.name, delta.how) if delta is not None else (unnamed[key], "changed")
                yield ChangedSubject(kind=kind, key=key, name=name, how=how, changes=changes)

    def _names(self, kind: str, keys: set[str]) -> dict[str, str]:
        """Return what subjects are called of which only the rank changed."""
        side = self.runs.after
        display = Name(TEXT, True, (0, 0), (), kind, side.pack.kinds[kind].display)
        found = side.values(side.pack, side.pack.kinds[kind], [display], sorted(keys)) if keys else {}
        return {key: str(row[0]) for key, row in (found or {}).items()}

    def _changes(self, kind: str, key: str, delta: Delta | None, ranks: Ranks) -> Iterator[Change]:
        if delta is not None and delta.how != "changed":
            before, after = (None, key) if delta.how == "added" else (key, None)
            causes = self.causes.of(kind, "subject", key)
            yield Change(sort="subject", name="subject", before=before, after=after, causes=causes)
            return
        if delta is not None:
            for sort, name in self._compared(kind):
                if delta.differs(name):
                    values = [written(side.get(name)) for side in (delta.before, delta.after)]
                    causes = self.causes.of(kind, name, key)
                    shown = name.removeprefix("points." if sort == "line" else "#")
                    yield Change(sort=sort, name=shown, before=values[0], after=values[1], causes=causes)
        for one, other in self._rosters(kind):
            found = ranks[one.id].get(key)
            if found is not None:
                causes = each_once(self.causes.sums.passing.of_rank(one, other, key, found))
                yield Change(sort="rank", name=one.id, before=found[0], after=found[1], causes=causes)

    def _rosters(self, kind: str) -> list[tuple[Any, Any]]:
        before, after = self._both(kind)
        return [(one, other) for one in before.rosters for other in after.rosters if one.id == other.id]

    def _compared(self, kind: str) -> list[tuple[Sort, str]]:
        """Return what is compared of a kind besides ranks."""
        before, after = self._both(kind)
        found: list[tuple[Sort, str]] = [("apart", name) for name in ("#reason", "is_assessed", "is_ranked")]
        found += [("verdict", name) for name in after.verdicts if name in before.verdicts]
        found += [("total", "total")] if before.score is not None and after.score is not None else []
        lines = dict.fromkeys(line.id for made in (after, before) for line in made.lines if line.id != "total")
        return found + [("line", points_name(line)) for line in lines]

    def _kind(self, kind: str, changed: list[ChangedSubject]) -> ComparedKind:
        before, after = self._both(kind)
        files = (self.runs.before.file(kind), self.runs.after.file(kind))
        matrices = []
        for verdict in after.verdicts:
            if verdict in before.verdicts:
                rows = self.runs.grouped(files, stored_as(verdict))
                counts = [Count(before=plain(a), after=plain(b), subjects=n) for a, b, n in rows]
                levels = [plain(str(value)) for made in (before, after) for value in made.verdicts[verdict].type.values]
                order = {value: place for place, value in enumerate(dict.fromkeys(levels))}
                met = {value for count in counts for value in (count.before, count.after)}
                values = sorted(met, key=lambda value: (value is None, order.get(value, len(order)), value or ""))
                counts.sort(key=lambda count: (values.index(count.before), values.index(count.after)))
                matrices.append(Matrix(verdict=verdict, values=tuple(values), counts=tuple(counts)))
        names = Counter(_counted_as(change) for one in changed for change in one.changes)
        sizes = [side.database.count(side.run.state.location(kind)) for side in self.runs.sides]
        own = [{*made.verdicts, *(line.id for line in made.lines), *(f"rank.{r.id}" for r in made.rosters)}
               for made in (before, after)]  # fmt: skip
        hows = Counter(one.how for one in changed)
        return ComparedKind(
            kind=kind, before=sizes[0], after=sizes[1], appeared=hows["added"], gone=hows["removed"],
            changed=hows["changed"], changes=dict(sorted(names.items())), matrices=tuple(matrices),
            not_compared=tuple(sorted(own[0] ^ own[1])),
        )  # fmt: skip


def _counted_as(change: Change) -> str:
    return f"{change.sort}.{change.name}" if change.sort in ("line", "rank") else change.name


def _run(side: Side) -> ComparedRun:
    manifest = side.run.manifest
    return ComparedRun(
        folder=str(side.run.folder), pack=side.pack.name, year=manifest["year"], stage=manifest.get("stage", DRAFT),
        sha256=manifest_hash(side.run.folder),
    )  # fmt: skip


# --- what a command asks of it ---


def shown_as(found: Comparison, form: str) -> str:
    """Return a comparison as text, JSON or a page."""
    if form == "json":
        return found.model_dump_json(indent=1)
    if form == "html":
        from evaluator.report.comparing.html import comparison_page

        return comparison_page(found)
    return str(found)


def has_changed(found: Comparison, wanted: str | None) -> bool:
    """Whether one of these names, joined by commas, changed; raise Stop where one is none."""
    if wanted is None:
        return False
    before, after = found._packs
    kinds = [(after.kinds[one.kind], before.kinds[one.kind]) for one in found.kinds]
    verdicts = {(kind.name, name) for kind, other in kinds for name in kind.verdicts if name in other.verdicts}
    known = {ANY, "total", "rank", *(name for _, name in verdicts), *(f"{kind}.{name}" for kind, name in verdicts)}
    names = [name.strip() for name in wanted.split(",")]
    problems = Problems()
    for name in names:
        if name not in known:
            near = closest(name, known)
            problems.add("R212", f'nothing is called "{name}"', fix=f"use {near or ', '.join(sorted(known))}")
    problems.stop_on_errors()
    return any(_is_asked(name, one, change) for name in names for one in found.subjects for change in one.changes)


def _is_asked(name: str, one: ChangedSubject, change: Change) -> bool:
    if name == ANY:
        return True
    if change.sort == "subject":  # with a subject everything of it comes or goes
        return "." not in name or name.startswith(f"{one.kind}.")
    if name in ("total", "rank"):
        return change.sort == name
    return change.sort == "verdict" and name in (change.name, f"{one.kind}.{change.name}")
