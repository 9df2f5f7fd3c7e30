"""Cases on the edge: for each threshold a subject just below, one exactly at it, and one just above.

What they come to is what the engine says, and so each is marked to be confirmed by somebody who reads the source. They
are written to a folder of their own; `test` runs them once they lie in the folder `cases`.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from evaluator.diagnostics import Problems, Span, Stop
from evaluator.engine.decide import Bench
from evaluator.pack.check import load_pack
from evaluator.pack.check_case import case_of, load_cases, value_types
from evaluator.pack.definitions import KindDef, Pack
from evaluator.pack.nodes import Compare, Name
from evaluator.pack.source import read_text
from evaluator.report.words import said_in
from evaluator.workbench.cases.conditions import leaves
from evaluator.workbench.cases.differences import values_of
from evaluator.workbench.cases.given import as_given
from evaluator.workbench.cases.looks import Look, looks
from evaluator.workbench.cases.run import assessed
from evaluator.workbench.cases.settable import Near, Unsettable, around, beside, met
from evaluator.workbench.cases.written import Cells, Written, write_new

SIDES = {-1: "below", 0: "at", 1: "above"}


@dataclass(frozen=True, slots=True)
class Threshold:
    """A value that is compared with a constant: where, as written, what it decides, and the comparison."""

    at: Span
    text: str
    look: Look
    compared: Compare


@dataclass(slots=True)
class Boundaries:
    """The cases that were written, and the thresholds that have none, with the reason."""

    folder: Path
    written: list[Path] = field(default_factory=list)
    without: list[tuple[Threshold, str]] = field(default_factory=list)

    def __str__(self) -> str:
        count = len(self.written)
        lines = [f"{count} case{'s' if count != 1 else ''} in {self.folder}, to be confirmed and moved to its parent"]
        if not count:
            lines = ["no case was written"]
        if self.without:
            lines += ["", "thresholds without a case:"]
            lines += [f"  {one.at}: {one.text} ({one.look.of}): {why}" for one, why in self.without]
        return "\n".join(lines)


def write_boundaries(folder: Path, out: Path, progress: Callable[[str], None] = lambda _: None) -> Boundaries:
    """Write a case for each threshold of a pack that a case can stand on; raise Stop where one is there already."""
    load_pack(folder)
    pack = as_given(load_pack(folder, for_cases=True))
    year = _year_of(folder, pack)
    result = Boundaries(out)
    made: list[tuple[Path, str]] = []
    count: Counter[str] = Counter()
    found = list(thresholds(pack))
    filled: set[str] = set()
    with closing(Bench()) as bench:
        for place, threshold in enumerate(found, 1):
            progress(f"threshold {place} of {len(found)}")
            try:
                written = _case_at(pack, threshold, year, bench, filled)
            except Unsettable as why:
                result.without.append((threshold, str(why)))
                continue
            name = threshold.look.of.replace(" ", "-")
            count[name] += 1
            made.append((out / f"{name}.{count[name]}.yaml", str(written)))
    for file, text in made:
        if not (file.is_file() and file.read_text(encoding="utf-8") == text):
            write_new(file, text)
        result.written.append(file)
    return result


def _year_of(folder: Path, pack: Pack) -> int:
    """Return the year cases are written for: the last one of the cases there are, or in which the pack is in force."""
    if any((folder / "cases").glob("*.yaml")):
        return max(case.model.year for case in load_cases(folder, pack))
    days = [day for day in (pack.in_force.to, pack.in_force.from_) if day is not None] if pack.in_force else []
    return next((day.year for day in days), dt.date.today().year)


def thresholds(pack: Pack) -> Iterator[Threshold]:
    """Give every comparison with a constant, and every cap and floor that is one, in the order of the files."""
    found: dict[tuple[Span, str], Threshold] = {}
    for look in looks(pack):
        formula = look.formula
        if look.bound:
            assert isinstance(formula.node, Compare)
            bound = Threshold(formula.at, f"{look.bound} {formula.text}", look, formula.node)
            found.setdefault((bound.at, bound.text), bound)
            continue
        for leaf in leaves(formula.node):
            if leaf.edge is not None:
                one = Threshold(formula.span(leaf.node.place), leaf.written(formula), look, leaf.edge)
                found.setdefault((one.at, one.text), one)
    return iter(sorted(found.values(), key=lambda one: one.at))


def _case_at(pack: Pack, threshold: Threshold, year: int, bench: Bench, filled: set[str]) -> Written:
    """Return the case of a threshold; raise Unsettable with the reason where there can be none.

    `filled` are the kinds all whose fields were found to be needed.
    """
    look = threshold.look
    kind = pack.kinds.get(look.over.owner)
    name = look.of.partition(".")[2]
    if kind is None or look.over.links or look.over.is_combined:
        raise Unsettable("it is looked at for each record")
    if look.of.endswith(("not_assessed", "not_ranked")):
        name = "reason"
    if name not in value_types(kind):
        raise Unsettable("it is of a roster")
    near = _near(kind, threshold)
    given = _beside(kind, look, threshold) | near.beside
    failed = ""
    everything = _filled(pack, kind, year)
    for others in [everything] if kind.name in filled else [{}, everything]:
        rows: list[Cells] = [
            {**_key(kind, number, side), **others, **given, near.column: value}
            for number, (side, value) in enumerate(near.values, 1)
        ]
        title = said_in(pack.language, "boundary", threshold.text, look.of)
        written = Written(title, year, {kind.name: rows}, note=said_in(pack.language, "to confirm"))
        try:
            found = _found(pack, kind, written, [name], bench)
        except Stop as stopped:
            failed = f"the run stops: {stopped.problems[0].message}"
            continue
        if others:
            filled.add(kind.name)
        if len({str(row[name]) for row in found}) == 1:
            raise Unsettable("something else decides: all three come out alike")
        keys = [{key: row[key] for key in kind.table.key} for row in rows]
        written.expect[kind.name] = [key | {name: row[name]} for key, row in zip(keys, found, strict=True)]
        return written
    raise Unsettable(failed)


def _near(kind: KindDef, threshold: Threshold) -> Near:
    """Return what to give around the threshold; of a cap, around what the line comes to."""
    left, right = threshold.compared.left, threshold.compared.right
    if threshold.look.bound:
        assert isinstance(left, Name)
        line = next(line for line in kind.lines if f"raw.{line.id}" == left.leaf)
        if line.points is None or line.aggregate is not None or line.base is not None or line.times:
            raise Unsettable("what the line comes to is no value that can be given")
        left = line.points.node
    return around(kind, left, right)


def _beside(kind: KindDef, look: Look, threshold: Threshold) -> dict[str, object]:
    """Return what else to give, so that nothing but the threshold decides."""
    given: dict[str, object] = {}
    verdict = kind.verdicts.get(look.of.partition(".")[2])
    for rule in reversed(verdict.rules if verdict is not None else ()):  # that none of the others decides
        if rule.when is not None and rule.when.at != look.formula.at:
            given |= met(kind, rule.when.node, False)
    for condition in look.reach.when:
        given |= met(kind, condition.node, True)
    if not look.bound:
        leaf = next(
            leaf.node for leaf in leaves(look.formula.node) if leaf.edge is not None and leaf.edge == threshold.compared
        )
        given |= beside(kind, look.formula.node, leaf)
    return given


def _key(kind: KindDef, number: int, side: int) -> dict[str, object]:
    """Return the key of a subject: named by its side where it may be."""
    key: dict[str, object] = {}
    for name in kind.table.key:
        made = kind.table.fields[name].type
        if made.base != "text" or made.values or len(kind.table.key) > 1:
            if not made.is_number:
                raise Unsettable(f"{kind.name} has a key that cannot be made up")
            key[name] = number
        else:
            key[name] = SIDES[side]
    return key


def _filled(pack: Pack, kind: KindDef, year: int) -> dict[str, object]:
    """Return values for all fields a sheet must fill, for where the run needs one that the case is not about."""
    values: dict[str, object] = {"number": 0, "integer": 0, "boolean": False, "date": pack.period.ends(year)}
    models = {str(name): model for name, model in kind.table.model.fields.items()}
    return {
        one.name: one.type.values[0] if one.type.values else values[one.type.base]
        for one in kind.table.fields.values()
        if not (one.is_derived or models[one.name].optional or one.default is not None or one.name in kind.table.key)
        and (one.type.values or one.type.base in values)
    }


def _found(pack: Pack, kind: KindDef, written: Written, names: list[str], bench: Bench) -> list[dict[str, Any]]:
    """Run a case and return what its subjects come to; raise Stop where the run does."""
    problems = Problems()
    draft = Written(written.case, written.year, written.given, stops=("R101",))
    tree = read_text(str(draft), "the case", problems)
    case = case_of(tree, pack, problems) if tree is not None else None
    problems.stop_on_errors()
    assert case is not None
    with (
        TemporaryDirectory(prefix="evaluator-") as temporary,
        assessed(pack, case, bench, temporary, lambda _: None) as made,
    ):
        return [values_of(made.state, kind, key, names) for key in case.years[-1].keys(kind)]
