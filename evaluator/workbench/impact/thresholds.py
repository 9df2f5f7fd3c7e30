"""Numbers of a pack that can be tried with other values: its parameters, and what rules compare with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import evaluator
from evaluator.diagnostics import Problems, Span
from evaluator.pack.definitions import Formula, KindDef, Pack, VerdictDef
from evaluator.pack.nodes import Compare, Const, Node, Recall
from evaluator.pack.scalars import NUMBER
from evaluator.report.comparing.pack import place_of
from evaluator.report.words import plain_fraction
from evaluator.workbench.checking.shapes import written

MOST_VALUES = 200
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ORDERED = tuple(_TURNED)
_BREAK = re.compile("\r\n|\r|\n")
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)(?:/(\d+(?:\.\d+)?))?\Z")


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number of a pack: what it is called, where it is written, and what it is."""

    kind: str  # empty for a parameter
    verdict: str
    level: str
    name: str  # the parameter, or what is compared
    comparison: str
    at: Span
    value: Fraction
    node: Compare | None = None  # the comparison, where nothing but its truth in the year assessed can matter

    def __str__(self) -> str:
        return ":".join(part for part in (self.owner, self.level, self.name) if part)

    @property
    def owner(self) -> str:
        """The verdict it decides on, kind.verdict; empty for a parameter."""
        return f"{self.kind}.{self.verdict}" if self.kind else ""

    @property
    def place(self) -> str:
        """File and line."""
        return place_of(self.at)

    def is_called(self, wanted: str) -> bool:
        """Whether it is meant by a name: the value, or verdict:value, or verdict:level:value, kind.verdict for verdict.

        In place of the value stands the whole comparison where two rules of a level compare the same value.
        """
        *before, name = (part.strip() for part in wanted.split(":"))
        if name not in (self.name, self.comparison):
            return False
        owners = (self.verdict, self.owner)
        match before:
            case []:
                return True
            case [owner]:
                return bool(self.kind) and owner in owners
            case [owner, level]:
                return bool(self.kind) and owner in owners and level == self.level
        return False


def thresholds_of(pack: Pack) -> list[Threshold]:
    """Return the numbers of a pack that can be tried with other values."""
    return [*_parameters(pack), *(one for kind in pack.kinds.values() for one in _compared(pack, kind))]


def _parameters(pack: Pack) -> Iterator[Threshold]:
    for name, parameter in pack.parameters.items():
        model = parameter.model
        if model.constant is None:
            continue
        start = model.key_at("constant") if model.has("constant") else model.at
        found = re.compile(r"(?:constant\s*:\s*)?(-?\d+(?:\.\d+)?)(?![\w.])").match(start.text, start.column - 1)
        if found is not None:
            at = replace(start, column=found.start(1) + 1, length=len(found[1]))
            yield Threshold("", "", "", name, name, at, Fraction(found[1]))


def _compared(pack: Pack, kind: KindDef) -> Iterator[Threshold]:
    for verdict in kind.verdicts.values():
        for level, formula in _formulas(verdict):
            recalled = [id(part) for one in formula.node.walk() if isinstance(one, Recall) for part in one.walk()]
            for node in (part for part in formula.node.walk() if isinstance(part, Compare)):
                for number, other, op in _numbers(node):
                    at = formula.span(number.place)
                    digits = at.text[at.column - 1 : at.column - 1 + at.length]
                    if NUMBER.match(digits) and Fraction(digits) == number.value:
                        name = written(formula, other)
                        only = node if op in _ORDERED and id(node) not in recalled else None
                        yield Threshold(
                            kind.name, verdict.name, level, name, f"{name} {op} {digits}", at, Fraction(digits), only
                        )


def _numbers(node: Compare) -> Iterator[tuple[Const, Node, str]]:
    """Give the number of a comparison, what is compared with it, and how, as if the number came last."""
    if isinstance(node.right, Const) and not isinstance(node.left, Const):
        yield node.right, node.left, node.op
    elif isinstance(node.left, Const) and not isinstance(node.right, Const):
        yield node.left, node.right, _TURNED.get(node.op, node.op)


def _formulas(verdict: VerdictDef) -> Iterator[tuple[str, Formula]]:
    for rule in verdict.rules:
        if rule.when is not None:
            value = rule.value
            yield plain_fraction(value) if isinstance(value, Fraction) else str(value), rule.when
    for formula in (verdict.when, verdict.among, verdict.value):
        if formula is not None:
            yield "", formula


def asked_threshold(pack: Pack, asked: str, problems: Problems) -> tuple[Threshold, list[Fraction]] | None:
    """Return the threshold of NAME=FROM..TO[/STEP], and the values to try; note what is wrong with it."""
    name, sign, written = asked.rpartition("=")
    found = _RANGE.match(written.strip())
    if not sign or not name.strip() or found is None:
        problems.add(
            "R215", f'"{asked}" is no range of a threshold', fix="write it so: total=80..95, or total=80..95/0.5"
        )
        return None
    first, last, step = (Fraction(part) for part in (found[1], found[2], found[3] or "1"))
    if last < first or not step:
        problems.add("R215", f'"{asked}" has no values', fix="write the lower value first, and a step above 0")
        return None
    if (last - first) / step >= MOST_VALUES:
        problems.add("R215", f'"{asked}" has more than {MOST_VALUES} values', fix="write a larger step after /")
        return None
    values = [first + step * n for n in range(int((last - first) / step) + 1)]
    known = thresholds_of(pack)
    fitting = [one for one in known if one.is_called(name.strip())]
    if len(fitting) == 1:
        return fitting[0], values
    if not fitting:
        message = f'no rule of {pack.name} compares "{name.strip()}" with a number, and no parameter is called so'
    else:
        message = f'"{name.strip()}" is compared with a number in {len(fitting)} rules'
    listed = fitting or known
    names = [str(one) for one in listed]
    told = [str(one) if names.count(str(one)) == 1 else ":".join([*str(one).split(":")[:-1], one.comparison])
            for one in listed]  # fmt: skip
    also = [(one.at, f"{text}, now {plain_fraction(one.value)}") for one, text in zip(listed, told, strict=True)]
    problems.add("R214", message, fix="name one of those listed", also=also)
    return None


def with_value(pack: Pack, threshold: Threshold, value: Fraction, folder: Path) -> Pack:
    """Return the pack with another value of a threshold, read from `folder`, where it is written out.

    Raises Stop where the pack is not right with this value.
    """
    for name, content in pack.files.items():
        is_it = name == Path(threshold.at.file).name
        (folder / name).write_bytes(_rewritten(content, threshold, value) if is_it else content)
    return replace(evaluator.load_pack(folder), shown_in=pack.shown_in)


def _rewritten(content: bytes, threshold: Threshold, value: Fraction) -> bytes:
    at, text = threshold.at, content.decode("utf-8")
    starts = [0, *(found.end() for found in _BREAK.finditer(text))]
    begin = starts[at.line - 1] + at.column - 1 + (at.line == 1 and text.startswith("\ufeff"))
    return (text[:begin] + plain_fraction(value) + text[begin + at.length :]).encode()
