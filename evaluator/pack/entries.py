"""The tables of rows that people enter, which a pack has without writing them down.

judgements   points and verdicts that somebody decided on, within what the pack leaves to them
approvals    what became of proposals
past_results what subjects came to before the first year there is a run folder of
"""

from __future__ import annotations

from evaluator.diagnostics import Problems
from evaluator.pack.model import Kind, PackFile, Table
from evaluator.pack.model_judgement import Line
from evaluator.pack.reading import read_model
from evaluator.pack.source import read_text

ENTERED = JUDGEMENTS, APPROVALS, PAST_RESULTS = "judgements", "approvals", "past_results"
_SHAPE = """
files: [{files}]
key: [year, kind, subject, item]
fields:
  year: {{type: integer, columns: [year, 年度], default: 0}}
  kind: {{type: text, columns: [kind, 类别], default: ''}}
  subject: {{type: text, columns: [subject, 对象]}}
  item: {{type: text, columns: [item, 项目]}}
  value: {{{value}}}
  decided_by: {{type: text, columns: [decided_by, 决定机关]}}
  decided_on: {{type: date, columns: [decided_on, 决定日期]}}
  reason: {{type: text, columns: [reason, 理由]}}
"""
_PAST = """
files: [past_results, 历年结果]
key: [year, kind, subject, name]
fields:
  year: {{type: integer, columns: [year, 年度]}}
  kind: {{one_of: [{kinds}], columns: [kind, 类别]{default}}}
  subject: {{type: text, columns: [subject, 对象]}}
  name: {{type: text, columns: [name, 名称]}}
  value: {{type: text, columns: [value, 结果]}}
"""
_FILES = {JUDGEMENTS: "judgements, 评议", APPROVALS: "approvals, 审批"}
_VALUES = {JUDGEMENTS: "type: text, columns: [value, 评定]", APPROVALS: "type: boolean, columns: [approved, 批准]"}


def entered_tables(file: PackFile, kinds: list[Kind]) -> dict[str, Table]:
    """Return the tables that the rules of a pack need people to fill, by name."""
    wanted = []
    verdicts = [verdict for kind in kinds for verdict in kind.verdicts.values()]
    lines = [line for kind in kinds if kind.score is not None for line in _lines(kind.score)]
    if any(line.judged for line in lines) or any(verdict.override_by for verdict in verdicts):
        wanted.append(JUDGEMENTS)
    if any(verdict.proposes for verdict in verdicts):
        wanted.append(APPROVALS)
    shapes = {name: _SHAPE.format(files=_FILES[name], value=_VALUES[name]) for name in wanted}
    if file.history is not None and kinds:
        names = [str(kind.subject) for kind in kinds]
        default = f", default: {names[0]}" if len(names) == 1 else ""
        shapes[PAST_RESULTS] = _PAST.format(kinds=", ".join(names), default=default)
    return {name: _table(name, shape) for name, shape in shapes.items()}


def _table(name: str, shape: str) -> Table:
    problems = Problems()
    tree = read_text(shape, f"({name})", problems)
    made = read_model(Table, tree, problems) if tree is not None else None
    assert made is not None, problems
    return made


def _lines(line: Line) -> list[Line]:
    return [line, *(below for item in line.items or () for below in _lines(item))]
