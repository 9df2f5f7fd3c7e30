"""The job of tests/bench/pack as people would otherwise do it, a module each, and one for what they share.

Each reads the same Parquet files and writes the table that floor.py writes: whoever wants one of another library
writes a module with a `job(data, out)` and names it here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """Another way to do the job."""

    name: str  # of the module
    library: str  # the name to import
    package: str  # the name to install; empty for what needs none
    largest: int  # how many members it is asked to do
    part: str  # what it does itself


WHOLE, SCORES, DECIDES = "all of it", "points and verdicts", "verdicts"
PEERS = [
    Peer("plain", "pyarrow", "", 1_000_000, WHOLE),
    Peer("pandas", "pandas", "pandas", 1_000_000, WHOLE),
    Peer("polars", "polars", "polars", 10_000_000, WHOLE),
    Peer("openfisca", "openfisca_core", "openfisca-core", 1_000_000, SCORES),
    Peer("zen", "zen", "zen-engine", 100_000, SCORES),
    Peer("json_rules", "pyarrow", "json-rules-engine", 100_000, DECIDES),
    Peer("durable", "durable", "durable-rules", 100_000, DECIDES),
]
