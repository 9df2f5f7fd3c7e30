"""What a pack writes down and nothing reads: measures, parameters, clauses; and points that rest on no clause."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from evaluator.diagnostics import Problems
from evaluator.pack.check_case import CaseDef
from evaluator.pack.check_names import clauses_in
from evaluator.pack.definitions import LineDef
from evaluator.pack.nodes import Name
from evaluator.workbench.checking.sites import Looked, Site

_TEXT = re.compile(r"'[^']*'")
_WORD = re.compile(r"[^\W\d]\w*")


def check_unused(looked: Looked, cases: Iterable[CaseDef], problems: Problems) -> None:
    """Note what nothing reads."""
    cases = list(cases)
    _measures(looked, cases, problems)
    _parameters(looked, problems)
    _clauses(looked, cases, problems)


def _measures(looked: Looked, cases: list[CaseDef], problems: Problems) -> None:
    """Note measures that lead to no line, verdict, roster, exception, control total or case."""
    read_by: dict[tuple[str, str], set[tuple[str, str]]] = {}
    todo = {(row.kind, wanted.name) for case in cases for row in case.expect for wanted in row.values}
    for site in looked.sites:
        names = set(_read(looked, site))
        if site.part == "measure":
            read_by.setdefault((site.owner, site.name), set()).update(names)
        else:
            todo |= names
    live: set[tuple[str, str]] = set()
    while todo:
        one = todo.pop()
        live.add(one)
        todo |= read_by.get(one, set()) - live
    for kind in looked.pack.kinds.values():
        for measure in kind.measures.values():
            if (kind.name, measure.name) not in live:
                problems.add("P501", f'nothing reads the measure "{measure.name}"', measure.at)


def _read(looked: Looked, site: Site) -> Iterator[tuple[str, str]]:
    for part in site.formula.node.walk():
        if isinstance(part, Name) and part.owner in looked.pack.kinds:
            yield part.owner, part.leaf


def _parameters(looked: Looked, problems: Problems) -> None:
    words = {word for site in looked.sites for word in _WORD.findall(_TEXT.sub("", site.formula.text))}
    for name, parameter in looked.pack.parameters.items():
        if name not in words:
            problems.add("P502", f'nothing reads the parameter "{name}"', parameter.at)


def _clauses(looked: Looked, cases: list[CaseDef], problems: Problems) -> None:
    pack = looked.pack
    things: list[Any] = [table.model for table in pack.tables.values()]
    things += [parameter.model for parameter in pack.parameters.values()]
    things += [control.model for control in pack.controls]
    things += [pack.appeals, *(case.model for case in cases)]
    named = {str(clause) for thing in things for clause in clauses_in(thing)}
    for name, clause in pack.clauses.items():
        if name not in named:
            problems.add("P503", f'nothing rests on the clause "{name}"', clause.at)


def check_grounds(looked: Looked, problems: Problems) -> None:
    """Note lines that bring points and rest on nothing, in packs that have clauses."""
    if not looked.pack.clauses:
        return
    for kind in looked.pack.kinds.values():
        if kind.score is not None:
            _grounds(kind.score, False, problems)


def _grounds(line: LineDef, has_some: bool, problems: Problems) -> None:
    has_some = has_some or line.model.clause is not None or line.model.note is not None
    if not line.items and not has_some:
        problems.add("P504", f'points of "{line.id}" rest on no clause', line.at)
    for item in line.items:
        _grounds(item, has_some, problems)
