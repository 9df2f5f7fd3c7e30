"""The command that runs the cases of a pack: test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evaluator.cli.common import PackFolder, Progress, app


@app.command()
def test(
    pack: PackFolder,
    coverage: Annotated[bool, typer.Option("--coverage", help="Say what of the pack the cases reach.")] = False,
    mutate: Annotated[
        bool, typer.Option("--mutate", help="Shift each number of the pack, and list the changes no case notices.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="With --mutate: try so many, spread evenly.")] = None,
    boundaries: Annotated[
        bool, typer.Option("--boundaries", help="Write cases just below, at and above each threshold.")
    ] = False,
    from_: Annotated[
        tuple[Path, str] | None,
        typer.Option("--from", metavar="RUN_FOLDER SUBJECT", help="Write a case from a result of a run."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where cases are written: a file with --from, a folder with --boundaries.")
    ] = None,
    with_names: Annotated[bool, typer.Option("--with-names", help="With --from: keep the names of people.")] = False,
) -> None:
    """Run the cases of a rule pack, or write some.

    Each case in PACK/cases gives rows of a year and says what the rules must make of them.
    """
    _check_together(from_ is not None, boundaries, coverage, mutate, limit, out, with_names)
    if from_ is not None:
        _write_from_run(pack, *from_, out, with_names)
        return
    is_fine = True
    if not boundaries or coverage or mutate:
        is_fine = _run(pack, coverage)
    if mutate:
        _mutate(pack, limit)
    if boundaries:
        _write_boundaries(pack, out)
    if not is_fine:
        raise typer.Exit(1)


def _check_together(
    is_from: bool, boundaries: bool, coverage: bool, mutate: bool, limit: int | None, out: Path | None, with_names: bool
) -> None:
    """Refuse options that would go unheard."""
    beside = {"--coverage": coverage, "--mutate": mutate, "--boundaries": boundaries}
    unheard = {
        **{name: "it does not go with --from" for name, is_given in beside.items() if is_from and is_given},
        **({"--limit": "it goes with --mutate"} if limit is not None and not mutate else {}),
        **({"--with-names": "it goes with --from"} if with_names and not is_from else {}),
        **({"--out": "it goes with --from or --boundaries"} if out is not None and not (is_from or boundaries) else {}),
    }
    for name, why in unheard.items():
        raise typer.BadParameter(why, param_hint=name)


def _run(pack: Path, coverage: bool) -> bool:
    """Run the cases; return whether they came out as expected, and reach what they must."""
    from evaluator.workbench.cases.coverage import measure_coverage
    from evaluator.workbench.cases.run import cases_summary, run_cases
    from evaluator.workbench.cases.seen import Seen

    seen = Seen()
    outcomes = []
    for outcome in run_cases(pack, seen.observe if coverage else lambda _: None):
        print(outcome, flush=True)
        outcomes.append(outcome)
    print(cases_summary(pack, outcomes))
    is_fine = all(outcome.is_ok for outcome in outcomes)
    if not coverage:
        return is_fine
    covered = measure_coverage(pack, seen)
    print(f"\n{covered}")
    return is_fine and covered.is_whole


def _mutate(pack: Path, limit: int | None) -> None:
    from evaluator.workbench.cases.mutate import mutate

    with Progress() as progress:
        result = mutate(pack, limit, progress)
    print(f"\n{result}")


def _write_from_run(pack: Path, run_folder: Path, subject: str, out: Path | None, with_names: bool) -> None:
    from evaluator.workbench.cases.from_run import case_from_run
    from evaluator.workbench.cases.written import write_new

    written = case_from_run(pack, run_folder, subject, with_names)
    if out is None:
        print(written, end="")
    else:
        write_new(out, str(written))
        print(f"the case is in {out}")


def _write_boundaries(pack: Path, out: Path | None) -> None:
    from evaluator.workbench.cases.boundaries import write_boundaries

    with Progress() as progress:
        result = write_boundaries(pack, out or pack / "cases" / "boundaries", progress)
    print(result)
