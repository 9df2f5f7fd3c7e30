"""The command line: exit codes, what goes where, and what happens when it is cut short."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import DATA, ROOT, RULES, bytes_of, rows_of, write_csv, write_pack

from evaluator import __version__, cli

PROGRAM = [sys.executable, "-m", "evaluator.cli"]
PACK = """
    pack: tiny
    title: {zh: 小样}
    language: zh
    period: {months: 12, ending: 12-31}
    tables: {}
"""
PERSON = """
    subject: person
    files: [名单]
    key: id
    display: name
    fields:
      id:   {type: text, columns: [编号]}
      name: {type: text, columns: [姓名]}
      held: {type: integer, columns: [天数]}
    verdicts:
      grade:
        levels: [差, 好]
        rules:
          - {is: 好, when: held >= 3}
          - {otherwise: 差}
    rosters:
      - {id: all, order_by: [held desc], rank: dense, columns: [rank, id, name, held, grade]}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a pack, good data and bad data."""
    write_pack(tmp_path / "pack", pack=PACK.replace("    tables: {}\n", ""), person=PERSON)
    headings = ("编号", "姓名", "天数")
    write_csv(tmp_path / "data" / "名单.csv", headings, [("1", "王一", 3), ("2", "李二", 1)])
    write_csv(tmp_path / "bad" / "名单.csv", headings, [("1", "王一", 3), ("2", "李二", "许多"), ("3", "", "x")])
    (tmp_path / "tmp").mkdir()
    return tmp_path


def command(*arguments: object, patch: str = "") -> list[str]:
    """Return the program with these arguments; `patch` is Python that runs before."""
    words = [os.fsencode(a) if isinstance(a, Path) else str(a) for a in arguments]
    start = PROGRAM if not patch else [sys.executable, "-c", f"{patch}\nfrom evaluator.cli import main; main()"]
    return [*start, *words]  # type: ignore[list-item]


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LC_", "LANG"))}
    return {**kept, "PYTHONPATH": str(ROOT), "TMPDIR": str(home / "tmp"), **more}


def call(home: Path, *arguments: object, patch: str = "", **more: str) -> tuple[int, str, str]:
    """Run the program in `home` to its end; return its exit code and what it said."""
    done = subprocess.run(
        command(*arguments, patch=patch), cwd=home, env=environment(home, **more), capture_output=True, timeout=60
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


RUN = ("run", "pack", "--year", "2021", "--out", "out", "--data")


def test_a_run_and_what_reads_it(home: Path) -> None:
    """Results on standard output, nothing on standard error, and the exit code 0."""
    code, said, wrong = call(home, *RUN, "data")
    assert (code, wrong) == (0, "")
    assert said == "小样 · 2021\nperson 2\n\n结果在 out\n"
    assert sorted(p.name for p in home.iterdir()) == ["bad", "data", "out", "pack", "tmp"]
    code, said, wrong = call(home, "rosters", "out", "--format", "json", "--roster", "all", LC_ALL="C")
    assert (code, wrong) == (0, "")
    assert [row["name"] for row in json.loads(said)[0]["rows"]] == ["王一", "李二"]
    code, said, wrong = call(home, "explain", "out", "李二", LANG="C")
    assert (code, wrong) == (0, "")
    assert said.startswith("person 李二 (2) · 2021\ngrade 差\n")


@pytest.mark.parametrize(
    "locale",
    [{"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "gbk:strict"}, {"LC_ALL": "C"}, {"LANG": "C"}],
)
def test_output_is_utf8_in_every_locale(home: Path, locale: dict[str, str]) -> None:
    code, said, wrong = call(home, "run", "pack", "--year", "2021", "--out", "out", "--data", "bad", **locale)
    assert (code, said) == (1, "")
    assert 'bad/名单.csv:3:天数: error[D201]: "许多" is not a whole number' in wrong


def test_bad_rows_stop_a_run_unless_accepted(home: Path) -> None:
    code, said, wrong = call(home, *RUN, "bad")
    assert (code, said) == (1, "")
    assert [line for line in wrong.splitlines() if not line.startswith("  ")] == [
        'bad/名单.csv:3:天数: error[D201]: "许多" is not a whole number (person)',
        'bad/名单.csv:4:天数: error[D201]: "x" is not a whole number (person)',
        "bad/名单.csv:4:姓名: error[D201]: empty (person)",
        "3 errors",
    ]
    assert not (home / "out").exists()
    code, said, wrong = call(home, *RUN, "bad", "--accept-rejects")
    assert (code, wrong) == (0, "")
    assert "rejects.csv" in said
    assert [row["key"] for row in rows_of(home / "out", "subjects/person")] == ["1"]
    assert len(rows_of(home / "out", "rejects")) == 3


def test_a_bad_pack(home: Path) -> None:
    (home / "pack" / "person.yaml").write_text(
        (home / "pack" / "person.yaml").read_text().replace("held >= 3", "hold >= 3")
    )
    for arguments in (("check", "pack"), (*RUN, "data")):
        code, said, wrong = call(home, *arguments)
        assert (code, said) == (1, "")
        assert wrong.startswith("pack/person.yaml:13:23: error[P401]: "), wrong
        assert wrong.endswith("\n1 error\n")
    assert not (home / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "Usage: evaluator"),
        ("nope", "No such command 'nope'"),
        ("run", "Missing argument 'PACK'"),
        ("run pack --year 2021", "Missing option '--data'"),
        ("run pack --data data", "Missing option '--year'"),
        ("run pack --data data --year 20x1", "'--year'"),
        ("run pack --data data --year 1899", "'--year'"),
        ("run pack --data data --year 2021 --colour", "No such option"),
        ("test a b", "unexpected extra argument"),
        ("rosters out --format xml", "'xml' is not one of"),
        ("explain out", "Missing argument 'SUBJECT'"),
    ],
)
def test_usage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: str, told: str) -> None:
    monkeypatch.setattr(sys, "argv", ["evaluator", *arguments.split()])
    with pytest.raises(SystemExit) as done:
        cli.main()
    said, wrong = capsys.readouterr()
    assert (done.value.code, said) == (2, "")
    assert told in wrong


@pytest.mark.parametrize("arguments", ["--help", "-h", "run --help", "rosters -h", "--version", "schema"])
def test_help_and_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["evaluator", *arguments.split()])
    with pytest.raises(SystemExit) as done:
        cli.main()
    said, wrong = capsys.readouterr()
    assert (done.value.code or 0, wrong) == (0, "")
    if arguments == "--version":
        assert said == f"evaluator {__version__}\n"
    elif arguments == "schema":
        assert all(schema["type"] == "object" or "$ref" in schema for schema in json.loads(said).values())
    else:
        assert said.startswith("Usage: evaluator")
        for name in ("run", "check", "test", "explain", "rosters", "schema"):
            assert name in said or " " in arguments


def test_help_is_quick(home: Path) -> None:
    """It loads neither the database nor the parsers."""
    patch = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    code, said, modules = call(home, "--help", patch=patch)
    assert code == 0
    assert said.startswith("Usage")
    loaded = set(modules.split())
    assert "typer" in loaded
    heavy = {"duckdb", "sqlglot", "pydantic", "durable", "yaml", "python_calamine", "xlsxwriter", "evaluator.pack"}
    assert not heavy & loaded


@pytest.mark.parametrize("arguments", ["--help", "check pack", "schema"])
def test_a_reader_that_goes(home: Path, arguments: str) -> None:
    """As in `evaluator … | head -1`: no word of it, and no exit code that means something else."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command(*arguments.split()), cwd=home, env=environment(home), stdout=writing, stderr=subprocess.PIPE, timeout=60
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_not_utf8_on_the_command_line(home: Path) -> None:
    """Whatever a terminal passes on is a problem of the user's, told in a way that can be read."""
    bad = os.fsdecode(b"\xd5\xc5\xff")
    for arguments in (("check", bad), (*RUN, bad), ("run", "pack", "--year", 2021, "--data", "data", "--out", bad)):
        code, said, wrong = call(home, *arguments)
        assert (code, said) == (1, ""), wrong
        assert "\\udcff" in wrong
        assert wrong.endswith("1 error\n")


