"""Commands for writing packs: new, fmt, watch, sql, graph, schema."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from evaluator.cli.common import Lang, Language, PackFolder, app, warn


class Drawn(StrEnum):
    """How a graph is drawn."""

    mermaid = "mermaid"
    svg = "svg"


DRAWN_AS = {"": Drawn.mermaid, ".svg": Drawn.svg, ".mmd": Drawn.mermaid, ".md": Drawn.mermaid, ".txt": Drawn.mermaid}
"""By how the name of the file ends."""


@app.command()
def new(
    place: Annotated[str, typer.Argument(metavar="PLACE", help="What the pack and its folder are to be called.")],
    out: Annotated[Path, typer.Option(help="The folder to put it into.")] = Path(),
    lang: Annotated[
        Language | None, typer.Option("--lang", help="The language of the pack [that of the name].")
    ] = None,
) -> None:
    """Begin a rule pack.

    Writes a small one with sample data, whose comments teach the language and whose cases pass.
    """
    from evaluator.workbench.editing.scaffold import SAMPLE_YEAR, begin_pack, sample_data

    folder = begin_pack(place, out, lang and lang.value)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        print(path.as_posix())
    print()
    print(f"evaluator check {folder.as_posix()}")
    print(f"evaluator test {folder.as_posix()}")
    print(f"evaluator run {folder.as_posix()} --data {sample_data(folder).as_posix()} --year {SAMPLE_YEAR}")


@app.command()
def schema(
    out: Annotated[
        Path | None, typer.Option(help="Write the schemas of what an author writes into this folder, for editors.")
    ] = None,
) -> None:
    """Print the JSON Schema of pack files.

    One schema for pack.yaml, one for the files of the kinds, one each for cases, appeals and data.yaml, under the
    patterns of their names; and one for what each command prints as JSON.
    """
    import json

    from evaluator.report.schemas import published_schemas, write_schemas

    if out is None:
        print(json.dumps(published_schemas(), ensure_ascii=False, indent=1))
        return
    from evaluator.workbench.editing.saving import saving

    with saving(out):
        written = write_schemas(out)
    for file in written:
        print(file)


@app.command()
def fmt(
    packs: Annotated[list[Path], typer.Argument(metavar="PACK…", help="Packs, files of one, or folders of packs.")],
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 where a file would change.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; show what would change.")] = False,
) -> None:
    """Set pack files in one style.

    Only spaces, empty lines and indentation change; comments, quotes and order stay.
    """
    from evaluator.workbench.editing.formatting import format_files

    files = format_files(packs)
    changed = [file for file in files if file.is_changed]
    for file in changed:
        if diff:
            print(file.diff(), end="")
        else:
            print(file.path)
        if not (check or diff):
            file.write()
    what = "to be set" if check or diff else "set"
    # what is told besides a diff is no part of it
    typer.echo(f"{len(files)} file{'s' if len(files) > 1 else ''}, {len(changed) or 'none'} {what}", err=diff)
    if changed and (check or diff):
        raise typer.Exit(1)


@app.command()
def watch(
    pack: PackFolder,
    data: Annotated[Path, typer.Option(help="The folder with the year's files.")],
    year: Annotated[
        int | None, typer.Option(min=1900, max=2999, help="The year to assess [what the data folder is called].")
    ] = None,
    history: Annotated[
        list[Path] | None, typer.Option(help="A run folder of an earlier year; repeat for several.")
    ] = None,
    accept_rejects: Annotated[
        bool, typer.Option("--accept-rejects", help="Go on without rows that cannot be read.")
    ] = False,
    lang: Lang = None,
) -> None:
    """Check and run a pack on each save.

    Shows what changed against the last good result, or what has to be mended. Ctrl-C ends it; nothing is left behind.
    """
    from evaluator.workbench.editing.watching import Watched, year_of
    from evaluator.workbench.editing.watching import watch as go_on

    assessed = year if year is not None else year_of(data)
    if assessed is None:
        raise typer.BadParameter(f"{data} is not called after a year: name it", param_hint="--year")
    go_on(
        Watched(pack, data, assessed, tuple(history or ()), accept_rejects, lang and lang.value),
        lambda text: print(text, flush=True),
        warn,
    )


KindOf = Annotated[str | None, typer.Option("--kind", help="Only this kind of subject.")]


@app.command()
def sql(
    pack: PackFolder,
    kind: KindOf = None,
    year: Annotated[
        int | None, typer.Option(min=1900, max=2999, help="The year to assess [this one, if the pack is in force].")
    ] = None,
    dialect: Annotated[str, typer.Option(help="The dialect of SQL, by the name sqlglot has for it.")] = "duckdb",
) -> None:
    """Print the queries a pack is compiled to.

    In the order they run, each under what it computes and where that is written.
    """
    from sqlglot.dialects.dialect import Dialect

    import evaluator
    from evaluator.workbench.editing.compiled import compiled_text

    if Dialect.get(dialect) is None:
        known = ", ".join(sorted(name for name in Dialect.classes if name[:1].isalpha()))
        raise typer.BadParameter(f"use one of {known}", param_hint="--dialect")
    print(compiled_text(evaluator.load_pack(pack), year, kind, dialect))


@app.command()
def graph(
    pack: PackFolder,
    kind: KindOf = None,
    format: Annotated[Drawn | None, typer.Option(help="How to draw [by the name of the file, or mermaid].")] = None,
    out: Annotated[Path | None, typer.Option(help="Write it into this file.")] = None,
    lang: Lang = None,
) -> None:
    """Draw what reads what in a pack.

    Tables, measures, lines of the score, verdicts and rosters, as Mermaid text or as a picture (SVG).
    """
    from dataclasses import replace

    import evaluator
    from evaluator.workbench.editing.compiled import check_kind_named
    from evaluator.workbench.editing.drawing import drawn
    from evaluator.workbench.editing.graph import mermaid, reading_of
    from evaluator.workbench.editing.saving import save

    if format is None and out is not None and out.suffix not in DRAWN_AS:
        known = ", ".join(name for name in DRAWN_AS if name)
        raise typer.BadParameter(f"{out.name} ends in none of {known}: say --format", param_hint="--out")
    checked = evaluator.load_pack(pack)
    checked = replace(checked, shown_in=lang.value if lang is not None else checked.shown_in)
    if kind is not None:
        check_kind_named(checked, kind)
    reading = reading_of(checked, kind)
    drawn_as = format or DRAWN_AS[out.suffix if out is not None else ""]
    made = drawn(checked, reading) if drawn_as is Drawn.svg else mermaid(checked, reading) + "\n"
    if out is None:
        print(made, end="")
    else:
        save(made, out)
        print(out)
