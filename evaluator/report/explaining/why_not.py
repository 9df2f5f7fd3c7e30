"""Why a verdict is not another one: the rules that would have given it, and those that came before."""

from __future__ import annotations

from pathlib import Path

from evaluator.diagnostics import Problems, Stop, closest
from evaluator.pack.definitions import KindDef, Pack, VerdictDef
from evaluator.report.explaining.document import Concluded, Part, concluded
from evaluator.report.explaining.explain import Explainer, find_subject
from evaluator.report.explaining.text import verdict_lines
from evaluator.report.explaining.ways import Ways, way_lines, ways_of
from evaluator.report.reopen import reopen
from evaluator.report.words import name_of, say, shown


class WhyNot(Part):
    """Why a subject's verdict is not the one asked for."""

    kind: str
    key: str
    name: str
    year: int
    wanted: str
    is_so: bool
    verdict: Concluded
    """The verdict, with the rules down to the last that gives what was asked for, or all that do."""
    ways: Ways | None
    """What it would take, where that was asked."""

    def lines(self, pack: Pack) -> list[str]:
        """Return it as lines of text."""
        head = f"{pack.label(self.kind)} {self.name} ({self.key}) · {self.year}"
        asked = say(pack, "it is so" if self.is_so else "why not", self.verdict.label, self.wanted)
        ways = way_lines(pack, self.ways) if self.ways is not None else []
        return [head, asked, *verdict_lines(pack, self.verdict, self.year), *(f"    {line}" for line in ways)]


def why_not(
    folder: Path, subject: str, wanted: str, language: str | None = None, asks_ways: bool = False
) -> tuple[Pack, WhyNot]:
    """Explain why a verdict of a subject is not what was asked for as verdict=value, by name or label.

    With `asks_ways` it says what that would take, which needs the solver.
    Raises Stop where there is no such subject, verdict or value.
    """
    with reopen(folder, language) as run:
        named = find_subject(run, subject)
        kind, key, _ = named
        verdict, value = _wanted(run.pack, kind, wanted)
        explainer = Explainer(run, named)
        found = explainer.explanation()
        explained = explainer.verdict_against(verdict, value)
        made = concluded(found, explained)
        is_so = explained.value == value or str(explained.value) == str(value)
        return run.pack, WhyNot(
            kind=kind.name, key=key, name=found.name, year=found.year, wanted=shown(run.pack, value),
            is_so=is_so, verdict=made,
            ways=ways_of(run, kind, key, [verdict.name]) if asks_ways and found.is_assessed else None,
        )  # fmt: skip


def _wanted(pack: Pack, kind: KindDef, wanted: str) -> tuple[VerdictDef, object]:
    """Return the verdict and value that are asked for."""
    name, _, words = wanted.partition("=")
    name, words = name.strip(), words.strip()
    problems = Problems()
    known = {word: v for v in kind.verdicts.values() for word in (v.name, name_of(pack, kind.name, v.name))}
    if name not in known:
        near = closest(name, known)
        fix = f"write {near}" if near else f"use one of {', '.join(known)}"
        problems.add("R206", f'{pack.label(kind.name)} has no verdict "{name}"', fix=fix)
        raise Stop(problems)
    verdict = known[name]
    values: dict[str, object] = {}
    if verdict.form in ("yes_no", "quota") or verdict.type.base == "boolean":
        values = {"true": True, "false": False, say(pack, "yes"): True, say(pack, "no"): False}
    else:
        for value in verdict.type.values:
            values |= {str(value): value, shown(pack, str(value)): value}
    if words not in values and (values or not words):
        near = closest(words, values)
        fix = f"write {name}={near}" if near else f"write {name}= and one of {', '.join(dict.fromkeys(values))}"
        problems.add("R206", f'{name} cannot be "{words}"', fix=fix)
        raise Stop(problems)
    return verdict, values.get(words, words)
