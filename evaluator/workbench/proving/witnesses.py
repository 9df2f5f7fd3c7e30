"""Values that subjects of a pack's cases come to: each is a subject that can be, and has been judged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlglot import exp

from evaluator.diagnostics import Stop
from evaluator.engine.run import Assessment
from evaluator.pack.definitions import KindDef, Pack
from evaluator.solve.moves import as_read
from evaluator.sql.trees import column
from evaluator.workbench.cases.run import Outcome, run_cases

Shown = dict[tuple[str, str, object], str]
"""Who comes to a value: by kind, verdict and value."""


class Witnesses:
    """What subjects of cases come to; of cases that give values nobody may ever come to, nothing is taken."""

    def __init__(self) -> None:
        self.shown: Shown = {}
        self.seen: list[Shown] = []
        self.kinds: list[KindDef] = []

    def observe(self, assessment: Assessment) -> None:
        """Look at a year of a case that is being run."""
        self.kinds = list(assessment.pack.kinds.values())
        self.seen.append(dict(_values(assessment.pack, assessment)))

    def take(self, outcome: Outcome) -> None:
        """Keep what was seen in a case that came out as it says."""
        years = outcome.case.years
        is_made_up = any(year.measures(kind) or year.gives_total(kind) for year in years for kind in self.kinds)
        if outcome.is_ok and not is_made_up:
            for one in self.seen:
                for place, key in one.items():
                    self.shown.setdefault(place, f'{place[0]} {key} of the case "{outcome.case.model.case}"')
        self.seen.clear()


def shown_by_cases(folder: Path) -> Shown:
    """Run the cases of a pack, and return what their subjects come to; nothing where there are none."""
    witnesses = Witnesses()
    try:
        for outcome in run_cases(folder, witnesses.observe):
            witnesses.take(outcome)
    except Stop:  # without cases, or with cases that are wrong, nothing is shown
        return {}
    return witnesses.shown


def _values(pack: Pack, assessment: Assessment) -> Iterator[tuple[tuple[str, str, object], str]]:
    db, state = assessment.state.db, assessment.state
    for kind in pack.kinds.values():
        for name, verdict in kind.verdicts.items():
            rows = exp.select(column(name, "s"), exp.Min(this=column("#key", "s")))
            rows = rows.from_(exp.alias_(state.location(kind.name), "s", table=True), copy=False)
            for value, key in db.rows(rows.group_by(column(name, "s"), copy=False)):
                if value is not None:
                    yield (kind.name, name, as_read(value, verdict.type)), str(key)
