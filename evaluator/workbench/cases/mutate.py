"""Mutants run against the cases: those that no case notices are numbers and signs that could be wrong unseen.

Where a change leaves the records as they are, the years of the cases are not read again: their tables stay open, and
only what is computed of subjects is computed anew.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from evaluator.diagnostics import Problems, Stop
from evaluator.engine.conditions import signature
from evaluator.engine.decide import Bench
from evaluator.engine.entries import find_entries
from evaluator.engine.plan import make_plan
from evaluator.engine.run import Assessment, take
from evaluator.engine.state import State
from evaluator.pack.check import load_pack
from evaluator.pack.check_case import CaseDef
from evaluator.pack.definitions import Pack
from evaluator.pack.in_force import as_in_force
from evaluator.pack.nodes import Lookup
from evaluator.workbench.cases.differences import differences
from evaluator.workbench.cases.given import as_given, with_measures
from evaluator.workbench.cases.looks import looks_at_records
from evaluator.workbench.cases.mutants import Mutant, mutants
from evaluator.workbench.cases.run import assessed, load_tested, run_case


@dataclass(slots=True)
class Mutation:
    """What became of the mutants of a pack: how many cases noticed, how many are no pack, and those that live on."""

    folder: Path
    noticed: int = 0
    refused: int = 0
    unnoticed: list[Mutant] = field(default_factory=list)
    left_out: int = 0

    def __str__(self) -> str:
        count = self.noticed + self.refused + len(self.unnoticed)
        said = f"{count} mutant{'s' if count != 1 else ''} of {self.folder}: {self.noticed} noticed by cases"
        said += f", {self.refused} refused by check" if self.refused else ""
        said += f", {len(self.unnoticed)} noticed by none" if self.unnoticed else ", none unnoticed"
        said += f" ({self.left_out} more were not tried)" if self.left_out else ""
        lines = [f"  {mutant}" for mutant in self.unnoticed]
        return "\n".join([*(["changes that no case notices:", *lines, ""] if lines else []), said])


def mutate(folder: Path, limit: int | None = None, progress: Callable[[str], None] = lambda _: None) -> Mutation:
    """Run the cases of a pack on each of its mutants, or on so many spread evenly over them.

    Raises Stop with what is wrong with the pack or the cases. Cases that fail as it is notice nothing, and take no
    part.
    """
    pack = load_pack(folder)
    all_mutants = mutants(pack)
    chosen = sample(all_mutants, limit)
    result = Mutation(folder, left_out=len(all_mutants) - len(chosen))
    with closing(Bench()) as bench, _Cases(folder, bench) as cases:
        for place, mutant in enumerate(chosen, 1):
            progress(f"mutant {place} of {len(chosen)}, {len(result.unnoticed)} unnoticed")
            with TemporaryDirectory(prefix="evaluator-") as temporary:
                mutant.apply(pack, Path(temporary))
                try:
                    changed = as_given(load_pack(Path(temporary), for_cases=True))
                except Stop:
                    result.refused += 1
                    continue
                if cases.notice(changed, mutant):
                    result.noticed += 1
                else:
                    result.unnoticed.append(mutant)
    return result


def sample(found: list[Mutant], limit: int | None) -> list[Mutant]:
    """Return so many of the mutants, spread evenly; the same ones every time."""
    if limit is None or limit >= len(found):
        return found
    return [found[place * len(found) // limit] for place in range(limit)]


class _Cases:
    """The cases of a pack that come out as expected; those that noticed most mutants so far are asked first."""

    def __init__(self, folder: Path, bench: Bench) -> None:
        self.pack, cases = load_tested(folder)
        self.bench, self.stack = bench, ExitStack()
        self.cases = [case for case in cases if run_case(self.pack, case, bench, explains=False).is_ok]
        self.count = dict.fromkeys(range(len(self.cases)), 0)
        self.records = _of_records(self.pack)
        self.open: dict[int, Assessment] = {}

    def __enter__(self) -> _Cases:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stack.close()

    def notice(self, changed: Pack, mutant: Mutant) -> bool:
        """Whether some case fails on a changed pack."""
        keeps_records = _of_records(changed) == self.records
        quick = {place: keeps_records and self._is_quick(case) for place, case in enumerate(self.cases)}
        for place in sorted(self.count, key=lambda place: (not quick[place], -self.count[place], place)):
            if keeps_records and not self._is_about(self.cases[place], mutant):
                continue
            if (self._fails_anew if quick[place] else self._fails)(place, changed):
                self.count[place] += 1
                return True
        return False

    def _is_about(self, case: CaseDef, mutant: Mutant) -> bool:
        """Whether a case gives subjects of the kind whose file is changed; without, that file computes nothing."""
        kinds = [kind.name for kind in self.pack.kinds.values() if Path(kind.table.at.file).name == mutant.file]
        return not kinds or any(year.rows[name] for name in kinds for year in case.years)

    def _fails(self, place: int, changed: Pack) -> bool:
        return not run_case(changed, self.cases[place], self.bench, explains=False).is_ok

    def _is_quick(self, case: CaseDef) -> bool:
        """Whether a case has one year, that goes to its end, and in which nobody decided anything."""
        decided = any(rows for name, rows in case.years[-1].rows.items() if self.pack.tables[name].is_entered)
        return len(case.years) == 1 and not case.model.stops and not decided

    def _fails_anew(self, place: int, changed: Pack) -> bool:
        case = self.cases[place]
        if place not in self.open:
            temporary = self.stack.enter_context(TemporaryDirectory(prefix="evaluator-"))
            made = assessed(self.pack, case, self.bench, temporary, lambda _: None)
            self.open[place] = self.stack.enter_context(made)
        try:
            state = judged_anew(self.open[place], with_measures(changed, case.years), self.bench)
        except Stop:
            return True
        return any(True for _ in differences(state, case))


def judged_anew(made: Assessment, pack: Pack, bench: Bench) -> State:
    """Compute all that is computed of subjects by another pack over the records of a run; raise Stop as a run does."""
    before = made.state
    pack = as_in_force(pack, before.end)
    problems = Problems()
    plan = make_plan(pack, problems)
    problems.stop_on_errors()
    state = State(before.db, pack, before.year, before.start, before.end)
    again = replace(
        made,
        pack=pack,
        state=state,
        problems=problems,
        situations=[],
        judgements={},
        families={},
        rosters={},
        controls=[],
    )
    find_entries(state)
    for step in plan:
        take(step, again, bench)
        problems.stop_on_errors()
    return state


def _of_records(pack: Pack) -> list[str]:
    """Return all that is computed while records are read, in words that are the same where that says the same."""
    said = []
    for look in looks_at_records(pack):
        said.append(f"{look.of}: {signature(look.formula.node)}")
        for node in look.formula.node.walk():
            if isinstance(node, Lookup):
                said.append(repr(pack.parameters[node.parameter].model))
    return said
