"""What a proof comes to: statements with what became of each, in a fixed order."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from evaluator.report.text import as_table

Status = Literal["proved", "refuted", "unknown"]
LONGEST = 100
"""So many characters of the grounds stand in the table; all of them where a statement fails."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Statement(_Part):
    """A statement about every possible subject of a kind, and whether it holds."""

    statement: Literal["decided", "reached", "monotone", "total", "share"] = Field(
        description="decided: one value each; reached: somebody can get the value; monotone: better never lowers it; "
        "total: it stays within bounds; share: no item brings more than its share"
    )
    kind: str
    of: str = Field(description="the verdict or line it is about; total")
    value: str = Field("", description="the value of the verdict; '' where it is about all of them")
    status: Status
    grounds: str = Field(description="why that is so: how it was proved, the counterexample, or what is not known")
    example: str = Field("", description="a subject that shows it: the cheapest way to a value, or a counterexample")
    records: int | None = Field(None, description="how many records the example has")
    because: str = Field("", description="the reason given in the pack where it need not hold")
    fix: str = Field("", description="what can be done about it; '' where it holds")
    file: str
    line: int

    @property
    def said(self) -> str:
        """The statement in words."""
        name = f"{self.kind}.{self.of}"
        return {
            "decided": f"everybody gets one value of {name}",
            "reached": f"somebody has {name} = {self.value}",
            "monotone": f"{name} moves one way only as things get better",
            "total": f"{name} stays within its bounds",
            "share": f"{name} brings no more than its share",
        }[self.statement]

    @property
    def is_ok(self) -> bool:
        """Whether it holds, or is excepted with a reason."""
        return self.status == "proved" or bool(self.because)


class Proof(_Part):
    """Everything that was tried to prove of a pack."""

    pack: str
    year: int
    bounds: str = Field(description="how far the search looked")
    statements: list[Statement]
    needless: list[str] = Field(description="exceptions that are declared and not needed, each with its place")

    @property
    def is_ok(self) -> bool:
        """Whether every statement holds or is excepted."""
        return all(one.is_ok for one in self.statements) and not self.needless

    def __str__(self) -> str:
        parts = [f"{self.pack} {self.year}: {self._counts()}", f"looked at: {self.bounds}", "", self._table()]
        cheapest = [one for one in self.statements if one.statement == "reached" and one.example]
        if cheapest:
            rows = [
                [f"{one.kind}.{one.of} = {one.value}", str(one.records), one.example.replace("; ", "\n")]
                for one in cheapest
            ]
            parts += ["", as_table(["the least for", "records", "a subject that has it"], rows, [False, True, False])]
        for one in self.statements:
            if not one.is_ok:
                parts += ["", *_told(one)]
        parts += ["", *self.needless] if self.needless else []
        return "\n".join(parts)

    def _counts(self) -> str:
        found = Counter("excepted" if one.status != "proved" and one.because else one.status for one in self.statements)
        said = [f"{found[status]} {status}" for status in ("proved", "excepted", "refuted", "unknown") if found[status]]
        return f"{len(self.statements)} statements: {', '.join(said)}" if said else "nothing is stated"

    def _table(self) -> str:
        rows: list[list[str]] = []
        for one in self.statements:
            if one.statement == "reached" and one.status == "proved":
                continue  # its cheapest way says more
            mark = "✓" if one.status == "proved" else "–" if one.because else "✗" if one.status == "refuted" else "?"
            grounds = f"excepted: {one.because}" if mark == "–" else one.grounds
            rows.append([mark, one.said, grounds if len(grounds) <= LONGEST else f"{grounds[: LONGEST - 1]}…"])
        return as_table(["", "statement", "grounds"], rows)


def _told(one: Statement) -> list[str]:
    """Say what is wrong with a statement, and what can be done about it."""
    lines = [f"{one.file}:{one.line}: {one.status}: {one.said}", f"  {one.grounds}"]
    if one.example:
        lines.append(f"  subject: {one.example}")
    return [*lines, f"  fix: {one.fix}"]
