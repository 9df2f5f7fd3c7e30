"""Values that subjects of a pack's cases come to: each is a subject that can be, and has been judged."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from sqlglot import exp

from evaluator.diagnostics import Stop
from evaluator.engine.run import Assessment
from evaluator.pack.definitions import Pack
from evaluator.solve.moves import as_read
from evaluator.sql.trees import column
from evaluator.workbench.cases.run import run_cases

Shown = dict[tuple[str, str, object], str]


@cache
def shown_by_cases(folder: Path) -> Shown:
    """Return kind, verdict and value of what subjects of the cases come to, with who that is; runs the cases."""
    found: Shown = {}
    seen: list[Shown] = []

    def observe(assessment: Assessment) -> None:
        seen.append(dict(_values(assessment.pack, assessment)))

    try:
        for outcome in run_cases(folder, observe):
            if outcome.is_ok:
                for one in seen:
                    for place, key in one.items():
                        found.setdefault(place, f'{place[0]} {key} of the case "{outcome.case.model.case}"')
            seen.clear()
    except Stop:  # without cases, or with cases that are wrong, nothing is shown
        return {}
    return found


def _values(pack: Pack, assessment: Assessment) -> Iterator[tuple[tuple[str, str, object], str]]:
    db, state = assessment.state.db, assessment.state
    for kind in pack.kinds.values():
        for name, verdict in kind.verdicts.items():
            rows = exp.select(column(name, "s"), exp.Min(this=column("#key", "s")))
            rows = rows.from_(exp.alias_(state.location(kind.name), "s", table=True), copy=False)
            for value, key in db.rows(rows.group_by(column(name, "s"), copy=False)):
                if value is not None:
                    yield (kind.name, name, as_read(value, verdict.type)), str(key)
