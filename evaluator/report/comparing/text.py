"""A comparison for a terminal: how many changed from what to what, then each subject with what it changed by."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from evaluator.pack.definitions import Pack
from evaluator.report.comparing.model import Cause, Change, ChangedSubject, ComparedKind, Comparison, Matrix
from evaluator.report.text import as_table
from evaluator.report.words import name_of, say, shown

MOST_SHOWN = 20  # subjects of a kind that the text shows
DEEPEST = 3  # causes of causes that are shown


def comparison_text(found: Comparison) -> str:
    """Return a comparison as text."""
    words = Words(found)
    parts = ["\n".join(words.head()), words.summary()]
    for one in found.kinds:
        parts += [
            f"{words.pack.label(one.kind)} · {title}\n\n{as_table(*table)}" for title, table in words.matrices(one)
        ]
    if found.rules:
        lines = [f"  {line}" for cause in found.rules for _, line in words.cause(cause)]
        parts.append("\n".join([say(words.pack, "rules that differ"), "", *lines]))
    if found.records:
        counts = ", ".join(f"{words.owner(name)} {count}" for name, count in found.records.items())
        parts.append(f"{say(words.pack, 'records that differ')}: {counts}")
    for _, subjects in groupby(found.subjects, key=lambda one: one.kind):
        parts += words.subjects(list(subjects))
    if not found.subjects:
        parts.append(say(words.pack, "nothing changed"))
    return "\n\n".join(parts)


Table = tuple[list[str], list[list[str]], list[bool]]


class Words:
    """What readers see of a comparison, in their language."""

    def __init__(self, found: Comparison) -> None:
        self.found = found
        self.before, self.pack = found._packs

    def head(self) -> list[str]:
        """Say which runs were compared, and what was left out."""
        pack, found = self.pack, self.found
        title = pack.title.get(pack.shown_in) or next(iter(pack.title.values()))
        runs = [f"{one.folder} ({one.pack} {one.year}, {one.stage})" for one in (found.before, found.after)]
        lines = [title, say(pack, "compared", *runs)]
        left_out = [*found.kinds_of_one, *(f"{one.kind}.{name}" for one in found.kinds for name in one.not_compared)]
        return lines + ([say(pack, "only in one", ", ".join(left_out))] if left_out else [])

    def summary(self) -> str:
        """Say how many subjects of each kind changed."""
        return as_table(*self.summary_table())

    def summary_table(self) -> Table:
        """Return the numbers of subjects as a table."""
        pack = self.pack
        words = ("kind", "before", "after", "appeared", "gone", "changed")
        rows = [
            [pack.label(one.kind), *map(str, (one.before, one.after, one.appeared, one.gone, one.changed))]
            for one in self.found.kinds
        ]
        return [say(pack, word) for word in words], rows, [False] + [True] * 5

    def matrices(self, one: ComparedKind) -> Iterator[tuple[str, Table]]:
        """Give the verdicts of a kind that changed: their name, and how many went from which value to which."""
        for matrix in one.matrices:
            if any(count.before != count.after for count in matrix.counts):
                yield name_of(self.pack, one.kind, matrix.verdict), self._matrix(matrix)

    def _matrix(self, matrix: Matrix) -> Table:
        counts = {(c.before, c.after): c.subjects for c in matrix.counts}
        order = list(matrix.values)
        corner = f"{say(self.pack, 'before')} \\ {say(self.pack, 'after')}"
        rows = [[self._value(a), *(str(counts.get((a, b), "")) for b in order)] for a in order]
        return [corner, *(self._value(b) for b in order)], rows, [False] + [True] * len(order)

    def _value(self, value: str | None) -> str:
        if value is None:
            return say(self.pack, "absent")
        if value in ("true", "false"):
            return shown(self.pack, value == "true")
        return shown(self.pack, value)

    # --- subjects ---

    def title(self, one: ChangedSubject) -> str:
        """Return what a subject is called."""
        called = one.name if one.name == one.key else f"{one.name} ({one.key})"
        mark = {"added": f" · {say(self.pack, 'appeared')}", "removed": f" · {say(self.pack, 'gone')}", "changed": ""}
        return f"{self.pack.label(one.kind)} {called}{mark[one.how]}"

    def change(self, kind: str, change: Change) -> str:
        """Return a change: what, before and after."""
        return f"{self.what(kind, change)} {self._value(change.before)} → {self._value(change.after)}"

    def what(self, kind: str, change: Change) -> str:
        """Return what readers call the value that changed."""
        if change.sort == "apart":
            return say(self.pack, "apart") if change.name == "reason" else name_of(self.pack, kind, change.name)
        if change.sort == "rank":
            return say(self.pack, "rank in", self.pack.label(f"{kind}.{change.name}"))
        return name_of(self.pack, kind, f"points.{change.name}" if change.sort == "line" else change.name)

    def groups(self, one: ChangedSubject) -> list[tuple[list[Change], tuple[Cause, ...]]]:
        """Return the changes of a subject, those with the same causes together."""
        found: dict[tuple[Cause, ...], list[Change]] = {}
        for change in one.changes:
            found.setdefault(change.causes, []).append(change)
        return [(changes, causes) for causes, changes in found.items()]

    def subjects(self, listed: list[ChangedSubject]) -> list[str]:
        """Return subjects as paragraphs: what changed and why; who only has another rank stands in one line."""
        ranked = [one for one in listed if one.how == "changed" and all(c.sort == "rank" for c in one.changes)]
        others = [one for one in listed if one not in ranked]
        parts = ["\n".join(self.subject(one)) for one in others[:MOST_SHOWN]]
        if len(others) > MOST_SHOWN:
            parts.append(say(self.pack, "more subjects", len(others) - MOST_SHOWN))
        if ranked:
            lines = [say(self.pack, "only ranks", len(ranked))]
            for one in ranked[:MOST_SHOWN]:
                changes = " · ".join(self.change(one.kind, change) for change in one.changes)
                lines.append(f"  {self.title(one)}: {changes}")
            if len(ranked) > MOST_SHOWN:
                lines.append(f"  {say(self.pack, 'more subjects', len(ranked) - MOST_SHOWN)}")
            parts.append("\n".join(lines))
        return parts

    def subject(self, one: ChangedSubject) -> list[str]:
        """Return a subject's changes and their causes as lines."""
        lines = [self.title(one)]
        for changes, causes in self.groups(one):
            if one.how == "changed":
                lines.append("  " + " · ".join(self.change(one.kind, change) for change in changes))
            for cause in causes:
                lines += ["    " + "  " * depth + f"← {line}" for depth, line in self.cause(cause)]
        return lines

    def cause(self, cause: Cause, depth: int = 0) -> Iterator[tuple[int, str]]:
        """Give a cause as lines, each with how deep it stands: what it is, and what it came from in turn."""
        if cause.what == "unknown":
            yield depth, say(self.pack, "cause unknown")
            return
        if cause.more:
            yield depth, say(self.pack, f"cause passed {'more' if cause.is_exact else 'many'}", cause.more)
            return
        said = say(self.pack, f"cause {cause.what} {cause.how}", self._about(cause))
        values = self._values(cause)
        yield depth, said + (f": {values}" if values else "") + self._worth(cause) + self._place(cause)
        if depth < DEEPEST:
            for one in cause.causes:
                yield from self.cause(one, depth + 1)

    def _about(self, cause: Cause) -> str:
        if cause.what == "rule":
            return f"{cause.owner} {cause.field}".strip()
        if cause.what == "history":
            return f"{cause.field} {cause.owner}"
        if cause.what == "judgement" and cause.owner == "judgements":
            return f"{cause.key} {cause.field}".strip()
        name = f"{self.owner(cause.owner)} {cause.key}"
        if cause.what == "passed":
            return name
        return f"{name} {self._field(cause)}".strip()

    def owner(self, name: str) -> str:
        """Return what readers call a kind or a table; a table by its file, as the pack's labels are of values."""
        made = self.pack.tables.get(name)
        if name in self.pack.kinds or made is None:
            return self.pack.label(name)
        return made.files[0] if made.files and self.pack.shown_in == self.pack.language else name

    def _field(self, cause: Cause) -> str:
        pack: Pack = self.pack
        if not cause.field:
            return ""
        if cause.owner in pack.kinds:
            return name_of(pack, cause.owner, cause.field)
        made = pack.tables.get(cause.owner)
        field = made.fields.get(cause.field) if made is not None else None
        is_own = pack.shown_in == pack.language and field is not None and field.headings
        return field.headings[0] if is_own and field is not None else pack.label(cause.field)

    def _values(self, cause: Cause) -> str:
        if cause.before is None and cause.after is None:
            return ""
        if cause.how == "added" and cause.before is None:
            return self._value(cause.after)
        if cause.how == "removed" and cause.after is None:
            return self._value(cause.before)
        quoted = "「{}」" if cause.what == "rule" and "←" in f"{cause.before}{cause.after}" else "{}"
        return " → ".join(quoted.format(self._value(value)) for value in (cause.before, cause.after))

    def _worth(self, cause: Cause) -> str:
        if cause.points_before == cause.points_after:
            return ""
        return f" · {say(self.pack, 'worth', cause.points_before or 0, cause.points_after or 0)}"

    @staticmethod
    def _place(cause: Cause) -> str:
        places = [place for place in (cause.at_before, cause.at_after) if place]
        if len(places) == 2 and places[0] == places[1]:
            places = places[:1]
        return f"  ({' → '.join(places)})" if places else ""
