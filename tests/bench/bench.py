"""How long a run takes beside the same job written by hand; the figures go into docs/performance.md.

python tests/bench/bench.py [--sizes 10k,100k,1m] [--date 2025-01-31] [--data DIR] [--keep]

Whole processes, one at a time and in turns: evaluator, the hand-written job, reading and grouping alone. The middle
one of three counts. What evaluator concludes must first be what the hand-written job does, member by member.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

from generate import YEAR, size_of

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"
EVALUATOR = [sys.executable, "-m", "evaluator.cli"]
DAGUAN = ROOT / "rules" / "daguan"


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
    evaluator: Figures
    floor: Figures
    read: Figures
    judging: float
    situations: int
    explained: Figures
    stages: dict[str, float] = field(default_factory=dict)


def measured(command: list[str], limit: float) -> Figures:
    """Run a process to its end and return what it took, its children included; stop at once if it fails."""
    with tempfile.TemporaryFile() as said:
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=said)
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


class Bench:
    """Data, run folders and repeats of one session."""

    def __init__(self, folder: Path, repeats: int, limit: float) -> None:
        self.folder, self.repeats, self.limit = folder, repeats, limit
        self.out, self.by_hand = folder / "run", folder / "by-hand.parquet"

    def data(self, size: int) -> Path:
        """Return the folder with the data of a size, generated unless there."""
        folder = self.folder / str(size)
        if not folder.exists():
            print(f"generating {size:,} members", file=sys.stderr)
            part = folder.with_suffix(".part")
            measured(program("generate", size, part), self.limit)
            part.rename(folder)
        return folder

    def evaluate(self, data: Path) -> Figures:
        """Run evaluator."""
        shutil.rmtree(self.out, ignore_errors=True)
        options = ["--data", str(data), "--year", str(YEAR), "--out", str(self.out)]
        return measured([*EVALUATOR, "run", str(HERE / "pack"), *options], self.limit)

    def compare(self, size: int) -> None:
        """Stop unless evaluator and the hand-written job agree about every member."""
        data = self.data(size)
        self.evaluate(data)
        measured(program("floor", "job", data, self.by_hand), self.limit)
        measured(program("floor", "same", self.out, self.by_hand), self.limit)
        print(f"{size:,} members: the same totals, grades, stars, quota and ranks", file=sys.stderr)

    def size(self, size: int) -> Result:
        """Measure one size, the three programs in turns."""
        data = self.data(size)
        runs: list[tuple[Figures, Figures, Figures]] = []
        for _ in range(self.repeats):
            ours = self.evaluate(data)
            floor = measured(program("floor", "job", data, self.by_hand), self.limit)
            read = measured(program("floor", "read", data), self.limit)
            runs.append((ours, floor, read))
            print(f"{size:,} members: {ours.seconds:.2f} s, by hand {floor.seconds:.2f} s", file=sys.stderr)
        manifest = json.loads((self.out / "manifest.json").read_text(encoding="utf-8"))
        subject = f"member:{size * 7 // 9}"
        explained = middle([measured([*EVALUATOR, "explain", str(self.out), subject], self.limit) for _ in range(5)])
        shutil.rmtree(self.out)
        times = self.folder / "times.json"
        command = program("statements", HERE / "pack", data, YEAR, self.out, "--json", times)
        measured(command, self.limit)
        inside = json.loads(times.read_text(encoding="utf-8"))
        stages: dict[str, float] = {}
        for seconds, shown in inside["stages"]:
            if shown:
                stages[shown.split()[0]] = stages.get(shown.split()[0], 0) + seconds
        ours, floor, read = (middle(list(column)) for column in zip(*runs, strict=True))
        counts = manifest["counts"]
        return Result(
            counts["subjects"]["member"], counts["records"]["records"], ours, floor, read,
            inside["judging"], inside["situations"], explained, stages,
        )  # fmt: skip

    def start_up(self) -> list[tuple[str, Figures]]:
        """Measure what a clerk waits for with small data."""
        data = ROOT / "fixtures" / "daguan" / "2021"
        commands = {
            "`evaluator --help`": ["--help"],
            "`evaluator check rules/daguan`": ["check", str(DAGUAN)],
            "`evaluator run rules/daguan`, 2021":
                ["run", str(DAGUAN), "--data", str(data), "--year", "2021", "--out", str(self.out)],
        }  # fmt: skip
        found = []
        for shown, arguments in commands.items():
            figures = []
            for _ in range(5):
                shutil.rmtree(self.out, ignore_errors=True)
                figures.append(measured([*EVALUATOR, *arguments], self.limit))
            found.append((shown, middle(figures)))
        return found


def table(heading: str, rows: list[list[str]]) -> list[str]:
    """Return a Markdown table whose first column is text and whose others are numbers."""
    names = heading.split("|")
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *rows]
    return ["| " + " | ".join(cell.strip() for cell in line) + " |" for line in lines] + [""]


def growth(results: list[Result]) -> str:
    """Return the power of the number of members with which the time grows, from each size to the next."""
    first, last = results[0], results[-1]
    pairs = [*zip(results, results[1:], strict=False), *([(first, last)] if len(results) > 2 else [])]
    shown = []
    for a, b in pairs:
        power = math.log(b.evaluator.seconds / a.evaluator.seconds) / math.log(b.members / a.members)
        shown.append(f"{power:.2f} from {a.members:,} to {b.members:,}")
    return ", ".join(shown)


def machine() -> str:
    """Describe where the figures come from."""
    with Path("/proc/meminfo").open() as lines:
        memory = int(next(lines).split()[1]) / 2**20
    packages = ", ".join(f"{name} {version(name)}" for name in ("evaluator", "duckdb", "durable-rules", "sqlglot"))
    return f"{os.cpu_count()} cores, {memory:.0f} GB, Python {platform.python_version()}, {packages}"


def page(results: list[Result], start_up: list[tuple[str, Figures]], when: str, load: str, repeats: int) -> str:
    """Return the figures as Markdown."""
    options = " ".join(sys.argv[1:])
    lines = [
        f"{when}, {machine()}. Load of the machine when it began and ended: {load}. "
        f"Median of {repeats} whole processes; `{' '.join(('python tests/bench/bench.py', options)).strip()}`.",
        "",
    ]
    rows = []
    for one in results:
        ours = one.evaluator
        rows.append(
            [
                f"{one.members:,}", f"{one.records:,}", f"{ours.seconds:.2f}", f"{ours.cpu:.2f}", f"{ours.mb:,.0f}",
                f"{one.floor.seconds:.2f}", f"{ours.seconds / one.floor.seconds:.1f}", f"{one.read.seconds:.2f}",
                f"{ours.seconds / one.read.seconds:.1f}", str(one.situations), f"{one.judging:.3f}",
            ]
        )  # fmt: skip
    heading = (
        "members | records | s | CPU s | MB | by hand, s | times that | read and group, s | times that "
        "| situations | durable-rules, s"
    )
    lines += table(heading, rows)
    if len(results) > 1:
        lines += [f"Time grows with the number of members to the power of {growth(results)}.", ""]
    names = list(dict.fromkeys(name for one in results for name in one.stages))
    rows = [[f"{one.members:,}", *(f"{one.stages.get(name, 0):.2f}" for name in names)] for one in results]
    lines += ["Where the seconds go, in one more run of each size under a stopwatch:", ""]
    lines += table(" | ".join(["members", *names]), rows)
    explained = [(f"`evaluator explain`, one of {one.members:,}", one.explained) for one in results]
    waited = [*start_up, *explained]
    rows = [[shown, f"{f.seconds:.2f}", f"{f.cpu:.2f}", f"{f.mb:,.0f}"] for shown, f in waited]
    lines += ["What a clerk waits for (median of 5):", ""]
    lines += table("command | s | CPU s | MB", rows)
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and put the figures into the page."""
    parser = argparse.ArgumentParser(description="Measure evaluator beside the same job written by hand.")
    parser.add_argument("--sizes", default="10k,100k,1m", help="how many members, several by comma")
    parser.add_argument("--date", default=dt.date.today().isoformat(), help="the date written beside the figures")
    parser.add_argument("--data", type=Path, help="where data and results go [a temporary folder]")
    parser.add_argument("--keep", action="store_true", help="leave data and results there")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=900, help="seconds a process may take")
    parser.add_argument("--print-only", action="store_true", help="leave docs/performance.md as it is")
    wanted = parser.parse_args()
    sizes = sorted(size_of(words) for words in wanted.sizes.split(","))
    if wanted.keep and wanted.data is None:
        parser.error("--keep needs --data")
    if wanted.data is not None:
        wanted.data.mkdir(parents=True, exist_ok=True)
    folder = wanted.data if wanted.keep else Path(tempfile.mkdtemp(prefix="evaluator-bench-", dir=wanted.data))
    try:
        bench = Bench(folder.absolute(), wanted.repeats, wanted.limit)
        load = f"{os.getloadavg()[0]:.1f}"
        start_up = bench.start_up()
        bench.compare(sizes[0])
        results = [bench.size(size) for size in sizes]
        load += f" and {os.getloadavg()[0]:.1f}"
    finally:
        if not wanted.keep:
            shutil.rmtree(folder, ignore_errors=True)
    figures = page(results, start_up, wanted.date, load, wanted.repeats)
    print(figures)
    if not wanted.print_only:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        PAGE.write_text(before + BEGIN + figures + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
