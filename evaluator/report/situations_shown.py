"""The situations of a year as people read them: a terminal, Markdown, a page of HTML, JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wcwidth import wcswidth

from evaluator.pack.definitions import Pack
from evaluator.report.explaining.markdown import markdown_table, markdown_text
from evaluator.report.pages import page
from evaluator.report.situations import Condition, FamilyOfYear, SituationOfYear, Situations
from evaluator.report.text import as_table
from evaluator.report.words import name_of, say, shown

WIDEST = 56  # cells of a terminal that a condition takes on one line
LOOKED_AT = ("holds", "unknown", "holds or unknown", "unsettled")  # what is shown of a condition


def shown_as(found: Situations, form: str) -> str:
    """Return situations as text, Markdown, a page or JSON."""
    if form == "json":
        return found.model_dump_json(indent=1)
    if form == "md":
        return _markdown(found)
    return _page(found) if form == "html" else str(found)


@dataclass(frozen=True, slots=True)
class Row:
    """A situation as its readers see it: each cell as lines."""

    is_new: bool
    subjects: str
    verdicts: list[str]
    conditions: list[tuple[str, str]]  # what holds, and file and line
    example: str


class _Words:
    def __init__(self, found: Situations) -> None:
        self.found, self.pack = found, found._pack

    def head(self) -> list[str]:
        """Say which run it is, and what it was looked for in."""
        pack, found = self.pack, self.found
        title = pack.title.get(pack.shown_in) or next(iter(pack.title.values()))
        lines = [f"{title} · {found.year}"]
        every = [one for family in found.families for one in family.situations]
        lines.append(say(pack, "situations counted", len(every), len(found.families)))
        if found.earlier:
            years = ", ".join(str(one.year) for one in found.earlier)
            lines.append(say(pack, "situations new", sum(bool(one.is_new) for one in every), years))
        elif not found.not_found:
            lines.append(say(pack, "situations first"))
        lines += [say(pack, "situations without", year) for year in found.not_found]
        return lines

    def title(self, family: FamilyOfYear) -> str:
        """Return the kind and the verdicts of a family."""
        names = [name_of(self.pack, family.kind, name) for name in family.verdicts]
        return f"{self.pack.label(family.kind)} · {'、'.join(names) if self.is_chinese else ', '.join(names)}"

    @property
    def is_chinese(self) -> bool:
        return self.pack.shown_in == "zh"

    def headings(self) -> list[str]:
        """Return what stands above the columns of a family."""
        words = ("", "subjects", "verdicts", "conditions that hold", "for example")
        return [word and say(self.pack, word) for word in words]

    def rows(self, family: FamilyOfYear) -> Iterator[Row]:
        """Give the situations of a family."""
        for one in family.situations:
            name = one.example_name
            example = name if name == one.example else f"{name} ({one.example})"
            yield Row(bool(one.is_new), str(one.subjects), self._verdicts(family, one), self._conditions(one), example)

    def _verdicts(self, family: FamilyOfYear, one: SituationOfYear) -> list[str]:
        lines = []
        for verdict, value in one.verdicts.items():
            rules = sorted({fired.rule for fired in one.fired if fired.verdict == verdict and fired.rule})
            is_listed = bool(self.pack.kinds[family.kind].verdicts[verdict].rules)
            which = f" ← {say(self.pack, 'rule')} {', '.join(map(str, rules))}" if is_listed and rules else ""
            lines.append(f"{name_of(self.pack, family.kind, verdict)} = {self._value(value)}{which}")
        return lines

    def _value(self, value: str) -> str:
        return shown(self.pack, value == "true") if value in ("true", "false") else shown(self.pack, value)

    def _conditions(self, one: SituationOfYear) -> list[tuple[str, str]]:
        met = [condition for condition in one.conditions if condition.state in LOOKED_AT]
        return [(self._stated(condition), condition.at) for condition in met] or [(say(self.pack, "none of them"), "")]

    def _stated(self, condition: Condition) -> str:
        if condition.state == "holds":
            return condition.text
        return f"{say(self.pack, f'state {condition.state}')}{condition.text}"


def situations_text(found: Situations, pack: Pack) -> str:
    """Return situations as text: a table a family."""
    words = _Words(found)
    parts = ["\n".join(words.head())]
    for family in found.families:
        rows = [
            [
                say(pack, "is new") if row.is_new else "", row.subjects, "\n".join(row.verdicts),
                "\n".join(line for text, at in row.conditions for line in _wrapped(text, at)), row.example,
            ]
            for row in words.rows(family)
        ]  # fmt: skip
        headings, is_right = words.headings(), [False, True, False, False, False]
        if not any(row[0] for row in rows):
            headings, is_right, rows = headings[1:], is_right[1:], [row[1:] for row in rows]
        parts.append(f"{words.title(family)}\n\n{as_table(headings, rows, is_right)}")
    return "\n\n".join(parts)


def _wrapped(text: str, at: str) -> list[str]:
    """Return a condition as lines that a terminal has room for, with its place after the last."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".lstrip(" ") if len(lines) == 1 else f"{lines[-1]} {word}"
        if lines[-1].strip() and wcswidth(longer) > WIDEST:
            lines.append(f"  {word}")
        else:
            lines[-1] = longer
    lines[-1] += f"  {at}" if at else ""
    return lines


def _markdown(found: Situations) -> str:
    words = _Words(found)
    title, *rest = words.head()
    parts = [f"# {markdown_text(title)}", "\n".join(f"{markdown_text(line)}  " for line in rest)]
    for family in found.families:
        rows = [
            [
                say(words.pack, "is new") if row.is_new else "", row.subjects, "; ".join(row.verdicts),
                "; ".join(f"{text} ({at})" if at else text for text, at in row.conditions), row.example,
            ]
            for row in words.rows(family)
        ]  # fmt: skip
        parts.append(f"## {markdown_text(words.title(family))}")
        parts.append(markdown_table(words.headings(), rows, (1,)))
    return "\n\n".join(parts) + "\n"


def _page(found: Situations) -> str:
    words = _Words(found)
    return page(
        "situations.html",
        language=found.language,
        head=words.head(),
        headings=words.headings(),
        families=[(words.title(family), list(words.rows(family))) for family in found.families],
        new=say(words.pack, "is new"),
    )
