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
    from evaluator.report.explain import Explanation

__version__ = "0.1.0"
__all__ = ["explain", "load_pack", "run"]


def load_pack(folder: str | Path) -> Pack:
    """Read a pack and check it.

    Raises evaluator.diagnostics.Stop with everything that is wrong with it.
    """
    from evaluator.diagnostics import Problems
    from evaluator.engine.families import compile_family
    from evaluator.engine.plan import Decide, make_plan
    from evaluator.pack.check import load_pack as load

    pack = load(Path(folder))
    problems = Problems()
    for step in make_plan(pack, problems):
        if isinstance(step, Decide):
            compile_family(pack.kinds[step.kind], step.verdicts, problems)
    problems.stop_on_errors()
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
    progress: Callable[[str], None] = lambda _: None,
    warn: Callable[[Iterable[Diagnostic]], None] = lambda _: None,
) -> Path:
    """Assess a year and write the run folder; return where it is (results/<pack>-<year> unless told).

    `history` names the run folders of earlier years; `warn` is given what does not stop the run. Rows that cannot be
    read stop the run unless accepted. `supersedes` is the run folder this run takes the place of; `stage` is draft,
    published (since `published_on`) or final, where nothing is said that of the run before, or else draft.
    Raises evaluator.diagnostics.Stop with everything the user has to mend; nothing is written then.
    """
    from evaluator.data.chain import Standing
    from evaluator.engine.run import assess
    from evaluator.report.run_folder import check_target, default_folder, write_run

    checked = load_pack(pack) if isinstance(pack, (str, Path)) else pack
    target = Path(out) if out is not None else default_folder(checked.name, year)
    check_target(target)
    folders = [Path(folder) for folder in history]
    standing = Standing(stage, published_on, None if supersedes is None else Path(supersedes))
    with assess(checked, Path(data), year, folders, accept_rejects, progress, standing=standing) as assessment:
        progress(f"writing {target}")
        write_run(assessment, target)
        warn(assessment.problems)
    return target


def explain(run_folder: str | Path, subject: str, language: str | None = None) -> Explanation:
    """Explain the result of a subject of a run: its key or name, or kind:key. `str()` of it is the text.

    `language` is zh or en; left out, the one the run was written in.

    Raises evaluator.diagnostics.Stop where the folder or the subject is none.
    """
    from evaluator.report.explain import explain as make

    return make(Path(run_folder), subject, language)
