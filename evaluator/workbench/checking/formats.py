"""What was found, for people and for the programs that show it beside the text: JSON, SARIF, and GitHub's commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from evaluator import __version__
from evaluator.diagnostics import CODES, Cell, Diagnostic, Span
from evaluator.report.problems import CheckedPack, CheckedPacks, page_of, problem_of
from evaluator.workbench.checking.checked import Report


def as_json(report: Report) -> str:
    """Return the report as JSON, by the schema `evaluator schema` prints."""
    packs = []
    for one in report.checked:
        errors = sum(problem.severity == "error" for problem in one.problems)
        packs.append(
            CheckedPack(
                folder=one.folder.as_posix(),
                pack=one.pack.name if one.pack is not None else "",
                errors=errors,
                warnings=len(one.problems) - errors,
                problems=[problem_of(problem) for problem in one.problems],
            )
        )
    whole = CheckedPacks(packs=packs, errors=sum(p.errors for p in packs), warnings=sum(p.warnings for p in packs))
    return whole.model_dump_json(indent=1)


# --- SARIF ------------------------------------------------------------------------------------------------


def as_sarif(report: Report, docs: str | None = None) -> str:
    """Return the report as SARIF 2.1.0; `docs` is where the folder docs lies on the web, for links to the pages."""
    codes = sorted({problem.code for problem in report.problems})
    driver: dict[str, Any] = {
        "name": "evaluator",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(code, docs) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem, codes) for problem in report.problems],
    }
    whole = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(whole, ensure_ascii=False, indent=1)


def _rule(code: str, docs: str | None) -> dict[str, Any]:
    about = CODES[code]
    made: dict[str, Any] = {
        "id": code,
        "name": "".join(word.capitalize() for word in about.title.replace(",", "").split()),
        "shortDescription": {"text": about.title},
        "fullDescription": {"text": f"Why: {about.why}."},
        "help": {"text": f"Why: {about.why}.\nFix: {about.fix}."},
        "defaultConfiguration": {"level": about.severity},
    }
    if docs is not None:
        made["helpUri"] = f"{docs.rstrip('/')}/{page_of(code).removeprefix('docs/')}"
    return made


def _result(problem: Diagnostic, codes: list[str]) -> dict[str, Any]:
    fix = problem.fix or CODES[problem.code].fix
    made: dict[str, Any] = {
        "ruleId": problem.code,
        "ruleIndex": codes.index(problem.code),
        "level": problem.severity,
        "message": {"text": f"{problem.message}. Fix: {fix}"},
    }
    if problem.at is not None:
        made["locations"] = [{"physicalLocation": _location(problem.at)}]
    if problem.also:
        made["relatedLocations"] = [
            {"id": number, "physicalLocation": _location(other), "message": {"text": what}}
            for number, (other, what) in enumerate(problem.also, 1)
        ]
    return made


def _location(at: Span | Cell) -> dict[str, Any]:
    uri = quote(at.file)
    artifact = {"uri": f"file://{uri}"} if at.file.startswith("/") else {"uri": uri, "uriBaseId": "%SRCROOT%"}
    made: dict[str, Any] = {"artifactLocation": artifact}
    if isinstance(at, Span):
        made["region"] = {"startLine": at.line, "startColumn": at.column, "endColumn": at.column + at.length}
        if at.text:
            made["region"]["snippet"] = {"text": at.text[at.column - 1 : at.column - 1 + at.length]}
    elif at.row:
        made["region"] = {"startLine": at.row}
    return made


# --- GitHub -----------------------------------------------------------------------------------------------


def as_github(report: Report) -> str:
    """Return the report as commands of GitHub's workflows, which show it beside the lines it is about."""
    return "\n".join(map(_command, report.problems))


def _command(problem: Diagnostic) -> str:
    about, at = CODES[problem.code], problem.at
    places: dict[str, object] = {}
    if isinstance(at, Span):
        places = {"file": at.file, "line": at.line, "col": at.column, "endColumn": at.column + at.length}
    elif at is not None:
        places = {"file": at.file, **({"line": at.row} if at.row else {})}
    places["title"] = f"{problem.code}: {about.title}"
    message = f"{problem.message}\nwhy: {about.why}\nfix: {problem.fix or about.fix}"
    properties = ",".join(f"{key}={_escaped(str(value), ':', ',')}" for key, value in places.items())
    return f"::{problem.severity} {properties}::{_escaped(message)}"


def _escaped(text: str, *others: str) -> str:
    for sign in ("%", "\r", "\n", *others):
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text


FORMATS: dict[str, Callable[[Report, str | None], str]] = {
    "json": lambda report, _: as_json(report),
    "sarif": as_sarif,
    "github": lambda report, _: as_github(report),
}
