"""Cases are documents: the files of a pack and its data, commands, and exactly what they print.

In `cases/{good,bad}/*.md` a fenced block with `file=` is a file (`encoding=` where it is not UTF-8; with `sheet=` it
becomes a sheet of a workbook); a `console` block holds commands after `$ ` with standard output, then standard
error, then `exit N` where that is not 0. Everything else is prose. EVALUATOR_UPDATE_CASES=1 rewrites what is
printed; read it before it is committed.
"""

import csv
import io
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
import xlsxwriter

from evaluator.cli import main
from evaluator.diagnostics import CODES

CASES = Path(__file__).parent / "cases"
FILES = sorted(CASES.glob("*/*.md"))
BLOCK = re.compile(r"^(`{3,})(\w+)([^\n]*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"(\w+)=(\S+)")
UPDATE = bool(os.environ.get("EVALUATOR_UPDATE_CASES"))
NOT_A_USERS = {"E101", "E102", "E103", "E104", "E105", "E106", "R205", "R208", "R225"}
"""The engine broken or disagreeing with itself, a library left out, a large run changed: no pack and no small data can
bring these about."""
IN_A_PROCESS = {"good/reconcile.md", "bad/p104-unknown-key.md"}
"""Run as a user would, so that main() is known to do what the console script does."""


@dataclass(frozen=True)
class Case:
    """A document: its files, and each command with what it printed."""

    text: str
    files: list[tuple[dict[str, str], str]]
    consoles: list[tuple[int, int]]  # where the body of each console block stands in the text


def read_case(path: Path) -> Case:
    text = path.read_text(encoding="utf-8")
    files, consoles = [], []
    for block in BLOCK.finditer(text):
        options = dict(OPTION.findall(block[3]))
        if block[2] == "console":
            consoles.append(block.span(4))
        else:
            assert "file" in options, f"{path.name}: a block is neither a file nor a console"
            files.append((options, block[4]))
    assert consoles, f"{path.name} runs nothing"
    return Case(text, files, consoles)


def write_files(files: list[tuple[dict[str, str], str]]) -> None:
    books: dict[str, xlsxwriter.Workbook] = {}
    for options, body in files:
        path = Path(options["file"])
        path.parent.mkdir(parents=True, exist_ok=True)
        if "sheet" not in options:
            path.write_bytes(body.encode(options.get("encoding", "utf-8")))
            continue
        book = books.setdefault(options["file"], xlsxwriter.Workbook(path))
        sheet = book.add_worksheet(options["sheet"])
        for number, row in enumerate(csv.reader(io.StringIO(body))):
            sheet.write_row(number, 0, row)
    for book in books.values():
        book.close()


def run_here(words: list[str]) -> tuple[str, int]:
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, words
    try:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = before
    return out.getvalue() + err.getvalue(), int(ended.value.code or 0)


def run_process(words: list[str]) -> tuple[str, int]:
    ended = subprocess.run(
        [sys.executable, "-m", "evaluator.cli", *words[1:]], capture_output=True, encoding="utf-8", check=False
    )
    return ended.stdout + ended.stderr, ended.returncode


def printed(body: str, in_process: bool) -> str:
    """Run the commands of a console block and return the block as it should be."""
    parts = []
    for line in body.splitlines():
        if line.startswith("$ "):
            words = shlex.split(line[2:], comments=True)
            assert words[0] == "evaluator", f"not a command of ours: {line}"
            text, code = (run_process if in_process else run_here)(words)
            text += "" if text.endswith("\n") or not text else "\n"
            parts.append(f"{line}\n{text}" + (f"exit {code}\n" if code else ""))
    return "".join(parts)


def name_of(path: Path) -> str:
    return path.relative_to(CASES).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_case(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    case = read_case(path)
    write_files(case.files)
    found = [printed(case.text[start:end], name_of(path) in IN_A_PROCESS) for start, end in case.consoles]
    if UPDATE:
        text = case.text
        for (start, end), body in reversed(list(zip(case.consoles, found, strict=True))):
            text = text[:start] + body + text[end:]
        path.write_text(text, encoding="utf-8")
    else:
        assert found == [case.text[start:end] for start, end in case.consoles]


def test_every_code_has_a_case_that_fires_it() -> None:
    fired = set()
    for path in FILES:
        case = read_case(path)
        for start, end in case.consoles:
            fired |= set(re.findall(r"(?:error|warning)\[([A-Z]\d+)\]:", case.text[start:end]))
    assert CODES.keys() - NOT_A_USERS - fired == set()
    assert fired <= CODES.keys()


def test_bad_cases_are_named_after_what_they_fire_and_good_ones_fire_no_error() -> None:
    for path in FILES:
        case = read_case(path)
        body = "".join(case.text[start:end] for start, end in case.consoles)
        if path.parent.name == "bad":
            code = path.name.partition("-")[0].upper()
            assert f"[{code}]: " in body, f"{path.name} does not fire {code}"
        else:
            assert "error[" not in body, f"{path.name} is not good"


def test_nothing_a_case_prints_is_our_fault() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert "our fault" not in text and "Traceback" not in text, path.name
