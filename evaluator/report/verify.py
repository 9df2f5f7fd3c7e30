"""Whether a run folder is what a run wrote: every file, what it was made from, the runs before it, and run again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from python_calamine import CalamineWorkbook
from sqlglot import exp

from evaluator.data.chain import STAGES, run_with_hash
from evaluator.data.hashes import digest, hash_of, hash_of_bytes
from evaluator.data.history import MANIFEST
from evaluator.data.sources import SETTINGS_FILE, find_sheets
from evaluator.diagnostics import Problems, Stop
from evaluator.pack.check import load_pack
from evaluator.report.repeat import INPUTS, PACK, Manifest, manifest_of, places, repeat, shortened
from evaluator.report.text import as_table
from evaluator.report.words import said_in
from evaluator.sql.duck import DuckDatabase
from evaluator.sql.trees import parquet

Named = Literal["files", "pack", "data", "chain", "history", "repeated"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not hold: the file or folder, what was expected, what is there."""

    file: str
    expected: str
    found: str


@dataclass(slots=True)
class Check:
    """One thing that was checked, what was found, and what does not hold."""

    name: Named
    found: str = ""
    faults: list[Fault] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        """Whether everything holds."""
        return not self.faults


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked of a run folder. `str()` of it is the text."""

    folder: Path
    language: str
    checks: tuple[Check, ...]

    @property
    def is_ok(self) -> bool:
        """Whether everything holds."""
        return all(check.is_ok for check in self.checks)

    def __str__(self) -> str:
        rows = []
        for check in self.checks:
            found = check.found if check.is_ok else said_in(self.language, "not all holds", len(check.faults))
            rows.append(["✓" if check.is_ok else "✗", said_in(self.language, f"check {check.name}"), found])
        headings = ["", *(said_in(self.language, word) for word in ("checked", "found"))]
        parts = [str(self.folder), "", as_table(headings, rows)]
        faults = [(check, fault) for check in self.checks for fault in check.faults]
        if not faults:
            return "\n".join([*parts, "", said_in(self.language, "all holds")])
        expected, there = said_in(self.language, "expected"), said_in(self.language, "there is")
        for check, fault in faults:
            parts += ["", f"✗ {said_in(self.language, f'check {check.name}')}: {fault.file}"]
            parts += [f"  {expected}: {fault.expected}", f"  {there}: {fault.found}"]
        return "\n".join(parts)


def verify(
    folder: Path,
    data: Path | None = None,
    pack: Path | None = None,
    history: Iterable[Path] = (),
    supersedes: Iterable[Path] = (),
    language: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Verification:
    """Check a run folder and say of each thing whether it holds; raise Stop where it is no run folder."""
    manifest = manifest_of(folder)
    made = _Verifier(folder, manifest, language or manifest.language)
    past, before = list(history), list(supersedes)
    progress(f"checking {folder}")
    checks = [made.files(), made.pack(pack), made.data(data), made.chain(before), made.history(past)]
    progress(f"running {folder} again")
    checks.append(made.repeated(data, pack, past, before))
    return Verification(folder, made.language, tuple(checks))


class _Verifier:
    def __init__(self, folder: Path, manifest: Manifest, language: str) -> None:
        self.folder, self.manifest, self.language = folder, manifest, language

    def say(self, key: str, *values: object) -> str:
        """Return a fixed sentence in the readers' language."""
        return said_in(self.language, key, *values)

    def files(self) -> Check:
        """Every file is there, with the hash the manifest says, and no other."""
        wanted = self.manifest.outputs
        check = Check("files", self.say("files as said", len(wanted)))
        present = {name: path for name, path in _files_of(self.folder) if name != MANIFEST}
        for name in sorted(wanted.keys() | present.keys()):
            expected, found = wanted.get(name), present.get(name)
            check.faults += self._compared(name, expected, hash_of(found) if found is not None else None)
        return check

    def _compared(self, name: str, expected: str | None, found: str | None) -> list[Fault]:
        """Return the fault where a file is missing, too many, or has another hash."""
        if expected == found:
            return []
        wanted = self.say("no file") if expected is None else self.say("hash", shortened(expected))
        there = self.say("missing file") if found is None else self.say("hash", shortened(found))
        return [Fault(name, wanted, self.say("a file") if expected is None else there)]

    def pack(self, given: Path | None) -> Check:
        """The pack that was kept, and the one that is given, are the one the run was made with."""
        noted = {
            name.removeprefix(f"{PACK}/"): value
            for name, value in self.manifest.outputs.items()
            if name.startswith(f"{PACK}/")
        }
        kept = {name: hash_of(path) for name, path in _files_of(self.folder / PACK)}
        check = Check("pack", self.say("files hold", len(noted)))
        check.faults += self._compared(f"{PACK}/", self.manifest.pack.sha256, digest(kept))
        if given is not None:
            there = {name: hash_of_bytes(content) for name, content in load_pack(given).files.items()}
            for name in sorted(noted.keys() | there.keys()):
                check.faults += self._compared((given / name).as_posix(), noted.get(name), there.get(name))
        return check

    def data(self, given: Path | None) -> Check:
        """The data files that were kept, and those that are given, are those the run was made from."""
        noted = self.manifest.data.files
        check = Check("data", self.say("files hold", len(noted)))
        check.faults += self._compared(MANIFEST, self.manifest.data.sha256, digest(noted))
        kept = self.folder / INPUTS
        if kept.is_dir():
            check.faults += self._sheets(INPUTS, noted, {name: hash_of(path) for name, path in _files_of(kept)})
        if given is not None:
            problems = Problems()
            there = {sheet.file: sheet.sha256 for sheet in find_sheets(given, problems)}
            problems.stop_on_errors()
            if (given / SETTINGS_FILE).is_file():
                there[SETTINGS_FILE] = hash_of(given / SETTINGS_FILE)
            check.faults += self._sheets(given.as_posix(), noted, there)
        return check

    def _sheets(self, place: str, noted: dict[str, str], there: dict[str, str]) -> Iterator[Fault]:
        for name in sorted(noted.keys() | there.keys()):
            yield from self._compared(f"{place}/{name}", noted.get(name), there.get(name))

    def chain(self, named: list[Path]) -> Check:
        """The run before is found by its hash, its stage is not later, and so on down to the first."""
        check = Check("chain", self.say("first of chain"))
        met: list[str] = []
        folder, manifest = self.folder, self.manifest
        while manifest.supersedes is not None:
            before = manifest.supersedes
            place = run_with_hash(before.sha256, places(self.folder, named))
            wanted = self.say("a run with hash", before.stage, shortened(before.sha256))
            if place is None:
                there = self.say("no run with hash", shortened(before.sha256))
                check.faults.append(Fault(str(folder), wanted, f"{there}; {self.say('name with', '--supersedes')}"))
                break
            earlier = manifest_of(place)
            if STAGES.index(earlier.stage) > STAGES.index(manifest.stage):
                check.faults.append(Fault(str(place), self.say("stage not after", manifest.stage), earlier.stage))
            if earlier.stage != before.stage:
                check.faults.append(Fault(str(place), before.stage, earlier.stage))
            check.faults += self._same_year(place, earlier)
            met.append(f"{place.name} ({earlier.stage})")
            folder, manifest = place, earlier
        if met:
            check.found = " ← ".join([f"{self.folder.name} ({self.manifest.stage})", *met])
        return check

    def _same_year(self, place: Path, earlier: Manifest) -> list[Fault]:
        own, other = ((one.pack.name, one.year) for one in (self.manifest, earlier))
        if own == other:
            return []
        return [Fault(str(place), self.say("of the same", *own), self.say("of the same", *other))]

    def history(self, named: list[Path]) -> Check:
        """The runs of earlier years are found by their hashes."""
        years = [past.year for past in self.manifest.history]
        check = Check(
            "history", self.say("years found", ", ".join(map(str, years))) if years else self.say("no history")
        )
        for past in self.manifest.history:
            place = run_with_hash(past.sha256, places(self.folder, named))
            if place is None:
                there = self.say("no run with hash", shortened(past.sha256))
                wanted = self.say("a run with hash", past.year, shortened(past.sha256))
                check.faults.append(Fault(str(self.folder), wanted, f"{there}; {self.say('name with', '--history')}"))
            elif (found := manifest_of(place).year) != past.year:
                check.faults.append(Fault(str(place), str(past.year), str(found)))
        return check

    def repeated(self, data: Path | None, pack: Path | None, history: list[Path], named: list[Path]) -> Check:
        """The same run made again leaves the same bytes, or the same rows where versions differ."""
        check = Check("repeated")
        with tempfile.TemporaryDirectory(prefix="evaluator-") as temporary:
            try:
                again = repeat(self.folder, Path(temporary) / "again", data, pack, history, named)
            except Stop as stopped:
                for problem in stopped.problems:
                    said = str(problem).replace("\n", "\n    ")
                    there = f"{self.say('not run again')}\n    {said}"
                    check.faults.append(Fault(str(self.folder), self.say("bytes"), there))
                return check
            self._compare_folders(again, check)
        return check

    def _compare_folders(self, again: Path, check: Check) -> None:
        ours, theirs = self.manifest.versions, manifest_of(again).versions
        same_versions = ours == theirs
        own, made = ((dict(_files_of(f)) if same_versions else _tables_of(f)) for f in (self.folder, again))
        if same_versions:
            check.found = self.say("same bytes", len(made))
        else:
            names = sorted(ours.keys() | theirs.keys())
            changed = [f"{n} {ours.get(n, '–')} → {theirs.get(n, '–')}" for n in names if ours.get(n) != theirs.get(n)]
            check.found = self.say("same rows", ", ".join(changed), len(made))
        for name in sorted(own.keys() | made.keys()):
            if name not in own or name not in made:
                wanted = self.say("no file") if name in own else self.say("a file")
                check.faults.append(Fault(name, wanted, self.say("a file" if name in own else "missing file")))
            elif own[name].is_dir() or made[name].is_dir() or own[name].read_bytes() != made[name].read_bytes():
                if same_versions:
                    where = self.say("bytes from", _first_difference(own[name].read_bytes(), made[name].read_bytes()))
                    check.faults.append(Fault(name, self.say("bytes"), where))
                elif (differs := self._content(own[name], made[name])) is not None:
                    check.faults.append(Fault(name, self.say("rows"), differs))

    def _content(self, own: Path, made: Path) -> str | None:
        """Say how the content of two files differs; None where it is the same."""
        try:
            if own.suffix == ".parquet":
                rows = _rows_that_differ(own, made)
                return self.say("other rows", rows) if rows else None
            if own.suffix == ".xlsx":
                same = _cells(own) == _cells(made)
            elif own.name == MANIFEST:
                same = _said(own) == _said(made)
            else:
                same = False
        except Exception as wrong:  # whatever was done to the file, it cannot be read
            return str(wrong).split("\n")[0]
        return None if same else self.say("other content")


