"""The engine for more than one machine: the same query trees, written as Spark SQL.

Every table that is made is written as Parquet to a folder that all workers can reach, and read from there: what a lost
worker had computed is computed again, and nobody has to start anew. Only what the engine fetches comes to the driver.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from evaluator.diagnostics import Cell, Stop
from evaluator.sql.backend import Database
from evaluator.sql.duck import DuckDatabase
from evaluator.sql.trees import SQL, number, parquet, select, table, text

if TYPE_CHECKING:
    from pyspark import SparkConf
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

# what differs from Spark's defaults; whoever submits a job can set anything else
SETTINGS = {
    "spark.app.name": "evaluator",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.ansi.enabled": "true",  # a number that does not fit stops the run
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "false",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
}
# what Spark fills in by itself where a program is not handed to spark-submit
FILLED_IN = {"spark.app.name": "pyspark-shell", "spark.ui.showConsoleProgress": "true"}
# for much data, for little: to plan its sharing and to compile code for it takes longer than the work itself
BY_SIZE = {
    "spark.sql.adaptive.enabled": ("true", "false"),
    "spark.sql.codegen.wholeStage": ("true", "false"),
    "spark.sql.codegen.factoryMode": ("FALLBACK", "NO_CODEGEN"),
}
LOGGING = """rootLogger.level = off
rootLogger.appenderRef.stderr.ref = console
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = off
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
"""
_SHOWN = {"bigint": "BIGINT", "string": "VARCHAR", "boolean": "BOOLEAN", "date": "DATE", "int": "INTEGER"}
_FUNCTIONS = {
    "error": "raise_error", "strpos": "instr", "starts_with": "startswith", "row": "struct",
    "regexp_split_to_array": "split",
}  # fmt: skip
_OVERFLOWS = ("ARITHMETIC_OVERFLOW", "NUMERIC_VALUE_OUT_OF_RANGE", "CAST_OVERFLOW", "CAST_INVALID_INPUT")


def spark_sql(query: SQL) -> str:
    """Write a query tree as Spark SQL.

    >>> spark_sql(exp.select(exp.IntDiv(this=exp.column("a", "s"), expression=number(2))).from_("s"))
    'SELECT s.a DIV 2 FROM s'
    """
    return for_spark(query).sql("spark", copy=False)


def for_spark(query: SQL) -> SQL:
    """Return a query tree with everything called as Spark calls it."""
    tree = query.copy()
    for node in reversed(list(tree.walk())):  # what lies inside comes first
        changed = _as_spark(node)
        if changed is not node:
            tree = changed if node is tree else tree
            node.replace(changed)
    return tree


def _as_spark(node: SQL) -> SQL:
    """Put in the place of a node what Spark calls it."""
    match node:
        case exp.DataType() if node.this == exp.DataType.Type.INT128:
            return exp.DataType.build("DECIMAL(38, 0)")
        case exp.Table() if isinstance(node.this, exp.Anonymous):  # read_parquet
            file = node.this.expressions[0].name
            return exp.Table(this=_quoted(file), db=_quoted("parquet"), alias=node.args.get("alias"))
        case exp.Table() if node.args.get("db") is not None:
            return exp.Table(this=_quoted(_view(node)), alias=node.args.get("alias"))
        case exp.DayOfWeekIso():  # sqlglot 30 counts it from another day than Spark does
            weekday = exp.Anonymous(this="weekday", expressions=[node.this])
            return exp.paren(exp.Add(this=weekday, expression=number(1)))
        case exp.Anonymous():
            return _function(node)
        case exp.Select():
            return _with_lists(node)
    return node


def _quoted(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


def _view(name: exp.Table) -> str:
    """Return what a table is called among Spark's temporary views, which know no schemas."""
    return f"{name.db}.{name.name}" if name.db else name.name


def _escaped(name: str) -> str:
    return name.replace("`", "``")


