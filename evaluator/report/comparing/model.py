"""What a comparison of two runs holds; its JSON Schema is that of `evaluator compare --format json`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from evaluator.pack.definitions import Pack

What = Literal["record", "rule", "subject", "passed", "judgement", "history", "unknown"]
Sort = Literal["subject", "apart", "verdict", "total", "line", "rank"]
How = Literal["added", "removed", "changed"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cause(_Part):
    """One thing that a change came from."""

    what: What = Field(
        description="record: a row of the data; rule: something written in the pack, or the year; subject: a value of "
        "another subject; passed: another subject that is now before or behind; judgement: what somebody decided; "
        "history: what an earlier year came to; unknown: no cause was found"
    )
    how: How = Field("changed", description="whether it is in the second run only, in the first only, or differs")
    owner: str = Field("", description="the table, the kind, or the rule")
    key: str = Field("", description="the key of the row or subject")
    field: str = Field("", description="the field, the value, the part of the rule, the roster or the year")
    before: str | None = Field(None, description="what it was in the first run")
    after: str | None = Field(None, description="what it is in the second run")
    at_before: str = Field("", description="file and row, or file and line, in the first run")
    at_after: str = Field("", description="file and row, or file and line, in the second run")
    points_before: str | None = Field(None, description="what the record brought to the line in the first run")
    points_after: str | None = Field(None, description="what it brings in the second run")
    more: int = Field(0, description="how many more of the kind there are that are not listed")
    is_exact: bool = Field(True, description="false where so many moved that who passed whom was not looked at")
    causes: tuple[Cause, ...] = Field((), description="what this came from in turn")


def each_once(found: Iterable[Cause]) -> tuple[Cause, ...]:
    """Return causes, each once; that there is none is said."""
    return tuple(dict.fromkeys(found)) or (Cause(what="unknown"),)


class Change(_Part):
    """A value of a subject that is not the same in both runs."""

    sort: Sort
    name: str = Field(description="the verdict, total, the line, the roster; subject where it appeared or is gone")
    before: str | None = Field(None, description="what it was; null where there was none")
    after: str | None = Field(None, description="what it is; null where there is none")
    causes: tuple[Cause, ...] = ()


class ChangedSubject(_Part):
    """A subject with at least one change."""

    kind: str
    key: str
    name: str = Field(description="what it is called")
    how: How
    changes: tuple[Change, ...]


class Count(_Part):
    """How many subjects had one value before and another after."""

    before: str | None = Field(description="null where the subject was not there, or had no value")
    after: str | None = Field(description="null where the subject is not there, or has no value")
    subjects: int


class Matrix(_Part):
    """Of a verdict: how many subjects went from which value to which."""

    verdict: str
    values: tuple[str | None, ...] = Field(description="its values, worst to best; null last")
    counts: tuple[Count, ...]


class ComparedKind(_Part):
    """What was compared of a kind."""

    kind: str
    before: int = Field(description="how many subjects the first run has")
    after: int = Field(description="how many subjects the second run has")
    appeared: int
    gone: int
    changed: int = Field(description="how many of those in both runs have a change")
    changes: dict[str, int] = Field(description="how often each value changed, by its name")
    matrices: tuple[Matrix, ...]
    not_compared: tuple[str, ...] = Field(description="verdicts, lines and rosters that only one run has")


class ComparedRun(_Part):
    """One of the two runs."""

    folder: str
    pack: str
    year: int
    stage: str
    sha256: str = Field(description="the hash of its manifest")


class Comparison(_Part):
    """Two runs compared. `str()` of it is the text."""

    before: ComparedRun
    after: ComparedRun
    language: str
    kinds: tuple[ComparedKind, ...]
    kinds_of_one: tuple[str, ...] = Field(description="kinds that only one run has")
    rules: tuple[Cause, ...] = Field(description="everything of the packs that differs in meaning")
    records: dict[str, int] = Field(description="by table, how many rows are in one run only or differ")
    subjects: tuple[ChangedSubject, ...]

    _packs: tuple[Pack, Pack] = PrivateAttr()

    def __str__(self) -> str:
        from evaluator.report.comparing.text import comparison_text

        return comparison_text(self)
