"""Cases run: the rows they give become sheets, a run assesses them, and what it comes to is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from evaluator.diagnostics import Cell, Diagnostic, Problems, Span, Stop
from evaluator.engine.decide import Bench
from evaluator.engine.run import Assessment, assess
from evaluator.pack.check import load_pack
from evaluator.pack.check_case import CaseDef, case_of, load_cases
from evaluator.pack.definitions import Pack
from evaluator.pack.source import read_text
from evaluator.report.run_folder import write_run
from evaluator.workbench.cases.differences import Difference, differences
from evaluator.workbench.cases.given import as_given, load_for_cases, with_measures, write_year

Observer = Callable[[Assessment], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case: nothing to say where it came out as expected."""

    case: CaseDef
    differences: tuple[Difference, ...] = ()
    stopped: tuple[Diagnostic, ...] = ()

    @property
    def is_ok(self) -> bool:
        """Whether all came out as expected."""
        return not self.differences and not self.stopped

    def __str__(self) -> str:
        lines = [f"{'ok    ' if self.is_ok else 'failed'}  {self.case.model.case}"]
        said = [*map(str, self.differences), *map(str, self.stopped)]
        lines += [f"  {line}".rstrip() for text in said for line in text.splitlines()]
        return "\n".join(lines)


def load_tested(folder: Path) -> tuple[Pack, list[CaseDef]]:
    """Load a pack as its cases run it, and its cases; raise Stop with what is wrong with either."""
    pack = load_for_cases(folder)
    return pack, load_cases(folder, pack)


def last_year(folder: Path) -> int | None:
    """Return the last year a pack is in force in, or has a case of; or the first it is in force in, if it says so."""
    pack = load_pack(folder, for_cases=True)
    span = pack.in_force
    if span is not None and span.to is not None:
        return span.to.year
    if any((folder / "cases").glob("*.yaml")):
        return max(case.model.year for case in load_cases(folder, as_given(pack)))
    return span.from_.year if span is not None and span.from_ is not None else None


def case_of_text(text: str, pack: Pack) -> CaseDef:
    """Return the case that a text of ours holds; raise Stop with what is wrong with it."""
    problems = Problems()
    tree = read_text(text, "the case", problems)
    case = case_of(tree, pack, problems) if tree is not None else None
    problems.stop_on_errors()
    assert case is not None
    return case


def run_cases(folder: Path, observe: Observer = lambda _: None) -> Iterator[Outcome]:
    """Run the cases of a pack one after the other, each by itself; every year assessed is shown to `observe`.

    Raises Stop with what is wrong with the pack or the cases, before any is run.
    """
    pack, cases = load_tested(folder)
    with closing(Bench()) as bench:
        for case in cases:
            yield run_case(pack, case, bench, observe)


def run_case(
    pack: Pack, case: CaseDef, bench: Bench, observe: Observer = lambda _: None, explains: bool = True
) -> Outcome:
    """Run a case of a pack made by `load_tested`; where it fails, say what its values came from unless told not to."""
    wanted = set(map(str, case.model.stops or ()))
    try:
        with (
            TemporaryDirectory(prefix="evaluator-") as temporary,
            assessed(pack, case, bench, temporary, observe) as made,
        ):
            found = [] if wanted else list(differences(made.state, case))
            if found and explains:
                from evaluator.workbench.cases.failures import explained

                found = explained(made, case, found, Path(temporary, "failed"))
    except Stop as stopped:
        codes = {problem.code for problem in stopped.problems if problem.severity == "error"}
        if wanted == codes:
            return Outcome(case)
        problems = tuple(_placed(problem, case) for problem in stopped.problems)
        if not wanted:
            return Outcome(case, stopped=problems)
        return Outcome(case, (_not_stopped(case, f"the run stops for {', '.join(sorted(codes))}"),), problems)
    if wanted:
        found = [_not_stopped(case, "the run does not stop")]
    return Outcome(case, tuple(found))


def _not_stopped(case: CaseDef, what: str) -> Difference:
    return Difference(case.model.key_at("stops"), what, ", ".join(sorted(case.model.stops or ())))


@contextmanager
def assessed(pack: Pack, case: CaseDef, bench: Bench, temporary: str, observe: Observer) -> Iterator[Assessment]:
    """Assess the year a case is about, after the years before it; raise Stop as a run does."""
    *before, last = case.years
    pack = with_measures(pack, case.years)
    history: list[Path] = []
    for earlier in before:
        history.append(Path(temporary, f"{earlier.year}-result"))
        data = write_year(pack, earlier, temporary)
        with assess(pack, data, earlier.year, history[:-1], bench=bench) as past:
            observe(past)
            write_run(past, history[-1])
    with assess(pack, write_year(pack, last, temporary), last.year, history, bench=bench) as made:
        observe(made)
        yield made


def cases_summary(folder: Path, outcomes: list[Outcome]) -> str:
    """Say how many cases came out as expected."""
    failed = sum(not outcome.is_ok for outcome in outcomes)
    count = f"{len(outcomes)} case{'s' if len(outcomes) > 1 else ''}"
    return f"{folder}: {count}, " + (f"{failed} failed" if failed else "all as expected")


def _placed(problem: Diagnostic, case: CaseDef) -> Diagnostic:
    """Return a problem with the places of the case instead of those of the files made of it."""

    def place(at: Span | Cell | None) -> Span | Cell | None:
        return row_of(case, at) or case.model.at if isinstance(at, Cell) else at

    also = tuple((place(at) or at, what) for at, what in problem.also)
    return replace(problem, at=place(problem.at), also=also)


def row_of(case: CaseDef, cell: Cell) -> Span | None:
    """Return where a case gives the row that became a row of a sheet."""
    file = Path(cell.file)
    rows = next((one.rows.get(file.stem, []) for one in case.years if str(one.year) == file.parent.name), [])
    # the first row of the file is its heading
    return rows[cell.row - 2].at if 2 <= cell.row < len(rows) + 2 else None
