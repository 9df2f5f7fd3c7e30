"""The command that runs the cases of a pack: test."""

from __future__ import annotations

import typer

from evaluator.cli.common import PackFolder, app


@app.command()
def test(pack: PackFolder) -> None:
    """Run the cases of a rule pack.

    Each case in PACK/cases gives rows of a year and says what the rules must make of them.
    """
    from evaluator.report.cases import cases_summary, run_cases

    outcomes = []
    for outcome in run_cases(pack):
        print(outcome, flush=True)
        outcomes.append(outcome)
    print(cases_summary(pack, outcomes))
    if not all(outcome.is_ok for outcome in outcomes):
        raise typer.Exit(1)
