"""The command line: commands to calls, problems to exit codes. No logic of its own.

Exit codes: 0 fine, 1 the pack or the data is wrong, 2 the command is wrong, 3 our fault.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from evaluator import __version__

# in the order in which --help lists them
from evaluator.cli import assessing, checking, testing, proving, impact, editing, reviewing  # isort: skip
from evaluator.cli.common import app, warn

__all__ = ["app", "assessing", "checking", "editing", "impact", "main", "proving", "reviewing", "testing"]

STOPPED = 130  # as shells number it
REFUSED = {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.EROFS}
"""What the system says of paths that a command names."""
MOST_OF_A_PATH = 200


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


def main() -> NoReturn:
    """Run a command; nothing a user can do ends in a traceback."""
    from evaluator.diagnostics import Stop

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    # queries are trees of many small objects, and looking for cycles among them again and again costs a tenth
    gc.set_threshold(400_000, 50, 50)
    # to see whether anybody extends pydantic it would read what every installed package says of itself
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    code = 0
    try:
        code = app(standalone_mode=False, prog_name="evaluator") or 0
        sys.stdout.flush()
    except Stop as stopped:
        warn(stopped.problems)
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
    if isinstance(wrong, OSError) and wrong.errno in REFUSED and wrong.filename is not None:
        print(f"{str(wrong.filename)[:MOST_OF_A_PATH]}: {wrong.strerror}", file=sys.stderr)
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
