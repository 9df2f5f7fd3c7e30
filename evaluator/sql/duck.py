"""The embedded engine: DuckDB runs queries that arrive as trees."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import tempfile
import threading
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import duckdb
from sqlglot import exp

from evaluator.diagnostics import Cell, Stop
from evaluator.sql.backend import Database
from evaluator.sql.trees import SQL, call, cast, column, named, number, ordered, text

_TABLE = re.compile(r"""['"]([^'"]+\.parquet)(?:/\*\.parquet)?['"]""")
MEMORY, MEMORY_A_CORE = 1500, 125  # megabytes
MANY, MOST_BITS_A_ROW = 100_000, 64  # keys that are marked in a map


class _Interrupts:
    """Ctrl-C reaches a query at once: a query in one long piece would see it only at its end."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connections = [connection]
        self.ends: tuple[socket.socket, socket.socket] | None = None
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread is told of signals
        self.ends = socket.socketpair()
        self.ends[1].setblocking(False)
        self.before = signal.set_wakeup_fd(self.ends[1].fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._pass_on, args=(self.ends[0], self.connections), daemon=True).start()

    @staticmethod
    def _pass_on(told: socket.socket, connections: list[duckdb.DuckDBPyConnection]) -> None:
        while number := told.recv(1):
            if number[0] == signal.SIGINT:
                for connection in list(connections):
                    connection.interrupt()
        told.close()

    def end(self) -> None:
        """Listen no longer."""
        if self.ends is not None:
            signal.set_wakeup_fd(self.before)
            self.ends[1].close()


