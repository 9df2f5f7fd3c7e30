"""What the engine asks of a database: it runs queries that arrive as trees, and keeps tables by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from sqlglot import exp

from evaluator.diagnostics import Cell, Stop
from evaluator.sql.trees import SEPARATOR, SQL, column, number


class Database(ABC):
    """Tables in the schemas data and work, and queries over them; problems a user can mend come as Stop."""

    name: str
    packages: tuple[str, ...]  # whose versions a result may depend on
    writes_parts = False  # whether it parts what it writes into files by itself

    def __init__(self) -> None:
        self.places: list[tuple[str, str]] = []  # of each source: file and sheet

    @abstractmethod
    def run(self, query: SQL) -> Any:
        """Run a query or a command."""

    @abstractmethod
    def rows(self, query: SQL) -> list[tuple[Any, ...]]:
        """Run a query and fetch all its rows."""

    @abstractmethod
    def described(self, query: exp.Query) -> dict[str, str]:
        """Return the columns of a query's rows with their types."""

    @abstractmethod
    def create(self, name: exp.Table, query: exp.Query, beside: Sequence[str] = ()) -> None:
        """Make a table of a query's rows; those with the same values `beside` each other are found faster later."""

    @abstractmethod
    def view(self, name: exp.Table, query: exp.Query) -> None:
        """Name a query."""

    @abstractmethod
    def listed(self, name: exp.Table, columns: Mapping[str, tuple[str, Sequence[object]]]) -> None:
        """Make a table of lists, a column each with its type."""

    @abstractmethod
    def drop(self, name: exp.Table, kind: str = "TABLE") -> None:
        """Forget a table or view."""

    @abstractmethod
    def write(self, query: exp.Query, file: Path) -> None:
        """Write a query's rows, in their order, to a Parquet or CSV file with fixed settings."""

    def write_all(self, queries: Mapping[Path, exp.Query]) -> None:
        """Write the rows of several queries, each in their order, to a file."""
        for file, query in queries.items():
            self.write(query, file)

    @abstractmethod
    def close(self) -> None:
        """Let go of whatever it holds."""

    def versions(self) -> dict[str, str]:
        """Return the versions of the programs that a result may depend on."""
        return {name: version(name) for name in ("evaluator", *self.packages)}

    def done(self) -> float | None:
        """Return how far the query is that runs now, in percent; None where that is not known. Any thread may ask."""
        return None

    def value(self, query: SQL) -> Any:
        """Run a query and fetch the first value of its first row."""
        found = self.rows(query)
        return found[0][0] if found else None

    def values(self, queries: Sequence[exp.Query]) -> list[Any]:
        """Run queries that have one row of one value each, all at once, and fetch the values."""
        return list(self.rows(exp.select(*(q.subquery(copy=False) for q in queries)))[0]) if queries else []

    def count(self, name: SQL, where: SQL | None = None) -> int:
        """Count rows."""
        query = exp.select(exp.Count(this=exp.Star())).from_(name, copy=False)
        return int(self.value(query.where(where) if where is not None else query))

    def listing(self, words: Collection[str]) -> exp.DataType | None:
        """Return a type that holds these words alone, in a byte or two each; None where it has none.

        It compares and sorts as text does.
        """
        return None

    def has_twice(self, rows: exp.Select, columns: Sequence[str], is_integer: bool = False) -> bool:
        """Whether two rows have the same values in some columns, or in a single one of integers."""
        keys = [column(name, "c") for name in columns]
        query = exp.select(*keys).from_(rows.subquery("c"), copy=False)
        query = query.group_by(*(key.copy() for key in keys), copy=False)
        query = query.having(exp.GT(this=exp.Count(this=exp.Star()), expression=number(1)), copy=False)
        return bool(self.rows(query.limit(1, copy=False)))

    def cell(self, source: Any, row: Any, column: str = "") -> Cell:
        """Return the place of a record in its file."""
        if source in (None, ""):
            return Cell("(filled in)", column=column)
        file, sheet = self.places[int(source)]
        return Cell(file, sheet, int(row), column)

    def stop_if_known(self, said: str) -> None:
        """Raise Stop if a query says that a parameter has no entry."""
        if f"R106{SEPARATOR}" in said:
            parameter, source, row, *arguments, _ = said[said.index("R106") + 5 :].split(SEPARATOR)
            shown = ", ".join(argument.split("\n")[0] for argument in arguments)
            at = self.cell(source, row) if source else None
            raise Stop.of("R106", f"{parameter}({shown}) has no entry", at) from None

    def stop_overflow(self) -> NoReturn:
        """Raise Stop as a number does not fit."""
        raise Stop.of("R108", "a result has more than twelve digits before the point") from None
