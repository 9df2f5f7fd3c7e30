"""Records that are in one of two runs only, or whose fields differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from evaluator.data.history import stored_as
from evaluator.pack.definitions import TableDef
from evaluator.report.comparing.model import Cause, How
from evaluator.report.comparing.pack import PackDiff
from evaluator.report.comparing.values import Both, Side, names_in, nodes_of, written
from evaluator.sql.trees import cast, column, named, parquet


@dataclass(frozen=True, slots=True)
class RowDiff:
    """A row that is in one run only, or that differs: the fields that do, and where the row stands in each run."""

    how: How
    fields: dict[str, tuple[Any, Any]]
    at_before: str
    at_after: str


class RecordDiffs:
    """The rows of each table that differ, read when they are first asked for."""

    def __init__(self, runs: Both, packs: PackDiff) -> None:
        self.runs, self.packs = runs, packs
        self.found: dict[str, dict[str, RowDiff]] = {}

    def of(self, name: str) -> dict[str, RowDiff]:
        """Return the rows of a table that differ, by their key."""
        if name not in self.found:
            self.found[name] = self._read(name)
        return self.found[name]

    def _read(self, name: str) -> dict[str, RowDiff]:
        tables = [side.pack.tables.get(name) for side in self.runs.sides]
        if tables[0] is None or tables[1] is None:
            return {}
        fields = _fields(tables[0], tables[1])
        kept = [stored_as(field) for field in fields]
        files = self._comparable(name, kept)
        rows = self.runs.joined(files, ("key",), kept, ("source", "row"))
        made = {}
        for before, after, (key,) in rows:
            at = [self._place(side, row) for side, row in zip(self.runs.sides, (before, after), strict=True)]
            how: How = "added" if before is None else "removed" if after is None else "changed"
            pairs = zip(before or [None] * len(fields), after or [None] * len(fields), strict=False)
            both = {field: pair for field, pair in zip(fields, pairs, strict=False) if pair[0] != pair[1]}
            made[str(key)] = RowDiff(how, both, *at)
        return made

    def _comparable(self, name: str, columns: list[str]) -> Any:
        """Return the two tables; where columns have not the same types, as text."""
        files = tuple(side.file(name) for side in self.runs.sides)
        first, second = (self.runs.described(file) for file in files)
        odd = {one for one in columns if first.get(one) != second.get(one)}
        if not odd:
            return files
        spooled = []
        for side, file in zip(self.runs.sides, files, strict=True):
            cells = [column(c, "x") for c in ("key", "source", "row")]
            cells += [named(cast(column(c, "x"), "TEXT"), c) if c in odd else column(c, "x") for c in columns]  # type: ignore[misc]
            query = exp.select(*cells).from_(exp.alias_(parquet(file), "x", table=True), copy=False)
            spooled.append(self.runs.spooled(side, query))
        return tuple(spooled)

    @staticmethod
    def _place(side: Side, row: Any) -> str:
        return "" if row is None else str(side.database.cell(row[-2], row[-1]))

    def causes(self, name: str, key: str | None, fields: Iterable[str]) -> list[Cause]:
        """Return what differs of a row, as far as these fields go."""
        diff = self.of(name).get(key) if key is not None else None
        if diff is None or key is None:
            return []
        if diff.how != "changed":
            at = {"at_before": diff.at_before, "at_after": diff.at_after}
            return [Cause(what=self._what(name), how=diff.how, owner=name, key=key, **at)]
        found: list[Cause] = []
        for field in self._roots(name, fields):
            if field in diff.fields:
                before, after = map(written, diff.fields[field])
                found.append(
                    Cause(
                        what=self._what(name),
                        owner=name,
                        key=key,
                        field=field,
                        before=before,
                        after=after,
                        at_before=diff.at_before,
                        at_after=diff.at_after,
                    )  # fmt: skip
                )
                found += [cause for one in self.packs.of((name, field)) for cause in self.packs.causes(one)]
        return found

    @staticmethod
    def _what(name: str) -> Any:
        return "judgement" if name in ("judgements", "approvals") else "record"

    def _roots(self, name: str, fields: Iterable[str]) -> list[str]:
        """Return fields, with what derived ones of them are derived from."""
        roots: dict[str, None] = {}
        for side in self.runs.sides:
            made = side.pack.tables[name]
            todo = list(fields)
            while todo:
                field = todo.pop(0)
                if field in roots:
                    continue
                known = made.fields.get(field)
                nodes = nodes_of([known.value]) if known is not None else []
                inner = [part.leaf for part in names_in(nodes) if not part.hops]
                if inner:
                    todo += [part.hops[0] if part.hops else part.leaf for part in names_in(nodes)]
                else:
                    roots[field] = None
        return list(roots)


def _fields(one: TableDef, other: TableDef) -> list[str]:
    """Return the columns that two tables have in common."""
    found = [name for name in one.fields if name in other.fields]
    if one.unfold is not None and other.unfold is not None:
        label = one.unfold.label
        found += [label] if label == other.unfold.label and label not in found else []
        found.append("people")
    return found
