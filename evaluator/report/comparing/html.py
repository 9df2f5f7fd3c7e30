"""A comparison as a page of HTML."""

from __future__ import annotations

from dataclasses import dataclass

from evaluator.report.comparing.model import ChangedSubject, Comparison
from evaluator.report.comparing.text import Table, Words
from evaluator.report.pages import page
from evaluator.report.words import say

MOST_SHOWN = 500  # subjects of a kind that the page shows


@dataclass(frozen=True, slots=True)
class Cells:
    """A table as the page takes it."""

    headings: list[str]
    rows: list[list[str]]


@dataclass(frozen=True, slots=True)
class Shown:
    """A subject as the page takes it: changes with the same causes together, each cause with how deep it stands."""

    title: str
    groups: list[tuple[str, list[tuple[int, str]]]]


def comparison_page(found: Comparison) -> str:
    """Return a comparison as one page."""
    words = Words(found)
    pack = words.pack
    listed = [[one for one in found.subjects if one.kind == kind.kind] for kind in found.kinds]

    def say_it(key: str, *values: object) -> str:
        return say(pack, key, *values)

    return page(
        "comparison.html",
        language=found.language,
        head=words.head(),
        summary=_cells(words.summary_table()),
        matrices=[
            (f"{pack.label(one.kind)} · {name}", _cells(table))
            for one in found.kinds
            for name, table in words.matrices(one)
        ],
        rules=[line for cause in found.rules for _, line in words.cause(cause)],
        records=[(words.owner(name), count) for name, count in found.records.items()],
        subjects=[_shown(words, one) for own in listed for one in own[:MOST_SHOWN]],
        more=[say(pack, "more subjects", len(own) - MOST_SHOWN) for own in listed if len(own) > MOST_SHOWN],
        say=say_it,
    )


def _cells(table: Table) -> Cells:
    return Cells(table[0], table[1])


def _shown(words: Words, one: ChangedSubject) -> Shown:
    groups = []
    for changes, causes in words.groups(one):
        said = " · ".join(words.change(one.kind, change) for change in changes) if one.how == "changed" else ""
        groups.append((said, [line for cause in causes for line in words.cause(cause)]))
    return Shown(words.title(one), groups)