def _files_of(folder: Path) -> list[tuple[str, Path]]:
    """Return every file below a folder with its name there."""
    return [(path.relative_to(folder).as_posix(), path) for path in sorted(folder.rglob("*")) if path.is_file()]


def _tables_of(folder: Path) -> dict[str, Path]:
    """Return every file below a folder with its name there; the files of one table, as Spark writes them, as one."""
    found: dict[str, Path] = {}
    for name, path in _files_of(folder):
        is_part = path.parent.suffix == ".parquet"
        found[str(Path(name).parent) if is_part else name] = path.parent if is_part else path
    return found


def _first_difference(own: bytes, made: bytes) -> int:
    """Return the place of the first byte that differs, from 1."""
    same = next((at for at, (a, b) in enumerate(zip(own, made, strict=False)) if a != b), min(len(own), len(made)))
    return same + 1


def _rows_that_differ(own: Path, made: Path) -> int:
    """Return how many rows one table has and the other has not."""
    database = DuckDatabase()
    try:
        sides = [exp.select(exp.Star()).from_(parquet(file), copy=False) for file in (own, made)]
        first, second = (list(database.described(side).items()) for side in sides)
        if first != second:
            return max(database.count(parquet(file)) for file in (own, made)) or 1
        return sum(
            database.count(exp.except_(a.copy(), b.copy(), distinct=False).subquery("x", copy=False))
            for a, b in (sides, reversed(sides))
        )
    finally:
        database.close()


def _cells(file: Path) -> list[tuple[str, list[list[Any]]]]:
    book = CalamineWorkbook.from_path(str(file))
    return [(name, book.get_sheet_by_name(name).to_python()) for name in book.sheet_names]


def _said(file: Path) -> dict[str, Any]:
    """Return what a manifest says besides what made it, and the hashes of what is compared by itself."""
    held = json.loads(file.read_text(encoding="utf-8"))
    return {name: value for name, value in held.items() if name not in ("versions", "engine", "outputs")}
