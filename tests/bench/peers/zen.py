"""zen-engine: expressions and two decision tables, evaluated a member at a time; counts and ranks are by DuckDB."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zen

from peers.job import ABSENCE, CONCLUDED, EXTRAS, FEWEST, GRADES, KINDS, MOST_ABSENCES, STARS, counted, table, write

BATCH = 1000


def expressions(name: str, values: dict[str, str]) -> dict[str, Any]:
    """Return a node that computes values."""
    listed = [{"id": key, "key": key, "value": value} for key, value in values.items()]
    return {
        "id": name, "type": "expressionNode", "name": name, "content": {
            "passThrough": True, "executionMode": "single", "expressions": listed,
        },
    }  # fmt: skip


def decisions(name: str, inputs: list[str], rules: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    """Return a node that takes the first row whose cells hold; its last cell is the answer."""
    columns = [{"id": column, "name": column, "field": column, "type": "expression"} for column in inputs]
    rows = [
        {"_id": f"{name}{place}", **dict(zip([*inputs, name], rule, strict=True))} for place, rule in enumerate(rules)
    ]
    return {
        "id": name, "type": "decisionTableNode", "name": name, "content": {
            "passThrough": True, "executionMode": "single", "hitPolicy": "first", "inputs": columns,
            "outputs": [{"id": name, "name": name, "field": name}], "rules": rows,
        },
    }  # fmt: skip


def capped(lines: dict[str, tuple[int, int]]) -> str:
    """Return the sum of capped lines."""
    return " + ".join(f"min([{name} * {each}, {most}])" for name, (each, most) in lines.items())


def graph() -> str:
    """Return the rules as a decision graph."""
    points = {
        "activities": " + ".join(KINDS), "base": capped(KINDS), "bonus": capped(EXTRAS),
        "total": f"$.base + $.bonus - absence * {ABSENCE}",
    }  # fmt: skip
    most = {"excellent": f"<= {MOST_ABSENCES}"}
    grades = [
        ("true", "", "", "", "'fail'"),
        ("", "", f"< {FEWEST}", "", "'fail'"),
        *(("", f">= {least}", f">= {fewest}", most.get(name, ""), f"'{name}'") for name, least, fewest in GRADES),
        ("", "", "", "", "'fail'"),
    ]
    stars = [("true", "", "", "0"), *(("", f">= {total}", f">= {few}", str(value)) for value, total, few in STARS)]
    after = {
        "final": "total + (star >= 3 ? 20 * (star - 2) : 0)",
        "exit": "grade == 'fail' and last_grade == 'fail'",
    }
    nodes = [
        {"id": "in", "type": "inputNode", "name": "in", "content": {}},
        expressions("points", points),
        decisions("grade", ["vetoed", "total", "activities", "absence"], grades),
        decisions("star", ["vetoed", "total", "activities"], [*stars, ("", "", "", "0")]),
        expressions("after", after),
        {"id": "out", "type": "outputNode", "name": "out", "content": {}},
    ]
    names = [node["id"] for node in nodes]
    edges = [
        {"id": f"{a}-{b}", "sourceId": a, "targetId": b, "type": "edge"} for a, b in zip(names, names[1:], strict=False)
    ]
    return json.dumps({"nodes": nodes, "edges": edges})


def job(data: Path, out: Path) -> None:
    """Do the whole job."""
    content = zen.ZenDecisionContent(graph())
    engine = zen.ZenEngine({"loader": lambda _: content})
    members = counted(data).to_pylist()
    batches = (members[start : start + BATCH] for start in range(0, len(members), BATCH))
    asked = ([{"key": "rules", "context": member} for member in batch] for batch in batches)
    answers = (answer["data"]["result"] for some in asked for answer in engine.evaluate_batch(some))
    write(table(CONCLUDED, answers), out)
