"""The parts of the documents that are made from the code: what is listed there is what there is."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from code_pages import with_code

import evaluator
from evaluator.diagnostics import CODES, Diagnostic, Stop
from evaluator.pack.functions import FUNCTIONS, OVER_YEARS, RESERVED, SETTINGS
from evaluator.pack.reading import schemas
from evaluator.report.summary import rosters_text

PACKAGE = Path(evaluator.__file__).parent

# ---------------------------------------------------------------------------------------------------------
# a tiny pack to try things on
# ---------------------------------------------------------------------------------------------------------

PACK = "pack: try\ntitle: {en: try}\nlanguage: en\n"
KIND = """\
subject: member
key: id
fields: {id: text, sector: {one_of: [north, south]}, standing: boolean, hours: {type: number, optional: true}}
"""
JUDGED = """\
score: {points: 1}
verdicts:
  grade: {levels: [fail, pass], rules: [{is: pass, when: total >= 60}, {otherwise: fail}]}
"""


def _write(folder: Path, kind: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pack.yaml").write_text(PACK, encoding="utf-8")
    (folder / "member.yaml").write_text(kind, encoding="utf-8")
    return folder


def _first_problem(kind: str) -> Diagnostic:
    """Return what is said first of a pack that is wrong."""
    with TemporaryDirectory() as place:
        try:
            evaluator.load_pack(_write(Path(place), kind))
        except Stop as stopped:
            return stopped.problems[0]
    raise AssertionError(f"nothing is wrong with this:\n{kind}")


def values_of(expressions: list[str]) -> list[str]:
    """Return what a run makes of each expression, for a subject whose `hours` are unknown."""
    measures = "".join(f"  m{i}: {json.dumps(text)}\n" for i, text in enumerate(expressions))
    columns = ", ".join(f"m{i}" for i in range(len(expressions)))
    rosters = f"rosters: [{{id: all, order_by: id, columns: [{columns}]}}]\n"
    with TemporaryDirectory() as place:
        pack, data = _write(Path(place, "pack"), f"{KIND}measures:\n{measures}{rosters}"), Path(place, "data")
        data.mkdir()
        (data / "member.csv").write_text("id,sector,standing,hours\n1,north,yes,\n", encoding="utf-8")
        folder = evaluator.run(pack, data, 2021, out=Path(place, "out"))
        row = json.loads(rosters_text(folder, None, "json"))[0]["rows"][0]
    return [_shown(row[f"m{i}"]) for i in range(len(expressions))]


def _shown(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(headings), ["---"] * len(list(headings)), *map(list, rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _code(text: str) -> str:
    return f"`{text}`"


# ---------------------------------------------------------------------------------------------------------
# expressions
# ---------------------------------------------------------------------------------------------------------

MEANING = {
    "abs": ("abs(x)", "the distance from zero", ["abs(-2.5)"]),
    "round": (
        "round(x), round(x, places)",
        "rounded half away from zero, to 0 to 6 places",
        ["round(2.5)", "round(-0.125, 2)"],
    ),
    "floor": ("floor(x)", "the greatest whole number not above x", ["floor(7 / 2)", "floor(-3.5)"]),
    "ceil": ("ceil(x)", "the least whole number not below x", ["ceil(3 * 1/3)", "ceil(3.01)"]),
    "least": ("least(x, y, …)", "the smallest; unknown if any is", ["least(3, 1, 2)", "least(3, hours)"]),
    "greatest": ("greatest(x, y, …)", "the largest; unknown if any is", ["greatest(3, 1, 2)"]),
    "clamp": ("clamp(x, low, high)", "x, kept within low and high", ["clamp(12, 0, 10)"]),
    "coalesce": ("coalesce(a, b, …)", "the first that is known", ["coalesce(hours, 0)"]),
    "contains": ("contains(text, part)", "whether the text contains the part", ["contains('微协商会', '协商')"]),
    "length": ("length(text)", "how many characters it has", ["length('微协商')"]),
    "year": ("year(date)", "the year", ["year('2021-03-05')"]),
    "quarter": ("quarter(date)", "1 to 4", ["quarter('2021-03-05')"]),
    "month": ("month(date)", "1 to 12", ["month('2021-03-05')"]),
    "day": ("day(date)", "the day of the month", ["day('2021-03-05')"]),
    "weekday": ("weekday(date)", "1 is Monday, 7 Sunday", ["weekday('2021-03-07')"]),
    "days": ("days(from, to)", "days from the one to the other", ["days('2021-03-05', '2021-04-01')"]),
    "months": ("months(from, to)", "whole months from the one to the other", ["months('2021-01-31', '2021-03-30')"]),
    "workdays": (
        "workdays(from, to)",
        "working days after the one, up to and with the other",
        ["workdays('2021-03-05', '2021-03-08')", "workdays('2021-03-08', '2021-03-01')"],
    ),
}
EXACT = [
    "1/3 + 1/3 + 1/3 = 1",
    "2 / 3",
    "ceil(9 * 1/3)",
    "7 / 0",
    "hours > 4",
    "hours > 4 and false",
    "hours > 4 or true",
    "hours is null",
    "case when hours > 4 then 'many' else 'few' end",
    "hours between 1 and 8",
    "sector in ('north', 'south')",
    "not standing",
]
MISTAKES = [
    "total == 60",
    "total ≥ 60",
    "grade = 'passed'",
    'sector = "north"',
    "sector = 5",
    "sector > 'north'",
    "totl >= 60",
    "total % 2 = 0",
    "hours = null",
    "standing + 1 > 1",
    "averge(hours) > 1",
    "case sector when 'north' then true else false end",
]
TRAPS = [
    "measures: {near: sector in ('north', 'south')}",
    "measures: {is_north: 'north' = sector}",
    "score: {base: - hours, points: 1}",
    "measures:\n  is_odd: sector = 'x #1'",
    "measures:\n  is_odd: sector = 'x: 1'",
    "measures:\n  absent: !standing",
    "measures:\n  few: hours < 2\n  few: hours < 3",
    "measures:\n  few:",
    "measures:\n\tfew: hours < 2",
    "measures: {few: &few hours < 2}",
]


def functions() -> str:
    """List every function with an example and what a run makes of it."""
    assert MEANING.keys() == FUNCTIONS.keys(), "a function has no line in tests/doc_parts.py"
    found = iter(values_of([example for name in FUNCTIONS for example in MEANING[name][2]]))
    rows = []
    for name in FUNCTIONS:
        signature, meaning, examples = MEANING[name]
        shown = " · ".join(f"`{example}` is {next(found)}" for example in examples)
        rows.append([_code(signature), meaning, shown])
    return _table(("function", "gives", "example"), rows)


def exact() -> str:
    """List what expressions come to."""
    return _table(("expression", "is"), ([_code(t), v] for t, v in zip(EXACT, values_of(EXACT), strict=True)))


def mistakes() -> str:
    """List wrong expressions with what is said of each."""
    rows = []
    for text in MISTAKES:
        found = _first_problem(f"{KIND}{JUDGED}  tried: {{when: {json.dumps(text, ensure_ascii=False)}}}\n")
        rows.append([_code(text), _link(found.code), found.message, found.fix or CODES[found.code].fix])
    return _table(("written", "code", "said", "fix"), rows)


def traps() -> str:
    """List what YAML would read otherwise than meant, with what is said of each."""
    rows = []
    for text in TRAPS:
        found = _first_problem(f"{KIND}{text}\n")
        fix = " ".join(line.strip() for line in (found.fix or CODES[found.code].fix).splitlines())
        shown = text.replace("\t", "→").replace("\n", " ⏎ ")
        rows.append([_code(shown), _link(found.code), found.message, fix])
    return _table(("written", "code", "said", "fix"), rows)


def reserved() -> str:
    """List the words that nothing else may be called."""
    settings, functions_ = set(SETTINGS), {*FUNCTIONS, *OVER_YEARS}
    rest = RESERVED - settings - functions_
    rows = [
        ["constants", ", ".join(map(_code, sorted(settings)))],
        ["functions", ", ".join(map(_code, sorted(functions_)))],
        ["other words", ", ".join(map(_code, sorted(rest)))],
    ]
    return _table(("", "reserved"), rows)


# ---------------------------------------------------------------------------------------------------------
# the keys of a pack
# ---------------------------------------------------------------------------------------------------------

TITLES = {
    "pack.yaml": "pack.yaml",
    "Period": "period",
    "History": "history",
    "InForce": "in_force",
    "Term": "a term",
    "Holidays": "holidays",
    "Clause": "a clause",
    "Parameter": "a parameter",
    "Match": "rows and columns of a parameter",
    "Control": "a line of reconcile",
    "Table": "a table",
    "FieldModel": "a field",
    "Expected": "expected",
    "*.yaml": "a kind",
    "SetApart": "not_assessed and not_ranked",
    "Measure": "a measure",
    "Window": "a period of a measure or line",
    "Line": "score, and each of its items",
    "Times": "a factor",
    "Veto": "a veto",
    "Verdict": "a verdict",
    "Rule": "a rule",
    "Roster": "a roster",
    "Proofs": "prove",
    "Better": "a line of better",
    "Excepted": "a line of except",
    "cases/*.yaml": "a case",
    "EarlierYear": "a year before",
    "AppealTerms": "appeals",
    "appeals/*.yaml": "an appeal",
    "Claim": "a claim",
}
KINDS_OF_TEXT = (
    "text",
    "a literal",
    "an expression",
    "a name, or names joined by dots",
    "a name: letters of any script, digits, _",
)
REFUSED = {"Control": {"value", "min", "max", "any", "rank", "via", "within", "default"}}
"""Keys a model inherits and then refuses."""


def keys() -> str:
    """List the keys of every mapping of a pack: what each takes, what it is for."""
    made = schemas()
    models: dict[str, Any] = {}
    for name, schema in made.items():
        models |= {name: schema, **schema.get("$defs", {})}
    assert models.keys() <= TITLES.keys(), f"no title for {sorted(models.keys() - TITLES.keys())}"
    inherited = models["Table"]["properties"].keys()
    parts = []
    for name, title in TITLES.items():
        model = models[name]
        rows, wanted = [], model.get("required", ())
        for key, schema in model["properties"].items():
            if key in REFUSED.get(name, ()) or (name == "*.yaml" and key in inherited):
                continue
            shown = _code(key) + (" (required)" if key in wanted else "")
            said = schema.get("description", "")
            rows.append([shown, _takes(schema), "" if said in KINDS_OF_TEXT else said])
        also = " It also has the keys of [a table](#keys-of-a-table)." if name == "*.yaml" else ""
        parts.append(
            f"#### Keys of {title}\n\n{model['description']}{also}\n\n" + _table(("key", "takes", "for"), rows)
        )
    return "\n\n".join(parts)


def _takes(schema: dict[str, Any]) -> str:
    """Say in words what a key takes."""
    if "$ref" in schema:
        title = TITLES[schema["$ref"].rsplit("/", 1)[-1]]
        return f"[{title}](#{anchor('Keys of ' + title)})"
    if "anyOf" in schema:
        return " or ".join(_takes(part) for part in schema["anyOf"] if part.get("type") != "null")
    if "enum" in schema:
        return " or ".join(map(_code, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of: {_takes(schema['items'])}"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), {})
        return f"mapping to: {_takes(inner)}" if inner else "mapping"
    if isinstance(schema.get("type"), list):
        said = str(schema.get("description"))
        return said if said in KINDS_OF_TEXT else "a name"
    if schema.get("format") == "date":
        return "a date"
    if schema["type"] == "string":
        return "a day of the year, such as 12-31" if "\\d-" in schema["pattern"] else "a name"
    return {"number": "a number", "integer": "a whole number", "boolean": "true or false"}[schema["type"]]


def anchor(heading: str) -> str:
    kept = "".join(c for c in heading.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


# ---------------------------------------------------------------------------------------------------------
# diagnostics, modules
# ---------------------------------------------------------------------------------------------------------

CHAPTERS = {
    "P1": "Reading YAML",
    "P2": "The shape of a pack",
    "P3": "Expressions",
    "P4": "Names and order",
    "P5": "What is probably wrong",
    "P6": "Cases",
    "D1": "Files and columns",
    "D2": "Rows",
    "D3": "History",
    "D4": "Appeals",
    "R1": "Judging",
    "R2": "Asking for a result",
    "R3": "Proving rules",
    "E1": "The engine",
}


def codes() -> str:
    """List every diagnostic."""
    parts, chapter = [], ""
    for code, about in sorted(CODES.items(), key=lambda entry: ("PDRE".index(entry[0][0]), entry[0])):
        if CHAPTERS[code[:2]] != chapter:
            chapter = CHAPTERS[code[:2]]
            parts.append(f"## {chapter}")
        title = about.title[0].upper() + about.title[1:]
        parts.append(
            f"### {code}\n\n**{title}** ({about.severity}) · [page](diagnostics/{code}.md)\n\n"
            f"- why: {about.why}\n- fix: {with_code(about.fix)}"
        )
    return "\n\n".join(parts)


def _link(code: str) -> str:
    return f"[{code}](diagnostics.md#{code.lower()})"


def modules() -> str:
    """List every module with the first line of its docstring."""
    parts = []
    names = ("pack", "sql", "data", "engine", "solve", "report", "report/explaining", "report/comparing")
    workbench = sorted(path.parent for path in PACKAGE.glob("workbench/*/__init__.py"))
    for folder in (PACKAGE, *(PACKAGE / name for name in names), *workbench):
        rows = []
        for file in sorted(folder.glob("*.py")):
            said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            if file.name != "__init__.py" or folder == PACKAGE:
                rows.append([_code(file.name), said.split("\n\n")[0].replace("\n", " ")])
        parts.append(
            f"`{folder.relative_to(PACKAGE.parent).as_posix()}/`\n\n" + _table(("module", "what it does"), rows)
        )
    return "\n\n".join(parts)


PARTS: dict[str, Callable[[], str]] = {
    "functions": functions, "exact": exact, "mistakes": mistakes, "traps": traps, "reserved": reserved,
    "keys": keys, "codes": codes, "modules": modules,
}  # fmt: skip
