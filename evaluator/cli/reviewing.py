"""Commands of whoever answers for a result: explain, rosters, compare, situations, verify, appeal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evaluator.cli.common import (
    ChainLookedForIn,
    Form,
    Format,
    Lang,
    LookedForIn,
    Page,
    Progress,
    RunFolder,
    TextOrJson,
    app,
)


@app.command()
def explain(
    run_folder: RunFolder,
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="Key or name of a subject, or kind:key.")],
    format: Annotated[Form, typer.Option(help="How to print.")] = Form.text,
    why_not: Annotated[str | None, typer.Option(metavar="VERDICT=VALUE", help="Why a verdict is not this.")] = None,
    against: Annotated[str | None, typer.Option(metavar="SUBJECT", help="Another subject to put beside it.")] = None,
    what_it_takes: Annotated[
        bool, typer.Option("--what-it-takes", help="Search what each better level would take (needs the solver).")
    ] = False,
    lang: Lang = None,
) -> None:
    """Explain one subject's result.

    Shows every point and the record behind it, every verdict with its condition, values and clause.
    """
    from evaluator.report.explaining.answers import answer

    print(answer(run_folder, subject, format.value, lang and lang.value, why_not, against, what_it_takes))


@app.command()
def rosters(
    run_folder: RunFolder,
    roster: Annotated[str | None, typer.Option(help="Only this one: kind.id, or its id.")] = None,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
    lang: Lang = None,
) -> None:
    """Print the ranked rosters of a run."""
    from evaluator.report.summary import rosters_text

    print(rosters_text(run_folder, roster, format.value, lang and lang.value), end="")


@app.command()
def compare(
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", help="The run folder before.")],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B", help="The run folder after.")],
    format: Annotated[Page, typer.Option(help="How to print.")] = Page.text,
    fail_on: Annotated[
        str | None,
        typer.Option(
            "--fail-on",
            metavar="NAMES",
            help="Exit with 1 if one of these changed: verdicts, kind.verdict, total, rank, any; joined by commas.",
        ),
    ] = None,
    lang: Lang = None,
) -> None:
    """Compare two runs, and say what caused each change.

    Two packs on one data, one pack on two data, before and after a correction.
    """
    import evaluator
    from evaluator.report.comparing.compare import has_changed, shown_as

    found = evaluator.compare(run_a, run_b, lang and lang.value)
    fails = has_changed(found, fail_on)
    print(shown_as(found, format.value))
    if fails:
        raise typer.Exit(1)


@app.command()
def situations(
    run_folder: RunFolder,
    history: Annotated[
        list[Path] | None,
        typer.Option(help="A run folder of an earlier year; repeat for several [those the run looks back on]."),
    ] = None,
    format: Annotated[Form, typer.Option(help="How to print.")] = Form.text,
    lang: Lang = None,
) -> None:
    """List all situations that the rules told apart.

    Each with how many are in it, the conditions that hold, what follows, and an example; marked where it is new.
    """
    from evaluator.report.situations import situations_of
    from evaluator.report.situations_shown import shown_as

    print(shown_as(situations_of(run_folder, history or [], lang and lang.value), format.value))


@app.command()
def verify(
    run_folder: RunFolder,
    data: Annotated[Path | None, typer.Option(help="The folder of files it was made from [those it keeps].")] = None,
    pack: Annotated[Path | None, typer.Option(help="The pack it was made with [the one it keeps].")] = None,
    history: LookedForIn = None,
    supersedes: ChainLookedForIn = None,
    lang: Lang = None,
) -> None:
    """Check that a run folder is what a run wrote.

    Every file by its hash, the runs before it, and the same bytes when it is run again.
    """
    import evaluator

    with Progress() as progress:
        found = evaluator.verify(run_folder, data, pack, history or [], supersedes or [], lang and lang.value, progress)
    print(found)
    if not found.is_ok:
        raise typer.Exit(1)


appeals_app = typer.Typer(help="Look at appeals, and answer them.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(appeals_app, name="appeal")
AppealFile = Annotated[Path, typer.Argument(metavar="FILE", help="The YAML file of a case.")]
KeptData = Annotated[Path | None, typer.Option(help="The data folder, where the run does not keep it.")]
OfRun = Annotated[Path, typer.Option("--run", help="The run folder it is about.")]


@appeals_app.command("check")
def appeal_check(
    file: AppealFile,
    run_folder: OfRun,
    data: KeptData = None,
    history: LookedForIn = None,
    supersedes: ChainLookedForIn = None,
    format: Annotated[TextOrJson, typer.Option(help="How to print.")] = TextOrJson.text,
    lang: Lang = None,
) -> None:
    """Show what accepting an appeal would change.

    For whom it is about line by line, and for everybody else whom it moves.
    """
    from evaluator.report.appeal import look_at

    pack, looked = look_at(file, run_folder, data, history or [], supersedes or [], lang and lang.value)
    print(looked.model_dump_json(indent=1) if format.value == "json" else looked.text(pack))


@appeals_app.command("letter")
def appeal_letter(
    file: AppealFile,
    run_folder: OfRun,
    data: KeptData = None,
    history: LookedForIn = None,
    supersedes: ChainLookedForIn = None,
    out: Annotated[Path, typer.Option(help="The folder for the letter.")] = Path("letters"),
    lang: Lang = None,
) -> None:
    """Write the decision on an appeal as a letter.

    As a page of HTML and as a .docx.
    """
    from evaluator.report.appeal import looked_back_at
    from evaluator.report.letter import letter_of, write_letter

    pack, looked = looked_back_at(file, run_folder, data, history or [], supersedes or [], lang and lang.value)
    for written in write_letter(letter_of(pack, looked), out, file.stem):
        print(written)
