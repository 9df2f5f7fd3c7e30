"""Appeals: one YAML file a case, with what is claimed of the records and what was decided.

Data files are never edited. What was accepted is an amendment of the next run; `amending` applies it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from evaluator.data.chain import Standing
from evaluator.data.hashes import hash_of
from evaluator.diagnostics import Cell, Problems
from evaluator.pack.definitions import Pack
from evaluator.pack.model_appeal import PARTLY, Appeal, Claim
from evaluator.pack.reading import read_model
from evaluator.pack.source import read_yaml
from evaluator.pack.windows import last_workday


@dataclass(frozen=True, slots=True)
class Case:
    """An appeal, the file it stands in, and whether it is taken for accepted to see what would follow.

    A run keeps the file under the name `kept_as`.
    """

    file: Path
    sha256: str
    appeal: Appeal
    kept_as: str
    is_presumed: bool = False

    @property
    def number(self) -> str:
        """The number of the case."""
        return str(self.appeal.appeal)

    @property
    def is_open(self) -> bool:
        """Whether nobody has decided on it yet."""
        return self.appeal.status == "filed"

    @property
    def claims(self) -> list[tuple[int, Claim]]:
        """The claims to apply, with their numbers from 1."""
        status = "accepted" if self.is_presumed and self.appeal.status != PARTLY else self.appeal.status
        if status not in ("accepted", PARTLY):
            return []
        return [(n, claim) for n, claim in enumerate(self.appeal.claims, 1) if claim.accepted is not False]


Place = tuple[int, int]
"""Source and row."""


@dataclass(frozen=True, slots=True)
class Amended:
    """One thing a case changed: a row added or taken away, or a cell of one (`heading`, from `before` to `after`)."""

    case: str
    claim: int
    how: str
    table: str
    key: str
    source: int
    row: int
    heading: str = ""
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A claim on a table, and the source it counts as: an added row is the row of its file it is written on."""

    case: Case
    number: int
    claim: Claim
    source: int

    @property
    def place(self) -> Place:
        """Source and row of what it adds."""
        return self.source, self.claim.at.line


@dataclass(slots=True)
class Amendments:
    """Cases, each a source of its own beside the sheets, and what their claims changed."""

    cases: list[Case] = field(default_factory=list)
    first_source: int = 0
    made: list[Amended] = field(default_factory=list)

    def of(self, name: str) -> list[Request]:
        """Return the claims that apply to a table."""
        return [
            Request(case, n, claim, self.first_source + place)
            for place, case in enumerate(self.cases)
            for n, claim in case.claims
            if str(claim.table) == name
        ]


def read_appeal(file: Path, problems: Problems, is_presumed: bool = False) -> Case | None:
    """Read a case; nothing where something is wrong with it, which is noted."""
    if not file.is_file():
        problems.add("D401", "there is no such file", Cell(file.as_posix()))
        return None
    tree = read_yaml(file, file.as_posix(), problems)
    appeal = read_model(Appeal, tree, problems) if tree is not None else None
    if appeal is None:
        return None
    return Case(file, hash_of(file), appeal, file.name, is_presumed)


def read_appeals(folder: Path, problems: Problems) -> list[Case]:
    """Read the cases of a folder, in the order of their files; note what is wrong with them."""
    if not folder.is_dir():
        problems.add("D401", "there is no such folder of appeals", Cell(folder.as_posix()))
        return []
    found = [read_appeal(file, problems) for file in sorted(folder.glob("*.yaml"))]
    cases: dict[str, Case] = {}
    for case in found:
        if case is None:
            continue
        if case.number in cases:
            other = cases[case.number].appeal.appeal.at
            problems.add(
                "D405", f"two cases have the number {case.number}", case.appeal.appeal.at, also=[(other, "here")]
            )
        cases[case.number] = case
    return list(cases.values())


def check_filed_in_time(cases: Iterable[Case], pack: Pack, standing: Standing, problems: Problems) -> None:
    """Refuse cases that were filed after the last day the pack leaves for it, and amendments of no run."""
    last = last_day_to_appeal(pack, standing.published_on)
    for case in cases:
        at = case.appeal.key_at("filed_on")
        if not case.claims:
            continue
        if standing.supersedes is None and not case.is_presumed:
            message = "what is accepted amends a result, and this run takes the place of none"
            problems.add("D402", message, at, "name the run that is appealed against with --supersedes")
        elif pack.appeals is None:
            continue
        elif last is None:
            message = "when the result was published is not known, and so not until when it could be appealed"
            problems.add("D402", message, at, "name the published run with --supersedes")
        elif case.appeal.filed_on > last:
            published = standing.published_on
            message = (
                f"filed on {case.appeal.filed_on}; the last day was {last}, {pack.appeals.within} working days after"
            )
            problems.add("D402", f"{message} the publication on {published}", at)


def last_day_to_appeal(pack: Pack, published_on: dt.date | None) -> dt.date | None:
    """Return the last day on which an appeal may be filed; None where the pack sets none, or nothing was published."""
    if pack.appeals is None or published_on is None:
        return None
    return last_workday(published_on, pack.appeals.within, pack.holidays)
