"""Whole processes on a stopwatch: evaluator, the hand-written job and the peers over the same data."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from generate import YEAR
from peers import PEERS, Peer

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EVALUATOR = [sys.executable, "-m", "evaluator.cli"]
DAGUAN = ROOT / "rules" / "daguan"

# told to keep no bytecode, Python compiles anew at every start what is installed to be edited; no user has that
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@dataclass(frozen=True)
class Figures:
    """What a process took."""

    seconds: float
    cpu: float
    mb: float


@dataclass
class Result:
    """The figures of one size, the middle ones of several."""

    members: int
    records: int
    situations: int
    judging: float
    stages: dict[str, float]  # seconds, of one more run
    explained: Figures
    programs: dict[str, Figures] = field(default_factory=dict)  # evaluator, appeal, evidence, job, read and the peers


def measured(command: list[str], limit: float, folder: Path = ROOT) -> Figures:
    """Run a process to its end and return what it took, its children included; stop at once if it fails."""
    with tempfile.TemporaryFile() as said:
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=said)
        timer = threading.Timer(limit, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            why = "took too long" if seconds >= limit else said.read().decode()
            sys.exit(f"{' '.join(command)}\n{why}")
    return Figures(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def middle(figures: list[Figures]) -> Figures:
    """Return the medians."""
    return Figures(median(f.seconds for f in figures), median(f.cpu for f in figures), median(f.mb for f in figures))


def program(name: str, *arguments: object) -> list[str]:
    """Return the command of a program in this folder."""
    return [sys.executable, str(HERE / f"{name}.py"), *map(str, arguments)]


def told(words: str) -> None:
    """Say how far it is."""
    print(words, file=sys.stderr)


def available(folder: Path, asked: list[str]) -> tuple[list[Peer], list[str]]:
    """Return which of the peers can run here, and of the others why not; install what Node needs into a folder."""
    found, missing = [], []
    for peer in (peer for peer in PEERS if peer.name in asked):
        absent = [library for library in ("pyarrow", peer.library) if find_spec(library) is None]
        if absent:
            missing.append(f"{peer.name}, as {absent[-1]} is not installed")
        elif peer.name == "json_rules" and (why := _node(folder)):
            missing.append(f"{peer.name}, as {why}")
        else:
            found.append(peer)
    return found, missing


def _node(folder: Path) -> str:
    """Install what json_rules.mjs needs beside a copy of it; return why that cannot be, if so."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return "there is no Node"
    folder.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json", "json_rules.mjs"):
        shutil.copy(HERE / "peers" / name, folder)
    os.environ["NODE_FOLDER"] = str(folder)
    command = [npm, "ci", "--no-audit", "--no-fund"]
    installed = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return "npm cannot install json-rules-engine" if installed.returncode else ""