def _function(node: exp.Anonymous) -> SQL:
    """Return a function under Spark's name; what Spark does otherwise is asked for differently."""
    name, arguments = str(node.this).lower(), node.expressions
    if name == "concat":  # what is unknown adds nothing
        return exp.Anonymous(this="concat_ws", expressions=[text(""), *arguments])
    if name in ("trim", "rtrim") and len(arguments) == 2:
        side = {"position": "TRAILING"} if name == "rtrim" else {"position": "BOTH"}
        return exp.Trim(this=arguments[0], expression=arguments[1], **side)
    if name == "list_extract":  # null where the list is shorter
        return exp.Anonymous(this="try_element_at", expressions=arguments)
    if name == "generate_subscripts":
        size = exp.Anonymous(this="size", expressions=arguments[:1])
        return exp.Anonymous(this="sequence", expressions=[number(1), size])
    if name in _FUNCTIONS:
        return exp.Anonymous(this=_FUNCTIONS[name], expressions=arguments)
    return node


def _with_lists(node: exp.Select) -> SQL:
    """Put the entries of several lists beside each other, a row each, by Spark's own means."""
    lists = [one for one in node.expressions if isinstance(one, exp.Alias) and _is_list(one.this)]
    if not lists:
        return node
    entries = [one.this.expressions[0] if one.this.this == "unnest" else one.this for one in lists]
    zipped = exp.Anonymous(this="arrays_zip", expressions=entries)
    inline = exp.Aliases(
        this=exp.Anonymous(this="inline", expressions=[zipped]), expressions=[_quoted(one.alias) for one in lists]
    )
    node.set("expressions", [*(one for one in node.expressions if one not in lists), inline])
    return node


def _is_list(value: SQL) -> bool:
    return isinstance(value, exp.Anonymous) and value.this in ("unnest", "sequence")


