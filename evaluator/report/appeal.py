"""An appeal looked at: when it had to be filed, what it claims, and what would follow from accepting it.

What would follow is found by running the year once more with the case taken for accepted; nothing is judged here.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from evaluator.data.appeals import Case, last_day_to_appeal, read_appeal
from evaluator.diagnostics import Problems
from evaluator.pack.definitions import Pack
from evaluator.pack.model_appeal import ADD, CORRECT, Claim
from evaluator.report.comparing.compare import compare
from evaluator.report.comparing.model import Comparison
from evaluator.report.comparing.text import Words
from evaluator.report.explaining.document import Document, Part, called, document_of
from evaluator.report.explaining.explain import Explainer, find_subject
from evaluator.report.reopen import reopen
from evaluator.report.repeat import manifest_of, repeat, run_before
from evaluator.report.text import as_table
from evaluator.report.words import say, table_name


class Claimed(Part):
    """A claim in the words of its readers."""

    number: int
    what: str
    evidence: str
    accepted: bool | None = Field(description="null while nobody has decided")
    reason: str


class Moved(Part):
    """A value of the appellant that acceptance changes."""

    label: str
    depth: int
    before: str
    after: str


class Looked(Part):
    """A case, and the appellant's result without and with what it claims."""

    case: str
    subject: str
    filed_on: str
    last_day: str = Field(description="until when it could be filed; '' where the rules set no day")
    status: str
    reviewer: str
    decided_on: str
    reason: str
    note: str
    claims: list[Claimed]
    before: Document
    after: Document
    moved: list[Moved]
    comparison: Comparison | None = Field(description="everybody whom it moves; null where nothing is accepted")

    def text(self, pack: Pack) -> str:
        """Return it as text: the case, its claims, what moves for the appellant, and whom else it moves."""
        status = say(pack, f"status {self.status}")
        parts = [f"{say(pack, 'appeal')} {self.case} · {self.before.kind_label} {called(self.before)} · {status}"]
        filed = f"{say(pack, 'filed on')} {self.filed_on}"
        parts.append(filed + (f" ({say(pack, 'in time until', self.last_day)})" if self.last_day else ""))
        parts += ["", say(pack, "claims"), ""]
        for claim in self.claims:
            evidence = f" · {say(pack, 'evidence')}: {claim.evidence}" if claim.evidence else ""
            parts.append(f"  {claim.number}. {claim.what}{evidence}")
        parts += ["", say(pack, "if accepted"), ""]
        if not self.moved:
            parts.append(f"  {say(pack, 'nothing changed')}")
        else:
            rows = [["  " * one.depth + one.label, one.before, one.after] for one in self.moved]
            headings = [say(pack, word) for word in ("item", "before", "after")]
            parts.append(as_table(headings, rows, [False, True, True]))
        parts += ["", say(pack, "others moved"), ""]
        parts += self.others(pack) or [f"  {say(pack, 'nobody else')}"]
        return "\n".join(parts)

    def others(self, pack: Pack) -> list[str]:
        """Return everybody else whom it moves: what changed and why, and then those who only have another rank."""
        if self.comparison is None:
            return []
        words = Words(self.comparison)
        own = (self.before.kind, self.before.key)
        others = [one for one in self.comparison.subjects if (one.kind, one.key) != own]
        return [f"  {line}" if line else "" for part in words.subjects(others) for line in part.split("\n")]


def look_at(
    file: Path,
    run_folder: Path,
    data: Path | None = None,
    history: Iterable[Path] = (),
    chain: Iterable[Path] = (),
    language: str | None = None,
) -> tuple[Pack, Looked]:
    """Return what would follow from accepting a case; raise Stop where it cannot be applied, or was filed too late."""
    problems = Problems()
    case = read_appeal(file, problems, is_presumed=True)
    problems.stop_on_errors()
    assert case is not None
    with tempfile.TemporaryDirectory(prefix="evaluator-") as temporary:
        again = Path(temporary) / run_folder.absolute().name
        repeat(run_folder, again, data, None, history, chain, presumed=file)
        return _looked(case, run_folder, again, language)


