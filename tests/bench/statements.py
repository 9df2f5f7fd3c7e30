"""Where the time of a run goes: every statement the database runs, and the judging, on a stopwatch.

python tests/bench/statements.py tests/bench/pack DATA 2025 OUT [--top 15] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb

import evaluator
from evaluator.engine import decide
from evaluator.sql import duck


@dataclass
class Times:
    """Seconds, of the whole run and of what stands out in it."""

    whole: float = 0
    loading: float = 0  # of the pack
    judging: float = 0  # durable-rules: question to answer
    situations: int = 0
    statements: list[tuple[float, float, int, str]] = field(default_factory=list)  # s, CPU s, peak MB by then, SQL
    stages: list[tuple[float, str]] = field(default_factory=list)


class _Watched:
    """A connection whose statements are timed."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, times: Times) -> None:
        self._connection, self._times = connection, times

    def execute(self, query: str, *rest: Any) -> duckdb.DuckDBPyConnection:
        begin, cpu = time.perf_counter(), time.process_time()
        try:
            return self._connection.execute(query, *rest)
        finally:
            seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
            self._times.statements.append((seconds, cpu, peak(), query))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def peak() -> int:
    """Return the peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@contextmanager
def watched(times: Times) -> Iterator[None]:
    """Time everything that passes through the database and the judge."""
    begin_database, ask = duck.DuckDatabase.__init__, decide.Bench.ask

    def begin_watched(database: duck.DuckDatabase, *rest: Any, **more: Any) -> None:
        begin_database(database, *rest, **more)
        database.connection = _Watched(database.connection, times)  # type: ignore[assignment]

    def ask_watched(bench: decide.Bench, document: dict[str, object], count: int, *rest: Any) -> list[Any]:
        begin = time.perf_counter()
        answers = ask(bench, document, count, *rest)
        times.judging += time.perf_counter() - begin
        times.situations += count
        return answers

    duck.DuckDatabase.__init__, decide.Bench.ask = begin_watched, ask_watched  # type: ignore[method-assign]
    try:
        yield
    finally:
        duck.DuckDatabase.__init__, decide.Bench.ask = begin_database, ask  # type: ignore[method-assign]


def measure(pack: Path, data: Path, year: int, out: Path) -> Times:
    """Run a pack with a stopwatch."""
    times = Times()
    begin = last = time.perf_counter()
    stage = ""

    def progress(shown: str) -> None:
        nonlocal last, stage
        now = time.perf_counter()
        times.stages.append((now - last, stage))
        last, stage = now, str(shown)

    checked = evaluator.load_pack(pack)
    times.loading = time.perf_counter() - begin
    with watched(times):
        evaluator.run(checked, data, year, out, progress=progress)
    progress("")
    times.whole = time.perf_counter() - begin
    return times


def report(times: Times, top: int) -> str:
    """Return the slowest statements as text."""
    known = sum(seconds for seconds, *_ in times.statements)
    lines = [
        f"{times.whole:.2f} s in all: {times.loading:.2f} s loading the pack, {known:.2f} s in "
        f"{len(times.statements)} statements, {times.judging:.3f} s judging {times.situations} situations; "
        f"{peak()} MB"
    ]
    lines += [f"{seconds:8.2f} s  {stage}" for seconds, stage in times.stages if stage]
    for seconds, cpu, mb, query in sorted(times.statements, reverse=True)[:top]:
        lines.append(f"{seconds:8.3f} s {cpu:8.3f} CPU s {mb:6} MB  {' '.join(query.split())[:200]}")
    return "\n".join(lines)


def main() -> None:
    """Measure what the command line names, and print it."""
    parser = argparse.ArgumentParser(description="Time every statement of a run.")
    for name in ("pack", "data"):
        parser.add_argument(name, type=Path)
    parser.add_argument("year", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("--top", type=int, default=15)
    parser.add_argument("--json", type=Path, help="write everything to this file as well")
    wanted = parser.parse_args()
    times = measure(wanted.pack, wanted.data, wanted.year, wanted.out)
    print(report(times, wanted.top))
    if wanted.json:
        wanted.json.write_text(json.dumps(asdict(times), ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
