"""What is stated of every subject checked: that it is of something the kind has."""

from __future__ import annotations

from collections.abc import Iterator

from evaluator.diagnostics import rename_to
from evaluator.pack.context import Context
from evaluator.pack.model import Kind
from evaluator.pack.model_judgement import Line
from evaluator.pack.source import Text


def check_proofs(context: Context, model: Kind) -> None:
    """Note names that are none of the kind."""
    if model.prove is None:
        return
    lines = [str(line.id) for line in _walk(model.score) if line.id is not None]
    known = [*model.fields, *model.measures, *lines]
    for one in model.prove.better:
        _known(context, one.of, [*known, *model.verdicts])
    for other in model.prove.except_:
        _known(context, other.of, ["total", *lines, *model.verdicts])


def _walk(line: Line | None) -> Iterator[Line]:
    if line is not None:
        yield line
        for item in line.items or ():
            yield from _walk(item)


def _known(context: Context, name: Text, known: list[str]) -> None:
    if name not in known:
        context.problems.add("P401", f'there is no "{name}" to state anything of', name.at, rename_to(name, known))
