"""The command that checks packs: check."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from evaluator.cli.common import app, warn


class Found(StrEnum):
    """How what was found is printed."""

    text = "text"
    json = "json"
    sarif = "sarif"
    github = "github"


@app.command()
def check(
    packs: Annotated[list[Path], typer.Argument(metavar="PACK", help="The folders of rule packs.")],
    format: Annotated[Found, typer.Option(help="How to print.")] = Found.text,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for a warning, too.")] = False,
    docs: Annotated[
        str | None, typer.Option(metavar="URL", help="With sarif: where the folder docs lies on the web.")
    ] = None,
) -> None:
    """Check rule packs.

    Shows everything that is wrong with them at once, and what probably is, with file, line and column.
    """
    from evaluator.workbench.checking.checked import check_packs

    if docs is not None and format is not Found.sarif:
        raise typer.BadParameter("it goes with --format sarif", param_hint="--docs")
    report = check_packs(packs)
    if format is not Found.text:
        from evaluator.workbench.checking.formats import FORMATS

        if shown := FORMATS[format.value](report, docs):
            print(shown)
    else:
        warn(report.problems)
        for one in report.checked:
            if one.summary:
                print(one.summary)
    if report.has_errors or (strict and report.problems):
        raise typer.Exit(1)
