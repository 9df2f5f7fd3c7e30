"""Pack files set in the one style: what would change, as a diff, or written."""

from __future__ import annotations

import difflib
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import yaml

from evaluator.diagnostics import Problems
from evaluator.pack.lines import decoded
from evaluator.pack.source import LOADER, read_yaml
from evaluator.workbench.editing.layout import read_layout
from evaluator.workbench.editing.saving import saving
from evaluator.workbench.editing.style import styled


@dataclass(frozen=True, slots=True)
class Formatted:
    """A file, its text, and the text in the one style."""

    path: Path
    before: str
    after: str

    @property
    def is_changed(self) -> bool:
        """Whether the text is not in the one style."""
        return self.before != self.after

    def diff(self) -> str:
        """Return what changes, as a unified diff."""
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        name = self.path.as_posix()
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in difflib.unified_diff(before, after, name, name)
        )

    def write(self) -> None:
        """Put the new text in place of the old one, whole or not at all; raise Stop where that cannot be."""
        with saving(self.path):
            with NamedTemporaryFile(
                "w", dir=self.path.resolve().parent, delete=False, encoding="utf-8", newline="\n"
            ) as file:
                file.write(self.after)
            shutil.copymode(self.path, file.name)
            Path(file.name).replace(self.path.resolve())  # what a link leads to


def format_files(places: Iterable[Path]) -> list[Formatted]:
    """Set the files of packs in the one style, without writing them.

    Args:
        places: files, and folders whose YAML files are meant at any depth.

    Raises Stop with what is wrong with their YAML, or with a place that holds none.
    """
    problems = Problems()
    made = []
    for path in dict.fromkeys(_files(places, problems)):
        if read_yaml(path, path.as_posix(), problems) is not None:
            before = decoded(path, path.as_posix(), problems)
            assert before is not None
            made.append(Formatted(path, before, formatted(before)))
    problems.stop_on_errors()
    return made


def formatted(text: str) -> str:
    """Return the text of a pack file in the one style; it says the same, in its comments too."""
    made = styled(text)
    assert made == text or meaning(made) == meaning(text), "what a file says would change"
    return made


def meaning(text: str) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Return what a text says: the parser's events with the text and style of scalars; and its comments in order."""
    events = [
        (type(event).__name__, getattr(event, "value", ""), getattr(event, "style", None) or "")
        for event in yaml.parse(text, Loader=LOADER)
    ]
    return events, list(_comments(text))


def _comments(text: str) -> Iterator[str]:
    whole = re.sub("\r\n|\r", "\n", text)
    layout = read_layout(whole if whole.endswith("\n") else f"{whole}\n")
    ends: dict[int, int] = {}
    for atom in layout.atoms:
        column = atom.start[1]
        for number in range(atom.start[0], atom.end[0] + 1):
            held = len(atom.lines[number - atom.start[0]])
            ends[number] = column + held
            column = 0
    for number, line in enumerate(layout.lines):
        if rest := line[ends.get(number, 0) :].strip():
            yield rest


def _files(places: Iterable[Path], problems: Problems) -> Iterator[Path]:
    for place in places:
        if not place.is_dir():
            yield place
            continue
        found = [path for path in sorted(place.rglob("*.yaml")) if not _is_hidden(path.relative_to(place))]
        if not found:
            problems.add("P101", f"{place} holds no YAML file", fix="name a pack, a file of one, or a folder of packs")
        yield from found


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
