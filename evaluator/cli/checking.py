"""The command that checks packs: check."""

from __future__ import annotations

from evaluator.cli.common import PackFolder, app


@app.command()
def check(pack: PackFolder) -> None:
    """Check a rule pack.

    Shows everything that is wrong with it at once, with file, line and column.
    """
    import evaluator

    checked = evaluator.load_pack(pack)
    lines = sum(len(kind.lines) for kind in checked.kinds.values())
    verdicts = sum(len(kind.verdicts) for kind in checked.kinds.values())
    kinds = ", ".join(checked.kinds)
    print(f"{pack}: fine ({kinds}; {len(checked.tables)} tables, {lines} lines of score, {verdicts} verdicts)")
