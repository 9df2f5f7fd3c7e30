"""The command that says whom a change of rules would affect: impact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evaluator.cli.common import Lang, Page, Progress, app, warn


@app.command()
def impact(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The folder of the rule pack as it is.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The folder of the rule pack as it would be.")],
    data: Annotated[Path, typer.Option(help="The folder with the year's files.")],
    year: Annotated[int, typer.Option(min=1900, max=2999, help="The year to try both on.")],
    history: Annotated[
        list[Path] | None, typer.Option(help="A run folder of an earlier year; repeat for several.")
    ] = None,
    accept_rejects: Annotated[
        bool, typer.Option("--accept-rejects", help="Go on without rows that cannot be read.")
    ] = False,
    appeals: Annotated[Path | None, typer.Option(help="A folder of appeals; those accepted amend the records.")] = None,
    supersedes: Annotated[
        Path | None, typer.Option(help="With --appeals: the run folder that is appealed against.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="Totals by this field; repeat for several [those the pack groups by]."),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=FROM..TO[/STEP]",
            help="Try a parameter of NEW, or what a rule compares with a number: total, or grade:优秀:total.",
        ),
    ] = None,
    quota: Annotated[
        list[str] | None,
        typer.Option(metavar="QUOTA", help="With --sweep: where this is met, such as 'grade=优秀<=30%'."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="List every subject that moves.")] = False,
    format: Annotated[Page, typer.Option(help="How to print.")] = Page.text,
    lang: Lang = None,
) -> None:
    """Show whom a change of rules would affect.

    Judges a year by both packs: who comes to other levels, totals by group, and the lines of YAML that did it.
    """
    from evaluator.workbench.impact.impact import Asked
    from evaluator.workbench.impact.impact import impact as find_impact
    from evaluator.workbench.impact.shown import shown_as

    asked = Asked(
        old, new, data, year, tuple(history or ()), accept_rejects, appeals, supersedes, tuple(by or ()), sweep,
        tuple(quota or ()), lang and lang.value,
    )  # fmt: skip
    with Progress() as progress:
        found = find_impact(asked, progress, warn)
    print(shown_as(found, format.value, all_))
