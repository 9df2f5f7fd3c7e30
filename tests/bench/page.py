"""The figures as Markdown, for docs/performance.md."""

from __future__ import annotations

import json
import math
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from measuring import Figures, Result
from peers import WHOLE, Peer

NAMES = {
    "evidence": "by hand, in DuckDB, the same files",
    "job": "by hand, in DuckDB, a row a member",
    "json_rules": "json-rules-engine",
}


def table(heading: str, rows: list[list[str]], texts: int = 1) -> list[str]:
    """Return a Markdown table whose first columns are text and whose others are numbers."""
    names = heading.split("|")
    lines = [names, [*["---"] * texts, *["---:"] * (len(names) - texts)], *rows]
    return ["| " + " | ".join(cell.strip() for cell in line) + " |" for line in lines] + [""]


def growth(results: list[Result]) -> str:
    """Return the power of the number of members with which the time grows, from each size to the next."""
    first, last = results[0], results[-1]
    pairs = [*zip(results, results[1:], strict=False), *([(first, last)] if len(results) > 2 else [])]
    shown = []
    for a, b in pairs:
        power = math.log(b.programs["evaluator"].seconds / a.programs["evaluator"].seconds)
        shown.append(f"{power / math.log(b.members / a.members):.2f} from {a.members:,} to {b.members:,}")
    return ", ".join(shown)


def machine(peers: list[Peer]) -> str:
    """Describe where the figures come from."""
    with Path("/proc/meminfo").open() as lines:
        memory = int(next(lines).split()[1]) / 2**20
    ours = ["evaluator", "duckdb", "durable-rules", "sqlglot"]
    theirs = [peer.package for peer in peers if peer.package and peer.package not in (*ours, "json-rules-engine")]
    packages = [f"{name} {version(name)}" for name in (*ours, *theirs)]
    if any(peer.name == "json_rules" for peer in peers):
        file = Path(os.environ["NODE_FOLDER"], "node_modules", "json-rules-engine", "package.json")
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
        packages.append(
            f"json-rules-engine {json.loads(file.read_text(encoding='utf-8'))['version']} on Node {node[1:]}"
        )
    return f"{os.cpu_count()} cores, {memory:.0f} GB, Python {platform.python_version()}, {', '.join(packages)}"


def sizes(results: list[Result]) -> list[str]:
    """Return the table of evaluator beside the floors."""
    rows = []
    for one in results:
        ours, amended, *floors = (one.programs[name] for name in ("evaluator", "appeal", "evidence", "job", "read"))
        rows.append(
            [
                f"{one.members:,}", f"{one.records:,}", f"{ours.seconds:.2f}", f"{ours.cpu:.2f}", f"{ours.mb:,.0f}",
                *(part for f in floors for part in (f"{f.seconds:.2f}", f"{ours.seconds / f.seconds:.1f}")),
                f"{amended.seconds:.2f}", f"{amended.seconds / ours.seconds:.2f}", str(one.situations),
                f"{one.judging:.3f}",
                f"{one.judging / ours.seconds:.2%}",
            ]
        )  # fmt: skip
    heading = (
        "members | records | s | CPU s | MB | the same files by hand, s | times that "
        "| a row a member by hand, s | times that | read and group, s | times that "
        "| after an appeal, s | of a run | situations | durable-rules, s | of a run"
    )
    return table(heading, rows)


def reckoned(results: list[Result], name: str, members: int) -> float | None:
    """Return the seconds a program would take at least, by what each more member took from its last size but one."""
    known = [(one.members, one.programs[name].seconds) for one in results if name in one.programs][-2:]
    if len(known) < 2 or known[0][1] >= known[1][1]:
        return None
    (fewer, before), (more, after) = known
    return after + (after - before) / (more - fewer) * (members - more)


def beside(results: list[Result], peers: list[Peer]) -> list[str]:
    """Return the table of evaluator beside the peers."""
    programs = [("evaluator", WHOLE), ("evidence", WHOLE), ("job", WHOLE), *((peer.name, peer.part) for peer in peers)]
    rows = []
    for name, part in programs:
        row, mb = [NAMES.get(name, name), part], ""
        for one in results:
            ours = one.programs["evaluator"].seconds
            if (figures := one.programs.get(name)) is not None:
                row += [f"{figures.seconds:.2f}", f"{ours / figures.seconds:.2f}"]
                mb = f"{figures.mb:,.0f}"
            elif (seconds := reckoned(results, name, one.members)) is not None:
                row += [f"(about {seconds:.0f})", f"({ours / seconds:.2f})"]
            else:
                row += ["", ""]
        rows.append([*row, mb])
    columns = " | ".join(f"{one.members:,}: s | evaluator, times that" for one in results)
    return table(f"program | does itself | {columns} | MB, at its largest", rows, texts=2)


def page(
    results: list[Result], start_up: list[tuple[str, Figures]], peers: list[Peer], missing: list[str], when: str,
    load: str, repeats: int,
) -> str:  # fmt: skip
    """Return the figures as Markdown."""
    # where the data lay is of one machine
    command = re.sub(r" --data[ =]\S+", "", " ".join(("python tests/bench/bench.py", *sys.argv[1:])))
    lines = [
        f"{when}, {machine(peers)}. Load of the machine when it began and ended: {load}. "
        f"Median of {repeats} whole processes; `{command}`.",
        "",
        *sizes(results),
    ]
    if len(results) > 1:
        lines += [f"Time grows with the number of members to the power of {growth(results)}.", ""]
    if peers:
        lines += ["Beside what people would otherwise use (in brackets: reckoned from the sizes before):", ""]
        lines += beside(results, peers)
    if missing:
        lines += [f"Left out: {'; '.join(missing)}.", ""]
    names = list(dict.fromkeys(name for one in results for name in one.stages))
    rows = [[f"{one.members:,}", *(f"{one.stages.get(name, 0):.2f}" for name in names)] for one in results]
    lines += ["Where the seconds go, in one more run of each size under a stopwatch:", ""]
    lines += table(" | ".join(["members", *names]), rows)
    explained = [(f"`evaluator explain`, one of {one.members:,}", one.explained) for one in results]
    waited = [*start_up, *explained]
    rows = [[shown, f"{f.seconds:.2f}", f"{f.cpu:.2f}", f"{f.mb:,.0f}"] for shown, f in waited]
    lines += [
        "What a clerk waits for (median of 5; explanations after a pause; a busy machine shows in the first row):",
        "",
    ]
    lines += table("command | s | CPU s | MB", rows)
    return "\n".join(lines)
