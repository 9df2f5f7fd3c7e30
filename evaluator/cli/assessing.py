"""Commands of whoever runs the assessment: run, demo."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from evaluator.cli.common import Engine, Lang, PackFolder, Progress, Stage, app, size, warn


@app.command()
def run(
    pack: PackFolder,
    data: Annotated[
        str,
        typer.Option(metavar="FOLDER", help="The folder with the year's files; of Spark's also hdfs://… or s3a://…"),
    ],
    year: Annotated[int, typer.Option(min=1900, max=2999, help="The year to assess.")],
    out: Annotated[Path | None, typer.Option(help="Where to write the run folder [results/PACK-YEAR].")] = None,
    history: Annotated[
        list[Path] | None, typer.Option(help="A run folder of an earlier year; repeat for several.")
    ] = None,
    accept_rejects: Annotated[
        bool, typer.Option("--accept-rejects", help="Go on without rows that cannot be read.")
    ] = False,
    stage: Annotated[
        Stage | None,
        typer.Option(help="Where the run stands among those of its year [that of the run before, or draft]."),
    ] = None,
    published_on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day the result was published.")
    ] = None,
    supersedes: Annotated[Path | None, typer.Option(help="The run folder this run takes the place of.")] = None,
    appeals: Annotated[Path | None, typer.Option(help="A folder of appeals; those accepted amend the records.")] = None,
    engine: Annotated[Engine, typer.Option(help="What computes: on this machine, or on a cluster.")] = Engine.duckdb,
    master: Annotated[
        str | None, typer.Option(help="Where Spark runs, as spark://host:7077 or local[4] [as Spark is set up].")
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            writable=True,
            help="A folder that all of Spark's workers reach, for its tables [a temporary one].",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            callback=size,
            help="What may be held in memory at once, as 4GB [1500MB, more with many cores].",
        ),
    ] = None,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Read everything again, also what a run before has read the same.")
    ] = False,
    lang: Lang = None,
) -> None:
    """Assess a year and write its run folder.

    Reads the files, scores, decides, ranks. Nothing is written if anything has to be mended first.
    """
    for name, value, of in (
        ("--master", master, Engine.spark),
        ("--work", work, Engine.spark),
        ("--memory", memory, Engine.duckdb),
    ):
        if value is not None and engine is not of:
            raise typer.BadParameter(f"is for --engine {of.value}", param_hint=name)
    import evaluator
    from evaluator.report.summary import run_summary

    with Progress() as progress:
        checked = evaluator.load_pack(pack)
        if lang is not None:
            checked = replace(checked, shown_in=lang.value)
        day = published_on and published_on.date()
        folder = evaluator.run(
            checked, data, year, out, history or [], accept_rejects, stage and stage.value, day, supersedes, appeals,
            engine=engine.value, master=master, work=work, memory=memory, afresh=afresh, progress=progress, warn=warn,
        )  # fmt: skip
    print(run_summary(folder, checked))


@app.command()
def demo(
    place: Annotated[str | None, typer.Argument(metavar="PLACE", help="A place that comes with the package.")] = None,
    out: Annotated[Path, typer.Option(help="The folder for the run folders.")] = Path("results"),
    list_: Annotated[bool, typer.Option("--list", help="List the places.")] = False,
    lang: Lang = None,
) -> None:
    """Assess a place that comes with the package.

    Runs every year of its sheets, and prints the rosters of the last one.
    """
    from evaluator.demo import place_named, places_table, run_place
    from evaluator.report.summary import rosters_text, run_summary

    language = lang and lang.value
    if list_ or place is None:
        print(places_table(language))
        return
    chosen = place_named(place)
    with Progress() as progress:
        pack, folders = run_place(chosen, out, language, progress)
    for folder in folders.values():
        print(run_summary(folder, pack), end="\n\n")
    print(rosters_text(folder, None, "table", language), end="")
