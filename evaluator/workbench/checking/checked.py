"""Packs checked: everything wrong with each, and everything probably wrong, in the order of their files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evaluator.diagnostics import Diagnostic, Problems, Stop
from evaluator.engine.families import check_families
from evaluator.pack.check import read_pack
from evaluator.pack.check_case import CaseDef, load_cases
from evaluator.pack.definitions import Pack
from evaluator.workbench.checking.ignoring import read_comments, without_ignored
from evaluator.workbench.checking.lints import lint


@dataclass(frozen=True, slots=True)
class Checked:
    """A folder that was checked: its pack, if it can be read, and what was found."""

    folder: Path
    pack: Pack | None
    problems: tuple[Diagnostic, ...]

    @property
    def has_errors(self) -> bool:
        """Whether anything found is an error."""
        return any(problem.severity == "error" for problem in self.problems)

    @property
    def summary(self) -> str:
        """One line that says what the pack holds; empty where it could not be read."""
        if self.pack is None or self.has_errors:
            return ""
        kinds, tables = self.pack.kinds.values(), len(self.pack.tables)
        lines, verdicts = sum(len(kind.lines) for kind in kinds), sum(len(kind.verdicts) for kind in kinds)
        counts = [
            f"{count} {one if count == 1 else many}"
            for count, one, many in (
                (tables, "table", "tables"),
                (lines, "line of score", "lines of score"),
                (verdicts, "verdict", "verdicts"),
            )
        ]
        holds = f"{', '.join(self.pack.kinds)}; {', '.join(counts)}"
        return f"{self.folder}: {'no errors' if self.problems else 'fine'} ({holds})"


@dataclass(frozen=True, slots=True)
class Report:
    """What checking some packs came to."""

    checked: tuple[Checked, ...]

    @property
    def problems(self) -> list[Diagnostic]:
        """Everything found, pack by pack, each in the order of its files."""
        return [problem for one in self.checked for problem in one.problems]

    @property
    def has_errors(self) -> bool:
        """Whether anything found is an error."""
        return any(one.has_errors for one in self.checked)


def check_packs(folders: Iterable[Path]) -> Report:
    """Check packs: raise nothing, collect everything."""
    return Report(tuple(map(_checked, folders)))


def _checked(folder: Path) -> Checked:
    problems, found = Problems(), Problems()
    comments = read_comments(sorted(folder.glob("*.yaml")) if folder.is_dir() else [], problems)
    try:
        written = read_pack(folder)
        pack = written.checked()
        check_families(pack)
    except Stop as stopped:
        problems.extend(stopped.problems)
        return Checked(folder, None, tuple(problems))
    cases: list[CaseDef] = []
    if any((folder / "cases").glob("*.yaml")):
        try:
            cases = load_cases(folder, written.checked(for_cases=True))
        except Stop as stopped:
            problems.extend(stopped.problems)
    lint(pack, cases, found)
    problems.extend(without_ignored(found, comments, problems))
    return Checked(folder, pack, tuple(problems))
