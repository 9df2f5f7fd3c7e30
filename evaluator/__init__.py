"""Judge a year's work by written rules, exactly and explainably.

pack = load_pack("rules/daguan")
result = run(pack, "fixtures/daguan/2021", 2021, out="results/daguan-2021")
print(explain(result, "W04"))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluator.diagnostics import Diagnostic
    from evaluator.pack.definitions import Pack
    from evaluator.report.comparing.model import Comparison
    from evaluator.report.explaining.explain import Explanation
    from evaluator.report.verify import Verification

__version__ = "0.1.0"
__all__ = ["compare", "explain", "load_pack", "run", "verify"]


def load_pack(folder: str | Path) -> Pack:
    """Read a pack and check it.

    Raises evaluator.diagnostics.Stop with everything that is wrong with it.
    """
    from evaluator.engine.families import check_families
    from evaluator.pack.check import load_pack as load

    pack = load(Path(folder))
    check_families(pack)
    return pack


def run(
    pack: Pack | str | Path,
    data: str | Path,
    year: int,
    out: str | Path | None = None,
    history: Iterable[str | Path] = (),
    accept_rejects: bool = False,
    stage: str | None = None,
    published_on: date | None = None,
    supersedes: str | Path | None = None,
    appeals: str | Path | None = None,
    presumed: str | Path | None = None,
    engine: str = "duckdb",
    master: str | None = None,
    work: str | Path | None = None,
    memory: str | None = None,
    afresh: bool = False,
    progress: Callable[[str], None] = lambda _: None,
    warn: Callable[[Iterable[Diagnostic]], None] = lambda _: None,
) -> Path:
    """Assess a year and write the run folder; return where it is (results/<pack>-<year> unless told).

    `history` names the run folders of earlier years; `warn` is given what does not stop the run. Rows that cannot be
    read stop the run unless accepted. `supersedes` is the run folder this run takes the place of; `stage` is draft,
    published (since `published_on`) or final, where nothing is said that of the run before, or else draft. `appeals` is
    a folder of cases, of which those accepted amend the records; `presumed` is a case taken for accepted, to see what
    would follow. With `engine` spark the tables are computed by Spark, at `master` (left out, where Spark is set up to
    run, or on this machine), and kept in `work` meanwhile: a folder that driver and workers share. `memory`, as
    2GB, is what DuckDB may hold at once. Of a large run before, records and results that are the same are taken over,
    unless the run is to be made `afresh`.

    Spark takes as `data` also what its file systems read, as hdfs://host/2025 or s3a://bucket/2025.

    Raises evaluator.diagnostics.Stop with everything the user has to mend; nothing is written then.
    """
    from contextlib import ExitStack, closing
    from dataclasses import replace

    from evaluator.data.appeals import read_appeal, read_appeals
    from evaluator.data.chain import Standing
    from evaluator.diagnostics import Problems, Stop
    from evaluator.doing import Doing
    from evaluator.engine.run import assess
    from evaluator.report.run_folder import check_target, default_folder, write_run

    checked = load_pack(pack) if isinstance(pack, (str, Path)) else pack
    target = Path(out) if out is not None else default_folder(checked.name, year)
    check_target(target)
    folders = [Path(folder) for folder in history]
    problems = Problems()
    cases = read_appeals(Path(appeals), problems) if appeals is not None else []
    if presumed is not None:
        taken = read_appeal(Path(presumed), problems, is_presumed=True)
        cases = [case for case in cases if taken is None or case.number != taken.number]
        if taken is not None:  # it may come from another folder
            is_taken = any(case.kept_as == taken.kept_as for case in cases)
            cases.append(replace(taken, kept_as=f"presumed-{taken.kept_as}") if is_taken else taken)
    problems.stop_on_errors()
    standing = Standing(stage, published_on, None if supersedes is None else Path(supersedes))
    if engine not in ("duckdb", "spark"):
        raise ValueError(f"engine is duckdb or spark, not {engine}")
    folder, named = Path(data), str(data) if "://" in str(data) else None
    if named is not None and engine != "spark":
        raise Stop.of(
            "D101", f"{named} is no folder of this machine", fix="read it with --engine spark, or copy it here"
        )
    with ExitStack() as stack:
        spark = None
        if engine == "spark":
            from evaluator.sql.spark import SparkDatabase

            spark = stack.enter_context(closing(SparkDatabase(master, None if work is None else Path(work))))
            if named is not None:
                progress(Doing(f"fetching {named}"))
                folder = spark.fetch(named)
        judged = assess(
            checked, folder, year, folders, accept_rejects, progress, None, standing, cases, spark, memory, afresh,
            named,
        )  # fmt: skip
        assessment = stack.enter_context(judged)
        progress(Doing(f"writing {target}", done=assessment.state.db.done))
        write_run(assessment, target)
        warn(assessment.problems)
    return target


def explain(run_folder: str | Path, subject: str, language: str | None = None) -> Explanation:
    """Explain the result of a subject of a run: its key or name, or kind:key. `str()` of it is the text.

    `language` is zh or en; left out, the one the run was written in.

    Raises evaluator.diagnostics.Stop where the folder or the subject is none.
    """
    from evaluator.report.explaining.explain import explain as make

    return make(Path(run_folder), subject, language)


def compare(run_folder: str | Path, other: str | Path, language: str | None = None) -> Comparison:
    """Compare two runs: what changed between the first and the other, and what caused it. `str()` of it is the text.

    `language` is zh or en; left out, the one the other run was written in. Raises evaluator.diagnostics.Stop where a
    folder is none, or the runs have no kind in common.
    """
    from evaluator.report.comparing.compare import compare as make

    return make(Path(run_folder), Path(other), language)


def verify(
    run_folder: str | Path,
    data: str | Path | None = None,
    pack: str | Path | None = None,
    history: Iterable[str | Path] = (),
    supersedes: Iterable[str | Path] = (),
    language: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Verification:
    """Check that a run folder is what a run wrote, down to running it again; `str()` of what it returns is the text.

    `data` and `pack` are what the run is said to have been made from; `history` and `supersedes` are folders in which
    earlier runs are looked for besides those beside the run folder. Raises evaluator.diagnostics.Stop where the folder
    is no run folder.
    """
    from evaluator.report.verify import verify as make

    sheets, rules = (None if place is None else Path(place) for place in (data, pack))
    past, before = ([Path(place) for place in listed] for listed in (history, supersedes))
    return make(Path(run_folder), sheets, rules, past, before, language, progress)
