"""The embedded engine: DuckDB runs queries that arrive as trees."""

from __future__ import annotations

import errno
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import duckdb
from sqlglot import exp

from evaluator.diagnostics import Cell, Problems, Stop
from evaluator.sql.trees import SEPARATOR, SQL, call, cast, named, text


class _Interrupts:
    """Ctrl-C reaches a query at once: a query in one long piece would see it only at its end."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.ends: tuple[socket.socket, socket.socket] | None = None
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread is told of signals
        self.ends = socket.socketpair()
        self.ends[1].setblocking(False)
        self.before = signal.set_wakeup_fd(self.ends[1].fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._pass_on, args=(self.ends[0], connection), daemon=True).start()

    @staticmethod
    def _pass_on(told: socket.socket, connection: duckdb.DuckDBPyConnection) -> None:
        while number := told.recv(1):
            if number[0] == signal.SIGINT:
                connection.interrupt()
        told.close()

    def end(self) -> None:
        """Listen no longer."""
        if self.ends is not None:
            signal.set_wakeup_fd(self.before)
            self.ends[1].close()


class Database:
    """One DuckDB connection, in memory, with a folder of its own to spill to."""

    def __init__(self, threads: int | None = None) -> None:
        # the default would be a folder in whatever place the user stands
        settings: dict[str, Any] = {
            "temp_directory": str(Path(tempfile.gettempdir()) / f"evaluator-{os.getpid()}"),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            # DuckDB 2.0.0 fails on a case with text of which its statistics say that no branch is taken
            "disabled_optimizers": "statistics_propagation",
        }
        if threads:
            settings["threads"] = threads
        self.connection = duckdb.connect(":memory:", config=settings)
        for schema in ("raw", "data", "work"):
            self.connection.execute(f"create schema {schema}")
        self.interrupts = _Interrupts(self.connection)
        self.places: list[tuple[str, str]] = []  # of each source: file and sheet

    def run(self, query: SQL, parameters: object = None) -> duckdb.DuckDBPyConnection:
        """Run a query; what a user can mend comes back as Stop."""
        try:
            return self.connection.execute(query.sql("duckdb", copy=False), parameters)
        except duckdb.Error as wrong:
            self._explain(wrong)

    def rows(self, query: SQL) -> list[tuple[Any, ...]]:
        """Run a query and fetch all its rows."""
        return self.run(query).fetchall()

    def value(self, query: SQL) -> Any:
        """Run a query and fetch the first value of its first row."""
        found = self.rows(query)
        return found[0][0] if found else None

    def create(self, name: exp.Table, query: exp.Query) -> None:
        """Make a table of a query's rows."""
        self.run(exp.Create(this=name, kind="TABLE", expression=query, replace=True))

    def view(self, name: exp.Table, query: exp.Query) -> None:
        """Name a query."""
        self.run(exp.Create(this=name, kind="VIEW", expression=query, replace=True))

    def listed(self, name: exp.Table, columns: Mapping[str, Sequence[object]], numbers: Collection[str] = ()) -> None:
        """Make a table of lists, a column each; `numbers` are whole numbers, the others text."""
        kinds = {column: "BIGINT[]" if column in numbers else "TEXT[]" for column in columns}
        unnested = [named(call("unnest", cast(exp.Placeholder(), kind)), column) for column, kind in kinds.items()]
        query = exp.select(*unnested)
        self.run(exp.Create(this=name, kind="TABLE", expression=query, replace=True), list(columns.values()))

    def drop(self, name: exp.Table, kind: str = "TABLE") -> None:
        """Forget a table or view."""
        self.connection.execute(f"drop {kind} if exists {name.sql('duckdb')}")

    def count(self, name: SQL, where: SQL | None = None) -> int:
        """Count rows."""
        query = exp.select(exp.Count(this=exp.Star())).from_(name, copy=False)
        return int(self.value(query.where(where) if where is not None else query))

    def write(self, query: exp.Query, file: Path) -> None:
        """Write a query's rows, in their order, to a Parquet or CSV file with fixed settings."""
        settings = {
            ".parquet": "format parquet, compression zstd, row_group_size 122880",
            ".csv": "format csv, header true",
        }[file.suffix]
        target = text(str(file)).sql("duckdb")
        try:
            self.connection.execute(f"copy ({query.sql('duckdb', copy=False)}) to {target} ({settings})").fetchall()
        except duckdb.IOException as wrong:
            raise OSError(errno.EIO, str(wrong).split("\n")[0]) from None
        except duckdb.Error as wrong:
            self._explain(wrong)

    def close(self) -> None:
        """Let go of the connection and its files."""
        self.interrupts.end()
        self.connection.close()

    def cell(self, source: Any, row: Any, column: str = "") -> Cell:
        """Return the place of a record in its file."""
        if source in (None, ""):
            return Cell("(filled in)", column=column)
        file, sheet = self.places[int(source)]
        return Cell(file, sheet, int(row), column)

    def _explain(self, wrong: duckdb.Error) -> NoReturn:
        said = str(wrong)
        problems = Problems()
        if f"R106{SEPARATOR}" in said:
            parameter, source, row, *arguments = said[said.index("R106") + 5 :].split(SEPARATOR)
            shown = ", ".join(argument.split("\n")[0] for argument in arguments)
            at = self.cell(source, row) if source else None
            problems.add("R106", f"{parameter}({shown}) has no entry", at)
        elif isinstance(wrong, (duckdb.OutOfRangeException, duckdb.ConversionException)):
            problems.add("R108", "a result has more than twelve digits before the point")
        else:
            raise wrong
        raise Stop(problems) from None
