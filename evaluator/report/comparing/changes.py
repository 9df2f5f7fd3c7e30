"""Which subjects of two runs differ, and in what: found by joins, whatever the size of the runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from evaluator.data.history import stored_as
from evaluator.pack.definitions import KindDef
from evaluator.report.comparing.model import How
from evaluator.report.comparing.values import Both
from evaluator.report.reopen import results_of
from evaluator.sql.trees import cast, column, named, parquet

APART = ("is_assessed", "is_ranked", "#reason")


@dataclass(frozen=True, slots=True)
class Delta:
    """A subject that is not the same in both runs: its name, and its values in each."""

    kind: str
    key: str
    name: str
    how: How
    before: dict[str, Any]
    after: dict[str, Any]

    def differs(self, name: str) -> bool:
        """Whether a value is not the same."""
        return bool(self.before.get(name) != self.after.get(name))


def deltas_of(runs: Both, kind: str) -> dict[str, Delta]:
    """Return the subjects of a kind of which anything that was computed differs."""
    sides = [side.pack.kinds[kind] for side in runs.sides]
    columns = [_columns(made) for made in sides]
    shared = [name for name in columns[0] if name in columns[1]]
    files = [side.file(kind) for side in runs.sides]
    first, second = (runs.described(file) for file in files)
    odd = {name for name in shared if first[_kept(name)] != second[_kept(name)]}
    lines = [name for name in dict.fromkeys([*columns[0], *columns[1]]) if _is_line(name) and name not in shared]
    made = []
    for side, file, own, one in zip(runs.sides, files, columns, sides, strict=True):
        chosen = [column("key", "x"), named(cast(column(stored_as(one.display), "x"), "TEXT"), "#name")]
        chosen += [
            named(cast(column(_kept(name), "x"), "TEXT") if name in odd else column(_kept(name), "x"), name)
            for name in shared
        ]
        zero = cast(exp.Literal.number(0), "DECIMAL(18,6)")
        # a line that one pack has not is compared with nothing
        chosen += [
            named(exp.Coalesce(this=column(name, "x"), expressions=[zero.copy()]) if name in own else zero.copy(), name)
            for name in lines
        ]
        query = exp.select(*chosen).from_(exp.alias_(parquet(file), "x", table=True), copy=False)
        made.append(runs.spooled(side, query))
    found = {}
    compared = [name for name in [*shared, *lines] if not name.startswith("decided.")]
    also = [name for name in shared if name.startswith("decided.")]
    for before, after, (key,) in runs.joined((made[0], made[1]), ("key",), compared, [*also, "#name"]):
        how: How = "added" if before is None else "removed" if after is None else "changed"
        values = [{} if row is None else dict(zip([*compared, *also], row, strict=False)) for row in (before, after)]
        name = (after or before or ("",))[-1]
        found[str(key)] = Delta(kind, str(key), str(name), how, values[0], values[1])
    return found


def _columns(kind: KindDef) -> list[str]:
    return [*APART, *(name for name, _ in results_of(kind) if not name.startswith("settled."))]


def _kept(name: str) -> str:
    """Return the column of the run folder that holds a value."""
    return name[1:] if name.startswith("#") else stored_as(name)


def _is_line(name: str) -> bool:
    return name == "total" or name.startswith("points.")


def ranks_of(runs: Both, roster: str) -> dict[str, tuple[str | None, str | None]]:
    """Return the ranks in a roster that differ: empty for those listed without rank, none for those not listed."""
    files = [side.run.folder / "rosters" / f"{roster}.parquet" for side in runs.sides]
    made = []
    for side, file in zip(runs.sides, files, strict=True):
        cells = [named(column("#key", "r"), "key"), named(column("#rank", "r"), "rank")]
        query = exp.select(*cells).from_(exp.alias_(parquet(file), "r", table=True), copy=False)
        made.append(runs.spooled(side, query))
    rows = runs.joined((made[0], made[1]), ("key",), ("rank",))
    return {str(key): (_rank(before), _rank(after)) for before, after, (key,) in rows}


def _rank(row: Any) -> str | None:
    return None if row is None else str(row[0]) if row[0] is not None else ""


def shared_kinds(runs: Both) -> Iterator[str]:
    """Give the kinds that both runs have."""
    for name in runs.before.pack.kinds:
        if name in runs.after.pack.kinds:
            yield name