class Session:
    """Data, run folders and repeats of one session."""

    def __init__(self, folder: Path, repeats: int, limit: float, peers: list[Peer], pause: float) -> None:
        self.folder, self.repeats, self.limit, self.peers, self.pause = folder, repeats, limit, peers, pause
        self.out, self.amended, self.evidence = folder / "run", folder / "amended", folder / "evidence"
        self.answers = folder / "answers.parquet"

    def data(self, size: int) -> Path:
        """Return the folder with the data of a size and a case, generated unless there."""
        folder = self.folder / str(size)
        if not folder.exists():
            told(f"generating {size:,} members")
            part = folder.with_suffix(".part")
            self.measure(program("generate", size, part))
            part.rename(folder)
        if not self.cases(size).exists():
            self.measure(program("appeal", "write", folder, self.cases(size)))
        return folder

    def cases(self, size: int) -> Path:
        """Return the folder of the case of a size; not in that of the data, whose every file is hashed."""
        return self.folder / f"{size}-appeals"

    def measure(self, command: list[str]) -> Figures:
        """Measure a process."""
        return measured(command, self.limit)

    def evaluate(self, data: Path, out: Path, *more: object) -> Figures:
        """Run evaluator."""
        shutil.rmtree(out, ignore_errors=True)
        options = ["--data", data, "--year", YEAR, "--out", out, *more]
        return self.measure([*EVALUATOR, "run", str(HERE / "pack"), *map(str, options)])

    def write_by_hand(self, data: Path) -> Figures:
        """Write by hand what a run leaves."""
        shutil.rmtree(self.evidence, ignore_errors=True)
        return self.measure(program("evidence", "write", data, self.evidence))

    def amend(self, size: int) -> Figures:
        """Run evaluator once more, after a case was accepted."""
        return self.evaluate(self.data(size), self.amended, "--appeals", self.cases(size), "--supersedes", self.out)

    def ask(self, peer: Peer, size: int) -> Figures:
        """Let a peer do the job."""
        command = [sys.executable, "-m", "peers", peer.name, str(self.data(size)), str(self.answers)]
        return measured(command, self.limit, HERE)

    def compare(self, size: int) -> None:
        """Stop unless all agree about every member, and a case touches nobody else and comes to the same bytes."""
        by_hand = self.folder / "by-hand.parquet"
        self.evaluate(self.data(size), self.out)
        self.measure(program("floor", "job", self.data(size), by_hand))
        self.measure(program("floor", "same", self.out, by_hand))
        self.write_by_hand(self.data(size))
        self.measure(program("evidence", "same", self.out, self.evidence))
        for peer in self.peers:
            self.ask(peer, size)
            self.measure(program("floor", "equal", self.answers, by_hand))
        told(f"{size:,} members: the same from {', '.join(['evaluator', 'by hand', *(p.name for p in self.peers)])}")
        self.amend(size)
        self.measure(program("appeal", "apart", self.out, self.amended))
        mended = self.folder / f"{size}-mended"
        self.measure(program("appeal", "mend", self.data(size), mended))
        self.evaluate(mended, self.out)
        self.measure(program("appeal", "same", self.amended, self.out))
        told(f"{size:,} members: the case touches one of them, and comes to the bytes that mended data come to")

    def size(self, size: int) -> Result:
        """Measure one size, the programs in turns."""
        data = self.data(size)
        runs: dict[str, list[Figures]] = {}
        for _ in range(self.repeats):
            turn = {
                "evaluator": self.evaluate(self.data(size), self.out),
                "appeal": self.amend(size),
                "evidence": self.write_by_hand(data),
                "job": self.measure(program("floor", "job", data, self.answers)),
                "read": self.measure(program("floor", "read", data)),
                **{peer.name: self.ask(peer, size) for peer in self.peers if size <= peer.largest},
            }
            for name, figures in turn.items():
                runs.setdefault(name, []).append(figures)
            told(f"{size:,} members: " + ", ".join(f"{name} {one.seconds:.2f} s" for name, one in turn.items()))
        self.measure(program("appeal", "apart", self.out, self.amended))
        counts = json.loads((self.out / "manifest.json").read_text(encoding="utf-8"))["counts"]
        explain = [*EVALUATOR, "explain", str(self.out), f"member:{size * 7 // 9}"]
        os.sync()  # who asks finds what the runs have written on the disk, and the machine at rest
        time.sleep(self.pause)
        explained = middle([self.measure(explain) for _ in range(5)])
        for folder in (self.out, self.amended, self.evidence):
            shutil.rmtree(folder)
        times = self.folder / "times.json"
        self.measure(program("statements", HERE / "pack", data, YEAR, self.out, "--json", times))
        inside = json.loads(times.read_text(encoding="utf-8"))
        stages: dict[str, float] = {}
        for seconds, shown in inside["stages"]:
            if shown:
                stages[shown.split()[0]] = stages.get(shown.split()[0], 0) + seconds
        return Result(
            counts["subjects"]["member"], counts["records"]["records"], inside["situations"], inside["judging"], stages,
            explained, {name: middle(figures) for name, figures in runs.items()},
        )  # fmt: skip

    def start_up(self) -> list[tuple[str, Figures]]:
        """Measure what a clerk waits for with small data, and what the libraries alone take of that."""
        data = ROOT / "fixtures" / "daguan" / "2021"
        libraries = "import duckdb, sqlglot, typer, yaml; from pydantic import BaseModel"
        commands = {
            "the libraries alone, imported": [sys.executable, "-c", libraries],
            "`evaluator --help`": [*EVALUATOR, "--help"],
            "`evaluator check rules/daguan`": [*EVALUATOR, "check", str(DAGUAN)],
            "`evaluator run rules/daguan`, 2021":
                [*EVALUATOR, "run", str(DAGUAN), "--data", str(data), "--year", "2021", "--out", str(self.out)],
        }  # fmt: skip
        found = []
        for shown, command in commands.items():
            figures = []
            for _ in range(5):
                shutil.rmtree(self.out, ignore_errors=True)
                figures.append(self.measure(command))
            found.append((shown, middle(figures)))
        return found