def looked_back_at(
    file: Path,
    run_folder: Path,
    data: Path | None = None,
    history: Iterable[Path] = (),
    chain: Iterable[Path] = (),
    language: str | None = None,
) -> tuple[Pack, Looked]:
    """Return a case that was decided, with the results before and after; raise Stop where it cannot be applied.

    Where the run has applied it, the run before is looked for beside it; where it has not, it is run again.
    """
    problems = Problems()
    case = read_appeal(file, problems)
    problems.stop_on_errors()
    assert case is not None
    if case.is_open:
        problems.add("D407", f"case {case.number} is not decided yet", case.appeal.key_at("status"))
        problems.stop_on_errors()
    if not case.claims:
        return _looked(case, run_folder, run_folder, language)
    manifest = manifest_of(run_folder)
    if case.number not in manifest.appeals.applied:
        return look_at(file, run_folder, data, history, chain, language)
    before = run_before(manifest, run_folder, chain, problems)
    problems.stop_on_errors()
    assert before is not None  # what amends a run takes its place
    return _looked(case, before, run_folder, language)


def _looked(case: Case, before: Path, after: Path, language: str | None) -> tuple[Pack, Looked]:
    subject = str(case.appeal.subject)
    documents: list[Document] = []
    for folder in (before, after):
        with reopen(folder, language) as run:
            named = find_subject(run, subject if not documents else f"{documents[0].kind}:{documents[0].key}")
            documents.append(document_of(Explainer(run, named).explanation()))
            pack, standing = run.pack, run.manifest["published_on"]
    published = dt.date.fromisoformat(standing) if standing else None
    last = last_day_to_appeal(pack, published)
    first, second = documents
    appeal = case.appeal
    looked = Looked(
        case=case.number,
        subject=subject,
        filed_on=appeal.filed_on.isoformat(),
        last_day=last.isoformat() if last is not None else "",
        status=appeal.status,
        reviewer=str(appeal.reviewer or ""),
        decided_on=appeal.decided_on.isoformat() if appeal.decided_on is not None else "",
        reason=str(appeal.reason or ""),
        note=str(appeal.note or ""),
        claims=[_claimed(pack, case, n, claim) for n, claim in enumerate(appeal.claims, 1)],
        before=first,
        after=second,
        moved=_moved(first, second),
        comparison=compare(before, after, language) if before != after else None,
    )
    return pack, looked


def _claimed(pack: Pack, case: Case, number: int, claim: Claim) -> Claimed:
    def heading(name: str) -> str:
        field = pack.tables[str(claim.table)].fields.get(name) if str(claim.table) in pack.tables else None
        return field.headings[0] if field is not None and pack.shown_in == pack.language else name

    where = str(claim.key) if claim.key is not None else ", ".join(f"{heading(n)} {v}" for n, v in claim.where.items())
    if claim.how == ADD:
        where = ", ".join(f"{heading(name)} {value}" for name, value in claim.row.items())
    what = say(pack, f"how {claim.how}", table_name(pack, str(claim.table)), where)
    if claim.how == CORRECT:
        what += ": " + ", ".join(f"{heading(n)} → {value or say(pack, 'empty')}" for n, value in claim.set.items())
    accepted = None if case.is_open else number in [n for n, _ in case.claims] and not case.is_presumed
    if case.appeal.status in ("accepted", "partly accepted"):
        accepted = claim.accepted is not False
    return Claimed(
        number=number, what=what, evidence=str(claim.evidence or ""), accepted=accepted, reason=str(claim.reason or "")
    )


def _moved(before: Document, after: Document) -> list[Moved]:
    """Return the verdicts, lines and ranks of the appellant that are not the same."""
    rows = [(one.label, 0, one.value, two.value) for one, two in zip(before.results, after.results, strict=False)]
    lines = {line.name: line.points for line in after.lines}
    rows += [(line.label, line.depth, line.points, lines.get(line.name, "")) for line in before.lines]
    ranks = {one.roster: one.rank for one in after.ranks}
    listed = [(one.title, one.rank, ranks.get(one.roster)) for one in before.ranks]
    known = {one.roster for one in before.ranks}
    listed += [(one.title, None, one.rank) for one in after.ranks if one.roster not in known]
    rows += [(title, 0, _rank(one), _rank(two)) for title, one, two in listed]
    return [Moved(label=label, depth=depth, before=a, after=b) for label, depth, a, b in rows if a != b]


def _rank(rank: int | None) -> str:
    return "–" if rank is None else str(rank)
