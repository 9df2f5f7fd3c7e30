"""How long a run takes beside other ways to the same answers; the figures go into docs/performance.md.

python tests/bench/bench.py [--sizes 10k,100k,1m,10m] [--peers plain,polars] [--date 2025-01-31] [--data DIR] [--keep]

Whole processes, one at a time and in turns: evaluator, evaluator after an accepted appeal, the job written by hand,
reading and grouping alone, and the peers. The middle one of three counts. Before anything is timed, all must conclude
the same of every member, and the appeal must touch nobody else.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shutil
import tempfile
from pathlib import Path

from generate import size_of
from measuring import ROOT, Session, available, told
from page import page
from peers import PEERS

PAGE = ROOT / "docs" / "performance.md"
COMPARED = 10_000  # how many members all must agree about first
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"


def main() -> None:
    """Measure, print, and put the figures into the page."""
    parser = argparse.ArgumentParser(description="Measure evaluator beside other ways to the same answers.")
    parser.add_argument("--sizes", default="10k,100k,1m", help="how many members, several by comma")
    names = ",".join(peer.name for peer in PEERS)
    parser.add_argument("--peers", default=names, help="which of them, several by comma; '' for none [all]")
    parser.add_argument("--date", default=dt.date.today().isoformat(), help="the date written beside the figures")
    parser.add_argument("--data", type=Path, help="where data and results go [a temporary folder]")
    parser.add_argument("--keep", action="store_true", help="leave data and results there")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pause", type=float, default=30, help="seconds of rest before explanations are asked for")
    parser.add_argument("--limit", type=float, default=3600, help="seconds a process may take")
    parser.add_argument("--print-only", action="store_true", help="leave docs/performance.md as it is")
    wanted = parser.parse_args()
    sizes = sorted(size_of(words) for words in wanted.sizes.split(","))
    asked = [name for name in wanted.peers.split(",") if name]
    if unknown := set(asked) - {peer.name for peer in PEERS}:
        parser.error(f"there is no peer {', '.join(sorted(unknown))}; there are {names}")
    if wanted.keep and wanted.data is None:
        parser.error("--keep needs --data")
    if wanted.data is not None:
        wanted.data.mkdir(parents=True, exist_ok=True)
    folder = wanted.data if wanted.keep else Path(tempfile.mkdtemp(prefix="evaluator-bench-", dir=wanted.data))
    try:
        peers, missing = available(folder.absolute() / "node", asked)
        for line in missing:
            told(f"left out: {line}")
        session = Session(folder.absolute(), wanted.repeats, wanted.limit, peers, wanted.pause)
        load = f"{os.getloadavg()[0]:.1f}"
        start_up = session.start_up()
        session.compare(COMPARED)
        results = [session.size(size) for size in sizes]
        load += f" and {os.getloadavg()[0]:.1f}"
        figures = page(results, start_up, peers, missing, wanted.date, load, wanted.repeats)
    finally:
        if not wanted.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(figures)
    if not wanted.print_only:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        PAGE.write_text(before + BEGIN + figures + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
