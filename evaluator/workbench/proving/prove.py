"""Statements about every subject there could be, proved, or refuted with a subject that is then really judged.

First by form: what is made of monotone parts is monotone. Then by search over any values at all, which proves what it
finds no counterexample to. Only then with records that could really be: what is found there is judged by the engine,
and refutes. What neither settles within its time is said to be unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from functools import cache
from pathlib import Path

from evaluator.diagnostics import Span, Stop
from evaluator.engine.decide import Bench
from evaluator.pack.check import load_pack
from evaluator.pack.definitions import KindDef, Pack
from evaluator.pack.in_force import as_in_force
from evaluator.report.proofs import Proof, Statement
from evaluator.solve.program import Program
from evaluator.workbench.cases.run import last_year
from evaluator.workbench.proving.anyone import Anyone, Bounds
from evaluator.workbench.proving.decided import decided
from evaluator.workbench.proving.directions import directions
from evaluator.workbench.proving.limits import share, total
from evaluator.workbench.proving.monotone import monotone
from evaluator.workbench.proving.reached import reached
from evaluator.workbench.proving.setting import Setting
from evaluator.workbench.proving.signs import DOWN, SAME, UP, Sign
from evaluator.workbench.proving.somebody import Somebody, Standings, key_in
from evaluator.workbench.proving.witnesses import Shown, shown_by_cases

SIGNS: dict[str, Sign] = {"more": UP, "less": DOWN, "neither": SAME}


def prove(
    folder: Path,
    year: int | None = None,
    bounds: Bounds = Bounds(),  # noqa: B008 - frozen
    seconds: float = 2.0,
    progress: Callable[[str], None] = lambda _: None,
    shown: Shown | None = None,
) -> Proof:
    """Prove or refute everything that is stated of a pack's subjects.

    `year` is the year whose rules are looked at; left out, the last one the pack is in force in or has a case of.
    `seconds` is the time for one search. `shown` is what subjects of its cases come to, where these have been run
    already. Raises Stop where the pack is wrong, or the solver is not installed.
    """
    Program()  # raises Stop without a solver
    pack = load_pack(folder)
    chosen = year if year is not None else _year_of(folder)
    pack = as_in_force(pack, pack.period.ends(chosen))
    of_cases = cache(lambda: shown_by_cases(folder) if shown is None else shown)
    statements: list[Statement] = []
    needless: list[str] = []
    with closing(Bench()) as bench, closing(Standings(pack, chosen, bench)) as standings:
        for kind in pack.kinds.values():
            if kind.score is None and not kind.verdicts:
                continue
            progress(f"proving {kind.name}")
            found = list(_of_kind(pack, kind, bounds, seconds, standings, of_cases))
            kept, unused = _excepted(kind, found)
            statements += kept
            needless += unused
    return Proof(pack=pack.name, year=chosen, bounds=str(bounds), statements=statements, needless=needless)


def _year_of(folder: Path) -> int:
    """Return the year a proof is about if none is named; raise Stop where the pack does not tell."""
    try:
        year = last_year(folder)
    except Stop:  # cases that are wrong tell no year
        year = None
    if year is None:
        raise Stop.of("R301", f"{folder} does not say which years it is for, and has no cases")
    return year


def _of_kind(
    pack: Pack,
    kind: KindDef,
    bounds: Bounds,
    seconds: float,
    standings: Standings,
    shown: Callable[[], Shown],
) -> Iterator[Statement]:
    proofs = kind.proofs
    declared = {str(one.of): SIGNS[one.is_] for one in (proofs.better if proofs is not None else [])}
    signs, open_ = directions(pack, kind, declared)
    state, moves = standings.of(kind.name, {})
    key = key_in(state, state.pack.kinds[kind.name])

    def anyone(before: Anyone | None = None) -> Anyone:
        return Anyone(state, kind, key, signs, bounds, before)

    def somebody(**more: object) -> Somebody:
        return Somebody(state, kind, moves, {}, bounds.records, **more)  # type: ignore[arg-type]

    setting = Setting(pack, kind, signs, seconds, standings, moves, anyone, somebody, declared, open_, shown)
    for verdict in kind.verdicts.values():
        if verdict.form == "rules":
            yield decided(setting, verdict)
    for verdict in kind.verdicts.values():
        yield from reached(setting, verdict)
    yield from monotone(setting)
    if proofs is not None and proofs.total is not None:
        low, high = (Fraction(str(end)) for end in proofs.total)
        yield total(setting, low, high)
    if proofs is not None and proofs.share is not None:
        yield from share(setting, Fraction(str(proofs.share)))


def _excepted(kind: KindDef, found: list[Statement]) -> tuple[list[Statement], list[str]]:
    """Give each statement the reason it is excepted with; return those, and the exceptions nothing needs."""
    exceptions = list(kind.proofs.except_) if kind.proofs is not None else []
    used: set[int] = set()
    kept = []
    for one in found:
        if one.status != "proved":
            for place, exception in enumerate(exceptions):
                is_it = (exception.statement, str(exception.of)) == (one.statement, one.of)
                if is_it and (exception.value is None or str(exception.value) == one.value):
                    used.add(place)
                    one = one.model_copy(update={"because": str(exception.because)})
                    break
        kept.append(one)
    unused = [
        f"{_place(exception.of.at)}: {exception.statement} of {exception.of} holds, and needs no exception"
        for place, exception in enumerate(exceptions)
        if place not in used
    ]
    return kept, unused


def _place(at: Span) -> str:
    return f"{at.file}:{at.line}"