def test_our_fault(home: Path) -> None:
    """No traceback, but a file that holds it; with EVALUATOR_TRACEBACK also on standard error."""
    patch = "import evaluator.engine.run as m\ndef make_roster(*_): return 1 // 0\nm.make_roster = make_roster"
    code, said, wrong = call(home, *RUN, "data", patch=patch)
    assert (code, said) == (3, "")
    assert "Traceback" not in wrong
    assert wrong.startswith("this is our fault, not yours: ZeroDivisionError")
    [report] = (home / "tmp").iterdir()
    assert str(report) in wrong
    assert "ZeroDivisionError" in report.read_text()
    assert not (home / "out").exists()
    code, _, wrong = call(home, *RUN, "data", patch=patch, EVALUATOR_TRACEBACK="1")
    assert code == 3
    assert "make_roster" in wrong


STOPS = {
    "while writing": """
import time, evaluator.report.run_folder as m
def write_workbook(*_): print("now", flush=True); time.sleep(30)
m.write_workbook = write_workbook""",
    "in a query": """
import evaluator.engine.run as m, sqlglot
def make_roster(state, roster):
    print("now", flush=True)
    state.db.run(sqlglot.parse_one("select sum(a.range * b.range % 7) from range(100000000) a, range(1000000) b"))
m.make_roster = make_roster""",
    "while judging": """
import time, evaluator.engine.run as m
judged = m.conclude
def conclude(*args): judged(*args); print("now", flush=True); time.sleep(30)  # the judge still runs
m.conclude = conclude""",
}


