"""Mutants of a pack: each has one number shifted by a step, or one comparison made strict or less strict."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from evaluator.diagnostics import Problems, Span
from evaluator.pack.definitions import Formula, Pack
from evaluator.pack.nodes import Compare, Const, Recall
from evaluator.pack.scalars import NUMBER
from evaluator.pack.source import List, Map, Text, read_yaml
from evaluator.workbench.cases.looks import Look, looks

_FLIPPED = {">=": ">", ">": ">=", "<=": "<", "<": "<="}
_SERIES, _PERIOD, _PARAMETERS = "series", "period", "parameters"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of a pack's text: where, what it makes of what is written there, and what that is of."""

    at: Span
    written: str
    changed: str
    of: str

    def __str__(self) -> str:
        return f"{self.at}: {self.written} → {self.changed} ({self.of})"

    @property
    def file(self) -> str:
        """The file of the pack that is changed."""
        return Path(self.at.file).name

    def apply(self, pack: Pack, folder: Path) -> None:
        """Write the files of the pack to a folder, with the change."""
        for file, content in pack.files.items():
            text = content.decode("utf-8").removeprefix("\ufeff")
            if file == self.file:
                lines = re.split("(\r\n|\r|\n)", text)  # with the breaks, so that all else stays as it is
                line = lines[2 * (self.at.line - 1)]
                start = self.at.column - 1
                lines[2 * (self.at.line - 1)] = line[:start] + self.changed + line[start + len(self.written) :]
                text = "".join(lines)
            (folder / file).write_bytes(text.encode("utf-8"))


def mutants(pack: Pack) -> list[Mutant]:
    """Return all mutants of a pack, in the order of its files, each once."""
    found: dict[tuple[Span, str], Mutant] = {}
    for mutant in (*_of_expressions(pack), *_of_values(pack)):
        found.setdefault((mutant.at, mutant.changed), mutant)
    return sorted(found.values(), key=lambda one: (one.at, one.changed))


def steps(written: str) -> list[str]:
    """Return a number shifted up and down by a step: by one, or by one of its last place.

    >>> steps("60"), steps("0.75")
    (['61', '59'], ['0.76', '0.74'])
    """
    value = Decimal(written)
    step = Decimal(1).scaleb(int(value.as_tuple().exponent))
    return [f"{value + step:f}", f"{value - step:f}"]


def _of_expressions(pack: Pack) -> Iterator[Mutant]:
    for look in looks(pack):
        if look.bound:
            continue
        formula = look.formula
        for node in formula.node.walk():
            if isinstance(node, Const):
                yield from _shifted(formula, node.place, look)
            elif isinstance(node, Recall) and isinstance(node.years, int):
                start = sum(node.place) - 1
                if found := re.search(r",\s*(\d+)\s*\Z", formula.text[node.place[0] : start]):
                    yield from _shifted(formula, (node.place[0] + found.start(1), len(found[1])), look)
            elif isinstance(node, Compare) and node.op in _FLIPPED:
                begin, end = sum(node.left.place), node.right.place[0]
                between = formula.text[begin:end]
                if between.count(node.op) == 1 and between.strip(" ()\n") == node.op:
                    at = formula.span((begin + between.index(node.op), len(node.op)))
                    yield from _checked(at, node.op, _FLIPPED[node.op], look.of)


def _shifted(formula: Formula, place: tuple[int, int], look: Look) -> Iterator[Mutant]:
    written = formula.text[place[0] : sum(place)]
    if NUMBER.match(written):
        for changed in steps(written):
            yield from _checked(formula.span(place), written, changed, look.of)


def _checked(at: Span, written: str, changed: str, of: str) -> Iterator[Mutant]:
    """Give a mutant, where its file holds in that place what the expression says."""
    if at.text[at.column - 1 : at.column - 1 + len(written)] == written:
        yield Mutant(at, written, changed, of)


def _of_values(pack: Pack) -> Iterator[Mutant]:
    """Give the mutants of numbers that stand in no expression: of parameters, series, and months of periods."""
    for name in pack.files:
        path = pack.folder / name
        tree = read_yaml(path, path.as_posix(), Problems())
        if tree is not None:
            yield from _below(tree, "")


def _below(tree: object, of: str) -> Iterator[Mutant]:
    if isinstance(tree, List):
        for one in tree:
            yield from _below(one, of)
    if not isinstance(tree, Map):
        return
    named = next((str(tree[key]) for key in tree if key == "id" and isinstance(tree[key], Text)), of)
    for key, value in tree.items():
        if key == _PARAMETERS and isinstance(value, Map):
            for name, parameter in value.items():
                yield from _numbers(parameter, str(name))
        elif key == _SERIES or (key == _PERIOD and of):
            yield from _numbers(value, f"{named} {key}")
        elif key not in ("labels", "clauses", "holidays", "reconcile"):
            yield from _below(value, named if "id" in tree else str(key))


def _numbers(tree: object, of: str) -> Iterator[Mutant]:
    if isinstance(tree, Text):
        if tree.plain and NUMBER.match(tree):
            for changed in steps(str(tree)):
                yield from _checked(tree.at, str(tree), changed, of)
    elif isinstance(tree, List):
        for one in tree:
            yield from _numbers(one, of)
    elif isinstance(tree, Map):
        for key, value in tree.items():
            if key not in ("note", "clause", "is"):
                yield from _numbers(key, of)
                yield from _numbers(value, of)
            elif key == "is":
                yield from (one for entry in _values(value) for one in _numbers(entry, of))


def _values(tree: object) -> Iterator[object]:
    """Give the values of a table of exact arguments, whose arguments are no thresholds."""
    if isinstance(tree, Map):
        yield from tree.values()
