"""Do the job by one of the peers: in tests/bench, python -m peers polars DATA OUT.parquet."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    name, data, out = sys.argv[1:]
    import_module(f"peers.{name}").job(Path(data), Path(out))
