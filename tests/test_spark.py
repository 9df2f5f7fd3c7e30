"""Runs on Spark come to the same rows as runs here: every pack and year, and on a cluster that loses a worker.

They take minutes and need Java: `make test-spark` tries them.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT, history_of, write_pack
from python_calamine import CalamineWorkbook

import evaluator
from evaluator import demo
from evaluator.diagnostics import Stop
from evaluator.workbench.cases.given import GivenYear, as_given, with_measures, write_year
from evaluator.workbench.cases.run import load_tested

if not os.environ.get("EVALUATOR_SPARK"):
    pytest.skip("Spark is tried by make test-spark", allow_module_level=True)
pyspark = pytest.importorskip("pyspark", reason="pyspark is not here: pip install 'evaluator[spark]'")
if shutil.which("java") is None:
    pytest.skip("Java is not here, which Spark needs", allow_module_level=True)

PLACES = demo.places()
TABLES = 10  # after which a worker is lost, of some ninety
SUBMIT = "--driver-memory 2g --conf spark.executor.memory=2g --conf spark.ui.enabled=false pyspark-shell"
OTHERS = sorted(path.parent for path in (ROOT / "rules").rglob("pack.yaml") if path.parent.name not in PLACES)


def rows_that_differ(one: Path, other: Path) -> int:
    """Count the rows that a table of one run has and that of the other has not."""
    first, second = (f"read_parquet('{file / '*.parquet' if file.is_dir() else file}')" for file in (one, other))
    with duckdb.connect() as database:
        types = [database.execute(f"select * from {side} limit 0").description for side in (first, second)]
        assert types[0] == types[1], (one, types)
        return sum(
            database.execute(f"select count(*) from (from {a} except all from {b})").fetchall()[0][0]
            for a, b in ((first, second), (second, first))
        )


def same(one: Path, other: Path) -> None:
    """Assert that two run folders hold the same: rows of tables, bytes of CSV files, cells of workbooks."""
    tables, others = (
        sorted(
            path.relative_to(folder)
            for path in folder.rglob("*.parquet")
            if "inputs" not in path.parts and path.parent.suffix != ".parquet"  # files of one table
        )
        for folder in (one, other)
    )
    assert len(tables) > 3
    assert tables == others and all((other / name).is_dir() for name in others)
    assert {str(name): n for name in tables if (n := rows_that_differ(one / name, other / name))} == {}
    for name in sorted(path.relative_to(one) for path in one.rglob("rosters/*.csv")):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    if not (one / "rosters.xlsx").exists():  # there are too many rows for one
        assert not (other / "rosters.xlsx").exists()
        return
    books = [CalamineWorkbook.from_path(str(folder / "rosters.xlsx")) for folder in (one, other)]
    assert books[0].sheet_names == books[1].sheet_names
    for sheet in books[0].sheet_names:
        first, second = (book.get_sheet_by_name(sheet).to_python() for book in books)
        assert first == second, sheet


@pytest.mark.parametrize("place", PLACES)
def test_every_year_of_every_place(place: str, tmp_path: Path) -> None:
    made = PLACES[place]
    pack = evaluator.load_pack(made.rules)
    here: dict[int, Path] = {}
    there: dict[int, Path] = {}
    for year, sheets in made.sheets.items():
        for folders, engine in ((here, "duckdb"), (there, "spark")):
            before = history_of(folders, year) if pack.gap is not None else []
            folders[year] = evaluator.run(pack, sheets, year, tmp_path / engine / str(year), before, engine=engine)
        same(here[year], there[year])
    last = max(there)
    assert str(evaluator.verify(there[last], history=there.values())).count("✗") == 0


def test_what_spark_reads_by_its_own_file_systems(tmp_path: Path) -> None:
    pack = evaluator.load_pack(PLACES["daguan"].rules)
    data = shutil.copytree(PLACES["daguan"].sheets[2020], tmp_path / "data")
    (data / "_SUCCESS").touch()
    here = evaluator.run(pack, data, 2020, tmp_path / "here")
    there = evaluator.run(pack, f"file://{data}", 2020, tmp_path / "there", engine="spark")
    same(here, there)
    spoilt = next(data.glob("*.csv"))
    spoilt.write_text("甲,乙\n1,2\n", encoding="utf-8")
    for url, said in (
        (f"file://{data}", f"file://{data}/{spoilt.name}"),
        (f"file://{data}/none", "there is no such data folder"),
        ("nowhere://host/data", 'No FileSystem for scheme "nowhere"'),
    ):
        with pytest.raises(Stop) as stopped:
            evaluator.run(pack, url, 2020, tmp_path / "none", engine="spark")
        assert said in str(stopped.value)
    with pytest.raises(Stop, match="is no folder of this machine"):
        evaluator.run(pack, f"file://{data}", 2020, tmp_path / "none")


@pytest.mark.parametrize("folder", OTHERS, ids=lambda folder: folder.relative_to(ROOT / "rules").as_posix())
def test_the_largest_case_of_every_other_pack(folder: Path, tmp_path: Path) -> None:
    """Packs without sheets have cases: the longest of each."""
    pack, cases = load_tested(folder)
    case = max((one for one in cases if not one.model.stops), key=lambda one: sum(map(_size, one.years)))
    pack = as_given(with_measures(pack, case.years))
    here: dict[int, Path] = {}
    there: dict[int, Path] = {}
    for given in case.years:
        sheets = write_year(pack, given, str(tmp_path))
        for folders, engine in ((here, "duckdb"), (there, "spark")):
            target = tmp_path / engine / str(given.year)
            folders[given.year] = evaluator.run(
                pack, sheets, given.year, target, history_of(folders, given.year), engine=engine
            )
        same(here[given.year], there[given.year])


def _size(given: GivenYear) -> int:
    return sum(map(len, given.rows.values()))


def as_parquet(sheets: Path, folder: Path) -> Path:
    """Write CSV sheets as Parquet with typed columns, as a nation's register would have them."""
    folder.mkdir()
    with duckdb.connect() as database:
        for sheet in sheets.glob("*.csv"):
            target = folder / f"{sheet.stem}.parquet"
            database.execute(f"copy (from read_csv('{sheet}', header = true, nullstr = '')) to '{target}'")
    for other in sheets.glob("*.yaml"):
        shutil.copy(other, folder)
    return folder