class SparkDatabase(Database):
    """A Spark session, and a folder in which its tables lie."""

    name = "spark"
    packages = (*DuckDatabase.packages, "pyspark")
    writes_parts = True

    def __init__(self, master: str | None = None, work: Path | None = None) -> None:
        super().__init__()
        self.session, self.given = _session(master)
        self.expect(is_little=False)
        self.folder = Path(tempfile.mkdtemp(prefix="evaluator-spark-", dir=work))
        self.here = DuckDatabase()  # for what is small, and for text files
        self.made = 0
        self.parts: dict[str, list[Path]] = {}

    def expect(self, is_little: bool) -> None:
        """Set Spark up for much data, or for little, where nobody has set it up otherwise."""
        tasks = str(2 * self.session.sparkContext.defaultParallelism)
        for name, settings in {"spark.sql.shuffle.partitions": (tasks, "1"), **BY_SIZE}.items():
            if not self.given.contains(name):
                self.session.conf.set(name, settings[is_little])

    # --- files ---

    def fetch(self, url: str) -> Path:
        """Copy the files below a place that Spark's file systems know to the folder of tables; return where they are.

        Every byte comes here in any case, for the hashes. Hidden files, and those that mark a job's success, stay.
        """
        from py4j.protocol import Py4JJavaError

        target = self._next()
        target.mkdir()
        context: Any = self.session.sparkContext  # what it has of Java has no types
        hadoop = context._jvm.org.apache.hadoop.fs
        try:
            system = hadoop.Path(url).getFileSystem(context._jsc.hadoopConfiguration())
            root = system.resolvePath(hadoop.Path(url))
            found = system.listFiles(root, True)
            while found.hasNext():
                file = found.next().getPath()
                name = file.toString().removeprefix(root.toString()).lstrip("/")
                if not any(part.startswith((".", "_")) for part in name.split("/")):
                    system.copyToLocalFile(False, file, hadoop.Path(f"file://{target / name}"), True)
        except Py4JJavaError as wrong:
            said = wrong.java_exception
            if said.getClass().getSimpleName() == "FileNotFoundException":
                raise Stop.of("D101", "there is no such data folder", Cell(url)) from None
            message = str(said.getMessage()).split("\n")[0]
            raise Stop.of("D102", f"cannot be read: {message}", Cell(url), "see what Spark is set up to read") from None
        return target

    def read(self, file: Path, name: str, columns: Mapping[str, str]) -> None:
        """Name the rows of a Parquet file: "#row" from 1, and columns of the file under other names."""
        frame = self._asked(lambda: self.session.read.parquet(f"file://{file}"))
        wanted = [f"`{_escaped(source)}` AS `{_escaped(shown)}`" for shown, source in columns.items()]
        self._asked(lambda: frame.selectExpr("_metadata.row_index + 1 AS `#row`", *wanted)).createOrReplaceTempView(
            f"`{_escaped(name)}`"
        )

    def receive_all(self, database: DuckDatabase) -> None:
        """Take over every table of the schemas data and work."""
        self.places = database.places
        listed = exp.select("table_schema", "table_name").from_("information_schema.tables")
        for schema, name in database.rows(listed.where("table_schema in ('data', 'work')")):
            made = table(name, schema)
            self.receive(database, select(exp.Star()).from_(made, copy=False), _view(made))

    def receive(self, database: DuckDatabase, query: exp.Query, name: str) -> None:
        """Take over the rows of a query of the other engine."""
        folder = self._next()
        folder.mkdir()
        database.write(query, folder / "part-00000.parquet")
        self.parts[name] = [folder]
        self._register(name)

    # --- queries ---

    def frame(self, query: SQL) -> DataFrame:
        """Return the rows of a query, which are computed when they are asked for."""
        return self.session.sql(spark_sql(query))

    def run(self, query: SQL) -> None:
        """Make a table without rows, or add rows to one."""
        if isinstance(query, exp.Create):
            columns = query.this.expressions
            self.listed(query.this.this, {one.name: (one.kind.sql("duckdb"), []) for one in columns})
            return
        assert isinstance(query, exp.Insert)
        name = _view(query.this)
        folder = self._next()
        self._kept(query.expression, folder, self.session.table(f"`{_escaped(name)}`").columns)
        self.parts[name].append(folder)
        self._register(name)

    def rows(self, query: SQL) -> list[tuple[Any, ...]]:
        """Run a query and fetch all its rows."""
        return [tuple(map(_value, row)) for row in self._asked(lambda: self.frame(query).collect())]

    def described(self, query: exp.Query) -> dict[str, str]:
        """Return the columns of a query's rows with their types."""
        found = self._asked(lambda: self.frame(query).dtypes)
        return {name: _SHOWN.get(kind, kind.upper()) for name, kind in found}

    # --- tables ---

    def create(self, name: exp.Table, query: exp.Query, beside: Sequence[str] = ()) -> None:
        """Make a table of a query's rows, wherever they fall: to sort them would be to send them all around."""
        folder, view = self._next(), _view(name)
        schema = self._kept(query, folder)
        before = self.parts.get(view, [])
        self.parts[view] = [folder]
        self._register(view, schema)
        self._forget(before)

    def view(self, name: exp.Table, query: exp.Query) -> None:
        """Name a query."""
        self._asked(lambda: self.frame(query)).createOrReplaceTempView(f"`{_escaped(_view(name))}`")

    def listed(self, name: exp.Table, columns: Mapping[str, tuple[str, Sequence[object]]]) -> None:
        """Make a table of lists, a column each with its type."""
        self.here.listed(name, columns)
        self.drop(name)
        self.receive(self.here, select(exp.Star()).from_(name, copy=False), _view(name))
        self.here.drop(name)

    def drop(self, name: exp.Table, kind: str = "TABLE") -> None:
        """Forget a table or view."""
        view = _view(name)
        self.session.catalog.dropTempView(f"`{_escaped(view)}`")
        self._forget(self.parts.pop(view, []))

    def write(self, query: exp.Query, file: Path) -> None:
        """Write a query's rows: to a CSV file, or to a folder of Parquet files, which in their order have the rows'."""
        if file.suffix == ".parquet":
            self._kept(query, file)
            _tidied(file)
            return
        folder = self._next()
        self._kept(query, folder)
        _tidied(folder)
        self.here.write(select(exp.Star()).from_(parquet(folder), copy=False), file)
        self._forget([folder])

    def close(self) -> None:
        """Let go of the tables; the session stays for whoever started it, or for the next run."""
        for name in self.parts:
            self.session.catalog.dropTempView(f"`{_escaped(name)}`")
        self.here.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _next(self) -> Path:
        self.made += 1
        return self.folder / f"{self.made:05}"

    def _kept(self, query: exp.Query, folder: Path, names: list[str] | None = None) -> StructType:
        """Write a query's rows to a folder, and return what types they have."""
        frame = self._asked(lambda: self.frame(query))
        if names is not None:
            frame = frame.toDF(*names)
        self._asked(lambda: frame.write.parquet(str(folder)))
        schema: StructType = frame.schema
        return schema

    def _register(self, view: str, schema: StructType | None = None) -> None:
        """Name the rows in a view's folders; without their types Spark would start a job to find them out."""
        paths = [str(folder) for folder in self.parts[view]]
        reader = self.session.read if schema is None else self.session.read.schema(schema)
        self._asked(lambda: reader.parquet(*paths)).createOrReplaceTempView(f"`{_escaped(view)}`")

    @staticmethod
    def _forget(folders: list[Path]) -> None:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)

    def _asked(self, ask: Any) -> Any:
        from py4j.protocol import Py4JJavaError
        from pyspark.errors import PySparkException

        try:
            return ask()
        except (PySparkException, Py4JJavaError) as wrong:
            said = str(wrong)
            self.stop_if_known(said)
            if "[FAILED_READ_FILE" in said:
                raise Stop.of(
                    "D102", "a file is damaged, or not there any more", fix="write the Parquet file again"
                ) from None
            if any(f"[{name}" in said for name in _OVERFLOWS):
                self.stop_overflow()
            raise


