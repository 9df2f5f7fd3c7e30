"""The command that proves what a pack comes to for everybody: prove."""

from __future__ import annotations

from typing import Annotated

import typer

from evaluator.cli.common import PackFolder, Progress, TextOrJson, app


@app.command()
def prove(
    pack: PackFolder,
    year: Annotated[
        int | None, typer.Option(min=1900, max=2999, help="The year whose rules are looked at [the last they are for].")
    ] = None,
    records: Annotated[int, typer.Option(min=1, max=10_000, help="How many records of each sort are looked at.")] = 200,
    seconds: Annotated[float, typer.Option(min=0.1, help="The time for one search.")] = 2.0,
    format: Annotated[TextOrJson, typer.Option(help="How to print.")] = TextOrJson.text,
) -> None:
    """Prove what the rules come to for every possible subject.

    One value of each verdict; every value reached, and by how little; nothing better ever worse. What is refuted is
    shown with a subject (needs the solver).
    """
    from evaluator.workbench.proving.anyone import Bounds
    from evaluator.workbench.proving.prove import prove as make

    with Progress() as progress:
        found = make(pack, year, Bounds(records), seconds, progress)
    print(found.model_dump_json(indent=1) if format.value == "json" else found)
    if not found.is_ok:
        raise typer.Exit(1)
