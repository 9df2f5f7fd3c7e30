"""Two subjects of a run side by side: line by line, verdict by verdict."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from evaluator.diagnostics import Stop
from evaluator.pack.definitions import Pack
from evaluator.report.explaining.document import Document, Part, called, document_of
from evaluator.report.explaining.explain import Explainer, find_subject
from evaluator.report.reopen import reopen
from evaluator.report.text import as_table
from evaluator.report.words import plain_fraction, say


class Row(Part):
    """A value of both, and for numbers by how much the first has more."""

    name: str
    label: str
    depth: int
    first: str
    second: str
    difference: str


class Against(Part):
    """Two subjects of one kind side by side."""

    first: Document
    second: Document
    lines: list[Row]
    measures: list[Row]
    verdicts: list[Row]

    def text(self, pack: Pack) -> str:
        """Return it as text."""
        parts = [f"{self.first.kind_label} {called(self.first)} ↔ {called(self.second)} · {self.first.year}"]
        is_right = [False, True, True, True]
        for word, rows in (("verdicts", self.verdicts), ("score", self.lines), ("measures", self.measures)):
            if rows:
                parts += ["", say(pack, word), "", as_table(self.headings(pack), self.cells(rows), is_right)]
        return "\n".join(parts)

    def headings(self, pack: Pack) -> list[str]:
        """Return the headings of its tables."""
        return [say(pack, "item"), called(self.first), called(self.second), say(pack, "more")]

    @staticmethod
    def cells(rows: list[Row]) -> list[list[str]]:
        """Return the cells of rows."""
        return [["  " * row.depth + row.label, row.first, row.second, row.difference] for row in rows]


def against(folder: Path, first: str, second: str, language: str | None = None) -> tuple[Pack, Against]:
    """Put two subjects of a run side by side; raise Stop where one is none, or they are of two kinds."""
    with reopen(folder, language) as run:
        found = [find_subject(run, subject) for subject in (first, second)]
        if found[0].kind is not found[1].kind:
            kinds = " and ".join(f"{one.key} is a {run.pack.label(one.kind.name)}" for one in found)
            raise Stop.of("R207", kinds, fix="name two subjects of one kind")
        a, b = (document_of(Explainer(run, one).explanation()) for one in found)
        lines = {line.name: line for line in b.lines}
        listed = [
            _row(line.name, line.label, line.depth, line.points, lines[line.name].points if line.name in lines else "")
            for line in a.lines
        ]
        return run.pack, Against(
            first=a,
            second=b,
            lines=listed,
            measures=[_row(m.name, m.label, 0, m.value, n.value) for m, n in zip(a.measures, b.measures, strict=True)],
            verdicts=[_row(m.name, m.label, 0, m.value, n.value) for m, n in zip(a.results, b.results, strict=False)],
        )


def _row(name: str, label: str, depth: int, first: str, second: str) -> Row:
    difference = ""
    try:
        more = Fraction(first) - Fraction(second)
    except ValueError:
        pass
    else:
        difference = ("+" if more > 0 else "") + plain_fraction(more) if more else "0"
    return Row(name=name, label=label, depth=depth, first=first, second=second, difference=difference)