@pytest.mark.parametrize("name", ["daguan", "shenzhen", "tongchuan", "xupu"])
def test_parquet_is_read_and_typed_there(name: str, tmp_path: Path) -> None:
    """The longest case of a pack as Parquet, numbers and days as such: Spark reads, types and joins it by itself."""
    pack, cases = load_tested(ROOT / "rules" / name)
    case = max((one for one in cases if not one.model.stops), key=lambda one: _size(one.years[-1]))
    pack, given = as_given(with_measures(pack, case.years)), case.years[-1]
    data = as_parquet(write_year(pack, given, str(tmp_path)), tmp_path / "data")
    same(*(evaluator.run(pack, data, given.year, tmp_path / engine, engine=engine) for engine in ("duckdb", "spark")))


# --- a cluster ---------------------------------------------------------------------------------------------

MEMBERS = os.environ.get("EVALUATOR_SPARK_MEMBERS", "1m")
BENCH = ROOT / "tests" / "bench"
SPARK = Path(pyspark.__file__).parent


class Cluster:
    """A master and workers of one core each, every one a process group of its own."""

    def __init__(self, folder: Path, workers: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.folder, self.url = folder, f"spark://127.0.0.1:{port}"
        self.master = self._start("Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0")
        self.workers = [self._worker(place) for place in range(workers)]

    def _worker(self, place: int) -> subprocess.Popen[bytes]:
        place_of = ["--work-dir", str(self.folder / f"worker{place}"), "--webui-port", "0"]
        return self._start("Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "3g", *place_of, self.url)

    def _start(self, role: str, *options: str) -> subprocess.Popen[bytes]:
        command = [str(SPARK / "bin" / "spark-class"), f"org.apache.spark.deploy.{role.lower()}.{role}", *options]
        with (self.folder / f"{role}-{len(list(self.folder.glob('*.log')))}.log").open("wb") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def registered(self) -> int:
        """How many workers the master knows."""
        return sum(log.read_text(errors="replace").count("Registering worker") for log in self.folder.glob("Master*"))

    @staticmethod
    def kill(process: subprocess.Popen[bytes]) -> None:
        """Kill a process and all that it has started, as a power cut would."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        """Kill what is left."""
        for process in (*self.workers, self.master):
            self.kill(process)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster of two workers, which have registered."""
    made = Cluster(tmp_path, 2)
    try:
        until(lambda: made.registered() == 2, 240)
        yield made
    finally:
        made.close()


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait for something, and fail where it does not come about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def named(work: Path) -> list[str]:
    """Return the names of the tables that lie in the work folder: the number of each."""
    return [table.name for table in work.glob("*/*")]


def test_a_cluster_that_loses_a_worker(cluster: Cluster, tmp_path: Path) -> None:
    """Two executors assess a nation; one is killed on the way, and the rows are those of a run on this machine."""
    data, work = tmp_path / "data", tmp_path / "work"
    work.mkdir()
    subprocess.run([sys.executable, str(BENCH / "generate.py"), MEMBERS, str(data)], check=True)
    command = [sys.executable, "-m", "evaluator.cli", "run", str(BENCH / "pack"), "--data", str(data), "--year", "2025"]
    there = [
        *command,
        "--engine",
        "spark",
        "--master",
        cluster.url,
        "--work",
        str(work),
        "--out",
        str(tmp_path / "there"),
    ]
    running = subprocess.Popen(there, env=os.environ | {"PYSPARK_SUBMIT_ARGS": SUBMIT}, cwd=tmp_path)
    try:
        # it has made some tables, and is at work on the next
        until(lambda: running.poll() is not None or max(map(int, named(work)), default=0) > TABLES, 1800)
        assert running.poll() is None, "it was over before a worker could be lost"
        assert len(list(tmp_path.glob("worker*/app-*/*"))) == 2, "both have an executor"
        cluster.kill(cluster.workers[0])
        assert running.wait(timeout=3600) == 0
    finally:
        running.kill()
    subprocess.run([*command, "--out", str(tmp_path / "here")], check=True)
    same(tmp_path / "here", tmp_path / "there")


def test_what_a_job_is_submitted_with_stands(tmp_path: Path) -> None:
    """Where Spark was told its master and its settings, by spark-submit here, ours are not put over them."""
    program = tmp_path / "says.py"
    program.write_text(
        "from evaluator.sql.spark import SparkDatabase\n"
        "spark = SparkDatabase()\n"
        "print(spark.session.sparkContext.master, 2 * spark.session.sparkContext.defaultParallelism)\n"
        "names = ('spark.sql.shuffle.partitions', 'spark.sql.adaptive.enabled', 'spark.sql.ansi.enabled')\n"
        "for little in (False, True):\n"
        "    spark.expect(little)\n"
        "    print(*map(spark.session.conf.get, names))\n"
        "spark.close()\n"
    )

    def says(*command: str) -> list[list[str]]:
        environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
        done = subprocess.run(
            [*command, str(program)], capture_output=True, text=True, env=environment, cwd=ROOT, check=True
        )
        return [line.split() for line in done.stdout.splitlines()]

    given = ["--master", "local[1]", "--conf", "spark.sql.shuffle.partitions=7"]
    submitted = says(str(SPARK / "bin" / "spark-submit"), *given)
    assert submitted == [["local[1]", "2"], ["7", "true", "true"], ["7", "false", "true"]]
    (master, tasks), much, little = says(sys.executable)
    assert (master, much, little) == ("local[*]", [tasks, "true", "true"], ["1", "false", "true"])


# --- what may go wrong -------------------------------------------------------------------------------------


def test_no_such_cluster(tmp_path: Path) -> None:
    """Where nobody answers, that is said, with what to do, and nothing is written."""
    data = ROOT / "fixtures" / "mawei" / "2023"
    command = [sys.executable, "-m", "evaluator.cli", "run", str(ROOT / "rules" / "mawei"), "--data", str(data)]
    options = ["--year", "2023", "--engine", "spark", "--master", "spork://nowhere", "--out", str(tmp_path / "out")]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == 1
    assert "error[E105]" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_parameter_without_an_entry_and_a_number_too_large(tmp_path: Path) -> None:
    """What stops a run on this machine stops it there, with the same words."""
    for number, rule in enumerate(("points: worth(kind)", "points: 900000000000 * 900000000000")):
        pack = write_pack(tmp_path / f"pack{number}", pack=PACK, person=PERSON.replace("points: 1", rule))
        data = tmp_path / f"data{number}"
        data.mkdir()
        (data / "person.csv").write_text("id\nA\n")
        (data / "works.csv").write_text("id,held_on,person,kind\n1,2021-05-05,A,song\n")
        said = []
        for engine in ("duckdb", "spark"):
            with pytest.raises(Stop) as stopped:
                evaluator.run(pack, data, 2021, tmp_path / "out", engine=engine)
            said.append(str(stopped.value))
        assert said[0] == said[1]
        assert ("R106" in said[0]) is (number == 0)


PACK = """
    pack: small
    title: {en: Small}
    language: en
    parameters: {worth: {is: {dance: 2}}}
    tables:
      works: {key: id, date: held_on, fields: {id: text, held_on: date, person: {ref: person}, kind: text}}
"""
PERSON = """
    subject: person
    key: id
    fields: {id: text}
    score: {items: [{id: works, each: works, points: 1}]}
"""