@pytest.mark.parametrize("when", STOPS)
def test_ctrl_c(home: Path, when: str) -> None:
    """The terminal sends it to the whole group; nothing is left, no traceback, no process."""
    # whoever runs the tests in the background has them ignore it
    patch = f"import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler){STOPS[when]}"
    with subprocess.Popen(
        command(*RUN, "data", patch=patch), cwd=home, env=environment(home), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stdout.readline() == b"now\n"
        os.killpg(running.pid, signal.SIGINT)
        try:
            said, wrong = running.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            raise
    assert (running.returncode, said, wrong) == (130, b"", b"\nstopped\n")
    assert sorted(p.name for p in home.iterdir()) == ["bad", "data", "pack", "tmp"]
    assert list((home / "tmp").iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)


def on_terminal(home: Path, *arguments: object, patch: str) -> tuple[int, str]:
    """Run the program with standard error on a terminal; return its exit code and what came there."""
    master, terminal = pty.openpty()
    with subprocess.Popen(
        command(*arguments, patch=patch), cwd=home, env=environment(home), stdout=subprocess.DEVNULL, stderr=terminal
    ) as running:
        os.close(terminal)
        shown = b""
        while select.select([master], [], [], 60)[0]:
            try:
                part = os.read(master, 65536)
            except OSError:  # the other end was closed
                break
            if not part:
                break
            shown += part
    os.close(master)
    return running.returncode, shown.decode()


def test_progress(home: Path) -> None:
    """On a terminal, when it takes long: one line that says what is done, and is gone at the end."""
    slow = "import evaluator.cli.common as m; m.QUIET_SECONDS = 0.0"
    code, shown = on_terminal(home, *RUN, "data", patch=slow)
    assert code == 0
    stages = re.findall(r"\r\x1b\[K *\d+ s  (.+?) …", shown)
    assert {"reading data", "reading person", "making rosters", "writing out"} <= set(stages)
    assert "\n" not in shown
    assert shown.endswith("\r\x1b[K")
    slow += "; m.TICK = 0.002; import evaluator.sql.duck as d; d.DuckDatabase.done = lambda self: 40.0"
    code, shown = on_terminal(home, *RUN, "data", "--out", "again", patch=slow)
    assert code == 0
    assert re.search(r"\d s  reading person, 40 %, [\d,]+ rows/s, \d+ s left …", shown)
    shutil.rmtree(home / "out")
    code, shown = on_terminal(home, *RUN, "data", patch="import evaluator.cli.common as m; m.QUIET_SECONDS = 1000.0")
    assert (code, shown) == (0, "")
    shutil.rmtree(home / "out")
    assert call(home, *RUN, "data", patch=slow)[2] == ""


def test_history_and_the_same_bytes(runs: dict[int, Path]) -> None:
    """The command does what the function does."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        code, said, wrong = call(
            home, "run", RULES, "--data", DATA / "2021", "--year", 2021, "--history", runs[2020], "--out", "a/b/out"
        )
        assert (code, wrong) == (0, "")
        assert "控制数" in said
        assert bytes_of(home / "a" / "b" / "out") == bytes_of(runs[2021])


def test_engines(home: Path) -> None:
    """Without pyspark that is said; an option of the other engine is refused; nothing is written."""
    code, said, wrong = call(home, *RUN, "data", "--engine", "spark", patch="import sys; sys.modules['pyspark'] = None")
    assert (code, said) == (1, "")
    assert wrong.startswith("error[E105]: pyspark is not here")
    for options in (
        ("--master", "local"),
        ("--work", "."),
        ("--engine", "spark", "--memory", "2GB"),
        ("--memory", "2"),
    ):
        code, said, wrong = call(home, *RUN, "data", *options)
        assert (code, said) == (2, "")
        assert "Invalid value" in wrong
    assert not (home / "out").exists()
    assert call(home, *RUN, "data", "--memory", "300MB")[0] == 0