def _value(value: object) -> object:
    """Return a value as the other engine gives it: wide whole numbers are whole numbers."""
    if isinstance(value, Decimal) and value.as_tuple().exponent == 0:
        return int(value)
    return value


def _tidied(folder: Path) -> None:
    """Leave the rows alone in a folder that Spark has written, its files numbered in their order."""
    parts = sorted(folder.glob("part-*.parquet"))
    for place, part in enumerate(parts):
        part.rename(folder / f"part-{place:05}.parquet")
    for other in (*folder.glob("_*"), *folder.glob(".*")):
        other.unlink()


def _session(master: str | None) -> tuple[SparkSession, SparkConf]:
    """Return a session beside the one there is, or in what is begun here, and what the user has set Spark up with."""
    try:
        from py4j.protocol import Py4JJavaError
        from pyspark import SparkConf, SparkContext
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        raise Stop.of("E105", "pyspark is not here", fix="pip install 'evaluator[spark]'") from None
    builder = SparkSession.builder
    try:
        with _quietly():
            SparkContext.getSystemProperty("spark.master")  # nothing is known of what is set up before Java runs
            given = SparkConf()
            for name, value in SETTINGS.items():
                if given.get(name) in (None, FILLED_IN.get(name)):
                    builder = builder.config(name, value)
            if master is not None:
                builder = builder.master(master)
            session = builder.getOrCreate().newSession()
    except (Py4JJavaError, PySparkException, OSError, RuntimeError) as wrong:
        said = wrong.java_exception.getMessage() if isinstance(wrong, Py4JJavaError) else wrong
        raise Stop.of(
            "E105",
            f"Spark does not start: {str(said).splitlines()[0]}",
            fix="install Java 17 or later, or name another --master",
        ) from None
    session.sparkContext.setLogLevel("OFF")
    return session, given


@contextmanager
def _quietly() -> Iterator[None]:
    """Have Spark log nothing, where it is not set up to log: what a user can mend is said by us."""
    with warnings.catch_warnings():  # of libraries that are not used here
        warnings.simplefilter("ignore")
        if {"SPARK_HOME", "SPARK_CONF_DIR"} & os.environ.keys():
            yield
            return
        with tempfile.TemporaryDirectory(prefix="evaluator-") as folder:
            Path(folder, "log4j2.properties").write_text(LOGGING, encoding="utf-8")
            os.environ["SPARK_CONF_DIR"] = folder
            try:
                yield
            finally:
                del os.environ["SPARK_CONF_DIR"]
