"""The command line: commands to calls, problems to exit codes. No logic of its own.

Exit codes: 0 fine, 1 the pack or the data is wrong, 2 the command is wrong, 3 our fault.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from evaluator import __version__

QUIET_SECONDS = 1.0
STOPPED = 130  # as shells number it

app = typer.Typer(
    name="evaluator",
    help="Judge a year's work by written rules, exactly and explainably.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Format(StrEnum):
    """How a roster is printed."""

    table = "table"
    csv = "csv"
    json = "json"


class Page(StrEnum):
    """How a comparison is printed."""

    text = "text"
    json = "json"
    html = "html"


class Form(StrEnum):
    """How an explanation is printed."""

    text = "text"
    json = "json"
    html = "html"
    md = "md"


class TextOrJson(StrEnum):
    """How an appeal is printed."""

    text = "text"
    json = "json"


class Stage(StrEnum):
    """Where a run stands among those of its year."""

    draft = "draft"
    published = "published"
    final = "final"


class Language(StrEnum):
    """The language of what is shown."""

    zh = "zh"
    en = "en"


def _version(wanted: bool) -> None:
    if wanted:
        print(f"evaluator {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


PackFolder = Annotated[Path, typer.Argument(metavar="PACK", help="The folder of a rule pack.")]
Lang = Annotated[Language | None, typer.Option("--lang", help="The language of what is shown [the pack's].")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN_FOLDER", help="A folder that a run wrote.")]


@app.command()
def run(
    pack: PackFolder,
    data: Annotated[Path, typer.Option(help="The folder with the year's files.")],
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
    lang: Lang = None,
) -> None:
    """Assess a year and write its run folder.

    Reads the files, scores, decides, ranks. Nothing is written if anything has to be mended first.
    """
    import evaluator
    from evaluator.report.summary import run_summary

    with _Progress() as progress:
        checked = evaluator.load_pack(pack)
        if lang is not None:
            checked = replace(checked, shown_in=lang.value)
        day = published_on and published_on.date()
        folder = evaluator.run(
            checked, data, year, out, history or [], accept_rejects, stage and stage.value, day, supersedes, appeals,
            progress=progress, warn=_warn,
        )  # fmt: skip
    print(run_summary(folder, checked))


@app.command()
def check(pack: PackFolder) -> None:
    """Check a rule pack.

    Shows everything that is wrong with it at once, with file, line and column.
    """
    import evaluator

    checked = evaluator.load_pack(pack)
    lines = sum(len(kind.lines) for kind in checked.kinds.values())
    verdicts = sum(len(kind.verdicts) for kind in checked.kinds.values())
    kinds = ", ".join(checked.kinds)
    print(f"{pack}: fine ({kinds}; {len(checked.tables)} tables, {lines} lines of score, {verdicts} verdicts)")


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


LookedForIn = Annotated[
    list[Path] | None, typer.Option(help="A run folder of an earlier year, where it is not beside the run.")
]
ChainLookedForIn = Annotated[
    list[Path] | None, typer.Option(help="A run folder the run follows, where it is not beside it.")
]


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

    with _Progress() as progress:
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
    with _Progress() as progress:
        pack, folders = run_place(chosen, out, language, progress)
    for folder in folders.values():
        print(run_summary(folder, pack), end="\n\n")
    print(rosters_text(folder, None, "table", language), end="")


@app.command()
def schema() -> None:
    """Print the JSON Schema of pack files.

    One schema for pack.yaml, one for the files of the kinds, one for cases and one for appeals, under the patterns of
    their names; and one for what each command prints as JSON.
    """
    import json

    from evaluator.report.schemas import published_schemas

    print(json.dumps(published_schemas(), ensure_ascii=False, indent=1))


class _Progress:
    """One line on a terminal for what takes longer than a second; nothing when piped."""

    def __init__(self) -> None:
        self.begin, self.is_shown, self.is_terminal = time.monotonic(), False, sys.stderr.isatty()

    def __enter__(self) -> Callable[[str], None]:
        return self.show

    def show(self, stage: str) -> None:
        """Say what is being done now."""
        seconds = time.monotonic() - self.begin
        if self.is_terminal and seconds > QUIET_SECONDS:
            print(f"\r\x1b[K{seconds:5.0f} s  {stage} …", end="", file=sys.stderr, flush=True)
            self.is_shown = True

    def __exit__(self, *_: object) -> None:
        if self.is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _warn(problems: Any) -> None:
    """Print problems on standard error, and how many they are."""
    found = list(problems)
    for problem in found:
        print(problem, file=sys.stderr)
    errors = sum(problem.severity == "error" for problem in found)
    warnings = len(found) - errors
    counts = [f"{n} {word}{'s' if n > 1 else ''}" for n, word in ((errors, "error"), (warnings, "warning")) if n]
    if counts:
        print(", ".join(counts), file=sys.stderr)


def main() -> NoReturn:
    """Run a command; nothing a user can do ends in a traceback."""
    from evaluator.diagnostics import Stop

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    # queries are trees of many small objects, and looking for cycles among them again and again costs a tenth
    gc.set_threshold(100_000, 50, 50)
    code = 0
    try:
        code = app(standalone_mode=False, prog_name="evaluator") or 0
        sys.stdout.flush()
    except Stop as stopped:
        _warn(stopped.problems)
        code = 1
    except typer.Exit as done:
        code = done.exit_code
    except KeyboardInterrupt:
        code = STOPPED
    except (BrokenPipeError, SystemExit):  # typer exits when the reader has gone
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        code = 0
    except Exception as wrong:
        # DuckDB's word for Ctrl-C
        code = STOPPED if str(wrong) == "Query interrupted" else _fault(wrong)
    if code == STOPPED:
        print("\nstopped", file=sys.stderr)
    sys.exit(code)


def _fault(wrong: Exception) -> int:
    """Say what is wrong with the command, or that the fault is ours."""
    show = getattr(wrong, "show", None)
    if show is not None:  # a usage error, which knows how to print itself
        show()
        return 2
    import tempfile
    import traceback

    if os.environ.get("EVALUATOR_TRACEBACK"):
        traceback.print_exc()
    with tempfile.NamedTemporaryFile("w", prefix="evaluator-", suffix=".txt", delete=False, encoding="utf-8") as report:
        traceback.print_exc(file=report)
    print(f"this is our fault, not yours: {type(wrong).__name__}; nothing was written", file=sys.stderr)
    print(f"what we need to mend it is in {report.name}; please send it to us", file=sys.stderr)
    return 3


if __name__ == "__main__":
    main()