def modest_memory() -> int:
    """Return how many megabytes to hold: more saves a large run hardly any time, and others need memory too."""
    wanted = max(MEMORY, MEMORY_A_CORE * (os.cpu_count() or 1))
    if not hasattr(os, "sysconf"):
        return wanted
    return min(wanted, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 4 // 5 >> 20)


class DuckDatabase(Database):
    """One DuckDB connection, in memory, with a folder of its own to spill to."""

    name = "duckdb"
    packages = ("duckdb", "sqlglot")

    def __init__(self, is_small: bool = False, memory: str | None = None) -> None:
        """Open one. Of little data, one thread is done before several have begun; it takes what room it takes."""
        super().__init__()
        self.is_small = is_small
        # the default would be a folder in whatever place the user stands
        settings: dict[str, Any] = {
            "temp_directory": str(Path(tempfile.gettempdir()) / f"evaluator-{os.getpid()}"),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            # DuckDB 2.0.0 fails on a case with text of which its statistics say that no branch is taken
            "disabled_optimizers": "statistics_propagation",
        }
        if is_small:
            settings["threads"] = 1
        settings["memory_limit"] = memory or f"{modest_memory()}MB"
        self.connection = duckdb.connect(":memory:", config=settings)
        self.connection.execute("set enable_progress_bar = true; set enable_progress_bar_print = false")
        self.connection.execute("set progress_bar_time = 0")
        for schema in ("data", "work"):
            self.connection.execute(f"create schema {schema}")
        self.interrupts = _Interrupts(self.connection)
        self.listings: dict[tuple[str, ...], exp.DataType] = {}

    def run(self, query: SQL, parameters: object = None) -> duckdb.DuckDBPyConnection:
        """Run a query; what a user can mend comes back as Stop."""
        try:
            return self.connection.execute(query.sql("duckdb", copy=False), parameters)
        except duckdb.Error as wrong:
            self._explain(wrong)

    def rows(self, query: SQL) -> list[tuple[Any, ...]]:
        """Run a query and fetch all its rows."""
        return self.run(query).fetchall()

    def create(self, name: exp.Table, query: exp.Query, beside: Sequence[str] = ()) -> None:
        """Make a table of a query's rows, sorted by the columns `beside`."""
        if beside:
            rows = exp.select(exp.Star()).from_(query.subquery("q", copy=False), copy=False)
            query = rows.order_by(*(ordered(column(one, "q")) for one in beside), copy=False)
        self.run(exp.Create(this=name, kind="TABLE", expression=query, replace=True))

    def listing(self, words: Collection[str]) -> exp.DataType | None:
        """Return the ENUM of these words, which are declared in the order in which text sorts."""
        if self.is_small:
            return None
        ordered_words = tuple(sorted(words, key=str.encode))
        if ordered_words not in self.listings:
            kind = exp.DataType(this=exp.DataType.Type.USERDEFINED, kind=f"words{len(self.listings)}")
            listed = ", ".join(text(word).sql("duckdb") for word in ordered_words)
            self.connection.execute(f"create type {kind.sql('duckdb')} as enum ({listed})")
            self.listings[ordered_words] = kind
        return self.listings[ordered_words].copy()

    def has_twice(self, rows: exp.Select, columns: Sequence[str], is_integer: bool = False) -> bool:
        """Whether two rows have the same values in some columns, or in a single one of integers.

        Integers that lie close together are marked in a map of bits, in a tenth of the time.
        """
        if not is_integer:
            return super().has_twice(rows, columns)
        key, source = column(columns[0], "c"), rows.subquery("c")
        counts = [exp.Count(this=exp.Star()), exp.Count(this=key), exp.Min(this=key), exp.Max(this=key)]
        there, known, first, last = self.rows(exp.select(*counts).from_(source))[0]
        if there < MANY or known < there or last - first >= MOST_BITS_A_ROW * there:
            return super().has_twice(rows, columns)
        marked = call("bit_count", call("bitstring_agg", key.copy(), number(first), number(last)))
        return int(self.value(exp.select(marked).from_(source.copy()))) < int(there)

    def view(self, name: exp.Table, query: exp.Query) -> None:
        """Name a query."""
        self.run(exp.Create(this=name, kind="VIEW", expression=query, replace=True))

    def listed(self, name: exp.Table, columns: Mapping[str, tuple[str, Sequence[object]]]) -> None:
        """Make a table of lists, a column each with its type."""
        unnested = [
            named(call("unnest", cast(exp.Placeholder(), f"{kind}[]")), heading)
            for heading, (kind, _) in columns.items()
        ]
        query = exp.select(*unnested)
        made = exp.Create(this=name, kind="TABLE", expression=query, replace=True)
        self.run(made, [values for _, values in columns.values()])

    def drop(self, name: exp.Table, kind: str = "TABLE") -> None:
        """Forget a table or view; little data may stay until the end."""
        if not self.is_small:
            self.connection.execute(f"drop {kind} if exists {name.sql('duckdb')}")

    def described(self, query: exp.Query) -> dict[str, str]:
        """Return the columns of a query's rows with their types."""
        return {name: "VARCHAR" if is_listed else kind for name, kind, is_listed in self._columns(query)}

    def _columns(self, query: exp.Query) -> list[tuple[str, str, bool]]:
        """Return the name and type of each column of a query's rows, and whether it holds words of a list."""
        found = self.rows(exp.Describe(this=query.copy()))
        return [(str(name), str(kind), str(kind).startswith("ENUM(")) for name, kind, *_ in found]

    def write(self, query: exp.Query, file: Path) -> None:
        """Write a query's rows, in their order, to a Parquet or CSV file with fixed settings."""
        self._copy(self.connection, iter([self._as_copy(query, file)]))

    def write_all(self, queries: Mapping[Path, exp.Query]) -> None:
        """Write the rows of several queries, each in their order, to a file: two at a time, one leaves cores idle."""
        from concurrent.futures import ThreadPoolExecutor  # few runs are so large

        statements = iter([self._as_copy(query, file) for file, query in queries.items()])
        with closing(self.connection.cursor()) as second, ThreadPoolExecutor(1) as pool:
            self.interrupts.connections.append(second)
            other = pool.submit(self._copy, second, statements)
            try:
                self._copy(self.connection, statements)
            finally:
                self.interrupts.connections.remove(second)
            other.result()

    def _as_copy(self, query: exp.Query, file: Path) -> str:
        """Return the statement that writes a query's rows.

        Words of lists become text only here: they are sorted as they are, which takes less room.
        """
        columns = self._columns(query) if self.listings else []
        if any(is_listed for *_, is_listed in columns):
            shown = [
                named(cast(column(name, "w"), "TEXT"), name) if is_listed else column(name, "w")
                for name, _, is_listed in columns
            ]
            query = exp.select(*shown).from_(query.subquery("w", copy=False), copy=False)
        settings = {
            ".parquet": "format parquet, compression zstd, compression_level 1, row_group_size 32768",
            ".csv": "format csv, header true",
        }[file.suffix]
        return f"copy ({query.sql('duckdb', copy=False)}) to {text(str(file)).sql('duckdb')} ({settings})"

    def _copy(self, connection: duckdb.DuckDBPyConnection, statements: Iterator[str]) -> None:
        """Run statements that write files, as long as there are any; another thread may take some of them."""
        try:
            for statement in statements:
                connection.execute(statement).fetchall()
        except duckdb.IOException as wrong:
            raise OSError(errno.EIO, str(wrong).split("\n")[0]) from None
        except duckdb.Error as wrong:
            self._explain(wrong)
        finally:
            deque(statements, 0)  # after a failure nobody needs the others

    def done(self) -> float | None:
        """Return how far the query is that runs now, in percent; None where that is not known. Any thread may ask."""
        try:
            found = self.connection.query_progress()
        except duckdb.Error:  # it has just been closed
            return None
        return found if 0 <= found <= 100 else None

    def close(self) -> None:
        """Let go of the connection and its files."""
        self.interrupts.end()
        self.connection.close()

    def _explain(self, wrong: duckdb.Error) -> NoReturn:
        self.stop_if_known(str(wrong))
        if isinstance(wrong, duckdb.OutOfMemoryException):
            raise Stop.of("E106", str(wrong).split("\n")[0].removeprefix("Out of Memory Error: ")) from None
        if isinstance(wrong, (duckdb.IOException, duckdb.InvalidInputException)) and (
            file := _TABLE.search(str(wrong))
        ):
            raise Stop.of("R224", "is missing, or is no Parquet file any more", Cell(file[1])) from None
        if isinstance(wrong, (duckdb.OutOfRangeException, duckdb.ConversionException)):
            self.stop_overflow()
        raise wrong
