"""Cases on the edge: for each threshold a subject just below, one exactly at it, and one just above.

What is compared is given where a case can give it: a field, a measure, the total. Else subjects are made of records,
all in one case, or each in its own where the records of one count for the others, too. What they come to is what the
engine says, and so each case is marked to be confirmed by somebody who reads the source. They are written to a folder
of their own; `test` runs them once they lie in the folder `cases`.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from evaluator.diagnostics import Stop
from evaluator.engine.decide import Bench
from evaluator.engine.state import State
from evaluator.pack.check_case import value_types
from evaluator.pack.definitions import KindDef, Pack
from evaluator.pack.nodes import Compare
from evaluator.report.words import said_in
from evaluator.solve.program import Program, Untranslatable
from evaluator.sql.lower import Lowering
from evaluator.sql.trees import column, holds
from evaluator.workbench.cases.as_rows import AsRows
from evaluator.workbench.cases.differences import values_of
from evaluator.workbench.cases.edges import ABOVE, AT, BELOW, Edges
from evaluator.workbench.cases.given import load_for_cases
from evaluator.workbench.cases.run import assessed, case_of_text, last_year
from evaluator.workbench.cases.settable import Unsettable, alone, near_to
from evaluator.workbench.cases.thresholds import Threshold, thresholds
from evaluator.workbench.cases.written import Cells, Written, write_all
from evaluator.workbench.proving.somebody import Made

SIDES = {BELOW: "below", AT: "at", ABOVE: "above"}
Given = dict[str, list[Cells]]


@dataclass(slots=True)
class Boundaries:
    """The cases that were written, and the thresholds, or sides of one, that have none, with the reason."""

    folder: Path
    written: list[Path] = field(default_factory=list)
    without: list[tuple[Threshold, str]] = field(default_factory=list)
    partly: list[tuple[Threshold, str]] = field(default_factory=list)

    def __str__(self) -> str:
        count = len(self.written)
        lines = [f"{count} case{'s' if count != 1 else ''} in {self.folder}, to be confirmed and moved to its parent"]
        if not count:
            lines = ["no case was written"]
        for title, found in (("thresholds without a case", self.without), ("sides nobody is on", self.partly)):
            if found:
                lines += ["", f"{title}:", *(f"  {one.at}: {one.text} ({one.look.of}): {why}" for one, why in found)]
        return "\n".join(lines)


def write_boundaries(folder: Path, out: Path, progress: Callable[[str], None] = lambda _: None) -> Boundaries:
    """Write a case for each threshold of a pack that a case can stand on.

    Raises Stop where another file is in the way; none is written then.
    """
    pack = load_for_cases(folder)
    year = last_year(folder) or dt.date.today().year
    result = Boundaries(out)
    made: list[tuple[Path, str]] = []
    count: Counter[str] = Counter()
    found = list(thresholds(pack))
    with ExitStack() as stack:
        bench = stack.enter_context(closing(Bench()))
        writer = _Writer(pack, year, bench, _edges(folder, year, bench, stack))
        for place, threshold in enumerate(found, 1):
            progress(f"threshold {place} of {len(found)}")
            try:
                cases = writer.cases_at(threshold)
            except Unsettable as why:
                result.without.append((threshold, str(why)))
                continue
            if missing := [name for side, name in SIDES.items() if not any(side in one.sides for one in cases)]:
                result.partly.append((threshold, ", ".join(missing)))
            name = threshold.look.of.replace(" ", "-")
            count[name] += 1
            for one in cases:
                side = f"-{SIDES[one.sides[0]]}" if len(cases) > 1 else ""
                made.append((out / f"{name}.{count[name]}{side}.yaml", str(one.written)))
    write_all(made)
    result.written = [file for file, _ in made]
    return result


def _edges(folder: Path, year: int, bench: Bench, stack: ExitStack) -> Edges | None:
    """Return what looks for subjects of records; None where the solver is not installed."""
    try:
        Program()
    except Stop:
        return None
    return stack.enter_context(closing(Edges(folder, year, bench)))


@dataclass(frozen=True, slots=True)
class _Case:
    """A case, the sides its subjects are on, and what these come to."""

    written: Written
    sides: list[int]
    values: list[object]


@dataclass(slots=True)
class _Writer:
    """Writes the cases of a pack for a year."""

    pack: Pack
    year: int
    bench: Bench
    edges: Edges | None
    filled: set[str] = field(default_factory=set)  # kinds all whose fields were found to be needed

    def cases_at(self, threshold: Threshold) -> list[_Case]:
        """Return the case of a threshold, or one for each side; raise Unsettable with the reason if there is none."""
        look = threshold.look
        kind = self.pack.kinds.get(look.over.owner)
        if kind is None or look.over.links or look.over.is_combined:
            raise Unsettable("it is looked at for each record")
        if threshold.decides not in value_types(kind):
            raise Unsettable("it is of a roster")
        try:
            return [self._of_values(threshold, kind)]
        except Unsettable as why:
            if self.edges is None:
                raise Unsettable(f"{why}; what records come to is looked for by the solver") from None
        try:
            return self._of_records(threshold, kind, self.edges)
        except Untranslatable as why:
            raise Unsettable(str(why)) from None

    def _of_values(self, threshold: Threshold, kind: KindDef) -> _Case:
        """Return the case in which what is compared is given."""
        near = near_to(kind, threshold)
        given = alone(kind, threshold) | near.beside

        def rows(others: Cells) -> Given:
            numbered = enumerate(near.values, 1)
            listed: list[Cells] = [
                {**_key(kind, number, side), **others, **given, near.column: value}
                for number, (side, value) in numbered
            ]
            return {kind.name: listed}

        made = self._judged(threshold, kind, [side for side, _ in near.values], rows)
        return _told_apart([made])[0]

    def _of_records(self, threshold: Threshold, kind: KindDef, edges: Edges) -> list[_Case]:
        """Return the case in which subjects come to what is compared by what they are and did."""
        edge = edges.around(threshold)
        own = edges.standings.base.pack.kinds[kind.name]

        def judged(subjects: Sequence[tuple[int, Made]]) -> _Case:
            def rows(others: Cells) -> Given:
                made = AsRows(edges.standings.base, own, edge.moves)
                for number, (side, one) in enumerate(subjects, 1):
                    cells = {
                        name: value for name, value in one.fields.items() if value is not None and (value or others)
                    }
                    made.put(one, _key(kind, number, side), {**others, **cells})
                return made.rows()

            return self._judged(threshold, kind, [side for side, _ in subjects], rows)

        try:
            return _told_apart([judged(edge.sides)])
        except Unsettable as why:
            try:
                return _told_apart([judged([one]) for one in edge.sides])
            except Unsettable:
                raise why from None

    def _judged(self, threshold: Threshold, kind: KindDef, sides: list[int], rows: Callable[[Cells], Given]) -> _Case:
        """Return a case with what the engine makes of its rows: with no more than these, or with all fields filled."""
        everything = _filled(self.pack, kind, self.year)
        failed = ""
        for others in [everything] if kind.name in self.filled else [{}, everything]:
            word = "boundary" if len(sides) > 1 else f"boundary {SIDES[sides[0]]}"
            title = said_in(self.pack.language, word, threshold.text, threshold.look.of)
            given = rows(others)
            written = Written(title, self.year, given, note=said_in(self.pack.language, "to confirm"))
            keys = [{key: row[key] for key in kind.table.key} for row in given[kind.name][: len(sides)]]
            try:
                found = self._run(kind, written, len(sides), threshold)
            except Stop as stopped:
                failed = f"the run stops: {stopped.problems[0].message}"
                continue
            if others:
                self.filled.add(kind.name)
            if [side for side, _ in found] == sides:
                values = [value for _, value in found]
                name = threshold.decides
                written.expect[kind.name] = [key | {name: value} for key, value in zip(keys, values, strict=True)]
                return _Case(written, sides, values)
            failed = "something else moves it: the engine finds somebody on another side"
        raise Unsettable(failed)

    def _run(
        self, kind: KindDef, written: Written, count: int, threshold: Threshold
    ) -> list[tuple[int | None, object]]:
        """Run a case: on which side its first subjects are, and what they come to; raise Stop where the run does."""
        case = case_of_text(str(Written(written.case, written.year, written.given, stops=("R101",))), self.pack)
        with (
            TemporaryDirectory(prefix="evaluator-") as temporary,
            assessed(self.pack, case, self.bench, temporary, lambda _: None) as made,
        ):
            sides = _sides(made.state, kind, threshold.compared)
            name = threshold.decides
            keys = case.years[-1].keys(kind)[:count]
            return [(sides.get(key), values_of(made.state, kind, key, [name])[name]) for key in keys]


def _told_apart(cases: list[_Case]) -> list[_Case]:
    """Return cases whose subjects do not all come to the same; raise Unsettable where they do."""
    if len({str(value) for one in cases for value in one.values}) == 1:
        raise Unsettable("something else decides: all come out alike")
    return cases


def _sides(state: State, kind: KindDef, compared: Compare) -> dict[str, int]:
    """Return on which side of an edge each subject is."""
    rows = state.rows(kind.name, "s")
    lowering = Lowering(rows)
    tests = [holds(lowering.condition(replace(compared, op=op))) for op in ("<", "=", ">")]
    found = state.db.rows(rows.select(column("#key", "s"), *tests))
    return {key: side for key, *is_on in found for side, is_so in zip(SIDES, is_on, strict=True) if is_so}


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
